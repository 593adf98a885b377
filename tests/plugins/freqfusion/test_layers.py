"""FreqFusion and its sampler, against the golden cases and against their formulas written with unfold."""

import copy
import itertools

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from inspector_plugins.freqfusion.layers import (
    FreqFusion,
    FreqFusionSum,
    LocalSimGuidedSampler,
    carafe,
    compute_similarity,
    hamming2D,
)

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")


def randomised(module: nn.Module, deviation: float = 0.2) -> nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=deviation)
    return module.eval()


def maps(hr=12, lr=16, h=5, w=4, n=2):
    torch.manual_seed(2)
    return torch.randn(n, hr, 2 * h, 2 * w), torch.randn(n, lr, h, w)


def small(**arguments):
    return randomised(FreqFusion(12, 16, compressed_channels=8, **arguments))


FUSIONS = [
    "ff_default",
    "ff_resample",
    "ff_no_hr_residual",
    "ff_no_compup",
    "ff_no_semiconv_nearest",
    "ff_no_hamming",
    "ff_use_low_pass_False",
]
SAMPLERS = ["ff_sampler_default", "ff_sampler_sim", "ff_sampler_nodirect", "ff_sampler_dot_unused"]


@pytest.mark.parametrize("name", FUSIONS)
def test_golden_fusion(golden, name):
    case = golden(name)
    module = FreqFusion(**case.config).eval()
    assert list(module.state_dict()) == list(case.state_dict)
    module.load_state_dict(case.state_dict)
    found = module(**case.inputs)
    for output, expected in zip(found, case.outputs.values(), strict=True):
        case.close(output, expected)


@pytest.mark.parametrize("name", SAMPLERS)
def test_golden_sampler(golden, name):
    case = golden(name)
    module = LocalSimGuidedSampler(**case.config).eval()
    assert list(module.state_dict()) == list(case.state_dict)
    torch.testing.assert_close(module.init_pos, case.state_dict["init_pos"])
    module.load_state_dict(case.state_dict)
    case.close(module(**case.inputs), case.outputs["y"])


# The formulas again, with the intermediates that the layers do not make.


