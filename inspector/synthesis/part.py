"""One picture of a part with its defects."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inspector.synthesis.bearing import draw_view, render_bearing
from inspector.synthesis.defects import KINDS
from inspector.synthesis.dirt import soil
from inspector.synthesis.lens import photograph
from inspector.synthesis.paint import Canvas
from inspector.synthesis.raceway import render_raceway
from inspector.synthesis.scene import Mask, Scene

RACEWAY_SHARE = 0.2


@dataclass(frozen=True)
class PaintedDefect:
    """A defect of `kind` (one of KINDS) and the pixels whose material it altered: mask (H, W) bool, one piece."""

    kind: str
    mask: Mask


@dataclass(frozen=True)
class Part:
    """A picture (H, W, 3) uint8 BGR and its defects, whose masks do not overlap."""

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
                mark = canvas.add(rng, kind)
                if mark is not None:
                    defects.append(PaintedDefect(kind, mark.mask))
        if good or defects:
            return Part(photograph(rng, image, scene.scale), tuple(defects))


def _draw_scene(rng: np.random.Generator, size: int) -> Scene:
    if rng.random() < RACEWAY_SHARE:
        return render_raceway(rng, size)
    return render_bearing(draw_view(rng), size)
