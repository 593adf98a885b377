"""Folders of the user and of the program, and atomic replacement of files.

All state is kept in one data folder. ``BEARING_INSPECTOR_HOME`` moves it; a file or folder ``portable``
next to the packaged program moves it there, into ``data``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from inspector.domain import InputError, message

logger = logging.getLogger(__name__)
HOME_VARIABLE = "BEARING_INSPECTOR_HOME"
UTF8_VARIABLE = "BEARING_INSPECTOR_UTF8"
MESSAGES_VARIABLE = "BEARING_INSPECTOR_MESSAGES"
"""Set for a child process whose messages, on stderr and in its JSON, are read with their templates."""
PORTABLE_MARK = "portable"
_APP = "Bearing Inspector"
_LONGEST_NAME = 150  # bytes
_TAKEN = ".taken"
LARGEST_JSON = 32 << 20
"""Bytes of a JSON file that is read at most."""
_DEEPEST = 64  # levels of a JSON document
_REMOTE = 4  # DRIVE_REMOTE
_REPLACE_PATIENCE, _REPLACE_PAUSE = 1.0, 0.05  # seconds


def frozen() -> bool:
    """Whether this is the packaged program (PyInstaller)."""
    return bool(getattr(sys, "frozen", False))


def program() -> list[str]:
    """The command that starts this program's command line in a new process."""
    if not frozen():
        return [sys.executable, "-m", "inspector"]
    # On Windows the window is a program without streams; the command line is in the same folder.
    command_line = Path(sys.executable).with_name("bearing-inspector.exe")
    return [str(command_line) if sys.platform == "win32" and command_line.exists() else sys.executable]


def source_archive() -> Path | None:
    """The archive of a packaged program's exact source code in the same folder; None elsewhere."""
    beside = Path(sys.executable).parent.glob("bearing-inspector-*-source.tar.gz") if frozen() else ()
    return next(iter(beside), None)


def portable_folder() -> Path | None:
    """The folder of the packaged program if it is marked as portable; else None."""
    if not frozen():
        return None
    beside = Path(sys.executable).parent
    return beside if (beside / PORTABLE_MARK).exists() else None


def foreign_environment() -> dict[str, str]:
    """Environment for programs of the system, without the libraries of the packaged program."""
    environment = dict(os.environ)
    if frozen():
        before = environment.pop("LD_LIBRARY_PATH_ORIG", "")
        environment.pop("LD_LIBRARY_PATH", None)
        if before:
            environment["LD_LIBRARY_PATH"] = before
    return environment


def child_environment(messages: bool = False, **more: str) -> dict[str, str]:
    """Environment for a child process of this program, whose streams are UTF-8 on any code page.

    A packaged program ignores PYTHONIOENCODING, hence an own variable, see ``cli.console.prepare``.

    Args:
        messages: its lines on stderr and its JSON carry templates, see :func:`inspector.domain.messages.from_line`.
        more: further variables.
    """
    own = {UTF8_VARIABLE: "1", "PYTHONIOENCODING": "utf-8:backslashreplace", MESSAGES_VARIABLE: "1" if messages else ""}
    return os.environ | own | more


def exit_code(code: int) -> str:
    """Describe a process's exit code; a crash on Windows by its status, e.g. ``exit code 0xC0000005``."""
    if code < 0x8000_0000:
        return message("exit code {code}", code=code)
    known = {0xC0000005: ", access violation", 0xC00000FD: ", stack overflow", 0xC0000017: ", out of memory"}
    return f"exit code 0x{code:08X}{known.get(code, '')}"


def assets() -> Path:
    """The folder of icons, fonts, texts and the bundled model."""
    if frozen():
        return Path(sys._MEIPASS) / "assets"  # type: ignore[attr-defined]
    beside = Path(__file__).resolve().parents[2] / "assets"
    return beside if beside.is_dir() else Path(sys.prefix) / "share" / "bearing-inspector" / "assets"


def sample_data() -> Path | None:
    """The folder of sample images, if installed."""
    places = [assets().parent / "sample_data", assets() / "sample_data"]
    return next((place for place in places if place.is_dir()), None)


