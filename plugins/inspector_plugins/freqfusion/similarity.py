"""The local similarity that guides FreqFusion's resampling (Chen et al. 2024, arXiv 2408.12879)."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from inspector_plugins.freqfusion.reassembly import widened


def compute_similarity(x: Tensor, k: int = 3, dilation: int = 1, sim: str = "cos") -> Tensor:
    """Similarity of each pixel to its neighbours (arXiv 2408.12879, the offset generator).

    Args:
        x: (N, C, H, W); beyond its border are zeros.
        k: side of the neighbourhood, odd.
        dilation: distance between neighbours, pixels.
        sim: ``cos`` for the cosine between the two vectors of channels, ``dot`` for their scalar product.

    Returns:
        (N, k * k - 1, H, W): the neighbours row by row, without the pixel itself.
    """
    if k < 1 or k % 2 == 0 or dilation < 1:
        raise ValueError(f"expected an odd k and a dilation of at least 1, not {k} and {dilation}")
    if sim not in ("cos", "dot"):
        raise ValueError(f"expected sim cos or dot, not {sim!r}")
    wide = widened(x)
    centre = F.normalize(wide, dim=1, eps=1e-8) if sim == "cos" else wide
    h, w = x.shape[2:]
    reach = k // 2 * dilation
    bordered = F.pad(centre, [reach] * 4)
    products = []
    for neighbour in range(k * k):
        y, column = (step * dilation for step in divmod(neighbour, k))
        if neighbour != k * k // 2:
            products.append((centre * bordered[:, :, y : y + h, column : column + w]).sum(1))
    return torch.stack(products, 1).to(x.dtype) if products else x.new_zeros(x.shape[0], 0, h, w)
