"""Render a bearing seen from the front: rings, gap with balls or rollers and cage, or a seal, on a background."""

from dataclasses import dataclass

import cv2
import numpy as np

from inspector.datasets.synthetic.backdrop import draw_backdrop
from inspector.datasets.synthetic.camera import Camera, Rays, cast_rays, draw_camera
from inspector.datasets.synthetic.elements import render_cage, render_elements, shade_floor
from inspector.datasets.synthetic.layout import Bearing, Closure, draw_bearing
from inspector.datasets.synthetic.scene import FIRST_ELEMENT, Floats, Scene, blend, cover, polar
from inspector.datasets.synthetic.steel import (
    Light,
    brushed_grain,
    draw_lights,
    ring_environment,
    sample_polar,
    turned_sheen,
)

OUTER_FACE, INNER_FACE = 1, 2


@dataclass(frozen=True)
class View:
    """One bearing under one camera and one set of lamps; `backdrop_seed` fixes the table below."""

    bearing: Bearing
    camera: Camera
    lights: tuple[Light, ...]
    backdrop_seed: int


def draw_view(rng: np.random.Generator, closure: Closure | None = None, camera: Camera | None = None) -> View:
    """Draw a random bearing, camera and light."""
    bearing = draw_bearing(rng, closure)
    return View(bearing, camera or draw_camera(rng, bearing.bore), draw_lights(rng), int(rng.integers(2**31)))


def render_bearing(view: View, size: int, inner_turn: float = 0.0, cage_turn: float = 0.0) -> Scene:
    """Render `view`, `size` pixels square; the inner ring and the cage turned by the given angles (radians)."""
    bearing, lights = view.bearing, view.lights
    rays = cast_rays(view.camera, size, bearing.width)
    pixels = rays.pixels_per_unit
    r, cos, sin = polar(rays.top_x, rays.top_y)
    theta = np.arctan2(rays.top_y, rays.top_x)
    image = _table(view, rays, size)
    image = _walls(view, rays, r, image)
    region = np.zeros((size, size), np.int32)
    radius = r * np.float32(pixels)
    if bearing.closure == "open":
        _fill_gap(view, rays, r, image, region, theta, radius, cage_turn)
    else:
        image = _closure(view, r, cos, sin, pixels, image)
    grain = np.random.default_rng(bearing.grain_seed)
    rings = (
        (OUTER_FACE, bearing.outer, 1.0, bearing.finishes[0], bearing.outer_text, 0.0),
        (INNER_FACE, bearing.bore, bearing.inner, bearing.finishes[1], bearing.inner_text, inner_turn),
    )
    for number, low, high, turned, text, turn in rings:
        tone, flat = _ring_face(grain, view, (r, cos, sin, theta), pixels, (low, high), turned, turn)
        engraved = _engraving(grain, text, theta - np.float32(turn), r, pixels, (low, high), bearing.chamfer)
        tone = tone * engraved
        alpha = cover(np.minimum(r - np.float32(low), np.float32(high) - r) * np.float32(pixels))
        image = blend(image, tone[..., None] * np.array(bearing.steel, np.float32), alpha)
        region[alpha > 0.5] = 0
        region[flat & (engraved > 0.98)] = number
    first = lights[0].azimuth
    return Scene(image, region, theta, radius, (float(np.cos(first)), float(np.sin(first))), size / 640)


def _table(view: View, rays: Rays, size: int) -> Floats:
    """Background with the shadow that the bearing casts away from the main lamp."""
    image = draw_backdrop(np.random.default_rng(view.backdrop_seed), size)
    away = view.lights[0].azimuth + np.pi
    reach = 0.12 + view.bearing.width * 0.3
    sx, sy = np.float32(np.cos(away) * reach), np.float32(np.sin(away) * reach)
    far = np.sqrt((rays.bottom_x - sx) ** 2 + (rays.bottom_y - sy) ** 2)
    near = np.sqrt(rays.bottom_x**2 + rays.bottom_y**2)
    cast = np.clip((1.1 - far) * 5, 0, 1) * np.clip((far - view.bearing.bore * 0.8) * 6, 0, 1)
    contact = np.clip((1.06 - near) * 12, 0, 1) * np.clip((near - view.bearing.bore * 0.9) * 12, 0, 1)
    shadow = 1 - 0.5 * np.maximum(cast, contact)
    return np.asarray(image * shadow[..., None], np.float32)


