"""Run a checkpoint with OpenVINO on the CPU, with neither torch nor ultralytics in the process.

A network compiled for the exact shape of its input is 5 to 30 % faster than one for any shape, and is cached
for later starts. But compiling takes as long as some hundred images gain by it, and a folder may contain dozens of
shapes: shapes that are neither the first, nor frequent, nor cached share one network for any shape.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.api import Detection, InputError, InspectorError, LayerSpec, ModelInfo, prepare_openvino

prepare_openvino()

import openvino
from openvino import opset13 as ops

from inspector_plugins.yolo11.checkpoint import notes
from inspector_plugins.yolo11.inference import decode, openvino_cache
from inspector_plugins.yolo11.inference.openvino_cache import ConvertedModel

_SHAPES = 3  # that get their own network
_FORM = 2  # version of our compiled networks; another number invalidates the cache
_WORTH = 100  # images of one shape after which it gets its own network


class OpenedNetwork(Protocol):
    """A network readable by OpenVINO, with its metadata; see :class:`openvino_cache.ConvertedModel`."""

    @property
    def network(self) -> Any: ...
    @property
    def sha256(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def imgsz(self) -> int: ...
    @property
    def stride(self) -> int: ...
    def blobs(self) -> Sequence[str]: ...
    def blob(self, name: str) -> Any: ...
    def store_blob(self, name: str, content: bytes) -> None: ...


class OpenVinoModel:
    """An opened model.

    Attributes:
        info: description of the model.
        batch: images per call; they are computed one after another, each with all threads.
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
        """Find or create the converted form.

        Args:
            weights: an ultralytics segmentation checkpoint.
            layers: layers of plugins that the checkpoint may contain.
            imgsz: side length to which images are scaled, rounded up to the stride; None: as trained.
            precision: ``f32`` (``auto`` is the same); ``bf16``, half the time for less exact boxes and masks; ``int8``,
                less than half of it, once ``export-model`` has calibrated the checkpoint for it.
            max_detections: maximum number of detections per image.
            batch: images per call; None: 1.
            fixed: allow a network that must be converted for each input shape, which takes seconds each time.

        Raises:
            InputError: a file or option cannot be used.
            ConversionRefused: the network cannot be converted.
            InspectorError, ImportError, OSError, RuntimeError: OpenVINO does not work here.
        """
        precision = "f32" if precision == "auto" else precision
        if precision == "bf16" and "BF16" not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError("precision bf16 is not for this processor; leave it out")
        convert: Callable[[str], ConvertedModel] | None = None
        try:
            opened = openvino_cache.find_or_convert(weights, layers, precision="int8" if precision == "int8" else "f32")
        except openvino_cache.ConversionRefused:
            if not fixed:
                raise
            convert = partial(openvino_cache.find_or_convert, weights, layers)
            opened = convert("64x64")  # the smallest, for its metadata
        if opened.end_to_end:
            raise openvino_cache.ConversionRefused(
                "{weights} has a head that needs no suppression, which OpenVINO does not read", weights=weights.name
            )
        self._use(opened, weights.name, precision, imgsz, max_detections, batch, convert, opened.ignored_imgsz)
        if convert is None:
            self._warm()

    def _use(
        self,
        opened: OpenedNetwork,
        file: str,
        precision: str,
        imgsz: int | None,
        max_detections: int,
        batch: int | None,
        convert: Callable[[str], OpenedNetwork] | None = None,
        ignored_imgsz: str = "",
    ) -> None:
        """Set up inference for an opened network."""
        self._opened, self._precision, self._limit = opened, precision, max_detections
        self.batch = batch or 1
        size = -(-(imgsz or opened.imgsz) // opened.stride) * opened.stride
        self.info = ModelInfo(
            file=file,
            sha256=opened.sha256,
            architecture=opened.architecture,
            names=opened.names,
            plugin="yolo11",
            runtime="openvino" if precision == "f32" else f"openvino {precision}",
            device="cpu",
            imgsz=size,
            note=notes.image_size_note(file, ignored_imgsz, imgsz, size),
        )
        notes.log_note(self.info)
        self._one = _Networks(opened, precision, 1, convert)
        self._many = _Networks(opened, precision, _streams(os.cpu_count() or 1), convert)

    def predict(self, images: Sequence[NDArray[np.uint8]], confidence: float, iou: float) -> list[list[Detection]]:
        """Find defects; see :class:`inspector.api.Model`."""
        return self._predict(self._one, images, confidence, iou)

    def many(self) -> _ConcurrentModel:
        """See :class:`inspector.api.ParallelModel`."""
        cv2.setNumThreads(1)  # every core has its own image; OpenCV's threads would only interfere
        return _ConcurrentModel(self._many.streams, partial(self._predict, self._many))

    def close(self) -> None:
        """Free the memory of the networks."""
        self._one.clear()
        self._many.clear()

    def _predict(
        self, networks: _Networks, images: Sequence[NDArray[np.uint8]], confidence: float, iou: float
    ) -> list[list[Detection]]:
        found = []
        for image in images:
            fit = self._fit(image.shape[0], image.shape[1])
            with self._explained(fit), networks.at(fit.input_height, fit.input_width).outputs(image, fit) as outputs:
                found.append(decode.decode(*outputs, fit, self.info.names, confidence, iou, self._limit))
        return found

    def _fit(self, height: int, width: int) -> decode.Letterbox:
        """The letterbox for an image of this size."""
        assert self.info.imgsz is not None
        return decode.Letterbox.for_size(height, width, self.info.imgsz, self._opened.stride)

    @contextmanager
    def _explained(self, fit: decode.Letterbox) -> Iterator[None]:
        """Convert an error of OpenVINO to a sentence."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            reason = str(error).strip().rpartition("\n")[2]
            shape = f"{fit.input_width}x{fit.input_height}"
            if isinstance(error, MemoryError) or "alloc" in reason:
                raise InputError(
                    "Not enough memory for an image of {shape}; choose a smaller imgsz", shape=shape
                ) from error
            raise InspectorError(
                "OpenVINO cannot compute {file} for an image of {shape} ({reason}); use the runtime torch",
                file=self.info.file,
                shape=shape,
                reason=reason,
            ) from error

    def _warm(self) -> None:
        """Load the networks last used at this input size, before the first image comes."""
        for name in self._opened.blobs():
            shape = _shape_of(name)
            if shape is not None and max(shape) == self.info.imgsz:
                for networks in (self._one, self._many):
                    if name == networks.blob_name(shape):
                        networks.at(*shape)
                        return


@dataclass(frozen=True)
class _ConcurrentModel:
    """View of a model for several threads; see :class:`inspector.api.ManyAtOnce`."""

    streams: int
    predict: Callable[[Sequence[NDArray[np.uint8]], float, float], list[list[Detection]]]


class _Networks:
    """Compiled networks of a checkpoint, created on demand; any thread may ask.

    Args:
        streams: images computed concurrently, each by a share of the threads.
        convert: creates the entry for a shape, if a network supports one shape only.
    """

    def __init__(
        self, opened: OpenedNetwork, precision: str, streams: int, convert: Callable[[str], OpenedNetwork] | None
    ) -> None:
        self._opened, self._precision, self.streams, self._convert = opened, precision, streams, convert
        self._compiled: dict[tuple[int, int] | None, _Network] = {}
        self._seen: Counter[tuple[int, int]] = Counter()
        self._making = threading.Lock()

    def at(self, height: int, width: int) -> _Network:
        """Return the network for inputs of this shape."""
        network = self._compiled.get((height, width))
        if network is None:
            with self._making:
                network = self._made(height, width)
        return network

    def clear(self) -> None:
        self._compiled.clear()

    def blob_name(self, shape: tuple[int, int] | None) -> str:
        """Name of the cached blob, e.g. ``384x640-f32-2-1a2b3c4d``: shape, precision, streams, processor."""
        inputs = "any" if shape is None else f"{shape[0]}x{shape[1]}"
        return f"{inputs}-{self._precision}-{self.streams}-{_processor()}"

    def _made(self, height: int, width: int) -> _Network:
        shape: tuple[int, int] | None = (height, width)
        if shape in self._compiled:
            return self._compiled[shape]
        if self._convert is not None:
            if len(self._compiled) >= _SHAPES:
                del self._compiled[next(iter(self._compiled))]
        elif not self._deserves_its_own(height, width):
            shape = None
        if shape not in self._compiled:
            opened = self._opened if self._convert is None else self._convert(f"{height}x{width}")
            self._compiled[shape] = _Network(self._compile(opened, shape))
        return self._compiled[shape]

    def _deserves_its_own(self, height: int, width: int) -> bool:
        shape = (height, width)
        self._seen[shape] += 1
        if not self._compiled:
            return True
        if len(self._compiled.keys() - {None}) >= _SHAPES:
            return False
        kept = self._seen[shape] == 1 and self.blob_name(shape) in self._opened.blobs()
        return kept or self._seen[shape] > _WORTH

    def _compile(self, opened: OpenedNetwork, shape: tuple[int, int] | None) -> Any:
        """Compile ``opened`` for inputs of ``shape`` (height, width) or, with None, of any shape."""
        settings = {
            "INFERENCE_PRECISION_HINT": "f32" if self._precision == "int8" else self._precision,
            "NUM_STREAMS": self.streams,
            "ENABLE_CPU_PINNING": False,  # other processes on these cores and inference would wait for each other
        }
        name = self.blob_name(shape)
        blob = opened.blob(name)
        if blob is not None:
            try:
                return _core().import_model(blob, "CPU", settings)
            except RuntimeError:
                pass  # compiled by another build of OpenVINO
        model = _with_pixels(_core().read_model(opened.network))
        if shape is not None:
            model.reshape([1, *shape, 3])
        made = _core().compile_model(model, "CPU", settings)
        opened.store_blob(name, made.export_model().getvalue())
        return made


class _Network:
    """A compiled network and its idle requests."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[_Request] = []

    @contextmanager
    def outputs(self, image: NDArray[np.uint8], fit: decode.Letterbox) -> Iterator[tuple[decode.Floats, decode.Floats]]:
        """Predictions and mask prototypes of one image, in memory that is reused afterwards."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = _Request(self._compiled)
        yield request.run(image, fit)
        self._idle.append(request)


class _Request:
    """An inference request for one image, with its memory."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._pixels = np.empty((0, 0, 0, 3), np.uint8)

    def run(self, image: NDArray[np.uint8], fit: decode.Letterbox) -> tuple[decode.Floats, decode.Floats]:
        if self._pixels.shape[1:3] != (fit.input_height, fit.input_width):
            self._pixels = np.empty((1, fit.input_height, fit.input_width, 3), np.uint8)
            self._request.set_input_tensor(openvino.Tensor(self._pixels, shared_memory=True))
        decode.letterbox(image, fit, self._pixels[0])
        self._request.start_async()
        self._request.wait()
        return self._request.get_tensor("output0").data[0], self._request.get_tensor("output1").data[0]


def _streams(cores: int) -> int:
    """Number of images to compute concurrently for the highest throughput."""
    return cores if cores <= 4 else min(8, max(4, cores // 2))


@lru_cache(maxsize=1)
def _core() -> Any:
    return openvino.Core()


def _with_pixels(model: Any) -> Any:
    """Convert ``model`` to accept (1, H, W, 3) uint8 BGR instead of (1, 3, H, W) float32 RGB from 0 to 1.

    Without OpenVINO's PrePostProcessor: for some networks of any shape, RMT's and VMamba's, OpenVINO 2026.4 loses its
    exchange of the colours.
    """
    (before,) = model.get_parameters()
    pixels = ops.parameter([1, -1, -1, 3], openvino.Type.u8, "pixels")
    channels_first = ops.transpose(ops.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
    colours = ops.gather(channels_first, np.array([2, 1, 0]), np.array(1))
    scaled = ops.divide(colours, np.float32(255))
    for reader in before.output(0).get_target_inputs():
        reader.replace_source_output(scaled.output(0))
    return openvino.Model(model.get_results(), [pixels], model.get_friendly_name())


@lru_cache(maxsize=1)
def _processor() -> str:
    """Identify the processor and our way of compiling for it."""
    properties = [_core().get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return hashlib.sha256(" ".join(map(str, [_FORM, *properties])).encode()).hexdigest()[:8]


def _shape_of(name: str) -> tuple[int, int] | None:
    height, times, width = name.partition("-")[0].partition("x")
    return (int(height), int(width)) if times and height.isdecimal() and width.isdecimal() else None
