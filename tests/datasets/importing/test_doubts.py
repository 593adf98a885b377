"""Labels of COCO and labelme that cannot be right: nothing labelled becomes a good part, and everything is reported."""

import base64
import json
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from links import needs_links
from pycocotools import mask as coco

from inspector.datasets.importing import Summary, convert
from inspector.domain import InputError
from inspector.imaging import write_image

WIDTH, HEIGHT, COUNT = 120, 80, 6
BOX = [20, 10, 30, 20]
RING = [20, 10, 50, 10, 50, 30, 20, 30]


def images(folder: Path, count: int = COUNT, name: str = "a{}.png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        write_image(folder / name.format(number), pixels)


def document(odd: dict | None = None, **more: object) -> dict:
    """COCO's document of six images with a crack each; the first annotation differs by ``odd``."""
    annotations = [
        {"id": n + 1, "image_id": n, "category_id": 1, "bbox": BOX, "iscrowd": 0, "segmentation": [RING]}
        for n in range(COUNT)
    ]
    annotations[0] |= odd or {}
    listed = [{"id": n, "file_name": f"a{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(COUNT)]
    return {"images": listed, "annotations": annotations, "categories": [{"id": 1, "name": "crack"}]} | more


def convert_coco(tmp_path: Path, content: object, **options: object) -> Summary:
    images(tmp_path / "in")
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "in" / "annotations.json").write_text(text, "utf-8")
    return convert(tmp_path / "in", tmp_path / "set", **options)


def total(done: Summary) -> tuple[int, int, int]:
    """Images, good ones among them, defects."""
    defects = sum(sum(counts.values()) for counts in done.defects.values())
    return sum(done.pictures.values()), sum(done.good.values()), defects


def packed(mask: np.ndarray) -> str:
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def area() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:30, 20:50] = True
    return mask


def row_by_row() -> list[int]:
    flat = area().ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    return np.diff([0, *edges, flat.size]).tolist()


def test_a_sound_file(tmp_path):
    good = {"segmentation": {"size": [HEIGHT, WIDTH], "counts": packed(area())}}
    done = convert_coco(tmp_path, document(good))
    assert total(done) == (6, 0, 6) and not done.lost and not done.notes


@pytest.mark.parametrize(
    "odd, kind",
    [
        ({"segmentation": {"size": [WIDTH, HEIGHT], "counts": packed(area())}}, "mask_size"),
        ({"segmentation": {"size": [40, 60], "counts": packed(area()[::2, ::2])}}, "mask_size"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": row_by_row()}}, "other_box"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": packed(area()[:, ::-1])}}, "other_box"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": packed(area()[:40])}}, "damaged_mask"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [10**400, 5]}}, "damaged_mask"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [-1, 9601]}}, "damaged_mask"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": "裂" * 9}}, "damaged_mask"),
        ({"segmentation": {"size": [-HEIGHT, WIDTH], "counts": [9600]}}, "damaged_mask"),
        ({"segmentation": {"size": [1e999, WIDTH], "counts": [9600]}}, "damaged_mask"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}}, "degenerate"),
        ({"segmentation": {"size": [20000, 20000], "counts": [0, 400_000_000]}}, "mask_size"),
        ({"segmentation": [[v / (HEIGHT if k % 2 else WIDTH) for k, v in enumerate(RING)]]}, "shares"),
        ({"segmentation": [[v + 200 for v in RING]], "bbox": [220, 210, 30, 20]}, "off_image"),
        ({"segmentation": [[v - 40 for v in RING]], "bbox": [-20, -30, 30, 20]}, "off_image"),
        ({"segmentation": [[100, 10, 150, 10, 150, 30, 100, 30]], "bbox": [100, 10, 50, 20]}, "off_image"),
        ({"bbox": [20, 10, 50, 30]}, "other_box"),
        ({"bbox": [0, 0, 5, 5]}, "other_box"),
        ({"bbox": [50, 30, -30, -20]}, "other_box"),
        ({"bbox": [20, 10, 30]}, "other_box"),
        ({"bbox": [float("nan"), 10, 30, 20]}, "other_box"),
        ({"bbox": [10**400, 10, 30, 20]}, "other_box"),
        ({"segmentation": [[10**400, *RING[1:]]]}, "malformed"),
        ({"segmentation": [[float("nan"), *RING[1:]]]}, "malformed"),
        ({"segmentation": [[float("inf"), *RING[1:]]]}, "malformed"),
        ({"segmentation": [RING[:-1]]}, "malformed"),
        ({"segmentation": [RING[:4]]}, "degenerate"),
        ({"segmentation": [RING, [1, 1, 2, 2]]}, "degenerate"),
        ({"segmentation": [[20, 10, 50, 30, 35, 20]]}, "degenerate"),
        ({"segmentation": []}, "no_outline"),
        ({"segmentation": 7}, "malformed"),
        ({"category_id": 9}, "unknown_class"),
        ({"category_id": None}, "unknown_class"),
        ({"image_id": 99}, "orphan_shape"),
        ({"image_id": None}, "orphan_shape"),
        ({"image_id": 0.5}, "orphan_shape"),
    ],
)
def test_what_cannot_be_right_loses_its_image_and_no_other(tmp_path, odd, kind):
    done = convert_coco(tmp_path, document(odd))
    assert total(done) == (5, 0, 5) and done.lost and kind in done.notes
    assert all(len(sentence) < 500 and sentence.isprintable() for sentence in done.warnings)


