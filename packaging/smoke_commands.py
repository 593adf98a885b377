"""Scenes of the smoke test without a window: the command line, plugins, models, portable use."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from smoke_place import WINDOWS, Smoke, link

from driver import Missing, until

PLUGIN = '''"""Counts inspections, with modules that few use."""

import colorsys, cv2, numpy, plistlib, sqlite3, wave, xml.dom.minidom

from inspector.api import ExporterSpec, Text, hookimpl

PLUGIN = {"id": "NAME", "version": "1.0", "api": 1, "kinds": ["exporter"], "description": "Counts inspections."}


class Counter:
    def __init__(self, folder, run):
        self.file, self.count = folder / "NAME.txt", 0

    def write(self, inspection):
        self.count += 1

    def close(self):
        self.file.write_text(str(self.count), "utf-8")
        return [self.file]


@hookimpl
def inspector_exporters():
    return [ExporterSpec("NAME", Text("Count", "计数"), Counter)]
'''


def selftest(smoke: Smoke) -> str:
    """``--self-test`` says that everything is well."""
    began = time.perf_counter()
    told = str(smoke.run("--self-test"))
    for line in told.splitlines():
        smoke.say(f"        {line}")
    if "opened and closed" not in told:
        raise Missing("the window was not tried")
    return f"{time.perf_counter() - began:.1f} s"


def commands(smoke: Smoke) -> str:
    """Every command of the command line."""
    for command in ("", "inspect", "train", "validate", "export-model", "architectures", "convert", "synthesize",
                    "plugins", "history", "cameras", "doctor"):  # fmt: skip
        smoke.run(*filter(None, [command]), "--help")
    faulty = [finding for finding in smoke.run("doctor", "--json")["findings"] if finding["state"] == "bad"]
    if faulty:
        raise Missing(f"doctor found {faulty}")
    plugins = smoke.run("plugins", "list", "--json")["plugins"]
    off = [plugin["id"] for plugin in plugins if plugin["state"] != "active"]
    if off or len(plugins) < 17:
        raise Missing(f"{len(plugins)} plugins, not active: {off}")
    smoke.run("cameras", "--json")
    smoke.run("inspect", "--frob", code=2)
    smoke.run("inspect", smoke.work / "没有.jpg", code=2)
    smoke.data_set()
    samples = smoke.folder / "_internal" / "sample_data"
    result = smoke.work / "结果 全部"
    exporters = "images,video,xlsx,csv,jsonl,coco,yolo,labelme,originals"
    document = smoke.run("inspect", samples, "--output", result, "--export", exporters, "--json")
    found = sum(len(each["detections"]) for each in document["inspections"])
    film = next(result.rglob("*.mp4"), None) or next(result.rglob("*.avi"))
    smoke.run("inspect", film, "--output", smoke.work / "结果 视频", "--export", "csv", "--json")
    hot = _hot_folder(smoke, next(samples.glob("*.jpg")))
    smoke.run("history", "search", "--json")
    smoke.run("history", "export", "--output", smoke.work / "历史 1", "--export", "csv")
    return f"{len(document['inspections'])} images, {found} defects; a video; a hot folder ({hot}); history"


def _hot_folder(smoke: Smoke, image: Path) -> str:
    """A hot folder at work: an image that arrives is inspected, and Ctrl+C (on Windows Ctrl+Break) ends it."""
    folder, output = smoke.work / "热 文件夹", smoke.work / "结果 热"
    folder.mkdir()
    words = ["inspect", "--source", "hot_folder", "-o", f"folder={folder}", "--output", output, "--export", "jsonl"]
    before = smoke.inspections()
    process = smoke.open(*words)
    until(lambda: (output / "run.json").exists(), "the run over the hot folder")
    shutil.copy(image, folder / "新.jpg")
    until(lambda: smoke.inspections() > before, "the image in the hot folder")
    process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
    code = process.wait(120)
    if code != 130:
        raise Missing(f"the run over a hot folder ended with exit code {code} instead of 130")
    return f"ended by Ctrl+{'Break' if WINDOWS else 'C'} with exit code {code}"


def plugins(smoke: Smoke) -> str:
    """A plugin as a file, a folder, a zip and a wheel: installed, listed, used, switched, removed."""
    place = smoke.work / "插件 来源"
    place.mkdir()
    given = {}
    given["file"] = place / "count_file.py"
    given["folder"] = place / "count_folder"
    given["zip"] = place / "count_zip.zip"
    given["wheel"] = place / "count_wheel-1.0-py3-none-any.whl"
    given["file"].write_text(PLUGIN.replace("NAME", "count_file"), "utf-8")
    given["folder"].mkdir()
    (given["folder"] / "__init__.py").write_text(PLUGIN.replace("NAME", "count_folder"), "utf-8")
    with zipfile.ZipFile(given["zip"], "w") as packed:
        packed.writestr("count_zip/__init__.py", PLUGIN.replace("NAME", "count_zip"))
    _write_wheel(given["wheel"], "count_wheel", PLUGIN.replace("NAME", "count_wheel"))
    for kind, path in given.items():
        smoke.run("plugins", "check", path)
        smoke.run("plugins", "install", path)
        output = smoke.work / f"结果 {kind}"
        image = next((smoke.folder / "_internal" / "sample_data").glob("*.jpg"))
        smoke.run("inspect", image, "--export", f"count_{kind}", "--output", output)
        if (output / f"count_{kind}.txt").read_text("utf-8") != "1":
            raise Missing(f"the plugin count_{kind} wrote nothing")
        smoke.run("plugins", "disable", f"count_{kind}")
        smoke.run("plugins", "remove", f"count_{kind}")
    smoke.run("plugins", "disable", "tables")
    state = {row["id"]: row["state"] for row in smoke.run("plugins", "list", "--json")["plugins"]}
    smoke.run("plugins", "enable", "tables")
    if state["tables"] != "disabled" or any(name.startswith("count_") for name in state):
        raise Missing(f"the plugins are {state}")
    broken = smoke.data / "plugins" / "broken.py"
    crash = "import faulthandler\nfaulthandler._sigsegv()\n"
    broken.write_text('PLUGIN = {"id": "broken", "api": 1, "kinds": []}\n' + crash, "utf-8")
    subprocess.run([*smoke.apart, str(smoke.program), "plugins", "list"], env=smoke.environment, capture_output=True)
    state = {row["id"]: row["state"] for row in smoke.run("plugins", "list", "--json")["plugins"]}
    rescued = {row["id"]: row["state"] for row in smoke.run("--no-plugins", "plugins", "list", "--json")["plugins"]}
    smoke.run("plugins", "remove", "broken")
    if state["broken"] != "disabled" or rescued["broken"] != "disabled":
        raise Missing(f"a plugin that crashes the program is {state['broken']}, with the rescue {rescued['broken']}")
    return ", ".join(given) + "; a plugin that crashes is off at the next start"


def _write_wheel(file: Path, name: str, content: str) -> None:
    info = f"{name}-1.0.dist-info"
    held = {
        f"{name}/__init__.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: smoke\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[bearing_inspector.plugins]\n{name} = {name}\n",
    }
    rows = []
    for path, text in held.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text.encode())}")
    held[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(file, "w") as packed:
        for path, text in held.items():
            packed.writestr(path, text)


def models(smoke: Smoke) -> str:
    """A ``best.pt`` of the baseline and of each variant: trained here, used by both runtimes, converted, validated."""
    data = smoke.data_set()
    listed = [row for row in smoke.run("architectures", "--json") if row["kind"] == "preset"]
    names = ["yolo11n-seg", *(row["name"] for row in listed if row["name"].startswith("yolo11n"))]
    image = next((smoke.folder / "_internal" / "sample_data").glob("*.jpg"))
    for name in names:
        began = time.perf_counter()
        folder = smoke.work / f"训练 {name}"
        smoke.run(
            "train", "--data", data, "--model", name, "--epochs", 1, "--imgsz", 128, "--batch", 4, "--output", folder
        )
        best = folder / "weights" / "best.pt"
        seconds = [time.perf_counter() - began]
        for runtime in ("torch", "openvino"):
            began = time.perf_counter()
            output = smoke.work / f"结果 {name} {runtime}"
            smoke.run("inspect", image, "--model", best, "--runtime", runtime, "--output", output, "--conf", 0.01)
            seconds.append(time.perf_counter() - began)
        smoke.say(f"        {name}: trained {seconds[0]:.1f} s, torch {seconds[1]:.1f} s, OpenVINO {seconds[2]:.1f} s")
    best = smoke.work / "训练 yolo11n-seg" / "weights" / "best.pt"
    for format in ("onnx", "openvino", "torchscript"):
        smoke.run("export-model", best, "--format", format)
    smoke.run("validate", "--model", best, "--data", data, "--json")
    wanted = {"results.csv", "results.png", "labels.jpg"}
    if missing := wanted - {file.name for file in best.parent.parent.iterdir()}:
        raise Missing(f"the training did not write {missing}")
    return f"{len(names)} architectures; export to ONNX, OpenVINO and TorchScript; validation"


def portable(smoke: Smoke) -> str:
    """With the mark next to the program all data stays there; without write permission it says so."""
    folder = smoke.work / "便携 U盘" / "bearing-inspector"
    shutil.copytree(smoke.built, folder, symlinks=True, copy_function=link)
    (folder / "portable").touch()
    home = smoke.work / "空 home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8"}
    if WINDOWS:
        environment = {key: value for key, value in os.environ.items() if key != "BEARING_INSPECTOR_HOME"}
    image = next((folder / "_internal" / "sample_data").glob("*.jpg"))
    words = [str(folder / smoke.program.name), "inspect", str(image)]
    done = subprocess.run(
        words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
        cwd=smoke.work,
    )  # fmt: skip
    left = [path.name for path in home.rglob("*")]
    if done.returncode or left or not any((folder / "results").iterdir()) or not (folder / "data").is_dir():
        raise Missing(f"exit code {done.returncode}, left in the home folder: {left}: {done.stderr[-300:]}")
    shutil.rmtree(folder.parent)
    return "data and results lie beside the program"
