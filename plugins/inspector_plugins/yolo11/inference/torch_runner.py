"""Run a checkpoint with PyTorch, on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.api import Detection, InputError, LayerSpec, ModelInfo, prepare_torch

prepare_torch()

import torch
from torch import Tensor

from inspector_plugins.yolo11.architecture import build
from inspector_plugins.yolo11.checkpoint import checkpoint, notes
from inspector_plugins.yolo11.inference import decode, devices
from inspector_plugins.yolo11.inference.cuda_graphs import GraphedCallable, Outputs

_BATCH_ON_CUDA = 8


class TorchModel:
    """An opened model.

    Attributes:
        info: description of the model.
        batch: images per call.
    """

    def __init__(
        self,
        weights: Path,
        device: str,
        layers: Sequence[LayerSpec] = (),
        imgsz: int | None = None,
        precision: str = "auto",
        max_detections: int = 300,
        batch: int | None = None,
    ) -> None:
        """Load and fuse the network, and run it once.

        Args:
            weights: an ultralytics segmentation checkpoint.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            layers: layers of plugins that the checkpoint may contain.
            imgsz: side length to which images are scaled, rounded up to the stride; None: as trained.
            precision: ``f32`` (``auto`` is the same) or ``f16``, on CUDA only.
            max_detections: maximum number of detections per image.
            batch: images per call; None: chosen for the device.

        Raises:
            InputError: a file, device or option cannot be used.
        """
        place = devices.choose(device)
        if precision == "f16" and place == "cpu":
            raise InputError("precision f16 needs a CUDA device and this run computes on the CPU; leave it out")
        opened = checkpoint.load(weights, layers)
        self._stride, self._limit = opened.stride, max_detections
        self._imgsz = -(-(imgsz or opened.imgsz) // opened.stride) * opened.stride
        self._names = opened.names
        self._type = torch.float16 if precision == "f16" else torch.float32
        self.batch = batch or (_BATCH_ON_CUDA if place.startswith("cuda") else 1)
        self.info = ModelInfo(
            file=weights.name,
            sha256=opened.sha256,
            architecture=opened.architecture,
            names=opened.names,
            plugin="yolo11",
            runtime="torch f16" if precision == "f16" else "torch",
            device=place,
            imgsz=self._imgsz,
            note=notes.image_size_note(weights.name, opened.ignored_imgsz, imgsz, self._imgsz),
        )
        notes.log_note(self.info)
        try:
            # As in ultralytics' prediction: the head that needs NMS if there are two, as in yolo26.
            opened.model.end2end = False
            opened.model.model[-1].max_det = max(max_detections, 300)  # for an end-to-end head
            self._network: Any = build.prepare_for_inference(opened.model).to(place, self._type)
            self._network.to(memory_format=torch.channels_last)
            self._end_to_end = bool(self._network.end2end)
            self._computed = self._compute if place == "cpu" else GraphedCallable(self._compute)
            prediction, prototypes = self._run(np.zeros((1, 2 * self._stride, 2 * self._stride, 3), np.uint8))
            expected = 6 if self._end_to_end else 4 + len(self._names)
            if prediction.shape[2 if self._end_to_end else 1] != expected + prototypes.shape[1]:
                raise ValueError(f"unexpected output {prediction.shape}")
        except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(
                "{weights} does not run on {path} ({kind}: {reason}); "
                "try another device, or train it again with a current ultralytics",
                weights=weights.name,
                path=place,
                kind=type(error).__name__,
                reason=reason,
            ) from error

    def predict(self, images: Sequence[NDArray[np.uint8]], confidence: float, iou: float) -> list[list[Detection]]:
        """Find defects; see :class:`inspector.api.Model`. Images of equal input size are batched."""
        fits = [
            decode.Letterbox.for_size(image.shape[0], image.shape[1], self._imgsz, self._stride) for image in images
        ]
        alike: dict[tuple[int, int], list[int]] = {}
        for number, fit in enumerate(fits):
            alike.setdefault((fit.input_height, fit.input_width), []).append(number)
        results: list[list[Detection]] = [[] for _ in images]
        for size, numbers in alike.items():
            for start in range(0, len(numbers), self.batch):
                chosen = numbers[start : start + self.batch]
                pixels = np.empty((len(chosen), *size, 3), np.uint8)
                for number, room in zip(chosen, pixels, strict=True):
                    decode.letterbox(images[number], fits[number], room)
                for number, prediction, prototypes in zip(chosen, *self._run(pixels), strict=True):
                    results[number] = decode.decode(
                        prediction,
                        prototypes,
                        fits[number],
                        self._names,
                        confidence,
                        iou,
                        self._limit,
                        self._end_to_end,
                    )
        return results

    def _run(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network on (N, H, W, 3) uint8 BGR: predictions and mask prototypes, float32, N first."""
        try:
            with torch.inference_mode():
                prediction, prototypes = self._computed(torch.from_numpy(pixels).to(self.info.device))
                return prediction.cpu().numpy(), prototypes.cpu().numpy()
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
                count, height, width = pixels.shape[:3]
                raise InputError(
                    "Not enough memory on {device} for {count} images of {width}x{height} at once; choose a "
                    "smaller batch or imgsz, or another device",
                    device=self.info.device,
                    count=count,
                    width=width,
                    height=height,
                ) from error
            raise

    def _compute(self, pixels: Tensor) -> Outputs:
        """Run the network, on the device; see :meth:`_run`."""
        batch = pixels.flip(-1).permute(0, 3, 1, 2)
        (prediction, prototypes), _ = self._network(batch.to(self._type).div_(255))
        return prediction.float(), prototypes.float()

    def close(self) -> None:
        """Free the network's memory."""
        self._network = None
        if isinstance(self._computed, GraphedCallable):
            self._computed.clear()
        if self.info.device != "cpu":
            torch.cuda.empty_cache()
