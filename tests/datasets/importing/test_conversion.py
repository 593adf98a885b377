"""Datasets converted from other tools' labels: the pixels of the written lines are the labelled ones."""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from pycocotools import mask as coco

from inspector.datasets.importing import convert
from inspector.datasets.synthetic import synthesize
from inspector.datasets.yolo_layout import check_yolo_dataset, read_yolo_dataset
from inspector.domain import InputError
from inspector.imaging import read_image, write_image

HEIGHT, WIDTH = 60, 80


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def blob(*boxes: tuple[int, int, int, int], holes: tuple[tuple[int, int, int, int], ...] = ()) -> np.ndarray:
    """A mask of boxes (x1, y1, x2, y2), the last column and row not included."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for value, some in ((True, boxes), (False, holes)):
        for x1, y1, x2, y2 in some:
            mask[y1:y2, x1:x2] = value
    return mask


RING = blob((10, 10, 40, 40), holes=((20, 20, 30, 30),))
PIECES = blob((5, 5, 15, 15), (50, 30, 52, 50), (15, 15, 16, 16))


def png(pixels: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


def shape(label: str, points: list, kind: str = "polygon", **more) -> dict:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, "mask": None} | more


def labelme(folder: Path, stem: str, shapes: list, picture: np.ndarray | None = None, **more) -> Path:
    """A labelme file with its image beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    if picture is not None:
        write_image(folder / f"{stem}.png", picture)
    document = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{stem}.png", "imageData": None}
    document |= {"imageHeight": HEIGHT, "imageWidth": WIDTH} | more
    file = folder / f"{stem}.json"
    file.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return file


def triangles(folder: Path, count: int, label: str = "Defect") -> None:
    """Labelme files of plainly labelled images."""
    for number in range(count):
        labelme(folder, f"part{number:02d}", [shape(label, [[1, 1], [40, 2], [20, 50]])], noise(number))


def written(folder: Path, split: str, stem: str) -> list[tuple[int, np.ndarray]]:
    """Class and mask of each line of a label, filled as ultralytics does."""
    (picture,) = (folder / "images" / split).glob(f"{stem}.*")
    height, width = read_image(picture)[0].shape[:2]
    found = []
    for line in (folder / "labels" / split / f"{stem}.txt").read_text("ascii").splitlines():
        number, *numbers = line.split()
        assert all(0 <= float(value) <= 1 and len(value.partition(".")[2]) == 6 for value in numbers)
        points = np.array(numbers, float).reshape(-1, 2) * (width, height)
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [points.astype(np.int32)], 1)
        found.append((int(number), mask.astype(bool)))
    return found


def everything(folder: Path) -> dict[str, list[tuple[int, np.ndarray]]]:
    """By stem, whatever the split."""
    files = sorted((folder / "images").rglob("*.*"))
    return {file.stem: written(folder, file.parent.name, file.stem) for file in files}


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def names(folder: Path) -> list[str]:
    description = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))
    assert list(description["names"]) == list(range(description["nc"]))
    return list(description["names"].values())


def splits(folder: Path) -> dict[str, set[str]]:
    return {place.name: {file.name for file in place.iterdir()} for place in (folder / "images").iterdir()}


# labelme


def test_every_shape_of_labelme(tmp_path):
    square = [[10, 10], [30, 10], [30, 40], [10, 40]]
    crop = RING[10:40, 10:40].astype(np.uint8)
    shapes = [
        shape("裂纹", square),
        shape("裂纹", [[30, 40], [10, 10]], "rectangle"),
        shape("坑", [[40, 30], [40, 45]], "circle"),
        shape("环", [[10, 10], [39, 39]], "mask", mask=png(crop)),
        shape("环", [[10, 10], [39, 39]], "mask", mask=png(crop * 255)),
    ]
    labelme(tmp_path / "a", "轴承 1", shapes, noise(0))
    labelme(tmp_path / "a", "good", [], noise(1))
    done = convert(tmp_path / "a", tmp_path / "set")
    assert names(tmp_path / "set") == ["坑", "环", "裂纹"] == list(done.names) and done.format == "labelme"
    found = everything(tmp_path / "set")
    assert found["good"] == []
    assert sum(done.good.values()) == 1 and sum(done.pictures.values()) == 2
    polygon, rectangle, disc, ring = found["轴承 1"]  # the last says nothing new
    assert done.notes == {"repeated": 1, "bridged": 2} and not done.lost
    expected = blob((10, 10, 30, 40))
    assert polygon[0] == 2 and overlap(polygon[1], expected) > 0.9
    assert rectangle[0] == 2 and (rectangle[1] == polygon[1]).all()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    assert disc[0] == 0 and overlap(disc[1], np.hypot(rows - 30, columns - 40) < 15) > 0.93
    assert ring[0] == 1 and (ring[1] == RING).all()


