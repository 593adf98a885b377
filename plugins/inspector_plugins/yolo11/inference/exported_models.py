"""Open exported networks: ONNX files and OpenVINO folders, as written by this program and by ultralytics.

Both formats are graphs of known operations with numbers; OpenVINO reads them, and none of the file's own code runs.
TorchScript is refused: it is a program. What a network is for (classes, input size, task) is in its metadata.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.api import InputError, long_path, prepare_openvino
from inspector_plugins.yolo11.checkpoint.weights_file import class_name
from inspector_plugins.yolo11.inference import decode
from inspector_plugins.yolo11.inference.openvino_runner import OpenVinoModel

prepare_openvino()

import openvino
import yaml

SUFFIXES = (".onnx", ".xml")
_LARGEST_METADATA = 1 << 20  # bytes
_LARGEST_SIDE = 4096  # pixels
_MOST_CLASSES = 10_000


@dataclass(frozen=True, eq=False)
class Exported:
    """An exported network.

    Attributes:
        network: input of OpenVINO's ``read_model``.
        sha256: of the file, for OpenVINO of both files, hexadecimal.
        architecture: as in the metadata, e.g. ``yolo11n-seg``.
        names: class names in class order.
        imgsz: side length of the input, pixels; the longer one if it is not square.
        stride: pixels.
        shape: (height, width) of a fixed input; None for any.
    """

    network: str
    sha256: str
    architecture: str
    names: tuple[str, ...]
    imgsz: int
    stride: int
    shape: tuple[int, int] | None

    def blobs(self) -> tuple[str, ...]:
        """Names of cached compiled networks: none."""
        return ()

    def blob(self, name: str) -> None:
        """A cached compiled network: none."""

    def store_blob(self, name: str, content: bytes) -> None:
        """Do not cache a compiled network: nothing is written next to the user's files."""


