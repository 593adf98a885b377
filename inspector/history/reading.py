"""A reader of the history beside its writer: what the window's tables and charts are made with."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from inspector.domain import InspectorError
from inspector.history.database import connect, guarded
from inspector.paths import history_file

Cancelled = Callable[[], bool]
"""Asked many times a second from the reader's thread; True ends the call with :class:`Stopped`."""
_STEPS = 20_000  # of SQLite's machine between two such questions, about 1 ms


class Stopped(InspectorError):
    """The call was cancelled."""


class Reader:
    """A connection that cannot change the history. Opened, used and closed on one thread; no lock is held between
    calls.

    Args:
        path: of the history, made if it is missing; None means the user's.

    Raises:
        InputError: the file is damaged, newer than this program, or may not be written.
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
        """All that is read within is of one moment; can be cancelled."""
        self._connection.set_progress_handler(cancelled, _STEPS)
        try:
            with guarded(self.path):
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