@pytest.mark.parametrize("mask", [RING, PIECES, ~RING, blob((0, 0, 1, 1)), blob((79, 0, 80, 60))])
def test_a_mask_is_kept_to_the_pixel(tmp_path, mask):
    rows, columns = np.nonzero(mask)
    x1, y1, x2, y2 = columns.min(), rows.min(), columns.max(), rows.max()
    crop = mask[y1 : y2 + 1, x1 : x2 + 1].astype(np.uint8)
    points = [[int(x1), int(y1)], [int(x2), int(y2)]]
    labelme(tmp_path / "a", "one", [shape("Defect", points, "mask", mask=png(crop))], noise(90))
    triangles(tmp_path / "a", 1)
    convert(tmp_path / "a", tmp_path / "set")
    ((_, found),) = everything(tmp_path / "set")["one"]
    assert (found[mask]).all()
    if cv2.connectedComponents(mask.astype(np.uint8))[0] > 2:  # programs that paint borders paint the bridges too
        assert (found & ~mask).sum() < 60
        (line,) = next((tmp_path / "set" / "labels").rglob("one.txt")).read_text().splitlines()
        ring = np.array(line.split()[1:], float).reshape(-1, 2) * (WIDTH, HEIGHT)
        found = coco.decode(coco.frPyObjects([ring.ravel().tolist()], HEIGHT, WIDTH))[..., 0].astype(bool)
    assert (found == mask).all()


def test_shapes_of_one_group_are_one_defect(tmp_path):
    apart = [shape("a", [[x, 5], [x + 10, 5], [x + 10, 20], [x, 20]], group_id=3) for x in (5, 40)]
    over = [shape("a", [[x, 30], [x + 20, 30], [x + 20, 50], [x, 50]], group_id=4) for x in (5, 15)]
    other = [shape("b", [[60, 30], [70, 30], [70, 40]], group_id=4)]  # of a group's number, but not its class
    labelme(tmp_path / "a", "one", [*apart, *over, *other], noise(90))
    triangles(tmp_path / "a", 1, "a")
    convert(tmp_path / "a", tmp_path / "set")
    found = everything(tmp_path / "set")["one"]
    assert [number for number, _ in found] == [0, 0, 1]
    assert overlap(found[0][1], blob((5, 5, 15, 20), (40, 5, 50, 20))) > 0.75
    assert overlap(found[1][1], blob((5, 30, 35, 50))) > 0.9  # the even-odd rule leaves no hole where they overlap


def test_labelmes_image_may_lie_anywhere(tmp_path):
    folder, box = tmp_path / "a", [shape("Defect", [[1, 1], [20, 1], [20, 20]])]
    labelme(folder / "labels", "one", box, imagePath="..\\pictures\\图 1.png")
    (folder / "pictures").mkdir()
    write_image(folder / "pictures" / "图 1.png", noise(1))
    labelme(folder / "labels", "two", box, imagePath="C:\\old\\place\\two.png")
    write_image(folder / "two.png", noise(2))
    labelme(folder, "three", box, noise(3), imagePath="")
    labelme(folder, "four", box, imagePath="elsewhere/4.jpeg", imageData=png(noise(4)))
    file = labelme(folder, "five", box, noise(5))
    document = json.loads(file.read_text("utf-8"))
    del document["imagePath"], document["imageHeight"], document["imageWidth"], document["imageData"]
    file.write_text("\ufeff" + json.dumps(document), "utf-8")
    done = convert(folder, tmp_path / "set", val=0.4)
    assert done.pictures == {"train": 3, "val": 2} and not done.warnings
    found = {file.name: read_image(file)[0] for file in (tmp_path / "set" / "images").rglob("*.*")}
    assert {
        name: (found[name] == noise(seed)).all()
        for name, seed in zip(("图 1.png", "two.png", "three.png", "4.png", "five.png"), range(1, 6), strict=True)
    } == dict.fromkeys(found, True)


