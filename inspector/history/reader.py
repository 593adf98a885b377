"""Read-only connections to the history, for the tables and charts of the window."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from inspector.domain import InspectorError
from inspector.history.database import connect, file_errors
from inspector.system.paths import history_file

Cancelled = Callable[[], bool]
"""Called about every millisecond on the reader's thread; True cancels the call with :class:`Stopped`."""
_STEPS = 20_000  # instructions of SQLite's virtual machine between two calls, about 1 ms


class Stopped(InspectorError):
    """The call was cancelled."""


class Reader:
    """A read-only connection. Opened, used and closed on one thread; holds no lock between calls.

    Args:
        path: of the history, created if it is missing; None: the user's.

    Raises:
        InputError: the file is damaged, newer than this program, or cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or history_file()
        self._connection = connect(self.path)
        self._connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _snapshot(self, cancelled: Cancelled | None = None) -> Iterator[None]:
        """Run the block in one read transaction (consistent snapshot), which can be cancelled."""
        self._connection.set_progress_handler(cancelled, _STEPS)
        try:
            with file_errors(self.path):
                self._connection.execute("BEGIN")
                yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raise Stopped("Reading the history was cancelled") from None
        finally:
            self._connection.set_progress_handler(None, 0)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _cursor(self, statement: str, values: Sequence[Any] = ()) -> contextlib.closing[sqlite3.Cursor]:
        return contextlib.closing(self._connection.execute(statement, values))

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._cursor(statement, values) as cursor:
            return cursor.fetchall()
