"""Create this folder: synthetic images, good and bad, a video of a turning bearing, and the bundled model's results.

    .venv/bin/python sample_data/make.py

The same seed gives the same images. ``expected.json`` holds for every file the defects that were painted and the
verdicts of the bundled model without rules at the default thresholds; a test compares every run with it.
"""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from inspector.cli import main
from inspector.datasets.synthetic import render_part, turning_video_frames

HERE = Path(__file__).parent
SEED, GOOD, BAD, FRAMES, RATE, SIDE = 2026, 4, 6, 90, 30, 640


def write_images() -> dict[str, list[str]]:
    """Write the images; return the painted kinds of each."""
    painted = {}
    for number in range(GOOD + BAD):
        good = number < GOOD
        part = render_part(np.random.default_rng([SEED, number]), size=SIDE, good=good)
        name = f"{'good' if good else 'defect'}-{number + 1:02}.jpg"
        (HERE / name).write_bytes(cv2.imencode(".jpg", part.image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        painted[name] = [defect.kind for defect in part.defects]
    return painted


def film() -> None:
    writer = cv2.VideoWriter(str(HERE / "turning.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (SIDE, SIDE))
    for frame in turning_video_frames(SEED, FRAMES, SIDE):
        writer.write(frame)
    writer.release()


def verdicts() -> dict[str, list[str]]:
    """The program's result for each file, frame by frame."""
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        main(["inspect", str(HERE), "--export", "jsonl", "--quiet", "--output", f"{folder}/run"])
        for line in (Path(folder) / "run" / "results.jsonl").read_text("utf-8").splitlines():
            record = json.loads(line)
            found.setdefault(record["name"], []).append(record["verdict"])
    return found


if __name__ == "__main__":
    painted = write_images()
    film()
    said = verdicts()
    expected = {
        "pictures": {name: {"painted": painted[name], "verdict": said[name][0]} for name in painted},
        "videos": {"turning.mp4": {"frames": len(said["turning.mp4"]), "ng": said["turning.mp4"].count("NG")}},
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n", "utf-8")
