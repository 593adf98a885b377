"""Attribute agreement: whether appraisers agree with each other and with the truth (AIAG MSA 4, III-C)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from inspector.quality.intervals import clopper_pearson

Table = NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """A share with its exact 95 % interval."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        return clopper_pearson(self.count, self.of)


@dataclass(frozen=True)
class Appraiser:
    """One appraiser against the reference.

    Attributes:
        kappa: Cohen's kappa of all ratings against the reference; None without a reference.
        effectiveness: parts that were judged as the reference says in every trial.
        repeatability: parts that were judged alike in every trial.
        misses: bad parts' ratings that were good.
        false_alarms: good parts' ratings that were bad.
    """

    kappa: float | None
    effectiveness: Share | None
    repeatability: Share
    misses: Share | None
    false_alarms: Share | None


@dataclass(frozen=True)
class AgreementStudy:
    """Result of :func:`study`.

    Attributes:
        pairs: Cohen's kappa of two appraisers over all parts and trials.
        appraisers: by name.
        fleiss: Fleiss' kappa of all ratings.
    """

    pairs: Mapping[tuple[str, str], float]
    appraisers: Mapping[str, Appraiser]
    fleiss: float


def cohen_kappa(first: Sequence[int], second: Sequence[int]) -> float:
    """Return the agreement of two raters beyond chance (Cohen 1960, doi:10.1177/001316446002000104).

    Raises:
        ValueError: they are of different length, or empty.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError("two raters need as many ratings each, and at least one")
    values = np.union1d(a, b)
    observed = float(np.mean(a == b))
    expected = float(sum(np.mean(a == value) * np.mean(b == value) for value in values))
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(counts: Sequence[Sequence[int]] | Table) -> float:
    """Return the agreement of several raters beyond chance (Fleiss 1971, doi:10.1037/h0031619).

    Args:
        counts: (subjects, categories), how many ratings each category got; the same number for each subject.

    Raises:
        ValueError: the numbers of ratings differ, or there are fewer than two.
    """
    table = np.asarray(counts, np.float64)
    ratings = table.sum(1)
    if table.ndim != 2 or not table.size or np.any(ratings != ratings[0]) or ratings[0] < 2:
        raise ValueError("each subject needs the same number of ratings, and at least two")
    n = ratings[0]
    observed = float(np.mean((np.square(table).sum(1) - n) / (n * (n - 1))))
    expected = float(np.square(table.sum(0) / table.sum()).sum())
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def study(ratings: Mapping[str, Sequence[Sequence[int]]], reference: Sequence[int] | None = None) -> AgreementStudy:
    """Evaluate an attribute agreement study.

    Args:
        ratings: appraiser -> (parts, trials), 1 for good and 0 for bad.
        reference: (parts,), the truth; None if it is not known.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    tables = {name: np.asarray(rows, np.int64) for name, rows in ratings.items()}
    shapes = {table.shape for table in tables.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError("each appraiser needs the same parts and trials")
    truth = None if reference is None else np.asarray(reference, np.int64)
    if truth is not None and truth.shape != next(iter(tables.values())).shape[:1]:
        raise ValueError("the reference needs one value a part")
    pairs = {
        (one, other): cohen_kappa(tables[one].ravel().tolist(), tables[other].ravel().tolist())
        for one, other in combinations(tables, 2)
    }
    together = np.concatenate(list(tables.values()), axis=1)
    values = np.unique(together)
    counts = np.stack([(together == value).sum(1) for value in values], axis=1)
    appraisers = {name: _appraiser(table, truth) for name, table in tables.items()}
    return AgreementStudy(pairs, appraisers, fleiss_kappa(counts))


def _appraiser(table: Table, truth: Table | None) -> Appraiser:
    alike = np.all(table == table[:, :1], axis=1)
    repeatability = Share(int(alike.sum()), len(table))
    if truth is None:
        return Appraiser(None, None, repeatability, None, None)
    wide = np.repeat(truth[:, None], table.shape[1], axis=1)
    right = np.all(table == wide, axis=1)
    bad, good = wide == 0, wide == 1
    return Appraiser(
        cohen_kappa(table.ravel().tolist(), wide.ravel().tolist()),
        Share(int(right.sum()), len(table)),
        repeatability,
        Share(int((table[bad] == 1).sum()), int(bad.sum())),
        Share(int((table[good] == 0).sum()), int(good.sum())),
    )
