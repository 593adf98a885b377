"""Losses of boxes in place of 1 - CIoU, each written from its paper.

Symbols: the predicted box has the size w, h, the target wg, hg; I and U are the areas of their intersection and union,
cw and ch the sides of the box around both, dx and dy the difference of their centres (target minus prediction),
rho^2 = dx^2 + dy^2 and c^2 = cw^2 + ch^2. Boxes are (n, 4) as x1, y1, x2, y2 in pixels. Functions return similarities
of n pairs, at most 1; the modules return losses.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

_TINY = 1e-9  # px^2, keeps empty boxes finite
_EPS = 1e-7


class Pair(NamedTuple):
    """Measures of n pairs of boxes, (n,) each; see the module for the symbols."""

    w: Tensor
    h: Tensor
    wg: Tensor
    hg: Tensor
    dx: Tensor
    dy: Tensor
    cw: Tensor
    ch: Tensor
    union: Tensor
    iou: Tensor


def measure(predicted: Tensor, target: Tensor) -> Pair:
    """Measure pairs of boxes.

    Raises:
        ValueError: they are not (n, 4) both.
    """
    _check(predicted, target)
    (x1, y1, x2, y2), (a1, b1, a2, b2) = predicted.unbind(1), target.unbind(1)
    w, h, wg, hg = x2 - x1, y2 - y1, a2 - a1, b2 - b1
    common = _overlap(x1, x2, a1, a2) * _overlap(y1, y2, b1, b2)
    union = w * h + wg * hg - common
    return Pair(
        w, h, wg, hg,
        (a1 + a2 - x1 - x2) / 2, (b1 + b2 - y1 - y2) / 2,
        torch.maximum(x2, a2) - torch.minimum(x1, a1), torch.maximum(y2, b2) - torch.minimum(y1, b1),
        union, common / union.clamp(min=_TINY),
    )  # fmt: skip


def _check(predicted: Tensor, target: Tensor) -> None:
    if predicted.shape != target.shape or predicted.ndim != 2 or predicted.shape[1] != 4:
        raise ValueError(
            f"boxes must be (n, 4) and as many as targets, not {tuple(predicted.shape)} and {tuple(target.shape)}"
        )


def _overlap(first: Tensor, last: Tensor, other_first: Tensor, other_last: Tensor) -> Tensor:
    return (torch.minimum(last, other_last) - torch.maximum(first, other_first)).clamp(min=0)


def _distance(pair: Pair) -> Tensor:
    """rho^2 / c^2."""
    return (pair.dx**2 + pair.dy**2) / (pair.cw**2 + pair.ch**2).clamp(min=_TINY)


def _aspect(pair: Pair) -> Tensor:
    """alpha v of CIoU: v = 4 / pi^2 (atan(wg/hg) - atan(w/h))^2, alpha = v / (v - IoU + 1) without gradient."""
    angles = [torch.atan(w / h.clamp(min=_EPS)) for w, h in ((pair.wg, pair.hg), (pair.w, pair.h))]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    with torch.no_grad():
        alpha = v / (v - pair.iou.clamp(max=1) + 1 + _EPS)  # rounding can make IoU larger than 1
    return v * alpha


def ciou(predicted: Tensor, target: Tensor) -> Tensor:
    """CIoU (Zheng et al., 2020, arXiv 1911.08287): IoU - rho^2/c^2 - alpha v."""
    pair = measure(predicted, target)
    return pair.iou - _distance(pair) - _aspect(pair)


def _angle_and_shape(pair: Pair, theta: float) -> Tensor:
    """SIoU's (distance + shape) / 2."""
    sx, sy = pair.dx + _EPS, pair.dy + _EPS
    length = torch.hypot(sx, sy)
    sine, other = sy.abs() / length, sx.abs() / length
    sine = torch.where(sine > math.sin(math.pi / 4), other, sine)
    angle = torch.cos(2 * torch.asin(sine) - math.pi / 2)
    h, hg = pair.h + _EPS, pair.hg + _EPS
    distance, shape = torch.zeros_like(sx), torch.zeros_like(sx)
    for offset, side, own, wanted in ((sx, pair.cw, pair.w, pair.wg), (sy, pair.ch, h, hg)):
        distance = distance + 1 - torch.exp((angle - 2) * (offset / side.clamp(min=_EPS)) ** 2)
        difference = (own - wanted).abs() / torch.maximum(own, wanted).clamp(min=_EPS)
        shape = shape + (1 - torch.exp(-difference)) ** theta
    return (distance + shape) / 2


