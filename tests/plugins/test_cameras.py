import contextlib
import http.server
import logging
import re
import socket
import threading
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.api import Frame, InputError, check_options
from inspector_plugins.cameras import camera as _camera
from inspector_plugins.cameras import claim, devices, inspector_sources
from inspector_plugins.cameras.camera import Camera

NO_CAMERA = not any(Path("/dev").glob("video*"))


class MjpegServer:
    """A camera in the network: motion JPEG over HTTP, 50 pictures a second, until it is killed."""

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
    """Accepts connections and never says a word."""
    listening = socket.create_server(("127.0.0.1", 0))
    yield listening.getsockname()[1]
    listening.close()


@pytest.fixture(autouse=True)
def tidy():
    """No test may leave a grabber behind."""
    yield
    until = time.monotonic() + 5
    while time.monotonic() < until and any(thread.name.startswith("camera ") for thread in threading.enumerate()):
        time.sleep(0.05)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("camera ")]


def frames_of(source, count, within=10.0):
    """The next ``count`` frames; what the source yields must come at least every 0.4 s."""
    frames, until, last = [], time.monotonic() + within, time.monotonic()
    for item in source:
        assert time.monotonic() - last < 0.4
        if item is not None:
            frames.append(item)
        if len(frames) == count or time.monotonic() > until:
            return frames
        last = time.monotonic()
    return frames


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
    """An address that sends 60 pictures of a compressed video at once, numbered by their grey, and then nothing."""
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
def test_decoding_holds_no_picture_back_unless_it_is_asked_for_threads(burst, options, held_back):
    source = Camera(burst, read_timeout=3, reconnect=False, **options)
    newest, waited = 0, 0
    for frame in source:
        waited = waited + 1 if frame is None else 0
        if frame is not None:
            newest = round(float(frame.image.mean()) / 4)
        if waited == 5:  # a second of silence
            break
    source.close()
    assert held_back[0] <= 59 - newest <= held_back[1]


def test_only_the_newest_picture_counts(serve, caplog):
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
    assert f"{source.dropped} pictures were replaced by newer ones" in caplog.text


def test_killed_and_restarted_with_another_size(serve, caplog):
    server = serve((160, 120))
    source = Camera(server.address)
    caplog.set_level(logging.WARNING)
    try:
        before = frames_of(source, 5)
        server.kill()
        killed = time.monotonic()
        while time.monotonic() - killed < 0.6:
            before += frames_of(source, 1, within=0.1)
        serve((200, 80), port=server.port)
        after = frames_of(source, 5)
    finally:
        source.close()
    assert {(frame.width, frame.height) for frame in before} == {(160, 120)}
    assert {(frame.width, frame.height) for frame in after} == {(200, 80)}
    assert [frame.index for frame in before + after] == list(range(len(before) + 5))
    gap = after[0].seconds - before[-1].seconds
    assert 0.6 < gap < 8
    told = [record.getMessage() for record in caplog.records if record.name == "inspector_plugins.cameras.camera"]
    assert told == [
        f"{server.address}: the connection was lost; it is called again",
        f"{server.address}: no picture for {gap:.1f} s; it is back",
        f"{server.address}: pictures are 200 x 80 px now, not 160 x 120",
    ]


def test_a_stream_that_falls_silent_is_called_again(serve, caplog):
    server = serve((160, 120))
    source = Camera(server.address, read_timeout=0.4)
    caplog.set_level(logging.WARNING)
    try:
        frames_of(source, 3)
        server.silent.set()
        until = time.monotonic() + 5
        while "lost" not in caplog.text and time.monotonic() < until:
            frames_of(source, 1, within=0.1)
        server.silent.clear()
        while "is back" not in caplog.text and time.monotonic() < until:
            frames_of(source, 1, within=0.1)
    finally:
        source.close()
    assert "the connection was lost" in caplog.text and "is back" in caplog.text


def test_a_gap_without_a_lost_connection_is_told(serve, caplog, monkeypatch):
    monkeypatch.setattr(_camera, "_GAP", 0.5)
    server = serve((160, 120))
    source = Camera(server.address)
    caplog.set_level(logging.WARNING)
    try:
        frames_of(source, 3)
        server.silent.set()
        frames_of(source, 100, within=0.9)
        server.silent.clear()
        frames_of(source, 5)
    finally:
        source.close()
    (record,) = [record for record in caplog.records if record.name == "inspector_plugins.cameras.camera"]
    assert re.search(r"no picture for (0\.[89]|1\.\d) s; it is back", record.getMessage())


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
    until = time.monotonic() + 5
    while "lost" not in caplog.text and time.monotonic() < until:
        frames_of(source, 1, within=0.1)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 1
    assert "no picture for the last" in caplog.text
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
    for wait, least in zip(np.diff(calls), (0.2, 0.4, 0.4), strict=False):
        assert least < wait + 0.01 < least + 1


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_never_answers(silent_server, scheme, capfd):
    began = time.monotonic()
    with pytest.raises(InputError, match=r"within 0\.4 s") as error:
        Camera(f"{scheme}://user:secret@127.0.0.1:{silent_server}/a", open_timeout=0.4)
    assert time.monotonic() - began < 1.5
    assert "secret" not in str(error.value) and "\n" not in str(error.value)
    assert "".join(capfd.readouterr()) == ""


def test_a_stream_that_connects_and_sends_nothing(serve):
    server = serve((160, 120))
    server.silent.set()
    began = time.monotonic()
    with pytest.raises(InputError, match=r"within 0\.4 s"):
        Camera(server.address, open_timeout=0.4)
    assert time.monotonic() - began < 1.5


def test_a_driver_that_hangs_cannot_hang_us(monkeypatch):
    """The thread that is stuck in opening lets go of the capture when it comes back."""
    released, come_back = threading.Event(), threading.Event()

    class Capture:
        def read(self):
            return False, None

        def get(self, key):
            return 0.0

        def release(self):
            released.set()

    monkeypatch.setattr(Camera, "_open", lambda self: come_back.wait(10) and Capture())
    began = time.monotonic()
    with pytest.raises(InputError, match=r"sent no picture within 0\.3 s"):
        Camera("camera:0", open_timeout=0.3)
    assert time.monotonic() - began < 1
    come_back.set()
    assert released.wait(2)


def test_nobody_listens():
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    began = time.monotonic()
    with pytest.raises(InputError, match="cannot be opened; check the address"):
        Camera(f"http://127.0.0.1:{port}/a")
    assert time.monotonic() - began < 5


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


def test_a_name_keeps_no_secrets():
    assert (
        _camera._public("rtsp://admin:p@ss:w@10.0.0.5:554/s?channel=1&subtype=0")
        == "rtsp://10.0.0.5:554/s?channel=1&subtype=0"
    )
    assert _camera._public("http://10.0.0.5/v?user=admin&pwd=secret&c=1") == "http://10.0.0.5/v?user=***&pwd=***&c=1"
    assert _camera._public("camera:0") == "camera:0"


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
