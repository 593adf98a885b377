"""Checkpoints in OpenVINO's form, converted once and kept in the user's folder; torch stays out of this process.

The conversion is the program's own ``export-model`` in a child process. An entry is a folder:

* ``model.xml``, ``model.bin``: the network in 32 bit; of the bundled model, which comes along converted, in 16 bit as
  its checkpoint is;
* ``entry.json``: what is to be known of the checkpoint, the digests of these files, and the editions of the plugins'
  layers in it; or the sentence by which it was refused;
* ``*.blob``: what OpenVINO made of the network for this processor and one shape, a digest before it.

An int8 network is not converted but made by ``export-model --precision int8``, which puts it here: an entry of its own.

The folder's name tells everything that an entry depends on but its plugins. It is made elsewhere and moved there whole,
so that it does no harm to be killed, or to be two. What does not agree with its digests is made anew. Where all entries
take more than :data:`MOST_BYTES`, those go that were not used for the longest time.
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
    long_path,
    plugin_folder,
    prepare_openvino,
    program,
    temporary_beside,
)
from inspector_plugins.yolo11.origins import edition
from inspector_plugins.yolo11.reading import read

logger = logging.getLogger(__name__)
MOST_BYTES = 2 << 30
LARGEST_FALL = 0.01
"""Of mask mAP50-95, 0 to 1: what int8 may lose before there is a warning."""

_FORMAT = 1
_TIME_LIMIT = 900.0  # seconds
_OLD = 86_400.0  # seconds after which what another process left unfinished goes
_MOST_BLOBS = 16  # of one entry
_NOT_WRITTEN = "cannot be written as openvino"  # in the sentence of the export where the network does not allow it
_DIGEST = hashlib.sha256().digest_size


class Refused(InspectorError):
    """The network cannot be expressed in OpenVINO's form for this shape."""


@dataclass(frozen=True)
class Converted:
    """A converted checkpoint.

    Attributes:
        folder: of the entry.
        sha256: of the checkpoint, hexadecimal.
        architecture, names, imgsz, stride: see :class:`inspector_plugins.yolo11.checkpoint.Checkpoint`.
        end_to_end: its head needs no suppression.
        accuracy: of an int8 network the mask mAP50-95 that was measured in f32 and in int8, 0 to 1.
    """

    folder: Path
    sha256: str
    architecture: str
    names: tuple[str, ...]
    imgsz: int
    stride: int
    end_to_end: bool
    accuracy: tuple[float, float] | None = None

    @property
    def network(self) -> Path:
        return self.folder / "model.xml"

    def blobs(self) -> list[str]:
        """Names of what was kept, used last first."""
        files = sorted(self.folder.glob("*.blob"), key=_used_at, reverse=True)
        return [file.stem for file in files]

    def blob(self, name: str) -> bytes | None:
        """What was kept under ``name``; None where there is none, or a damaged one."""
        file = self.folder / f"{name}.blob"
        try:
            data = file.read_bytes()
            if hashlib.sha256(memoryview(data)[_DIGEST:]).digest() == data[:_DIGEST]:
                os.utime(file)
                return data[_DIGEST:]
        except OSError:
            pass
        return None

    def keep(self, name: str, content: bytes) -> None:
        """Keep ``content`` for later starts; where that does not succeed they take longer."""
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


def find(weights: Path, layers: Sequence[LayerSpec], shape: str = "any", precision: str = "f32") -> Converted:
    """The converted form of ``weights``; made first where there is none, which takes some seconds.

    Args:
        layers: layers of plugins that the checkpoint may contain.
        shape: of the pictures, see :func:`inspector_plugins.yolo11.export.export`.
        precision: ``f32``; or ``int8``, for any shape, which is there only where it was made: see :func:`add`.

    Raises:
        InputError: for a file that cannot be read, a checkpoint that cannot be used, or an int8 form that is not there.
        Refused: its network cannot be converted; that is remembered.
        InspectorError: the conversion did not succeed here and now.
        ImportError, OSError: openvino is missing; the user's folder cannot be written to.
    """
    sha256 = hashlib.sha256(read(weights)).hexdigest()
    folder = _folder(sha256, shape, precision)
    found = _read(folder, layers)
    if found is None and precision == "int8":
        named = f'"{weights}"'
        if weights.parent == assets() / "models":
            named = " ".join((weights.stem, "--output", "FOLDER"))  # beside itself it may not be written
        raise InputError(
            f"{weights.name} has no int8 form here; make it with 'bearing-inspector export-model {named} "
            "--format openvino --precision int8 --calibrate FOLDER --data data.yaml', or choose another precision"
        )
    if found is None:
        _make(folder, weights, sha256, layers, shape)
        found = _read(folder, layers)
        tidy(folder)
    if found is None:
        raise InspectorError(f"what was converted of {weights.name} cannot be read again")
    with suppress(OSError):
        os.utime(folder / "entry.json")
    _tell(weights, found)
    return found


