"""Intervals against published figures and statsmodels."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from inspector.quality.intervals import clopper_pearson, parts_needed, upper_limit, wilson


def test_a_published_interval():
    assert clopper_pearson(45, 50) == pytest.approx((0.7819, 0.9667), abs=5e-5)


@pytest.mark.parametrize(("function", "method"), [(clopper_pearson, "beta"), (wilson, "wilson")])
@pytest.mark.parametrize(("count", "n"), [(0, 20), (1, 20), (20, 20), (45, 50), (3, 1000), (990, 100_000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_as_statsmodels_computes_it(function, method, count, n, confidence):
    expected = proportion_confint(count, n, 1 - confidence, method)
    assert function(count, n, confidence) == pytest.approx(expected, abs=1e-9)


def test_none_of_twenty_is_up_to_14_percent():
    assert upper_limit(0, 20) == pytest.approx(0.1391, abs=5e-5)
    assert upper_limit(20, 20) == 1 and clopper_pearson(0, 0) == (0, 1) == wilson(0, 0)


def test_how_many_parts_a_claim_needs():
    assert [parts_needed(misses) for misses in (0, 1, 2)] == [29, 46, 61]
    assert parts_needed(0, 0.99) == 299


@pytest.mark.parametrize(("count", "n"), [(-1, 5), (6, 5)])
@pytest.mark.parametrize("function", [clopper_pearson, wilson, upper_limit])
def test_what_is_no_share_is_refused(function, count, n):
    with pytest.raises(ValueError, match="no share"):
        function(count, n)