def test_a_image_of_the_same_name_with_labels_of_its_own_is_not_taken(tmp_path):
    box = [shape("Defect", [[1, 1], [20, 1], [20, 20]])]
    for place, seed, data in (("a", 1, None), ("b", None, png(noise(2))), ("c", None, None), ("d", 4, None)):
        labelme(tmp_path / "in" / place, "0", box, None if seed is None else noise(seed), imageData=data)
    done = convert(tmp_path / "in", tmp_path / "set")
    assert done.notes == {"unclear_picture": 1} and sum(done.pictures.values()) == 3
    found = [read_image(file)[0].tobytes() for file in (tmp_path / "set" / "images").rglob("*.*")]
    assert set(found) == {noise(seed).tobytes() for seed in (1, 2, 4)}


def test_what_is_wrong_with_labelmes_files_is_counted(tmp_path):
    folder = tmp_path / "a"
    triangles(folder, 4)
    corner = [[1, 1], [20, 1], [20, 20]]
    labelme(
        folder,
        "clicks",
        [shape("a", []), shape("a", [[1, 1], [2, 2]]), shape("a", [[1, 1], [9, 9], [5, 5]])],
        noise(10),
    )
    labelme(folder, "away", [shape("a", [[100, 1], [120, 1], [120, 20]]), shape("a", corner)], noise(11))
    labelme(folder, "cut", [shape("a", [[70, 10], [89, 10], [89, 30], [70, 30]])], noise(12))
    labelme(folder, "line", [shape("a", [[1, 1], [50, 50]], "line"), shape("a", corner)], noise(13))
    labelme(folder, "torn", [shape("a", corner, "mask", mask="AAAA")], noise(14))
    labelme(folder, "text", [shape("a", [["x", 1], [2, 3], [4, 5]])], noise(15))
    labelme(folder, "nan", [shape("a", [[float("nan"), 1], [2, 3], [4, 5]])], noise(16))
    labelme(folder, "turned", [shape("a", corner)], noise(17, WIDTH, HEIGHT))
    labelme(folder, "large", [shape("a", corner)], noise(18, 2 * HEIGHT, 2 * WIDTH))
    labelme(folder, "lost", [shape("a", corner)])
    labelme(folder, "empty", [shape("a", corner)]).with_suffix(".png").write_bytes(b"")
    write_image(folder / "broken.png", noise(19))
    (folder / "broken.json").write_text("{", "utf-8")
    write_image(folder / "none.png", noise(20))
    done = convert(folder, tmp_path / "set")
    assert done.notes == {
        "missing_picture": 1, "unreadable_picture": 1, "other_size": 1, "unreadable_label": 1, "malformed": 2,
        "no_outline": 1, "damaged_mask": 1, "degenerate": 2, "off_image": 1, "clipped": 1, "scaled": 1, "unlabelled": 1,
    }  # fmt: skip
    assert done.lost and len(done.warnings) == len(done.notes)
    assert "1 image left out as unreadable (empty.png: empty.png is empty (0 bytes))" in done.warnings
    found = everything(tmp_path / "set")
    assert set(found) == {"part00", "part01", "part02", "part03", "cut", "large"}
    assert overlap(found["cut"][0][1], blob((70, 10, 80, 30))) > 0.85
    small = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(small, [np.array(corner)], 1)
    assert overlap(found["large"][0][1], np.kron(small.astype(bool), np.ones((2, 2), bool))) > 0.85


def test_images_without_labels_may_be_good_parts(tmp_path):
    triangles(tmp_path / "a", 3)
    (tmp_path / "a" / "good").mkdir()
    for number in range(3):
        write_image(tmp_path / "a" / "good" / f"{number}.png", noise(10 + number))
    done = convert(tmp_path / "a", tmp_path / "one")
    assert sum(done.pictures.values()) == 3 and done.notes == {"unlabelled": 3} and not done.lost
    done = convert(tmp_path / "a", tmp_path / "two", unlabelled_are_good=True)
    assert sum(done.pictures.values()) == 6 and sum(done.good.values()) == 3 and done.notes == {"taken_as_good": 3}


