"""Make the int8 form of a checkpoint: calibrated on good and training images, evaluated on validation images.

The value ranges in a network mostly depend on surfaces, light and edges, which good images show. On them
alone, activations caused only by defects would be clipped: on BSData (photographs of raceways) scores fell by 0.024 on
average, with training images by 0.002. The cost of rounding shows only in mAP, so an int8 form is never made without
measuring it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from inspector.api import (
    Detection,
    InputError,
    LabelledImage,
    images_in,
    long_path,
    message,
    prepare_openvino,
    read_image,
    read_yolo_dataset,
)

prepare_openvino()

import openvino

from inspector_plugins.yolo11.checkpoint.checkpoint import Checkpoint
from inspector_plugins.yolo11.evaluation import accuracy
from inspector_plugins.yolo11.evaluation.evaluate import labelled
from inspector_plugins.yolo11.export.quantization import quantize
from inspector_plugins.yolo11.inference import decode

logger = logging.getLogger(__name__)
MOST_IMAGES = 100
"""Number of good and of training images used for calibration; more change nothing."""


@dataclass(frozen=True)
class Calibration:
    """Data for an int8 network, checked before the long work begins.

    Attributes:
        seen: files to calibrate on.
        labelled: images to evaluate on, with the model's class numbers.
        data: data.yaml of their dataset.
        names: of the model's classes.
        imgsz: side length to which images are scaled.
        stride: of the model.
    """

    seen: tuple[Path, ...]
    labelled: tuple[LabelledImage, ...]
    data: Path
    names: tuple[str, ...]
    imgsz: int
    stride: int

    @classmethod
    def collect(
        cls, weights: Path, opened: Checkpoint, imgsz: int, calibrate: Path | None, data: Path | None
    ) -> Calibration:
        """Collect the good images in ``calibrate``, and the images under ``train`` and ``val`` in ``data``.

        Raises:
            InputError: one of them is missing, contains nothing usable, or does not fit the model.
        """
        if calibrate is None or data is None:
            raise InputError(
                "The precision int8 needs calibrate, a folder of good images, and data, the data.yaml of "
                "labelled ones on which its loss is measured; give both"
            )
        dataset = read_yolo_dataset(data)
        images, left_out = labelled(weights, opened.names, dataset, "val")
        if left_out:
            logger.warning("Images of %s are not measured on: %s", data, left_out[0])
        trained = [image.file for image in dataset.images["train"] if not image.problem]
        seen = _sample(_images_in(calibrate)) + _sample(trained)
        return cls(seen, tuple(images), data, opened.names, imgsz, opened.stride)

    def apply(self, content: bytes, report: Callable[[str], None]) -> tuple[Any, dict[str, Any]]:
        """Make and evaluate the int8 form.

        Args:
            content: the f32 form for images of any shape, as ONNX.
            report: called with each line of the results.

        Returns:
            The ``openvino.Model``, and ``accuracy`` for its metadata: the data it was made and evaluated with, and for
            ``f32`` and ``int8`` the result of :func:`inspector_plugins.yolo11.evaluation.accuracy.measure`.

        Raises:
            InputError: no image can be read.
            ValueError: the network computes non-finite numbers.
        """
        core = openvino.Core()
        used: list[Path] = []
        made = quantize(core.read_model(content), self._inputs(used))
        networks = {"f32": core.read_model(content), "int8": made}
        predict = {name: self._predictor(network) for name, network in networks.items()}
        figures = accuracy.measure(predict, self.labelled, len(self.names))
        record = {
            "data": str(self.data),
            "pictures": len(self.labelled),
            "calibrated_on": len(used),
            "imgsz": self.imgsz,
        }
        report(
            message(
                "Calibrated on {count} images, evaluated on {labelled} of {data}",
                count=len(used),
                labelled=len(self.labelled),
                data=self.data,
            )
        )
        for kind in ("mask", "box"):
            for key, before in figures["f32"][kind].items():
                after = figures["int8"][kind][key]
                report(
                    message(
                        "From f32 to int8, {part} {metric} goes from {before:.4f} to {after:.4f} ({change:+.4f})",
                        part=kind,
                        metric=key,
                        before=before,
                        after=after,
                        change=after - before,
                    )
                )
        return made, record | figures

    def _predictor(self, network: Any) -> Callable[[NDArray[np.uint8]], list[Detection]]:
        """Return the function that detects with ``network`` (``openvino.Model``) as in an inspection."""
        compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

        def predict(image: NDArray[np.uint8]) -> list[Detection]:
            values, fit = network_input(image, self.imgsz, self.stride)
            results = compiled([values])
            outputs = results["output0"][0], results["output1"][0]
            return decode.decode(*outputs, fit, self.names, accuracy.CONFIDENCE, accuracy.IOU, accuracy.LIMIT)

        return predict

    def _inputs(self, used: list[Path]) -> Iterator[decode.Floats]:
        """Yield the images as inputs; readable ones are appended to ``used``."""
        unreadable = []
        for file in tqdm(self.seen, "calibrating", unit="image", disable=None, file=sys.stderr, leave=False):
            try:
                image, _ = read_image(file)
            except InputError as error:
                unreadable.append(str(error))
                continue
            used.append(file)
            yield network_input(image, self.imgsz, self.stride)[0]
        if not used:
            raise InputError("No calibration image can be read: {reason}", reason=unreadable[0])
        if unreadable:
            logger.warning(
                "Of %d images to calibrate on %d are left out: %s", len(self.seen), len(unreadable), unreadable[0]
            )


def network_input(image: NDArray[np.uint8], imgsz: int, stride: int) -> tuple[decode.Floats, decode.Letterbox]:
    """Convert an image (H, W, 3) uint8 BGR to (1, 3, h, w) float32 RGB from 0 to 1, and return its letterbox."""
    fit = decode.Letterbox.for_size(image.shape[0], image.shape[1], imgsz, stride)
    pixels = np.empty((fit.input_height, fit.input_width, 3), np.uint8)
    decode.letterbox(image, fit, pixels)
    return np.divide(pixels[..., ::-1].transpose(2, 0, 1)[None], 255, dtype=np.float32, order="C"), fit


def _images_in(folder: Path) -> list[Path]:
    if not long_path(folder).is_dir():
        raise InputError("{folder} is not a folder; choose a folder of good images for the calibration", folder=folder)
    found = images_in(folder)
    if not found:
        raise InputError(
            "{folder} contains no images; choose a folder of good images for the calibration", folder=folder
        )
    return found


def _sample(images: Sequence[Path]) -> tuple[Path, ...]:
    """Pick at most :data:`MOST_IMAGES`, evenly spread: neighbouring images are often similar."""
    step = max(len(images) / MOST_IMAGES, 1.0)
    return tuple(images[int(number * step)] for number in range(min(len(images), MOST_IMAGES)))
