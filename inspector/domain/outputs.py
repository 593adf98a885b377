"""Converts outputs of plugins to plain Python values, so that no later stage meets numpy scalars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from inspector.domain.errors import InspectorError, describe
from inspector.domain.frame import Detection, Frame, Mask
from inspector.domain.texts import quote

BOX_DIGITS, SCORE_DIGITS = 3, 6
"""Decimals of box coordinates in pixels and of scores, in results and in the history."""


def plain_frame(frame: Frame) -> Frame:
    """Return ``frame`` with plain numbers and texts and a read-only image.

    All exporters share the array: if one drew into it, the others would save that.

    Raises:
        ValueError, TypeError: a value is not a number.
    """
    image = frame.image.view()
    image.flags.writeable = False
    return replace(
        frame,
        image=image,
        index=int(frame.index),
        name=str(frame.name),
        seconds=None if frame.seconds is None else float(frame.seconds),
        rate=None if frame.rate is None else float(frame.rate),
        path=None if frame.path is None else str(frame.path),
        read_ms=float(frame.read_ms),
        notes=tuple(map(str, frame.notes)),
    )


def plain_outputs(
    predictions: Iterable[Iterable[Detection]], sizes: Iterable[tuple[int, int]], model: str
) -> list[tuple[Detection, ...]]:
    """Return the detections of each image with plain numbers and texts, and masks clipped to the image.

    Numbers are rounded as in the history, so that a run and an export from the history write the same.

    Args:
        predictions: result of :meth:`inspector.api.Model.predict`.
        sizes: height and width of each image, pixels.
        model: id of the model's spec, for messages.

    Raises:
        InspectorError: the number of results differs from that of images, or a detection cannot be used.
    """
    shapes = list(sizes)
    try:
        results = [tuple(detections) for detections in predictions]
    except TypeError:
        results = []
    if len(results) != len(shapes):
        raise InspectorError(
            "The model {model} returned {count} results for {images} images; its plugin must be corrected",
            model=model,
            count=len(results),
            images=len(shapes),
        )
    plain = []
    for detections, (height, width) in zip(results, shapes, strict=True):
        try:
            plain.append(tuple(_plain(detection, height, width) for detection in detections))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InspectorError(
                "The model {model} returned a detection that cannot be used ({reason}); its plugin must be corrected",
                model=model,
                reason=describe(error),
            ) from error
    return plain


def _plain(detection: Detection, height: int, width: int) -> Detection:
    if not isinstance(detection, Detection):
        raise TypeError(f"{quote(detection)} is no Detection")
    mask = None if detection.mask is None else _clipped(detection.mask, height, width)
    x1, y1, x2, y2 = (round(float(side), BOX_DIGITS) for side in detection.box)
    score = round(float(detection.score), SCORE_DIGITS)
    return Detection(str(detection.label), score, (x1, y1, x2, y2), mask, int(detection.class_id))


def _clipped(mask: Mask, height: int, width: int) -> Mask:
    h, w = mask.pixels.shape
    x, y = int(mask.x), int(mask.y)
    if x >= 0 and y >= 0 and x + w <= width and y + h <= height:
        return mask if type(mask.x) is type(mask.y) is int else Mask(x, y, mask.pixels)
    left, top = min(max(x, 0), width), min(max(y, 0), height)
    right, bottom = min(max(x + w, left), width), min(max(y + h, top), height)
    if mask.area and not (right > left and bottom > top):
        raise ValueError(f"a mask at {x}, {y} is outside of the image of {width} x {height} pixels")
    return Mask(left, top, mask.pixels[top - y : bottom - y, left - x : right - x].copy())
