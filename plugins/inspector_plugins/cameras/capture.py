"""OpenCV for local cameras, with its messages turned off.

The environment is set when this module is imported, before any camera is opened: FFmpeg reads its log level once per
process. Variables that the user has set are kept.
"""

from __future__ import annotations

import os
from types import ModuleType

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
# Windows: Media Foundation would search for hardware for many seconds before a camera opens.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")


def opencv() -> ModuleType:
    """Return OpenCV with its messages turned off."""
    import cv2

    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def sane_rate(rate: float) -> float | None:
    """Frames per second as stated by a stream; None if implausible: 0, NaN, a clock's tick (1000 and more)."""
    return float(rate) if 0 < rate < 1000 else None
