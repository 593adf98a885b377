"""Cache of checkpoints converted to OpenVINO, in the user's folder; torch stays out of this process.

The conversion is the program's own ``export-model`` in a child process. An entry is a folder:

* ``model.xml``, ``model.bin``: the network in 32 bit; that of the bundled model, shipped converted, in 16 bit as
  its checkpoint is;
* ``entry.json``: metadata of the checkpoint, the digests of these files, and the editions of the plugins'
  layers in it; or the sentence with which it was refused;
* ``*.blob``: the network compiled by OpenVINO for this processor and one shape, preceded by a digest.

An int8 network is not converted but made by ``export-model --precision int8``, which stores it here as its own entry.

The folder's name contains everything that an entry depends on except its plugins. It is made elsewhere and moved into
place as a whole: safe against kills and concurrent processes. Entries that do not match their digests are rebuilt. If
all entries exceed :data:`MOST_BYTES`, the least recently used ones are removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.api import (
    InputError,
    InspectorError,
    LayerSpec,
    __version__,
    assets,
    child_environment,
    from_json,
    from_line,
    long_path,
    message,
    plugin_folder,
    prepare_openvino,
    program,
    read_json,
    replace_patiently,
    temporary_beside,
    to_json,
)
from inspector_plugins.yolo11.checkpoint.plugin_versions import edition
from inspector_plugins.yolo11.checkpoint.weights_file import read

logger = logging.getLogger(__name__)
MOST_BYTES = 2 << 30
LARGEST_FALL = 0.01
"""Loss of mask mAP50-95, 0 to 1, above which int8 causes a warning."""

_FORMAT = 1
_TIME_LIMIT = 900.0  # seconds
_OLD = 86_400.0  # seconds after which unfinished work of other processes is removed
_MOST_BLOBS = 16  # per entry
_NOT_WRITTEN = "cannot be written as openvino"  # in the sentence of the export if the network does not allow it
_DIGEST = hashlib.sha256().digest_size


class ConversionRefused(InspectorError):
    """The network cannot be expressed in OpenVINO's form for this shape."""


@dataclass(frozen=True)
class ConvertedModel:
    """A converted checkpoint.

    Attributes:
        folder: of the entry.
        sha256: of the checkpoint, hexadecimal.
        architecture, names, imgsz, stride: see :class:`inspector_plugins.yolo11.checkpoint.checkpoint.Checkpoint`.
        end_to_end: its head needs no non-maximum suppression.
        accuracy: for int8, the measured mask mAP50-95 in f32 and in int8, 0 to 1.
        ignored_imgsz: see :class:`inspector_plugins.yolo11.checkpoint.checkpoint.Checkpoint`.
    """

    folder: Path
    sha256: str
    architecture: str
    names: tuple[str, ...]
    imgsz: int
    stride: int
    end_to_end: bool
    accuracy: tuple[float, float] | None = None
    ignored_imgsz: str = ""

    @property
    def network(self) -> Path:
        return self.folder / "model.xml"

    def blobs(self) -> list[str]:
        """Names of the cached blobs, most recently used first."""
        files = sorted(self.folder.glob("*.blob"), key=_used_at, reverse=True)
        return [file.stem for file in files]

    def blob(self, name: str) -> bytes | None:
        """The cached blob ``name``; None if it is missing or damaged."""
        file = self.folder / f"{name}.blob"
        try:
            data = file.read_bytes()
            if hashlib.sha256(memoryview(data)[_DIGEST:]).digest() == data[:_DIGEST]:
                os.utime(file)
                return data[_DIGEST:]
        except OSError:
            pass
        return None

    def store_blob(self, name: str, content: bytes) -> None:
        """Cache ``content`` for later starts; if that fails, they take longer."""
        try:
            temporary = temporary_beside(self.folder / f"{name}.blob")
            try:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
                temporary.replace(self.folder / f"{name}.blob")
            finally:
                temporary.unlink(missing_ok=True)
            for old in self.blobs()[_MOST_BLOBS:]:
                (self.folder / f"{old}.blob").unlink(missing_ok=True)
        except OSError as error:
            logger.info("What was compiled of %s could not be kept: %s", self.folder.name, error)
        tidy(self.folder)


