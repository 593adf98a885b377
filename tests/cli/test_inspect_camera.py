"""``inspect`` of a camera: one that stalls, and one that is not there yet."""

import contextlib
import signal
import socket
import sys
import threading
import time

import cv2
import numpy as np
import pytest

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


class Stream:
    """Motion JPEG over HTTP: so many images a connection, then silence with the connection open."""

    def __init__(self, images: int, port: int = 0) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        self._images, self._open = images, []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        data = cv2.imencode(".jpg", np.full((64, 96, 3), 128, np.uint8))[1].tobytes()
        part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                connection.recv(4096)
                connection.sendall(HEAD)
                for _ in range(self._images):
                    connection.sendall(part)
                    time.sleep(0.02)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # else accept goes on waiting
        self._listening.close()
        for connection in self._open:
            connection.close()
        self._thread.join(10)


@pytest.fixture
def stream():
    streams = []

    def begin(*arguments, **options) -> Stream:
        streams.append(Stream(*arguments, **options))
        return streams[-1]

    yield begin
    for one in streams:
        one.close()


@pytest.mark.slow
@pytest.mark.parametrize("read_timeout", [0.5, 3])
def test_a_camera_that_answers_and_then_stalls_ends_with_its_sentence(start, stream, spots, tmp_path, read_timeout):
    address = f"http://admin:geheim@127.0.0.1:{stream(0).port}/a"
    words = [address, "--model", "spots", "--output", tmp_path / "run", "--export", "none"]
    limits = ["--camera.open_timeout", "0.5", "--camera.read_timeout", read_timeout]
    processes = [start("inspect", *words, *limits) for _ in range(3)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 2, err
        assert err.count("\n") == 1 and "; check the address, user name and password" in err and not out
        assert "geheim" not in err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_a_camera_that_is_off_is_waited_for_if_so_told(start, stream, spots, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://admin:geheim@127.0.0.1:{port}/a"
    words = [address, "--model", "spots", "--output", tmp_path / "run", "--export", "csv", "--camera.wait"]
    process = start("inspect", *words)
    refused = process.stderr.readline()
    assert refused.startswith(f"Alarm: http://127.0.0.1:{port}/a cannot be opened; check the address")
    stream(500, port=port)
    assert "Recovered after" in process.stderr.readline()
    assert process.stdout.readline(), "no result of an image"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "geheim" not in refused + out + err
    assert list((tmp_path / "run").glob("*.csv"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_waiting_for_a_camera_ends_with_ctrl_c(start, spots, tmp_path):
    process = start(
        "inspect", "http://127.0.0.1:9/a", "--model", "spots", "--output", tmp_path / "run", "--camera.wait"
    )
    assert "cannot be opened" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
