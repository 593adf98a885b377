"""``calibrate`` writes the file that ``inspect --calibration`` reads."""

import json

import numpy as np
import pytest

from inspector.cli import main
from inspector.imaging import write_image


@pytest.fixture
def part(tmp_path):
    """An image of a dark disc, 200 px across."""
    y, x = np.mgrid[:300, :400] + 0.5
    image = np.full((300, 400, 3), 220, np.uint8)
    image[np.hypot(x - 200, y - 150) <= 100] = 20
    return write_image(tmp_path / "标定 1.png", image)


@pytest.mark.parametrize(
    ("flags", "method"),
    [
        (["--distance", "20", "--points", "100,150", "300,150"], "points"),
        (["--circle", "20"], "circle"),
        (["--circle", "20", "--points", "100,150", "300,150", "200,50"], "circle"),
    ],
)
def test_the_scale_is_found_and_saved(home, part, tmp_path, program, flags, method):
    file = tmp_path / "标定.json"
    code, out, err = program("calibrate", str(part), *flags, "--author", "李", "--output", str(file), "--json")
    assert (code, err) == (0, "")
    saved = json.loads(file.read_text("utf-8"))
    assert json.loads(out) == {"file": str(file), "calibration": saved}
    assert saved["mm_per_pixel"] == pytest.approx(0.1, rel=2e-3)
    assert (saved["method"], saved["author"], saved["width"], saved["height"]) == (method, "李", 400, 300)


def test_results_are_in_its_millimetres(home, spots, pictures, part, tmp_path, program):
    file, output = tmp_path / "c.json", tmp_path / "out"
    assert program("calibrate", str(part), "--circle", "20", "--output", str(file))[0] == 0
    code, _, err = program(
        "inspect", str(pictures), "--model", "spots", "--calibration", str(file), "--export", "jsonl", "--output",
        str(output), "--quiet",
    )  # fmt: skip
    assert code in (0, 1)  # inspected; the size of the images is reported
    lines = [json.loads(line) for line in (output / "results.jsonl").read_text("utf-8").splitlines()]
    (spot,) = lines[1]["detections"]
    assert spot["area_mm2"] == pytest.approx(spot["area_px"] * 0.01, rel=5e-3) and spot["area_mm2_u"] > 0
    assert spot["feret_mm"] == pytest.approx(spot["feret_px"] * 0.1, rel=5e-3)
    assert err.count("The calibration is of images of 400x300") == 1  # the images are 80x60


def test_a_known_scale_is_saved_without_an_image(home, tmp_path, program):
    file = tmp_path / "c.json"
    code, out, _ = program("calibrate", "--mm-per-pixel", "0.05", "--output", str(file))
    assert code == 0 and out.startswith("0.05 mm per pixel") and json.loads(file.read_text())["method"] == "typed"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--distance", "20"], "needs --points"),
        (["--circle", "20", "--square", "3"], "--square does not belong to --circle"),
        (["--circle", "-1"], "above 0"),
        (["--checkerboard", "9", "--square", "3"], "9x7"),
        (["--checkerboard", "9x7", "--square", "3"], "No board"),
        (["--distance", "20", "--points", "1,2,3"], "X,Y"),
        (["--mm-per-pixel", "0.1"], "needs no image"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(home, part, tmp_path, program, flags, text):
    file = tmp_path / "c.json"
    code, out, err = program("calibrate", str(part), *flags, "--output", str(file))
    assert (code, out) == (2, "") and text in err and len(err.splitlines()) == 1 and not file.exists()


def test_an_earlier_calibration_is_not_overwritten(home, tmp_path, capsys):
    file = tmp_path / "c.json"
    file.write_text("{}")
    assert main(["calibrate", "--mm-per-pixel", "1", "--output", str(file)]) == 2
    assert "exists already" in capsys.readouterr().err and file.read_text() == "{}"
