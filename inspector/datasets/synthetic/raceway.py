"""Render a raceway seen from the side: a horizontal machined band of lands and grooves, as on a shaft or a screw."""

import numpy as np

from inspector.datasets.synthetic.backdrop import draw_backdrop
from inspector.datasets.synthetic.scene import Floats, Scene, blend, cover
from inspector.datasets.synthetic.steel import brushed_grain, draw_lights, smooth_noise


def render_raceway(rng: np.random.Generator, size: int) -> Scene:
    """A strip scene of `size` pixels square; surfaces are numbered from the top, steps between them count as 0."""
    scale = size / 640
    steps = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) / np.float32(scale)
    x, y = np.meshgrid(steps, steps)
    lean, bow = np.float32(rng.normal(0, 0.12)), np.float32(rng.normal(0, 1.5e-4))
    across = y - lean * x - bow * x * x
    slope, ambient, surface = _profile(rng, screw=bool(rng.random() < 0.5))
    row = np.clip(across + 640, 0, 1279.99).astype(np.int32)
    tilt, dim, region = slope[row], ambient[row], surface[row]
    curve = x / np.float32(rng.uniform(360, 700))
    tone = np.float32(rng.uniform(0.2, 0.3)) + 0.1 * np.cos(tilt * 1.5)
    for light in draw_lights(rng):
        lx, ly = light.reach * np.cos(light.azimuth), light.reach * np.sin(light.azimuth)
        hit = np.exp(-(((tilt - np.float32(ly)) / 0.33) ** 2) - ((curve - np.float32(lx)) / 0.5) ** 2)
        tone = tone + np.float32(light.strength * 1.15) * hit
    rows = 1280
    grain = brushed_grain(rng, rows)
    start = int(rng.integers(0, 200))
    lines = grain[np.clip(across + 640, 0, rows - 1).astype(np.int32), ((x + 330) * 0.4 + start).astype(np.int32) % 512]
    tone = tone * dim * (1 + np.float32(rng.uniform(0.06, 0.13)) * lines)
    tone = tone * (1 + 0.05 * smooth_noise(rng, (size, size), size / 4))
    warm = float(rng.choice([0.0, rng.uniform(0, 0.12)]))
    image = tone[..., None] * np.array([1 - 1.6 * warm, 1.0, 1 + 0.5 * warm], np.float32)
    edge = cover(np.where(region < 0, -1.0, 1.0).astype(np.float32))
    backdrop = draw_backdrop(rng, size) * np.float32(0.7)
    image = blend(backdrop, image, edge)
    far = np.float32(20_000)
    return Scene(
        np.asarray(image, np.float32),
        np.maximum(region, 0).astype(np.int32),
        x / far,
        ((far + across) * np.float32(scale)).astype(np.float32),
        (float(np.sign(rng.normal())) * 0.6, -0.8),
        scale,
    )


def _profile(rng: np.random.Generator, screw: bool) -> tuple[Floats, Floats, np.ndarray]:
    """Slope, ambient light and surface number over 1280 nominal pixels across the band; -1 outside of the part."""
    slope, ambient = np.zeros(1280, np.float32), np.ones(1280, np.float32)
    surface = np.zeros(1280, np.int32)
    groove, land = int(rng.uniform(110, 250)), int(rng.uniform(50, 130))
    if not screw:
        groove, land = int(rng.uniform(220, 420)), int(rng.uniform(60, 140))
    depth = float(rng.uniform(0.7, 1.1))
    begin = 640 - groove // 2 - land - int(rng.integers(-60, 60))
    if screw:
        begin -= (begin // (groove + land) + 1) * (groove + land)
    at, number = begin, 1
    while at < 1280:
        for length, is_groove in ((land, False), (groove, True)):
            low, high = max(0, at), min(1280, at + length)
            if high > low:
                share = (np.arange(low, high) - at) / length
                slope[low:high] = (0.5 - share) * -2 * depth if is_groove else 0.05 * (share - 0.5)
                wall = np.clip(np.minimum(share, 1 - share) * 6, 0, 1)
                ambient[low:high] = 0.55 + 0.45 * wall if is_groove else 1.0
                surface[low:high] = number
                if low == at:
                    bright = 1.5 if is_groove else 0.45
                    ambient[low : low + 3] = bright
                    surface[low : low + 4] = 0
                    surface[max(0, low - 4) : low] = 0
                number += 1
            at += length
        if not screw and at >= begin + groove + land:
            low, high = max(0, at), min(1280, at + land)
            if high > low:
                slope[low:high], surface[low:high] = 0.0, number
                ambient[low : low + 3] = 1.5
                surface[low : low + 4] = 0
                ambient[max(low, high - 4) : high] = 0.4
                surface[high:] = -1
            surface[: max(0, begin)] = -1
            break
    return slope, ambient, surface
