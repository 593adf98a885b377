"""The block of RMT (Fan et al., 2023, arXiv 2309.11523, figure 3): position, attention, feed-forward network."""
# ruff: noqa: N812 - the names are the official ones

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared import torch_layers
from inspector_plugins._shared.foreign_weights import child, load_foreign, number, size
from inspector_plugins.rmt.attention import DWConv2d, MaSA, MaSAd, RelPos


class DropPath(torch_layers.DropPath):
    """The shared stochastic depth under the name that checkpoints give it."""


class FeedForwardNetwork(nn.Module):
    """fc2(activation(fc1(x))) on the last axis, which holds embed_dim channels.

    Args:
        embed_dim, ffn_dim: channels outside and inside.
        activation_fn: a function of torch.nn.functional; its name is kept, as a checkpoint holds no functions.
        dropout, activation_dropout: probabilities of dropping values of the result and of the activations.
        layernorm_eps: of the normalisation before fc2.
        subln: whether there is that normalisation.
    """

    MUST_MATCH: ClassVar = ("activation_fn",)

    def __init__(
        self,
        embed_dim: int,
        ffn_dim: int,
        activation_fn: Callable[..., Tensor] = F.gelu,
        dropout: float = 0.0,
        activation_dropout: float = 0.0,
        layernorm_eps: float = 1e-6,
        subln: bool = False,
    ) -> None:
        super().__init__()
        self.activation = getattr(activation_fn, "__name__", "")
        if getattr(F, self.activation, None) is not activation_fn:
            raise ValueError(f"activation_fn must be a function of torch.nn.functional, not {activation_fn!r}")
        self.embed_dim = embed_dim
        self.activation_dropout_module = nn.Dropout(activation_dropout)
        self.dropout_module = nn.Dropout(dropout)
        self.fc1 = nn.Linear(embed_dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, embed_dim)
        self.ffn_layernorm = nn.LayerNorm(ffn_dim, eps=layernorm_eps) if subln else None

    @property
    def activation_fn(self) -> Callable[..., Tensor]:
        function: Callable[..., Tensor] = getattr(F, self.activation)
        return function

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation_dropout_module(self.activation_fn(self.fc1(x)))
        if self.ffn_layernorm is not None:
            x = self.ffn_layernorm(x)
        out: Tensor = self.dropout_module(self.fc2(x))
        return out

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        dim, inner = size(foreign, "fc1.weight", 1), size(foreign, "fc1.weight", 0)
        return load_foreign(cls(dim, inner, subln="ffn_layernorm.weight" in foreign.state_dict()), foreign)


class RetBlock(nn.Module):
    """A block of RMT (figure 3 of the paper)::

        x = x + DW3x3(x)
        x = x + gamma_1 MaSA(LN(x))     MaSAd with retention 'chunk'
        x = x + gamma_2 FFN(LN(x))

    Args:
        retention: 'chunk' (rows, then columns) or 'whole' (all pixels with all).
        embed_dim, num_heads: of the attention.
        ffn_dim: channels inside the feed-forward network.
        drop_path: probability of leaving out a branch while training.
        layerscale: whether there are gamma_1 and gamma_2; otherwise they are 1.
        layer_init_values: what they start from.
    """

    def __init__(
        self,
        retention: Literal["chunk", "whole"],
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        drop_path: float = 0.0,
        layerscale: bool = False,
        layer_init_values: float = 1e-5,
    ) -> None:
        super().__init__()
        if retention not in _RETENTIONS:
            raise ValueError(f"retention must be 'chunk' or 'whole', not {retention!r}")
        self.layerscale = layerscale
        self.embed_dim = embed_dim
        self.retention_layer_norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.retention = _RETENTIONS[retention](embed_dim, num_heads)
        self.drop_path = DropPath(drop_path)
        self.final_layer_norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.ffn = FeedForwardNetwork(embed_dim, ffn_dim)
        self.pos = DWConv2d(embed_dim, 3, 1, 1)
        if layerscale:
            self.gamma_1 = nn.Parameter(layer_init_values * torch.ones(1, 1, 1, embed_dim))
            self.gamma_2 = nn.Parameter(layer_init_values * torch.ones(1, 1, 1, embed_dim))

    def forward(
        self,
        x: Tensor,
        incremental_state: object = None,
        chunkwise_recurrent: bool = False,
        retention_rel_pos: RelPos | None = None,
    ) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C).

        Args:
            incremental_state, chunkwise_recurrent: of the official signature, without effect.
            retention_rel_pos: of :class:`RelPos2d` for (H, W), with chunkwise_recurrent as the retention is 'chunk'.

        Raises:
            ValueError: without the masks, or with others than the retention needs.
        """
        if retention_rel_pos is None:
            raise ValueError("RetBlock needs retention_rel_pos, the masks that RelPos2d makes for the map's size")
        x = x + self.pos(x)
        retained = self.retention(
            self.retention_layer_norm(x), retention_rel_pos, chunkwise_recurrent, incremental_state
        )
        x = x + self.drop_path(self.gamma_1 * retained if self.layerscale else retained)
        fed = self.ffn(self.final_layer_norm(x))
        out: Tensor = x + self.drop_path(self.gamma_2 * fed if self.layerscale else fed)
        return out

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        own = cls(
            retention_of(foreign),
            size(foreign, "retention.q_proj.weight", 1),
            int(number(foreign, "retention.num_heads")),
            size(foreign, "ffn.fc1.weight", 0),
            layerscale="gamma_1" in foreign.state_dict(),
        )
        return load_foreign(own, foreign)


_RETENTIONS: dict[str, type[MaSA | MaSAd]] = {"chunk": MaSAd, "whole": MaSA}


def retention_of(block: nn.Module) -> Literal["chunk", "whole"]:
    """The retention of a RetBlock, built-in or foreign; ValueError if it is neither."""
    name = type(child(block, "retention")).__name__
    if name not in ("MaSA", "MaSAd"):
        raise ValueError(f"retention is {name}, not MaSA or MaSAd")
    return "chunk" if name == "MaSAd" else "whole"
