"""Paint defect patches on the steel of a scene and keep the exact masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from inspector.datasets.synthetic.defects import Patch, draw_defect, shrunk
from inspector.datasets.synthetic.scene import FIRST_ELEMENT, Floats, Mask, Scene

MIN_AREA = 180.0  # of a mask, in nominal pixels
MIN_CONTRAST = 0.1  # mean change of brightness inside a mask


@dataclass(frozen=True)
class Spot:
    """Position of a patch: surface number, polar coordinates (radians, pixels), and its rotation on the surface."""

    region: int
    theta: float
    radius: float
    turn: float


@dataclass(frozen=True)
class Painted:
    """A patch painted on a scene: its window (rows, columns), new pixels (h, w, 3), and mask (h, w)."""

    window: tuple[slice, slice]
    pixels: Floats
    mask: Mask


def paint_patch(scene: Scene, image: Floats, patch: Patch, spot: Spot) -> Painted | None:
    """Paint `patch` at `spot` over `image`; None if nothing of it is visible."""
    on = scene.region == spot.region
    side = patch.mask.shape[0]
    reach = np.float32(side * scene.scale / 2)
    period = np.float32(2 * np.pi)
    rows, cols = _window(scene, on, spot, reach)
    if rows.stop <= rows.start or cols.stop <= cols.start:
        return None
    turn = np.remainder(scene.theta[rows, cols] - np.float32(spot.theta) + np.float32(np.pi), period)
    s = (turn - np.float32(np.pi)) * np.float32(spot.radius / scene.scale)
    t = (scene.radius[rows, cols] - np.float32(spot.radius)) / np.float32(scene.scale)
    cos, sin = np.float32(np.cos(spot.turn)), np.float32(np.sin(spot.turn))
    u = s * cos + t * sin + np.float32(side / 2 - 0.5)
    v = t * cos - s * sin + np.float32(side / 2 - 0.5)
    layers = np.dstack([patch.mask, patch.gain - 1, patch.own, patch.height])
    found = np.asarray(cv2.remap(layers, u, v, cv2.INTER_LINEAR, borderValue=(0, 0, 0, 0)), np.float32)
    colour = np.asarray(cv2.remap(patch.colour, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
    mask = _largest((found[..., 0] > 0.5) & on[rows, cols])
    if not mask.any():
        return None
    below = image[rows, cols]
    out = below * (1 + found[..., 1])[..., None]
    out = out + (colour - out) * found[..., 2][..., None]
    dy, dx = np.gradient(found[..., 3] * np.float32(scene.scale))
    shade = (dx * np.float32(scene.light[0]) + dy * np.float32(scene.light[1])) * np.float32(0.75)
    out = out * (1 - np.clip(shade, -0.6, 0.75))[..., None] + 0.35 * np.clip(-shade - 0.05, 0, 0.8)[..., None]
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.5 * max(scene.scale, 0.4))
    pixels = below + (out - below) * np.minimum(soft, mask)[..., None]
    return Painted((rows, cols), np.asarray(pixels, np.float32), mask)


def _window(scene: Scene, on: Mask, spot: Spot, reach: np.float32) -> tuple[slice, slice]:
    """Smallest rectangle with the part of a surface within `reach` pixels of `spot`."""
    away = np.remainder(scene.theta - np.float32(spot.theta) + np.float32(np.pi), np.float32(2 * np.pi))
    near = np.abs(away - np.float32(np.pi)) * np.float32(spot.radius) < reach * 1.42
    near &= np.abs(scene.radius - np.float32(spot.radius)) < reach * 1.42
    near &= on
    rows, cols = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    height, width = near.shape
    return (
        slice(max(0, int(rows[0]) - 2), min(height, int(rows[-1]) + 3)),
        slice(max(0, int(cols[0]) - 2), min(width, int(cols[-1]) + 3)),
    )


def _largest(mask: Mask) -> Mask:
    """The largest connected part of a mask, its holes filled."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(out, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return np.asarray(out > 0)


