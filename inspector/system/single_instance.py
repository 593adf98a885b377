"""One window per data folder: a second start hands its request to the first one by a file.

The window holds ``window.lock``. A second start writes a request into ``to-open/``; the window removes it, which is
the answer. A closing window does not answer, and the second start becomes the window when it has ended.
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

from inspector.domain import InspectorError
from inspector.system import paths
from inspector.system.locks import locked

PATIENCE = 15.0  # seconds that a second start waits for an answer


@dataclass(frozen=True)
class Request:
    """Request of a start to open something.

    Attributes:
        sources: absolute paths, ``camera:0``, addresses.
        recipe: the file of a recipe; empty for none.
        operator: show the operator's view.
        start: begin to inspect.
    """

    sources: tuple[str, ...] = ()
    recipe: str = ""
    operator: bool = False
    start: bool = False

    @classmethod
    def of(
        cls, sources: Sequence[str] = (), recipe: Path | None = None, operator: bool = False, start: bool = False
    ) -> Request:
        """Build a request with absolute paths, because the window may have another working directory."""
        whole = tuple(os.path.abspath(text) if os.path.exists(text) else text for text in sources)  # noqa: PTH100, PTH110
        return cls(whole, "" if recipe is None else str(recipe.absolute()), operator, start)


class SingleInstance:
    """The exclusive right to be the window, acquired by :func:`take_or_hand_over`."""

    def __init__(self, lock: int | None) -> None:
        self._lock = lock

    def requests(self) -> list[Request]:
        """Pending requests, oldest first; each is returned once."""
        found = []
        for file in _waiting():
            try:
                row = paths.read_json(file)
                sources, recipe = tuple(map(str, row["sources"])), str(row["recipe"])
                found.append(Request(sources, recipe, row.get("operator") is True, row.get("start") is True))
            except (OSError, ValueError, KeyError, TypeError):
                found.append(Request())  # unreadable, but the user wants to see the window
            with contextlib.suppress(OSError):
                file.unlink()
        return found

    def close(self) -> None:
        """Release the right to be the window."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def take_or_hand_over(request: Request, patience: float = PATIENCE) -> SingleInstance | None:
    """Become the window, or hand ``request`` to the one that is open.

    Returns:
        The right to be the window; None if another one has taken the request.

    Raises:
        InputError: the data folder cannot be created.
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
        "Bearing Inspector is already open, but its window does not respond; wait a little, or end it "
        "with the system's task manager and start it again"
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
        return SingleInstance(None)  # nothing can be locked where nothing can be written
    if not locked(lock):
        os.close(lock)
        return None
    for file in _waiting():
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > PATIENCE:  # of a start that timed out or was killed
                file.unlink()
    return SingleInstance(lock)


def _leave(request: Request) -> Path:
    """Write the request for the window."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(-1)  # otherwise Windows only flashes the task bar
    try:
        _folder().mkdir(exist_ok=True)
        return paths.write_text(_folder() / f"{time.time_ns()}-{os.getpid()}.json", json.dumps(asdict(request)))
    except OSError as error:
        raise InspectorError(
            "Bearing Inspector is already open, but its window cannot be reached ({reason}); open the "
            "files in that window",
            reason=error.strerror,
        ) from None
