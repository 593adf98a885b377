"""Remember which files of a watched folder have been inspected, across restarts, in one SQLite file of the user."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from inspector.api import InputError, journal_mode, plugin_folder, replace_patiently, unused_path

logger = logging.getLogger(__name__)
Stamp = tuple[int, int]
"""Size in bytes and modification time in nanoseconds: with its name, they identify a file."""

_FORGET_AFTER = 30 * 24 * 3600.0  # seconds after which a deleted file is forgotten
_TABLE = """CREATE TABLE IF NOT EXISTS done (
    folder TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (folder, name)) WITHOUT ROWID"""


class Journal:
    """The inspected files of ``folder``. Any thread may use it, also after :meth:`close`.

    If the file cannot be used, a warning is logged, and images are inspected again rather than never.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.normcase(folder.absolute())
        self._file = plugin_folder("hot_folder") / "done.sqlite3"
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._warned = False
        try:
            self._run("SELECT 1 FROM done LIMIT 1")
        except sqlite3.OperationalError as error:
            self._warn(error)
        except sqlite3.DatabaseError:
            self.close()
            aside = unused_path(self._file.with_name("done-damaged.sqlite3"))
            try:
                replace_patiently(self._file, aside)
                for ending in ("-wal", "-shm"):  # they would be applied to the new file
                    self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
            except OSError as error:
                raise InputError(
                    "{file} is damaged and cannot be moved away ({reason}); close the programs that have it open, "
                    "then start again",
                    file=self._file,
                    reason=error.strerror or error,
                ) from None
            logger.warning("The journal of watched folders was damaged and is started again; the old file is %s", aside)

    def has(self, name: str, stamp: Stamp) -> bool:
        """Whether this content of the file has been inspected."""
        query = "SELECT size, changed FROM done WHERE folder = ? AND name = ?"
        try:
            return self._run(query, self._folder, name) == [stamp]
        except sqlite3.Error as error:
            self._warn(error)
            return False

    def add(self, name: str, stamp: Stamp) -> None:
        """Record a file, so that it survives a crash right after."""
        try:
            self._run("REPLACE INTO done VALUES (?, ?, ?, ?, ?)", self._folder, name, *stamp, time.time())
        except sqlite3.Error as error:
            self._warn(error)

    def forget(self, present: Collection[str]) -> None:
        """Drop what was inspected long ago and is not among the names ``present``."""
        try:
            rows = self._run(
                "SELECT name FROM done WHERE folder = ? AND time < ?", self._folder, time.time() - _FORGET_AFTER
            )
            for (name,) in rows:
                if name not in present:
                    self._run("DELETE FROM done WHERE folder = ? AND name = ?", self._folder, name)
        except sqlite3.Error as error:
            self._warn(error)

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _run(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            if self._database is None:
                self._database = sqlite3.connect(self._file, timeout=10, check_same_thread=False)
                self._database.execute(f"PRAGMA journal_mode = {journal_mode(self._file)}")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(_TABLE)
            with self._database:
                return self._database.execute(query, values).fetchall()

    def _warn(self, error: sqlite3.Error) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("What was inspected in %s cannot be remembered: %s (%s)", self._folder, error, self._file)
