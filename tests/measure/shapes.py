"""Drawn shapes with known measures: a pixel belongs to a shape if its centre does."""

import numpy as np

from inspector.domain import Detection, Mask


def grid(side: float):
    """Coordinates of the pixels' centres from the middle of a square image."""
    number = int(np.ceil(side)) + 8
    y, x = np.mgrid[:number, :number] + 0.5 - number / 2
    return x, y


def turned(x, y, angle: float):
    turn = np.radians(angle)
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def segment(radius: float, degrees: float, width: float, angle: float = 0.0) -> np.ndarray:
    """A piece of a ring, ``width`` px wide, its middle line at ``radius``."""
    x, y = grid(2 * radius + width)
    around = (np.degrees(np.arctan2(y, x)) - angle) % 360
    return (np.abs(np.hypot(x, y) - radius) <= width / 2) & (around <= degrees)


def ring(radius: float, width: float) -> np.ndarray:
    return segment(radius, 360, width)


def disc(radius: float) -> np.ndarray:
    x, y = grid(2 * radius)
    return np.hypot(x, y) <= radius


def bar(length: float, width: float, angle: float = 0.0) -> np.ndarray:
    x, y = turned(*grid(np.hypot(length, width)), angle)
    return (np.abs(x) <= length / 2) & (np.abs(y) <= width / 2)


def ellipse(long: float, short: float, angle: float = 0.0) -> np.ndarray:
    """An ellipse by its half axes."""
    x, y = turned(*grid(2 * long), angle)
    return (x / long) ** 2 + (y / short) ** 2 <= 1


def detection(pixels: np.ndarray, x: int = 0, y: int = 0) -> Detection:
    box = (float(x), float(y), float(x + pixels.shape[1]), float(y + pixels.shape[0]))
    return Detection("Defect", 0.9, box, Mask(x, y, pixels))
