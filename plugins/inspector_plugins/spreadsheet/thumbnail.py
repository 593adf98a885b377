"""Thumbnails with the defects drawn in."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
from openpyxl.drawing.image import Image as SheetImage

from inspector.api import Detection, Inspection, Mask, draw_inspection

WIDTH, HEIGHT = 160, 96  # pixels at most


def thumbnail(inspection: Inspection) -> SheetImage:
    """The inspection's image within WIDTH x HEIGHT, as a JPEG for a workbook."""
    frame = inspection.frame
    scale = min(WIDTH / frame.width, HEIGHT / frame.height, 1.0)
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    small = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = [_scaled(detection, scale) for detection in inspection.detections]
    _, data = cv2.imencode(".jpg", draw_inspection(small, found, labels=False), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return SheetImage(io.BytesIO(data.tobytes()))


def _scaled(detection: Detection, scale: float) -> Detection:
    x1, y1, x2, y2 = (edge * scale for edge in detection.box)
    return replace(detection, box=(x1, y1, x2, y2), mask=detection.mask and _scaled_mask(detection.mask, scale))


def _scaled_mask(mask: Mask, scale: float) -> Mask:
    """Mark every small pixel that the mask touches, so that a hairline stays visible."""
    rows, columns = np.nonzero(mask.pixels)
    if rows.size == 0:
        return mask
    rows = ((rows + mask.y + 0.5) * scale).astype(int)
    columns = ((columns + mask.x + 0.5) * scale).astype(int)
    top, left = int(rows.min()), int(columns.min())
    pixels = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), bool)
    pixels[rows - top, columns - left] = True
    return Mask(left, top, pixels)
