"""Open ultralytics' YOLO segmentation checkpoints as untrusted data.

The file is read in an isolated process as names, plain values and tensors; the names are checked against
:mod:`.allowlist`; then :mod:`.network` builds the network with our own code. No class or function that the file names
is instantiated or called.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import re
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.api import InputError, LayerSpec, join_messages, message, prepare_torch

prepare_torch()

import torch
from ultralytics.nn.modules.head import Segment, YOLOESegment
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins._shared.torch_files import content as torch_file
from inspector_plugins._shared.torch_files.content import Content, Record, Stored, mapping, plain
from inspector_plugins.yolo11.checkpoint import forks, network
from inspector_plugins.yolo11.checkpoint.allowlist import METHOD, SEGMENTATION, WRAPPERS, Allowlist
from inspector_plugins.yolo11.checkpoint.network import shown
from inspector_plugins.yolo11.checkpoint.plugin_versions import origin
from inspector_plugins.yolo11.checkpoint.weights_file import class_name, read

logger = logging.getLogger(__name__)
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # PyTorch before 1.6
_TASKS = "ultralytics.nn.tasks."
_FAMILIES = {  # layer -> family, the most specific first
    "Segment26": "yolo26",
    "A2C2f": "yolo12",
    "C3k2": "yolo11",
    "RepNCSPELAN4": "yolov9",
    "C2f": "yolov8",
}
LARGEST_IMGSZ = 4096
_LARGEST_TRAINED = 2560  # pixels; a checkpoint must not decide over gigabytes, the user may
_OTHERWISE = 640
_UNUSABLE = (  # errors of torch and ultralytics for files with wrong content
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
        architecture: e.g. ``yolo11n-seg``.
        names: class names in class order.
        imgsz: training image size, pixels; a multiple of the stride.
        stride: pixels; the sides of the network's input are multiples of it.
        sha256: of the file, hexadecimal.
        ignored_imgsz: its stated training image size if that is implausibly large; else empty.
    """

    model: SegmentationModel
    architecture: str
    names: tuple[str, ...]
    imgsz: int
    stride: int
    sha256: str
    ignored_imgsz: str = ""


def load(path: Path, layers: Sequence[LayerSpec] = ()) -> Checkpoint:
    """Open ``path``.

    Args:
        layers: layers of plugins that the checkpoint may contain.

    Raises:
        InputError: names the problem of the file and the remedy.
    """
    data = read(path)
    _refuse_other_kinds(path.name, data)
    content = torch_file.read(data, path.name, ("ema", "model"), ("train_args",))
    names = set(content.names)
    classes = _classes(names, layers)
    allowlist = Allowlist(classes)
    if missing := allowlist.missing(names):
        _refuse(path.name, [*missing, *forks.without_counterpart(names, classes)])
    try:
        described = _described(path.name, content)
        model = network.Builder(allowlist).model(described)
    except _UNUSABLE as error:
        raise InputError(
            "{path} is not what ultralytics saves as a checkpoint ({reason}) and was not opened; "
            "choose the best.pt of a training",
            path=path.name,
            reason=_short(error),
        ) from error
    if forks.is_foreign(names):
        _replace_foreign(path.name, model, classes)
    try:
        opened = _prepared(model, content, hashlib.sha256(data).hexdigest())
        bad = network.not_finite(model)
        if bad is None:
            network.check_computes(model, opened.stride)
    except _UNUSABLE as error:
        raise InputError(
            "{path} contains a model that cannot be used ({reason}); train or save it with ultralytics again",
            path=path.name,
            reason=_short(error),
        ) from error
    if bad is not None:
        raise InputError(
            "The weights of {path} are not numbers ({bad}): the training diverged, or half precision "
            "overflowed; use an earlier checkpoint, or train again",
            path=path.name,
            bad=shown(bad),
        )
    return opened


