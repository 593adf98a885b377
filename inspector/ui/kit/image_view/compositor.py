"""Compose the pixels of the image view: the visible part of an image scaled to the window, with masks, boxes and labels
drawn at the window's resolution, so that the cost does not grow with the image. No Tk; may run on any thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from inspector.imaging.overlay import class_colour, paste, pixels_of, place_labels
from inspector.imaging.text import BLACK, WHITE, Colour, text_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Box, Detection, Image
    from inspector.imaging.overlay import Rectangle
    from inspector.ui.kit.image_view.viewport import Point, Size, Viewport

    Levels = tuple[NDArray[np.uint8], ...]

View = Literal["original", "result", "side_by_side"]
VIEWS: tuple[View, ...] = ("original", "result", "side_by_side")
SMALLEST_LEVEL = 256  # px, the longer side of the last level of a pyramid at most
SMALLEST_MASK = 4
INSIDE = 32  # of 255: coverage from which a mask colours a pixel; thin scratches stay visible when scaled down
SQUARES_FROM = 2.0  # zoom from which pixels are shown as squares
MOST_LABELS = 50
REACH = 4  # window pixels next to a mask that still count as pointing at it


@dataclass(frozen=True, eq=False)
class ImagePyramid:
    """An image and its detections, prepared to be shown at any zoom.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        detections: drawn over it.
        levels: the image, then each half the size of the one before.
        masks: levels of each detection's mask, (h, w) uint8 0 or 1; () without a mask.
        fine: whether levels are averages; otherwise every n-th pixel, which is instant but rough.
    """

    image: Image
    detections: tuple[Detection, ...]
    levels: Levels
    masks: tuple[Levels, ...]
    fine: bool

    @property
    def size(self) -> Size:
        """Width and height, px."""
        return int(self.image.shape[1]), int(self.image.shape[0])


@dataclass(frozen=True)
class RenderOptions:
    """Display options of an image.

    Attributes:
        opacity: of the mask tint, 0 to 1.
        masks, outline, boxes, labels: whether they are drawn; outlines are those of masks.
        hidden: class names that are not drawn.
        selected, hovered: indices of the detections to mark.
        background: (red, green, blue) around the image.
        line, text, gap: line width, label size and gap between panes, in window pixels.
    """

    view: View = "result"
    masks: bool = True
    outline: bool = True
    boxes: bool = True
    labels: bool = True
    opacity: float = 0.4
    hidden: frozenset[str] = frozenset()
    selected: int | None = None
    hovered: int | None = None
    background: Colour = (16, 18, 20)
    line: int = 2
    text: int = 13
    gap: int = 4


def prepare(image: Image, detections: Sequence[Detection] = ()) -> ImagePyramid:
    """Build the pyramid; takes about 4 ms for 12 megapixels, so prepare large images on a worker."""
    return ImagePyramid(
        image,
        tuple(detections),
        tuple(_halves(image)),
        tuple(
            () if d.mask is None or d.mask.pixels.size == 0 else tuple(_half_masks(d.mask.pixels)) for d in detections
        ),
        fine=True,
    )


def prepare_fast(image: Image, detections: Sequence[Detection] = ()) -> ImagePyramid:
    """Build a rough pyramid without computing, to be shown while :func:`prepare` runs."""

    def every_nth(array: NDArray[np.uint8], smallest: int) -> Levels:
        count = max(array.shape[:2]).bit_length() - smallest.bit_length() + 2
        return tuple(array[:: 2**level, :: 2**level] for level in range(max(1, count)))

    masks = (None if d.mask is None or d.mask.pixels.size == 0 else d.mask.pixels.view(np.uint8) for d in detections)
    return ImagePyramid(
        image,
        tuple(detections),
        every_nth(image, SMALLEST_LEVEL),
        tuple(() if mask is None else every_nth(mask, SMALLEST_MASK) for mask in masks),
        fine=False,
    )


def _halves(image: Image) -> Iterator[Image]:
    yield image
    while max(image.shape[:2]) > SMALLEST_LEVEL:
        image = _half(np.ascontiguousarray(image))
        yield image


def _half_masks(pixels: NDArray[np.bool_]) -> Iterator[NDArray[np.uint8]]:
    level = pixels.view(np.uint8)
    yield level
    while max(level.shape) > SMALLEST_MASK:
        level = (_half(level * np.uint8(255)) > INSIDE).view(np.uint8)
        yield level


def _half(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def panes(view: View, window: Size, gap: int) -> tuple[tuple[int, Size], ...]:
    """Left edge and size of each pane in the window; both panes of a side-by-side view have one size."""
    if view != "side_by_side":
        return ((0, window),)
    size = max(1, (window[0] - gap) // 2), window[1]
    return (0, size), (size[0] + gap, size)


def compose(pyramid: ImagePyramid, viewport: Viewport, options: RenderOptions, window: Size) -> Image:
    """Compose the pixels of the window.

    Args:
        viewport: the view of one pane, as :func:`panes` gives its size.
        window: width and height of the whole window in pixels.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    bare = _scaled(pyramid, viewport, options.background)
    shown = bare if options.view == "original" else _with_result(bare.copy(), pyramid, viewport, options)
    if options.view == "side_by_side":
        height, width = bare.shape[:2]
        between = np.full((height, max(0, window[0] - 2 * width), 3), options.background[::-1], np.uint8)
        shown = np.hstack([bare, between, shown])[:, : window[0]]
    return np.asarray(cv2.cvtColor(shown, cv2.COLOR_BGR2RGB), np.uint8)


