"""Rate at which a convolution's weight gradient (bfloat16, CPU) depends on uninitialised memory.

.venv/bin/python tests/benchmarks/dilated_gradient.py [--repeats 1000]

Memory is littered with NaN before each gradient, so that a value that was never written shows itself.
"""

import argparse

from inspector.system.frameworks import prepare_torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    arguments = parser.parse_args()
    prepare_torch()
    import torch
    from torch.nn.functional import conv2d

    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {arguments.repeats} gradients each")
    print("| channels | groups | kernel | dilation | type | not finite |\n|---|---|---|---|---|---|")
    bf16, f32 = torch.bfloat16, torch.float32
    for channels, groups, kernel, dilation, kind in (
        (8, 8, 3, 1, bf16), (8, 8, 3, 2, bf16), (16, 16, 3, 3, bf16), (16, 16, 5, 2, bf16), (16, 4, 3, 2, bf16),
        (16, 1, 3, 2, bf16), (16, 16, 13, 1, bf16), (8, 8, 3, 2, f32),
    ):  # fmt: skip
        torch.manual_seed(0)
        padding, wrong = dilation * (kernel // 2), 0
        for _ in range(arguments.repeats):
            x = torch.randn(8, channels, 32, 32).to(kind).contiguous(memory_format=torch.channels_last)
            weight = torch.randn(channels, channels // groups, kernel, kernel).to(kind).requires_grad_()
            y = conv2d(x, weight, padding=padding, dilation=dilation, groups=groups)
            left = torch.randint(1 << 8, 1 << 18, (8,)).tolist()
            rubbish = [torch.full((count,), float("nan")) for count in left]  # what fresh memory may hold
            del rubbish
            y.backward(torch.randn_like(y))
            wrong += not torch.isfinite(weight.grad).all()
        print(f"| {channels} | {groups} | {kernel} | {dilation} | {str(kind).removeprefix('torch.')} | {wrong} |")


if __name__ == "__main__":
    main()
