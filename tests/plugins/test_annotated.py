import logging
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from inspector.api import (
    Choice,
    Detection,
    Frame,
    Inspection,
    InspectorError,
    Job,
    Mask,
    ModelInfo,
    RecipeInfo,
    RunInfo,
    Verdict,
    check_options,
    draw_inspection,
)
from inspector_plugins.annotated import common, inspector_exporters, writer
from inspector_plugins.annotated import video as video_module
from inspector_plugins.annotated.images import Images
from inspector_plugins.annotated.video import Video
from inspector_plugins.annotated.writer import CODECS, Codec

MODEL = ModelInfo("best.pt", "0" * 64, "yolo11n-seg", ("Defect",))
RUN = RunInfo(Job((Choice("image_files"),), Choice("yolo11")), MODEL, "a run", "2025-01-01T08:00:00+08:00")
STEP = 8  # grey levels between the images of a test video


def picture(width: int = 64, height: int = 48, grey: int = 90) -> np.ndarray:
    return np.full((height, width, 3), grey, np.uint8)


def inspection(name, image, status="NG", index=0, seconds=None, rate=None, path=None, found=()) -> Inspection:
    frame = Frame(image, index, name, seconds, rate, path)
    return Inspection(frame, tuple(found), Verdict(status), MODEL)


def defect(x: int, y: int, w: int, h: int) -> Detection:
    return Detection("Defect", 0.9, (x, y, x + w, y + h), Mask(x, y, np.ones((h, w), bool)))


def from_file(index, name="turn.mp4", rate=30000 / 1001, size=(64, 48), path="/films/turn.mp4", status="OK"):
    image = picture(*size, grey=index * STEP)
    return inspection(name, image, status, index, index / rate, rate, path)


def from_camera(index, seconds, rate=25.0, size=(64, 48), name="camera 0"):
    return inspection(name, picture(*size, grey=index * STEP), "OK", index, seconds, rate)


def export(exporter, inspections) -> list[Path]:
    for one in inspections:
        exporter.write(one)
    return list(exporter.close())


def video(folder, inspections, **options) -> list[Path]:
    return export(Video(folder, RUN, labels=False, opacity=0, **options), inspections)


