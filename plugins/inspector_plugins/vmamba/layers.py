"""VMamba: Visual State Space Model (Liu et al. 2024, arXiv 2401.10166).

Class names, constructor arguments and keys of the state dict are the official ones, so that official weights load, also
those of older official code and of its ports to YOLO. ``channel_first`` means maps (N, C, H, W), else (N, H, W, C).
The selective scan of Mamba (Gu & Dao 2023, arXiv 2312.00752) is in ``scan.py`` and always runs in 32 bit.
"""
# ruff: noqa: N801 - the official names

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint

from inspector_plugins._shared.foreign_weights import load_foreign
from inspector_plugins._shared.torch_files.content import read_tensors
from inspector_plugins.vmamba.crossing import cross_merge, cross_scan
from inspector_plugins.vmamba.foreign_arguments import is_channel_first, own_name, rename, ss2d_arguments
from inspector_plugins.vmamba.parts import (
    DropPath,
    LayerNorm2d,
    Linear2d,
    Mlp,
    PatchMerging2D,
    Permute,
    SoftmaxSpatial,
    gMlp,
)
from inspector_plugins.vmamba.scan import selective_scan, selective_scan_ref, sizes
from inspector_plugins.vmamba.ss2d import SS2D
from inspector_plugins.vmamba.tables import OFFICIAL

__all__ = [
    "CLASSES",
    "SS2D",
    "VSSM",
    "Backbone_VSSM",
    "VSSBlock",
    "cross_merge",
    "cross_scan",
    "selective_scan",
    "selective_scan_ref",
    "vmamba_base_s1l20",
    "vmamba_base_s2l15",
    "vmamba_small_s1l20",
    "vmamba_small_s2l15",
    "vmamba_tiny_s1l8",
    "vmamba_tiny_s2l5",
]

