"""Every layer of the catalogue at its contract: sizes, gradients, 16 bit, export, merging, refusals, a checkpoint.

``tests/reference`` compares them with the official code.
"""

import copy
import itertools
import math

import pytest

from inspector import registry
from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.utils.torch_utils import initialize_weights

from inspector_plugins.shaped_convolutions.sampling import DeformAggregation
from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures

FAMILIES = (
    "attentions", "large_kernels", "window_attention", "resampling", "light_blocks", "merged_convolutions",
    "shaped_convolutions", "dynamic_convolutions", "slim_neck",
)  # fmt: skip
REGISTRY = registry.load(plugins=False)
LAYERS = tuple(REGISTRY.layers.values())
SPECS = [
    spec for spec in LAYERS
    if any(record.id in FAMILIES and ("layer", spec.id) in record.specs for record in REGISTRY.records)
]  # fmt: skip
SAME = ("attention", "block")  # kinds that keep the channels
C1, C2 = 16, 24


def build(spec, c1=C1, c2=None, stride=8):
    """The layer in evaluation mode with random weights and statistics, as after a training."""
    torch.manual_seed(1)
    c2 = c1 if spec.kind in (*SAME, "upsample") else c2 or C2
    module = nn.Sequential((spec.build or spec.load()[0])(c1, c2, stride))
    initialize_weights(module)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.3)
    return module.eval()


def size_of(spec, height, width):
    if spec.kind == "downsample":
        return -(-height // 2), -(-width // 2)
    return (2 * height, 2 * width) if spec.kind == "upsample" else (height, width)


@pytest.fixture(params=SPECS, ids=[spec.id for spec in SPECS])
def spec(request):
    return request.param


def test_it_is_described_in_both_languages(spec):
    assert all((spec.title.en, spec.title.zh, spec.about.en, spec.about.zh, spec.paper))
    assert spec.about.en.endswith(".") and spec.about.zh.endswith("。")


@pytest.mark.parametrize("size", [(7, 9), (2, 2), (1, 1)])
def test_it_has_the_size_of_its_kind_for_odd_maps(spec, size):
    module = build(spec)
    with torch.no_grad():
        found = module(torch.randn(2, C1, *size))
    wanted = C1 if spec.kind in (*SAME, "upsample") else C2
    assert found.shape == (2, wanted, *size_of(spec, *size)) and torch.isfinite(found).all()


def test_every_weight_learns(spec):
    module = build(spec).train()
    x = torch.randn(2, C1, 12, 16, requires_grad=True)
    module(x).square().mean().backward()
    assert torch.isfinite(x.grad).all() and x.grad.any()
    idle = [name for name, value in module.named_parameters() if value.requires_grad and value.grad is None]
    assert not idle
    assert all(torch.isfinite(value.grad).all() for value in module.parameters() if value.grad is not None)


def test_in_bfloat16_it_computes_nearly_the_same(spec):
    module, x = build(spec), torch.randn(2, C1, 12, 16)
    with torch.no_grad():
        expected = module(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = module(x).float()
    assert torch.isfinite(found).all()
    error = (found - expected).abs().mean() / expected.abs().mean().clamp(min=1e-3)
    assert error < 0.08


def test_onnx_and_openvino_equal_torch(spec, onnx_run):
    module, x = build(spec), torch.randn(1, C1, 10, 14)
    with torch.no_grad():
        expected = module(x)
    for part in list(module.modules()):  # as before every export
        if callable(getattr(part, "reparameterize", None)):
            part.reparameterize()
    (found,) = onnx_run(module, x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * max(1.0, float(expected.abs().max())))


def test_merged_it_computes_the_same(spec):
    module = build(spec).double()
    parts = [part for part in module.modules() if callable(getattr(part, "reparameterize", None))]
    if not parts:
        pytest.skip("it has nothing to merge")
    x = torch.randn(2, C1, 9, 7, dtype=torch.float64)
    with torch.no_grad():
        expected, before = module(x), sum(value.numel() for value in module.parameters())
        merged = copy.deepcopy(module)
        next(part for part in merged.modules() if callable(getattr(part, "reparameterize", None))).reparameterize()
        torch.testing.assert_close(merged(x), expected, rtol=1e-9, atol=1e-9)
    assert sum(value.numel() for value in merged.parameters()) < before


def test_channels_that_differ_are_refused_by_name(spec):
    if spec.kind not in (*SAME, "upsample"):
        pytest.skip("it may change the channels")
    with pytest.raises(ValueError, match="keeps the channels; c1 is 16, c2 is 24"):
        spec.build(16, 24, 8)


@pytest.mark.parametrize("version", [3, 4])
def test_deformable_aggregation_by_hand(version):
    """Tap by tap, in 64 bit: bilinear, zeros beyond the map."""
    torch.manual_seed(2)
    module = DeformAggregation(4, 6, 2, version).double()
    for conv in (module.offset, module.mask):
        nn.init.normal_(conv.weight, 0, 0.6)
        nn.init.normal_(conv.bias, 0, 0.6)
    x, height, width = torch.randn(1, 4, 4, 5).double(), 4, 5
    with torch.no_grad():
        seen = x
        if version == 3:
            seen = nn.functional.gelu(module.norm(module.dw_conv(x).movedim(1, 3)).movedim(3, 1))
        values, offset, mask = module.input_proj(x)[0], module.offset(seen)[0], module.mask(seen)[0]

        def at(channel, row, column):
            inside = 0 <= row < height and 0 <= column < width
            return float(values[channel, row, column]) if inside else 0.0

        result = torch.zeros(6, height, width).double()
        for group, row, column in itertools.product(range(2), range(height), range(width)):
            factors = mask[9 * group : 9 * group + 9, row, column]
            factors = factors.softmax(0) if version == 3 else factors
            for tap in range(9):
                down, right = offset[18 * group + 2 * tap :][:2, row, column].tolist()
                y, z = row + tap // 3 - 1 + down, column + tap % 3 - 1 + right
                top, left = math.floor(y), math.floor(z)
                for channel in range(3 * group, 3 * group + 3):
                    for i, j in itertools.product((0, 1), (0, 1)):
                        share = (1 - abs(y - top - i)) * (1 - abs(z - left - j))
                        result[channel, row, column] += float(factors[tap]) * share * at(channel, top + i, left + j)
        torch.testing.assert_close(module(x), module.output_proj(result[None]))


SAMPLE = [
    "attention=cbam", "attention=bra+pooling=sppf_lska", "block=irmb+down=hwd", "block=pki+upsample=eucb",
    "convolution=dbb", "convolution=orepa", "convolution=dy_snake", "convolution=dynamic_conv+down=spd_conv",
    "block=repvit+attention=se",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_a_checkpoint_of_a_sample(name):
    YoloArchitectures(LAYERS).check(f"yolo11n-seg+{name}")
