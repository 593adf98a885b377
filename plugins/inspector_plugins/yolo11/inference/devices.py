"""Choose the device for inference."""

from __future__ import annotations

import ctypes
import os
import re
from importlib.util import find_spec
from pathlib import Path

from inspector.api import InputError, prepare_torch


def names() -> list[tuple[str, str]]:
    """List the CUDA devices of this machine, as ``("cuda:0", name)``."""
    count = _count()
    if not count:
        return []
    import torch

    return [(f"cuda:{number}", torch.cuda.get_device_name(number)) for number in range(count)]


def choose(device: str) -> str:
    """Return ``cpu`` or ``cuda:N`` for the user's choice: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: an unknown word, or a CUDA device that does not exist.
    """
    if device == "auto":
        return "cuda:0" if _count() else "cpu"
    if device == "cpu":
        return "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise InputError("Unknown device {device!r}; use auto, cpu, cuda or cuda:N", device=device)
    count = _count()
    number = int(match[1] or 0)
    if count == 0:
        raise InputError(
            "{device} was requested, but no CUDA device is usable here; choose the CPU",
            device=device,
            cli_hint="--device cpu",
        )
    if number >= count:
        raise InputError(
            "{device} was requested, but this machine has CUDA devices 0 to {last}", device=device, last=count - 1
        )
    return f"cuda:{number}"


def _count() -> int:
    """Number of CUDA devices that torch can use. torch, which is large, is imported only if it could find one."""
    if not _possible():
        return 0
    prepare_torch()
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _possible() -> bool:
    """Whether torch is built for CUDA (or ROCm, which uses the same names), and the graphics driver is installed."""
    found = find_spec("torch")
    libraries = [Path(place) / "lib" for place in (found and found.submodule_search_locations) or ()]
    windows = os.name == "nt"
    if any((folder / ("c10_hip.dll" if windows else "libc10_hip.so")).exists() for folder in libraries):
        return True
    if not any((folder / ("c10_cuda.dll" if windows else "libc10_cuda.so")).exists() for folder in libraries):
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if windows else "libcuda.so.1")
    except OSError:
        return False
    return True
