"""OpenCV's video reading, kept quiet: shared by the video files and the cameras.

The environment is set when this module is imported, with the plugins and so before any video is read or written: FFmpeg
asks for its level once in a process, at the first. What the user's environment says is left alone.
"""

from __future__ import annotations

import os
from types import ModuleType

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
# Windows: Media Foundation would look for hardware for many seconds before a camera opens.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")


def opencv() -> ModuleType:
    """OpenCV, its own messages off."""
    import cv2

    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def sane_rate(rate: float) -> float | None:
    """Frames per second as a stream states them; None where that cannot be: 0, NaN, a clock's tick (1000 and more)."""
    return float(rate) if 0 < rate < 1000 else None
