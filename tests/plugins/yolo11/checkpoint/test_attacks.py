"""Malicious checkpoints: nothing that they name runs, and their claims are not trusted."""

import collections
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pickled import Call, Global, archive, changing, escape, layer, smuggled, tensor

from inspector.api import InputError, assets, prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins._shared.torch_files import child, content
from inspector_plugins.yolo11.checkpoint import checkpoint

BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"
ROOT = Path(__file__).parents[4]
JPEG = next((ROOT / "sample_data").glob("*.jpg")).read_bytes()
WATCHED = (torch.Tensor, nn.Parameter, collections.Counter, torch.UntypedStorage, nn.Module, Conv, SegmentationModel)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def doors(path: Path, folder: Path):
    """Every way in which a user's checkpoint is opened."""
    from inspector_plugins.yolo11.evaluation import evaluate
    from inspector_plugins.yolo11.export import export
    from inspector_plugins.yolo11.inference import runtimes
    from inspector_plugins.yolo11.training import train

    data = folder / "data.yaml"
    for part, data_of in (("images/a.jpg", JPEG), ("labels/a.txt", b"0 0.2 0.2 0.8 0.2 0.8 0.8\n")):
        (folder / part).parent.mkdir(exist_ok=True)
        (folder / part).write_bytes(data_of)
    data.write_text(json.dumps({"train": "images", "val": "images", "names": ["Defect"]}), "utf-8")
    yield "torch", lambda: runtimes.open_model(path, "cpu", (), runtime="torch")
    yield "validate", lambda: evaluate.evaluate(path, data, device="cpu")
    yield "train --model", lambda: train.train(data, str(path), folder / "out", device="cpu")
    yield "train --weights", lambda: train.train(data, "yolo11n-seg", folder / "out", weights=str(path), device="cpu")
    yield "export-model", lambda: export.export(path, "onnx")


@pytest.fixture
def unchanged():
    """Check that classes of torch and ultralytics, and torch's list, are unchanged."""

    def state():
        classes = {cls: {name: id(value) for name, value in vars(cls).items()} for cls in WATCHED}
        return classes, list(torch.serialization.get_safe_globals())

    before = state()
    yield
    assert state() == before
    assert checkpoint.load(BUNDLED).architecture == "yolo11n-seg"


CLASSES = (
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "collections.Counter",
    "torch.storage.UntypedStorage",
)
AS_IN_0_1 = """
import collections, sys, torch
from ultralytics.nn.modules.conv import Index
from torch.nn.modules import container, linear, module
torch.serialization.add_safe_globals([Index, container.ParameterDict, linear.Identity, module.Module])
for path in sys.argv[1:]:
    torch.load(path, weights_only=True)
classes = torch.Tensor, torch.nn.Parameter, collections.Counter, torch.UntypedStorage
print(sum(hasattr(cls, "marked") for cls in classes), container.ParameterDict.__bases__[0].__name__)
"""


@pytest.mark.slow
def test_the_attacks_are_real(tmp_path):
    """torch's restricted unpickler, with these layers allowed as in 0.1, runs the code and changes the classes."""
    canary = tmp_path / "canary"
    attacks = [escape(f"touch {canary}"), *(changing(cls, marked=1) for cls in CLASSES)]
    paths = [str(written(tmp_path / f"{number}.pt", archive(it))) for number, it in enumerate(attacks)]
    done = subprocess.run([sys.executable, "-c", AS_IN_0_1, *paths], capture_output=True, text=True)
    assert done.stdout.split() == ["4", "Module"], done.stderr
    assert canary.exists()


