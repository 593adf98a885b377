"""Read the constructor arguments of UniRepLKNet modules of other code off their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def shape(state: Mapping[str, Tensor], key: str, rank: int) -> tuple[int, ...]:
    """The shape of one entry; ValueError if it is missing or has another rank."""
    if key not in state:
        raise ValueError(f"the weights do not fit: {key} is missing")
    if state[key].ndim != rank:
        raise ValueError(f"the weights do not fit: {key} should have {rank} dimensions, got {state[key].ndim}")
    return tuple(state[key].shape)


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose keys begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def drop_path(foreign: nn.Module, name: str) -> float:
    """Drop probability of the stochastic depth at ``name``; 0 if there is none."""
    try:
        return float(getattr(foreign.get_submodule(name), "drop_prob", 0) or 0)
    except AttributeError:
        return 0.0


def block_arguments(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The constructor arguments of the UniRepLKNetBlock with this state dict."""
    hidden, dim = shape(state, "pwconv1.1.weight", 2)
    if "dwconv.lk_origin.weight" in state:
        kernel_size = shape(state, "dwconv.lk_origin.weight", 4)[-1]
    else:
        kernel_size = shape(state, "dwconv.weight", 4)[-1] if "dwconv.weight" in state else 0
    return {
        "dim": dim,
        "kernel_size": kernel_size,
        "layer_scale_init_value": 1.0 if "gamma" in state else None,
        "deploy": "pwconv2.0.bias" in state,
        "ffn_factor": hidden / dim if int(hidden / dim * dim) == hidden else (hidden + 0.5) / dim,
    }


def network_arguments(foreign: nn.Module) -> dict[str, Any]:
    """The constructor arguments of the UniRepLKNet with these weights."""
    state = foreign.state_dict()
    stages = []
    for number in range(4):
        blocks = below(state, f"stages.{number}.")
        count = len({key.partition(".")[0] for key in blocks})
        stages.append([block_arguments(below(blocks, f"{index}.")) for index in range(count)])
        if not stages[-1]:
            raise ValueError(f"the weights do not fit: stages.{number}.* is missing")
    convs = ["downsample_layers.0.3.weight", *(f"downsample_layers.{number}.0.weight" for number in (1, 2, 3))]
    return {
        "in_chans": shape(state, "downsample_layers.0.0.weight", 4)[1],
        "num_classes": shape(state, "head.weight", 2)[0] if "head.weight" in state else None,
        "depths": [len(stage) for stage in stages],
        "dims": [shape(state, conv, 4)[0] for conv in convs],
        "drop_path_rate": drop_path(foreign, f"stages.3.{len(stages[3]) - 1}.drop_path"),
        "layer_scale_init_value": stages[0][0]["layer_scale_init_value"],
        "kernel_sizes": [[block["kernel_size"] for block in stage] for stage in stages],
        "deploy": stages[0][0]["deploy"],
    }
