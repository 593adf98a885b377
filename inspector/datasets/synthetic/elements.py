"""Balls, rollers and their cage, rendered for the pixels of the gap between the rings."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inspector.datasets.synthetic.layout import Bearing
from inspector.datasets.synthetic.scene import Floats, blend, cover, polar
from inspector.datasets.synthetic.steel import Light, turned_sheen


@dataclass(frozen=True)
class GapPixels:
    """Layer over N pixels of the gap: colour (N, 3), opacity (N,), number of the element shown (N,), -1 = none."""

    colour: Floats
    alpha: Floats
    number: npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Local:
    """Coordinates in the frame of the nearest element, in units: out along the radius, side along the circle."""

    out: Floats
    side: Floats
    number: npt.NDArray[np.int32]
    cos: Floats
    sin: Floats


def _local(bearing: Bearing, x: Floats, y: Floats, turn: float) -> _Local:
    step = 2 * np.pi / bearing.elements
    theta = np.arctan2(y, x) - np.float32(turn)
    number = np.rint(theta / np.float32(step)).astype(np.int32)
    angle = (number * step + turn).astype(np.float32)
    cos, sin = np.cos(angle), np.sin(angle)
    return _Local(x * cos + y * sin - np.float32(bearing.pitch), y * cos - x * sin, number % bearing.elements, cos, sin)


def render_elements(
    bearing: Bearing, lights: tuple[Light, ...], x: Floats, y: Floats, pixels: float, turn: float
) -> GapPixels:
    """Render balls or rollers at the points `x`, `y` (N,) in units; `pixels` per unit; `turn` of the cage, radians."""
    local = _local(bearing, x, y, turn)
    shade = {"ball": _ball, "roller_end": _roller_end, "roller_side": _roller_side}[bearing.element]
    tone, alpha = shade(bearing, lights, local, pixels)
    colour = np.clip(tone, 0, 1.3)[:, None] * np.array(bearing.steel, np.float32)
    return GapPixels(colour, alpha, np.where(alpha > 0.5, local.number, -1).astype(np.int32))


def _environment(rx: Floats, ry: Floats, rz: Floats, lights: tuple[Light, ...]) -> Floats:
    """Brightness mirrored by polished steel from the direction (rx, ry, rz): room, dark horizon, lamps."""
    tone = 0.2 + 0.3 * np.clip(rz * 1.2 + 0.25, 0, 1) + 0.12 * np.clip(-rz * 2 - 0.6, 0, 1)
    for light in lights:
        flat = min(0.95, light.reach * 1.5)
        toward = rx * np.float32(flat * np.cos(light.azimuth)) + ry * np.float32(flat * np.sin(light.azimuth))
        facing = toward + rz * np.float32(np.sqrt(1 - flat * flat))
        tone = tone + np.float32(light.strength * 1.9) * np.clip((facing - 0.93) * 22, 0, 1)
        tone = tone + np.float32(light.strength * 0.5) * np.clip(facing, 0, 1) ** 4
    return np.asarray(tone, np.float32)


def _ball(bearing: Bearing, lights: tuple[Light, ...], local: _Local, pixels: float) -> tuple[Floats, Floats]:
    radius = np.float32(bearing.element_radius)
    out, side = local.out / radius, local.side / radius
    flat = np.sqrt(out * out + side * side)
    up = np.sqrt(np.clip(1 - flat * flat, 0, 1))
    nx, ny = out * local.cos - side * local.sin, out * local.sin + side * local.cos
    tone = _environment(2 * up * nx, 2 * up * ny, 2 * up * up - 1, lights)
    tone = tone * (0.45 + 0.55 * np.clip(up * 2.2, 0, 1))
    return tone, cover((1 - flat) * np.float32(radius * pixels))


def _roller_end(bearing: Bearing, lights: tuple[Light, ...], local: _Local, pixels: float) -> tuple[Floats, Floats]:
    radius = np.float32(bearing.element_radius)
    out, side = local.out / radius, local.side / radius
    flat = np.sqrt(out * out + side * side) + np.float32(1e-4)
    nx, ny = out * local.cos - side * local.sin, out * local.sin + side * local.cos
    slope = np.clip((flat - 0.86) * 8, 0, 0.9)
    tone = 0.42 + turned_sheen(nx / flat, ny / flat, slope, lights, 0.3, 0.75) * 0.7
    tone = tone * (1 + 0.05 * np.sin(flat * np.float32(60)))
    dimple = np.clip((0.3 - flat) * 9, 0, 1)
    tone = tone * (1 - 0.35 * dimple) * (1 - 0.4 * np.exp(-(((flat - 0.86) * 40) ** 2)))
    return np.asarray(tone, np.float32), cover((1 - flat) * np.float32(radius * pixels))


def _roller_side(bearing: Bearing, lights: tuple[Light, ...], local: _Local, pixels: float) -> tuple[Floats, Floats]:
    half, long = np.float32(bearing.element_radius * 0.42), np.float32(bearing.element_radius)
    n = np.clip(local.side / half, -1, 1)
    up = np.sqrt(1 - n * n)
    tone = 0.16 + 0.3 * up
    for light in lights:
        across = np.float32(light.reach) * (-local.sin * np.cos(light.azimuth) + local.cos * np.sin(light.azimuth))
        tone = tone + np.float32(light.strength) * np.exp(-(((n - across * 0.9) / 0.22) ** 2))
    end = np.clip((np.abs(local.out) / long - 0.9) * 10, 0, 1)
    tone = tone * (1 - 0.5 * end) * (1 + 0.04 * np.sin(local.out * np.float32(pixels * 1.1)))
    inside = np.minimum(half - np.abs(local.side), long - np.abs(local.out))
    return np.asarray(tone, np.float32), cover(inside * np.float32(pixels))


def render_cage(
    bearing: Bearing, lights: tuple[Light, ...], x: Floats, y: Floats, pixels: float, turn: float
) -> GapPixels:
    """Render the cage at the plane points `x`, `y` (N,): a riveted ribbon, or a machined ring with pockets."""
    local = _local(bearing, x, y, turn)
    r, cos, sin = polar(x, y)
    radius = np.float32(bearing.element_radius)
    middle = np.abs(r - np.float32(bearing.pitch))
    none = np.full(x.shape, -1, np.int32)
    base = np.array(bearing.cage_colour, np.float32)
    gloss = 0.55 if bearing.cage_is_metal else 0.2
    if bearing.cage == "ribbon":
        band = radius * np.float32(0.46)
        edge = (band - middle) * np.float32(pixels)
        bulge = np.clip(np.cos(local.side / radius * np.float32(1.35)), 0, 1)
        lean = np.clip(local.side / radius, -1, 1) * bulge
        slope = (r - np.float32(bearing.pitch)) / band * np.float32(0.55)
        sheen = turned_sheen(cos, sin, slope, lights, 0.45, 0.6)
        toward = lights[0].reach * (cos * np.sin(lights[0].azimuth) - sin * np.cos(lights[0].azimuth))
        tone = 0.75 + 0.9 * lean * toward + gloss * sheen - 0.22 * np.clip(1.5 - edge / 1.5, 0, 1)
        half_step = np.float32(np.pi / bearing.elements)
        rivet = _rivet(bearing, local, r, half_step)
        tone = tone * (1 - 0.35 * np.clip(1.35 - np.abs(rivet - 1) * 7, 0, 1)) + 0.3 * np.clip(0.75 - rivet, 0, 1)
        return GapPixels(np.asarray(tone[:, None] * base, np.float32), cover(edge), none)
    gap = bearing.outer - bearing.inner
    ring = (np.float32(gap * 0.47) - middle) * np.float32(pixels)
    if bearing.element == "roller_side":
        grown = np.maximum(
            np.abs(local.side) - radius * np.float32(0.47), np.abs(local.out) - radius * np.float32(0.97)
        )
        hole = grown * np.float32(pixels)
    else:
        hole = (np.sqrt(local.out**2 + local.side**2) - radius * np.float32(0.93)) * np.float32(pixels)
    edge = np.minimum(ring, hole)
    tone = 0.85 + gloss * turned_sheen(cos, sin, 0.0, lights, 0.5, 0.8)
    rim = np.clip(1 - edge / np.float32(max(2.0, pixels * 0.008)), 0, 1)
    facing = np.float32(np.cos(lights[0].azimuth)) * cos + np.float32(np.sin(lights[0].azimuth)) * sin
    tone = tone + rim * (0.22 * facing * np.sign(r - np.float32(bearing.pitch)) - 0.08)
    return GapPixels(np.asarray(tone[:, None] * base, np.float32), cover(edge), none)


def _rivet(bearing: Bearing, local: _Local, r: Floats, half_step: np.float32) -> Floats:
    """Distance from the nearest rivet between two elements, in rivet radii."""
    size = bearing.element_radius * 0.2
    away = np.abs(np.arctan2(local.side, local.out + np.float32(bearing.pitch)))
    along = (half_step - away) * r
    return np.asarray(np.sqrt(along**2 + (r - np.float32(bearing.pitch)) ** 2) / np.float32(size), np.float32)


def shade_floor(below: Floats, element: GapPixels, cage: GapPixels | None) -> Floats:
    """Stack floor, elements and cage: (N, 3)."""
    out = blend(below, element.colour, element.alpha)
    return out if cage is None else blend(out, cage.colour, cage.alpha)
