"""Rare kinds of image files: each is created here, and read correctly or refused."""

import io
import re
import struct
import subprocess
import sys
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from inspector.domain import InputError
from inspector.imaging import read_image

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

HEIGHT, WIDTH = 120, 150  # rows of 4 bits and of 8-bit BMP are padded
_y, _x = np.mgrid[:HEIGHT, :WIDTH]
_noise = np.random.default_rng(1).integers(0, 50, (HEIGHT, WIDTH, 3))
RGB = (np.dstack([_x, _y, (_x + _y) // 2]) + _noise).clip(3, 250).astype(np.uint8)
GREY = RGB[..., 0].copy()
BGR = np.ascontiguousarray(RGB[..., ::-1])
DAMAGED = "is incomplete or damaged; copy it again"


def tiff(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 else "minisblack")
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def pil(pixels: np.ndarray | Pillow.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Pillow.Image) else Pillow.fromarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    def read(data: bytes, name: str = "a.tif") -> tuple[np.ndarray, tuple[str, ...]]:
        (tmp_path / name).write_bytes(data)
        image, notes = read_image(tmp_path / name)
        assert image.dtype == np.uint8 and image.flags.c_contiguous
        return image, notes

    return read


@pytest.fixture
def shows(read):
    """Read a file, compare it with ``expected`` (grey or BGR) and return the notes."""

    def shows(data: bytes, expected: np.ndarray, name: str = "a.tif", tolerance: int = 1) -> tuple[str, ...]:
        image, notes = read(data, name)
        wanted = expected if expected.ndim == 3 else np.dstack([expected] * 3)
        assert image.shape == wanted.shape
        assert np.abs(image.astype(float) - wanted).max() <= tolerance
        return notes

    return shows


@pytest.fixture
def refused(read):
    def refused(data: bytes, sentence: str, name: str = "a.tif") -> None:
        with pytest.raises(InputError, match=sentence):
            read(data, name)

    return refused


# TIFF

LOSSLESS = ["none", "lzw", "zlib", "packbits", "lzma", "zstd", "lerc", "jpeg2000", "jpegxl", "png"]


@pytest.mark.parametrize("compression", LOSSLESS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_tiff_of_every_lossless_compression(shows, compression, depth):
    """Grey, colours and planes apart; strips, tiles, both byte orders, BigTIFF."""
    if compression in ("png", "jpeg2000", "jpegxl") and depth == np.float32:
        pytest.skip("the codec has no such numbers")
    planes = np.moveaxis(RGB, 2, 0).copy()
    for pixels, expected, options in (
        (GREY, GREY, {"rowsperstrip": 16}),
        (RGB, BGR, {"tile": (64, 64)}),
        (planes, BGR, {"planarconfig": "separate", "rowsperstrip": 50}),
        (planes, BGR, {"planarconfig": "separate", "tile": (32, 48)}),
        (GREY, GREY, {"byteorder": ">", "bigtiff": True}),
    ):
        if "byteorder" in options and compression in ("lerc", "jpeg2000", "jpegxl", "png"):
            continue  # the codec brings its own order
        if depth == np.uint16:
            values = pixels.astype(np.uint16) * 257
        else:
            values = (pixels / 255).astype(np.float32) if depth == np.float32 else pixels
        if compression in ("zlib", "lzw", "zstd"):
            options = {**options, "predictor": True}
        notes = shows(tiff(values, compression=compression, **options), expected)
        assert bool(notes) == (depth == np.float32)


@pytest.mark.parametrize("compression", [*LOSSLESS[1:], "jpeg", "webp"])
@pytest.mark.parametrize("shape", [{"rowsperstrip": 16}, {"tile": (64, 64)}], ids=["strips", "tiles"])
def test_tiff_with_a_damaged_strip_or_tile_is_refused(read, refused, compression, shape):
    pixels = GREY if compression in ("packbits", "lerc") else RGB
    data = tiff(pixels, compression=compression, **shape)
    read(data)
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    place, length = page.dataoffsets[1], page.databytecounts[1]
    for lost in (length, length // 2):
        broken = bytearray(data)
        broken[place + length - lost : place + length] = bytes(lost)
        refused(bytes(broken), DAMAGED)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_tiff_of_fax(shows, refused, compression):
    bits = cv2.GaussianBlur(GREY, (9, 9), 0) > 90
    data = pil(bits, "TIFF", compression=compression)
    shows(data, bits * np.uint8(255))
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    place, length = page.dataoffsets[0], page.databytecounts[0]
    refused(data[:place] + bytes(length) + data[place + length :], DAMAGED)


def test_tiff_whose_strips_are_missing_is_refused(refused):
    data = bytearray(tiff(GREY, compression="zlib", rowsperstrip=16))
    tag = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags[279]
    data[tag.valueoffset : tag.valueoffset + 4] = bytes(4)  # StripByteCounts
    refused(bytes(data), DAMAGED)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_sparse_tiff_has_no_pixels_to_judge(refused, compression):
    """GDAL leaves out empty strips and writes 0 for their offset, which is that of the file header."""
    data = bytearray(tiff(GREY, compression=compression, rowsperstrip=HEIGHT))
    tag = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags[273]
    data[tag.valueoffset : tag.valueoffset + 4] = bytes(4)  # StripOffsets
    refused(bytes(data), DAMAGED)


@pytest.mark.parametrize(("code", "name"), [(34661, "JBIG"), (34676, "SGI LogLuv"), (12345, "12345"), (65000, "EER")])
def test_tiff_of_an_unknown_compression_is_unsupported(refused, code, name):
    data = bytearray(tiff(GREY, compression="zlib"))
    place = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags[259].valueoffset
    data[place : place + 2] = struct.pack("<H", code)
    refused(bytes(data), f"a.tif is compressed with {name}, which is not supported; save it as PNG")


def test_tiff_of_unsupported_pixels(refused):
    refused(tiff(GREY.astype(np.complex64)), r"has an unsupported format \(TIFF with 64-bit complex values\)")
    refused(tiff(GREY, photometric="cfa"), "raw data of a colour filter array")


def test_the_page_with_the_whole_image_is_read(shows):
    def pages(*written: tuple[np.ndarray, dict]) -> bytes:
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer) as file:
            for pixels, options in written:
                file.write(pixels, photometric="minisblack", **options)
        return buffer.getvalue()

    preview = (GREY[::4, ::4], {"subfiletype": 1})
    assert shows(pages(preview, (GREY, {})), GREY) == ("page 2 of 2",)
    assert shows(pages((GREY, {}), preview), GREY) == ("page 1 of 2",)
    assert shows(pages((GREY > 99, {"subfiletype": 4}), (GREY, {})), GREY) == ("page 2 of 2",)
    below = (GREY[::4, ::4], {"subfiletype": 1, "subifds": 1})
    assert shows(pages(below, (GREY, {})), GREY) == ()
    assert shows(pages((GREY[::9, ::9], {"subfiletype": 1}), preview), GREY[::4, ::4]) == ("page 2 of 2",)


def packed(bits: int, order: str) -> bytes:
    """A TIFF of grey values of ``bits`` each, one after the other."""
    values = GREY.astype(np.uint32) * (2**bits - 1) // 255
    single = (values[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).reshape(HEIGHT, -1)
    data = np.packbits(single, axis=1).tobytes()
    data += bytes(len(data) % 2)
    tags = [(256, WIDTH), (257, HEIGHT), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, HEIGHT)]
    rows = b"".join(struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    rows += struct.pack(order + "HHII", 279, 4, 1, len(data))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    return head + data + struct.pack(order + "H", len(tags) + 1) + rows + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [2, 4, 6, 10, 12, 14])
def test_packed_bits(shows, bits, order):
    white = 2**bits - 1
    assert shows(packed(bits, order), np.rint((GREY.astype(int) * white // 255) * 255 / white)) == ()


def deep(bits: int) -> np.ndarray:
    return (GREY.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)


@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_bit_depth_comes_from_the_tags(shows, bits, tag):
    data = tiff(deep(bits), compression="zlib", extratags=[(tag, "H", 1, 2**bits - 1, True)])
    assert shows(data, GREY) == (f"{bits}-bit values in a 16-bit file: 0 to {2**bits - 1} was scaled to 0 to 255",)


def png16(pixels: np.ndarray, significant: int) -> bytes:
    ok, data = cv2.imencode(".png", pixels)
    assert ok
    chunk = b"sBIT" + bytes([significant])
    whole = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data.tobytes()[:33] + whole + data.tobytes()[33:]


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_bit_depth_of_a_png_comes_from_sbit(shows, bits):
    notes = shows(png16(deep(bits), bits), GREY, "a.png")
    assert notes == (f"{bits}-bit values in a 16-bit file: 0 to {2**bits - 1} was scaled to 0 to 255",)
    assert shows(png16(deep(bits) << 16 - bits, bits), GREY, "a.png") == (), "spread, as the standard wants it"


def test_an_unknown_bit_depth_is_noted(read):
    for bits, taken in ((10, 12), (14, 16)):
        _, notes = read(tiff(deep(bits)))
        assert f"taken as {taken}-bit; if the camera gives {bits} bits, the image is too dark" in notes[-1]
    assert read(tiff(GREY.astype(np.uint16) * 257))[1] == ()


VALUES = (GREY.astype(np.float32) - GREY.min()) / (GREY.max() - np.float32(GREY.min())) * 10 + 5
SHOWN = np.rint((VALUES - 5) * 25.5)


@pytest.mark.parametrize("number", [np.nan, -np.inf, -9999, -99999, -32768, np.finfo(np.float32).min])
def test_invalid_pixels_do_not_stretch_the_range(shows, number):
    values, expected = VALUES.copy(), SHOWN.copy()
    values[:6, :6] = number
    expected[:6, :6] = 0
    notes = shows(tiff(values, compression="zlib", predictor=3), expected)
    assert notes == ("float32 values: 5 to 15 was scaled to 0 to 255", "pixels without a valid value: 36, shown black")


def test_invalid_pixels_by_the_tag_of_gdal(shows):
    for pixels, number, expected in (
        (VALUES, -1.5, SHOWN),
        ((VALUES * 100).astype(np.int16), 7, SHOWN),
        (GREY.astype(np.uint16) * 250, 65535, GREY * (250 / 257)),
    ):
        values, wanted = pixels.copy(), np.array(expected, float)
        values[:6, :6] = number
        wanted[:6, :6] = 0
        notes = shows(tiff(values, extratags=[(42113, "s", 0, str(number), True)]), wanted)
        assert notes[-1] == "pixels without a valid value: 36, shown black"


def test_infinite_is_white_and_nothing_valid_is_refused(shows, refused):
    values, expected = (GREY / 255).astype(np.float32), GREY.copy()
    values[:6, :6], expected[:6, :6] = np.inf, 255
    assert shows(tiff(values), expected)[-1] == "infinite values: 36, shown white"
    for number in (np.nan, -9999):
        refused(tiff(np.full((9, 9), number, np.float32)), "a.tif contains no valid pixel")


def test_a_range_that_really_holds_minus_9999_is_kept(shows):
    ramp = np.linspace(-9999, 9999, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    assert shows(tiff(ramp), np.rint((ramp + 9999) / 19998 * 255)) == (
        "float32 values: -9999 to 9999 was scaled to 0 to 255",
    )


def test_tiff_colour_models(shows):
    ramp = np.stack([np.arange(256)[::-1]] * 3).astype(np.uint16) * 257
    shows(tiff(GREY, photometric="palette", colormap=ramp), 255 - GREY)
    inks = 255 - np.dstack([RGB, np.full_like(GREY, 255)])
    shows(tiff(inks, photometric="separated"), BGR, tolerance=2)
    deep_inks = np.moveaxis(inks, 2, 0).astype(np.uint16) * 257
    shows(tiff(deep_inks, photometric="separated", planarconfig="separate", compression="zlib"), BGR, tolerance=2)
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Pillow.fromarray(RGB), *profiles, outputMode="LAB")
    shows(pil(lab, "TIFF"), BGR, tolerance=20)  # strong colours are cut
    shows(pil(Pillow.fromarray(RGB).convert("YCbCr"), "TIFF"), BGR, tolerance=4)
    shows(tiff((255 - GREY).astype(np.uint16) * 257, photometric="miniswhite"), GREY)
    shows(tiff((255 - GREY) / np.float32(255), photometric="miniswhite"), GREY)
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unspecified"] * 6}
    assert shows(tiff(np.dstack([GREY] * 7), **options), GREY) == ("channel 1 of 7",)
    data = tiff(RGB, photometric="ycbcr", compression="jpeg", subsampling=(2, 2))
    shows(data, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), tolerance=3)


def test_half_and_signed_numbers(shows):
    assert shows(tiff((GREY / 255).astype(np.float16)), GREY) == ("float16 values: 0 to 1 was scaled to 0 to 255",)
    full = (VALUES - 10) / 5
    for kind, most in ((np.int8, 127), (np.int16, 32000), (np.int32, 2_000_000)):
        shows(tiff((full * most).astype(kind)), SHOWN, tolerance=2)


# JPEG


def test_twelve_bits_lossless_and_jpeg_ls(shows, refused):
    for data, expected in (
        (imagecodecs.jpeg8_encode(deep(12), bitspersample=12, level=100), GREY),
        (imagecodecs.ljpeg_encode(GREY), GREY),
        (imagecodecs.ljpeg_encode(deep(12), bitspersample=12), GREY),
        (imagecodecs.ljpeg_encode(deep(16), bitspersample=16), GREY),
        (imagecodecs.jpegls_encode(RGB), BGR),
    ):
        assert shows(data, expected, "a.jpg", 2) == ()
        refused(data[: len(data) // 2], DAMAGED, "a.jpg")
        refused(data[: len(data) // 2] + b"\xff\xd9", DAMAGED, "a.jpg")


def test_a_process_that_nobody_decodes_is_unsupported(refused):
    data = bytearray(pil(RGB, "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = 0xC5
    refused(
        bytes(data),
        r"a\.jpg has an unsupported format \(8-bit differential JPEG\); save it as PNG",
        "a.jpg",
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_rotated_image_is_named_as_such(read, kind):
    exif = Pillow.Exif()
    exif[274] = 6
    image, notes = read(pil(RGB, kind, exif=exif), f"a.{kind.lower()}")
    assert image.shape == (WIDTH, HEIGHT, 3)
    assert notes == ("rotated by its EXIF orientation (6)",)
    exif[274] = 1
    assert read(pil(RGB, kind, exif=exif), f"a.{kind.lower()}")[1] == ()


# PNM

HEADER = b"%d %d\n" % (WIDTH, HEIGHT)
BITS = GREY > 90
PNM = {
    "P5": (b"P5 " + HEADER + b"255\n" + GREY.tobytes(), GREY),
    "P5 of 10 bits": (b"P5\n# a camera\n" + HEADER + b"1023\n" + deep(10).astype(">u2").tobytes(), GREY),
    "P6": (b"P6 " + HEADER + b"255\n" + RGB.tobytes(), BGR),
    "P2": (b"P2 " + HEADER + b"255\n" + " ".join(map(str, GREY.ravel())).encode(), GREY),
    "P3": (b"P3 " + HEADER + b"255\n" + " ".join(map(str, RGB.ravel())).encode(), BGR),
    "P4": (b"P4 " + HEADER + np.packbits(~BITS, axis=1).tobytes(), BITS * 255),
    "P1": (b"P1 " + HEADER + b"\n".join(bytes(48 + (~row).astype(np.uint8)) for row in BITS), BITS * 255),
    "P7": (
        b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (WIDTH, HEIGHT)
        + np.dstack([RGB, GREY]).tobytes(),
        BGR,
    ),
    "Pf": (b"Pf\n" + HEADER + b"-1.0\n" + (GREY[::-1] / 255).astype("<f4").tobytes(), GREY),
    "PF": (b"PF\n" + HEADER + b"1.0\n" + (RGB[::-1] / 255).astype(">f4").tobytes(), BGR),
}  # fmt: skip


@pytest.mark.parametrize("kind", PNM)
def test_pnm(shows, refused, kind):
    data, expected = PNM[kind]
    shows(data, expected, "a.pnm")
    refused(data[: len(data) // 2], DAMAGED, "a.pnm")
    if kind not in ("P2", "P3"):
        refused(data[:-1], DAMAGED, "a.pnm")


@pytest.mark.parametrize(("white", "value"), [(255, 300), (255, 256), (255, 100255), (255, -1), (1023, 65536)])
def test_pnm_with_a_value_above_the_largest_is_refused(refused, white, value):
    numbers = [str(value), *map(str, GREY.ravel()[1:])]
    refused(b"P2 " + HEADER + b"%d\n" % white + " ".join(numbers).encode(), DAMAGED, "a.pgm")


# PNG


def test_png_with_a_colour_that_its_palette_does_not_have_is_refused(shows, refused):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def png(colours: int) -> bytes:
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
        palette = b"".join(bytes([number] * 3) for number in range(colours))
        rows = b"".join(b"\0" + row.tobytes() for row in GREY)
        parts = (b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)

    most = int(GREY.max())
    shows(png(most + 1), GREY, "a.png")
    refused(png(most), DAMAGED, "a.png")


# BMP


def padded(pixels: np.ndarray) -> bytes:
    return b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in pixels[::-1])


def bmp(bits, compression, data, palette=b"", masks=b"", height=HEIGHT, offset=None, size=40) -> bytes:
    if size == 12:
        header = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, len(data), 0, 0, 0, 0) + masks
        header += bytes(max(0, size - len(header)))
    start = 14 + len(header) + len(palette)
    place = start if offset is None else offset
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, place) + header + palette + data


GREYS = b"".join(bytes([i, i, i, 0]) for i in range(256))
FIVE = RGB.astype(np.uint16) >> 3
TEN = RGB.astype(np.uint32) * 1023 // 255
NIBBLES = GREY[:, ::2] >> 4 << 4 | GREY[:, 1::2] >> 4
RUNS = b"".join(b"".join(bytes([1, value]) for value in row) + bytes(2) for row in GREY[::-1]) + b"\0\1"
BMP = {
    "8 bits": (bmp(8, 0, padded(GREY), GREYS), GREY),
    "8 bits, pixels at 0": (bmp(8, 0, padded(GREY), GREYS, offset=0), GREY),
    "24 bits, pixels at 0": (bmp(24, 0, padded(BGR), offset=0), BGR),
    "OS/2": (bmp(8, 0, padded(GREY), b"".join(bytes([i] * 3) for i in range(256)), size=12), GREY),
    "top down": (bmp(24, 0, padded(BGR[::-1]), height=-HEIGHT), BGR),
    "32 bits": (bmp(32, 0, padded(np.dstack([BGR, GREY]))), BGR),
    "RGBX by masks": (
        bmp(32, 3, padded(np.dstack([RGB, GREY * 0])), masks=struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)), BGR),
    "10 bits a channel": (
        bmp(32, 3, padded((TEN[..., 0] << 20 | TEN[..., 1] << 10 | TEN[..., 2]).astype("<u4")),
            masks=struct.pack("<III", 0x3FF00000, 0xFFC00, 0x3FF)), BGR),
    "16 bits": (
        bmp(16, 0, padded((FIVE[..., 0] << 10 | FIVE[..., 1] << 5 | FIVE[..., 2]).astype("<u2"))),
        np.rint(FIVE[..., ::-1] * (255 / 31))),
    "4 bits": (
        bmp(4, 0, padded(NIBBLES), b"".join(bytes([i * 17] * 4) for i in range(16))), (GREY >> 4) * 17),
    "1 bit": (bmp(1, 0, padded(np.packbits(BITS, axis=1)), bytes(4) + b"\xff" * 4), BITS * 255),
    "RLE": (bmp(8, 1, RUNS, GREYS), GREY),
    "PNG within": (bmp(0, 5, pil(RGB, "PNG")), BGR),
}  # fmt: skip


@pytest.mark.parametrize("kind", BMP)
def test_bmp(shows, refused, kind):
    data, expected = BMP[kind]
    assert shows(data, expected, "a.bmp") == ()
    refused(data[: len(data) * 2 // 3], DAMAGED, "a.bmp")


def test_a_compression_of_os_2_is_unsupported(refused):
    refused(bmp(1, 3, b"\0" * 99, bytes(8), size=64), "a.bmp is compressed with OS/2 Huffman or RLE24", "a.bmp")


# Newer formats


@pytest.mark.slow
def test_formats_of_phones_and_of_the_web(shows, refused):
    for name, data, expected, tolerance in (
        ("a.gif", pil(GREY, "GIF"), GREY, 0),
        ("a.avif", imagecodecs.avif_encode(RGB, level=100), BGR, 12),
        ("a.jxl", imagecodecs.jpegxl_encode(RGB, lossless=True), BGR, 0),
        ("a.jxl", imagecodecs.jpegxl_encode(deep(16), lossless=True), GREY, 1),
        ("a.jxl", imagecodecs.jpegxl_encode(deep(12), bitspersample=12, lossless=True), GREY, 1),
        ("a.jp2", imagecodecs.jpeg2k_encode(RGB), BGR, 0),
        ("a.j2k", imagecodecs.jpeg2k_encode(deep(12), bitspersample=12, codecformat="j2k"), GREY, 1),
    ):
        assert shows(data, expected, name, tolerance) == ()
        for length in (len(data) // 2, len(data) - 3):
            refused(data[:length], DAMAGED, name)


def test_lost_blocks_of_coded_data_are_refused(refused):
    for name, data in (("a.jp2", imagecodecs.jpeg2k_encode(RGB)), ("a.webp", pil(RGB, "WEBP", quality=95))):
        middle = len(data) // 2
        refused(data[:middle] + bytes(512) + data[middle + 512 :], DAMAGED, name)


@pytest.mark.slow
def test_heic(shows, refused):
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(Pillow.fromarray(RGB)).save(buffer, quality=95)
    data = buffer.getvalue()
    shows(data, BGR, "a.heic", 60)
    refused(data[: len(data) // 2], DAMAGED, "a.heic")
    av1 = imagecodecs.avif_encode(RGB, level=100)
    shows(av1.replace(b"ftypavif", b"ftypheic"), BGR, "b.heic", 12)


def test_moving_images_show_their_first_frame(shows):
    frames = [Pillow.fromarray(RGB[::-1].copy())]
    assert shows(pil(RGB, "PNG", save_all=True, append_images=frames), BGR, "a.png") == ("frame 1 of 2",)
    options = {"save_all": True, "append_images": frames, "lossless": True}
    assert shows(pil(RGB, "WEBP", **options), BGR, "a.webp") == ("frame 1 of 2",)
    grey = [Pillow.fromarray(255 - GREY)]
    assert shows(pil(GREY, "GIF", save_all=True, append_images=grey), GREY, "a.gif") == ("frame 1 of 2",)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.psd", b"8BPS\0\1" + bytes(200), "Photoshop"),
        ("a.dcm", bytes(128) + b"DICM" + bytes(200), "DICOM"),
        ("a.jpg", b"v/1\x01" + bytes(200), "OpenEXR"),
        ("a.tga", bytes(200), "TGA"),
    ],
)
def test_known_images_that_are_not_read_are_unsupported(refused, name, data, kind):
    refused(data, rf"{name} has an unsupported format \({kind}\); save it as PNG", name)


@pytest.mark.parametrize("name", ["a.tif", "a.jxl", "a.jp2"])
def test_too_many_pixels_are_refused_before_they_are_decoded(refused, name):
    if name == "a.tif":
        data = bytearray(tiff(GREY, compression="zlib"))
        tags = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags
        for tag in (256, 257):
            data[tags[tag].valueoffset : tags[tag].valueoffset + 2] = struct.pack("<H", 30_000)
    elif name == "a.jp2":
        data = bytearray(imagecodecs.jpeg2k_encode(GREY, codecformat="j2k"))
        data[8:16] = struct.pack(">II", 30_000, 30_000)
    else:
        height = 0 | 2 << 1 | 29_999 << 3  # 18 bits of a height, and the ratio 1:1
        data = bytearray(b"\xff\x0a" + (height | 1 << 21).to_bytes(16, "little"))
    refused(bytes(data), "30000 x 30000 pixels, and the limit is 400 megapixels", name)


def test_the_codecs_are_loaded_only_where_they_are_needed(tmp_path):
    (tmp_path / "a.jpg").write_bytes(pil(RGB, "JPEG"))
    (tmp_path / "a.png").write_bytes(pil(RGB, "PNG"))
    code = (
        "import sys; from pathlib import Path; from inspector.api import read_image\n"
        "for name in ('a.jpg', 'a.png'): read_image(Path(sys.argv[1]) / name)\n"
        "print({'tifffile', 'imagecodecs', 'pillow_heif'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code, tmp_path], text=True).strip() == "set()"


# A header that states half of the height


def _jpeg_of(height: int, data: bytes) -> bytes:
    frame = re.search(rb"\xff[\xc0-\xc3]\x00.[\x08\x0c]", data, re.DOTALL)
    assert frame is not None
    return data[: frame.end()] + height.to_bytes(2, "big") + data[frame.end() + 2 :]


def _png_of(height: int, data: bytes) -> bytes:
    head = data[12:20] + height.to_bytes(4, "big") + data[24:29]
    return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]


def _tiff_of(height: int, data: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with tifffile.TiffFile(buffer, mode="r+b") as file:
        file.pages[0].tags[257].overwrite(height)
    return buffer.getvalue()


def _replaced(place: int, value: bytes, data: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


SIXTEEN = GREY.astype(np.uint16) * 257
HALF = HEIGHT // 2
HIDDEN = {
    "baseline.jpg": lambda: _jpeg_of(HALF, pil(RGB, "JPEG", quality=90)),
    "grey.jpg": lambda: _jpeg_of(HALF, pil(GREY, "JPEG", quality=90)),
    "restarts.jpg": lambda: _jpeg_of(HALF, pil(RGB, "JPEG", quality=90, restart_marker_rows=1)),
    "progressive.jpg": lambda: _jpeg_of(HALF, pil(RGB, "JPEG", quality=90, progressive=True)),
    "cmyk.jpg": lambda: _jpeg_of(HALF, pil(Pillow.fromarray(RGB).convert("CMYK"), "JPEG", quality=90)),
    "12_bit.jpg": lambda: _jpeg_of(HALF, imagecodecs.jpeg8_encode(SIXTEEN >> 4, bitspersample=12)),
    "lossless.jpg": lambda: _jpeg_of(HALF, imagecodecs.ljpeg_encode(GREY)),
    "rgb.png": lambda: _png_of(HALF, pil(RGB, "PNG")),
    "grey.png": lambda: _png_of(HALF, pil(GREY, "PNG")),
    "16_bit.png": lambda: _png_of(HALF, pil(SIXTEEN, "PNG")),
    "palette.png": lambda: _png_of(HALF, pil(Pillow.fromarray(RGB).quantize(64), "PNG")),
    "plain.bmp": lambda: _replaced(22, struct.pack("<i", HALF), pil(RGB, "BMP")),
    "plain.ppm": lambda: pil(RGB, "PPM").replace(f" {HEIGHT}\n".encode(), f" {HALF}\n".encode(), 1),
    "strips.tif": lambda: _tiff_of(HALF, tiff(RGB, rowsperstrip=16)),
    "one_strip.tif": lambda: _tiff_of(HALF, tiff(RGB, rowsperstrip=HEIGHT)),
    "lzw.tif": lambda: _tiff_of(HALF, tiff(RGB, rowsperstrip=HEIGHT, compression="lzw")),
    "zlib.tif": lambda: _tiff_of(HALF, tiff(RGB, rowsperstrip=HEIGHT, compression="zlib")),
    "jpeg.tif": lambda: _tiff_of(HALF, tiff(RGB, rowsperstrip=HEIGHT, compression="jpeg")),
    "lossy.webp": lambda: (lambda data: _replaced(data.find(b"\x9d\x01\x2a") + 5, struct.pack("<H", HALF), data))(
        pil(RGB, "WEBP", quality=90)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_a_header_that_hides_the_lower_half_is_refused(refused, name):
    refused(HIDDEN[name](), DAMAGED, name)


@pytest.mark.parametrize("kind", ["baseline", "progressive", "black_below", "padded"])
def test_an_intact_jpeg_hides_nothing(read, kind):
    part = RGB.copy()
    if kind == "black_below":
        part[HALF:] = 0
    data = pil(part, "JPEG", quality=80, progressive=kind == "progressive", optimize=kind == "black_below")
    if kind == "padded":  # as some cameras do it
        data = data[:-2] + b"\xff" * 300 + data[-2:]
    image, notes = read(data, "a.jpg")
    assert image.shape == (HEIGHT, WIDTH, 3) and notes == ()


def test_a_second_image_in_a_pnm_file_hides_nothing(shows):
    assert shows(pil(RGB, "PPM") + pil(RGB, "PPM"), BGR, "a.ppm") == ()
