"""A whole session of the real program with the real model, during which nothing may reach for a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SESSION = """
import json, sys
from pathlib import Path

tried = []

def watch(event, arguments):  # of the interpreter itself, below every library
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto"):
        tried.append(f"{event} {arguments}")
        raise OSError("the network is off limits")
    if event in ("socket.connect", "socket.bind") and isinstance(arguments[1], tuple):
        tried.append(f"{event} {arguments[1]}")
        raise OSError("the network is off limits")

sys.addaudithook(watch)
from inspector.cli import main

work = Path(sys.argv[1])
codes = {}
for name, words in json.loads(sys.argv[2]).items():
    codes[name] = main(words)
(work / "told.json").write_text(json.dumps({"tried": tried, "codes": codes, "modules": list(sys.modules)}))
"""


def session(work: Path, **commands: list[str]) -> dict:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("YOLO", "HF_", "ULTRA"))}
    done = subprocess.run(
        [sys.executable, "-c", SESSION, str(work), json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads((work / "told.json").read_text())


@pytest.mark.slow
def test_nothing_reaches_for_a_network(tmp_path):
    images, output = str(tmp_path / "set"), tmp_path / "out"
    told = session(
        tmp_path,
        plugins=["plugins", "list"],
        synthesize=["synthesize", images, "--count", "3", "--size", "160"],
        inspect=[
            *("inspect", f"{images}/images/*/*.*", "--device", "cpu", "--output", str(output)),
            *("--export", "images,video,coco,yolo,labelme,xlsx,jsonl,csv"),
        ],
        torch=["inspect", f"{images}/images/*/*.*", "--runtime", "torch", "--output", str(tmp_path / "torch")],
        doctor=["doctor"],
        history=["history", "search"],
        cameras=["cameras"],
    )
    assert told["tried"] == []
    assert told["codes"] == dict.fromkeys(told["codes"], 0)
    assert {"openvino", "torch", "ultralytics", "cv2", "openpyxl"} <= set(told["modules"])
    assert len((output / "results.jsonl").read_text("utf-8").splitlines()) == 3


def test_an_attempt_would_be_seen(tmp_path, home):
    """A plugin that opens a connection is caught by the watch of this test."""
    plugins = home / "plugins"
    plugins.mkdir()
    manifest = 'PLUGIN = {"id": "caller", "version": "1", "api": 1, "kinds": ["source"], "description": "calls"}'
    (plugins / "caller.py").write_text(f"{manifest}\nimport socket\nsocket.getaddrinfo('example.invalid', 80)\n")
    told = session(tmp_path, plugins=["plugins", "list"])
    assert len(told["tried"]) == 1 and "example.invalid" in told["tried"][0]
