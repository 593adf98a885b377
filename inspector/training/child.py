"""The parent's half of the protocol: starts a training in a process of its own, and stops it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.domain import InputError
from inspector.training import folder as folders
from inspector.training.command import environment
from inspector.training.folder import Progress
from inspector.training.lock import held


class Training:
    """A training that runs in a child process; :meth:`start` and :meth:`resume` make one.

    The child ends by itself when this process does, at whatever point, and can be gone on with.

    Attributes:
        folder: of the training, absolute.
    """

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.folder = folder.absolute()
        self._last: Progress | None = None
        if held(self.folder):
            raise InputError(f"The training in {self.folder} runs already; wait for it, or stop it first")
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.folder / folders.LOG, "ab") as log:
                self._process = subprocess.Popen(
                    [*paths.program(), "train", "--supervised", "--output", str(self.folder), *words],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    bufsize=0,
                    env=environment(),
                    creationflags=flags,
                )
        except OSError as error:
            raise InputError(
                f"No training can be started in {self.folder} ({error.strerror or error}); choose another folder"
            ) from None

    @classmethod
    def start(
        cls, data: Path, model: str, folder: Path, options: Mapping[str, Any] | None = None, trainer: str = ""
    ) -> Training:
        """Begin a training.

        Args:
            data: ``data.yaml``.
            model: architecture, or checkpoint to start from.
            folder: for all results; it must be empty or not exist.
            options: of the trainer's ``train_options``, by key.
            trainer: id of the model plugin that trains, where several can.

        Raises:
            InputError: the folder is in use or cannot be made.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} exists already; name a new folder for the training's results")
        words = ["--data", str(data), "--model", model, *(["--trainer", trainer] if trainer else [])]
        training = cls(folder, [*words, *flags(options or {})])
        folders.remember(training.folder)
        return training

    @classmethod
    def resume(cls, folder: Path, options: Mapping[str, Any] | None = None) -> Training:
        """Go on with the training in ``folder``; of its options those may change that the trainer allows.

        Raises:
            InputError: nothing was trained there, or the training runs already.
        """
        if not folders.read(folder, alive=False).begun:
            raise InputError(f"There is no training in {folder} to go on with; choose the folder of one")
        training = cls(folder, ["--resume", *flags(options or {})])
        folders.remember(training.folder)
        return training

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def progress(self) -> Progress:
        """How far it is; where nothing was trained when it ended, its folder is taken away."""
        if self._last is not None:
            return self._last
        code = self._process.poll()
        found = folders.read(self.folder, alive=code is None)
        if code is None:
            return found
        if code not in (0, 1, 2, 130) and found.state == "interrupted":
            found = replace(found, state="failed", sentence=_death(code))
        self._last = found
        self._hang_up()
        if not found.begun:
            folders.clear(self.folder)
        return found

    def stop_after_epoch(self) -> None:
        """It ends when the epoch at hand is saved."""
        self._send(b"stop\n")

    def stop(self) -> None:
        """It ends after the step at hand; what was learned since the last whole epoch is lost."""
        self._send(b"now\n")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended; True where it has."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive

    def _send(self, word: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            self._process.stdin.write(word)

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def flags(options: Mapping[str, Any]) -> list[str]:
    """The options as words of a command line; those without a value are left out."""
    words = []
    for key, value in options.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None and value != "":
            words.append(f"--{flag}={value}")
    return words


def _death(code: int) -> str:
    try:
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        name = f"signal {-code}"
    return f"The training's process was ended from outside ({name}), often for lack of memory; it can be gone on with"
