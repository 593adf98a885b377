"""Use Pillow for colour models, EXIF orientation, and formats that OpenCV does not read as well."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORIENTATION = 274
"""Number of the tag in EXIF and in TIFF."""


def as_bgr(image: Any) -> NDArray[np.uint8]:
    """Convert an opened Pillow image to (H, W, 3) uint8 BGR: upright, without transparency, CMYK by its profile."""
    upright = ImageOps.exif_transpose(image)
    return to_bgr(upright, image.info.get("icc_profile") if upright.mode == "CMYK" else None)


def to_bgr(image: Any, profile: bytes | None = None) -> NDArray[np.uint8]:
    """The same without rotating it; ``profile`` is that of CMYK, if there is one."""
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError):  # an unusable profile is ignored
            image = ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
    if image.mode == "LAB":
        image = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # keeps the colours below
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def cmyk_to_bgr(inks: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """Convert (H, W, 4) inks, 255 is full ink."""
    return to_bgr(Pillow.fromarray(np.ascontiguousarray(inks), "CMYK"), profile)


def lab_to_bgr(lab: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert (H, W, 3): L from 0 to 255, a and b as the bytes of signed numbers."""
    return to_bgr(Pillow.frombytes("LAB", lab.shape[1::-1], np.ascontiguousarray(lab).tobytes()))


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Rotate upright by the EXIF or TIFF orientation 1 to 8; any other number changes nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
