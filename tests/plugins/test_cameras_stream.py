import contextlib
import http.server
import io
import itertools
import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from timing import Stopwatch

from inspector.api import Frame, SourceStatus
from inspector_plugins.cameras import stream as _stream
from inspector_plugins.cameras.camera import Camera
from inspector_plugins.cameras.stream import Stream

TS = 188  # bytes of a packet of MPEG-TS
GROUP = 20  # frames from one key frame to the next
X265 = {"x265-params": f"bframes=0:keyint={GROUP}:open-gop=0:log-level=none"}
WOVEN = [
    ("libx264", {"bf": "0", "x264-params": "interlaced=1"}),
    ("libx264", {"bf": "2", "x264-params": "interlaced=1"}),
    ("mpeg2video", {"flags": "+ildct+ilme"}),
]


def moving(count: int = 60, height: int = 96, width: int = 128) -> list[np.ndarray]:
    """Textured images that move, so that each frame differs from all others."""
    base = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8), (0, 0), 3)
    return [np.roll(base, 3 * number, 1) for number in range(count)]


def encode(codec: str, images: list[np.ndarray], container: str = "mpegts", edit=None, **options: str) -> bytes:
    """A video of 25 frames per second; ``edit(number, packet)`` returns what is written instead, in coding order."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        made = output.add_stream(codec, rate=25, options={"g": str(GROUP), **options})
        made.height, made.width = images[0].shape[:2]
        made.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        packets = []
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += made.encode(frame)
        packets += made.encode(None)
        for number, packet in enumerate(packets):
            output.mux(edit(number, packet) if edit else packet)
    return written.getvalue()


def halved(damaged: Iterable[int]):
    """For ``encode``: cut these packets in half."""

    def edit(number: int, packet: av.Packet) -> av.Packet:
        if number not in damaged:
            return packet
        half = av.Packet(bytes(packet)[: packet.size // 2])
        half.pts, half.dts, half.time_base, half.stream = packet.pts, packet.dts, packet.time_base, packet.stream
        half.is_keyframe = packet.is_keyframe
        return half

    return edit


@pytest.fixture
def serve():
    """``serve(parts)``: an address that sends these pieces of data one after another, and closes."""
    servers = []

    def start(parts: Iterable[bytes], kind: str = "video/mp2t", redirects: int = 0) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                step = int(self.path[1:] or redirects)
                if step:
                    self.send_response(302)
                    self.send_header("Location", f"/{step - 1}")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                with contextlib.suppress(OSError):
                    for part in parts:
                        self.wfile.write(part)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def send():
    """``send(data)``: an address to which these bytes are sent by UDP, repeatedly, some 2 MB per second."""
    over, threads = threading.Event(), []

    def start(data: bytes) -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def work():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                while not over.is_set():
                    for begin in range(0, len(data), 7 * TS):
                        with contextlib.suppress(ConnectionError):
                            sender.sendto(data[begin : begin + 7 * TS], ("127.0.0.1", port))
                        time.sleep(0.0005)

        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        return f"udp://127.0.0.1:{port}"

    yield start
    over.set()
    for thread in threads:
        thread.join(5)


def images_of(address: str, count: int = 10_000, **options) -> list[np.ndarray]:
    """The images that the address sends until its end, at most ``count``."""
    limits = {"open_timeout": 10.0, "read_timeout": 3.0, "threads": 1}
    stream = Stream(address, "a camera", **limits | options)
    try:
        read = itertools.islice(iter(stream.read, (False, None)), count)
        return [image for found, image in read if found and image is not None]
    finally:
        stream.release()


def decoded(data: bytes) -> list[np.ndarray]:
    """Every frame as the decoder gives it, for comparison: in files without damage."""
    convert = _stream.Converter()
    with av.open(io.BytesIO(data)) as container:
        return [convert(frame) for frame in container.decode(video=0)]


def numbers(images: list[np.ndarray], intact: list[np.ndarray]) -> list[int]:
    """Which of the ``intact`` frames each image is."""
    return [next((n for n, one in enumerate(intact) if np.array_equal(one, image)), -1) for image in images]


def likeness(image: np.ndarray, sent: list[np.ndarray]) -> float:
    """Mean difference of grey levels to the most similar image that was sent."""
    return float(min(cv2.absdiff(image, one).mean() for one in sent))


@pytest.mark.parametrize("codec, options", WOVEN)
def test_interlaced_frames_are_shown_as_they_were_sent(serve, codec, options):
    sent = moving()
    images = images_of(serve([encode(codec, sent, **options)]))
    assert len(images) == len(sent)
    assert max(likeness(image, [one]) for image, one in zip(images, sent, strict=True)) < 12


def test_interlaced_frames_by_udp_through_the_camera(send):
    sent = moving()
    source = Camera(send(encode("mpeg2video", sent, flags="+ildct+ilme")))
    frames = list(itertools.islice((item for item in source if isinstance(item, Frame)), 5))
    source.close()
    assert len(frames) == 5
    assert max(likeness(frame.image, sent) for frame in frames) < 12


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "mpeg4"])
@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "2"}])
@pytest.mark.parametrize("damaged", [GROUP + 4, GROUP + 5, GROUP + 6])
def test_a_damaged_frame_and_those_predicted_from_it_are_left_out(serve, codec, options, damaged, caplog):
    sent = moving()
    intact = decoded(encode(codec, sent, "matroska", **options))
    data = encode(codec, sent, "matroska", halved({damaged}), **options)
    shown = numbers(images_of(serve([data])), intact)
    assert -1 not in shown and shown == sorted(set(shown)), "a frame that was not decoded was shown, or one twice"
    assert shown[:GROUP] == list(range(GROUP)), "what came before is intact"
    assert shown[-10:] == list(range(50, 60)), "the next key frame makes it whole again"
    assert GROUP + 12 not in shown
    assert "a camera: " in caplog.text and "damaged images were left out" in caplog.text


@pytest.mark.parametrize("codec, options", [("libx264", {}), ("libx265", X265), ("mpeg2video", {})])
def test_what_the_network_lost_is_noticed(serve, codec, options):
    """MPEG-TS counts its packets: a completely lost frame is noticed, too."""
    data = encode(codec, moving(), bf="0", **options)
    intact = decoded(data)
    packets = [data[begin : begin + TS] for begin in range(0, len(data), TS)]
    video = [n for n, one in enumerate(packets) if one[1] & 0x5F == 0x41 and one[2] == 0]  # 0x100, where a frame begins
    lost = range(video[26], video[27])
    shown = numbers(images_of(serve([one for n, one in enumerate(packets) if n not in lost])), intact)
    assert shown in ([*range(begin), *range(40, 60)] for begin in (23, 24, 25, 26))


def test_a_damaged_jpeg_is_left_out_alone(serve, caplog):
    files = [cv2.imencode(".jpg", image)[1].tobytes() for image in moving(10)]
    files[4] = files[4][: len(files[4]) // 2]
    parts = [
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(one), one) for one in files
    ]
    images = images_of(serve(parts, "multipart/x-mixed-replace; boundary=frame"))
    kept = [image for number, image in enumerate(moving(10)) if number != 4]
    assert max(likeness(image, [one]) for image, one in zip(images, kept, strict=True)) < 12
    assert "1 damaged images were left out" in caplog.text


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "mpeg4"])
def test_joining_in_the_middle_begins_with_a_key_frame(serve, codec, caplog):
    data = encode(codec, moving(), bf="2")
    intact = decoded(data)
    cut = data.index(b"\x47", len(data) // 6 // TS * TS)
    tables = data[: 3 * TS]  # what the stream holds; sent again and again only by real-time senders
    shown = numbers(images_of(serve([tables, data[cut:]])), intact)
    assert -1 not in shown and 2 * GROUP >= shown[0] >= GROUP and shown[-1] == 59
    assert shown == list(range(shown[0], 60))


def test_a_stream_without_key_frames_is_shown_from_its_first_whole_one(serve, monkeypatch):
    def unmarked(number, packet):
        packet.is_keyframe = False
        return packet

    monkeypatch.setattr(_stream, "_NO_KEY", 0.0)
    data = encode("mpeg4", moving(), "matroska", unmarked, bf="0")
    shown = numbers(images_of(serve([data])), decoded(data))
    assert shown == list(range(60))


def test_a_stream_refreshed_step_by_step_is_shown(serve):
    data = encode("libx264", moving(), bf="0", **{"x264-params": f"intra-refresh=1:keyint={GROUP}"})
    assert numbers(images_of(serve([data])), decoded(data)) == list(range(60))


@pytest.mark.parametrize("options, held_back", [({"bf": "0"}, 0), ({"bf": "2"}, 5)])
def test_no_frame_is_held_back_but_for_b_frames(serve, options, held_back):
    over = threading.Event()

    def parts():
        yield encode("libx264", moving(), "matroska", **options)
        over.wait(20)

    began = time.monotonic()
    images = images_of(serve(parts()), 60 - held_back, read_timeout=15)
    assert len(images) == 60 - held_back and time.monotonic() - began < 10, "the last ones came at the end only"
    over.set()


def test_another_size_in_the_middle(serve):
    data = encode("libx264", moving(), bf="0") + encode("libx264", moving(40, 144, 176), bf="0")
    sizes = [image.shape[:2] for image in images_of(serve([data]))]
    assert [size for size, _ in itertools.groupby(sizes)] == [(96, 128), (144, 176)]
    assert sizes.count((144, 176)) >= 40 - GROUP


def test_an_address_that_leads_on_to_another(serve):
    assert len(images_of(serve([encode("mpeg4", moving(20))], redirects=2))) == 20


def test_no_address_leads_to_a_local_file(serve, tmp_path):
    """A playlist with FFmpeg's own rights could name any file."""
    (tmp_path / "a.ts").write_bytes(encode("mpeg4", moving(40)))
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path / 'a.ts'}\n#EXT-X-ENDLIST\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{tmp_path / 'a.ts'}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile 'file:{tmp_path / 'a.ts'}'\n",
    ):
        with pytest.raises(ConnectionError):
            images_of(serve([text.encode()], "application/vnd.apple.mpegurl"), open_timeout=1.0)