def add(
    write: Callable[[Path], None], weights: Path, sha256: str, layers: Sequence[LayerSpec], precision: str
) -> Converted:
    """Keep another form of ``weights`` for pictures of any shape, in place of an earlier one.

    Args:
        write: writes it into the new folder that it gets, as ``export-model`` does.
        sha256: of the checkpoint.
        layers: see :func:`find`, as is ``precision``.

    Raises:
        InspectorError: it cannot be kept.
    """
    folder = _folder(sha256, "any", precision)
    try:
        work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
        try:
            write(work / "model")
            _describe(work / "model", _entry(work / "model", layers))
            with suppress(FileNotFoundError):
                folder.rename(work / "earlier")
            _place(work, folder, layers)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise InspectorError(
            f"The {precision} form of {weights.name} cannot be kept ({error.strerror or error})"
        ) from error
    tidy(folder)
    found = _read(folder, layers)
    if found is None:
        raise InspectorError(f"what was converted of {weights.name} cannot be read again")
    _tell(weights, found)
    return found


def _tell(weights: Path, found: Converted) -> None:
    """What a reduced precision costs goes to the log; much of it, to the person."""
    if found.accuracy is None:
        return
    before, after = found.accuracy
    if before - after > LARGEST_FALL:
        logger.warning(
            "%s is less exact in int8: mask mAP50-95 fell from %.4f to %.4f when it was calibrated; take another "
            "precision, or calibrate on more pictures",
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


def _read(folder: Path, layers: Sequence[LayerSpec]) -> Converted | None:
    """The entry in ``folder``; None where there is none that is whole and of today.

    Raises:
        Refused: by the entry.
    """
    here = {layer.id: layer for layer in layers}
    try:
        entry = json.loads((folder / "entry.json").read_text("utf-8"))
        if entry["format"] != _FORMAT:
            return None
        if any(id not in here or edition(here[id]) != known for id, known in entry["layers"].items()):
            return None
        if "refused" in entry:
            if entry["layers"].keys() != here.keys():
                return None
            refusal = str(entry["refused"])
        else:
            for name, digest in entry["files"].items():
                with open(folder / name, "rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                        return None
            return Converted(
                folder,
                str(entry["sha256"]),
                str(entry["architecture"]),
                tuple(map(str, entry["names"])),
                int(entry["imgsz"]),
                int(entry["stride"]),
                bool(entry["end_to_end"]),
                _accuracy(entry.get("accuracy")),
            )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    raise Refused(refusal)


def _accuracy(told: Mapping[str, Any] | None) -> tuple[float, float] | None:
    if told is None:
        return None
    return float(told["f32"]["mask"]["mAP50-95"]), float(told["int8"]["mask"]["mAP50-95"])


def _make(folder: Path, weights: Path, sha256: str, layers: Sequence[LayerSpec], shape: str) -> None:
    """Make the entry in ``folder``: of the one that came along with the program, or by conversion."""
    work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
    try:
        came_along = assets() / "models" / "converted" / sha256[:16]
        if shape == "any" and _read(came_along, layers) is not None:
            (work / "model").mkdir()
            for file in came_along.iterdir():  # without its mode: the program's folder may be for reading only
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
    """Write an entry into the new ``folder``, by a child process.

    Args:
        words: more flags of ``export-model``.

    Raises:
        InputError: for a checkpoint that cannot be used.
        InspectorError: the conversion did not succeed.
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
            env=os.environ | {"PYTHONIOENCODING": "utf-8:backslashreplace", "CUDA_VISIBLE_DEVICES": ""},
            timeout=_TIME_LIMIT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        raise InspectorError(f"{weights.name} was not converted for OpenVINO after {_TIME_LIMIT:g} s") from None
    lines = done.stderr.strip().splitlines()
    sentence = lines[-1].removeprefix("bearing-inspector: ") if lines else f"exit code {done.returncode}"
    if done.returncode == 0:
        entry = _entry(folder, layers)
    elif _NOT_WRITTEN in sentence:
        folder.mkdir()
        entry = {"refused": sentence, "layers": {layer.id: edition(layer) for layer in layers}}
    elif done.returncode == 2 and str(folder) not in sentence:
        raise InputError(sentence)
    else:
        raise InspectorError(f"{weights.name} was not converted for OpenVINO ({sentence})")
    _describe(folder, entry)


def _describe(folder: Path, entry: Mapping[str, Any]) -> None:
    text = json.dumps({"format": _FORMAT, **entry}, ensure_ascii=False, indent=1)
    (folder / "entry.json").write_text(text, "utf-8")


def _entry(folder: Path, layers: Sequence[LayerSpec]) -> dict[str, Any]:
    """What ``entry.json`` says of the export in ``folder``, whose files get their names here."""
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
    } | ({"accuracy": told["accuracy"]} if "accuracy" in told else {})


def _place(work: Path, folder: Path, layers: Sequence[LayerSpec]) -> None:
    """Move ``work / "model"`` to ``folder``, unless another process was faster; what is there is damaged or old."""
    for number in range(3):
        try:
            (work / "model").rename(folder)
            return
        except OSError:
            if _read(folder, layers) is not None:
                return
            with suppress(OSError):
                folder.rename(work / f"old-{number}")
    raise InspectorError(f"{folder} is in use by another program")


def tidy(keep: Path) -> None:
    """Remove leftovers and, where all take too much, the entries not used for the longest time; never ``keep``."""
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
