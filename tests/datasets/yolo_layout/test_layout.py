"""YOLO's layout as other programs write it: conversion and check before a training agree on every dataset."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from links import needs_pipes

from inspector.datasets.importing import convert
from inspector.datasets.yolo_layout import check_yolo_dataset, read_yolo_dataset
from inspector.domain import InputError
from inspector.imaging import write_image

ADVICE = {"few_images", "no_good", "few_defects", "near_duplicates"}  # additional findings of a small dataset
PATHS = "train: images/train\nval: images/val\n"
CRACK, DENT = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.45\n", "1 0.3 0.3 0.8 0.3 0.7 0.9\n"
TILTED = "0 0.5 0.2 0.7 0.4 0.5 0.6 0.3 0.4\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Six images to train on and three to validate with; cracks and dents take turns, the last one is good."""
    root = tmp_path / "in" / "set"
    for split, count in (("train", 6), ("val", 3)):
        for number in range(count):
            seed = number + 100 * (split == "val")
            pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
            (root / "images" / split).mkdir(parents=True, exist_ok=True)
            (root / "labels" / split).mkdir(parents=True, exist_ok=True)
            write_image(root / "images" / split / f"p{number}.png", pixels)
            label = "" if number == 5 else (CRACK, DENT)[number % 2]
            (root / "labels" / split / f"p{number}.txt").write_text(label, "ascii")
    describe(root, PATHS + "names: [crack, dent]\n")
    return root


def describe(root: Path, text: str, encoding: str = "utf-8") -> None:
    (root / "data.yaml").write_bytes(text.encode(encoding))


def both(root: Path) -> tuple[str, dict[str, dict[str, int]], set[str]]:
    """The common result of check and conversion: "good", "doubtful" or the refusal; defects; kinds of findings."""
    target = root.parent / "made"
    shutil.rmtree(target, ignore_errors=True)
    said, counted, kinds = [], [], []
    try:
        report = check_yolo_dataset(read_yolo_dataset(root / "data.yaml"))
        said.append(report.refusal or ("doubtful" if report.lost else "good"))
        counted.append({split: report.objects(split) for split in report.images})
        counted.append({split: len(own) for split, own in report.images.items()})
        kinds.append({one.kind for one in report.findings} - {"no_pictures", "no_labels", "shared"} - ADVICE)
    except InputError as error:
        said.append(str(error))
    try:
        done = convert(root, target)
        said.append("doubtful" if done.lost else "good")
        counted += [done.defects, done.pictures]
        kinds.append(set(done.notes) - {"shared"})
    except InputError as error:
        said.append(str(error))
        assert not target.exists()
    assert all(len(one) < 600 and one.isprintable() for one in said)
    if len(counted) == 4:
        assert said[0] == said[1] and kinds[0] == kinds[1] and counted[:2] == counted[2:]
    else:
        assert not {"good", "doubtful"} & set(said), said
    return said[0], counted[0] if counted else {}, kinds[0] if kinds else set()


ALL = {"train": {"crack": 3, "dent": 2}, "val": {"crack": 2, "dent": 1}}


def test_a_sound_dataset(folder):
    assert both(folder) == ("good", ALL, set())


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\nnames:\n  '0': crack\n  '1': dent\n",
        "nc: '2'\nnames: [crack, dent]\n",
        "nc: 2\nnames: {1: dent, 0: crack}\n",
        'names: ["crack", "dent"]\nnc:\ndownload: |\n  import os\n',
        "names: &names [crack, dent]\nothers: *names\nnull: 1\n",
    ],
)
def test_classes_in_any_writing(folder, text):
    describe(folder, PATHS + text)
    assert both(folder) == ("good", ALL, set())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_a_description_in_any_encoding(folder, encoding):
    describe(folder, PATHS + "names: [裂纹, 凹坑]\n", encoding)
    assert both(folder) == ("good", {"train": {"裂纹": 3, "凹坑": 2}, "val": {"裂纹": 2, "凹坑": 1}}, set())
    for file in (folder / "labels").rglob("*.txt"):
        file.write_bytes(file.read_text("ascii").encode(encoding))
    assert both(folder)[0] == "good"


def test_words_that_yaml_takes_for_truth_values_stay_names(folder):
    describe(folder, PATHS + "names:\n  0: no\n  1: yes\n")
    assert both(folder) == ("good", {"train": {"no": 3, "yes": 2}, "val": {"no": 2, "yes": 1}}, set())
    describe(folder, PATHS + "names: [on, 1.0]\n")
    assert set(both(folder)[1]["val"]) == {"on", "1.0"}