def test_a_few_bytes_do_not_fill_the_memory(tmp_path):
    content = document(
        {"segmentation": {"size": [20000, 20000], "counts": [0, 400_000_000]}, "bbox": [0, 0, 20000, 20000]}
    )
    content["images"][0] |= {"width": 20000, "height": 20000}
    tracemalloc.start()
    done = convert_coco(tmp_path, content)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20 and total(done) == (5, 0, 5) and done.notes == {"mask_size": 1}
    tracemalloc.stop()


@pytest.mark.parametrize("same", [float, str, lambda n: f" {n} ", lambda n: n if n % 2 else float(n)])
def test_ids_of_mixed_types_are_the_same(tmp_path, same):
    content = document()
    for annotation in content["annotations"]:
        annotation["image_id"] = same(annotation["image_id"])
        annotation["category_id"] = same(1)
    assert total(done := convert_coco(tmp_path, content)) == (6, 0, 6) and not done.lost


def test_images_without_a_shape_are_good_unless_a_shape_has_lost_its_image(tmp_path):
    content = document()
    del content["annotations"][3]
    assert total(convert_coco(tmp_path / "one", content)) == (6, 1, 5)
    content["annotations"][0]["image_id"] = "0b"
    done = convert_coco(tmp_path / "two", content)
    assert total(done) == (4, 0, 4) and done.notes == {"unclear_good": 2, "orphan_shape": 1} and done.lost


def test_an_annotation_that_is_none_is_not_passed_over(tmp_path):
    content = document()
    content["annotations"][2] = None
    done = convert_coco(tmp_path, content)
    assert total(done) == (5, 0, 5) and done.notes == {"unclear_good": 1, "orphan_shape": 1} and done.lost


def test_two_images_of_one_id_are_left_out(tmp_path):
    content = document()
    content["images"][1]["id"] = "0"
    content["images"][2].pop("id")
    done = convert_coco(tmp_path, content)
    assert total(done) == (3, 0, 3) and done.notes == {"unclear_id": 3, "orphan_shape": 2}
    content = document()
    content["images"].append(dict(content["images"][0]))
    assert total(done := convert_coco(tmp_path / "b", content)) == (6, 0, 6) and not done.notes


def test_classes_of_one_name_and_of_one_id(tmp_path):
    content = document({"category_id": 2}, categories=[{"id": 1, "name": "crack"}, {"id": 2, "name": " crack"}])
    done = convert_coco(tmp_path / "one", content)
    assert done.names == ("crack",) and done.notes == {"same_name": 1} and done.lost
    assert "1 class of one name with another, taken as one" in done.warnings[0]
    content = document(categories=[{"id": 1, "name": "crack"}, {"id": "1", "name": "dent"}])
    with pytest.raises(InputError, match="gives the id 1 to two classes, crack and dent"):
        convert_coco(tmp_path / "two", content)