def test_a_stream_whose_video_stops_ends_although_its_sound_goes_on(serve):
    written = io.BytesIO()
    with av.open(written, "w", format="mpegts") as output:
        video, sound = output.add_stream("mpeg4", rate=25), output.add_stream("mp2", rate=48000)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        for image in moving(50):
            output.mux(video.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        for begin in range(0, 48000 * 40, 1152):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1152), np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts = 48000, begin
            output.mux(sound.encode(frame))
    data = written.getvalue()

    def parts():
        yield data[: len(data) // 2]
        for begin in range(len(data) // 2, len(data), TS):
            yield data[begin : begin + TS]
            time.sleep(0.005)

    stream = Stream(serve(parts()), "a camera", 10, 0.5, 1)
    with Stopwatch() as watch:
        while stream.read()[0]:
            pass
    assert watch.seconds < 4
    stream.release()


@pytest.mark.slow
def test_damage_that_lasts_is_reported(serve):
    data = encode("mpeg2video", moving(400), "matroska", halved(range(GROUP, 400)))

    def parts():
        for begin in range(0, len(data), len(data) // 400):
            yield data[begin : begin + len(data) // 400]
            time.sleep(0.02)

    source = Camera(serve(parts()))
    status = next(item for item in source if isinstance(item, SourceStatus))
    source.close()
    assert not status.available
    assert status.message.endswith(": images arrive damaged, none was intact for 1 s; check the network")


def test_a_password_is_never_logged(serve, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for scheme in ("http", "https", "rtsp", "rtsps", "rtmp"):
        with pytest.raises(ConnectionError) as error:
            Stream(f"{scheme}://user:secret@127.0.0.1:{port}/secret?key=secret", "a camera", 0.5, 0.5, 1)
        assert "secret" not in str(error.value)
    data = encode("mpeg4", moving(), "matroska", halved({5}))
    images_of(serve([data]).replace("127", "user:secret@127"))
    assert "secret" not in caplog.text and "".join(capfd.readouterr()) == ""


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no FFmpeg to be the camera")
def test_rtmp(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"rtmp://127.0.0.1:{free.getsockname()[1]}/live/a"
    data = encode("libx264", moving(), "flv", bf="0")
    (tmp_path / "a.flv").write_bytes(data)
    words = ["ffmpeg", "-v", "quiet", "-i", tmp_path / "a.flv", "-c", "copy", "-f", "flv", "-listen", "1", address]
    with subprocess.Popen(words) as camera:
        images, until = [], time.monotonic() + 10
        while not images and time.monotonic() < until:
            with contextlib.suppress(ConnectionError):
                images = images_of(address)
        camera.kill()
    assert numbers(images, decoded(data)) == list(range(60))
