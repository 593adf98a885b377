"""Length of a path of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


def path_length(points: Points, window: int, *, closed: bool) -> float:
    """Return the length of a path without the steps from pixel to pixel, px.

    Each point is replaced by the mean of ``window`` points around it; the ends of an open path stay where they are, and
    a closed path of fewer than four times as many points is not changed.

    Args:
        points: (n, 2), in order; the first of a closed path is not repeated.
        window: odd.
    """
    half = min(window // 2, (len(points) - 1) // 2)
    if closed:
        half = half if len(points) >= 4 * window else 0
        around = np.concatenate([points[len(points) - half :], points, points[: half + 1]])
    else:  # continued beyond its ends by its mirror image
        before, after = 2 * points[0] - points[half:0:-1], 2 * points[-1] - points[-2 : -half - 2 : -1]
        around = np.concatenate([before, points, after])
    sums = np.cumsum(np.vstack([np.zeros((1, 2)), around]), axis=0)
    smooth = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    return float(np.hypot(*np.diff(smooth, axis=0).T).sum())
