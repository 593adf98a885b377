"""Count the floating-point operations of a network: convolutions, matrix products and attention as counted by torch,
and what layers report for their own arithmetic, e.g. a selective scan (``flops(*inputs)``, see ``LayerSpec``)."""

from __future__ import annotations

import copy
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count(model: nn.Module, imgsz: int) -> int:
    """Operations of a forward pass of one image (3, imgsz, imgsz); a multiplication and an addition count as two."""
    shapes: Any = copy.deepcopy(model).to("meta")
    shapes.model[-1].stride = model.stride  # the only tensor whose values matter
    try:
        return _count(shapes, torch.zeros(1, 3, imgsz, imgsz, device="meta"))
    except (NotImplementedError, RuntimeError):  # a layer that needs values, not only shapes
        with sdpa_kernel(SDPBackend.MATH):  # the counter cannot see into the CPU's fused attention
            return _count(copy.deepcopy(model), torch.zeros(1, 3, imgsz, imgsz))


def _count(model: nn.Module, image: torch.Tensor) -> int:
    own = 0

    def add(module: Any, inputs: tuple[Any, ...]) -> None:
        nonlocal own
        own += int(module.flops(*inputs))

    model.eval()
    for module in model.modules():
        if callable(getattr(module, "flops", None)):
            module.register_forward_pre_hook(add)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(image)
    return int(counter.get_total_flops()) + own
