"""Use the program's own font in plots of ultralytics, which would download Arial and lacks Chinese."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from inspector.api import assets, prepare_torch

prepare_torch()

from ultralytics.data import utils as data_utils
from ultralytics.utils import checks, plotting

_FILE = "NotoSansCJKsc-Regular-subset.otf"


@cache
def provide() -> None:
    """Make ultralytics' images and matplotlib's plots show Chinese, without looking for fonts elsewhere."""
    from matplotlib import font_manager, rcParams

    file = assets() / "fonts" / _FILE

    def ours(font: str | Path = "") -> str:
        return str(file)

    for module in (checks, data_utils, plotting):
        module.check_font = ours
    font_manager.fontManager.addfont(str(file))
    family = font_manager.FontProperties(fname=str(file)).get_name()
    rcParams["font.family"] = ["DejaVu Sans", family]  # the second for characters missing in the first
    rcParams["text.parse_math"] = False  # a class may be called "$1"
