"""The program's own font for what ultralytics draws: it would ask the network for Arial, and has no Chinese."""

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
    """From now on ultralytics' pictures and matplotlib's curves show Chinese, and no font is looked for elsewhere."""
    from matplotlib import font_manager, rcParams

    file = assets() / "fonts" / _FILE

    def ours(font: str | Path = "") -> str:
        return str(file)

    for module in (checks, data_utils, plotting):
        module.check_font = ours
    font_manager.fontManager.addfont(str(file))
    family = font_manager.FontProperties(fname=str(file)).get_name()
    rcParams["font.family"] = ["DejaVu Sans", family]  # the second for what the first does not have
    rcParams["text.parse_math"] = False  # a class may be called "$1"