def _scaled(pyramid: ImagePyramid, viewport: Viewport, background: Colour) -> Image:
    """Return the visible part in window pixels, BGR, on the background."""
    width, height = viewport.window
    whole = (0, 0, *pyramid.size)
    x1, y1, x2, y2 = (round(value) for value in _in_window(whole, viewport))
    left, top, right, bottom = pixels_of((x1, y1, x2, y2), width, height)
    part = _warped(pyramid.levels, whole, viewport, (left, top, right, bottom), viewport.zoom >= SQUARES_FROM)
    borders = (top, height - bottom, left, width - right)
    return np.asarray(cv2.copyMakeBorder(part, *borders, cv2.BORDER_CONSTANT, value=background[::-1]), np.uint8)


def _warped(
    levels: Levels,
    covered: Box,
    viewport: Viewport,
    target: Rectangle,
    squares: bool,
    beyond: int = cv2.BORDER_REPLICATE,
) -> NDArray[np.uint8]:
    """Return the part of a pyramid inside ``target``, in window pixels.

    Args:
        covered: box of the pyramid in image coordinates.
        target: window pixels; it may reach beyond the window.
        squares: nearest-neighbour instead of linear interpolation.
        beyond: OpenCV border mode outside the pyramid.
    """
    number = min(max(0, int(np.floor(-np.log2(viewport.zoom)))), len(levels) - 1)
    level = levels[number]
    matrix = np.zeros((2, 3))
    crop: list[slice] = []
    for axis in (0, 1):
        size = level.shape[1 - axis]
        per_pixel = size / (covered[axis + 2] - covered[axis])
        step = per_pixel / viewport.zoom
        # The level's coordinate of the target's first pixel; in both, whole numbers are the middles of pixels.
        start = ((target[axis] + 0.5 - viewport.origin[axis]) / viewport.zoom - covered[axis]) * per_pixel - 0.5
        end = start + step * (target[axis + 2] - target[axis] - 1)
        first = min(max(0, int(np.floor(start)) - 1), size - 1)
        last = max(first + 1, min(size, int(np.ceil(end)) + 2))
        crop.append(slice(first, last))
        matrix[axis, axis], matrix[axis, 2] = step, start - first
    source = np.ascontiguousarray(level[crop[1], crop[0]])
    if source.ndim == 2:
        source = source * np.uint8(255)
    mixing = cv2.INTER_NEAREST if squares else cv2.INTER_LINEAR
    size = (target[2] - target[0], target[3] - target[1])
    warped = cv2.warpAffine(source, matrix, size, flags=mixing | cv2.WARP_INVERSE_MAP, borderMode=beyond)
    return np.asarray(warped, np.uint8)


