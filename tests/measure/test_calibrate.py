"""Calibrations of drawn boards, circles and points with known scales."""

import cv2
import numpy as np
import pytest

from inspector.domain import InputError
from inspector.measure import calibrate

SIZE = (1000, 800)


def turned(image, angle):
    turn = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] / 2), angle, 1)
    return cv2.warpAffine(image, turn, image.shape[1::-1], flags=cv2.INTER_AREA, borderValue=(255, 255, 255))


def disc(radius):
    y, x = np.mgrid[:800, :1000] + 0.5
    inside = np.clip(radius + 0.5 - np.hypot(x - 500.3, y - 399.6), 0, 1)  # its edge is half a pixel wide
    image = np.repeat((230 - 200 * inside)[..., None], 3, 2).astype(np.uint8)
    image[390:410, 495:505] = 230  # a hole
    return image


def board(side=40, angle=0.0):
    image = np.full((800, 1000, 3), 255, np.uint8)
    for row in range(7):
        for column in range(9):
            if (row + column) % 2 == 0:
                x, y = 300 + column * side, 250 + row * side
                image[y : y + side, x : x + side] = 0
    return turned(image, angle)


def charuco(angle=0.0):
    markers = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    drawn = cv2.aruco.CharucoBoard((9, 7), 10, 7, markers).generateImage((540, 420))
    image = np.full((800, 1000), 255, np.uint8)
    image[190:610, 230:770] = drawn
    return turned(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), angle)


def test_two_points():
    found = calibrate.from_points([(100, 100), (400, 500)], 50, SIZE, "Li")
    assert found.mm_per_pixel == pytest.approx(0.1) and found.method == "points"
    assert found.relative_uncertainty == pytest.approx(2**0.5 * 0.5 / 3**0.5 / 500, rel=1e-3)
    assert (found.author, found.width, found.height, found.residual_px) == ("Li", *SIZE, None) and found.date


def test_points_of_a_short_arc_are_less_certain():
    def at(*degrees):
        return [(500 + 200 * np.cos(np.radians(d)), 400 + 200 * np.sin(np.radians(d))) for d in degrees]

    around, arc = (calibrate.from_circle(at(*d), 40, SIZE, "") for d in ((0, 90, 200), (0, 10, 20)))
    assert around.mm_per_pixel == pytest.approx(0.1) == arc.mm_per_pixel
    assert around.relative_uncertainty < 0.005 and arc.relative_uncertainty > 0.05


@pytest.mark.parametrize("radius", [40, 123.4, 350])
def test_circle_found_in_the_image(radius):
    image = disc(radius)
    found = calibrate.from_circle(calibrate.outline_of_circle(image), 20, SIZE, "")
    assert found.mm_per_pixel == pytest.approx(10 / radius, rel=0.2 / radius)
    assert found.residual_px < 0.2 and abs(found.mm_per_pixel * radius / 10 - 1) < 2 * found.relative_uncertainty


@pytest.mark.parametrize("angle", [0, 17, 90, 180])
def test_checkerboard(angle):
    found = calibrate.from_checkerboard(board(angle=angle), (9, 7), 5, "")
    assert found.mm_per_pixel == pytest.approx(0.125, rel=2e-3)
    assert found.residual_px < 0.3 and found.relative_uncertainty < 0.01 and found.method == "checkerboard"


@pytest.mark.parametrize("hidden", [False, True])
def test_charuco_board_even_partly_hidden(hidden):
    image = charuco(11)
    if hidden:
        image[:, 600:] = 255
    found = calibrate.from_charuco(image, (9, 7), 10, 7, "DICT_4X4_50", "")
    assert found.mm_per_pixel == pytest.approx(10 / 60, rel=3e-3)
    assert found.relative_uncertainty < 0.02 and found.method == "charuco"


@pytest.mark.slow
def test_tilt_and_distortion_widen_the_uncertainty():
    image = board()
    corners = np.float32([(0, 0), (1000, 0), (1000, 800), (0, 800)])
    tilted = np.float32([(100, 60), (900, 0), (1000, 800), (0, 700)])
    seen = cv2.warpPerspective(image, cv2.getPerspectiveTransform(corners, tilted), SIZE, borderValue=(255,) * 3)
    straight, found = (calibrate.from_checkerboard(each, (9, 7), 5, "") for each in (image, seen))
    assert found.relative_uncertainty > max(0.02, 3 * straight.relative_uncertainty)
    assert found.residual_px > 3 * straight.residual_px


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: calibrate.from_points([(1, 1), (1, 2)], 5, SIZE, ""), "closer than 2"),
        (lambda: calibrate.from_points([(1, 1), (1, 900)], 5, SIZE, ""), "outside the image"),
        (lambda: calibrate.from_points([(1, 1), (float("nan"), 9)], 5, SIZE, ""), "outside the image"),
        (lambda: calibrate.from_points([(1, 1), (1, 90)], 0, SIZE, ""), "above 0"),
        (lambda: calibrate.from_points([(1, 1), (1, 90)], float("nan"), SIZE, ""), "above 0"),
        (lambda: calibrate.from_circle([(1, 1), (1, 90)], 5, SIZE, ""), "three points"),
        (lambda: calibrate.from_circle([(1, 1), (2, 2), (90, 90)], 5, SIZE, ""), "line"),
        (lambda: calibrate.from_circle([(9, 9), (9, 90), (90, 9), (90, 300)], 5, SIZE, ""), "off a circle"),
        (lambda: calibrate.outline_of_circle(np.full((80, 80, 3), 7, np.uint8)), "No circle"),
        (lambda: calibrate.from_checkerboard(disc(90), (9, 7), 5, ""), "No board"),
        (lambda: calibrate.from_checkerboard(board(), (2, 7), 5, ""), "4 to 200"),
        (lambda: calibrate.from_charuco(board(), (9, 7), 5, 3, "DICT_4X4_50", ""), "No board"),
        (lambda: calibrate.from_charuco(board(), (9, 7), 5, 6, "DICT_4X4_50", ""), "smaller"),
        (lambda: calibrate.from_charuco(board(), (9, 7), 5, 3, "DICT_X", ""), "DICT_4X4_50"),
        (lambda: calibrate.from_charuco(board(), (20, 20), 5, 3, "DICT_4X4_50", ""), "too few"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
