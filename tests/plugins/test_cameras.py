import contextlib
import http.server
import logging
import re
import socket
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from timing import Stopwatch

from inspector.api import Frame, InputError, SourceStatus, check_options
from inspector_plugins.cameras import camera as _camera
from inspector_plugins.cameras import claim, devices, inspector_sources
from inspector_plugins.cameras.camera import Camera

NO_CAMERA = not any(Path("/dev").glob("video*"))


class MjpegServer:
    """A network camera: motion JPEG over HTTP, 50 images per second, until it is killed."""

    def __init__(self, size: tuple[int, int], port: int = 0, pictures: int = 10_000) -> None:
        self.dead = threading.Event()
        self.silent = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for number in range(pictures):
                        while server.silent.is_set() and not server.dead.is_set():
                            time.sleep(0.02)
                        if server.dead.is_set():
                            return
                        image = np.full((size[1], size[0], 3), number % 250, np.uint8)
                        data = cv2.imencode(".jpg", image)[1].tobytes()
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                        self.wfile.write(head.encode() + data + b"\r\n")
                        time.sleep(0.02)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.address = f"http://127.0.0.1:{self.port}/stream"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self) -> None:
        self.dead.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(MjpegServer(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        if not server.dead.is_set():
            server.kill()


@pytest.fixture
def silent_server():
    """Accepts connections and never sends anything."""
    listening = socket.create_server(("127.0.0.1", 0))
    yield listening.getsockname()[1]
    listening.close()


@pytest.fixture(autouse=True)
def tidy():
    """No test may leave a grabber thread behind."""
    yield
    until = time.monotonic() + 5
    while time.monotonic() < until and any(thread.name.startswith("camera ") for thread in threading.enumerate()):
        time.sleep(0.05)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("camera ")]


def frames_of(source, count, within=10.0, statuses=None):
    """The next ``count`` frames; the source must yield something every 0.4 s. Its reports go to ``statuses``."""
    frames, longest, until, last = [], 0.0, time.monotonic() + within, time.monotonic()
    with Stopwatch() as watch:
        for item in source:
            longest = max(longest, time.monotonic() - last)
            if isinstance(item, SourceStatus):
                (statuses if statuses is not None else []).append(item)
            elif item is not None:
                frames.append(item)
            if len(frames) == count or time.monotonic() > until:
                break
            last = time.monotonic()
    assert longest / watch.slowdown < 0.4
    return frames


def status_of(source, within=30.0):
    """The next report, and the seconds until it came, on a machine that has nothing else to do."""
    began = time.monotonic()
    with Stopwatch() as watch:
        for item in source:
            if isinstance(item, SourceStatus):
                break
            assert time.monotonic() - began < within, "no report"
        else:
            raise AssertionError("the source has ended")
    return item, watch.seconds


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_stream(serve, capfd):
    server = serve((160, 120))
    source = Camera(server.address)
    try:
        frames = frames_of(source, 30)
    finally:
        source.close()
    assert [frame.index for frame in frames] == list(range(30))
    assert {(frame.width, frame.height, frame.path) for frame in frames} == {(160, 120, None)}
    assert frames[0].seconds == 0
    seconds = [frame.seconds for frame in frames]
    assert all(a < b for a, b in pairwise(seconds))
    assert seconds[-1] == pytest.approx(29 * 0.02, rel=0.6)
    values = [int(frame.image[60, 80, 0]) for frame in frames]
    assert values == sorted(set(values)), "a picture came twice or out of order"
    assert source.total is None
    assert "".join(capfd.readouterr()) == ""


@pytest.fixture
def burst(tmp_path):
    """An address that sends 60 images of a compressed video at once, numbered by their grey, and then nothing."""
    file = tmp_path / "burst.ts"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
    for number in range(60):
        writer.write(np.full((240, 320, 3), 4 * number, np.uint8))
    writer.release()
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.wfile.write(file.read_bytes())
            over.wait(20)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        over.set()
        server.shutdown()


@pytest.mark.parametrize("options, held_back", [({}, (0, 3)), ({"decode_threads": 16}, (15, 18))])
def test_decoding_holds_no_image_back_unless_it_is_asked_for_threads(burst, options, held_back):
    source = Camera(burst, read_timeout=3, reconnect=False, **options)
    newest, waited = 0, 0
    for frame in source:
        waited = 0 if isinstance(frame, Frame) else waited + 1
        if isinstance(frame, Frame):
            newest = round(float(frame.image.mean()) / 4)
        if waited == 5:  # a second of silence
            break
    source.close()
    assert held_back[0] <= 59 - newest <= held_back[1]


def test_only_the_newest_image_counts(serve, caplog):
    server = serve((160, 120))
    source = Camera(server.address)
    pictures = iter(source)
    with caplog.at_level(logging.INFO):
        first = next(item for item in pictures if item is not None)
        time.sleep(0.6)
        second = next(item for item in pictures if item is not None)
        source.close()
    assert second.index == 1
    assert second.seconds - first.seconds > 0.5
    assert source.dropped > 10
    assert f"{source.dropped} images were replaced by newer ones" in caplog.text


def test_killed_and_restarted_with_another_size(serve, caplog):
    server = serve((160, 120))
    source = Camera(server.address)
    caplog.set_level(logging.WARNING)
    statuses = []
    try:
        before = frames_of(source, 5)
        killed = time.monotonic()
        with Stopwatch() as watch:
            server.kill()
            while not statuses:
                before += frames_of(source, 1, within=0.1, statuses=statuses)
        assert watch.seconds < 1, "a closed connection is to be reported within a second"
        while time.monotonic() - killed < 0.6:
            before += frames_of(source, 1, within=0.1, statuses=statuses)
        serve((200, 80), port=server.port)
        after = frames_of(source, 5, statuses=statuses)
    finally:
        source.close()
    assert {(frame.width, frame.height) for frame in before} == {(160, 120)}
    assert {(frame.width, frame.height) for frame in after} == {(200, 80)}
    assert [frame.index for frame in before + after] == list(range(len(before) + 5))
    gap = after[0].seconds - before[-1].seconds
    assert gap > 0.6
    assert statuses == [
        SourceStatus(False, f"{server.address}: the connection was lost; reconnecting"),
        SourceStatus(True, f"{server.address}: images are arriving again after {gap:.1f} s"),
    ]
    told = [record.getMessage() for record in caplog.records if record.name == "inspector_plugins.cameras.camera"]
    assert told == [f"{server.address}: images are 200 x 80 px now, not 160 x 120"]


def test_a_stream_that_falls_silent_is_called_again(serve):
    server = serve((160, 120))
    source = Camera(server.address, read_timeout=0.4)
    try:
        frames_of(source, 3)
        server.silent.set()
        lost, _ = status_of(source)
        server.silent.clear()
        back, _ = status_of(source)
        assert isinstance(next(item for item in source if item is not None), Frame)
    finally:
        source.close()
    assert lost == SourceStatus(False, f"{server.address}: the connection was lost; reconnecting")
    assert back.available and "images are arriving again" in back.message


def test_a_gap_is_reported_long_before_the_read_limit(serve):
    server = serve((160, 120))
    source = Camera(server.address)
    try:
        frames_of(source, 3)
        server.silent.set()
        stalled, after = status_of(source)
        assert stalled == SourceStatus(False, f"{server.address}: no image for 1 s") and after < 1.6
        more = []
        assert frames_of(source, 1, within=0.6, statuses=more) == [] and not more, "reported once"
        server.silent.clear()
        back, _ = status_of(source)
        assert re.fullmatch(rf"{server.address}: images are arriving again after \d+\.\d s", back.message)
        assert back.available and len(frames_of(source, 3)) == 3
    finally:
        source.close()


def test_a_stall_that_ends_in_a_lost_connection_is_reported_as_both(serve):
    server = serve((160, 120))
    source = Camera(server.address, read_timeout=1.6)
    try:
        frames_of(source, 3)
        server.silent.set()
        messages = [status_of(source)[0].message for _ in range(2)]
        server.silent.clear()
        assert status_of(source)[0].available
    finally:
        source.close()
    assert messages == [f"{server.address}: {text}" for text in ("no image for 1 s", messages[1].split(": ", 1)[1])]
    assert messages[1].endswith("the connection was lost; reconnecting")


def test_a_camera_that_sends_an_image_every_second_is_not_reported(serve, monkeypatch):
    server = serve((160, 120))
    monkeypatch.setattr(_camera, "_GAP", 0.1)  # of 50 images a second, five intervals are as much
    source = Camera(server.address)
    try:
        frames_of(source, 5)
        source._usual = 0.5
        server.silent.set()
        statuses = []
        assert frames_of(source, 1, within=0.9, statuses=statuses) == [] and not statuses
        server.silent.clear()
    finally:
        source.close()


def test_a_camera_that_is_off_at_the_start_is_waited_for(serve):
    port = free_port()
    address = f"http://user:secret@127.0.0.1:{port}/stream"
    with Stopwatch() as watch:
        source = Camera(address, wait=True)
    try:
        assert watch.seconds < 0.3
        refused, after = status_of(source)
        assert not refused.available and after < 1.5
        assert refused.message.startswith(f"http://127.0.0.1:{port}/stream cannot be opened; check the address")
        more = []
        assert frames_of(source, 1, within=0.7, statuses=more) == [] and not more, "reported once"
        serve((160, 120), port=port)
        frames = frames_of(source, 5, statuses=more)
        assert [frame.index for frame in frames] == list(range(5)) and frames[0].seconds == 0
        (back,) = more
        assert back.available and re.fullmatch(
            rf"http://127.0.0.1:{port}/stream: connected after \d\.\d s", back.message
        )
    finally:
        source.close()


def test_a_camera_that_answers_but_sends_nothing_is_waited_for(serve):
    server = serve((160, 120))
    server.silent.set()
    source = Camera(server.address, wait=True, open_timeout=0.4)
    try:
        silent, after = status_of(source)
        assert silent.message.startswith(f"{server.address} sent no image within 0.4 s; check") and after < 1
        server.silent.clear()
        while not (status := status_of(source)[0]).available:
            pass
        assert "connected after" in status.message and len(frames_of(source, 3)) == 3
    finally:
        source.close()


def test_waiting_for_a_camera_ends_at_once_when_it_is_closed():
    source = Camera(f"http://127.0.0.1:{free_port()}/a", wait=True)
    status_of(source)
    with Stopwatch() as watch:
        source.close()
    assert watch.seconds < 0.6 and list(source) == []


def test_a_camera_is_not_waited_for_without_reconnecting_or_with_a_wrong_address():
    with pytest.raises(InputError, match="cannot be opened"):
        Camera(f"http://127.0.0.1:{free_port()}/a", wait=True, reconnect=False)
    with pytest.raises(InputError, match="is not a camera"):
        Camera("camera:x", wait=True)


def test_without_reconnect_the_iteration_ends(serve):
    server = serve((160, 120), pictures=8)
    source = Camera(server.address, reconnect=False)
    frames = [item for item in source if item is not None]
    source.close()
    assert 1 <= len(frames) <= 8 and isinstance(frames[0], Frame)
    assert int(frames[-1].image[0, 0, 0]) == 7, "the last picture was lost"


def test_closing_while_it_is_gone_tells_the_gap(serve, caplog):
    server = serve((160, 120))
    source = Camera(server.address)
    frames_of(source, 3)
    server.kill()
    assert not status_of(source)[0].available
    with Stopwatch() as watch:
        source.close()
    assert watch.seconds < 1
    assert "no image for the last" in caplog.text
    assert list(source) == []


def test_the_waits_between_calls_grow(serve, caplog, monkeypatch):
    server = serve((160, 120))
    monkeypatch.setattr(_camera, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(_camera, "_LONGEST_PAUSE", 0.4)
    source = Camera(server.address)
    frames_of(source, 3)
    calls = []
    opened = source._open
    monkeypatch.setattr(source, "_open", lambda: (calls.append(time.monotonic()), opened())[1])
    server.kill()
    while len(calls) < 4:
        frames_of(source, 1, within=0.1)
    source.close()
    waits = np.diff(calls)[:3]
    assert all(wait + 0.01 > least for wait, least in zip(waits, (0.2, 0.4, 0.4), strict=True))


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_never_answers(silent_server, scheme, capfd):
    with Stopwatch() as watch, pytest.raises(InputError, match=r"within 0\.4 s") as error:
        Camera(f"{scheme}://user:secret@127.0.0.1:{silent_server}/a", open_timeout=0.4)
    assert watch.seconds < 1.5
    assert "secret" not in str(error.value) and "\n" not in str(error.value)
    assert "".join(capfd.readouterr()) == ""


def test_a_stream_that_connects_and_sends_nothing(serve):
    server = serve((160, 120))
    server.silent.set()
    with Stopwatch() as watch, pytest.raises(InputError, match=r"within 0\.4 s"):
        Camera(server.address, open_timeout=0.4)
    assert watch.seconds < 1.5


def test_a_driver_that_hangs_cannot_hang_us(monkeypatch):
    """The thread that hangs while opening releases the capture when it returns."""
    released, come_back = threading.Event(), threading.Event()

    class Capture:
        def read(self):
            return False, None

        def get(self, key):
            return 0.0

        def release(self):
            released.set()

    monkeypatch.setattr(Camera, "_open", lambda self: come_back.wait(10) and Capture())
    with Stopwatch() as watch, pytest.raises(InputError, match=r"sent no image within 0\.3 s"):
        Camera("camera:0", open_timeout=0.3)
    assert watch.seconds < 1
    come_back.set()
    assert released.wait(20)


def test_nobody_listens():
    with Stopwatch() as watch, pytest.raises(InputError, match="cannot be opened; check the address"):
        Camera(f"http://127.0.0.1:{free_port()}/a")
    assert watch.seconds < (8 if sys.platform == "win32" else 5)  # FFmpeg does not hear of a refusal there: 5 s


def test_a_page_that_is_no_stream(tmp_path):
    handler = type("Quiet", (http.server.BaseHTTPRequestHandler,), {"log_message": lambda *arguments: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)  # answers 501 to everything
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with pytest.raises(InputError, match="cannot be opened"):
        Camera(f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(not NO_CAMERA, reason="this machine has a camera")
def test_no_device(capfd):
    assert devices() == []
    with pytest.raises(InputError, match="camera:0 cannot be opened; check that it is plugged in"):
        Camera("camera:0")
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.skipif(NO_CAMERA, reason="this machine has no camera")
def test_a_device():
    for address, name in devices():
        assert name
        source = Camera(address, width=640, height=480)
        try:
            assert len(frames_of(source, 3)) == 3
        finally:
            source.close()


def test_claims_only_what_is_its_own():
    for text in (
        "camera:0",
        "Camera:12",
        "rtsp://a/b",
        "http://1.2.3.4:8080/v?x=1",
        "https://a",
        "rtmp://a/b",
        "udp://@:5000",
    ):
        assert claim(text) == {"address": text}
    for text in (
        "camera:",
        "camera:x",
        "camera:-1",
        "camera",
        "a.mp4",
        "0",
        "file:///dev/video0",
        "watch:a",
        "http://",
        "",
    ):
        assert claim(text) is None


@pytest.mark.parametrize("address", [None, "", "0", "camera:x", "file:///etc/passwd", "concat:a|b"])
def test_what_is_no_address(address):
    with pytest.raises(InputError, match="give camera:0"):
        Camera(address)


def test_the_way_that_opened_a_device_is_remembered(home):
    assert _camera._backends(0, "linux") == ["CAP_V4L2"]
    assert _camera._backends(0, "win32") == ["CAP_MSMF", "CAP_DSHOW"]
    _camera._remember(0, "CAP_DSHOW")
    assert _camera._backends(0, "win32") == ["CAP_DSHOW", "CAP_MSMF"]
    assert _camera._backends(1, "win32") == ["CAP_MSMF", "CAP_DSHOW"]
    _camera._remember_other("camera:1", "CAP_MSMF", "win32")
    assert _camera._backends(1, "win32") == ["CAP_DSHOW", "CAP_MSMF"]
    assert _camera._backends(0, "win32") == ["CAP_DSHOW", "CAP_MSMF"]
    _camera._memory().write_text("not JSON")
    assert _camera._backends(0, "win32") == ["CAP_MSMF", "CAP_DSHOW"]
    assert all(hasattr(cv2, name) for name in ("CAP_MSMF", "CAP_DSHOW", "CAP_V4L2", "CAP_ANY"))


def test_the_spec(serve):
    (spec,) = inspector_sources()
    assert (spec.id, spec.droppable, spec.devices) == ("camera", True, devices)
    server = serve((160, 120))
    source = spec.open(**check_options(spec.options, spec.claim(server.address), "camera"))
    try:
        assert len(frames_of(source, 2)) == 2
    finally:
        source.close()
