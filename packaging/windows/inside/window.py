"""Run by the Windows Python: walks through the window as ``packaging/screenshots.py`` does, for one look.

The images are taken from outside: a file ``NAME.wanted`` asks for one, and is gone when it was taken.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import shutil
import sys
import threading
import time
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import screenshots
from screenshots import SCENES, Driver

LIMIT = 60.0  # seconds that an image may take
SCENE_LIMIT = 1200.0  # seconds that a scene may take; then the stacks of all threads are printed, and it ends


class Window(Driver):
    """A driver whose screenshots another process takes."""

    folder: Path

    def wait(self, condition: Callable[[], Any], seconds: float = 900) -> None:
        super().wait(condition, max(seconds, 300))  # Wine is slow, and so may be this machine

    def take(self, name: str, window: Any = None) -> None:
        self.settle()
        wanted = self.folder / f"{name}.wanted"
        wanted.touch()
        self.wait(lambda: not wanted.exists(), LIMIT)


def prepare() -> None:
    """Create the contents: the sample data inspected over some weeks, a data set, and a short training."""
    work = screenshots.WORK
    if (work / "template").exists():
        return
    shutil.rmtree(work, ignore_errors=True)
    shift = work / "shift-1"
    shift.mkdir(parents=True)
    for file in sorted((screenshots.ROOT / "sample_data").glob("*.jpg")):
        shutil.copy(file, shift)
    (work / "bad_parts.py").write_text(screenshots._PLUGIN, "utf-8")
    screenshots._command("inspect", shift, "--export", "none")
    screenshots._age(screenshots.HOME / "history.sqlite3")
    screenshots._command("synthesize", screenshots.DATA.parent, "--count", "16", "--size", "160", "--classes", "kinds")
    options = {"epochs": 3, "imgsz": 64, "batch": 4, "device": "cpu"}
    training = screenshots.Training.start(
        screenshots.DATA, "yolo11n-seg", screenshots.HOME / "results" / "train yolo11n-seg", options
    )
    while training.alive:
        time.sleep(1)
    if training.progress().state != "finished":
        raise SystemExit(f"The training failed: {training.progress().sentence}")
    screenshots.HOME.rename(work / "template")


def signed_out(driver: Driver) -> str:
    """Ask the window as Windows does when its user signs out, in a run; it closes by itself afterwards."""
    page = driver.show("inspect")
    page.open_sources([str(screenshots.ROOT / "sample_data")], remember=False)
    driver.settle(1)
    page.start()
    run = driver.app.session.run
    driver.wait(lambda: run.counts.inspected >= 1)
    user: Any = ctypes.WinDLL("user32")
    user.SendMessageW.argtypes = (ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t, ctypes.c_ssize_t)
    frame, query_end_session = int(driver.root.wm_frame(), 16), 0x11
    answers: list[int] = []
    began = time.monotonic()
    # From another thread, as from the system: Tk has to hear of it while it looks at its messages.
    asking = threading.Thread(target=lambda: answers.append(user.SendMessageW(frame, query_end_session, 0, 0)))
    asking.start()
    with contextlib.suppress(tk.TclError):  # it closes
        driver.wait(lambda: answers)
    asking.join(60)
    if answers != [1] or run.state != "stopped":
        raise SystemExit(f"signing out: answer {answers}, the run is {run.state}")
    took = time.monotonic() - began
    return f"signing out in a run: it is {run.state}, {run.counts.inspected} kept, after {took:.1f} s"


def main() -> int:
    work, look, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    screenshots.WORK, screenshots.HOME = work, work / "home"
    screenshots.TEMPLATE, screenshots.DATA = work / "template", work / "my-data" / "data.yaml"
    os.environ["BEARING_INSPECTOR_HOME"] = str(screenshots.HOME)
    prepare()
    shutil.rmtree(screenshots.HOME, ignore_errors=True)
    shutil.copytree(screenshots.TEMPLATE, screenshots.HOME)
    language, theme = look.split("-")
    driver = Window(language, theme, 100, lambda name, image: None)
    driver.folder = out
    began = time.monotonic()
    faulthandler.dump_traceback_later(SCENE_LIMIT, exit=True)
    driver.open()
    sys.stdout.write(f"ok  window: open with its model after {time.monotonic() - began:.1f} s\n")
    root = driver.root
    sys.stdout.write(
        f"ok  scaling: {root.winfo_fpixels('1i'):.0f} dpi, {root.winfo_width()}x{root.winfo_height()} pixels, "
        f"Tk {root.tk.call('info', 'patchlevel')}\n"
    )
    for name, scene in ((name, SCENES[name]) for name in sys.argv[4:] or SCENES):
        began = time.monotonic()
        faulthandler.dump_traceback_later(SCENE_LIMIT, exit=True)
        scene(driver)
        sys.stdout.write(f"ok  {name} ({time.monotonic() - began:.0f} s)\n")
        sys.stdout.flush()
    faulthandler.dump_traceback_later(LIMIT / 2, repeat=True)  # what it waits for, if it does not close
    sys.stdout.write(f"ok  {signed_out(driver)}\n")
    sys.stdout.flush()
    began = time.monotonic()
    try:
        while root.winfo_exists() and time.monotonic() < began + LIMIT:  # update alone does not notice the end
            root.update()
            time.sleep(0.02)
        root.winfo_exists()
    except tk.TclError:  # it is gone
        sys.stdout.write(f"ok  closed after {time.monotonic() - began:.1f} s\n")
        return 0
    finally:
        faulthandler.cancel_dump_traceback_later()
    app = driver.app
    sys.stdout.write(f"BAD the window did not close: run active {app.session.active}, closing {app._closing}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
