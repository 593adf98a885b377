"""The int8 form of a checkpoint: calibrated on good pictures and some to train on, measured on those to validate with.

The ranges of numbers in a network are mostly those of surfaces, light and edges, of which good pictures tell. On them
alone what only defects excite would be cut off: on BSData (photographs of raceways) scores fell by 0.024 on
average, with training pictures by 0.002. What rounding costs in the end shows only in mAP, so there is no int8 form
without it.
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

from inspector.api import Detection, InputError, long_path, prepare_openvino, read_image

prepare_openvino()

import openvino

from inspector_plugins.yolo11 import accuracy, decode
from inspector_plugins.yolo11.checkpoint import Checkpoint
from inspector_plugins.yolo11.data import Picture, files, read_data
from inspector_plugins.yolo11.evaluate import labelled
from inspector_plugins.yolo11.quantize import quantize

logger = logging.getLogger(__name__)
MOST_PICTURES = 100
"""Good ones, and ones to train on, used for calibrating; more change nothing."""


@dataclass(frozen=True)
class Calibration:
    """What an int8 network is made with, looked through before the long work begins.

    Attributes:
        seen: files to calibrate on.
        labelled: pictures to measure on, with the model's class numbers.
        data: the description of the data set that they are from.
        names: of the model's classes.
        imgsz: side length to which pictures are scaled.
        stride: of the model.
    """

    seen: tuple[Path, ...]
    labelled: tuple[Picture, ...]
    data: Path
    names: tuple[str, ...]
    imgsz: int
    stride: int

    @classmethod
    def of(
        cls, weights: Path, opened: Checkpoint, imgsz: int, calibrate: Path | None, data: Path | None
    ) -> Calibration:
        """Look at the folder ``calibrate`` of good pictures, and those under ``train`` and ``val`` in ``data``.

        Raises:
            InputError: one of them is missing, holds nothing to use, or does not fit the model.
        """
        if calibrate is None or data is None:
            raise InputError(
                "The precision int8 needs calibrate, a folder of good pictures, and data, the data.yaml of labelled "
                "ones on which its loss is measured; give both"
            )
        description = read_data(data)
        pictures, left_out = labelled(weights, opened.names, data, description, "val")
        if left_out:
            logger.warning("Pictures of %s are not measured on: %s", data, left_out[0])
        seen = _some(_pictures_in(calibrate)) + _some(files(description["train"]))
        return cls(seen, tuple(pictures), data, opened.names, imgsz, opened.stride)

    def apply(self, content: bytes, report: Callable[[str], None]) -> tuple[Any, dict[str, Any]]:
        """Make and measure the int8 form.

        Args:
            content: the f32 form for pictures of any shape, as ONNX.
            report: called with each line of what was measured.

        Returns:
            The ``openvino.Model``, and ``accuracy`` for its metadata: what it was made and measured with, and for
            ``f32`` and ``int8`` what :func:`inspector_plugins.yolo11.accuracy.measure` says.

        Raises:
            InputError: no picture can be read.
            ValueError: the network computes numbers that are not finite.
        """
        core = openvino.Core()
        used: list[Path] = []
        made = quantize(core.read_model(content), self._inputs(used))
        networks = {"f32": core.read_model(content), "int8": made}
        predict = {name: self._predictor(network) for name, network in networks.items()}
        figures = accuracy.measure(predict, self.labelled, len(self.names))
        told = {"data": str(self.data), "pictures": len(self.labelled), "calibrated_on": len(used), "imgsz": self.imgsz}
        report(f"Calibrated on {len(used)} pictures, measured on {len(self.labelled)} of {self.data}")
        for kind in ("mask", "box"):
            for key, before in figures["f32"][kind].items():
                after = figures["int8"][kind][key]
                report(f"From f32 to int8, {kind} {key} goes from {before:.4f} to {after:.4f} ({after - before:+.4f})")
        return made, told | figures

    def _predictor(self, network: Any) -> Callable[[NDArray[np.uint8]], list[Detection]]:
        """What ``network`` (``openvino.Model``) finds in a picture, by the way that it goes when it is inspected."""
        compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

        def predict(image: NDArray[np.uint8]) -> list[Detection]:
            values, fit = network_input(image, self.imgsz, self.stride)
            results = compiled([values])
            outputs = results["output0"][0], results["output1"][0]
            return decode.decode(*outputs, fit, self.names, accuracy.CONFIDENCE, accuracy.IOU, accuracy.LIMIT)

        return predict

    def _inputs(self, used: list[Path]) -> Iterator[decode.Floats]:
        """The pictures as inputs; those that can be read are added to ``used``."""
        unreadable = []
        for file in tqdm(self.seen, "calibrating", unit="picture", disable=None, file=sys.stderr, leave=False):
            try:
                image, _ = read_image(file)
            except InputError as error:
                unreadable.append(str(error))
                continue
            used.append(file)
            yield network_input(image, self.imgsz, self.stride)[0]
        if not used:
            raise InputError(f"No picture to calibrate on can be read: {unreadable[0]}")
        if unreadable:
            logger.warning(
                "Of %d pictures to calibrate on %d are left out: %s", len(self.seen), len(unreadable), unreadable[0]
            )


def network_input(image: NDArray[np.uint8], imgsz: int, stride: int) -> tuple[decode.Floats, decode.Fit]:
    """A picture (H, W, 3) uint8 BGR as (1, 3, h, w) float32 RGB from 0 to 1, and how it was fitted."""
    fit = decode.Fit.of(image.shape[0], image.shape[1], imgsz, stride)
    pixels = np.empty((fit.input_height, fit.input_width, 3), np.uint8)
    decode.letterbox(image, fit, pixels)
    return np.divide(pixels[..., ::-1].transpose(2, 0, 1)[None], 255, dtype=np.float32, order="C"), fit


def _pictures_in(folder: Path) -> list[Path]:
    if not long_path(folder).is_dir():
        raise InputError(f"{folder} is not a folder; give one of good pictures to calibrate on")
    found = files([str(folder)])
    if not found:
        raise InputError(f"{folder} holds no pictures; give a folder of good ones to calibrate on")
    return found


def _some(found: Sequence[Path]) -> tuple[Path, ...]:
    """At most :data:`MOST_PICTURES`, evenly spread: neighbours are often alike."""
    step = max(len(found) / MOST_PICTURES, 1.0)
    return tuple(found[int(number * step)] for number in range(min(len(found), MOST_PICTURES)))
