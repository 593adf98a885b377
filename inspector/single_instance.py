"""One window on a data folder: a second start hands what it was to open to the first one, through a file.

The window holds ``window.lock``. A second start leaves a request in ``to-open/``; the window takes it away, which is
the answer. A window that is closing answers no more, and the second start becomes the window as soon as it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from inspector import paths
from inspector.domain import InspectorError
from inspector.locks import locked

PATIENCE = 15.0  # seconds that a second start waits for an answer


@dataclass(frozen=True)
class Request:
    """What a start was asked to open.

    Attributes:
        sources: whole paths, ``camera:0``, addresses.
        recipe: the file of a recipe; empty for none.
    """

    sources: tuple[str, ...] = ()
    recipe: str = ""

    @classmethod
    def of(cls, sources: Sequence[str] = (), recipe: Path | None = None) -> Request:
        """With whole paths, since the window may have another working directory."""
        whole = tuple(os.path.abspath(text) if os.path.exists(text) else text for text in sources)  # noqa: PTH100, PTH110
        return cls(whole, "" if recipe is None else str(recipe.absolute()))


class SingleInstance:
    """The right to be the window; :func:`take_or_hand_over` gives it."""

    def __init__(self, lock: int | None) -> None:
        self._lock = lock

    def requests(self) -> list[Request]:
        """Those that wait, the oldest first; each is given once."""
        found = []
        for file in _waiting():
            try:
                row = json.loads(file.read_text("utf-8"))
                found.append(Request(tuple(map(str, row["sources"])), str(row["recipe"])))
            except (OSError, ValueError, KeyError, TypeError):
                found.append(Request())  # whatever it was about: somebody wants to see the window
            with contextlib.suppress(OSError):
                file.unlink()
        return found

    def close(self) -> None:
        """Make room for another window."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def take_or_hand_over(request: Request, patience: float = PATIENCE) -> SingleInstance | None:
    """Become the window, or hand ``request`` to the one that is open.

    Returns:
        The right to be the window; None where another one has taken the request.

    Raises:
        InputError: the data folder cannot be made.
        InspectorError: a window is open and does not answer within ``patience`` seconds.
    """
    only = _take()
    if only is not None:
        return only
    file = _leave(request)
    until = time.monotonic() + patience
    try:
        while time.monotonic() < until:
            if not file.exists():
                return None
            only = _take()
            if only is not None:
                return only
            time.sleep(0.05)
    finally:
        file.unlink(missing_ok=True)
    raise InspectorError(
        "Bearing Inspector is open already, but its window does not answer; wait a little, or end it with the system's "
        "task manager, and start it again"
    )


def _folder() -> Path:
    return paths.data_folder() / "to-open"


def _waiting() -> list[Path]:
    try:
        return sorted(file for file in _folder().iterdir() if file.suffix == ".json" and not file.name.startswith("."))
    except OSError:
        return []


def _take() -> SingleInstance | None:
    try:
        lock = os.open(paths.data_folder() / "window.lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return SingleInstance(None)  # where nothing can be written, nothing can be locked
    if not locked(lock):
        os.close(lock)
        return None
    for file in _waiting():
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > PATIENCE:  # of somebody who has given up, or was killed
                file.unlink()
    return SingleInstance(lock)


def _leave(request: Request) -> Path:
    """Put the request where the window finds it."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(-1)  # else the system lets the window only blink in the task bar
    try:
        _folder().mkdir(exist_ok=True)
        return paths.write_text(_folder() / f"{time.time_ns()}-{os.getpid()}.json", json.dumps(asdict(request)))
    except OSError as error:
        raise InspectorError(
            f"Bearing Inspector is open already, and its window cannot be told what to open ({error.strerror}); "
            "open it in that window"
        ) from None
