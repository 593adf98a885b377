"""Lookalikes that are not defects: oil, grease, fingerprints, dust, fibres, water marks, reflections and wiping."""

import cv2
import numpy as np

from inspector.datasets.synthetic.scene import Floats, Mask, Scene
from inspector.datasets.synthetic.steel import fractal_noise, smooth_noise


def soil(rng: np.random.Generator, scene: Scene) -> tuple[Floats, Mask]:
    """Add a random choice of dirt to the scene's image (H, W, 3); also return where it is thick (H, W)."""
    image = scene.image.copy()
    thick = np.zeros(image.shape[:2], np.bool_)
    if rng.random() < 0.3:
        _oil_film(rng, image)
    if rng.random() < 0.15:
        _fingerprint(rng, scene, image)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 7))):
            _oil_drop(rng, scene, image, thick)
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 4))):
            _grease(rng, scene, image, thick)
    if rng.random() < 0.5:
        _dust(rng, scene, image)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            _fibre(rng, scene, image, thick)
    if rng.random() < 0.2:
        for _ in range(int(rng.integers(1, 5))):
            _water_mark(rng, scene, image)
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            _reflection(rng, scene, image)
    if rng.random() < 0.12:
        _wiped(rng, scene, image)
    return image, thick


def _water_mark(rng: np.random.Generator, scene: Scene, image: Floats) -> None:
    """The faint rim left by a dried drop."""
    found = _spot(rng, scene, float(rng.uniform(8, 40)))
    if found is None:
        return
    window, x, y = found
    d = np.sqrt(x * x + y * y) + np.float32(0.06) * smooth_noise(rng, x.shape, max(4.0, x.shape[0] / 4))
    rim = np.exp(-(((d - 0.9) / 0.07) ** 2)) + 0.25 * np.clip((0.9 - d) * 8, 0, 1)
    image[window] *= (1 + np.float32(rng.choice([-1, 1]) * rng.uniform(0.04, 0.14)) * rim)[..., None]


def _reflection(rng: np.random.Generator, scene: Scene, image: Floats) -> None:
    """A bright soft patch or bar mirrored by polished steel."""
    found = _spot(rng, scene, float(rng.uniform(6, 60)))
    if found is None:
        return
    window, x, y = found
    angle, thin = float(rng.uniform(0, np.pi)), float(rng.uniform(1, 7))
    u, v = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) * thin
    glow = np.exp(-(((u * u + v * v) / np.float32(rng.uniform(0.15, 0.5))) ** float(rng.uniform(0.8, 2.5))))
    image[window] += np.float32(rng.uniform(0.1, 0.5)) * np.asarray(glow, np.float32)[..., None]


def _wiped(rng: np.random.Generator, scene: Scene, image: Floats) -> None:
    """Broad streaks left by a cloth."""
    size = image.shape[0]
    steps = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    angle = float(rng.uniform(0, np.pi))
    across = (y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))) / np.float32(scene.scale)
    profile = smooth_noise(rng, (1, 2048), float(rng.uniform(6, 20)))[0]
    lines = profile[np.clip(across + 1024, 0, 2047).astype(np.int32)]
    where = np.clip(smooth_noise(rng, (size, size), size / 2.5), 0, 1)
    image *= (1 + np.float32(rng.uniform(0.02, 0.06)) * lines * where)[..., None]


def _oil_film(rng: np.random.Generator, image: Floats) -> None:
    """A thin film: slow darkening with a faint warm or rainbow tint."""
    shape = image.shape[:2]
    film = np.clip(smooth_noise(rng, shape, shape[0] / 3) * 0.5 + 0.3, 0, 1)
    tint = np.array([0.78, 0.9, 0.95], np.float32) + rng.uniform(-0.05, 0.05, 3).astype(np.float32)
    image *= 1 - film[..., None] * (1 - tint) * np.float32(rng.uniform(0.4, 1.0))


def _spot(rng: np.random.Generator, scene: Scene, radius: float) -> tuple[tuple[slice, slice], Floats, Floats] | None:
    """A window around a random point and its offsets from there in units of `radius` (nominal pixels)."""
    size = scene.image.shape[0]
    half = int(radius * scene.scale * 1.8) + 2
    cx, cy = (float(v) for v in rng.uniform(0, size, 2))
    rows = slice(max(0, int(cy) - half), min(size, int(cy) + half))
    cols = slice(max(0, int(cx) - half), min(size, int(cx) + half))
    if rows.stop - rows.start < 4 or cols.stop - cols.start < 4:
        return None
    unit = np.float32(radius * scene.scale)
    x = (np.arange(cols.start, cols.stop, dtype=np.float32) - np.float32(cx)) / unit
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(cy)) / unit
    across, down = np.meshgrid(x, y)
    return (rows, cols), across, down