@pytest.mark.parametrize("names", ["[crack, crack]", "[crack, ' crack ']", "{0: crack, 1: crack}"])
def test_two_classes_of_one_name_are_one_and_told(folder, names):
    describe(folder, PATHS + f"names: {names}\n")
    assert both(folder) == ("doubtful", {"train": {"crack": 5}, "val": {"crack": 3}}, {"same_name"})


def test_class_numbers_with_gaps_are_followed(folder):
    describe(folder, PATHS + "names: {0: crack, 1: dent, 7: rust}\n")
    for split in ("train", "val"):
        (folder / "labels" / split / "p2.txt").write_text("7" + CRACK[1:], "ascii")
    said, defects, kinds = both(folder)
    assert said == "good" and kinds == {"odd_numbers"} and defects["val"] == {"crack": 1, "dent": 1, "rust": 1}


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("names:\n  0:crack\n  1:dent\n", "a space is missing after the colon in '0:crack'"),
        ("names:[crack, dent]\n", "a space is missing after the colon"),
        ("names：[crack, dent]\n", "full-width colon"),
        ("nc: 3\nnames: [crack, dent]\n", "says nc: 3 but names 2 classes"),
        ("nc: two\nnames: [crack, dent]\n", "says nc: two but names 2 classes"),
        ("nc: 1e999\nnames: [crack, dent]\n", "says nc: 1e999 but"),
        ("names: []\n", "names no classes"),
        ("", "names no classes"),
        ("names: crack\n", "names no classes"),
        ("names: {a: crack, b: dent}\n", "numbers a class 'a'"),
        ("names: {-1: crack}\n", "numbers a class '-1'"),
        (f"names: {{{'9' * 400}: crack}}\n", "numbers a class '9999"),
        ("names: {0: crack, 00: dent}\n", "gives two names to class 0"),
        ("names: [crack, ~]\n", "gives class 1 no name"),
        ("names: [crack, [dent]]\n", "gives class 1 no name"),
        ("names: {0: crack, 1: }\n", "gives class 1 no name"),
        ("names: [crack]\n", "with a class that data.yaml does not have"),
        ("names: [crack, dent]\nkpt_shape: [17, 3]\n", "keypoints .YOLO pose., which are not read; export polygons"),
    ],
)
def test_a_class_list_that_is_not_clear_is_refused_by_both(folder, text, complaint):
    describe(folder, PATHS + text)
    said, _, _ = both(folder)
    assert said.isprintable() and complaint.replace(".YOLO pose.", "(YOLO pose)") in said


def test_a_description_that_cannot_be_read_is_not_replaced_by_an_older_list(folder):
    (folder / "classes.txt").write_text("dent\ncrack\n", "ascii")
    describe(folder, PATHS + "names: [crack, dent\n")
    assert "cannot be read as YAML" in both(folder)[0]
    (folder / "data.yaml").write_bytes(b"names: [Ri\xdf, a]\n")
    assert "save it as UTF-8" in both(folder)[0]
    describe(folder, PATHS + "names: [crack, dent]\n")
    assert both(folder) == ("doubtful", ALL, {"other_names"})
    (folder / "classes.txt").write_text("crack\ndent\n", "ascii")
    assert both(folder)[0] == "good"


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images\\train\nval: images\\val\n",
        "path: D:\\job\\set\ntrain: images/train\nval: images/val\n",
        "train: D:\\job\\images\\train\nval: /home/x/images/val\n",
        "train: ../images/train\nval: ../images/val\n",
        "train: [images/train]\nval:\n  - ./images/val/\n",
        "train: Images/Train\nval: IMAGES/VAL\n",
        "train: images/train\nvalid: images/val\n",
        "path: ../set\ntrain: images/train\nval: images/val\ntest: images/test\n",
    ],
)
def test_places_as_others_write_them(folder, text):
    describe(folder, text + "names: [crack, dent]\n")
    said, defects, kinds = both(folder)
    assert (said, defects) == ("good", ALL) and kinds <= {"missing_split"}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize(
    "line", ["D:\\job\\images\\{}\\{}", "./images/{}/{}", "data/images/{}/{}", "{}/{}", "IMAGES/{}/{}"]
)
def test_lists_of_images(folder, line, encoding):
    for split in ("train", "val"):
        names = sorted(file.name for file in (folder / "images" / split).iterdir())
        (folder / f"{split}.txt").write_bytes("\r\n".join(line.format(split, name) for name in names).encode(encoding))
    if line == "{}/{}":
        for split in ("train", "val"):
            (folder / f"{split}.txt").rename(folder / "images" / f"{split}.txt")
        describe(folder, "train: images/train.txt\nval: images/val.txt\nnames: [crack, dent]\n")
    else:
        describe(folder, "train: train.txt\nval: [val.txt]\nnames: [crack, dent]\n")
    assert both(folder) == ("good", ALL, set())
    with open(next(folder.rglob("train.txt")), "ab") as file:
        file.write("\r\nimages/train/gone.png\r\n".encode(encoding.replace("utf-16", "utf-16-le")))
    assert both(folder) == ("doubtful", ALL, {"missing_picture"})


