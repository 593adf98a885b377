"""Small image and video files that tests write."""

from pathlib import Path

import cv2
import numpy as np

from inspector.imaging import write_image


def image(path: Path, value: int = 100, size: tuple[int, int] = (20, 30)) -> Path:
    return write_image(path, np.full((*size, 3), value, np.uint8))


def video(path: Path, count: int = 12) -> Path:
    """Frame n has the brightness 20 n, modulo 256."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(count):
        writer.write(np.full((48, 64, 3), 20 * number % 256, np.uint8))
    writer.release()
    return path
