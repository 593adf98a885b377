"""Refusals of sizes that a layer cannot have, with its name."""

from __future__ import annotations

from math import gcd


def same_channels(name: str, c1: int, c2: int) -> None:
    """Raise ValueError where a layer that keeps the channels is asked to change them."""
    if c1 != c2:
        raise ValueError(f"{name} keeps the channels; c1 is {c1}, c2 is {c2}")


def divides(name: str, channels: int, by: int, what: str) -> None:
    """Raise ValueError where ``by`` does not divide the channels."""
    if by < 1 or channels < 1 or channels % by:
        raise ValueError(f"{name}: {what} must divide the channels; there are {channels} channels, {what} is {by}")


def groups_of(channels: int, most: int, least_width: int = 1) -> int:
    """The largest power of two up to ``most`` that divides the channels into groups of at least ``least_width``."""
    groups = gcd(channels, most)
    while groups > 1 and channels // groups < least_width:
        groups //= 2
    return groups
