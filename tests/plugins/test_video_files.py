import logging
import os
import shutil
import socket
import struct
import threading
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from inspector.api import Browsable, Frame, InputError, Skipped, assets, check_options
from inspector_plugins._shared.bitstream import Checker
from inspector_plugins.video_files import VideoFiles, claim, inspector_sources, open_videos
from inspector_plugins.video_files.reader import Video

COUNT = 30


def numbered(number: int) -> np.ndarray:
    """A (64, 96, 3) image that shows ``number`` as eight black or white bars, which any codec keeps."""
    image = np.zeros((64, 96, 3), np.uint8)
    for bit in range(8):
        image[:, bit * 12 : bit * 12 + 12] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    return sum(int(image[32, bit * 12 + 6].mean() > 127) << bit for bit in range(8))


def write_video(path: Path, codec: str, rate: float = 12.5, count: int = COUNT) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate, (96, 64))
    assert writer.isOpened()
    for number in range(count):
        writer.write(numbered(number))
    writer.release()
    return path


def with_index_in_front(data: bytes) -> bytes:
    """An MP4 with the moov box before the mdat box, as for streaming: cut off, it can still be opened."""
    moov = data.index(b"moov") - 4
    box = bytearray(data[moov:])
    table = box.index(b"stco") + 4
    (entries,) = struct.unpack_from(">I", box, table + 4)
    for place in range(table + 8, table + 8 + 4 * entries, 4):
        struct.pack_into(">I", box, place, struct.unpack_from(">I", box, place)[0] + len(box))
    mdat = data.index(b"mdat") - 4
    return data[:mdat] + bytes(box) + data[mdat:moov]


def read(path: Path) -> tuple[list[Frame], list[Skipped]]:
    source = VideoFiles(path)
    try:
        items = list(source)
    finally:
        source.close()
    return [i for i in items if isinstance(i, Frame)], [i for i in items if isinstance(i, Skipped)]


@pytest.mark.parametrize(
    ("name", "codec", "counted"),
    [
        ("a.mp4", "mp4v", True),
        ("a.m4v", "mp4v", True),
        ("a.mov", "mp4v", True),
        ("a.avi", "MJPG", True),
        ("b.avi", "XVID", True),
        ("c.AVI", "FFV1", True),
        ("a.mkv", "MJPG", False),
        ("a.wmv", "WMV2", False),
        ("a.webm", "VP80", False),
        ("b.webm", "VP90", False),
        ("a.flv", "FLV1", False),
        ("a.ts", "mp4v", False),
    ],
)
def test_every_frame_comes_once_in_order_with_its_time(tmp_path, capfd, name, codec, counted):
    path = write_video(tmp_path / name, codec)
    capfd.readouterr()
    frames, skipped = read(path)
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    assert [frame.index for frame in frames] == list(range(COUNT))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 12.5 for n in range(COUNT)], abs=1e-3)
    assert not skipped
    assert {frame.name for frame in frames} == {name}
    assert {frame.path for frame in frames} == {str(path)}
    assert frames[0].rate == pytest.approx(25 if name == "a.ts" else 12.5)  # this container counts fields, not frames
    assert frames[0].read_ms > 0
    source = VideoFiles(path)
    assert source.total == (COUNT if counted else None)
    source.close()
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(("name", "codec"), [("a.mpg", "PIM1"), ("a.mpeg", "MPG2")])
def test_a_stream_whose_last_time_is_missing_goes_on_by_its_rate(tmp_path, name, codec):
    frames, skipped = read(write_video(tmp_path / name, codec, rate=25))
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    assert [frame.seconds for frame in frames] == pytest.approx([n / 25 for n in range(COUNT)], abs=1e-3)
    assert not skipped


def test_uneven_times_come_from_the_stream(tmp_path):
    durations = [100, 200, 100, 300, 100, 50]
    pictures = [Image.fromarray(numbered(n)) for n in range(6)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    frames, skipped = read(tmp_path / "a.gif")
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.3, 0.4, 0.7, 0.8], abs=1e-3)
    assert not skipped


