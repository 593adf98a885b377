"""Surface textures: smooth noise, brushed grain, and the sheen of turned steel."""

from dataclasses import dataclass

import cv2
import numpy as np

from inspector.datasets.synthetic.scene import Floats


@dataclass(frozen=True)
class Light:
    """One lamp: `azimuth` in radians (image axes, y down), `reach` = in-plane part of the half vector (0..1),
    `strength` = added brightness (0..1)."""

    azimuth: float
    reach: float
    strength: float


def draw_lights(rng: np.random.Generator) -> tuple[Light, ...]:
    """Draw two or three lamps, the strongest first."""
    first = float(rng.uniform(0, 2 * np.pi))
    lights = [Light(first, float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.4, 0.6)))]
    for _ in range(int(rng.integers(1, 3))):
        azimuth = first + float(rng.uniform(0.8, 5.4))
        lights.append(Light(azimuth, float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.12, 0.32))))
    return tuple(lights)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Floats:
    """Noise of about unit deviation that varies over `cell` pixels; `shape` is (H, W)."""
    small = (max(2, round(shape[0] / cell) + 1), max(2, round(shape[1] / cell) + 1))
    coarse = rng.standard_normal(small, dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32) * 1.2


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 3) -> Floats:
    """Sum of smooth noises, each of half the cell and half the weight of the one before; about unit deviation."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += smooth_noise(rng, shape, max(1.0, cell / 2**octave)) * np.float32(0.5**octave)
    return total / np.float32(1.15)


def brushed_grain(rng: np.random.Generator, rows: int, cols: int = 512) -> Floats:
    """Grain (rows, cols) that runs along the columns, periodic over the columns, unit deviation."""
    grain = np.repeat(rng.standard_normal((rows, 1), dtype=np.float32) * np.float32(0.55), cols, axis=1)
    for strokes, weight in ((8, 0.5), (64, 0.6)):
        coarse = rng.standard_normal((rows, strokes), dtype=np.float32)
        step = cols // strokes
        wide = cv2.resize(np.hstack([coarse, coarse[:, :2]]), (step * (strokes + 2), rows))
        grain += wide[:, step // 2 : step // 2 + cols] * np.float32(weight)
    grain = cv2.GaussianBlur(grain, (1, 3), 0)
    return np.asarray(grain / max(float(grain.std()), 1e-6), np.float32)


def sample_polar(texture: Floats, theta: Floats, depth: Floats) -> Floats:
    """Look up `texture` (rows over 0..1, columns over one turn) at angles `theta` and row shares `depth`."""
    rows, cols = texture.shape
    across = np.remainder(theta * np.float32(cols / (2 * np.pi)), np.float32(cols))
    down = depth * np.float32(rows)
    out = cv2.remap(texture, np.atleast_2d(across), np.atleast_2d(down), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(out, np.float32).reshape(theta.shape)


def turned_sheen(
    cos: Floats, sin: Floats, slope: Floats | float, lights: tuple[Light, ...], streak: float, spread: float
) -> Floats:
    """Conic highlight of steel turned around an axis.

    `cos`, `sin`: direction of the radius at each pixel; `slope`: outward tilt of the surface;
    `streak`: width of the lobe along the grooves (small = narrow streaks); `spread`: width across them.
    """
    total = np.zeros(cos.shape, np.float32)
    for light in lights:
        lx, ly = np.float32(light.reach * np.cos(light.azimuth)), np.float32(light.reach * np.sin(light.azimuth))
        tangent = (ly * cos - lx * sin) / np.float32(streak)
        radial = (lx * cos + ly * sin - slope) / np.float32(spread)
        total += np.float32(light.strength) * np.exp(-(tangent * tangent) - radial * radial)
    return total


def ring_environment(rng: np.random.Generator, cos: Floats, sin: Floats) -> Floats:
    """Slow brightness wave around the axis (what the room reflects), about -1..1."""
    c2, s2 = cos * cos - sin * sin, 2 * cos * sin
    weights = rng.normal(0, 0.5, 4).astype(np.float32)
    wave = weights[0] * cos + weights[1] * sin + weights[2] * c2 + weights[3] * s2
    return np.asarray(wave, np.float32)
