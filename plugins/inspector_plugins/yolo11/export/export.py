"""Write a checkpoint as ONNX, OpenVINO or TorchScript, in ultralytics' layout and with its metadata.

ultralytics' exporter installs packages and chooses the output path itself. Here the network is read as data, merged
and fused, traced once, and appears under its final name only when it is complete. OpenVINO reads the ONNX form: its own
``convert_model`` is not needed. A network for images of any shape is tried at two before it is written, since layers
may make constants of the sizes that they see while they are traced.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from inspector.api import (
    InputError,
    InspectorError,
    LayerSpec,
    __version__,
    long_path,
    message,
    prepare_torch,
    replace_patiently,
)

prepare_torch()

import numpy as np
import torch
import yaml
from torch.nn import functional
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins._shared.atomic_files import write_atomically
from inspector_plugins.yolo11.architecture import build
from inspector_plugins.yolo11.checkpoint import checkpoint
from inspector_plugins.yolo11.checkpoint.plugin_versions import origin, plugin_of
from inspector_plugins.yolo11.inference import openvino_cache

FORMATS = ("openvino", "onnx", "torchscript")
_ENDINGS = {"openvino": "_openvino_model", "onnx": ".onnx", "torchscript": ".torchscript"}
_OPSET = 17
_TRACED, _TRIED = (4, 5), ((3, 5), (6, 3))  # height, width in strides
_CLOSE = 1e-3  # share of the largest value


def export(
    weights: Path,
    format: str,
    output: Path | None = None,
    layers: Sequence[LayerSpec] = (),
    *,
    imgsz: int | None = None,
    shape: str | None = None,
    half: bool = False,
    precision: str = "f32",
    calibrate: Path | None = None,
    data: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write the network for images (1, 3, H, W), RGB from 0 to 1.

    Its outputs are ``output0``, the predictions (1, 4 + classes + 32, anchors) with boxes as x y w h in pixels, and
    ``output1``, the mask prototypes (1, 32, H / 4, W / 4).

    Args:
        weights: an ultralytics segmentation checkpoint.
        format: ``openvino`` (a folder), ``onnx`` or ``torchscript`` (a file).
        output: path to write; None: next to the checkpoint, named after it.
        layers: layers of plugins that the checkpoint may contain.
        imgsz: H and W, rounded up to the stride; None: as trained.
        shape: ``HxW`` instead, multiples of the stride; or ``any``: all multiples of the stride; not with TorchScript.
        half: store the weights in 16 bit, half the size; with OpenVINO only. Norms are then kept separate from
            convolutions, so that a checkpoint saved in 16 bit, as by all trainings, is not rounded.
        precision: ``f32``; or ``int8``, with OpenVINO only: convolutions in 8 bit, see :mod:`quantize`. It is also kept
            for inspecting with ``precision=int8``, see :mod:`converted`.
        calibrate: for int8, a folder of good images.
        data: for int8, the ``data.yaml`` of labelled images: some under ``train`` are added to the good ones, and on
            those under ``val`` it is compared with f32.
        report: called with each line of what was measured.

    Returns:
        The file or folder that was written.

    Raises:
        InputError: the checkpoint, format or output cannot be used.
        InspectorError: the network contains something that the format cannot express.
    """
    if format not in FORMATS:
        raise InputError("Unknown format {format!r}; use one of {formats}", format=format, formats=", ".join(FORMATS))
    if half and format != "openvino":
        raise InputError("half is for the format openvino, not {format}; leave it out", format=format)
    if shape is not None and format == "torchscript":
        raise InputError("shape is for the formats onnx and openvino, not torchscript; leave it out")
    if precision == "int8" and (format != "openvino" or half):
        raise InputError("The precision int8 is for the format openvino, without half; leave one of them off")
    if precision != "int8" and not (calibrate is None and data is None):
        raise InputError("calibrate and data are for the precision int8; give it, or leave them off")
    opened = checkpoint.load(weights, layers)
    final = output or weights.with_name(weights.stem + _ENDINGS[format])
    _check_output(final, format)
    size = _size(shape, opened.stride, imgsz or opened.imgsz)
    calibration = None
    if precision == "int8":
        from inspector_plugins.yolo11.export.calibration import Calibration

        side = _size(None, opened.stride, imgsz or opened.imgsz)[0]
        calibration = Calibration.collect(weights, opened, side, calibrate, data)
    used = _used(opened.model, layers)
    network = _prepared(opened.model, format, fuse=not half)
    network.model[-1].dynamic = free = shape == "any" or calibration is not None
    metadata = _metadata(opened, network, size, shape == "any", half) | {"layers": used}
    image = torch.zeros(1, 3, *((side * opened.stride for side in _TRACED) if free else size))
    with _explained(weights, format), _quiet(), torch.no_grad():
        network(image)  # compute what is created at the first pass for a size, e.g. anchors
        content = (_torchscript if format == "torchscript" else _onnx)(network, image, metadata)
        if free:
            _try(content, network, opened.stride)
    free_in_file = shape == "any"
    if format != "openvino":
        report(_described(network, opened.stride, None if free_in_file else size))
        return _write_file(final, content)
    if calibration is None:
        model = _read(content)
    else:
        with _explained(weights, format):
            model, metadata["accuracy"] = calibration.apply(content, report)
        metadata["args"]["quantize"] = 8
        openvino_cache.add(partial(_save, weights.stem, model, metadata), weights, opened.sha256, layers, precision)
        if shape != "any":
            model.reshape([1, 3, *size])
    report(_described(network, opened.stride, None if free_in_file else size))
    return _write_openvino(final, weights.stem, model, metadata, half)


