"""Save the images of cameras, and reopen and export old inspections with them."""

import numpy as np
import pytest

from inspector import registry
from inspector.api import check_options
from inspector.domain import Choice, Detection, Frame, InputError, Inspection, Job, ModelInfo, Verdict, judge
from inspector.engine import Engine
from inspector.history import History, Query
from inspector.imaging import read_image, write_image
from inspector.jobs.recovery import open_history
from inspector.reexport.frame_finder import find_frame
from inspector.reexport.reexport import reexport
from inspector_plugins.originals import Originals, inspector_exporters

MODEL = ModelInfo("best.pt", "", "test", ("wear",))


def inspection(number, status="NG", path=None, name="camera 0"):
    image = np.full((40, 60, 3), 10 * number, np.uint8)
    return Inspection(Frame(image, number, name, seconds=0.1, path=path), (), Verdict(status), MODEL, number=number)


def names(folder):
    return sorted(path.name for path in (folder / "originals").iterdir())


def written(folder, inspections, **options):
    (spec,) = inspector_exporters()
    exporter = spec.open(folder, None, **check_options(spec.options, options, "Exporter originals"))
    for each in inspections:
        exporter.write(each)
    return list(exporter.close())


def test_only_what_is_not_ok_and_lies_in_no_file_is_kept(tmp_path):
    some = [inspection(1), inspection(2, "OK"), inspection(3, "WARN"), inspection(4, path=str(tmp_path / "4.png"))]
    assert written(tmp_path, some) == [tmp_path / "originals"]
    assert names(tmp_path) == ["000001.jpg", "000003.jpg"]
    image, _ = read_image(tmp_path / "originals" / "000003.jpg")
    assert image.shape == (40, 60, 3) and abs(int(image.mean()) - 30) <= 2


def test_all_are_kept_where_that_is_wished(tmp_path):
    written(tmp_path, [inspection(1), inspection(2, "OK")], frames="all")
    assert names(tmp_path) == ["000001.jpg", "000002.jpg"]


def test_nothing_to_keep_makes_no_folder(tmp_path):
    assert written(tmp_path, [inspection(1, "OK"), inspection(2, path="a.png")]) == []
    assert list(tmp_path.iterdir()) == []


def test_the_quality_acts(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    sizes = []
    for quality in (50, 100):
        folder = tmp_path / str(quality)
        folder.mkdir()
        exporter = Originals(folder, None, quality=quality)
        exporter.write(Inspection(Frame(noise, 0, "camera"), (), Verdict("NG"), MODEL, number=1))
        exporter.close()
        sizes.append((folder / "originals" / "000001.jpg").stat().st_size)
    assert sizes[0] * 2 < sizes[1]
    with pytest.raises(InputError, match="quality"):
        written(tmp_path, [], quality=30)


class Watched:
    """Three images of a camera; the second has a bright spot."""

    total = 3

    def __iter__(self):
        for index in range(3):
            yield Frame(
                np.full((40, 60, 3), 200 * (index == 1), np.uint8), index, f"camera {index}", seconds=index / 10
            )

    def close(self):
        pass


class Bright:
    batch, info = 1, MODEL

    def predict(self, images, confidence, iou):
        return [[Detection("wear", 0.9, (0, 0, 9, 9))] if image.any() else [] for image in images]

    def close(self):
        pass


@pytest.fixture
def inspected(home, tmp_path):
    """The catalogue, the run's folder, and the records of a camera's run that saved all its images."""
    from dataclasses import replace

    from inspector.api import SourceSpec, Text

    catalogue = registry.load(False)
    catalogue = replace(catalogue, sources={**catalogue.sources, "watched": SourceSpec("watched", Text("W"), Watched)})
    engine = Engine(catalogue, lambda: open_history(0), "1", open_model=lambda *_: Bright())
    job = Job((Choice("watched"),), Choice("yolo11"), exporters=(Choice("originals", {"frames": "all"}),))
    run = engine.start(job, tmp_path / "out", "camera")
    assert run.wait(30) and run.state == "done", run.failure
    with History.open() as history:
        entries = history.search(Query(order="oldest")).entries
        return catalogue, run.output, [history.get(entry.id) for entry in entries]


def test_an_old_inspection_of_a_camera_finds_its_image_again(inspected):
    catalogue, output, records = inspected
    for folder in (output, str(output)):
        frames = [find_frame(catalogue, record, folder) for record in records]
        assert [round(frame.image.mean() / 200) for frame in frames] == [0, 1, 0]
    assert [judge(Bright().predict([frame.image], 0, 0)[0], None).status for frame in frames] == ["OK", "NG", "OK"]
    for nowhere in (None, output / "elsewhere", ""):
        with pytest.raises(InputError, match="camera or a stream and was not kept"):
            find_frame(catalogue, records[0], nowhere)


def test_a_image_that_was_changed_is_refused(inspected):
    catalogue, output, records = inspected
    write_image(output / "originals" / "000001.jpg", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match="has changed since it was inspected: 9 x 9 pixels instead of 60 x 40"):
        find_frame(catalogue, records[0], output)
    (output / "originals" / "000002.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="000002"):
        find_frame(catalogue, records[1], output)


def test_they_are_exported_again_with_their_images(inspected, tmp_path):
    catalogue, _, records = inspected
    with History.open() as history:
        runs = history.runs()
    outputs = {run.id: run.output for run in runs}
    chosen = [(catalogue.exporter(id), {}) for id in ("images", "originals")]
    result = reexport(
        records,
        runs,
        chosen,
        tmp_path / "again",
        lambda record: find_frame(catalogue, record, outputs[record["run"]]),
    )
    assert (result.written, result.missing, result.problems) == (3, (), ())
    assert names(tmp_path / "again") == ["000002.jpg"]
