"""Confidence intervals of a share, and how many parts a claim needs."""

from __future__ import annotations

from inspector.quality.distributions import binomial_cdf, bisect, normal_quantile


def clopper_pearson(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of ``count`` / ``n`` (Clopper and Pearson 1934, Biometrika 26, 404).

    Args:
        n: 0 gives (0, 1).
        confidence: 0 to 1.

    Raises:
        ValueError: ``count`` is not from 0 to ``n``.
    """
    _check(count, n)
    if not n:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = bisect(lambda p: tail - (1 - binomial_cdf(count - 1, n, p)), 0, 1) if count else 0.0
    high = bisect(lambda p: binomial_cdf(count, n, p) - tail, 0, 1) if count < n else 1.0
    return low, high


def upper_limit(count: int, n: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper limit of ``count`` / ``n``: 0 of 20 is up to 14 %."""
    _check(count, n)
    if count >= n:
        return 1.0
    return bisect(lambda p: binomial_cdf(count, n, p) - (1 - confidence), 0, 1)


def wilson(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score interval of ``count`` / ``n`` (Wilson 1927, J. Am. Stat. Assoc. 22, 209).

    Raises:
        ValueError: ``count`` is not from 0 to ``n``.
    """
    _check(count, n)
    if not n:
        return 0.0, 1.0
    z = normal_quantile((1 + confidence) / 2)
    share, square = count / n, z * z / n
    half = z * ((share * (1 - share) + square / 4) / n) ** 0.5
    low, high = (share + square / 2 - half) / (1 + square), (share + square / 2 + half) / (1 + square)
    return (0.0 if not count else low), (1.0 if count == n else high)


def parts_needed(misses: int = 0, share: float = 0.9, confidence: float = 0.95) -> int:
    """Return how many parts show that at least ``share`` of the defects are found, with ``misses`` misses allowed.

    29, 46 and 61 for 0, 1 and 2 misses at 90 % and 95 % (MIL-HDBK-1823A).
    """
    if not 0 < share < 1 or not 0 < confidence < 1 or misses < 0:
        raise ValueError("share and confidence are between 0 and 1, and misses at least 0")
    n = misses + 1
    while binomial_cdf(misses, n, 1 - share) > 1 - confidence:
        n += 1
    return n


def _check(count: int, n: int) -> None:
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} is no share")