def _described(network: SegmentationModel, stride: int, size: tuple[int, int] | None) -> str:
    """Describe the shapes of input and outputs in a sentence; ``size`` None: any."""
    head = network.model[-1]
    rows = 4 + head.nc + head.nm
    if size is None:
        return message(
            (
                "Input 1 x 3 x H x W, RGB from 0 to 1, H and W multiples of {stride}; outputs 1 x {rows} x N (boxes, "
                "scores, mask coefficients) and 1 x {nm} x H/4 x W/4 (mask prototypes)"
            ),
            stride=stride,
            rows=rows,
            nm=head.nm,
        )
    height, width = size
    anchors = sum((height // int(step)) * (width // int(step)) for step in network.stride)
    return message(
        (
            "Input 1 x 3 x {height} x {width}, RGB from 0 to 1; outputs 1 x {rows} x {anchors} (boxes, scores, mask "
            "coefficients) and 1 x {nm} x {height2} x {width2} (mask prototypes)"
        ),
        height=height,
        width=width,
        rows=rows,
        anchors=anchors,
        nm=head.nm,
        height2=height // 4,
        width2=width // 4,
    )


def _check_output(final: Path, format: str) -> None:
    if final.is_symlink() or long_path(final).exists():
        raise InputError("{path} already exists; move it away, or choose another name", path=final, cli_hint="--output")
    if format == "openvino" and final.suffix.lower() in (".xml", ".bin"):
        raise InputError(
            "openvino is written as a folder; give a name such as {name}{suffix}",
            name=final.stem,
            suffix=_ENDINGS[format],
        )
    if format != "openvino" and final.suffix.lower() != _ENDINGS[format]:
        raise InputError(
            "{path} must end in {suffix}, by which other tools recognise the format",
            path=final.name,
            suffix=_ENDINGS[format],
        )
    if not long_path(final.parent).is_dir():
        raise InputError(
            "The folder {folder} does not exist; create it, or choose another one",
            folder=final.parent,
            cli_hint="--output",
        )


def _size(shape: str | None, stride: int, imgsz: int) -> tuple[int, int]:
    """Height and width of the input; for any shape, the training image size."""
    if shape is None or shape == "any":
        return (-(-imgsz // stride) * stride,) * 2
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", shape)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(stride <= side <= checkpoint.LARGEST_IMGSZ and side % stride == 0 for side in size):
        raise InputError(
            "shape {shape!r} is neither any nor HEIGHTxWIDTH with multiples of {stride} up to {limit}; for "
            "example {height}x{width}",
            shape=shape,
            stride=stride,
            limit=checkpoint.LARGEST_IMGSZ,
            height=12 * stride,
            width=20 * stride,
        )
    return size


def _used(model: SegmentationModel, layers: Sequence[LayerSpec]) -> list[str]:
    """Ids of the layers of those plugins whose modules the network contains."""
    kinds = {type(module) for module in model.modules()}
    plugins = {plugin_of(kind.__module__) for kind in kinds}
    if plugins - {origin(layer) for layer in layers} <= {"torch", "ultralytics"}:
        return [layer.id for layer in layers if origin(layer) in plugins]
    return [layer.id for layer in layers if origin(layer) in plugins or not kinds.isdisjoint(layer.load())]


def _prepared(model: SegmentationModel, format: str, fuse: bool = True) -> Any:
    """Return the network merged and fused, its head returning predictions and prototypes only."""
    model.end2end = False  # as in inference: the head that needs NMS, if there are two
    network: Any = build.prepare_for_inference(model, fuse).eval().requires_grad_(False)
    head = network.model[-1]
    head.export, head.format, head.dynamic, head.shape = True, format, False, None
    return network


def _try(content: bytes, network: Any, stride: int) -> None:
    """Check that the exported form agrees with the network for shapes other than the one it was traced with.

    Raises:
        ValueError, RuntimeError: it does not agree.
    """
    import openvino

    if network.end2end:
        raise ValueError("its head picks a fixed number of places, so that it depends on the shape")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for height, width in _TRIED:
        # Smooth, as images are: on noise some networks are chaotic, so that no two runtimes agree.
        colours = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        image = functional.interpolate(colours, scale_factor=stride, mode="bilinear")
        found = compiled([image.numpy()])
        for port, expected in zip(compiled.outputs, network(image), strict=True):
            largest = float(expected.abs().max())
            if found[port].shape != expected.shape or not np.allclose(
                found[port], expected, rtol=_CLOSE, atol=_CLOSE * largest
            ):
                raise ValueError("one of its layers makes a constant of the shape that it was traced with")


def _metadata(
    opened: checkpoint.Checkpoint, network: Any, size: tuple[int, int], free: bool, half: bool
) -> dict[str, Any]:
    """Metadata that ultralytics and other tools read to use the network; and its origin."""
    arguments: dict[str, Any] = {"batch": 1, "dynamic": free, "nms": False}
    if half:
        arguments["quantize"] = 16
    return {
        "description": f"{opened.architecture} for the classes {', '.join(opened.names)}",
        "author": f"Bearing Inspector {__version__}",
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "version": __version__,
        "license": "AGPL-3.0 License (https://ultralytics.com/license)",
        "docs": "https://docs.ultralytics.com",
        "stride": opened.stride,
        "task": "segment",
        "head": type(network.model[-1]).__name__,
        "batch": 1,
        "imgsz": list(size),
        "names": dict(enumerate(opened.names)),
        "args": arguments,
        "channels": 3,
        "end2end": bool(network.end2end),
        "architecture": opened.architecture,
        "checkpoint_sha256": opened.sha256,
        "trained_imgsz": opened.imgsz,
        **({"ignored_imgsz": opened.ignored_imgsz} if opened.ignored_imgsz else {}),
    }


def _torchscript(network: Any, image: torch.Tensor, metadata: dict[str, Any]) -> bytes:
    jit: Any = torch.jit
    buffer = io.BytesIO()
    traced = jit.trace(network, image, strict=False, check_trace=False)
    jit.save(traced, buffer, _extra_files={"config.txt": json.dumps(metadata)})
    return buffer.getvalue()


def _onnx(network: Any, image: torch.Tensor, metadata: dict[str, Any]) -> bytes:
    import onnx

    buffer: Any = io.BytesIO()
    axes = {"images": {2: "height", 3: "width"}, "output0": {2: "anchors"}, "output1": {2: "rows", 3: "columns"}}
    torch.onnx.export(
        network,
        (image,),
        buffer,
        dynamo=False,
        opset_version=_OPSET,
        # In eval mode torch would fuse norms itself, even those kept separate.
        training=torch.onnx.TrainingMode.EVAL if network.is_fused() else torch.onnx.TrainingMode.PRESERVE,
        input_names=["images"],
        output_names=["output0", "output1"],
        dynamic_axes=axes if network.model[-1].dynamic else None,
    )
    model = onnx.load_model_from_string(buffer.getvalue())
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    model.producer_name, model.producer_version = "Bearing Inspector", __version__
    return bytes(model.SerializeToString())


def _write_file(final: Path, content: bytes) -> Path:
    with _writing(final):
        write_atomically(long_path(final), content)
    return final


def _write_openvino(final: Path, name: str, model: Any, metadata: dict[str, Any], half: bool) -> Path:
    with _writing(final):
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=long_path(final.parent)))
        try:
            _save(name, model, metadata, temporary / "model", half)
            replace_patiently(temporary / "model", long_path(final))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def _save(name: str, model: Any, metadata: dict[str, Any], folder: Path, half: bool = False) -> None:
    """Write an OpenVINO network to the new ``folder``."""
    import openvino

    folder.mkdir()
    openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=half)
    text = yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False)
    (folder / "metadata.yaml").write_text(text, encoding="utf-8")


def _read(content: bytes) -> Any:
    import openvino

    return openvino.Core().read_model(content)


@contextmanager
def _writing(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "{path} cannot be written ({reason}); choose another folder",
            path=final,
            reason=error.strerror or error,
            cli_hint="--output",
        ) from error


@contextmanager
def _explained(weights: Path, format: str) -> Iterator[None]:
    """Convert errors of torch on what it cannot trace or express to one sentence."""
    try:
        yield
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InspectorError(
            "{weights} cannot be written as {format} ({kind}: {reason}); try another format",
            weights=weights.name,
            format=format,
            kind=type(error).__name__,
            reason=reason,
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress torch's warnings on tracing: sizes are meant to become constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
