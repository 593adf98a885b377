"""Unpacks a zip or copies a folder, and refuses whatever could land elsewhere or fill the disk."""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from inspector.paths import safe_name
from inspector.registry.manifest import Refused

LARGEST_SIZE = 500 * 1024**2
MOST_FILES = 10_000


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip (or wheel) into the empty folder ``target``.

    Raises:
        Refused: an entry that leaves the folder, is a link or no ordinary file, is encrypted or damaged, or there is
            too much. What was unpacked until then stays in ``target``.
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
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Refused(f"{archive.name} is damaged or no zip file: {error}") from None
    except OSError as error:
        raise Refused(f"{archive.name} cannot be unpacked: {error.strerror or error}") from None


def _check_entry(entry: zipfile.ZipInfo, archive: str) -> None:
    # ZipInfo cleans its file name on some systems; what stands in the archive counts.
    name = entry.orig_filename
    parts = name.removesuffix("/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\\" in name or "\0" in name or re.match(r"/|[A-Za-z]:", name) or ".." in parts:
        raise Refused(f"{archive} has the entry {name!r}, which would land outside the plugin's folder; do not use it")
    if any(part in ("", ".") or safe_name(part).lstrip(" .") != part.lstrip(".") for part in parts):
        raise Refused(f"{archive} has the entry {name!r}, which is no file name on Windows")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(
            f"{archive} has the entry {name!r}, which is a link or no ordinary file; plugins may not hold any"
        )
    if entry.flag_bits & 0x1:
        raise Refused(f"{archive} is encrypted; unpack it and install the folder")


def _check_names(names: list[str], archive: str) -> None:
    files: set[str] = set()
    for name in names:
        if name.casefold() in files:
            raise Refused(f"{archive} has the entry {name!r} twice")
        files.add(name.casefold())
    for name in names:
        for parent in PurePosixPath(name.casefold()).parents:
            if str(parent) in files:
                raise Refused(f"{archive} has {name!r} below an entry that is a file")


def _check_amount(name: str, files: int, size: int) -> None:
    if files > MOST_FILES:
        raise Refused(f"{name} holds {files:,} files; a plugin may have {MOST_FILES:,}")
    if size > LARGEST_SIZE:
        raise Refused(f"{name} takes {size / 1024**2:,.0f} MB unpacked; a plugin may take {LARGEST_SIZE >> 20} MB")


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
                        f"{folder.name} holds {where}, which is a link or no ordinary file; replace it by one"
                    )
            files += here
            size += sum(path.stat().st_size for path in here)
            _check_amount(folder.name, len(files), size)
        for file in files:
            copy = target / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    except OSError as error:
        raise Refused(f"{folder} cannot be copied: {error.strerror or error}") from None
