"""Images of earlier inspections in a run's folder: originals within limits, annotated copies as a fallback."""

import os

import numpy as np
import pytest

from inspector import registry
from inspector.domain import Choice, Detection, Frame, InputError, Inspection, Job, ModelInfo, judge
from inspector.engine import Engine
from inspector.history import History, Query
from inspector.history.originals import Purged, annotated_copy, original_copy, purge
from inspector.imaging import read_image, write_image
from inspector.jobs.build import build_job
from inspector.jobs.options import plugin_options
from inspector.jobs.recovery import open_history, purge_originals
from inspector.jobs.sources import resolve_sources
from inspector.reexport.frame_finder import FrameFinder, find_frame
from inspector.settings import Settings

NOW = 1_800_000_000.0
DAY = 86_400
MODEL = ModelInfo("best.pt", "ab", "yolo11n-seg", ("wear",))


def original(folder, number, age, size=1000):
    file = folder / "originals" / f"{number:06d}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    os.utime(file, (NOW - age * DAY,) * 2)
    return file


def test_what_is_too_old_goes_and_nothing_else(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    old, new = original(one, 1, 31), original(two, 1, 29)
    mine = one / "originals" / "my notes.txt"
    mine.write_text("mine")
    os.utime(mine, (0, 0))
    (one / "images").mkdir()
    (one / "images" / "000001.jpg").write_bytes(b"annotated")
    os.utime(one / "images" / "000001.jpg", (0, 0))
    outputs = [str(one), str(two), str(two), str(tmp_path / "gone")]
    assert purge(outputs, 30, 0, NOW) == Purged(1, 1000, 1, 1000)
    assert not old.exists() and new.exists() and mine.exists() and (one / "images" / "000001.jpg").exists()
    assert purge(outputs, 0, 0, NOW) == Purged(0, 0, 1, 1000)


def test_the_oldest_go_until_the_rest_fits(tmp_path):
    files = [original(tmp_path / f"run {age}", 7, age, 3000) for age in (1, 5, 3, 2, 4)]
    outputs = [str(file.parent.parent) for file in files]
    assert purge(outputs, 0, 7000 / 2**30, NOW) == Purged(3, 9000, 2, 6000)
    assert [file.exists() for file in files] == [True, False, False, True, False]
    assert not (tmp_path / "run 5" / "originals").exists()  # empty


def record(name="a.jpg", path="/parts/a.jpg", seconds=None, index=0, number=1, **more):
    return {"name": name, "path": path, "seconds": seconds, "index": index, "number": number} | more


def test_annotated_copies_are_found_only_where_it_is_sure_whose_they_are(tmp_path):
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "c.jpg", "c-2.jpg", "d.jpg", "d.bmp.jpg", "turn_000012.jpg", "sub/e.jpg"):
        (images / name).write_bytes(b"x")
    found = {
        "a.bmp": "a.jpg", "b.tif": "b.png", "c.jpg": None, "d.jpg": "d.jpg", "d.bmp": "d.bmp.jpg", "x.jpg": None,
        "sub/e.png": "sub/e.jpg", "e.png": None,
    }  # fmt: skip
    for name, file in found.items():
        expected = None if file is None else images / file
        assert annotated_copy(tmp_path, record(name, f"/parts/{name}")) == expected, name
    assert annotated_copy(str(tmp_path), record("turn.mp4", "/v/turn.mp4", 0.5, 12)) == images / "turn_000012.jpg"
    assert annotated_copy(tmp_path, record("turn.mp4", "/v/turn.mp4", 0.5, 13)) is None
    assert annotated_copy(tmp_path / "nowhere", record()) is None


def test_kept_copies_are_found_whatever_their_kind(tmp_path):
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals" / "000012.png").write_bytes(b"x")
    assert original_copy(str(tmp_path), 12) == tmp_path / "originals" / "000012.png"
    assert original_copy(tmp_path, 1) is None and original_copy(tmp_path / "nowhere", 1) is None


class Bright:
    """A model that finds a defect where the image is bright."""

    info, batch = MODEL, 1

    def predict(self, images, confidence, iou):
        return [[Detection("wear", 0.9, (2, 2, 9, 9))] if image.mean() > 100 else [] for image in images]

    def close(self):
        pass


@pytest.fixture
def watched(home, tmp_path):
    """A run over a watched folder of three images, the second and third bright; then the folder is tidied away."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    for number, level in enumerate((10, 200, 220)):
        write_image(folder / f"part {number}.png", np.full((40, 60, 3), level, np.uint8))
    catalogue = registry.load(False)
    sources = tuple(resolve_sources(catalogue, f"watch:{folder}"))
    settings = Settings.load(plugin_options(catalogue))
    usual = build_job(catalogue, settings, "en", sources=sources)
    assert usual.exporters[-1] == Choice("originals")
    job = Job(sources, Choice("yolo11"), exporters=(Choice("images"), usual.exporters[-1]))
    run = Engine(catalogue, lambda: open_history(0), "1", open_model=lambda *_: Bright()).start(
        job, tmp_path / "out", "incoming"
    )
    end = 200
    while run.counts.inspected < 3 and end:
        end -= run.wait(0.1) is False
    run.stop()
    assert run.wait(20) and run.counts.inspected == 3, run.problems
    bytes_of = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    with History.open() as history:
        records = {r["name"]: r for r in history.records(Query(order="oldest"))}
    return catalogue, run.output, records, bytes_of


def test_ng_parts_of_a_watched_folder_open_on_the_next_day_though_it_was_tidied(watched):
    catalogue, output, records, bytes_of = watched
    for name in ("part 1.png", "part 2.png"):
        with FrameFinder(catalogue) as finder:
            frame, annotated = finder.find_or_annotated(records[name], output)
        kept = original_copy(output, records[name]["number"])
        assert not annotated and frame.image.mean() > 150 and kept.read_bytes() == bytes_of[name]
    with FrameFinder(catalogue) as finder:  # OK parts: the annotated copy
        frame, annotated = finder.find_or_annotated(records["part 0.png"], output)
    assert annotated and frame.image.shape == (40, 60, 3)
    with pytest.raises(InputError, match="no longer exists"):
        find_frame(catalogue, records["part 0.png"], output)  # never taken for the original in an export


def test_beyond_the_limits_the_annotated_copy_is_shown(watched):
    catalogue, output, records, _ = watched
    settings = Settings.load()
    settings.set("originals_gb", 1e-9)
    removed = purge_originals(settings)
    assert (removed.files, removed.left) == (2, 0)
    with FrameFinder(catalogue) as finder:
        assert finder.find_or_annotated(records["part 1.png"], output)[1]


def test_a_share_of_the_ok_parts_is_kept(tmp_path):
    from inspector_plugins.originals import Originals

    exporter = Originals(tmp_path, None, ok_percent=30)
    for number in range(1, 11):
        image = np.full((8, 8, 3), number, np.uint8)
        exporter.write(Inspection(Frame(image, number, "cam"), (), judge([]), MODEL, number=number))
    kept = sorted(int(file.stem) for file in (tmp_path / "originals").iterdir())
    assert kept == [4, 7, 10] and read_image(tmp_path / "originals" / "000004.jpg")[0].mean() == 4
