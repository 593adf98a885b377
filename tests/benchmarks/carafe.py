"""CARAFE as a sum over taps beside the form that unfolds: time, peak memory, and how far they are apart.

    .venv/bin/python tests/benchmarks/carafe.py [--threads N]

256 channels, 40x40 to 80x80, windows of 5x5. Each row is a process of its own; its memory is what the process held at
most beyond what it held before.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

CHANNELS, SIDE, KERNEL, UP = 256, 40, 5, 2
ROUNDS = 7


def unfolded(x, mask, kernel_size, up):
    """The obvious form, with intermediates k * k times as large as the output."""
    import torch.nn.functional as F  # noqa: N812

    n, c, h, w = x.shape
    windows = F.unfold(F.pad(x, [kernel_size // 2] * 4, mode="reflect"), kernel_size)
    windows = F.interpolate(windows.reshape(n, c * kernel_size**2, h, w), scale_factor=up, mode="nearest")
    return (windows.reshape(n, c, kernel_size**2, up * h, up * w) * mask[:, None]).sum(2)


def measure(form: str, backward: bool, threads: int) -> None:
    from inspector.api import prepare_torch

    prepare_torch()
    import torch

    from inspector_plugins.freqfusion.reassembly import carafe

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    def run(x, mask):
        return unfolded(x, mask, KERNEL, UP) if form == "unfolded" else carafe(x, mask, KERNEL, up=UP)

    def made(channels, side):
        x = torch.randn(1, channels, side, side, requires_grad=backward)
        mask = torch.randn(1, KERNEL**2, UP * side, UP * side).softmax(1).requires_grad_(backward)
        return x, mask, torch.randn(1, channels, UP * side, UP * side)

    def once(x, mask, given):
        began = time.perf_counter()
        result = run(x, mask)
        if backward:
            torch.autograd.grad(result, (x, mask), given)
        return time.perf_counter() - began

    once(*made(8, 8))  # what is loaded at first use
    x, mask, given = made(CHANNELS, SIDE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = [once(x, mask, given) * 1000 for _ in range(ROUNDS)]
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    ours, theirs = carafe(x, mask, KERNEL, up=UP), unfolded(x, mask, KERNEL, UP)
    apart = (ours - theirs).abs().max().item()
    if backward:
        pairs = zip(*(torch.autograd.grad(y, (x, mask), given) for y in (ours, theirs)), strict=True)
        apart = max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)
    what = "forward, backward" if backward else "forward"
    print(f"{form:9} {what:18} {statistics.median(took):8.1f} ms {memory:8.0f} MiB {apart:10.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="CARAFE: sum over taps beside the form that unfolds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", nargs=2, metavar=("FORM", "WHAT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure[0], given.measure[1] == "backward", given.threads)
        return
    print(f"{CHANNELS} channels, {SIDE}x{SIDE} to {UP * SIDE}x{UP * SIDE}, k {KERNEL}, {given.threads} threads")
    print("form      what                 median   peak memory    apart")
    for what in ("forward", "backward"):
        for form in ("unfolded", "taps"):
            command = [sys.executable, __file__, "--threads", str(given.threads), "--measure", form, what]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
