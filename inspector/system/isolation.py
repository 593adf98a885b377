"""Functions run in an isolated process with limits of memory and time, for untrusted files.

The process runs this program. It receives and returns bytes and cannot write files. If the input makes
it exceed a limit, it ends instead of the window. Limits are set by ``resource`` on POSIX, by a job
object on Windows. The Windows part has run under Wine only, which accepts the limits but does not enforce them.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

COMMAND = "--isolated"
_MODULES = "inspector_plugins."  # only modules of this program
_EXCEEDED = 77  # exit code: out of memory
_QUOTA = (1816, 0xC0000044)  # exit codes of a process that exceeded a limit of its job object
_CRASHED = 0x8000_0000  # Windows exit codes from here on are crashes, such as 0xC0000017: out of memory
_WAIT = 5.0  # wall-clock seconds per CPU second, because the machine may be busy


class LimitExceededError(Exception):
    """The process exceeded its memory or time limit."""


def run_isolated(module: str, data: bytes, words: Sequence[str] = (), *, memory: int, seconds: int) -> bytes:
    """Run ``module.main(data, *words)`` in an isolated process and return its output, joined.

    Args:
        module: one of this program's plugins; its ``main`` returns an iterable of bytes.
        memory: address space in bytes.
        seconds: CPU time; the wall-clock limit is five times as long.

    Raises:
        LimitExceededError: a limit was exceeded.
        InspectorError: the process could not be started, or it failed.
    """
    import subprocess
    import threading

    from inspector.domain import InspectorError
    from inspector.system.paths import child_environment, exit_code, program

    command = [*program(), COMMAND, module, str(memory), str(seconds), *words]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=child_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise InspectorError(
            "A process for reading a file safely cannot be started ({reason}); close other programs",
            reason=error.strerror or error,
        ) from error
    said: list[bytes] = []
    late: list[bool] = []

    def end() -> None:
        late.append(True)
        process.kill()

    # Not by communicate(), which writes 512 bytes at a time.
    writer = threading.Thread(target=_write, args=(process.stdin, data), daemon=True)
    listener = threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
    timer = threading.Timer(seconds * _WAIT, end)
    try:
        for thread in (timer, writer, listener):
            thread.start()
        answer = process.stdout.read()  # type: ignore[union-attr]
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        timer.cancel()
        for thread in (timer, writer, listener):
            thread.join()
        for stream in (process.stdout, process.stderr):
            stream.close()  # type: ignore[union-attr]
    if code == 0:
        return answer
    last = b"".join(said).decode("utf-8", "replace").strip().rpartition("\n")[2]
    if late or _ended_by_a_limit(code) or "MemoryError" in last:
        raise LimitExceededError(exit_code(code))
    raise InspectorError(
        "A process for reading a file safely failed ({code}: {output})", code=exit_code(code), output=last[:200]
    )


def _ended_by_a_limit(code: int) -> bool:
    return code == _EXCEEDED or code < 0 or code in _QUOTA or code >= _CRASHED


def _write(stream: Any, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it ended before it read everything
        stream.write(data)
    with contextlib.suppress(OSError):
        stream.close()


def child(words: Sequence[str]) -> int:
    """Run the isolated process, the other side of :func:`run_isolated`.

    Args:
        words: after the command: module, memory, seconds, and the arguments of ``main``.
    """
    name, memory, seconds, *rest = words
    if not name.startswith(_MODULES):
        return 2
    if isinstance(sys.stderr, io.TextIOWrapper):  # the packaged program ignores PYTHONIOENCODING
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    module: Any = importlib.import_module(name)
    data = sys.stdin.buffer.read()
    limit(int(memory), int(seconds))
    try:
        for part in module.main(data, *rest):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except MemoryError:
        os._exit(_EXCEEDED)
    os._exit(0)  # the objects need not be freed one by one


def limit(memory: int, seconds: int) -> None:
    """Limit this process.

    Args:
        memory: bytes of address space.
        seconds: of CPU time.
    """
    if sys.platform == "win32":
        _limit_on_windows(memory, seconds)
        return
    import resource

    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _limit_on_windows(memory: int, seconds: int) -> None:
    """Put this process into a job object of one process.

    JOBOBJECT_EXTENDED_LIMIT_INFORMATION as Microsoft's documentation describes it; times are in 100 ns.
    """
    import ctypes
    from ctypes import wintypes

    class Basic(ctypes.Structure):
        _fields_ = [
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        ]

    class Extended(ctypes.Structure):
        _fields_ = [
            ("BasicLimitInformation", Basic),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        ]

    process_time, active_process, process_memory = 0x2, 0x8, 0x100
    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.CreateJobObjectW.argtypes = [ctypes.c_void_p, wintypes.LPCWSTR]
    kernel.SetInformationJobObject.argtypes = [wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD]
    kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
    limits = Extended()
    limits.BasicLimitInformation.PerProcessUserTimeLimit = seconds * 10_000_000
    limits.BasicLimitInformation.ActiveProcessLimit = 1
    limits.BasicLimitInformation.LimitFlags = process_time | active_process | process_memory
    limits.ProcessMemoryLimit = memory
    job = kernel.CreateJobObjectW(None, None)
    extended_limit_information = 9
    if not (
        job
        and kernel.SetInformationJobObject(job, extended_limit_information, ctypes.byref(limits), ctypes.sizeof(limits))
        and kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())
    ):
        number = ctypes.get_last_error()  # type: ignore[attr-defined]
        raise OSError(number, "the process cannot be limited")
