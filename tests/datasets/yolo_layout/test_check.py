"""Check of a dataset: every fault is found, reported in a sentence, and left out or refused; nothing is written."""

import json
import shutil

import numpy as np
import pytest

from inspector.api import InputError, check_yolo_dataset, read_image, read_yolo_dataset, write_image
from inspector.datasets.yolo_layout.layout import label_candidates

SQUARE = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
OTHER = "1 0.4 0.4 0.9 0.4 0.9 0.9\n"


@pytest.fixture
def image():
    return lambda height, width, seed=0: np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, image):
    """Three images to train on (one without a defect) and two to validate with, of two classes."""
    root = tmp_path / "数据 set"
    for split, labels in (("train", [SQUARE + OTHER, SQUARE, ""]), ("val", [OTHER, SQUARE])):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for number, label in enumerate(labels):
            name = f"件 {number}"
            write_image(root / "images" / split / f"{name}.png", image(24, 32, seed=number + 10 * (split == "val")))
            (root / "labels" / split / f"{name}.txt").write_text(label, "utf-8")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: {0: 裂纹, 1: wear}\n", "utf-8")
    return root


def report(folder):
    return check_yolo_dataset(read_yolo_dataset(folder / "data.yaml"))


def faults(found) -> list:
    """The findings except those that only report a small dataset."""
    return [finding for finding in found.findings if finding.kind not in ("few_images", "no_good", "few_defects")]


def kinds(found) -> dict:
    return {(finding.split, finding.kind): finding.count for finding in faults(found)}


def test_a_sound_set_has_no_findings(folder):
    found = report(folder)
    assert faults(found) == [] and found.refusal is None
    assert found.objects("train") == {"裂纹": 2, "wear": 1} and found.objects("val") == {"裂纹": 1, "wear": 1}
    assert found.sentences()[:2] == [
        "train: 3 of 3 images are used, 1 of them without a defect; 3 defects (裂纹 2, wear 1)",
        "val: 2 of 2 images are used, 0 of them without a defect; 2 defects (裂纹 1, wear 1)",
    ]
    first = found.images["train"][0]
    assert (first.height, first.width, first.classes) == (24, 32, (0, 1))
    np.testing.assert_array_equal(first.polygons[1], np.float32([[0.4, 0.4], [0.9, 0.4], [0.9, 0.9]]))


def test_the_document_is_json_and_says_the_same(folder):
    (folder / "labels" / "train" / "件 1.txt").write_text("0 0.5 0.5 0.2 0.2\n", "utf-8")
    found = report(folder)
    document = json.loads(json.dumps(found.document()))
    assert document["usable"] and document["refusal"] is None and document["sentences"] == found.sentences()
    assert document["splits"]["train"] == {
        "pictures": 3,
        "used": 2,
        "without_defect": 1,
        "defects": {"裂纹": 1, "wear": 1},
        "median_side": 32,
    }
    assert "box_only" in [finding["kind"] for finding in document["findings"]]


@pytest.mark.parametrize(
    "line, kind",
    [
        ("0 0.5 0.5 0.2 0.2", "box_only"),
        ("0 0.1 0.1 0.5 0.1 0.5 x", "malformed_line"),
        ("0 0.1 0.1 0.5 0.1 0.5 nan", "malformed_line"),
        ("0 0.1 0.1 0.5 0.1 0.5", "malformed_line"),
        ("0", "malformed_line"),
        ("crack 0.1 0.1 0.5 0.1 0.5 0.5", "malformed_line"),
        ("0 10 10 50 10 50 50", "outside"),
        ("0 0.1 0.1 0.5 0.1 0.5 1.02", "outside"),
        ("0 -0.02 0.1 0.5 0.1 0.5 0.5", "outside"),
    ],
)
def test_a_line_that_cannot_be_used_loses_the_image(folder, line, kind):
    (folder / "labels" / "train" / "件 1.txt").write_text(f"{SQUARE}\n{line}\n", "utf-8")
    found = report(folder)
    assert kinds(found) == {("train", kind): 1} and found.refusal is None
    assert [image.file.stem for image in found.images["train"]] == ["件 0", "件 2"]
    (finding,) = faults(found)
    assert finding.examples == ["件 1.txt line 3"] and "(件 1.txt line 3)" in finding.sentence()


@pytest.mark.parametrize(
    "line, kind",
    [
        ("0 0.1 0.1", "degenerate"),
        ("1 0.1 0.1 0.1 0.1 0.1 0.1", "degenerate"),
        ("1 0.1 0.1 0.2 0.2 0.3 0.3 0.4 0.4", "degenerate"),
    ],
)
def test_a_line_that_encloses_nothing_loses_the_image(folder, line, kind):
    (folder / "labels" / "train" / "件 1.txt").write_text(f"{SQUARE}{line}\n", "utf-8")
    found = report(folder)
    assert kinds(found) == {("train", kind): 1} and found.lost
    assert [image.file.stem for image in found.images["train"]] == ["件 0", "件 2"]


