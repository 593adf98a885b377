"""The scan that can be traced, against the recurrence written out."""

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.vmamba import traced


def loop(exponent, value, backwards):
    """(..., L, R), position by position."""
    state, states = torch.zeros_like(value[..., 0, :]), []
    places = list(range(value.shape[-2]))
    for t in reversed(places) if backwards else places:
        state = exponent[..., t, :].exp() * state + value[..., t, :]
        states.append(state)
    return torch.stack(states[::-1] if backwards else states, -2)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 255, 256, 257, 1000])
def test_sequences_in_both_directions_at_once(length):
    generator = torch.Generator().manual_seed(length)
    ways = (False, True, True)
    given = [torch.randn(2, 2, 3, length, 5, generator=generator, dtype=torch.float64) for _ in ways]
    exponents, values = [-pair[0].exp() for pair in given], [pair[1] for pair in given]
    found = traced.scan([*map(traced.fold, exponents)], [*map(traced.fold, values)], ways)
    for states, exponent, value, backwards in zip(found, exponents, values, ways, strict=True):
        torch.testing.assert_close(traced.unfold(states, length), loop(exponent, value, backwards))


def test_as_long_as_promised():
    """Without decay every position counts to the end; one more position than 2^20 would lose the first."""
    value = torch.zeros(1 << 20, 1)
    value[:2, 0] = torch.tensor([1.0, 2.0])
    (states,) = traced.scan([traced.fold(torch.zeros_like(value))], [traced.fold(value)], [False])
    assert traced.unfold(states, len(value))[[0, 1, 70_000, -1], 0].tolist() == [1.0, 3.0, 3.0, 3.0]


def test_what_is_added_behind_the_end_counts_in_no_direction():
    """A map's features are folded before its steps are computed of them, which are not 0 where a feature is."""
    value = torch.arange(1.0, 19).reshape(18, 1)
    exponent = torch.full((32, 1), -0.5).unflatten(0, (2, 16)).movedim(1, 0)
    for backwards in (False, True):
        (states,) = traced.scan([exponent], [traced.fold(value)], [backwards])
        expected = loop(torch.full((18, 1), -0.5), value, backwards)
        torch.testing.assert_close(traced.unfold(states, 18), expected)


@pytest.mark.parametrize("length", [1, 16, 50])
def test_folding(length):
    x = torch.randint(-9, 10, (2, 3, length, 4)).float()  # whose sums are exact
    folded = traced.fold(x)
    assert folded.shape == (16, 2, 3, -(-length // 16), 4)
    assert torch.equal(traced.unfold(folded, length), x)
    assert torch.equal(folded[0, ..., 0, :], x[..., 0, :]) and float(folded.abs().sum()) == float(x.abs().sum())
