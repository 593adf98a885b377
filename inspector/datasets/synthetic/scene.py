"""The scene that a renderer passes to the painters: the image so far, the steel surfaces and their coordinates."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

FIRST_ELEMENT = 100  # regions from here on are single balls or rollers


@dataclass(frozen=True)
class Scene:
    """A rendered part before defects, dirt and camera.

    image: (H, W, 3) float32 BGR, about 0..1.
    region: (H, W) int32; 0 = not bare steel, otherwise the number of one steel surface.
    theta, radius: (H, W) polar coordinates on the surface, radians and pixels.
    light: direction (x, y) towards the main lamp in the image, unit length.
    scale: pixels per nominal pixel of a 640 image.
    """

    image: Floats
    region: npt.NDArray[np.int32]
    theta: Floats
    radius: Floats
    light: tuple[float, float]
    scale: float


def cover(inside: Floats) -> Floats:
    """Coverage 0..1 of a pixel from its signed distance to an edge in pixels (positive inside)."""
    return np.asarray(np.clip(inside + np.float32(0.5), 0, 1), np.float32)


def polar(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Distance from the axis, and the cosine and sine of the angle around it."""
    r = np.asarray(np.sqrt(x * x + y * y), np.float32) + np.float32(1e-6)
    return r, np.asarray(x / r, np.float32), np.asarray(y / r, np.float32)


def blend(below: Floats, above: Floats, alpha: Floats) -> Floats:
    """`above` over `below`; alpha (...,) against colours (..., 3)."""
    return below + (above - below) * alpha[..., None]
