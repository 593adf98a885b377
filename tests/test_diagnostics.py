"""The probes of doctor one by one, and the report that a user sends to support."""

import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path, PureWindowsPath

import pytest

from inspector import diagnostics, registry
from inspector.diagnostics import Finding, examine_apart, log_tail, packages, report, without_secrets
from inspector.registry import PluginRecord
from inspector.system.paths import logs_folder


@pytest.fixture
def without_yolo(monkeypatch):
    real = registry.load

    def load():
        catalogue = real()
        return replace(catalogue, models={id: spec for id, spec in catalogue.models.items() if id != "yolo11"})

    monkeypatch.setattr(diagnostics.registry, "load", load)


def test_a_model_is_tried(home, without_yolo):
    (home / "plugins").mkdir(exist_ok=True)
    registry.new("model", "spots", home / "plugins")
    state, detail = diagnostics._model()
    assert state == "good" and "dark-spots" in detail and "ms per 640x480 image" in detail


def test_a_missing_model_is_bad(without_yolo):
    assert diagnostics._model() == ("bad", "no model ships with this program; reinstall it")


def test_what_fails_in_any_way_is_a_finding():
    def fail():
        raise KeyError("driver")

    assert diagnostics._look("a part", fail) == Finding("a part", "bad", "KeyError: 'driver'")


def test_apart_the_findings_come_from_a_process_of_its_own(monkeypatch):
    def run(command, **given):
        assert command[-2:] == ["doctor", "--json"] and given["timeout"]
        out = b'{"good": true, "findings": [{"what": "program", "state": "good", "detail": "1.0"}]}'
        return subprocess.CompletedProcess(command, 0, out, b"")

    monkeypatch.setattr(subprocess, "run", run)
    assert examine_apart() == [Finding("program", "good", "1.0")]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ([sys.executable, "-c", "raise SystemExit(1)"], "could not be run: JSONDecodeError"),
        (["/nowhere/at-all"], "could not be run: FileNotFoundError"),
    ],
)
def test_a_process_that_fails_is_a_finding(monkeypatch, program, says):
    monkeypatch.setattr(diagnostics.paths, "program", lambda: program)
    (found,) = examine_apart()
    assert found.state == "bad" and says in found.detail


def test_a_process_that_hangs_is_a_finding(monkeypatch):
    monkeypatch.setattr(diagnostics.paths, "program", lambda: [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(diagnostics, "TIME_LIMIT", 0.2)
    assert examine_apart() == [Finding("doctor", "bad", "it did not end within 0.2 s")]


def test_packages_are_those_the_program_needs_with_their_licences():
    found = {package.name.lower(): package for package in packages()}
    assert found["numpy"].version == metadata.version("numpy")
    assert "BSD" in found["numpy"].licence and "AGPL" in found["ultralytics"].licence
    assert "bearing-inspector" not in found and "pytest" not in found and "ruff" not in found
    assert [*found] == sorted(found)
    named = [package for package in found.values() if package.licence]
    assert len(named) > 0.8 * len(found)


def test_the_report_has_everything_and_no_secret(home):
    records = [
        PluginRecord("good", "built-in", "active", version="1.0", api=1, specs=(("source", "good"),), load_ms=3.2),
        PluginRecord("broken", "drop-in", "failed", "ValueError: no", traceback="Traceback\n  line", sha256="ab" * 32),
    ]
    settings = {
        "camera.address": "rtsp://admin:geheim@10.0.0.1/live?token=abc&x=1",
        "uploader.password": "geheim",
        "output_folder": Path.home() / "results",
    }
    text = report([Finding("program", "good", "x"), Finding("video", "bad", "none")], records, settings, "one\ntwo")
    for part in (
        "ok   program: x",
        "BAD  video: none",
        "good 1.0 (interface 1, built-in, 3 ms): good",
        "numpy ",
        "two",
    ):
        assert part in text
    assert "ValueError: no" in text and "      line" in text and "ab" * 32 in text
    assert "geheim" not in text and "abc" not in text and "rtsp://***@10.0.0.1/live?token=***&x=1" in text
    assert str(Path.home() / "results") not in text and "~" in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://user@host/x and rtsp://a:b@c", "http://***@host/x and rtsp://***@c"),
        ("mail me@example.org", "mail me@example.org"),
        ("http://h/?password=x&user=y", "http://h/?password=***&user=y"),
        ("http://h/a@b", "http://h/a@b"),
    ],
)
def test_secrets_in_addresses(text, left):
    assert without_secrets(text) == left


def test_the_end_of_the_log():
    assert log_tail() == ""
    (logs_folder() / "bearing-inspector.log").write_text("".join(f"line {n}\n" for n in range(30_000)), "utf-8")
    lines = log_tail().splitlines()
    assert len(lines) == 200 and lines[-1] == "line 29999"


@pytest.mark.parametrize("form", [r"C:\Users\张伟", r"C:\\Users\\张伟", "C:/Users/张伟"])
def test_the_home_folder_is_hidden_in_every_form(form, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: PureWindowsPath(r"C:\Users\张伟"))
    assert "张伟" not in without_secrets(f"output_folder = '{form}\\results'")