@pytest.mark.parametrize("side", [-120, "x", float("nan"), 10**400, [1]])
def test_a_size_that_is_none_loses_the_image(tmp_path, side):
    content = document()
    content["images"][0]["width"] = side
    done = convert_coco(tmp_path, content)
    assert total(done) == (5, 0, 5) and done.notes == {"other_size": 1} and len(done.warnings[0]) < 400


@pytest.mark.parametrize(
    "name",
    [
        "轴承 {}.png",
        "%E8%BD%B4%E6%89%BF%20{}.png",
        "images/轴承 {}.PNG",
        "C:\\job\\轴承 {}.png",
        "http://x/y/%E8%BD%B4%E6%89%BF%20{}.png?v=1",
    ],
)
def test_names_in_any_spelling(tmp_path, name):
    images(tmp_path / "in", name="轴承 {}.png")
    content = document()
    for number, image in enumerate(content["images"]):
        image["file_name"] = name.format(number)
    (tmp_path / "in" / "annotations.json").write_bytes(json.dumps(content, ensure_ascii=False).encode("gb18030"))
    assert total(done := convert(tmp_path / "in", tmp_path / "set")) == (6, 0, 6) and not done.lost


def test_a_name_that_several_images_have_is_not_guessed(tmp_path):
    for place in ("x", "y"):
        images(tmp_path / "in" / place, 1)
    done = convert_coco(
        tmp_path, document() | {"images": [*document()["images"][1:], {"id": 0, "file_name": "q/a0.png"}]}
    )
    assert total(done) == (5, 0, 5) and done.notes["unclear_picture"] == 1 and done.lost
    done = convert(tmp_path / "in", tmp_path / "two", unlabelled_are_good=True)
    assert sum(done.good.values()) == 0  # one of them is labelled


def test_a_place_in_the_names_decides_between_images_of_one_name(tmp_path):
    for place in ("x", "y"):
        images(tmp_path / "in" / place)
    content = document()
    content["images"] = [image | {"file_name": f"x/{image['file_name']}"} for image in content["images"]]
    (tmp_path / "in" / "c.json").write_text(json.dumps(content), "utf-8")
    done = convert(tmp_path / "in", tmp_path / "set")
    assert total(done) == (6, 0, 6) and done.notes == {"unlabelled": 6}


