import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn
from torch.nn import functional

from inspector_plugins.unireplknet import merging


@pytest.mark.parametrize(("size", "dilation", "large"), [(3, 1, 3), (3, 1, 7), (3, 3, 7), (9, 2, 17), (3, 7, 15)])
def test_a_dense_kernel_does_what_the_dilated_one_does(size, dilation, large):
    kernel, x = torch.randn(3, 1, size, size, dtype=torch.float64), torch.randn(2, 3, 8, 20, dtype=torch.float64)
    expected = functional.conv2d(x, kernel, padding=dilation * (size // 2), dilation=dilation, groups=3)
    dense = merging.dense(kernel, dilation, large)
    torch.testing.assert_close(functional.conv2d(x, dense, padding=large // 2, groups=3), expected)
    assert dense.shape == (3, 1, large, large) and int((dense != 0).sum()) == kernel.numel()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("eps", [1e-5, 1e-3, 1.0])
def test_folded_convolutions_normalise(bias, eps, randomised):
    conv, norm = nn.Conv2d(6, 6, 5, padding=2, groups=6, bias=bias), nn.BatchNorm2d(6, eps=eps)
    both = randomised(nn.Sequential(conv, norm)).double()
    x = torch.randn(2, 6, 7, 4, dtype=torch.float64)
    torch.testing.assert_close(merging.folded(conv, norm)(x), both(x))


def test_a_normalisation_without_statistics_is_refused():
    with pytest.raises(ValueError, match="without running statistics"):
        merging.scale_and_shift(nn.BatchNorm2d(4, track_running_stats=False))
