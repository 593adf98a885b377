"""Child side of the protocol: report the progress, and follow the commands that the parent sends through the pipe."""

from __future__ import annotations

import _thread
import contextlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from inspector.domain import InspectorError, to_json
from inspector.training.lock import PLAN, Lock

_EVERY = 3.0  # seconds between two progress lines within an epoch
_PIPE_POLL = 0.1  # seconds between two polls of standard input on Windows
_LONGEST = 60.0  # seconds that an interrupted training may take to end by itself


class TrainingWorker:
    """Lock a training's folder; report progress and follow commands. A context manager around the training.

    Args:
        folder: of the training; it need not exist yet.
        say: prints a line on standard output immediately; None: only the folder is locked.
    """

    def __init__(self, folder: Path, print_line: Callable[[str], None] | None = None) -> None:
        self._folder, self._print_line = folder, print_line
        self._lock = Lock(folder)
        self._stop = self._by_command = self._ended = False
        self._reported_at = self._began = time.monotonic()

    def __enter__(self) -> TrainingWorker:
        # Nothing is written into a folder that holds no training.
        if self._print_line is not None or (self._folder / PLAN).is_file():
            self._lock.acquire()
        if self._print_line is not None:
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, io.TextIOWrapper):
                    stream.reconfigure(encoding="utf-8")
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
            if sys.platform != "win32":
                os.nice(5)  # keep the window responsive
            self._report(began=time.time())
            threading.Thread(target=self._follow_commands, name="supervision", daemon=True).start()
        return self

    def step(self, epoch: int, epochs: int, batch: int, batches: int, losses: Mapping[str, float]) -> None:
        """Report progress; call it after each step and after each saved epoch.

        Args:
            epoch: number of saved epochs.
            epochs: number of epochs of the training.
            batch: completed steps of the current epoch; 0 right after an epoch was saved.
            batches: steps per epoch.
            losses: means of the current epoch.

        Raises:
            KeyboardInterrupt: the training is to stop here.
        """
        self._lock.acquire()
        now = time.monotonic()
        if batch == 0 or batch == 1:
            self._began = now
        if self._print_line is not None and (batch <= 1 or batch == batches or now - self._reported_at > _EVERY):
            self._reported_at = now
            seconds = round(now - self._began, 2)
            self._report(epoch=epoch, epochs=epochs, batch=batch, batches=batches, seconds=seconds, losses=dict(losses))
        if batch == 0 and self._stop:
            raise KeyboardInterrupt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if self._print_line is not None:
            if error is None:
                self._report(ended="finished")
            elif isinstance(error, KeyboardInterrupt):
                self._report(ended="stopped" if self._by_command else "interrupted")
            else:
                said = str(error) if isinstance(error, InspectorError) else repr(error)
                self._report(ended="failed", sentence=said, message=to_json(said))
        self._lock.release()

    def _report(self, **document: Any) -> None:
        assert self._print_line is not None
        with contextlib.suppress(OSError):  # a full disk must not end a training that could still be saved
            self._print_line(json.dumps(document))

    def _follow_commands(self) -> None:
        rest = b""
        while piece := _received():
            *words, rest = (rest + piece).split(b"\n")
            if b"stop" in words:
                self._stop = self._by_command = True
            if b"now" in words:
                self._by_command = True
                break
        if not self._ended:
            _thread.interrupt_main()
            time.sleep(_LONGEST)
            os._exit(130)  # the files are such that a training may be killed at any time


def _received() -> bytes:
    """Read from the parent; blocks until there is data. Empty when the parent has closed the pipe."""
    try:
        if sys.platform == "win32":
            _wait_for_pipe()
        return os.read(0, 4096)
    except OSError:
        return b""


if sys.platform == "win32":
    import _winapi
    import msvcrt

    def _wait_for_pipe() -> None:
        """Poll standard input until it holds data.

        A thread that blocks in reading it would lock the C runtime's stream, and a DLL that checks the standard
        streams while it is loaded, as OpenBLAS does, would wait for that thread for ever (numpy/numpy#24290).

        Raises:
            OSError: the parent has closed the pipe.
        """
        while not _winapi.PeekNamedPipe(msvcrt.get_osfhandle(0), 0)[0]:
            time.sleep(_PIPE_POLL)
