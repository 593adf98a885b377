"""Export of earlier inspections: same exporters, same figures."""

import csv
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from inspector import registry
from inspector.api import ExporterSpec, Option, Text
from inspector.domain import Choice, Detection, Frame, InputError, Inspection, Job, Limit, Mask, ModelInfo, Rules, judge
from inspector.engine import Engine
from inspector.history import History, Query
from inspector.imaging import read_image
from inspector.reexport.frame_finder import find_frame
from inspector.reexport.reexport import blank_frame, rebuild, reexport, run_info

SAMPLES = Path(__file__).parents[2] / "sample_data"
NAMES = ("good-01.jpg", "defect-05.jpg", "defect-07.jpg")
EXPORTERS = ("jsonl", "csv", "xlsx", "coco", "yolo", "labelme", "images", "video")


@dataclass
class Original:
    """A run that was inspected: images and six frames of a video, of which a broken image was skipped."""

    catalogue: registry.Registry
    history: Path
    pictures: Path
    output: Path

    def records(self) -> list[dict]:
        with History.open(self.history) as history:
            return list(history.records(Query(order="oldest")))

    def reexport(self, folder: Path, *ids: str, records=None, runs=None, **more):
        with History.open(self.history) as history:
            chosen = [(self.catalogue.exporter(id), {}) for id in ids]
            return reexport(
                self.records() if records is None else records,
                history.runs() if runs is None else runs,
                chosen,
                folder,
                lambda record: find_frame(self.catalogue, record),
                **more,
            )


