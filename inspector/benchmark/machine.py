"""Describe this computer and the versions of the program and its libraries."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from inspector import __version__

_LIBRARIES = ("numpy", "opencv-python", "openvino", "torch", "ultralytics")


@dataclass(frozen=True)
class Machine:
    """
    Attributes:
        cpu: model name given by its maker.
        cores: logical cores, hyper-threads included.
        memory_gb: installed memory, GiB.
        system: e.g. ``Windows-11-10.0.26100-SP0``.
        versions: of the program, of Python and of the installed libraries.
    """

    cpu: str
    cores: int
    memory_gb: float
    system: str
    versions: Mapping[str, str]

    @classmethod
    def detect(cls) -> Machine:
        """Describe this computer."""
        import psutil

        versions = {"bearing-inspector": __version__, "python": platform.python_version()}
        for name in _LIBRARIES:
            with suppress(metadata.PackageNotFoundError):
                versions[name] = metadata.version(name)
        memory = round(psutil.virtual_memory().total / 2**30, 1)
        return cls(_cpu(), os.cpu_count() or 1, memory, platform.platform(), versions)


def _cpu() -> str:
    with suppress(OSError):
        if sys.platform == "win32":
            import winreg

            place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
