"""The history's SQLite file: tables, migrations, locks, and errors for the user.

One covering index in order of time answers every search: each filter is a test on that index, so the slowest search is
one scan of it (about 0.25 s for a million inspections), and a text of one Chinese character is no slower than others.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from inspector.domain import InputError, TryAgain
from inspector.system.paths import journal_mode

# Append only: a released migration is never edited. user_version is the number of applied migrations.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, started TEXT, ended TEXT, title TEXT, output TEXT,
            state TEXT, version TEXT, job TEXT, counts TEXT, model_file TEXT, model_sha256 TEXT, architecture TEXT,
            names TEXT, plugin TEXT, runtime TEXT, device TEXT, imgsz INTEGER)""",
        # Folders and findings (which labels and reason codes occur together) are few, so they are stored once.
        "CREATE TABLE folder (id INTEGER PRIMARY KEY, path TEXT UNIQUE)",
        "CREATE TABLE finding (id INTEGER PRIMARY KEY, labels TEXT, codes TEXT, UNIQUE (labels, codes))",
        """CREATE TABLE tag (
            kind TEXT, text TEXT COLLATE NOCASE, finding INTEGER, PRIMARY KEY (kind, text, finding)) WITHOUT ROWID""",
        # at: milliseconds since 1970. file: last part of the path if it differs from name. verdict: NULL if skipped.
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
    ("ALTER TABLE inspection ADD COLUMN notes TEXT",),  # JSON list of remarks on the reading; NULL: none
    (
        # Alarms of a run; until: NULL if the condition did not end.
        """CREATE TABLE event (
            id INTEGER PRIMARY KEY, run INTEGER REFERENCES run ON DELETE CASCADE, at INTEGER, time TEXT, kind TEXT,
            message TEXT, until TEXT)""",
        "CREATE INDEX event_by_run ON event (run, at)",
    ),
    (
        # Templates and parameters of the texts skipped, notes and message, in JSON; NULL: there is no template.
        "ALTER TABLE inspection ADD COLUMN messages TEXT",
        "ALTER TABLE event ADD COLUMN messages TEXT",
    ),
    (
        # Parts with several images, or named by a pattern. name: id in the run. at: time of the newest image. verdict:
        # as if no more images came. Of an image that is a part of its own, inspection.part is NULL.
        """CREATE TABLE part (
            id INTEGER PRIMARY KEY, run INTEGER REFERENCES run ON DELETE CASCADE, name TEXT, serial TEXT, lot TEXT,
            at INTEGER, verdict TEXT, reasons TEXT, reason_views TEXT, views TEXT, expected INTEGER, images INTEGER,
            UNIQUE (run, name))""",
        "ALTER TABLE inspection ADD COLUMN part INTEGER",
        "ALTER TABLE inspection ADD COLUMN view TEXT",
        "DROP INDEX by_time",
        "CREATE INDEX by_time ON inspection (at, id, verdict, run, finding, folder, name, file, part)",
        "CREATE INDEX by_part ON inspection (part) WHERE part IS NOT NULL",
    ),
    (
        # length_px is along the skeleton from here on; before, it was the long side of the smallest rectangle.
        *(
            f"ALTER TABLE detection ADD COLUMN {name} REAL"
            for name in ("feret_px", "width_px", "width_mean_px", "perimeter_px", "nearest_px", "rect_length_px")
        ),
        "ALTER TABLE detection ADD COLUMN region TEXT",
        "UPDATE detection SET rect_length_px = length_px, length_px = NULL",
    ),
    (
        # Later judgements of a run by other rules; the verdicts of the run itself stay in inspection and part.
        """CREATE TABLE judgement (
            id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER REFERENCES run ON DELETE CASCADE, time TEXT, person TEXT,
            rules TEXT, rules_sha256 TEXT, counts TEXT)""",
        "CREATE INDEX judgement_by_run ON judgement (run)",
        """CREATE TABLE judged (
            inspection INTEGER REFERENCES inspection ON DELETE CASCADE,
            judgement INTEGER REFERENCES judgement ON DELETE CASCADE, verdict TEXT, reasons TEXT,
            PRIMARY KEY (inspection, judgement)) WITHOUT ROWID""",
        "CREATE INDEX judged_by_judgement ON judged (judgement)",
        """CREATE TABLE judged_part (
            part INTEGER REFERENCES part ON DELETE CASCADE,
            judgement INTEGER REFERENCES judgement ON DELETE CASCADE, verdict TEXT,
            PRIMARY KEY (part, judgement)) WITHOUT ROWID""",
        "CREATE INDEX judged_part_by_judgement ON judged_part (judgement)",
        # Runs that statistics leave out, with who, when and why, in JSON; NULL: they count.
        "ALTER TABLE run ADD COLUMN excluded TEXT",
    ),
)
logger = logging.getLogger(__name__)
PATIENCE = 30.0
"""Seconds that a statement waits while another program holds the history."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNUSABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def connect(path: Path) -> sqlite3.Connection:
    """Open the history at ``path``; create it if it is missing, and migrate it if it is older.

    Raises:
        InputError: the file is damaged, newer than this program, or cannot be written.
    """
    with file_errors(path):
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        with file_errors(path):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in a new file only
            _set_journal_mode(connection, journal_mode(path))
            connection.execute("PRAGMA synchronous = FULL")  # a power cut loses no more than a kill does
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -32000")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal_mode(connection: sqlite3.Connection, mode: str) -> None:
    """Set the journal mode; wait for other programs that open a new history at the same time.

    For this statement SQLite does not always use its busy timeout.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    with transaction(connection):
        version = _version(connection)  # again: another program may have migrated meanwhile
        if version > len(MIGRATIONS):
            raise InputError(
                "The history {path} was created by a newer version of this program; update this program, or "
                "move that file away to start a new history",
                path=path,
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one write transaction; wait for other writers."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def busy_timeout(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Within the block, wait at most this long for another program."""
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(PATIENCE * 1000)}")


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Translate SQLite file errors into InputError or TryAgain; programming errors pass."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED or "decode to UTF-8" in str(error):
            raise _damaged(path) from None
        if code in _UNUSABLE:
            raise InputError(
                "The history {path} cannot be written ({reason}); make the file and its folder writable",
                path=path,
                reason=error,
            ) from None
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise TryAgain(
                "The history {path} could not be written ({reason}); make room on that disk", path=path, reason=error
            ) from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise TryAgain("The history {path} is in use by another program; close that program", path=path) from None
        raise


