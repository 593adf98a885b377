"""Prepare images for a dataset: read them and convert their shapes to lines of a YOLO label file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspector.datasets.importing import labelme
from inspector.datasets.importing.source import Source
from inspector.datasets.yolo_layout.label_lines import fit_polygon
from inspector.datasets.yolo_layout.report import LOSING, SMALLEST, Labelled, Shape
from inspector.domain import InputError
from inspector.domain.image_formats import HEAD_BYTES, IMAGE_FORMATS, image_format
from inspector.imaging import read_image
from inspector.system.paths import long_path

_COMMON = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}  # suffixes that other trainers read, too
_SAME_SHAPE = 0.01  # by which the sides' ratios of an image and its labels may differ
_ROUNDED = 2.0  # px by which an outline may differ from its bounding box
_CUT = 1.0  # px beyond the border; more is reported


@dataclass(frozen=True)
class PreparedImage:
    """An image ready to be written.

    Attributes:
        file: to copy.
        path: relative to the source, with slashes; as shown to users and matched by --group.
        name: of the copy, with any suffix.
        suffix: of the copy.
        split: given by the source; None if it gives none.
        digest: equal for equal pixels.
        lines: of the label file: class number, and coordinates as text.
    """

    file: Path
    path: str
    name: str
    suffix: str
    split: str | None
    digest: str
    lines: tuple[tuple[int, str], ...]


def prepare_image(
    number: int, labelled: Labelled, numbers: dict[str, int], aside: Path, source: Source
) -> tuple[PreparedImage | None, list[tuple[str, str]]]:
    """Prepare one image; return it (None if it is left out) and the problems as (kind, example)."""
    path = source.relative(labelled.file)
    problems = [
        (shape.problem, shape.example or f"{shape.label or 'shape'} on {path}")
        for shape in labelled.shapes
        if shape.problem
    ]
    if any(kind in LOSING for kind, _ in problems):
        return None, problems
    file = labelled.file
    if file.suffix.lower() == ".json":
        data = labelme.embedded_image(file)
        kind = image_format(data[:HEAD_BYTES]) if data else None
        if data is None or kind is None or kind not in IMAGE_FORMATS:
            return None, [*problems, ("unreadable_picture", f"the image in {path}")]
        file = aside / f"{number}{IMAGE_FORMATS[kind][0]}"
        file.write_bytes(data)
    try:
        pixels, _ = read_image(file)
    except InputError as error:
        return None, [*problems, ("unreadable_picture", f"{path}: {str(error).partition(';')[0]}")]
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        return None, [*problems, ("small_picture", f"{path}, {width} x {height}")]
    size = labelled.size or (width, height)
    if size != (1.0, 1.0) and size != (width, height):
        if abs(size[0] * height / (size[1] * width) - 1) > _SAME_SHAPE:
            text = f"{path} has {width} x {height} pixels, not {size[0]:g} x {size[1]:g}"
            return None, [*problems, ("other_size", text)]
        problems.append(("scaled", path))
    lines: dict[tuple[int, str], None] = {}
    for shape in labelled.shapes:
        if not shape.rings:
            continue
        text, kinds = _line(shape, size, width, height)
        line = (numbers[shape.label], text)
        if text:
            kinds += ["repeated"] if line in lines else []
            lines[line] = None
        problems += [(kind, shape.example or f"{shape.label} on {path}") for kind in kinds]
    if any(kind in LOSING for kind, _ in problems):
        return None, problems
    with open(long_path(file), "rb") as opened:
        kind = image_format(opened.read(HEAD_BYTES)) or "PNG"
    suffix = Path(file.name).suffix.lower()
    suffix = suffix if suffix in _COMMON and suffix in IMAGE_FORMATS[kind] else IMAGE_FORMATS[kind][0]
    digest = hashlib.blake2b(pixels.data, digest_size=16, person=b"%d %d" % (height, width)).hexdigest()
    return PreparedImage(file, path, labelled.name, suffix, labelled.split, digest, tuple(lines)), problems


def _line(shape: Shape, size: tuple[float, float], width: int, height: int) -> tuple[str, list[str]]:
    """Return the shape as numbers from 0 to 1, empty if it cannot be used; and the kinds of problems."""
    if shape.mask is not None and shape.mask != size:
        return "", ["mask_size"]
    if shape.box is not None and not _fits_box(shape, size, shape.box):
        return "", ["other_box"]
    factor = width / size[0], height / size[1]
    polygon, over, problem = fit_polygon([ring * factor for ring in shape.rings], width, height)
    if polygon is None:
        return "", [problem]
    kinds = (["clipped"] if over > _CUT else []) + (["bridged"] if shape.bridged else [])
    return " ".join(f"{value:.6f}" for value in polygon.ravel()), kinds


def _fits_box(shape: Shape, size: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    """Whether the outline fills its bounding box: each edge within a tenth of the box's longer side."""
    stated = np.array([box[:2], (box[0] + box[2], box[1] + box[3])])
    found = np.array(
        [
            np.min([ring.min(0) for ring in shape.rings], axis=0),
            np.max([ring.max(0) for ring in shape.rings], axis=0),
        ]
    )
    away = np.abs(stated.clip(0, size) - found.clip(0, size)).max()
    return bool(away <= max(_ROUNDED, 0.1 * max(box[2:])))
