"""Yield and pass rate: the only definition, for the window, statistics, reports and the command line.

A yield is always shown with its definition: "Yield (OK ÷ parts)". Without grouping, each inspected image is a part; an
image that could not be read was not inspected, so it does not count.
"""

from __future__ import annotations


def yield_of(ok: int, parts: int) -> float | None:
    """Return the yield, OK ÷ parts, 0 to 1; None if there is no part."""
    return ok / parts if parts else None


def pass_rate(ok: int, warn: int, parts: int) -> float | None:
    """Return (OK + WARN) ÷ parts, 0 to 1: parts to be reviewed count as passed. It is not the yield."""
    return (ok + warn) / parts if parts else None
