"""Checked pictures as ultralytics' trainer wants them: nothing is scanned, cached or repaired beside the user's files.

Pictures are read as for inspecting (see :func:`inspector.api.read_image`), so that 12- and 16-bit files look the same
in training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspector.api import prepare_torch, read_image

prepare_torch()

import cv2
import numpy as np
from numpy.typing import NDArray
from ultralytics.data.dataset import YOLODataset
from ultralytics.utils.ops import segments2boxes

from inspector_plugins.yolo11.data import Picture


class Dataset(YOLODataset):  # type: ignore[misc]
    """Pictures with their polygons.

    Args:
        pictures: as :func:`inspector_plugins.yolo11.data.check` found them, one or more.
        names: of the classes.
        **options: of ultralytics' data set: ``imgsz``, ``batch_size``, ``augment``, ``hyp``, ``rect``, ``stride`` and
            ``pad``.
    """

    def __init__(self, pictures: Sequence[Picture], names: Sequence[str], **options: Any) -> None:
        self._pictures = pictures
        data = {"names": dict(enumerate(names)), "nc": len(names), "channels": 3}
        super().__init__("", data=data, task="segment", **options)

    def get_img_files(self, img_path: object) -> list[str]:
        return [str(picture.file) for picture in self._pictures]

    def get_labels(self) -> list[dict[str, Any]]:
        return [
            {
                "im_file": str(picture.file),
                "shape": (picture.height, picture.width),
                "cls": np.array(picture.classes, np.float32).reshape(-1, 1),
                "bboxes": segments2boxes(picture.polygons).astype(np.float32),
                "segments": [polygon.copy() for polygon in picture.polygons],
                "keypoints": None,
                "normalized": True,
                "bbox_format": "xywh",
            }
            for picture in self._pictures
        ]

    def load_image(
        self, i: int, rect_mode: bool = True, resize_short: bool = False
    ) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int]]:
        """The picture (h, w, 3) BGR with its longer side at ``imgsz``, its height and width in the file, and now.

        The last ones are kept in memory for mosaics.
        """
        if not rect_mode or resize_short:
            raise NotImplementedError("only the longer side is scaled to imgsz")
        if self.ims[i] is None:
            pixels: NDArray[Any] = read_image(Path(self.im_files[i]))[0]
            size = pixels.shape[0], pixels.shape[1]
            ratio = self.imgsz / max(size)
            if ratio != 1:
                height, width = (min(math.ceil(side * ratio), self.imgsz) for side in size)
                pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
            if not self.augment:
                return pixels, size, pixels.shape[:2]
            self.ims[i], self.im_hw0[i], self.im_hw[i] = pixels, size, pixels.shape[:2]
            self.buffer.append(i)
            if 1 < len(self.buffer) >= self.max_buffer_length:
                oldest = self.buffer.pop(0)
                kept = self.ims[i], self.im_hw0[i], self.im_hw[i]
                self.ims[oldest] = self.im_hw0[oldest] = self.im_hw[oldest] = None
                return kept
        return self.ims[i], self.im_hw0[i], self.im_hw[i]