def test_a_line_that_stands_twice_counts_once(folder):
    (folder / "labels" / "train" / "件 1.txt").write_text(f"{SQUARE}{SQUARE}\n", "utf-8")
    found = report(folder)
    assert kinds(found) == {("train", "repeated"): 1} and not found.lost
    assert found.images["train"][1].classes == (0,)


@pytest.mark.parametrize("line", ["0 0 0 1 1 1 0 0 1", "0 -0.01 0 1.01 0.5 0.5 0.5", "1.0 0 0 1 0 0 1e-1"])
def test_a_bow_tie_and_a_slight_overlap_are_polygons(folder, line):
    (folder / "labels" / "train" / "件 1.txt").write_text(f"\ufeff{line}\r\n", "utf-8")
    found = report(folder)
    assert faults(found) == [] and len(found.images["train"][1].polygons) == 1


@pytest.mark.parametrize("wrong", ["2", "-1", "0.5", "99999"])
def test_a_class_that_the_set_does_not_have_is_refused(folder, wrong):
    (folder / "labels" / "val" / "件 0.txt").write_text(f"{wrong} 0 0 1 0 1 1\n", "utf-8")
    found = report(folder)
    assert found.refusal.startswith("val: 1 label line with a class that data.yaml does not have")
    assert "件 0.txt line 1" in found.refusal and faults(found)[0].fatal and not found.document()["usable"]


def test_images_that_cannot_be_read_are_left_out(folder, image):
    whole = folder / "images" / "train" / "件 1.png"
    whole.write_bytes(whole.read_bytes()[:-40])
    (folder / "images" / "train" / "text.jpg").write_bytes(b"no picture")
    (folder / "images" / "train" / "empty.jpg").write_bytes(b"")
    write_image(folder / "images" / "train" / "tiny.png", image(9, 32))
    found = report(folder)
    assert kinds(found) == {("train", "unreadable_picture"): 3, ("train", "small_picture"): 1}
    assert found.totals["train"] == 6 and len(found.images["train"]) == 2
    assert any("件 1.png" in sentence and "incomplete" in sentence for sentence in found.sentences())


def test_missing_and_unreadable_labels(folder):
    (folder / "labels" / "train" / "件 1.txt").unlink()
    (folder / "labels" / "train" / "件 2.txt").write_bytes(b"0 \xff\xff")
    found = report(folder)
    assert kinds(found) == {("train", "taken_as_good"): 1, ("train", "unreadable_label"): 1}
    assert [image.classes for image in found.images["train"]] == [(0, 1), ()]


def test_labels_without_a_image(folder):
    for name in ("stray", "classes", "件 2"):
        (folder / "labels" / "train" / f"{name}.txt").write_text(SQUARE, "utf-8")
    found = report(folder)
    assert kinds(found) == {("train", "orphan_label"): 1, ("", "other_names"): 1} and found.lost
    assert faults(found)[0].examples == ["stray.txt"]


def test_the_same_pixels_in_train_and_val(folder):
    pixels, _ = read_image(folder / "images" / "train" / "件 0.png")
    write_image(folder / "images" / "val" / "other.bmp", pixels)
    shutil.copy(folder / "images" / "train" / "件 1.png", folder / "images" / "val" / "copy.png")
    write_image(folder / "images" / "val" / "turned.png", np.ascontiguousarray(pixels.reshape(32, 24, 3)))
    found = report(folder)
    assert kinds(found) == {("val", "taken_as_good"): 3, ("train and val", "shared"): 2}
    (finding,) = (finding for finding in found.findings if finding.kind == "shared")
    assert finding.examples == ["件 0.png = other.bmp", "件 1.png = copy.png"]


def test_classes_that_never_occur(folder):
    (folder / "labels" / "train" / "件 0.txt").write_text(SQUARE, "utf-8")
    found = report(folder)
    assert kinds(found) == {("train", "absent_class"): 1} and faults(found)[0].examples == ["wear"]


def test_validation_without_defects_is_told(folder):
    for label in (folder / "labels" / "val").iterdir():
        label.write_text("", "utf-8")
    assert kinds(report(folder)) == {("val", "no_defects"): 0}
    assert report(folder).refusal is None


def test_a_set_of_boxes_is_refused(folder):
    for label in (folder / "labels" / "train").iterdir():
        label.write_text("0 0.5 0.5 0.2 0.2\n", "utf-8")
    assert "no image can be used: 3 label lines" in report(folder).refusal
    assert "box where a polygon is needed" in report(folder).refusal


def test_a_set_without_labels_is_refused_and_says_where_they_are_looked_for(folder):
    shutil.rmtree(folder / "labels" / "train")
    refusal = report(folder).refusal
    assert (
        refusal.startswith("train: no defect is labelled") and str(folder / "labels" / "train" / "件 0.txt") in refusal
    )


def test_unreadable_validation_is_refused(folder):
    for file in (folder / "images" / "val").iterdir():
        file.write_bytes(b"nothing")
    assert report(folder).refusal.startswith("val: no image can be used: 2 images left out as unreadable")


def test_nothing_is_written_beside_the_images(folder):
    def state():
        return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in folder.rglob("*")}

    before = state()
    report(folder)
    assert state() == before


