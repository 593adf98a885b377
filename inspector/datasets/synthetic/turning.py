"""A short video of a turning bearing, for the sample video."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from inspector.datasets.synthetic.bearing import INNER_FACE, View, draw_view, render_bearing
from inspector.datasets.synthetic.camera import Camera
from inspector.datasets.synthetic.defects import KINDS
from inspector.datasets.synthetic.lens import develop, expose, flicker
from inspector.datasets.synthetic.paint import Canvas, Mark, Spot, paint_patch

STEP = 2 * np.pi / 90  # of the inner ring from frame to frame, radians


def turning_video_frames(seed: int, count: int, size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Render `count` frames (size, size, 3) uint8 BGR of one bearing, in order of time.

    The outer ring rests; the inner ring turns with its grain, marking and one or two defects; balls and cage follow
    at the slower speed at which balls roll. One turn takes 90 frames. The same arguments give the same frames.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    view, marks = _draw_damaged(rng, size)
    lens_seed = int(rng.integers(2**31))
    bearing = view.bearing
    cage_step = STEP * bearing.inner / (bearing.inner + bearing.outer)
    for frame in range(count):
        turn = frame * STEP
        scene = render_bearing(view, size, inner_turn=turn, cage_turn=frame * cage_step)
        image = scene.image
        for mark in marks:
            spot = Spot(mark.spot.region, mark.spot.theta + turn, mark.spot.radius, mark.spot.turn)
            painted = paint_patch(scene, image, mark.patch, spot)
            if painted is not None:
                image[painted.window] = painted.pixels
        own = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(frame,)))
        photo = expose(np.random.default_rng(lens_seed), image, scene.scale) * flicker(own, (size, size))[..., None]
        yield develop(own, photo, 0.008)


def _draw_damaged(rng: np.random.Generator, size: int) -> tuple[View, tuple[Mark, ...]]:
    """An open bearing seen whole, almost straight on, with one or two defects on its inner ring."""
    while True:
        camera = Camera(0.46, (0.0, 0.0), float(rng.uniform(0.05, 0.15)), float(rng.uniform(0, 2 * np.pi)), 7.0)
        view = draw_view(rng, closure="open", camera=camera)
        if view.bearing.element != "ball" or view.bearing.inner - view.bearing.bore < 0.16:
            continue
        scene = render_bearing(view, size)
        canvas = Canvas(scene, scene.image, np.zeros((size, size), np.bool_))
        kinds = [KINDS[int(rng.integers(len(KINDS)))] for _ in range(int(rng.integers(1, 3)))]
        found = [canvas.add(rng, kind, surface=INNER_FACE) for kind in kinds]
        marks = tuple(mark for mark in found if mark is not None)
        if marks:
            return view, marks
