"""Every form of the selective scan: milliseconds forward and backward, and how far from the loop in 64 bit.

    .venv/bin/python tests/benchmarks/selective_scan.py --threads 1 --json scans.json

Forms: the loop (``selective_scan_ref``); ours (``selective_scan``); its traced form (what ONNX gets); log-step, which
doubles the distance over the whole sequence; and division, chunks of 32 divided by the decay so far, as the official
``easy`` scans do it, which is NaN or infinite where the decay in one chunk passes exp(-88). ``x loop``: how many times
as fast as the loop. Errors are the largest difference over the largest number: of the result, and of the worst of the
five gradients.
"""
# ruff: noqa: E402 - torch is made ready before it is imported

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor

from inspector_plugins.vmamba import scan
from inspector_plugins.vmamba.layers import selective_scan, selective_scan_ref

Form = Callable[..., Tensor]
LENGTHS = (256, 400, 1600, 6400, 25600)


def by_state(u: Tensor, delta: Tensor, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:  # noqa: N803
    """Decay and input of every state, both (batch, D, N, L)."""
    decay = torch.exp(delta.unsqueeze(2) * A.unsqueeze(2))
    return decay, (delta * u).unsqueeze(2) * B.repeat_interleave(u.shape[1] // B.shape[1], 1)


def read(states: Tensor, C: Tensor) -> Tensor:  # noqa: N803
    return (states * C.repeat_interleave(states.shape[1] // C.shape[1], 1)).sum(2)


def traced(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:  # noqa: N803
    return scan._traced(u, delta, A, B, C)[0]


def log_step(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:  # noqa: N803
    decay, state = by_state(u, delta, A, B)
    step = 1
    while step < u.shape[2]:
        state = torch.cat([state[..., :step], state[..., step:] + decay[..., step:] * state[..., :-step]], -1)
        decay = torch.cat([decay[..., :step], decay[..., step:] * decay[..., :-step]], -1)
        step *= 2
    return read(state, C)


def division(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, chunk: int = 32) -> Tensor:  # noqa: N803
    _, added = by_state(u, delta, A, B)
    state = added.new_zeros(*added.shape[:3], 1)
    states = []
    for steps, inputs in zip(delta.split(chunk, 2), added.split(chunk, 3), strict=True):
        decay = torch.exp(steps.cumsum(2).unsqueeze(2) * A.unsqueeze(2))
        states.append(decay * (state + (inputs / decay).cumsum(3)))
        state = states[-1][..., -1:]
    return read(torch.cat(states, 3), C)


FORMS: dict[str, Form] = {
    "loop": selective_scan_ref,
    "ours": selective_scan,
    "traced": traced,
    "log-step": log_step,
    "division": division,
}


def inputs(length: int, channels: int, states: int, strong: bool, device: str) -> list[Tensor]:
    """As VMamba begins: four groups, A = -1..-N, delta from 0.001 to 0.1; strong: delta from 1 to 20."""
    generator = torch.Generator().manual_seed(length)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    low, high = (1.0, 20.0) if strong else (0.001, 0.1)
    uniform = torch.rand(1, channels, length, generator=generator)
    delta = torch.exp(uniform * math.log(high / low) + math.log(low))
    rates = -torch.arange(1.0, states + 1).repeat(channels, 1)
    tensors = (random(1, channels, length), delta, rates, random(1, 4, states, length), random(1, 4, states, length))
    return [tensor.to(device).requires_grad_() for tensor in tensors]


def once(form: Form, given: list[Tensor], weight: Tensor, backward: bool) -> tuple[float, Tensor, list[Tensor]]:
    """Seconds, result and gradients."""
    synchronise = torch.cuda.synchronize if given[0].is_cuda else bool
    synchronise()
    began = time.perf_counter()
    gradients: list[Tensor] = []
    with torch.set_grad_enabled(backward):
        y = form(*given)
        if backward:
            gradients = list(torch.autograd.grad(y, given, weight))
    synchronise()
    return time.perf_counter() - began, y.detach(), gradients


def distance(got: Tensor, expected: Tensor) -> float:
    return float((got.double() - expected).abs().max() / expected.abs().max()) if got.isfinite().all() else math.nan


def measure(length: int, channels: int, states: int, strong: bool, device: str, seconds: float) -> list[dict]:
    given = inputs(length, channels, states, strong, device)
    weight = torch.randn(given[0].shape, generator=torch.Generator().manual_seed(1)).to(device)
    exact = [tensor.detach().double().requires_grad_() for tensor in given]
    _, expected, derivatives = once(selective_scan_ref, exact, weight.double(), backward=True)
    rows = []
    for name, form in FORMS.items():
        _, y, gradients = once(form, given, weight, backward=True)
        took = {}
        for backward in (False, True):
            durations: list[float] = []
            while len(durations) < 2 or (sum(durations) < seconds and len(durations) < 50):
                durations.append(once(form, given, weight, backward)[0])
            took[backward] = min(durations) * 1000
        pairs = zip(gradients, derivatives, strict=True)
        rows.append(
            {
                "length": length,
                "states": states,
                "decay": "strong" if strong else "usual",
                "form": name,
                "forward_ms": took[False],
                "both_ms": took[True],
                "forward_ratio": (rows[0]["forward_ms"] if rows else took[False]) / took[False],
                "both_ratio": (rows[0]["both_ms"] if rows else took[True]) / took[True],
                "error": distance(y, expected),
                "gradient_error": max(distance(got, want) for got, want in pairs),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--channels", type=int, default=256, help="a multiple of 4")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--states", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement, at most 50 runs")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"torch {torch.__version__}, {chosen.device}, {chosen.threads} threads, batch 1, {chosen.channels} channels")
    print(
        f"{'L':>6} {'N':>3} {'decay':>6} {'form':<9}{'forward ms':>11} {'x loop':>7}{'both ms':>10} {'x loop':>7}"
        f"{'error':>10}{'gradient':>10}"
    )
    rows = []
    for states in chosen.states:
        for length in chosen.lengths:
            for strong in (False, True):
                for row in measure(length, chosen.channels, states, strong, chosen.device, chosen.seconds):
                    rows.append(row)
                    print(
                        f"{row['length']:>6} {row['states']:>3} {row['decay']:>6} {row['form']:<9}"
                        f"{row['forward_ms']:>11.2f} {row['forward_ratio']:>7.1f}{row['both_ms']:>10.2f} "
                        f"{row['both_ratio']:>7.1f}{row['error']:>10.1e}{row['gradient_error']:>10.1e}",
                        flush=True,
                    )
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1), "utf-8")


if __name__ == "__main__":
    main()
