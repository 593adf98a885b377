"""Tries one architecture: a training step on two small pictures, then saving and reloading as after a training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from inspector.api import LayerSpec, prepare_torch

prepare_torch()

import torch
from ultralytics.cfg import get_cfg

from inspector_plugins.yolo11 import build, checkpoint


def run(architecture: str, layers: Sequence[LayerSpec], folder: Path, imgsz: int) -> None:
    """Build it, compute the loss of two pictures (3, imgsz, imgsz) with one defect each and its gradients, save it in
    16 bit as ultralytics does, reload it by the allow-list, and compare what both compute.

    Raises:
        InputError, RuntimeError, ValueError: saying what failed.
    """
    torch.manual_seed(0)
    model = build.segmentation_model(architecture, 1, layers)
    model.args = get_cfg()
    model.train()
    pictures = torch.rand(2, 3, imgsz, imgsz)
    masks = torch.zeros(2, imgsz // 4, imgsz // 4)
    masks[:, imgsz // 16 : imgsz // 8, imgsz // 16 : imgsz // 8] = 1
    loss, _ = model(
        {
            "img": pictures,
            "batch_idx": torch.tensor([0.0, 1.0]),
            "cls": torch.zeros(2, 1),
            "bboxes": torch.tensor([[0.375, 0.375, 0.25, 0.25]]).repeat(2, 1),
            "masks": masks,
            "sem_masks": torch.zeros(2, imgsz // 4, imgsz // 4),
        }
    )
    loss.sum().backward()
    if bad := [name for name, value in model.named_parameters() if value.grad is not None and not _finite(value.grad)]:
        raise ValueError(f"the gradient of {bad[0]} is not finite")
    if idle := [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]:
        idle = [name for name in idle if not name.endswith("dfl.conv.weight")]
        if idle:
            raise ValueError(f"{len(idle)} parameters get no gradient, the first is {idle[0]}")
    model.zero_grad(set_to_none=True)
    model.criterion = None
    model.eval()
    file = folder / "trial.pt"
    content = {"epoch": -1, "model": None, "ema": copy.deepcopy(model).half(), "train_args": {"imgsz": imgsz}}
    torch.save(content, file)
    again = checkpoint.load(file, layers).model
    rounded = model.half().float()
    with torch.no_grad():
        expected, found = rounded(pictures)[1]["feats"], again(pictures)[1]["feats"]  # what the head reads
    for one, other in zip(expected, found, strict=True):
        if not _finite(other) or not torch.allclose(one, other, rtol=0, atol=1e-3 * float(one.std())):
            raise ValueError(f"reloaded it computes something else (by {float((one - other).abs().max()):.3g})")


def _finite(values: torch.Tensor) -> bool:
    return bool(torch.isfinite(values).all())
