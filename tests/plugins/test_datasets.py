import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from inspector.api import (
    Choice,
    Detection,
    Frame,
    Inspection,
    Job,
    Mask,
    ModelInfo,
    RunInfo,
    Verdict,
    check_options,
    mask_polygons,
    prepare_torch,
    read_image,
    write_image,
)
from inspector_plugins import datasets
from inspector_plugins.datasets import polygons
from inspector_plugins.datasets.images import UniqueNames

MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("Defect", "裂纹"))
RUN = RunInfo(Job((Choice("images"),), Choice("yolo11")), MODEL, "第一批", "2026-01-02T03:04:05+08:00")
SPECS = {spec.id: spec for spec in datasets.inspector_exporters()}
SIZE = 640


def shapes() -> dict[str, np.ndarray]:
    """Full-size bitmaps that are difficult for polygons."""
    y, x = np.mgrid[:SIZE, :SIZE]
    radius = np.hypot(x - 200, y - 200)
    blank = np.zeros((SIZE, SIZE), bool)
    found = {
        "ring": (radius < 100) & (radius > 80),
        "two rings and an island": ((radius < 60) & (radius > 40)) | (radius < 20) | (np.hypot(x - 500, y - 400) < 30),
        "hairline": np.abs(y - x * 0.5 - 50) <= 0.5,
        "pixel": blank.copy(),
        "small": blank.copy(),
        "corner": (x > 600) & (y > 610),
        "everything": ~blank,
        "row": blank.copy(),
        "diagonal": (x == y) & (x > 100) & (x < 130),
        "blob": radius < 7.5,
    }
    found["pixel"][333, 444] = True
    found["small"][50:53, 70:75] = True
    found["small"][51, 72] = False
    found["row"][17, 30:90] = True
    return found


def mask(bitmap: np.ndarray) -> Mask:
    rows, columns = np.flatnonzero(bitmap.any(1)), np.flatnonzero(bitmap.any(0))
    top, left = int(rows[0]), int(columns[0])
    return Mask(left, top, bitmap[top : rows[-1] + 1, left : columns[-1] + 1].copy())


def defect(bitmap: np.ndarray, class_id: int = 0) -> Detection:
    found = mask(bitmap)
    height, width = found.pixels.shape
    box = (float(found.x), float(found.y), float(found.x + width), float(found.y + height))
    return Detection(MODEL.names[class_id], 0.875, box, found, class_id)


def picture(size: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)


def inspection(frame: Frame, *found: Detection, number: int = 1) -> Inspection:
    return Inspection(frame, found, Verdict("NG" if found else "OK"), MODEL, number=number, time=RUN.started)


def export(folder: Path, id: str, *inspections: Inspection, **options: object) -> list[Path]:
    exporter = SPECS[id].open(folder, RUN, **check_options(SPECS[id].options, options, id))
    for item in inspections:
        exporter.write(item)
    files = list(exporter.close())
    assert files or id == "labelme"
    assert all(file.is_file() for file in files) and not list(folder.rglob(".tmp-*"))
    return files


def still(folder: Path, name: str, image: np.ndarray | None = None) -> Frame:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, picture() if image is None else image)
    return Frame(read_image(path)[0], 0, path.name, path=str(path))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


# polygons


@pytest.mark.parametrize("name", shapes())
def test_polygons_fill_to_the_very_mask(name):
    bitmap = shapes()[name]
    canvas = np.zeros(bitmap.shape, np.uint8)
    for polygon in mask_polygons(mask(bitmap)):
        cv2.fillPoly(canvas, [polygon.astype(np.int32)], 1)
    assert (canvas.astype(bool) == bitmap).all()


def test_a_mask_without_pixels_has_no_polygon():
    assert mask_polygons(Mask(3, 4, np.zeros((5, 6), bool))) == []


@pytest.mark.parametrize("name", shapes())
def test_simpler_polygons_keep_the_shape(name):
    bitmap = shapes()[name]
    canvas, fewer = np.zeros(bitmap.shape, np.uint8), 0
    for polygon in mask_polygons(mask(bitmap)):
        simple = polygons.simplified(polygon, 0.75)
        fewer += len(polygon) - len(simple)
        cv2.fillPoly(canvas, [simple.astype(np.int32)], 1)
    assert iou(canvas.astype(bool), bitmap) >= 0.9 and fewer >= 0
    assert name != "ring" or fewer > 100


