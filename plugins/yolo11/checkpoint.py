"""Opens ultralytics' YOLO segmentation checkpoints without trusting them.

The file is read once and looked at from outside (kind, damage, the classes it names) before anything of it is loaded;
then ``torch.load(weights_only=True)`` loads it against :mod:`.allowlist`. Nothing is installed, fetched or executed.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.api import InputError, LayerSpec, prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.nn.modules.head import Segment, YOLOESegment
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins.yolo11 import forks
from inspector_plugins.yolo11.allowlist import Allowlist, named_globals
from inspector_plugins.yolo11.origins import origin
from inspector_plugins.yolo11.reading import read

_LARGEST_PICKLE = 64 << 20  # the largest official model's is 0.5 MB
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # PyTorch before 1.6
_TASKS = "ultralytics.nn.tasks."
_FAMILIES = {  # layer -> family, the most telling first
    "Segment26": "yolo26",
    "A2C2f": "yolo12",
    "C3k2": "yolo11",
    "RepNCSPELAN4": "yolov9",
    "C2f": "yolov8",
}
LARGEST_IMGSZ = 4096
_UNUSABLE = (  # what a file of wrong content makes torch and ultralytics raise
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)
_OTHER_TASKS = {
    "DetectionModel": "a detection",
    "YOLOv10DetectionModel": "a detection",
    "RTDETRDetectionModel": "an RT-DETR detection",
    "WorldModel": "an open-vocabulary detection",
    "YOLOEModel": "an open-vocabulary (YOLOE)",
    "YOLOESegModel": "an open-vocabulary (YOLOE)",
    "ClassificationModel": "a classification",
    "PoseModel": "a pose",
    "OBBModel": "an oriented-box",
    "SemanticModel": "a semantic segmentation",
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An opened checkpoint.

    Attributes:
        model: float32, on the CPU, in evaluation mode, not fused.
        architecture: such as ``yolo11n-seg``.
        names: class names in class order.
        imgsz: side length it was trained with, pixels; a multiple of the stride.
        stride: pixels; sides of the network's input are multiples of it.
        sha256: of the file, hexadecimal.
    """

    model: SegmentationModel
    architecture: str
    names: tuple[str, ...]
    imgsz: int
    stride: int
    sha256: str


def load(path: Path, layers: Sequence[LayerSpec] = ()) -> Checkpoint:
    """Open ``path``.

    Args:
        layers: layers of plugins that the checkpoint may contain.

    Raises:
        InputError: saying what is wrong with the file and what to do.
    """
    data = read(path)
    names = _named(path.name, data)
    classes = _classes(names, layers)
    allowlist = Allowlist(classes)
    if missing := allowlist.missing(names):
        _refuse(path.name, [*missing, *forks.without_counterpart(names, classes)])
    try:
        with allowlist.in_force(names):
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except _UNUSABLE as error:
        raise InputError(
            f"{path.name} is not what ultralytics saves as a checkpoint ({_short(error)}) and was not opened; "
            "choose the best.pt of a training"
        ) from error
    model = _model(path.name, content)
    if forks.is_foreign(names):
        _adopt(path.name, model, classes)
    try:
        return _prepared(model, content, hashlib.sha256(data).hexdigest())
    except _UNUSABLE as error:
        raise InputError(
            f"{path.name} holds a model that cannot be used ({_short(error)}); train or save it with ultralytics again"
        ) from error


def _classes(names: set[str], layers: Sequence[LayerSpec]) -> list[type]:
    """The classes of those plugins whose layers the globals ``names`` mention; of all, where that is not enough.

    Importing the layers of a plugin takes time, timm's a second.
    """
    lacking = Allowlist().missing(names)
    if not lacking and not forks.is_foreign(names):
        return []
    near = [layer for layer in layers if any(name.startswith(f"{origin(layer)}.") for name in lacking)]
    classes = [cls for layer in near for cls in layer.load()]
    if forks.is_foreign(names) or Allowlist(classes).missing(names):
        classes += [cls for layer in layers if layer not in near for cls in layer.load()]
    return classes


