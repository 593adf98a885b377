"""Convert an image to the network's input, and its output to detections. Shared by every runner.

numpy and OpenCV only. All coordinates are pixels with the origin at the outer corner of the top left one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd, isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.api import Detection, InspectorError, Mask

Floats = NDArray[np.float32]

_GREY = 114
_MOST_CANDIDATES = 30_000
_CLASS_OFFSET = 7680.0  # px; separates the boxes of different classes, so that one NMS serves all classes
_STRIP = 1 << 16  # mask pixels computed at once: fits into the processor's cache


@dataclass(frozen=True)
class Letterbox:
    """Geometry of fitting an image into the network's input: scaled, centred, padded to multiples of the stride.

    Attributes:
        height, width: of the image.
        inner_height, inner_width: of the scaled image.
        top, left: padding before it.
        input_height, input_width: of the network's input.
    """

    height: int
    width: int
    inner_height: int
    inner_width: int
    top: int
    left: int
    input_height: int
    input_width: int

    @classmethod
    def for_size(cls, height: int, width: int, imgsz: int, stride: int) -> Letterbox:
        """Scale the longer side to ``imgsz``; pad the shorter one to the next multiple of ``stride``."""
        gain = min(imgsz / height, imgsz / width)
        inner_height, inner_width = max(round(height * gain), 1), max(round(width * gain), 1)
        down, right = (imgsz - inner_height) % stride / 2, (imgsz - inner_width) % stride / 2
        return cls._padded(height, width, inner_height, inner_width, down, right)

    @classmethod
    def for_input(cls, height: int, width: int, input_height: int, input_width: int) -> Letterbox:
        """Fit into an input of fixed size: as large as possible, centred, padded on both sides."""
        gain = min(input_height / height, input_width / width)
        inner_height, inner_width = max(round(height * gain), 1), max(round(width * gain), 1)
        down, right = (input_height - inner_height) / 2, (input_width - inner_width) / 2
        return cls._padded(height, width, inner_height, inner_width, down, right)

    @classmethod
    def _padded(
        cls, height: int, width: int, inner_height: int, inner_width: int, down: float, right: float
    ) -> Letterbox:
        """Add half of the padding, ``down`` and ``right``, on each side."""
        top, left = round(down - 0.1), round(right - 0.1)
        return cls(
            height,
            width,
            inner_height,
            inner_width,
            top,
            left,
            inner_height + top + round(down + 0.1),
            inner_width + left + round(right + 0.1),
        )


def letterbox(image: NDArray[np.uint8], fit: Letterbox, into: NDArray[np.uint8]) -> None:
    """Write the image as the network's input.

    Args:
        image: (H, W, 3) uint8.
        into: (input_height, input_width, 3) uint8, filled in the same channel order.
    """
    if image.shape != (fit.height, fit.width, 3) or image.dtype != np.uint8:
        raise ValueError(f"expected ({fit.height}, {fit.width}, 3) uint8, not {image.shape} {image.dtype}")
    bottom, right = fit.top + fit.inner_height, fit.left + fit.inner_width
    inner = into[fit.top : bottom, fit.left : right]
    if image.shape == inner.shape:
        inner[:] = image
    else:
        size = (fit.inner_width, fit.inner_height)
        cv2.resize(np.ascontiguousarray(image), size, dst=inner, interpolation=cv2.INTER_LINEAR)
    into[: fit.top] = into[bottom:] = _GREY
    into[:, : fit.left] = into[:, right:] = _GREY


def decode(
    prediction: Floats,
    prototypes: Floats,
    fit: Letterbox,
    names: Sequence[str],
    confidence: float,
    iou: float,
    limit: int,
    end_to_end: bool = False,
) -> list[Detection]:
    """Decode the detections of one image.

    Args:
        prediction: (4 + classes + coefficients, anchors): centre x, centre y, width, height in input pixels, class
            scores, mask coefficients. From an end-to-end head (n, 6 + coefficients): x1, y1, x2, y2, score, class,
            mask coefficients, best first.
        prototypes: (coefficients, mask height, mask width).
        fit: how the image was fitted into the input.
        names: class names in class order.
        confidence: confidence threshold; detections score higher.
        iou: IoU threshold for non-maximum suppression; an end-to-end head has done it already.
        limit: maximum number of detections.

    Returns:
        Highest score first; a detection without any mask pixel is dropped.

    Raises:
        InspectorError: the network computed a non-finite number.
    """
    _refuse_not_finite(prediction, prototypes)
    if end_to_end:
        rows = prediction[prediction[:, 4] > confidence][:limit]
    else:
        rows = _candidates(prediction, len(names), confidence)
        rows = rows[suppress(rows[:, :4] + rows[:, 5:6] * np.float32(_CLASS_OFFSET), rows[:, 4], iou, limit)]
    boxes = _to_image(rows[:, :4], fit)
    found = []
    for row, box in zip(rows, boxes, strict=True):
        mask = _mask(row[6:], prototypes, box, fit)
        if mask is not None:
            x1, y1, x2, y2 = box.tolist()
            number = int(row[5])
            found.append(Detection(names[number], float(row[4]), (x1, y1, x2, y2), mask, number))
    return found


def _refuse_not_finite(*outputs: Floats) -> None:
    with np.errstate(all="ignore"):
        if all(isfinite(float(output.sum())) for output in outputs):  # finite numbers, unless the sum overflows
            return
    if not all(np.isfinite(output).all() for output in outputs):
        raise InspectorError(
            "The network computed values that are not numbers, so nothing is judged by it: its weights are "
            "damaged, or too large for a reduced precision; use another checkpoint, or the precision f32"
        )


def _candidates(prediction: Floats, classes: int, confidence: float) -> Floats:
    """(n, 6 + coefficients): x1, y1, x2, y2, score, class, coefficients of the anchors above ``confidence``."""
    scores = prediction[4 : 4 + classes]
    best = scores.max(axis=0)
    chosen = np.flatnonzero(best > confidence)
    columns = prediction[:, chosen]
    centre, half = columns[:2], columns[2:4] / 2
    label = scores[:, chosen].argmax(axis=0).astype(np.float32)
    parts = [centre - half, centre + half, best[None, chosen], label[None], columns[4 + classes :]]
    return np.concatenate(parts).T


def suppress(boxes: Floats, scores: Floats, iou: float, limit: int) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Args:
        boxes: (n, 4) x1, y1, x2, y2.
        scores: (n,).
        iou: a box whose IoU with a better one is higher is dropped.
        limit: maximum number of boxes.

    Returns:
        Indices of the kept boxes, highest score first.
    """
    order = np.argsort(-scores, kind="stable")[:_MOST_CANDIDATES]
    x1, y1, x2, y2 = boxes[order].T
    areas = (x2 - x1) * (y2 - y1)
    left = np.arange(len(order))
    kept: list[int] = []
    while left.size and len(kept) < limit:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        w = np.minimum(x2[first], x2[left]) - np.maximum(x1[first], x1[left])
        h = np.minimum(y2[first], y2[left]) - np.maximum(y1[first], y1[left])
        overlap = w.clip(0) * h.clip(0)
        union = areas[first] + areas[left] - overlap
        with np.errstate(divide="ignore", invalid="ignore"):
            left = left[~(overlap / union > iou)]
    return order[np.array(kept, np.intp)]


