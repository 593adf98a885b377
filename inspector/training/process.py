"""Parent side of the protocol: start and stop a training in a child process."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector.domain import InputError, message
from inspector.system import paths
from inspector.system.paths import exit_code
from inspector.training import progress as folders
from inspector.training.cli_process import environment
from inspector.training.lock import is_locked
from inspector.training.progress import Progress


class Training:
    """A training in a child process; create it with :meth:`start` or :meth:`resume`.

    The child ends when this process ends, however that happens, and can be resumed.

    Attributes:
        folder: absolute path of the training.
    """

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.folder = folder.absolute()
        self._last: Progress | None = None
        if is_locked(self.folder):
            raise InputError(
                "The training in {folder} is already running; wait for it, or stop it first", folder=self.folder
            )
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
                "No training can be started in {folder} ({reason}); choose another folder",
                folder=self.folder,
                reason=error.strerror or error,
            ) from None

    @classmethod
    def start(
        cls, data: Path, model: str, folder: Path, options: Mapping[str, Any] | None = None, trainer: str = ""
    ) -> Training:
        """Start a training.

        Args:
            data: ``data.yaml``.
            model: architecture, or checkpoint to start from.
            folder: for all results; must be empty or not exist.
            options: values of the trainer's ``train_options``, by key.
            trainer: id of the model plugin that trains, if several can.

        Raises:
            InputError: the folder is in use or cannot be created.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("{folder} already exists; name a new folder for the training's results", folder=folder)
        words = ["--data", str(data), "--model", model, *(["--trainer", trainer] if trainer else [])]
        training = cls(folder, [*words, *flags(options or {})])
        folders.remember_folder(training.folder)
        return training

    @classmethod
    def resume(cls, folder: Path, options: Mapping[str, Any] | None = None) -> Training:
        """Resume the training in ``folder``; options that the trainer allows may change.

        Raises:
            InputError: nothing was trained there, or the training is running.
        """
        if not folders.read_progress(folder, alive=False).begun:
            raise InputError("There is no training to resume in {folder}; choose the folder of one", folder=folder)
        training = cls(folder, ["--resume", *flags(options or {})])
        folders.remember_folder(training.folder)
        return training

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def progress(self) -> Progress:
        """Read the progress; if nothing was trained when it ended, its folder is removed."""
        if self._last is not None:
            return self._last
        code = self._process.poll()
        found = folders.read_progress(self.folder, alive=code is None)
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
        """End it when the current epoch is saved."""
        self._send(b"stop\n")

    def stop(self) -> None:
        """End it after the current step; what was learned since the last saved epoch is lost."""
        self._send(b"now\n")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, at most ``seconds``; return whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive

    def _send(self, word: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has ended
            self._process.stdin.write(word)

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def flags(options: Mapping[str, Any]) -> list[str]:
    """Convert options to command-line arguments; those without a value are left out."""
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
        name = signal.Signals(-code).name if code < 0 else exit_code(code)
    except ValueError:
        name = f"signal {-code}"
    return message(
        "The training's process was terminated from outside ({name}), often because memory ran out; it can be resumed",
        name=name,
    )
