"""The theme: both engines, both modes, contrast, sizes, and listeners."""

import gc
import itertools
import sys
import tkinter as tk
from dataclasses import fields
from tkinter import font as tkfont
from tkinter import ttk

import pytest
from fakes import focus
from PIL import ImageGrab

from inspector.ui.kit import theme

MODES = ("light", "dark")


@pytest.fixture(params=["ttkbootstrap", "clam"])
def engine(request, monkeypatch):
    if request.param == "clam":
        monkeypatch.setattr(theme, "ttkbootstrap", None)
    elif theme.ttkbootstrap is None:
        pytest.skip("ttkbootstrap is not installed")
    return request.param


@pytest.fixture
def start(faults):
    """``start(mode, text_size)``: a visible root; destroyed at the end."""
    roots = []

    def make(*arguments):
        root = theme.create_root(*arguments)
        roots.append(root)
        faults.watch(root)
        root.geometry("600x400+0+0")
        root.deiconify()
        root.update()
        return root

    yield make
    for root in roots:
        root.destroy()


def luminance(colour: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_right():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


PAIRS = [
    *itertools.product(("text", "muted"), ("surface", "panel", "card")),
    *itertools.product(("ok_text", "ng_text", "warn_text"), ("surface", "card")),
    ("on_selection", "selection"),
    ("on_primary", "primary"),
    ("on_status", "ok"),
    ("on_status", "ng"),
    ("on_warn", "warn"),
    ("primary", "surface"),
]


@pytest.mark.parametrize("tokens", [theme._LIGHT, theme._DARK], ids=MODES)
@pytest.mark.parametrize("ink, ground", PAIRS)
def test_what_is_written_can_be_read(tokens, ink, ground):
    assert contrast(getattr(tokens, ink), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize("colour", theme.OK_COLOURS.values())
def test_either_colour_of_ok_carries_white_and_is_not_ng(colour):
    assert contrast("#FFFFFF", colour) >= 4.5
    assert colour != theme._LIGHT.ng


@pytest.mark.parametrize("tokens", [theme._LIGHT, theme._DARK], ids=MODES)
def test_tokens_are_colours(tokens):
    for field in fields(tokens):
        value = getattr(tokens, field.name)
        assert len(value) == 7 and int(value[1:], 16) >= 0, field.name


def make(root, style):
    kind = style.rpartition(".")[2]
    makers = {"TScale": ttk.Scale, "TProgressbar": ttk.Progressbar, "Treeview": ttk.Treeview}
    maker = makers.get(kind) or getattr(ttk, kind[1:])
    return maker(root, style=style)


@pytest.mark.parametrize("mode", MODES)
def test_every_style_is_there_in_both_engines(engine, start, mode):
    root = start(mode)
    assert theme.dark() is (mode == "dark")
    for style in theme.STYLES:
        widget = make(root, style)
        widget.pack()
        root.update()
        assert widget.winfo_ismapped(), style
        widget.destroy()


def test_labels_can_be_read_as_they_are_drawn(engine, start):
    root = start("light")
    for mode in (*MODES, "light"):
        theme.configure(mode)
        look = ttk.Style(root).lookup
        for style in theme.STYLES:
            if style.endswith(("TLabel", "TCheckbutton", "TRadiobutton", "Link.TButton", "TButton")):
                under_pointer = [("active", "hover"), ("active", "hover", "pressed")]
                for state in ((), *(under_pointer if style.lower().endswith("button") else ())):
                    seen = [root.winfo_rgb(look(style, key, state)) for key in ("foreground", "background")]
                    ink, ground = ("#{:02x}{:02x}{:02x}".format(*(part // 257 for part in c)) for c in seen)
                    assert contrast(ink, ground) >= 4.5, (mode, style, state, ink, ground)


def test_a_widget_made_before_the_change_changes_too(engine, start):
    root = start("light")
    label = ttk.Label(root, text="x", style="Card.TLabel")
    label.pack()
    seen = []
    theme.on_theme_change(label, lambda: seen.append(theme.tokens().card))
    theme.configure("dark")
    theme.configure("light")
    assert seen == [theme._LIGHT.card, theme._DARK.card, theme._LIGHT.card]
    assert ttk.Style(root).lookup("Card.TLabel", "background") == theme._LIGHT.card


def test_who_is_gone_is_told_nothing_and_forgotten(start):
    root = start()
    told = []
    label = ttk.Label(root)
    theme.on_theme_change(label, lambda: told.append(label.winfo_class()))
    assert told == ["TLabel"]
    label.destroy()
    before = len(theme._State.listeners)
    theme.configure("dark")
    assert told == ["TLabel"] and len(theme._State.listeners) == before - 1


def test_one_that_destroys_another_while_it_is_told(start):
    root = start()
    first, second = ttk.Label(root), ttk.Label(root)
    told = []
    theme.on_theme_change(first, lambda: second.destroy() if theme.dark() else None)
    theme.on_theme_change(second, lambda: told.append(theme.dark()))
    theme.configure("dark")
    assert told == [False]


def test_nothing_works_without_a_root(monkeypatch):
    monkeypatch.setattr(theme._State, "root", None)
    with pytest.raises(AssertionError, match="start"):
        theme.configure("dark")
    with pytest.raises(AssertionError, match="start"):
        theme.px(4)


def test_sizes_follow_the_screen_and_the_text_size(start, monkeypatch):
    root = start("light", 100)
    dots = root.winfo_fpixels("1i")
    assert theme.px(10) == round(10 * dots / 96)
    assert theme.px(4, 8) == (round(4 * dots / 96), round(8 * dots / 96))
    monkeypatch.setattr(root, "winfo_fpixels", lambda distance: 192.0)
    assert theme.px(10) == 20 and theme.scale() == 2
    theme.configure(text_size=150)
    assert theme.px(10) == 30 and theme.text_size() == 150


def test_fonts_grow_with_the_text_size_and_keep_their_names(engine, start):
    root = start()
    names = {name: theme.font(name) for name in theme._FONTS}
    heights = {name: tkfont.nametofont(font, root).metrics("linespace") for name, font in names.items()}
    system = tkfont.nametofont("TkDefaultFont", root).metrics("linespace")
    row = ttk.Style(root).lookup("Treeview", "rowheight")
    theme.configure(text_size=200)
    for name, font in names.items():
        assert theme.font(name) == font
        assert tkfont.nametofont(font, root).metrics("linespace") > 1.7 * heights[name]
    assert tkfont.nametofont("TkDefaultFont", root).metrics("linespace") > 1.7 * system
    assert ttk.Style(root).lookup("Treeview", "rowheight") > 1.7 * row


def test_fonts_have_chinese(start):
    root = start()
    family = tkfont.nametofont(theme.font("body"), root).actual("family")
    if not set(theme._FAMILIES) & set(tkfont.families(root)):
        pytest.skip("this computer has no font with Chinese")
    assert family in theme._FAMILIES


def test_the_colour_of_ok_can_be_chosen(start):
    start()
    assert theme.tokens().ok == theme.OK_COLOURS["teal"]
    theme.configure(ok_colour="blue")
    assert theme.tokens().ok == theme.OK_COLOURS["blue"]
    theme.configure("dark")
    assert theme.tokens().ok == theme.OK_COLOURS["blue"], "it stays when the mode changes"
    theme.configure(ok_colour="teal")


def test_icons_follow_the_colours_and_are_missing_in_the_fallback(engine, start):
    root = start()
    button = ttk.Button(root, text="x")
    theme.set_icon(button, "folder2-open")
    before = str(button.cget("image"))
    assert bool(before) is (engine == "ttkbootstrap")
    theme.configure("dark")
    assert (str(button.cget("image")) != before) is (engine == "ttkbootstrap")


def test_no_other_thread_frees_a_window(start, keep_interpreters):
    """Tcl ends the process that frees an interpreter on a wrong thread, and each image freed there waits a second."""
    root = start()
    assert root.tk in keep_interpreters
    assert not gc.isenabled(), "conftest.py collects on this thread between tests"


@pytest.mark.parametrize("key", ["<space>", "<Return>"])
def test_buttons_are_pressed_by_the_keyboard(engine, start, key):
    root = start()
    pressed = []
    for style in ("TButton", "Primary.TButton", "Danger.TButton", "Tool.TButton", "Link.TButton"):
        button = ttk.Button(root, text=style, style=style, command=lambda style=style: pressed.append(style))
        button.pack()
        root.update()
        focus(button)
        root.update()
        button.event_generate(key)
        root.update()
        assert pressed.pop() == style and not pressed
    button.state(["disabled"])
    button.event_generate(key)
    root.update()
    assert not pressed


@pytest.mark.parametrize("mode", MODES)
def test_the_focus_is_seen(engine, start, mode):
    root = start(mode)
    elsewhere = tk.Frame(root)
    elsewhere.pack()
    for style in theme.STYLES:
        if not style.endswith(("Button", "button", "TEntry", "TCombobox", "TSpinbox", "TScale")):
            continue
        widget = make(root, style)
        if "text" in widget.keys():  # noqa: SIM118
            widget.configure(text="Start")
        widget.pack(padx=20, pady=20)
        looks = []
        for target in (elsewhere, widget):
            focus(target)
            root.update()
            box = (
                widget.winfo_rootx() - 2,
                widget.winfo_rooty() - 2,
                widget.winfo_rootx() + widget.winfo_width() + 2,
                widget.winfo_rooty() + widget.winfo_height() + 2,
            )
            screen = None if sys.platform == "win32" else root.winfo_screen()
            looks.append(ImageGrab.grab(box, xdisplay=screen).tobytes())
        assert looks[0] != looks[1], style
        widget.destroy()