def _oil_drop(rng: np.random.Generator, scene: Scene, image: Floats, thick: Mask) -> None:
    """A round clear drop: slightly darker and amber, with a dark rim, a glint and a light far side."""
    radius = float(rng.uniform(7, 24))
    squash, angle = float(rng.uniform(0.75, 1.0)), float(rng.uniform(0, np.pi))
    found = _spot(rng, scene, radius)
    if found is None:
        return
    window, x, y = found
    u, v = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / squash
    d = np.sqrt(u * u + v * v)
    unit = np.float32(radius * scene.scale)
    alpha = np.clip((1 - d) * unit / 1.5 + 0.5, 0, 1)
    tint = np.array([0.62, 0.78, 0.86], np.float32) * np.float32(rng.uniform(0.9, 1.1))
    facing = x * np.float32(scene.light[0]) + y * np.float32(scene.light[1])
    rim = np.clip(1 - np.abs(d - 0.93) / 0.1, 0, 1)
    glint = np.exp(-(((x - scene.light[0] * 0.45) ** 2 + (y - scene.light[1] * 0.45) ** 2) / 0.02))
    drop = image[window] * tint * (1 - 0.16 * rim - 0.18 * facing * alpha)[..., None] + 0.9 * glint[..., None]
    image[window] += (drop - image[window]) * alpha[..., None]
    thick[window] |= alpha > 0.2


def _grease(rng: np.random.Generator, scene: Scene, image: Floats, thick: Mask) -> None:
    """A soft translucent lump, whitish or amber."""
    radius = float(rng.uniform(12, 34))
    found = _spot(rng, scene, radius)
    if found is None:
        return
    window, x, y = found
    noise = smooth_noise(rng, x.shape, radius * scene.scale)
    alpha = np.clip((1.1 - np.sqrt(x * x + y * y) + 0.25 * noise) * 3, 0, 1) * np.float32(rng.uniform(0.45, 0.75))
    hue = ((0.66, 0.78, 0.82), (0.35, 0.6, 0.75), (0.7, 0.72, 0.7))[int(rng.integers(3))]
    lump = np.array(hue, np.float32) * (0.85 + 0.12 * noise)[..., None]
    image[window] += (lump - image[window]) * alpha[..., None]
    thick[window] |= alpha > 0.1


def _fingerprint(rng: np.random.Generator, scene: Scene, image: Floats) -> None:
    """Faint ridges in an oval, on everything."""
    radius = float(rng.uniform(35, 60))
    found = _spot(rng, scene, radius)
    if found is None:
        return
    window, x, y = found
    swirl = np.sqrt((x + 0.4) ** 2 + (y * 0.8) ** 2) + 0.08 * smooth_noise(rng, x.shape, radius * scene.scale)
    ridges = 0.5 + 0.5 * np.sin(swirl * np.float32(radius * 1.05))
    worn = np.clip(0.6 + 0.6 * fractal_noise(rng, x.shape, radius * scene.scale * 0.5), 0, 1)
    oval = np.clip((1 - np.sqrt((x / 0.8) ** 2 + y * y)) * 3, 0, 1)
    image[window] *= (1 - np.float32(rng.uniform(0.06, 0.13)) * oval * worn * ridges)[..., None]


def _dust(rng: np.random.Generator, scene: Scene, image: Floats) -> None:
    """Tiny soft light specks."""
    size = image.shape[0]
    layer = np.zeros((size, size), np.uint8)
    for x, y in rng.integers(0, size, (int(rng.integers(10, 70)), 2)):
        radius = max(1, round(float(rng.uniform(0.5, 1.3)) * scene.scale))
        cv2.circle(layer, (int(x), int(y)), radius, int(rng.integers(80, 220)), -1, cv2.LINE_AA)
    alpha = np.asarray(layer, np.float32)[..., None] / np.float32(255)
    image += (np.array([0.78, 0.8, 0.82], np.float32) - image) * alpha


def _fibre(rng: np.random.Generator, scene: Scene, image: Floats, thick: Mask) -> None:
    """A thin curled thread of cloth in a colour of its own."""
    size = image.shape[0]
    count = int(rng.integers(30, 70))
    heading = float(rng.uniform(0, 2 * np.pi)) + np.cumsum(rng.normal(0.04, 0.14, count))
    step = np.stack([np.cos(heading), np.sin(heading)], 1) * 2.0 * scene.scale
    points = rng.uniform(0, size, 2) + np.cumsum(step, 0)
    layer = np.zeros((size, size), np.uint8)
    at = np.round(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(layer, [at], False, 255, 1, cv2.LINE_AA, 4)
    hue = ((0.8, 0.82, 0.84), (0.7, 0.42, 0.22), (0.3, 0.3, 0.72), (0.45, 0.45, 0.45))[int(rng.integers(4))]
    alpha = np.asarray(layer, np.float32)[..., None] / np.float32(255) * np.float32(0.85)
    image += (np.array(hue, np.float32) - image) * alpha
    thick |= layer > 40
