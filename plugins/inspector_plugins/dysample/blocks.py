"""DySample as an upsampling layer."""

from __future__ import annotations

from math import gcd

from inspector_plugins.dysample.layers import DySample

_GROUPS = 4  # the paper's


def dysample(c1: int, c2: int, stride: int) -> DySample:
    """(N, c1, H, W) -> (N, c2, 2H, 2W), c1 == c2, in 4 groups where the channels divide, else in 2 or 1.

    Raises:
        ValueError: where c1 != c2.
    """
    if c1 != c2:
        raise ValueError(f"DySample keeps the channels; c1 is {c1}, c2 is {c2}")
    return DySample(c1, groups=gcd(c1, _GROUPS))
