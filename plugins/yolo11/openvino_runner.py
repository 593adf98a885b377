"""Runs a checkpoint with OpenVINO on the CPU. Neither torch nor ultralytics is in the process.

A network is compiled for the very shape of its input, which is 5 to 30 % faster than one for any shape, and a compiled
one is kept for later starts. Pictures of a fourth shape and more share one network for any shape: compiling takes a
second, a folder may hold dozens of shapes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.api import Detection, InputError, InspectorError, LayerSpec, ModelInfo, prepare_openvino

prepare_openvino()

import openvino
from openvino.preprocess import ColorFormat, PrePostProcessor

from inspector_plugins.yolo11 import converted, decode
from inspector_plugins.yolo11.converted import Converted

PRECISIONS = ("auto", "f32", "bf16")
_SHAPES = 3  # that get a network of their own


class OpenVinoModel:
    """An opened model.

    Attributes:
        info: what it is.
        batch: pictures it gets at once; they are computed one after the other, each with all threads.
    """

    def __init__(
        self,
        weights: Path,
        layers: Sequence[LayerSpec] = (),
        imgsz: int | None = None,
        precision: str = "auto",
        max_detections: int = 300,
        batch: int | None = None,
        fixed: bool = False,
    ) -> None:
        """Find or make the converted form.

        Args:
            weights: an ultralytics segmentation checkpoint.
            layers: layers of plugins that the checkpoint may contain.
            imgsz: side length to which pictures are scaled, rounded up to the stride; None: as trained.
            precision: ``f32`` (``auto`` is the same) or ``bf16``, half the time for less exact boxes and masks.
            max_detections: most detections a picture.
            batch: pictures to get at once; None: 1.
            fixed: take a network too that has to be converted for each shape of input, which takes seconds each time.

        Raises:
            InputError: for a file or option that cannot be used.
            Refused: the network cannot be converted.
            InspectorError, ImportError, OSError, RuntimeError: OpenVINO does not work here.
        """
        self._precision = "f32" if precision == "auto" else precision
        if self._precision == "bf16" and "BF16" not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError("precision bf16 is not for this processor; leave it off")
        self._weights, self._layers, self._limit = weights, tuple(layers), max_detections
        self._any = True
        try:
            opened = converted.find(weights, layers)
        except converted.Refused:
            if not fixed:
                raise
            self._any = False
            opened = converted.find(weights, layers, "64x64")  # the smallest; for what is to be known of it
        if opened.end_to_end:
            raise converted.Refused(
                f"{weights.name} has a head that needs no suppression, which OpenVINO does not read"
            )
        self._opened = opened
        self._imgsz = -(-(imgsz or opened.imgsz) // opened.stride) * opened.stride
        self._networks: dict[tuple[int, int] | None, _Network] = {}
        self.batch = batch or 1
        self.info = ModelInfo(
            file=weights.name,
            sha256=opened.sha256,
            architecture=opened.architecture,
            names=opened.names,
            plugin="yolo11",
            runtime="openvino" if self._precision == "f32" else f"openvino {self._precision}",
            device="cpu",
            imgsz=self._imgsz,
        )
        if self._any:
            self._warm()

    def predict(self, images: Sequence[NDArray[np.uint8]], confidence: float, iou: float) -> list[list[Detection]]:
        """Find defects; see :class:`inspector.api.Model`."""
        found = []
        for image in images:
            fit = decode.Fit.of(image.shape[0], image.shape[1], self._imgsz, self._opened.stride)
            prediction, prototypes = self._run(image, fit)
            found.append(
                decode.decode(
                    prediction,
                    prototypes,
                    fit,
                    self._opened.names,
                    confidence,
                    iou,
                    self._limit,
                )
            )
        return found

    def close(self) -> None:
        """Free the networks' memory."""
        self._networks.clear()

    def _run(self, image: NDArray[np.uint8], fit: decode.Fit) -> tuple[decode.Floats, decode.Floats]:
        try:
            return self._network(fit.input_height, fit.input_width).run(image, fit)
        except (RuntimeError, MemoryError) as error:
            reason = str(error).strip().rpartition("\n")[2]
            shape = f"{fit.input_width}x{fit.input_height}"
            if isinstance(error, MemoryError) or "alloc" in reason:
                raise InputError(f"Not enough memory for a picture of {shape}; choose a smaller imgsz") from error
            raise InspectorError(
                f"OpenVINO cannot compute {self.info.file} for a picture of {shape} ({reason}); use the runtime torch"
            ) from error

    def _network(self, height: int, width: int) -> _Network:
        """The network for inputs of this shape."""
        known = self._networks.get((height, width))
        if known is not None:
            return known
        if self._any and len(self._networks) >= _SHAPES:
            if None not in self._networks:
                self._networks[None] = _Network.compiled(self._opened, self._precision, None)
            return self._networks[None]
        if len(self._networks) >= _SHAPES:
            del self._networks[next(iter(self._networks))]
        opened = self._opened if self._any else converted.find(self._weights, self._layers, f"{height}x{width}")
        network = self._networks[height, width] = _Network.compiled(opened, self._precision, (height, width))
        return network

    def _warm(self) -> None:
        """Take up what was used last at this input size, before the first picture comes."""
        for name in self._opened.blobs():
            shape = _shape_of(name)
            if shape is not None and max(shape) == self._imgsz and name == _blob_name(shape, self._precision):
                self._network(*shape)
                return