def _to_image(boxes: Floats, fit: Letterbox) -> Floats:
    """Convert boxes in input pixels to image pixels, clipped to the image."""
    moved = boxes - np.array([fit.left, fit.top] * 2, np.float32)
    gain = np.array([fit.inner_width / fit.width, fit.inner_height / fit.height] * 2, np.float32)
    return (moved / gain).clip(0, np.array([fit.width, fit.height] * 2, np.float32))


def _mask(coefficients: Floats, prototypes: Floats, box: Floats, fit: Letterbox) -> Mask | None:
    """The mask pixels of one detection inside its box, at the image's resolution; None if there are none.

    The prototypes' sum is enlarged bilinearly and positive values are the mask, as if the whole image's mask had been
    made and cut out; only what the box needs is computed. (Not by matrix products: on many small ones a threaded BLAS
    spends its time waiting.)
    """
    x1, y1, x2, y2 = (ceil(value) for value in box)  # a pixel is in the box if its top left corner is
    if x1 >= x2 or y1 >= y2:
        return None
    rows, columns = _axes(fit, *prototypes.shape[1:])
    used_rows, to_inner_rows, to_rows = rows.crop(y1, y2)
    used_columns, to_inner_columns, to_columns = columns.crop(x1, x2)
    values = np.einsum("c,chw->hw", coefficients, prototypes[:, used_rows, used_columns])
    values = to_inner_rows.sample(values)
    values = np.ascontiguousarray(to_columns.sample(to_inner_columns.sample(values.T)).T)
    pixels = np.empty((y2 - y1, x2 - x1), bool)
    step = max(1, _STRIP // (x2 - x1))
    for start in range(0, y2 - y1, step):
        strip = slice(start, start + step)
        np.greater(to_rows.part_of(strip).sample(values), 0, out=pixels[strip])
    down, across = _span(pixels, 1), _span(pixels, 0)
    if down.start == down.stop:
        return None
    return Mask(x1 + across.start, y1 + down.start, np.ascontiguousarray(pixels[down, across]))


def _span(pixels: NDArray[np.bool_], axis: int) -> slice:
    """The range from the first to the last row (``axis`` 1) or column (0) with a True in it; empty if there is none."""
    places = np.flatnonzero(pixels.any(axis=axis))
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)


