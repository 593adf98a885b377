"""``bearing-inspector benchmark`` with a model whose precisions differ in speed and exactness."""

import json
import shlex
import signal
import sys

import pytest

MODEL = """
import time

from inspector.api import Detection, InputError, ModelInfo, ModelSpec, Option, Text, hookimpl

PLUGIN = {"id": "pace", "version": "1.0", "api": 1, "kinds": ["model"], "description": "Takes its time"}
CHOICES = ("auto", "f32", "f16", "int8", "int4")


@hookimpl
def inspector_models():
    precision = Option("precision", str, "auto", Text("Precision", "精度"), choices=CHOICES)
    imgsz = Option("imgsz", int, None, Text("Size", "尺寸"), minimum=32, maximum=640)
    return [ModelSpec("pace", Text("Pace", "步速"), open=Pace, bundled={"pace": None}, options=(precision, imgsz))]


class Pace:
    batch = 1

    def __init__(self, weights, device, layers, precision, imgsz):
        if precision == "int4":
            raise InputError("precision int4 is not for this machine; leave it off")
        self.info = ModelInfo("", "", "pace", ("Defect",), runtime=precision, imgsz=imgsz or 640)
        self._wait = {"f32": 0.03, "f16": 0.015, "int8": 0.002}[precision]
        self._shift = 20.0 if precision == "int8" else 0.0

    def predict(self, images, confidence, iou):
        time.sleep(self._wait)
        return [[Detection("Defect", 0.9, (0.0, 0.0, 60.0 + self._shift, 60.0))] for _ in images]

    def close(self):
        pass
"""


@pytest.fixture
def pace(home):
    (home / "plugins").mkdir()
    (home / "plugins" / "pace.py").write_text(MODEL, "utf-8")


@pytest.mark.slow
def test_the_best_setting_is_the_fastest_with_the_same_results(program, pace, pictures):
    code, out, err = program("benchmark", "--model", "pace", "--pictures", pictures, "--seconds", "0.3", "--json")
    told = json.loads(out)
    rows = told["settings"]
    assert code == 0 and told["complete"]
    assert [row["options"]["precision"] for row in rows] == ["f32", "f16", "int8", "int4"]
    assert (told["reference"], told["best"], told["fastest"]) == (0, 1, 2)
    assert rows[2]["agreement"] == {"same": 1.0, "mask_iou": 1.0, "box_px": 20.0, "score": 0.0}
    assert rows[3]["refused"] == "precision int4 is not for this machine; leave it off" and not rows[3]["measured"]
    assert rows[1]["ms_95"] >= rows[1]["ms"] >= 15 > rows[2]["ms"] >= 2
    assert rows[1]["imgsz"] == 640 and rows[1]["open_ms"] > 0 and rows[1]["memory_mb"] > 10 and rows[1]["at_once"] == 1
    assert rows[1]["flags"] == ["--model", "pace", "--device", "cpu", "--pace.precision", "f16"]
    assert told["pictures"] == {"source": str(pictures), "count": 5}
    assert told["machine"]["cpu"] and told["machine"]["versions"]["numpy"]
    assert "10/10  cpu int8" in err


@pytest.mark.slow
def test_the_table_and_its_advice(program, pace, pictures, tmp_path):
    code, out, _ = program(
        *("benchmark", "--model", "pace", "--pictures", pictures, "--seconds", "0.3", "--imgsz", "64")
    )
    lines = out.splitlines()
    assert code == 0
    table = [line.split() for line in lines if line.startswith("cpu")]
    assert [row[1:3] for row in table] == [[p, "64"] for p in ("f32", "f16", "int8")]
    refused = next(line for line in lines if line.startswith("Not possible"))
    assert "cpu int4 64: precision int4 is not" in refused
    best = next(place for place, line in enumerate(lines) if line.startswith("Best: cpu f16"))
    fastest = next(line for line in lines if line.startswith("Fastest: cpu int8"))
    assert "boxes differ by 20.00 px at most" in fastest
    words = shlex.split(lines[best + 1].replace("SOURCE", shlex.quote(str(pictures))))
    assert words[0] == "bearing-inspector" and "--pace.precision" in words
    code, out, _ = program(*words[1:], "--export", "none", "--output", tmp_path / "out", "--json")
    assert code == 0 and json.loads(out)["counts"]["inspected"] == 5  # the flags are those of inspect