# COCO


def coco_file(
    folder: Path, annotations: list, images: int = 3, name: str = "annotations/instances_default.json"
) -> Path:
    """A COCO file and its images in ``images``; annotations are (image, category, segmentation, …)."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in range(images):
        write_image(folder / "images" / f"{number}.png", noise(number))
    document = {
        "licenses": [], "info": {},
        "categories": [{"id": 9, "name": "划痕", "supercategory": ""}, {"id": 3, "name": "pit", "supercategory": ""}],
        "images": [{"id": 10 + n, "width": WIDTH, "height": HEIGHT, "file_name": f"{n}.png"} for n in range(images)],
        "annotations": [
            {"id": k, "image_id": 10 + image, "category_id": category, "segmentation": what, "bbox": box_of(what),
             "iscrowd": 0} | (more[0] if more else {})
            for k, (image, category, what, *more) in enumerate(annotations)
        ],
    }  # fmt: skip
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return file


def box_of(what: object) -> list[float]:
    """The bounding box that COCO's tools write beside an outline."""
    if isinstance(what, list) and what:
        numbers = np.concatenate(what if isinstance(what[0], list) else [what])
        x, y = numbers[::2], numbers[1::2]
        return [float(x.min()), float(y.min()), float(np.ptp(x)), float(np.ptp(y))]
    return [0, 0, 5, 5] if not isinstance(what, dict) else []


def rle(mask: np.ndarray, compressed: bool) -> dict:
    if compressed:
        packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": counts if not flat[0] else [0, *counts]}


def test_polygons_and_run_lengths_of_coco(tmp_path):
    coco_file(
        tmp_path / "a",
        [
            (0, 9, [[10, 10, 30, 10, 30, 40, 10, 40]]),
            (0, 3, rle(RING, True), {"iscrowd": 1}),
            (1, 3, rle(PIECES, False)),
            (1, 9, [[5, 5, 15, 5, 15, 20, 5, 20], [40, 5, 50, 5, 50, 20, 40, 20]]),
            (1, 9, [10, 10, 30, 10, 30, 40]),
        ],
    )
    done = convert(tmp_path / "a", tmp_path / "set")
    assert names(tmp_path / "set") == ["pit", "划痕"] and done.format == "coco"
    assert done.notes == {"crowd": 1, "bridged": 3} and not done.lost
    found = everything(tmp_path / "set")
    assert [number for number, _ in found["0"]] == [1, 0] and [number for number, _ in found["1"]] == [0, 1, 1]
    assert (found["0"][1][1] == RING).all() and overlap(found["1"][0][1], PIECES) > 0.75
    assert overlap(found["1"][1][1], blob((5, 5, 15, 20), (40, 5, 50, 20))) > 0.75
    assert found["2"] == []


def test_overlapping_polygons_of_one_annotation_are_their_union_as_pycocotools_sees_it(tmp_path):
    rings = [[10.0, 10.0, 50.5, 12.0, 30.0, 50.0], [20.0, 5.0, 60.0, 30.0, 25.0, 45.0]]
    coco_file(tmp_path / "a", [(0, 9, rings)])
    convert(tmp_path / "a", tmp_path / "set")
    expected = coco.decode(coco.merge(coco.frPyObjects(rings, HEIGHT, WIDTH))).astype(bool)
    assert (everything(tmp_path / "set")["0"][0][1] == expected).all()


