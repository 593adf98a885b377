"""Preparation of torch, ultralytics and OpenVINO before their first import: offline, quiet, compatible.

Call :func:`prepare_torch` before torch, torchvision, timm or ultralytics are imported, :func:`prepare_openvino` before
openvino. This is the one place for

* the offline switches: ultralytics looks up host names, checks for updates, installs packages and reports usage unless
  its environment says otherwise before its first import;
* the torch/torchvision mismatch: torchvision wheels from PyPI are linked against CUDA, so with a CPU build of torch
  their native operators cannot be loaded and ``import torchvision`` fails. Two operator schemas and an NMS of our own
  repair that. The repair runs only after the plain import has failed, because defining the operators while the native
  library would load aborts the process.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Torchvision = Literal["native", "repaired", "absent"]

_library: Any = None  # kept alive: dropping a torch Library deregisters its operators
_state: Torchvision | None = None


def prepare_torch() -> Torchvision:
    """Make torch, torchvision and ultralytics importable and offline; cheap when called again.

    Returns:
        ``native`` if torchvision's own operators work, ``repaired`` if replacements are used, ``absent`` without it.
    """
    global _state
    if _state is None:
        go_offline()
        _state = _repair_torchvision()
    return _state


def go_offline() -> None:
    """Set the offline switches; import nothing heavy.

    Raises:
        InputError: the data folder cannot be created.
    """
    from inspector.system.paths import data_folder

    # ultralytics would set this to 1 before torch's first computation.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    if "OMP_WAIT_POLICY" not in os.environ:
        # Spinning threads become very slow when other work uses the same cores: docs/benchmarks.md.
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.pop("ULTRALYTICS_API_KEY", None)
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"
    os.environ["ULTRALYTICS_SKIP_REQUIREMENTS_CHECKS"] = "1"
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["WANDB_MODE"] = "disabled"
    os.environ["YOLO_CONFIG_DIR"] = str(data_folder() / "ultralytics")
    (data_folder() / "ultralytics").mkdir(exist_ok=True)
    prepare_openvino()


def prepare_openvino() -> None:
    """Make openvino offline: its import would send a telemetry event; without that package it uses its stub."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _repair_torchvision() -> Torchvision:
    global _library
    try:
        import torchvision  # noqa: F401
    except ModuleNotFoundError:
        return "absent"
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    else:
        return "native"
    import torch

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.impl("nms", nms, "CompositeExplicitAutograd")
    import torchvision.ops.boxes as boxes

    boxes._assert_has_ops = lambda: None  # used by nms and batched_nms only; the other operators still raise
    return "repaired"


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression, as ``torchvision.ops.nms``.

    Args:
        boxes: (N, 4) float, x1 y1 x2 y2.
        scores: (N,) float.
        iou_threshold: boxes that overlap a better one by more than this are dropped.

    Returns:
        (K,) int64 indices of the kept boxes, highest score first.
    """
    import torch

    if boxes.ndim != 2 or boxes.shape[-1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(f"expected boxes (N, 4) and scores (N,), not {tuple(boxes.shape)} and {tuple(scores.shape)}")
    order = scores.argsort(descending=True, stable=True)
    x1, y1, x2, y2 = boxes.detach().float()[order].cpu().numpy().T
    areas = (x2 - x1) * (y2 - y1)
    import numpy as np

    alive = np.ones(len(areas), bool)
    for first in range(len(areas)):
        if not alive[first]:
            continue
        later = first + 1 + np.flatnonzero(alive[first + 1 :])
        w = np.clip(np.minimum(x2[first], x2[later]) - np.maximum(x1[first], x1[later]), 0, None)
        h = np.clip(np.minimum(y2[first], y2[later]) - np.maximum(y1[first], y1[later]), 0, None)
        overlap = w * h
        union = areas[first] + areas[later] - overlap
        alive[later[overlap > iou_threshold * union]] = False
    return order[torch.from_numpy(np.flatnonzero(alive)).to(order.device)]
