"""Control charts of the share of bad parts, with Nelson's rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PChart:
    """A p chart.

    Attributes:
        shares: (lots,) share of bad parts; NaN for a lot without parts.
        centre: mean share.
        lower, upper: (lots,) three-sigma limits, which depend on the size of the lot.
        outside: indices of the lots beyond their limits.
        signals: Nelson rule -> indices of the lots where it is met.
    """

    shares: Floats
    centre: float
    lower: Floats
    upper: Floats
    outside: tuple[int, ...]
    signals: dict[int, tuple[int, ...]]


def p_chart(bad: Sequence[int], sizes: Sequence[int] | int) -> PChart:
    """Compute a p chart with limits for varying sizes (Montgomery, Introduction to Statistical Quality Control, 7.2).

    Args:
        bad: (lots,) bad parts.
        sizes: (lots,) parts, or one size for all.

    Raises:
        ValueError: the shapes differ, a lot has more bad parts than parts, or there are no parts at all.
    """
    number = np.asarray(bad, np.float64)
    n = np.broadcast_to(np.asarray(sizes, np.float64), number.shape)
    if number.ndim != 1 or not n.sum() or np.any(number > n) or np.any(number < 0):
        raise ValueError("each lot needs its number of parts, and no more bad parts than that")
    centre = float(number.sum() / n.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = number / n
        sigma = np.sqrt(centre * (1 - centre) / n)
        z = np.where(sigma > 0, (shares - centre) / sigma, 0.0)
    lower, upper = np.maximum(0, centre - 3 * sigma), np.minimum(1, centre + 3 * sigma)
    beyond = (shares < lower) | (shares > upper)
    outside = tuple(int(i) for i in np.flatnonzero(beyond))
    there = np.flatnonzero(n > 0)  # a lot without parts is no point of the chart, so it breaks no run
    signals = {rule: tuple(int(there[i]) for i in points) for rule, points in nelson(z[there]).items()}
    return PChart(shares, centre, lower, upper, outside, signals)


def nelson(z: Sequence[float] | Floats) -> dict[int, tuple[int, ...]]:
    """Return where Nelson's eight rules are met (Nelson 1984, doi:10.1080/00224065.1984.11978921).

    Args:
        z: (points,) distances from the centre in standard deviations.

    Returns:
        Rule -> index of the last point of each run that meets it; rules that are never met are left out.
    """
    x = np.asarray(z, np.float64)
    found = {
        1: [i for i in range(len(x)) if abs(x[i]) > 3],
        2: _runs(x, 9, lambda w: bool(np.all(w > 0) or np.all(w < 0))),
        3: _runs(x, 6, lambda w: bool(np.all(np.diff(w) > 0) or np.all(np.diff(w) < 0))),
        4: _runs(x, 14, lambda w: bool(np.all(np.diff(w)[1:] * np.diff(w)[:-1] < 0))),
        5: _runs(x, 3, lambda w: bool(max((w > 2).sum(), (w < -2).sum()) >= 2)),
        6: _runs(x, 5, lambda w: bool(max((w > 1).sum(), (w < -1).sum()) >= 4)),
        7: _runs(x, 15, lambda w: bool(np.all(np.abs(w) < 1))),
        8: _runs(x, 8, lambda w: bool(np.all(np.abs(w) > 1))),
    }
    return {rule: tuple(points) for rule, points in found.items() if points}


def _runs(x: Floats, length: int, met: Callable[[Floats], bool]) -> list[int]:
    return [end for end in range(length - 1, len(x)) if met(x[end - length + 1 : end + 1])]
