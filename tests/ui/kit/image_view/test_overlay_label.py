"""Position and elision of an overlay label."""

import tkinter as tk

import pytest

from inspector.ui.kit.image_view.overlay_label import OverlayLabel


@pytest.fixture
def canvas(root):
    canvas = tk.Canvas(root, width=400, height=300, highlightthickness=0)
    canvas.pack()
    root.update()
    return canvas


@pytest.mark.parametrize("anchor", ["nw", "ne", "sw", "se"])
def test_its_corner_lies_where_it_was_asked_for(canvas, anchor):
    chip = OverlayLabel(canvas)
    chip.show("裂纹 0.91", 200, 150, anchor, 400)
    left, top, right, bottom = canvas.coords(chip._ground)
    assert (left if "w" in anchor else right) == 200
    assert (top if "n" in anchor else bottom) == 150
    text = canvas.bbox(chip._text)
    assert left < text[0] < text[2] < right
    assert top <= text[1] < text[3] <= bottom


def test_it_is_as_wide_as_allowed_and_says_that_something_is_missing(canvas):
    chip = OverlayLabel(canvas)
    chip.show("x" * 300, 0, 0, "nw", 120)
    assert canvas.itemcget(chip._text, "text").endswith("x…")
    assert 100 < canvas.coords(chip._ground)[2] <= 120


def test_several_lines_and_none(canvas):
    chip = OverlayLabel(canvas)
    chip.show("a", 0, 0, "nw", 400)
    one = canvas.coords(chip._ground)[3]
    chip.show("a\nb", 0, 0, "nw", 400)
    assert canvas.coords(chip._ground)[3] > 1.5 * one
    chip.show("", 0, 0, "nw", 400)
    assert canvas.itemcget(chip._text, "state") == canvas.itemcget(chip._ground, "state") == "hidden"
