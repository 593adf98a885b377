"""A timm model as a backbone, saved by its name and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import timm
import torch
from torch import nn

_STRIDES = (8, 16, 32)
TESTED = (  # our tests run, train and save these
    "resnet18", "mobilenetv3_small_100", "convnext_atto", "mobilenetv4_conv_small", "fasternet_t0", "starnet_s1",
    "repvit_m0_9", "hgnetv2_b0", "efficientvit_b0", "edgenext_xx_small", "fastvit_t8", "convnextv2_atto",
    "regnety_002", "ghostnetv2_100", "tf_efficientnetv2_b0", "inception_next_atto",
)  # fmt: skip


def names() -> Sequence[str]:
    """Names of timm's architectures without those of pretrained weights; the tested ones first."""
    known = timm.list_models()
    first = [name for name in TESTED if name in known]
    return (*first, *(name for name in known if name not in first))


class TimmBackbone(nn.Module):
    """Feature maps of a timm model with fresh weights: (N, 3, H, W) -> [(N, c, H/8, W/8), … /16, … /32].

    A checkpoint keeps the model's name and tensors, not its objects: timm's own classes and functions need not be
    named in one, and another version of timm may read it as long as the names of its tensors agree.

    Args:
        name: of the model, e.g. ``resnet18``; see :func:`names`.

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

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TimmBackbone:
        """The backbone that a checkpoint describes, see :class:`inspector.api.LayerSpec`.

        Raises:
            ValueError: timm has no such model, or its tensors are others.
        """
        name, tensors, norms = str(state.get("name")), state.get("tensors"), state.get("norms")
        if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
            raise ValueError("the timm backbone holds no tensors")
        try:
            with torch.device("meta"):  # takes no memory, whatever the model
                shapes = {key: value.shape for key, value in cls(name).net.state_dict().items()}
        except (NotImplementedError, RuntimeError):  # some compute while they are made
            shapes = {key: value.shape for key, value in cls(name).net.state_dict().items()}
        if {key: value.shape for key, value in tensors.items()} != shapes:
            raise ValueError(f"the tensors are not those of timm/{name}")
        kind = next((value.dtype for value in tensors.values() if value.is_floating_point()), torch.float32)
        made = cls(name).to(kind)
        made.net.load_state_dict(tensors)
        for key, norm in _norms(made.net):
            eps, momentum = norms[key] if isinstance(norms, dict) and key in norms else (norm.eps, norm.momentum)
            norm.eps, norm.momentum = float(eps), None if momentum is None else float(momentum)
        return made.eval().requires_grad_(False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """For ``copy.deepcopy`` and the plain pickle of a trusted file."""
        made = self.from_state(state)
        self.__dict__.update(made.__dict__)
        self.__dict__.update({key: value for key, value in state.items() if key in ("i", "f", "type", "np")})
        device = next((value.device for value in state["tensors"].values()), torch.device("cpu"))
        self.to(device).train(state.get("training", False)).requires_grad_(True)


def _norms(net: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d))


def _feature_maps(name: str) -> tuple[Any, tuple[int, ...]]:
    """Create the model ``name`` that returns maps; also return the indices of those of stride 8, 16 and 32."""
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
