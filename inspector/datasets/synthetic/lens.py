"""Turn a rendered scene into a photograph: exposure, colour of the light, vignette, focus, motion, sensor noise."""

import cv2
import numpy as np
import numpy.typing as npt

from inspector.datasets.synthetic.scene import Floats
from inspector.datasets.synthetic.steel import smooth_noise


def photograph(rng: np.random.Generator, image: Floats, scale: float) -> npt.NDArray[np.uint8]:
    """Photograph `image` (H, W, 3) float32: (H, W, 3) uint8 BGR."""
    photo = expose(rng, image, scale)
    if rng.random() < 0.25:  # a defocused or a cheap lens
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.7, 1.5)) * scale), np.float32)
    if rng.random() < 0.35:  # another tone curve and black level
        low = np.float32(rng.uniform(-0.04, 0.08))
        photo = np.maximum(photo, 0) ** np.float32(rng.uniform(0.7, 1.45)) * np.float32(rng.uniform(0.75, 1.15)) + low
    noise = float(rng.uniform(0.004, 0.022)) if rng.random() < 0.85 else float(rng.uniform(0.022, 0.05))
    taken = develop(rng, photo, noise)
    if rng.random() < 0.35:  # a grey camera
        grey = np.asarray(cv2.cvtColor(taken, cv2.COLOR_BGR2GRAY), np.uint8)
        taken = np.repeat(grey[..., None], 3, axis=2)
        if rng.random() < 0.3:  # few of its 16 bits used, then stretched
            step = int(rng.integers(2, 7))
            taken = taken // step * step
    return np.asarray(taken, np.uint8)


def expose(rng: np.random.Generator, image: Floats, scale: float) -> Floats:
    """The light on the sensor, without its noise; (H, W, 3) float32."""
    size = image.shape[0]
    steps = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    exposure = float(rng.uniform(0.88, 1.3))
    angle, fall = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0, 0.14))
    light = 1 - np.float32(rng.uniform(0, 0.16)) * (x * x + y * y)
    light += np.float32(fall * np.cos(angle)) * x + np.float32(fall * np.sin(angle)) * y
    warm, green = float(rng.normal(0, 0.05)), float(rng.normal(0, 0.02))
    tint = np.array([1 - warm, 1 + green, 1 + warm], np.float32) * np.float32(exposure)
    photo = image * light[..., None] * tint
    photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.45, 0.85)) * scale), np.float32)
    if rng.random() < 0.3:
        photo = _shallow_focus(rng, photo, x, y, scale)
    if rng.random() < 0.15:
        photo = _shake(rng, photo, scale)
    if rng.random() < 0.5:
        glow = cv2.GaussianBlur(np.clip(photo - 0.85, 0, 1), (0, 0), 9 * scale)
        photo = photo + np.asarray(glow, np.float32) * np.float32(0.5)
    return photo


def develop(rng: np.random.Generator, photo: Floats, noise: float) -> npt.NDArray[np.uint8]:
    """Soft shoulder, sensor noise of deviation `noise`, and 8 bits."""
    bent = np.where(photo > 0.8, 0.8 + 0.2 * np.tanh((photo - 0.8) / 0.25), photo)
    shared = rng.standard_normal(photo.shape[:2], dtype=np.float32)
    coloured = rng.standard_normal(photo.shape, dtype=np.float32)
    bent = bent + np.float32(noise) * (shared[..., None] * np.float32(0.8) + coloured * np.float32(0.5))
    return np.asarray(np.clip(bent * 255 + 0.5, 0, 255), np.uint8)


def _shallow_focus(rng: np.random.Generator, photo: Floats, x: Floats, y: Floats, scale: float) -> Floats:
    """Blur that grows on one side of the image."""
    angle = float(rng.uniform(0, 2 * np.pi))
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    share = np.clip(along - np.float32(rng.uniform(-0.1, 0.4)), 0, 1)[..., None]
    soft = np.asarray(cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(1.2, 2.2)) * scale), np.float32)
    return photo + (soft - photo) * share


def _shake(rng: np.random.Generator, photo: Floats, scale: float) -> Floats:
    """A short motion blur."""
    length, angle = float(rng.uniform(2, 4)) * scale, float(rng.uniform(0, np.pi))
    kernel = np.zeros((9, 9), np.float32)
    for step in np.linspace(-0.5, 0.5, 9):
        col, row = 4 + length * step * np.cos(angle), 4 + length * step * np.sin(angle)
        kernel[int(np.clip(round(row), 0, 8)), int(np.clip(round(col), 0, 8))] += 1
    return np.asarray(cv2.filter2D(photo, -1, kernel / kernel.sum()), np.float32)


def flicker(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Slow unevenness of lamp light between two frames, about 1; (H, W)."""
    return 1 + np.float32(0.006) * smooth_noise(rng, shape, shape[0])
