"""Check the description that a model carries as ``yaml``, before a network is built from it.

ultralytics' parser evaluates texts in it (``activation``), looks modules up by name, and allocates the sizes it
states. Only the vocabulary of YOLO segmentation models passes this check.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from inspector_plugins.yolo11.architecture.design import TRAINING_ONLY, Row

MOST_PARAMETERS = 200_000_000  # the largest official segmentation model has 72 million
_MOST_ROWS = 500
_LARGEST = 2048  # for a row's numbers: channels before scaling
_LARGEST_UPSAMPLE = 4
_ACTIVATION = re.compile(
    r"(torch\.)?nn\.(SiLU|ReLU|ReLU6|LeakyReLU|GELU|Hardswish|Mish|ELU|PReLU|Sigmoid|Tanh|Identity)"
    r"\((inplace=(True|False)|0?\.\d{1,4})?\)"
)
_WORDS = frozenset({"None", "True", "False", "nc", "nearest", "bilinear", "bicubic"})
_MODULES = frozenset(
    {
        *("A2C2f", "AConv", "ADown", "AIFI", "Bottleneck", "BottleneckCSP", "C1", "C2", "C2PSA", "C2f", "C2fCIB"),
        *("C2fPSA", "C3", "C3Ghost", "C3TR", "C3k2", "C3x", "CBFuse", "CBLinear", "Concat", "Conv", "ConvTranspose"),
        *("DWConv", "DWConvTranspose2d", "ELAN1", "Focus", "GhostBottleneck", "GhostConv", "HGBlock", "HGStem"),
        *("Index", "PSA", "RepC3", "RepNCSPELAN4", "ResNetLayer", "SCDown", "SPP", "SPPELAN", "SPPF", "Segment"),
        *("Segment26", "nn.BatchNorm2d", "nn.ConvTranspose2d", "nn.Identity", "nn.MaxPool2d", "nn.Upsample"),
    }
)
_KINDS = frozenset(  # of rows that only our builder understands
    {"C3k2", "C3k2-convolution", "backbone", "downsample", "head", "neck", "pooling", "pyramid", "upsample"}
)


def checked(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``description`` with only what a network is built from.

    Raises:
        ValueError: something in it is unknown or too large.
    """
    made: dict[str, Any] = {}
    for key, (least, most) in {"depth_multiple": (0.01, 4), "width_multiple": (0.01, 2), "reg_max": (1, 64)}.items():
        if (value := description.get(key)) is not None:
            made[key] = _number(value, least, most, key)
    if (scales := description.get("scales")) is not None:
        if not isinstance(scales, Mapping) or len(scales) > 20:
            raise ValueError("its scales are unknown")
        made["scales"] = {_word(key): _scale(value) for key, value in scales.items()}
    for key in ("scale", "yaml_file", "architecture", *TRAINING_ONLY):
        if (text := description.get(key)) is not None:
            made[key] = _word(text)
    if (end2end := description.get("end2end")) is not None:
        made["end2end"] = bool(end2end)
    if activation := description.get("activation"):
        if not isinstance(activation, str) or not _ACTIVATION.fullmatch(activation):
            raise ValueError("its activation is none that is known")
        made["activation"] = activation
    rows: list[Row] = []
    for part in ("backbone", "head"):
        given = description.get(part)
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > _MOST_ROWS:
            raise ValueError(f"it has no rows of a {part}")
        made[part] = [_row(row, len(rows) + number) for number, row in enumerate(given)]
        rows += made[part]
    if isinstance(inplace := description.get("inplace"), bool):
        made["inplace"] = inplace
    classes = description.get("nc", 1)
    made["nc"] = int(_number(classes, 1, 10_000, "nc"))
    if description.get("channels", 3) != 3:
        raise ValueError("it does not take three channels")
    return made


def _row(row: Any, number: int) -> Row:
    if not isinstance(row, list | tuple) or len(row) != 4:
        raise ValueError(f"its row {number} is unknown")
    source, repeats, name, arguments = row
    sources = source if isinstance(source, list | tuple) else [source]
    if not 0 < len(sources) <= 16 or not all(
        type(one) is int and -max(number, 1) <= one < max(number, 1) for one in sources
    ):
        raise ValueError(f"its row {number} reads from rows that are not there")
    if name == "Silence":  # as YOLOv9 was first published
        name = "nn.Identity"
    known = type(name) is str and _is_known(name.partition("@")[0])
    if not known or len(name) > 200 or not isinstance(arguments, list | tuple) or len(arguments) > 16:
        raise ValueError(f"its row {number} is of an unknown kind")
    given = [_argument(one, number) for one in arguments]
    if name == "nn.Upsample" and any(
        isinstance(one, int | float) and one > (_LARGEST_UPSAMPLE if place else 256) for place, one in enumerate(given)
    ):
        raise ValueError(f"its row {number} enlarges too much")
    return [list(sources) if isinstance(source, list | tuple) else source, _repeats(repeats, number), name, given]


def _is_known(name: str) -> bool:
    return name in _MODULES or (name.partition(":")[0] in _KINDS and ":" in name)


def _repeats(value: Any, number: int) -> int:
    if type(value) is not int or not 0 < value <= 100:
        raise ValueError(f"its row {number} is repeated too often")
    return value


def _argument(value: Any, number: int, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value, -_LARGEST, _LARGEST, f"its row {number}")
    if isinstance(value, str) and value in _WORDS:
        return value
    if isinstance(value, list | tuple) and depth < 2 and len(value) <= 16:
        return [_argument(one, number, depth + 1) for one in value]
    raise ValueError(f"its row {number} has an unknown argument")


def _scale(value: Any) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError("its scales are unknown")
    return [_number(one, 0.01, most, "scales") for one, most in zip(value, (4, 2, 4096), strict=True)]


def _number(value: Any, least: float, most: float, what: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} is no number")
    if not least <= value <= most:
        raise ValueError(f"{what} is larger or smaller than in any network")
    return value


def _word(value: Any) -> str:
    if type(value) is not str or len(value) > 500 or not value.isprintable():
        raise ValueError("one of its texts is unknown")
    return value
