import pytest

from inspector.domain import Calibration, Choice, InputError, Job, Measures, check_scale, to_millimetres
from inspector.domain.measures import EDGE_PX


def test_lengths_and_areas_in_millimetres_with_their_uncertainty():
    calibration = Calibration(0.02, relative_uncertainty=0.005, repeatability_px=0.3)
    value, uncertainty = calibration.length(100)
    assert value == pytest.approx(2.0)
    assert uncertainty == pytest.approx(0.02 * (0.5**2 + 2 * EDGE_PX**2 + 0.3**2) ** 0.5)
    value, uncertainty = calibration.area(400, 80)
    assert value == pytest.approx(0.16)
    assert uncertainty == pytest.approx(0.0004 * (4**2 + (80 * EDGE_PX) ** 2 + 24**2) ** 0.5)


def test_millimetres_are_unknown_without_a_calibration_and_where_pixels_are():
    measures = Measures(area_px=400, length_px=50.0, perimeter_px=80.0)
    assert set(to_millimetres(measures, None).values()) == {None}
    found = to_millimetres(measures, Calibration(0.1))
    assert (
        found["area_mm2"] == 4.0 and found["length_mm"] == 5.0 and found["length_mm_u"] == pytest.approx(0.0408, 1e-2)
    )
    assert found["width_mm"] is None and found["width_mm_u"] is None


def test_it_comes_back_from_json_and_with_its_job():
    calibration = Calibration(0.05, 0.001, 0.2, "circle", "2026-12-01", "Li", 0.4, 1280, 720)
    assert Calibration.from_json(calibration.to_json()) == calibration
    job = Job((), Choice("spots"), calibration=calibration)
    assert Job.from_json(job.to_json()) == job
    assert "calibration" not in Job((), Choice("spots")).to_json()
    assert not job.same_inspection(Job((), Choice("spots")))
    assert calibration.fits(1280, 720) and not calibration.fits(720, 1280) and Calibration(1.0).fits(3, 4)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3, "JSON object"),
        ({}, "no mm_per_pixel"),
        ({"mm_per_pixel": 0}, "above 0"),
        ({"mm_per_pixel": True}, "above 0"),
        ({"mm_per_pixel": float("nan")}, "above 0"),
        ({"mm_per_pixel": "0.1"}, "above 0"),
        ({"mm_per_pixel": 1, "version": 2}, "version 2"),
        ({"mm_per_pixel": 1, "scale": 2}, "Unknown key"),
        ({"mm_per_pixel": 1, "relative_uncertainty": -1}, "relative_uncertainty"),
        ({"mm_per_pixel": 1, "method": "guess"}, "method"),
        ({"mm_per_pixel": 1, "date": None}, "date"),
        ({"mm_per_pixel": 1, "width": 100}, "both width and height"),
    ],
)
def test_what_is_wrong_is_refused(data, said):
    with pytest.raises(InputError, match=said):
        Calibration.from_json(data)


def test_a_scale():
    assert check_scale(2) == 2.0
    for wrong in (0, -1, float("inf"), 1001, "a", None, True):
        with pytest.raises(InputError, match="millimetres above 0"):
            check_scale(wrong)
