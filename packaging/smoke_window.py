"""Scenes of the smoke test with the window: starting, working, being killed."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path

from smoke_commands import PLUGIN
from smoke_place import Smoke

from driver import Eyes, Missing, until


def start(smoke: Smoke) -> str:
    """Time until the window appears."""
    told = []
    for cold in (False, False, False, False, False, True, True):
        if cold and not _drop_caches():
            told.append("cold: the caches cannot be dropped here")
            break
        began = time.perf_counter()
        process = smoke.open()
        until(lambda: _visible("Bearing Inspector"), "the window", 60)
        seconds = time.perf_counter() - began
        eyes = Eyes()
        eyes.wait("Start", kind="TButton")
        ready = time.perf_counter() - began
        told.append(f"{'cold' if cold else 'warm'} {seconds:.2f} s (usable {ready:.1f} s)")
        smoke.count(1, "after the start")
        eyes.close()
        process.terminate()
        process.wait()
    warm = [float(text.split()[1]) for text in told if text.startswith("warm")]
    return f"median warm {statistics.median(warm):.2f} s; " + ", ".join(told)


def window(smoke: Smoke) -> str:
    """Inspect, export, install a plugin, train two epochs, a second start, close."""
    eyes = Eyes()
    try:
        return _window(smoke, eyes)
    except BaseException:
        eyes.shot(smoke.out / "failed.png")
        raise
    finally:
        eyes.close()


def _window(smoke: Smoke, eyes: Eyes) -> str:
    process = smoke.open()
    eyes.wait("Start", kind="TButton")
    eyes.wait("ready", 90)
    smoke.count(1, "after the start")
    eyes.shot(smoke.out / "1-start.png")
    before = smoke.inspections()
    eyes.press("F5")
    until(lambda: smoke.inspections() >= before + 100, "the run over the sample images", 300)
    time.sleep(2)
    eyes.shot(smoke.out / "2-inspected.png")
    smoke.count(1, "after a run")

    eyes.press("ctrl+2")
    time.sleep(2)
    eyes.press("ctrl+e")
    eyes.wait("In a new folder in")
    eyes.shot(smoke.out / "3-export.png")
    eyes.push("Export")
    until(lambda: "exported to" in eyes.words(), "the end of the export", 180)
    eyes.shot(smoke.out / "4-exported.png")

    plugin = smoke.work / "window_counter.py"
    plugin.write_text(PLUGIN.replace("NAME", "window_counter"), "utf-8")
    eyes.press("ctrl+5")
    eyes.click(eyes.wait("Install…", kind="TMenubutton"))
    eyes.press("Down", "Return")
    eyes.choose_file(plugin)
    eyes.wait("Install this plugin?")
    eyes.shot(smoke.out / "5-consent.png")
    eyes.push("Install")
    until(lambda: "window_counter 1.0 is installed" in eyes.words(), "the plugin", 60)
    eyes.shot(smoke.out / "6-installed.png")

    told = _train(smoke, eyes)

    image = sorted((smoke.folder / "_internal" / "sample_data").glob("*.jpg"))[3]
    words = [*smoke.apart, str(smoke.program), "--open", str(image)]
    again = subprocess.run(words, env=smoke.environment, capture_output=True, text=True, timeout=60)
    until(lambda: image.name in eyes.words(), "the image of the second start", 30)
    if again.returncode or "open already" not in again.stderr:
        raise Missing(f"the second start: exit code {again.returncode}, {again.stderr}")
    smoke.count(1, "after a second start")
    time.sleep(1)
    eyes.shot(smoke.out / "9-second-start.png")

    eyes.press("ctrl+q")
    code = process.wait(30)
    smoke.count(0, "after closing")
    if code:
        raise Missing(f"the window ended with exit code {code}")
    return f"{told}; closed"


def _train(smoke: Smoke, eyes: Eyes) -> str:
    data = smoke.data_set()
    eyes.press("ctrl+4")
    eyes.push("Open data.yaml…")
    eyes.choose_file(data)
    eyes.wait("This data set can be trained on", 90)
    eyes.tab(2)
    for label, value in (("Epochs", "2"), ("Input size", "64"), ("Batch size", "4")):
        eyes.fill(label, value)
    eyes.shot(smoke.out / "7-training.png")
    began = time.perf_counter()
    eyes.push("Start training")
    until(lambda: len(smoke.processes()) == 2, "the training's process", 60)
    most = 2
    while "The training is finished" not in eyes.words():
        most = max(most, len(smoke.processes()))
        if time.perf_counter() - began > 300:
            raise Missing("the training did not end")
        time.sleep(0.2)
    if most > 2:
        raise Missing(f"{most} processes while it trained")
    eyes.shot(smoke.out / "8-trained.png")
    smoke.count(1, "after the training")
    return f"two epochs in {time.perf_counter() - began:.1f} s by one child process"


def killed(smoke: Smoke) -> str:
    """Killed in a run and started again: no finished result is lost, and the user is informed."""
    eyes = Eyes()
    try:
        process = smoke.open("--open", smoke.folder / "_internal" / "sample_data")
        eyes.wait("Start", kind="TButton")
        eyes.wait("ready", 90)
        before = smoke.inspections()
        eyes.press("F5")
        until(lambda: smoke.inspections() > before + 5, "some results", 60)
        process.kill()
        process.wait()
        kept = smoke.inspections() - before
        smoke.count(0, "after it was killed")
        process = smoke.open()
        until(lambda: "was interrupted" in eyes.words(), "the word of the interrupted run", 60)
        eyes.shot(smoke.out / "10-after-the-kill.png")
        eyes.press("ctrl+q")
        process.wait(30)
        process = smoke.open("--no-plugins")
        eyes.wait("Start", kind="TButton")
        process.terminate()
        process.wait()
        return f"{kept} results of the killed run are in the history"
    except BaseException:
        eyes.shot(smoke.out / "failed.png")
        raise
    finally:
        eyes.close()


def _visible(name: str) -> bool:
    done = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", name], capture_output=True)
    return done.returncode == 0


def _drop_caches() -> bool:
    subprocess.run(["sync"], check=False)
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True
