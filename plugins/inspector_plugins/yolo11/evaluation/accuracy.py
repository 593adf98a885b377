"""Measure accuracy on labelled images: COCO's mAP of boxes and masks, with pycocotools."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from inspector.api import Detection, LabelledImage, read_image

CONFIDENCE, IOU, LIMIT = 0.001, 0.7, 300
"""Thresholds and number of detections for mAP."""

Figures = dict[str, dict[str, float]]


def measure(
    predict: Mapping[str, Callable[[NDArray[np.uint8]], Sequence[Detection]]],
    images: Sequence[LabelledImage],
    classes: int,
) -> dict[str, Figures]:
    """Measure each of the predictors in ``predict`` (by name) on the same images.

    Args:
        predict: return the detections of an image (H, W, 3) uint8 BGR, with the thresholds above.
        images: with the model's class numbers; at least one defect is labelled.
        classes: number of the model's classes.

    Returns:
        Name -> ``mask`` and ``box`` -> ``mAP50-95`` and ``mAP50``, 0 to 1.

    Raises:
        InputError: an image has become unreadable.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in predict}
    for number, image in enumerate(tqdm(images, "measuring", unit="image", disable=None, file=sys.stderr, leave=False)):
        pixels, _ = read_image(image.file)
        for name, detect in predict.items():
            found[name] += _found(number, detect(pixels), image)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        truth = _truth(images, classes)
        return {name: _figures(truth, rows) for name, rows in found.items()}


def _found(number: int, detections: Sequence[Detection], image: LabelledImage) -> Iterator[dict[str, Any]]:
    for detection in detections:
        x1, y1, x2, y2 = detection.box
        assert detection.mask is not None
        yield {
            "image_id": number,
            "category_id": detection.class_id,
            "score": detection.score,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "segmentation": detection.mask.rle(image.height, image.width),
        }


def _truth(images: Sequence[LabelledImage], classes: int) -> Any:
    from pycocotools.coco import COCO

    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images):
        size = np.array([image.width, image.height])
        entries.append({"id": number, "height": image.height, "width": image.width})
        for label, polygon in zip(image.classes, image.polygons, strict=True):
            points = polygon * size
            corner, extent = points.min(axis=0), np.ptp(points, axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,  # pycocotools takes 0 for no match
                    "image_id": number,
                    "category_id": label,
                    "iscrowd": 0,
                    "bbox": [*corner.tolist(), *extent.tolist()],
                    "area": float(extent.prod()),
                    "segmentation": [points.ravel().tolist()],
                }
            )
    truth = COCO()
    categories = [{"id": number} for number in range(classes)]
    truth.dataset = {"images": entries, "annotations": annotations, "categories": categories}
    truth.createIndex()
    return truth


def _figures(truth: Any, rows: list[dict[str, Any]]) -> Figures:
    from pycocotools.cocoeval import COCOeval

    figures = {}
    for name, kind in (("mask", "segm"), ("box", "bbox")):
        stats = [0.0, 0.0]
        if rows:
            evaluation = COCOeval(truth, truth.loadRes(rows), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            stats = [float(value) for value in evaluation.stats[:2]]
        figures[name] = {"mAP50-95": round(stats[0], 5), "mAP50": round(stats[1], 5)}
    return figures
