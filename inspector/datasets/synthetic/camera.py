"""A pinhole camera over a bearing whose face is in the plane z = 0 (outer radius 1)."""

from dataclasses import dataclass

import cv2
import numpy as np

from inspector.datasets.synthetic.scene import Floats


@dataclass(frozen=True)
class Camera:
    """zoom: pixels per unit, as a share of the image; centre: point looked at (units);
    tilt, azimuth: radians; distance: units."""

    zoom: float
    centre: tuple[float, float]
    tilt: float
    azimuth: float
    distance: float


@dataclass(frozen=True)
class Rays:
    """Points where each pixel's ray meets the top (z = 0) and bottom (z = -width) plane; each (H, W) in units."""

    top_x: Floats
    top_y: Floats
    bottom_x: Floats
    bottom_y: Floats
    pixels_per_unit: float

    def at(self, share: float) -> tuple[Floats, Floats]:
        """x and y at `share` of the way from the top plane to the bottom plane."""
        s = np.float32(share)
        return self.top_x + s * (self.bottom_x - self.top_x), self.top_y + s * (self.bottom_y - self.top_y)


def draw_camera(rng: np.random.Generator, bore: float) -> Camera:
    """Draw a whole view (often), an off-centre view, or a close-up on an arc of the rings."""
    tilt = float(abs(rng.normal(0, 0.2)) if rng.random() < 0.75 else rng.uniform(0.3, 0.62))
    azimuth, distance = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(4.0, 10.0))
    style = rng.random()
    if style < 0.32:
        zoom = float(rng.uniform(0.4, 0.49))
        centre = rng.normal(0, 0.06, 2)
    elif style < 0.62:
        zoom = float(rng.uniform(0.5, 0.78))
        centre = rng.normal(0, 0.3, 2)
    else:
        zoom = float(rng.uniform(0.8, 1.5))
        angle, reach = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(bore, 0.95))
        centre = np.array([np.cos(angle), np.sin(angle)]) * reach
    return Camera(zoom, (float(centre[0]), float(centre[1])), min(tilt, 0.62), azimuth, distance)


def cast_rays(camera: Camera, size: int, width: float) -> Rays:
    """Cast the rays of a `size` x `size` image through a part of thickness `width` units."""
    axis = np.array([-np.sin(camera.azimuth), np.cos(camera.azimuth), 0.0]) * camera.tilt
    turn = np.asarray(cv2.Rodrigues(axis)[0])
    right, down, ahead = turn @ np.array([1.0, 0, 0]), turn @ np.array([0, 1.0, 0]), turn @ np.array([0, 0, -1.0])
    eye = np.array([camera.centre[0], camera.centre[1], 0.0]) - ahead * camera.distance
    pixels_per_unit = camera.zoom * size
    steps = ((np.arange(size) + 0.5 - size / 2) / pixels_per_unit).astype(np.float32)
    across, along = np.meshgrid(steps, steps)
    ray = [
        np.float32(ahead[i] * camera.distance) + np.float32(right[i]) * across + np.float32(down[i]) * along
        for i in range(3)
    ]
    top, bottom = np.float32(-eye[2]) / ray[2], np.float32(-width - eye[2]) / ray[2]
    meets = [np.asarray(np.float32(eye[i]) + reach * ray[i], np.float32) for reach in (top, bottom) for i in (0, 1)]
    return Rays(meets[0], meets[1], meets[2], meets[3], pixels_per_unit)
