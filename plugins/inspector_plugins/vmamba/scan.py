"""The selective scan, the state space model at the heart of Mamba (Gu & Dao 2023, arXiv 2312.00752, section 3.2).

For every channel with a state h of N numbers, step sizes Delta_t > 0 and decays A < 0, the recurrence 2a, 2b of the
paper with the discretisation of the official code (zero-order hold for A, an Euler step for B)::

    h_t = exp(Delta_t A) h_{t-1} + Delta_t B_t u_t        h_0 = 0
    y_t = C_t . h_t

B_t and C_t change with the position: that makes it selective. There are three implementations:

* :func:`selective_scan_ref`: one position after the other; what the others are compared with.
* ``_Scan``, which :func:`selective_scan` uses: K chunks of T positions, T about sqrt(L/2). A first pass finds the state
  at the end of every chunk as if it began with zero, all chunks side by side; K short steps then give the state that
  each chunk really begins with; a second pass runs the recurrence again from there. Its derivative is the same scan
  backwards, dh_t = C_t dy_t + exp(Delta_{t+1} A) dh_{t+1}. Only the K states are kept for it.
* ``_traced``, for tracing: see ``traced.py``; in ONNX some 530 plain nodes, and one graph for any length.

None divides, and the decays are only multiplied with each other, so nothing overflows or becomes NaN however strong the
decay; the usual chunked form divides by exp(A sum Delta), which is 0 in 32 bit from A sum Delta = -104 on.

There is no CUDA kernel: on a GPU the same operations run, some 2 sqrt(2L) launches a scan.
"""
# ruff: noqa: N803, N806, N812 - the names of the paper and of the official code

from __future__ import annotations

import math
import warnings
from typing import Any, Literal, overload

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from inspector_plugins.vmamba import traced


@overload
def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: Literal[False] = False,
) -> Tensor: ...


