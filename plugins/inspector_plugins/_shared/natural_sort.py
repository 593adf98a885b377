"""Natural order of file names: ``img2`` before ``img10``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


def natural_key(parts: Sequence[str]) -> tuple[Any, ...]:
    """Sort key for the parts of a path: digits by value, letters case-insensitively; exact spelling breaks ties."""
    split = [re.split("([0-9]+)", part.casefold()) for part in parts]
    return [[int(p) if p.isdecimal() and p.isascii() else p for p in part] for part in split], tuple(parts)