def _walls(view: View, rays: Rays, r: Floats, image: Floats) -> Floats:
    """Outer cylinder and bore, which show when the camera is tilted, and the dark floor of the gap."""
    bearing, pixels = view.bearing, np.float32(rays.pixels_per_unit)
    x, y = rays.bottom_x, rays.bottom_y
    r_low, cos, sin = polar(x, y)
    steel = np.array(bearing.steel, np.float32)
    lit = turned_sheen(cos, sin, 0.55, view.lights, 0.5, 0.6)
    inside_lit = turned_sheen(-cos, -sin, 0.55, view.lights, 0.5, 0.6)
    depth = np.clip((r - 1) / np.maximum(r - r_low, np.float32(1e-4)), 0, 1)
    wall = (0.2 + 0.65 * lit) * (1 - 0.45 * depth)
    image = blend(image, wall[..., None] * steel, cover((1 - r_low) * pixels) * cover((r - 1) * pixels))
    hole = np.float32(bearing.bore)
    depth = np.clip((hole - r) / np.maximum(r_low - r, np.float32(1e-4)), 0, 1)
    wall = (0.2 + 0.6 * inside_lit) * (1 - 0.5 * depth)
    image = blend(image, wall[..., None] * steel, cover((r_low - hole) * pixels) * cover((hole - r) * pixels))
    gap = np.minimum(r - np.float32(bearing.inner), np.float32(bearing.outer) - r) * pixels
    return blend(image, np.full((1, 1, 3), 0.05, np.float32), cover(gap))


def _fill_gap(
    view: View, rays: Rays, r: Floats, image: Floats, region: np.ndarray, theta: Floats, radius: Floats, turn: float
) -> None:
    """Write balls or rollers, cage and the shoulders' walls into `image`, their numbers into `region`,
    and their own coordinates into `theta` and `radius` (all in place)."""
    bearing, pixels = view.bearing, rays.pixels_per_unit
    rows, cols = np.nonzero((r > bearing.inner) & (r < bearing.outer))
    if rows.size == 0:
        return
    middle, cage_plane = rays.at(0.42), rays.at(0.25)
    x, y = middle[0][rows, cols], middle[1][rows, cols]
    element = render_elements(bearing, view.lights, x, y, pixels, turn)
    cage = None
    if bearing.cage != "none":
        cage = render_cage(bearing, view.lights, cage_plane[0][rows, cols], cage_plane[1][rows, cols], pixels, turn)
    colour = shade_floor(image[rows, cols], element, cage)
    top = r[rows, cols]
    margin = np.minimum(top - np.float32(bearing.inner), np.float32(bearing.outer) - top)
    shadow = np.float32(0.05 * (bearing.outer - bearing.inner) + 0.004)  # cast by the shoulders, in units
    colour *= (0.35 + 0.65 * np.clip(margin / shadow, 0, 1))[:, None]
    low, cos, sin = polar(x, y)
    for rim, sign in ((bearing.outer, -1.0), (bearing.inner, 1.0)):
        beyond = (low - np.float32(rim)) * np.float32(-sign * pixels)
        lit = turned_sheen(cos * np.float32(sign), sin * np.float32(sign), 0.5, view.lights, 0.5, 0.6)
        tone = 0.14 + 0.5 * lit
        colour = blend(colour, tone[:, None] * np.array(bearing.steel, np.float32), cover(beyond))
        element.number[beyond > -1] = -1
    image[rows, cols] = colour
    shown = element.number if cage is None else np.where(cage.alpha > 0.2, -1, element.number)
    region[rows, cols] = np.where(shown >= 0, shown + FIRST_ELEMENT, 0)
    theta[rows, cols] = np.arctan2(y, x)
    radius[rows, cols] = low * np.float32(pixels)


def _closure(view: View, r: Floats, cos: Floats, sin: Floats, pixels: float, image: Floats) -> Floats:
    """Rubber seal or pressed steel shield over the gap."""
    bearing = view.bearing
    gap = bearing.outer - bearing.inner
    share = (r - np.float32(bearing.inner)) / np.float32(gap)
    if bearing.closure == "rubber":
        slope = 0.7 * np.sin(share * np.float32(9.0)) * np.clip(1 - np.abs(share - 0.5) * 2, 0, 1) ** 0.5
        tone = 0.75 + 1.1 * turned_sheen(cos, sin, slope, view.lights, 0.6, 0.5)
        colour = tone[..., None] * np.array(bearing.rubber, np.float32) + 0.06 * (tone - 0.75)[..., None]
    else:
        slope = np.clip((share - 0.82) * 6, 0, 0.9) - np.clip((0.2 - share) * 6, 0, 0.9)
        tone = 0.4 + 0.75 * turned_sheen(cos, sin, slope, view.lights, 0.45, 0.55)
        tone = tone * (1 - 0.3 * np.exp(-(((share - 0.82) * 40) ** 2)) - 0.3 * np.exp(-(((share - 0.2) * 40) ** 2)))
        colour = tone[..., None] * np.array(bearing.steel, np.float32) * np.float32(0.95)
    low, high = bearing.inner + gap * 0.04, bearing.outer - gap * 0.02
    edge = np.minimum(r - np.float32(low), np.float32(high) - r) * np.float32(pixels)
    return blend(image, np.asarray(colour, np.float32), cover(edge))