# names


def test_names_are_unique_on_any_file_system():
    image = picture((8, 8))
    frames = [
        Frame(image, 0, name) for name in ("a.jpg", "A.png", "a-2.jpg", "a.jpg", "sub/a.jpg", "part 3.5", "con.png")
    ]
    frames += [Frame(image, 12, name, seconds=0.5) for name in ("turning.mp4", "turning.mp4", "rtsp://10.0.0.5/x")]
    frames += [Frame(image, 0, name) for name in ("turning_000012.jpg", "字" * 120 + ".jpg", "a\udce4.jpg", ".jpg")]
    names = UniqueNames()
    stems = [names.stem(frame) for frame in frames]
    assert stems[:7] == ["a", "A-2", "a-2-2", "a-3", "sub_a", "part 3.5", "_con"]
    assert stems[7:11] == ["turning_000012", "turning_000012-2", "rtsp___10.0.0.5_x_000012", "turning_000012-3"]
    assert len({stem.casefold() for stem in stems}) == len(stems)
    assert all(0 < len(stem.encode("utf-8")) < 200 for stem in stems)


# COCO


def test_coco_is_read_by_pycocotools(tmp_path):
    from pycocotools.coco import COCO

    bitmaps = shapes()
    found = [defect(bitmap, number % 2) for number, bitmap in enumerate(bitmaps.values())]
    box = Detection("裂纹", 0.5, (10.0, 20.0, 40.5, 60.0), None, 1)
    frames = [
        still(tmp_path / "b", "a.jpg"),
        still(tmp_path / "c", "a.jpg"),
        Frame(picture((64, 48)), 7, "v.mp4", 0.25),
    ]
    (path,) = export(
        tmp_path,
        "coco",
        inspection(frames[0], *found),
        inspection(frames[1], number=2),
        inspection(frames[2], box, number=3),
    )
    assert path.read_bytes().isascii()
    coco = COCO(str(path))
    assert [image["file_name"] for image in coco.dataset["images"]] == ["a.jpg", "a-2.jpg", "v_000007.jpg"]
    assert [(image["width"], image["height"]) for image in coco.dataset["images"]][1:] == [(SIZE, SIZE), (64, 48)]
    assert {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())} == {
        1: "Defect",
        2: "裂纹",
    }
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert len(annotations) == len(bitmaps) and not coco.getAnnIds(imgIds=[2])
    for annotation, bitmap, detection in zip(annotations, bitmaps.values(), found, strict=True):
        assert (coco.annToMask(annotation).astype(bool) == bitmap).all()
        assert annotation["area"] == bitmap.sum() and annotation["iscrowd"] == 0 and annotation["score"] == 0.875
        x, y, width, height = annotation["bbox"]
        assert (x, y, x + width, y + height) == detection.box
        assert annotation["category_id"] == detection.class_id + 1
    (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=[3]))
    assert annotation["bbox"] == [10, 20, 30.5, 40] and annotation["area"] == 1220 and annotation["segmentation"] == []