def _in_window(box: Sequence[float], viewport: Viewport) -> Box:
    """Convert a box from image to window coordinates."""
    return *viewport.to_window((box[0], box[1])), *viewport.to_window((box[2], box[3]))


def _with_result(image: Image, pyramid: ImagePyramid, viewport: Viewport, options: RenderOptions) -> Image:
    height, width = image.shape[:2]
    order = [n for n, d in enumerate(pyramid.detections) if d.label not in options.hidden]
    order.sort(key=lambda n: (n == options.selected, n == options.hovered))  # marked ones on top
    boxes: dict[int, Rectangle] = {}
    for number in order:
        detection, marked = pyramid.detections[number], number in (options.selected, options.hovered)
        extent = _in_window(_extent(detection), viewport)
        near = extent[0] < width and extent[1] < height and extent[2] > 0 and extent[3] > 0
        if near:
            boxes[number] = pixels_of(_in_window(detection.box, viewport), width, height)
            if pyramid.masks[number] and (options.masks or marked):
                _draw_mask(image, pyramid.masks[number], detection, viewport, options, marked)
    for number in boxes:
        detection = pyramid.detections[number]
        marked = number in (options.selected, options.hovered)
        if options.boxes or number == options.selected or (marked and detection.mask is None):
            _draw_box(
                image,
                _in_window(detection.box, viewport),
                class_colour(detection.class_id),
                options.line,
                number == options.selected,
                marked,
            )
    if options.labels and boxes:
        _draw_labels(image, pyramid.detections, boxes, options)
    return image


def _extent(detection: Detection) -> Box:
    """Return the box that contains mask and box, in image coordinates."""
    mask, box = detection.mask, detection.box
    if mask is None:
        return box
    height, width = mask.pixels.shape
    return min(mask.x, box[0]), min(mask.y, box[1]), max(mask.x + width, box[2]), max(mask.y + height, box[3])


def _draw_mask(
    image: Image, levels: Levels, detection: Detection, viewport: Viewport, options: RenderOptions, marked: bool
) -> None:
    assert detection.mask is not None
    x, y, (high, wide) = detection.mask.x, detection.mask.y, levels[0].shape
    # At least one pixel on the screen: a scratch never vanishes.
    more_x, more_y = (max(0.0, 1 / viewport.zoom - side) / 2 for side in (wide, high))
    covered = (x - more_x, y - more_y, x + wide + more_x, y + high + more_y)
    # A margin outside the window, so that the outline of a cropped mask is not drawn at the edge.
    margin = 4 * options.line
    left, top, right, bottom = (round(value) for value in _in_window(covered, viewport))
    left, top = max(left - 1, -margin), max(top - 1, -margin)
    right, bottom = min(right + 1, image.shape[1] + margin), min(bottom + 1, image.shape[0] + margin)
    if left >= right or top >= bottom:
        return
    squares = viewport.zoom >= 1
    coverage = _warped(levels, covered, viewport, (left, top, right, bottom), squares, cv2.BORDER_CONSTANT)
    inside = (coverage > INSIDE).view(np.uint8)
    colour = class_colour(detection.class_id)
    if options.masks and options.opacity > 0:
        x1, y1, x2, y2 = max(left, 0), max(top, 0), min(right, image.shape[1]), min(bottom, image.shape[0])
        if x1 < x2 and y1 < y2:
            region = image[y1:y2, x1:x2]
            tinted = cv2.LUT(region, _tints(colour, options.opacity))
            cv2.copyTo(tinted, inside[y1 - top : y2 - top, x1 - left : x2 - left], region)
    if options.outline or marked:
        contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
        if marked:
            cv2.drawContours(image, contours, -1, BLACK, 2 * options.line + 1)
        cv2.drawContours(image, contours, -1, WHITE if marked else colour, options.line)