@pytest.mark.parametrize(
    "text, complaint",
    [
        pytest.param("train: /dev/zero\nval: images/val\n", "is a device or a pipe", marks=needs_pipes),
        pytest.param("train: pipe\nval: images/val\n", "is a device or a pipe", marks=needs_pipes),
        ("train: images/nix\nval: images/val\n", "the train folder"),
        ("train: images/train\nval: labels/val\n", "contains no images"),
        (f"train: {'a' * 5000}\nval: images/val\n", "does not exist"),
        ('train: "a\\0b"\nval: images/val\n', "does not exist"),
        ("train: {a: b}\nval: images/val\n", "the line train: must hold a folder"),
        (f"train: {'../' * 500}etc\nval: images/val\n", "does not exist"),
    ],
)
def test_a_place_that_is_none_is_refused_by_both(folder, text, complaint):
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe")
    describe(folder, text + "names: [crack, dent]\n")
    assert complaint in both(folder)[0]


def test_images_that_share_a_label_file_are_left_out(folder):
    write_image(folder / "images" / "train" / "p0.jpg", np.full((40, 60, 3), 128, np.uint8))
    said, defects, kinds = both(folder)
    assert said == "doubtful" and kinds == {"shared_label"} and defects["train"] == {"crack": 2, "dent": 2}


@pytest.mark.parametrize("suffix", [".jfif", ".JPG", ".jpe", ".PNG", ".tiff", ".webp", ".dib"])
def test_every_suffix_that_is_read_anywhere_is_read_here(folder, suffix):
    file = folder / "images" / "train" / "p0.png"
    kind = {".jfif": ".jpg", ".jpe": ".jpg", ".dib": ".bmp"}.get(suffix.lower(), suffix.lower())
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    file.unlink()
    write_image(folder / f"new{kind}", pixels).rename(file.with_suffix(suffix))
    assert both(folder) == ("good", ALL, set())


def test_an_image_of_an_unread_format_is_told(folder):
    (folder / "images" / "train" / "p0.png").unlink()
    (folder / "images" / "train" / "p0.psd").write_bytes(b"8BPS" + bytes(200))
    said, defects, kinds = both(folder)
    assert said == "doubtful" and kinds == {"unreadable_picture"} and defects["train"]["crack"] == 2


def test_label_files_are_found_by_other_spellings(folder):
    labels = folder / "labels" / "train"
    (labels / "p0.txt").rename(labels / "P0.TXT")
    (folder / "images" / "train" / "p1.png").rename(folder / "images" / "train" / "轴承 1.png")
    (labels / "p1.txt").rename(labels / "轴承 1.txt")
    assert both(folder) == ("good", ALL, set())
    (labels / "轴承 1.txt").rename(labels / "%E8%BD%B4%E6%89%BF%201.txt")
    said, defects, kinds = both(folder)  # the name in the label folder is encoded: no image can be told by it
    assert said == "doubtful" and "orphan_label" in kinds and defects["train"]["dent"] == 1


def test_labels_beside_the_images_are_found(folder):
    for split in ("train", "val"):
        for file in (folder / "labels" / split).iterdir():
            file.rename(folder / "images" / split / file.name)
    (folder / "images" / "train" / "readme.txt").write_text("made on Monday", "ascii")
    assert both(folder) == ("good", ALL, set())


def test_label_files_without_an_image(folder):
    (folder / "labels" / "train" / "empty.txt").write_text(" \n", "ascii")
    assert both(folder) == ("good", ALL, {"orphan_empty"})
    (folder / "images" / "train" / "p0.png").unlink()
    said, _, kinds = both(folder)
    assert said == "doubtful" and kinds == {"orphan_empty", "orphan_label"}