class ExportedModel(OpenVinoModel):
    """An exported network for inference on the CPU; see :class:`OpenVinoModel`."""

    def __init__(
        self,
        file: Path,
        imgsz: int | None = None,
        precision: str = "auto",
        max_detections: int = 300,
        batch: int | None = None,
    ) -> None:
        """Open ``file``.

        Args:
            file: an ``.onnx``, or the ``.xml`` of an OpenVINO folder.
            imgsz: side length to which images are scaled; None: as exported. Only for inputs of any size.
            precision: ``auto`` or ``f32``; ``bf16`` if the processor supports it.
            max_detections: maximum number of detections per image.
            batch: images per call.

        Raises:
            InputError: the file or an option cannot be used.
        """
        opened = read(file)
        if (
            opened.shape is not None
            and imgsz is not None
            and -(-imgsz // opened.stride) * opened.stride != opened.imgsz
        ):
            raise InputError(
                "{file} was exported for images of {width}x{height} pixels, not {imgsz}; leave imgsz out, or "
                "export the model with shape any",
                file=file.name,
                width=opened.shape[1],
                height=opened.shape[0],
                imgsz=imgsz,
            )
        if precision not in ("auto", "f32", "bf16"):
            raise InputError("precision {precision} is not for an exported model; leave it out", precision=precision)
        self._use(opened, file.name, "f32" if precision == "auto" else precision, imgsz, max_detections, batch)
        self._shape = opened.shape

    def _fit(self, height: int, width: int) -> decode.Letterbox:
        return (
            super()._fit(height, width)
            if self._shape is None
            else decode.Letterbox.for_input(height, width, *self._shape)
        )


def read(file: Path) -> Exported:
    """Read the metadata of ``file``, and check that it is a segmentation network in YOLO's layout.

    Raises:
        InputError: it is not, or it is damaged.
    """
    kind = "ONNX" if file.suffix.lower() == ".onnx" else "OpenVINO"
    try:
        metadata = _onnx_metadata(file) if kind == "ONNX" else _openvino_metadata(file)
        model = openvino.Core().read_model(str(long_path(file)))
        sha256 = _sha256(file)
    except OSError as error:
        raise InputError(
            "{file} cannot be read ({reason}); copy it again", file=file.name, reason=error.strerror or error
        ) from None
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().rpartition("\n")[2][:120]
        raise InputError(
            "{file} is damaged or not an {kind} network ({reason}); export the model again",
            file=file.name,
            kind=kind,
            reason=reason,
        ) from error
    names = _names(file, metadata)
    shape = _shape(file, model, len(names))
    stride = _number(metadata.get("stride"), 32, 8, 256)
    imgsz = max(shape) if shape else _number(metadata.get("trained_imgsz") or metadata.get("imgsz"), 640, 32, 4096)
    architecture = str(metadata.get("architecture") or metadata.get("description") or "YOLO segmentation")[:80]
    return Exported(str(long_path(file)), sha256, architecture, names, imgsz, stride, shape)


def _onnx_metadata(file: Path) -> dict[str, Any]:
    import onnx

    try:
        model = onnx.load(str(long_path(file)), load_external_data=False)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - protobuf's DecodeError, of which each implementation has its own class
        raise ValueError(str(error)) from None
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise InputError("{file} keeps its weights in other files; export the model as one file", file=file.name)
    metadata: dict[str, Any] = {}
    for entry in model.metadata_props:
        if len(entry.value) > _LARGEST_METADATA:
            continue
        try:
            metadata[entry.key] = ast.literal_eval(entry.value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            metadata[entry.key] = entry.value
    return metadata


def _openvino_metadata(file: Path) -> dict[str, Any]:
    place = long_path(file.with_name("metadata.yaml"))
    if not place.is_file():
        raise InputError(
            "metadata.yaml is missing next to {file}; copy the whole folder of the exported model", file=file.name
        )
    if place.stat().st_size > _LARGEST_METADATA:
        raise InputError("metadata.yaml next to {file} is too large; export the model again", file=file.name)
    try:
        text = place.read_text("utf-8")
        if "&" in text and "*" in text:  # aliases may expand without end, and no exporter writes them
            raise ValueError("metadata.yaml has aliases")
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"metadata.yaml: {type(error).__name__}") from None
    return found if isinstance(found, dict) else {}


def _names(file: Path, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    if metadata.get("task", "segment") != "segment":
        raise InputError(
            "{file} is exported from a model for {task}; a segmentation model (…-seg) is needed",
            file=file.name,
            task=str(metadata["task"])[:40],
        )
    given = metadata.get("names")
    table = dict(enumerate(given)) if isinstance(given, list) else given
    if (
        not isinstance(table, dict)
        or not table
        or len(table) > _MOST_CLASSES
        or sorted(table) != list(range(len(table)))
    ):
        raise InputError(
            "{file} does not name its classes (metadata names); export it with this program or with ultralytics",
            file=file.name,
        )
    return tuple(class_name(table[number]) or str(number) for number in range(len(table)))


def _shape(file: Path, model: Any, classes: int) -> tuple[int, int] | None:
    """(height, width) of a fixed input; None for any."""
    refused = InputError(
        "{file} has other inputs and outputs than a YOLO segmentation network; export it again, without NMS inside",
        file=file.name,
    )
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or len(outputs) != 2:
        raise refused
    image = inputs[0].get_partial_shape()
    ranks = [output.get_partial_shape().rank.get_length() for output in outputs]
    if image.rank.get_length() != 4 or ranks != [3, 4] or (image[1].is_static and image[1].get_length() != 3):
        raise refused
    rows, coefficients = outputs[0].get_partial_shape()[1], outputs[1].get_partial_shape()[1]
    if rows.is_static and coefficients.is_static and rows.get_length() != 4 + classes + coefficients.get_length():
        raise refused
    if image[2].is_dynamic or image[3].is_dynamic:
        return None
    height, width = image[2].get_length(), image[3].get_length()
    if not (32 <= height <= _LARGEST_SIDE and 32 <= width <= _LARGEST_SIDE):
        raise refused
    return height, width


def _number(given: Any, default: int, least: int, most: int) -> int:
    value = max(given) if isinstance(given, list | tuple) and given else given
    return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else default


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    for part in (file, file.with_suffix(".bin")) if file.suffix.lower() == ".xml" else (file,):
        with open(long_path(part), "rb") as opened:
            while piece := opened.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