@pytest.mark.parametrize("folder", ["valid", "val"])
def test_roboflows_coco_keeps_its_split_and_loses_its_heading_class(tmp_path, folder):
    for split, count in (("train", 3), (folder, 2), ("test", 1)):
        (tmp_path / "a" / split).mkdir(parents=True)
        document = {
            "info": {}, "licenses": [],
            "categories": [{"id": 0, "name": "defects", "supercategory": "none"},
                           {"id": 1, "name": "crack", "supercategory": "defects"}],
            "images": [], "annotations": [],
        }  # fmt: skip
        for number in range(count):
            write_image(tmp_path / "a" / split / f"{number}.jpg", noise(number + 10 * ord(split[1]) + len(split)))
            document["images"].append({"id": number, "file_name": f"{number}.jpg", "height": HEIGHT, "width": WIDTH})
            ring = [[1, 1, 40, 1, 40, 30]]
            document["annotations"].append({"id": number, "image_id": number, "category_id": 1, "segmentation": ring})
        (tmp_path / "a" / split / "_annotations.coco.json").write_text(json.dumps(document), "utf-8")
    done = convert(tmp_path / "a", tmp_path / "set", val=0.5, test=0.3)
    assert done.names == ("crack",) and done.pictures == {"train": 3, "val": 2, "test": 1}
    assert done.notes == {"empty_class": 3}
    assert splits(tmp_path / "set") == {
        "train": {"0.jpg", "1.jpg", "2.jpg"},
        "val": {"0.jpg", "1.jpg"},
        "test": {"0.jpg"},
    }
    assert (tmp_path / "set" / "images" / "val" / "1.jpg").read_bytes() == (
        tmp_path / "a" / folder / "1.jpg"
    ).read_bytes()


def test_cvats_coco_with_subsets_and_folders_in_names(tmp_path):
    for word in ("train", "Validation"):
        for part in ("line1", "line2"):
            (tmp_path / "a" / "images" / word / part).mkdir(parents=True)
            write_image(tmp_path / "a" / "images" / word / part / "0.png", noise(len(word) + int(part[-1])))
        images = [{"id": n, "file_name": f"line{n}/0.png", "height": HEIGHT, "width": WIDTH} for n in (1, 2)]
        one = {"id": 1, "image_id": 2, "category_id": 1, "segmentation": rle(RING, False), "iscrowd": 1}
        document = {"categories": [{"id": 1, "name": "a"}], "images": images, "annotations": [one]}
        file = tmp_path / "a" / "annotations" / f"instances_{word}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(document), "utf-8")
    convert(tmp_path / "a", tmp_path / "set")
    for word, split in (("train", "train"), ("Validation", "val")):
        assert splits(tmp_path / "set")[split] == {"0.png", "line2_0.png"}
        ((_, mask),) = written(tmp_path / "set", split, "line2_0")
        assert (mask == RING).all()
        copied = read_image(tmp_path / "set" / "images" / split / "line2_0.png")[0]
        assert (copied == noise(len(word) + 2)).all()


def test_what_is_wrong_with_cocos_file_is_counted(tmp_path):
    good = [[10, 10, 30, 10, 30, 40]]
    torn = rle(RING, True)
    coco_file(
        tmp_path / "a",
        [
            (0, 9, good), (1, 9, good), (2, 77, good), (3, 9, []), (4, 9, [[1, 2, 3]]),
            (5, 9, {"size": [HEIGHT, WIDTH], "counts": torn["counts"][:-3] + "o"}),
            (6, 9, {"size": [HEIGHT, WIDTH], "counts": [1, 2, 3]}),
            (7, 9, {"size": [10**9, 10**9], "counts": [1]}),
            (8, 9, {"size": [HEIGHT, WIDTH], "counts": "~~~"}),
            (99, 9, good),
        ],
        images=9,
    )  # fmt: skip
    (tmp_path / "a" / "images" / "8.png").rename(tmp_path / "a" / "images" / "9.png")
    done = convert(tmp_path / "a", tmp_path / "set")
    assert done.notes == {
        "missing_picture": 1, "malformed": 1, "no_outline": 1, "damaged_mask": 3, "unknown_class": 1,
        "orphan_shape": 1, "unlabelled": 1, "absent_class": 1,
    }  # fmt: skip
    assert set(everything(tmp_path / "set")) == {"0", "1"}


# YOLO


def yolo(
    folder: Path, places: dict[str, str], head: dict | None, lines: str = "0 0.1 0.1 0.5 0.1 0.5 0.7\n", count=4
) -> None:
    """Images with labels in folders (images' -> labels'), and a data.yaml."""
    seed = 0
    for images, labels in places.items():
        for place in (images, labels):
            (folder / place).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            write_image(folder / images / f"{number}.png", noise(seed := seed + 1))
            (folder / labels / f"{number}.txt").write_text(lines, "ascii")
    if head is not None:
        (folder / "data.yaml").write_text(yaml.safe_dump(head, sort_keys=False), "utf-8")


