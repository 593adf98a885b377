"""The child's half of the protocol: it tells how far it is, and obeys the pipe that its parent holds."""

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

from inspector.domain import InspectorError
from inspector.training.lock import PLAN, Lock

_EVERY = 3.0  # seconds between two lines on the steps of an epoch
_LONGEST = 60.0  # seconds that an interrupted training may take to end by itself


class Supervision:
    """Holds a training's folder and, with a pipe, tells and obeys. A context manager around the training.

    Args:
        folder: of the training; it need not exist yet.
        say: prints a line on standard output at once; None: nobody supervises, only the folder is held.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] | None = None) -> None:
        self._folder, self._say = folder, say
        self._lock = Lock(folder)
        self._stop = self._by_word = self._over = False
        self._told = self._began = time.monotonic()

    def __enter__(self) -> Supervision:
        if self._say is not None or (self._folder / PLAN).is_file():  # nothing is put into a folder that is no training
            self._lock.take()
        if self._say is not None:
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, io.TextIOWrapper):
                    stream.reconfigure(encoding="utf-8")
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background process
            if sys.platform != "win32":
                os.nice(5)  # the window stays smooth
            self._tell(began=time.time())
            threading.Thread(target=self._obey, name="supervision", daemon=True).start()
        return self

    def step(self, epoch: int, epochs: int, batch: int, batches: int, losses: Mapping[str, float]) -> None:
        """Called by the training after each step and after each saved epoch.

        Args:
            epoch: whole epochs that are saved.
            epochs: of the whole training.
            batch: steps done of the epoch at hand; 0 right after one was saved.
            batches: steps of an epoch.
            losses: of the epoch at hand, means.

        Raises:
            KeyboardInterrupt: the training shall stop here.
        """
        self._lock.take()
        now = time.monotonic()
        if batch == 0 or batch == 1:
            self._began = now
        if self._say is not None and (batch <= 1 or batch == batches or now - self._told > _EVERY):
            self._told = now
            seconds = round(now - self._began, 2)
            self._tell(epoch=epoch, epochs=epochs, batch=batch, batches=batches, seconds=seconds, losses=dict(losses))
        if batch == 0 and self._stop:
            raise KeyboardInterrupt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        if self._say is not None:
            if error is None:
                self._tell(ended="finished")
            elif isinstance(error, KeyboardInterrupt):
                self._tell(ended="stopped" if self._by_word else "interrupted")
            else:
                self._tell(ended="failed", sentence=str(error) if isinstance(error, InspectorError) else repr(error))
        self._lock.free()

    def _tell(self, **document: Any) -> None:
        assert self._say is not None
        with contextlib.suppress(OSError):  # a full disk must not end a training that could still be saved
            self._say(json.dumps(document))

    def _obey(self) -> None:
        rest = b""
        while piece := _received():
            *words, rest = (rest + piece).split(b"\n")
            if b"stop" in words:
                self._stop = self._by_word = True
            if b"now" in words:
                self._by_word = True
                break
        if not self._over:
            _thread.interrupt_main()
            time.sleep(_LONGEST)
            os._exit(130)  # the files are such that a training may be killed at any time


def _received() -> bytes:
    try:
        return os.read(0, 4096)
    except OSError:
        return b""
