"""Read the constructor arguments of FreqFusion modules of other code off their tensors and attributes."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any, TypeVar

from inspector.api import prepare_torch

prepare_torch()

from torch import nn

from inspector_plugins._shared.foreign_weights import load_foreign

_Module = TypeVar("_Module", bound=nn.Module)


def build(cls: type[_Module], foreign: nn.Module, arguments: Callable[[nn.Module], dict[str, Any]]) -> _Module:
    """Build a ``cls`` with the tensors of ``foreign``, in inference mode.

    Args:
        arguments: reads the constructor's arguments off ``foreign``.

    Raises:
        ValueError: the arguments or the tensors do not fit.
    """
    try:
        module = cls(**arguments(foreign))
    except (ArithmeticError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{cls.__name__} does not fit: {' '.join(str(error).split())}") from error
    except KeyError as error:
        raise ValueError(f"{cls.__name__} does not fit: {error.args[0]} is missing") from error
    return load_foreign(module, foreign)


def takes_a_list(foreign: nn.Module) -> bool:
    """Whether it is a row of a network's table that reads several others (ultralytics' ``f``)."""
    return isinstance(getattr(foreign, "f", None), list | tuple)


def sampler_arguments(foreign: nn.Module) -> dict[str, Any]:
    """Constructor arguments of a LocalSimGuidedSampler."""
    state = foreign.state_dict()
    given = _attributes(foreign, scale=2, style="lp", local_window=3, direction_feat="sim_concat")
    groups = len(state["hr_offset.weight"]) // 2
    if "norm_hr.weight" in state:
        channels = len(state["norm_hr.weight"])
    elif given["direction_feat"] != "sim":
        channels = state["offset.weight"].shape[1] - (given["local_window"] ** 2 - 1)
    elif "hr_direct_scale.weight" in state:
        channels = state["hr_direct_scale.weight"].shape[1]
    else:  # no parameter depends on them
        channels = groups
    return given | {
        "in_channels": channels,
        "groups": groups,
        "use_direct_scale": "direct_scale.weight" in state,
        "kernel_size": state["offset.weight"].shape[-1],
        "norm": "norm_hr.weight" in state,
    }


def fusion_arguments(foreign: nn.Module) -> dict[str, Any]:
    """Constructor arguments of a FreqFusion."""
    state = foreign.state_dict()
    arguments = _attributes(
        foreign,
        scale_factor=1,
        up_group=1,
        align_corners=False,
        upsample_mode="nearest",
        comp_feat_upsample=True,
        use_low_pass=True,
        hr_residual=True,
        semi_conv=True,
    )
    encoder: Any = foreign.get_submodule("content_encoder")
    arguments |= {
        "hr_channels": state["hr_channel_compressor.weight"].shape[1],
        "lr_channels": state["lr_channel_compressor.weight"].shape[1],
        "compressed_channels": encoder.weight.shape[1],
        "lowpass_kernel": isqrt(len(encoder.weight) // arguments["up_group"]),
        "encoder_kernel": encoder.weight.shape[-1],
        "encoder_dilation": encoder.dilation[0],
        "use_high_pass": "content_encoder2.weight" in state,
        "hamming_window": state["hamming_lowpass"].numel() > 1,
        "feature_resample": "dysampler.offset.weight" in state,
        "padding": "zeros" if takes_a_list(foreign) else "reflect",
    }
    if arguments["use_high_pass"]:
        arguments["highpass_kernel"] = isqrt(len(state["content_encoder2.weight"]) // arguments["up_group"])
    elif arguments["hamming_window"]:
        arguments["highpass_kernel"] = state["hamming_highpass"].shape[-1]
    if arguments["feature_resample"]:
        arguments["feature_resample_group"] = len(state["dysampler.hr_offset.weight"]) // 2
        arguments["feature_resample_norm"] = "dysampler.norm_hr.weight" in state
    return arguments


def _attributes(foreign: nn.Module, **defaults: Any) -> dict[str, Any]:
    """The constructor arguments that cannot be read off tensors, as stored in ``foreign``."""
    return {name: getattr(foreign, name, default) for name, default in defaults.items()}
