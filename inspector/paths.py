"""Where things lie: the user's folders, the program's assets; and how a file is put in its place.

Everything the program keeps lies in one data folder. ``BEARING_INSPECTOR_HOME`` moves it; a file or folder ``portable``
beside the packaged program brings it there, into ``data``.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from inspector.domain import InputError

logger = logging.getLogger(__name__)
HOME_VARIABLE = "BEARING_INSPECTOR_HOME"
PORTABLE_MARK = "portable"
_APP = "Bearing Inspector"
_LONGEST_NAME = 150  # bytes
_TAKEN = ".taken"


def frozen() -> bool:
    """True in the program that PyInstaller made."""
    return bool(getattr(sys, "frozen", False))


def program() -> list[str]:
    """The words that start this program's command line again, in a process of its own."""
    if not frozen():
        return [sys.executable, "-m", "inspector"]
    # On Windows the window is a program without streams; the command line lies beside it.
    command_line = Path(sys.executable).with_name("bearing-inspector.exe")
    return [str(command_line) if sys.platform == "win32" and command_line.exists() else sys.executable]


def source_archive() -> Path | None:
    """The exact source code of a packaged program, which lies beside it; None elsewhere."""
    beside = Path(sys.executable).parent.glob("bearing-inspector-*-source.tar.gz") if frozen() else ()
    return next(iter(beside), None)


def portable_folder() -> Path | None:
    """The folder of the packaged program, where a mark there says that everything shall lie beside it."""
    if not frozen():
        return None
    beside = Path(sys.executable).parent
    return beside if (beside / PORTABLE_MARK).exists() else None


def foreign_environment() -> dict[str, str]:
    """For programs of the system: without the libraries that the packaged program brings along for itself."""
    environment = dict(os.environ)
    if frozen():
        before = environment.pop("LD_LIBRARY_PATH_ORIG", "")
        environment.pop("LD_LIBRARY_PATH", None)
        if before:
            environment["LD_LIBRARY_PATH"] = before
    return environment


def assets() -> Path:
    """The folder of icons, fonts, texts and the bundled model."""
    if frozen():
        return Path(sys._MEIPASS) / "assets"  # type: ignore[attr-defined]
    beside = Path(__file__).resolve().parent.parent / "assets"
    return beside if beside.is_dir() else Path(sys.prefix) / "share" / "bearing-inspector" / "assets"


def sample_data() -> Path | None:
    """The folder of sample pictures, where it came along."""
    places = [assets().parent / "sample_data", assets() / "sample_data"]
    return next((place for place in places if place.is_dir()), None)


def data_folder() -> Path:
    """The user's data folder, made if it is missing: history, settings, plugins, logs."""
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
    """Where plugins lie that the user installed."""
    return _made(data_folder() / "plugins")


def plugin_folder(plugin_id: str) -> Path:
    """A folder in which the plugin ``plugin_id`` may keep what it remembers between runs."""
    return _made(data_folder() / "plugin-data" / safe_name(plugin_id))


def logs_folder() -> Path:
    return _made(data_folder() / "logs")


def history_file() -> Path:
    return data_folder() / "history.sqlite3"


def settings_file() -> Path:
    return data_folder() / "settings.json"


def results_folder() -> Path:
    """Where runs are saved when the user names no other place (not made here)."""
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
            f"The folder {folder} cannot be made ({error.strerror or error}); "
            f"set {HOME_VARIABLE} to a folder that you may write to"
        ) from None
    return folder


def safe_name(text: str) -> str:
    """``text`` as one file name that Windows and Linux accept; never empty.

    It has at most 150 bytes, a short suffix is kept: room for numbers and endings within a file system's 255.
    """
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]', "_", text).strip(" .")
    if len(name.encode()) > _LONGEST_NAME:
        ending = re.search(r"(\.\w{1,10})?$", name, re.ASCII)
        suffix = ending.group() if ending else ""
        stem = name.removesuffix(suffix).encode()[: _LONGEST_NAME - len(suffix)].decode(errors="ignore")
        name = stem.rstrip(" .") + suffix
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    return f"_{name}" if reserved or not name else name


def long_path(path: Path) -> Path:
    """``path`` in the form that Windows opens beyond 260 characters; elsewhere, and where it is short, as it is."""
    if os.name != "nt":
        return path
    return Path(_extended(os.path.abspath(path)))  # noqa: PTH100 (Path.absolute keeps "..", which this form forbids)


def _extended(text: str) -> str:
    if len(text) < 240 or text.startswith("\\\\?\\"):
        return text
    return "\\\\?\\UNC" + text[1:] if text.startswith("\\\\") else "\\\\?\\" + text


def unused_path(path: Path) -> Path:
    """``path``, or the first of ``name-2``, ``name-3``, … that does not exist."""
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Make ``folder``, or take it where it is empty; meanwhile a file in it tells others that it is not.

    Raises:
        FileExistsError: it is not empty, or somebody else has just taken it.
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _TAKEN
    if any(folder.iterdir()):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))
    mark.touch(exist_ok=False)
    try:
        if any(entry != mark for entry in folder.iterdir()):  # of one who was done with taking it before our mark
            raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(folder))
        yield
    finally:
        mark.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """A new empty file in ``path``'s folder, with its suffix, for writing before :func:`publish`."""
    handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    with contextlib.suppress(OSError):  # mkstemp makes it private; results are ordinary files
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
    return Path(name)


def publish(temporary: Path, final: Path) -> Path:
    """Put a finished file in its place, replacing what is there.

    Where the old file is open elsewhere (Windows refuses to replace it), the new one gets a second name, and a warning
    says so.

    Returns:
        Where the file lies now.
    """
    try:
        temporary.replace(final)
        return final
    except PermissionError:
        other = unused_path(final)
        temporary.replace(other)
        logger.warning("%s is open in another program; saved as %s instead", final.name, other.name)
        return other


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 file as a whole or not at all; returns where it lies."""
    temporary = temporary_beside(path)
    try:
        # A file name on Linux need not be UTF-8; what cannot be encoded is escaped, in JSON still as JSON.
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
