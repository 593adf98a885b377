"""Metrics of a model compared with ultralytics' validator and pycocotools, and messages on bad data."""

import json
import shutil

import numpy as np
import pytest

from inspector.api import InputError, assets, read_image, write_image
from inspector.datasets.synthetic import synthesize

pytestmark = pytest.mark.xdist_group("evaluate")  # its fixtures are made once
BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"
NAMES = ["裂纹", "磨损", "corrosion"]
PARTS, KEYS = ("box", "mask"), ("precision", "recall", "mAP50", "mAP50-95")


def describe(folder, names=NAMES, **more):
    file = folder / "data.yaml"
    lines = {"train": "images/val", "val": "images/val", "names": names} | more
    file.write_text(json.dumps(lines, ensure_ascii=False), "utf-8")  # JSON is YAML
    return file


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """24 images with painted defects, as large as the bundled model's input."""
    folder = tmp_path_factory.mktemp("synthetic") / "set"
    synthesize(folder, count=30, seed=5, size=416)
    return folder


@pytest.fixture(scope="module")
def data(synthetic, tmp_path_factory):
    """Eight of them, with the defects divided into three classes; one is without."""
    folder = tmp_path_factory.mktemp("数据 集") / "set"
    for part in ("images/val", "labels/val"):
        (folder / part).mkdir(parents=True)
    with_defects = sorted(file for file in (synthetic / "labels" / "train").iterdir() if file.stat().st_size)
    for number, label in enumerate(with_defects[:8]):
        shutil.copy(synthetic / "images" / "train" / f"{label.stem}.jpg", folder / f"images/val/图{number}.jpg")
        shapes = [line.partition(" ")[2] for line in label.read_text("utf-8").splitlines()] if number else []
        lines = [f"{(number + order) % 3} {shape}" for order, shape in enumerate(shapes)]
        (folder / f"labels/val/图{number}.txt").write_text("\n".join(lines), "utf-8")
    return describe(folder)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The bundled model, detecting each defect as all three classes, with different scores."""
    import torch

    from inspector_plugins.yolo11.checkpoint import checkpoint

    model = checkpoint.load(BUNDLED).model
    torch.manual_seed(0)
    head = model.model[-1]
    head.nc, head.no = 3, 3 + 4 * head.reg_max
    for branch in head.cv3:
        last = branch[-1]
        wider = torch.nn.Conv2d(last.in_channels, 3, 1)
        factors = torch.tensor([1.0, 0.9, 1.1]).reshape(3, 1, 1, 1)
        with torch.no_grad():
            wider.weight.copy_(last.weight * factors * (1 + 0.2 * torch.randn(3, last.in_channels, 1, 1)))
            wider.bias.copy_(last.bias.expand(3))
        branch[-1] = wider
    model.names, model.yaml = dict(enumerate(NAMES)), {**model.yaml, "nc": 3}
    file = tmp_path_factory.mktemp("weights") / "三类.pt"
    torch.save({"model": model.half(), "train_args": {"task": "segment", "imgsz": 416}}, file)
    return file


@pytest.fixture(scope="module")
def evaluate(weights):
    """``evaluate(data, …)``: metrics of the model of three classes."""
    from inspector_plugins.yolo11.evaluation import evaluate

    return lambda data, **options: evaluate.evaluate(weights, data, **{"device": "cpu"} | options)


@pytest.fixture(scope="module")
def plain(evaluate, data):
    """The figures of the model on the data set as it is."""
    return evaluate(data)


@pytest.fixture
def changed(data, tmp_path):
    """A copy of the dataset that a test may change."""
    shutil.copytree(data.parent, tmp_path / "set")
    return tmp_path / "set" / "data.yaml"


def figures(document) -> dict:
    named = {"all": document["all"]} | {one["name"]: one for one in document["classes"]}
    return {(name, part, key): one[part][key] for name, one in named.items() for part in PARTS for key in KEYS}


def content(folder) -> dict:
    return {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("native", [False, True])
def test_the_figures_are_those_of_ultralytics(evaluate, plain, weights, data, changed, native, tmp_path):
    from ultralytics import YOLO

    ours = evaluate(data, native_masks=True) if native else plain
    more = {"save_txt": True, "mask_ratio": 1, "overlap_mask": False} if native else {}
    theirs = YOLO(weights).val(
        data=str(describe(changed.parent, path=str(changed.parent))), imgsz=416, device="cpu", workers=0, plots=False,
        verbose=False, project=str(tmp_path), **more,
    )  # fmt: skip
    expected = {("all", part, key): value for part, key, value in zip_figures(theirs.mean_results())}
    for place, number in enumerate(theirs.ap_class_index):
        results = theirs.class_result(place)
        expected |= {(NAMES[number], part, key): value for part, key, value in zip_figures(results)}
    assert figures(ours) == pytest.approx(expected, abs=1e-3)
    assert all(0.2 < ours["all"][part]["mAP50"] < 0.98 for part in PARTS)  # neither nothing nor everything is found
    assert [one["instances"] for one in ours["classes"]] == theirs.nt_per_class.tolist()
    assert [one["pictures"] for one in ours["classes"]] == theirs.nt_per_image.tolist()
    assert ours["all"]["pictures"] == 8 and ours["all"]["instances"] == theirs.nt_per_class.sum()


def zip_figures(results):
    return [(part, key, float(results[4 * i + j])) for i, part in enumerate(PARTS) for j, key in enumerate(KEYS)]


@pytest.mark.slow
def test_the_figures_are_near_those_of_pycocotools_on_our_export(synthetic, tmp_path, monkeypatch):
    """Both interpolate precision at 101 recalls. What remains between them, and the bounds that it was given:

    * ultralytics draws a straight line between two such points, pycocotools takes the higher one: about 0.01 here;
    * ultralytics pads a batch to a common shape and by up to a stride more, so that scores differ a little;
    * masks: ultralytics draws a polygon with its border, half a pixel larger on each side, pycocotools its area. For
      defects of 20 pixels that is much at an IoU of 0.75 and above, and little at 0.5. At a quarter of the size, which
      is ultralytics' default, the drawn polygon is larger still, so that mAP50-95 flatters.
    """
    from inspector.cli import main
    from inspector_plugins.yolo11.evaluation.evaluate import evaluate

    ours = evaluate(BUNDLED, synthetic / "data.yaml", split="train", device="cpu", native_masks=True)["all"]
    code = main(
        ["inspect", str(synthetic / "images" / "train"), "--model", str(BUNDLED), "--conf", "0.001", "--iou", "0.7",
         "--device", "cpu", "--export", "coco", "--output", str(tmp_path / "out"), "--quiet"]
    )  # fmt: skip
    theirs = by_pycocotools(json.loads((tmp_path / "out" / "coco.json").read_text("utf-8")), synthetic)
    assert code == 0 and ours["pictures"] == 24 and ours["instances"] > 30
    assert ours["box"]["mAP50"] == pytest.approx(theirs["bbox"]["mAP50"], abs=0.04)
    assert ours["mask"]["mAP50"] == pytest.approx(theirs["segm"]["mAP50"], abs=0.04)
    assert ours["box"]["mAP50-95"] == pytest.approx(theirs["bbox"]["mAP50-95"], abs=0.03)
    assert ours["mask"]["mAP50-95"] == pytest.approx(theirs["segm"]["mAP50-95"], abs=0.1)
    assert ours["mask"]["mAP50-95"] > theirs["segm"]["mAP50-95"]


def by_pycocotools(found, folder):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations = []
    for image in found["images"]:
        label = folder / "labels" / "train" / f"{image['file_name'].rpartition('.')[0]}.txt"
        for line in label.read_text("utf-8").splitlines():
            number, *shares = line.split()
            points = np.array(shares, float).reshape(-1, 2) * (image["width"], image["height"])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": int(number) + 1,
                    "bbox": [*points.min(0), *np.ptp(points, axis=0)],
                    "segmentation": [points.ravel().tolist()],
                    "area": 1.0,
                    "iscrowd": 0,
                }
            )
    truth = COCO()
    truth.dataset = {"info": {}, **{key: found[key] for key in ("images", "categories")}, "annotations": annotations}
    truth.createIndex()
    figures = {}
    for kind, key in (("bbox", "bbox"), ("segm", "segmentation")):
        kept = ("image_id", "category_id", "score", key)
        results = truth.loadRes([{name: one[name] for name in kept} for one in found["annotations"]])
        evaluation = COCOeval(truth, results, kind)
        evaluation.params.maxDets = [1, 10, 300]  # as many as a model finds
        evaluation.evaluate()
        evaluation.accumulate()
        precision = evaluation.eval["precision"][:, :, :, 0, 2]
        figures[kind] = {"mAP50": precision[0].mean(), "mAP50-95": precision.mean()}
    return figures


@pytest.mark.slow
def test_curves_show_chinese_and_the_data_set_is_left_as_it_is(evaluate, changed, tmp_path, recwarn, home):
    changed.write_text(changed.read_text("utf-8")[:-1] + ', "download": "https://example.invalid/a.zip"}', "utf-8")
    photograph = changed.parent / "images" / "val" / "图9.jpeg"
    write_image(photograph, np.zeros((80, 90, 3), np.uint8))
    photograph.write_bytes(photograph.read_bytes() + b"\0\0")  # ultralytics would rewrite such a file
    before = content(changed.parent)
    (tmp_path / "结果" / "new").mkdir(parents=True)  # empty: it may be used
    document = evaluate(changed, output=tmp_path / "结果" / "new", imgsz=224)
    assert content(changed.parent) == before
    names = {f"{part}{curve}_curve.png" for part in ("Box", "Mask") for curve in ("P", "R", "F1", "PR")}
    names |= {"confusion_matrix.png", "confusion_matrix_normalized.png"}
    names |= {one["drawing"] for one in document["worst"]}
    assert set(document["files"]) == names == {file.name for file in (tmp_path / "结果" / "new").iterdir()}
    for name in names:
        if name.startswith("worst"):
            continue
        assert np.ptp(read_image(tmp_path / "结果" / "new" / name)[0]) > 200
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    assert not list((tmp_path / "结果").glob(".tmp-*"))
    assert not any("rial" in file.name for file in home.rglob("*"))
    json.dumps(document, allow_nan=False)


def test_the_confusion_matrix_counts_every_defect_once(evaluate, plain, data):
    confusion, classes = plain["confusion"], plain["classes"]
    counts = np.array(confusion["counts"])
    assert confusion["names"] == [*NAMES, "background"] and confusion["confidence"] == 0.25
    assert counts.sum(0)[:3].tolist() == [one["instances"] for one in classes]
    assert counts[3, 3] == 0 and np.trace(counts) > 0
    stricter = evaluate(data, conf=0.6)["confusion"]
    assert stricter["confidence"] == 0.6 and np.array(stricter["counts"])[:3].sum() < counts[:3].sum()


def test_a_class_without_defects_has_no_figures(evaluate, changed):
    for file in (changed.parent / "labels" / "val").iterdir():
        lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("1")]
        file.write_text("\n".join(lines), "utf-8")
    classes = evaluate(changed, imgsz=224)["classes"]
    assert (classes[1]["box"], classes[1]["mask"], classes[1]["instances"], classes[1]["pictures"]) == (
        None,
        None,
        0,
        0,
    )
    assert classes[0]["box"] and classes[2]["mask"]


def test_classes_in_another_order_are_matched_by_name(evaluate, plain, changed):
    describe(changed.parent, [NAMES[2], NAMES[0], NAMES[1]])
    for file in (changed.parent / "labels" / "val").iterdir():
        lines = [line.split(" ", 1) for line in file.read_text("utf-8").splitlines()]
        file.write_text("\n".join(f"{(int(number) + 1) % 3} {rest}" for number, rest in lines), "utf-8")
    ours = evaluate(changed)
    assert figures(ours) == figures(plain) and ours["confusion"] == plain["confusion"]


@pytest.mark.parametrize(
    "names, complaint",
    [
        (["a"], r"has 3 classes \('裂纹', '磨损', 'corrosion'\), but .*data.yaml has the class 'a'; use a dataset"),
        ([*NAMES, "dent"], "but .* has 4 classes"),
        (["裂纹", "磨损", "磨损"], "but .* has 2 classes"),
    ],
)
def test_other_classes_are_refused(evaluate, changed, names, complaint):
    describe(changed.parent, names)
    with pytest.raises(InputError, match=complaint):
        evaluate(changed)


def test_what_cannot_be_used_is_told_and_the_rest_measured(evaluate, changed):
    images, labels = changed.parent / "images" / "val", changed.parent / "labels" / "val"
    (images / "图1.jpg").write_bytes(b"no picture")
    (labels / "图2.txt").write_text("9 0.1 0.1 0.5 0.1 0.5 0.5", "utf-8")
    label = labels / "图3.txt"
    label.write_text("0 0.1 0.1 0.2 0.2 0.3 0.3\n" + label.read_text("utf-8"), "utf-8")
    document = evaluate(changed, imgsz=224)
    assert document["all"]["pictures"] == 5
    unreadable, wrong, degenerate = document["left_out"]
    assert unreadable.startswith("unreadable picture: ") and "图1.jpg" in unreadable
    assert (wrong, degenerate) == ("wrong class: 图2.txt line 1", "degenerate: 图3.txt line 1")


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "contain no labelled defect; there"),
        ("0 0.5 0.5 0.2 0.2", "contain no labelled defect that .*box only: 图0"),
    ],
)
def test_a_split_without_polygons_is_refused(evaluate, changed, tmp_path, text, complaint):
    for file in (changed.parent / "labels" / "val").iterdir():
        file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=complaint):
        evaluate(changed, output=tmp_path / "new" / "out")
    assert not (tmp_path / "new").exists()


def test_other_refusals(evaluate, data, tmp_path):
    with pytest.raises(InputError, match="has no line test"):
        evaluate(data, split="test")
    with pytest.raises(InputError, match="'potato'"):
        evaluate(data, device="potato")
    with pytest.raises(InputError, match="already exists"):
        evaluate(data, output=data.parent)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(InputError, match="cannot be created"):
        evaluate(data, output=tmp_path / "file" / "out")


def test_a_variant_is_merged_and_its_size_rounded_up(evaluate, data):
    from inspector_plugins.yolo11.architecture import build

    merged = []
    prepare = build.prepare_for_inference
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "prepare_for_inference", lambda model: merged.append(model) or prepare(model))
        document = evaluate(data, imgsz=200)
    assert document["imgsz"] == 224 and len(merged) == 1


def test_too_large_a_batch_is_one_sentence(evaluate, data, monkeypatch):
    from ultralytics.nn.tasks import BaseModel

    predict = BaseModel.predict

    def exhausted(self, x, *others, **options):
        if len(x) == 1:  # the checkpoint is tried when it is opened
            return predict(self, x, *others, **options)
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(BaseModel, "predict", exhausted)
    with pytest.raises(InputError, match="Not enough memory on cpu for 16 images of 416x416"):
        evaluate(data)


def test_ctrl_c_leaves_nothing(evaluate, data, tmp_path, monkeypatch):
    from ultralytics.nn.tasks import BaseModel

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(BaseModel, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(data, output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
