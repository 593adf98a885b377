"""Images of the real window, on a virtual screen: those of the manual, or all pages to be looked at.

    .venv/bin/python packaging/screenshots.py            # assets/manual/images and docs, in both languages
    .venv/bin/python packaging/screenshots.py FOLDER     # every page, languages, themes, 1x, 2x, large text
    .venv/bin/python packaging/screenshots.py FOLDER --only zh-light-1x --scenes training

What is shown is made first, once, in ``/tmp/bearings``: inspections of the sample data over some weeks, a small data
set and two short trainings on it (some minutes). Delete the folder to have it rebuilt.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageGrab

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from inspector.domain import Rules
from inspector.training import Training

ROOT = Path(__file__).resolve().parent.parent
WORK = Path("/tmp/bearings")
TEMPLATE, HOME = WORK / "template", WORK / "home"
DATA = WORK / "my-data" / "data.yaml"
SCREENS = {"1x": ("1366x768x24", 96), "2x": ("2732x1536x24", 192), "large": ("1366x768x24", 96)}  # large: text 200 %
LANGUAGES, THEMES = ("zh", "en"), ("light", "dark")
LARGEST = 150_000  # bytes of an image of the manual
MANUAL = (
    "start", "run", "rules", "camera", "operator", "history", "export", "statistics", "install", "data",
    "architecture", "training", "models",
)  # fmt: skip
RULES = {"classes": {"Defect": {"count": {"warn": 0, "ng": 3}, "area_px": {"warn": 900, "ng": 4000}}}}
_OFTEN = {"OK": 12, "WARN": 2}  # as on a line, where most parts are good
_PLUGIN = '''"""Adds up what is not good."""

PLUGIN = {
    "id": "bad_parts",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Writes the names of all parts that are not good.",
    "description_zh": "写出所有不合格零件的文件名。",
}
'''


# Contents of the window


def prepare() -> None:
    """Create the contents of the window: images, a history of some weeks, a data set and a training."""
    if TEMPLATE.exists():
        return
    shutil.rmtree(WORK, ignore_errors=True)
    shift = WORK / "shift-1"
    shift.mkdir(parents=True)
    for file in sorted((ROOT / "sample_data").glob("*.jpg")):
        shutil.copy(file, shift)
    (WORK / "bad_parts.py").write_text(_PLUGIN, "utf-8")
    os.environ["BEARING_INSPECTOR_HOME"] = str(HOME)
    rules = WORK / "rules.json"
    rules.write_text(json.dumps(RULES), "utf-8")
    for _ in range(2):
        _command("inspect", shift, "--export", "none", "--rules", rules)
    _age(HOME / "history.sqlite3")
    _command("synthesize", DATA.parent, "--count", "64", "--size", "320", "--classes", "kinds")
    for name, epochs in (("yolo11n-seg-cgnet", 8), ("yolo11n-seg", 12)):
        options = {"epochs": epochs, "imgsz": 192, "batch": 8, "device": "cpu", "weights": "bearing-yolo11n-seg"}
        training = Training.start(DATA, name, HOME / "results" / f"train {name}", options)
        while training.alive:
            time.sleep(1)
        if training.progress().state != "finished":
            raise SystemExit(f"The training of {name} failed: {training.progress().sentence}")
    HOME.rename(TEMPLATE)


def _command(*words: object) -> None:
    program = [sys.executable, "-m", "inspector", *map(str, words)]
    subprocess.run(program, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def _age(file: Path) -> None:
    """Spread the inspections over four weeks, as if they had come day by day, and repeat them."""
    chance = random.Random(4)
    base = sqlite3.connect(file)
    base.row_factory = sqlite3.Row
    rows = base.execute("SELECT * FROM inspection").fetchall()
    found: dict[int, list[sqlite3.Row]] = {}
    for row in base.execute("SELECT * FROM detection"):
        found.setdefault(row["inspection"], []).append(row)
    often = [_OFTEN.get(row["verdict"], 1) for row in rows]
    today = datetime.now().astimezone()
    with base:
        for day in range(27, 0, -1):
            for row in chance.choices(rows, often, k=chance.randint(40, 70)):
                moment = today - timedelta(days=day, minutes=chance.randint(0, 400))
                at = {"at": round(moment.timestamp() * 1000), "time": moment.isoformat(timespec="milliseconds")}
                place = _insert(base, "inspection", dict(row) | {"id": None} | at)
                for one in found.get(row["id"], ()):
                    _insert(base, "detection", dict(one) | {"id": None, "inspection": place})
    base.close()


def _insert(base: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    marks = ", ".join("?" * len(row))
    done = base.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    return done.lastrowid or 0


# The screen


@contextmanager
def screen(size: str, dpi: int) -> Iterator[str]:
    """A virtual screen; gives its name."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-dpi", str(dpi), "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            yield f":{answer.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


# The window


class Driver:
    """Drives the window like a user, and takes screenshots.

    Args:
        text: size of the text in percent.
        keep: called with a name and the image.
    """

    def __init__(self, language: str, theme: str, text: int, keep: Callable[[str, Image.Image], object]) -> None:
        from inspector.settings import Settings
        from inspector.ui.app import App

        settings = Settings.load()
        settings.set("language", language)
        settings.set("theme", theme)
        settings.set("text_size", text)
        self._keep = keep
        self.app = App()
        self.root = self.app.root

    def open(self) -> None:
        self.app.start()
        self.wait(lambda: self.app.ready and self.app.session.model is not None)
        self.root.focus_force()
        self.settle()
        menu = self.root.winfo_rooty()
        self.root.geometry(f"{self.root.winfo_screenwidth()}x{self.root.winfo_screenheight() - menu}+0+0")
        self.wait(lambda: self.page.banner.status)
        self.settle(1)

    @property
    def page(self) -> Any:
        """The page for inspecting."""
        return self.app.inspect_page()

    def wait(self, condition: Callable[[], Any], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SystemExit("It did not happen in time")
            self.root.update()
            time.sleep(0.01)

    def first(self, items: Callable[[], Iterator[int]]) -> int:
        """The first of ``items``, as soon as there is one: rows are loaded as they are asked for."""
        found: list[int] = []

        def look() -> bool:
            found.extend(itertools.islice(items(), 1))
            return bool(found)

        self.wait(look)
        return found[0]

    def settle(self, seconds: float = 0.5) -> None:
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def take(self, name: str, window: Any = None) -> None:
        """An image of the screen, or of one window on it."""
        self.root.event_generate("<Motion>", warp=True, x=self.root.winfo_width() - 1, y=self.root.winfo_height() - 1)
        self.settle()
        image = ImageGrab.grab(xdisplay=os.environ["DISPLAY"])
        if window is not None:
            x, y = window.winfo_rootx(), window.winfo_rooty()
            image = image.crop((x, y, x + window.winfo_width(), y + window.winfo_height()))
        self._keep(name, image)

    def quiet(self) -> None:
        """Remove the messages."""
        for frame in tuple(self.app.messages._shown):
            self.app.messages._drop(frame)

    def show(self, page: str, **what: Any) -> Any:
        self.app.show(page, **what)
        self.settle(1.5)
        self.quiet()
        return self.app._pages[page]

    def window(self) -> Any:
        """The window on top that a page has opened."""
        found: list[Any] = []
        todo: list[Any] = [self.root]
        while todo:
            children = todo.pop().winfo_children()
            found += [child for child in children if child.winfo_class() == "Toplevel" and child.winfo_viewable()]
            todo += children
        return found[-1] if found else None

    def take_window(self, name: str, open: Callable[[], object]) -> None:
        """Open a window, take it, close it; also one that waits for an answer."""

        def look() -> None:
            window = self.window()
            if window is None:
                self.root.after(200, look)
                return
            self.take(name, window)
            window.destroy()

        self.root.after(800, look)
        open()
        self.settle(2)
        self.wait(lambda: self.window() is None, 30)


def inspecting(driver: Driver) -> None:
    """The first start, a run, and what belongs to it."""
    page = driver.page
    driver.take("start")
    driver.quiet()
    page.open_sources([str(WORK / "shift-1")], remember=False)
    driver.settle(1)
    page.start()
    driver.wait(lambda: driver.app.session.run.counts.inspected >= 3)
    page.pause()
    driver.settle(1)
    driver.take("paused")
    page.pause()
    driver.wait(lambda: page._finished and len(page.results.rows or ()) > 10)
    driver.settle(1)
    driver.take("ended")
    driver.quiet()
    row = next(n for n in range(len(page.results.rows)) if (page.results.rows.row(n) or _None).label)
    page.results.table.select(row)
    page.results._selected(page.results.table.selection())
    driver.settle(1.5)
    driver.take("run")
    page.controls.set_view("side_by_side")
    driver.take("side-by-side")
    page.controls.set_view("result")
    page.session.set_rules(Rules.from_json(RULES))
    driver.take_window("rules", page.controls.edit_rules)
    page.session.set_rules(None)
    driver.take_window("model", page.controls.model_details)
    driver.take_window("camera", lambda: page.sources.open_source("camera"))
    page.toggle_operator()  # a verdict is shown in full colour only while a run is at work
    page.open_sources([str(ROOT / "sample_data" / "turning.mp4")], remember=False)
    driver.settle(1)
    page.start()
    run = driver.app.session.run  # on a slow machine it may be over sooner than it is looked at
    driver.wait(lambda: (run.counts.ng >= 3 and page.banner.status == "NG") or not driver.app.session.active)
    driver.take("operator")
    page.stop()
    driver.wait(lambda: not driver.app.session.active)
    page.toggle_operator()
    driver.settle()


class _None:
    label = ""


def _ng(history: Any, index: int) -> bool:
    """Whether this row is known, and an NG part."""
    row = history._rows.row(index)
    return row is not None and row.verdict == "NG"


def looking_back(driver: Driver) -> None:
    """The history and the statistics."""
    history = driver.show("history")
    driver.wait(lambda: not history._rows.loading)
    history.table.select(driver.first(lambda: (n for n in range(8) if _ng(history, n))))
    history._selected(history.table.selection())
    driver.settle(2)
    driver.take("history")
    driver.take_window("export", history.export)
    driver.take_window("purge", history.purge)
    statistics = driver.show("statistics")
    driver.wait(lambda: not statistics._loading)
    driver.settle(1)
    driver.take("statistics")


def training(driver: Driver) -> None:
    """The four parts of the training page."""
    page = driver.show("training", data=DATA)
    driver.wait(lambda: page.training_state.report is not None)
    driver.settle(2)
    driver.take("data")
    page.data.make("convert")
    driver.take("labels")
    page.data._leave()
    page.go(1)
    page.architecture.choose("yolo11n-seg-cgnet")
    page.architecture.compute()
    driver.wait(lambda: page.training_state.costs)
    driver.take("architecture")
    page.go(2)
    driver.settle(1)
    driver.take("training")
    page.training.views.select(1)
    driver.settle(1)
    driver.take("training-pictures")
    page.training.views.select(2)
    page.training._unfold()
    driver.take("training-log")
    page.go(3)
    driver.settle(1)
    page.models.table.selection_set(page.models.table.get_children())
    driver.settle()
    driver.take("models")


def the_rest(driver: Driver) -> None:
    """Plugins, settings, help."""
    plugins = driver.show("plugins")
    driver.take("plugins")
    driver.take_window("install", lambda: plugins.install_from(WORK / "bad_parts.py"))
    settings = driver.show("settings")
    driver.take("settings")
    settings._scroll.body.tk.call(settings._scroll.body.winfo_parent(), "yview", "moveto", 1)
    driver.take("settings-end")
    for topic in ("first", "manual", "keys", "about"):
        driver.show("help", topic=topic)
        driver.take(f"help-{topic}")
    driver.take_window("messages", driver.app.messages.window)


SCENES: dict[str, Callable[[Driver], None]] = {
    "inspecting": inspecting,
    "looking_back": looking_back,
    "training": training,
    "the_rest": the_rest,
}


def child(look: str, scenes: list[str], folder: Path) -> None:
    """In a process of its own: take the scenes in one look, for example ``zh-light-1x``."""
    language, theme, size = look.split("-")
    text = 200 if size == "large" else 100
    driver = Driver(language, theme, text, lambda name, image: image.save(folder / f"{name}-{look}.png"))
    driver.open()
    for scene in scenes:
        SCENES[scene](driver)
    driver.app._end()


# The command


def photograph(look: str, scenes: Sequence[str], folder: Path) -> None:
    """Take the scenes in one look, with the prepared home, into ``folder``."""
    shutil.rmtree(HOME, ignore_errors=True)
    shutil.copytree(TEMPLATE, HOME)
    folder.mkdir(parents=True, exist_ok=True)
    with screen(*SCREENS[look.rpartition("-")[2]]) as display:
        environment = os.environ | {"DISPLAY": display, "BEARING_INSPECTOR_HOME": str(HOME)}
        program = [sys.executable, __file__, str(folder), "--only", look, "--scenes", ",".join(scenes), "--child"]
        subprocess.run(program, check=True, env=environment, cwd=ROOT)


def publish(taken: Path, file: Path) -> None:
    """An image as small as a manual wants it."""
    with Image.open(taken) as opened:
        image = opened.convert("RGB")
    for share in (1, 0.75, 0.6):
        size = round(image.width * share), round(image.height * share)
        smaller = image if share == 1 else image.resize(size, Image.Resampling.LANCZOS)
        for method in (Image.Quantize.MEDIANCUT, Image.Quantize.FASTOCTREE):
            smaller.quantize(256, method, kmeans=2).save(file, optimize=True)
            if file.stat().st_size < LARGEST:
                return
    raise SystemExit(f"{file} stays larger than {LARGEST} bytes")


def make_manual() -> None:
    """The images of the manual and of README."""
    taken, place = WORK / "taken", ROOT / "assets" / "manual" / "images"
    for language in LANGUAGES:
        photograph(f"{language}-light-1x", list(SCENES), taken)
        for name in MANUAL:
            publish(taken / f"{name}-{language}-light-1x.png", place / f"{name}.{language}.png")
    photograph("en-dark-1x", ["inspecting"], taken)
    publish(taken / "run-zh-light-1x.png", ROOT / "docs" / "window.zh.png")
    publish(taken / "run-en-dark-1x.png", ROOT / "docs" / "window.en.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="all pages, languages, themes and sizes into this folder")
    parser.add_argument("--only", default="", metavar="LOOK", help="for example zh-light-1x, zh or 2x")
    parser.add_argument("--scenes", default=",".join(SCENES), metavar="LIST", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    scenes = given.scenes.split(",")
    if given.child:
        child(given.only, scenes, given.folder)
        return
    prepare()
    if given.folder is None:
        make_manual()
        return
    for look in (f"{language}-{theme}-{size}" for language in LANGUAGES for theme in THEMES for size in SCREENS):
        if given.only in look:
            photograph(look, scenes, given.folder.absolute())


if __name__ == "__main__":
    main()