def read_video(path: Path) -> tuple[list[np.ndarray], list[float], float]:
    """All frames, the seconds at which they are shown, and the duration."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        stream = container.streams.video[0]
        assert stream.frames == len(frames)
        images = [frame.to_ndarray(format="bgr24") for frame in frames]
        return images, [frame.time for frame in frames], float(stream.duration * stream.time_base)


def order(frames) -> list[int]:
    """The images that the frames show, identified by the grey of a corner without annotation."""
    return [round(float(frame[-8:, -8:].mean()) / STEP) for frame in frames]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


# images


def test_a_image_is_drawn_once_for_all_who_write_it_in_the_same_look(tmp_path, monkeypatch):
    drawn = []

    def draw(image, *rest, **look):
        drawn.append(look)
        return draw_inspection(image, *rest, **look)

    monkeypatch.setattr(common, "draw_inspection", draw)
    pictures, film, plain = Images(tmp_path, RUN), Video(tmp_path, RUN), Images(tmp_path / "plain", RUN, labels=False)
    before = picture(200, 160)
    for index in range(3):
        one = inspection("turn.mp4", before.copy(), "NG", index, index / 25, 25.0, "turn.mp4", [defect(20, 30, 40, 30)])
        for exporter in (pictures, film, plain, pictures):
            exporter.write(one)
        assert np.array_equal(one.frame.image, before), "the picture itself was drawn into"
    assert drawn == [{"opacity": 0.4, "labels": labels, "caption": ""} for labels in (True, False)] * 3
    del one
    assert not common._drawn, "a picture outlived its inspection"
    paths = [*pictures.close(), *plain.close()]
    assert len(paths) == 9 and len(read_video(*film.close())[0]) == 3
    assert not np.array_equal(read(paths[0]), read(paths[-1]))


def test_the_recipe_is_written_into_the_annotated_image():
    one = inspection("a.png", picture(200, 160), "OK")
    named = replace(one, recipe=RecipeInfo("6205 外圈", 3, "ab" * 32))
    plain, drawn = (common.annotated(result, 0.4, True) for result in (one, named))
    changed = np.argwhere((plain != drawn).any(2))
    assert changed.size and changed[:, 0].min() > 160 // 2 and changed[:, 1].min() == 0, "at the bottom left"


def test_a_still_image_is_annotated_under_its_own_name(tmp_path):
    image = picture(200, 160)
    before = image.copy()
    paths = export(Images(tmp_path, RUN), [inspection("轴承 🔩.png", image, found=[defect(120, 100, 40, 30)])])
    assert paths == [tmp_path / "images" / "轴承 🔩.jpg"]
    written = read(paths[0])
    assert written.shape == image.shape
    assert np.abs(written[115, 140].astype(int) - 90).max() > 15, "the defect is not coloured"
    assert np.abs(written[155, 195].astype(int) - 90).max() < 6, "the background is changed"
    assert (image == before).all(), "the frame itself was drawn on"


def test_png_keeps_every_pixel_outside_the_annotation(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    [path] = export(Images(tmp_path, RUN, format="png"), [inspection("a.jpg", image, "OK")])
    assert path.name == "a.png"
    assert (read(path)[60:] == image[60:]).all()


def test_quality_counts(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    sizes = []
    for quality in (10, 95):
        [path] = export(Images(tmp_path, RUN, quality=quality), [inspection(f"{quality}.png", image, "OK")])
        sizes.append(path.stat().st_size)
    assert sizes[0] * 3 < sizes[1]


def test_a_image_too_large_for_jpeg_is_written_as_png(tmp_path):
    names = [path.name for path in export(Images(tmp_path, RUN), [inspection("a.tif", picture(65_504, 2), "OK")])]
    assert names == ["a.png"]


def test_names_are_unique_and_nothing_is_overwritten(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "old.jpg").write_text("kept")
    names = ["a.jpg", "a.png", "a.jpg", "sub/a.jpg", "sub\\a.bmp", "old.tif", "192.168.0.5", "no suffix"]
    paths = export(Images(tmp_path, RUN), [inspection(name, picture(), "OK") for name in names])
    assert [path.relative_to(tmp_path / "images").as_posix() for path in paths] == [
        "a.jpg",
        "a-2.jpg",
        "a-3.jpg",
        "sub/a.jpg",
        "sub/a-2.jpg",
        "old-2.jpg",
        "192.168.0.5.jpg",
        "no suffix.jpg",
    ]
    assert (tmp_path / "images" / "old.jpg").read_text() == "kept"
    assert len(files(tmp_path)) == len(names) + 1


@pytest.mark.parametrize(
    "name, expected",
    [
        ("../../escaped.jpg", "escaped.jpg"),
        ("/etc/passwd", "etc/passwd.jpg"),
        ("C:\\Windows\\..\\x.bmp", "C_/Windows/x.jpg"),
        ("sub/.. /x.jpg", "sub/x.jpg"),
        ("rtsp://host:554/live/1", "rtsp___host_554_live_1.jpg"),
        ("con.jpg", "_con.jpg"),
        (".jpg", "jpg.jpg"),
        ("..", "_.jpg"),
        ("a<b>?.png", "a_b__.jpg"),
        ("轴" * 80 + ".jpg", "轴" * 50 + ".jpg"),
    ],
)
def test_no_name_leads_outside_or_breaks_a_file_system(name, expected, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    export(Images(folder, RUN), [inspection(name, picture(), "OK")])
    assert files(tmp_path) == [f"run/images/{expected}"]


@pytest.mark.parametrize(
    "choice, expected",
    [
        ("defects", ["still.jpg", "turn_000001.jpg", "turn_000002.jpg"]),
        ("all", ["still.jpg", "turn_000000.jpg", "turn_000001.jpg", "turn_000002.jpg"]),
        ("none", ["still.jpg"]),
    ],
)
def test_which_frames_of_videos_are_written(choice, expected, tmp_path):
    frames = [from_file(index, status=status) for index, status in enumerate(("OK", "WARN", "NG"))]
    export(Images(tmp_path, RUN, video_frames=choice), [*frames, inspection("still.png", picture(), "OK")])
    assert files(tmp_path / "images") == expected


def test_nothing_is_made_when_nothing_comes(tmp_path):
    assert export(Images(tmp_path, RUN), []) == []
    assert export(Images(tmp_path, RUN), [from_file(0)]) == []
    assert video(tmp_path, []) == []
    assert video(tmp_path, [inspection("still.jpg", picture())]) == []
    assert list(tmp_path.iterdir()) == []


# video


@pytest.mark.parametrize("rate", [10, 25, 30000 / 1001, 23.976, 59.94, 66.6667, 0.5, 240, 1000])
def test_a_file_is_written_frame_by_frame_at_its_own_rate(rate, tmp_path):
    [path] = video(tmp_path, [from_file(index, rate=rate) for index in range(24)])
    assert path == tmp_path / "video" / "turn.mp4"
    frames, seconds, duration = read_video(path)
    assert order(frames) == list(range(24))
    assert seconds == pytest.approx([index / rate for index in range(24)], abs=4e-5)
    assert duration == pytest.approx(24 / rate, abs=4e-5)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(rate, rel=1e-3)
    assert files(tmp_path / "video") == ["turn.mp4"]


def test_a_file_of_uneven_times_takes_as_long_as_the_original(tmp_path):
    times = np.cumsum([0, 0.02, 0.7, 0.02, 0.02, 1.5, 0.04, 0.02])
    stream = [
        inspection("v.mkv", picture(grey=index * STEP), "OK", index, float(time), 25.0, "v.mkv")
        for index, time in enumerate(times)
        if index != 3  # it was damaged
    ]
    [path] = video(tmp_path, stream)
    frames, seconds, duration = read_video(path)
    assert order(frames) == [0, 1, 2, 4, 5, 6, 7]
    assert seconds == pytest.approx([*times[:3], *times[4:]], abs=1e-3)
    assert duration == pytest.approx(times[-1] + 1 / 25, abs=1e-3)


def test_the_video_shows_the_defects(tmp_path):
    one = [
        inspection("v.mp4", picture(320, 240), "NG", i, i / 25, 25.0, "v.mp4", [defect(200, 150, 60, 40)])
        for i in (0, 1)
    ]
    [path] = export(Video(tmp_path, RUN), one)
    frames, _, _ = read_video(path)
    assert np.abs(frames[1][170, 230].astype(int) - 90).max() > 15
    assert np.abs(frames[1][230, 310].astype(int) - 90).max() < 8
    assert (one[0].frame.image == 90).all()


def test_a_folder_of_any_name(tmp_path):
    folder = tmp_path / "检测 结果 🔩"
    folder.mkdir()
    [path] = video(folder, [from_file(index, name="转动 🔩.mp4") for index in range(5)])
    assert path == folder / "video" / "转动 🔩.mp4"
    assert order(read_video(path)[0]) == list(range(5))
    assert files(folder) == ["video/转动 🔩.mp4"]


@pytest.mark.parametrize("rate", [25.0, 30.0, None, 0.0, 90000.0, float("nan")])
def test_a_camera_is_shown_in_real_time(rate, tmp_path):
    generator = np.random.default_rng(3)
    taken = 100 + np.cumsum(generator.uniform(0.01, 0.4, 28))  # dropped frames, uneven pauses, a clock of its own
    [path] = video(tmp_path, [from_camera(index, float(s), rate) for index, s in enumerate(taken)])
    frames, seconds, duration = read_video(path)
    assert order(frames) == list(range(28))
    assert seconds == pytest.approx(list(taken - taken[0]), abs=1e-4)
    assert duration == pytest.approx(taken[-1] - taken[0] + 1 / (rate if rate in (25.0, 30.0) else 25), abs=1e-3)


def test_a_fast_camera_with_a_slow_nominal_rate_is_not_slowed_down(tmp_path):
    [path] = video(tmp_path, [from_camera(index, index / 60, rate=20.0) for index in range(31)])
    frames, seconds, _ = read_video(path)
    assert order(frames) == list(range(31)) and seconds[-1] == pytest.approx(0.5, abs=1e-3)


def test_a_long_pause_and_a_clock_that_starts_again(tmp_path, caplog):
    taken = [0.0, 0.1, 7200.0, 7200.1, 0.0, 0.1]
    with caplog.at_level(logging.INFO):
        [path] = video(tmp_path, [from_camera(index, s, rate=10.0) for index, s in enumerate(taken)])
    frames, seconds, _ = read_video(path)
    assert order(frames) == list(range(6))
    assert seconds == pytest.approx([0, 0.1, 10.1, 10.2, 10.2, 10.3], abs=1e-3)
    assert "10 of 7200 seconds" in caplog.text


def test_a_new_file_begins_where_size_name_or_recording_changes(tmp_path):
    stream = [from_camera(index, index / 25) for index in range(3)]
    stream += [from_camera(index, index / 25, size=(80, 60)) for index in range(3, 7)]
    stream += [from_file(index) for index in range(5)]
    stream += [from_file(index, path="/other/turn.mp4") for index in range(6)]
    stream += [from_file(index, path="/other/turn.mp4") for index in range(2)]
    stream += [from_file(index, name="sub/turn.avi") for index in range(4)]
    paths = video(tmp_path, stream)
    found = {path.relative_to(tmp_path / "video").as_posix(): read_video(path)[0] for path in paths}
    assert {name: len(frames) for name, frames in found.items()} == {
        "camera 0.mp4": 3,
        "camera 0-2.mp4": 4,
        "turn.mp4": 5,
        "turn-2.mp4": 6,
        "turn-3.mp4": 2,
        "sub/turn.mp4": 4,
    }
    assert found["camera 0.mp4"][0].shape == (48, 64, 3) and found["camera 0-2.mp4"][0].shape == (60, 80, 3)
    assert files(tmp_path / "video") == sorted(found)


@pytest.mark.parametrize("size", [(128, 72), (129, 73), (1, 1), (3, 900), (37, 40)])
def test_odd_and_tiny_sizes(size, tmp_path):
    shade = np.linspace(20, 230, size[0] * size[1]).reshape(size[1], size[0], 1)
    image = np.repeat(shade, 3, 2).astype(np.uint8)
    shown = [inspection("a.mp4", image, "OK", index, index / 25, 25.0, "a.mp4") for index in range(3)]
    [path] = video(tmp_path, shown)
    frames, _, _ = read_video(path)
    width, height = size[0] + size[0] % 2, size[1] + size[1] % 2
    assert [frame.shape for frame in frames] == [(height, width, 3)] * 3


def test_an_image_too_large_for_the_first_codec(tmp_path, capfd):
    [path] = video(tmp_path, [from_file(index, size=(8200, 16)) for index in range(3)])
    assert path.name == "turn.mov"
    frames, seconds, _ = read_video(path)
    assert [frame.shape for frame in frames] == [(16, 8200, 3)] * 3
    assert seconds == pytest.approx([index * 1001 / 30000 for index in range(3)], abs=1e-4)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_every_codec_of_the_chain_works(codec, tmp_path, monkeypatch, caplog, capfd):
    monkeypatch.setattr(writer, "CODECS", (codec,))
    with caplog.at_level(logging.INFO):
        [path] = video(tmp_path, [from_file(index) for index in range(10)])
    assert path.name == f"turn{codec.suffix}"
    assert order(read_video(path)[0]) == list(range(10))
    assert f"codec {codec.name}" in caplog.text
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("codec", [Codec("qqqq", "yuv420p", (), ".mp4", 9000), CODECS[0]._replace(pixels="rgb24")])
def test_a_codec_that_does_not_work_is_passed_over(codec, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "CODECS", (codec, *CODECS[1:]))
    [path] = video(tmp_path, [from_file(index) for index in range(4)])
    assert files(tmp_path / "video") == ["turn.mov"]
    assert len(read_video(path)[0]) == 4


def test_no_codec_at_all_is_said_once_and_the_next_stream_is_tried(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(writer, "CODECS", (CODECS[0]._replace(longest=100),))
    stream = [from_file(index, size=(200, 100)) for index in range(4)] + [from_file(0, name="b.mp4", path="b.mp4")]
    told = "No video of turn is written: no codec takes 200x100 pixels, or the disk is full (tried: none fits)"
    exporter = Video(tmp_path, RUN)
    with caplog.at_level(logging.WARNING):
        for one in stream:
            exporter.write(one)
    assert [record.getMessage() for record in caplog.records] == [told]
    with pytest.raises(InspectorError) as failure:
        exporter.close()
    assert str(failure.value) == told and files(tmp_path / "video") == ["b.mp4"]


def test_files_with_missing_frames_are_kept_and_named_at_the_end(tmp_path, monkeypatch):
    encoded = writer.VideoFile._mux

    def forgetful(self, packets):
        encoded(self, [packet for packet in packets if packet.pts * packet.time_base < 0.11])

    monkeypatch.setattr(writer.VideoFile, "_mux", forgetful)
    counts = {"a.mp4": 6, "b.mp4": 6, "c.mp4": 3}
    stream = [from_file(index, name) for name, count in counts.items() for index in range(count)]
    with pytest.raises(InspectorError) as failure:
        video(tmp_path, stream)
    for name in "ab":
        assert f"The video {name}.mp4 is damaged: it has 4 frames instead of 6; check" in str(failure.value)
    assert "c.mp4" not in str(failure.value)
    found = {name: len(read_video(tmp_path / "video" / name)[0]) for name in files(tmp_path / "video")}
    assert found == {"a.mp4": 4, "b.mp4": 4, "c.mp4": 3}


def test_an_interrupted_run_leaves_a_whole_video_and_no_temporary_file(tmp_path):
    exporter = Video(tmp_path, RUN)
    exporter.write(from_camera(0, 0.0))
    exporter.write(from_camera(1, 0.5))
    assert len(files(tmp_path)) == 1 and files(tmp_path)[0].startswith("video/.tmp-")
    [path] = exporter.close()
    assert list(exporter.close()) == [path]
    assert files(tmp_path) == ["video/camera 0.mp4"]
    _, seconds, duration = read_video(path)
    assert (*seconds, duration) == pytest.approx((0, 0.5, 0.54), abs=1e-3)


def test_no_temporary_file_stays_when_drawing_or_writing_fails(tmp_path, monkeypatch):
    exporter = Video(tmp_path, RUN)
    exporter.write(from_file(0))
    monkeypatch.setattr(video_module, "annotated", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exporter.write(from_file(1))
    assert len(list(exporter.close())) == 1
    assert files(tmp_path) == ["video/turn.mp4"]
    monkeypatch.undo()

    exporter = Video(tmp_path, RUN)
    exporter.write(from_file(0))
    monkeypatch.setattr(writer, "publish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exporter.close()
    assert files(tmp_path) == ["video/turn.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_is_reported_at_once_and_leaves_nothing_behind(tmp_path):
    code = f"""
    import resource, sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from test_annotated import RUN, Video, inspection, np
    from pathlib import Path
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    noise = np.random.default_rng(0)
    exporter = Video(Path({str(tmp_path)!r}), RUN)
    try:
        for i in range(600):
            image = noise.integers(0, 255, (120, 160, 3), np.uint8)
            exporter.write(inspection("noise.mp4", image, "OK", i, i / 25, 25.0, "noise.mp4"))
    except Exception as error:
        print(i < 100, error)
    print(list(exporter.close()))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    said, left = ended.stdout.splitlines()
    assert said.startswith("True The video noise.mp4 could not be written: File too large; check that the disk is")
    assert left == "[]" and not files(tmp_path), ended.stderr


