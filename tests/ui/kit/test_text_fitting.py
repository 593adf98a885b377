"""Texts as large as their space allows, and never cut off."""

import pytest

from inspector.ui.kit.text_fitting import FontFitter


@pytest.mark.parametrize(
    "text", ["NG", "∅ 无法读取", "Camera disconnected, reconnecting", "相机断开，正在重连（12 秒）"]
)
@pytest.mark.parametrize("wrap", [True, False])
def test_what_is_measured_fits(root, text, wrap):
    fitter = FontFitter(root)
    for width, height in ((600, 300), (250, 80), (120, 60)):
        size = fitter.size(text, width, height, 300, wrap=wrap)
        font = fitter.font("", size)
        widest = max(font.measure(word) for word in (text.split() if wrap and text.isascii() else [text]))
        assert size == 8 or wrap or widest <= width
        assert font.metrics("linespace") <= height or size == 8
        larger = fitter.font("", size + 2)
        lines = -(-larger.measure(text) // width) if wrap else 1
        assert larger.measure(text) > width or lines * larger.metrics("linespace") > height or size == 300


def test_no_word_is_broken_where_a_smaller_size_keeps_it_whole(root):
    fitter = FontFitter(root)
    size = fitter.size("disconnected", 200, 400, 200)
    assert fitter.font("", size).measure("disconnected") <= 200


def test_no_font_is_changed_once_it_is_made(root):
    """Tk lays out every widget of the program again when a font changes."""
    fitter = FontFitter(root)
    fonts = {size: fitter.font("", size) for size in range(8, 60)}
    fitter.size("Camera disconnected, reconnecting", 200, 100, 59)
    assert all(fitter.font("", size) is font and int(font.cget("size")) == -size for size, font in fonts.items())