def _adopt(name: str, model: SegmentationModel, classes: Sequence[type]) -> None:
    """Bring a fork's model to our classes, and see that it computes."""
    try:
        forks.adopt(model, classes)
    except forks.Misfit as error:
        listed = [f"{origin} ({reason})" for origin, reason in error.reasons.items()]
        more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
        raise InputError(
            f"{name} comes from a fork of ultralytics and needs what is not here: {'; '.join(listed[:5])}{more}; "
            "install a plugin that brings it, or train the architecture here, see 'bearing-inspector architectures'"
        ) from error
    try:
        with torch.no_grad():
            copy.deepcopy(model).float().eval()(torch.zeros(1, 3, 64, 64))
    except _UNUSABLE as error:
        raise InputError(
            f"{name} comes from a fork of ultralytics whose network does not fit our layers ({_short(error)}); "
            "train the architecture here, see 'bearing-inspector architectures'"
        ) from error


def _named(name: str, data: bytes) -> set[str]:
    """The globals that the checkpoint ``data`` names; refuses what is no checkpoint."""
    if not data:
        raise InputError(f"{name} is empty (0 bytes); copy the checkpoint again")
    if data.startswith(b"PK\x03\x04"):
        return _named_in_zip(name, data)
    if data.startswith(b"version https://git-lfs"):
        raise InputError(f"{name} is a Git LFS pointer, not the checkpoint itself; fetch it with 'git lfs pull'")
    if data.startswith(_LEGACY_MAGIC):
        raise InputError(
            f"{name} has the format of PyTorch before 1.6, which cannot be opened safely; "
            "load and save it with a current ultralytics where you trust it"
        )
    kind = "an ONNX model" if data[:1] == b"\x08" and b"onnx" in data[:4096].lower() else "not a PyTorch checkpoint"
    raise InputError(f"{name} is {kind}; choose a .pt file that ultralytics saved, such as best.pt")


def _named_in_zip(name: str, data: bytes) -> set[str]:
    damaged = InputError(f"{name} is damaged or incomplete; copy it again from where it was trained")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            inner = [member.filename.partition("/")[2] for member in members]
            if "constants.pkl" in inner:
                raise InputError(f"{name} is a TorchScript archive; load the .pt file that it was exported from")
            pickles = [member for member, path in zip(members, inner, strict=True) if path == "data.pkl"]
            if len(pickles) != 1:
                raise InputError(
                    f"{name} is a ZIP archive but not a PyTorch checkpoint; choose a .pt file that ultralytics saved"
                )
            if pickles[0].file_size > _LARGEST_PICKLE or sum(m.file_size for m in members) > 20 * len(data) + (1 << 20):
                raise InputError(f"{name} would unpack to far more than a checkpoint holds; it was not opened")
            if archive.testzip() is not None:
                raise damaged
            return named_globals(archive.read(pickles[0]))
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError):
        raise damaged from None


def _refuse(name: str, missing: Sequence[str]) -> None:
    """Say why a checkpoint that names the globals ``missing`` is not loaded; nothing, if there are none."""
    if any(item.startswith(("models.", "utils.")) for item in missing):
        raise InputError(
            f"{name} comes from YOLOv5 or YOLOv7 code, whose checkpoints are another format; "
            "train a yolo11-seg model on its data instead"
        )
    if code := [item for item in missing if item.partition(".")[0] in sys.stdlib_module_names]:
        raise InputError(
            f"{name} names {code[0]}, which could run code and which no model needs, so it was not opened; "
            "use only checkpoints from people you trust"
        )
    if unknown := [item for item in missing if not item.startswith(_TASKS)]:
        unknown.sort(key=lambda item: not item.startswith("ultralytics."))
        if lacking := {plugin: item for item in unknown if (plugin := _plugin_of(item))}:
            which = " and ".join(f"the plugin {plugin!r}" for plugin in sorted(lacking))
            raise InputError(
                f"{name} needs {which}, as it contains {', '.join(sorted(lacking.values()))}; "
                "enable or install it, see 'bearing-inspector plugins list'"
            )
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise InputError(
            f"{name} needs {', '.join(unknown[:3])}{more}, which no installed plugin brings; "
            "install the plugin that provides them, or train a model without them"
        )
    if missing:
        kind = missing[0].removeprefix(_TASKS)
        raise InputError(
            f"{name} is {_OTHER_TASKS.get(kind, f'a {kind}')} model; a segmentation model (…-seg) is needed"
        )