@dataclass(frozen=True)
class Mark:
    """A defect on a canvas: its full mask (H, W), and the patch and spot to paint it again."""

    mask: Mask
    patch: Patch
    spot: Spot


class Canvas:
    """A scene's image on which defects are painted one after another, apart from each other and from dirt."""

    def __init__(self, scene: Scene, image: Floats, taken: Mask) -> None:
        """`image` (H, W, 3) float32 is changed in place; `taken` (H, W) marks where no defect may be."""
        self.scene, self.image = scene, image
        edges = np.zeros(taken.shape, np.bool_)
        region = scene.region
        edges[:, 1:] |= region[:, 1:] != region[:, :-1]
        edges[1:] |= region[1:] != region[:-1]
        free = (region > 0) & ~edges
        self.free = free & ~taken
        room = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, 3)  # unlimited if nothing bounds it
        self.room = np.asarray(np.minimum(room, taken.shape[0] / 4), np.float32)
        self.taken = taken.copy()

    def add(
        self, rng: np.random.Generator, kind: str, surface: int | None = None, tries: int = 25, shrink: float = 1.0
    ) -> Mark | None:
        """Paint one defect of `kind`, `shrink` times its usual size, on the surface of that number if given.

        Returns:
            None if no place was found.
        """
        scene, scale = self.scene, self.scene.scale
        roomy = self.free & (self.room > max(3.0, 9 * shrink) * scale)
        places = np.flatnonzero(roomy if surface is None else roomy & (scene.region == surface))
        if places.size == 0:
            return None
        for _ in range(tries):
            pair = places[rng.integers(places.size, size=2)]
            roomier = pair[int(np.argmax(self.room.ravel()[pair]))]
            row, col = divmod(int(roomier), scene.region.shape[1])
            region = int(scene.region[row, col])
            room = float(self.room[row, col] / scale)
            if region >= FIRST_ELEMENT and (room < 12 * shrink or kind == "wear"):
                continue
            turn = float(rng.normal(0, 0.06)) if kind == "wear" else 0.0
            spot = Spot(region, float(scene.theta[row, col]), float(scene.radius[row, col]), turn)
            patch = shrunk(draw_defect(rng, kind, max(room, 12.0)), shrink)
            painted = paint_patch(scene, self.image, patch, spot)
            if painted is not None and self._fits(painted, patch, MIN_AREA * max(shrink**2, 0.06)):
                return Mark(self._keep(painted), patch, spot)
        return None

    def _fits(self, painted: Painted, patch: Patch, least: float) -> bool:
        """Whether it is whole and large enough, clear of other marks, away from the rim, and clearly visible."""
        scale, area = self.scene.scale, float(painted.mask.sum())
        if area < max(least * scale**2, 0.6 * scale**2 * float((patch.mask > 0.5).sum())):
            return False
        if self.taken[painted.window][painted.mask].any():
            return False
        rows, cols = np.nonzero(painted.mask)
        height, width = self.taken.shape
        rows, cols = rows + painted.window[0].start, cols + painted.window[1].start
        margin = int(4 * scale)
        if min(rows.min(), cols.min()) < margin or rows.max() >= height - margin or cols.max() >= width - margin:
            return False
        change = np.clip(painted.pixels, 0, 1) - np.clip(self.image[painted.window], 0, 1)
        return float(np.abs(change).mean(2)[painted.mask].mean()) >= MIN_CONTRAST

    def _keep(self, painted: Painted) -> Mask:
        self.image[painted.window] = painted.pixels
        full = np.zeros(self.taken.shape, np.bool_)
        full[painted.window] = painted.mask
        apart = max(3, int(9 * self.scene.scale)) | 1
        self.taken |= cv2.dilate(full.astype(np.uint8), np.ones((apart, apart), np.uint8)) > 0
        return full
