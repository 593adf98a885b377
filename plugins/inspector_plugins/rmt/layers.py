"""RMT: Retentive Networks Meet Vision Transformers (Fan, Huang, Chen, Liu and He, 2023, arXiv 2309.11523).

Class names, constructor arguments and keys of the state dict are those of the first official code (December 2023: no
rotary positions, no convolution in the feed-forward network), so that its weights load. Maps are (N, H, W, C), but
for :class:`PatchEmbed`, which takes images (N, 3, H, W).

The attention is in :mod:`inspector_plugins.rmt.attention`, the block in :mod:`inspector_plugins.rmt.retblock`.
"""
# ruff: noqa: N802 - the names are the official ones

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inspector_plugins._shared.foreign_weights import child, count, load_foreign, number, size
from inspector_plugins.rmt.attention import DWConv2d, MaSA, MaSAd, RelPos2d, nchw, nhwc
from inspector_plugins.rmt.retblock import DropPath, FeedForwardNetwork, RetBlock, retention_of


class PatchMerging(nn.Module):
    """Convolution 3x3 with stride 2 and batch norm: (N, H, W, dim) -> (N, ceil(H/2), ceil(W/2), out_dim).

    norm_layer is of the official signature, without effect.
    """

    def __init__(self, dim: int, out_dim: int, norm_layer: type[nn.Module] = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Conv2d(dim, out_dim, 3, 2, 1)
        self.norm = nn.BatchNorm2d(out_dim)

    def forward(self, x: Tensor) -> Tensor:
        return nhwc(self.norm(self.reduction(nchw(x))))

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        return load_foreign(cls(size(foreign, "reduction.weight", 1), size(foreign, "reduction.weight", 0)), foreign)


class PatchEmbed(nn.Module):
    """The stem: four convolutions 3x3 with batch norm, GELU between: (N, in_chans, H, W) -> (N, H/4, W/4, embed_dim).

    Both sizes are rounded up. norm_layer is of the official signature, without effect.
    """

    def __init__(self, in_chans: int = 3, embed_dim: int = 96, norm_layer: type[nn.Module] | None = None) -> None:
        super().__init__()
        half = embed_dim // 2
        steps: list[nn.Module] = []
        for inputs, outputs, stride in (
            (in_chans, half, 2),
            (half, half, 1),
            (half, embed_dim, 2),
            (embed_dim,) * 2 + (1,),
        ):
            steps += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.GELU()]
        self.in_chans = in_chans
        self.embed_dim = embed_dim
        self.proj = nn.Sequential(*steps[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return nhwc(self.proj(x))

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        return load_foreign(cls(size(foreign, "proj.0.weight", 1), size(foreign, "proj.9.weight", 0)), foreign)


class BasicLayer(nn.Module):
    """A stage: its masks, its blocks, and what leads to the next stage.

    Args:
        embed_dim, num_heads, ffn_dim, layerscale, layer_init_values: of the blocks.
        out_dim: channels that ``downsample`` gives.
        depth: number of blocks.
        init_value, heads_range: of :class:`RelPos2d`.
        drop_path: probability, one for all blocks or one each.
        norm_layer: given to ``downsample``.
        chunkwise_recurrent: whether the retention is 'chunk', not 'whole'.
        downsample: class of the layer after the blocks, e.g. :class:`PatchMerging`; None: no layer.
        use_checkpoint: compute the blocks again for the gradient, which saves memory.
    """

    def __init__(
        self,
        embed_dim: int,
        out_dim: int,
        depth: int,
        num_heads: int,
        init_value: float,
        heads_range: float,
        ffn_dim: float = 96.0,
        drop_path: float | Sequence[float] = 0.0,
        norm_layer: type[nn.Module] = nn.LayerNorm,
        chunkwise_recurrent: bool = False,
        downsample: type[PatchMerging] | None = None,
        use_checkpoint: bool = False,
        layerscale: bool = False,
        layer_init_values: float = 1e-5,
    ) -> None:
        super().__init__()
        rates = list(drop_path) if isinstance(drop_path, Sequence) else [drop_path] * depth
        if len(rates) != depth:
            raise ValueError(f"drop_path must be one number or one for each of the {depth} blocks, not {len(rates)}")
        self.embed_dim = embed_dim
        self.depth = depth
        self.use_checkpoint = use_checkpoint
        self.chunkwise_recurrent = chunkwise_recurrent
        retention: Literal["chunk", "whole"] = "chunk" if chunkwise_recurrent else "whole"
        self.Relpos = RelPos2d(embed_dim, num_heads, init_value, heads_range)
        self.blocks = nn.ModuleList(
            RetBlock(retention, embed_dim, num_heads, int(ffn_dim), rate, layerscale, layer_init_values)
            for rate in rates
        )
        self.downsample = None if downsample is None else downsample(embed_dim, out_dim, norm_layer)

    def retain(self, x: Tensor) -> Tensor:
        """Apply the blocks: (N, H, W, C) -> (N, H, W, C)."""
        masks = self.Relpos((x.shape[1], x.shape[2]), chunkwise_recurrent=self.chunkwise_recurrent)
        for block in self.blocks:
            if self.use_checkpoint and torch.is_grad_enabled():
                x = checkpoint(block, x, None, self.chunkwise_recurrent, masks, use_reentrant=False)
            else:
                x = block(x, None, self.chunkwise_recurrent, masks)
        return x

    def pass_on(self, x: Tensor) -> Tensor:
        """Downsample the map after the blocks for the next stage."""
        return x if self.downsample is None else self.downsample(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, embed_dim) -> (N, ceil(H/2), ceil(W/2), out_dim), or of the same size without ``downsample``."""
        return self.pass_on(self.retain(x))

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        merged = "downsample.reduction.weight" in foreign.state_dict()
        own = cls(
            size(foreign, "blocks.0.retention.q_proj.weight", 1),
            size(foreign, "downsample.reduction.weight", 0) if merged else 1,
            count(foreign, "blocks"),
            int(number(foreign, "blocks.0.retention.num_heads")),
            number(foreign, "Relpos.initial_value"),
            number(foreign, "Relpos.heads_range"),
            size(foreign, "blocks.0.ffn.fc1.weight", 0),
            chunkwise_recurrent=retention_of(child(foreign, "blocks.0")) == "chunk",
            downsample=PatchMerging if merged else None,
            layerscale="blocks.0.gamma_1" in foreign.state_dict(),
        )
        return load_foreign(own, foreign)


class VisRetNet(nn.Module):
    """The network: four stages of stride 4, 8, 16 and 32, and a classifier of the mean of the last map.

    A list holds one value for each stage.

    Args:
        in_chans: channels of the image.
        num_classes: 0 or less: no classifier, ``forward`` gives the features (N, C).
        embed_dims, depths, num_heads: channels, blocks and heads.
        init_values, heads_ranges: of :class:`RelPos2d`.
        mlp_ratios: channels inside the feed-forward networks by those outside.
        drop_path_rate: probability of leaving out a branch of the last block; it grows from 0 at the first.
        norm_layer, patch_norm: of the official signature, without effect: there are batch norms between the stages.
        use_checkpoints: compute the blocks again for the gradient, which saves memory.
        chunkwise_recurrents: whether the retention is 'chunk', not 'whole'.
        layerscales, layer_init_values: whether branches are scaled by learned factors, and what those start from.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        embed_dims: Sequence[int] = (96, 192, 384, 768),
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        init_values: Sequence[float] = (1, 1, 1, 1),
        heads_ranges: Sequence[float] = (3, 3, 3, 3),
        mlp_ratios: Sequence[float] = (3, 3, 3, 3),
        drop_path_rate: float = 0.1,
        norm_layer: type[nn.Module] = nn.LayerNorm,
        patch_norm: bool = True,
        use_checkpoints: Sequence[bool] = (False, False, False, False),
        chunkwise_recurrents: Sequence[bool] = (True, True, False, False),
        layerscales: Sequence[bool] = (False, False, False, False),
        layer_init_values: float = 1e-6,
    ) -> None:
        super().__init__()
        per_stage = {
            "embed_dims": embed_dims,
            "num_heads": num_heads,
            "init_values": init_values,
            "heads_ranges": heads_ranges,
            "mlp_ratios": mlp_ratios,
            "use_checkpoints": use_checkpoints,
            "chunkwise_recurrents": chunkwise_recurrents,
            "layerscales": layerscales,
        }
        for name, values in per_stage.items():
            if len(values) != len(depths):
                raise ValueError(f"{name} must hold {len(depths)} values, one for each of depths, not {len(values)}")
        if not depths or min(depths) < 1:
            raise ValueError(f"depths must hold at least one block for each stage, not {list(depths)}")
        self.num_classes = num_classes
        self.num_layers = len(depths)
        self.embed_dim = embed_dims[0]
        self.num_features = embed_dims[-1]
        self.patch_embed = PatchEmbed(in_chans, embed_dims[0], norm_layer if patch_norm else None)
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.layers = nn.ModuleList(
            BasicLayer(
                embed_dim=embed_dims[i],
                out_dim=embed_dims[min(i + 1, self.num_layers - 1)],
                depth=depth,
                num_heads=num_heads[i],
                init_value=init_values[i],
                heads_range=heads_ranges[i],
                ffn_dim=int(mlp_ratios[i] * embed_dims[i]),
                drop_path=[next(rates) for _ in range(depth)],
                norm_layer=norm_layer,
                chunkwise_recurrent=chunkwise_recurrents[i],
                downsample=PatchMerging if i < self.num_layers - 1 else None,
                use_checkpoint=use_checkpoints[i],
                layerscale=layerscales[i],
                layer_init_values=layer_init_values,
            )
            for i, depth in enumerate(depths)
        )
        self.norm = nn.BatchNorm2d(self.num_features)
        self.head = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()
        self.apply(_initialise)

    def forward_maps(self, x: Tensor) -> list[Tensor]:
        """The map of each stage after its last block, before it is merged for the next stage.

        (N, in_chans, H, W) -> (N, H/4, W/4, C_0), (N, H/8, W/8, C_1), …, sizes rounded up.
        """
        return stage_maps(self.patch_embed(x), self.layers)

    def forward_features(self, x: Tensor) -> Tensor:
        """The mean of the last map, normalised: (N, in_chans, H, W) -> (N, C)."""
        x = self.patch_embed(x)
        for layer in self.layers:
            x = layer(x)
        features: Tensor = self.norm(nchw(x)).mean((2, 3))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Logits: (N, in_chans, H, W) -> (N, num_classes)."""
        logits: Tensor = self.head(self.forward_features(x))
        return logits

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        if outputs := [name for name in ("channel", "width_list") if hasattr(foreign, name)]:
            raise ValueError(f"{outputs[0]} says that it gives a list of maps; this one gives logits, see RMTBackbone")
        stages = [child(foreign, f"layers.{i}") for i in range(count(foreign, "layers"))]
        dims = [size(stage, "blocks.0.retention.q_proj.weight", 1) for stage in stages]
        inner = [size(stage, "blocks.0.ffn.fc1.weight", 0) for stage in stages]
        own = cls(
            in_chans=size(foreign, "patch_embed.proj.0.weight", 1),
            num_classes=size(foreign, "head.weight", 0) if "head.weight" in foreign.state_dict() else 0,
            embed_dims=dims,
            depths=[count(stage, "blocks") for stage in stages],
            num_heads=[int(number(stage, "blocks.0.retention.num_heads")) for stage in stages],
            init_values=[number(stage, "Relpos.initial_value") for stage in stages],
            heads_ranges=[number(stage, "Relpos.heads_range") for stage in stages],
            mlp_ratios=[(ffn + 0.5) / dim for ffn, dim in zip(inner, dims, strict=True)],  # rounded down to ffn again
            use_checkpoints=[False] * len(stages),
            chunkwise_recurrents=[retention_of(child(stage, "blocks.0")) == "chunk" for stage in stages],
            layerscales=["blocks.0.gamma_1" in stage.state_dict() for stage in stages],
        )
        return load_foreign(own, foreign)


def stage_maps(x: Tensor, layers: Iterable[Any]) -> list[Tensor]:
    """The maps after the last block of each stage; x, (N, H, W, C), is what the first stage gets."""
    maps: list[Tensor] = []
    for layer in layers:
        maps.append(layer.retain(x))
        x = layer.pass_on(maps[-1])
    return maps


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


_COMMON: dict[str, Any] = {
    "init_values": (2, 2, 2, 2),
    "chunkwise_recurrents": (True, True, True, False),
    "mlp_ratios": (4, 4, 3, 3),
}
SIZES: dict[str, dict[str, Any]] = {
    "T": _COMMON
    | {
        "embed_dims": (64, 128, 256, 512),
        "depths": (2, 2, 8, 2),
        "num_heads": (4, 4, 8, 16),
        "heads_ranges": (4, 4, 6, 6),
        "mlp_ratios": (3, 3, 3, 3),
        "drop_path_rate": 0.1,
        "chunkwise_recurrents": (True, True, False, False),
    },
    "S": _COMMON
    | {
        "embed_dims": (64, 128, 256, 512),
        "depths": (3, 4, 18, 4),
        "num_heads": (4, 4, 8, 16),
        "heads_ranges": (4, 4, 6, 6),
        "drop_path_rate": 0.15,
    },
    "B": _COMMON
    | {
        "embed_dims": (80, 160, 320, 512),
        "depths": (4, 8, 25, 8),
        "num_heads": (5, 5, 10, 16),
        "heads_ranges": (5, 5, 6, 6),
        "drop_path_rate": 0.4,
        "layerscales": (False, False, True, True),
    },
    "L": _COMMON
    | {
        "embed_dims": (112, 224, 448, 640),
        "depths": (4, 8, 25, 8),
        "num_heads": (7, 7, 14, 20),
        "heads_ranges": (6, 6, 6, 6),
        "drop_path_rate": 0.5,
        "layerscales": (False, False, True, True),
    },
}
"""Arguments of the published sizes; drop_path_rate as in the paper's training on ImageNet."""


def RMT_T(args: object = None, **options: Any) -> VisRetNet:
    """RMT-T. ``args`` is of the official signature, without effect; ``options`` are arguments of :class:`VisRetNet`."""
    return VisRetNet(**SIZES["T"] | options)


def RMT_S(args: object = None, **options: Any) -> VisRetNet:
    """RMT-S, see :func:`RMT_T`."""
    return VisRetNet(**SIZES["S"] | options)


def RMT_B(args: object = None, **options: Any) -> VisRetNet:
    """RMT-B, see :func:`RMT_T`."""
    return VisRetNet(**SIZES["B"] | options)


def RMT_L(args: object = None, **options: Any) -> VisRetNet:
    """RMT-L, see :func:`RMT_T`."""
    return VisRetNet(**SIZES["L"] | options)


CLASSES = (
    RetBlock,
    MaSA,
    MaSAd,
    RelPos2d,
    FeedForwardNetwork,
    DWConv2d,
    DropPath,
    PatchEmbed,
    PatchMerging,
    BasicLayer,
    VisRetNet,
)
"""Classes that a checkpoint may contain."""

for _cls in CLASSES:
    _cls.__module__ = __name__  # the path by which checkpoints name them, wherever in this package they are defined
