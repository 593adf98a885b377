"""The guide to training, in both languages: every command in it is run, in order, on a tiny set of images.

Only SMALL differs from what a reader types, and the one training that is gone on with is broken off before.
"""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from inspector.cli import main
from inspector.imaging import write_image
from inspector.system import logs

DOCS = Path(__file__).parents[2] / "docs"
TEXTS = {language: (DOCS / f"training.{language}.md").read_text("utf-8") for language in ("en", "zh")}
SMALL = ["--epochs", "2", "--imgsz", "64", "--batch", "4", "--device", "cpu", "--precision", "f32"]  # of each training
SIDE = 96  # of the images


def blocks(language: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", TEXTS[language], re.DOTALL | re.MULTILINE)


def commands(language: str) -> list[str]:
    return [line for block in blocks(language) for line in block.splitlines() if line.strip()]


def small(words: list[str]) -> list[str]:
    """A command as it is tested: a training that starts gets SMALL."""
    return words + SMALL if words[0] == "train" and "--data" in words and "--check" not in words else words


def picture(seed: int) -> tuple[np.ndarray, list[list[float]]]:
    """A grey disc of steel with a dark spot, and the spot's outline."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    image = np.full((SIDE, SIDE, 3), 60, np.uint8)
    image[np.hypot(rows - SIDE / 2, columns - SIDE / 2) < SIDE * 0.45] = 190
    x, y = (float(value) for value in chance.integers(25, 55, 2))
    image[int(y) : int(y) + 14, int(x) : int(x) + 20] = 20
    noise = chance.integers(-9, 10, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8), [[x, y], [x + 20, y], [x + 20, y + 14], [x, y + 14]]


def prepare(folder: Path) -> None:
    """The folders that the guide mentions, each as its tool writes it."""
    labels, cvat, roboflow, new = (
        folder / name for name in ("my-labels", "cvat-export", "roboflow-export", "new-parts")
    )
    for place in (labels, cvat / "images", cvat / "annotations", new, *(roboflow / one for one in ("train", "valid"))):
        place.mkdir(parents=True)
    for number in range(15):
        image, outline = picture(number)
        stem = f"part{number // 3:02d}_side{number % 3}"
        write_image(labels / f"{stem}.jpg", image)
        shape = {
            "label": ("crack", "pitting")[number % 2],
            "points": outline,
            "group_id": None,
            "shape_type": "polygon",
        }
        content = {"version": "5.5.0", "shapes": [shape], "imagePath": f"{stem}.jpg", "imageData": None}
        (labels / f"{stem}.json").write_text(json.dumps(content), "utf-8")
    write_image(labels / "part90_side0.jpg", picture(90)[0])
    write_image(new / "part99_side0.jpg", picture(99)[0])
    for place, numbers, name in (
        (cvat / "images", range(4), "../annotations/instances_default.json"),
        (roboflow / "train", range(20, 23), "_annotations.coco.json"),
        (roboflow / "valid", range(23, 24), "_annotations.coco.json"),
    ):
        content = {"categories": [{"id": 1, "name": "crack"}], "images": [], "annotations": []}
        for number in numbers:
            image, outline = picture(number)
            write_image(place / f"{number}.jpg", image)
            content["images"].append({"id": number, "file_name": f"{number}.jpg", "width": SIDE, "height": SIDE})
            ring = [value for point in outline for value in point]
            content["annotations"].append({"id": 1, "image_id": number, "category_id": 1, "segmentation": [ring]})
        (place / name).write_text(json.dumps(content), "utf-8")


@pytest.fixture
def broken_off(monkeypatch):
    """``broken_off(True)``: every training is interrupted after its first epoch."""
    from inspector_plugins.yolo11.training.trainer import Training

    save = Training.save_model

    def interrupt(training: Training) -> bool:
        save(training)
        raise KeyboardInterrupt

    return lambda wanted: monkeypatch.setattr(Training, "save_model", interrupt if wanted else save)


def test_both_languages_say_the_same():
    assert commands("en") == commands("zh") and len(commands("en")) >= 15
    for pattern in (r"^## \d", r"^\|", r"^- ", r"`[^`\n]+`", r"\]\([^)]+\)"):
        english, chinese = (sorted(re.findall(pattern, TEXTS[one], re.MULTILINE)) for one in ("en", "zh"))
        assert english == chinese, pattern


def test_every_command_is_in_a_block_and_every_link_leads_somewhere():
    for text in TEXTS.values():
        assert text.count("```sh\n") * 2 == text.count("```")
        assert "bearing-inspector " not in re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)]+)\)", text):
            assert (DOCS / target).is_file()


@pytest.mark.slow
def test_every_command_runs(tmp_path, monkeypatch, capsys, broken_off):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    lines = [shlex.split(command) for command in commands("en")]  # and so "zh", which has the same
    resumed = [words[words.index("--output") + 1] for words in lines if "--resume" in words]
    assert resumed and all(words[0] == "bearing-inspector" for words in lines)
    said = {}
    for words in lines:
        breaks = "train" in words and "--resume" not in words and any(words[-1] == folder for folder in resumed)
        broken_off(breaks)
        code = main(small(words[1:]))
        logs.stop()
        said[" ".join(words)] = capsys.readouterr()
        assert code == (130 if breaks else 0), (words, said[" ".join(words)].err)
    told = "\n".join(text.out + text.err for text in said.values())
    assert "Resuming after epoch 1 of 2" in told and "Transferred from bearing-yolo11n-seg.pt" in told
    assert "Not transferred" in told and "1 image that no label file names" in told

    # The guide's statements about the results are true.
    description = yaml.safe_load((tmp_path / "my-data" / "data.yaml").read_text("utf-8"))
    assert description["names"] == {0: "crack", 1: "pitting"} and set(description) >= {"train", "val", "test"}
    parts = {
        split: {file.name[:6] for file in (tmp_path / "my-data-by-part" / "images" / split).iterdir()}
        for split in ("train", "val")
    }
    assert parts["train"] and parts["val"] and not parts["train"] & parts["val"]
    for run in ("baseline", "cgnet", "cgnet-2"):
        folder = tmp_path / "runs" / run
        rows = (folder / "results.csv").read_text("utf-8").splitlines()
        assert len(rows) == 3 and {"train/seg_loss", "val/seg_loss"} <= set(rows[0].replace(" ", "").split(","))
        names = set(re.findall(r"`(\w+\.(?:jpg|png|csv|txt))`", TEXTS["en"])) - {
            "part07_side2.jpg",
            "p0.jpg",
            "p0.png",
            "p0.txt",
            "classes.txt",
        }
        assert len(names) >= 7 and all((folder / name).exists() for name in names), run
        assert (folder / "weights" / "best.pt").exists() and (folder / "weights" / "last.pt").exists()
    for run in ("baseline-test", "cgnet-test"):
        figures = json.loads((tmp_path / "runs" / run / "validation.json").read_text("utf-8"))
        assert {one["name"] for one in figures["classes"]} == {"crack", "pitting"}
        assert (tmp_path / "runs" / run / "MaskPR_curve.png").exists()
    assert (tmp_path / "results" / "run.json").exists() and (tmp_path / "results" / "labelme").is_dir()
    assert (tmp_path / "runs" / "cgnet" / "weights" / "best.onnx").exists()
    assert next((tmp_path / "cgnet-openvino").rglob("*.xml")).exists()
