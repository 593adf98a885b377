"""The main job on the sample data gives what is written down there."""

import json
from collections import Counter
from pathlib import Path

import pytest

from inspector.cli import main

SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text("utf-8"))


def test_the_samples_are_small_and_complete():
    assert sum(path.stat().st_size for path in SAMPLES.iterdir() if path.is_file()) < 10_000_000
    assert set(EXPECTED["pictures"]) == {path.name for path in SAMPLES.glob("*.jpg")}
    painted = [bool(image["painted"]) for image in EXPECTED["pictures"].values()]
    assert painted.count(False) >= 3 and painted.count(True) >= 5


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEARING_INSPECTOR_HOME", str(folder / "home"))
        assert (
            main(["inspect", str(SAMPLES), "--quiet", "--export", "jsonl,video", "--output", str(folder / "run")]) == 0
        )
    return [json.loads(line) for line in (folder / "run" / "results.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_the_bundled_model_says_what_is_expected(records):
    verdicts = {record["name"]: record["verdict"] for record in records if record["seconds"] is None}
    assert verdicts == {name: image["verdict"] for name, image in EXPECTED["pictures"].items()}


def test_most_verdicts_are_right():
    right = Counter((bool(image["painted"]), image["verdict"] == "NG") for image in EXPECTED["pictures"].values())
    assert right[False, True] <= 1
    assert right[True, False] <= 1


def test_the_film_is_inspected_frame_by_frame(records):
    film = [record for record in records if record["seconds"] is not None]
    expected = EXPECTED["videos"]["turning.mp4"]
    assert [record["index"] for record in film] == list(range(expected["frames"]))
    assert film[30]["seconds"] == pytest.approx(1.0, abs=0.002)
    # A codec of another version may tip a frame that is on the edge.
    assert sum(record["verdict"] == "NG" for record in film) == pytest.approx(expected["ng"], abs=5)
