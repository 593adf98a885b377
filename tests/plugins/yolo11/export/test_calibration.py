"""From a checkpoint, good images and labelled ones to an int8 form with its measured loss, stored for inference."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from inspector.api import InputError, InspectorError, assets, write_image
from inspector.datasets.synthetic import synthesize
from inspector.system import paths
from inspector_plugins.yolo11.inference import openvino_cache

pytestmark = pytest.mark.xdist_group("int8")  # its fixtures are made once
BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"
SAMPLES = Path(__file__).parents[4] / "sample_data"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("良品 图片")
    for file in SAMPLES.glob("good-*.jpg"):
        shutil.copy(file, folder)
    (folder / "damaged.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data.yaml of some twelve drawn bearings."""
    folder = tmp_path_factory.mktemp("数据") / "set"
    synthesize(folder, count=16, seed=3, size=320)
    labels = [file for file in (folder / "labels" / "train").iterdir() if file.stat().st_size]
    for file in labels[:5]:
        shutil.move(file, folder / "labels" / "val" / file.name)
        shutil.move(folder / "images" / "train" / f"{file.stem}.jpg", folder / "images" / "val" / f"{file.stem}.jpg")
    for file in (folder / "labels").rglob("*.txt"):
        lines = [f"0 {line.partition(' ')[2]}" for line in file.read_text("utf-8").splitlines()]
        file.write_text("\n".join(lines), "utf-8")
    described = {"train": "images/train", "val": "images/val", "names": ["Defect"]}
    (folder / "data.yaml").write_text(json.dumps(described), "utf-8")
    return folder / "data.yaml"