def test_progress_is_told(folder, monkeypatch):
    times = iter(range(0, 1000, 6))
    monkeypatch.setattr("inspector.datasets.yolo_layout.check.time.monotonic", lambda: next(times))
    told = []
    check_yolo_dataset(read_yolo_dataset(folder / "data.yaml"), told.append)
    assert told[0] == "checking the dataset: 1 of 5 images"


def test_folders_of_roboflow_and_lists_of_cvat(folder):
    expected = [image.file for image in report(folder).images["train"]]
    (folder / "data.yaml").write_text("train: ../images/train\nval: ../images/val\nnames: [a, b]\n", "utf-8")
    assert [image.file for image in report(folder).images["train"]] == expected
    listed = "\n".join(f"images/train/{file.name}" for file in expected)
    (folder / "train.txt").write_text(f"{listed}\nimages/train/gone.png\n", "utf-8")
    (folder / "val.txt").write_text(f"./images/val/件 0.png\n{folder}/images/val/件 1.png\n", "utf-8")
    text = "path: ./\ntrain: train.txt\nval: [val.txt]\nnames: {1: b, 0: a}\n"
    (folder / "data.yaml").write_text(text, "utf-8")
    found = report(folder)
    assert [image.file for image in found.images["train"]] == expected and found.names == ("a", "b")
    assert kinds(found) == {("train", "missing_picture"): 1} and len(found.images["val"]) == 2


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_a_test_split_without_images_does_not_matter(folder, made):
    if made:
        (folder / "images" / "test").mkdir()
    text = (folder / "data.yaml").read_text("utf-8")
    (folder / "data.yaml").write_text(f"{text}test: images/test\n", "utf-8")
    assert report(folder).totals == {"train": 3, "val": 2}


def test_hidden_files_are_no_images(folder):
    (folder / "images" / "train" / "._件 0.png").write_bytes(b"of a Macintosh")
    (folder / "images" / "train" / ".thumbnails").mkdir()
    shutil.copy(folder / "images" / "train" / "件 0.png", folder / "images" / "train" / ".thumbnails" / "件 0.png")
    assert report(folder).totals["train"] == 3


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("train: data.yaml\nval: images/val\nnames: [a]", "contains no images"),
    ],
)
def test_a_description_that_cannot_be_used(folder, text, complaint):
    (folder / "data.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=complaint):
        read_yolo_dataset(folder / "data.yaml")


def test_the_last_folder_images_counts(tmp_path):
    assert next(label_candidates(tmp_path / "images" / "a" / "images" / "b.c.png")) == (
        tmp_path / "images" / "a" / "labels",
        "b.c.txt",
    )
    assert next(label_candidates(tmp_path / "images.png")) == (tmp_path, "images.txt")


def said(found) -> str:
    return "\n".join(finding.sentence() for finding in found.findings)


def test_a_set_that_is_too_small_says_so_and_can_be_trained_on(folder):
    found = report(folder)
    assert {(finding.split, finding.kind) for finding in found.findings} == {
        ("val", "few_images"),
        ("val", "no_good"),
        ("train", "few_defects"),
    }
    assert "val: fewer than 30 images (2)" in said(found) and "val: no image without a defect" in said(found)
    assert "train: fewer than 100 labelled defects of a class (裂纹 2, wear 1)" in said(found)
    assert found.refusal is None and not found.lost and found.document()["usable"]


def test_good_parts_are_missed_where_there_are_none_to_train_on(folder):
    (folder / "labels" / "train" / "件 2.txt").write_text(SQUARE, "utf-8")
    (folder / "labels" / "val" / "件 0.txt").write_text("", "utf-8")
    found = report(folder)
    assert [finding.split for finding in found.findings if finding.kind == "no_good"] == ["train"]


def test_a_large_set_has_nothing_to_be_said_of(folder, image):
    for split, count in (("train", 101), ("val", 30)):
        for number in range(count):
            write_image(folder / "images" / split / f"{number}.png", image(16, 16, seed=1000 * len(split) + number))
            label = "" if number == 0 else SQUARE + OTHER
            (folder / "labels" / split / f"{number}.txt").write_text(label, "utf-8")
    assert report(folder).findings == ()


def test_near_duplicates_in_two_splits_are_named_and_identical_images_only_once(folder, image):
    import cv2

    pixels = cv2.resize(image(24, 32, seed=5), (320, 240), interpolation=cv2.INTER_CUBIC)
    write_image(folder / "images" / "train" / "frame 1.png", pixels)
    brighter = cv2.convertScaleAbs(
        cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 1), beta=6
    )
    write_image(folder / "images" / "val" / "frame 2.png", brighter)
    shutil.copy(folder / "images" / "train" / "件 1.png", folder / "images" / "val" / "copy.png")
    found = report(folder)
    (near,) = (finding for finding in found.findings if finding.kind == "near_duplicates")
    assert (near.split, near.count, near.examples) == ("train and val", 1, ["frame 1.png ~ frame 2.png"])
    assert "figures will look too good" in near.sentence() and not near.fatal
    (same,) = (finding for finding in found.findings if finding.kind == "shared")
    assert same.examples == ["件 1.png = copy.png"]