def unfolded_carafe(x, mask, k, up, padding, group=1):
    n, c, h, w = x.shape
    mode = "reflect" if padding == "reflect" else "constant"
    windows = F.unfold(F.pad(x, [k // 2] * 4, mode=mode), k).reshape(n, c * k * k, h, w)
    windows = F.interpolate(windows, scale_factor=up, mode="nearest").reshape(
        n, group, c // group, k * k, up * h, up * w
    )
    return (windows * mask.reshape(n, group, 1, k * k, up * h, up * w)).sum(3).flatten(1, 2)


def normalised(logits, k, group, hamming):
    n, _, h, w = logits.shape
    result = logits.reshape(n, group, k * k, h, w).softmax(2)
    if hamming:
        result = result * torch.from_numpy(hamming2D(k, k)).to(result).reshape(k * k, 1, 1)
    return (result / result.sum(2, keepdim=True)).flatten(1, 2)


def by_formula(m: FreqFusion, hr, lr):
    """(hr', lr'), as in the class's docstring."""
    k, k2, g, pad = m.lowpass_kernel, m.highpass_kernel, m.up_group, m.padding

    def low(x, logits, up):
        return unfolded_carafe(x, normalised(logits, k, g, m.hamming_window), k, up, pad, g)

    def high(x, logits):
        return unfolded_carafe(x, normalised(logits, k2, g, m.hamming_window), k2, 1, pad, g)

    def nearest(x):
        return F.interpolate(x, hr.shape[2:])

    h, small_map, encode = m.hr_channel_compressor(hr), m.lr_channel_compressor(lr), m.content_encoder
    encode2 = m.content_encoder2 if m.use_high_pass else None
    m_high = None
    if not m.semi_conv:
        m_low = encode(h + nearest(small_map))
        m_high = encode2(h + nearest(small_map)) if encode2 else None
    elif not m.comp_feat_upsample:
        m_low = encode(h) + nearest(encode(small_map))
        m_high = encode2(h) + nearest(encode2(small_map)) if encode2 else None
    else:
        if encode2:
            e2 = encode2(h)
            h = 2 * h - high(h, e2)
        e = encode(h)
        m_low = e + low(encode(small_map), e, 2)
        if encode2:
            m_high = e2 + low(encode2(small_map), m_low, 2)
    enlarged = F.interpolate(lr, hr.shape[2:], mode=m.upsample_mode) if not m.semi_conv else lr
    fused_lr = low(enlarged, m_low, 2 if m.semi_conv else 1)
    if m_high is None:
        return hr, fused_lr
    details = hr - high(hr, m_high)
    return (hr + details if m.hr_residual else details), fused_lr


CONFIGURATIONS = [
    {},
    {"padding": "zeros"},
    {"lowpass_kernel": 3, "highpass_kernel": 5},
    {"up_group": 2},
    {"up_group": 4, "padding": "zeros", "hamming_window": False},
    {"encoder_kernel": 1},
    {"encoder_dilation": 2},
    {"use_high_pass": False},
    {"use_high_pass": False, "comp_feat_upsample": False},
    {"use_high_pass": False, "semi_conv": False},
    {"comp_feat_upsample": False, "hr_residual": False},
    {"semi_conv": False, "upsample_mode": "bilinear"},
    {"semi_conv": False, "upsample_mode": "bicubic"},
    {"use_low_pass": False, "feature_resample_norm": False},
]


@pytest.mark.parametrize("arguments", CONFIGURATIONS, ids=str)
def test_formula(arguments):
    module = small(**arguments)
    hr, lr = maps()
    mask, found_hr, found_lr = module(hr, lr)
    expected_hr, expected_lr = by_formula(module, hr, lr)
    torch.testing.assert_close(found_hr, expected_hr, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found_lr, expected_lr, rtol=1e-4, atol=1e-5)
    assert mask.shape == (2, module.up_group * module.lowpass_kernel**2, 10, 8)
    torch.testing.assert_close(mask.sum(1), torch.full((2, 10, 8), float(module.up_group)))


def test_gradient_is_that_of_the_formula():
    module = small().double()
    hr, lr = (value.double().requires_grad_() for value in maps())
    _, found_hr, found_lr = module(hr, lr)
    expected_hr, expected_lr = by_formula(module, hr, lr)
    variables = (hr, lr, *module.parameters())
    found = torch.autograd.grad(found_hr.square().sum() + found_lr.square().sum(), variables)
    expected = torch.autograd.grad(expected_hr.square().sum() + expected_lr.square().sum(), variables)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_constant_maps_stay_constant():
    """Kernels of sum 1 keep a constant; a high-pass filter removes it."""
    hr, lr = torch.full((1, 12, 6, 8), 3.0), torch.full((1, 16, 3, 4), -2.0)
    _, found_hr, found_lr = small()(hr, lr)
    torch.testing.assert_close(found_hr, hr)
    torch.testing.assert_close(found_lr, torch.full((1, 16, 6, 8), -2.0))
    _, details, _ = small(hr_residual=False)(hr, lr)
    torch.testing.assert_close(details, torch.zeros_like(hr))


def test_initial_kernels_are_nearly_the_window():
    """The encoders start near zero, the biases at zero."""
    module = FreqFusion(12, 16, compressed_channels=8, feature_resample=True)
    assert module.content_encoder.weight.std() < 0.002 and module.content_encoder2.weight.std() < 0.002
    assert module.hr_channel_compressor.weight.std() > 0.05
    assert module.dysampler.direct_scale.weight.std() > 0.01  # overwritten, as officially
    assert not any(part.bias.any() for part in module.modules() if isinstance(part, nn.Conv2d))
    alone = LocalSimGuidedSampler(8)
    assert not alone.direct_scale.weight.any() and 0 < alone.offset.weight.std() < 0.002


def sampler(**arguments):
    module = LocalSimGuidedSampler(8, **arguments)
    for parameter in (p for name, p in module.named_parameters() if "norm" not in name):
        nn.init.zeros_(parameter)
    return module.eval()


def test_sampler_without_offsets_changes_nothing():
    hr, lr = maps(8, 8)
    picture = torch.randn(2, 8, 10, 8)
    torch.testing.assert_close(sampler()(hr, lr, picture), picture, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("direct", [True, False])
def test_sampler_moves_by_its_offsets_group_by_group(direct):
    """Half a low-resolution pixel is one pixel of the map: to the right in group 0, down in group 1."""
    module = sampler(groups=2, use_direct_scale=direct)
    factor = 0.5 if direct else 0.25  # sigmoid(0), or the fixed scale
    with torch.no_grad():
        module.offset.bias[0:4] = 0.5 / factor  # x of group 0
        module.hr_offset.bias[3] = 0.5 / factor  # y of group 1
    hr, lr = maps(8, 8)
    picture = torch.randn(2, 4, 10, 8)
    found = module(hr, lr, picture)
    right = torch.cat([picture[..., 1:], picture[..., -1:]], 3)
    below = torch.cat([picture[..., 1:, :], picture[..., -1:, :]], 2)
    torch.testing.assert_close(found[:, :2], right[:, :2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[:, 2:], below[:, 2:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("direction", ["sim", "sim_concat"])
def test_get_offset_is_the_formula(direction):
    module = randomised(LocalSimGuidedSampler(8, direction_feat=direction, local_window=5, kernel_size=3, groups=2))
    hr, lr = maps(8, 8)

    def directions(x, norm):
        x = norm(x)
        similarity = compute_similarity(x, 5, 2)
        both = torch.cat([x, similarity], 1)
        return (similarity, x) if direction == "sim" else (both, both)

    (o_hr, d_hr), (o_lr, d_lr) = directions(hr, module.norm_hr), directions(lr, module.norm_lr)
    offsets = F.pixel_shuffle(module.offset(o_lr), 2) + module.hr_offset(o_hr)
    scales = F.pixel_shuffle(module.direct_scale(d_lr), 2) + module.hr_direct_scale(d_hr)
    expected = F.pixel_unshuffle(offsets * scales.sigmoid(), 2) + module.init_pos
    found = module.get_offset(hr, lr)
    assert found.shape == (2, 2 * 2 * 4, 5, 4)
    torch.testing.assert_close(found, expected)


def test_sampler_gradient():
    module = randomised(LocalSimGuidedSampler(8, groups=2), 0.02).double()
    inputs = [torch.randn(1, 8, 4, 4), torch.randn(1, 8, 2, 2), torch.randn(1, 2, 4, 4)]
    assert torch.autograd.gradcheck(module, [value.double().requires_grad_() for value in inputs], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"scale_factor": 2}, "scale_factor 1 only"),
        ({"lowpass_kernel": 4}, "odd lowpass_kernel"),
        ({"highpass_kernel": 2}, "odd highpass_kernel"),
        ({"encoder_kernel": 0}, "odd encoder_kernel"),
        ({"encoder_dilation": 0}, "encoder_dilation"),
        ({"up_group": 3}, "up_group 3"),
        ({"up_group": 0}, "up_group 0"),
        ({"compressed_channels": 0}, "not .12, 16, 0"),
        ({"upsample_mode": "area"}, "nearest, bilinear or bicubic"),
        ({"padding": "replicate"}, "reflect or zeros"),
        ({"feature_resample": True, "feature_resample_group": 5}, "in 5 groups, not 16"),
        ({"feature_resample": True, "compressed_channels": 4}, "in_channels"),
        ({"feature_resample": True, "compressed_channels": 28}, "groups of equal size"),
    ],
)
def test_impossible_arguments_of_the_fusion(arguments, told):
    with pytest.raises(ValueError, match=told):
        FreqFusion(12, 16, **arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"scale": 3}, "scale 2"),
        ({"style": "pl"}, "style lp"),
        ({"groups": 3}, "multiple of groups"),
        ({"kernel_size": 2}, "odd kernel_size"),
        ({"local_window": 1}, "odd local_window of at least 3"),
        ({"direction_feat": "both"}, "sim or sim_concat"),
    ],
)
def test_impossible_arguments_of_the_sampler(arguments, told):
    with pytest.raises(ValueError, match=told):
        LocalSimGuidedSampler(16, **arguments)


@pytest.mark.parametrize("hr", [(9, 8), (10, 9), (5, 4), (20, 16)])
@pytest.mark.parametrize(
    "arguments", [{}, {"comp_feat_upsample": False}, {"semi_conv": False, "feature_resample": True}]
)
def test_maps_that_are_not_double_are_refused(arguments, hr):
    module = FreqFusion(12, 16, compressed_channels=8, **arguments)
    with pytest.raises(ValueError, match=f"10x8 beside 5x4 .*not {hr[0]}x{hr[1]}"):
        module(torch.zeros(1, 12, *hr), torch.zeros(1, 16, 5, 4))


def test_wrong_channels_and_images_are_refused():
    hr, lr = maps()
    with pytest.raises(ValueError, match=r"hr_feat \(N, 12, H, W\), not \(2, 16, 10, 8\)"):
        small()(lr.repeat(1, 1, 2, 2), lr)
    with pytest.raises(ValueError, match="2 and 1 images"):
        small()(hr, lr[:1])
    with pytest.raises(ValueError, match="4 groups, not 6"):
        LocalSimGuidedSampler(8)(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 2, 2), torch.zeros(1, 6, 4, 4))


