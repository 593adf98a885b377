"""CARAFE's reassembly: every output pixel is a weighted sum over a window of the input, with weights of its own.

Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", arXiv 1905.02188, equations 1 to 3.

The obvious form unfolds the input into its windows and repeats them for every output pixel, which makes two
intermediates k*k times as large as the output. Here the sum runs over the k*k taps of the window on the input's own
grid: the up*up output pixels that share a window are kept apart as a further axis, so that the input is never repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

PADDINGS = ("reflect", "zeros")


def carafe(x: Tensor, mask: Tensor, kernel_size: int, group: int = 1, up: int = 1, padding: str = "reflect") -> Tensor:
    """Reassemble ``x``: output (y, x) is the sum over the k x k window around input (y // up, x // up).

    Args:
        x: (N, C, H, W).
        mask: (N, group * k * k, up * H, up * W), the weights of each output pixel, row by row of its window; used in
            the type of ``x``.
        kernel_size: k, odd.
        group: C / group neighbouring channels share their weights.
        up: how many times larger the output is.
        padding: values beyond the border: ``reflect`` mirrors the map, as FreqFusion's official fallback in plain
            torch; ``zeros``, as the official CUDA kernel of mmcv. A map too small to be mirrored once is mirrored again
            and again, as by ``numpy.pad``; a single pixel is repeated.

    Returns:
        (N, C, up * H, up * W) in the type of ``x``; sums are made in float32 at least.

    Raises:
        ValueError: for sizes that do not fit together.
    """
    if kernel_size < 1 or kernel_size % 2 == 0 or group < 1 or up < 1:
        raise ValueError(
            f"expected an odd kernel_size and group and up of at least 1, not {kernel_size}, {group}, {up}"
        )
    if padding not in PADDINGS:
        raise ValueError(f"expected padding {' or '.join(PADDINGS)}, not {padding!r}")
    if x.ndim != 4 or x.shape[1] % group:
        raise ValueError(f"expected x (N, C, H, W) with C a multiple of group {group}, not {tuple(x.shape)}")
    n, c, h, w = x.shape
    expected = (n, group * kernel_size**2, up * h, up * w)
    if mask.shape != expected:
        raise ValueError(f"expected a mask of {expected}, not {tuple(mask.shape)}")
    reach = kernel_size // 2
    bordered = _pad(x, reach, padding).reshape(n * group, c // group, h + 2 * reach, w + 2 * reach)
    weights = _shuffled(mask.to(x.dtype), up, F.pixel_unshuffle).reshape(n * group, kernel_size**2, up**2, h, w)
    if _exported():  # an export sees the sum itself
        sums = _sum_of_taps(bordered, weights, kernel_size)
    else:
        sums = _SumOfTaps.apply(bordered, weights, kernel_size)  # type: ignore[no-untyped-call]
    return _shuffled(sums.to(x.dtype).reshape(n, c * up**2, h, w), up, F.pixel_shuffle)


def kernels(logits: Tensor, kernel_size: int, group: int = 1, hamming: bool = False) -> Tensor:
    """Reassembly kernels, each of sum 1, out of the output of an encoder.

    They are the softmax over the k * k taps; FreqFusion multiplies it by a Hamming window and makes the sum 1 again.
    The window is computed here from its formula, so that it is exact after a checkpoint in 16 bit too.

    Args:
        logits: (N, group * k * k, H, W).

    Returns:
        As ``logits``, in float32 at least.
    """
    taps = kernel_size**2
    n, _, h, w = logits.shape
    result = widened(logits).reshape(n, group, taps, h, w).softmax(2)
    if hamming:
        window = torch.from_numpy(hamming2D(kernel_size, kernel_size)).to(result).reshape(taps, 1, 1)
        result = result * window
        result = result / result.sum(2, keepdim=True)
    return result.flatten(1, 2)


def hamming2D(M: int, N: int) -> NDArray[np.float64]:  # noqa: N802, N803
    """The (M, N) Hamming window, the outer product of two in one dimension."""
    window: NDArray[np.float64] = np.outer(np.hamming(M), np.hamming(N))
    return window


def widened(x: Tensor) -> Tensor:
    """``x`` in float32, or in float64 where it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _shuffled(x: Tensor, up: int, shuffle: Callable[[Tensor, int], Tensor]) -> Tensor:
    return x if up == 1 else shuffle(x, up)


def _pad(x: Tensor, reach: int, padding: str) -> Tensor:
    """``x`` with ``reach`` more pixels on each side, contiguous."""
    h, w = x.shape[2:]
    if padding == "zeros":
        x = F.pad(x, [reach] * 4)
    elif not _exported() and reach < min(h, w):  # an export must also work for smaller maps
        x = F.pad(x, [reach] * 4, mode="reflect")
    else:
        x = x.index_select(2, _mirrored(h, reach, x.device)).index_select(3, _mirrored(w, reach, x.device))
    return x.contiguous()


def _mirrored(size: int | Tensor, reach: int, device: torch.device) -> Tensor:
    """Indices of the pixels at -reach, …, size - 1 + reach when a row of ``size`` is mirrored repeatedly."""
    length: Any = torch.as_tensor(size, device=device)  # which a tracer leaves open
    period = (2 * (length - 1)).clamp(min=1)
    walked = (torch.arange(length + 2 * reach, device=device) - reach).abs() % period
    return torch.minimum(walked, period - walked)


def _exported() -> bool:
    return bool(torch._C._get_tracing_state()) or torch.compiler.is_compiling()


def _sum_of_taps(bordered: Tensor, weights: Tensor, kernel_size: int) -> Tensor:
    """(N, C, H + k - 1, W + k - 1) and weights (N, k * k, S, H, W) -> (N, C, S, H, W), float32 at least."""
    n, c = bordered.shape[:2]
    s, h, w = weights.shape[2:]
    sums = widened(bordered.new_zeros(n, c, s, h, w))
    for tap in range(kernel_size**2):
        dy, dx = divmod(tap, kernel_size)
        sums.addcmul_(bordered[:, :, None, dy : dy + h, dx : dx + w], weights[:, None, tap])
    return sums


class _SumOfTaps(torch.autograd.Function):
    """The sum with its gradient written out: autograd would make a map of zeros for every tap."""

    @staticmethod
    def forward(ctx: Any, bordered: Tensor, weights: Tensor, kernel_size: int) -> Tensor:
        ctx.save_for_backward(bordered, weights)
        ctx.kernel_size = kernel_size
        return _sum_of_taps(bordered, weights, kernel_size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        bordered, weights = ctx.saved_tensors
        h, w = weights.shape[3:]
        of_bordered = torch.zeros_like(bordered, dtype=gradient.dtype)
        of_weights = torch.empty_like(weights)
        for pixel in range(weights.shape[2]):
            given = gradient[:, :, pixel].contiguous()
            for tap in range(ctx.kernel_size**2):
                dy, dx = divmod(tap, ctx.kernel_size)
                window = (slice(None), slice(None), slice(dy, dy + h), slice(dx, dx + w))
                of_bordered[window].addcmul_(given, weights[:, None, tap, pixel])
                of_weights[:, tap, pixel] = (given * bordered[window]).sum(1)
        return of_bordered.to(bordered.dtype), of_weights, None


def start(convolution: nn.Conv2d, deviation: float | None = None) -> None:
    """Initial weights: normal with this deviation, or Xavier's uniform ones; biases 0."""
    if deviation is None:
        nn.init.xavier_uniform_(convolution.weight)
    else:
        nn.init.normal_(convolution.weight, std=deviation)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
