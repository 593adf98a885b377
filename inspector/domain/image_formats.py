"""Formats of image files by suffix and first bytes; the only such list in the program.

:func:`inspector.imaging.read_image` reads :data:`IMAGE_FORMATS`. Files of :data:`UNREAD_FORMATS` are reported
instead of ignored silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

IMAGE_FORMATS: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "PNM": (".pnm", ".pgm", ".ppm", ".pbm", ".pam", ".pfm"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG 2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"),
    "JPEG XL": (".jxl",),
}
"""Supported formats with their suffixes: lower case, with dot, the usual one first."""

IMAGE_SUFFIXES = frozenset(suffix for suffixes in IMAGE_FORMATS.values() for suffix in suffixes)
"""Suffixes of supported images."""

UNREAD_FORMATS: Mapping[str, tuple[str, ...]] = {
    "camera raw": (
        ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw",
        ".3fr", ".iiq", ".x3f",
    ),
    "Photoshop": (".psd", ".psb"),
    "GIMP": (".xcf",),
    "OpenEXR": (".exr",),
    "Radiance HDR": (".hdr",),
    "DICOM": (".dcm", ".dicom"),
    "FITS": (".fits", ".fit", ".fts"),
    "JPEG XR": (".jxr", ".wdp", ".hdp"),
    "JPEG-LS": (".jls",),
    "DDS": (".dds",),
    "TGA": (".tga",),
    "PCX": (".pcx",),
    "QOI": (".qoi",),
    "ICO": (".ico", ".cur"),
    "SGI": (".sgi", ".rgb"),
    "Sun raster": (".ras", ".sun"),
    "Zeiss": (".czi", ".lsm"),
    "Leica": (".lif",),
    "Nikon": (".nd2",),
}  # fmt: skip
"""Image formats that are not supported, with their suffixes."""

UNREAD_SUFFIXES = frozenset(suffix for suffixes in UNREAD_FORMATS.values() for suffix in suffixes)
"""Suffixes of images that are not supported."""

VIDEO_SUFFIXES = frozenset(
    {
        ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
        ".ogv", ".ts", ".vob", ".webm", ".wmv",
    }
)  # fmt: skip
"""Suffixes of videos, including GIF."""

NO_IMAGE_SUFFIXES = VIDEO_SUFFIXES | frozenset(
    {
        ".txt", ".text", ".xml", ".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf",
        ".log", ".md", ".rst", ".html", ".htm", ".css", ".js", ".svg", ".xmp", ".thm", ".db", ".sqlite", ".sqlite3",
        ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt", ".ppt", ".pptx", ".rtf", ".zip", ".7z", ".rar",
        ".gz", ".tar", ".tgz", ".bz2", ".xz", ".py", ".pyc", ".ipynb", ".m", ".mat", ".sh", ".bat", ".cmd", ".ps1",
        ".exe", ".dll", ".so", ".lnk", ".url", ".desktop", ".pt", ".pth", ".onnx", ".npy", ".npz", ".pkl", ".h5",
        ".hdf5", ".wav", ".mp3", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download",
        ".lock", ".sha256", ".md5",
    }
)  # fmt: skip
"""Suffixes of other files that are often stored next to images: labels, tables, videos, unfinished copies."""

HEAD_BYTES = 136
"""Number of bytes that :func:`image_format` needs."""

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II*\0\x10\0\0\0CR": "camera raw",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"FUJIFILMCCD-RAW": "camera raw",
    b"IIU\0": "camera raw",
    b"IIRO": "camera raw",
    b"II\xbc": "JPEG XR",
    b"8BPS": "Photoshop",
    b"gimp xcf": "GIMP",
    b"v/1\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"SIMPLE  =": "FITS",
    b"DDS |": "DDS",
    b"qoif": "QOI",
    b"\x59\xa6\x6a\x95": "Sun raster",
    b"ZISRAWFILE": "Zeiss",
}
_PNM = re.compile(rb"P(?:[1-6]\s+(?:#|\d)|7\n(?:#|WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE)|[Ff]\s+\d)")
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIF": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif"},
    "camera raw": {b"crx "},
}


def image_format(head: bytes) -> str | None:
    """Detect the format of an image from its first :data:`HEAD_BYTES` bytes; None for other files.

    Returns:
        A key of :data:`IMAGE_FORMATS` or :data:`UNREAD_FORMATS`.
    """
    for start, name in _STARTS.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and _is_bmp(head):
        return "BMP"
    if _PNM.match(head):
        return "PNM"
    if head[4:8] == b"ftyp":
        return _format_of_brands(head)
    return "DICOM" if head[128:132] == b"DICM" else None


def format_of_suffix(suffix: str) -> str | None:
    """Return the format, supported or not, of files with ``suffix`` (".JPG"); None if it is no image suffix."""
    suffix = suffix.lower()
    for formats in (IMAGE_FORMATS, UNREAD_FORMATS):
        for name, suffixes in formats.items():
            if suffix in suffixes:
                return name
    return None


def misnamed_image(path: Path) -> str | None:
    """Return the format of an image whose suffix is missing or unknown.

    Files of :data:`NO_IMAGE_SUFFIXES` are not opened.

    Returns:
        None if it is no image, has the suffix of one, or cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES | UNREAD_SUFFIXES | NO_IMAGE_SUFFIXES or path.name.startswith((".", "~")):
        return None
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return image_format(file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return None


def _is_bmp(head: bytes) -> bool:
    """Whether a file that begins with BM has a header of a known size, or is too short to check."""
    return len(head) < 18 or int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)


def _format_of_brands(head: bytes) -> str | None:
    """Format of an ISO base media file by its brands, the major one first; None for a video."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))]
    if brands[0] not in {b"mif1", b"msf1", *(brand for known in _BRANDS.values() for brand in known)}:
        return None  # a video may list an image brand among its compatible brands
    for brand in brands:
        for name, known in _BRANDS.items():
            if brand in known:
                return name
    return "HEIF"