def test_cvats_list_of_one_split_is_divided(tmp_path):
    yolo(
        tmp_path / "a",
        {"images/train": "labels/train"},
        {"path": "./", "train": "train.txt", "names": {0: "a"}},
        count=10,
    )
    text = "".join(f"data/images/train/{number}.png\n" for number in (*range(10), 17))
    (tmp_path / "a" / "train.txt").write_text(text, "utf-8")
    done = convert(tmp_path / "a", tmp_path / "set")
    assert done.pictures == {"train": 8, "val": 2} and done.format == "yolo"
    assert done.notes == {"missing_picture": 1} and done.lost


def test_roboflows_way_up_is_none(tmp_path):
    head = {
        "train": "../train/images",
        "val": "../valid/images",
        "test": "../test/images",
        "nc": 2,
        "names": ["b", "a"],
    }
    yolo(tmp_path / "a", {"train/images": "train/labels", "valid/images": "valid/labels"}, head)
    (tmp_path / "train" / "images").mkdir(parents=True)  # another folder, where the path leads literally
    done = convert(tmp_path / "a", tmp_path / "set", classes=["a", "b"])
    assert done.pictures == {"train": 4, "val": 4} and done.names == ("a", "b")
    assert done.notes == {"missing_split": 1, "absent_class": 1} and not done.lost
    assert {line.split()[0] for line in (tmp_path / "set/labels/val/0.txt").read_text().splitlines()} == {"1"}


@pytest.mark.slow
def test_a_synthetic_set_comes_out_as_it_went_in(tmp_path):
    synthesize(tmp_path / "a", count=12, size=160, classes="kinds", seed=5)
    done = convert(tmp_path / "a", tmp_path / "set")
    for file in (tmp_path / "set").rglob("*.jpg"):
        assert file.read_bytes() == (tmp_path / "a" / file.relative_to(tmp_path / "set")).read_bytes()
    for file in (tmp_path / "set").rglob("*.txt"):
        assert file.read_bytes() == (tmp_path / "a" / file.relative_to(tmp_path / "set")).read_bytes()
    before, after = (yaml.safe_load((tmp_path / one / "data.yaml").read_text("utf-8")) for one in ("a", "set"))
    assert before == after and sum(done.pictures.values()) == 12


@pytest.mark.parametrize(
    "head", [{"train": "images", "val": "images", "names": {1: "b", 4: "a"}}, {"names": ["z", "b"]}]
)
def test_a_folder_without_a_split_is_divided(tmp_path, head):
    yolo(tmp_path / "a", {"images": "labels"}, head, lines="1 0.1 0.1 0.5 0.1 0.5 0.7\n", count=10)
    (tmp_path / "a" / "labels" / "3.txt").unlink()
    (tmp_path / "a" / "labels" / "gone.txt").write_text("", "ascii")
    done = convert(tmp_path / "a", tmp_path / "set", val=0.3, test=0.2)
    assert done.pictures == {"train": 5, "val": 3, "test": 2} and sum(done.good.values()) == 1
    odd = {"odd_numbers": 1} if isinstance(head["names"], dict) else {}
    assert done.notes == {"taken_as_good": 1, "orphan_empty": 1, "absent_class": 1} | odd and not done.lost
    assert sum(counts["b"] for counts in done.defects.values()) == 9


def test_class_names_in_a_text_file_and_labels_beside_the_images(tmp_path):
    yolo(tmp_path / "a", {"part": "part"}, None)
    with pytest.raises(InputError, match=r"contains YOLO \(part/0.txt\), which is not supported; write a data.yaml"):
        convert(tmp_path / "a", tmp_path / "set")
    (tmp_path / "a" / "classes.txt").write_text("裂纹\n", "utf-8")
    assert convert(tmp_path / "a", tmp_path / "set").defects["val"] == {"裂纹": 1}