def _ring_face(
    rng: np.random.Generator,
    view: View,
    polar: tuple[Floats, Floats, Floats, Floats],
    pixels: float,
    band: tuple[float, float],
    turned: bool,
    turn: float,
) -> tuple[Floats, np.ndarray]:
    """Tone (H, W) of one ring's face with its chamfers, and the mask of its flat part.

    polar: r, cos, sin, theta per pixel; band: (low, high) radius.
    """
    r, cos, sin, theta = polar
    low, high, bevel = np.float32(band[0]), np.float32(band[1]), np.float32(view.bearing.chamfer)
    out_bevel = np.clip((r - high + bevel) / bevel, 0, 1)
    in_bevel = np.clip((low + bevel - r) / bevel, 0, 1)
    slope = np.where(out_bevel > 0, 0.35 + 0.5 * out_bevel, 0) - np.where(in_bevel > 0, 0.35 + 0.5 * in_bevel, 0)
    base, grain_share = float(rng.uniform(0.3, 0.46)), float(rng.uniform(0.05, 0.11))
    rows = max(8, int((band[1] - band[0]) * pixels))
    grain = brushed_grain(rng, rows)
    if turned:
        streak, spread = float(rng.uniform(0.22, 0.4)), float(rng.uniform(0.6, 0.9))
        sheen = turned_sheen(cos, sin, slope, view.lights, streak, spread) * 0.8
        fine = sample_polar(grain, theta - np.float32(turn), (r - low) / (high - low))
    else:
        sheen = turned_sheen(cos, sin, slope, view.lights, 1.1, 0.75) * 0.4
        angle = float(rng.uniform(0, np.pi)) + turn
        along = (cos * np.float32(np.cos(angle)) + sin * np.float32(np.sin(angle))) * r
        across = (sin * np.float32(np.cos(angle)) - cos * np.float32(np.sin(angle))) * r
        tall = brushed_grain(rng, max(64, int(2.1 * pixels)))
        fine = sample_polar(tall, along * np.float32(1.5), (across + np.float32(1.05)) / np.float32(2.1))
    room = ring_environment(rng, cos, sin) * np.float32(0.06)
    tone = (base + sheen + room) * (1 + np.float32(grain_share) * fine)
    edge_px = np.float32(1.2 / pixels)
    for corner in (high - bevel, low + bevel):
        tone = tone * (1 - 0.3 * np.exp(-(((r - corner) / edge_px) ** 2)))
    flat = (r > low + bevel + edge_px) & (r < high - bevel - edge_px)
    return np.asarray(tone, np.float32), flat


def _engraving(
    rng: np.random.Generator,
    text: str,
    theta: Floats,
    r: Floats,
    pixels: float,
    band: tuple[float, float],
    chamfer: float,
) -> Floats:
    """Factor (H, W) that darkens the engraved `text` on a ring face."""
    angle, depth = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.35, 0.6))
    if not text:
        return np.ones(r.shape, np.float32)
    height = max(8.0, (band[1] - band[0] - 2 * chamfer) * pixels)
    middle = (band[0] + band[1]) / 2
    letter = height * 0.42
    scale = letter / 21
    (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    strip = np.zeros((int(height), int(wide + 8 + letter)), np.uint8)
    thick = max(1, round(letter / 11))
    cv2.putText(
        strip, text, (4, int(height / 2 + letter / 2)), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA
    )
    along = np.remainder(theta - np.float32(angle), np.float32(2 * np.pi)) * np.float32(middle * pixels)
    across = height / 2 - (r - np.float32(middle)) * np.float32(pixels)
    ink = cv2.remap(strip, along, np.asarray(across, np.float32), cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(1 - np.float32((1 - depth) / 255) * ink, np.float32)
