"""Every command of the menu bar exists and does something harmless here."""

import tkinter as tk

import pytest

from inspector.ui import menus
from inspector.ui.kit import strings, theme


def commands(menu):
    """(label, path of menus, index) of every command below ``menu``, filled as when it is opened."""
    if menu.cget("postcommand"):
        menu.tk.call(menu.cget("postcommand"))
    for index in range((menu.index("end") if menu.index("end") is not None else -1) + 1):
        kind = menu.type(index)
        if kind == "cascade":
            yield from commands(menu.nametowidget(menu.entrycget(index, "menu")))
        elif kind == "command":
            yield menu, index, menu.entrycget(index, "label")


@pytest.fixture
def bar(window):
    return window.root.nametowidget(window.root.cget("menu"))


@pytest.fixture
def calm(window, page, monkeypatch):
    """No dialogs of the system, no other programs."""
    for name in ("askopenfilename", "askopenfilenames", "askdirectory", "asksaveasfilename"):
        monkeypatch.setattr(f"tkinter.filedialog.{name}", lambda **_: "")
    opened = []
    monkeypatch.setattr(window, "open_path", opened.append)
    monkeypatch.setattr(window, "ask", lambda title, text, buttons, default: "cancel")
    return opened


def test_every_command_can_be_chosen(window, bar, calm, until, faults, monkeypatch):
    closed = []
    monkeypatch.setattr(window, "close", lambda: closed.append(True))
    labels = [label for _, _, label in commands(bar)]
    assert len(labels) > 30 and len(set(labels)) >= len(labels) - 2
    for menu, index, label in list(commands(bar)):
        if label == "Quit" or menu.entrycget(index, "state") == "disabled":
            continue
        menu.invoke(index)
        until(lambda: True)
        for child in window.root.winfo_children():
            if isinstance(child, tk.Toplevel):
                child.destroy()
        if window.inspect_page()._operator is not None:
            window.inspect_page()._operator = None
        assert not faults.found, label
    assert window.page in ("help", "inspect")
    until(lambda: not window.session.active)


def test_a_command_brings_its_page_to_the_front(window, bar, until):
    window.show("history")
    start = next((menu, index) for menu, index, label in commands(bar) if label == "Start")
    start[0].invoke(start[1])
    assert window.page == "inspect" and window.session.run is not None
    until(lambda: not window.session.active)


def test_sources_of_every_plugin_and_recent_ones_are_offered(window, bar, parts):
    window.window_state.add_recent("sources", str(parts))
    window.window_state.add_recent("recipes", "6205.bearing")
    labels = [label for _, _, label in commands(bar)]
    for spec in window.catalogue.sources.values():
        assert f"{strings.localized(spec.title)}…" in labels
    assert str(parts) in labels and "nothing yet" not in labels
    window.window_state.remove_recent("sources", str(parts))
    assert "nothing yet" in [label for _, _, label in commands(bar)]


def test_accelerators_that_are_shown_are_bound(window, bar):
    keys = {
        "Ctrl+O": "<Control-o>",
        "Ctrl+Shift+O": "<Control-O>",
        "Ctrl+Shift+V": "<Control-V>",
        "Ctrl+M": "<Control-m>",
        "Ctrl+E": "<Control-e>",
        "Ctrl+P": "<Control-p>",
        "Ctrl+Q": "<Control-q>",
        **{f"Ctrl+{place}": f"<Control-{place}>" for place in range(1, 6)},
        "Ctrl+,": "<Control-comma>",
        "Esc": "<Escape>",
        "←": "<Left>",
        "→": "<Right>",
        "1": "<Key-1>",
        "M": "m",
        "F": "f",
    }
    bound = {sequence.replace("Key-", "").replace("Shift-", "") for sequence in window.root.bind()}
    shown = {menu.entrycget(index, "accelerator") for menu, index, _ in commands(bar)} - {""}
    assert len(shown) > 12
    for accelerator in shown:
        sequence = keys.get(accelerator, f"<{accelerator}>").replace("Key-", "")
        assert sequence in bound or sequence.strip("<>") in bound, accelerator


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_menu_of_the_bar_has_its_letter(window, language):
    strings.set_language(language)
    bar = menus.build(window)
    letters = []
    for index in range(bar.index("end") + 1):
        label, at = bar.entrycget(index, "label"), int(bar.entrycget(index, "underline"))
        letters.append(label[at].upper())
        assert letters[-1].isascii() and letters[-1].isalpha(), label
    strings.set_language("en")
    assert len(set(letters)) == len(letters) == 5


def test_the_colours_follow_the_theme(window, bar):
    theme.configure("dark")
    assert str(bar.cget("background")) == theme.tokens().panel
    theme.configure("light")
    assert str(bar.cget("background")) == theme.tokens().panel


def test_in_chinese_every_label_is(window, until):
    window.settings.set("language", "zh")
    old = window.inspect_page()
    window.settings_changed("language")
    until(lambda: window.inspect_page() is not old)
    bar = window.root.nametowidget(window.root.cget("menu"))
    for _, _, label in commands(bar):
        assert not label.isascii() or label == "100 %" or "/" in label, label
    strings.set_language("en")