def test_what_is_wrong_with_yolos_lines_is_counted(tmp_path):
    yolo(tmp_path / "a", {"images": "labels"}, {"names": ["a"]}, count=9)
    lines = [
        "0 .5 .5 .1 .1",
        "x",
        "0 .1 .1",
        "0 .1 .1 .5",
        "0 2 2 3 2 3 3",
        "0 -.5 .2 .5 .2 .5 .6 -.5 .6",
    ]
    for number, line in enumerate([*lines[:6], "0 .1 .1 .5 .1 .5 .7\n\n0 .1 .1 .5 .1 .5 .7"]):
        (tmp_path / "a" / "labels" / f"{number}.txt").write_text(line, "ascii")
    (tmp_path / "a" / "labels" / "7.txt").write_bytes(b"0 \xff\xff")
    done = convert(tmp_path / "a", tmp_path / "set")
    assert done.notes == {
        "unreadable_label": 1, "malformed_line": 2, "box_only": 1, "degenerate": 1, "outside": 2, "repeated": 1,
    }  # fmt: skip
    assert set(everything(tmp_path / "set")) == {"6", "8"}


# Output


def test_the_result_can_be_trained_on_without_a_remark(tmp_path):
    triangles(tmp_path / "a", 10, 'a\'b: "c" #1')
    labelme(
        tmp_path / "a",
        "ring",
        [shape("环", [[10, 10], [39, 39]], "mask", mask=png(RING[10:40, 10:40].astype(np.uint8)))],
        noise(50),
    )
    labelme(
        tmp_path / "a",
        "ring2",
        [shape("环", [[10, 10], [39, 39]], "mask", mask=png(RING[10:40, 10:40].astype(np.uint8)))],
        noise(51),
    )
    done = convert(tmp_path / "a", tmp_path / "set 集", val=0.3, test=0.2)
    report = check_yolo_dataset(read_yolo_dataset(tmp_path / "set 集" / "data.yaml"))
    assert {one.kind for one in report.findings} <= {"few_images", "few_defects", "no_good"}
    assert report.names == done.names and not report.lost
    assert dict(report.totals) == done.pictures
    assert {split: report.objects(split) for split in report.totals} == done.defects


def test_only_some_classes_or_a_single_one(tmp_path):
    for number, label in enumerate("abcab"):
        labelme(tmp_path / "a", str(number), [shape(label, [[1, 1], [40, 2], [20, 50]])], noise(number))
    done = convert(tmp_path / "a", tmp_path / "two", classes=["b", "a"])
    assert names(tmp_path / "two") == ["b", "a"] and done.notes == {"other_class": 1}
    assert everything(tmp_path / "two")["2"] == [] and everything(tmp_path / "two")["0"][0][0] == 1
    done = convert(tmp_path / "a", tmp_path / "one", single="Defect")
    assert names(tmp_path / "one") == ["Defect"] and not done.warnings
    assert sum(counts["Defect"] for counts in done.defects.values()) == 5


def test_images_of_one_name_and_odd_suffixes(tmp_path):
    folder, ring = tmp_path / "a", [shape("a", [[1, 1], [40, 2], [20, 50]])]
    for place, seed in (("x", 0), ("y", 1), ("z/y", 2)):
        labelme(folder / place, "1", ring, noise(seed))
    labelme(folder, "1", ring, imagePath="1.jfif")
    write_image(folder / "2.jpg", noise(3)).rename(folder / "1.jfif")
    labelme(folder, "3", ring, imagePath="3.png")
    write_image(folder / "3.bmp", noise(4)).rename(folder / "3.png")
    done = convert(folder, tmp_path / "set", val=0.2)
    assert sum(done.pictures.values()) == 5 and not done.lost
    found = {file.name for file in (tmp_path / "set" / "images").rglob("*.*")}
    assert "3.bmp" in found and "1.jpg" in found
    labels = {file.name for file in (tmp_path / "set" / "labels").rglob("*.txt")}
    assert labels == {Path(name).with_suffix(".txt").name for name in found}


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"val": 0}, "val must be above 0"),
        ({"val": float("nan")}, "val must be above 0"),
        ({"val": 0.6, "test": 0.4}, "both together below 1"),
        ({"seed": -1}, "0 or more"),
        ({"format": "voc"}, "must be auto"),
        ({"group": "("}, "not a regular expression"),
        ({"classes": ["a", "a"]}, "named once"),
        ({"classes": []}, "must have a name"),
        ({"single": " "}, "must have a name"),
        ({"classes": ["a"], "single": "b"}, "not both"),
        ({"format": "yolo"}, "no data.yaml"),
        ({"format": "coco"}, "No defect that can be used"),
        ({"classes": ["nix"]}, "No defect that can be used"),
        ({"val": 0.2, "test": 0.2}, "2 different images"),
    ],
)
def test_what_is_impossible_is_refused_and_nothing_is_written(tmp_path, options, complaint):
    triangles(tmp_path / "a", 2)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=complaint):
        convert(tmp_path / "a", tmp_path / "deep" / "set", **options)
    after = [path for path in sorted(tmp_path.rglob("*")) if path.name != "deep"]
    assert after == before


