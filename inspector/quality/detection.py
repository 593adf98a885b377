"""Probability of detection over the size of a defect, by hit and miss (MIL-HDBK-1823A, appendix G)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from inspector.quality.distributions import bisect, normal_quantile

Floats = NDArray[np.float64]
_MOST_STEPS = 100
_PRECISION = 1e-10  # relative change of the coefficients with which the fit ends
_WORST_CONDITION = 1e14  # of the information matrix
_LARGEST_LOG = 300.0  # of a size that is stated


@dataclass(frozen=True)
class DetectionCurve:
    """log odds = ``intercept`` + ``slope`` ln(size), fitted by maximum likelihood.

    Attributes:
        covariance: (2, 2), of intercept and slope.
        smallest, largest: size in the data; outside of them the curve is extrapolated.
    """

    intercept: float
    slope: float
    covariance: Floats
    smallest: float
    largest: float

    def probability(self, size: float) -> float:
        """Return the probability of detecting a defect of this size, 0 to 1."""
        return _logistic(self.intercept + self.slope * log(size))

    def lower_bound(self, size: float, confidence: float = 0.95) -> float:
        """Return the one-sided lower bound of the probability (Wald, on the log odds)."""
        return _logistic(self._lower_odds(log(size), confidence))

    def size_at(self, probability: float = 0.9) -> float:
        """Return the size that is detected with this probability: a90 for 0.9."""
        return exp((log(probability / (1 - probability)) - self.intercept) / self.slope)

    def size_at_bound(self, probability: float = 0.9, confidence: float = 0.95) -> float | None:
        """Return the size from which the lower bound reaches this probability: a90/95; None if it never does."""
        wanted = log(probability / (1 - probability))
        low = log(self.size_at(probability))
        high = low + 1.0
        while self._lower_odds(high, confidence) < wanted:
            high += high - low
            if high - low > 60:
                return None
        return exp(bisect(lambda x: wanted - self._lower_odds(x, confidence), low, high))

    def _lower_odds(self, x: float, confidence: float) -> float:
        row = np.array([1.0, x])
        error = float(row @ self.covariance @ row) ** 0.5
        return float(self.intercept + self.slope * x - normal_quantile(confidence) * error)


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-odds)) if odds >= 0 else exp(odds) / (1 + exp(odds))


def fit(sizes: Sequence[float], found: Sequence[bool | int]) -> DetectionCurve:
    """Fit the curve to defects that were found and missed.

    Args:
        sizes: (defects,), above 0, in any unit.
        found: (defects,).

    Raises:
        ValueError: there are no misses or no hits, a size is not positive, small defects are found more often than
            large ones, or a size separates hits and misses completely, so that no curve fits.
    """
    size, hit = np.asarray(sizes, np.float64), np.asarray(found, np.float64)
    if size.shape != hit.shape or size.ndim != 1 or size.size < 3 or np.any(~np.isfinite(size)) or np.any(size <= 0):
        raise ValueError("each defect needs a size above 0, and there must be three at least")
    if hit.min() == hit.max():
        raise ValueError("there must be defects that were found and defects that were missed")
    if size.min() == size.max():
        raise ValueError("all defects have one size, so no curve fits; add other sizes")
    if size[hit == 1].min() >= size[hit == 0].max():
        raise ValueError("every defect above some size was found and none below, so no curve fits; add sizes between")
    if size[hit == 1].max() <= size[hit == 0].min():
        raise ValueError("larger defects are not found more often than small ones, so no size can be stated")
    x = np.stack([np.ones_like(size), np.log(size)], axis=1)
    beta, covariance = _maximum(x, hit)
    if beta[1] <= 0:
        raise ValueError("larger defects are not found more often than small ones, so no size can be stated")
    return DetectionCurve(float(beta[0]), float(beta[1]), covariance, float(size.min()), float(size.max()))


def _maximum(x: Floats, hit: Floats) -> tuple[Floats, Floats]:
    """Maximum likelihood by Newton's method, with shorter steps where a whole one would go too far.

    Returns:
        (2,) coefficients, and their (2, 2) covariance.

    Raises:
        ValueError: the likelihood has no maximum.
    """
    signs = 2 * hit - 1

    def likelihood(beta: Floats) -> float:
        return -float(np.logaddexp(0, -signs * (x @ beta)).sum())

    beta = np.zeros(2)
    for _ in range(_MOST_STEPS):
        p = np.exp(-np.logaddexp(0, -(x @ beta)))
        information = (x * (p * (1 - p))[:, None]).T @ x
        if np.linalg.cond(information) > _WORST_CONDITION:
            break
        step = np.linalg.solve(information, x.T @ (hit - p))
        if float(np.abs(step).max()) <= _PRECISION * max(1.0, float(np.abs(beta).max())):
            return beta, np.linalg.inv(information)
        while likelihood(beta + step) < likelihood(beta) and float(np.abs(step).max()) > _PRECISION:
            step = step / 2
        beta = beta + step
    raise ValueError("no curve fits these defects; add defects of further sizes")