def data_folder() -> Path:
    """The user's data folder, created if missing: history, settings, plugins, logs."""
    chosen = os.environ.get(HOME_VARIABLE)
    beside = portable_folder()
    if chosen:
        folder = Path(chosen)
    elif beside is not None:
        folder = beside / "data"
    else:
        import platformdirs

        folder = Path(platformdirs.user_data_dir(_APP, appauthor=False))
    return _made(folder)


def plugins_folder() -> Path:
    """The folder of plugins installed by the user."""
    return _made(data_folder() / "plugins")


def plugin_folder(plugin_id: str) -> Path:
    """The folder in which the plugin ``plugin_id`` may keep state between runs."""
    return _made(data_folder() / "plugin-data" / safe_name(plugin_id))


def logs_folder() -> Path:
    return _made(data_folder() / "logs")


def history_file() -> Path:
    return data_folder() / "history.sqlite3"


def settings_file() -> Path:
    return data_folder() / "settings.json"


def results_folder() -> Path:
    """The default folder of results (not created here)."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen) / "results"
    beside = portable_folder()
    if beside is not None:
        return beside / "results"
    import platformdirs

    return Path(platformdirs.user_documents_dir()) / _APP


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "The folder {folder} cannot be created ({reason}); set {home_variable} to a folder that you may write to",
            folder=folder,
            reason=error.strerror or error,
            home_variable=HOME_VARIABLE,
        ) from None
    return folder


def safe_name(text: str) -> str:
    """Turn ``text`` into a file name that is valid on Windows and Linux; never empty.

    At most 150 bytes, with a short suffix kept, which leaves room for numbers and endings within 255 bytes.
    """
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]', "_", text).strip(" .")
    if len(name.encode()) > _LONGEST_NAME:
        ending = re.search(r"(\.\w{1,10})?$", name, re.ASCII)
        suffix = ending.group() if ending else ""
        stem = name.removesuffix(suffix).encode()[: _LONGEST_NAME - len(suffix)].decode(errors="ignore")
        name = stem.rstrip(" .") + suffix
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³])( *\..*)?", name)
    return f"_{name}" if reserved or not name else name


def result_stem(folder: Path, name: str) -> Path:
    """Path of the output for an image or stream ``name``, without suffix; never outside ``folder``."""
    address = "://" in name
    parts = [part for part in ([name] if address else re.split(r"[\\/]", name)) if part.strip(" .")] or ["_"]
    last = re.sub(r"(?<=.)\.[A-Za-z]\w{1,4}$", "", parts[-1])
    return folder.joinpath(*map(safe_name, [*parts[:-1], last]))


def long_path(path: Path) -> Path:
    """``path`` in the form that Windows accepts beyond 260 characters; unchanged if short or elsewhere."""
    if os.name != "nt":
        return path
    return Path(_extended(os.path.abspath(path)))  # noqa: PTH100 (Path.absolute keeps "..", which this form forbids)


def _extended(text: str) -> str:
    if len(text.encode("utf-16-le")) // 2 < 240 or text.startswith("\\\\?\\"):
        return text
    return "\\\\?\\UNC" + text[1:] if text.startswith("\\\\") else "\\\\?\\" + text


def on_network(path: Path) -> bool:
    """Return whether ``path`` is on a Windows network share or mapped network drive.

    SQLite's write-ahead log needs shared memory, which a network drive does not provide.
    """
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(os.path.abspath(path))[0].removeprefix("\\\\?\\")  # noqa: PTH100
        named = drive.upper().startswith(("\\\\", "UNC\\"))
        return named or bool(ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == _REMOTE)
    return False


def journal_mode(file: Path) -> str:
    """Return SQLite's journal mode for ``file``: a write-ahead log, or a rollback journal on a network drive."""
    return "DELETE" if on_network(file) else "WAL"