def test_coco_scores_of_the_export_are_perfect_against_itself(tmp_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = [defect(bitmap) for name, bitmap in shapes().items() if name in ("ring", "corner", "blob")]
    (path,) = export(tmp_path, "coco", inspection(Frame(picture(), 0, "a.png"), *found))
    truth = COCO(str(path))
    guess = truth.loadRes(json.loads(path.read_text("ascii"))["annotations"])
    score = COCOeval(truth, guess, "segm")
    score.evaluate()
    score.accumulate()
    score.summarize()
    assert score.stats[0] == pytest.approx(1)


# YOLO


def test_ultralytics_reads_the_masks_back(tmp_path):
    prepare_torch()
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    folder, source = tmp_path / "结果 [1]", tmp_path / "b"
    folder.mkdir()
    items = [
        inspection(still(source, f"{number:02} 字.png"), defect(bitmap, 1), number=number)
        for number, bitmap in enumerate(shapes().values())
    ]
    items.append(inspection(still(source, "good.jpg"), number=99))
    items.append(inspection(Frame(picture(), 3, "v.mp4", 0.1), Detection("Defect", 0.5, (10, 20, 110, 70))))
    (yaml,) = export(folder, "yolo", *items)
    data = check_det_dataset(str(yaml), autodownload=False)
    assert data["names"] == {0: "Defect", 1: "裂纹"} and data["nc"] == 2
    settings = get_cfg(overrides={"mask_ratio": 1, "overlap_mask": False})
    dataset = YOLODataset(
        img_path=data["val"], data=data, task="segment", imgsz=SIZE, augment=False, hyp=settings, batch_size=1
    )
    samples = {Path(sample["im_file"]).stem: sample for sample in (dataset[n] for n in range(len(dataset)))}
    assert len(samples) == len(items)
    for number, (name, bitmap) in enumerate(shapes().items()):
        sample = samples[f"{number:02} 字"]
        assert sample["cls"].flatten().tolist() == [1], name
        again = sample["masks"].numpy()[0].astype(bool)
        assert again.shape == bitmap.shape and iou(again, bitmap) >= 0.95, name
    assert len(samples["good"]["cls"]) == 0 and (folder / "yolo" / "labels" / "good.txt").read_bytes() == b""
    box = samples["v_000003"]["masks"].numpy()[0].astype(bool)
    assert iou(box, np.pad(np.ones((50, 100), bool), ((20, SIZE - 70), (10, SIZE - 110)))) >= 0.95


def test_yolo_without_images(tmp_path):
    export(tmp_path, "yolo", inspection(still(tmp_path / "b", "a.jpg"), defect(shapes()["ring"])), images="none")
    assert not list((tmp_path / "yolo" / "images").iterdir())
    (line,) = (tmp_path / "yolo" / "labels" / "a.txt").read_text("ascii").splitlines()
    number, *values = line.split()
    assert number == "0" and len(values) % 2 == 0 and all(0 <= float(value) <= 1 for value in values)


def test_class_numbers_follow_the_label(tmp_path):
    frame = Frame(picture(), 0, "a.png")
    found = [Detection("裂纹", 0.5, (1, 2, 3, 4), None, 0), Detection('new: "x"', 0.5, (1, 2, 3, 4), None, 7)]
    (yaml,) = export(tmp_path, "yolo", inspection(frame, *found))
    lines = (tmp_path / "yolo" / "labels" / "a.txt").read_text("ascii").splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert yaml.read_text("utf-8").endswith('nc: 3\nnames:\n  0: "Defect"\n  1: "裂纹"\n  2: "new: \\"x\\""\n')


# images


def test_a_plain_image_is_copied_byte_for_byte(tmp_path):
    for name in ("a.jpg", "b.png", "c.bmp"):
        frame = still(tmp_path / "in", name)
        export(tmp_path, "yolo", inspection(frame))
        assert (tmp_path / "yolo" / "images" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()


def _rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture((60, 40))).save(path, exif=exif)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rotated.jpg", _rotated),
        ("deep.png", lambda path: Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 20).save(path)),
        ("alpha.png", lambda path: Image.fromarray(picture((60, 40))).convert("RGBA").save(path)),
        ("cmyk.jpg", lambda path: Image.fromarray(picture((60, 40))).convert("CMYK").save(path)),
        ("wrong.jpg", lambda path: Image.fromarray(picture((60, 40))).save(path, format="PNG")),
        ("page.tif", lambda path: Image.fromarray(picture((60, 40))).save(path)),
    ],
)
def test_a_image_that_others_may_see_differently_is_written_as_inspected(tmp_path, name, make):
    make(tmp_path / name)
    image, _ = read_image(tmp_path / name)
    export(tmp_path, "yolo", inspection(Frame(image, 0, name, path=str(tmp_path / name))))
    (written,) = (tmp_path / "yolo" / "images").iterdir()
    assert written.name == f"{Path(name).stem}.png" and (read_image(written)[0] == image).all()


def test_a_image_that_has_gone_is_written_as_inspected(tmp_path):
    frame = still(tmp_path / "in", "a.jpg")
    Path(frame.path or "").unlink()
    export(tmp_path, "labelme", inspection(frame))
    assert (read_image(tmp_path / "labelme" / "a.png")[0] == frame.image).all()


