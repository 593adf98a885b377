"""One image of a part with its defects."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inspector.datasets.synthetic.bearing import draw_view, render_bearing
from inspector.datasets.synthetic.defects import KINDS
from inspector.datasets.synthetic.dirt import soil
from inspector.datasets.synthetic.lens import photograph
from inspector.datasets.synthetic.paint import Canvas
from inspector.datasets.synthetic.raceway import render_raceway
from inspector.datasets.synthetic.scene import Mask, Scene
from inspector.datasets.synthetic.surfaces import render_surface

RACEWAY_SHARE, SURFACE_SHARE = 0.2, 0.3
SMALL_SHARE = 0.4  # of the defects are shrunk, down to about 4 pixels


@dataclass(frozen=True)
class PaintedDefect:
    """A defect of `kind` (one of KINDS) and the pixels whose material it altered: mask (H, W) bool, one piece."""

    kind: str
    mask: Mask


@dataclass(frozen=True)
class Part:
    """An image (H, W, 3) uint8 BGR and its defects, whose masks do not overlap."""

    image: npt.NDArray[np.uint8]
    defects: tuple[PaintedDefect, ...]


def render_part(rng: np.random.Generator, *, size: int = 640, good: bool = False) -> Part:
    """Render one random part, `size` pixels square; without defects if `good`, else with one to four."""
    while True:
        scene = _draw_scene(rng, size)
        image, thick = soil(rng, scene)
        defects: list[PaintedDefect] = []
        if not good:
            canvas = Canvas(scene, image, thick)
            for _ in range(int(rng.choice(4, p=[0.35, 0.3, 0.2, 0.15])) + 1):
                kind = KINDS[int(rng.integers(len(KINDS)))]
                shrink = float(np.exp(rng.uniform(np.log(0.14), np.log(0.7)))) if rng.random() < SMALL_SHARE else 1.0
                mark = canvas.add(rng, kind, shrink=shrink)
                if mark is not None:
                    defects.append(PaintedDefect(kind, mark.mask))
        if good or defects:
            return Part(photograph(rng, image, scene.scale), tuple(defects))


def _draw_scene(rng: np.random.Generator, size: int) -> Scene:
    lot = rng.random()
    if lot < RACEWAY_SHARE:
        return render_raceway(rng, size)
    if lot < RACEWAY_SHARE + SURFACE_SHARE:
        return render_surface(rng, size)
    return render_bearing(draw_view(rng), size)
