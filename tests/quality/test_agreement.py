"""Agreement against AIAG MSA 4, Fleiss' example and statsmodels."""

import numpy as np
import pytest
from statsmodels.stats import inter_rater

from inspector.quality.agreement import cohen_kappa, fleiss_kappa, study

FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_the_kappas_of_the_published_study(ratings):
    by_name, reference = ratings
    found = study(by_name, reference)
    pairs = [found.pairs[pair] for pair in (("A", "B"), ("B", "C"), ("A", "C"))]
    assert pairs == pytest.approx([0.8629, 0.7880, 0.7761], abs=5e-5)
    against = [found.appraisers[name].kappa for name in "ABC"]
    assert against == pytest.approx([0.8788, 0.9230, 0.7740], abs=5e-5)


def test_effectiveness_misses_and_false_alarms_of_the_published_study(ratings):
    by_name, reference = ratings
    found = study(by_name, reference).appraisers
    assert [found[name].effectiveness.count for name in "ABC"] == [42, 45, 40]
    assert [round(found[name].effectiveness.value, 2) for name in "ABC"] == [0.84, 0.90, 0.80]
    assert [found[name].misses.count for name in "ABC"] == [3, 3, 6] and found["A"].misses.of == 48
    assert [found[name].false_alarms.count for name in "ABC"] == [5, 2, 9] and found["A"].false_alarms.of == 102
    low, high = found["B"].effectiveness.interval
    assert (low, high) == pytest.approx((0.7819, 0.9667), abs=5e-5)


def test_without_a_reference_only_agreement_is_known(ratings):
    by_name, _ = ratings
    found = study(by_name)
    assert found.appraisers["A"].kappa is None and found.appraisers["A"].effectiveness is None
    assert found.appraisers["A"].repeatability.count == 42


def test_fleiss_example():
    assert fleiss_kappa(FLEISS) == pytest.approx(0.2099, abs=5e-5)
    assert fleiss_kappa(FLEISS) == pytest.approx(inter_rater.fleiss_kappa(FLEISS), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_as_statsmodels_computes_it(seed):
    random = np.random.default_rng(seed)
    one = random.integers(0, 3, 80)
    other = np.where(random.random(80) < 0.7, one, random.integers(0, 3, 80))
    table = np.histogram2d(one, other, bins=(range(4), range(4)))[0]
    assert cohen_kappa(one, other) == pytest.approx(inter_rater.cohens_kappa(table).kappa, abs=1e-12)


def test_perfect_agreement_on_one_value_is_one():
    assert cohen_kappa([1, 1], [1, 1]) == 1 and fleiss_kappa([[2, 0], [2, 0]]) == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="as many"):
        cohen_kappa([1], [1, 0])
    with pytest.raises(ValueError, match="same number"):
        fleiss_kappa([[1, 1], [3, 0]])
    with pytest.raises(ValueError, match="same parts"):
        study({"A": [[1, 1]], "B": [[1, 1], [0, 0]]})
    with pytest.raises(ValueError, match="reference"):
        study({"A": [[1, 1]]}, [1, 0])