_ACTIVATIONS = {"silu": nn.SiLU, "gelu": nn.GELU, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
_NORMS = {"ln": nn.LayerNorm, "ln2d": LayerNorm2d, "bn": nn.BatchNorm2d}


class VSSBlock(nn.Module):
    """Visual state space block (figure 3 of the paper): x + SS2D(norm(x)), then x + Mlp(norm2(x)).

    ``mlp_ratio`` 0 leaves the second half out, as in the paper's first version; ``ssm_ratio`` 0 the first.
    Arguments with ``ssm_`` and ``mlp_`` belong to :class:`SS2D` and :class:`Mlp` (``gmlp``: :class:`gMlp`).

    (N, hidden_dim, H, W) -> the same where ``channel_first``, with a ``norm_layer`` for it; else (N, H, W, hidden_dim).
    """

    def __init__(
        self,
        hidden_dim: int = 0,
        drop_path: float = 0,
        norm_layer: type[nn.Module] = nn.LayerNorm,
        channel_first: bool = False,
        ssm_d_state: int = 16,
        ssm_ratio: float = 2.0,
        ssm_dt_rank: Any = "auto",
        ssm_act_layer: type[nn.Module] = nn.SiLU,
        ssm_conv: int = 3,
        ssm_conv_bias: bool = True,
        ssm_drop_rate: float = 0,
        ssm_init: str = "v0",
        forward_type: str = "v2",
        mlp_ratio: float = 4.0,
        mlp_act_layer: type[nn.Module] = nn.GELU,
        mlp_drop_rate: float = 0.0,
        gmlp: bool = False,
        use_checkpoint: bool = False,
        post_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if hidden_dim < 1:
            raise ValueError(f"VSSBlock: expected hidden_dim of at least 1, got {hidden_dim}")
        self.ssm_branch, self.mlp_branch = ssm_ratio > 0, mlp_ratio > 0
        self.use_checkpoint, self.post_norm = use_checkpoint, post_norm
        if self.ssm_branch:
            self.norm = norm_layer(hidden_dim)
            self.op = SS2D(
                d_model=hidden_dim,
                d_state=ssm_d_state,
                ssm_ratio=ssm_ratio,
                dt_rank=ssm_dt_rank,
                act_layer=ssm_act_layer,
                d_conv=ssm_conv,
                conv_bias=ssm_conv_bias,
                dropout=ssm_drop_rate,
                initialize=ssm_init,
                forward_type=forward_type,
                channel_first=channel_first,
            )
        self.drop_path = DropPath(drop_path)
        if self.mlp_branch:
            self.norm2 = norm_layer(hidden_dim)
            mlp = gMlp if gmlp else Mlp
            self.mlp = mlp(
                hidden_dim,
                int(hidden_dim * mlp_ratio),
                None,
                mlp_act_layer,
                mlp_drop_rate,
                channels_first=channel_first,
            )

    def forward(self, x: Tensor) -> Tensor:
        if self.use_checkpoint and self.training:
            return checkpoint(self._forward, x, use_reentrant=False)  # type: ignore[no-any-return]
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        if self.ssm_branch:
            x = x + self.drop_path(self.norm(self.op(x)) if self.post_norm else self.op(self.norm(x)))
        if self.mlp_branch:
            x = x + self.drop_path(self.norm2(self.mlp(x)) if self.post_norm else self.mlp(self.norm2(x)))
        return x

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        rename(state_dict, prefix, self.state_dict())
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        """Build the block; a port to YOLO with the old names (``ln_1``, ``self_attention``) works on (N, C, H, W)."""
        parts: dict[str, Any] = dict(foreign.named_children())
        scan = parts.get("op", parts.get("self_attention"))
        if scan is None:
            raise ValueError(f"VSSBlock does not fit: it has neither op nor self_attention, but {', '.join(parts)}")
        channel_first = "ln_1" in parts or is_channel_first(foreign)
        given = ss2d_arguments(scan, channel_first)
        state = foreign.state_dict()
        ratio = 0.0
        if "mlp.fc1.weight" in state:
            ratio = (state["mlp.fc2.weight"].shape[1] + 0.5) / given["d_model"]
        block = cls(
            hidden_dim=given["d_model"],
            norm_layer=LayerNorm2d if channel_first else nn.LayerNorm,
            channel_first=channel_first,
            ssm_d_state=given["d_state"],
            ssm_ratio=given["ssm_ratio"],
            ssm_dt_rank=given["dt_rank"],
            ssm_act_layer=given["act_layer"],
            ssm_conv=given["d_conv"],
            ssm_conv_bias=given["conv_bias"],
            forward_type=given["forward_type"],
            mlp_ratio=ratio,
            gmlp=ratio > 0 and state["mlp.fc1.weight"].shape[0] != state["mlp.fc2.weight"].shape[1],
            post_norm=bool(getattr(foreign, "post_norm", False)),
        )
        return load_foreign(block, foreign, own_name)


class VSSM(nn.Module):
    """VMamba as a classifier: (N, in_chans, H, W) -> (N, num_classes).

    A patch embedding of stride ``patch_size``, then stages of VSS blocks, with a downsampling between them.

    Args:
        depths, dims: blocks and channels of every stage; one number: of the first, doubled from stage to stage.
        drop_path_rate: of the last block; it rises from 0.
        norm_layer: ``ln`` (the blocks work on (N, H, W, C)), ``ln2d`` or ``bn`` (on (N, C, H, W)).
        downsample_version: v1 patch merging, v2 convolution 2x2, v3 convolution 3x3 of stride 2; none.
        patchembed_version: v1 one convolution, v2 two of stride patch_size / 2.
        posembed, imgsize: a learned position is added, for images of this side.
        Others: see :class:`VSSBlock`.

    Raises:
        ValueError: for an unknown name, naming those known.
    """

    def __init__(
        self,
        patch_size: int = 4,
        in_chans: int = 3,
        num_classes: int = 1000,
        depths: Sequence[int] = (2, 2, 9, 2),
        dims: int | Sequence[int] = (96, 192, 384, 768),
        ssm_d_state: int = 16,
        ssm_ratio: float = 2.0,
        ssm_dt_rank: Any = "auto",
        ssm_act_layer: str = "silu",
        ssm_conv: int = 3,
        ssm_conv_bias: bool = True,
        ssm_drop_rate: float = 0.0,
        ssm_init: str = "v0",
        forward_type: str = "v2",
        mlp_ratio: float = 4.0,
        mlp_act_layer: str = "gelu",
        mlp_drop_rate: float = 0.0,
        gmlp: bool = False,
        drop_path_rate: float = 0.1,
        patch_norm: bool = True,
        norm_layer: str = "LN",
        downsample_version: str = "v2",
        patchembed_version: str = "v1",
        use_checkpoint: bool = False,
        posembed: bool = False,
        imgsize: int = 224,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        norm = _choose("norm_layer", norm_layer.lower(), _NORMS)
        self.channel_first = norm is not nn.LayerNorm
        self.num_classes, self.num_layers = num_classes, len(depths)
        self.dims = [dims * 2**stage for stage in range(len(depths))] if isinstance(dims, int) else list(dims)
        if len(self.dims) != len(depths):
            raise ValueError(f"VSSM: expected as many dims as depths, {len(depths)}, got {len(self.dims)}")
        self.num_features = self.dims[-1]
        self.pos_embed = None
        if posembed:
            side = imgsize // patch_size
            self.pos_embed = nn.Parameter(nn.init.trunc_normal_(torch.zeros(1, self.dims[0], side, side), std=0.02))
        self.patch_embed = self._patch_embed(patchembed_version, in_chans, patch_size, patch_norm, norm)
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.layers = nn.ModuleList()
        for stage, (depth, dim) in enumerate(zip(depths, self.dims, strict=True)):
            blocks = [
                VSSBlock(
                    hidden_dim=dim,
                    drop_path=next(rates),
                    norm_layer=norm,
                    channel_first=self.channel_first,
                    ssm_d_state=ssm_d_state,
                    ssm_ratio=ssm_ratio,
                    ssm_dt_rank=ssm_dt_rank,
                    ssm_act_layer=_choose("ssm_act_layer", ssm_act_layer.lower(), _ACTIVATIONS),
                    ssm_conv=ssm_conv,
                    ssm_conv_bias=ssm_conv_bias,
                    ssm_drop_rate=ssm_drop_rate,
                    ssm_init=ssm_init,
                    forward_type=forward_type,
                    mlp_ratio=mlp_ratio,
                    mlp_act_layer=_choose("mlp_act_layer", mlp_act_layer.lower(), _ACTIVATIONS),
                    mlp_drop_rate=mlp_drop_rate,
                    gmlp=gmlp,
                    use_checkpoint=use_checkpoint,
                )
                for _ in range(depth)
            ]
            following = self.dims[stage + 1 : stage + 2]
            down = self._downsample(downsample_version, dim, following[0], norm) if following else nn.Identity()
            self.layers.append(nn.Sequential(OrderedDict(blocks=nn.Sequential(*blocks), downsample=down)))
        self.classifier: nn.Module = nn.Sequential(
            OrderedDict(
                norm=norm(self.num_features),
                permute=nn.Identity() if self.channel_first else Permute(0, 3, 1, 2),
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(1),
                head=nn.Linear(self.num_features, num_classes),
            )
        )
        self.apply(_initialize)

    def _to_blocks(self) -> nn.Module:
        return nn.Identity() if self.channel_first else Permute(0, 2, 3, 1)

    def _patch_embed(
        self, version: str, in_chans: int, patch: int, with_norm: bool, norm: type[nn.Module]
    ) -> nn.Sequential:
        dim = self.dims[0]
        behind = norm(dim) if with_norm else nn.Identity()
        if _choose("patchembed_version", version, {"v1": 1, "v2": 2}) == 1:
            return nn.Sequential(nn.Conv2d(in_chans, dim, patch, patch), self._to_blocks(), behind)
        stride = patch // 2
        around = not self.channel_first and with_norm
        return nn.Sequential(
            nn.Conv2d(in_chans, dim // 2, stride + 1, stride, 1),
            Permute(0, 2, 3, 1) if around else nn.Identity(),
            norm(dim // 2) if with_norm else nn.Identity(),
            Permute(0, 3, 1, 2) if around else nn.Identity(),
            nn.GELU(),
            nn.Conv2d(dim // 2, dim, stride + 1, stride, 1),
            self._to_blocks(),
            behind,
        )

    def _downsample(self, version: str, dim: int, following: int, norm: type[nn.Module]) -> nn.Module:
        side = _choose("downsample_version", version, {"v1": 0, "v2": 2, "v3": 3, "none": -1})
        if side < 0:
            return nn.Identity()
        if side == 0:
            return PatchMerging2D(dim, following, norm, self.channel_first)
        return nn.Sequential(
            nn.Identity() if self.channel_first else Permute(0, 3, 1, 2),
            nn.Conv2d(dim, following, side, 2, side // 3),
            self._to_blocks(),
            norm(following),
        )

    def _embed(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        if self.pos_embed is None:
            return x
        size = sizes(x)[2:] if self.channel_first else sizes(x)[1:3]
        position: Tensor = self.pos_embed
        if tuple(position.shape[2:]) != size:
            shape = x.shape[2:] if self.channel_first else x.shape[1:3]
            position = interpolate(position, tuple(shape), mode="bicubic", align_corners=False)
        return x + (position if self.channel_first else position.permute(0, 2, 3, 1))

    def forward(self, x: Tensor) -> Any:
        x = self._embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.classifier(x)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        old = {"patch_embed.proj.": "patch_embed.0.", "patch_embed.norm.": "patch_embed.2."}
        old |= {"norm.": "classifier.norm.", "head.": "classifier.head."}
        for key in [key for key in state_dict if key.startswith(prefix)]:
            for name, new in old.items():
                if key.startswith(prefix + name):
                    state_dict[prefix + new + key.removeprefix(prefix + name)] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Backbone_VSSM(VSSM):
    """VMamba as a backbone: (N, in_chans, H, W) -> list of normalised maps (N, dims[i], h, w), i in ``out_indices``.

    Map i has stride patch_size * 2^i. Without ``out_indices`` the last stage's map is returned as the blocks have it.

    Args:
        pretrained: an official checkpoint of the same size, to begin with.
        Others: see :class:`VSSM`.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        pretrained: Any = None,
        norm_layer: str = "ln",
        **kwargs: Any,
    ) -> None:
        super().__init__(norm_layer=norm_layer, **kwargs)
        self.out_indices = tuple(out_indices)
        for index in self.out_indices:
            if not 0 <= index < self.num_layers:
                raise ValueError(f"out_indices: expected numbers from 0 to {self.num_layers - 1}, got {index}")
            self.add_module(f"outnorm{index}", _NORMS[norm_layer.lower()](self.dims[index]))
        del self.classifier
        if pretrained is not None:
            found = self.load_state_dict(read_tensors(Path(pretrained), "model"), strict=False)
            if missing := [key for key in found.missing_keys if not key.startswith("outnorm")]:
                raise ValueError(
                    f"{pretrained}: {', '.join(missing[:4])} and others are missing, {len(missing)} in all"
                )

    def forward(self, x: Tensor) -> Any:
        x = self._embed(x)
        maps = []
        for index, layer in enumerate(self.layers):
            blocks, downsample = layer.children()
            x = blocks(x)
            if index in self.out_indices:
                normalised = self.get_submodule(f"outnorm{index}")(x)
                maps.append((normalised if self.channel_first else normalised.permute(0, 3, 1, 2)).contiguous())
            x = downsample(x)
        return maps if maps else x


def _choose(argument: str, name: str, known: dict[str, Any]) -> Any:
    if name not in known:
        raise ValueError(f"{argument}: expected one of {', '.join(known)}, got {name!r}")
    return known[name]


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def _official(name: str, channel_first: bool) -> VSSM:
    return VSSM(**OFFICIAL[name], norm_layer="ln2d" if channel_first else "ln")


def vmamba_tiny_s1l8(channel_first: bool = True) -> VSSM:
    return _official("vmamba_tiny_s1l8", channel_first)


def vmamba_tiny_s2l5(channel_first: bool = True) -> VSSM:
    return _official("vmamba_tiny_s2l5", channel_first)


def vmamba_small_s2l15(channel_first: bool = True) -> VSSM:
    return _official("vmamba_small_s2l15", channel_first)


def vmamba_small_s1l20(channel_first: bool = True) -> VSSM:
    return _official("vmamba_small_s1l20", channel_first)


def vmamba_base_s2l15(channel_first: bool = True) -> VSSM:
    return _official("vmamba_base_s2l15", channel_first)


def vmamba_base_s1l20(channel_first: bool = True) -> VSSM:
    return _official("vmamba_base_s1l20", channel_first)


CLASSES: tuple[type[nn.Module], ...] = (
    VSSBlock,
    SS2D,
    VSSM,
    Backbone_VSSM,
    LayerNorm2d,
    Linear2d,
    Mlp,
    gMlp,
    DropPath,
    PatchMerging2D,
    Permute,
    SoftmaxSpatial,
)

SS2D.__module__ = __name__  # the path by which checkpoints name it