@dataclass(frozen=True, eq=False)
class _Taps:
    """Sampling positions of linear interpolation: between ``lower`` and the next index, ``part`` of the way."""

    lower: NDArray[np.intp]
    part: Floats

    @classmethod
    def between(cls, size: int, length: int, step: float) -> _Taps:
        """``length`` positions ``step`` apart on an axis of ``size``, pixel centres at the halves."""
        position = ((np.arange(length, dtype=np.float32) + 0.5) * np.float32(step) - 0.5).clip(0, size - 1)
        lower = position.astype(np.intp)
        return cls(lower, (position - lower).astype(np.float32))

    def part_of(self, positions: slice, offset: int = 0) -> _Taps:
        return _Taps(self.lower[positions] - offset, self.part[positions])

    def sample(self, table: Floats) -> Floats:
        """Interpolate ``table`` (n, m) along its first axis."""
        low = table.take(self.lower, 0)
        high = table.take(self.lower + 1, 0, mode="clip")
        high -= low
        high *= self.part[:, None]
        high += low
        return high


@dataclass(frozen=True, eq=False)
class _Axis:
    """Mapping of one axis from the prototypes to the image: to the inner part without padding, and from there."""

    size: int  # of the prototypes
    to_inner: _Taps
    to_image: _Taps

    def crop(self, start: int, stop: int) -> tuple[slice, _Taps, _Taps]:
        """For ``start`` to ``stop`` of the image: the part of the prototypes read, and the taps relative to it."""
        inner = self._read(self.to_image, slice(start, stop), len(self.to_inner.lower))
        used = self._read(self.to_inner, inner, self.size)
        return used, self.to_inner.part_of(inner, used.start), self.to_image.part_of(slice(start, stop), inner.start)

    @staticmethod
    def _read(taps: _Taps, positions: slice, size: int) -> slice:
        return slice(int(taps.lower[positions.start]), min(int(taps.lower[positions.stop - 1]) + 2, size))


@lru_cache(maxsize=8)
def _axes(fit: Letterbox, mask_height: int, mask_width: int) -> tuple[_Axis, _Axis]:
    """The mappings of rows and of columns from prototypes of this size to the image.

    Where the padding ends between two prototype pixels they are first enlarged by 2 or 4, so that it ends between two
    whole ones, as ultralytics does.
    """
    gain = min(4 * mask_height / fit.height, 4 * mask_width / fit.width)
    padding = 4 * mask_height - max(round(fit.height * gain), 1) | 4 * mask_width - max(round(fit.width * gain), 1)
    factor = 4 // gcd(4, padding | padding // 2)
    gain = min(factor * mask_height / fit.height, factor * mask_width / fit.width)
    return _axis(fit.height, mask_height, factor, gain), _axis(fit.width, mask_width, factor, gain)


def _axis(length: int, size: int, factor: int, gain: float) -> _Axis:
    inner = max(round(length * gain), 1)
    start = round((factor * size - inner) / 2 - 0.1)
    enlarged = _Taps.between(size, factor * size, 1 / factor)
    return _Axis(size, enlarged.part_of(slice(start, start + inner)), _Taps.between(inner, length, inner / length))
