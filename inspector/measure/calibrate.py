"""Find the size of a pixel from a known distance, circle or board in the plane of the part.

A lens's distortion and a tilted camera are not corrected: their effect is part of the stated uncertainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from inspector.domain import Calibration, InputError, check_scale, quote
from inspector.domain.calibration import Method
from inspector.domain.clock import local_time
from inspector.domain.measures import EDGE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Image

    Points = NDArray[np.float64]

_MOST_UNEVEN = 0.01  # residual of a circle, share of its radius
_FEWEST_CORNERS = 9


def from_points(points: Sequence[tuple[float, float]], mm: float, size: tuple[int, int], author: str) -> Calibration:
    """Return the calibration by two points ``mm`` apart.

    Args:
        points: two, px.
        mm: their distance on the part.
        size: width and height of the image, px.
        author: recorded.

    Raises:
        InputError: not two points inside the image, or they are closer than 2 px.
    """
    _check_millimetres(mm)
    ends = _inside(points, size)
    if len(ends) != 2:
        raise InputError("A known distance has two points, not {count}", count=len(ends))
    distance = float(np.hypot(*(ends[1] - ends[0])))
    if distance < 2:
        raise InputError("The two points are closer than 2 pixels; choose points far from each other")
    return _calibration("points", mm / distance, 2**0.5 * EDGE_PX / distance, None, size, author)


def from_circle(
    points: Sequence[tuple[float, float]] | Points, mm: float, size: tuple[int, int], author: str
) -> Calibration:
    """Return the calibration by points on a circle of the diameter ``mm``.

    Args:
        points: three or more, px; the farther around the circle, the better.
        mm: diameter.
        size: width and height of the image, px.
        author: recorded.

    Raises:
        InputError: fewer than three points, some outside the image, or they do not form a circle.
    """
    _check_millimetres(mm)
    edge = _inside(points, size)
    if len(edge) < 3:
        raise InputError("A circle has three points or more, not {count}", count=len(edge))
    origin = edge.mean(0)
    around = edge - origin
    design = np.column_stack([2 * around, np.ones(len(around))])
    solution, _, rank, _ = np.linalg.lstsq(design, (around**2).sum(1), rcond=1e-9)
    if rank < 3:
        raise InputError("The points are on a line, not on a circle; choose points all around the circle")
    radius = float(np.sqrt(solution[2] + solution[0] ** 2 + solution[1] ** 2))
    away = around - solution[:2]
    distances = np.hypot(*away.T)
    residual = float(np.sqrt(np.mean((distances - radius) ** 2)))
    if residual > max(2 * EDGE_PX, _MOST_UNEVEN * radius):
        raise InputError(
            "The points are {residual:.1f} px off a circle of radius {radius:.0f} px; choose points on one circle, and "
            "point the camera straight at it",
            residual=residual,
            radius=radius,
        )
    # Covariance of the fit: a short arc says little of the radius. All edges may be off in the same direction.
    jacobian = np.column_stack([away / distances[:, None], np.ones(len(away))])
    variance = np.linalg.inv(jacobian.T @ jacobian)[2, 2] * max(residual, EDGE_PX) ** 2
    uncertainty = float(np.hypot(variance**0.5, EDGE_PX)) / radius
    return _calibration("circle", mm / (2 * radius), uncertainty, residual, size, author)


def outline_of_circle(image: Image) -> Points:
    """Return points of the largest closed outline of an image, (n, 2), px, x and y of the image's corner system.

    Raises:
        InputError: there is none.
    """
    from skimage.measure import find_contours

    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    outlines = [c for c in find_contours(grey.astype(np.float32), level + 0.5) if (c[0] == c[-1]).all()]
    if not outlines:
        raise InputError("No circle found in the image; give three or more points on it")
    largest = max(outlines, key=lambda c: cv2.contourArea(c.astype(np.float32)))
    return np.asarray(largest[:-1, ::-1] + 0.5, float)


def from_checkerboard(image: Image, squares: tuple[int, int], mm: float, author: str) -> Calibration:
    """Return the calibration by a checkerboard.

    Args:
        image: of the board in the plane of the part.
        squares: number in a row and in a column.
        mm: side of a square.
        author: recorded.

    Raises:
        InputError: the board is not in the image, or its numbers are wrong.
    """
    columns, rows = _check_board(squares, mm)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    found, corners = cv2.findChessboardCornersSB(grey, (columns - 1, rows - 1), flags=cv2.CALIB_CB_ACCURACY)
    if not found:
        raise _no_board(columns, rows)
    places = np.array([(x, y) for y in range(rows - 1) for x in range(columns - 1)], float)
    return _from_board("checkerboard", corners.reshape(-1, 2).astype(float), places, mm, image, author)


def from_charuco(
    image: Image, squares: tuple[int, int], mm: float, marker_mm: float, dictionary: str, author: str
) -> Calibration:
    """Return the calibration by a ChArUco board, which may be partly hidden.

    Args:
        image: of the board in the plane of the part.
        squares: number in a row and in a column.
        mm: side of a square.
        marker_mm: side of a marker.
        dictionary: of the markers, a name of OpenCV, e.g. ``DICT_4X4_50``.
        author: recorded.

    Raises:
        InputError: too little of the board is in the image, or its numbers are wrong.
    """
    columns, rows = _check_board(squares, mm)
    _check_millimetres(marker_mm)
    if marker_mm >= mm:
        raise InputError("The markers of a ChArUco board are smaller than its squares; measure both")
    number = getattr(cv2.aruco, dictionary, None) if dictionary.startswith("DICT_") else None
    if number is None:
        raise InputError(
            "There are no markers {dictionary}; give a name such as DICT_4X4_50", dictionary=quote(dictionary)
        )
    markers = cv2.aruco.getPredefinedDictionary(number)
    if columns * rows // 2 > len(markers.bytesList):
        raise InputError(
            "{dictionary} has too few markers for {columns}x{rows} squares; give the one that the board was made with",
            dictionary=dictionary,
            columns=columns,
            rows=rows,
        )
    board = cv2.aruco.CharucoBoard((columns, rows), mm, marker_mm, markers)
    corners, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    if ids is None or len(ids) < _FEWEST_CORNERS:
        raise _no_board(columns, rows)
    numbers = ids.ravel()
    places = np.column_stack([numbers % (columns - 1), numbers // (columns - 1)]).astype(float)
    return _from_board("charuco", corners.reshape(-1, 2).astype(float), places, mm, image, author)


def _from_board(method: Method, corners: Points, places: Points, mm: float, image: Image, author: str) -> Calibration:
    """Fit shift, turn and scale; ``places`` are the corners' columns and rows on the board."""
    # As complex numbers, a turn with a scale is one factor; the conjugate is a board numbered in mirror image.
    seen = corners @ (1, 1j)
    seen -= seen.mean()
    fits = []
    for turn in (1j, -1j):
        known = places @ (1, turn)
        known -= known.mean()
        factor = np.vdot(known, seen) / np.vdot(known, known).real
        fits.append((float(np.sqrt(np.mean(np.abs(seen - factor * known) ** 2))), float(abs(factor))))
    residual, side = min(fits)
    by_place = {(round(x), round(y)): corner for (x, y), corner in zip(places, corners, strict=True)}
    sides = [
        float(np.hypot(*(by_place[neighbour] - corner)))
        for (x, y), corner in by_place.items()
        for neighbour in ((x + 1, y), (x, y + 1))
        if neighbour in by_place
    ]
    if not sides:
        raise InputError("Too few neighbouring corners of the board are visible; show more of it")
    uncertainty = float(np.hypot(np.std(sides) / side, 2**0.5 * EDGE_PX / (side * len(corners) ** 0.5)))
    return _calibration(method, mm / side, uncertainty, residual, (image.shape[1], image.shape[0]), author)