@pytest.mark.parametrize(
    "text",
    [
        '{"images": ' + "[" * 100_000,
        '{"images": [], "annotations": [' + "9" * 5000 + '], "categories": []}',
        "\x00",
        "{",
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"cannot be read as JSON|neither in UTF-8") as refused:
        convert_coco(tmp_path, text)
    assert len(str(refused.value)) < 500 and not (tmp_path / "set").exists()


# labelme


def shapes(*points: object, **more: object) -> list[dict]:
    return [{"label": "裂纹", "points": list(points), "shape_type": "polygon"} | more]


SQUARE = ([20, 10], [50, 10], [50, 30], [20, 30])


def labelme(folder: Path, stem: str, content: list[dict], encoding: str = "utf-8", **more: object) -> None:
    whole = {
        "shapes": content,
        "imagePath": f"{stem}.png",
        "imageData": None,
        "imageWidth": WIDTH,
        "imageHeight": HEIGHT,
    }
    (folder / f"{stem}.json").write_bytes(json.dumps(whole | more, ensure_ascii=False).encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_labelme_in_any_encoding(tmp_path, encoding):
    images(tmp_path / "in")
    for number in range(COUNT):
        labelme(tmp_path / "in", f"a{number}", shapes(*SQUARE), encoding)
    done = convert(tmp_path / "in", tmp_path / "set")
    assert total(done) == (6, 0, 6) and done.names == ("裂纹",) and not done.notes


def png(pixels: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


@pytest.mark.parametrize(
    "content, more, kind",
    [
        (shapes([0.1, 0.1], [0.5, 0.1], [0.5, 0.5]), {}, "shares"),
        (shapes([0.1, 0.1], [0.5, 0.5], shape_type="rectangle"), {}, "shares"),
        (shapes([300, 10], [350, 10], [350, 30]), {}, "off_image"),
        (shapes([20, 10], [50, 10]), {}, "degenerate"),
        (shapes(*SQUARE) + shapes([1, 1]), {}, "degenerate"),
        (shapes([20, 10], [49, 29], shape_type="mask", mask=png(np.ones((10, 10), np.uint8))), {}, "mask_size"),
        (shapes([20, 10], [49, 29], shape_type="mask", mask="@@"), {}, "damaged_mask"),
        (shapes([10**400, 10], [50, 10], [50, 30]), {}, "malformed"),
        (shapes([20, 10], [50, 30], shape_type="line"), {}, "no_outline"),
        (shapes(*SQUARE, label=None), {}, "unknown_class"),
        (shapes(*SQUARE), {"imageWidth": -5}, "other_size"),
        (shapes(*SQUARE), {"imageWidth": HEIGHT, "imageHeight": WIDTH}, "other_size"),
        (shapes(*SQUARE), {"imagePath": "a1.png"}, "two_labels"),
    ],
)
def test_what_cannot_be_right_in_labelme(tmp_path, content, more, kind):
    images(tmp_path / "in")
    for number in range(1, COUNT):
        labelme(tmp_path / "in", f"a{number}", shapes(*SQUARE))
    labelme(tmp_path / "in", "a0", content, **more)
    done = convert(tmp_path / "in", tmp_path / "set", unlabelled_are_good=True)
    left = 4 if kind == "two_labels" else 5
    assert total(done) == (left, 0, left) and done.notes == {kind: 1} and done.lost


# Allowed locations of images


@pytest.mark.parametrize("way", ["absolute", "up", pytest.param("link", marks=needs_links)])
def test_a_strangers_labels_take_no_image_from_elsewhere(tmp_path, way):
    private = tmp_path / "private"
    images(private, 1)
    folder = tmp_path / "job" / "labels"
    images(folder, 4, "b{}.png")
    for number in range(4):
        labelme(folder, f"b{number}", shapes(*SQUARE))
    if way == "link":
        (folder / "a0.png").symlink_to(private / "a0.png")
    path = {"absolute": str(private / "a0.png"), "up": "../../private/a0.png", "link": "a0.png"}[way]
    labelme(folder, "a0", shapes(*SQUARE), imagePath=path)
    done = convert(folder, tmp_path / "set", unlabelled_are_good=True)
    assert total(done) == (4, 0, 4) and set(done.notes) == {"elsewhere"} and done.lost
    assert "lying outside the folder and those beside it" in done.warnings[0]
    done = convert(folder, tmp_path / "two", images_from_anywhere=True)
    assert total(done) == (5, 0, 5) and not done.lost


def test_images_in_a_folder_beside_the_labels_are_taken(tmp_path):
    images(tmp_path / "job" / "pictures")
    (tmp_path / "job" / "labels").mkdir()
    for number in range(COUNT):
        labelme(tmp_path / "job" / "labels", f"a{number}", shapes(*SQUARE), imagePath=f"..\\pictures\\a{number}.png")
    assert total(convert(tmp_path / "job" / "labels", tmp_path / "set")) == (6, 0, 6)


def test_a_strangers_data_yaml_takes_no_image_from_elsewhere(tmp_path):
    images(tmp_path / "private", 3)
    images(tmp_path / "job" / "set" / "images")
    for number in range(COUNT):
        label = tmp_path / "job" / "set" / "labels" / f"a{number}.txt"
        label.parent.mkdir(exist_ok=True)
        label.write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n", "ascii")
    text = f"train: [images, {tmp_path / 'private'}]\nnames: [a]\n"
    (tmp_path / "job" / "set" / "data.yaml").write_text(text, "utf-8")
    done = convert(tmp_path / "job" / "set", tmp_path / "out")
    assert total(done) == (6, 0, 6) and done.notes == {"elsewhere": 3} and done.lost
