"""Zoom, pan and fit as arithmetic."""

import math

import pytest

from inspector.ui.kit.image_view.viewport import HIGHEST, LARGEST_CENTRED, SMALLEST_CENTRED, STEP, Viewport, fit_zoom

SIZES = [
    ((1920, 1080), (850, 450)),
    ((1, 1), (850, 450)),
    ((1, 5000), (850, 450)),
    ((5000, 1), (300, 700)),
    ((640, 640), (1, 1)),
]


@pytest.mark.parametrize(("image_size", "window"), SIZES)
def test_fit_shows_the_whole_image_in_the_middle(image_size, window):
    view = Viewport.fit(image_size, window)
    left, top = view.to_window((0, 0))
    right, bottom = view.to_window(image_size)
    assert left >= -1
    assert top >= -1
    assert right <= window[0] + 1
    assert bottom <= window[1] + 1
    assert abs((left + right) - window[0]) <= 1
    assert abs((top + bottom) - window[1]) <= 1
    assert view.zoom == HIGHEST or math.isclose(max((right - left) / window[0], (bottom - top) / window[1]), 1)


@pytest.mark.parametrize("at", [(0, 0), (849, 449), (425, 225), (100, 400)])
def test_what_lies_below_the_pointer_stays_there(at):
    view = Viewport.fit((4000, 3000), (850, 450)).zoomed(3, (425, 225))
    before = view.to_image(at)
    for factor in (STEP, STEP, 3, 1 / STEP):
        view = view.zoomed(factor, at)
        x, y = view.to_window(before)
        assert abs(x - at[0]) <= 3  # the origin of the first view is rounded, and this grows with the zoom
        assert abs(y - at[1]) <= 3


def test_many_small_steps_lead_where_one_large_step_does():
    once = many = Viewport.fit((4000, 3000), (850, 450)).zoomed(1.5, (100, 100))
    for _ in range(20):
        many = many.zoomed(STEP**0.5, (700, 90))
    once = once.zoomed(STEP**10, (700, 90))
    assert many.zoom == pytest.approx(once.zoom)
    assert many.centre == pytest.approx(once.centre)


def test_window_and_image_coordinates_are_inverse():
    view = Viewport.fit((4000, 3000), (851, 457)).zoomed(2.7, (10, 20)).panned(33, -7)
    x, y = view.to_image(view.to_window((1234.5, 67.25)))
    assert (round(x, 6), round(y, 6)) == (1234.5, 67.25)
    assert all(isinstance(value, int) for value in view.origin)


def test_zooming_ends_at_both_sides():
    view = Viewport.fit((4000, 3000), (850, 450)).zoomed(2, (0, 0))
    for _ in range(60):
        view = view.zoomed(STEP)
    assert view.zoom == HIGHEST
    for _ in range(60):
        view = view.zoomed(1 / STEP, (3, 4))
    assert view == Viewport.fit((4000, 3000), (850, 450))
    small = Viewport.fit((100, 50), (850, 450))
    assert small.zoom == 8.5
    assert small.zoomed(0.01).zoom == 1
    assert small.zoomed(0.01).centre == (50, 25)


def test_actual_is_exactly_one():
    assert Viewport.fit((4000, 3000), (850, 450)).actual().zoom == 1
    assert Viewport.fit((100, 50), (850, 450)).actual().zoom == 1
    assert Viewport.fit((850, 450), (850, 450)).actual().fitted


def test_pan_moves_by_window_pixels_and_keeps_the_image_in_sight():
    view = Viewport.fit((4000, 3000), (850, 450)).actual()
    moved = view.panned(30, -12)
    assert (moved.origin[0] - view.origin[0], moved.origin[1] - view.origin[1]) == (30, -12)
    far = view.panned(1e9, -1e9)
    assert far.centre == (0, 3000)
    assert far.panned(-1e9, 1e9).centre == (4000, 0)


@pytest.mark.parametrize(
    "box", [(10, 10, 20, 30), (3990, 2990, 4000, 3000), (0, 0, 4000, 3000), (500, 500, 500, 500), (0, 100, 4000, 110)]
)
def test_a_defect_is_brought_to_the_middle_neither_tiny_nor_too_large(box):
    for view in (Viewport.fit((4000, 3000), (850, 450)), Viewport.fit((4000, 3000), (850, 450)).zoomed(100)):
        view = view.centred(box)
        x, y = view.to_window(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        assert abs(x - 425) <= 1
        assert abs(y - 225) <= 1
        wide, high = (box[2] - box[0]) * view.zoom, (box[3] - box[1]) * view.zoom
        fit = fit_zoom((4000, 3000), (850, 450))
        assert view.zoom >= fit
        assert view.zoom == fit or (wide <= LARGEST_CENTRED * 850 + 1e-6 and high <= LARGEST_CENTRED * 450 + 1e-6)
        assert view.zoom in (fit, HIGHEST) or max(wide, high) >= SMALLEST_CENTRED * 450 - 1e-6


def test_centring_keeps_a_zoom_that_suits():
    view = Viewport.fit((4000, 3000), (850, 450)).actual()
    assert view.centred((1000, 1000, 1200, 1100)).zoom == 1


def test_a_window_of_another_size():
    view = Viewport.fit((4000, 3000), (850, 450))
    assert view.resized((400, 300)) == Viewport.fit((4000, 3000), (400, 300))
    zoomed = view.zoomed(5, (10, 10))
    other = zoomed.resized((400, 300))
    assert (other.zoom, other.centre, other.window) == (zoomed.zoom, zoomed.centre, (400, 300))
    assert view.resized((0, -3)).window == (1, 1)
