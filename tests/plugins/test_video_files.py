import logging
import os
import shutil
import socket
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inspector.api import Browsable, Frame, InputError, Skipped, assets, check_options
from inspector_plugins.video_files import VideoFiles, claim, inspector_sources, open_videos

COUNT = 30


def numbered(number: int) -> np.ndarray:
    """A (64, 96, 3) picture that shows ``number`` as eight black or white bars, which any codec keeps."""
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
    assert frames[0].rate == pytest.approx(25 if name == "a.ts" else 12.5)  # that container knows fields, not frames
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
        try:
            while True:
                calls.append(server.accept())
        except OSError:
            pass

    threading.Thread(target=listen, daemon=True).start()
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
    server.close()
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


# Looking through one video


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
    from inspector_plugins import video_files

    source = open_videos(write_video(tmp_path / "a.avi", "MJPG", count=200))
    source.frame(100)
    done: list[str] = []
    for name in ("_seek", "_grab"):
        plain = getattr(video_files._Video, name)
        monkeypatch.setattr(video_files._Video, name, lambda *a, plain=plain, name=name: done.append(name) or plain(*a))
    for index in range(101, 131):
        assert number_of(source.frame(index).image) == index
    assert done == ["_grab"] * 30
    done.clear()
    assert number_of(source.frame(180).image) == 180 and number_of(source.frame(20).image) == 20
    assert done == ["_seek", "_grab"] * 2
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
