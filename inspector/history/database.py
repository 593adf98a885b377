"""The history's file: its tables, its migrations, and what a person is told when it cannot be used.

One covering index in order of time answers every search: each filter is a test on that index, so the slowest search is
one walk over it (about 0.25 s for a million inspections), and texts of one Chinese character are no slower than others.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from inspector.domain import InputError, InspectorError

# Append only: a migration that has been released is never edited. user_version counts those that were applied.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, started TEXT, ended TEXT, title TEXT, output TEXT,
            state TEXT, version TEXT, job TEXT, counts TEXT, model_file TEXT, model_sha256 TEXT, architecture TEXT,
            names TEXT, plugin TEXT, runtime TEXT, device TEXT, imgsz INTEGER)""",
        # Folders and findings (which labels and reason codes occur together) are few and shared, so they are kept once.
        "CREATE TABLE folder (id INTEGER PRIMARY KEY, path TEXT UNIQUE)",
        "CREATE TABLE finding (id INTEGER PRIMARY KEY, labels TEXT, codes TEXT, UNIQUE (labels, codes))",
        """CREATE TABLE tag (
            kind TEXT, text TEXT COLLATE NOCASE, finding INTEGER, PRIMARY KEY (kind, text, finding)) WITHOUT ROWID""",
        # at: milliseconds since 1970. file: last part of the path where it is not the name. verdict: NULL for skipped.
        """CREATE TABLE inspection (
            id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER REFERENCES run, number INTEGER, at INTEGER, time TEXT,
            name TEXT, folder INTEGER, file TEXT, frame INTEGER, seconds REAL, width INTEGER, height INTEGER,
            verdict TEXT, finding INTEGER, reasons TEXT, skipped TEXT, confidence REAL, iou REAL,
            read_ms REAL, infer_ms REAL, total_ms REAL, defects INTEGER, largest_px INTEGER)""",
        "CREATE INDEX by_time ON inspection (at, id, verdict, run, finding, folder, name, file)",
        "CREATE INDEX by_run ON inspection (run)",
        """CREATE TABLE detection (
            id INTEGER PRIMARY KEY, inspection INTEGER REFERENCES inspection ON DELETE CASCADE, label TEXT, score REAL,
            x1 REAL, y1 REAL, x2 REAL, y2 REAL, area_px INTEGER, length_px REAL, area_mm2 REAL, length_mm REAL,
            rle TEXT)""",
        "CREATE INDEX by_inspection ON detection (inspection)",
    ),
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNUSABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def connect(path: Path) -> sqlite3.Connection:
    """Open the history at ``path``, made if it is missing, brought to this program's version if it is older.

    Raises:
        InputError: the file is damaged, newer than this program, or may not be written.
    """
    with guarded(path):
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        with guarded(path):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in a new file only
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a power cut loses no more than a kill does
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -32000")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    with transaction(connection):
        version = _version(connection)  # again: another program may have migrated meanwhile
        if version > len(MIGRATIONS):
            raise InputError(
                f"The history {path} was made by a newer version of this program; "
                "update this program, or move that file aside to begin a new history"
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; waits for another writer."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turns what SQLite says of its file into a sentence; mistakes in our SQL pass."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise InputError(
                f"The history {path} is damaged; move it aside together with the files beside it whose names begin "
                f"with {path.name}-, and start again: a new history is begun, and the old one stays for a rescue"
            ) from None
        if code in _UNUSABLE:
            raise InputError(
                f"The history {path} cannot be written ({error}); make the file and its folder writable"
            ) from None
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise InspectorError(f"The history {path} could not be written ({error}); make room on that disk") from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise InspectorError(
                f"The history {path} is held by another program for more than 30 seconds; end that program"
            ) from None
        raise


def storable(text: str) -> str:
    """File names on Linux may hold bytes that are no text; SQLite takes texts only."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Claim:
    """A lock file beside the history that says "this run's program lives": the system drops it with the process."""

    def __init__(self, history: Path, run: int) -> None:
        self.path = claim_path(history, run)
        self._file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            file = open(self.path, "ab")  # noqa: SIM115 - held until drop()
            if _lock(file):
                self._file = file
            else:
                file.close()

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                self.path.unlink()


def claim_path(history: Path, run: int) -> Path:
    return history.with_name(f"{history.name}-run-{run}.lock")


def claimed(history: Path, run: int) -> bool:
    """True while the program that works on ``run`` lives. A file left by a dead one is removed."""
    path = claim_path(history, run)
    try:
        with open(path, "r+b") as file:
            if not _lock(file):
                return True
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be told; leave the run alone
    with contextlib.suppress(OSError):
        path.unlink()
    return False


def _lock(file: IO[bytes]) -> bool:
    """Take the system's exclusive lock, without waiting; it ends when the file is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file.fileno(), 0, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