class _Network:
    """A compiled network with its input's memory."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._pixels = np.empty((0, 0, 0, 3), np.uint8)

    @classmethod
    def compiled(cls, opened: Converted, precision: str, shape: tuple[int, int] | None) -> _Network:
        """The network of ``opened`` for inputs of ``shape`` (height, width) or, with None, of any."""
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # what else works on these cores would wait for us, and we for it
        }
        name = _blob_name(shape, precision)
        blob = opened.blob(name)
        if blob is not None:
            try:
                return cls(_core().import_model(blob, "CPU", settings))
            except RuntimeError:
                pass  # made by another build of OpenVINO
        model = _with_pixels(_core().read_model(opened.network))
        if shape is not None:
            model.reshape([1, *shape, 3])
        made = _core().compile_model(model, "CPU", settings)
        opened.keep(name, made.export_model().getvalue())
        return cls(made)

    def run(self, image: NDArray[np.uint8], fit: decode.Fit) -> tuple[decode.Floats, decode.Floats]:
        """Predictions and mask prototypes of one picture, in memory that the next picture takes again."""
        if self._pixels.shape[1:3] != (fit.input_height, fit.input_width):
            self._pixels = np.empty((1, fit.input_height, fit.input_width, 3), np.uint8)
            self._request.set_input_tensor(openvino.Tensor(self._pixels, shared_memory=True))
        decode.letterbox(image, fit, self._pixels[0])
        self._request.start_async()
        self._request.wait()
        return self._request.get_tensor("output0").data[0], self._request.get_tensor("output1").data[0]


@lru_cache(maxsize=1)
def _core() -> Any:
    return openvino.Core()


def _with_pixels(model: Any) -> Any:
    """``model`` for (1, H, W, 3) uint8 BGR instead of (1, 3, H, W) float32 RGB from 0 to 1."""
    steps = PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
    return steps.build()


def _blob_name(shape: tuple[int, int] | None, precision: str) -> str:
    """Such as ``384x640-f32-1a2b3c4d``, where the last word is for the processor."""
    core = _core()
    processor = (
        f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} {core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')}"
    )
    inputs = "any" if shape is None else f"{shape[0]}x{shape[1]}"
    return f"{inputs}-{precision}-{hashlib.sha256(processor.encode()).hexdigest()[:8]}"


def _shape_of(name: str) -> tuple[int, int] | None:
    height, times, width = name.partition("-")[0].partition("x")
    return (int(height), int(width)) if times and height.isdecimal() and width.isdecimal() else None
