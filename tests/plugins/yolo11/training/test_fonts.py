"""Plots with the program's own font."""

import warnings

import pytest


def test_no_font_is_looked_for_elsewhere_and_chinese_is_drawn(tmp_path):
    from ultralytics.data import utils as data_utils
    from ultralytics.utils import checks, plotting

    from inspector_plugins.yolo11.training import fonts

    fonts.provide()
    for module in (checks, data_utils, plotting):
        assert module.check_font("Arial.Unicode.ttf").endswith(".otf")
    from matplotlib.figure import Figure

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as "Glyph 35010 missing from font"
        Figure(figsize=(2, 1)).text(0.1, 0.5, "裂纹 $1 crack $^").figure.savefig(tmp_path / "a.png")
        with pytest.raises(UserWarning, match="missing"):
            Figure(figsize=(2, 1)).text(0.1, 0.5, "\ue123").figure.savefig(tmp_path / "b.png")
