"""Fits labels to their picture: it is read, and the shapes become lines of a YOLO label."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from inspector.conversion import labelme, polygons
from inspector.conversion.labels import LOSING, Labelled, Shape
from inspector.conversion.source import Source
from inspector.domain import InputError
from inspector.imaging import read_image
from inspector.imaging.decoding import SUFFIXES, kind_of
from inspector.paths import long_path

_TRAINED = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}  # suffixes that training looks for
_SAME_SHAPE = 0.01  # by which the sides' ratios of a picture and its labels may differ
_CUT = 1.0  # px beyond the border from which on it is worth a remark


@dataclass(frozen=True)
class Ready:
    """A picture to be written.

    Attributes:
        picture: its file.
        path: in the source, with slashes, by which people and --group know it.
        name: that the copy gets, with any suffix.
        suffix: that the copy gets.
        split: of the source; None where it does not say.
        digest: the same for the same pixels.
        lines: of the label file: class number, and coordinates as text.
    """

    picture: Path
    path: str
    name: str
    suffix: str
    split: str | None
    digest: str
    lines: tuple[tuple[int, str], ...]


def fitted(
    number: int, one: Labelled, numbers: dict[str, int], aside: Path, source: Source
) -> tuple[Ready | None, list[tuple[str, str]]]:
    """One picture, ready to be written (None: left out), and what is to be told: kind, example."""
    shown = source.relative(one.picture)
    problems = [(shape.problem, f"{shape.label or 'shape'} on {shown}") for shape in one.shapes if shape.problem]
    if any(kind in LOSING for kind, _ in problems):
        return None, problems
    file = one.picture
    if file.suffix.lower() == ".json":
        data = labelme.embedded(file)
        kind = kind_of(data[:32]) if data else None
        if data is None or kind is None:
            return None, [*problems, ("unreadable_picture", f"the picture in {shown}")]
        file = aside / f"{number}{SUFFIXES[kind][0]}"
        file.write_bytes(data)
    try:
        pixels, _ = read_image(file)
    except InputError as error:
        return None, [*problems, ("unreadable_picture", f"{shown}: {str(error).partition(';')[0]}")]
    height, width = pixels.shape[:2]
    size = one.size or (width, height)
    if size != (1.0, 1.0) and size != (width, height):
        if abs(size[0] * height / (size[1] * width) - 1) > _SAME_SHAPE:
            text = f"{shown} has {width} x {height} pixels, not {size[0]:g} x {size[1]:g}"
            return None, [*problems, ("other_size", text)]
        problems.append(("scaled", shown))
    lines: dict[tuple[int, str], None] = {}
    for shape in one.shapes:
        if not shape.rings:
            continue
        text, kinds = _line(shape, (width / size[0], height / size[1]), width, height)
        line = (numbers[shape.label], text)
        if text:
            kinds += ["repeated"] if line in lines else []
            lines[line] = None
        problems += [(kind, f"{shape.label} on {shown}") for kind in kinds]
    with open(long_path(file), "rb") as opened:
        kind = kind_of(opened.read(32)) or "PNG"
    suffix = Path(file.name).suffix.lower()
    suffix = suffix if suffix in _TRAINED and suffix in SUFFIXES[kind] else SUFFIXES[kind][0]
    digest = hashlib.blake2b(pixels.data, digest_size=16, person=b"%d %d" % (height, width)).hexdigest()
    return Ready(file, shown, one.name, suffix, one.split, digest, tuple(lines)), problems


def _line(shape: Shape, factor: tuple[float, float], width: int, height: int) -> tuple[str, list[str]]:
    """The shape as numbers from 0 to 1, empty where nothing is left of it; and the kinds of what is to be told."""
    scaled = [ring * factor for ring in shape.rings]
    thick = [ring for ring in scaled if not polygons.is_flat(ring)]
    if not thick:
        return "", ["degenerate"]
    rings = [polygons.clipped(ring, width, height) for ring in thick]
    inside = [ring for ring in rings if not polygons.is_flat(ring)]
    if not inside:
        return "", ["outside"]
    whole = polygons.union(inside)
    over = max(float(max(-ring.min(), (ring - (width, height)).max())) for ring in thick)
    kinds = (["clipped"] if over > _CUT else []) + (["bridged"] if shape.bridged else [])
    return " ".join(f"{value:.6f}" for value in (whole / (width, height)).clip(0, 1).ravel()), kinds
