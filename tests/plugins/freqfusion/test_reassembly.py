"""CARAFE's reassembly, against loops over every pixel and against the form that unfolds."""

import copy

import numpy as np
import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode

from inspector_plugins.freqfusion.reassembly import carafe, hamming2D, kernels

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")


def by_loops(x, mask, k, group, up, padding):
    """The definition, in float64."""
    n, c, h, w = x.shape
    reach = k // 2
    mode = {"reflect": {"mode": "reflect"}, "zeros": {"mode": "constant"}}[padding]
    bordered = np.pad(x.double().numpy(), [(0, 0), (0, 0), (reach, reach), (reach, reach)], **mode)
    weights = mask.double().numpy().reshape(n, group, k, k, up * h, up * w)
    result = np.zeros((n, c, up * h, up * w))
    for i in range(n):
        for channel in range(c):
            for y in range(up * h):
                for column in range(up * w):
                    window = bordered[i, channel, y // up : y // up + k, column // up : column // up + k]
                    result[i, channel, y, column] = (window * weights[i, channel * group // c, :, :, y, column]).sum()
    return torch.from_numpy(result)


def by_unfolding(x, mask, k, up, padding):
    """Differentiable, with the large intermediates."""
    n, c, h, w = x.shape
    bordered = F.pad(x, [k // 2] * 4, mode="reflect" if padding == "reflect" else "constant")
    windows = F.interpolate(F.unfold(bordered, k).reshape(n, c * k * k, h, w), scale_factor=up, mode="nearest")
    return (windows.reshape(n, c, k * k, up * h, up * w) * mask[:, None]).sum(2)


def made(c, h, w, k, group=1, up=1, n=2, dtype=torch.float32):
    torch.manual_seed(c + h + w + k)
    x = torch.randn(n, c, h, w, dtype=dtype)
    return x, torch.randn(n, group * k * k, up * h, up * w, dtype=dtype)


@pytest.mark.parametrize("name", ["ff_carafe_k3_up1", "ff_carafe_mmcv_k3_up1", "ff_carafe_mmcv_k5_up2"])
def test_golden_carafe(golden, name):
    case = golden(name)
    case.close(carafe(case.inputs["x"], case.inputs["mask"], **case.config), case.outputs["y"])


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize(
    ("c", "h", "w", "k", "group", "up"),
    [
        (4, 5, 7, 3, 1, 1),
        (4, 5, 6, 5, 1, 2),
        (6, 4, 5, 3, 3, 2),
        (4, 3, 4, 5, 2, 3),
        (3, 6, 5, 1, 1, 2),
        (2, 1, 1, 5, 1, 2),
        (2, 1, 6, 3, 1, 2),
        (2, 2, 7, 5, 1, 1),
        (2, 2, 1, 7, 2, 1),
        (2, 3, 3, 9, 1, 1),
    ],
)
def test_definition(c, h, w, k, group, up, padding):
    x, mask = made(c, h, w, k, group, up)
    expected = by_loops(x, mask, k, group, up, padding)
    result = carafe(x, mask, k, group, up, padding)
    assert result.dtype == torch.float32 and result.is_contiguous()
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-5)
    sparse = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(carafe(sparse, mask, k, group, up, padding), result)


def test_default_border_mirrors():
    x, mask = made(2, 4, 4, 3)
    torch.testing.assert_close(carafe(x, mask, 3), carafe(x, mask, 3, padding="reflect"))
    assert not torch.allclose(carafe(x, mask, 3), carafe(x, mask, 3, padding="zeros"))


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize(
    ("c", "h", "w", "k", "group", "up"), [(4, 3, 4, 3, 2, 2), (2, 2, 1, 5, 1, 2), (2, 4, 3, 3, 1, 1)]
)
def test_gradient_is_that_of_finite_differences(c, h, w, k, group, up, padding):
    x, mask = made(c, h, w, k, group, up, n=1, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, b: carafe(a, b, k, group, up, padding), (x.requires_grad_(), mask.requires_grad_())
    )


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_gradient_is_that_of_unfolding(padding):
    x, mask = made(16, 9, 10, 5, up=2)
    x.requires_grad_(), mask.requires_grad_()
    given = torch.randn(2, 16, 18, 20)
    ours, theirs = carafe(x, mask, 5, up=2, padding=padding), by_unfolding(x, mask, 5, 2, padding)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for found, expected in zip(
        torch.autograd.grad(ours, (x, mask), given), torch.autograd.grad(theirs, (x, mask), given), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


class Largest(TorchDispatchMode):
    """The largest number of values in a tensor that any operator made."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not result._is_view():
            self.values = max(self.values, result.numel())
        return result


def test_no_intermediate_is_larger_than_the_output():
    x, mask = made(32, 12, 12, 5, up=2, n=1)
    x.requires_grad_(), mask.requires_grad_()
    with Largest() as watch:
        result = carafe(x, mask, 5, up=2)
        result.sum().backward()
    assert watch.values == result.numel()
    with Largest() as watch:
        by_unfolding(x, mask, 5, 2, "reflect")
    assert watch.values == 25 * result.numel()  # proof that the probe works


def test_kept_for_the_gradient_is_the_input_alone():
    x, mask = made(32, 12, 12, 5, up=2, n=1)
    x.requires_grad_(), mask.requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        carafe(x, mask, 5, up=2)
    assert sum(kept) <= 2 * (x.numel() * (16 / 12) ** 2 + mask.numel())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bit(dtype):
    x, mask = made(8, 6, 6, 5, up=2)
    mask = mask.softmax(1)
    x, mask = x.to(dtype), mask.to(dtype)
    exact = carafe(x.float(), mask.float(), 5, up=2)
    x.requires_grad_()
    result = carafe(x, mask, 5, up=2)
    assert result.dtype == dtype
    # Sums in float32: one rounding at the end.
    torch.testing.assert_close(
        result.float(), exact.to(dtype).float(), rtol=1e-2 if dtype == torch.bfloat16 else 1e-3, atol=1e-4
    )
    result.float().sum().backward()
    assert x.grad.dtype == dtype and x.grad.isfinite().all()
    # A float32 mask with 16-bit features, as autocast makes them.
    assert carafe(x, mask.float(), 5, up=2).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype):
    x, mask = made(8, 6, 6, 3)
    x.requires_grad_()
    with torch.autocast("cpu", dtype):
        result = carafe(x, mask.to(dtype), 3)
    assert result.dtype == torch.float32
    result.sum().backward()
    torch.testing.assert_close(result, carafe(x, mask, 3), rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("shape", "mask", "arguments", "told"),
    [
        ((1, 4, 5, 5), (1, 9, 5, 5), {"kernel_size": 4}, "odd kernel_size"),
        ((1, 4, 5, 5), (1, 9, 5, 5), {"kernel_size": 3, "up": 0}, "at least 1"),
        ((1, 4, 5, 5), (1, 9, 5, 5), {"kernel_size": 3, "up": 2}, r"\(1, 9, 10, 10\), not \(1, 9, 5, 5\)"),
        ((1, 4, 5, 5), (1, 9, 5, 5), {"kernel_size": 5}, r"\(1, 25, 5, 5\)"),
        ((2, 4, 5, 5), (1, 9, 5, 5), {"kernel_size": 3}, r"\(2, 9, 5, 5\)"),
        ((1, 4, 5, 5), (1, 27, 5, 5), {"kernel_size": 3, "group": 3}, "multiple of group 3"),
        ((4, 5, 5), (1, 9, 5, 5), {"kernel_size": 3}, r"\(N, C, H, W\)"),
        ((1, 4, 5, 5), (1, 9, 5, 5), {"kernel_size": 3, "padding": "same"}, "reflect or zeros, not 'same'"),
    ],
)
def test_impossible_arguments(shape, mask, arguments, told):
    with pytest.raises(ValueError, match=told):
        carafe(torch.zeros(shape), torch.zeros(mask), **arguments)


class Reassemble(torch.nn.Module):
    def __init__(self, kernel_size, group, up, padding):
        super().__init__()
        self.arguments = (kernel_size, group, up, padding)

    def forward(self, x, mask):
        return carafe(x, mask, *self.arguments)


@pytest.mark.parametrize("size", [(6, 5), (2, 3)])
@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_onnx_equals_eager(onnx_run, padding, size):
    module = Reassemble(5, 2, 2, padding)
    x, mask = made(4, *size, 5, 2, 2)
    (found,) = onnx_run(module, x, mask)
    torch.testing.assert_close(found, module(x, mask), rtol=1e-4, atol=1e-5)


def test_traced_equals_eager():
    module = Reassemble(3, 1, 2, "reflect")
    x, mask = made(4, 6, 5, 3, 1, 2)
    traced = torch.jit.trace(copy.deepcopy(module), (x, mask))
    other = [torch.randn_like(x), torch.randn_like(mask)]
    torch.testing.assert_close(traced(*other), module(*other))


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("hamming", [False, True])
def test_kernels_have_sum_one_and_the_window(hamming, group):
    logits = torch.randn(2, group * 25, 4, 3)
    found = kernels(logits, 5, group, hamming).reshape(2, group, 25, 4, 3)
    torch.testing.assert_close(found.sum(2), torch.ones(2, group, 4, 3))
    flat = kernels(torch.zeros(1, 25, 1, 1), 5, hamming=hamming).reshape(5, 5)
    window = np.array([0.08, 0.54, 1, 0.54, 0.08]) if hamming else np.ones(5)
    expected = np.outer(window, window)
    torch.testing.assert_close(flat.double(), torch.from_numpy(expected / expected.sum()), rtol=1e-5, atol=1e-7)
    ratio = found[:, :, 7] / found[:, :, 12]
    logit = logits.reshape(2, group, 25, 4, 3)
    share = 0.54 if hamming else 1.0  # one step above the centre
    torch.testing.assert_close(ratio, share * (logit[:, :, 7] - logit[:, :, 12]).exp(), rtol=1e-4, atol=1e-5)


def test_kernels_bear_large_logits_in_sixteen_bit():
    found = kernels(torch.full((1, 9, 2, 2), 6e4, dtype=torch.float16), 3, hamming=True)
    assert found.dtype == torch.float32 and found.isfinite().all()


@pytest.mark.parametrize("name", ["ff_hamming2D_5x5", "ff_hamming2D_3x3", "ff_hamming2D_5x3"])
def test_golden_hamming(golden, name):
    case = golden(name)
    case.close(torch.from_numpy(hamming2D(**case.config)), case.outputs["y"])


def test_hamming_formula():
    """0.54 - 0.46 cos(2 pi n / (N - 1)), arXiv 2408.12879 has it from Hamming."""
    along = [0.54 - 0.46 * np.cos(2 * np.pi * n / 4) for n in range(5)]
    across = [0.54 - 0.46 * np.cos(2 * np.pi * n / 6) for n in range(7)]
    np.testing.assert_allclose(hamming2D(5, 7), np.outer(along, across))