def find_or_convert(
    weights: Path, layers: Sequence[LayerSpec], shape: str = "any", precision: str = "f32"
) -> ConvertedModel:
    """Return the converted form of ``weights``; converts it first if necessary, which takes some seconds.

    Args:
        layers: layers of plugins that the checkpoint may contain.
        shape: of the images, see :func:`inspector_plugins.yolo11.export.export`.
        precision: ``f32``; or ``int8``, for any shape, which must have been made: see :func:`add`.

    Raises:
        InputError: the file cannot be read, the checkpoint cannot be used, or there is no int8 form.
        ConversionRefused: its network cannot be converted; this is remembered.
        InspectorError: the conversion failed.
        ImportError, OSError: openvino is missing; the user's folder cannot be written.
    """
    sha256 = hashlib.sha256(read(weights)).hexdigest()
    folder = _folder(sha256, shape, precision)
    found = _read(folder, layers)
    if found is None and precision == "int8":
        named = f'"{weights}"'
        if weights.parent == assets() / "models":
            named = " ".join((weights.stem, "--output", "FOLDER"))  # it must not be written next to the checkpoint
        raise InputError(
            "{weights} has no int8 version here; export it as OpenVINO with precision int8 first, or "
            "choose another precision",
            weights=weights.name,
            cli_hint=f"bearing-inspector export-model {named} --format openvino --precision int8 "
            "--calibrate FOLDER --data data.yaml",
        )
    if found is None:
        _make(folder, weights, sha256, layers, shape)
        found = _read(folder, layers)
        tidy(folder)
    if found is None:
        raise InspectorError("the converted {weights} cannot be read", weights=weights.name)
    with suppress(OSError):
        os.utime(folder / "entry.json")
    _tell(weights, found)
    return found


def add(
    write: Callable[[Path], None], weights: Path, sha256: str, layers: Sequence[LayerSpec], precision: str
) -> ConvertedModel:
    """Store another form of ``weights`` for images of any shape, replacing an earlier one.

    Args:
        write: writes it into a given new folder, as ``export-model`` does.
        sha256: of the checkpoint.
        layers: see :func:`find`, as is ``precision``.

    Raises:
        InspectorError: it cannot be stored.
    """
    folder = _folder(sha256, "any", precision)
    try:
        work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
        try:
            write(work / "model")
            _describe(work / "model", _entry(work / "model", layers))
            with suppress(FileNotFoundError):
                replace_patiently(folder, work / "earlier")
            _place(work, folder, layers)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise InspectorError(
            "The {precision} version of {weights} cannot be saved ({reason})",
            precision=precision,
            weights=weights.name,
            reason=error.strerror or error,
        ) from error
    tidy(folder)
    found = _read(folder, layers)
    if found is None:
        raise InspectorError("the converted {weights} cannot be read", weights=weights.name)
    _tell(weights, found)
    return found


def _tell(weights: Path, model: ConvertedModel) -> None:
    """Log what the reduced precision costs; warn the user if it is much."""
    if model.accuracy is None:
        return
    before, after = model.accuracy
    if before - after > LARGEST_FALL:
        logger.warning(
            "%s is less exact in int8: mask mAP50-95 fell from %.4f to %.4f when it was calibrated; take another "
            "precision, or calibrate on more images",
            *(weights.name, before, after),
        )
    else:
        logger.info("%s in int8: mask mAP50-95 was %.4f in f32 and is %.4f", weights.name, before, after)


def _folder(sha256: str, shape: str, precision: str) -> Path:
    prepare_openvino()
    import openvino

    depends = [str(_FORMAT), __version__, openvino.get_version(), sha256, shape]
    if precision != "f32":
        depends.append(precision)
    return long_path(_room() / hashlib.sha256("\n".join(depends).encode()).hexdigest()[:32])


def _room() -> Path:
    room = plugin_folder("yolo11") / "converted"
    room.mkdir(exist_ok=True)
    return room


