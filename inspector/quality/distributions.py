"""The few distribution functions that the statistics need, to the accuracy of double precision."""

from __future__ import annotations

from collections.abc import Callable
from math import comb, exp, lgamma, log, log1p
from statistics import NormalDist

_STEPS = 200  # of a bisection; each halves the interval, so this is more than double precision needs
_TINY = 1e-300


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def binomial_cdf(most: int, n: int, p: float) -> float:
    """Return the probability of at most ``most`` successes in ``n`` trials of probability ``p``."""
    if most < 0:
        return 0.0
    if most >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    if n <= 60:
        return float(sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(most + 1)))
    total = lgamma(n + 1)
    return float(
        sum(exp(total - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p)) for k in range(most + 1))
    )


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the zero of a function that falls from ``low`` to ``high``."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def f_survival(value: float, numerator: float, denominator: float) -> float:
    """Return the probability that an F distributed number exceeds ``value``.

    Args:
        numerator, denominator: degrees of freedom.
    """
    if value <= 0:
        return 1.0
    return _incomplete_beta(denominator / 2, numerator / 2, denominator / (denominator + numerator * value))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            step = c * d
            value *= step
        if abs(step - 1) < 1e-16:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
