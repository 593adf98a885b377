"""Load modules of other code, as contained in a checkpoint."""

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.freqfusion.layers import FreqFusion, FreqFusionSum, LocalSimGuidedSampler


class Placeholder(nn.Module):
    """Placeholder for a missing class."""


def foreign(module: nn.Module, *attributes: str, **further) -> nn.Module:
    """``module`` as one of other code: its children, parameters, buffers, and the given plain attributes."""
    torch.manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    stranger = Placeholder()
    for part in ("_parameters", "_buffers"):
        getattr(stranger, part).update(getattr(module, part))
    for name, child in module.named_children():
        stranger.add_module(name, foreign(child, *attributes) if isinstance(child, LocalSimGuidedSampler) else child)
    for name in attributes:
        if hasattr(module, name):
            setattr(stranger, name, getattr(module, name))
    for name, value in further.items():
        setattr(stranger, name, value)
    return stranger


KEPT = (
    *("scale_factor", "up_group", "align_corners", "upsample_mode", "comp_feat_upsample", "use_low_pass"),
    *("hr_residual", "semi_conv", "scale", "style", "local_window", "direction_feat"),
)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lowpass_kernel": 3, "highpass_kernel": 5, "encoder_kernel": 1},
        {"feature_resample": True, "feature_resample_group": 2},
        {"feature_resample": True, "feature_resample_norm": False, "encoder_dilation": 2},
        {"hamming_window": False, "hr_residual": False},
        {"semi_conv": False, "upsample_mode": "bilinear", "align_corners": True},
        {"comp_feat_upsample": False, "use_high_pass": False, "highpass_kernel": 5},
        {"up_group": 2},
    ],
    ids=str,
)
def test_fusion(arguments):
    original = FreqFusion(12, 16, compressed_channels=8, **arguments).eval()
    found = FreqFusion.load_foreign(foreign(original, *KEPT))
    assert type(found) is FreqFusion and not found.training
    hr, lr = torch.randn(1, 12, 8, 6), torch.randn(1, 16, 4, 3)
    for ours, theirs in zip(found(hr, lr), original(hr, lr), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_official_defaults_where_attributes_are_lost():
    original = FreqFusion(12, 16).eval()
    hr, lr = torch.randn(1, 12, 8, 6), torch.randn(1, 16, 4, 3)
    found = FreqFusion.load_foreign(foreign(original))
    torch.testing.assert_close(found(hr, lr), original(hr, lr))


def test_row_of_a_network_adds_its_maps():
    """The collections' FreqFusion is called with a list, returns the sum, and uses mmcv's zeros beyond the border."""
    original = FreqFusion(12, 12, compressed_channels=3, padding="zeros").eval()
    found = FreqFusion.load_foreign(
        foreign(original, *KEPT, f=[4, -1], i=12, type="ultralytics.nn.extra_modules.FreqFusion")
    )
    assert type(found) is FreqFusionSum
    assert found.state_dict().keys() == original.state_dict().keys()
    hr, lr = torch.randn(1, 12, 8, 6), torch.randn(1, 12, 4, 3)
    _, expected_hr, expected_lr = original(hr, lr)
    torch.testing.assert_close(found([hr, lr]), expected_hr + expected_lr)
    with pytest.raises(ValueError, match="equal channels, not 12 and 16"):
        FreqFusion.load_foreign(foreign(FreqFusion(12, 16), *KEPT, f=[4, -1]))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"groups": 2, "kernel_size": 3, "local_window": 5},
        {"norm": False},
        {"use_direct_scale": False, "norm": False},
        {"direction_feat": "sim"},
        {"direction_feat": "sim", "norm": False},
        {"direction_feat": "sim", "norm": False, "use_direct_scale": False},
    ],
    ids=str,
)
def test_sampler(arguments):
    original = LocalSimGuidedSampler(16, **arguments).eval()
    found = LocalSimGuidedSampler.load_foreign(foreign(original, *KEPT))
    inputs = torch.randn(1, 16, 8, 6), torch.randn(1, 16, 4, 3), torch.randn(1, 8, 8, 6)
    torch.testing.assert_close(found(*inputs), original(*inputs))


def broken(change):
    stranger = foreign(FreqFusion(12, 16, compressed_channels=8), *KEPT)
    change(stranger)
    return stranger


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m._modules.pop("content_encoder"), "content_encoder"),
        (lambda m: m._modules.pop("hr_channel_compressor"), "hr_channel_compressor.weight is missing"),
        (lambda m: m._buffers.pop("hamming_lowpass"), "hamming_lowpass is missing"),
        (lambda m: m._buffers.pop("hamming_highpass"), "hamming_highpass"),
        (lambda m: m.add_module("extra", nn.Linear(2, 2)), "extra.weight"),
        (lambda m: setattr(m, "scale_factor", 2), "scale_factor 1 only"),
        (lambda m: setattr(m, "up_group", "many"), "does not fit"),
        (lambda m: setattr(m, "up_group", 0), "does not fit"),
        (lambda m: m.add_module("content_encoder", nn.Linear(8, 25)), "does not fit"),
        (lambda m: m.add_module("lr_channel_compressor", nn.Conv2d(16, 9, 1)), "lr_channel_compressor.weight"),
        (lambda m: m.add_module("content_encoder2", nn.Conv2d(8, 10, 3)), "content_encoder2.weight"),
    ],
)
def test_what_does_not_fit_is_told(change, told):
    with pytest.raises(ValueError, match=told):
        FreqFusion.load_foreign(broken(change))


def test_sampler_that_does_not_fit():
    with pytest.raises(ValueError, match=r"hr_offset.weight is missing"):
        LocalSimGuidedSampler.load_foreign(nn.Conv2d(1, 1, 1))
