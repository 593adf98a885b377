"""GR&R against the published study of AIAG MSA 4, and the analysis of variance against statsmodels."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from inspector.quality.gauge import by_ranges, by_variance


def test_the_published_study_by_ranges(gauge):
    found = by_ranges(gauge)
    assert found.percent == pytest.approx(26.68, abs=5e-3) and found.distinct_categories == 5
    values = (found.repeatability, found.reproducibility, found.gauge, found.part, found.total)
    assert values == pytest.approx((0.20186, 0.22967, 0.30577, 1.10460, 1.14610), abs=2e-4)


def test_the_published_study_by_variance(gauge):
    found = by_variance(gauge)
    assert found.percent == pytest.approx(27.86, abs=5e-3) and found.distinct_categories == 5
    values = (found.repeatability, found.reproducibility, found.gauge, found.part)
    assert values == pytest.approx((0.199933, 0.226838, 0.302373, 1.042327), abs=2e-6)
    assert found.interaction_p == pytest.approx(0.974, abs=5e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_interaction_as_statsmodels_computes_it(seed):
    values = np.random.default_rng(seed).normal(size=(3, 5, 2))
    frame = pd.DataFrame(
        [(a, p, values[a, p, t]) for a in range(3) for p in range(5) for t in range(2)], columns=["a", "p", "y"]
    )
    table = anova_lm(ols("y ~ C(a) * C(p)", frame).fit())
    assert by_variance(values).interaction_p == pytest.approx(table.loc["C(a):C(p)", "PR(>F)"], rel=1e-9)


def test_an_interaction_that_matters_is_not_pooled():
    values = np.random.default_rng(0).normal(scale=0.01, size=(3, 5, 3))
    values[0, ::2] += 1
    found = by_variance(values)
    assert found.interaction_p < 0.001 and found.reproducibility > 0.3 and found.repeatability < 0.02


@pytest.mark.parametrize("shape", [(1, 5, 2), (3, 1, 2), (3, 5, 1), (3, 5)])
def test_another_shape_is_refused(shape):
    for evaluate in (by_ranges, by_variance):
        with pytest.raises(ValueError, match="at least 2"):
            evaluate(np.zeros(shape))
    with pytest.raises(ValueError, match="2 to 10 parts"):
        by_ranges(np.zeros((3, 11, 2)))
