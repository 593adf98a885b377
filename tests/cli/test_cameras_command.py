import argparse
import json
import textwrap

import pytest

from inspector.cli import cameras
from inspector.system.paths import plugins_folder

PLUGIN = """
from inspector.api import InputError, SourceSpec, Text, hookimpl

PLUGIN = {"id": "bench", "version": "1.0", "api": 1, "kinds": ["source"], "description": "A bench"}


def broken():
    raise InputError("the driver is missing; install it")


@hookimpl
def inspector_sources():
    return [
        SourceSpec("bench", Text("Bench"), list, devices=lambda: [("bench:1", "左侧相机"), ("bench:2", "Right")]),
        SourceSpec("other", Text("Other"), list, devices=broken),
    ]
"""


def run(*words):
    parser = argparse.ArgumentParser()
    cameras.configure(parser)
    return cameras.run(parser.parse_args(words))


@pytest.fixture
def no_camera(monkeypatch):
    from inspector_plugins.cameras.camera import devices

    if devices():
        pytest.skip("this machine has a camera")


def test_none(no_camera, capfd):
    assert run() == 0
    out, err = capfd.readouterr()
    assert out.startswith("No camera found") and out.count("\n") == 1 and err == ""
    assert run("--json") == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == {"cameras": []} and err == ""


def test_devices_of_a_plugin(no_camera, capfd):
    (plugins_folder() / "bench.py").write_text(textwrap.dedent(PLUGIN), "utf-8")
    assert run() == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == ["CAMERA   NAME", "bench:1  左侧相机", "bench:2  Right"]
    assert err == "Other: the driver is missing; install it\n"
    assert run("--json") == 0
    assert json.loads(capfd.readouterr().out)["cameras"][0] == {
        "address": "bench:1",
        "name": "左侧相机",
        "source": "bench",
    }
