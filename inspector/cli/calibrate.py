"""``bearing-inspector calibrate``: find the size of a pixel in millimetres and save it for ``--calibration``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from inspector.cli import console
from inspector.domain import Calibration, InputError, check_scale, quote
from inspector.domain.clock import local_time
from inspector.system.paths import write_text

_UNEVEN = 0.01
# What each method needs and takes beyond that.
_FLAGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mm_per_pixel": ((), ()),
    "distance": (("points",), ()),
    "circle": ((), ("points",)),
    "checkerboard": (("square",), ()),
    "charuco": (("square", "marker"), ("dictionary",)),
}


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("image", nargs="?", type=Path, metavar="IMAGE", help="image by the camera, what is known in the part's plane")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--mm-per-pixel", type=float, metavar="F", help="the size of a pixel is known")
    way.add_argument("--distance", type=float, metavar="MM", help="two --points are this far apart")
    way.add_argument(
        "--circle", type=float, metavar="MM", help="diameter of the largest circle, or of that by --points"
    )
    way.add_argument("--checkerboard", type=_board, metavar="CxR", help="checkerboard with so many squares, e.g. 9x7")
    way.add_argument("--charuco", type=_board, metavar="CxR", help="ChArUco board with so many squares")
    add("--points", nargs="+", type=_point, metavar="X,Y", help="points in pixels from the image's upper left corner")
    add("--square", type=float, metavar="MM", help="side of the board's squares")
    add("--marker", type=float, metavar="MM", help="side of the markers of a ChArUco board")
    add("--dictionary", metavar="NAME", help="markers of a ChArUco board (default DICT_4X4_50)")
    add("--author", default="", metavar="NAME", help="recorded with the calibration")
    add("--output", type=Path, required=True, metavar="FILE", help="new file for the calibration")
    add("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    if arguments.output.exists():
        raise InputError("{path} exists already; choose another file", path=arguments.output)
    found = _calibrate(arguments)
    path = write_text(arguments.output, json.dumps(found.to_json(), ensure_ascii=False, indent=2) + "\n")
    if found.method != "typed" and found.relative_uncertainty > _UNEVEN:
        console.print_error(
            f"The scale is uncertain by {found.relative_uncertainty:.1%}: point the camera straight at the part, "
            "or measure a longer distance"
        )
    if arguments.json:
        console.emit({"file": str(path), "calibration": found.to_json()})
    else:
        residual = "" if found.residual_px is None else f", residual {found.residual_px:.2f} px"
        uncertain = "" if found.method == "typed" else f" ± {found.relative_uncertainty:.2%}"
        console.print_line(f"{found.mm_per_pixel:.6g} mm per pixel{uncertain}{residual}: {path}")
    return 0


def _calibrate(arguments: argparse.Namespace) -> Calibration:
    method = next(name for name in _FLAGS if getattr(arguments, name) is not None)
    needed, taken = _FLAGS[method]
    flag = "--" + method.replace("_", "-")
    for name in ("points", "square", "marker", "dictionary"):
        present = getattr(arguments, name) is not None
        if present and name not in needed + taken:
            raise InputError("--{flag} does not belong to {method}; leave it out", flag=name, method=flag)
        if not present and name in needed:
            raise InputError("{method} needs --{flag} as well", flag=name, method=flag)
    if method == "mm_per_pixel":
        if arguments.image is not None:
            raise InputError("--mm-per-pixel needs no image; leave it out")
        return Calibration(check_scale(arguments.mm_per_pixel), date=local_time(), author=arguments.author)
    if arguments.image is None:
        raise InputError("{method} needs an image", method=flag)
    from inspector.api import read_image
    from inspector.measure import calibrate

    image, _ = read_image(arguments.image)
    size, author = (image.shape[1], image.shape[0]), arguments.author
    if method == "distance":
        return calibrate.from_points(arguments.points, arguments.distance, size, author)
    if method == "circle":
        points = arguments.points or calibrate.outline_of_circle(image)
        return calibrate.from_circle(points, arguments.circle, size, author)
    if method == "checkerboard":
        return calibrate.from_checkerboard(image, arguments.checkerboard, arguments.square, author)
    dictionary = arguments.dictionary or "DICT_4X4_50"
    return calibrate.from_charuco(image, arguments.charuco, arguments.square, arguments.marker, dictionary, author)


def _board(text: str) -> tuple[int, int]:
    columns, _, rows = text.partition("x")
    if not (columns.isdecimal() and rows.isdecimal()):
        raise argparse.ArgumentTypeError(f"{quote(text)} is not columns x rows of squares, e.g. 9x7")
    return int(columns), int(rows)


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quote(text)} is not a point X,Y in pixels") from None
    return x, y