@pytest.mark.parametrize(
    ("name", "count", "rate", "size"),
    [("ball_bearings_robot_640x480_mpeg4.mp4", 450, 20, (640, 480)), ("geti_small_128x72_h264.mp4", 90, 10, (128, 72))],
)
def test_real_videos(shared, name, count, rate, size):
    path = shared / "data" / "videos" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    source = VideoFiles(path)
    assert source.total == count
    seconds, previous, same = [], None, 0
    for frame in source:
        assert isinstance(frame, Frame)
        assert (frame.width, frame.height, frame.rate, frame.index) == (*size, rate, len(seconds))
        same += previous is not None and np.array_equal(previous, frame.image)
        previous = frame.image
        seconds.append(frame.seconds)
    source.close()
    assert seconds == pytest.approx([n / rate for n in range(count)], abs=1e-3)
    assert same < count / 10


def test_a_frame_owns_its_pixels(tmp_path):
    frames, _ = read(write_video(tmp_path / "a.avi", "FFV1"))
    assert number_of(frames[3].image) == 3  # not overwritten by the later ones
    assert not any(np.shares_memory(frames[0].image, frame.image) for frame in frames[1:])


def test_rotation_is_applied(tmp_path):
    data = bytearray(write_video(tmp_path / "a.mp4", "mp4v").read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", data, matrix, 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    (tmp_path / "turned.mp4").write_bytes(data)
    frames, _ = read(tmp_path / "turned.mp4")
    assert (frames[5].width, frames[5].height) == (64, 96)
    assert number_of(np.rot90(frames[5].image)) == 5


@pytest.mark.parametrize("folder", ["轴承 视频", "bearing ☕😀", "a" * 100 + "/" + "b" * 100 + "/" + "c" * 100])
def test_any_path(tmp_path, folder):
    path = tmp_path / folder / "滚动 轴承 🎥.mp4"
    path.parent.mkdir(parents=True)
    shutil.move(write_video(tmp_path / "a.mp4", "mp4v"), path)
    frames, skipped = read(path)
    assert len(frames) == COUNT and not skipped and frames[0].name == "滚动 轴承 🎥.mp4"
    assert claim(str(path)) == {"path": str(path)}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_unicode_is_refused_and_does_not_crash(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4"))
    shutil.move(write_video(tmp_path / "a.mp4", "mp4v"), path)
    with pytest.raises(InputError, match="rename"):
        VideoFiles(path)


@pytest.mark.parametrize(("name", "codec", "about"), [("a.avi", "MJPG", ""), ("a.mkv", "mp4v", "about ")])
def test_a_cut_off_file_is_read_as_far_as_it_goes_and_reported(tmp_path, capfd, name, codec, about):
    data = write_video(tmp_path / name, codec, count=100).read_bytes()
    cut = tmp_path / ("cut-" + name)
    cut.write_bytes(data[: len(data) // 2])
    frames, skipped = read(cut)
    assert 20 < len(frames) < 80
    assert [number_of(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))
    reason = f"ends early after {len(frames)} of {about}100 frames"
    assert [(item.name, item.reason, item.path) for item in skipped] == [(cut.name, reason, str(cut))]
    assert "".join(capfd.readouterr()) == ""


def test_a_matroska_file_that_lacks_less_than_a_second_says_so(tmp_path):
    """A damaged byte ends it where FFmpeg finds no further cluster; the header states more frames."""
    data = write_video(tmp_path / "a.mkv", "mp4v", rate=25).read_bytes()
    assert read(written := tmp_path / "a.mkv")[1] == [] and written.exists()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 2] + bytes(len(data) // 8))
    frames, skipped = read(cut)
    assert 8 < len(frames) < 25
    assert skipped[-1].reason == f"ends early after {len(frames)} of about {COUNT} frames"


def test_a_cut_off_mp4(tmp_path):
    data = write_video(tmp_path / "a.mp4", "mp4v", count=100).read_bytes()
    front = with_index_in_front(data)
    (tmp_path / "whole.mp4").write_bytes(front)
    frames, skipped = read(tmp_path / "whole.mp4")
    assert (len(frames), skipped) == (100, [])
    (tmp_path / "cut.mp4").write_bytes(front[:-1000])
    frames, skipped = read(tmp_path / "cut.mp4")
    assert 50 < len(frames) < 100
    assert skipped[0].reason == f"ends early after {len(frames)} of 100 frames"
    (tmp_path / "headless.mp4").write_bytes(data[: len(data) // 2])  # its index was at the end
    with pytest.raises(InputError, match="damaged"):
        VideoFiles(tmp_path / "headless.mp4")


def test_a_header_that_promises_too_little(tmp_path):
    data = bytearray(write_video(tmp_path / "a.avi", "MJPG").read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 10)  # length of the stream
    (tmp_path / "liar.avi").write_bytes(data)
    source = VideoFiles(tmp_path / "liar.avi")
    assert source.total == 10
    frames = [item for item in source if isinstance(item, Frame)]
    assert len(frames) == COUNT
    assert source.total == COUNT


BAD = {
    "empty.mp4": b"",
    "text.mp4": b"This is a shopping list. " * 100,
    "zeros.avi": bytes(10_000),
    "tiny.mkv": b"\x1a\x45\xdf\xa3",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_video(tmp_path, capfd, name):
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(InputError, match=name) as error:
        VideoFiles(tmp_path / name)
    assert "\n" not in str(error.value)
    assert "".join(capfd.readouterr()) == ""


def test_no_frames(tmp_path):
    write_video(tmp_path / "none.avi", "MJPG", count=0)
    with pytest.raises(InputError, match="no video frame"):
        VideoFiles(tmp_path / "none.avi")


def test_a_folder_plays_in_natural_order_and_skips_what_is_bad(tmp_path):
    for name in ("clip10.mp4", "clip2.mp4", "Clip1.mp4"):
        write_video(tmp_path / name, "mp4v", count=3)
    for name, data in BAD.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "._clip3.mp4").write_bytes(b"of a Mac")
    (tmp_path / "notes.txt").write_text("no video")
    (tmp_path / "deeper").mkdir()
    shutil.copy(tmp_path / "clip2.mp4", tmp_path / "deeper" / "clip4.mp4")
    assert claim(str(tmp_path)) == {"path": str(tmp_path)}
    source = VideoFiles(tmp_path)
    assert source.total is None
    items = list(source)
    source.close()
    good = [(item.name, item.index) for item in items if isinstance(item, Frame)]
    assert good == [(name, n) for name in ("Clip1.mp4", "clip2.mp4", "clip10.mp4") for n in range(3)]
    assert sorted(item.name for item in items if isinstance(item, Skipped)) == sorted(BAD)


def test_a_glob(tmp_path):
    for name in ("a1.mp4", "a2.avi", "b1.mp4"):
        write_video(tmp_path / name, "mp4v", count=2)
    (tmp_path / "a3.jpg").write_bytes(b"")
    for pattern, names in {
        "a*": ["a1.mp4", "a2.avi"],
        "*.mp4": ["a1.mp4", "b1.mp4"],
        "*1.*": ["a1.mp4", "b1.mp4"],
    }.items():
        text = str(tmp_path / pattern)
        assert claim(text) == {"path": text}
        assert [frame.name for frame in VideoFiles(text)] == [name for name in names for _ in range(2)]
    assert claim(str(tmp_path / "*.jpg")) is None
    with pytest.raises(InputError, match="no video file"):
        VideoFiles(tmp_path / "z*.mp4")


def test_claims_only_what_is_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "pictures").mkdir()
    assert claim("missing.MP4") == {"path": "missing.MP4"}
    for text in (
        "a.jpg",
        "pictures",
        "camera:0",
        "http://127.0.0.1/a.mp4",
        "rtsp://cam/a.avi",
        "file:///a.mp4",
        "watch:.",
    ):
        assert claim(text) is None


@pytest.mark.parametrize("path", [None, "", "missing.mp4", "http://127.0.0.1:9/a.mp4"])
def test_nothing_there(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        VideoFiles(path)


def test_a_file_never_leads_to_the_network(tmp_path):
    server = socket.create_server(("127.0.0.1", 0))
    port, calls = server.getsockname()[1], []

    def listen():
        with server:
            while (call := server.accept()[0]).recv(4) != b"stop":
                calls.append(call)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{port}/a.ts"
    lures = {
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n",
        "concat.mkv": f"ffconcat version 1.0\nfile '{address}'\n",
        "session.mov": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n",
        "list.wmv": f'<ASX version="3.0"><ENTRY><REF HREF="{address}"/></ENTRY></ASX>',
    }
    for name, text in lures.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError):
            VideoFiles(tmp_path / name)
    trap = tmp_path / f"http:/127.0.0.1:{port}"
    if os.name != "nt":
        trap.mkdir(parents=True)
        write_video(trap / "a.mp4", "mp4v", count=2)
        cwd = Path.cwd()
        os.chdir(tmp_path)
        try:
            assert len(read(Path(f"http:/127.0.0.1:{port}/a.mp4"))[0]) == 2
        finally:
            os.chdir(cwd)
    with socket.create_connection(("127.0.0.1", port)) as end:
        end.sendall(b"stop")
    thread.join(10)
    assert calls == []


def test_closing_in_the_middle_lets_go_of_the_file(tmp_path):
    path = write_video(tmp_path / "a.mp4", "mp4v")
    source = VideoFiles(path)
    assert next(iter(source)).index == 0
    source.close()
    source.close()
    if Path("/proc/self/fd").is_dir():
        assert str(path) not in [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]


def test_the_spec(tmp_path, caplog):
    (spec,) = inspector_sources()
    assert (spec.id, spec.droppable) == ("video_files", False)
    path = write_video(tmp_path / "a.mp4", "mp4v", count=2)
    with caplog.at_level(logging.WARNING):
        source = spec.open(**check_options(spec.options, spec.claim(str(path)), "video_files"))
        assert len(list(source)) == 2
    assert not caplog.records


# Seeking in one video


def with_durations(data: bytes, durations: list[int]) -> bytes:
    """An MP4 (its moov box last) whose frame n lasts ``durations[n]`` of the ticks that a frame lasted before."""
    kind = data.index(b"stts")
    size, _, _, entries, _, tick = struct.unpack_from(">I4sIIII", data, kind - 4)
    assert entries == 1
    rows = b"".join(struct.pack(">II", 1, tick * duration) for duration in durations)
    table = struct.pack(">I4sII", 16 + len(rows), b"stts", 0, len(durations)) + rows
    box = bytearray(data[: kind - 4] + table + data[kind - 4 + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = data.rindex(parent) - 4
        struct.pack_into(">I", box, place, struct.unpack_from(">I", box, place)[0] + len(table) - size)
    struct.pack_into(">I", box, box.rindex(b"elst") + 12, 2**31 - 1)  # shown to its end
    return bytes(box)


def any_order(count: int) -> list[int]:
    """All indices shuffled, then some neighbours and both ends."""
    order = np.random.default_rng(0).permutation(count).tolist()
    return [*order, count // 2, count // 2 + 1, count // 2 + 2, 0, count - 1, count - 2]


def assert_browsed_as_iterated(path: Path, order: list[int] | None = None) -> None:
    iterated = list(open_videos(path))
    source = open_videos(path)
    assert isinstance(source, Browsable) and source.total == len(iterated)
    for index in order or any_order(len(iterated)):
        frame, expected = source.frame(index), iterated[index]
        assert isinstance(frame, Frame) and np.array_equal(frame.image, expected.image), index
        assert (frame.index, frame.name, frame.path, frame.rate) == (index, path.name, str(path), expected.rate)
        assert frame.seconds == pytest.approx(expected.seconds, abs=1e-9)
    assert source.total == len(iterated)
    assert isinstance(source.frame(len(iterated)), Skipped) and isinstance(source.frame(-1), Skipped)
    assert source.total == len(iterated)
    source.close()
    source.close()


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *(("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.avi", "MJPG"), ("b.avi", "XVID"), ("c.AVI", "FFV1")),
        *(("a.mkv", "MJPG"), ("b.mkv", "mp4v"), ("a.wmv", "WMV2"), ("a.webm", "VP80"), ("b.webm", "VP90")),
        *(("a.flv", "FLV1"), ("a.ts", "mp4v"), ("a.mpg", "PIM1"), ("a.mpeg", "MPG2")),
    ],
)
def test_any_frame_is_the_one_that_iterating_gives(tmp_path, capfd, name, codec):
    path = write_video(tmp_path / name, codec, rate=25, count=60)
    capfd.readouterr()
    assert_browsed_as_iterated(path)
    assert "".join(capfd.readouterr()) == ""


def test_any_frame_of_uneven_times(tmp_path):
    pictures = [Image.fromarray(numbered(n)) for n in range(40)]
    durations = [(50, 300, 100, 30)[n % 4] for n in range(40)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    assert_browsed_as_iterated(tmp_path / "a.gif")
    even = write_video(tmp_path / "even.mp4", "mp4v", count=120).read_bytes()
    (tmp_path / "uneven.mp4").write_bytes(with_durations(even, [1] * 60 + [9, 1, 4] * 20))
    seconds = [frame.seconds for frame in read(tmp_path / "uneven.mp4")[0]]
    assert len(seconds) == 120 and len(set(np.diff(seconds).round(3))) == 3
    assert_browsed_as_iterated(tmp_path / "uneven.mp4")


@pytest.mark.parametrize("name", ["ball_bearings_robot_640x480_mpeg4.mp4", "geti_small_128x72_h264.mp4", "turning.mp4"])
def test_any_frame_of_a_real_video(shared, name):
    path = assets().parent / "sample_data" / name if name == "turning.mp4" else shared / "data" / "videos" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert_browsed_as_iterated(path, [89, 3, 47, 48, 49, 46, 0, 88, 61, 20])


def test_any_frame_of_a_rotated_video(tmp_path):
    data = bytearray(write_video(tmp_path / "a.mp4", "mp4v").read_bytes())
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    (tmp_path / "turned.mp4").write_bytes(data)
    assert_browsed_as_iterated(tmp_path / "turned.mp4")


def test_any_frame_where_the_end_is_missing_or_the_header_lies(tmp_path):
    data = bytearray(write_video(tmp_path / "a.avi", "MJPG", count=60).read_bytes())
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    frames, _ = read(tmp_path / "cut.avi")
    source = open_videos(tmp_path / "cut.avi")
    assert source.total == 60
    assert number_of(source.frame(12).image) == 12
    assert "only" in source.frame(55).reason and source.total in (len(frames), len(frames) + 1)  # the last one is half
    source.close()
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 10)
    (tmp_path / "liar.avi").write_bytes(data)
    source = open_videos(tmp_path / "liar.avi")
    assert number_of(source.frame(50).image) == 50 and source.total >= 51
    source.close()


def test_stepping_on_reads_on_and_stepping_far_does_not_read_all(tmp_path, monkeypatch):
    source = open_videos(write_video(tmp_path / "a.avi", "MJPG", count=200))
    source.frame(100)
    done: list[str] = []
    for name in ("_seek", "_next"):
        plain = getattr(Video, name)
        monkeypatch.setattr(Video, name, lambda *a, plain=plain, name=name: done.append(name) or plain(*a))
    for index in range(101, 131):
        assert number_of(source.frame(index).image) == index
    assert done == ["_next"] * 30
    done.clear()
    assert number_of(source.frame(180).image) == 180 and number_of(source.frame(20).image) == 20
    assert done == ["_seek", "_next"] * 2
    source.close()


def test_iterating_after_looking_begins_at_the_start(tmp_path):
    source = open_videos(write_video(tmp_path / "a.mp4", "mp4v"))
    source.frame(20)
    assert [number_of(frame.image) for frame in source] == list(range(COUNT))
    assert number_of(source.frame(21).image) == 21
    source.close()
    going = iter(source)
    assert [number_of(next(going).image) for _ in range(3)] == [0, 1, 2]
    assert number_of(source.frame(9).image) == 9 and number_of(next(going).image) == 3
    source.close()


def test_a_video_that_has_gone_is_skipped(tmp_path):
    path = write_video(tmp_path / "a.mp4", "mp4v")
    source = open_videos(path)
    list(source)
    path.unlink()
    assert isinstance(source.frame(3), Skipped)
    source.close()


def test_several_videos_are_not_looked_through(tmp_path):
    write_video(tmp_path / "a.mp4", "mp4v")
    for place in (tmp_path, str(tmp_path / "*.mp4")):
        source = open_videos(place)  # of one video
        assert isinstance(source, Browsable) and source.total == COUNT and number_of(source.frame(4).image) == 4
        source.close()
    (tmp_path / "b.mp4").write_bytes(b"broken")
    assert not isinstance(open_videos(tmp_path), Browsable)
    assert not isinstance(open_videos(str(tmp_path / "*.mp4")), Browsable)
    (alone,) = open_videos(str(tmp_path / "b*"))
    assert isinstance(alone, Skipped)
    with pytest.raises(InputError, match="needs a path"):
        open_videos()


# Errors that OpenCV did not report


def moving(count: int = 40) -> list[np.ndarray]:
    """Textured images (96, 128, 3) that move, so that each frame differs from all others."""
    base = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8), (0, 0), 3)
    return [np.roll(base, 3 * number, 1) for number in range(count)]


def encode(
    path: Path, codec: str, images: list[np.ndarray], stamps=None, pixels="yuv420p", streams=1, **options
) -> Path:
    """A video of 25 frames per second, or of frames at ``stamps`` (seconds), with a key frame every 20 frames."""
    with av.open(str(path), "w") as container:
        made = [container.add_stream(codec, rate=25, options={"g": "20", **options}) for _ in range(streams)]
        tick = Fraction(1, 1000 if stamps else 25)
        for stream in made:
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt, stream.codec_context.time_base = pixels, tick
        for stream in made:
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, "bgr24")
                frame.pts, frame.time_base = round(1000 * stamps[number]) if stamps else number, tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def damage(path: Path, number: int, by: bytes | None = None) -> Path:
    """Overwrite the middle of packet ``number``, in decoding order, with noise or ``by``."""
    with av.open(str(path)) as container:
        packet = next(islice(container.demux(video=0), number, None))
        data, place = bytes(packet), packet.pos
    whole = bytearray(path.read_bytes())
    third = len(data) // 3
    begin = whole.index(data[third : third + 100], place)
    noise = by or np.random.default_rng(1).integers(0, 255, min(100, third), np.uint8).tobytes()
    whole[begin : begin + len(noise)] = noise
    path.write_bytes(whole)
    return path


def assert_intact_or_skipped(path: Path, intact: list[Frame]) -> list[int]:
    """Every frame is as in the intact file, or skipped, when iterating and when seeking; returns the skipped."""
    items = list(open_videos(path))
    skipped = [number for number, item in enumerate(items) if isinstance(item, Skipped)]
    assert len(items) == len(intact)
    source = open_videos(path)
    for number in any_order(len(items)):
        browsed, item = source.frame(number), items[number]
        if isinstance(item, Frame):
            assert isinstance(browsed, Frame) and np.array_equal(item.image, intact[number].image), number
            assert np.array_equal(item.image, browsed.image)
            assert item.seconds == browsed.seconds == intact[number].seconds
        else:
            assert browsed == item
            assert f"frame {number} at {intact[number].seconds:.2f} s" in item.reason and item.path == str(path)
    assert source.total == len(items)
    source.close()
    return skipped


@pytest.mark.parametrize(
    ("name", "codec", "options", "lost"),
    [
        ("a.avi", "mjpeg", {"pixels": "yuvj420p"}, [12]),
        ("a.mov", "mjpeg", {"pixels": "yuvj420p"}, [12]),
        ("a.mkv", "mjpeg", {"pixels": "yuvj420p"}, [12]),
        ("a.mp4", "mpeg4", {}, range(12, 20)),
        ("b.avi", "mpeg4", {}, range(12, 20)),
        ("b.mp4", "libx264", {"bf": "0"}, range(12, 20)),
        ("d.mkv", "libx264", {"bf": "2"}, None),
        ("c.mp4", "libx265", {"x265-params": "log-level=0:keyint=20"}, None),
        ("m.mkv", "mpeg2video", {}, None),
    ],
)
def test_a_damaged_frame_and_those_that_build_on_it_are_skipped(tmp_path, capfd, name, codec, options, lost):
    path = encode(tmp_path / name, codec, moving(), **options)
    intact, none = read(path)
    assert len(intact) == 40 and not none
    skipped = assert_intact_or_skipped(damage(path, 12), intact)
    assert skipped == list(lost) if lost is not None else skipped and set(skipped) <= set(range(9, 20))
    reasons = [item.reason for item in read(path)[1]]
    assert reasons[0].endswith("is damaged and was left out")
    assert all(reason.endswith("depends on a damaged frame and was left out") for reason in reasons[2:])
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("b.mp4", "libx265", {"x265-params": "log-level=0:keyint=20"}),
        ("c.mkv", "libvpx", {}),
        ("c.webm", "libvpx-vp9", {"row-mt": "1", "cpu-used": "8", "deadline": "realtime"}),
    ],
)
def test_zeros_in_the_place_of_coded_data_are_noticed(tmp_path, capfd, name, codec, options):
    path = encode(tmp_path / name, codec, moving(), **options)
    intact, none = read(path)
    assert len(intact) == 40 and not none
    skipped = assert_intact_or_skipped(damage(path, 20, bytes(80)), intact)
    assert skipped
    assert "".join(capfd.readouterr()) == ""


def test_checksums_in_hevc_find_any_damage(tmp_path, capfd):
    """Nearly all frames pass without checksums: the arithmetic decoder makes something of any bits."""
    whole = encode(tmp_path / "a.mp4", "libx265", moving(), **{"x265-params": "log-level=0:keyint=20:hash=1"})
    intact, _ = read(whole)
    lost = 0
    for number in (0, 12, 25, 39):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(whole.read_bytes())
        lost += len(assert_intact_or_skipped(damage(path, number, b"\x5a\x3c"), intact))
    assert lost > 5
    capfd.readouterr()


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_what_no_encoder_writes_between_the_units(tmp_path, name, codec):
    options = {"x265-params": "log-level=0"} if codec == "libx265" else {}
    with av.open(str(encode(tmp_path / name, codec, moving(), **options))) as container:
        checker = Checker(container.streams.video[0].codec_context)
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert not any(checker.is_damaged(av.Packet(data)) for data in packets)
    assert not any(checker.is_damaged(av.Packet(data + bytes(8))) for data in packets[:3]) or name == "a.mp4"
    for wrong in (b"\0\0\2", b"\0\0\3\4", b"\0\0\1\xff"):
        middle = len(packets[0]) // 2
        assert checker.is_damaged(av.Packet(packets[0][:middle] + wrong + packets[0][middle + len(wrong) :])), wrong


def test_a_damaged_first_and_last_frame(tmp_path):
    path = encode(tmp_path / "a.avi", "mjpeg", moving(10), pixels="yuvj420p")
    intact, _ = read(path)
    for number in (0, 9):
        damage(path, number)
    assert assert_intact_or_skipped(path, intact) == [0, 9]
    (tmp_path / "whole").mkdir()
    path = encode(tmp_path / "whole" / "b.avi", "mjpeg", moving(3), pixels="yuvj420p")
    for number in range(3):
        damage(path, number)
    with pytest.raises(InputError, match="no video frame that can be read"):
        VideoFiles(path)


UNEVEN = [0, 0.02, 0.5, 0.52, 0.54, 1.9, 2.0, 2.02, 3.7, 3.74]


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.ts", "a.mp4"])
@pytest.mark.parametrize("late", [0, 10])
def test_uneven_times_and_a_late_start(tmp_path, name, late):
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    path = encode(tmp_path / name, codec, moving(10), [late + time for time in UNEVEN])
    frames, skipped = read(path)
    assert [frame.seconds for frame in frames] == pytest.approx(UNEVEN, abs=2e-3) and not skipped
    assert_browsed_as_iterated(path)


def test_an_avi_of_uneven_times_does_not_end_early(tmp_path):
    path = encode(tmp_path / "a.avi", "mjpeg", moving(10), [0.04 * number for number in range(10)], pixels="yuvj420p")
    source = VideoFiles(path)
    assert source.total > 300, "it is to count the empty packets in between, too"
    items = list(source)
    assert len(items) == 10 and items[-1].seconds == pytest.approx(0.36, abs=0.01)


@pytest.mark.parametrize("rate", [240, 1000])
def test_a_high_speed_camera_keeps_its_rate(tmp_path, rate):
    path = encode(tmp_path / "a.mp4", "libx264", moving(10), [number / rate for number in range(10)])
    frames, _ = read(path)
    assert frames[0].rate == pytest.approx(rate, rel=0.1)
    assert [frame.seconds for frame in frames] == pytest.approx([n / rate for n in range(10)], abs=1e-3)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_av1(tmp_path, pixels, capfd):
    path = encode(tmp_path / "a.mp4", "libsvtav1", moving(12), pixels=pixels)
    capfd.readouterr()
    frames, skipped = read(path)
    assert len(frames) == 12 and not skipped
    assert max(np.abs(f.image.astype(int) - m).mean() for f, m in zip(frames, moving(12), strict=True)) < 6
    assert_browsed_as_iterated(path)
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(
    ("codec", "pixels", "limit"),
    [
        ("libx264", "yuv444p", 6),
        ("libx265", "yuv420p10le", 8),
        ("ffv1", "yuv422p", 6),
        ("ffv1", "bgr0", 0.1),
        ("ffv1", "bgra", 0.1),
        ("ffv1", "gray", None),
        ("ffv1", "gray16le", None),
        ("prores_ks", "yuv422p10le", 6),
    ],
)
def test_pixel_formats(tmp_path, codec, pixels, limit):
    options = {"x265-params": "log-level=0"} if codec == "libx265" else {}
    path = encode(tmp_path / ("a.mov" if codec == "prores_ks" else "a.mkv"), codec, moving(6), pixels=pixels, **options)
    frames, skipped = read(path)
    assert len(frames) == 6 and not skipped
    for frame, image in zip(frames, moving(6), strict=True):
        expected = image if limit else np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, 2)
        assert np.abs(frame.image.astype(int) - expected).mean() < (limit or 3)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b.mp4", "libx264", {"bf": "3"}),
        ("open.mkv", "libx264", {"x264-params": "open-gop=1:bframes=3:keyint=12"}),
        ("pyramid.mp4", "libx264", {"x264-params": "b-pyramid=normal:bframes=7:keyint=25"}),
        ("b.avi", "mpeg4", {"bf": "2"}),
        ("odd.mkv", "ffv1", {"pixels": "yuv444p"}),
        ("hidden.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("hevc.ts", "libx265", {"x265-params": "log-level=0:keyint=12"}),
    ],
)
def test_frames_come_in_the_order_of_display(tmp_path, name, codec, options):
    side = 95 if name.startswith("odd") else 96
    path = encode(tmp_path / name, codec, [image[:side, : side + 32] for image in moving()], **options)
    frames, skipped = read(path)
    assert len(frames) == 40 and not skipped
    for number, frame in enumerate(frames):
        distance = [np.abs(frame.image.astype(int) - image[:side, : side + 32]).mean() for image in moving()]
        assert int(np.argmin(distance)) == number
    assert_browsed_as_iterated(path)


