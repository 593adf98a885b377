"""Convolutions that learn with several branches and are one convolution at inference: DBB and OREPA."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

import math

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared.batch_norms import affine, convolution, exact, folded
from inspector_plugins._shared.size_checks import divides


class ConvBN(nn.Module):
    """A convolution without bias, and batch normalisation."""

    def __init__(self, c1: int, c2: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c2)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))  # type: ignore[no-any-return]


class BNAndPad(nn.Module):
    """Batch normalisation, and around it what it makes of 0, so that a convolution behind it can be merged exactly."""

    def __init__(self, pad_pixels: int, channels: int) -> None:
        super().__init__()
        self.bn, self.pad_pixels = nn.BatchNorm2d(channels), pad_pixels

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(x)
        if not self.pad_pixels:
            return y  # type: ignore[no-any-return]
        assert self.bn.running_mean is not None and self.bn.running_var is not None
        border = self.bn.bias - self.bn.running_mean * self.bn.weight / torch.sqrt(self.bn.running_var + self.bn.eps)
        border = border.to(y.dtype)[None, :, None, None]
        pad = [self.pad_pixels] * 4
        return F.pad(y - border, pad) + border


class IdentityBased(nn.Module):
    """A 1x1 convolution by (identity + weight)."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(channels, channels // groups, 1, 1))

    def kernel(self) -> Tensor:
        width = self.weight.shape[1]
        diagonal = torch.eye(width, dtype=self.weight.dtype, device=self.weight.device).repeat(self.groups, 1)
        return self.weight + diagonal[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel(), groups=self.groups)


