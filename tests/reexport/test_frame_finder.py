"""Images of earlier inspections are found again, with the real plugins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media import image, video

from inspector.domain import Choice, InputError, Job
from inspector.engine import Engine
from inspector.history import History, Query
from inspector.jobs.recovery import open_history
from inspector.jobs.sources import resolve_sources
from inspector.reexport.frame_finder import FrameFinder, find_frame
from inspector.registry import Registry, load


@pytest.fixture(scope="module")
def catalogue() -> Registry:
    return load()


@pytest.fixture
def inspected(catalogue):
    """``inspected(path, ...)``: what the history keeps of a run over them."""

    class Nothing:
        from inspector.domain import ModelInfo

        info, batch = ModelInfo("", "", "none", ("Defect",)), 1

        def predict(self, images, confidence, iou):
            return [[] for _ in images]

        def close(self):
            pass

    def inspect(*paths: Path) -> list[dict]:
        choices = [choice for path in paths for choice in resolve_sources(catalogue, str(path))]
        engine = Engine(catalogue, lambda: open_history(0), "1", open_model=lambda *_: Nothing())
        run = engine.start(Job(tuple(choices), Choice("yolo11")), None)
        assert run.wait(30) and run.state == "done", run.failure
        with History.open() as history:
            found = history.search(Query(run=run.history_id, order="oldest")).entries
            return [history.get(entry.id) for entry in found]

    return inspect


def test_the_image_of_an_old_inspection_is_found_again(catalogue, inspected, tmp_path):
    stills = [image(tmp_path / f"零件 {n}.png", 10 * n) for n in range(3)]
    records = inspected(tmp_path, video(tmp_path / "moving.avi"))
    records = [record for record in records if record["name"] != "moving.avi"] + records[-12:]
    for number, record in enumerate(records[:3]):
        frame = find_frame(catalogue, record)
        assert (frame.name, frame.path, frame.image[0, 0, 0]) == (stills[number].name, str(stills[number]), 10 * number)
    for number in (7, 2, 11):
        frame = find_frame(catalogue, records[3 + number])
        assert (frame.index, frame.name, frame.path) == (number, "moving.avi", str(tmp_path / "moving.avi"))
        assert abs(int(frame.image.mean()) - 20 * number) <= 3 and frame.seconds == pytest.approx(number / 10)


def test_a_video_stays_open_from_one_frame_to_the_next(catalogue, inspected, tmp_path, monkeypatch):
    records = inspected(video(tmp_path / "a.avi"), video(tmp_path / "b.avi"), image(tmp_path / "still.png"))
    one, other, still = records[:12], records[12:24], records[24]
    opened, closed = [], []
    spec = catalogue.source("video_files")

    def open_counted(path):
        opened.append(Path(path).name)
        source = spec.open(path)
        close = source.close
        monkeypatch.setattr(source, "close", lambda: (closed.append(Path(path).name), close()))
        return source

    counted = replace(catalogue, sources={**catalogue.sources, spec.id: replace(spec, open=open_counted)})
    order = [*one[3:], still, one[0], *other, one[5]]
    with FrameFinder(counted) as finder:
        for record in order:
            frame = finder.find(record)
            assert (frame.name, frame.index) == (record["name"], record["index"])
            assert np.array_equal(frame.image, find_frame(catalogue, record).image)
        with pytest.raises(InputError, match="has no frame 12"):
            finder.find(one[0] | {"index": 12})
        assert np.array_equal(finder.find(one[4]).image, find_frame(catalogue, one[4]).image)
    assert opened == closed == ["a.avi", "b.avi", "a.avi"]


def test_what_cannot_be_found_again_is_told(catalogue, inspected, tmp_path):
    (record,) = inspected(image(tmp_path / "a.png"))
    with pytest.raises(InputError, match="camera or a stream"):
        find_frame(catalogue, record | {"path": None, "name": "camera 0"})
    image(tmp_path / "a.png", size=(25, 30))
    with pytest.raises(InputError, match="has changed since it was inspected: 30 x 25 pixels instead of 30 x 20"):
        find_frame(catalogue, record)
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="contains no image"):
        find_frame(catalogue, record)
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="no longer exists"):
        find_frame(catalogue, record)


def test_a_video_that_was_cut_or_cannot_be_looked_through_is_told(catalogue, inspected, tmp_path):
    *_, last = inspected(video(tmp_path / "a.avi"))
    with pytest.raises(InputError, match="No active source can show a frame"):
        find_frame(Registry(), last)
    video(tmp_path / "a.avi", 5)
    with pytest.raises(InputError, match="has no frame 11"):
        find_frame(catalogue, last)
