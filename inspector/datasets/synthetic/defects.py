"""Six kinds of defects as small material patches, drawn in nominal pixels of a 640 image."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from inspector.datasets.synthetic.scene import Floats
from inspector.datasets.synthetic.steel import brushed_grain, fractal_noise, smooth_noise

KINDS = ("crack", "wear", "corrosion", "scratch", "pitting", "dent")


@dataclass(frozen=True)
class Patch:
    """A square of altered material, side P; its x axis follows the machining, its y axis runs across it.

    mask: (P, P) 0..1, what was altered; gain: (P, P) factor on the steel's brightness; own: (P, P) opacity of
    `colour` (P, P, 3) BGR over the steel; height: (P, P) in pixels, shaded under the scene's lamp.
    """

    mask: Floats
    gain: Floats
    own: Floats
    colour: Floats
    height: Floats


def draw_defect(rng: np.random.Generator, kind: str, room: float) -> Patch:
    """Draw a defect of `kind` for a surface that leaves `room` pixels on either side (half width of the band)."""
    makers: dict[str, Callable[[np.random.Generator, float], Patch]] = {
        "crack": _crack, "wear": _wear, "corrosion": _corrosion, "scratch": _scratch, "pitting": _pitting,
        "dent": _dent,
    }  # fmt: skip
    return makers[kind](rng, room)


def shrunk(patch: Patch, factor: float) -> Patch:
    """Shrink `patch` to `factor` (0..1] of its size; its contrast grows a little so that the smallest stay visible."""
    if factor >= 1:
        return patch
    side = max(8, round(patch.mask.shape[0] * factor))

    def small(layer: Floats) -> Floats:
        return np.asarray(cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA), np.float32)

    gain = np.clip(1 + (small(patch.gain) - 1) * np.float32(min(1.6, factor**-0.35)), 0.03, 2.0)
    return Patch(
        small(patch.mask), np.asarray(gain, np.float32), small(patch.own), small(patch.colour), small(patch.height)
    )


def _blank(side: int) -> tuple[Floats, Floats, Floats]:
    return np.zeros((side, side), np.float32), np.ones((side, side), np.float32), np.zeros((side, side, 3), np.float32)


def _stroke(side: int, points: np.ndarray, thickness: float, shift: tuple[float, float] = (0, 0)) -> Floats:
    """Draw a polyline (n, 2) x, y smoothly, 0..1."""
    canvas = np.zeros((side * 2, side * 2), np.uint8)
    at = np.round((points + np.array(shift)) * 32).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [at], False, 255, max(1, round(thickness * 2)), cv2.LINE_AA, 4)
    return np.asarray(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def _tapered(side: int, points: np.ndarray, thickness: float, shift: tuple[float, float] = (0, 0)) -> Floats:
    """Like `_stroke`, but thinner towards both ends."""
    thin = _stroke(side, points, thickness * 0.5, shift)
    middle = _stroke(side, points[1:-1], thickness * 0.8, shift) if len(points) > 3 else thin
    heart = points[len(points) // 4 : len(points) - len(points) // 4]
    return np.maximum(np.maximum(thin, middle), _stroke(side, heart, thickness, shift)) if len(heart) > 1 else thin


def _turned(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))


def _crack(rng: np.random.Generator, room: float) -> Patch:
    """Dark jagged line with short branches and a bright lip."""
    length = float(np.clip(rng.uniform(2.4, 4.8) * room, 44, 140))
    side = int(length * 1.5) + 30
    angle = float(rng.uniform(0, np.pi)) if length < 1.7 * room else float(rng.normal(0, 0.4))
    core, mask, lip = (np.zeros((side, side), np.float32) for _ in range(3))
    trunk = _turned(_jagged(rng, length), angle) + side / 2
    lines = [(trunk, float(rng.uniform(3.2, 4.4)))]
    for _ in range(int(rng.integers(0, 4))):
        knot = int(rng.integers(1, len(trunk) - 1))
        branch = _jagged(rng, length * float(rng.uniform(0.15, 0.32)))
        branch = _turned(branch - branch[0], angle + float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)))
        lines.append((branch + trunk[knot], 2.6))
    for line, thickness in lines:
        core = np.maximum(core, _tapered(side, line, thickness))
        lip = np.maximum(lip, _tapered(side, line, thickness + 0.6, (1.4, 1.4)))
        mask = np.maximum(mask, _stroke(side, line, thickness + 4.4))
    gain = (1 + 0.4 * np.clip(lip - core, 0, 1)) * (1 - 0.88 * core) * (1 - 0.15 * mask)
    zero, _, colour = _blank(side)
    return Patch(mask, np.asarray(gain, np.float32), zero, colour, zero)


def _jagged(rng: np.random.Generator, length: float) -> np.ndarray:
    """A random walk along x of total `length`, centred, (n, 2)."""
    count = max(4, round(length / 7))
    x = np.linspace(-length / 2, length / 2, count)
    y = np.cumsum(rng.normal(0, 2.4, count))
    return np.stack([x, y - np.linspace(y[0], y[-1], count) * 0.7 - y.mean() * 0.3], 1)


def _scratch(rng: np.random.Generator, room: float) -> Patch:
    """Smooth narrow groove, straight or slightly bent, with one bright and one dark flank."""
    length = float(np.clip(rng.uniform(2.8, 6) * room, 55, 170))
    side = int(length * 1.15) + 30
    angle = float(rng.uniform(0, np.pi)) if length < 1.7 * room else float(rng.normal(0, 0.35))
    t = np.linspace(-0.5, 0.5, 24)
    bend = float(rng.normal(0, 0.12)) * length
    line = np.stack([t * length, bend * (1 - 4 * t * t)], 1)
    mask, dark, bright = (np.zeros((side, side), np.float32) for _ in range(3))
    thickness, flip = float(rng.uniform(2.4, 3.4)), float(rng.choice([-1, 1]))
    for strand in range(int(rng.integers(1, 3))):
        part = _turned(line * (1 - 0.25 * strand) + [0, strand * 4.0], angle) + side / 2
        across = _turned(np.array([[0.0, 1.0]]), angle)[0] * thickness * 0.5 * flip
        mask = np.maximum(mask, _stroke(side, part, thickness + 5.0))
        dark = np.maximum(dark, _tapered(side, part, thickness, (-across[0], -across[1])))
        bright = np.maximum(bright, _tapered(side, part, thickness * 0.8, (across[0], across[1])))
    zero, _, colour = _blank(side)
    gain = np.asarray((1 - 0.6 * dark) * (1 - 0.15 * mask), np.float32)
    return Patch(mask, gain, np.asarray(bright * 0.8, np.float32), colour + np.float32(0.95), zero)


def _band(rng: np.random.Generator, length: float, height: float, side: int) -> Floats:
    """A rounded bar along x with an uneven rim, 0..1."""
    steps = np.arange(side, dtype=np.float32) + 0.5 - side / 2
    x, y = np.meshgrid(steps, steps)
    wobble = smooth_noise(rng, (side, side), max(6.0, height * 0.5)) * np.float32(min(2.5, height * 0.08))
    corner = min(length, height) * 0.45
    dx, dy = np.abs(x) - (length / 2 - corner), np.abs(y) - (height / 2 - corner)
    away = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2) + np.minimum(np.maximum(dx, dy), 0)
    return np.asarray(np.clip(corner - away + wobble + 0.5, 0, 1), np.float32)


def _wear(rng: np.random.Generator, room: float) -> Patch:
    """Scuffed band along the running direction: dull and brownish, or polished with bright score lines."""
    height = float(np.clip(rng.uniform(1.0, 1.7) * room, 17, 64))
    length = float(np.clip(height * rng.uniform(1.8, 4.0), 45, 160))
    side = int(length * 1.1) + 24
    mask = _band(rng, length, height, side)
    strokes = np.ascontiguousarray(brushed_grain(rng, side, 512)[:, : side // 4 + 1])
    score = np.asarray(cv2.resize(strokes, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    patchy = smooth_noise(rng, (side, side), 9)
    zero, _, colour = _blank(side)
    if rng.random() < 0.65:
        level = float(rng.uniform(0.42, 0.58))
        dull = 1 + mask * (level * (1 + 0.2 * score + 0.1 * patchy) - 1)
        return Patch(mask, np.asarray(dull, np.float32), mask * np.float32(0.22), colour + _brown(rng), zero)
    gain = 1 - 0.25 * mask
    bright = np.clip(0.6 + 0.26 * score + 0.06 * patchy, 0.3, 0.95) * mask
    return Patch(mask, np.asarray(gain, np.float32), np.asarray(bright, np.float32), colour + np.float32(0.92), zero)


def _brown(rng: np.random.Generator) -> Floats:
    return np.array([0.12, 0.24, 0.38], np.float32) * np.float32(rng.uniform(0.7, 1.2))


def _blob(rng: np.random.Generator, wide: float, tall: float, side: int, rough: float) -> Floats:
    """An irregular patch around the centre, 0..1, of half axes about `wide` and `tall`."""
    steps = np.arange(side, dtype=np.float32) + 0.5 - side / 2
    x, y = np.meshgrid(steps / np.float32(wide), steps / np.float32(tall))
    small = min(wide, tall)
    noise = fractal_noise(rng, (side, side), max(4.0, small * 0.9))
    inside = 1 - np.sqrt(x * x + y * y) + np.float32(rough) * noise
    inside = np.minimum(inside, (1.6 - np.sqrt(x * x + y * y)) * 2)
    return _one_piece(np.asarray(np.clip(inside * np.float32(small) + 0.5, 0, 1), np.float32))


def _one_piece(soft: Floats) -> Floats:
    """Keep the largest connected part and fill its holes."""
    hard = (soft > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(hard, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return soft
    filled = np.zeros_like(hard)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    near = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    return np.asarray(np.maximum(soft * near, cv2.erode(filled, np.ones((3, 3), np.uint8))), np.float32)


def _corrosion(rng: np.random.Generator, room: float) -> Patch:
    """Rust, from dark brown to orange, grainy, with pits; sometimes the black etching of acid or water."""
    tall = float(np.clip(rng.uniform(0.55, 0.95) * room, 11, 48))
    wide = float(np.clip(tall * rng.uniform(1.0, 2.2), 14, 75))
    side = int(wide * 3.4) + 16
    mask = _blob(rng, wide, tall, side, 0.24)
    mix = np.clip(0.5 + 0.4 * fractal_noise(rng, (side, side), 12), 0, 1)[..., None]
    if rng.random() < 0.78:
        dark, light = np.array([0.05, 0.12, 0.26], np.float32), np.array([0.11, 0.34, 0.66], np.float32)
    else:
        dark, light = np.array([0.06, 0.06, 0.07], np.float32), np.array([0.19, 0.21, 0.23], np.float32)
    colour = (dark + (light - dark) * mix) * np.float32(rng.uniform(0.8, 1.15))
    speckle = np.clip(smooth_noise(rng, (side, side), 2.2) - 1.1, 0, 1)
    gain = 1 - np.clip(speckle * mask, 0, 0.7)
    own = mask * np.clip(0.86 + 0.1 * fractal_noise(rng, (side, side), 8), 0.55, 0.97)
    colour *= gain[..., None]
    return Patch(mask, np.asarray(gain, np.float32), np.asarray(own, np.float32), np.asarray(colour, np.float32),
                 np.asarray(speckle * mask * -1.0, np.float32))  # fmt: skip


def _pitting(rng: np.random.Generator, room: float) -> Patch:
    """A cluster of small dark pits on roughened steel, or one large spall."""
    tall = float(np.clip(rng.uniform(0.5, 0.9) * room, 11, 38))
    wide = float(np.clip(tall * rng.uniform(1.0, 1.9), 13, 55))
    side = int(wide * 3.6) + 24
    rough = fractal_noise(rng, (side, side), 5)
    if rng.random() < 0.3:
        mask = _blob(rng, wide * 0.8, tall * 0.8, side, 0.25)
        inner = np.clip(cv2.GaussianBlur(mask, (0, 0), 1.6) * 1.6 - 0.4, 0, 1)
        height = (-3.2 * inner + 1.0 * rough * inner).astype(np.float32)
        gain = 1 - 0.62 * inner * np.clip(1 - 0.25 * rough, 0.4, 1.4)
    else:
        pits, grown = np.zeros((2, side, side), np.float32)
        count = int(np.clip(wide * tall / rng.uniform(30, 55), 5, 30))
        for _ in range(count):
            reach, angle = float(np.sqrt(rng.random())), float(rng.uniform(0, 2 * np.pi))
            centre = np.array([wide * reach * np.cos(angle), tall * reach * np.sin(angle)]) + side / 2
            size = float(rng.uniform(1.8, 4.6))
            dot = np.stack([centre, centre + rng.normal(0, 1.2, 2)])
            pits = np.maximum(pits, _stroke(side, dot, size * 1.6))
            grown = np.maximum(grown, _stroke(side, dot, size * 1.6 + 9))
        near = cv2.morphologyEx(grown, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (23, 23)))
        mask = _one_piece(np.asarray(cv2.erode(near, np.ones((5, 5), np.uint8)), np.float32))
        pits = pits * mask
        height = (-2.2 * cv2.GaussianBlur(pits, (0, 0), 0.8)).astype(np.float32)
        gain = (1 - 0.8 * pits) * (1 - mask * (0.2 + 0.05 * rough))
    zero, _, colour = _blank(side)
    return Patch(mask, np.asarray(gain, np.float32), zero, colour, height)


def _dent(rng: np.random.Generator, room: float) -> Patch:
    """A smooth hollow with a raised rim: one flank dark, the other bright."""
    radius = float(np.clip(rng.uniform(0.5, 0.85) * room, 10, 32))
    side = int(radius * 3.4) + 12
    steps = np.arange(side, dtype=np.float32) + 0.5 - side / 2
    x, y = np.meshgrid(steps, steps)
    squash, angle = float(rng.uniform(0.7, 1.0)), float(rng.uniform(0, np.pi))
    u, v = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / squash
    d = np.sqrt(u * u + v * v) / radius * (1 + 0.05 * smooth_noise(rng, (side, side), radius))
    mask = np.asarray(np.clip((1.08 - d) * radius * squash + 0.5, 0, 1), np.float32)
    bowl = -(np.clip(1 - d * d, 0, 1) ** 1.5) * radius * 0.5
    rim = np.exp(-(((d - 0.98) / 0.1) ** 2)) * radius * 0.07
    gain = 1 - 0.32 * np.clip(1 - d, 0, 1) * mask - 0.14 * mask
    zero, _, colour = _blank(side)
    return Patch(mask, np.asarray(gain, np.float32), zero, colour, np.asarray(bowl + rim, np.float32))