@overload
def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    *,
    return_last_state: Literal[True],
) -> tuple[Tensor, Tensor]: ...


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Scan ``u``, with gradients for every tensor. Computed in 32 bit, also under autocast (in 64 bit if u has 64).

    Args:
        u: (batch, D, L) the sequence of every channel.
        delta: (batch, D, L) step sizes.
        A: (D, N) decay, negative where the state is to fade.
        B, C: (D, N), (batch, N, L), or (batch, G, N, L), where group g serves channels [g D/G, (g+1) D/G).
        D: (D,) weight of u that is added to the result.
        z: (batch, D, L) gate: the result is multiplied by silu(z).
        delta_bias: (D,) is added to delta first.
        delta_softplus: delta becomes log(1 + exp(delta)), after the bias.
        return_last_state: return the state behind the last position too.

    Returns:
        (batch, D, L) in the type of u; with ``return_last_state`` also (batch, D, N) in 32 bit.

    Raises:
        ValueError: for shapes that do not fit, naming the tensor with its expected and actual shape.
    """
    sequence, step, decay, into, out_of = _prepare(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    if tracing():
        y, state = _traced(sequence, step, decay, into, out_of)
    else:
        y, state = _Scan.apply(sequence, step, decay, into, out_of)  # type: ignore[no-untyped-call]
    return _finish(y, state, u, sequence, D, z, return_last_state)


def selective_scan_ref(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """As :func:`selective_scan`, one position after the other: plain and slow."""
    sequence, step, decay, into, out_of = _prepare(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    channels = sequence.shape[1]
    decays = torch.exp(step.unsqueeze(2) * decay.unsqueeze(2))
    inputs = (step * sequence).unsqueeze(2) * into.repeat_interleave(channels // into.shape[1], 1)
    reads = out_of.repeat_interleave(channels // out_of.shape[1], 1)
    state = sequence.new_zeros(sequence.shape[0], channels, decay.shape[1])
    results = []
    for factor, added, read in zip(decays.unbind(3), inputs.unbind(3), reads.unbind(3), strict=True):
        state = factor * state + added
        results.append((state * read).sum(2))
    return _finish(torch.stack(results, 2), state, u, sequence, D, z, return_last_state)


def _prepare(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """u, delta and A checked and in the type to compute in; B and C also as (batch, groups, N, L)."""
    if u.dim() != 3 or 0 in sizes(u):
        raise ValueError(f"u: expected (batch, channels, length), none of them 0, got {sizes(u)}")
    if A.dim() != 2:
        raise ValueError(f"A: expected (channels, states), got {sizes(A)}")
    batch, channels, length = sizes(u)
    states = sizes(A)[1]
    for name, tensor, expected in (
        ("delta", delta, (batch, channels, length)),
        ("A", A, (channels, states)),
        ("D", D, (channels,)),
        ("z", z, (batch, channels, length)),
        ("delta_bias", delta_bias, (channels,)),
    ):
        if tensor is not None and sizes(tensor) != expected:
            raise ValueError(f"{name}: expected {expected}, got {sizes(tensor)}")
    for name, tensor in (("u", u), ("A", A), ("B", B), ("C", C)):
        if not tensor.is_floating_point():
            raise ValueError(f"{name}: expected real floating-point numbers, got {tensor.dtype}")
    kind = torch.float64 if u.dtype is torch.float64 else torch.float32
    step = delta.to(kind)
    if delta_bias is not None:
        step = step + delta_bias.to(kind).unsqueeze(1)
    if delta_softplus:
        step = F.softplus(step)
    grouped = []
    for name, tensor in (("B", B), ("C", C)):
        tensor = tensor.to(kind)
        shape = sizes(tensor)
        if shape == (channels, states):
            tensor = tensor.reshape(1, channels, states, 1).expand(u.shape[0], -1, -1, u.shape[2])
        elif shape == (batch, states, length):
            tensor = tensor.unsqueeze(1)
        elif len(shape) != 4 or shape[1] < 1 or channels % shape[1] or shape != (batch, shape[1], states, length):
            raise ValueError(
                f"{name}: expected {(channels, states)}, {(batch, states, length)} or (batch, groups, states, length) "
                f"= ({batch}, a divisor of {channels}, {states}, {length}), got {shape}"
            )
        grouped.append(tensor)
    return u.to(kind), step, A.to(kind), grouped[0], grouped[1]


def _finish(
    y: Tensor, state: Tensor, u: Tensor, sequence: Tensor, D: Tensor | None, z: Tensor | None, with_state: bool
) -> Tensor | tuple[Tensor, Tensor]:
    """The skip connection, the gate, and the type of u."""
    if D is not None:
        y = y + sequence * D.to(y.dtype).unsqueeze(1)
    if z is not None:
        y = y * F.silu(z.to(y.dtype))
    y = y.to(u.dtype)
    return (y, state) if with_state else y


def tracing() -> bool:
    """Whether operations are recorded, to run later for other shapes, too."""
    return _tracing() or torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling()


def sizes(tensor: Tensor) -> tuple[int, ...]:
    """The shape as plain numbers, also while tracing: they become constants of the graph."""
    if not _tracing():
        return tuple(tensor.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        return tuple(int(size) for size in tensor.shape)


def _tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def _chunk(length: int) -> int:
    """Positions a chunk: near sqrt(length / 2), and such that little is padded."""
    wanted = max(1, round(math.sqrt(length / 2)))
    return min(
        range(max(1, wanted * 3 // 4), wanted * 4 // 3 + 1), key=lambda chunk: (-length % chunk, abs(chunk - wanted))
    )


def _fold(x: Tensor, chunk: int) -> Tensor:
    """(..., L) -> (chunk, ..., K): position within the chunk first, so that every step is one contiguous operation.

    Zeros are added behind the end: as step size and input they leave the state as it is.
    """
    if padding := -x.shape[-1] % chunk:
        x = F.pad(x, (0, padding))
    # As a matrix, whose transposition torch does block by block; and never the memory of x itself.
    turned = x.reshape(-1, chunk).t().clone(memory_format=torch.contiguous_format)
    return turned.view(chunk, *x.shape[:-1], x.shape[-1] // chunk)


def _unfold(x: Tensor, length: int) -> Tensor:
    """Undoes :func:`_fold`."""
    chunk, *outer, count = x.shape
    return x.view(chunk, -1).t().reshape(*outer, count * chunk)[..., :length]


def _carry(
    ends: Tensor, through: Tensor, first: Tensor | None = None, backwards: bool = False
) -> tuple[Tensor, Tensor]:
    """The state that enters every chunk, and the one that leaves the last.

    Args:
        ends: (batch, D, K) what every chunk would hand on if it got zero.
        through: (batch, D, K) the share of what a chunk gets that it hands on.
        first: (batch, D) what the first chunk gets; None: zero.
        backwards: the last chunk is the first.
    """
    end, share = (ends.movedim(-1, 0).contiguous(), through.movedim(-1, 0).contiguous())
    states = end.new_empty((len(end) + 1, *end.shape[1:]))
    order = range(len(end) - 1, -1, -1) if backwards else range(len(end))
    before, behind = (1, 0) if backwards else (0, 1)
    states[-1 if backwards else 0] = 0 if first is None else first
    for k in order:
        torch.addcmul(end[k], share[k], states[k + before], out=states[k + behind])
    entering = states[1:] if backwards else states[:-1]
    return entering.movedim(0, -1), states[0 if backwards else -1]


def _run(decay: Tensor, added: Tensor, states: Tensor) -> None:
    """states[t + 1] = decay[t] states[t] + added[t]; states: (T + 1, batch, D, K), the first is given."""
    for t in range(len(decay)):
        torch.addcmul(added[t], decay[t], states[t], out=states[t + 1])


class _Scan(torch.autograd.Function):
    """u, delta (batch, D, L), A (D, N), B, C (batch, groups, N, L) -> y (batch, D, L), last state (batch, D, N).

    One state after the other, so that memory does not grow with N. Inside, T positions of K chunks: (T, batch, D, K).
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
        length = u.shape[2]
        chunk = _chunk(length)
        step = _fold(delta, chunk)
        whole = step.sum(0)
        weighted = _fold(u, chunk).mul_(step)
        y = torch.zeros_like(step)
        states = step.new_empty((chunk + 1, *step.shape[1:]))
        decay, added = torch.empty_like(step), torch.empty_like(step)
        entering, last = [], []
        for n in range(A.shape[1]):
            rate = A[:, n, None]
            torch.mul(step, rate, out=decay).exp_()
            torch.mul(_groups(weighted, B), _fold(B[:, :, n, None], chunk), out=_groups(added, B))
            end = added[0].clone()
            for t in range(1, chunk):
                torch.addcmul(added[t], decay[t], end, out=end)
            states[0], state = _carry(end, (whole * rate).exp_())
            _run(decay, added, states)
            _groups(y, C).addcmul_(_groups(states[1:], C), _fold(C[:, :, n, None], chunk))
            entering.append(states[0].clone())
            last.append(state)
        ctx.save_for_backward(u, delta, A, B, C, *entering)
        return _unfold(y, length).contiguous(), torch.stack(last, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, d_last: Tensor) -> tuple[Tensor, ...]:
        u, delta, A, B, C, *entering = ctx.saved_tensors
        length = u.shape[2]
        chunk = _chunk(length)
        step, sequence, dy = _fold(delta, chunk), _fold(u, chunk), _fold(dy, chunk)
        whole, weighted = step.sum(0), sequence * step
        d_weighted, d_step = torch.zeros_like(step), torch.zeros_like(step)
        states = step.new_empty((chunk + 1, *step.shape[1:]))
        decay, scratch, d_state = torch.empty_like(step), torch.empty_like(step), torch.empty_like(step)
        dA, dB, dC = [], [], []
        for n in range(A.shape[1]):
            rate, into, out_of = A[:, n, None], _fold(B[:, :, n, None], chunk), _fold(C[:, :, n, None], chunk)
            torch.mul(step, rate, out=decay).exp_()
            states[0] = entering[n]
            _run(decay, torch.mul(_groups(weighted, B), into, out=_groups(scratch, B)).flatten(2, 3), states)
            torch.mul(states[1:], dy, out=scratch)
            dC.append(_unfold(_groups(scratch, C).sum(3), length))

            # The scan backwards: d_state[t] = C[t] dy[t] + decay[t + 1] d_state[t + 1].
            torch.mul(_groups(dy, C), out_of, out=_groups(scratch, C))
            end = scratch[-1].clone()
            for t in range(chunk - 2, -1, -1):
                torch.addcmul(scratch[t], decay[t + 1], end, out=end)
            handed, _ = _carry(end.mul_(decay[0]), (whole * rate).exp_(), d_last[..., n], backwards=True)
            torch.add(scratch[-1], handed, out=d_state[-1])
            for t in range(chunk - 2, -1, -1):
                torch.addcmul(scratch[t], decay[t + 1], d_state[t + 1], out=d_state[t])

            _groups(d_weighted, B).addcmul_(_groups(d_state, B), into)
            torch.mul(d_state, weighted, out=scratch)
            dB.append(_unfold(_groups(scratch, B).sum(3), length))
            torch.mul(d_state, decay, out=scratch).mul_(states[:-1])  # the derivative by delta A
            d_step.addcmul_(scratch, rate)
            dA.append(scratch.mul_(step).sum((0, 1, 3)))
        d_step.addcmul_(d_weighted, sequence)
        return (
            _unfold(d_weighted.mul_(step), length),
            _unfold(d_step, length),
            torch.stack(dA, -1),
            torch.stack(dB, 2),
            torch.stack(dC, 2),
        )