def _classes(names: set[str], layers: Sequence[LayerSpec]) -> list[type]:
    """The classes of those plugins whose layers occur in ``names``; of all plugins if that is not enough.

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


def _replace_foreign(name: str, model: SegmentationModel, classes: Sequence[type]) -> None:
    """Replace the modules of a fork by our classes, and check that the model computes."""
    try:
        forks.replace_foreign(model, classes)
    except forks.UnsupportedForkError as error:
        listed = [f"{shown(origin)} ({_cut(reason, 200)})" for origin, reason in error.reasons.items()]
        raise InputError(
            "{name} comes from a fork of ultralytics and needs layers that are not installed: {missing}; "
            "install a plugin that provides them, or train the architecture here",
            name=name,
            missing=_first(listed, 5, "; "),
            cli_hint="bearing-inspector architectures",
        ) from error
    try:
        with torch.no_grad():
            copy.deepcopy(model).float().eval()(torch.zeros(1, 3, 64, 64))
    except _UNUSABLE as error:
        raise InputError(
            "{name} comes from a fork of ultralytics whose network does not fit the layers here "
            "({reason}); train the architecture here",
            name=name,
            reason=_short(error),
            cli_hint="bearing-inspector architectures",
        ) from error


def _refuse_other_kinds(name: str, data: bytes) -> None:
    """Refuse a file that is no ``torch.save`` archive, naming its kind."""
    if not data:
        raise InputError("{name} is empty (0 bytes); copy the checkpoint again", name=name)
    if data.startswith(b"PK\x03\x04"):
        return
    if data.startswith(b"version https://git-lfs"):
        raise InputError(
            "{name} is a Git LFS pointer, not the checkpoint itself; fetch it with 'git lfs pull'", name=name
        )
    if data.startswith(_LEGACY_MAGIC):
        raise InputError(
            "{name} has the format of PyTorch before 1.6, which cannot be opened safely; "
            "load and save it with a current ultralytics where you trust it",
            name=name,
        )
    kind = (
        message("an ONNX model")
        if data[:1] == b"\x08" and b"onnx" in data[:4096].lower()
        else message("not a PyTorch checkpoint")
    )
    raise InputError(
        "{name} is {kind}; choose a .pt file that ultralytics saved, such as best.pt", name=name, kind=kind
    )


def _refuse(name: str, missing: Sequence[str]) -> None:
    """Raise an error on a checkpoint with unlisted globals ``missing``; do nothing if there are none."""
    missing = [shown(item) for item in missing]
    if any(item.startswith(("models.", "utils.")) for item in missing):
        raise InputError(
            "{name} comes from YOLOv5 or YOLOv7 code, whose checkpoints are another format; "
            "train a yolo11-seg model on its data instead",
            name=name,
        )
    if code := [item for item in missing if _may_run_code(item)]:
        raise InputError(
            "{name} names {code}, which could run code and which no model needs, so it was not opened; "
            "use only checkpoints from people you trust",
            name=name,
            code=code[0],
        )
    if unknown := [item for item in missing if not item.startswith(_TASKS)]:
        unknown.sort(key=lambda item: not item.startswith("ultralytics."))
        if lacking := {plugin: item for item in unknown if (plugin := _plugin_of(item))}:
            which = join_messages(" and ", [message("the plugin {id!r}", id=plugin) for plugin in sorted(lacking)])
            raise InputError(
                "{name} needs {plugins}, as it contains {classes}; enable or install it",
                name=name,
                plugins=which,
                classes=", ".join(sorted(lacking.values())),
                cli_hint="bearing-inspector plugins list",
            )
        raise InputError(
            "{name} needs {unknown}, which no installed plugin provides; install the plugin that provides "
            "them, or train a model without them",
            name=name,
            unknown=_first(unknown, 3, ", "),
        )
    if missing:
        kind = missing[0].removeprefix(_TASKS)
        raise InputError(
            "{name} is {kind} model; a segmentation model (…-seg) is needed",
            name=name,
            kind=message(_OTHER_TASKS[kind]) if kind in _OTHER_TASKS else f"a {kind}",
        )


def _first(items: Sequence[str], most: int, separator: str) -> str:
    """The first of ``items`` in a list, and how many there are besides."""
    some = separator.join(items[:most])
    return message("{some} and {count} more", some=some, count=len(items) - most) if len(items) > most else some


def _may_run_code(item: str) -> bool:
    """Whether the global ``item`` is a function of Python or of torch's internals, which no layer is."""
    root = item.partition(".")[0]
    return root in sys.stdlib_module_names or (root == "torch" and not item.startswith("torch.nn."))


def _plugin_of(item: str) -> str:
    """The plugin of the class ``item``, for both names of our modules; empty for other globals."""
    root, _, rest = item.partition(".")
    known = root in ("inspector_plugins", "bearing_inspector_dropins")
    return rest.partition(".")[0].replace("%2E", ".") if known else ""


