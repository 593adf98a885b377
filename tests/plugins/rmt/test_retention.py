"""Decay masks and attention with them, against loops and formulas of their own."""

import math

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.rmt import retention


def test_decays_follow_the_formula():
    decays = retention.log_decays(5, 1, 3)
    expected = [math.log(1 - 2 ** (-1 - 3 * head / 5)) for head in range(5)]
    torch.testing.assert_close(decays, torch.tensor(expected), rtol=1e-5, atol=0)


def test_map_mask_is_the_decay_times_the_manhattan_distance():
    decays = torch.tensor([-0.25, -0.5])
    mask = retention.map_mask(decays, 3, 4)
    assert mask.shape == (2, 12, 12)
    for a in range(12):
        for b in range(12):
            steps = abs(a // 4 - b // 4) + abs(a % 4 - b % 4)
            assert mask[:, a, b].tolist() == [-0.25 * steps, -0.5 * steps]


def test_line_mask_is_the_decay_times_the_steps():
    mask = retention.line_mask(torch.tensor([-0.5]), 3)
    assert mask.tolist() == [[[0, -0.5, -1], [-0.5, 0, -0.5], [-1, -0.5, 0]]]


def test_a_mask_too_large_for_the_memory_is_refused_with_its_size():
    with pytest.raises(ValueError, match=r"map of 100 x 120 with 8 heads needs a mask of 4\.3 GiB.*use 'chunk'"):
        retention.map_mask(torch.zeros(8, device="meta"), 100, 120)
    assert retention.map_mask(torch.zeros(8, device="meta"), 90, 90).shape == (8, 8100, 8100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_attend_is_softmax_of_the_masked_product(dtype):
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, 7, 5).to(dtype) for _ in range(3))
    mask = retention.line_mask(retention.log_decays(2, 1, 2), 7)
    weights = torch.softmax(query.double() @ key.double().transpose(-1, -2) * 0.3 + mask.double(), -1)
    found = retention.attend(query, key, value, mask, 0.3)
    assert found.dtype == dtype
    tolerance = {torch.float64: 1e-7, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}[dtype]
    torch.testing.assert_close(found.double(), weights @ value.double(), rtol=tolerance, atol=tolerance)


def test_the_mask_keeps_its_precision_under_autocast():
    """A far key that outweighs its decay: in bf16 its weight would be wrong by a tenth."""
    length = 160
    mask = retention.line_mask(retention.log_decays(1, 1, 0), length)
    query, key = torch.zeros(1, 1, length, 1), torch.zeros(1, 1, length, 1)
    query[0, 0, 0], key[0, 0, -1] = 1, 110
    value = torch.zeros(1, 1, length, 1)
    value[0, 0, -1] = 1
    expected = torch.softmax((query @ key.transpose(-1, -2) + mask).double(), -1) @ value.double()
    with torch.autocast("cpu", torch.bfloat16):
        found = retention.attend(query, key, value, mask, 1.0)
    assert 0.2 < expected[0, 0, 0] < 0.8
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
