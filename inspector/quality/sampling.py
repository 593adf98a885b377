"""Acceptance sampling of lots: single plans of MIL-STD-105E by percent nonconforming, and the switching rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.quality.distributions import binomial_cdf

Severity = Literal["normal", "tightened", "reduced"]
AQLS = (0.010, 0.015, 0.025, 0.040, 0.065, 0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0)
"""Acceptable quality levels, percent nonconforming."""
LETTERS = "ABCDEFGHJKLMNPQR"
_LOTS = (8, 15, 25, 50, 90, 150, 280, 500, 1200, 3200, 10_000, 35_000, 150_000, 500_000)
# Table I: code letters by lot size, one more for larger lots.
_LEVELS = {
    "S-1": "AAAABBBBCCCCDDD",
    "S-2": "AAABBBCCCDDDEEE",
    "S-3": "AABBCCDDEEFFGGH",
    "S-4": "AABCCDEEFGGHJJK",
    "I": "AABCCDEFGHJKLMN",
    "II": "ABCDEFGHJKLMNPQ",
    "III": "BCDEFGHJKLMNPQR",
}
_SIZES = (2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000)
_SIZES_REDUCED = (2, 2, 2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800)
_UP, _DOWN = "up", "down"
# Tables II-A to II-C repeat along their diagonals: (letter + AQL) - 14 is the place in these rows.
_NORMAL: tuple[tuple[int, int] | str, ...] = (
    (0, 1), _UP, _DOWN, (1, 2), (2, 3), (3, 4), (5, 6), (7, 8), (10, 11), (14, 15), (21, 22),
)  # fmt: skip
_TIGHTENED: tuple[tuple[int, int] | str, ...] = (
    _DOWN, (0, 1), _DOWN, _DOWN, (1, 2), (2, 3), (3, 4), (5, 6), (8, 9), (12, 13), (18, 19),
)  # fmt: skip
_REDUCED: tuple[tuple[int, int] | str, ...] = (
    (0, 1), _UP, _DOWN, (0, 2), (1, 3), (1, 4), (2, 5), (3, 6), (5, 8), (7, 10), (10, 13),
)  # fmt: skip
_TABLES = {"normal": _NORMAL, "tightened": _TIGHTENED, "reduced": _REDUCED}
_FIRST = 14  # letter A is 0, AQL 0.010 is 0: J (8) with 0.15 (6) accepts on 0


@dataclass(frozen=True)
class Plan:
    """A single sampling plan.

    Attributes:
        letter: code letter of the plan that is used, after following the table's arrows.
        size: parts in the sample.
        accept: the lot is accepted with up to so many bad parts.
        reject: the lot is rejected from so many on; between both (reduced only) it is accepted, and inspection
            returns to normal.
    """

    letter: str
    size: int
    accept: int
    reject: int

    def acceptance(self, share: float) -> float:
        """Return the probability that a lot with this share of bad parts is accepted: the operating characteristic."""
        return binomial_cdf(self.reject - 1, self.size, share)


def code_letter(lot: int, level: str = "II") -> str:
    """Return the code letter of a lot size (table I).

    Raises:
        ValueError: the lot has fewer than 2 parts, or there is no such level.
    """
    if lot < 2 or level not in _LEVELS:
        raise ValueError(f"a lot has at least 2 parts, and the level is one of {', '.join(_LEVELS)}")
    return _LEVELS[level][sum(lot > most for most in _LOTS)]


def plan(letter: str, aql: float, severity: Severity = "normal") -> Plan:
    """Return the plan of a code letter and AQL (tables II-A, II-B, II-C), arrows followed.

    Raises:
        ValueError: there is no such letter or AQL.
    """
    if letter not in LETTERS or aql not in AQLS:
        raise ValueError(f"the code letter is one of {LETTERS}, and the AQL one of {', '.join(map(str, AQLS))}")
    row, table = LETTERS.index(letter), _TABLES[severity]
    sizes = _SIZES_REDUCED if severity == "reduced" else _SIZES
    direction = 0
    while True:
        place = row + AQLS.index(aql) - _FIRST
        entry = _DOWN if place < 0 else _UP if place >= len(table) else table[place]
        if not isinstance(entry, str):
            return Plan(LETTERS[row], sizes[row], *entry)
        direction = direction or (1 if entry == _DOWN else -1)
        if not 0 <= row + direction < len(LETTERS):
            direction = -direction  # the table ends with arrows that point inside
        row += direction


def next_severity(severity: Severity, accepted: Sequence[bool], limit_met: bool = False) -> Severity | None:
    """Return the severity for the next lot by the switching rules (MIL-STD-105E, 4.7); None: stop and correct.

    Args:
        accepted: of the lots inspected on original inspection since the last switch, oldest first.
        limit_met: whether the conditions for reduced inspection other than ten accepted lots are met: the limit
            number, steady production, and approval.
    """
    if severity == "normal":
        if list(accepted[-5:]).count(False) >= 2:
            return "tightened"
        return "reduced" if limit_met and len(accepted) >= 10 and all(accepted[-10:]) else "normal"
    if severity == "tightened":
        if len(accepted) >= 5 and all(accepted[-5:]):
            return "normal"
        return None if list(accepted).count(False) >= 5 else "tightened"
    return "reduced" if all(accepted) else "normal"