def _groups(x: Tensor, grouped: Tensor) -> Tensor:
    """(T, batch, D, K) -> (T, batch, groups, D / groups, K), a view; as many groups as ``grouped`` has."""
    return x.view(*x.shape[:2], grouped.shape[1], -1, x.shape[3])


def _traced(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
    """As ``_Scan``, of operations that can be recorded, differentiated and exported, for any batch and length."""
    channels, states = sizes(A)
    length = u.shape[2]
    step, weighted = delta.transpose(1, 2), (delta * u).transpose(1, 2)
    exponent = torch.cat([step * rate for rate in A.unbind(1)], 2)
    added = torch.cat([weighted * into for into in _by_channel(B, channels)], 2)
    (folded,) = traced.scan([traced.fold(exponent)], [traced.fold(added)], [False])
    state = traced.unfold(folded, length)
    y = torch.zeros_like(step)
    for part, out_of in zip(torch.split(state, [channels] * states, 2), _by_channel(C, channels), strict=True):
        y = y + part * out_of
    return y.transpose(1, 2), torch.unflatten(state[:, -1], 1, (states, channels)).transpose(1, 2)


def _by_channel(grouped: Tensor, channels: int) -> tuple[Tensor, ...]:
    """(batch, groups, N, L) -> of each of the N states (batch, L, channels)."""
    shares = channels // sizes(grouped)[1]
    every = grouped.permute(2, 0, 3, 1).unsqueeze(4).expand(-1, -1, -1, -1, shares)
    return every.flatten(3).unbind(0)
