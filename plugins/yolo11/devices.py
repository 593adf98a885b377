"""Which device computes."""

from __future__ import annotations

import re

from inspector.api import InputError


def names() -> list[tuple[str, str]]:
    """The CUDA devices of this machine, as ``("cuda:0", name)``."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [(f"cuda:{number}", torch.cuda.get_device_name(number)) for number in range(count)]


def choose(device: str) -> str:
    """``cpu`` or ``cuda:N`` for what the user asked: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: for an unknown word, or a CUDA device that is not there.
    """
    import torch

    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise InputError(f"Unknown device {device!r}; use auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = int(match[1] or 0)
    if count == 0:
        raise InputError(f"{device} was asked for, but no CUDA device is usable here; use --device cpu")
    if number >= count:
        raise InputError(f"{device} was asked for, but this machine has CUDA devices 0 to {count - 1}")
    return f"cuda:{number}"