def _read(folder: Path, layers: Sequence[LayerSpec]) -> ConvertedModel | None:
    """Read the entry in ``folder``; None if there is none, or it is incomplete or outdated.

    Raises:
        ConversionRefused: the entry records a refusal.
    """
    here = {layer.id: layer for layer in layers}
    try:
        entry = read_json(folder / "entry.json")
        if entry["format"] != _FORMAT:
            return None
        if any(id not in here or edition(here[id]) != known for id, known in entry["layers"].items()):
            return None
        if "refused" in entry:
            if entry["layers"].keys() != here.keys():
                return None
            refusal = str(from_json(entry["refused"]))
        else:
            for name, digest in entry["files"].items():
                with open(folder / name, "rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                        return None
            return ConvertedModel(
                folder,
                str(entry["sha256"]),
                str(entry["architecture"]),
                tuple(map(str, entry["names"])),
                int(entry["imgsz"]),
                int(entry["stride"]),
                bool(entry["end_to_end"]),
                _accuracy(entry.get("accuracy")),
                str(entry.get("ignored_imgsz", "")),
            )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    raise ConversionRefused(refusal)


def _accuracy(value: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    return float(value["f32"]["mask"]["mAP50-95"]), float(value["int8"]["mask"]["mAP50-95"])


def _make(folder: Path, weights: Path, sha256: str, layers: Sequence[LayerSpec], shape: str) -> None:
    """Create the entry in ``folder``: from the one shipped with the program, or by conversion."""
    work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
    try:
        came_along = assets() / "models" / "converted" / sha256[:16]
        if shape == "any" and _read(came_along, layers) is not None:
            (work / "model").mkdir()
            for file in came_along.iterdir():  # without its mode: the program's folder may be read-only
                shutil.copyfile(file, work / "model" / file.name)
        else:
            logger.info("Converting %s for OpenVINO; this is done once", weights.name)
            began = time.monotonic()
            convert(weights, work / "model", layers, shape)
            logger.info("Converted %s in %.1f s", weights.name, time.monotonic() - began)
        _place(work, folder, layers)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def convert(weights: Path, folder: Path, layers: Sequence[LayerSpec], shape: str = "any", *words: str) -> None:
    """Write an entry to the new ``folder``, in a child process.

    Args:
        words: additional arguments of ``export-model``.

    Raises:
        InputError: the checkpoint cannot be used.
        InspectorError: the conversion failed.
    """
    command = [*program(), "export-model", str(weights.absolute()), "--format", "openvino", "--shape", shape, *words]
    try:
        done = subprocess.run(
            [*command, "--output", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=child_environment(messages=True, CUDA_VISIBLE_DEVICES=""),
            timeout=_TIME_LIMIT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        raise InspectorError(
            "{weights} was not converted for OpenVINO after {seconds:g} s",
            weights=weights.name,
            seconds=_TIME_LIMIT,
        ) from None
    lines = done.stderr.strip().splitlines()
    sentence = from_line(lines[-1]) if lines else message("exit code {code}", code=done.returncode)
    if done.returncode == 0:
        entry = _entry(folder, layers)
    elif _NOT_WRITTEN in sentence:
        folder.mkdir()
        entry = {"refused": to_json(sentence), "layers": {layer.id: edition(layer) for layer in layers}}
    elif done.returncode == 2 and str(folder) not in sentence:
        raise InputError(sentence)
    else:
        raise InspectorError(
            "{weights} was not converted for OpenVINO ({reason})", weights=weights.name, reason=sentence
        )
    _describe(folder, entry)


def _describe(folder: Path, entry: Mapping[str, Any]) -> None:
    text = json.dumps({"format": _FORMAT, **entry}, ensure_ascii=False, indent=1)
    (folder / "entry.json").write_text(text, "utf-8")


def _entry(folder: Path, layers: Sequence[LayerSpec]) -> dict[str, Any]:
    """Build ``entry.json`` for the export in ``folder``, whose files are renamed."""
    import yaml

    told = yaml.safe_load((folder / "metadata.yaml").read_text("utf-8"))
    (folder / "metadata.yaml").unlink()
    digests = {}
    for suffix in (".xml", ".bin"):
        file = next(folder.glob(f"*{suffix}")).replace(folder / f"model{suffix}")
        digests[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    here = {layer.id: layer for layer in layers}
    return {
        "sha256": told["checkpoint_sha256"],
        "architecture": told["architecture"],
        "names": [told["names"][number] for number in range(len(told["names"]))],
        "imgsz": told["trained_imgsz"],
        "stride": told["stride"],
        "end_to_end": told["end2end"],
        "layers": {id: edition(here[id]) if id in here else "" for id in told["layers"]},
        "files": digests,
    } | {key: told[key] for key in ("accuracy", "ignored_imgsz") if key in told}


def _place(work: Path, folder: Path, layers: Sequence[LayerSpec]) -> None:
    """Move ``work / "model"`` to ``folder``, unless another process was faster; a damaged or old folder is replaced."""
    for number in range(3):
        try:
            replace_patiently(work / "model", folder)
            return
        except OSError:
            if _read(folder, layers) is not None:
                return
            with suppress(OSError):
                replace_patiently(folder, work / f"old-{number}")
    raise InspectorError("{folder} is in use by another program", folder=folder)


def tidy(keep: Path) -> None:
    """Remove leftovers and, if all take too much space, the least recently used entries; never ``keep``."""
    room, now = keep.parent, time.time()
    entries = []
    for folder in room.iterdir():
        if not folder.name.startswith(".tmp-"):
            entries.append((_used_at(folder / "entry.json"), _size(folder), folder))
        elif now - _used_at(folder) > _OLD:
            shutil.rmtree(folder, ignore_errors=True)
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries):
        if total <= MOST_BYTES:
            break
        if folder != keep:
            gone = room / f".tmp-gone-{folder.name}"
            with suppress(OSError):  # in use by another process, on Windows
                folder.rename(gone)
                total -= size
            shutil.rmtree(gone, ignore_errors=True)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    total = 0
    for file in folder.iterdir():
        with suppress(OSError):
            total += file.stat().st_size
    return total
