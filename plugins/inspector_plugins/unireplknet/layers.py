"""UniRepLKNet: a few large depth-wise kernels, trained with dilated branches that merge into them.

Ding, Zhang, Ge, Zhao, Song, Yue and Shan 2023, "UniRepLKNet: A Universal Perception Large-Kernel ConvNet for Audio,
Video, Point Cloud, Time-Series and Image Recognition", arXiv 2311.15599. Class names, constructor arguments and
state dict keys are those of the official code, so that its weights load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

from inspector_plugins._shared.foreign_weights import load_foreign
from inspector_plugins.unireplknet import foreign_arguments, merging
from inspector_plugins.unireplknet.parts import DropPath, LayerNorm, NCHWtoNHWC, NHWCtoNCHW
from inspector_plugins.unireplknet.recomputing import recompute
from inspector_plugins.unireplknet.tables import BRANCHES, MEMBERS, stage_kernels

_DOWNLOADS = ("pretrained", "in_1k_pretrained", "in_22k_pretrained", "in_22k_to_1k", "weights")


class GRNwithNHWC(nn.Module):
    """Global response normalisation, ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808, section 3), with channels last.

    G(x)_c = ||x_c||_2 over the map, N(x)_c = G(x)_c / (mean over channels of G(x) + 1e-6), and
    y = (gamma * N(x) + 1) * x + beta. (N, H, W, dim) -> the same; without ``use_bias`` there is no beta.
    """

    def __init__(self, dim: int, use_bias: bool = True) -> None:
        super().__init__()
        self.use_bias = use_bias
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, dim))
        if use_bias:
            self.beta = nn.Parameter(torch.zeros(1, 1, 1, dim))

    def forward(self, x: Tensor) -> Tensor:
        strength: Tensor = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
        response = strength / (strength.mean(dim=-1, keepdim=True) + 1e-6)
        y = (self.gamma * response + 1) * x
        return y + self.beta if self.use_bias else y

    def drop_bias(self) -> None:
        """Remove beta, if another layer has taken over its effect."""
        if self.use_bias:
            self.use_bias = False
            del self.beta

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> GRNwithNHWC:
        """Build the layer from the weights of a module of the same name; ValueError if they do not fit."""
        state = foreign.state_dict()
        return load_foreign(cls(foreign_arguments.shape(state, "gamma", 4)[-1], "beta" in state), foreign)


class SEBlock(nn.Module):
    """Squeeze and excitation (Hu et al. 2017, arXiv 1709.01507, eq. 2 to 4): y = x * sigmoid(W2 relu(W1 mean(x))).

    (N, input_channels, H, W) -> the same; ``internal_neurons`` is the width between the two 1x1 convolutions.
    """

    def __init__(self, input_channels: int, internal_neurons: int) -> None:
        super().__init__()
        if input_channels < 1 or internal_neurons < 1:
            expected = "squeeze and excitation needs at least one channel and one inner neuron"
            raise ValueError(f"{expected}, got {input_channels} and {internal_neurons}")
        self.down = nn.Conv2d(input_channels, internal_neurons, 1)
        self.up = nn.Conv2d(internal_neurons, input_channels, 1)
        self.nonlinear = nn.ReLU(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        mean = inputs.mean(dim=(2, 3), keepdim=True)
        return inputs * torch.sigmoid(self.up(self.nonlinear(self.down(mean))))

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> SEBlock:
        """Build the layer from the weights of a module of the same name; ValueError if they do not fit."""
        inner, channels, *_ = foreign_arguments.shape(foreign.state_dict(), "down.weight", 4)
        return load_foreign(cls(channels, inner), foreign)


def _norm(channels: int, use_sync_bn: bool) -> merging.BatchNorm:
    return nn.SyncBatchNorm(channels) if use_sync_bn else nn.BatchNorm2d(channels)


def _depthwise(channels: int, kernel_size: int, dilation: int = 1, bias: bool = False) -> nn.Conv2d:
    """A depth-wise convolution that keeps the size of the map."""
    padding = dilation * (kernel_size // 2)
    return nn.Conv2d(channels, channels, kernel_size, 1, padding, dilation, groups=channels, bias=bias)


class DilatedReparamBlock(nn.Module):
    """A large depth-wise kernel with parallel small dilated ones (arXiv 2311.15599, section 3.1, "Dilated Reparam").

    y = BN(W * x) + sum over (k, r) of BN_kr(W_kr *_r x), where *_r is a depth-wise convolution with dilation r; the
    (k, r) of each size are in :data:`tables.BRANCHES` (the official code's; the paper's table has a misprint).
    (N, channels, H, W) -> the same.

    Args:
        channels: of input and output.
        kernel_size: 5, 7, 9, 11, 13, 15 or 17.
        deploy: the merged form, one convolution with a bias.
        use_sync_bn: normalise over the batches of all processes.
        attempt_use_lk_impl: accepted for the official signature, without effect: PyTorch's own convolution is used.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        deploy: bool = False,
        use_sync_bn: bool = False,
        attempt_use_lk_impl: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size not in BRANCHES:
            sizes = ", ".join(map(str, BRANCHES))
            raise ValueError(f"a dilated reparam block needs a kernel size of {sizes}, got {kernel_size}")
        if channels < 1:
            raise ValueError(f"a dilated reparam block needs at least one channel, got {channels}")
        self.branches = BRANCHES[kernel_size]
        self.lk_origin = _depthwise(channels, kernel_size, bias=deploy)
        if not deploy:
            self.origin_bn = _norm(channels, use_sync_bn)
            for size, dilation in self.branches:
                self.add_module(f"dil_conv_k{size}_{dilation}", _depthwise(channels, size, dilation))
                self.add_module(f"dil_bn_k{size}_{dilation}", _norm(channels, use_sync_bn))

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous()  # with channels last in memory a large depth-wise kernel takes a CPU three times as long
        if not hasattr(self, "origin_bn"):
            return self.lk_origin(x)  # type: ignore[no-any-return]
        y = self.origin_bn(self.lk_origin(x))
        for size, dilation in self.branches:
            conv, norm = getattr(self, f"dil_conv_k{size}_{dilation}"), getattr(self, f"dil_bn_k{size}_{dilation}")
            y = y + norm(conv(x))
        return y  # type: ignore[no-any-return]

    @torch.no_grad()
    def reparameterize(self) -> None:
        """Merge all branches, in place, into one convolution with a bias that computes the same as eval mode."""
        if not hasattr(self, "origin_bn"):
            return
        weight, bias = merging.scaled(self.lk_origin, self.origin_bn)
        for size, dilation in self.branches:
            names = f"dil_conv_k{size}_{dilation}", f"dil_bn_k{size}_{dilation}"
            kernel, shift = merging.scaled(*(getattr(self, name) for name in names))
            weight = weight + merging.dense(kernel, dilation, weight.shape[-1])
            bias = bias + shift
            for name in names:
                delattr(self, name)
        self.lk_origin = merging.with_bias(self.lk_origin, weight, bias)
        del self.origin_bn

    merge_dilated_branches = reparameterize

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> DilatedReparamBlock:
        """Build the block from the weights of a module of the same name; ValueError if they do not fit."""
        state = foreign.state_dict()
        channels, _, _, kernel_size = foreign_arguments.shape(state, "lk_origin.weight", 4)
        return load_foreign(cls(channels, kernel_size, "lk_origin.bias" in state), foreign)