def escaping(place: str, canary: Path) -> bytes:
    """A file that creates ``canary`` where it is opened as in 0.1: by itself, in a layer, beside a model that works."""
    chain = escape(f"touch {canary}")
    if place == "beside a model":
        return smuggled(BUNDLED.read_bytes(), chain)
    model = layer("ultralytics.nn.tasks.SegmentationModel", criterion=chain)
    return archive({"model": model if place == "in a layer" else chain})


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("place", ["by itself", "in a layer", "beside a model"])
def test_the_escape_is_refused_at_every_door(tmp_path, place):
    canary = tmp_path / "canary"
    path = written(tmp_path / "escape.pt", escaping(place, canary))
    for door, come_in in doors(path, tmp_path):
        with pytest.raises(InputError, match=r"escape\.pt ") as refusal:
            come_in()
        assert len(str(refusal.value)) < 400 and "\n" not in str(refusal.value), door
    assert not canary.exists() and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_escape_is_refused_on_the_way_through_openvino(tmp_path, home):
    canary = tmp_path / "canary"
    path = written(tmp_path / "escape.pt", escaping("beside a model", canary))
    words = ["inspect", str(ROOT / "sample_data"), "--model", str(path), "--output", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-m", "inspector", *words], capture_output=True, text=True)
    assert done.returncode == 2 and "escape.pt" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not canary.exists() and not (tmp_path / "out").exists()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("cls", CLASSES)
def test_a_refused_file_changes_no_class(tmp_path, cls):
    path = written(tmp_path / "a.pt", archive({"model": changing(cls, marked=1)}))
    with pytest.raises(InputError):
        checkpoint.load(path)


def test_a_saved_state_of_a_training_is_data_too(tmp_path):
    from inspector_plugins.yolo11.training import trainer

    canary = tmp_path / "canary"
    harmful = Call(Global("os", "system"), (f"touch {canary}",))
    for value in ({"format": 1, "epoch": harmful}, harmful, {"format": 1, "model": tensor((9,), (1,))}):
        with pytest.raises(InputError, match=r"resume\.pt is damaged \(.*start a new one from last\.pt"):
            trainer.read_state(written(tmp_path / "resume.pt", archive(value)))
    assert not canary.exists()


def test_the_description_of_a_model_is_not_evaluated(model, tmp_path):
    """ultralytics' parser evaluates ``activation``; train --model rebuilds the network."""
    from inspector_plugins.yolo11.architecture import build

    canary = tmp_path / "canary"
    changed = model()
    changed.yaml["activation"] = f"[torch.nn.ReLU(), __import__('pathlib').Path(r'{canary}').touch()][0]"
    path = tmp_path / "evil.pt"
    torch.save({"model": changed}, path)
    opened = checkpoint.load(path).model
    before = Conv.default_act
    with pytest.raises(InputError, match="activation"):
        build.rebuild(opened.yaml, 3)
    assert not canary.exists() and Conv.default_act is before


# Attributes in place of behaviour.


def load_with(model, tmp_path, state, of="ultralytics.nn.modules.block.SPPF"):
    """Open a model in which one module has ``state`` in addition to its own attributes."""
    changed = model()
    place = next(one for one in changed.modules() if f"{type(one).__module__}.{type(one).__name__}" == of)
    vars(place).update(state)
    path = tmp_path / "a.pt"
    torch.save({"model": changed}, path)
    return checkpoint.load(path).model


def test_plain_values_never_take_the_place_of_a_method_or_hook(model, tmp_path):
    names = ("state_dict", "_call_impl", "__class__", "train", "half", "as_subclass", "requires_grad_", "__setstate__")
    hooks = {
        "_forward_hooks": {1: "x"},
        "_backward_hooks": {},
        "_state_dict_hooks": {},
        "_load_state_dict_pre_hooks": {},
    }
    opened = load_with(model, tmp_path, {**dict.fromkeys(names[:2] + names[3:], 7), "__dict__": 7, "unknown": 7})
    place = next(one for one in opened.modules() if type(one).__name__ == "SPPF")
    assert not {*names, "unknown", "__dict__"} & set(vars(place)) and set(hooks) <= set(vars(place))
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(opened(picture)[0][0], model()(picture)[0][0])


@pytest.mark.parametrize("name", ["forward", "__init__", "load_state_dict", "_apply", "eval"])
def test_a_part_never_has_the_name_of_a_method(small, tmp_path, name):
    changed = small()
    changed.model[9]._modules[name] = nn.Identity()
    torch.save({"model": changed}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="the name of what the class does"):
        checkpoint.load(tmp_path / "a.pt")


@pytest.mark.parametrize("method", ["forward_fuse", "load_state_dict", "__class__"])
def test_forward_is_the_modules_own(small, tmp_path, method):
    with pytest.raises(InputError, match="was not opened"):
        load_with(small, tmp_path, {"forward": Fetched(nn.Identity(), method)}, "ultralytics.nn.modules.conv.Conv")


class Fetched:
    def __init__(self, owner, name):
        self.fetched = owner, name

    def __reduce__(self):
        return getattr, self.fetched


# Numbers that no network has.


@pytest.fixture
def here(monkeypatch):
    """Files are read in this process, which is quicker."""
    monkeypatch.setattr(content, "run_isolated", lambda module, data, words, **_: b"".join(child.main(data, *words)))


def head(**values):
    return lambda model: vars(model.model[-1]).update(values)


def at(cls, **values):
    def change(model):
        place = next(one for one in model.modules() if type(one).__name__ == cls)
        vars(place).update(values)

    return change


def strides(value):
    return lambda model: vars(model).update(stride=value)


def rows(change):
    return lambda model: change(model.model)


def twice(rows):
    inner = nn.Sequential(nn.Identity())
    for _ in range(60):
        inner = nn.Sequential(inner, inner)
    rows[0] = nn.Sequential(rows[0], inner)


def itself(rows):
    rows[0]._modules["loop"] = rows


def long(rows):
    inner = nn.Identity()
    for _ in range(60):
        inner = nn.Sequential(inner)
    rows[0] = nn.Sequential(rows[0], inner)


def grown(rows):
    rows[0] = nn.Sequential(rows[0], *(nn.Upsample(scale_factor=4) for _ in range(6)))
    rows[0].i, rows[0].f = 0, -1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (head(nc=2 * 10**9), "2000000000 classes"),
        (head(nc=0), "0 classes"),
        (head(nc=-1), "-1 classes"),
        (head(nc=7), "says that it tells 7 classes apart"),
        (head(nc=True), "True classes"),
        (head(reg_max=10**9), "reg_max of Segment"),
        (strides(torch.tensor([1e5])), "strides"),
        (strides(torch.tensor([float("nan")])), "strides"),
        (strides(torch.zeros(0)), "strides"),
        (strides(torch.ones(100_000)), "strides"),
        (at("Upsample", scale_factor=1e4), "scale_factor of Upsample"),
        (at("Upsample", scale_factor=float("nan")), "scale_factor of Upsample"),
        (at("Upsample", scale_factor=None, size=(10**6, 10**6)), "size of Upsample"),
        (at("SPPF", n=10**9), "n of SPPF"),
        (at("MaxPool2d", kernel_size=10**9), "kernel_size of MaxPool2d"),
        (at("Conv2d", groups=0), "groups of Conv2d"),
        (at("Conv2d", groups=3), "does not fit its weights"),
        (at("Conv2d", stride=(10**9, 1)), "stride of Conv2d"),
        (at("Conv2d", padding=(10**9, 1)), "padding of Conv2d"),
        (at("Conv2d", dilation=(10**5, 1)), "dilation of Conv2d"),
        (at("Conv2d", out_channels=10**9), "does not fit its weights"),
        (at("Conv2d", padding_mode="x"), "does not fit its weights"),
        (at("Attention", num_heads=10**9), "num_heads of Attention"),
        (at("Concat", d=2**40), "d of Concat"),
        (rows(twice), "more parts"),
        (rows(long), "more parts"),
        (rows(itself), "contains itself"),
        (rows(grown), "grows to"),
    ],
)
def test_numbers_that_no_network_has(small, tmp_path, change, said):
    changed = small()
    change(changed)
    torch.save({"model": changed}, tmp_path / "a.pt")
    began = time.perf_counter()
    with pytest.raises(InputError, match=re.escape(said)) as refusal:
        checkpoint.load(tmp_path / "a.pt")
    assert len(str(refusal.value)) < 400 and time.perf_counter() - began < 30


