"""p charts against Montgomery's orange juice cans, and Nelson's rules on made-up points."""

import numpy as np
import pytest

from inspector.quality.charts import nelson, p_chart

CANS = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]


def test_the_published_chart():
    chart = p_chart(CANS, 50)
    limits = chart.lower[0], chart.centre, chart.upper[0]
    assert limits == pytest.approx((0.0524, 0.2313, 0.4102), abs=5e-5)
    assert [lot + 1 for lot in chart.outside] == [15, 23] and chart.signals[1] == chart.outside


def test_limits_follow_the_size_of_the_lot():
    chart = p_chart([5, 20, 0], [50, 200, 0])
    assert chart.centre == pytest.approx(0.1) and np.isnan(chart.shares[2])
    assert (chart.upper[0] - 0.1) == pytest.approx(2 * (chart.upper[1] - 0.1)) and chart.outside == ()


def test_a_lot_without_parts_breaks_no_run():
    bad, sizes = [3, 3, 3, 3, 0, 3, 3, 3, 3, 3, *[0] * 12], [50, 50, 50, 50, 0, *[50] * 17]
    assert p_chart(bad, sizes).signals[2][0] == 9
    whole = [(b, n) for b, n in zip(bad, sizes, strict=True) if n]
    without = p_chart([b for b, _ in whole], [n for _, n in whole])
    assert [point + (point >= 4) for point in without.signals[2]] == list(p_chart(bad, sizes).signals[2])


@pytest.mark.parametrize(("bad", "sizes"), [([6], [5]), ([-1], [5]), ([0], [0]), ([[1]], [[2]])])
def test_what_is_no_lot_is_refused(bad, sizes):
    with pytest.raises(ValueError, match="each lot"):
        p_chart(bad, sizes)


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        (1, [0, 3.1]),
        (2, [0.5] * 9),
        (3, [-1, -0.5, 0, 0.5, 1, 1.5]),
        (4, [0.5, -0.5] * 7),
        (5, [2.1, 0, 2.1]),
        (6, [1.1, 1.2, 0, 1.3, 1.1]),
        (7, [0.5, -0.5, 0.2] * 5),
        (8, [1.1, -1.1, 1.2, -1.2, -1.1, 1.3, 1.1, -1.4]),
    ],
)
def test_each_rule_is_met_and_just_not(rule, points):
    assert nelson(points)[rule] == (len(points) - 1,)
    assert rule not in nelson(points[1:] if rule != 1 else [0, 3.0])
