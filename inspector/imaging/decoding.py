"""Decode the bytes of an image file, choosing the library for its format and reporting failures.

- Ordinary 8-bit images equal ``cv2.imdecode(…, cv2.IMREAD_COLOR)``: EXIF orientation is applied, with
  a note, transparency is dropped and the colours below it kept, colour profiles are ignored.
- Other number types become 8 bits as :func:`inspector.imaging.scaling.to_8_bits` describes.
- CMYK is converted with the embedded profile if there is one, else with the plain formula.
- Of several pages or frames, the first that is neither a preview nor a mask is read, with a note.
- What was not really decoded is refused: as damaged or, if the file is intact, as unsupported.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2

from inspector.domain import InputError, message
from inspector.domain.image_formats import HEAD_BYTES, image_format
from inspector.imaging import bmp, compact, jpeg, png, pnm, tiff
from inspector.imaging.errors import MOST_PIXELS, TooLarge, Unsupported, UnsupportedCompression
from inspector.imaging.scaling import Decoded, to_8_bits

if TYPE_CHECKING:
    from inspector.domain import Image

logger = logging.getLogger(__name__)
_DECODERS: dict[str, Callable[[bytes], Decoded | bytes]] = {
    "JPEG": jpeg.decode,
    "PNG": png.decode,
    "BMP": bmp.decode,
    "TIFF": tiff.decode,
    "WEBP": compact.webp,
    "GIF": compact.gif,
    "PNM": pnm.decode,
    "AVIF": compact.avif,
    "HEIF": compact.heif,
    "JPEG XL": compact.jpeg_xl,
    "JPEG 2000": compact.jpeg_2000,
}

# We report bad files in a sentence instead of the libraries' messages on stderr.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, name: str) -> tuple[Image, tuple[str, ...]]:
    """Decode an image file.

    Args:
        data: the whole file.
        name: for messages.

    Returns:
        (H, W, 3) uint8 BGR, contiguous; and the notes.

    Raises:
        InputError: truncated, damaged, too large, or of an unsupported kind.
    """
    kind = image_format(data[:HEAD_BYTES])
    if kind not in _DECODERS:
        raise InputError(unsupported(name, kind or "unknown"))
    memory = InputError("{name} needs more memory than is free; close other programs or cut it", name=name)
    try:
        decoded = _DECODERS[kind](data)
        if isinstance(decoded, bytes):
            return decode(decoded, name)
        return to_8_bits(decoded, name)
    except InputError:
        raise
    except UnsupportedCompression as error:
        raise InputError(
            "{name} is compressed with {codec}, which is not supported; save it as PNG", name=name, codec=error
        ) from None
    except Unsupported as error:
        raise InputError(unsupported(name, str(error))) from None
    except ImportError as error:  # a codec that this build leaves out
        raise InputError(
            unsupported(name, message("{kind}, {reason}", kind=kind, reason=error.name or error))
        ) from None
    except TooLarge as error:
        width, height = error.args
        raise InputError(
            "{name} has {width} x {height} pixels, and the limit is {limit} megapixels; cut it into parts",
            name=name,
            width=width,
            height=height,
            limit=MOST_PIXELS // 10**6,
        ) from None
    except MemoryError:
        raise memory from None
    except Exception as error:
        if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
            raise memory from None
        logger.debug("%s cannot be decoded", name, exc_info=True)
        raise InputError("{name} is incomplete or damaged; copy it again from its source", name=name) from None


def unsupported(name: str, kind: str) -> str:
    """The sentence on an intact file of an unsupported kind."""
    return message("{name} has an unsupported format ({kind}); save it as PNG", name=name, kind=kind)
