"""Measures of drawn shapes beside their mathematics, as a table.

.venv/bin/python tests/benchmarks/measuring.py
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "measure"))
from shapes import bar, detection, disc, ellipse, ring, segment

from inspector.measure import measure

QUARTER = np.pi / 2
SHAPES = [  # name, pixels, length, Feret diameter, width, perimeter
    *(
        (
            f"piece of a ring, radius {100 * scale:g}, 90 degrees, {5 * scale:g} wide, turned by {angle}",
            segment(100 * scale, 90, 5 * scale, angle),
            100 * scale * QUARTER,
            102.5 * scale * 2**0.5,
            5 * scale,
            (200 * QUARTER + 10) * scale,
        )
        for scale in (0.5, 1, 2)
        for angle in (0, 17, 30, 45)
    ),
    ("ring, radius 60, 10 wide", ring(60, 10), 120 * np.pi, 130, 10, 240 * np.pi),
    ("ring, radius 20, 4 wide", ring(20, 4), 40 * np.pi, 44, 4, 80 * np.pi),
    ("bar, 200 x 20, turned by 35", bar(200, 20, 35), 200, 40400**0.5, 20, 440),
    ("bar, 100 x 5, turned by 22.5", bar(100, 5, 22.5), 100, 10025**0.5, 5, 210),
    ("line, 50 x 1", np.ones((1, 50), bool), 50, 2501**0.5, 1, 102),
    ("disc, radius 50", disc(50), 100, 100, 100, 100 * np.pi),
    ("disc, radius 10", disc(10), 20, 20, 20, 20 * np.pi),
    ("ellipse, 120 x 40, turned by 25", ellipse(60, 20, 25), 120, 120, 40, 267.3),
    ("square, 40 x 40", np.ones((40, 40), bool), 40, 3200**0.5, 40, 160),
]


def main() -> None:
    print("| shape, px | length | Feret diameter | largest width | mean width | perimeter |")
    print("|---|---|---|---|---|---|")
    for name, pixels, length, feret, width, perimeter in SHAPES:
        found = measure([detection(pixels)])[0].measures
        print(
            f"| {name} | {found.length_px:.1f} ({length:.1f}) | {found.feret_px:.1f} ({feret:.1f}) "
            f"| {found.width_px:.1f} ({width:g}) | {found.width_mean_px:.1f} "
            f"| {found.perimeter_px:.1f} ({perimeter:.1f}) |"
        )


if __name__ == "__main__":
    main()