def test_an_image_without_a_label_file_is_told_and_good(folder):
    (folder / "labels" / "train" / "p5.txt").unlink()
    assert both(folder) == ("good", ALL, {"taken_as_good"})


@pytest.mark.parametrize(
    "line, kind",
    [
        ("0 10 10 30 10 30 30", "outside"),
        ("0 0.1 0.1 0.5 0.1 0.5 1.02", "outside"),
        ("0 -0.02 0.1 0.5 0.1 0.5 0.5", "outside"),
        ("0 1 0.1 1.01 0.1 1.01 0.5", "off_image"),
        (f"0 {'9' * 400} 0.1 0.5 0.1 0.5 0.5", "malformed_line"),
        ("0 1e300 0.1 0.5 0.1 0.5 0.5", "outside"),
        ("0 nan 0.1 0.5 0.1 0.5 0.5", "malformed_line"),
        ("0 inf 0.1 0.5 0.1 0.5 0.5", "malformed_line"),
        ("0 0.5 0.5 0.2 0.2", "box_only"),
        ("0 0.1 0.1", "degenerate"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3", "degenerate"),
        ("0 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1", "degenerate"),
        ("0 0.1 0.1 0.5 0.1 0.5", "malformed_line"),
        ("crack 0.1 0.1 0.5 0.1 0.5 0.5", "malformed_line"),
        ("0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5 plane 0", "malformed_line"),
    ],
)
def test_a_line_that_cannot_be_used_loses_the_image_in_both(folder, line, kind):
    (folder / "labels" / "train" / "p0.txt").write_text(f"{CRACK}\n{line}\n", "ascii")
    said, defects, kinds = both(folder)
    assert said == "doubtful" and kinds == {kind} and defects["train"] == {"crack": 2, "dent": 2}


@pytest.mark.parametrize("line", ["2", "-1", "0.5", "1e9"])
def test_a_class_that_is_not_named_is_refused_by_both(folder, line):
    (folder / "labels" / "val" / "p0.txt").write_text(f"{line} 0 0 1 0 1 1\n", "ascii")
    assert "with a class that data.yaml does not have" in both(folder)[0]


@pytest.mark.parametrize(
    "line", ["0 -0.01 0 1.01 0.5 0.5 0.5", "0 0 0 1 1 1 0 0 1", CRACK + CRACK, "1.0 0 0 1 0 0 1e-1"]
)
def test_what_is_right_enough_is_used_by_both(folder, line):
    (folder / "labels" / "train" / "p5.txt").write_text(line, "ascii")
    said, defects, kinds = both(folder)
    assert said == "good" and sum(defects["train"].values()) == 6 and kinds <= {"repeated", "clipped"} - {"clipped"}


def test_rotated_boxes_are_named(folder):
    for file in (folder / "labels").rglob("p*.txt"):
        file.write_text(TILTED, "ascii")
    said, _, kinds = both(folder)
    assert said == "doubtful" and kinds == {"tilted_boxes", "absent_class"}


def test_the_last_split_wins_and_two_descriptions_are_not_guessed(folder):
    (folder / "old.yaml").write_text(PATHS + "names: [dent, crack]\n", "ascii")
    assert both(folder)[1] == ALL
    (folder / "data.yaml").rename(folder / "new.yaml")
    with pytest.raises(InputError, match=r"new.yaml and old.yaml both name classes; choose the one to use"):
        convert(folder, folder.parent / "two")
    assert convert(folder / "new.yaml", folder.parent / "two").defects == ALL


def test_split_lines_are_needed_for_a_training_only(folder):
    describe(folder, "train: images/train\nnames: [crack, dent]\n")
    with pytest.raises(InputError, match="has no line val: with the folder of the val images"):
        read_yolo_dataset(folder / "data.yaml")
    assert sum(convert(folder, folder.parent / "made").pictures.values()) == 6


def test_lists_that_divide_one_folder_have_no_orphans(folder):
    for file in (folder / "images" / "val").iterdir():
        file.rename(folder / "images" / "train" / f"v{file.name}")
    for file in (folder / "labels" / "val").iterdir():
        file.rename(folder / "labels" / "train" / f"v{file.name}")
    for split, first in (("train", "p"), ("val", "v")):
        names = [f"images/train/{file.name}" for file in (folder / "images" / "train").glob(f"{first}*")]
        (folder / f"{split}.txt").write_text("\n".join(names), "utf-8")
    describe(folder, "train: train.txt\nval: val.txt\nnames: [crack, dent]\n")
    assert both(folder) == ("good", ALL, set())