def siou(predicted: Tensor, target: Tensor, theta: float = 4) -> Tensor:
    """SIoU (Gevorgyan, 2022, arXiv 2205.12740): IoU - (distance + shape) / 2, from -1 to 1.

    The angle cost sin(2 a), with a the angle between the line of centres and the nearer axis, weights the distance::

        distance = sum over x, y of 1 - exp((angle - 2) (d / c)^2)
        shape = sum over w, h of (1 - exp(-|w - wg| / max(w, wg)))^theta
    """
    pair = measure(predicted, target)
    return (pair.iou - _angle_and_shape(pair, theta)).clamp(-1, 1)


def scaled(boxes: Tensor, ratio: float) -> Tensor:
    """Boxes with the same centres and sides ``ratio`` times as long."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * ratio
    return torch.cat([centre - half, centre + half], 1)


def inner_iou(predicted: Tensor, target: Tensor, ratio: float = 0.75, form: str = "ciou") -> Tensor:
    """Inner-IoU (Zhang et al., 2023, arXiv 2311.02877): the IoU of boxes scaled about their centres, with the
    penalties of CIoU or SIoU of the boxes themselves::

        IoU(ratio boxes) - rho^2/c^2 - alpha v      or      IoU(ratio boxes) - (distance + shape) / 2
    """
    pair, inner = measure(predicted, target), measure(scaled(predicted, ratio), scaled(target, ratio)).iou
    return inner - (_angle_and_shape(pair, 4) if form == "siou" else _distance(pair) + _aspect(pair))


def mpdiou(predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
    """MPDIoU (Ma & Xu, 2023, arXiv 2307.07662): IoU - d1^2/(W^2+H^2) - d2^2/(W^2+H^2), d1 and d2 the distances of the
    top-left and of the bottom-right corners, (H, W) the size of the image."""
    iou, squared = measure(predicted, target).iou, (predicted - target) ** 2
    return iou - squared.sum(1) / (size[0] ** 2 + size[1] ** 2)


def eiou(predicted: Tensor, target: Tensor) -> Tensor:
    """EIoU (Zhang et al., 2021, arXiv 2101.08158): IoU - rho^2/c^2 - (w-wg)^2/cw^2 - (h-hg)^2/ch^2."""
    pair = measure(predicted, target)
    sides = (pair.w - pair.wg) ** 2 / (pair.cw**2).clamp(min=_TINY)
    sides = sides + (pair.h - pair.hg) ** 2 / (pair.ch**2).clamp(min=_TINY)
    return pair.iou - _distance(pair) - sides


def shape_iou(predicted: Tensor, target: Tensor, scale: float = 0) -> Tensor:
    """Shape-IoU (Zhang & Zhang, 2023, arXiv 2312.17663), weighted by the shape of the target::

    ww = 2 wg^s / (wg^s + hg^s),  hh = 2 hg^s / (wg^s + hg^s)
    IoU - (hh dx^2 + ww dy^2) / c^2 - 1/2 sum over w, h of (1 - exp(-o))^4
    o = hh |w-wg| / max(w, wg)  and  ww |h-hg| / max(h, hg)
    """
    pair = measure(predicted, target)
    wide, high = pair.wg.clamp(min=_EPS) ** scale, pair.hg.clamp(min=_EPS) ** scale
    ww, hh = 2 * wide / (wide + high), 2 * high / (wide + high)
    distance = (hh * pair.dx**2 + ww * pair.dy**2) / (pair.cw**2 + pair.ch**2).clamp(min=_TINY)
    shape = torch.zeros_like(distance)
    for weight, own, wanted in ((hh, pair.w, pair.wg), (ww, pair.h, pair.hg)):
        difference = weight * (own - wanted).abs() / torch.maximum(own, wanted).clamp(min=_EPS)
        shape = shape + (1 - torch.exp(-difference)) ** 4
    return pair.iou - distance - shape / 2


def focaler(iou: Tensor, d: float = 0.0, u: float = 0.95) -> Tensor:
    """Focaler-IoU (Zhang & Zhang, 2024, arXiv 2401.10525): (IoU - d) / (u - d) from 0 to 1."""
    return ((iou - d) / (u - d)).clamp(0, 1)


def piou(predicted: Tensor, target: Tensor, version: int = 2, lam: float = 1.3) -> Tensor:
    """The loss of Powerful-IoU (Liu et al., Neural Networks 170, 2024, doi 10.1016/j.neunet.2023.11.041), from 0::

    P = mean of |x1-x1g|/wg, |x2-x2g|/wg, |y1-y1g|/hg, |y2-y2g|/hg
    v1 = 1 - IoU + 1 - exp(-P^2),  v2 = 3 x exp(-x^2) v1 with x = lambda exp(-P)
    """
    pair, gap = measure(predicted, target), (predicted - target).abs()
    sides = torch.stack([pair.wg, pair.hg, pair.wg, pair.hg], 1).clamp(min=_EPS)
    penalty = (gap / sides).sum(1) / 4
    loss = 2 - pair.iou - torch.exp(-(penalty**2))
    if version == 1:
        return loss
    x = lam * torch.exp(-penalty)
    return 3 * x * torch.exp(-(x**2)) * loss


def sd_iou(predicted: Tensor, target: Tensor, delta: float = 0.5) -> Tensor:
    """Scale-based dynamic IoU (Yang et al., 2024, arXiv 2412.16986): small targets weigh the overlap less, as a pixel
    changes it much, and the distance more::

        b = min(wg hg delta / 81, delta)
        delta - b + (1 - delta + b) (IoU - alpha v) - (1 + delta - b) rho^2/c^2
    """
    pair = measure(predicted, target)
    b = (pair.wg * pair.hg * delta / 81).clamp(max=delta)
    return delta - b + (1 - delta + b) * (pair.iou - _aspect(pair)) - (1 + delta - b) * _distance(pair)


def wasserstein(predicted: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """W2 squared of the normal distributions of boxes: |c - cg|^2 + ((w-wg)^2 + (h-hg)^2) / 4, in px^2.

    The boxes are (..., 4) and broadcast: (n, 1, 4) with (1, m, 4) gives the matrix (n, m).
    """
    centres = (predicted[..., :2] + predicted[..., 2:] - target[..., :2] - target[..., 2:]) / 2
    sides = (predicted[..., 2:] - predicted[..., :2] - target[..., 2:] + target[..., :2]) / 2
    return (centres**2).sum(-1) + (sides**2).sum(-1) + eps


def nwd_loss(squared: Tensor, mode: str = "exp", constant: float = 12.8, gamma: float = 2.0) -> Tensor:
    """A loss of W2 squared: exp 1 - exp(-W2 / constant); sqrt W2; log log(W2 + 1); norm_sqrt 1 - 1 / (gamma + W2);
    w2 its square."""
    if mode == "w2":
        return squared
    root = squared.sqrt()
    if mode == "exp":
        return 1 - torch.exp(-root / constant)
    if mode == "log":
        return torch.log(root + 1)
    return 1 - 1 / (gamma + root) if mode == "norm_sqrt" else root


class BoxLoss(nn.Module):
    """1 - a similarity: boxes (n, 4), (n, 4) and the size (H, W) of the image in pixels -> (n,)."""

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        raise NotImplementedError

    def forward(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return 1 - self.similarity(predicted, target, size)


class NWD(BoxLoss):
    """Normalised Gaussian Wasserstein distance (Wang et al., 2021, arXiv 2110.13389): exp(-W2 / C), for tiny boxes.

    Args:
        constant: C, pixels; in the paper the mean size of the objects of its dataset.
    """

    def __init__(self, constant: float = 12.8) -> None:
        super().__init__()
        self.constant = constant

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        _check(predicted, target)
        return torch.exp(-wasserstein(predicted, target).sqrt() / self.constant)


class WiseIoU(nn.Module):
    """Wise-IoU (Tong et al., 2023, arXiv 2301.10051), which pays less attention to boxes of low quality.

    v1 is exp(rho^2 / c^2) L, L = 1 - IoU, c^2 without gradient. With b = L / m, L without gradient and m a running
    mean of it, v2 is v1 sqrt(b) and v3 is v1 b / (delta alpha^(b - delta)). Identical boxes have the loss 0.

    Args:
        version: 1, 2 or 3.
        momentum: of the running mean, which starts at 1 and changes in training only.
        alpha, delta: of version 3.
    """

    def __init__(self, version: int = 3, momentum: float = 0.01, alpha: float = 1.7, delta: float = 2.7) -> None:
        super().__init__()
        if version not in (1, 2, 3):
            raise ValueError(f"Wise-IoU has the versions 1, 2 and 3, not {version}")
        self.version, self.momentum, self.alpha, self.delta = version, momentum, alpha, delta
        self.register_buffer("mean", torch.ones(()))
        self.mean: Tensor

    def forward(self, predicted: Tensor, target: Tensor, size: tuple[int, int] = (0, 0)) -> Tensor:
        pair = measure(predicted, target)
        loss = 1 - pair.iou
        if self.training and len(loss):
            self.mean += self.momentum * (loss.detach().mean().to(self.mean) - self.mean)
        around = (pair.cw**2 + pair.ch**2).detach().clamp(min=_TINY)
        wise = torch.exp((pair.dx**2 + pair.dy**2) / around) * loss
        b = loss.detach() / self.mean
        if self.version == 2:
            return wise * b.clamp(min=0).sqrt()
        return wise if self.version == 1 else wise * b / (self.delta * self.alpha ** (b - self.delta))


class WiseIoU1(WiseIoU):
    """Version 1."""

    def __init__(self) -> None:
        super().__init__(1)


class InnerCIoU(BoxLoss):
    """1 - :func:`inner_iou` in the form of CIoU.

    Args:
        ratio: of the inner boxes, 0.5 to 1.5; below 1 for boxes that already overlap well.
    """

    FORM = "ciou"

    def __init__(self, ratio: float = 0.75) -> None:
        super().__init__()
        if not 0.5 <= ratio <= 1.5:
            raise ValueError(f"the ratio of the inner boxes must be from 0.5 to 1.5 and is {ratio}")
        self.ratio = ratio

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return inner_iou(predicted, target, self.ratio, self.FORM)


class InnerSIoU(InnerCIoU):
    """1 - :func:`inner_iou` in the form of SIoU."""

    FORM = "siou"


class MPDIoU(BoxLoss):
    """1 - :func:`mpdiou`."""

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return mpdiou(predicted, target, size)


class SIoU(BoxLoss):
    """1 - :func:`siou`."""

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return siou(predicted, target)


class EIoU(BoxLoss):
    """1 - :func:`eiou`."""

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return eiou(predicted, target)


class FocalEIoU(nn.Module):
    """IoU^gamma (1 - EIoU), the weight without gradient (Zhang et al., 2021, arXiv 2101.08158).

    Args:
        gamma: 0.5 in the paper.
    """

    def __init__(self, gamma: float = 0.5) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, predicted: Tensor, target: Tensor, size: tuple[int, int] = (0, 0)) -> Tensor:
        weight = measure(predicted, target).iou.detach() ** self.gamma
        return weight * (1 - eiou(predicted, target))


class ShapeIoU(BoxLoss):
    """1 - :func:`shape_iou`.

    Args:
        scale: how strongly the shape of the target weighs; grows with the size of a dataset's objects.
    """

    def __init__(self, scale: float = 0.0) -> None:
        super().__init__()
        self.scale = scale

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return shape_iou(predicted, target, self.scale)


class FocalerCIoU(BoxLoss):
    """1 - CIoU + IoU - :func:`focaler` of IoU.

    Args:
        d, u: the IoU that becomes 0 and the one that becomes 1.
    """

    def __init__(self, d: float = 0.0, u: float = 0.95) -> None:
        super().__init__()
        if not 0 <= d < u <= 1:
            raise ValueError(f"0 <= d < u <= 1 is needed; d is {d}, u is {u}")
        self.d, self.u = d, u

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        iou = measure(predicted, target).iou
        return ciou(predicted, target) - iou + focaler(iou, self.d, self.u)


class PIoU(nn.Module):
    """The loss :func:`piou`, version 2."""

    def forward(self, predicted: Tensor, target: Tensor, size: tuple[int, int] = (0, 0)) -> Tensor:
        return piou(predicted, target)


class SDIoU(BoxLoss):
    """1 - :func:`sd_iou`."""

    def similarity(self, predicted: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
        return sd_iou(predicted, target)
