"""Every button, menu entry and key of every page is pressed, in both languages, at both sizes, with real data behind.

Only what leads out of the program is answered by a fake: the system's file dialogs, its other programs, its printers.
An error in a callback or in the log fails the test (``faults``), and so does a control that cannot be reached.
"""

import json
import shutil
import time
import tkinter as tk
from pathlib import Path
from tkinter import ttk

import pytest
from fakes import focus, inside

from inspector import training
from inspector.settings import Settings
from inspector.system import paths
from inspector.ui.app import App
from inspector.ui.kit import dialogs, open_externally, printing, strings
from inspector.ui.kit.widgets import ScrollFrame

PAGES = ("inspect", "history", "statistics", "training", "plugins", "settings", "help")
PRESSED = (ttk.Button, ttk.Checkbutton, ttk.Radiobutton)
REACHED = (*PRESSED, ttk.Entry, ttk.Scale, ttk.Menubutton)
LEAVES = {"Quit", "退出"}  # would end the test
KEYS = [
    "<F1>",
    "<F5>",
    "<F6>",
    "<Escape>",
    "<F11>",
    "<F11>",
    "<Control-o>",
    "<Control-O>",
    "<Control-V>",
    "<Control-m>",
    "<Control-e>",
    "<Control-comma>",
    "<Control-f>",
    "<Left>",
    "<Right>",
    "<Up>",
    "<Down>",
    "<Home>",
    "<End>",
    "<Prior>",
    "<Next>",
    "<Return>",
    "<space>",
    "<Tab>",
    "<Delete>",
    "<plus>",
    "<minus>",
    "m",
    "f",
    "1",
    "<Control-a>",
    "<Control-c>",
    "<Control-Key-1>",
    "<Control-Key-2>",
    "<Control-Key-3>",
    "<Control-Key-4>",
    "<Control-Key-5>",
]


@pytest.fixture(params=["en", "zh"])
def app(faults, home, spots, parts, request, monkeypatch):
    """The window in a language, after a run, with a training and a plugin, on a screen of 1024x768."""
    monkeypatch.setattr(tk.Misc, "winfo_screenwidth", lambda self: 1024)
    for name in ("askopenfilename", "askopenfilenames", "askdirectory", "asksaveasfilename"):
        monkeypatch.setattr(f"tkinter.filedialog.{name}", lambda **_: "")
    monkeypatch.setattr(open_externally, "open_path", lambda path: None)
    monkeypatch.setattr(open_externally, "show_in_folder", lambda path: None)
    monkeypatch.setattr(App, "open_path", lambda self, path: None)
    for name in ("print_file", "send", "print_pdf"):
        monkeypatch.setattr(printing, name, lambda *_: None, raising=False)
    monkeypatch.setattr(dialogs, "ask", lambda parent, title, text, buttons, default: default)
    (home / "window.json").write_text(json.dumps({"model": "spots"}))
    settings = Settings.load()
    settings.set("language", request.param)
    settings.set("exporters", "none")
    made_training(Path(settings.get("output_folder") or paths.results_folder()) / "training one")
    app = App()
    faults.watch(app.root)
    app.root.geometry("1024x690+0+0")
    app.start([str(parts)])
    pump(app, lambda: app.ready and app.session.model is not None and app.inspect_page().banner.status)
    focus(app.root)
    app.inspect_page().start()
    pump(app, lambda: app.session.run is not None and not app.session.active)
    yield app
    if not app._closing:
        app._end()
    strings.set_language("en")


def made_training(folder: Path) -> None:
    """A finished training, as its child process leaves one, with the model that ships."""
    (folder / "weights").mkdir(parents=True)
    shutil.copy(paths.assets() / "models" / "bearing-yolo11n-seg.pt", folder / "weights" / "best.pt")
    plan = {"model": "yolo11n-seg", "data": "data.yaml", "options": {"epochs": 2}, "finished": True}
    (folder / "train.json").write_text(json.dumps(plan))
    rows = "epoch,time,train/seg_loss,metrics/mAP50(M)\n1,1.0,2.0,0.1\n2,2.0,1.5,0.2\n"
    (folder / "results.csv").write_text(rows)
    training.remember_folder(folder)


