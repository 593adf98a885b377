"""Image files of every kind, created with real encoders and read back."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from links import needs_links
from PIL import Image as Pillow

from inspector.domain import InputError, InspectorError
from inspector.imaging import read_image, write_image
from inspector.system.paths import _extended

# Pytest shows Pillow's warnings on broken files, which the program silences.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def scene(height=120, width=160) -> np.ndarray:
    """A smooth colourful image, (H, W, 3) uint8 RGB, unlike itself under every flip and turn."""
    y, x = np.mgrid[:height, :width]
    red, green, blue = x * 255 // width, y * 255 // height, (x // 20 + y // 30) % 2 * 120 + 60
    return np.dstack([red, green, blue]).astype(np.uint8)


def noisy(height=200, width=300) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


def encode(array: np.ndarray, kind: str, mode: str | None = None, **settings) -> bytes:
    buffer = io.BytesIO()
    picture = Pillow.fromarray(array)
    (picture.convert(mode) if mode else picture).save(buffer, kind, **settings)
    return buffer.getvalue()


def read(folder: Path, name: str, data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    (folder / name).write_bytes(data)
    image, notes = read_image(folder / name)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags.c_contiguous
    assert image.flags.writeable
    return image, notes


def bgr(array: np.ndarray) -> np.ndarray:
    return array[..., ::-1]


def difference(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
def test_eight_bits_are_what_opencv_reads(tmp_path, kind, mode):
    data = encode(noisy(), kind, mode)
    image, notes = read(tmp_path, f"a.{kind.lower()}", data)
    assert np.array_equal(image, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    assert notes == ()


def test_real_images_are_what_opencv_reads(shared):
    paths = sorted((shared / "data/bsdata-raceway/images/val").iterdir())[:5]
    assert paths
    for path in paths:
        expected = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        image, notes = read_image(path)
        assert np.array_equal(image, expected)
        assert notes == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_dropped_and_the_colours_kept(tmp_path, kind):
    colours = scene()
    alpha = np.full(colours.shape[:2], 255, np.uint8)
    alpha[:60] = 7
    data = encode(np.dstack([colours, alpha]), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    assert np.array_equal(read(tmp_path, f"a.{kind.lower()}", data)[0], bgr(colours))


def test_grey_with_alpha_palette_and_one_bit(tmp_path):
    grey = scene()[..., 0]
    with_alpha = np.dstack([grey, np.full_like(grey, 100)])
    assert np.array_equal(read(tmp_path, "la.png", encode(with_alpha, "PNG"))[0], np.dstack([grey] * 3))

    palette = Pillow.fromarray(scene()).quantize(64)
    expected = bgr(np.asarray(palette.convert("RGB")))
    for kind, settings in (("PNG", {}), ("PNG", {"transparency": 3}), ("BMP", {}), ("TIFF", {})):
        buffer = io.BytesIO()
        palette.save(buffer, kind, **settings)
        assert np.array_equal(read(tmp_path, f"p.{kind.lower()}", buffer.getvalue())[0], expected), (kind, settings)

    bits = scene()[..., 0] > 128
    for kind, settings in (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"})):
        image, _ = read(tmp_path, f"1.{kind.lower()}", encode(bits, kind, **settings))
        assert np.array_equal(image, np.dstack([bits.astype(np.uint8) * 255] * 3)), (kind, settings)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
def test_tiff_compressions(tmp_path, compression):
    image, _ = read(tmp_path, "a.tif", encode(scene(), "TIFF", compression=compression))
    assert np.array_equal(image, bgr(scene()))


def test_cmyk_without_a_profile(tmp_path):
    inks = Pillow.new("CMYK", (32, 32))
    inks.paste((0, 255, 255, 0), (0, 0, 16, 16))  # red
    inks.paste((255, 0, 255, 0), (16, 0, 32, 16))  # green
    inks.paste((0, 0, 0, 255), (0, 16, 16, 32))  # black; the rest is white
    for name, settings in (("a.jpg", {"quality": 95}), ("a.tif", {})):
        buffer = io.BytesIO()
        inks.save(buffer, "JPEG" if name.endswith("jpg") else "TIFF", **settings)
        image, _ = read(tmp_path, name, buffer.getvalue())
        for (x, y), colour in {
            (8, 8): (0, 0, 255),
            (24, 8): (0, 255, 0),
            (8, 24): (0, 0, 0),
            (24, 24): (255,) * 3,
        }.items():
            assert difference(image[y, x], np.array(colour)) <= 8, (name, x, y)


def cmyk_profile() -> bytes:
    """A small CMYK profile (ICC v2, a table with two points an ink) for white inks on black paper, without hue."""
    levels = bytearray()
    for number in range(16):
        levels += bytes([bin(number).count("1") * 255 // 4, 128, 128])
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + bytes(levels) + ramp * 3
    offset = 128 + 4 + 12
    size = offset + len(table)
    header = struct.pack(">I4sI4s4s4s", size, b"    ", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", offset, len(table)) + table


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile(tmp_path, kind):
    inks = Pillow.new("CMYK", (48, 16))
    inks.paste((255, 255, 0, 0), (16, 0, 32, 16))
    inks.paste((255, 255, 255, 255), (32, 0, 48, 16))
    # Half of the inks is L* 49.8: 118 in sRGB.
    for profile, expected in (
        (cmyk_profile(), ([0] * 3, [118] * 3, [255] * 3)),
        (b"no profile", ([255] * 3, [255, 0, 0], [0] * 3)),
    ):
        buffer = io.BytesIO()
        inks.save(buffer, kind, quality=95, icc_profile=profile)
        image, _ = read(tmp_path, f"a.{kind.lower()}", buffer.getvalue())
        for x, colour in zip((8, 24, 40), expected, strict=True):
            assert difference(image[8, x], np.array(colour)) <= 6, (profile[:10], x)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits(tmp_path, kind):
    values = (np.arange(120 * 160, dtype=np.uint16) * 3).reshape(120, 160)  # up to 57597
    image, notes = read(tmp_path, f"a.{kind.lower()}", encode(values, kind))
    assert difference(image[..., 0], values // 257) <= 1
    assert notes == ()
    assert image.max() == 224

    twelve = (values % 4096).astype(np.uint16)
    image, notes = read(tmp_path, f"b.{kind.lower()}", encode(twelve, kind))
    assert difference(image[..., 1], np.rint(twelve / 4095 * 255)) <= 1
    assert len(notes) == 1
    assert "12-bit" in notes[0]

    black = np.zeros((9, 9), np.uint16)
    assert read(tmp_path, f"c.{kind.lower()}", encode(black, kind)) == (pytest.approx(0), ())


def test_sixteen_bit_colours_with_and_without_alpha(tmp_path):
    values = (scene().astype(np.uint16) * 257)[..., ::-1]
    alpha = np.full(values.shape[:2], 300, np.uint16)
    for suffix in (".png", ".tif"):
        for pixels in (values, np.dstack([values, alpha])):
            data = cv2.imencode(suffix, pixels)[1].tobytes()
            assert np.array_equal(read(tmp_path, f"a{suffix}", data)[0], bgr(scene()))


def tiff(pixels: np.ndarray, photometric: int, form: int, extra: int | None = None) -> bytes:
    """An uncompressed TIFF made by hand, for layouts that no library here writes. ``form``: 1 uint, 2 int, 3 float."""
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    data, bits = pixels.tobytes(), struct.pack("<H", pixels.itemsize * 8) * samples
    tags = {256: width, 257: height, 259: 1, 262: photometric, 277: samples, 278: height, 279: len(data), 339: form}
    if extra is not None:
        tags[338] = extra
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    rows = [struct.pack("<HHII", tag, 4 if tag in (278, 279) else 3, 1, value) for tag, value in tags.items()]
    rows.append(
        struct.pack("<HHI", 258, 3, samples) + (bits.ljust(4, b"\0") if samples < 3 else struct.pack("<I", start))
    )
    rows.append(struct.pack("<HHII", 273, 4, 1, start + len(bits)))
    rows.sort(key=lambda row: struct.unpack("<H", row[:2]))
    return b"II*\0" + struct.pack("<IH", 8, len(rows)) + b"".join(rows) + bytes(4) + bits + data


def test_float_and_other_tiffs(tmp_path):
    unit = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    shown = np.rint(unit * 255)
    for pixels, form, low_high in (
        (unit, 3, "0 to 1"),
        (unit.astype(np.float64), 3, "0 to 1"),
        (unit * 200 - 100, 3, "-100 to 100"),
        ((unit * 30000 - 10000).astype(np.int16), 2, "-10000 to 20000"),
        ((unit * 3_000_000_000).astype(np.uint32), 1, "0 to 3e+09"),
    ):
        image, notes = read(tmp_path, "a.tif", tiff(pixels, 1, form))
        assert difference(image[..., 2], shown) <= 1, pixels.dtype
        assert notes == (f"{pixels.dtype} values: {low_high} was scaled to 0 to 255",)
    colours = np.dstack([unit, unit[::-1], unit * 0]).astype(np.float32)
    assert difference(read(tmp_path, "b.tif", tiff(colours, 2, 3))[0], bgr(np.rint(colours * 255))) <= 1
    holes = unit.copy()
    holes[2, 3] = np.nan
    assert read(tmp_path, "c.tif", tiff(holes, 1, 3))[0][2, 3].tolist() == [0, 0, 0]


def test_tiff_where_white_is_zero(tmp_path):
    grey = scene()[..., 0]
    assert np.array_equal(read(tmp_path, "8.tif", tiff(grey, 0, 1))[0][..., 0], 255 - grey)
    assert np.array_equal(read(tmp_path, "16.tif", tiff(grey.astype(np.uint16) * 257, 0, 1))[0][..., 0], 255 - grey)


def test_tiff_with_sixteen_bit_cmyk(tmp_path):
    inks = np.zeros((8, 8, 4), np.uint16)
    inks[..., 1:3] = 65535  # magenta and yellow: red
    assert difference(read(tmp_path, "a.tif", tiff(inks, 5, 1))[0][4, 4], np.array([0, 0, 255])) <= 1


def test_first_of_several_pages_and_frames(tmp_path):
    pages = [Pillow.fromarray(scene()), Pillow.new("RGB", (40, 30), "red"), Pillow.new("RGB", (20, 30), "blue")]
    for name, kind, settings, word in (
        ("a.tif", "TIFF", {}, "page"),
        ("a.webp", "WEBP", {"lossless": True}, "frame"),
        ("a.png", "PNG", {}, "frame"),
    ):
        frames = pages if kind == "TIFF" else [page.resize((160, 120)) for page in pages]
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **settings)
        image, notes = read(tmp_path, name, buffer.getvalue())
        assert np.array_equal(image, bgr(scene())), kind
        assert notes == (f"{word} 1 of 3",)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation(tmp_path, orientation):
    exif = Pillow.Exif()
    exif[274] = orientation
    expected = TURNS[orientation](scene())
    for kind, settings, tolerance in (
        ("JPEG", {"quality": 100, "subsampling": 0}, 4),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("WEBP", {"lossless": True}, 0),
    ):
        data = encode(scene(), kind, exif=exif, **settings)
        assert difference(read(tmp_path, f"a.{kind.lower()}", data)[0], bgr(expected)) <= tolerance, kind
    deep = scene()[..., 0].astype(np.uint16) * 257
    for pixels, kind in ((deep, "PNG"), (deep, "TIFF"), (scene()[..., 0].astype(np.float32) / 255, "TIFF")):
        image, _ = read(tmp_path, f"b.{kind.lower()}", encode(pixels, kind, exif=exif))
        assert difference(image[..., 0], expected[..., 0]) <= 1, kind
    data = encode(scene(), "JPEG", "CMYK", exif=exif, quality=100, subsampling=0)
    assert difference(read(tmp_path, "cmyk.jpg", data)[0], bgr(expected)) <= 8


CUT = {
    "a.jpg": lambda: encode(noisy(), "JPEG"),
    "progressive.jpg": lambda: encode(noisy(), "JPEG", progressive=True),
    "cmyk.jpg": lambda: encode(noisy(), "JPEG", "CMYK"),
    "a.png": lambda: encode(noisy(), "PNG"),
    "a.bmp": lambda: encode(noisy(), "BMP"),
    "a.tif": lambda: encode(noisy(), "TIFF"),
    "lzw.tif": lambda: encode(noisy(), "TIFF", compression="tiff_lzw"),
    "zstd.tif": lambda: encode(noisy(), "TIFF", compression="zstd"),
    "opencv.tif": lambda: cv2.imencode(".tif", noisy())[1].tobytes(),
    "float.tif": lambda: tiff(noisy()[..., 0].astype(np.float32), 1, 3),
    "a.webp": lambda: encode(noisy(), "WEBP"),
    "lossless.webp": lambda: encode(noisy(), "WEBP", lossless=True),
}


@pytest.mark.parametrize("name", CUT)
def test_what_is_cut_off_is_refused(tmp_path, name):
    data = CUT[name]()
    read(tmp_path, name, data)
    # A JPEG ends with a marker of two bytes, which may be missing.
    last = 3 if name.endswith(".jpg") else 1
    size = len(data)
    for length in (13, 33, 100, size // 10, size // 2, size * 99 // 100, size - 3, size - last):
        with pytest.raises(InputError, match=r"is incomplete or damaged; copy it again"):
            read(tmp_path, name, data[:length])


def test_a_jpeg_whose_rest_is_zeros_is_refused(tmp_path):
    data = encode(noisy(), "JPEG")
    for length in (len(data) // 3, len(data) * 9 // 10):
        for total in (len(data), 10 * len(data)):
            with pytest.raises(InputError, match="incomplete"):
                read(tmp_path, "a.jpg", data[:length] + bytes(total - length))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    "settings", [{}, {"progressive": True}, {"restart_marker_rows": 2}, {"restart_marker_blocks": 5}]
)
def test_a_jpeg_with_a_missing_middle_is_refused(tmp_path, settings, orientation):
    exif = Pillow.Exif()
    exif[274] = orientation
    data = encode(noisy(), "JPEG", exif=exif, **settings)
    read(tmp_path, "a.jpg", data)
    for end in (len(data) // 10, len(data) // 2, len(data) * 8 // 10):
        with pytest.raises(InputError, match="incomplete"):
            read(tmp_path, "a.jpg", data[:end] + b"\xff\xd9")


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}, {"optimize": True}])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read_with_a_note(tmp_path, settings):
    data = encode(noisy(), "JPEG", **settings)
    whole, notes = read(tmp_path, "a.jpg", data)
    assert notes == ()
    for cut in (1, 2):
        image, notes = read(tmp_path, "a.jpg", data[:-cut])
        assert np.array_equal(image, whole)
        assert notes == ("its end marker is missing, but all pixels are there",)


def test_a_jpeg_with_zeros_within_is_refused(tmp_path):
    data = encode(noisy(), "JPEG")
    for length in (128, 512, 4096):
        with pytest.raises(InputError, match="incomplete"):
            read(tmp_path, "a.jpg", data[:8000] + bytes(length) + data[8000 + length :])


def test_a_jpeg_that_is_grey_by_nature_is_read(tmp_path):
    grey = np.full((64, 64, 3), 128, np.uint8)
    for settings in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        assert (read(tmp_path, "a.jpg", encode(grey, "JPEG", **settings))[0] == 128).all()
    grey[:32, :32] = noisy()[:32, :32]
    image, _ = read(tmp_path, "b.jpg", encode(grey, "JPEG"))
    assert (image[-8:, -8:] == 128).all()
    assert image[:32, :32].std() > 5


def test_what_follows_the_image_is_ignored(tmp_path):
    for name, kind in (("a.jpg", "JPEG"), ("a.png", "PNG")):
        data = encode(noisy(), kind)
        assert np.array_equal(read(tmp_path, name, data + bytes(500))[0], read(tmp_path, name, data)[0])


def test_png_chunks(tmp_path):
    data = encode(noisy(), "PNG", icc_profile=b"a broken profile")
    assert np.array_equal(read(tmp_path, "a.png", data)[0], bgr(noisy()))
    text = b"tEXt" + b"Comment\0hello"
    chunk = struct.pack(">I", len(text) - 4) + text
    wrong = struct.pack(">I", zlib.crc32(text) ^ 1)
    assert np.array_equal(read(tmp_path, "b.png", data[:33] + chunk + wrong + data[33:])[0], bgr(noisy()))
    place = data.index(b"IDAT") + 500
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path, "c.png", data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.jpg", b"", "a.jpg is empty"),
        ("a.jpg", b"just a text\n" * 50, "a.jpg contains no image in a supported format"),
        ("a.png", b"\0" * 5000, "a.png contains no image in a supported format"),
        ("a.bmp", b"BMW makes cars, and this is a text", "a.bmp contains no image in a supported format"),
        ("a.tif", b"II*\0 and nothing that follows makes sense", "a.tif is incomplete or damaged"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "a.png is incomplete or damaged"),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0", "a.webp is incomplete or damaged"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, name, data, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read(tmp_path, name, data)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.jpg does not exist in "):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="is a folder, not an image"):
        read_image(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / "a\0b.jpg")
    with pytest.raises(InputError, match=r"cannot be read|does not exist"):  # the latter on Windows
        read_image(tmp_path / ("n" * 300 + ".jpg"))


@needs_links
def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "link.jpg").symlink_to(tmp_path / "link.jpg")
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / "link.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="a device or a pipe"):
        read_image(tmp_path / "a.jpg")


def test_wrong_suffix_is_noted(tmp_path):
    image, notes = read(tmp_path, "a.jpg", encode(scene(), "PNG"))
    assert np.array_equal(image, bgr(scene()))
    assert notes == ("is really a PNG",)
    assert read(tmp_path, "A.JPEG", encode(scene(), "JPEG"))[1] == ()
    assert read(tmp_path, "no suffix", encode(scene(), "BMP"))[1] == ("is really a BMP",)


ODD_NAMES = ["中文 文件夹/图 片 1.png", "emoji 😀🔩/½ µ².jpg", "/".join(["x" * 100] * 3) + "/a.png"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=["chinese", "emoji", "long"])
def test_any_path_is_written_and_read(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    if "x" in name:
        assert len(str(path)) > 260
    assert write_image(path, scene()) == path
    image, _ = read_image(path)
    assert np.abs(image.astype(int) - scene()).mean() < (3 if path.suffix == ".jpg" else 0.001)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_windows_long_paths():
    long = "C:\\" + "x" * 300
    assert _extended(long) == "\\\\?\\" + long
    assert _extended("\\\\server\\" + "x" * 300) == "\\\\?\\UNC\\server\\" + "x" * 300
    assert _extended("C:\\short") == "C:\\short"
    assert _extended("\\\\?\\" + long) == "\\\\?\\" + long


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".dib", ".tif", ".TIFF"])
def test_lossless_formats_are_written_exactly(tmp_path, suffix):
    path = write_image(tmp_path / f"a{suffix}", scene())
    assert np.array_equal(read_image(path)[0], scene())
    assert read_image(path)[1] == ()


def test_quality(tmp_path):
    for suffix in (".jpg", ".JPE", ".jfif", ".webp"):
        small = write_image(tmp_path / f"small{suffix}", noisy(), 20)
        large = write_image(tmp_path / f"large{suffix}", noisy(), 95)
        assert small.stat().st_size * 2 < large.stat().st_size
        assert difference(read_image(large)[0], noisy()) < 60


def test_writing_replaces_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    write_image(path, scene())
    assert np.array_equal(read_image(path)[0], scene())
    assert list(tmp_path.iterdir()) == [path]


def test_writing_refuses(tmp_path):
    with pytest.raises(InputError, match=r"a\.gif has no image suffix"):
        write_image(tmp_path / "a.gif", scene())
    with pytest.raises(InputError, match="65500 pixels"):
        write_image(tmp_path / "a.jpg", np.zeros((1, 70_000, 3), np.uint8))
    with pytest.raises(InspectorError, match="cannot be written"):
        write_image(tmp_path / "missing" / "a.jpg", scene())
    assert list(tmp_path.iterdir()) == []


def png_of_zeros(width: int, height: int) -> bytes:
    """A grey PNG whose pixels are 0, made without holding them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_a_hundred_megapixels(tmp_path):
    image, notes = read(tmp_path, "a.png", png_of_zeros(12_000, 9_000))
    assert image.shape == (9_000, 12_000, 3)
    assert notes == ()


def test_more_than_four_hundred_megapixels_are_refused(tmp_path):
    data = png_of_zeros(10, 10)
    header = b"IHDR" + struct.pack(">II", 30_000, 20_000) + data[24:29]
    data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    with pytest.raises(InputError, match="30000 x 20000 pixels, and the limit is 400 megapixels"):
        read(tmp_path, "a.png", data)


def test_bad_files_say_nothing_on_stderr(tmp_path):
    good = encode(noisy(), "PNG", icc_profile=b"a broken profile")
    files = {"good.png": good, "text.jpg": b"text", "empty.png": b""}
    for name in ("a.jpg", "a.png", "a.bmp", "a.tif", "a.webp"):
        data = CUT[name]()
        files |= {f"half {name}": data[: len(data) // 2], f"less {name}": data[:-3]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import sys; from pathlib import Path; from inspector.api import InputError, read_image\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: read_image(path); print('read', path.name)\n"
        "    except InputError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("read good.png\n", "")


def test_pillows_settings_stay_as_they_are():
    from PIL import ImageFile

    assert Pillow.MAX_IMAGE_PIXELS == 89_478_485 or Pillow.MAX_IMAGE_PIXELS is None  # ultralytics sets None
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
