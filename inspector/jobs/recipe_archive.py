"""Recipes as one archive with their model, and the store of models that came in archives.

An archive is a zip of exactly ``recipe.json``, ``manifest.json`` (SHA-256 of the other files), at most one file below
``model/``, and ``image.jpg`` if the recipe has an image. Nothing is unpacked by the name in the archive: the model goes
to ``recipes/models/<SHA-256>/`` in the user's folder, and is read as data like any other. ``recipe.json`` keeps its
bytes, so a recipe has the same fingerprint before and after it was exported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from inspector.domain import InputError, message, quote
from inspector.system.paths import (
    LARGEST_JSON,
    data_folder,
    long_path,
    parse_json,
    publish,
    replace_patiently,
    safe_name,
    temporary_beside,
)

LARGEST_MODEL = 2 << 30  # bytes
_RECIPE, _MANIFEST, _IMAGE, _MODEL = "recipe.json", "manifest.json", "image.jpg", "model/"
_LARGEST = {_RECIPE: LARGEST_JSON, _MANIFEST: 1 << 20, _IMAGE: 8 << 20}
_SEVERAL_FILES = (".xml", ".bin")  # an OpenVINO export
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, IndexError)


def is_archive(path: Path) -> bool:
    """Whether a file begins like a zip archive."""
    try:
        if not path.is_file():  # opening a pipe would block
            return False
        with open(long_path(path), "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except (OSError, ValueError):
        return False


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with open(long_path(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def models_folder() -> Path:
    """Folder of the models that came in archives, by SHA-256; it need not exist."""
    return data_folder() / "recipes" / "models"


def stored_model(sha256: str) -> Path | None:
    """The model file with this fingerprint that came in an archive, or None."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        return None
    with contextlib.suppress(OSError):
        files = [file for file in (models_folder() / sha256).iterdir() if file.is_file() and file.suffix != ".tmp"]
        return files[0] if len(files) == 1 else None
    return None


def read_recipe_json(path: Path) -> bytes:
    """``recipe.json`` of an archive that was checked; the model is not read.

    Raises:
        InputError: it is damaged, or has other content than an archive of a recipe.
    """
    with _opened(path) as archive:
        return _checked(path, archive)[0]


def unpack(path: Path) -> bytes:
    """Copy the model of an archive into the store, and return ``recipe.json``.

    Raises:
        InputError: it is damaged, or has other content than an archive of a recipe; nothing is stored then.
    """
    with _opened(path) as archive:
        document, model, sha256 = _checked(path, archive)
        if model is not None:
            held = stored_model(sha256)
            if held is None or file_sha256(held) != sha256:
                _store(path, archive, model, sha256)
        return document


def export(
    path: Path, document: bytes, weights: Path | None, model: tuple[str, str], thumbnail: bytes, overwrite: bool = False
) -> Path:
    """Write a recipe with its model as an archive; return its path.

    Args:
        document: the recipe file.
        weights: model file, None for a model without one.
        model: file name and SHA-256 of the model in the recipe.
        thumbnail: JPEG, empty for none.
        overwrite: replace an existing file, which the user confirmed.

    Raises:
        InputError: the file exists, or the model is missing, another one, or several files.
        OSError: it cannot be written.
    """
    if path.exists() and not overwrite:
        raise InputError("{path} exists already; choose another file", path=path)
    if weights is not None and weights.suffix.lower() in _SEVERAL_FILES:
        raise InputError(
            "The model {weights} consists of several files, which an archive cannot hold; use a checkpoint or ONNX",
            weights=weights,
        )
    hashes = {_RECIPE: hashlib.sha256(document).hexdigest()}
    temporary = temporary_beside(path)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_RECIPE, document)
            if thumbnail:
                hashes[_IMAGE] = hashlib.sha256(thumbnail).hexdigest()
                archive.writestr(_IMAGE, thumbnail, zipfile.ZIP_STORED)
            if weights is not None:
                name = _MODEL + safe_name(model[0] or weights.name)
                archive.write(weights, name, zipfile.ZIP_STORED)
                hashes[name] = file_sha256(weights)
                if model[1] and hashes[name] != model[1]:
                    raise InputError(
                        "The model {weights} differs from the one the recipe was saved with (SHA-256); save the recipe "
                        "again",
                        weights=weights,
                    )
            archive.writestr(_MANIFEST, json.dumps({"format": 1, "sha256": hashes}, indent=2))
        return publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(long_path(path)) as archive:
            yield archive
    except FileNotFoundError:
        raise InputError(
            "The {kind} {path} does not exist; give a JSON file", kind=message("recipe"), path=path
        ) from None
    except InputError:
        raise
    except (*_DAMAGED, OSError) as error:
        raise InputError("The recipe {path} cannot be used: {reason}", path=path, reason=str(error)) from None


def _checked(path: Path, archive: zipfile.ZipFile) -> tuple[bytes, zipfile.ZipInfo | None, str]:
    """``recipe.json``, the entry of the model and its SHA-256, after everything but the model's bytes was checked."""
    entries = archive.infolist()
    names = [entry.orig_filename for entry in entries]
    models = [entry for entry in entries if re.fullmatch(r"model/[^/\\:\0]+", entry.orig_filename)]
    odd = [name for name in names if name not in _LARGEST and not re.fullmatch(r"model/[^/\\:\0]+", name)]
    if odd or len(models) > 1 or len(set(names)) != len(names) or not {_RECIPE, _MANIFEST} <= set(names):
        raise InputError(
            "{path} is not a recipe with its model: it must contain recipe.json, manifest.json and one model, "
            "but has {names}",
            path=path,
            names=quote(", ".join(odd or names)),
        )
    for entry in entries:
        most = _LARGEST.get(entry.orig_filename, LARGEST_MODEL)
        if entry.flag_bits & 0x1 or entry.file_size > most:
            raise InputError(
                "The recipe {path} cannot be used: {name} is encrypted or larger than {most:,} bytes",
                path=path,
                name=quote(entry.orig_filename),
                most=most,
            )
    document = archive.read(_RECIPE)
    try:
        manifest = parse_json(archive.read(_MANIFEST))
        hashes = manifest["sha256"]
        recorded = parse_json(document).get("model")
        expected = str(hashes[models[0].orig_filename]) if models else ""
        intact = hashes[_RECIPE] == hashlib.sha256(document).hexdigest()
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError("The recipe {path} cannot be used: its manifest is damaged", path=path) from None
    named = recorded.get("sha256") if isinstance(recorded, dict) else None
    if not intact or (models and (named != expected or not re.fullmatch(r"[0-9a-f]{64}", expected))):
        raise InputError("The recipe {path} was changed after it was exported (SHA-256); export it again", path=path)
    return document, models[0] if models else None, expected


def _store(path: Path, archive: zipfile.ZipFile, model: zipfile.ZipInfo, sha256: str) -> None:
    folder = models_folder() / sha256
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / safe_name(model.orig_filename.removeprefix(_MODEL))
    temporary = temporary_beside(final)
    try:
        with archive.open(model) as packed, open(temporary, "wb") as file:
            found = _copy(packed, file, model.file_size)
        if found != sha256:
            raise InputError("The model in {path} is not the one of the recipe (SHA-256); export it again", path=path)
        for other in folder.iterdir():
            if other not in (temporary, final):
                other.unlink()
        replace_patiently(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # only if it is empty


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> str:
    digest, left = hashlib.sha256(), size
    while left > 0 and (block := source.read(min(left, 1 << 20))):
        digest.update(block)
        target.write(block)
        left -= len(block)
    return digest.hexdigest()