@pytest.mark.parametrize(("size", "taken"), [(2560, 2560), (4096, 640), (8192, 640), (10**30, 640), (-5, 640)])
def test_a_size_that_is_too_large_to_believe(small, tmp_path, size, taken):
    torch.save({"model": small(), "train_args": {"imgsz": size if size < 2**60 else [64, 2**59]}}, tmp_path / "a.pt")
    opened = checkpoint.load(tmp_path / "a.pt")
    assert opened.imgsz == taken and bool(opened.ignored_imgsz) == (size > 2560)


def test_what_is_not_believed_is_noted(small, tmp_path):
    from inspector_plugins.yolo11.inference.torch_runner import TorchModel

    torch.save({"model": small(), "train_args": {"imgsz": 8192}}, tmp_path / "a.pt")
    note = TorchModel(tmp_path / "a.pt", "cpu").info.note
    assert note.startswith("a.pt claims to be trained with images of 8192 pixels") and "640 is used" in note
    assert not TorchModel(tmp_path / "a.pt", "cpu", imgsz=64).info.note


# Weights that are no numbers.


@pytest.mark.parametrize(
    ("key", "value"), [("model.4.cv2.conv.weight", float("nan")), ("model.0.bn.running_var", float("inf"))]
)
def test_weights_that_are_not_numbers_are_refused_at_every_door(model, tmp_path, value, key):
    changed = model()
    changed.state_dict()[key].view(-1)[:1].fill_(value)
    path = tmp_path / "bad.pt"
    torch.save({"model": changed.half()}, path)
    for door, come_in in doors(path, tmp_path):
        with pytest.raises(InputError, match=rf"The weights of bad\.pt are not numbers \({re.escape(key)}\)"):
            come_in()
        assert door and not (tmp_path / "out").exists()