def test_interlaced_frames_are_read_and_not_black(tmp_path):
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1"}
    path = encode(tmp_path / "a.mkv", "libx264", moving(6), **options)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    frames, skipped = read(path)
    assert len(frames) == 6 and not skipped
    for frame, image in zip(frames, moving(6), strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 8


def test_a_size_that_changes_in_the_middle(tmp_path):
    small = encode(tmp_path / "small.ts", "libx264", moving(10)).read_bytes()
    large = encode(tmp_path / "large.ts", "libx264", [cv2.resize(image, (192, 64)) for image in moving(8)]).read_bytes()
    (tmp_path / "both.ts").write_bytes(small + large)
    frames, skipped = read(tmp_path / "both.ts")
    assert [(frame.width, frame.height) for frame in frames] == [(128, 96)] * 10 + [(192, 64)] * 8 and not skipped
    seconds = [frame.seconds for frame in frames]  # the second part's clock begins at the start again
    assert seconds == pytest.approx([number / 25 for number in range(18)], abs=0.05) and sorted(set(seconds)) == seconds
    assert_browsed_as_iterated(tmp_path / "both.ts")


def test_raw_mjpeg_under_a_video_name(tmp_path):
    pictures = b"".join(cv2.imencode(".jpg", numbered(n))[1].tobytes() for n in range(20))
    (tmp_path / "a.avi").write_bytes(pictures)
    frames, skipped = read(tmp_path / "a.avi")
    assert [number_of(frame.image) for frame in frames] == list(range(20)) and not skipped
    assert_browsed_as_iterated(tmp_path / "a.avi")


def test_sound_and_cover_images_are_no_video(tmp_path):
    def with_sound(path: Path, cover: bool) -> Path:
        with av.open(str(path), "w") as container:
            sound = container.add_stream("aac", rate=44100)
            picture = container.add_stream("mjpeg", rate=25) if cover else None
            if picture is not None:
                picture.width, picture.height, picture.pix_fmt = 128, 96, "yuvj420p"
                picture.disposition = av.stream.Disposition.attached_pic
            for number in range(20):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                frame.sample_rate, frame.pts = 44100, 1024 * number
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
            if picture is not None:
                container.mux(picture.encode(av.VideoFrame.from_ndarray(moving(1)[0], "bgr24")))
                container.mux(picture.encode(None))
        return path

    for cover in (False, True):
        with pytest.raises(InputError, match="it contains sound but no video"):
            VideoFiles(with_sound(tmp_path / f"{cover}.mp4", cover))


def test_of_two_video_streams_the_first_is_inspected_which_is_noted(tmp_path):
    path = encode(tmp_path / "a.mkv", "libx264", moving(5), streams=2)
    frames, skipped = read(path)
    assert len(frames) == 5 and not skipped
    assert [frame.notes for frame in frames] == [("the first of 2 video streams in this file",), *[()] * 4]


def test_sound_that_goes_on_longer_is_no_early_end(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream, sound = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=44100)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for image in moving(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
        for number in range(200):  # 4.6 seconds
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, 1024 * number
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    frames, skipped = read(path)
    assert len(frames) == 10 and not skipped


def test_a_codec_that_cannot_be_decoded_is_named(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mkv", "libx264", moving(5))

    def refuse(context, packet):
        raise av.error.PatchWelcomeError(0, "not implemented")

    monkeypatch.setattr("inspector_plugins.video_files.decoder._decode", refuse)
    with pytest.raises(InputError, match=r"it is encoded as H264, which cannot be decoded here; convert it to H\.264"):
        VideoFiles(path)