@pytest.fixture(scope="module")
def inspected(tmp_path_factory) -> Original:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path_factory.mktemp("home")))
        catalogue = registry.load()
    folder = tmp_path_factory.mktemp("original")
    pictures = folder / "轴承 图"
    pictures.mkdir()
    for name in NAMES:
        shutil.copy(SAMPLES / name, pictures)
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    film = cv2.VideoCapture(str(SAMPLES / "turning.mp4"))
    writer = cv2.VideoWriter(str(folder / "turn.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 640))
    for _ in range(6):
        writer.write(film.read()[1])
    writer.release()
    job = Job(
        (Choice("image_files", {"path": str(pictures)}), Choice("video_files", {"path": str(folder / "turn.mp4")})),
        Choice("yolo11"),
        str(next(iter(catalogue.model("yolo11").bundled.values()))),
        "cpu",
        exporters=tuple(map(Choice, EXPORTERS)),
        rules=Rules({"*": {"area_px": Limit(10, 800)}}),
    )
    history = folder / "history.sqlite3"
    run = Engine(catalogue, lambda: History.open(history), "1").start(job, folder / "out", "早班 1")
    assert run.wait(120) and run.state == "done" and run.counts.inspected == 9 and run.counts.skipped == 1
    assert run.counts.defects >= 2 and run.counts.ng + run.counts.warn >= 2
    return Original(catalogue, history, pictures, folder / "out")


@pytest.fixture
def original(inspected, tmp_path) -> Original:
    """The same with a history and images of its own, so that a test may spoil them."""
    pictures = tmp_path / "pictures"
    shutil.copytree(inspected.pictures, pictures)
    history = tmp_path / "history.sqlite3"
    shutil.copy(inspected.history, history)
    with History.open(history) as opened:
        opened._connection.execute("UPDATE folder SET path = ? WHERE path LIKE '%轴承%'", (f"{pictures}/",))
    return replace(inspected, history=history, pictures=pictures)


@pytest.fixture(scope="module")
def again(inspected, tmp_path_factory):
    folder = tmp_path_factory.mktemp("again") / "导出"
    result = inspected.reexport(folder, *EXPORTERS)
    assert (result.missing, result.problems, result.cancelled) == ((), (), False)
    assert result.written == 9 and result.folder == folder and all(file.is_file() for file in result.files)
    return folder


def table(file: Path) -> list[list[str]]:
    with open(file, encoding="utf-8-sig", newline="") as opened:
        return list(csv.reader(opened))


def same_rows(one, two) -> None:
    """The same cells; a number with decimals was rounded once more on its way through the history."""
    assert len(one) == len(two) > 1
    for before, after in zip(one, two, strict=True):
        for a, b in zip(before, after, strict=True):
            if a != b:
                assert "." in str(a) and float(b) == pytest.approx(float(a), abs=0.011)


def test_lines_and_coco_are_the_same(inspected, again):
    for name in ("results.jsonl", "coco.json"):
        assert (again / name).read_bytes() == (inspected.output / name).read_bytes()
    assert len(json.loads((again / "coco.json").read_text())["annotations"]) >= 2


def test_tables_are_the_same(inspected, again):
    for name in ("inspections.csv", "defects.csv"):
        same_rows(table(inspected.output / name), table(again / name))


def test_the_workbook_is_the_same(inspected, again):
    one, two = (openpyxl.load_workbook(folder / "results.xlsx") for folder in (inspected.output, again))
    assert one.sheetnames == two.sheetnames
    for name in one.sheetnames[2:]:
        same_rows(*([[cell.value for cell in row] for row in book[name].rows] for book in (one, two)))
    before, after = ({r[0].value: r[1].value for r in book.worksheets[0].rows} for book in (one, two))
    assert before.pop("Images in the sources") == 4 + 6
    assert abs((before.pop("Ended") - after.pop("Ended")).total_seconds()) <= 5
    assert before == after and after["Run"] == "早班 1" and after["Parts"] == after["Images inspected"] == 9


def test_data_sets_and_images_are_the_same(inspected, again):
    for part in ("yolo", "labelme"):
        files = sorted(path.relative_to(again) for path in (again / part).rglob("*") if path.is_file())
        assert files == sorted(
            path.relative_to(inspected.output) for path in (inspected.output / part).rglob("*") if path.is_file()
        )
        for file in files:
            assert (again / file).read_bytes() == (inspected.output / file).read_bytes(), file
    pictures = sorted(path.name for path in (again / "images").iterdir())
    assert len(pictures) >= 3 and pictures == sorted(path.name for path in (inspected.output / "images").iterdir())
    for name in pictures:
        one, two = (read_image(folder / "images" / name)[0] for folder in (inspected.output, again))
        assert np.array_equal(one, two), name
    film = cv2.VideoCapture(str(again / "video" / "turn.mp4"))
    assert (film.get(cv2.CAP_PROP_FRAME_COUNT), film.get(cv2.CAP_PROP_FPS)) == (6, 25)


def test_an_inspection_is_rebuilt_as_it_was(inspected):
    with History.open(inspected.history) as history:
        (run,) = history.runs()
    record = next(r for r in inspected.records() if r["detections"])
    built = rebuild(record, run.model, find_frame(inspected.catalogue, record))
    assert isinstance(built, Inspection)
    assert built.record() == {key: record[key] for key in built.record()}
    assert (built.number, built.time, built.confidence, built.iou) == tuple(
        record[key] for key in ("number", "time", "confidence", "iou")
    )
    assert built.frame.path == record["path"] and built.model.names == run.model.names
    for found in built.detections:
        assert found.mask is not None and run.model.names[found.class_id] == found.label
    assert judge(built.detections, run_info([run]).job.rules) == built.verdict


def test_a_missing_image_is_left_out_where_it_is_needed_only(original, tmp_path):
    (original.pictures / NAMES[1]).unlink()
    film_gone = [{**r, "path": r["path"].replace("turn", "gone")} for r in original.records() if r["path"]]
    result = original.reexport(tmp_path / "out", *EXPORTERS, records=film_gone)
    assert result.written == 9 and result.problems == ()
    assert len(result.missing) == 7 and NAMES[1] in "".join(result.missing) and "gone.mp4" in "".join(result.missing)
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()]
    assert [line["name"] for line in lines].count(NAMES[1]) == 1 and len(lines) == 9
    assert len(table(tmp_path / "out" / "inspections.csv")) == 10
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert len(coco["images"]) == 9
    assert {p.stem for p in (tmp_path / "out" / "images").iterdir()} == {"good-01", "defect-07"}
    assert {p.stem for p in (tmp_path / "out" / "yolo" / "labels").iterdir()} == {"good-01", "defect-07"}
    assert not (tmp_path / "out" / "video").exists()


def test_no_image_is_read_where_nobody_looks_at_it(original, tmp_path):
    shutil.rmtree(original.pictures)
    chosen = [(original.catalogue.exporter(id), {}) for id in ("xlsx", "csv", "jsonl", "coco")]
    chosen.append((original.catalogue.exporter("yolo"), {"images": "none"}))

    def refuse(record):
        raise AssertionError("a picture was read")

    with History.open(original.history) as history:
        result = reexport(original.records(), history.runs(), chosen, tmp_path / "out", refuse)
    assert (result.written, result.missing, result.problems) == (9, (), ())
    assert len(list((tmp_path / "out" / "yolo" / "labels").iterdir())) == 9


def test_thumbnails_of_missing_images_are_black_and_their_rows_stay(original, tmp_path):
    (original.pictures / NAMES[1]).unlink()
    chosen = [(original.catalogue.exporter("xlsx"), {"thumbnails": "yes"})]
    with History.open(original.history) as history:
        result = reexport(
            [r for r in original.records() if r["seconds"] is None],
            history.runs(),
            chosen,
            tmp_path / "out",
            lambda record: find_frame(original.catalogue, record),
        )
    assert (result.written, len(result.missing), result.problems) == (3, 1, ())
    sheet = openpyxl.load_workbook(tmp_path / "out" / "results.xlsx")["Inspections"]
    assert sheet.max_row == 4 and len(sheet._images) == 3
    means = sorted(cv2.imdecode(np.frombuffer(i._data(), np.uint8), 1).mean() for i in sheet._images)
    assert means[0] < 20 < means[1]


def test_a_blank_frame_takes_no_memory():
    frame = blank_frame({"height": 50_000, "width": 40_000, "index": 3, "name": "x"})
    assert frame.image.shape == (50_000, 40_000, 3) and frame.image[-1, -1].tolist() == [0, 0, 0]
    assert frame.image.strides == (0, 0, 0) and not frame.image.flags.writeable


class Recorder:
    """An exporter that writes its input to a text file; fails at the given number."""

    def __init__(self, folder, run, fail_at=0):
        self.file, self.run, self.fail_at, self.lines = folder / "seen.txt", run, fail_at, []

    def write(self, inspection):
        if inspection.number == self.fail_at:
            raise RuntimeError("no more")
        self.lines.append(f"{inspection.number} {inspection.frame.name} {inspection.model.file}\n")

    def close(self):
        self.file.write_text("".join(self.lines), "utf-8")
        return [self.file]


FAIL = Option("fail_at", int, 0, Text("Fail at"))
RECORDER = ExporterSpec("recorder", Text("Recorder"), Recorder, (FAIL,), pixels="unused")


def unread(record) -> Frame:
    raise InputError("is not there")


def test_a_failing_exporter_is_reported_and_the_others_go_on(inspected, tmp_path):
    def refuse(folder, run):
        raise OSError(28, "No space left on device")

    with History.open(inspected.history) as history:
        runs = history.runs()
    chosen = [
        (ExporterSpec("full", Text("Full"), refuse), {}),
        (RECORDER, {"fail_at": 4}),  # the first number is that of the broken image
        (inspected.catalogue.exporter("jsonl"), {}),
    ]
    result = reexport(inspected.records(), runs, chosen, tmp_path / "out", unread)
    assert result.problems == (
        "Exporter full failed: OSError: [Errno 28] No space left on device",
        "Exporter recorder failed: RuntimeError: no more",
    )
    assert result.missing == () and result.written == 9
    assert (tmp_path / "out" / "seen.txt").read_text().count("\n") == 2
    names = ("seen.txt", "results.jsonl", "parts.jsonl")
    assert set(result.files) == {tmp_path / "out" / name for name in names}


def test_a_wrong_option_or_a_used_folder_is_refused_before_anything_is_written(inspected, tmp_path):
    with History.open(inspected.history) as history:
        runs = history.runs()
    with pytest.raises(InputError, match="no option 'colour'"):
        reexport(inspected.records(), runs, [(RECORDER, {"colour": 1})], tmp_path / "out", unread)
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty; choose another"):
        reexport(inspected.records(), runs, [(RECORDER, {})], tmp_path, unread)
    with pytest.raises(InputError, match="cannot be created"):
        reexport(inspected.records(), runs, [(RECORDER, {})], tmp_path / "mine.txt" / "x", unread)
    with pytest.raises(InputError, match="nothing to export"):
        reexport([], [], [(RECORDER, {})], tmp_path / "out", unread)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_cancelling_leaves_nothing(inspected, tmp_path):
    seen = []
    result = inspected.reexport(
        tmp_path / "out", "jsonl", "xlsx", "images", progress=seen.append, cancelled=lambda: len(seen) == 4
    )
    assert (
        result.cancelled
        and result.files == ()
        and seen == [1, 2, 3, 4]
        and result.written == 4 - skipped_in(inspected.records()[:4])
    )
    assert not list(tmp_path.iterdir())


def skipped_in(records) -> int:
    return sum(record["verdict"] is None for record in records)


def test_an_error_of_ours_leaves_nothing(inspected, tmp_path):
    def records():
        yield inspected.records()[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspected.reexport(tmp_path / "out", "jsonl", "images", records=records())
    assert not list(tmp_path.iterdir())


def test_several_runs_are_numbered_anew_and_told_as_a_selection(home, tmp_path):
    one = ModelInfo("one.pt", "a" * 64, "yolo11n-seg", ("Crack", "Wear"))
    two = ModelInfo("two.pt", "b" * 64, "yolo11n-seg", ("Wear",))
    with History.open() as history:
        for model, started in ((one, "2026-11-20T08:00:00+01:00"), (two, "2026-11-21T08:00:00+01:00")):
            run = history.begin(Job((Choice("f"),), Choice("m"), language="zh"), model, model.file, None, started)
            for number in (1, 2):
                frame = Frame(np.zeros((9, 9, 3), np.uint8), 0, f"{number}.png", path=f"/x/{number}.png")
                found = (Detection("Wear", 0.5, (0, 0, 2, 2), Mask(0, 0, np.ones((2, 2), bool))),)
                time = f"2026-11-2{run - 1}T09:0{number}:00+01:00"
                history.add(run, Inspection(frame, found, judge(found), model, number=number, time=time))
            history.finish(run, "done", {})
        ids = [4, 1, 3, 99]
        runs, records = history.runs_of(ids), list(history.records_of(iter(ids)))
    assert [run.id for run in runs] == [2, 1] and [record["id"] for record in records] == [4, 1, 3]
    coco = registry.load().exporter("coco")
    result = reexport(records, runs, [(RECORDER, {}), (coco, {})], tmp_path / "out", unread)
    assert result.written == 3 and not result.problems
    lines = (tmp_path / "out" / "seen.txt").read_text().splitlines()
    assert lines == ["1 2.png two.pt", "2 1.png one.pt", "3 1.png two.pt"]
    document = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert [image["id"] for image in document["images"]] == [1, 2, 3]
    assert {a["category_id"] for a in document["annotations"]} == {1}
    info = run_info(runs)
    assert (info.title, info.model, info.started) == ("所选结果", two, "2026-11-20T08:00:00+01:00")
    assert info.ended == runs[0].ended and run_info(runs[1:]).title == "one.pt"
    other = replace(runs[1], job=runs[1].job | {"lot": "L7", "operator": "Li"})
    same = replace(runs[0], job=runs[0].job | {"lot": "L7", "operator": "Wang"})
    assert (run_info([same, other]).job.lot, run_info([same, other]).job.operator) == ("L7", "")
    assert run_info(runs, "Mine", "en").title == "Mine" and run_info(runs, language="en").title == "Selection"
