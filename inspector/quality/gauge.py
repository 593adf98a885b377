"""Repeatability and reproducibility of measured values (GR&R), by ranges and by variance (AIAG MSA 4, III-B)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.quality.distributions import f_survival

# K1 by trials and K2, K3 by number of appraisers and parts: 1 / d2* (AIAG MSA 4, appendix C).
_K1 = {2: 0.8862, 3: 0.5908}
_K2 = {2: 0.7071, 3: 0.5231}
_K3 = {2: 0.7071, 3: 0.5231, 4: 0.4467, 5: 0.4030, 6: 0.3742, 7: 0.3534, 8: 0.3375, 9: 0.3249, 10: 0.3146}
POOL_ABOVE = 0.05
"""The interaction of appraiser and part is pooled with the repeatability if its p value is above this."""


@dataclass(frozen=True)
class GaugeStudy:
    """Standard deviations, in the unit of the values.

    Attributes:
        repeatability: equipment variation, EV.
        reproducibility: appraiser variation, AV, with the interaction where it is not pooled.
        gauge: both together, GRR.
        part: part variation, PV.
        total: TV.
        interaction_p: p value of the interaction of appraiser and part; None by ranges.
    """

    repeatability: float
    reproducibility: float
    gauge: float
    part: float
    total: float
    interaction_p: float | None = None

    @property
    def percent(self) -> float:
        """GRR as a share of the total variation, %."""
        return 100 * self.gauge / self.total if self.total else 0.0

    @property
    def distinct_categories(self) -> int:
        """Number of distinct categories, ndc, to the nearest whole number as in AIAG MSA 4; at least 1."""
        return max(1, round(1.41 * self.part / self.gauge)) if self.gauge else 10**6


def by_ranges(values: ArrayLike) -> GaugeStudy:
    """Evaluate by averages and ranges.

    Args:
        values: (appraisers, parts, trials); 2 or 3 appraisers, 2 to 10 parts, 2 or 3 trials.

    Raises:
        ValueError: another shape.
    """
    x = _checked(values)
    appraisers, parts, trials = x.shape
    if trials not in _K1 or appraisers not in _K2 or parts not in _K3:
        raise ValueError("by ranges, a study has 2 or 3 appraisers, 2 to 10 parts and 2 or 3 trials")
    repeatability = float(np.ptp(x, axis=2).mean() * _K1[trials])
    means = x.mean(axis=(1, 2))
    spread = (float(np.ptp(means)) * _K2[appraisers]) ** 2 - repeatability**2 / (parts * trials)
    reproducibility = max(0.0, spread) ** 0.5
    gauge = (repeatability**2 + reproducibility**2) ** 0.5
    part = float(np.ptp(x.mean(axis=(0, 2))) * _K3[parts])
    return GaugeStudy(repeatability, reproducibility, gauge, part, (gauge**2 + part**2) ** 0.5)


def by_variance(values: ArrayLike) -> GaugeStudy:
    """Evaluate by two-way analysis of variance; the interaction is pooled if it is not significant.

    Args:
        values: (appraisers, parts, trials), at least 2 each.

    Raises:
        ValueError: another shape.
    """
    x = _checked(values)
    a, p, r = x.shape
    mean = x.mean()
    of_appraisers, of_parts, of_cells = x.mean(axis=(1, 2)), x.mean(axis=(0, 2)), x.mean(axis=2)
    ss_a = float(p * r * np.square(of_appraisers - mean).sum())
    ss_p = float(a * r * np.square(of_parts - mean).sum())
    ss_cells = float(r * np.square(of_cells - mean).sum())
    ss_ap = max(0.0, ss_cells - ss_a - ss_p)
    ss_e = float(np.square(x - of_cells[:, :, None]).sum())
    df_ap, df_e = (a - 1) * (p - 1), a * p * (r - 1)
    ms_ap, ms_e = ss_ap / df_ap, ss_e / df_e
    significance = f_survival(ms_ap / ms_e, df_ap, df_e) if ms_e else 0.0
    ms_a, ms_p = ss_a / (a - 1), ss_p / (p - 1)
    if significance > POOL_ABOVE:
        ms_e = (ss_e + ss_ap) / (df_e + df_ap)
        interaction, against = 0.0, ms_e
    else:
        interaction, against = max(0.0, (ms_ap - ms_e) / r), ms_ap
    appraiser = max(0.0, (ms_a - against) / (p * r))
    part = max(0.0, (ms_p - against) / (a * r))
    gauge = ms_e + appraiser + interaction
    variances = (ms_e, appraiser + interaction, gauge, part, gauge + part)
    repeatability, reproducibility, both, of_part, total = (float(value) ** 0.5 for value in variances)
    return GaugeStudy(repeatability, reproducibility, both, of_part, total, significance)


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, np.float64)
    if x.ndim != 3 or min(x.shape) < 2 or not np.all(np.isfinite(x)):
        raise ValueError("a study has at least 2 appraisers, 2 parts and 2 trials, and no value is missing")
    return x
