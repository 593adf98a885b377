"""Checked images for ultralytics' trainer: nothing is scanned, cached or repaired next to the user's files.

Images are read as for inspection (see :func:`inspector.api.read_image`), so that 12- and 16-bit files look the same
in training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspector.api import LabelledImage, prepare_torch, read_image

prepare_torch()

import cv2
import numpy as np
from numpy.typing import NDArray
from ultralytics.data.dataset import YOLODataset
from ultralytics.utils.ops import segments2boxes


class Dataset(YOLODataset):  # type: ignore[misc]
    """A dataset of images with polygons.

    Args:
        images: as returned by :func:`inspector.api.check_yolo_dataset`, at least one.
        names: class names.
        **options: of ultralytics' dataset: ``imgsz``, ``batch_size``, ``augment``, ``hyp``, ``rect``, ``stride`` and
            ``pad``.
    """

    def __init__(self, images: Sequence[LabelledImage], names: Sequence[str], **options: Any) -> None:
        self._images = images
        data = {"names": dict(enumerate(names)), "nc": len(names), "channels": 3}
        super().__init__("", data=data, task="segment", **options)

    def get_img_files(self, img_path: object) -> list[str]:
        return [str(image.file) for image in self._images]

    def get_labels(self) -> list[dict[str, Any]]:
        return [
            {
                "im_file": str(image.file),
                "shape": (image.height, image.width),
                "cls": np.array(image.classes, np.float32).reshape(-1, 1),
                "bboxes": segments2boxes(image.polygons).astype(np.float32),
                "segments": [polygon.copy() for polygon in image.polygons],
                "keypoints": None,
                "normalized": True,
                "bbox_format": "xywh",
            }
            for image in self._images
        ]

    def load_image(
        self, i: int, rect_mode: bool = True, resize_short: bool = False
    ) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int]]:
        """Return an image (h, w, 3) BGR with its longer side at ``imgsz``, and its (height, width) in the file and now.

        The latest images are kept in memory for mosaics.
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
