"""How exact OpenVINO networks are on labelled pictures: COCO's mAP of boxes and masks, by pycocotools.

A picture goes the way that it goes when it is inspected: our letterbox, our decoding, masks in the picture's own size.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from inspector.api import Detection, prepare_openvino, read_image

prepare_openvino()

import openvino

from inspector_plugins.yolo11 import decode
from inspector_plugins.yolo11.data import Picture

Figures = dict[str, dict[str, float]]

_CONFIDENCE, _IOU, _LIMIT = 0.001, 0.7, 300


def network_input(image: NDArray[np.uint8], imgsz: int, stride: int) -> tuple[decode.Floats, decode.Fit]:
    """A picture (H, W, 3) uint8 BGR as (1, 3, h, w) float32 RGB from 0 to 1, and how it was fitted."""
    fit = decode.Fit.of(image.shape[0], image.shape[1], imgsz, stride)
    pixels = np.empty((fit.input_height, fit.input_width, 3), np.uint8)
    decode.letterbox(image, fit, pixels)
    return np.divide(pixels[..., ::-1].transpose(2, 0, 1)[None], 255, dtype=np.float32, order="C"), fit


def measure(
    networks: Mapping[str, Any], pictures: Sequence[Picture], names: Sequence[str], imgsz: int, stride: int
) -> dict[str, Figures]:
    """Measure each of ``networks`` (name -> ``openvino.Model``) on the same pictures.

    Args:
        pictures: with the model's class numbers; at least one defect is labelled.
        names: of the model's classes.
        imgsz: side length to which pictures are scaled, pixels.

    Returns:
        Name -> ``mask`` and ``box`` -> ``mAP50-95`` and ``mAP50``, 0 to 1.

    Raises:
        InputError: for a picture that is not readable any more.
    """
    core = openvino.Core()
    compiled = {
        name: core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        for name, network in networks.items()
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in networks}
    for number, picture in enumerate(
        tqdm(pictures, "measuring", unit="picture", disable=None, file=sys.stderr, leave=False)
    ):
        image, _ = read_image(picture.file)
        values, fit = network_input(image, imgsz, stride)
        for name, network in compiled.items():
            results = network([values])
            outputs = results["output0"][0], results["output1"][0]
            detections = decode.decode(*outputs, fit, names, _CONFIDENCE, _IOU, _LIMIT)
            found[name] += _found(number, detections, picture)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        truth = _truth(pictures, len(names))
        return {name: _figures(truth, rows) for name, rows in found.items()}


def _found(number: int, detections: Sequence[Detection], picture: Picture) -> Iterator[dict[str, Any]]:
    for detection in detections:
        x1, y1, x2, y2 = detection.box
        assert detection.mask is not None
        yield {
            "image_id": number,
            "category_id": detection.class_id,
            "score": detection.score,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "segmentation": detection.mask.rle(picture.height, picture.width),
        }


def _truth(pictures: Sequence[Picture], classes: int) -> Any:
    from pycocotools.coco import COCO

    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures):
        size = np.array([picture.width, picture.height])
        images.append({"id": number, "height": picture.height, "width": picture.width})
        for label, polygon in zip(picture.classes, picture.polygons, strict=True):
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
    truth.dataset = {"images": images, "annotations": annotations, "categories": categories}
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