def _calibration(
    method: Method, scale: float, uncertainty: float, residual: float | None, size: tuple[int, int], author: str
) -> Calibration:
    return Calibration(
        check_scale(scale),
        round(uncertainty, 8),
        method=method,
        date=local_time(),
        author=author,
        residual_px=None if residual is None else round(residual, 4),
        width=size[0],
        height=size[1],
    )


def _inside(points: Sequence[tuple[float, float]] | Points, size: tuple[int, int]) -> Points:
    checked = np.asarray(points, float).reshape(-1, 2)
    # Written so that NaN is outside too.
    outside = ~((checked >= 0) & (checked <= np.array(size))).all(1)
    if outside.any():
        x, y = checked[outside][0]
        raise InputError(
            "The point {x:g},{y:g} is outside the image of {width}x{height} pixels",
            x=x,
            y=y,
            width=size[0],
            height=size[1],
        )
    return checked


def _check_board(squares: tuple[int, int], mm: float) -> tuple[int, int]:
    _check_millimetres(mm)
    if not all(4 <= number <= 200 for number in squares):
        raise InputError("A board has 4 to 200 squares in a row and in a column, e.g. 9x7")
    return squares


def _check_millimetres(mm: float) -> None:
    if not (np.isfinite(mm) and mm > 0):
        raise InputError("A known length must be a number of millimetres above 0, not {mm}", mm=mm)


def _no_board(columns: int, rows: int) -> InputError:
    return InputError(
        "No board of {columns}x{rows} squares found; check these numbers, and show it sharp and evenly lit",
        columns=columns,
        rows=rows,
    )
