"""Probability of detection against statsmodels' logistic regression."""

import numpy as np
import pytest
import statsmodels.api as sm

from inspector.quality.detection import fit


def made(seed=0, count=200):
    random = np.random.default_rng(seed)
    sizes = np.exp(random.uniform(np.log(2), np.log(60), count))
    odds = -6 + 2.5 * np.log(sizes)
    return sizes, random.random(count) < 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("seed", range(3))
def test_as_statsmodels_fits_it(seed):
    sizes, found = made(seed)
    curve = fit(sizes, found)
    expected = sm.Logit(found.astype(float), sm.add_constant(np.log(sizes))).fit(disp=0, tol=1e-14)
    assert (curve.intercept, curve.slope) == pytest.approx(tuple(expected.params), rel=1e-6)
    assert curve.covariance == pytest.approx(np.asarray(expected.cov_params()), rel=1e-5)


def test_a90_and_its_bound():
    curve = fit(*made())
    assert curve.probability(curve.size_at(0.9)) == pytest.approx(0.9)
    bound = curve.size_at_bound(0.9, 0.95)
    assert bound > curve.size_at(0.9) and curve.lower_bound(bound) == pytest.approx(0.9)
    assert curve.size_at(0.9) == pytest.approx(np.exp((np.log(9) + 6) / 2.5), rel=0.25), "the curve it was made with"


def test_more_defects_bring_the_bound_nearer():
    few, many = (fit(*made(count=count)) for count in (120, 3000))
    assert many.size_at_bound() / many.size_at() < few.size_at_bound() / few.size_at()


@pytest.mark.parametrize(
    ("sizes", "found", "named"),
    [
        ([1, 2, 3], [1, 1, 1], "missed"),
        ([1, 2, 3, 4], [0, 0, 1, 1], "no curve fits"),
        ([1, 2, 3, 4], [1, 1, 0, 0], "not found more often"),
        ([0, 2, 3], [0, 1, 0], "above 0"),
        ([1, 2], [0, 1], "three"),
        ([1, 2, 3, 3, 4, 5], [0, 0, 0, 1, 1, 1], "no curve fits"),
        ([1, 2, 3, 3, 4, 5], [1, 1, 1, 0, 0, 0], "not found more often"),
        ([3, 3, 3, 3], [0, 1, 0, 1], "one size"),
        ([1, 2, float("nan")], [0, 1, 1], "above 0"),
        ([1, 2, 3, 4], [1, 0, 0, 1], "not found more often|hardly"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sizes, found, named):
    with pytest.raises(ValueError, match=named):
        fit(sizes, found)


@pytest.mark.parametrize("seed", range(20))
def test_few_defects_that_nearly_separate_are_fitted_or_refused(seed):
    """A curve that comes back is the maximum of the likelihood, however steep."""
    random = np.random.default_rng(seed)
    sizes = np.sort(random.uniform(1, 10, 12))
    found = sizes > 5
    found[5:7] = ~found[5:7]
    try:
        curve = fit(sizes, found)
    except ValueError as error:
        assert "found" in str(error) or "fits" in str(error)
        return
    expected = sm.Logit(found.astype(float), sm.add_constant(np.log(sizes))).fit(disp=0, maxiter=500, tol=1e-12)
    assert (curve.intercept, curve.slope) == pytest.approx(tuple(expected.params), rel=1e-5)
    assert 0 <= curve.probability(1e-300) < 1e-3 and curve.probability(1e300) == pytest.approx(1)
