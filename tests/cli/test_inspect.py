"""The main job, as an operator, a quality engineer and a script call it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from links import needs_links

from inspector.history import History, Query
from inspector.registry import load

SPOTS = ("--model", "spots")
pytestmark = pytest.mark.usefixtures("spots")


def states() -> list[str]:
    """Of the runs in the history, the newest first."""
    with History.open() as history:
        return [run.state for run in history.runs()]


def kept() -> int:
    with History.open() as history:
        return history.count(Query())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)


def refused(result, complaint: str, home) -> None:
    """Bad input: one sentence, exit code 2, nothing on stdout, nothing written."""
    code, out, err = result
    assert (code, out, err.count("\n")) == (2, "", 1), result
    assert re.search(complaint, err), err
    assert not (home / "results").exists() and kept() == 0


def test_every_image_gets_its_line_and_all_is_saved(program, pictures, home):
    code, out, err = program("inspect", pictures, *SPOTS)
    lines = out.splitlines()
    assert code == 0 and not err
    assert [line.split()[0] for line in lines[:5]] == ["OK", "NG", "OK", "NG", "OK"]
    assert lines[1] == "NG   零件 1.png  Dark: 1 found (limit 0)"
    assert lines[5] == "Inspected with dark-spots: 5. OK: 3, WARN: 0, NG: 2, defects: 2"
    (folder,) = (home / "results").iterdir()
    assert lines[6] == f"Saved in {folder}" and folder.name.endswith(pictures.name)
    assert {"run.json", "run.log", "results.jsonl", "results.xlsx", "images"} <= {p.name for p in folder.iterdir()}
    assert kept() == 5


def test_json_is_one_document(program, pictures, tmp_path):
    code, out, err = program("inspect", pictures, *SPOTS, "--json", "--output", tmp_path / "out", "--export", "csv")
    document = json.loads(out)
    assert code == 0 and not err
    assert list(document) == ["inspections", "state", "output", "counts", "problems", "files"]
    assert [i["verdict"] for i in document["inspections"]] == ["OK", "NG", "OK", "NG", "OK"]
    assert document["inspections"][1]["name"] == "零件 1.png"
    assert document["state"] == "done" and document["output"] == str(tmp_path / "out")
    assert all(str(tmp_path / "out") in name for name in document["files"]) and document["files"]


def test_json_also_when_no_image_can_be_read(program, tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"nonsense")
    code, out, err = program("inspect", tmp_path / "x.jpg", *SPOTS, "--json")
    document = json.loads(out)
    assert code == 1 and "x.jpg" in err
    assert document["inspections"] == [] and document["counts"]["skipped"] == 1 and len(document["problems"]) == 1


def test_json_in_a_code_page_is_pure_ascii(start, pictures, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    out, _ = start("inspect", pictures, *SPOTS, "--json", "--export", "none", env=dict(os.environ)).communicate(
        timeout=60
    )
    assert out.isascii() and json.loads(out)["inspections"][1]["name"] == "零件 1.png"


def test_text_in_a_code_page_loses_nothing(start, pictures, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    process = start("inspect", pictures, *SPOTS, "--export", "none", env=dict(os.environ))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and r"\u96f6\u4ef6 1.png" in out and states() == ["done"]


def test_what_a_plugin_prints_is_no_result(program, pictures, spots):
    spots.write_text(spots.read_text("utf-8").replace("    batch = 1", "    batch = 1\n    print('noise')"), "utf-8")
    spots.write_text(spots.read_text("utf-8").replace("import cv2", "import cv2; print('noise')"), "utf-8")
    _, out, err = program("inspect", pictures, *SPOTS, "--json", "--export", "none")
    assert "noise" in err and len(json.loads(out)["inspections"]) == 5


def test_quiet_tells_the_end_only(program, pictures):
    _, out, err = program("inspect", pictures, *SPOTS, "--quiet", "--export", "none")
    assert len(out.splitlines()) == 2 and not err


def test_fail_on_ng(program, pictures):
    good, bad = pictures / "零件 0.png", pictures / "零件 1.png"
    assert program("inspect", good, *SPOTS, "--fail-on-ng", "--export", "none")[0] == 0
    assert program("inspect", bad, *SPOTS, "--fail-on-ng", "--export", "none")[0] == 3
    assert program("inspect", bad, *SPOTS, "--export", "none")[0] == 0


def test_rules_decide(program, pictures, tmp_path, home):
    rules = tmp_path / "rules.json"
    rules.write_text('{"classes": {"Dark": {"area_px": {"warn": 50, "ng": 500}}}}')
    assert "WARN: 2, NG: 0" in program("inspect", pictures, *SPOTS, "--rules", rules, "--export", "none")[1]


@pytest.mark.parametrize(
    "text, complaint",
    [
        (None, "does not exist"),
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[1]", "Rules must be"),
        ('{"classes": {"Dark": {"area_px": {"ng": -1}}}}', "number of at least 0"),
    ],
)
def test_broken_rules_are_refused(program, pictures, tmp_path, home, text, complaint):
    rules = tmp_path / "rules.json"
    if text is not None:
        rules.write_text(text)
    refused(program("inspect", pictures, *SPOTS, "--rules", rules), complaint, home)


@pytest.mark.parametrize(
    "words, complaint",
    [
        ([], "nothing to inspect"),
        (["nix.png"], "nix.png does not exist"),
        (["nix.xyz"], "nix.xyz does not exist"),
        (["*.png"], "No image matches"),
        (["."], "contains no images"),
        (["PICTURES", "--output", ""], "--output: the path is empty"),
        ([""], "SOURCE is empty"),
        (["PICTURES", "--source", "image_files"], "not both"),
        (["--source", "nix"], "no source 'nix'"),
        (["--source", "image_files", "-o", "path"], "not key=value"),
        (["--source", "image_files", "-o", "colour=1"], "no option 'colour'"),
        (["PICTURES", "-o", "path=x"], "-o belongs to --source"),
        (["PICTURES", "--export", "nix"], "no exporter 'nix'"),
        (["PICTURES", "--export", "none,csv"], "--export 'none,csv'"),
        (["PICTURES", "--conf", "2"], "--conf: '2' is not a number from 0 to 1"),
        (["PICTURES", "--iou", "nan"], "--iou: 'nan'"),
        (["PICTURES", "--device", "potato"], "--device: 'potato'"),
        (["PICTURES", "--imgsz", "64"], "the model spots has no option --imgsz"),
        (["PICTURES", "--model", "bearing-yolo11n-seg", "--imgsz", "abc"], "--imgsz: 'abc' is not a whole number"),
        (["PICTURES", "--spots.darkness", "999"], "--spots.darkness: '999' is outside"),
        (["PICTURES", "--export", "csv", "--xlsx.thumbnails"], "--xlsx.thumbnails changes nothing"),
        (["PICTURES", "--output", "file/out"], "results folder .* cannot be created"),
        (["PICTURES", "--recipe", "nix.json"], "The recipe 'nix.json' does not exist; give a file"),
        (["PICTURES", "camera:0"], "camera cannot be combined"),
    ],
)
def test_bad_input_is_one_sentence(program, pictures, tmp_path, home, monkeypatch, words, complaint):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    if "file/out" in words:
        (empty / "file").write_text("x")
    refused(program("inspect", *SPOTS, *[pictures if w == "PICTURES" else w for w in words]), complaint, home)


@pytest.mark.parametrize(
    "name, complaint",
    [("nix.pt", "'nix.pt' does not exist"), ("", "'' does not exist"), ("a.txt", "is not a supported model file")],
)
def test_a_model_that_cannot_be_opened_is_one_sentence(program, pictures, tmp_path, home, monkeypatch, name, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    refused(program("inspect", pictures, "--model", name), complaint, home)


def test_a_damaged_history_stops_before_anything_is_written(program, pictures, home):
    (home / "history.sqlite3").write_bytes(b"no database " * 1000)
    code, out, err = program("inspect", pictures, *SPOTS, "--json")
    assert code == 2 and not out and "is damaged; move it away" in err and err.count("\n") == 1
    assert not (home / "results").exists()


def test_mixed_folder_list_and_several_sources(program, pictures, tmp_path):
    import cv2
    import numpy as np

    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (80, 60))
    for _ in range(3):
        writer.write(np.full((60, 80, 3), 200, np.uint8))
    writer.release()
    (tmp_path / "v.avi").rename(pictures / "v.avi")
    (tmp_path / "list.txt").write_text(f"{pictures / '零件 1.png'}\n{pictures / 'nix.png'}\n", encoding="utf-8")
    code, out, err = program("inspect", pictures, tmp_path / "list.txt", *SPOTS, "--export", "none")
    assert code == 1 and "nix.png does not exist" in err
    # 零件 1.png is in the folder and in the list, and is inspected once.
    assert ": 8. OK: 6, WARN: 0, NG: 2, defects: 2\nCould not be read: 1" in out
    assert "OK   v.avi 0.00 s" in out and out.count("v.avi") == 1


def test_an_output_is_never_written_over(program, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("out", "out-2"):
        _, out, _ = program("inspect", pictures, *SPOTS, "--export", "csv,csv", "--quiet", "--output", "out")
        assert out.endswith(f"Saved in {tmp_path / name}\n")
    with History.open() as history:
        assert history.runs()[0].output == str(tmp_path / "out-2")


def test_export_none_leaves_the_record_only(program, pictures, tmp_path):
    program("inspect", pictures, *SPOTS, "--export", "none", "--output", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["run.json", "run.log"]


def test_the_setting_chooses_what_is_written_as_in_the_window(program, pictures, tmp_path):
    from inspector.settings import Settings

    Settings.load().set("exporters", "csv")
    assert program("inspect", pictures, *SPOTS, "--quiet", "--output", tmp_path / "out")[0] == 0
    job = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["job"]
    assert [exporter["id"] for exporter in job["exporters"]] == ["csv"]
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".json", ".log"}


def test_a_recipe_repeats_the_job_and_flags_change_it(program, pictures, tmp_path):
    def job(*words) -> dict:
        output = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        assert program("inspect", *words, "--quiet", "--output", output)[0] == 0
        return json.loads((output / "run.json").read_text("utf-8"))["job"]

    first = job(pictures, *SPOTS, "--spots.darkness", "50", "--conf", "0.5", "--export", "csv")
    recipe = next(tmp_path.glob("out*/run.json"))
    again = job("--recipe", recipe)
    followed = again.pop("recipe")
    assert again == first and followed["version"] == 1 and len(followed["sha256"]) == 64
    changed = job(pictures / "零件 1.png", "--recipe", recipe, "--iou", "0.3", "--spots.smallest", "5", *SPOTS)
    assert changed["sources"][0]["options"] == {"path": str(pictures / "零件 1.png")}
    assert changed["model"]["options"] == {"darkness": 50, "smallest": 5}
    assert (changed["confidence"], changed["iou"], changed["exporters"]) == (0.5, 0.3, first["exporters"])


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ('"id": "csv"', '"id": "gone"', "no exporter 'gone'"),
        ('"id": "spots"', '"id": "gone"', "no model 'gone'"),
        ('"id": "image_files"', '"id": "gone"', "no source 'gone'"),
        ('"confidence": 0.25', '"confidence": 7', "recipe .* cannot be used: confidence must be"),
        ('"job"', '"joke"', "recipe .* cannot be used: Unknown key"),
        ("{", "", "cannot be read as JSON"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_one_sentence(program, pictures, tmp_path, old, new, complaint):
    program("inspect", pictures, *SPOTS, "--export", "csv", "--output", tmp_path / "out")
    recipe = tmp_path / "recipe.json"
    text = (tmp_path / "out" / "run.json").read_text("utf-8")
    assert old in text
    recipe.write_text(text.replace(old, new), "utf-8")
    code, out, err = program("inspect", "--recipe", recipe, "--output", tmp_path / "again")
    assert (code, out, err.count("\n")) == (2, "", 1) and re.search(complaint, err), err
    assert not (tmp_path / "again").exists()


def test_a_path_option_of_a_plugin_can_be_kept(program, pictures, home, tmp_path, monkeypatch):
    (home / "plugins" / "noter.py").write_text(
        "from pathlib import Path\n"
        "from inspector.api import ExporterSpec, Option, Text, hookimpl\n"
        'PLUGIN = {"id": "noter", "version": "1", "api": 1, "kinds": ["exporter"], "description": "notes"}\n'
        "class Noter:\n"
        "    def __init__(self, folder, run, place): self.place = place\n"
        "    def write(self, inspection): pass\n"
        "    def close(self): self.place.write_text('done'); return [self.place]\n"
        "@hookimpl\n"
        "def inspector_exporters():\n"
        "    return [ExporterSpec('noter', Text('Noter'), Noter, (Option('place', Path, None, Text('Place')),))]\n"
    )
    assert load().exporter("noter")
    monkeypatch.chdir(tmp_path)
    program("inspect", pictures, *SPOTS, "--export", "noter", "--noter.place", "note.txt", "--output", "out")
    job = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["job"]
    assert job["exporters"] == [{"id": "noter", "options": {"place": str(tmp_path / "note.txt")}}]
    assert (tmp_path / "note.txt").read_text() == "done"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_everything_saved(start, pictures, tmp_path, number):
    output = tmp_path / "out"
    process = start(
        *("inspect", "--source", "hot_folder", "-o", f"folder={pictures}", "-o", "existing=yes", "-o", "settle=0.1"),
        *(*SPOTS, "--json", "--output", output, "--export", "jsonl,xlsx"),
    )
    until(lambda: kept() == 5)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    document = json.loads(out)
    assert process.returncode == 130 and "Traceback" not in err
    assert document["state"] == "stopped" and len(document["inspections"]) == 5 == kept()
    assert len((output / "results.jsonl").read_text("utf-8").splitlines()) == 5
    assert json.loads((output / "run.json").read_text("utf-8"))["state"] == "stopped" == states()[0]


def test_a_reader_that_goes_away_loses_no_result(start, pictures, tmp_path):
    process = start("inspect", pictures, *SPOTS, "--json", "--output", tmp_path / "out", "--export", "jsonl")
    process.stdout.close()
    assert process.wait(60) == 0 and process.stderr.read() == ""
    assert kept() == 5 and len((tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_a_full_disk_behind_stdout_loses_no_result(start, pictures):
    with open("/dev/full", "w") as full:
        process = start("inspect", pictures, *SPOTS, "--export", "none", stdout=full)
        assert process.wait(60) == 1 and process.stderr.read().count("\n") == 1
    assert kept() == 5 and states() == ["done"]


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
def test_a_full_disk_behind_the_files_is_told(pictures, tmp_path):
    History.open().close()
    words = ["inspect", str(pictures), *SPOTS, "--output", str(tmp_path / "out"), "--export", "jsonl"]
    limited = (
        "import resource, sys; from inspector.cli import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", limited, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "make room" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_runs_at_once_disturb_each_other_in_nothing(start, pictures, home):
    both = [start("inspect", pictures, *SPOTS, "--export", "jsonl", "--quiet") for _ in range(2)]
    outs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0] and kept() == 10
    folders = {out.splitlines()[-1].removeprefix("Saved in ") for out in outs}
    assert folders == {str(folder) for folder in (home / "results").iterdir()} and len(folders) == 2


@pytest.mark.slow
def test_after_a_kill_the_next_run_works_and_the_history_tells(start, program, pictures):
    process = start(
        *("inspect", "--source", "hot_folder", "-o", f"folder={pictures}", "-o", "existing=yes", "-o", "settle=0.1"),
        *(*SPOTS, "--export", "none"),
    )
    until(lambda: kept() == 5)
    process.kill()
    process.wait()
    assert program("inspect", pictures, *SPOTS, "--export", "none")[0] == 0
    assert states() == ["done", "interrupted"] and kept() == 10


def test_a_recipe_notices_that_its_model_has_changed(program, pictures, tmp_path):
    """The file, not only its path, is what was signed."""
    model = tmp_path / "spots.bin"
    model.write_bytes(b"one")
    recipe = tmp_path / "run.json"
    job = {"sources": [{"id": "image_files", "options": {"path": str(pictures)}}], "model": {"id": "dark_spots"}}
    recipe.write_text(json.dumps({"job": {**job, "weights": str(model)}, "model": {"sha256": "00"}}))
    code, out, err = program("inspect", "--recipe", recipe, "--export", "none")
    assert (code, out) == (2, "") and "has changed since" in err


def test_an_output_that_is_a_file_and_a_name_given_twice_are_refused(program, pictures, tmp_path):
    (tmp_path / "file.jpg").write_bytes(b"x")
    code, _, err = program("inspect", pictures, *SPOTS, "--output", tmp_path / "file.jpg")
    assert code == 2 and "is a file" in err and not (tmp_path / "file-2.jpg").exists()
    rules = tmp_path / "rules.json"
    rules.write_text('{"classes": {"Dark": {"count": {"ng": 1}}, "Dark": {"count": {"ng": 5}}}}')
    code, _, err = program("inspect", pictures, *SPOTS, "--rules", rules, "--export", "none")
    assert code == 2 and "twice" in err
    rules.write_text('{"classes": {"dark": {"count": {"ng": 1}}, "*": {}}}')
    code, _, err = program("inspect", pictures, *SPOTS, "--rules", rules, "--export", "none")
    assert code == 2 and "it has Dark" in err


def test_somebodys_model_is_never_the_default(program, pictures):
    assert program("plugins", "disable", "yolo11")[0] == 0
    code, out, err = program("inspect", pictures, "--export", "none")
    assert (code, out) == (2, "") and "yolo11 is disabled" in err


def test_a_path_that_does_not_exist_is_refused_whatever_its_suffix(program, pictures):
    for name in ("nothere.jpg", "nothere.mp4", "nothere.xyz"):
        code, out, err = program("inspect", pictures, name, *SPOTS, "--export", "none")
        assert (code, out) == (2, "") and f"{name} does not exist" in err


def test_the_history_forgets_what_the_setting_says(program, pictures):
    from datetime import datetime, timedelta

    from inspector.domain import Choice, Frame, Inspection, Job, ModelInfo, Verdict
    from inspector.history import History, Query
    from inspector.settings import Settings

    old = (datetime.now().astimezone() - timedelta(days=40)).isoformat()
    model = ModelInfo("m", "0", "m", ("Dark",))
    with History.open() as kept:
        run = kept.begin(Job((), Choice("m")), model, "old", None, old)
        kept.add(run, Inspection(Frame(np.zeros((4, 4, 3), np.uint8), 0, "old"), (), Verdict("OK"), model, time=old))
        kept.finish(run, "done", {})
    assert program("inspect", pictures, *SPOTS, "--export", "none")[0] == 0
    with History.open() as kept:
        assert kept.count(Query()) == 6
    Settings.load().set("history_days", 30)
    assert program("inspect", pictures, *SPOTS, "--export", "none")[0] == 0
    with History.open() as kept:
        assert kept.count(Query()) == 10


@needs_links
def test_no_file_is_inspected_twice(program, pictures, tmp_path, monkeypatch):
    """Under two arguments, by globs, links, a list and overlapping folders."""
    first = pictures / "零件 1.png"
    (pictures / "linked.png").symlink_to(first)
    (tmp_path / "hard.png").hardlink_to(pictures / "零件 3.png")
    (tmp_path / "folder").symlink_to(pictures, target_is_directory=True)
    (tmp_path / "list.txt").write_text(f"{first}\n{first}\n", encoding="utf-8")
    others = ("hard.png", "folder", "list.txt")
    everything = (pictures, first, pictures / "*.png", *(tmp_path / name for name in others))
    _, out, _ = program("inspect", *everything, *SPOTS, "--export", "none")
    assert ": 5. OK: 3, WARN: 0, NG: 2, defects: 2" in out
    monkeypatch.chdir(pictures)
    _, out, _ = program("inspect", first, first.name, f"./{first.name}", first, *SPOTS, "--export", "none")
    assert ": 1. OK: 0, WARN: 0, NG: 1" in out


def test_what_is_not_read_counts_against_good(program, pictures, tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    (pictures / "零件 0.png").rename(good / "a.png")
    (good / "a.xml").write_text("<annotation/>")
    command = ("inspect", good, *SPOTS, "--export", "none", "--fail-on-ng")
    assert program(*command)[0] == 0
    (good / "b.psd").write_bytes(b"8BPS" + bytes(40))
    code, out, err = program(*command)
    assert code == 3 and "Could not be read: 1" in out
    assert "b.psd has an unsupported format (Photoshop); save it as PNG" in err
    assert program(*command[:-1])[0] == 1


def test_results_tell_file_image_and_remarks(program, pictures, tmp_path):
    from PIL import Image

    folder = tmp_path / "same"
    folder.mkdir()
    exif = Image.Exif()
    exif[274] = 6
    with Image.open(pictures / "零件 0.png") as image:
        image.save(folder / "a.bmp")
        image.convert("RGB").save(folder / "a.jpg", exif=exif)
    program("inspect", folder, *SPOTS, "--export", "jsonl,csv,images", "--output", tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text("utf-8").splitlines()]
    assert [(line["name"], line["image"], line["path"]) for line in lines] == [
        ("a.bmp", "images/a.bmp.jpg", str(folder / "a.bmp")),
        ("a.jpg", "images/a.jpg", str(folder / "a.jpg")),
    ]
    assert [line["notes"] for line in lines] == [[], ["rotated by its EXIF orientation (6)"]]
    table = (tmp_path / "out/inspections.csv").read_text("utf-8-sig").splitlines()
    assert table[0].endswith("Path,Annotated picture,Remarks,Part,View,Serial number,Lot,Operator,Station,Recipe")
    assert table[2].endswith("images/a.jpg,rotated by its EXIF orientation (6),2,a.jpg,,,,,")
