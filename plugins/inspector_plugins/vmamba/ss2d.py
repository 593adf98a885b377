"""The 2D selective scan of VMamba (Liu et al. 2024, arXiv 2401.10166)."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from inspector_plugins._shared.foreign_weights import load_foreign
from inspector_plugins.vmamba import traced
from inspector_plugins.vmamba.crossing import cross_merge, cross_scan
from inspector_plugins.vmamba.foreign_arguments import is_channel_first, rename, ss2d_arguments
from inspector_plugins.vmamba.parts import LayerNorm2d, Linear2d, Permute, SoftmaxSpatial
from inspector_plugins.vmamba.scan import selective_scan, sizes, tracing

_DIRECTIONS = 4
# Of a forward type without its suffixes: the directions (see ``cross_scan``). What else the official code distinguishes
# by it is which of its kernels computes, in how many bits.
_SCANS = {"v2": 0, "v3": 0, "v01": 0, "v02": 0, "v03": 0, "v04": 0, "v05": 0, "v051d": 1, "v052d": 2}
_OUT_NORMS = ("_onnone", "_ondwconv3", "_oncnorm", "_onsoftmax", "_onsigmoid")


class SS2D(nn.Module):
    """2D selective scan (section 4.2 and figure 3 of the paper): four scans through the map, each with its own weights.

    With x, z = in_proj(input), four sequences x_k = cross_scan(silu(dwconv(x))) and, at every position of each,
    (Delta, B, C) = x_proj_k x_k::

        y_k = selective_scan(x_k, dt_proj_k Delta, A_k = -exp(A_logs_k), B, C, D_k), Delta through softplus
        out = out_proj(out_norm(cross_merge(y_k)) * silu(z))

    (N, d_model, H, W) -> the same where ``channel_first``, otherwise (N, H, W, d_model) -> the same.

    Args:
        d_model: channels.
        d_state: N, the numbers in the state of a channel.
        ssm_ratio: channels inside, as a multiple of d_model.
        dt_rank: inner dimension of Delta's projection; ``auto``: ceil(d_model / 16).
        act_layer: activation of x and z.
        d_conv: side of the depth-wise convolution; below 2 there is none.
        conv_bias, bias: of the convolution, and of in_proj and out_proj.
        dropout: of the result.
        dt_min, dt_max, dt_init, dt_scale, dt_init_floor: how Delta begins, as in Mamba.
        initialize: v0 as Mamba; v1, v2 simpler.
        forward_type: v0, v2, v3, v01 to v05, v051d, v052d, and behind it, in this order, one of ``_onnone``,
            ``_ondwconv3``, ``_oncnorm``, ``_onsoftmax``, ``_onsigmoid`` (instead of layer normalisation of the merged
            scans), ``_nozact`` (z is not activated), ``_noz`` (no z), ``_oact`` (GELU before z) and ``_no32`` (changes
            nothing here). v0 takes none of them, nor ``channel_first``.
        channel_first: see above.
        kwargs: ignored, as in the official code.

    Raises:
        ValueError: for an unknown forward_type, initialize or dt_init, or dimensions below 1.
    """

    def __init__(
        self,
        d_model: int = 96,
        d_state: int = 16,
        ssm_ratio: float = 2.0,
        dt_rank: int | Literal["auto"] = "auto",
        act_layer: type[nn.Module] = nn.SiLU,
        d_conv: int = 3,
        conv_bias: bool = True,
        dropout: float = 0.0,
        bias: bool = False,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init: str = "random",
        dt_scale: float = 1.0,
        dt_init_floor: float = 1e-4,
        initialize: str = "v0",
        forward_type: str = "v2",
        channel_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        inner = int(ssm_ratio * d_model)
        rank = math.ceil(d_model / 16) if dt_rank == "auto" else int(dt_rank)
        for name, value in (
            ("d_model", d_model),
            ("d_state", d_state),
            ("ssm_ratio * d_model", inner),
            ("dt_rank", rank),
        ):
            if value < 1:
                raise ValueError(f"SS2D: expected {name} of at least 1, got {value}")
        scans, suffixes = _parse(forward_type)
        if forward_type in ("v0", "v0seq"):
            initialize = "v0"
            if channel_first:
                raise ValueError(
                    f"SS2D: forward_type {forward_type!r} works on (N, H, W, C) only; v2 computes the same"
                )
        self.d_model, self.d_inner, self.d_state, self.dt_rank = d_model, inner, d_state, rank
        self.channel_first, self.scans = channel_first, scans
        self.with_dconv = d_conv > 1
        self.disable_z, self.disable_z_act = "_noz" in suffixes, "_nozact" in suffixes

        linear = Linear2d if channel_first else nn.Linear
        self.in_proj = linear(d_model, inner if self.disable_z else 2 * inner, bias=bias)
        self.act = act_layer()
        if self.with_dconv:
            self.conv2d = nn.Conv2d(inner, inner, d_conv, padding=(d_conv - 1) // 2, groups=inner, bias=conv_bias)
        self.out_norm = _out_norm(suffixes, inner, channel_first)
        self.out_act = nn.GELU() if "_oact" in suffixes else nn.Identity()
        self.out_proj = linear(inner, d_model, bias=bias)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

        k = _DIRECTIONS
        self.x_proj_weight = nn.Parameter(torch.empty(k, rank + 2 * d_state, inner).uniform_(-1, 1) * inner**-0.5)
        self.dt_projs_weight = nn.Parameter(torch.empty(k, inner, rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(k, inner))
        self.A_logs = nn.Parameter(torch.empty(k * inner, d_state))
        self.Ds = nn.Parameter(torch.ones(k * inner))
        with torch.no_grad():
            self._initialize(initialize, dt_min, dt_max, dt_init, dt_scale, dt_init_floor)

    def _initialize(self, kind: str, low: float, high: float, dt_init: str, scale: float, floor: float) -> None:
        if kind == "v0":
            spread = self.dt_rank**-0.5 * scale
            if dt_init == "constant":
                self.dt_projs_weight.fill_(spread)
            elif dt_init == "random":
                self.dt_projs_weight.uniform_(-spread, spread)
            else:
                raise ValueError(f"SS2D: expected dt_init 'random' or 'constant', got {dt_init!r}")
            step = torch.rand_like(self.dt_projs_bias) * (math.log(high) - math.log(low)) + math.log(low)
            step = step.exp().clamp(min=floor)
            self.dt_projs_bias.copy_(step + torch.log(-torch.expm1(-step)))  # the inverse of softplus
            self.A_logs.copy_(torch.arange(1, self.d_state + 1).log().expand_as(self.A_logs))
        elif kind == "v1":
            self.dt_projs_weight.normal_(0, 0.1)
            self.dt_projs_bias.normal_(0, 0.1)
            self.A_logs.normal_()
        elif kind == "v2":
            self.dt_projs_weight.uniform_(0, 0.1)
            self.dt_projs_bias.uniform_(0, 0.1)
            self.A_logs.zero_()
        else:
            raise ValueError(f"SS2D: expected initialize 'v0', 'v1' or 'v2', got {kind!r}")

    def forward(self, x: Tensor) -> Tensor:
        axis = 1 if self.channel_first else 3
        if x.dim() != 4 or sizes(x)[axis] != self.d_model:
            raise ValueError(f"SS2D: expected 4 dimensions, {self.d_model} channels at {axis}, got {sizes(x)}")
        x = self.in_proj(x)
        z = None
        if not self.disable_z:
            x, z = x.chunk(2, dim=axis)
            if not self.disable_z_act:
                z = self.act(z)
        if not self.channel_first:
            x = x.permute(0, 3, 1, 2)
        if self.with_dconv:
            x = self.conv2d(x)
        y = self.out_act(self._scan(self.act(x)))
        if z is not None:
            y = y * z
        return self.dropout(self.out_proj(y))  # type: ignore[no-any-return]

    def _scan(self, x: Tensor) -> Tensor:
        """(N, d_inner, H, W) -> the merged and normalised scans, channels where the module has them."""
        y = self._traced(x) if tracing() else self._merged(x)
        y = y.permute(0, 3, 1, 2) if self.channel_first else y
        # Normalised before it gets 16 bit again: sums over a whole map may be too large for them.
        weight = next(self.out_norm.parameters(), None)
        return self.out_norm(y if weight is None else y.to(weight.dtype)).to(x.dtype)  # type: ignore[no-any-return]

    def _merged(self, x: Tensor) -> Tensor:
        """(N, d_inner, H, W) -> the sum of the scans, (N, H, W, d_inner)."""
        inner, height, width = x.shape[1:]
        wide = torch.promote_types(x.dtype, torch.float32)
        sequences = cross_scan(x, scans=self.scans)
        projected = torch.matmul(self.x_proj_weight, sequences)
        step, into, out_of = torch.split(projected, [self.dt_rank, self.d_state, self.d_state], 2)
        y = selective_scan(
            sequences.flatten(1, 2).to(wide),
            torch.matmul(self.dt_projs_weight, step).flatten(1, 2),
            -torch.exp(self.A_logs.to(wide)),
            into,
            out_of,
            self.Ds,
            delta_bias=self.dt_projs_bias.flatten(),
            delta_softplus=True,
        )
        y = cross_merge(y.reshape(-1, _DIRECTIONS, inner, height, width), scans=self.scans)
        return y.reshape(-1, inner, height, width).permute(0, 2, 3, 1)

    def _traced(self, x: Tensor) -> Tensor:
        """As :meth:`_merged`, recorded for any H and W.

        Channels stay last, and nothing is turned round: directions 2 and 3 are the sequences of 0 and 1 backwards.
        """
        inner, states = self.d_inner, self.d_state
        wide = torch.promote_types(x.dtype, torch.float32)
        rows = x.permute(0, 2, 3, 1)
        columns = rows.transpose(1, 2) if self.scans == 0 else rows
        sequences = traced.fold(torch.stack([rows.flatten(1, 2), columns.flatten(1, 2)], 1))
        weight = self.x_proj_weight.reshape(2, 2, -1, inner).permute(1, 3, 0, 2).flatten(2)
        projected = torch.split(torch.matmul(sequences, weight), [self.dt_rank, states, states] * 2, -1)
        sequences = sequences.to(wide)
        weights = self.dt_projs_weight.reshape(2, 2, inner, -1).transpose(2, 3)
        biases = self.dt_projs_bias.to(wide).reshape(2, 2, 1, inner)
        rates = -torch.exp(self.A_logs.to(wide)).reshape(2, 2, 1, inner, states)
        exponents, inputs = [], []
        for way in (0, 1):
            step = softplus(torch.matmul(projected[3 * way], weights[way]).to(wide) + biases[way])
            into = torch.split(projected[3 * way + 1].to(wide), [1] * states, -1)
            weighted = step * sequences
            exponents.append(torch.cat([step * rate for rate in rates[way].unbind(-1)], -1))
            inputs.append(torch.cat([weighted * value for value in into], -1))
        y = sequences * self.Ds.to(wide).reshape(2, 2, 1, inner).sum(0)
        for way, found in enumerate(traced.scan(exponents, inputs, (False, self.scans != 1))):
            out_of = torch.split(projected[3 * way + 2].to(wide), [1] * states, -1)
            for state, value in zip(torch.split(found, [inner] * states, -1), out_of, strict=True):
                y = y + state * value
        along, across = traced.unfold(y, x.shape[2] * x.shape[3]).unbind(1)
        across = across.reshape(columns.shape)
        return along.reshape(rows.shape) + (across.transpose(1, 2) if self.scans == 0 else across)

    def flops(self, x: Tensor) -> int:
        """Operations of the four scans, by the official count: 9 a state, and 1 for D u; without the projections."""
        height, width = x.shape[2:] if self.channel_first else x.shape[1:3]
        positions = x.shape[0] * height * width * _DIRECTIONS * self.d_inner
        return 9 * positions * self.d_state + positions

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        rename(state_dict, prefix, self.state_dict())
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        return load_foreign(cls(**ss2d_arguments(foreign, is_channel_first(foreign))), foreign)


def _parse(forward_type: str) -> tuple[int, set[str]]:
    """``scans`` and the suffixes of a forward type."""
    if forward_type in ("v0", "v0seq"):
        return 0, set()
    rest, found = forward_type, set()
    for choices in (("_no32",), ("_oact",), ("_noz",), ("_nozact",), _OUT_NORMS):
        for suffix in choices:
            if rest.endswith(suffix):
                rest = rest.removesuffix(suffix)
                found.add(suffix)
                break
    if rest not in _SCANS:
        raise ValueError(
            f"SS2D: unknown forward_type {forward_type!r}; expected v0 or one of {', '.join(_SCANS)}, and behind it "
            f"any of {'|'.join(_OUT_NORMS)}, _nozact, _noz, _oact, _no32 in this order"
        )
    return _SCANS[rest], found


def _out_norm(suffixes: set[str], channels: int, channel_first: bool) -> nn.Module:
    norm = LayerNorm2d if channel_first else nn.LayerNorm
    if "_onnone" in suffixes:
        return nn.Identity()
    if "_onsoftmax" in suffixes:
        return SoftmaxSpatial(dim=-1 if channel_first else 1)
    if "_onsigmoid" in suffixes:
        return nn.Sigmoid()
    if suffixes & {"_ondwconv3", "_oncnorm"}:
        return nn.Sequential(
            *([norm(channels)] if "_oncnorm" in suffixes else []),
            nn.Identity() if channel_first else Permute(0, 3, 1, 2),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Identity() if channel_first else Permute(0, 2, 3, 1),
        )
    return norm(channels)
