"""The small modules of VMamba against torch's own."""

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

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


def test_linear_and_norm_over_channels():
    x = torch.randn(2, 6, 3, 4)
    linear, norm = Linear2d(6, 5), LayerNorm2d(6)
    nn.init.normal_(norm.weight)
    flat = x.permute(0, 2, 3, 1)
    torch.testing.assert_close(linear(x).permute(0, 2, 3, 1), flat @ linear.weight.T + linear.bias)
    centred = flat - flat.mean(-1, keepdim=True)
    expected = centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm(x).permute(0, 2, 3, 1), expected)


def test_adopting():
    x = torch.randn(2, 6, 3, 4)
    linear, norm = nn.Linear(6, 5, bias=False), nn.LayerNorm(6, eps=0.1)
    nn.init.normal_(norm.bias)
    torch.testing.assert_close(Linear2d.load_foreign(linear)(x).permute(0, 2, 3, 1), linear(x.permute(0, 2, 3, 1)))
    torch.testing.assert_close(LayerNorm2d.load_foreign(norm)(x).permute(0, 2, 3, 1), norm(x.permute(0, 2, 3, 1)))
    with pytest.raises(ValueError, match="weight is missing or has too few axes; there is weight, bias"):
        Linear2d.load_foreign(norm)


def test_spatial_softmax_sums_to_one():
    x = torch.randn(2, 3, 4, 5)
    first, last = SoftmaxSpatial(dim=-1)(x), SoftmaxSpatial(dim=1)(x.permute(0, 2, 3, 1))
    torch.testing.assert_close(first.sum((2, 3)), torch.ones(2, 3))
    torch.testing.assert_close(last.permute(0, 3, 1, 2), first)
    torch.testing.assert_close(Permute(0, 3, 1, 2)(last), first)


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    path, x = DropPath(0.25), torch.ones(4000, 2, 3)
    y = path(x)
    values = y.flatten(1)
    assert (values == values[:, :1]).all()
    assert y.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert float(y.mean()) == pytest.approx(1, abs=0.03)
    assert path.eval()(x) is x
    with pytest.raises(ValueError, match=r"less than 1, got 1"):
        DropPath(1.0)


@pytest.mark.parametrize("kind", [Mlp, gMlp])
def test_mlp_in_both_layouts(kind):
    last, first = kind(4, 6, 5), kind(4, 6, 5, channels_first=True)
    first.load_state_dict(last.state_dict())
    x = torch.randn(2, 3, 3, 4)
    torch.testing.assert_close(first(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), last(x))
    hidden = x @ last.fc1.weight.T + last.fc1.bias
    hidden = nn.functional.gelu(hidden) if kind is Mlp else hidden[..., :6] * nn.functional.gelu(hidden[..., 6:])
    torch.testing.assert_close(last(x), hidden @ last.fc2.weight.T + last.fc2.bias)


def test_patch_merging():
    """Order of the pixels: (0, 0), (1, 0), (0, 1), (1, 1) of every patch; odd sides get zeros."""
    merging = PatchMerging2D(1, 4, nn.Identity)
    nn.init.eye_(merging.reduction.weight)
    x = torch.arange(1.0, 10).reshape(1, 3, 3, 1)
    y = merging(x)
    assert y.shape == (1, 2, 2, 4)
    assert y[0].tolist() == [[[1, 4, 2, 5], [3, 6, 0, 0]], [[7, 0, 8, 0], [9, 0, 0, 0]]]
    first = PatchMerging2D(1, 4, nn.Identity, channel_first=True)
    nn.init.eye_(first.reduction.weight)
    torch.testing.assert_close(first(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), y)