@pytest.mark.slow
def test_devices_are_those_that_the_model_lists(program, home, pace, pictures):
    file = home / "plugins" / "pace.py"
    listed = 'devices=lambda: [("cuda:0", "Pretended")], options='
    text = file.read_text("utf-8").replace(', "f16", "int8", "int4")', ")").replace("options=", listed)
    file.write_text(text, "utf-8")
    for device, devices in (("auto", ["cpu", "cuda:0"]), ("cuda", ["cuda"])):
        words = ("--model", "pace", "--pictures", pictures, "--device", device, "--seconds", "0.1", "--json")
        told = json.loads(program("benchmark", *words)[1])
        assert [row["device"] for row in told["settings"] if row["measured"]] == devices
        assert told["machine"]["devices"] == {"cuda:0": "Pretended"}


@pytest.mark.slow
def test_a_model_without_options(program, spots, pictures):
    code, out, _ = program("benchmark", "--model", "spots", "--pictures", pictures, "--seconds", "0.1", "--json")
    told = json.loads(out)
    assert code == 0 and [row["options"] for row in told["settings"]] == [{}]
    assert told["reference"] == told["best"] == told["fastest"] == 0
    assert told["settings"][0]["agreement"]["same"] == 1


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--seconds", "0"], "--seconds: '0' is outside the range from 0.1 to 600"),
        (["--seconds", "x"], "--seconds: 'x' is not a number"),
        (["--model", "nothing.pt"], "The model 'nothing.pt' does not exist"),
        (["--model", "pace", "--imgsz", "320,"], "--imgsz: '' is not a whole number"),
        (["--model", "pace", "--imgsz", "9999"], "--imgsz: '9999' is outside the range from 32 to 640"),
        (["--model", "pace", "--device", "cuda:77"], "There is no device cuda:77 here; give auto or one of cpu"),
        (["--pictures", "not there"], "not there does not exist"),
        (["--pictures", "EMPTY"], "EMPTY contains no images"),
        (["--pictures", "camera:0"], "camera:0 has no end; choose a folder of images"),
    ],
)
def test_bad_input(program, pace, tmp_path, monkeypatch, arguments, said):
    (tmp_path / "EMPTY").mkdir()
    monkeypatch.chdir(tmp_path)
    code, out, err = program("benchmark", *arguments)
    assert code == 2 and not out and said in err and err.count("\n") == 1


def test_imgsz_means_nothing_to_some_models(program, spots, pictures):
    code, _, err = program("benchmark", "--model", "spots", "--pictures", pictures, "--imgsz", "320")
    assert code == 2 and "the model spots has no option --imgsz; leave it out" in err


@pytest.mark.slow
def test_where_nothing_is_possible(program, home, pace, pictures):
    file = home / "plugins" / "pace.py"
    file.write_text(file.read_text("utf-8").replace('precision == "int4"', "precision"), "utf-8")
    code, out, err = program("benchmark", "--model", "pace", "--pictures", pictures)
    assert code == 2 and not out
    assert err.splitlines()[-1] == "bearing-inspector: precision int4 is not for this machine; leave it off"


@pytest.mark.slow
def test_a_setting_that_crashes_is_a_row(program, home, pace, pictures):
    file = home / "plugins" / "pace.py"
    crash = file.read_text("utf-8").replace(
        "        time.sleep(", "        if self._shift: import os; os.abort()\n        time.sleep("
    )
    file.write_text(crash, "utf-8")
    code, out, _ = program("benchmark", "--model", "pace", "--pictures", pictures, "--seconds", "0.1", "--json")
    told = json.loads(out)
    assert code == 0 and told["fastest"] == 1 and "ended without a result" in told["settings"][2]["refused"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no console to press Ctrl-C in")
def test_ctrl_c_tells_what_was_measured(start, pace, pictures):
    running = start("benchmark", "--model", "pace", "--pictures", pictures, "--seconds", "6", "--json")
    assert "cpu f32" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    told = json.loads(out)
    assert running.returncode == 130 and "interrupted" in err
    assert not told["complete"] and [row["measured"] for row in told["settings"]] == [True, False, False, False]