class DiverseBranchBlock(nn.Module):
    """Diverse branch block (Ding et al., 2021, arXiv 2103.13425): (N, c1, H, W) -> (N, c2, …).

    The sum of BN(kxk), BN(1x1), BN(avg(BN 1x1)) and BN(kxk(BN 1x1)), then the activation. A depth-wise block has no 1x1
    branch. :meth:`reparameterize` makes one convolution of it.

    Args:
        kernel, stride, groups: of the convolution; the kernel is odd.
        act: relu, silu or none.
    """

    def __init__(self, c1: int, c2: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "") -> None:
        super().__init__()
        divides("DBB", c1, groups, "groups")
        divides("DBB", c2, groups, "groups")
        if kernel % 2 == 0:
            raise ValueError(f"DBB needs an odd kernel, not {kernel}")
        self.kernel, self.stride, self.groups, padding = kernel, stride, groups, kernel // 2
        self.nonlinear: nn.Module = {"relu": nn.ReLU(), "silu": nn.SiLU(), "": nn.Identity()}[act]
        self.dbb_reparam: nn.Conv2d | None = None
        self.dbb_origin: ConvBN | None = ConvBN(c1, c2, kernel, stride, padding, groups)
        depthwise = groups >= c2
        self.dbb_avg: nn.ModuleDict | None = nn.ModuleDict({"avgbn": nn.BatchNorm2d(c2)})
        if not depthwise:
            self.dbb_avg["conv"] = nn.Conv2d(c1, c2, 1, groups=groups, bias=False)
            self.dbb_avg["bn"] = BNAndPad(padding, c2)
        self.dbb_1x1 = None if depthwise else ConvBN(c1, c2, 1, stride, 0, groups)
        hidden = 2 * c1 if depthwise else c1
        first = nn.Conv2d(c1, hidden, 1, groups=groups, bias=False) if depthwise else IdentityBased(c1, groups)
        self.dbb_1x1_kxk: nn.ModuleDict | None = nn.ModuleDict(
            {
                "conv1" if depthwise else "idconv1": first,
                "bn1": BNAndPad(padding, hidden),
                "conv2": nn.Conv2d(hidden, c2, kernel, stride, groups=groups, bias=False),
                "bn2": nn.BatchNorm2d(c2),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.dbb_reparam is not None:
            return self.nonlinear(self.dbb_reparam(x))  # type: ignore[no-any-return]
        assert self.dbb_origin is not None and self.dbb_avg is not None and self.dbb_1x1_kxk is not None
        y = self.dbb_origin(x)
        if self.dbb_1x1 is not None:
            y = y + self.dbb_1x1(x)
        y = y + self._averaged(x)
        z = self._first(x)
        z = self.dbb_1x1_kxk["conv2"](self.dbb_1x1_kxk["bn1"](z))
        return self.nonlinear(y + self.dbb_1x1_kxk["bn2"](z))  # type: ignore[no-any-return]

    def _averaged(self, x: Tensor) -> Tensor:
        assert self.dbb_avg is not None
        if "conv" in self.dbb_avg:
            z = F.avg_pool2d(self.dbb_avg["bn"](self.dbb_avg["conv"](x)), self.kernel, self.stride)
        else:
            z = F.avg_pool2d(x, self.kernel, self.stride, self.kernel // 2)
        return self.dbb_avg["avgbn"](z)  # type: ignore[no-any-return]

    def _first(self, x: Tensor) -> Tensor:
        assert self.dbb_1x1_kxk is not None
        name = "conv1" if "conv1" in self.dbb_1x1_kxk else "idconv1"
        return self.dbb_1x1_kxk[name](x)  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Merge all branches into one convolution, in place."""
        if self.dbb_reparam is not None:
            return
        assert self.dbb_origin is not None and self.dbb_avg is not None and self.dbb_1x1_kxk is not None
        kernel, bias = folded(self.dbb_origin.conv, self.dbb_origin.bn)
        middle = self.kernel // 2
        if self.dbb_1x1 is not None:
            one, shift = folded(self.dbb_1x1.conv, self.dbb_1x1.bn)
            kernel, bias = kernel + F.pad(one, [middle] * 4), bias + shift
        for found, shift in (self._merged_average(), self._merged_sequence()):
            kernel, bias = kernel + found, bias + shift
        self.dbb_reparam = convolution(self.dbb_origin.conv, kernel, bias)
        self.dbb_origin = self.dbb_avg = self.dbb_1x1 = self.dbb_1x1_kxk = None

    def _merged_average(self) -> tuple[Tensor, Tensor]:
        assert self.dbb_avg is not None and self.dbb_origin is not None
        scale, shift = affine(self.dbb_avg["avgbn"])  # type: ignore[arg-type]
        weight = exact(self.dbb_origin.conv.weight)
        if "conv" in self.dbb_avg:
            conv, norm = self.dbb_avg["conv"], self.dbb_avg["bn"].bn
            one, offset = folded(conv, norm)  # type: ignore[arg-type]
        else:
            one, offset = torch.ones_like(weight[:, :, :1, :1]), torch.zeros_like(shift)
        kernel = (one / self.kernel**2).expand_as(weight)
        return kernel * scale[:, None, None, None], offset * scale + shift

    def _merged_sequence(self) -> tuple[Tensor, Tensor]:
        assert self.dbb_1x1_kxk is not None
        parts: nn.ModuleDict = self.dbb_1x1_kxk
        first = parts["idconv1"].kernel() if "idconv1" in parts else parts["conv1"].weight  # type: ignore[operator]
        scale, shift = affine(parts["bn1"].bn)  # type: ignore[arg-type]
        one = exact(first) * scale[:, None, None, None]  # type: ignore[arg-type]
        other = exact(parts["conv2"].weight)  # type: ignore[arg-type]
        kernel = chained(one, other, self.groups)
        bias = (other * shift.reshape(self.groups, 1, -1).repeat_interleave(len(other) // self.groups, 0)
                .reshape(len(other), -1, 1, 1)).sum((1, 2, 3))  # fmt: skip
        scale, shift = affine(parts["bn2"])  # type: ignore[arg-type]
        return kernel * scale[:, None, None, None], bias * scale + shift


def chained(one: Tensor, other: Tensor, groups: int) -> Tensor:
    """The kernel of a 1x1 convolution (m, i, 1, 1) followed by one of (o, m / groups, k, k): (o, i, k, k)."""
    first = one.reshape(groups, -1, one.shape[1])
    second = other.reshape(groups, len(other) // groups, *other.shape[1:])
    return torch.einsum("gomhw,gmi->goihw", second, first).reshape(len(other), one.shape[1], *other.shape[2:])


class OREPA(nn.Module):
    """Online re-parameterised convolution (Hu et al., 2022, arXiv 2204.00826): (N, c1, H, W) -> (N, c2, …).

    One kernel, the sum of six, each scaled for each output channel, is computed in every step, so that training costs
    one convolution: kxk; 1x1 spread by averaging; 1x1 times a fixed cosine; kxk behind (identity + 1x1); 1x1 at the
    centre; depth-wise kxk behind which 1x1. Then BN and the activation.

    Args:
        kernel: 3.
        stride, groups: of the convolution.
        act: relu, silu or none.
    """

    def __init__(self, c1: int, c2: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "") -> None:
        super().__init__()
        divides("OREPA", c1, groups, "groups")
        divides("OREPA", c2, groups, "groups")
        if kernel != 3:
            raise ValueError(f"OREPA's cosines are defined for kernels of 3, not {kernel}")
        width = c1 // groups
        self.stride, self.groups = stride, groups

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(nn.init.kaiming_uniform_(torch.empty(shape), a=math.sqrt(5)))

        self.weight_orepa_origin = drawn(c2, width, kernel, kernel)
        self.weight_orepa_avg_conv = drawn(c2, width, 1, 1)
        self.weight_orepa_pfir_conv = drawn(c2, width, 1, 1)
        self.weight_orepa_1x1 = drawn(c2, width, 1, 1)
        self.weight_orepa_1x1_kxk_idconv1 = nn.Parameter(torch.zeros(c1, width, 1, 1))
        self.weight_orepa_1x1_kxk_conv2 = drawn(c2, width, kernel, kernel)
        self.weight_orepa_gconv_dw = drawn(8 * c1, 1, kernel, kernel)
        self.weight_orepa_gconv_pw = drawn(c2, 8 * width, 1, 1)
        initial = torch.tensor([0.25, 0.25, 0, 0.5, 1, 0.5])
        self.vector = nn.Parameter(initial[:, None].repeat(1, c2))
        self.register_buffer("weight_orepa_avg_avg", torch.full((kernel, kernel), 1 / kernel**2))
        self.register_buffer("id_tensor", torch.eye(width).repeat(groups, 1)[:, :, None, None])
        self.register_buffer("weight_orepa_prior", _cosines(c2))
        self.bn = nn.BatchNorm2d(c2)
        self.nonlinear: nn.Module = {"relu": nn.ReLU(), "silu": nn.SiLU(), "": nn.Identity()}[act]
        self.orepa_reparam: nn.Conv2d | None = None
        self.weight_orepa_avg_avg: Tensor
        self.id_tensor: Tensor
        self.weight_orepa_prior: Tensor

    def kernel(self) -> Tensor:
        """The sum of the six kernels, (c2, c1 / groups, 3, 3)."""
        count, groups = len(self.vector[0]), self.groups
        deep = self.weight_orepa_gconv_dw.reshape(groups, -1, 8, *self.weight_orepa_gconv_dw.shape[2:])
        rows = torch.arange(count, device=deep.device)
        rows = rows % (count // groups) * groups + rows // (count // groups)
        wide = self.weight_orepa_gconv_pw[rows, :, 0, 0].reshape(groups, count // groups, -1, 8)
        depthwise = torch.einsum("goim,gimhw->goihw", wide, deep)
        identity = self.weight_orepa_1x1_kxk_idconv1 + self.id_tensor.to(self.vector)
        kernels = (
            self.weight_orepa_origin,
            self.weight_orepa_avg_conv * self.weight_orepa_avg_avg,
            self.weight_orepa_pfir_conv * self.weight_orepa_prior[:, None],
            chained(identity, self.weight_orepa_1x1_kxk_conv2, groups),
            F.pad(self.weight_orepa_1x1, (1, 1, 1, 1)),
            depthwise.reshape(count, -1, *deep.shape[3:]),
        )
        made = torch.zeros_like(self.weight_orepa_origin)
        for scale, one in zip(self.vector, kernels, strict=True):
            made = made + scale[:, None, None, None] * one
        return made

    def forward(self, x: Tensor) -> Tensor:
        if self.orepa_reparam is not None:
            return self.nonlinear(self.orepa_reparam(x))  # type: ignore[no-any-return]
        y = F.conv2d(x, self.kernel(), None, self.stride, 1, groups=self.groups)
        return self.nonlinear(self.bn(y))  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Keep only the sum of the kernels, with the normalisation merged, in place."""
        if self.orepa_reparam is not None:
            return
        scale, shift = affine(self.bn)
        kernel = exact(self.kernel()) * scale[:, None, None, None]
        like = nn.Conv2d(kernel.shape[1] * self.groups, len(kernel), 3, self.stride, 1, groups=self.groups)
        like = like.to(self.vector).requires_grad_(self.vector.requires_grad).train(self.training)
        self.orepa_reparam = convolution(like, kernel, shift)
        self.bn = nn.Identity()  # type: ignore[assignment]
        for name in (*self._parameters, *self._buffers):
            delattr(self, name)


def _cosines(channels: int) -> Tensor:
    """The fixed kernels (channels, 3, 3): cos(pi (row + 1/2) (o + 1) / 3) for the first half, of the column for the
    other."""
    half = channels // 2
    place = (torch.arange(3) + 0.5) * math.pi / 3
    made = torch.empty(channels, 3, 3)
    made[:half] = torch.cos(place * (torch.arange(half)[:, None] + 1))[:, :, None]
    made[half:] = torch.cos(place * (torch.arange(channels - half)[:, None] + 1))[:, None]
    return made


class OREPA1x1(nn.Module):
    """The 1x1 form of :class:`OREPA`: W0 v0 + (W2 W1) v1, then BN: (N, c1, H, W) -> (N, c2, H, W)."""

    def __init__(self, c1: int, c2: int) -> None:
        super().__init__()
        self.weight_or1x1_origin = nn.Parameter(torch.empty(c2, c1, 1, 1))
        self.weight_or1x1_l2i_conv1 = nn.Parameter(torch.eye(c1)[:, :, None, None])
        self.weight_or1x1_l2i_conv2 = nn.Parameter(torch.empty(c2, c1, 1, 1))
        for value in (self.weight_or1x1_origin, self.weight_or1x1_l2i_conv2):
            nn.init.kaiming_uniform_(value, a=math.sqrt(5))
        self.vector = nn.Parameter(torch.full((2, c2), 0.5))
        self.bn = nn.BatchNorm2d(c2)
        self.or1x1_reparam: nn.Conv2d | None = None

    def kernel(self) -> Tensor:
        deep = chained(self.weight_or1x1_l2i_conv1, self.weight_or1x1_l2i_conv2, 1)
        one, other = self.vector[:, :, None, None, None]
        made: Tensor = one * self.weight_or1x1_origin + other * deep
        return made

    def forward(self, x: Tensor) -> Tensor:
        if self.or1x1_reparam is not None:
            return self.or1x1_reparam(x)  # type: ignore[no-any-return]
        return self.bn(F.conv2d(x, self.kernel()))  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Keep one convolution, in place."""
        if self.or1x1_reparam is not None:
            return
        scale, shift = affine(self.bn)
        kernel = exact(self.kernel()) * scale[:, None, None, None]
        like = nn.Conv2d(kernel.shape[1], len(kernel), 1).to(self.vector).train(self.training)
        self.or1x1_reparam = convolution(like, kernel, shift)
        self.bn = nn.Identity()  # type: ignore[assignment]
        for name in tuple(self._parameters):
            delattr(self, name)


def dbb(c1: int, c2: int, stride: int) -> nn.Module:
    return DiverseBranchBlock(c1, c2, act="silu")


def orepa(c1: int, c2: int, stride: int) -> nn.Module:
    return OREPA(c1, c2, act="silu")


CLASSES: tuple[type, ...] = (ConvBN, BNAndPad, IdentityBased, DiverseBranchBlock, OREPA, OREPA1x1)