@lru_cache(maxsize=64)
def _tints(colour: Colour, opacity: float) -> NDArray[np.uint8]:
    """Return the lookup table of tinted values for every channel, (1, 256, 3)."""
    values = np.arange(256)[:, None] * (1 - opacity) + np.array(colour) * opacity
    return np.rint(values).astype(np.uint8)[None]


def _draw_box(image: Image, box: Box, colour: Colour, line: int, selected: bool, marked: bool) -> None:
    """A box around its pixels; a double one where selected. Sides beyond the window stay beyond it."""
    far = 8 * line
    left, top, right, bottom = pixels_of(
        tuple(value + far for value in box), image.shape[1] + 2 * far, image.shape[0] + 2 * far
    )
    left, top, right, bottom = left - far, top - far, right - far, bottom - far

    def around(distance: int, ink: Colour, width: int) -> None:
        start, end = (left - distance, top - distance), (right - 1 + distance, bottom - 1 + distance)
        cv2.rectangle(image, start, end, ink, width)

    if selected:
        around(4 * line, BLACK, 2 * line + 1)
        around(4 * line, WHITE, line)
    elif marked:
        around(line, BLACK, 2 * line + 1)
    around(line, WHITE if marked and not selected else colour, line)


def _draw_labels(
    image: Image, detections: Sequence[Detection], boxes: dict[int, Rectangle], options: RenderOptions
) -> None:
    """Draw name and score next to each box; at most for the :data:`MOST_LABELS` highest scores."""
    height, width = image.shape[:2]

    def weight(number: int) -> tuple[bool, float]:
        return number in (options.selected, options.hovered), detections[number].score

    chosen = sorted(boxes, key=weight, reverse=True)[:MOST_LABELS]
    tiles = [
        text_tile(f"{d.label} {d.score:.2f}", options.text, class_colour(d.class_id), width)
        for d in (detections[number] for number in chosen)
    ]
    places = place_labels(
        [tile.shape[:2] for tile in tiles], [boxes[n] for n in chosen], (width, height), (0, 0), options.line
    )
    for tile, (left, top) in zip(tiles, places, strict=True):
        paste(image, tile, left, top)


def hit_test(
    detections: Sequence[Detection], point: Point, zoom: float, hidden: frozenset[str] = frozenset()
) -> int | None:
    """Return the index of the smallest detection at a point of the image: by its mask, or its box if it has none.

    If there is none, a detection within :data:`REACH` window pixels counts.
    """
    for reach in (0.0, REACH / zoom):
        hits = [
            (d.area if d.area is not None else (d.box[2] - d.box[0]) * (d.box[3] - d.box[1]), number)
            for number, d in enumerate(detections)
            if d.label not in hidden and _touches(d, point, reach)
        ]
        if hits:
            return min(hits)[1]
    return None


def _touches(detection: Detection, point: Point, reach: float) -> bool:
    x, y = point
    if detection.mask is None:
        left, top, right, bottom = detection.box
        return left - reach <= x < right + reach and top - reach <= y < bottom + reach
    mask = detection.mask
    left, right = int(np.floor(x - reach)) - mask.x, int(np.floor(x + reach)) + 1 - mask.x
    top, bottom = int(np.floor(y - reach)) - mask.y, int(np.floor(y + reach)) + 1 - mask.y
    if right <= 0 or bottom <= 0:
        return False
    return bool(mask.pixels[max(top, 0) : bottom, max(left, 0) : right].any())


def class_swatch(class_id: int) -> str:
    """Colour of a class as ``#rrggbb``, for a legend."""
    blue, green, red = class_colour(class_id)
    return f"#{red:02x}{green:02x}{blue:02x}"
