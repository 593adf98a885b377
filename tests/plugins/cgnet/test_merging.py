import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.cgnet.merging import merge


def norm(channels: int) -> nn.BatchNorm2d:
    torch.manual_seed(0)
    module = nn.BatchNorm2d(channels, eps=0.05).eval()
    for value, low in ((module.running_mean, -1), (module.running_var, 0.2), (module.weight, -1), (module.bias, -1)):
        nn.init.uniform_(value, low, 2)
    return module


@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_side_by_side_take_the_normalisation_over(bias):
    first, second = nn.Conv2d(3, 4, 3, bias=bias), nn.Conv2d(3, 5, 3, bias=bias)
    after, x = norm(9), torch.randn(2, 3, 6, 7)
    expected = after(torch.cat([first(x), second(x)], 1))
    nothing = merge(after, first, second)
    assert isinstance(nothing, nn.Identity)
    torch.testing.assert_close(torch.cat([first(x), second(x)], 1), expected, rtol=1e-5, atol=1e-5)
    weight = first.weight.clone()
    assert merge(nothing, first, second) is nothing
    assert torch.equal(first.weight, weight)


def test_weights_of_16_bit_are_rounded_once():
    conv, after = nn.Conv2d(20, 30, 3).half(), norm(30).half()
    scale = after.weight.double() / (after.running_var.double() + after.eps).sqrt()
    weight = conv.weight.double() * scale[:, None, None, None]
    bias = (conv.bias.double() - after.running_mean.double()) * scale + after.bias.double()
    merge(after, conv)
    assert conv.weight.dtype == conv.bias.dtype == torch.float16
    for merged, exact in ((conv.weight, weight), (conv.bias, bias)):
        torch.testing.assert_close(merged.double(), exact, rtol=2**-11 * 1.01, atol=1e-7)


def test_frozen_weights_stay_frozen():
    conv = nn.Conv2d(2, 3, 1, bias=False).requires_grad_(False)
    merge(norm(3), conv)
    assert not conv.weight.requires_grad and not conv.bias.requires_grad
