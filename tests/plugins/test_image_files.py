"""The source of image files, through real folders."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from links import needs_links

from inspector.api import Browsable, Frame, InputError, Skipped, check_options, write_image
from inspector_plugins.image_files import ImageFiles, claim, inspector_sources


def picture(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_image(path, np.full((8, 10, 3), value, np.uint8))


def names(source: ImageFiles) -> list[str]:
    items = list(source)
    assert source.total == len(items)
    return [item.name for item in items]


def test_a_file(tmp_path):
    path = picture(tmp_path / "图 片 😀.png", 7)
    source = ImageFiles(str(path))
    (frame,) = source
    assert isinstance(frame, Frame)
    assert (frame.name, frame.path, frame.index, frame.seconds, frame.notes) == (path.name, str(path), 0, None, ())
    assert frame.read_ms > 0
    assert (frame.image == 7).all()
    assert source.total == 1
    source.close()


def test_a_folder_in_natural_order_without_what_is_no_image(tmp_path):
    for name in ("img10.png", "img2.PNG", "Img1.jpg", "b/img0.png", "z.webp", "01.bmp", "1.tif", ".hidden.png"):
        picture(tmp_path / name)
    picture(tmp_path / ".cache" / "thumb.png")
    (tmp_path / ".tmp-1234.png").write_bytes(b"ours, unfinished")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    assert names(ImageFiles(str(tmp_path))) == ["01.bmp", "1.tif", "Img1.jpg", "img2.PNG", "img10.png", "z.webp"]


def test_a_folder_with_its_subfolders(tmp_path):
    for name in ("b.png", "part10/a.png", "part2/a.png", "part2/deep/x.png", ".git/a.png", "a10.png", "a9.png"):
        picture(tmp_path / name)
    expected = ["a9.png", "a10.png", "b.png", "part2/a.png", "part2/deep/x.png", "part10/a.png"]
    source = ImageFiles(str(tmp_path), recursive=True)
    assert names(source) == expected
    assert [Path(frame.path) for frame in source] == [tmp_path / name for name in expected]
    assert [frame.index for frame in source] == list(range(6)), "it can be read again"


@needs_links
def test_links_in_a_circle_do_not_hang(tmp_path):
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "outside" / "2.png")
    inside = tmp_path / "a"
    (inside / "up").symlink_to(tmp_path / "a", target_is_directory=True)
    (inside / "self").symlink_to(inside / "self")
    (inside / "out").symlink_to(tmp_path / "outside", target_is_directory=True)
    (inside / "out again").symlink_to(tmp_path / "outside", target_is_directory=True)
    (inside / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert sorted(names(ImageFiles(str(inside), recursive=True))) == ["1.png", "gone.png", "out/2.png"]
    assert names(ImageFiles(str(inside / "**" / "*.png"))) == ["1.png", "gone.png"]


def test_globs(tmp_path):
    for name in ("a1.png", "a10.PNG", "a2.png", "b1.jpg", "x/c1.png", "x/y/d1.png", "x/y/.e.png"):
        picture(tmp_path / name)
    (tmp_path / "a3.txt").write_text("text")
    for pattern, expected in {
        "*.png": ["a1.png", "a2.png", "a10.PNG"],
        "a?.png": ["a1.png", "a2.png"],
        "[ab]1.*": ["a1.png", "b1.jpg"],
        "*": ["a1.png", "a2.png", "a10.PNG", "b1.jpg"],
        "**/*.png": ["a1.png", "a2.png", "a10.PNG", "x/c1.png", "x/y/d1.png"],
        "**": ["a1.png", "a2.png", "a10.PNG", "b1.jpg", "x/c1.png", "x/y/d1.png"],
        "*/c*.png": ["x/c1.png"],
    }.items():
        assert names(ImageFiles(str(tmp_path / pattern))) == expected, pattern


def test_a_name_that_only_looks_like_a_glob(tmp_path):
    picture(tmp_path / "a[1].png")
    picture(tmp_path / "a1.png")
    assert names(ImageFiles(str(tmp_path / "a[1].png"))) == ["a[1].png"]
    assert claim(str(tmp_path / "a[1].png"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_list(tmp_path, encoding):
    first, second = picture(tmp_path / "甲.png", 1), picture(tmp_path / "sub folder" / "b.jpg", 2)
    lines = f"甲.png\r\n\n  sub folder/b.jpg  \nmissing.png\n{first}\n"
    (tmp_path / "list.txt").write_bytes(lines.encode(encoding))
    source = ImageFiles(str(tmp_path / "list.txt"))
    items = list(source)
    assert [item.name for item in items] == ["甲.png", "b.jpg", "missing.png", "甲.png"]
    assert source.total == 4
    assert isinstance(items[2], Skipped)
    assert [items[i].path for i in (0, 1)] == [str(first), str(second)]
    assert [items[i].index for i in (0, 1, 3)] == [0, 1, 3]


def test_a_list_that_names_itself_is_refused(tmp_path):
    picture(tmp_path / "a.png")
    for line in ("list.txt", str(tmp_path / "list.txt"), "../" + tmp_path.name + "/list.txt"):
        (tmp_path / "list.txt").write_text(f"a.png\n{line}\n")
        with pytest.raises(InputError, match=r"list.txt names itself"):
            ImageFiles(str(tmp_path / "list.txt"))


def test_bad_files_are_skipped_and_the_rest_is_read(tmp_path):
    for name in ("1.png", "5.png"):
        picture(tmp_path / name)
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "3.png").write_bytes((tmp_path / "1.png").read_bytes()[:-20])
    (tmp_path / "4.jpg").write_text("text")
    (tmp_path / "6.jpg").write_bytes((tmp_path / "1.png").read_bytes())
    items = list(ImageFiles(str(tmp_path)))
    assert [type(item) for item in items] == [Frame, Skipped, Skipped, Skipped, Frame, Frame]
    assert [item.name for item in items] == ["1.png", "2.png", "3.png", "4.jpg", "5.png", "6.jpg"]
    assert [item.reason.partition(";")[0] for item in items[1:4]] == [
        "2.png is empty (0 bytes)",
        "3.png is incomplete or damaged",
        "4.jpg contains no image in a supported format, for example JPEG, PNG or TIFF",
    ]
    assert items[1].path == str(tmp_path / "2.png")
    assert items[5].notes == ("is really a PNG",)
    assert [items[i].index for i in (0, 4, 5)] == [0, 4, 5]


def test_a_file_that_vanishes_is_skipped(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.png")
    source = ImageFiles(str(tmp_path))
    (tmp_path / "1.png").unlink()
    assert [type(item) for item in source] == [Frame, Skipped, Frame]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_subfolder_is_left_out_with_a_warning(tmp_path, caplog):
    picture(tmp_path / "a.png")
    picture(tmp_path / "closed" / "b.png")
    (tmp_path / "closed").chmod(0)
    assert names(ImageFiles(str(tmp_path), recursive=True)) == ["a.png"]
    (tmp_path / "closed").chmod(0o700)
    assert "closed cannot be read" in caplog.text


def test_paths_beyond_260_characters(tmp_path):
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    path = picture(deep / "中文 图.png")
    assert len(str(path)) > 260
    assert names(ImageFiles(str(deep))) == ["中文 图.png"]
    assert names(ImageFiles(str(tmp_path), recursive=True)) == ["/".join(path.relative_to(tmp_path).parts)]
    assert names(ImageFiles(str(tmp_path / "*" / "*" / "*.png"))) == ["/".join(path.relative_to(tmp_path).parts)]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "image_files needs a path"),
        ("none.png", r"none\.png does not exist"),
        ("none/*.png", r"No image matches .*\*\.png"),
        ("a**.png", "cannot be read"),
        ("empty", "contains no images"),
        ("nested", "contains no images .*; its subfolders are searched with the option recursive"),
        ("blank.txt", "names no images"),
        ("bytes.txt", "is not text in UTF-8"),
    ],
)
def test_nothing_to_inspect(tmp_path, monkeypatch, path, sentence):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    picture(tmp_path / "nested" / "sub" / "a.png")
    Path("blank.txt").write_text("\n \n")
    Path("bytes.txt").write_bytes(b"\xff\xff\x00")
    with pytest.raises(InputError, match=sentence) as caught:
        ImageFiles(path)
    assert "\n" not in str(caught.value)


def test_claims(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "pictures" / "a.png")
    picture(tmp_path / "hidden" / ".a.png")
    (tmp_path / "hidden" / "film.mp4").write_bytes(b"film")
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "film.mp4").write_bytes(b"film")
    picture(tmp_path / "mixed" / "b.tif")
    (tmp_path / "empty").mkdir()
    (tmp_path / "camera.dat").write_bytes((tmp_path / "pictures" / "a.png").read_bytes())
    (tmp_path / "other.dat").write_bytes(b"something else")
    (tmp_path / "list.txt").write_text("a.png")
    for mine in (
        "pictures",
        "pictures/a.png",
        "pictures/*",
        "pictures/*.PNG",
        "**/*.jpg",
        "none.jpg",
        "empty",
        "mixed",
        "camera.dat",
        "list.txt",
        str(tmp_path / "pictures"),
    ):
        assert claim(mine) == {"path": mine}, mine
    for other in (
        "",
        "camera:0",
        "0",
        "rtsp://host/a.jpg",
        "http://host/x.png",
        "none",
        "none.mp4",
        "hidden",
        "hidden/*.mp4",
        "hidden/*",
        "other.dat",
        "a\0.dat",
    ):
        assert claim(other) is None, other


def test_what_is_claimed_passes_the_options(tmp_path):
    (spec,) = inspector_sources()
    path = picture(tmp_path / "a.png")
    options = check_options(spec.options, {**spec.claim(str(path)), "recursive": "yes"}, spec.id)
    assert options == {"path": str(path), "recursive": True}
    assert names(spec.open(**options)) == ["a.png"]
    assert (spec.id, spec.droppable) == ("image_files", False)


def test_the_plugin_is_light():
    code = (
        "import sys, inspector_plugins.image_files as plugin; plugin.claim('.');"
        "print({'cv2', 'numpy', 'PIL', 'torch'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_looked_through_in_any_order(tmp_path):
    for number in range(4):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / "2.png").write_bytes(b"no picture")
    source = ImageFiles(str(tmp_path))
    assert isinstance(source, Browsable) and source.total == 4
    for index in (3, 0, 1):
        frame = source.frame(index)
        assert (frame.index, frame.name, frame.image[0, 0, 0]) == (index, f"{index}.png", index)
    assert source.frame(2) == next(item for item in source if isinstance(item, Skipped))
    with pytest.raises(IndexError):
        source.frame(4)


def test_what_is_not_read_is_named(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "b.psd").write_bytes(b"8BPS" + bytes(40))
    (tmp_path / "c").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "d.jpg_original").write_bytes((tmp_path / "a.png").read_bytes())
    for name in ("e.txt", "f.xml", "Thumbs.db", "a.json", "g.bin", "h.part"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "i.txt").write_bytes((tmp_path / "a.png").read_bytes())
    for source in (ImageFiles(str(tmp_path)), ImageFiles(str(tmp_path / "*"))):
        items = list(source)
        assert [item.name for item in items] == ["a.png", "b.psd", "c", "d.jpg_original"]
        assert [type(item) for item in items] == [Frame, Skipped, Skipped, Skipped]
        assert items[1].reason == "b.psd has an unsupported format (Photoshop); save it as PNG"
        assert items[2].reason == (
            "c contains a PNG image, but its suffix says otherwise; give it the suffix of an image"
        )
    (frame,) = ImageFiles(str(tmp_path / "c"))
    assert isinstance(frame, Frame), "named alone it is read"


def test_a_folder_of_which_nothing_is_read_says_so(tmp_path):
    (tmp_path / "b.psd").write_bytes(b"8BPS" + bytes(40))
    assert [type(item) for item in ImageFiles(str(tmp_path))] == [Skipped]


def test_motion_jpeg_is_a_video(tmp_path):
    picture(tmp_path / "a.jpg")
    video = tmp_path / "stream.avi"
    video.write_bytes((tmp_path / "a.jpg").read_bytes() * 3)
    (tmp_path / "a.jpg").unlink()
    assert claim(str(video)) is None
    assert claim(str(tmp_path)) is None
    (tmp_path / "hidden").write_bytes(video.read_bytes())
    assert claim(str(tmp_path)) is not None, "an image without a suffix beside it is to be named"


def test_listing_plugins_loads_no_decoder():
    code = (
        "import sys, inspector_plugins.image_files, inspector_plugins.hot_folder\n"
        "print({'cv2', 'PIL', 'tifffile', 'imagecodecs', 'pillow_heif'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
@pytest.mark.parametrize("name", ["list.txt", "a.png"])
def test_a_pipe_is_named_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    (item,) = ImageFiles(str(tmp_path / name))
    assert isinstance(item, Skipped) and "is a device or a pipe" in item.reason
