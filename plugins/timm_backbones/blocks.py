"""A timm model as a backbone, saved by its name and weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import timm
import torch
from torch import nn

_STRIDES = (8, 16, 32)


def names() -> Sequence[str]:
    """Names of timm's architectures, without those of pretrained weights; a small one of use first."""
    return ("resnet18", *(name for name in timm.list_models() if name != "resnet18"))


class TimmBackbone(nn.Module):
    """Feature maps of a timm model with fresh weights: (N, 3, H, W) -> [(N, c, H/8, W/8), … /16, … /32].

    A checkpoint keeps the model's name and tensors, not its objects: timm's own classes and functions need not be
    allowed in one, and another version of timm may read it as long as the names of its tensors agree.

    Args:
        name: of the model, such as ``resnet18``; see :func:`names`.

    Attributes:
        channels: of the three maps.

    Raises:
        ValueError: where timm has no such model, or it has no maps of stride 8, 16 and 32.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.net, self._chosen = _feature_maps(name)
        counts = self.net.feature_info.channels()
        self.channels = tuple(int(counts[index]) for index in self._chosen)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = self.net(x)
        chosen = [maps[index] for index in self._chosen]
        if str(getattr(self.net, "output_fmt", None) or "NCHW").endswith("NHWC"):
            return [one.permute(0, 3, 1, 2).contiguous() for one in chosen]
        return chosen

    def __getstate__(self) -> dict[str, Any]:
        own = {key: value for key, value in self.__dict__.items() if not key.startswith("_") or key == "_chosen"}
        norms = {name: (norm.eps, norm.momentum) for name, norm in _norms(self.net)}  # ultralytics has its own
        return {**own, "tensors": self.net.state_dict(), "norms": norms}

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = dict(state)
        tensors, norms, training = kept.pop("tensors"), kept.pop("norms"), kept.get("training", False)
        self.__init__(str(kept.pop("name")))  # type: ignore[misc]
        self.__dict__.update({key: value for key, value in kept.items() if key in ("i", "f", "type", "np")})
        kind = next((value.dtype for value in tensors.values() if value.is_floating_point()), torch.float32)
        place = next((value.device for value in tensors.values()), torch.device("cpu"))
        self.to(place, kind).train(training)
        self.net.load_state_dict(tensors)
        for name, norm in _norms(self.net):
            norm.eps, norm.momentum = norms[name]


def _norms(net: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d))


def _feature_maps(name: str) -> tuple[Any, tuple[int, ...]]:
    """The model ``name`` that returns maps, and the indices of those of stride 8, 16 and 32."""
    if not timm.is_model(name) or ":" in name or "/" in name:
        raise ValueError(f"timm has no model {name!r}")
    try:
        net = timm.create_model(name, pretrained=False, features_only=True)
    except (AssertionError, AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(f"timm/{name} gives no feature maps ({error}); choose another backbone") from None
    reductions = [int(value) for value in net.feature_info.reduction()]
    if missing := [str(stride) for stride in _STRIDES if stride not in reductions]:
        raise ValueError(
            f"timm/{name} has maps of stride {', '.join(map(str, reductions))} and none of {', '.join(missing)}; "
            "choose a model with maps of stride 8, 16 and 32"
        )
    last = {reduction: index for index, reduction in enumerate(reductions)}
    chosen = tuple(last[stride] for stride in _STRIDES)
    if chosen == tuple(range(len(reductions))):
        return net, chosen
    return timm.create_model(name, pretrained=False, features_only=True, out_indices=chosen), (0, 1, 2)