class UniRepLKNetBlock(nn.Module):
    """The block of UniRepLKNet (arXiv 2311.15599, figure 2): a depth-wise kernel, SE, and a feed-forward network.

    y = x + gamma * BN(W2 GRN(GELU(W1 SE(BN(DW(x)))))), where DW is a :class:`DilatedReparamBlock` for large kernels, a
    plain depth-wise convolution for 3 and 5, and left out, with its BN, for 0. (N, dim, H, W) -> the same.

    Args:
        dim: channels, at least 4.
        kernel_size: 0, 3, 5, 7, 9, 11, 13, 15 or 17.
        drop_path: probability of dropping the branch of a sample in training.
        layer_scale_init_value: gamma at the start; None or 0: no gamma.
        deploy: the merged form.
        attempt_use_lk_impl: accepted for the official signature, without effect: PyTorch's own convolution is used.
        with_cp: keep no activations for the backward pass, compute them again (less memory, more time).
        use_sync_bn: normalise over the batches of all processes.
        ffn_factor: width of the feed-forward network in multiples of ``dim``.
    """

    def __init__(
        self,
        dim: int,
        kernel_size: int,
        drop_path: float = 0.0,
        layer_scale_init_value: float | None = 1e-6,
        deploy: bool = False,
        attempt_use_lk_impl: bool = True,
        with_cp: bool = False,
        use_sync_bn: bool = False,
        ffn_factor: float = 4,
    ) -> None:
        super().__init__()
        if dim < 4:
            raise ValueError(f"a UniRepLKNet block needs at least 4 channels, got {dim}")
        if kernel_size not in (0, 3, *BRANCHES):
            sizes = ", ".join(map(str, (0, 3, *BRANCHES)))
            raise ValueError(f"a UniRepLKNet block needs a kernel size of {sizes}, got {kernel_size}")
        hidden = int(ffn_factor * dim)
        if hidden < 1:
            raise ValueError(f"ffn_factor times {dim} channels should be at least 1, got a factor of {ffn_factor}")
        self.with_cp = with_cp
        self.dwconv: nn.Module = nn.Identity()
        self.norm: nn.Module = nn.Identity()
        if kernel_size >= 7:
            self.dwconv = DilatedReparamBlock(dim, kernel_size, deploy, use_sync_bn, attempt_use_lk_impl)
        elif kernel_size:
            self.dwconv = _depthwise(dim, kernel_size, bias=deploy)
        if kernel_size and not deploy:
            self.norm = _norm(dim, use_sync_bn)
        self.se = SEBlock(dim, dim // 4)
        self.pwconv1 = nn.Sequential(NCHWtoNHWC(), nn.Linear(dim, hidden))
        self.act = nn.Sequential(nn.GELU(), GRNwithNHWC(hidden, use_bias=not deploy))
        self.pwconv2 = nn.Sequential(nn.Linear(hidden, dim, bias=deploy), NHWCtoNCHW())
        if not deploy:
            self.pwconv2.append(_norm(dim, use_sync_bn))
        scale = 0.0 if deploy or layer_scale_init_value is None else float(layer_scale_init_value)
        self.gamma = nn.Parameter(torch.full((dim,), scale)) if scale > 0 else None
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        return recompute(self, self._forward, inputs) if self.with_cp else self._forward(inputs)

    def _forward(self, x: Tensor) -> Tensor:
        x = x.contiguous()
        y = self.pwconv2(self.act(self.pwconv1(self.se(self.norm(self.dwconv(x))))))
        if self.gamma is not None:
            y = self.gamma.view(-1, 1, 1) * y
        return x + self.drop_path(y)  # type: ignore[no-any-return]

    @torch.no_grad()
    def reparameterize(self) -> None:
        """Merge, in place, branches, normalisations, beta and gamma; the block computes the same as in eval mode."""
        if isinstance(self.dwconv, DilatedReparamBlock):
            self.dwconv.reparameterize()
        if isinstance(self.norm, merging.BatchNorm):
            if isinstance(self.dwconv, DilatedReparamBlock):
                self.dwconv.lk_origin = merging.folded(self.dwconv.lk_origin, self.norm)
            elif isinstance(self.dwconv, nn.Conv2d):
                self.dwconv = merging.folded(self.dwconv, self.norm)
            self.norm = nn.Identity().train(self.training)
        linear, response = self.pwconv2[0], self.act[1]
        norm = self.pwconv2[2] if len(self.pwconv2) == 3 else None
        assert isinstance(linear, nn.Linear) and isinstance(response, GRNwithNHWC)
        assert norm is None or isinstance(norm, merging.BatchNorm)
        if not response.use_bias and norm is None and self.gamma is None:
            return
        beta = response.beta if response.use_bias else None
        self.pwconv2[0] = merging.projected(linear, beta, norm, self.gamma)
        del self.pwconv2[2:]
        self.gamma = None
        response.drop_bias()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Official blocks built with ``deploy`` call their merged large kernel dwconv, not dwconv.lk_origin."""
        if isinstance(self.dwconv, DilatedReparamBlock):
            for name in ("weight", "bias"):
                if f"{prefix}dwconv.{name}" in state_dict:
                    state_dict[f"{prefix}dwconv.lk_origin.{name}"] = state_dict.pop(f"{prefix}dwconv.{name}")
        super()._load_from_state_dict(state_dict, prefix, *args)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> UniRepLKNetBlock:
        """Build the block from the weights of a module of the same name; ValueError if they do not fit."""
        arguments = foreign_arguments.block_arguments(foreign.state_dict())
        return load_foreign(cls(**arguments, drop_path=foreign_arguments.drop_path(foreign, "drop_path")), foreign)


class UniRepLKNet(nn.Module):
    """The network (arXiv 2311.15599, section 3.2 and table 1): four stages of blocks with strides 4, 8, 16 and 32.

    (N, in_chans, H, W) -> logits (N, num_classes), or, where ``num_classes`` is None, the list of the four stages'
    maps, (N, dims[i], H / 2 ** (i + 2), W / 2 ** (i + 2)) rounded up, each normalised over channels.

    Args:
        in_chans: channels of the image.
        num_classes: of the classifier; None: features.
        depths: blocks of each stage.
        dims: channels of each stage.
        drop_path_rate: that of the last block; it grows linearly from 0.
        layer_scale_init_value: gamma of the blocks at the start; None or 0: no gamma.
        head_init_scale: factor of the classifier's initial weights.
        kernel_sizes: of each block of each stage, ((3, 3), (13, 13), …); None: those published for these depths.
        deploy: the merged form.
        with_cp: recompute the blocks' activations in the backward pass: less memory, more time.
        init_cfg: the official sign of features, ``{"checkpoint": None}``; it names no file here: use load_state_dict.
        attempt_use_lk_impl: accepted for the official signature, without effect: PyTorch's own convolution is used.
        use_sync_bn: normalise over the batches of all processes.
        kwargs: ignored, as officially, but weights are never fetched: ``in_1k_pretrained=True`` is refused.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int | None = 1000,
        depths: Sequence[int] = (3, 3, 27, 3),
        dims: Sequence[int] = (96, 192, 384, 768),
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float | None = 1e-6,
        head_init_scale: float = 1.0,
        kernel_sizes: Sequence[Sequence[int]] | None = None,
        deploy: bool = False,
        with_cp: bool = False,
        init_cfg: Mapping[str, Any] | None = None,
        attempt_use_lk_impl: bool = True,
        use_sync_bn: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if wanted := [name for name in _DOWNLOADS if kwargs.get(name)]:
            raise ValueError(f"weights are not fetched: leave {wanted[0]} out and give the file to load_state_dict")
        if init_cfg and init_cfg.get("checkpoint"):
            raise ValueError(f"init_cfg should name no checkpoint, got {init_cfg['checkpoint']}: use load_state_dict")
        if init_cfg is not None and num_classes is not None:
            raise ValueError(f"num_classes should be None with init_cfg, which asks for features, got {num_classes}")
        if num_classes is not None and num_classes < 1:
            raise ValueError(f"num_classes should be at least 1, or None, got {num_classes}")
        kernel_sizes = stage_kernels(depths, kernel_sizes)
        if len(dims) != 4:
            raise ValueError(f"dims should hold the channels of 4 stages, got {len(dims)}: {tuple(dims)}")
        self.output_mode = "features" if num_classes is None else "logits"

        half = dims[0] // 2
        stem = [_halve(in_chans, half), _first(half), nn.GELU(), _halve(half, dims[0]), _first(dims[0])]
        downs = [nn.Sequential(_halve(dims[i], dims[i + 1]), _first(dims[i + 1])) for i in range(3)]
        self.downsample_layers = nn.ModuleList([nn.Sequential(*stem), *downs])
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        shared = layer_scale_init_value, deploy, attempt_use_lk_impl, with_cp, use_sync_bn
        self.stages = nn.ModuleList(
            nn.Sequential(*[UniRepLKNetBlock(dim, size, next(rates), *shared) for size in sizes])
            for dim, sizes in zip(dims, kernel_sizes, strict=True)
        )
        if num_classes is None:
            for number, dim in enumerate(dims):
                self.add_module(f"norm{number}", _first(dim))
        else:
            self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
            self.head = nn.Linear(dims[-1], num_classes)
            self._init_weights(head_init_scale)

    @torch.no_grad()
    def _init_weights(self, head_init_scale: float) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.head.weight.mul_(head_init_scale)
        self.head.bias.mul_(head_init_scale)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        features = []
        for number in range(4):
            x = self.stages[number](self.downsample_layers[number](x))
            if self.output_mode == "features":
                features.append(getattr(self, f"norm{number}")(x))
        if self.output_mode == "features":
            return features
        return self.head(self.norm(x.mean(dim=(2, 3))))  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Merge all blocks, in place; the network computes the same as in eval mode."""
        for module in self.modules():
            if isinstance(module, UniRepLKNetBlock):
                module.reparameterize()

    reparameterize_unireplknet = reparameterize

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> UniRepLKNet:
        """Build the network from the weights of a module of the same name; ValueError if they do not fit.

        Features without norm0 … norm3, which many collections leave out, stay as the stages give them.
        """
        network = cls(**foreign_arguments.network_arguments(foreign))
        if network.output_mode == "features":
            for name in {f"norm{number}" for number in range(4)} - dict(foreign.named_children()).keys():
                setattr(network, name, nn.Identity())
        return load_foreign(network, foreign)


def _halve(c1: int, c2: int) -> nn.Conv2d:
    return nn.Conv2d(c1, c2, 3, stride=2, padding=1)


def _first(dim: int) -> LayerNorm:
    return LayerNorm(dim, eps=1e-6, data_format="channels_first")


def _member(name: str, arguments: dict[str, Any]) -> UniRepLKNet:
    depths, dims = MEMBERS[name]
    return UniRepLKNet(depths=depths, dims=dims, **arguments)


def unireplknet_a(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-A, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("a", kwargs)


def unireplknet_f(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-F, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("f", kwargs)


def unireplknet_p(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-P, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("p", kwargs)


def unireplknet_n(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-N, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("n", kwargs)


def unireplknet_t(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-T, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("t", kwargs)


def unireplknet_s(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-S, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("s", kwargs)


def unireplknet_b(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-B, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("b", kwargs)


def unireplknet_l(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-L, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("l", kwargs)


def unireplknet_xl(**kwargs: Any) -> UniRepLKNet:
    """UniRepLKNet-XL, with the arguments of :class:`UniRepLKNet` other than depths and dims."""
    return _member("xl", kwargs)