def _described(name: str, content: Content) -> Record:
    """Return the description of the model: of the averaged weights (EMA) if there are any.

    Raises:
        InputError: the file contains something else.
        ValueError: it was not written by ultralytics.
    """
    if content.problem:
        raise ValueError(content.problem)
    found = content.root
    if isinstance(items := mapping(found), dict) and not (items and all(isinstance(v, Stored) for v in items.values())):
        found = items.get("ema", items.get("model"))
    if isinstance(found, Record) and found.name in WRAPPERS and isinstance(found.state, dict):
        found = (mapping(found.state.get("_modules")) or {}).get("module")
    if isinstance(found, Record) and found.name in (SEGMENTATION, METHOD):
        return found
    items = mapping(found)
    if items and all(isinstance(value, Stored) for value in items.values()):
        raise InputError(
            "{name} contains weights without the model they belong to (a state dict); choose the best.pt "
            "that ultralytics saved in training",
            name=name,
        )
    raise InputError(
        "{name} contains no ultralytics model; choose the best.pt that ultralytics saved in training", name=name
    )


def _prepared(model: SegmentationModel, content: Content, sha256: str) -> Checkpoint:
    """Convert a model saved by any version of ultralytics to what this version expects."""
    head = model.model[-1]
    if not isinstance(head, Segment) or isinstance(head, YOLOESegment):
        raise TypeError(f"its head is {type(head).__name__}, not Segment")
    if not isinstance(model.yaml, dict):
        raise TypeError("it has no description")
    if (channels := model.yaml.get("channels", 3)) != 3:
        raise ValueError(f"it takes {shown(channels)} channels, not three")
    model.float().eval().requires_grad_(False)
    model.task = "segment"
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = True
    told = torch.as_tensor(getattr(model, "stride", 32)).float()
    if told.numel() not in range(1, 9) or not bool(((told >= 1) & (told <= network.LARGEST_STRIDE)).all()):
        raise ValueError("its strides are none that a network has")
    stride = max(int(told.max()), 32)
    names = _names(getattr(model, "names", None), _classes_of(head))
    imgsz, note = _imgsz(content, stride)
    return Checkpoint(model, _architecture(model), names, imgsz, stride, sha256, note)


def _classes_of(head: Any) -> int:
    """Number of classes of a head: that of the outputs of the last layers of its class branches."""
    count = head.nc
    if type(count) is not int or not 1 <= count <= network.MOST_CLASSES:
        raise ValueError(f"its head tells {shown(count)} classes apart")
    branches = next((found for key in ("cv3", "one2one_cv3") if (found := getattr(head, key, None)) is not None), ())
    given = {branch[-1].out_channels for branch in branches}
    if given != {count}:
        raise ValueError(f"its head says that it tells {count} classes apart, which its layers do not")
    return count


def _names(given: object, count: int) -> tuple[str, ...]:
    """Return ``count`` class names from the checkpoint's dict or list; the number for missing names."""
    table = dict(enumerate(given)) if isinstance(given, list | tuple) else given if isinstance(given, dict) else {}
    named = {int(key): class_name(value) for key, value in table.items()}
    return tuple(named.get(number) or str(number) for number in range(count))


def _imgsz(content: Content, stride: int) -> tuple[int, str]:
    """The training image size, 640 if it is unknown or too large; and a note in the latter case."""
    items = mapping(content.root) or {}
    try:
        arguments = plain(items.get("train_args"), 20_000)
    except ValueError:
        arguments = None
    size = arguments.get("imgsz") if isinstance(arguments, dict) else None
    size = max(size) if isinstance(size, list | tuple) and size and all(type(one) is int for one in size) else size
    if type(size) is not int or size < stride:
        return _OTHERWISE, ""
    if size > _LARGEST_TRAINED:
        return _OTHERWISE, str(size) if size < 10**9 else "1e9"
    return -(-size // stride) * stride, ""


def _architecture(model: SegmentationModel) -> str:
    """The name in its configuration, e.g. ``yolo11n-seg``; derived from its layers if there is none."""
    if ours := model.yaml.get("architecture"):
        return shown(ours)
    stem = shown(re.split(r"[\\/]", str(model.yaml.get("yaml_file", "")))[-1].rpartition(".")[0])
    scale = shown(model.yaml.get("scale", ""))
    if not stem:
        kinds = {type(module).__name__ for module in model.modules()}
        stem = next((family for kind, family in _FAMILIES.items() if kind in kinds), "yolo") + "-seg"
    if unscaled := re.fullmatch(r"(yolo(?:v\d|\d\d))(-.*)?", stem):
        return f"{unscaled[1]}{scale}{unscaled[2] or ''}"
    return stem


def _short(error: BaseException) -> str:
    return _cut(str(error).strip().partition("\n")[0] or type(error).__name__, 120)


def _cut(text: str, most: int) -> str:
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(sign if sign.isprintable() else "?" for sign in short)