def test_real_videos_come_back_frame_by_frame(shared, tmp_path):
    source = cv2.VideoCapture(str(shared / "data" / "videos" / "geti_small_128x72_h264.mp4"))
    rate, frames = source.get(cv2.CAP_PROP_FPS), []
    while (step := source.read())[0]:
        frames.append(step[1])
    stream = [inspection("g.mp4", image, "OK", i, i / rate, rate, "g.mp4") for i, image in enumerate(frames)]
    [path] = video(tmp_path, stream)
    found, _, duration = read_video(path)
    assert len(found) == len(frames) == 90 and rate == 10 and duration == pytest.approx(9, abs=1e-3)
    lower = slice(frames[0].shape[0] // 2, None)
    differences = [np.abs(a[lower].astype(int) - b[lower]).mean() for a, b in zip(frames, found, strict=True)]
    assert max(differences) < 6, differences


# plugin interface


def test_the_specs_are_light_and_their_options_fit():
    code = """
import sys
import inspector_plugins.annotated
inspector_plugins.annotated.inspector_exporters()
print({"cv2", "numpy", "av"} & set(sys.modules))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.strip() == "set()", ended.stdout + ended.stderr


def test_each_spec_opens_with_its_defaults(tmp_path):
    specs = list(inspector_exporters())
    assert [(spec.id, spec.default) for spec in specs] == [("images", True), ("video", True)]
    for spec in specs:
        exporter = spec.open(tmp_path, RUN, **check_options(spec.options, {}, spec.id))
        assert list(exporter.close()) == []


@pytest.mark.parametrize("order", [("a.bmp", "a.jpg", "A.PNG", "b.bmp"), ("b.bmp", "A.PNG", "a.jpg", "a.bmp")])
def test_files_of_one_stem_keep_their_names_apart(tmp_path, order):
    """a.jpg belongs to a.jpg, whichever comes first."""
    for name in order:
        (tmp_path / name).touch()
    (tmp_path / "b.txt").touch()
    images = Images(tmp_path / "out", RUN)
    for name in order:
        images.write(inspection(name, picture(), path=str(tmp_path / name)))
    written = dict(zip(order, (path.name for path in images.close()), strict=True))
    assert written == {"a.bmp": "a.bmp.jpg", "a.jpg": "a.jpg", "A.PNG": "A.PNG.jpg", "b.bmp": "b.jpg"}