def test_frames_of_a_video_are_jpegs(tmp_path):
    frame = Frame(np.full((40, 60, 3), 90, np.uint8), 12, "转动.mp4", 0.5, 25.0, str(tmp_path / "转动.mp4"))
    for id, folder in (("yolo", "yolo/images"), ("labelme", "labelme")):
        export(tmp_path, id, inspection(frame))
        written, _ = read_image(tmp_path / folder / "转动_000012.jpg")
        assert abs(written.astype(int) - 90).max() <= 3


# labelme


def test_labelme_files_open_as_labelme_reads_them(tmp_path):
    bitmaps = shapes()
    frame = still(tmp_path / "in", "中文 件.jpg")
    box = Detection("Defect", 0.25, (10.0, 20.0, 40.0, 60.0))
    (path,) = export(tmp_path, "labelme", inspection(frame, *(defect(bitmap, 1) for bitmap in bitmaps.values()), box))
    document = json.loads(path.read_text("utf-8"))
    assert set(document) == {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"}
    assert document["imageData"] is None and (document["imageHeight"], document["imageWidth"]) == (SIZE, SIZE)
    assert (path.parent / document["imagePath"]).read_bytes() == Path(frame.path or "").read_bytes()
    *polygons, last = document["shapes"]
    assert last["shape_type"] == "rectangle" and last["points"] == [[10, 20], [40, 60]] and last["label"] == "Defect"
    groups = [shape["group_id"] for shape in polygons]
    assert groups == [None, 2, 2, 2, *[None] * 8]
    remaining = list(polygons)
    for number, (name, bitmap) in enumerate(bitmaps.items(), 1):
        canvas = Image.new("1", (SIZE, SIZE))
        for _ in range(3 if number == 2 else 1):
            shape = remaining.pop(0)
            assert shape["label"] == "裂纹" and shape["shape_type"] == "polygon" and shape["description"] == "0.875"
            ImageDraw.Draw(canvas).polygon([tuple(point) for point in shape["points"]], fill=1, outline=1)
        assert iou(np.asarray(canvas, bool), bitmap) >= 0.85, name


def test_labelme_without_images_names_the_original(tmp_path):
    frame = still(tmp_path / "in", "a.jpg")
    (path,) = export(tmp_path, "labelme", inspection(frame), images="none")
    document = json.loads(path.read_text("utf-8"))
    assert document["shapes"] == [] and document["imagePath"] == frame.path
    assert [file.name for file in (tmp_path / "labelme").iterdir()] == ["a.json"]


# all


@pytest.mark.parametrize("id", SPECS)
def test_no_inspections_make_valid_files(tmp_path, id):
    files = export(tmp_path, id)
    if id == "coco":
        from pycocotools.coco import COCO

        assert COCO(str(files[0])).getImgIds() == []
    if id == "yolo":
        assert (tmp_path / "yolo" / "images").is_dir() and "nc: 2" in files[0].read_text("utf-8")


def test_the_same_run_has_the_same_names_everywhere(tmp_path):
    frames = [still(tmp_path / folder, "a.jpg", picture((40, 30)) // shade) for folder, shade in (("b", 1), ("c", 2))]
    items = [inspection(replace(frame), number=number) for number, frame in enumerate(frames, 1)]
    for id in SPECS:
        export(tmp_path, id, *items)
    names = [image["file_name"] for image in json.loads((tmp_path / "coco.json").read_text("ascii"))["images"]]
    assert names == ["a.jpg", "a-2.jpg"]
    for folder in ("yolo/images", "labelme"):
        for name, item in zip(names, items, strict=True):
            assert (tmp_path / folder / name).read_bytes() == Path(item.frame.path or "").read_bytes()


@pytest.mark.parametrize("order", [("a.bmp", "a.jpg", "b.png"), ("b.png", "a.jpg", "a.bmp")])
def test_files_of_one_stem_are_told_apart(tmp_path, order):
    for name in order:
        (tmp_path / name).touch()
    names = UniqueNames()
    image = np.zeros((4, 4, 3), np.uint8)
    stems = {name: names.stem(Frame(image, 0, name, path=str(tmp_path / name))) for name in order}
    assert stems == {"a.bmp": "a_bmp", "a.jpg": "a_jpg", "b.png": "b"}
