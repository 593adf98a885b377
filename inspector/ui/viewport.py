"""Which part of a picture a window shows, and how large: zoom, pan and fit as plain arithmetic.

Picture and window coordinates have their origin at the outer corner of the top left pixel: x to the right, y down.
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
# Of the window's shorter side: a defect that is centred is brought to this size at least and at most.
SMALLEST_CENTRED, LARGEST_CENTRED = 0.15, 0.8


@dataclass(frozen=True)
class Viewport:
    """A view of a picture; every change gives a new one. The window's centre never leaves the picture.

    Attributes:
        picture: (width, height) in picture pixels, each at least 1.
        window: (width, height) in window pixels, each at least 1.
        zoom: window pixels per picture pixel.
        centre: the place in the picture at the window's centre.
        fitted: shows the whole picture, as large as it goes, and does so when the window's size changes.
    """

    picture: Size
    window: Size
    zoom: float = 1.0
    centre: Point = (0.0, 0.0)
    fitted: bool = True

    @cached_property
    def origin(self) -> Size:
        """Where in the window the picture begins: whole pixels, so that 100 % is sharp."""
        x, y = (round(side / 2 - at * self.zoom) for side, at in zip(self.window, self.centre, strict=True))
        return x, y

    @classmethod
    def fit(cls, picture: Size, window: Size) -> Viewport:
        """The whole picture, as large as the window allows."""
        window = (max(1, window[0]), max(1, window[1]))
        return cls(picture, window, fit_zoom(picture, window), (picture[0] / 2, picture[1] / 2))

    def resized(self, window: Size) -> Viewport:
        """In a window of another size: a fitted picture is fitted again, else the same place stays at the centre."""
        if self.fitted:
            return Viewport.fit(self.picture, window)
        return replace(self, window=(max(1, window[0]), max(1, window[1])))

    def zoomed(self, factor: float, at: Point | None = None) -> Viewport:
        """Larger by ``factor``; what lies at the window's point ``at`` (its centre without one) stays there.

        Zooming out ends with the whole picture, or at 100 % where that is smaller; zooming in at 3200 %.
        """
        fit = fit_zoom(self.picture, self.window)
        zoom = min(max(self.zoom * factor, min(fit, 1.0)), HIGHEST)
        if zoom <= fit:
            fitted = Viewport.fit(self.picture, self.window)
            return fitted if zoom == fit else replace(fitted, zoom=zoom, fitted=False)
        x, y = at or (self.window[0] / 2, self.window[1] / 2)
        # Not by the rounded origin, whose error would grow with every further step.
        moved = 1 / self.zoom - 1 / zoom
        dx, dy = x - self.window[0] / 2, y - self.window[1] / 2
        return self._at(zoom, (self.centre[0] + dx * moved, self.centre[1] + dy * moved))

    def actual(self) -> Viewport:
        """One window pixel a picture pixel."""
        return self.zoomed(1 / self.zoom)

    def panned(self, dx: float, dy: float) -> Viewport:
        """The picture moved by window pixels: to the right and down."""
        return self._at(self.zoom, (self.centre[0] - dx / self.zoom, self.centre[1] - dy / self.zoom))

    def centred(self, box: Box) -> Viewport:
        """``box`` at the window's centre; zoomed only if it would be too small to see or too large for the window."""
        left, top, right, bottom = box
        wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
        most = min(LARGEST_CENTRED * self.window[0] / wide, LARGEST_CENTRED * self.window[1] / high)
        least = SMALLEST_CENTRED * min(self.window) / max(wide, high)
        zoom = max(min(max(self.zoom, least), most, HIGHEST), min(fit_zoom(self.picture, self.window), HIGHEST))
        return self._at(zoom, ((left + right) / 2, (top + bottom) / 2))

    def _at(self, zoom: float, centre: Point) -> Viewport:
        x, y = (min(max(place, 0.0), float(side)) for place, side in zip(centre, self.picture, strict=True))
        return replace(self, zoom=zoom, centre=(x, y), fitted=False)

    def to_picture(self, point: Point) -> Point:
        """Where in the picture a point of the window lies; it may lie outside."""
        x, y = ((at - start) / self.zoom for at, start in zip(point, self.origin, strict=True))
        return x, y

    def to_window(self, point: Point) -> Point:
        """Inverse of :meth:`to_picture`."""
        x, y = (start + at * self.zoom for at, start in zip(point, self.origin, strict=True))
        return x, y


def fit_zoom(picture: Size, window: Size) -> float:
    """The largest zoom at which the whole picture is seen, 3200 % at most."""
    return min(window[0] / picture[0], window[1] / picture[1], HIGHEST)