@contextlib.contextmanager
def row_errors(path: Path) -> Iterator[None]:
    """Translate errors of decoding a row into InputError: a damaged page may hold any value in any column."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        logger.info("A row of the history %s cannot be read", path, exc_info=error)
        raise _damaged(path) from None


def _damaged(path: Path) -> InputError:
    return InputError(
        "The history {path} is damaged; move it away together with the files next to it whose names "
        "begin with {name}-, and start again: a new history is created, and the old one can still be "
        "rescued",
        path=path,
        name=path.name,
    )


def to_utf8(text: str) -> str:
    """Escape bytes that are no text (possible in file names on Linux), since SQLite takes texts only."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class RunLock:
    """A lock file next to the history that is locked while the run's program lives; the system frees it on a crash."""

    def __init__(self, history: Path, run: int) -> None:
        self.path = run_lock_path(history, run)
        self._file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            file = open(self.path, "ab")  # noqa: SIM115 - open until release()
            if _lock(file):
                self._file = file
            else:
                file.close()

    def release(self) -> None:
        """Free and remove the lock file."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                self.path.unlink()


def run_lock_path(history: Path, run: int) -> Path:
    """Return the path of a run's lock file."""
    return history.with_name(f"{history.name}-run-{run}.lock")


def is_run_alive(history: Path, run: int) -> bool:
    """Whether the program that works on ``run`` is alive; removes the lock file of a dead one."""
    path = run_lock_path(history, run)
    try:
        with open(path, "r+b") as file:
            if not _lock(file):
                return True
    except FileNotFoundError:
        return False
    except OSError:
        return True  # unknown; do not touch the run
    with contextlib.suppress(OSError):
        path.unlink()
    return False


def _lock(file: IO[bytes]) -> bool:
    """Take an exclusive lock without waiting; False also on file systems without locks, whose runs count as alive."""
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
