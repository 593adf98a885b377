"""The published sizes of VMamba, by their official names: s is ssm_ratio, l the depth of the third stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COMMON: Mapping[str, Any] = {
    "patch_size": 4,
    "in_chans": 3,
    "num_classes": 1000,
    "ssm_d_state": 1,
    "ssm_dt_rank": "auto",
    "ssm_act_layer": "silu",
    "ssm_conv": 3,
    "ssm_conv_bias": False,
    "ssm_drop_rate": 0.0,
    "ssm_init": "v0",
    "forward_type": "v05_noz",
    "mlp_ratio": 4.0,
    "mlp_act_layer": "gelu",
    "mlp_drop_rate": 0.0,
    "gmlp": False,
    "patch_norm": True,
    "downsample_version": "v3",
    "patchembed_version": "v2",
}


def _size(third: int, dims: int, ssm_ratio: float, drop_path_rate: float) -> Mapping[str, Any]:
    depths = [2, 2, third, 2]
    return {**_COMMON, "depths": depths, "dims": dims, "ssm_ratio": ssm_ratio, "drop_path_rate": drop_path_rate}


OFFICIAL: Mapping[str, Mapping[str, Any]] = {
    "vmamba_tiny_s1l8": _size(8, 96, 1.0, 0.2),
    "vmamba_tiny_s2l5": _size(5, 96, 2.0, 0.2),
    "vmamba_small_s1l20": _size(20, 96, 1.0, 0.3),
    "vmamba_small_s2l15": _size(15, 96, 2.0, 0.3),
    "vmamba_base_s1l20": _size(20, 128, 1.0, 0.5),
    "vmamba_base_s2l15": _size(15, 128, 2.0, 0.6),
}
# The sizes that the paper's tables show (T 30M, S 50M, B 89M parameters as classifiers).
MEMBERS: Mapping[str, str] = {"t": "vmamba_tiny_s1l8", "s": "vmamba_small_s2l15", "b": "vmamba_base_s2l15"}
