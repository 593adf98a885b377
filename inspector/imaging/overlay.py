"""Draw detections into an image: tinted masks, contours, boxes, labels and the verdict's badge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import cv2
import numpy as np

from inspector.imaging.text import Colour, ink_on, text_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Detection, Image, Mask, Status, Verdict

    Rectangle = tuple[int, int, int, int]  # left, top, right, bottom; the last two exclusive

_CAPTION: Colour = (64, 64, 64)
# Colours of Okabe and Ito, distinguishable with any colour vision (BGR); the most striking on steel first.
PALETTE: tuple[Colour, ...] = (
    (0, 94, 213),  # vermilion
    (233, 180, 86),  # sky blue
    (66, 228, 240),  # yellow
    (115, 158, 0),  # bluish green
    (167, 121, 204),  # reddish purple
    (0, 159, 230),  # orange
    (178, 114, 0),  # blue
)
BADGES: dict[Status, Colour] = {"OK": (80, 130, 0), "WARN": (0, 170, 245), "NG": (35, 20, 200)}


def class_colour(class_id: int) -> Colour:
    """BGR colour of a class; repeats after seven classes."""
    return PALETTE[class_id % len(PALETTE)]


def draw_inspection(
    image: Image,
    detections: Sequence[Detection],
    verdict: Verdict | None = None,
    *,
    opacity: float = 0.4,
    labels: bool = True,
    caption: str = "",
) -> Image:
    """Draw into ``image`` and return it. Lines and text scale with the image.

    Args:
        image: (H, W, 3) uint8 BGR, contiguous and writeable.
        detections: drawn in order; boxes and masks may extend beyond the image.
        verdict: draws a badge with a symbol and a word at the top left.
        opacity: of the masks' tint, 0 to 1.
        labels: class name and score at each box.
        caption: a line at the bottom left, e.g. the recipe.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.flags.carray:
        raise ValueError(
            f"image must be (H, W, 3) uint8, contiguous and writeable, not {image.shape} {image.dtype}, "
            f"contiguous {image.flags.c_contiguous}, writeable {image.flags.writeable}"
        )
    height, width = image.shape[:2]
    size = min(max(10, round((height + width) / 100)), max(8, height // 3))
    line = max(1, round(size / 10))
    for detection in detections:
        if detection.mask is not None:
            _draw_mask(image, detection.mask, class_colour(detection.class_id), opacity, max(1, line // 2))
    boxes = [pixels_of(detection.box, width, height) for detection in detections]
    for detection, (left, top, right, bottom) in zip(detections, boxes, strict=True):
        corners = (
            (max(left - line, 0), max(top - line, 0)),
            (min(right - 1 + line, width - 1), min(bottom - 1 + line, height - 1)),
        )
        cv2.rectangle(image, *corners, class_colour(detection.class_id), line)
    badge = None if verdict is None else _badge(verdict.status, round(size * 1.4))
    if labels:
        tiles = [text_tile(f"{d.label} {d.score:.2f}", size, class_colour(d.class_id), width) for d in detections]
        reserved = (0, 0) if badge is None else (badge.shape[1], badge.shape[0])
        places = place_labels([tile.shape[:2] for tile in tiles], boxes, (width, height), reserved, line)
        for tile, (left, top) in zip(tiles, places, strict=True):
            paste(image, tile, left, top)
    if badge is not None:
        paste(image, badge, 0, 0)
    if caption:
        tile = text_tile(caption, size, _CAPTION, width)
        paste(image, tile, 0, max(0, height - tile.shape[0]))
    return image


def _draw_mask(image: Image, mask: Mask, colour: Colour, opacity: float, line: int) -> None:
    height, width = image.shape[:2]
    left, top = max(mask.x, 0), max(mask.y, 0)
    right, bottom = min(mask.x + mask.pixels.shape[1], width), min(mask.y + mask.pixels.shape[0], height)
    if left >= right or top >= bottom:
        return
    pixels = mask.pixels[top - mask.y : bottom - mask.y, left - mask.x : right - mask.x].view(np.uint8)
    region = image[top:bottom, left:right]
    tinted = np.empty_like(region)
    cv2.rectangle(tinted, (0, 0), (right - left, bottom - top), colour, cv2.FILLED)
    cv2.addWeighted(region, 1 - opacity, tinted, opacity, 0, dst=tinted)
    cv2.copyTo(tinted, pixels, region)
    contours, _ = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    cv2.drawContours(image, contours, -1, colour, line)


def pixels_of(box: Sequence[float], width: int, height: int) -> Rectangle:
    """The pixels that a box touches within the image, at least one."""
    # max() and min() in this order also map infinities and NaN into the image.
    x1, x2 = (min(max(0.0, x), width) for x in (box[0], box[2]))
    y1, y2 = (min(max(0.0, y), height) for y in (box[1], box[3]))
    left, top = min(int(x1), width - 1), min(int(y1), height - 1)
    return left, top, max(ceil(x2), left + 1), max(ceil(y2), top + 1)


def place_labels(
    sizes: Sequence[tuple[int, ...]],
    boxes: Sequence[Rectangle],
    image: tuple[int, int],
    reserved: tuple[int, int],
    line: int,
) -> list[tuple[int, int]]:
    """Place the labels: top left corners, each at its box, within the image, hiding as little as possible.

    Args:
        sizes: (height, width) of each label.
        image: width and height.
        reserved: width and height of the corner that the badge occupies.
    """
    if not boxes:
        return []
    wide_high = np.array([size[1::-1] for size in sizes])
    width, height = wide_high.T
    left, top, right, bottom = edges = np.array(boxes, np.int64).T
    wanted = (
        (left - line, top - line - height),  # above the box
        (left - line, bottom + line),  # below
        (right + line - width, top - line - height),
        (right + line - width, bottom + line),
        (right + line, top),  # beside
        (left - line - width, top),
        (left, top),  # in it
        (left, bottom - height),
    )
    near = np.array(wanted).transpose(2, 0, 1)  # label, place, x and y
    near = near.clip(0, np.maximum(np.array(image) - wide_high, 0)[:, None])
    places = np.concatenate([near, near + wide_high[:, None]], 2)
    # Labels should not hide boxes and, with four times the weight, the badge and the labels placed before.
    cost = _common(places, edges.T).sum(2) + 4 * _common(places, np.array([(0, 0, *reserved)]))[..., 0]
    taken = np.empty((len(boxes), 4), np.int64)
    for number, choice in enumerate(places):
        hidden = _common(choice, taken[:number]).sum(1)
        taken[number] = choice[np.argmin(cost[number] + 4 * hidden)]
    return [(x, y) for x, y, _, _ in taken.tolist()]


def _common(positions: NDArray[np.int64], rectangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """(…, n): number of pixels that places (…, 4) and rectangles (n, 4) share; both left, top, right, bottom."""
    ends = np.minimum(positions[..., None, 2:], rectangles[:, 2:])
    sides = np.maximum(ends - np.maximum(positions[..., None, :2], rectangles[:, :2]), 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def paste(image: Image, tile: Image, left: int, top: int) -> None:
    """Paste ``tile`` into ``image``, cropped at the right and the bottom."""
    region = image[top : top + tile.shape[0], left : left + tile.shape[1]]
    region[:] = tile[: region.shape[0], : region.shape[1]]


@lru_cache(maxsize=64)
def _badge(status: Status, size: int) -> Image:
    """Symbol and word; a check mark, a warning triangle or a cross, so that it does not rely on colour."""
    colour = BADGES[status]
    word = text_tile(status, size, colour, 10_000)
    side = word.shape[0]
    big = 8  # drawn large and scaled down for smooth edges
    sign = np.full((side * big, side * big, 3), colour, np.uint8)
    ink, thick = ink_on(colour), max(2, side * big // 9)

    def stroke(*points: tuple[float, float]) -> None:
        spots = (np.array(points) * side * big).astype(np.int32)
        cv2.polylines(sign, [spots], False, ink, thick)

    if status == "OK":
        stroke((0.25, 0.52), (0.43, 0.70), (0.78, 0.30))
    elif status == "WARN":
        stroke((0.52, 0.2), (0.86, 0.8), (0.18, 0.8), (0.52, 0.2))
        stroke((0.52, 0.42), (0.52, 0.58))
        stroke((0.52, 0.69), (0.52, 0.69))
    else:
        stroke((0.28, 0.28), (0.74, 0.74))
        stroke((0.74, 0.28), (0.28, 0.74))
    return np.hstack([cv2.resize(sign, (side, side), interpolation=cv2.INTER_AREA), word])
