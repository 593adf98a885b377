"""Which device computes."""

from __future__ import annotations

import ctypes
import os
import re
from importlib.util import find_spec
from pathlib import Path

from inspector.api import InputError, prepare_torch


def names() -> list[tuple[str, str]]:
    """The CUDA devices of this machine, as ``("cuda:0", name)``."""
    count = _count()
    if not count:
        return []
    import torch

    return [(f"cuda:{number}", torch.cuda.get_device_name(number)) for number in range(count)]


def choose(device: str) -> str:
    """``cpu`` or ``cuda:N`` for what the user asked: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: for an unknown word, or a CUDA device that is not there.
    """
    if device == "auto":
        return "cuda:0" if _count() else "cpu"
    if device == "cpu":
        return "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise InputError(f"Unknown device {device!r}; use auto, cpu, cuda or cuda:N")
    count = _count()
    number = int(match[1] or 0)
    if count == 0:
        raise InputError(f"{device} was asked for, but no CUDA device is usable here; use --device cpu")
    if number >= count:
        raise InputError(f"{device} was asked for, but this machine has CUDA devices 0 to {count - 1}")
    return f"cuda:{number}"


def _count() -> int:
    """CUDA devices that torch can use. torch is imported only where it could find one: it is large."""
    if not _possible():
        return 0
    prepare_torch()
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _possible() -> bool:
    """torch is built for CUDA (or ROCm, which it calls so too), and the graphics driver is there."""
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