def unused_path(path: Path) -> Path:
    """``path``, or the first of ``name-2``, ``name-3``, … that does not exist, not even as a broken link."""
    candidate, number = path, 2
    while os.path.lexists(candidate):
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Create or reserve the empty ``folder``: a marker file in it keeps others away within the block.

    Raises:
        FileExistsError: it is not empty, or another process has reserved it.
        NotADirectoryError: it is a file or a broken link.
        OSError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    except ValueError as error:  # a name with NUL
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(folder)) from error
    mark = folder / _TAKEN
    if any(folder.iterdir()):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))
    mark.touch(exist_ok=False)
    try:
        if any(entry != mark for entry in folder.iterdir()):  # of a process that released it before our marker
            raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))
        yield
    finally:
        mark.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """Create an empty file in ``path``'s folder, with its suffix, to be written before :func:`publish`."""
    handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    with contextlib.suppress(OSError):  # mkstemp creates private files; results are ordinary ones
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
    return Path(name)


def replace_patiently(source: Path, target: Path, patience: float = _REPLACE_PATIENCE) -> None:
    """Rename a file or folder, replacing a file at ``target``.

    Windows refuses while a virus scanner, backup or folder synchronisation has either open, which is
    common right after writing: retry meanwhile.

    Args:
        source: file or folder to rename.
        target: new path, on the same file system.
        patience: seconds to retry.

    Raises:
        OSError: still refused, or another error.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if time.monotonic() > deadline or not _may_be_busy(target):
                raise
            time.sleep(_REPLACE_PAUSE)


def _may_be_busy(target: Path) -> bool:
    """Whether to retry a refused replacement: only on Windows, and not over a folder."""
    return os.name == "nt" and not target.is_dir()


def publish(temporary: Path, final: Path) -> Path:
    """Move a finished result file to its target, replacing an existing file.

    If the old file stays open elsewhere (Windows refuses to replace it), the new one gets another name, and a
    warning says so.

    Returns:
        The path of the file.
    """
    try:
        replace_patiently(temporary, final)
        return final
    except PermissionError:
        other = unused_path(final)
        replace_patiently(temporary, other)
        logger.warning("%s is open in another program; saved as %s instead", final.name, other.name)
        return other


def read_json(path: Path, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Read a JSON file, which may be damaged, in bounded time and memory.

    Args:
        path: a regular file in UTF-8, with or without byte order mark.
        pairs: builds an object from keys and values, see ``json.loads``; a dict by default.

    Raises:
        FileNotFoundError: it does not exist.
        OSError: it cannot be read.
        ValueError: not JSON, not a regular file (a pipe, device, folder), too long or too deeply nested.
    """
    # Opening a pipe would block.
    handle = os.open(long_path(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no ordinary file")
        data = file.read(LARGEST_JSON + 1)
    return parse_json(data, pairs)


def parse_json(data: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse JSON in UTF-8, which may be damaged, in bounded time and memory; see :func:`read_json`.

    Raises:
        ValueError: not JSON, too long or too deeply nested.
    """
    if len(data) > LARGEST_JSON:
        raise ValueError(f"it has more than {LARGEST_JSON >> 20} MB")
    try:
        held = json.loads(data.decode("utf-8-sig"), object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level = [held]
    for _ in range(_DEEPEST):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inner(outer)]
        if not level:
            return held
    raise ValueError("it is nested too deeply")


def _inner(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


def write_text(path: Path, text: str) -> Path:
    """Write a result file in UTF-8 atomically; return its path, see :func:`publish`."""
    with _written(path, text) as temporary:
        return publish(temporary, path)


def write_state(path: Path, text: str) -> None:
    """Write a state file in UTF-8 atomically, never under another name.

    Raises:
        OSError: it cannot be written, or another program keeps it open.
    """
    with _written(path, text) as temporary:
        replace_patiently(temporary, path)


@contextlib.contextmanager
def _written(path: Path, text: str) -> Iterator[Path]:
    """A temporary file in ``path``'s folder with ``text`` synced to disk; deleted afterwards if it still exists."""
    temporary = temporary_beside(path)
    try:
        # A file name on Linux need not be UTF-8; unencodable characters are escaped, in JSON as valid JSON.
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
