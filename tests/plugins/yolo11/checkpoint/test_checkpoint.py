import os
import pickle
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from inspector.api import InputError, LayerSpec, Text, prepare_torch

prepare_torch()

import torch
from ultralytics.nn.modules.block import C3k2
from ultralytics.nn.tasks import DetectionModel, SegmentationModel
from ultralytics.utils import IterableSimpleNamespace

from inspector_plugins.yolo11.checkpoint import checkpoint


class CarefulC3k2(C3k2):
    """A layer that a plugin might provide."""


class Harmful:
    """Creates a file when it is unpickled normally."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


class Called:
    """Calls an allowed class with arguments of the file's choice when it is unpickled."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def saved(path: Path, model, **more) -> Path:
    torch.save({"model": model, "ema": None, "train_args": {"task": "segment"}} | more, path)
    return path


def with_pickle(source: Path, target: Path, change) -> Path:
    """A copy of a checkpoint whose ``data.pkl`` is changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            new.writestr(member, change(content) if member.filename.endswith("data.pkl") else content)
    return target


def refusal(path: Path, layers=()) -> str:
    with pytest.raises(InputError) as caught:
        checkpoint.load(path, layers)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400 and path.name in text
    return text


@pytest.mark.parametrize("architecture", ["yolo11n-seg", "yolov8n-seg", "yolo26n-seg"])
def test_opens_segmentation_checkpoints(checkpoints, architecture):
    import hashlib

    opened = checkpoint.load(checkpoints(architecture))
    assert opened.architecture == architecture
    assert opened.names == ("裂纹", "磨损", "corrosion")
    assert (opened.imgsz, opened.stride) == (320, 32)
    assert opened.sha256 == hashlib.sha256(checkpoints(architecture).read_bytes()).hexdigest()
    assert not opened.model.training
    assert {parameter.dtype for parameter in opened.model.parameters()} == {torch.float32}


def test_loads_the_same_network_as_plain_pickle(checkpoints):
    path = checkpoints("yolo11n-seg")
    plain = torch.load(path, weights_only=False)["ema"].float().state_dict()
    ours = checkpoint.load(path).model.state_dict()
    assert list(plain) == list(ours)
    assert all(torch.equal(plain[key], ours[key]) for key in plain)


def test_prefers_the_averaged_weights(model, tmp_path):
    averaged, last = model(), model()
    averaged.names = ["averaged", "b", "c"]
    assert checkpoint.load(saved(tmp_path / "a.pt", last, ema=averaged)).names == ("averaged", "b", "c")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({0: "a", 2: "c"}, ("a", "1", "c")),
        (["x"], ("x", "1", "2")),
        (None, ("0", "1", "2")),
        ({"0": "甲"}, ("甲", "1", "2")),
    ],
)
def test_every_class_has_a_name(model, tmp_path, names, expected):
    changed = model()
    changed.names = names
    assert checkpoint.load(saved(tmp_path / "a.pt", changed)).names == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({}, 640), ({"imgsz": 500}, 512), ({"imgsz": [320, 640]}, 640), ({"imgsz": "x"}, 640), ({"imgsz": 10**9}, 640)],
)
def test_knows_the_size_it_was_trained_with(model, tmp_path, arguments, expected):
    assert checkpoint.load(saved(tmp_path / "a.pt", model(), train_args=arguments)).imgsz == expected


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"yaml_file": "C:\\模型\\yolo11-seg.yaml", "scale": "n"}, "yolo11n-seg"),
        ({"yaml_file": "/x/yolo11n-seg-cgnet.yaml"}, "yolo11n-seg-cgnet"),
        ({"scale": "n"}, "yolo11n-seg"),
        ({}, "yolo11-seg"),
    ],
)
def test_names_the_architecture(model, tmp_path, described, expected):
    changed = model()
    changed.yaml = described
    assert checkpoint.load(saved(tmp_path / "a.pt", changed)).architecture == expected


def test_opens_what_older_versions_saved(model, tmp_path):
    changed = model()
    changed.args = IterableSimpleNamespace(project=PurePosixPath("runs/segment"), imgsz=640)
    changed.args.project = Path("runs/segment")
    path = saved(tmp_path / "old.pt", changed, best_fitness=np.float64(0.5), epoch=np.int64(3))
    moved = with_pickle(
        path,
        tmp_path / "moved.pt",
        lambda pickled: pickled.replace(b"cultralytics.nn.modules.conv\nConv\n", b"cultralytics.nn.modules\nConv\n"),
    )
    assert checkpoint.load(moved).architecture == "yolo11n-seg"


def test_opens_a_fused_model(model, tmp_path):
    fused = model().fuse(verbose=False)
    picture = torch.rand(1, 3, 64, 64)
    again = checkpoint.load(saved(tmp_path / "fused.pt", fused)).model
    assert torch.equal(again(picture)[0][0], fused(picture)[0][0])


def test_layers_of_plugins_are_allowed_while_they_are_installed(model, tmp_path, monkeypatch):
    changed = model()
    changed.model[2].__class__ = CarefulC3k2
    monkeypatch.setitem(
        __import__("sys").modules, CarefulC3k2.__module__, __import__("types").SimpleNamespace(**globals())
    )
    path = saved(tmp_path / "plugin.pt", changed)
    text = refusal(path)
    assert "CarefulC3k2" in text and "plugin" in text
    layer = LayerSpec("careful", Text("Careful"), "block", lambda: [CarefulC3k2])
    assert isinstance(checkpoint.load(path, [layer]).model.model[2], CarefulC3k2)


def test_leaves_torchs_own_list_as_it_was(checkpoints):
    torch.serialization.add_safe_globals([Harmful])
    try:
        checkpoint.load(checkpoints("yolo11n-seg"))
        assert torch.serialization.get_safe_globals().count(Harmful) == 1
        assert all(item is Harmful or "Segment" not in str(item) for item in torch.serialization.get_safe_globals())
    finally:
        torch.serialization.clear_safe_globals()


def test_strangers_checkpoints(shared):
    weights = shared / "data/weights"
    opened = checkpoint.load(weights / "third-party-yolo11s-seg-nc1.pt")
    assert (opened.architecture, opened.names, opened.imgsz) == ("yolo11s-seg", ("s",), 640)
    text = refusal(weights / "third-party-yolov8n-detect-nc6.pt")
    assert "detection model" in text and "segmentation" in text
    text = refusal(weights / "third-party-improved-fork-gd-yolo.pt")
    assert "ultralytics.nn.extra_modules.block.IFM" in text and "and 5 more" in text


def test_other_tasks_are_named(tmp_path):
    path = saved(tmp_path / "d.pt", DetectionModel("yolo11n.yaml", nc=1, verbose=False))
    assert "is a detection model; a segmentation model" in refusal(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"epochs: 100\nmodel: yolo11n-seg\n" * 50, "not a PyTorch checkpoint"),
        ("这是一个文本文件".encode(), "not a PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "git lfs pull"),
        (b"\x08\x0a\x12\x07pytorch\x1a\x052.0.0 onnx graph", "ONNX"),
        (b"PK\x03\x04" + bytes(500), "damaged"),
        (pickle.dumps({"a": 1}), "not a PyTorch checkpoint"),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path, content, expected):
    path = tmp_path / "最好 best.pt"
    path.write_bytes(content)
    assert expected in refusal(path)


def test_folders_and_missing_files(tmp_path):
    assert "folder" in refusal(tmp_path)
    assert "no file" in refusal(tmp_path / "no.pt")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_incomplete_copies(checkpoints, tmp_path, share):
    data = checkpoints("yolo11n-seg").read_bytes()
    path = tmp_path / "half.pt"
    path.write_bytes(data[: int(len(data) * share)])
    assert "damaged or incomplete" in refusal(path)


def test_flipped_bits(checkpoints, tmp_path):
    data = bytearray(checkpoints("yolo11n-seg").read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "flipped.pt"
    path.write_bytes(data)
    assert "damaged" in refusal(path)


def test_archives_of_other_kinds(tmp_path):
    script = tmp_path / "script.pt"
    torch.jit.trace(torch.nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2)).save(script)
    assert "TorchScript" in refusal(script)
    other = tmp_path / "other.pt"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert "ZIP archive" in refusal(other)
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("best/data.pkl", b"\x80\x02}.")
        archive.writestr("best/data/0", bytes(200 << 20))
    assert bomb.stat().st_size < 1 << 20
    assert "unpack" in refusal(bomb)


def test_weights_without_a_model(model, tmp_path):
    path = tmp_path / "state.pt"
    torch.save(model().state_dict(), path)
    assert "state dict" in refusal(path)
    torch.save({"model": model().state_dict()}, path)
    assert "state dict" in refusal(path)
    torch.save({"epoch": 3}, path)
    assert "no ultralytics model" in refusal(path)
    torch.save([1, 2], path)
    assert "no ultralytics model" in refusal(path)


def test_yolov5_checkpoints_are_named(model, checkpoints, tmp_path):
    path = with_pickle(
        checkpoints("yolo11n-seg"),
        tmp_path / "v5.pt",
        lambda pickled: pickled.replace(b"cultralytics.nn.modules.conv\nConv\n", b"cmodels.common\nConv\n"),
    )
    assert "YOLOv5" in refusal(path)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("zip", "could run code"),
        ("zip, protocol 4", "was not opened"),
        ("before 1.6", "PyTorch before 1.6"),
        ("pickle", "not a PyTorch checkpoint"),
    ],
)
def test_code_in_a_pickle_never_runs(tmp_path, form, expected):
    path, marker = tmp_path / "evil.pt", tmp_path / "marker"
    content = {"model": Harmful(marker)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        old = form == "before 1.6"
        torch.save(content, path, pickle_protocol=4 if "4" in form else 2, _use_new_zipfile_serialization=not old)
    assert expected in refusal(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes()) if form == "pickle" else torch.load(path, weights_only=False)
    assert marker.exists()  # the file does what it was made for


def test_constructors_never_run_with_a_files_arguments(tmp_path):
    marker = tmp_path / "marker"
    evil = f"[torch.nn.ReLU(), __import__('pathlib').Path(r'{marker}').touch()][0]"
    description = {"activation": evil, "nc": 1, "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": []}
    path = saved(tmp_path / "evil.pt", Called(SegmentationModel, description))
    assert "was not opened" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["__class__", "__init__", "load", "_apply"])
def test_only_a_layers_forward_can_be_fetched(tmp_path, name):
    assert "was not opened" in refusal(saved(tmp_path / "evil.pt", Called(getattr, torch.nn.ReLU(), name)))


def test_unusable_models(model, tmp_path):
    broken = model()
    del broken.model[-1].__dict__["nc"]
    assert "cannot be used" in refusal(saved(tmp_path / "a.pt", broken))
    coloured = model()
    coloured.yaml["channels"] = 4
    assert "4 channels" in refusal(saved(tmp_path / "b.pt", coloured))
    headless = model()
    headless.model = headless.model[:-1]
    assert "not Segment" in refusal(saved(tmp_path / "c.pt", headless))
