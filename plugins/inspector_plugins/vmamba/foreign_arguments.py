"""Read the constructor arguments of VMamba modules of other code off the shapes of their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

from torch import Tensor, nn

_OLD_NAMES = {  # of a VSSBlock and an SS2D, in older official code and in ports to YOLO: the name now
    "ln_1.": "norm.",
    "self_attention.": "op.",
    "x_proj.weight": "x_proj_weight",
    "dt_projs.weight": "dt_projs_weight",
    "dt_projs.bias": "dt_projs_bias",
}


def rename(state_dict: dict[str, Any], prefix: str, shapes: Mapping[str, Tensor]) -> None:
    """Rename the keys of older code to the current ones, in place.

    Args:
        shapes: of the module itself: old tensors are viewed as theirs, where they have as many elements.
    """
    for key in [key for key in state_dict if key.startswith(prefix)]:
        rest = key.removeprefix(prefix)
        for old, new in _OLD_NAMES.items():
            if rest.startswith(old) if old.endswith(".") else rest == old:
                name = new + rest.removeprefix(old)
                value = state_dict.pop(key)
                if name in shapes and value.numel() == shapes[name].numel():
                    value = value.reshape(shapes[name].shape)
                state_dict[prefix + name] = value


def own_name(name: str) -> str:
    """Our name of a submodule of a VSSBlock that may have the names of older code."""
    return name.replace("ln_1", "norm").replace("self_attention", "op")


def ss2d_arguments(foreign: nn.Module, channel_first: bool) -> dict[str, Any]:
    """Constructor arguments of an SS2D.

    The scanned directions are not recorded: the usual four are assumed.

    Raises:
        ValueError: a tensor that determines them is missing.
    """
    state = {key: tuple(value.shape) for key, value in foreign.state_dict().items()}
    weight = "dt_projs_weight" if "dt_projs_weight" in state else "dt_projs.weight"
    needed = ("in_proj.weight", "out_proj.weight", "A_logs", weight)
    if missing := [key for key in needed if len(state.get(key, ())) < 2]:
        raise ValueError(f"SS2D does not fit: missing {', '.join(missing)}; there is {', '.join(state) or 'nothing'}")
    model, inner = state["out_proj.weight"][:2]
    gated = state["in_proj.weight"][0] == 2 * inner
    norm = getattr(foreign, "out_norm", None)
    suffix = ""
    if "out_norm.weight" not in state:
        kind = type(norm).__name__
        convolution = "dwconv3" if "out_norm.1.weight" in state else "cnorm"
        plain = {"SoftmaxSpatial": "softmax", "Sigmoid": "sigmoid"}.get(kind, "none")
        suffix = "_on" + (convolution if any(key.startswith("out_norm.") for key in state) else plain)
    if gated and getattr(foreign, "disable_z_act", False):
        suffix += "_nozact"
    if not gated:
        suffix += "_noz"
    if isinstance(getattr(foreign, "out_act", None), nn.GELU):
        suffix += "_oact"
    act = getattr(foreign, "act", None)
    kernel = state.get("conv2d.weight")
    return {
        "d_model": model,
        "d_state": state["A_logs"][-1],
        "ssm_ratio": (inner + 0.5) / model,  # rounded down to inner again
        "dt_rank": state[weight][-1],
        "act_layer": type(act) if type(act).__module__.startswith("torch.nn.") else nn.SiLU,
        "d_conv": kernel[-1] if kernel else 1,
        "conv_bias": "conv2d.bias" in state,
        "bias": "in_proj.bias" in state,
        "forward_type": f"v2{suffix}",
        "channel_first": channel_first,
    }


def is_channel_first(foreign: nn.Module) -> bool:
    """Whether a VSSBlock or SS2D works on (N, C, H, W): by its attribute, or by its parts."""
    flag = getattr(foreign, "channel_first", None)
    if isinstance(flag, bool):
        return flag
    names = {type(part).__name__ for part in foreign.modules()}
    return bool(names & {"LayerNorm2d", "Linear2d"})