def _plugin_of(item: str) -> str:
    """The plugin whose class the global ``item`` is, by our two ways of naming its module; empty for another."""
    root, _, rest = item.partition(".")
    known = root in ("inspector_plugins", "bearing_inspector_dropins")
    return rest.partition(".")[0].replace("%2E", ".") if known else ""


def _model(name: str, content: object) -> SegmentationModel:
    """The model of a checkpoint's content: the averaged weights (EMA) where there are any."""
    found = content
    if isinstance(content, dict):
        found = content["model"] if content.get("ema") is None and "model" in content else content.get("ema", content)
    if isinstance(found, SegmentationModel):
        return found
    if isinstance(found, dict) and found and all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(
            f"{name} holds weights without the model they belong to (a state dict); "
            "choose the best.pt that ultralytics saved in training"
        )
    raise InputError(f"{name} holds no ultralytics model; choose the best.pt that ultralytics saved in training")


def _prepared(model: SegmentationModel, content: dict[str, Any], sha256: str) -> Checkpoint:
    """Bring a model that some version of ultralytics saved to what this version expects."""
    head = model.model[-1]
    if not isinstance(head, Segment) or isinstance(head, YOLOESegment):
        raise TypeError(f"its head is {type(head).__name__}, not Segment")
    if (channels := model.yaml.get("channels", 3)) != 3:
        raise ValueError(f"it takes {channels} channels, not three")
    model.float().eval().requires_grad_(False)
    model.__dict__.pop("criterion", None)
    model.task = "segment"
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = True
        elif isinstance(module, nn.Upsample) and not hasattr(module, "recompute_scale_factor"):
            module.recompute_scale_factor = None  # saved by torch before 1.11
    stride = max(int(torch.as_tensor(getattr(model, "stride", 32)).max()), 32)
    return Checkpoint(
        model,
        _architecture(model),
        _names(getattr(model, "names", None), int(head.nc)),
        _imgsz(content, stride),
        stride,
        sha256,
    )


def _names(given: object, count: int) -> tuple[str, ...]:
    """``count`` class names from the checkpoint's dict or list; a number where it has none."""
    table = dict(enumerate(given)) if isinstance(given, list | tuple) else given if isinstance(given, dict) else {}
    named = {int(key): str(value).strip() for key, value in table.items()}
    return tuple(named.get(number) or str(number) for number in range(count))


def _imgsz(content: dict[str, Any], stride: int) -> int:
    """The side length it was trained with; 640 where that is not told."""
    arguments = content.get("train_args")
    size = arguments.get("imgsz") if isinstance(arguments, dict) else getattr(arguments, "imgsz", None)
    size = max(size) if isinstance(size, list | tuple) and size else size
    if not isinstance(size, int) or not stride <= size <= LARGEST_IMGSZ:
        return 640
    return -(-size // stride) * stride


def _architecture(model: SegmentationModel) -> str:
    """Its name by its configuration, such as ``yolo11n-seg``; by its layers where the configuration has none."""
    if ours := model.yaml.get("architecture"):
        return str(ours)
    stem = re.split(r"[\\/]", str(model.yaml.get("yaml_file", "")))[-1].rpartition(".")[0]
    scale = str(model.yaml.get("scale", ""))
    if not stem:
        kinds = {type(module).__name__ for module in model.modules()}
        stem = next((family for kind, family in _FAMILIES.items() if kind in kinds), "yolo") + "-seg"
    if unscaled := re.fullmatch(r"(yolo(?:v\d|\d\d))(-.*)?", stem):
        return f"{unscaled[1]}{scale}{unscaled[2] or ''}"
    return stem


def _short(error: BaseException) -> str:
    text = str(error).rpartition("WeightsUnpickler error:")[2].strip().partition("\n")[0] or type(error).__name__
    return text if len(text) <= 120 else f"{text[:119]}…"
