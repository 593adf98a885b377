"""The neck and the upsampler as a YOLO uses them."""

import copy

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from inspector_plugins.freqfusion.blocks import CarafeUpsample, FreqFusionNeck

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")


def randomised(module: nn.Module) -> nn.Module:
    torch.manual_seed(4)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2)
    return module.eval()


def maps(c1, c2, h, w, n=1):
    torch.manual_seed(5)
    return [torch.randn(n, c1, -(-h // 2), -(-w // 2)), torch.randn(n, c2, h, w)]


@pytest.mark.parametrize(("c1", "c2"), [(8, 8), (9, 11), (64, 24), (256, 128)])
@pytest.mark.parametrize(("h", "w"), [(8, 6), (7, 6), (8, 5), (1, 1), (1, 4), (3, 1)])
def test_neck_keeps_the_shape_of_concatenation(c1, c2, h, w):
    found = FreqFusionNeck(c1, c2, 8)(maps(c1, c2, h, w, 2))
    assert found.shape == (2, c1 + c2, h, w) and found.isfinite().all()


def test_neck_is_the_fusion_deep_map_first():
    neck = randomised(FreqFusionNeck(16, 12, 8))
    deep, shallow = maps(16, 12, 8, 6)
    _, high, low = neck.fusion(shallow, deep)
    torch.testing.assert_close(neck([deep, shallow]), torch.cat([low, high], 1))


def test_neck_at_odd_sizes_repeats_the_last_row_and_column():
    neck = randomised(FreqFusionNeck(16, 12, 8))
    deep, shallow = maps(16, 12, 7, 5)
    whole = torch.cat([shallow, shallow[:, :, -1:]], 2)
    whole = torch.cat([whole, whole[..., -1:]], 3)
    torch.testing.assert_close(neck([deep, shallow]), neck([deep, whole])[:, :, :7, :5])


@pytest.mark.parametrize(("c1", "c2", "expected"), [(8, 8, 8), (256, 128, 48), (128, 128, 32)])
def test_neck_compresses_by_rule(c1, c2, expected):
    assert FreqFusionNeck(c1, c2, 8).fusion.compressed_channels == expected


def test_neck_refuses_maps_that_do_not_belong_together():
    with pytest.raises(ValueError, match="twice the size"):
        FreqFusionNeck(8, 8, 8)([torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 9, 9)])


def test_neck_learns():
    neck = FreqFusionNeck(16, 12, 8)
    neck(maps(16, 12, 7, 6)).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for name, p in neck.named_parameters() if name.endswith("weight"))


class Listed(nn.Module):
    """A neck with two arguments, for exports."""

    def __init__(self, neck):
        super().__init__()
        self.neck = neck

    def forward(self, deep, shallow):
        return self.neck([deep, shallow])


def test_neck_in_onnx_and_traced_equals_eager(onnx_run):
    module, inputs = Listed(randomised(FreqFusionNeck(16, 12, 8))), maps(16, 12, 7, 6)
    expected = module(*inputs)
    torch.testing.assert_close(onnx_run(module, *inputs)[0], expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(torch.jit.trace(module, inputs)(*inputs), expected, rtol=1e-4, atol=1e-5)


def by_formula(module: CarafeUpsample, x):
    """arXiv 1905.02188, with the windows unfolded and zeros beyond the border."""
    n, c, h, w = x.shape
    kernels = F.pixel_shuffle(module.content_encoder(module.channel_compressor(x)), 2).softmax(1)
    windows = F.unfold(x, 5, padding=2).reshape(n, c * 25, h, w)
    windows = windows.repeat_interleave(2, 2).repeat_interleave(2, 3).reshape(n, c, 25, 2 * h, 2 * w)
    return (windows * kernels[:, None]).sum(2)


@pytest.mark.parametrize("channels", [8, 13, 64])
@pytest.mark.parametrize(("h", "w"), [(5, 6), (1, 1), (1, 3)])
def test_upsampler_is_the_formula(channels, h, w):
    module = randomised(CarafeUpsample(channels, channels, 16))
    x = torch.randn(2, channels, h, w)
    found = module(x)
    assert found.shape == (2, channels, 2 * h, 2 * w)
    torch.testing.assert_close(found, by_formula(module, x), rtol=1e-4, atol=1e-5)


def test_upsampler_keys_and_size():
    """Those of mmcv's CARAFEPack of 256 channels: 1x1 to 64, 3x3 to 100."""
    shapes = {key: tuple(value.shape) for key, value in CarafeUpsample(256, 256, 16).state_dict().items()}
    assert shapes == {
        "channel_compressor.weight": (64, 256, 1, 1),
        "channel_compressor.bias": (64,),
        "content_encoder.weight": (100, 64, 3, 3),
        "content_encoder.bias": (100,),
    }
    with pytest.raises(ValueError, match="expected c2 = 16, not 32"):
        CarafeUpsample(16, 32, 8)


def test_upsampler_gradient_is_that_of_the_formula():
    module = randomised(CarafeUpsample(8, 8, 16)).double()
    x = torch.randn(1, 8, 4, 5, dtype=torch.float64, requires_grad=True)
    variables = (x, *module.parameters())
    found = torch.autograd.grad(module(x).square().sum(), variables)
    expected = torch.autograd.grad(by_formula(module, x).square().sum(), variables)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("h", "w"), [(6, 5), (1, 1)])
def test_upsampler_in_onnx_equals_eager(onnx_run, h, w):
    module, x = randomised(CarafeUpsample(16, 16, 16)), torch.randn(1, 16, h, w)
    torch.testing.assert_close(onnx_run(module, x)[0], module(x), rtol=1e-3, atol=1e-4)


def test_upsampler_flops():
    assert CarafeUpsample(16, 16, 8).flops(torch.zeros(2, 16, 3, 4)) == 2 * 25 * 2 * 16 * 6 * 8


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bit_copies_and_checkpoints(tmp_path, dtype):
    """Averaged, saved whole in 16 bit and read back, as ultralytics does."""
    for module, inputs in (
        (FreqFusionNeck(16, 12, 8), [maps(16, 12, 7, 6)]),
        (CarafeUpsample(16, 16, 8), [torch.randn(1, 16, 4, 5)]),
    ):
        randomised(module)
        expected = module(*inputs)
        torch.save(copy.deepcopy(module).to(dtype), tmp_path / "saved.pt")
        found = torch.load(tmp_path / "saved.pt", weights_only=False).float()(*inputs)
        torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)
        with torch.autocast("cpu", dtype):
            torch.testing.assert_close(module(*inputs).float(), expected, rtol=0.15, atol=0.15)