def test_any_sizes_without_semi_conv():
    _, hr, lr = small(semi_conv=False)(torch.randn(1, 12, 9, 7), torch.randn(1, 16, 4, 5))
    assert hr.shape == (1, 12, 9, 7) and lr.shape == (1, 16, 9, 7)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 5)])
@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_small_maps(h, w, padding):
    module = small(feature_resample=True, padding=padding).train()
    hr, lr = maps(h=h, w=w, n=1)
    outputs = module(hr, lr)
    assert [tuple(value.shape) for value in outputs] == [(1, c, 2 * h, 2 * w) for c in (25, 12, 16)]
    sum(value.sum() for value in outputs).backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("resample", [False, True])
def test_autocast_and_sixteen_bit(dtype, resample):
    module = small(feature_resample=resample)
    hr, lr = maps()
    exact = module(hr, lr)
    with torch.autocast("cpu", dtype):
        cast = module(hr, lr)
    with torch.autocast("cpu", dtype):  # as after a convolution
        cast_too = module(hr.to(dtype), lr.to(dtype))
    whole = copy.deepcopy(module).to(dtype)(hr.to(dtype), lr.to(dtype))
    assert all(value.dtype == dtype for value in (*cast_too, *whole))
    bound = 0.2 if dtype == torch.bfloat16 else 0.03
    for outputs, (value, expected) in itertools.product((cast, cast_too, whole), enumerate(exact)):
        torch.testing.assert_close(outputs[value].float(), expected, rtol=bound, atol=bound)
    hr.requires_grad_(), lr.requires_grad_()
    with torch.autocast("cpu", dtype):
        loss = sum(value.float().square().mean() for value in module(hr, lr))
    loss.backward()
    assert all(value.grad.isfinite().all() for value in (hr, lr, *module.parameters()))


