import copy
import io

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.dysample.layers import DySample

KINDS = {
    "lp": {"in_channels": 8},
    "lp-3": {"in_channels": 6, "scale": 3, "groups": 2},
    "lp+": {"in_channels": 8, "groups": 1, "dyscope": True},
    "pl": {"in_channels": 16, "style": "pl"},
    "pl+": {"in_channels": 18, "scale": 3, "style": "pl", "groups": 2, "dyscope": True},
}


def random(**arguments) -> DySample:
    """Offsets of about a pixel, so that they matter and points fall outside the map."""
    torch.manual_seed(0)
    module = DySample(**arguments).eval()
    for value in module.parameters():
        nn.init.normal_(value, std=2.0 if value.ndim == 1 else 1.0)
    return module


@pytest.fixture(params=KINDS)
def layer(request):
    return random(**KINDS[request.param])


def read(plane, y: float, x: float) -> float:
    """Bilinear interpolation at a point in pixels (centres are whole numbers), clamped to the map."""
    height, width = len(plane), len(plane[0])
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    v, u = y - top, x - left
    upper = plane[top][left] * (1 - u) + plane[top][right] * u
    lower = plane[bottom][left] * (1 - u) + plane[bottom][right] * u
    return upper * (1 - v) + lower * v


def equation(module: DySample, x: torch.Tensor) -> torch.Tensor:
    """The paper's S = G + O and the sampling, pixel by pixel."""
    s, groups = module.scale, module.groups
    n, channels, height, width = x.shape

    def linear(conv, batch, i, j, sub):
        """Offsets of a pixel of the result: conv at the low pixel (lp), or over the shuffled channels (pl)."""
        weight = conv.weight.detach().double()[:, :, 0, 0]
        bias = conv.bias.detach().double() if conv.bias is not None else torch.zeros(len(weight)).double()
        if module.style == "pl":
            return weight @ x[batch, sub :: s * s, i, j].double() + bias
        return (weight @ x[batch, :, i, j].double() + bias)[sub :: s * s]

    result = torch.zeros(n, channels, s * height, s * width)
    for batch in range(n):
        planes = x[batch].double().tolist()
        for row in range(s * height):
            for column in range(s * width):
                i, j, sub = row // s, column // s, row % s * s + column % s
                offset = linear(module.offset, batch, i, j, sub)
                if module.scope is None:
                    offset = offset * 0.25
                else:
                    offset = offset * linear(module.scope, batch, i, j, sub).sigmoid() * 0.5
                for channel in range(channels):
                    group = channel // (channels // groups)
                    at_x = (column + 0.5) / s - 0.5 + offset[group].item()
                    at_y = (row + 0.5) / s - 0.5 + offset[groups + group].item()
                    result[batch, channel, row, column] = read(planes[channel], at_y, at_x)
    return result