# Messages for the user.


def test_names_in_messages_are_short_and_printable(tmp_path):
    hostile = "\x1b]0;x\x07\u202e" + "a" * 200
    for value in (
        Call(Global("os" + hostile, "b"), ()),
        layer("ultralytics.nn.extra_modules." + hostile),
        layer("ultralytics.nn.extra_modules.block.X", **{hostile: 1}),
        layer("ultralytics.nn.tasks." + hostile),
        layer("inspector_plugins.x" + hostile + ".Layer"),
    ):
        with pytest.raises(InputError) as refusal:
            checkpoint.load(written(tmp_path / "a.pt", archive({"model": value})))
        assert str(refusal.value).isprintable() and len(str(refusal.value)) < 600


def test_class_names_are_text_that_a_file_can_hold(small, tmp_path):
    from inspector_plugins.yolo11.inference.torch_runner import TorchModel

    changed = small()
    changed.names = {0: "a\ud800\n\x1b[31mb", 1: "裂纹", 2: "\x00"}
    torch.save({"model": changed}, tmp_path / "a.pt")
    names = TorchModel(tmp_path / "a.pt", "cpu", imgsz=64).info.names
    assert names == ("a???[31mb", "裂纹", "?") and "".join(names).encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_a_pipe_or_device_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "best.pt")
    for path in (tmp_path / "best.pt", Path("/dev/zero")):
        with pytest.raises(InputError, match="is a device or a pipe; give the checkpoint file"):
            checkpoint.load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_a_pipe_is_not_waited_for_as_data_yaml(tmp_path):
    from inspector_plugins.yolo11.training import train

    os.mkfifo(tmp_path / "data.yaml")
    with pytest.raises(InputError, match="is a device or a pipe"):
        train.train(tmp_path / "data.yaml", "yolo11n-seg", tmp_path / "out", check=True)


def test_the_product_never_unpickles_a_file():
    """``torch.load``, ``pickle`` and ``numpy.load`` are not used in the product."""
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for folder in ("inspector", "plugins")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if re.search(
            r"torch\.load\(|^\s*(import|from) (pickle|marshal|shelve|dill|joblib)\b|np\.load\(|add_safe_globals", line
        )
    ]
    assert found == []