def test_window_is_exact_after_a_checkpoint_in_sixteen_bit():
    module = small()
    loaded = copy.deepcopy(module)
    loaded.hamming_lowpass = loaded.hamming_lowpass.half().float()
    loaded.hamming_highpass = loaded.hamming_highpass.half().float()
    assert not torch.equal(loaded.hamming_lowpass, module.hamming_lowpass)
    for found, expected in zip(loaded(*maps()), module(*maps()), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_channels_last():
    module, (hr, lr) = small(feature_resample=True), maps()
    sparse = [value.contiguous(memory_format=torch.channels_last) for value in (hr, lr)]
    for found, expected in zip(module(*sparse), module(hr, lr), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


ONNX = [{"feature_resample": True}, {"padding": "zeros", "up_group": 2, "lowpass_kernel": 3}, {"semi_conv": False}]


@pytest.mark.parametrize("arguments", ONNX, ids=str)
def test_onnx_equals_eager(onnx_run, arguments):
    module, inputs = small(**arguments), maps()
    for found, expected in zip(onnx_run(module, *inputs), module(*inputs), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_onnx_of_small_maps_equals_eager(onnx_run):
    module, inputs = small(feature_resample=True, lowpass_kernel=3), maps(h=1, w=1)
    for found, expected in zip(onnx_run(module, *inputs), module(*inputs), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_traced_equals_eager():
    module = small(feature_resample=True)
    traced = torch.jit.trace(module, maps())
    other = [value.flip(2) for value in maps()]
    for found, expected in zip(traced(*other), module(*other), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def multiplications(monkeypatch, module, *inputs):
    """Taps times output values of all the reassemblies that a forward pass makes."""
    counted = []

    def counting(x, mask, kernel_size, group=1, up=1, padding="reflect"):
        counted.append(kernel_size**2 * x.numel() * up**2)
        return carafe(x, mask, kernel_size, group, up, padding)

    monkeypatch.setattr("inspector_plugins.freqfusion.layers.carafe", counting)
    module(*inputs)
    return sum(counted)


@pytest.mark.parametrize("arguments", [*CONFIGURATIONS, {"feature_resample": True}], ids=str)
def test_flops_are_those_of_the_reassemblies(monkeypatch, arguments):
    module, inputs = small(**arguments), maps()
    assert module.flops(*inputs) == 2 * multiplications(monkeypatch, module, *inputs)


def test_flops_of_the_sampler():
    module = LocalSimGuidedSampler(8)
    hr, lr, picture = torch.zeros(2, 8, 6, 4), torch.zeros(2, 8, 3, 2), torch.zeros(2, 16, 6, 4)
    similarity = 2 * 8 * (2 * 8 * 24 + 2 * 8 * 6)
    assert module.flops(hr, lr, picture) == similarity + 2 * 4 * 2 * 16 * 24


def test_sum():
    torch.manual_seed(0)
    single = randomised(FreqFusion(12, 12, compressed_channels=8))
    both = FreqFusionSum(12, 12, compressed_channels=8).eval()
    both.load_state_dict(single.state_dict())
    hr, lr = maps(12, 12)
    _, expected_hr, expected_lr = single(hr, lr)
    torch.testing.assert_close(both([hr, lr]), expected_hr + expected_lr)
    assert both.flops([hr, lr]) == single.flops(hr, lr)
    with pytest.raises(ValueError, match="equal channels, not 12 and 16"):
        FreqFusionSum(12, 16)
