"""The list of image formats, against real files of each."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from inspector.domain.image_formats import (
    HEAD_BYTES,
    IMAGE_FORMATS,
    IMAGE_SUFFIXES,
    UNREAD_FORMATS,
    UNREAD_SUFFIXES,
    format_of_suffix,
    image_format,
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("JPEG", "JPEG"), ("PNG", "PNG"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("WEBP", "WEBP"), ("GIF", "GIF"),
        ("PPM", "PNM"), ("AVIF", "AVIF"), ("JPEG2000", "JPEG 2000"), ("DDS", "DDS"),
    ],
)  # fmt: skip
def test_an_image_is_recognised_by_its_first_bytes(kind, expected):
    buffer = io.BytesIO()
    Pillow.fromarray(np.arange(3072, dtype=np.uint8).reshape(32, 32, 3)).save(buffer, kind)
    assert image_format(buffer.getvalue()[:HEAD_BYTES]) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "camera raw"),
        (b"\0\0\0\x1cftypisom\0\0\2\0isomiso2avif", None),  # a video
        (b"P5 10 10 255\n", "PNM"),
        (b"P5\n# by a camera\n10 10 255\n", "PNM"),
        (b"Pf\n8 8\n-1\n", "PNM"),
        (b"P1 is the first part of the batch", None),
        (b"BMW is a make of cars with bearings", None),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (bytes(128) + b"DICM", "DICOM"),
        (b"", None),
    ],
)
def test_first_bytes_made_by_hand(head, expected):
    assert image_format(head) == expected


def test_the_lists_are_of_one_form():
    every = [suffix for kinds in (IMAGE_FORMATS, UNREAD_FORMATS) for suffixes in kinds.values() for suffix in suffixes]
    assert len(every) == len(set(every))
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in every)
    assert not IMAGE_SUFFIXES & UNREAD_SUFFIXES
    assert format_of_suffix(".JPG") == "JPEG"
    assert format_of_suffix(".dcm") == "DICOM"
    assert format_of_suffix(".txt") is None


def test_the_list_loads_no_library():
    code = "import sys, inspector.domain.image_formats;"
    code += "print({'numpy', 'cv2', 'PIL', 'tifffile', 'imagecodecs'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
