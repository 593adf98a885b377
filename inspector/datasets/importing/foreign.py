"""Recognise label formats that are not supported by their content, to tell the user what to export instead."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from inspector.datasets.importing.source import Source
from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import message
from inspector.system.paths import long_path

_HEAD = 16_384  # bytes read of a text file to recognise its format
_MOST_FILES = 200  # files examined of each suffix
FORMATS = {  # format -> name, what to do instead
    "cvat": ("CVAT XML", "export it from CVAT as COCO 1.0 or Ultralytics YOLO Segmentation 1.0, with Save images on"),
    "voc": ("Pascal VOC XML", "it contains boxes; export polygons or masks as COCO or YOLO segmentation"),
    "xml": ("XML", "export polygons or masks as COCO or YOLO segmentation"),
    "label_studio": ("Label Studio JSON", "export it from Label Studio as COCO with images, or YOLO with images"),
    "supervisely": ("Supervisely JSON", "export it from Supervisely as COCO"),
    "panoptic": ("COCO panoptic", "export instances instead (COCO instance segmentation)"),
    "keypoints": ("COCO keypoints", "it contains points; export polygons or masks as COCO or YOLO segmentation"),
    "results": ("a list of COCO results", "give the COCO file with images, annotations and categories"),
    "via": ("VGG Image Annotator (VIA)", "export it from VIA as COCO"),
    "labelbox": ("Labelbox JSON", "convert it to COCO with Labelbox's converter"),
    "createml": ("CreateML JSON", "it contains boxes; export polygons or masks as COCO or YOLO segmentation"),
    "datumaro": ("Datumaro JSON", "export it as COCO or YOLO segmentation"),
    "cityscapes": ("Cityscapes JSON", "convert it to COCO"),
    "geojson": ("GeoJSON", "export polygons or masks as COCO or YOLO segmentation"),
    "coco_part": ("a part of COCO", "export it again with images, annotations and categories"),
    "dota": ("DOTA", "it contains rotated boxes; export polygons or masks as COCO or YOLO segmentation"),
    "kitti": ("KITTI", "it contains boxes; export polygons or masks as COCO or YOLO segmentation"),
    "darknet": ("YOLO 1.1 (Darknet)", "it contains boxes; export polygons or masks as COCO or YOLO segmentation"),
    "yolo_bare": ("YOLO", "write a data.yaml with the line names: ['Defect'], or a classes.txt"),
    "csv": ("a CSV table", "export polygons or masks as COCO or YOLO segmentation"),
    "tfrecord": ("TFRecord", "export polygons or masks as COCO or YOLO segmentation"),
    "masks": ("mask images", "export polygons as labelme, COCO or YOLO segmentation"),
    "archive": ("an archive", "unpack it first"),
}


def explain(source: Source) -> str | None:
    """Return which format the labels are in and what to export instead; None if no format is recognised."""
    found = _recognise(source)
    if found is None:
        return None
    format, file = found
    name, instead = FORMATS[format]
    return message(
        "{folder} contains {format} ({file}), which is not supported; {instead}",
        folder=shown(source.folder),
        format=message(name),
        file=shown(source.relative(file)),
        instead=message(instead),
    )


def _recognise(source: Source) -> tuple[str, Path] | None:
    """Yield format and example, the most certain first."""
    for file, content in source.contents.items():
        if (format := _of_json(content)) is not None:
            return format, file
    by_suffix: dict[str, list[Path]] = {}
    for file in source.files:
        by_suffix.setdefault(file.suffix.lower(), []).append(file)
    for suffix, recognise in ((".xml", _of_xml), (".data", _of_data), (".txt", _of_text), (".csv", _of_table)):
        for file in itertools.islice(by_suffix.get(suffix, ()), _MOST_FILES):
            format = recognise(_head(file))
            if format is not None and not (format == "yolo_bare" and (source.descriptions or source.class_lists)):
                return format, file
    for suffix in (".tfrecord", ".record"):
        if suffix in by_suffix:
            return "tfrecord", by_suffix[suffix][0]
    if (mask := _mask_among(source.images)) is not None:
        return "masks", mask
    for suffix in (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"):
        if suffix in by_suffix:
            return "archive", by_suffix[suffix][0]
    return None


def _of_json(content: Any) -> str | None:
    if isinstance(content, list):
        return _of_list(content)
    if not isinstance(content, dict):
        return None
    keys = content.keys()
    annotations = content.get("annotations")
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    inner = next((one for one in content.values() if isinstance(one, Mapping)), {})
    if isinstance(first, Mapping) and "segments_info" in first:
        return "panoptic"
    if isinstance(first, Mapping) and "keypoints" in first and not first.get("segmentation"):
        return "keypoints"
    if any(key.startswith("_via_") for key in keys) or {"filename", "regions"} <= inner.keys():
        return "via"
    if "objects" in keys and {"imgHeight", "imgWidth"} <= keys:
        return "cityscapes"
    if ("objects" in keys and "size" in keys) or ("classes" in keys and "projectType" in keys):
        return "supervisely"
    if {"categories", "items"} <= keys:
        return "datumaro"
    if {"data_row", "projects"} <= keys:
        return "labelbox"
    if content.get("type") == "FeatureCollection":
        return "geojson"
    if {"data", "annotations"} <= keys or {"task", "result"} <= keys:
        return "label_studio"
    if "images" in keys and ("annotations" in keys or "categories" in keys):
        return "coco_part"
    return None


def _of_list(content: list[Any]) -> str | None:
    first = content[0] if content else None
    if not isinstance(first, dict):
        return None
    keys = first.keys()
    if "image_id" in keys and "category_id" in keys:
        return "results"
    if {"data", "annotations"} <= keys or {"annotation_id", "image"} <= keys or {"task", "result"} <= keys:
        return "label_studio"
    if "data_row" in keys or {"Label", "Labeled Data"} <= keys:
        return "labelbox"
    return "createml" if "image" in keys and isinstance(first.get("annotations"), list) else None


def _of_xml(head: str) -> str | None:
    root = re.search(r"<\s*([A-Za-z_][\w.-]*)", re.sub(r"<[?!].*?>", "", head, flags=re.DOTALL))
    if root is None:
        return None
    if root[1] == "annotations":
        return "cvat"
    return "voc" if root[1] == "annotation" else "xml"


def _of_data(head: str) -> str | None:
    return "darknet" if re.search(r"^\s*names\s*=", head, re.MULTILINE) else None


def _of_text(head: str) -> str | None:
    lines = [line.split() for line in head.splitlines() if line.strip()][:50]
    if any(line[0].startswith(("imagesource:", "gsd:")) for line in lines):
        return "dota"
    for words in lines:
        if len(words) in (9, 10) and _are_numbers(words[:8]) and not _are_numbers(words[8:9]):
            return "dota"
        if len(words) in (15, 16) and not _are_numbers(words[:1]) and _are_numbers(words[1:]):
            return "kitti"
    if lines and all(len(words) >= 5 and words[0].isdecimal() and _are_numbers(words) for words in lines[:-1] or lines):
        return "yolo_bare"
    return None


def _of_table(head: str) -> str | None:
    words = set(re.findall(r"\w+", head.partition("\n")[0].lower()))
    known = ({"xmin", "ymin"}, {"x_min", "y_min"}, {"region_shape_attributes"}, {"imageid", "labelname"}, {"rle"})
    return "csv" if any(one <= words for one in known) or "encodedpixels" in words else None


def _are_numbers(words: Iterable[str]) -> bool:
    try:
        return all(float(word) == float(word) for word in words)
    except ValueError:
        return False


def _head(file: Path) -> str:
    try:
        if not file.is_file():
            return ""
        with open(long_path(file), "rb") as opened:
            return opened.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return ""


def _mask_among(images: list[Path]) -> Path | None:
    """An image of few grey values named like one in another folder, or like one plus ``mask``."""
    by_stem: dict[str, list[Path]] = {}
    for image in images:
        by_stem.setdefault(re.sub(r"[ _-]?(mask|label|gt|labelids)$", "", image.stem.lower()), []).append(image)
    pairs = (own for own in by_stem.values() if len(own) > 1)
    for own in itertools.islice(pairs, 20):
        for image in own:
            if image.suffix.lower() in (".png", ".bmp", ".tif", ".tiff", ".gif") and _is_mask(image):
                return image
    return None


def _is_mask(image: Path) -> bool:
    """Whether the image has one channel (or a palette) and few values, most of them 0 or one other."""
    from PIL import Image

    try:
        with Image.open(long_path(image)) as opened:
            if opened.size[0] * opened.size[1] > 50_000_000:
                return False
            colours = opened.convert("RGB" if opened.mode == "RGBA" else opened.mode).getcolors(64)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return colours is not None and max(count for count, _ in colours) * 2 > sum(count for count, _ in colours)
