"""Viewport of an image in a window: zoom, pan and fit as plain arithmetic.

Image and window coordinates have their origin at the outer corner of the top left pixel: x to the right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.domain import Box

    Size = tuple[int, int]  # width, height
    Point = tuple[float, float]

STEP = 1.25
HIGHEST = 32.0
# Of the window's shorter side: minimum and maximum size of a centred defect.
SMALLEST_CENTRED, LARGEST_CENTRED = 0.15, 0.8


@dataclass(frozen=True)
class Viewport:
    """An immutable view of an image. The window's centre never leaves the image.

    Attributes:
        image_size: (width, height) in image pixels, each at least 1.
        window: (width, height) in window pixels, each at least 1.
        zoom: window pixels per image pixel.
        centre: image coordinates of the window's centre.
        fitted: shows the whole image as large as possible, also after the window is resized.
    """

    image_size: Size
    window: Size
    zoom: float = 1.0
    centre: Point = (0.0, 0.0)
    fitted: bool = True

    @cached_property
    def origin(self) -> Size:
        """Window coordinates of the image's origin: whole pixels, so that 100 % is sharp."""
        x, y = (round(side / 2 - at * self.zoom) for side, at in zip(self.window, self.centre, strict=True))
        return x, y

    @classmethod
    def fit(cls, image_size: Size, window: Size) -> Viewport:
        """Return a view of the whole image, as large as the window allows."""
        window = (max(1, window[0]), max(1, window[1]))
        return cls(image_size, window, fit_zoom(image_size, window), (image_size[0] / 2, image_size[1] / 2))

    def resized(self, window: Size) -> Viewport:
        """Return the view in a window of another size: fitted again if it was, else with the same centre."""
        if self.fitted:
            return Viewport.fit(self.image_size, window)
        return replace(self, window=(max(1, window[0]), max(1, window[1])))

    def zoomed(self, factor: float, at: Point | None = None) -> Viewport:
        """Zoom by ``factor``, keeping the window point ``at`` (default: its centre) in place.

        Zooming out ends with the whole image, or at 100 % if that is smaller; zooming in at 3200 %.
        """
        fit = fit_zoom(self.image_size, self.window)
        zoom = min(max(self.zoom * factor, min(fit, 1.0)), HIGHEST)
        if zoom <= fit:
            fitted = Viewport.fit(self.image_size, self.window)
            return fitted if zoom == fit else replace(fitted, zoom=zoom, fitted=False)
        x, y = at or (self.window[0] / 2, self.window[1] / 2)
        # Not by the rounded origin, whose error would grow with every further step.
        moved = 1 / self.zoom - 1 / zoom
        dx, dy = x - self.window[0] / 2, y - self.window[1] / 2
        return self._at(zoom, (self.centre[0] + dx * moved, self.centre[1] + dy * moved))

    def actual(self) -> Viewport:
        """Return the view at 100 %."""
        return self.zoomed(1 / self.zoom)

    def panned(self, dx: float, dy: float) -> Viewport:
        """Move the image by window pixels, to the right and down."""
        return self._at(self.zoom, (self.centre[0] - dx / self.zoom, self.centre[1] - dy / self.zoom))

    def centred(self, box: Box) -> Viewport:
        """``box`` at the window's centre; zoomed only if it would be too small to see or too large for the window."""
        left, top, right, bottom = box
        wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
        most = min(LARGEST_CENTRED * self.window[0] / wide, LARGEST_CENTRED * self.window[1] / high)
        least = SMALLEST_CENTRED * min(self.window) / max(wide, high)
        zoom = max(min(max(self.zoom, least), most, HIGHEST), min(fit_zoom(self.image_size, self.window), HIGHEST))
        return self._at(zoom, ((left + right) / 2, (top + bottom) / 2))

    def _at(self, zoom: float, centre: Point) -> Viewport:
        x, y = (min(max(place, 0.0), float(side)) for place, side in zip(centre, self.image_size, strict=True))
        return replace(self, zoom=zoom, centre=(x, y), fitted=False)

    def to_image(self, point: Point) -> Point:
        """Convert a window point to image coordinates, possibly outside the image."""
        x, y = ((at - start) / self.zoom for at, start in zip(point, self.origin, strict=True))
        return x, y

    def to_window(self, point: Point) -> Point:
        """Inverse of :meth:`to_image`."""
        x, y = (start + at * self.zoom for at, start in zip(point, self.origin, strict=True))
        return x, y


def fit_zoom(image_size: Size, window: Size) -> float:
    """Return the largest zoom that shows the whole image, at most 3200 %."""
    return min(window[0] / image_size[0], window[1] / image_size[1], HIGHEST)