@pytest.fixture(scope="module")
def made(good, data, tmp_path_factory):
    """Results: the output, the report, and the user's folder with the stored form."""
    from inspector_plugins.yolo11.export.export import export

    home, folder, told = tmp_path_factory.mktemp("home of int8"), tmp_path_factory.mktemp("模型"), []
    weights = Path(shutil.copy(BUNDLED, folder / "best.pt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.HOME_VARIABLE, str(home))
        written = export(
            weights, "openvino", layers=(), imgsz=320, precision="int8", calibrate=good, data=data, report=told.append
        )
    return written, told, home


@pytest.fixture
def kept(made, home):
    """The same in the user's folder of this test."""
    shutil.copytree(made[2] / "plugin-data", home / "plugin-data", dirs_exist_ok=True)
    return openvino_cache.find_or_convert(BUNDLED, (), precision="int8")


@pytest.mark.slow
def test_it_is_written_with_what_it_costs(made):
    import openvino

    written, told, _ = made
    metadata = yaml.safe_load((written / "metadata.yaml").read_text("utf-8"))
    accuracy = metadata["accuracy"]
    assert metadata["args"]["quantize"] == 8 and metadata["imgsz"] == [320, 320]
    assert accuracy["calibrated_on"] >= 10 and accuracy["pictures"] >= 5 and accuracy["imgsz"] == 320
    for kind in ("mask", "box"):
        for key in ("mAP50-95", "mAP50"):
            before, after = accuracy["f32"][kind][key], accuracy["int8"][kind][key]
            assert 0.05 < before < 1 and abs(before - after) < 0.2
            assert (
                f"From f32 to int8, {kind} {key} goes from {before:.4f} to {after:.4f} ({after - before:+.4f})" in told
            )
    assert told[0].startswith(f"Calibrated on {accuracy['calibrated_on']} images, evaluated on")
    model = openvino.Core().read_model(written / "best.xml")
    assert list(model.input().shape) == [1, 3, 320, 320]
    assert sum(file.stat().st_size for file in written.iterdir()) < 4.5e6


def test_it_is_kept_for_images_of_any_shape(made, kept):
    import openvino

    model = openvino.Core().read_model(kept.network)
    assert str(model.input().get_partial_shape()) == "[1,3,?,?]"
    accuracy = yaml.safe_load((made[0] / "metadata.yaml").read_text("utf-8"))["accuracy"]
    assert kept.accuracy == (accuracy["f32"]["mask"]["mAP50-95"], accuracy["int8"]["mask"]["mAP50-95"])
    assert (kept.names, kept.imgsz, kept.architecture) == (("Defect",), 416, "yolo11n-seg")


def test_the_f32_form_is_another(kept):
    exact = openvino_cache.find_or_convert(BUNDLED, ())
    assert exact.folder != kept.folder and exact.accuracy is None
    assert openvino_cache.find_or_convert(BUNDLED, (), precision="int8") == kept


@pytest.mark.slow
def test_it_finds_what_the_f32_form_finds(kept):
    from inspector.api import read_image
    from inspector_plugins.yolo11.inference.openvino_runner import OpenVinoModel

    exact, quick = OpenVinoModel(BUNDLED), OpenVinoModel(BUNDLED, precision="int8")
    assert (quick.info.runtime, quick._opened) == ("openvino int8", kept)
    for name in ("defect-05.jpg", "good-01.jpg"):  # two shapes of input
        image, _ = read_image(SAMPLES / name)
        image = image[:, : image.shape[1] * 2 // 3] if name.startswith("good") else image
        expected = exact.predict([image], 0.3, 0.45)[0]
        singly, together = (form.predict([image], 0.3, 0.45)[0] for form in (quick, quick.many()))
        for one, other in zip((*singly, *together), (*expected, *expected), strict=True):
            assert 0 < np.abs(np.subtract(one.box, other.box)).max() < 8 and abs(one.score - other.score) < 0.1


def damage_bit(folder):
    data = bytearray((folder / "model.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.bin").write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        damage_bit,
        shutil.rmtree,
        lambda folder: (folder / "entry.json").write_text("{", "utf-8"),
        lambda folder: (folder / "entry.json").write_text(
            (folder / "entry.json").read_text("utf-8").replace('"mask"', '"musk"'), "utf-8"
        ),
    ],
)
def test_without_a_whole_one_it_is_said_how_to_make_it(kept, damage):
    damage(kept.folder)
    with pytest.raises(InputError, match="no int8 version here; export it as OpenVINO") as refused:
        openvino_cache.find_or_convert(BUNDLED, (), precision="int8")
    hint = refused.value.message.cli_hint
    assert "export-model bearing-yolo11n-seg --output FOLDER" in hint and "--calibrate" in hint
    assert openvino_cache.find_or_convert(BUNDLED, ()).accuracy is None


def add(made, accuracy=None):
    """Store it again, with these metrics."""

    def write(folder):
        shutil.copytree(made[0], folder)
        if accuracy is not None:
            told = yaml.safe_load((folder / "metadata.yaml").read_text("utf-8"))
            for name, value in zip(("f32", "int8"), accuracy, strict=True):
                told["accuracy"][name]["mask"]["mAP50-95"] = value
            (folder / "metadata.yaml").write_text(yaml.safe_dump(told), "utf-8")

    sha256 = yaml.safe_load((made[0] / "metadata.yaml").read_text("utf-8"))["checkpoint_sha256"]
    return openvino_cache.add(write, BUNDLED, sha256, (), "int8")


def test_a_new_one_takes_the_place_of_the_earlier(made, kept):
    (kept.folder / "old.blob").write_bytes(b"compiled of the earlier")
    again = add(made, (0.5, 0.499))
    assert again.folder == kept.folder and again.accuracy == (0.5, 0.499) and again.blobs() == []
    assert [folder.name for folder in kept.folder.parent.iterdir()] == [kept.folder.name]


@pytest.mark.parametrize("after, level", [(0.51, "INFO"), (0.4901, "INFO"), (0.488, "WARNING")])
def test_a_fall_is_told_at_each_start(made, caplog, after, level):
    with caplog.at_level(logging.INFO):
        add(made, (0.5, after))
        openvino_cache.find_or_convert(BUNDLED, (), precision="int8")
    told = [(record.levelname, record.getMessage()) for record in caplog.records if "mAP50-95" in record.getMessage()]
    assert [name for name, _ in told] == [level] * 2 and all("0.5000" in text for _, text in told)


def test_what_cannot_be_kept_leaves_nothing(made):
    def write(folder):
        folder.mkdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(InspectorError, match=r"The int8 version of .*pt cannot be saved \(No space left on device\)"):
        openvino_cache.add(write, BUNDLED, "00", (), "int8")
    assert list((paths.plugin_folder("yolo11") / "converted").iterdir()) == []


def test_unreadable_images_are_left_out_and_told(good, data, caplog):
    from inspector_plugins.yolo11.export.calibration import Calibration

    calibration = Calibration((good / "damaged.jpg", good / "good-01.jpg"), (), data, ("Defect",), 320, 32)
    used = []
    (values,) = calibration._inputs(used)
    assert values.shape == (1, 3, 320, 320) and [file.name for file in used] == ["good-01.jpg"]
    assert "Of 2 images to calibrate on 1 are left out: damaged.jpg" in caplog.text
    with pytest.raises(InputError, match=r"No calibration image can be read: damaged\.jpg"):
        list(Calibration((good / "damaged.jpg",), (), data, ("Defect",), 320, 32)._inputs([]))


def test_many_images_are_taken_evenly():
    from inspector_plugins.yolo11.export.calibration import MOST_IMAGES, _sample

    few, many = [Path(str(number)) for number in range(7)], [Path(str(number)) for number in range(1050)]
    assert list(_sample(few)) == few
    assert len(set(_sample(many))) == MOST_IMAGES and _sample(many)[-1] == Path("1039")


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "empty").mkdir()
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        write_image(tmp_path / "images" / split / "a.png", np.full((64, 64, 3), 90, np.uint8))
    for name, names in (("unlabelled.yaml", ["Defect"]), ("others.yaml", ["Kratzer"])):
        described = {"train": "images/train", "val": "images/val", "names": names}
        (tmp_path / name).write_text(json.dumps(described), "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"format": "onnx"}, "precision int8 is for the format openvino"),
        ({"half": True}, "precision int8 is for the format openvino, without half"),
        ({"calibrate": None}, "precision int8 needs calibrate, a folder of good images, and data"),
        ({"data": None}, "precision int8 needs calibrate"),
        ({"precision": "f32"}, "calibrate and data are for the precision int8"),
        ({"calibrate": "missing"}, "missing is not a folder; choose a folder of good images"),
        ({"calibrate": "empty"}, "empty contains no images"),
        ({"data": "missing.yaml"}, "missing.yaml does not exist"),
        ({"data": "unlabelled.yaml"}, "The val images of .*unlabelled.yaml contain no labelled defect"),
        ({"data": "others.yaml"}, "has the class 'Defect', but .*others.yaml has the class 'Kratzer'"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(good, data, empty, options, complaint):
    from inspector_plugins.yolo11.export.export import export

    given = {"format": "openvino", "precision": "int8", "calibrate": good, "data": data} | options
    for key in ("calibrate", "data"):
        if isinstance(given[key], str):
            given[key] = empty / given[key]
    before = sorted(empty.rglob("*"))
    with pytest.raises(InputError, match=complaint):
        export(BUNDLED, given.pop("format"), empty / "x_openvino_model", (), **given)
    assert sorted(empty.rglob("*")) == before and not (paths.plugin_folder("yolo11") / "converted").exists()


def test_a_image_as_the_network_sees_it():
    from inspector_plugins.yolo11.export.calibration import network_input

    image = np.zeros((40, 64, 3), np.uint8)
    image[..., 0] = 255  # blue
    values, fit = network_input(image, 64, 32)
    assert values.shape == (1, 3, 64, 64) and values.dtype == np.float32 and values.flags.c_contiguous
    inner = values[0, :, fit.top : fit.top + fit.inner_height]
    assert (inner[2] == 1).all() and not inner[:2].any() and values[0, 0, 0, 0] == np.float32(114 / 255)
