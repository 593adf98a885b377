"""Check one architecture: a training step on two small images, then saving and reloading as after a training."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import LayerSpec, prepare_torch

prepare_torch()

import torch
from ultralytics.cfg import get_cfg

from inspector_plugins.yolo11.architecture import build, criterion
from inspector_plugins.yolo11.architecture.design import TRAINING_ONLY
from inspector_plugins.yolo11.checkpoint import checkpoint


def run(architecture: str, layers: Sequence[LayerSpec], folder: Path, imgsz: int) -> None:
    """Build it, compute loss and gradients of two images (3, imgsz, imgsz) with one defect each, save it in
    16 bit as ultralytics does, open it again as a checkpoint, and compare the outputs.

    Raises:
        InputError, RuntimeError, ValueError: with what failed.
    """
    torch.manual_seed(0)
    model = build.segmentation_model(architecture, 1, layers)
    model.args = get_cfg()
    model.criterion = criterion.of_model(model, layers)
    model.train()
    images = torch.rand(2, 3, imgsz, imgsz)
    masks = torch.zeros(2, imgsz // 4, imgsz // 4)
    masks[:, imgsz // 16 : imgsz // 8, imgsz // 16 : imgsz // 8] = 1
    loss, _ = model(
        {
            "img": images,
            "batch_idx": torch.tensor([0.0, 1.0]),
            "cls": torch.zeros(2, 1),
            "bboxes": torch.tensor([[0.375, 0.375, 0.25, 0.25]]).repeat(2, 1),
            "masks": masks,
            "sem_masks": torch.zeros(2, imgsz // 4, imgsz // 4),
        }
    )
    if not _finite(loss):
        raise ValueError("the loss is not finite")
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
    if lost := [word for word in TRAINING_ONLY if again.yaml.get(word) != model.yaml.get(word)]:
        raise ValueError(f"the checkpoint does not say which {lost[0]} it was trained with")
    rounded = model.half().float()
    with torch.no_grad():
        expected, found = (_raw(each(images)[1]) for each in (rounded, again))
    for one, other in zip(expected, found, strict=True):
        if not _finite(other) or not torch.allclose(one, other, rtol=0, atol=1e-3 * float(one.std())):
            raise ValueError(f"reloaded it computes something else (by {float((one - other).abs().max()):.3g})")


def _raw(outputs: Mapping[str, Any]) -> list[torch.Tensor]:
    """Inputs and outputs of the head before its decoding, which exaggerates differences."""
    return [*outputs["feats"], *(outputs[name] for name in ("boxes", "scores", "mask_coefficient", "proto"))]


def _finite(values: torch.Tensor) -> bool:
    return bool(torch.isfinite(values).all())
