"""Backgrounds under the part: matte paint, dark bench, cloth, wood, conveyor belt."""

import cv2
import numpy as np

from inspector.datasets.synthetic.scene import Floats
from inspector.datasets.synthetic.steel import brushed_grain, smooth_noise


def draw_backdrop(rng: np.random.Generator, size: int) -> Floats:
    """Draw a background image (size, size, 3), float32 BGR 0..1."""
    makers = (_matte, _matte, _cloth, _wood, _conveyor)
    tone, tint = makers[int(rng.integers(len(makers)))](rng, size)
    slow = smooth_noise(rng, (size, size), size / 2) * np.float32(0.06)
    image = (tone * (1 + slow))[..., None] * tint
    return np.asarray(np.clip(image, 0, 1), np.float32)


def _tint(rng: np.random.Generator, spread: float) -> Floats:
    return (1 + rng.uniform(-spread, spread, 3)).astype(np.float32)


def _matte(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    level = float(rng.choice([rng.uniform(0.04, 0.15), rng.uniform(0.25, 0.55), rng.uniform(0.7, 0.9)]))
    grain = smooth_noise(rng, (size, size), 1.6) * np.float32(0.015)
    return np.float32(level) + grain, _tint(rng, 0.12)


def _cloth(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    steps = np.arange(size, dtype=np.float32)
    pitch = float(rng.uniform(4, 8)) * size / 640
    weave = np.sin(steps * np.float32(2 * np.pi / pitch))
    tone = np.float32(rng.uniform(0.2, 0.55)) * (1 + 0.12 * weave[:, None] * weave[None, :])
    folds = smooth_noise(rng, (size, size), size / 5) * np.float32(0.07)
    return np.asarray(tone * (1 + folds) + smooth_noise(rng, (size, size), 2) * 0.02, np.float32), _tint(rng, 0.3)


def _wood(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    grain = brushed_grain(rng, size, 512)
    grain = np.asarray(cv2.resize(grain[:, :256], (size, size)), np.float32)
    rows = np.arange(size, dtype=np.float32)[:, None] + smooth_noise(rng, (size, size), size / 3) * 12
    rings = np.sin(rows * np.float32(2 * np.pi / (size * rng.uniform(0.05, 0.12))))
    tone = np.float32(rng.uniform(0.4, 0.62)) * (1 + 0.1 * rings + 0.05 * grain)
    if rng.random() < 0.5:
        tone = np.ascontiguousarray(tone.T)
    return np.asarray(tone, np.float32), np.array([0.58, 0.8, 1.0], np.float32) * _tint(rng, 0.06)


def _conveyor(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    steps = np.arange(size, dtype=np.float32)
    pitch = float(rng.uniform(30, 70)) * size / 640
    ribs = np.clip(np.abs(np.remainder(steps / np.float32(pitch), 1) - 0.5) * 8 - 0.4, 0, 1)
    tone = np.float32(rng.uniform(0.12, 0.3)) * (0.7 + 0.3 * ribs)[:, None] * np.ones((1, size), np.float32)
    tone = tone + smooth_noise(rng, (size, size), 2.5) * np.float32(0.02)
    if rng.random() < 0.5:
        tone = np.ascontiguousarray(tone.T)
    hue = ((1.0, 1.0, 1.0), (0.7, 1.1, 0.75), (1.25, 1.0, 0.75))[int(rng.integers(3))]
    return np.asarray(tone, np.float32), np.array(hue, np.float32)
