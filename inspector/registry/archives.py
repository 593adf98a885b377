"""Safe unpacking of archives and copying of folders: no path traversal, no links, bounded size."""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from inspector.domain import quote
from inspector.registry.manifest import Refused
from inspector.system.paths import safe_name

LARGEST_SIZE = 500 * 1024**2
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError),
    IndexError,  # an entry without a name
)
MOST_FILES = 10_000


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip (or wheel) into the empty folder ``target``.

    Raises:
        Refused: an entry that leaves the folder, is a link or no ordinary file, is encrypted or damaged, or there is
            too much. ``target`` keeps what was unpacked before.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            for entry in opened.infolist():
                _check_entry(entry, archive.name)
            _check_names([entry.filename for entry in entries], archive.name)
            _check_amount(archive.name, len(entries), sum(entry.file_size for entry in entries))
            for entry in entries:
                file = target.joinpath(*PurePosixPath(entry.filename).parts)
                file.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as packed, open(file, "xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 1 << 20)
    except _DAMAGED as error:
        raise Refused("{archive} is damaged or not a zip file: {reason}", archive=archive.name, reason=error) from None
    except OSError as error:
        raise Refused(
            "{archive} cannot be unpacked: {reason}", archive=archive.name, reason=error.strerror or error
        ) from None


def _check_entry(entry: zipfile.ZipInfo, archive: str) -> None:
    # ZipInfo normalises its file name on some systems; the name in the archive counts.
    name = entry.orig_filename
    parts = name.removesuffix("/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\\" in name or "\0" in name or re.match(r"/|[A-Za-z]:", name) or ".." in parts:
        raise Refused(
            "{archive} has the entry {name}, which would be written outside the plugin's folder; do not use it",
            archive=archive,
            name=quote(name),
        )
    if any(part in ("", ".") or safe_name(part).lstrip(" .") != part.lstrip(".") for part in parts):
        raise Refused(
            "{archive} has the entry {name}, which is not a valid file name on Windows",
            archive=archive,
            name=quote(name),
        )
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(
            "{archive} has the entry {name}, which is a link or not a regular file; plugins must not contain any",
            archive=archive,
            name=quote(name),
        )
    if entry.flag_bits & 0x1:
        raise Refused("{archive} is encrypted; unpack it and install the folder", archive=archive)


def _check_names(names: list[str], archive: str) -> None:
    files: set[str] = set()
    for name in names:
        if name.casefold() in files:
            raise Refused("{archive} has the entry {name} twice", archive=archive, name=quote(name))
        files.add(name.casefold())
    for name in names:
        for parent in PurePosixPath(name.casefold()).parents:
            if str(parent) in files:
                raise Refused("{archive} has {name} below an entry that is a file", archive=archive, name=quote(name))


def _check_amount(name: str, files: int, size: int) -> None:
    if files > MOST_FILES:
        raise Refused(
            "{name} contains {files:,} files; the limit for a plugin is {limit:,}",
            name=name,
            files=files,
            limit=MOST_FILES,
        )
    if size > LARGEST_SIZE:
        raise Refused(
            "{name} has {size:,.0f} MB unpacked; the limit for a plugin is {limit} MB",
            name=name,
            size=size / 1024**2,
            limit=LARGEST_SIZE >> 20,
        )


def copy_folder(folder: Path, target: Path) -> None:
    """Copy a folder's files into the empty folder ``target``, without hidden files and ``__pycache__``.

    Raises:
        Refused: there is a link in it, or too much, or it cannot be read.
    """
    files: list[Path] = []
    size = 0

    def give_up(error: OSError) -> None:
        raise error

    try:
        for root, folders, names in os.walk(folder, onerror=give_up):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
            here = [Path(root, name) for name in sorted(names) if not name.startswith(".")]
            for path in (*here, *(Path(root, name) for name in folders)):
                if path.is_symlink() or not (path.is_file() or path.is_dir()):
                    where = path.relative_to(folder).as_posix()
                    raise Refused(
                        "{folder} contains {path}, which is a link or not a regular file; replace it by one",
                        folder=folder.name,
                        path=where,
                    )
            files += here
            size += sum(path.stat().st_size for path in here)
            _check_amount(folder.name, len(files), size)
        for file in files:
            copy = target / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    except OSError as error:
        raise Refused("{folder} cannot be copied: {reason}", folder=folder, reason=error.strerror or error) from None