def pump(app, condition=lambda: True, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen in time; said: {app.messages.history[-3:]}"
        app.root.update()
        time.sleep(0.003)
    app.root.update()


def windows(app) -> list[tk.Toplevel]:
    return [each for each in inside(app.root, tk.Toplevel) if each.winfo_exists() and each is not app.root]


def close_windows(app) -> None:
    page = app.inspect_page()
    if page._operator is not None:
        page.toggle_operator()
    for window in windows(app):
        if window.winfo_exists():
            window.destroy()
    app.root.update()


def name(widget) -> str:
    text = str(widget.cget("text")) if "text" in widget.keys() else ""  # noqa: SIM118 - a widget is no dict
    return f"{widget.winfo_class()} {text} {widget}"


def press(app, widget, path: list[str]) -> None:
    path.append(name(widget))
    widget.invoke()
    app.root.update()
    app.session.stop()


def press_all(app, around, path: list[str], depth: int = 0) -> None:
    """Press what can be pressed below ``around``, and what is in the windows that open."""
    for widget in inside(around, PRESSED):
        if not widget.winfo_exists() or not widget.winfo_viewable() or widget.instate(["disabled"]):
            continue
        if isinstance(widget.winfo_toplevel(), tk.Toplevel) is not isinstance(around.winfo_toplevel(), tk.Toplevel):
            continue
        before = set(windows(app))
        press(app, widget, path)
        for window in set(windows(app)) - before:
            if window.winfo_exists() and window.winfo_viewable() and depth == 0:
                on_screen(window, path[-1])
                press_all(app, window, path, depth + 1)
        if depth == 0:
            close_windows(app)


def menu_entries(menu):
    if menu.cget("postcommand"):
        menu.tk.call(menu.cget("postcommand"))
    for index in range((menu.index("end") if menu.index("end") is not None else -1) + 1):
        kind = menu.type(index)
        if kind == "cascade":
            yield from menu_entries(menu.nametowidget(menu.entrycget(index, "menu")))
        elif kind != "separator" and menu.entrycget(index, "state") != "disabled":
            yield menu, index, str(menu.entrycget(index, "label"))


def on_screen(window, where: str) -> None:
    """Every control of the window can be reached: within the screen and not cut off, or by scrolling."""
    wrong = []
    for widget in inside(window, REACHED):
        if not widget.winfo_viewable() or widget.winfo_toplevel() is not window.winfo_toplevel():
            continue
        left, top = widget.winfo_rootx(), widget.winfo_rooty()
        right, bottom = left + widget.winfo_width(), top + widget.winfo_height()
        scrolls, at = False, widget
        while at is not window and at is not None:
            at = at.master
            if isinstance(at, ScrollFrame | tk.Canvas):
                scrolls = True
            x, y = at.winfo_rootx(), at.winfo_rooty()
            across = x - 1 <= left and right <= x + at.winfo_width() + 1
            down = scrolls or (y - 1 <= top and bottom <= y + at.winfo_height() + 1)
            if not (across and down):
                wrong.append(f"{name(widget)}: {(left, top, right, bottom)} in {at} {at.winfo_geometry()}")
                break
        if widget.winfo_reqwidth() > widget.winfo_width() + 2 and isinstance(widget, ttk.Button):
            wrong.append(f"{name(widget)} is cut: {widget.winfo_width()} of {widget.winfo_reqwidth()}")
    screen = 1024, window.winfo_screenheight()
    if (
        window.winfo_rootx() + window.winfo_width() > screen[0]
        or window.winfo_rooty() + window.winfo_height() > screen[1]
    ):
        wrong.append(f"the window itself: {window.winfo_geometry()}")
    assert not wrong, f"{where}:\n" + "\n".join(wrong)


@pytest.mark.slow
def test_every_button_menu_entry_and_key(app, faults):
    path: list[str] = []
    for page in PAGES:
        app.show(page)
        pump(app, lambda: not app.session.loading)
        settle(app)
        on_screen(app.root, f"{page} at 100 %")
        faults_before = len(faults.found)
        press_all(app, app._pages[page], path)
        if page == "inspect":
            press_all(app, app.header_tools, path)
        for key in KEYS:
            path.append(f"{page} {key}")
            if not app.root.winfo_exists():
                break
            app.root.event_generate(key)
            app.root.update()
            app.session.stop()
            close_windows(app)
            app.show(page)
        assert len(faults.found) == faults_before, "\n".join([*faults.found, "after:", *path[-5:]])
    bar = app.root.nametowidget(app.root.cget("menu"))
    for menu, index, label in list(menu_entries(bar)):
        if label not in LEAVES:
            path.append(label)
            menu.invoke(index)
            app.root.update()
            app.session.stop()
            close_windows(app)
    assert not faults.found, "\n".join([*faults.found, "after:", *path[-5:]])
    assert len(path) > 350, "the pages have more than that"


def settle(app) -> None:
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        app.root.update()
        time.sleep(0.005)


@pytest.mark.slow
def test_every_control_is_reached_with_large_text(app):
    app.settings.set("text_size", 200)
    app.settings_changed("text_size")
    settle(app)
    wrong = []
    for page in PAGES:
        app.show(page)
        settle(app)
        try:
            on_screen(app.root, f"{page} at 200 %")
        except AssertionError as error:
            wrong.append(str(error).split("\nassert")[0])
    assert not wrong, "\n".join(wrong)