@pytest.mark.parametrize("size", [(3, 5), (1, 1), (1, 4)])
def test_result_is_the_equation(layer, size):
    x = torch.randn(2, layer.offset.in_channels * (layer.scale**2 if layer.style == "pl" else 1), *size)
    torch.testing.assert_close(layer(x), equation(layer, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arguments", KINDS.values(), ids=KINDS)
def test_without_offsets_it_is_bilinear(arguments):
    module = DySample(**arguments)
    nn.init.zeros_(module.offset.weight)
    x = torch.randn(2, arguments["in_channels"], 5, 7)
    expected = nn.functional.interpolate(x, scale_factor=module.scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)


def test_it_starts_near_bilinear():
    torch.manual_seed(0)
    x = torch.randn(1, 64, 20, 20)
    expected = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    output = DySample(64)(x)
    assert 0 < (output - expected).abs().max() < 0.1


def test_keys_and_first_points():
    state = DySample(8, dyscope=True).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "init_pos": (1, 32, 1, 1),
        "offset.weight": (32, 8, 1, 1),
        "offset.bias": (32,),
        "scope.weight": (32, 8, 1, 1),
    }
    assert not state["scope.weight"].any() and not state["offset.bias"].any() and state["offset.weight"].any()
    quarter = torch.tensor([-0.25, 0.25])
    x, y = state["init_pos"].reshape(2, 4, 2, 2)
    assert torch.equal(x, quarter.expand(4, 2, 2)) and torch.equal(y, quarter[:, None].expand(4, 2, 2))
    assert set(DySample(8).state_dict()) == {"init_pos", "offset.weight", "offset.bias"}


def channels_of(layer: DySample) -> int:
    return layer.offset.in_channels * (layer.scale**2 if layer.style == "pl" else 1)


def test_gradients(layer):
    layer.double()
    nn.init.normal_(layer.offset.weight, std=0.05)  # away from the kinks of the interpolation
    nn.init.constant_(layer.offset.bias, 0.3)
    x = torch.randn(1, channels_of(layer), 3, 4, dtype=torch.double, requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(layer, {"offset.weight": weight, "offset.bias": bias}, (x,))

    arguments = (x, layer.offset.weight, layer.offset.bias)
    assert torch.autograd.gradcheck(run, arguments, fast_mode=True)


def test_onnx_is_equal(layer, onnx_run):
    for size in ((5, 7), (1, 1)):
        x = torch.randn(2, channels_of(layer), *size)
        torch.testing.assert_close(onnx_run(layer, x)[0], layer(x), rtol=1e-4, atol=1e-4)


def test_a_trace_takes_other_sizes(layer):
    traced = torch.jit.trace(layer, torch.randn(2, channels_of(layer), 5, 7))
    x = torch.randn(3, channels_of(layer), 9, 4)
    torch.testing.assert_close(traced(x), layer(x))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_fewer_bits_keep_the_points(kind):
    """At 160 pixels 16 bits cannot distinguish neighbouring points; the points are kept in 32."""
    module = DySample(8)
    nn.init.zeros_(module.offset.weight)
    x = torch.linspace(0, 1, 160).expand(1, 8, 160, 160).contiguous()
    expected = module(x)
    with torch.autocast("cpu", kind):
        output = module(x)
    assert torch.equal(output, expected)
    halved = copy.deepcopy(module).to(kind)(x.to(kind))
    assert halved.dtype == kind
    torch.testing.assert_close(halved.float(), expected, rtol=0.01, atol=0.005)


def test_random_offsets_in_fewer_bits(layer):
    nn.init.normal_(layer.offset.weight, std=0.1)
    x = torch.randn(2, channels_of(layer), 6, 7)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(x).float(), layer.float()(x), rtol=0.05, atol=0.1)


def test_a_half_checkpoint_and_a_copy_come_back(layer):
    x = torch.randn(1, channels_of(layer), 6, 7)
    file = io.BytesIO()
    torch.save(copy.deepcopy(layer).half(), file)
    file.seek(0)
    with torch.serialization.safe_globals([DySample, nn.Conv2d]):
        back = torch.load(file, weights_only=True).float()
    torch.testing.assert_close(back(x), layer(x), rtol=0.01, atol=0.02)
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(layer.to(memory_format=torch.channels_last)(last), layer(x), rtol=1e-4, atol=1e-4)


def test_points_do_not_come_from_the_buffer(layer):
    x = torch.randn(1, channels_of(layer), 4, 4)
    expected = layer(x)
    layer.init_pos.zero_()
    assert torch.equal(layer(x), expected)


def test_flops_grow_with_everything():
    count = DySample(8).flops(torch.zeros(1, 8, 4, 5))
    assert count == 80 * (4 * 16 + 8 * 7)
    assert DySample(8).flops(torch.zeros(3, 8, 8, 5)) == 6 * count
    assert DySample(8, groups=2).flops(torch.zeros(1, 8, 4, 5)) < count


class Placeholder(nn.Module):
    """Placeholder for a class of other code."""


def foreign(layer: DySample) -> Placeholder:
    stand_in = Placeholder()
    stand_in.offset = layer.offset
    if layer.scope is not None:
        stand_in.scope = layer.scope
    stand_in.register_buffer("init_pos", layer.init_pos)
    return stand_in


@pytest.mark.parametrize("half", [False, True])
def test_foreign_modules_come_over(layer, half):
    x = torch.randn(1, channels_of(layer), 4, 4)
    loaded = DySample.load_foreign(foreign(layer.half() if half else layer))
    assert not loaded.training
    assert (loaded.scale, loaded.style, loaded.groups) == (layer.scale, layer.style, layer.groups)
    assert torch.equal(loaded(x), layer.float()(x))


def test_others_are_refused_by_their_keys():
    with pytest.raises(ValueError, match=r"offset\.weight is missing"):
        DySample.load_foreign(Placeholder())
    extra = foreign(DySample(8))
    extra.end_conv = nn.Conv2d(8, 8, 1)
    with pytest.raises(ValueError, match=r'Unexpected .*"end_conv\.weight", "end_conv\.bias"'):
        DySample.load_foreign(extra)
    other = foreign(DySample(8))
    other.offset = nn.Conv2d(8, 12, 1)
    with pytest.raises(ValueError, match=r"size mismatch for offset\.weight"):
        DySample.load_foreign(other)
    kernel = foreign(DySample(8))
    kernel.offset = nn.Conv2d(8, 32, 3, padding=1)
    with pytest.raises(ValueError, match=r"size mismatch for offset.weight.*\[32, 8, 3, 3\].*\[32, 8, 1, 1\]"):
        DySample.load_foreign(kernel)
    moved = foreign(DySample(8))
    moved.init_pos = moved.init_pos + 1
    with pytest.raises(ValueError, match="init_pos holds other points"):
        DySample.load_foreign(moved)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, 0), "scale must be at least 1 and is 0"),
        ((8, 2, "xx"), "'lp' or 'pl' and is 'xx'"),
        ((6,), "4 groups, 6 channels"),
        ((8, 2, "lp", 0), "0 groups"),
        ((0,), "0 channels"),
        ((6, 2, "pl", 2), "divisible by 4.*not 6"),
    ],
)
def test_impossible_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        DySample(*arguments)
