"""One camera: a thread takes its pictures and keeps the newest, and calls again a camera that is gone."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.api import Frame, InputError, InspectorError, plugin_folder, publish, temporary_beside
from inspector_plugins._shared.capture import opencv, sane_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)
ADDRESS = re.compile(r"(?i)(camera:\d{1,3}|(rtsps?|https?|rtmps?|udp)://\S+)")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds between two calls of a camera that is gone
_GAP = 2.0  # seconds without a picture, at the least, that are called a gap
_PATIENCE = 0.2  # seconds that the reader is kept waiting at most
_PROBE = 3.0  # seconds that one device may take to open when they are listed


class _Picture(NamedTuple):
    image: NDArray[np.uint8]
    taken: float
    """``time.monotonic()`` when it had arrived."""
    rate: float | None
    ms: float


class Camera:
    """The newest picture of a camera, again and again.

    ``seconds`` of a frame counts from the first one, by this computer's clock.

    Args:
        address: ``camera:N`` or an address with scheme.
        width, height, rate: wished for; a device that cannot sends what it can. Addresses ignore them.
        open_timeout: seconds until the first picture must be there.
        read_timeout: seconds without a picture after which an address counts as gone.
        reconnect: call again a camera that is gone; otherwise the iteration ends.
        decode_threads: that decode what an address sends. FFmpeg holds back a picture for each beyond the first: by its
            own choice, one a core, a stream of 30 pictures a second is half a second late on 16 cores.

    Attributes:
        dropped: pictures that were never asked for, because a newer one came first.

    Raises:
        InputError: that is no address, or there is no picture within ``open_timeout``.
    """

    total: int | None = None

    def __init__(
        self,
        address: str | None = None,
        width: int | None = None,
        height: int | None = None,
        rate: float | None = None,
        open_timeout: float = 10.0,
        read_timeout: float = 10.0,
        reconnect: bool = True,
        decode_threads: int = 1,
    ) -> None:
        if not address or not ADDRESS.fullmatch(address):
            what = f"{_public(address)!r} is no camera" if address else "No camera is named"
            raise InputError(f"{what}; give camera:0, or an address such as rtsp://192.168.1.20/stream")
        self.name = _public(address)
        self.dropped = 0
        self._address, self._wishes, self._reconnect = address, (width, height, rate), reconnect
        self._open_timeout, self._read_timeout, self._decode_threads = open_timeout, read_timeout, decode_threads
        self._cv2 = opencv()
        self._newest: Queue[_Picture] = Queue(maxsize=1)
        self._started, self._over, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._last: float | None = None  # time.monotonic() of the last picture
        self._lost = False
        self._usual = 0.0  # seconds between two pictures, smoothed
        self._size: tuple[int, int] | None = None
        self._backend = ""
        self._index = -1  # of the last frame that was asked for
        self._began: float | None = None  # time.monotonic() of the first frame
        self._thread = threading.Thread(target=self._grab, name=f"camera {self.name}", daemon=True)
        began = time.monotonic()
        self._thread.start()
        if not self._started.wait(open_timeout) or (self._last is None and time.monotonic() - began >= open_timeout):
            # A thread that hangs in a driver cannot be ended; it lets go of the camera when it comes back.
            self._stop.set()
            _remember_other(address, self._backend)
            raise InputError(f"{self.name} sent no picture within {open_timeout:g} s; {self._advice()}")
        if self._last is None:
            raise InputError(f"{self.name} cannot be opened; {self._advice()}")

    def __iter__(self) -> Iterator[Frame | None]:
        while not self._stop.is_set():
            try:
                picture = self._newest.get(timeout=_PATIENCE)
            except Empty:
                if self._over.is_set():
                    break
                yield None
                continue
            self._began = picture.taken if self._began is None else self._began
            seconds = picture.taken - self._began
            self._index += 1
            yield Frame(picture.image, self._index, self.name, seconds, picture.rate, read_ms=picture.ms)
        if self._reconnect and not self._stop.is_set():
            raise InspectorError(f"{self.name} failed in a way that was not foreseen; see the log")

    def close(self) -> None:
        """Let go of the camera; returns within half a second, also when its driver hangs."""
        self._stop.set()
        self._thread.join(0.5)
        if self._lost and self._last is not None:
            logger.warning("%s: no picture for the last %.1f s", self.name, time.monotonic() - self._last)
        logger.info(
            "%s: closed; %d pictures were replaced by newer ones before the program took them", self.name, self.dropped
        )

    # on the camera's thread

    def _grab(self) -> None:
        pause = _FIRST_PAUSE
        try:
            while not self._stop.is_set():
                called = time.monotonic()
                capture = self._open()
                if capture is not None:
                    try:
                        self._take(capture)
                    finally:
                        capture.release()
                if self._stop.is_set() or self._last is None or not self._reconnect:
                    return
                if not self._lost:
                    self._lost = True
                    logger.warning("%s: the connection was lost; it is called again", self.name)
                if time.monotonic() - called > _LONGEST_PAUSE and capture is not None:
                    pause = _FIRST_PAUSE
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._over.set()
            self._started.set()

    def _open(self) -> Any:
        """An opened ``cv2.VideoCapture``, or None."""
        cv2 = self._cv2
        if (index := _index(self._address)) is None:
            wanted = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(self._open_timeout * 1000)]
            wanted += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(self._read_timeout * 1000)]
            wanted += [cv2.CAP_PROP_N_THREADS, self._decode_threads]
            capture = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, wanted)
            return capture if capture.isOpened() else None
        width, height, rate = self._wishes
        wishes = {
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),  # uncompressed, USB 2 is too slow for large pictures
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: rate,
        }
        ways = _backends(index)
        for self._backend in ways:
            capture = cv2.VideoCapture(index, getattr(cv2, self._backend))
            if capture.isOpened() and not self._stop.is_set():
                for key, value in wishes.items():
                    if value is not None:
                        capture.set(key, value)
                if capture.read()[0]:
                    if len(ways) > 1:
                        _remember(index, self._backend)
                    return capture
            capture.release()
        return None

    def _take(self, capture: Any) -> None:
        """Take pictures until there are none any more."""
        rate = sane_rate(capture.get(self._cv2.CAP_PROP_FPS))
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                found, image = capture.read()
            except self._cv2.error as error:
                logger.warning("%s: OpenCV gave up: %s", self.name, error)
                return
            now = time.monotonic()
            if not found or self._stop.is_set():
                return
            self._note(now, (image.shape[1], image.shape[0]))
            self._hand_over(_Picture(image, now, rate, (now - began) * 1000))

    def _note(self, now: float, size: tuple[int, int]) -> None:
        """Log a gap that is over and a size that changed."""
        if self._last is not None:
            interval = now - self._last
            if self._lost or interval > max(_GAP, 5 * self._usual):
                logger.warning("%s: no picture for %.1f s; it is back", self.name, interval)
            if not self._lost:
                self._usual += 0.2 * (interval - self._usual)
        if self._size is not None and self._size != size:
            logger.warning("%s: pictures are %d x %d px now, not %d x %d", self.name, *size, *self._size)
        self._last, self._lost, self._size = now, False, size

    def _hand_over(self, picture: _Picture) -> None:
        while True:
            try:
                self._newest.put_nowait(picture)
            except Full:
                with suppress(Empty):
                    self._newest.get_nowait()
                    self.dropped += 1
            else:
                self._started.set()
                return

    def _advice(self) -> str:
        if _index(self._address) is None:
            return "check the address, user name and password, and that the camera is on and reachable from here"
        return (
            "check that it is plugged in, that no other program uses it and that you may use it; "
            "'bearing-inspector cameras' lists what is there"
        )


def devices() -> list[tuple[str, str]]:
    """Cameras at this computer that open now, as (``camera:N``, name).

    Linux names the device nodes; elsewhere the first ten numbers are tried. A device that does not open within some
    seconds is left out.
    """
    opencv()
    if sys.platform == "linux":
        nodes = Path("/dev").glob("video*")
        indices = sorted(int(node.name[5:]) for node in nodes if node.name[5:].isdecimal())
    else:
        indices = list(range(10))
    return [(f"camera:{index}", _device_name(index)) for index in indices if _opens(index)]


def _device_name(index: int) -> str:
    with suppress(OSError):
        return Path(f"/sys/class/video4linux/video{index}/name").read_text("utf-8", "replace").strip()
    return f"Camera {index}"


def _opens(index: int) -> bool:
    cv2 = opencv()
    answer: Queue[bool] = Queue()

    def probe() -> None:
        for backend in _backends(index):
            capture = cv2.VideoCapture(index, getattr(cv2, backend))
            opened = capture.isOpened()
            capture.release()
            if opened:
                break
        answer.put(opened)

    threading.Thread(target=probe, name=f"probe camera {index}", daemon=True).start()
    try:
        return answer.get(timeout=_PROBE)
    except Empty:
        return False


def _index(address: str) -> int | None:
    """The device number in ``camera:N``; None for an address."""
    scheme, _, rest = address.partition(":")
    return int(rest) if scheme.lower() == "camera" else None


def _public(address: str) -> str:
    """The address without user name, password and tokens: it gets into logs, file names and reports."""
    bare = re.sub(r"://[^/]*@", "://", address)
    return re.sub(r"(?i)\b(user|username|pass|passwd|password|pwd|token|key|auth)=[^&]*", r"\1=***", bare)


# Which of OpenCV's ways opened a device is remembered: on Windows the wrong one takes many seconds.


def _backends(index: int, platform: str = sys.platform) -> list[str]:
    """OpenCV's ways of opening a device, the one that worked last time first."""
    names = {"win32": ["CAP_MSMF", "CAP_DSHOW"], "linux": ["CAP_V4L2"]}.get(platform, ["CAP_ANY"])
    if len(names) > 1:
        winner = _remembered().get(str(index))
        names.sort(key=lambda name: name != winner)
    return names


def _remembered() -> dict[str, str]:
    try:
        read = json.loads(_memory().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _remember(index: int, backend: str) -> None:
    known = _remembered()
    if known.get(str(index)) == backend:
        return
    try:
        temporary = temporary_beside(_memory())
        try:
            temporary.write_text(json.dumps(known | {str(index): backend}), "utf-8")
            publish(temporary, _memory())
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        logger.info("The way of opening camera:%d could not be remembered: %s", index, error)


def _remember_other(address: str, hung: str, platform: str = sys.platform) -> None:
    """After a time limit: begin with the other way next time."""
    index = _index(address)
    if index is not None:
        others = [name for name in _backends(index, platform) if name != hung]
        if hung and others:
            _remember(index, others[0])


def _memory() -> Path:
    return plugin_folder("cameras") / "backends.json"
