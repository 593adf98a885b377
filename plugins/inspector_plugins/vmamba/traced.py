"""The selective scan while it is traced: of plain operations, and for sequences of any length up to 2^20.

A trace has a fixed number of operations, so loops over L cannot be in it. The L positions are cut into K chunks of 16,
and only K depends on L. All chunks at once are run through from zero, which gives the state that each would hand on;
these K states are a sequence again, scanned in the same way (once more in chunks, then by distances of 1, 2, 4, … as
Hillis & Steele 1986 do); what enters every chunk being known, the chunks are run through a second time from there.
Decays are exponentials of sums, or products of such: nothing is divided, so nothing overflows where decay is strong.

Channels come last, and the position within the chunk first: so every step is one contiguous operation, and a
sequence is read backwards by taking the steps in reverse order. Sequences are (..., L, R), R numbers a position;
folded they are (16, ..., K, R).
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor
from torch.nn import functional

_CHUNK = 16
_LEVELS = 2  # of chunks
_DOUBLINGS = 12  # above them: 16^2 * 2^12 = 2^20 positions


def fold(x: Tensor) -> Tensor:
    """(..., L, R) -> (16, ..., K, R), zeros added behind the end."""
    length, axis = x.shape[-2], x.dim() - 2
    count = (length + _CHUNK - 1) // _CHUNK
    x = functional.pad(x, (0, 0, 0, count * _CHUNK - length))
    # Not unflatten, for which the exporter takes the sizes of the trace.
    return x.reshape(*x.shape[:axis], count, _CHUNK, x.shape[-1]).movedim(axis + 1, 0)


def unfold(x: Tensor, length: int) -> Tensor:
    """Undoes :func:`fold`."""
    axis = x.dim() - 3
    return x.movedim(0, axis + 1).flatten(axis, axis + 1)[..., :length, :]


def scan(
    exponents: Sequence[Tensor], inputs: Sequence[Tensor], backwards: Sequence[bool], levels: int = _LEVELS
) -> list[Tensor]:
    """h_t = exp(exponent_t) h_{t-1} + input_t of several sequences of one shape, h_0 = 0.

    Args:
        exponents, inputs: of every sequence, folded: (16, ..., K, R). What was added behind the end must have input 0.
        backwards: whether a sequence is scanned from its end to its beginning.
        levels: of chunks, this one included.

    Returns:
        The states of every sequence, folded.
    """
    decays = [_steps(exponent.exp(), back) for exponent, back in zip(exponents, backwards, strict=True)]
    added = [_steps(value, back) for value, back in zip(inputs, backwards, strict=True)]
    ends = [_run(decay, value)[-1] for decay, value in zip(decays, added, strict=True)]
    whole = [exponent.sum(0, keepdim=True) for exponent in exponents]
    leaving = _carry(_joined(whole, backwards), _joined(ends, backwards), levels - 1)
    entering = torch.split(_shift(leaving, 1), [1] * len(ends))
    found = []
    for decay, value, first, back in zip(decays, added, entering, backwards, strict=True):
        states = _run(decay, value, first.flip(-2) if back else first)
        found.append(torch.cat(states[::-1] if back else states))
    return found


def _steps(x: Tensor, backwards: bool) -> tuple[Tensor, ...]:
    """The positions of all chunks in the order of the scan, each (1, ..., K, R)."""
    steps = torch.split(x, [1] * _CHUNK)
    return steps[::-1] if backwards else steps


def _run(decays: Sequence[Tensor], added: Sequence[Tensor], state: Tensor | None = None) -> list[Tensor]:
    """The states behind every step; they begin with ``state``, or zero."""
    states: list[Tensor] = []
    for decay, value in zip(decays, added, strict=True):
        state = value if state is None else decay * state + value
        states.append(state)
    return states


def _joined(chunks: Sequence[Tensor], backwards: Sequence[bool]) -> Tensor:
    """(1, ..., K, R) of every sequence -> (sequences, ..., K, R), chunks in the order of the scan."""
    return torch.cat([x.flip(-2) if back else x for x, back in zip(chunks, backwards, strict=True)])


def _carry(exponent: Tensor, value: Tensor, levels: int) -> Tensor:
    """The states along the axis before the last."""
    if levels:
        (states,) = scan([fold(exponent)], [fold(value)], [False], levels)
        return unfold(states, value.shape[-2])
    decay = exponent.exp()
    for doubling in range(_DOUBLINGS):
        value = value + decay * _shift(value, 2**doubling)
        decay = decay * _shift(decay, 2**doubling)
    return value


def _shift(x: Tensor, by: int) -> Tensor:
    """Every position what stood ``by`` positions before it, or 0."""
    return functional.pad(x, (0, 0, by, 0))[..., :-by, :]