def test_several_formats_in_one_folder_are_not_guessed(tmp_path):
    triangles(tmp_path / "a", 3)
    coco_file(tmp_path / "a", [(0, 9, [[10, 10, 30, 10, 30, 40]])], name="all.json")
    with pytest.raises(InputError, match="several formats"):
        convert(tmp_path / "a", tmp_path / "set")
    assert convert(tmp_path / "a", tmp_path / "one", format="labelme").format == "labelme"
    assert convert(tmp_path / "a" / "all.json", tmp_path / "two").format == "coco"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_set_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch, error):
    triangles(tmp_path / "a", 5)
    calls = []

    def copy(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise error

    monkeypatch.setattr("inspector.datasets.importing.conversion.shutil.copyfile", copy)
    with pytest.raises(InputError if isinstance(error, OSError) else KeyboardInterrupt):
        convert(tmp_path / "a", tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_used_folder_is_left_alone_and_an_empty_one_is_filled(tmp_path):
    triangles(tmp_path / "a", 3)
    (tmp_path / "set").mkdir()
    convert(tmp_path / "a", tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["data.yaml", "images", "labels"]
    for used in (tmp_path / "set", tmp_path / "a"):
        with pytest.raises(InputError, match="not empty"):
            convert(tmp_path / "a", used)


# The split


def test_the_same_images_stay_together_and_the_seed_decides(tmp_path):
    triangles(tmp_path / "a", 12)
    for number in range(4):  # the same pixels under another name and in another format
        ring = [shape("Defect", [[1, 1], [40, 2], [20, 50]])]
        labelme(tmp_path / "a", f"copy{number}", ring, imagePath=f"copy{number}.bmp")
        write_image(tmp_path / "a" / f"copy{number}.bmp", noise(number))
    seen = set()
    for seed in range(8):
        done = convert(tmp_path / "a", tmp_path / str(seed), val=0.3, seed=seed)
        assert done.notes == {} and 4 <= done.pictures["val"] <= 6
        found = splits(tmp_path / str(seed))
        for number in range(4):
            assert (f"copy{number}.bmp" in found["val"]) == (f"part{number:02d}.png" in found["val"])
        seen.add(frozenset(found["val"]))
    assert len(seen) > 4
    convert(tmp_path / "a", tmp_path / "again", val=0.3, seed=0)
    assert splits(tmp_path / "again") == splits(tmp_path / "0")


def test_groups_stay_together(tmp_path):
    for part in range(6):
        for view in range(3):
            ring = [shape("a", [[1, 1], [40, 2], [20, 50]])]
            labelme(tmp_path / "a" / f"part{part}", f"v{view}", ring, noise(10 * part + view))
    labelme(tmp_path / "a", "loose", [], noise(99))
    done = convert(tmp_path / "a", tmp_path / "set", val=0.3, group=r"part(\d+)/")
    assert done.notes == {"ungrouped": 1} and done.pictures["val"] in (6, 7)
    digests = {
        split: {(tmp_path / "set" / "images" / split / name).read_bytes() for name in files}
        for split, files in splits(tmp_path / "set").items()
    }
    for part in range(6):
        mine = {(tmp_path / "a" / f"part{part}" / f"v{view}.png").read_bytes() for view in range(3)}
        assert mine <= digests["train"] or mine <= digests["val"]


def test_images_in_two_given_splits_are_told(tmp_path):
    yolo(
        tmp_path / "a",
        {"images/train": "labels/train", "images/val": "labels/val"},
        {"train": "images/train", "val": "images/val", "names": ["a"]},
    )
    write_image(tmp_path / "a" / "images" / "val" / "0.png", noise(1))
    done = convert(tmp_path / "a", tmp_path / "set")
    assert done.notes == {"shared": 1} and done.pictures == {"train": 4, "val": 4} and not done.lost
