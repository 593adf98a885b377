"""One camera: a thread grabs its images, keeps the newest, and reconnects when the connection is lost."""

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

from inspector.api import (
    Frame,
    InputError,
    InspectorError,
    SourceStatus,
    masked_address,
    message,
    plugin_folder,
    read_json,
)
from inspector_plugins._shared.atomic_files import write_atomically
from inspector_plugins.cameras.capture import opencv, sane_rate
from inspector_plugins.cameras.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)
ADDRESS = re.compile(r"(?i)(camera:\d{1,3}|(rtsps?|https?|rtmps?|udp)://\S+)")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds between two attempts to reconnect
_GAP = 1.0  # seconds without an image before that is reported, at least
_INTERVALS = 5  # usual intervals without an image before that is reported, at least
_PATIENCE = 0.2  # seconds that the reader waits for an image, at most
_PROBE = 3.0  # seconds that opening one device may take when they are listed


class _GrabbedImage(NamedTuple):
    image: NDArray[np.uint8]
    taken: float
    """``time.monotonic()`` of its arrival."""
    rate: float | None
    ms: float


class Camera:
    """A source of the newest image of a camera.

    ``seconds`` of a frame counts from the first one, by this computer's clock. A :class:`SourceStatus` reports when
    images stop coming (at once if the connection is closed, otherwise after a second or five usual intervals) and
    when they come again; if more is known, a second "not available" status replaces the first.

    Args:
        address: ``camera:N`` or an address with scheme.
        width, height, rate: requested values; a device that does not support them sends others. Ignored for addresses.
        open_timeout: seconds until the first image must have arrived.
        read_timeout: seconds without an image after which an address counts as disconnected.
        reconnect: reconnect when the connection is lost; otherwise the iteration ends.
        wait: retry a camera that cannot be reached at the start, if ``reconnect`` is on.
        decode_threads: decoder threads for addresses. FFmpeg delays one image for each thread beyond the first: with
            its default, one per core, a stream of 30 images per second is half a second late on 16 cores.

    Attributes:
        dropped: images that were never used because a newer one came first.

    Raises:
        InputError: the address is invalid; or, without ``wait``, there is no image within ``open_timeout``.
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
        wait: bool = False,
    ) -> None:
        if not address or not ADDRESS.fullmatch(address):
            what = (
                message("{address!r} is not a camera", address=masked_address(address))
                if address
                else message("No camera is named")
            )
            raise InputError("{kind}; give camera:0, or an address such as rtsp://192.168.1.20/stream", kind=what)
        self.name = masked_address(address)
        self.dropped = 0
        self._address, self._wishes, self._reconnect = address, (width, height, rate), reconnect
        self._open_timeout, self._read_timeout, self._decode_threads = open_timeout, read_timeout, decode_threads
        self._cv2 = opencv()
        self._newest: Queue[_GrabbedImage] = Queue(maxsize=1)
        self._started, self._over, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._last: float | None = None  # time.monotonic() of the last image
        self._lost = False  # no connection, or none yet
        self._refused = ""  # why there is none yet
        self._reported = ""  # reason that was reported for missing images
        self._usual = 0.0  # seconds between two images, smoothed
        self._size: tuple[int, int] | None = None
        self._backend = ""
        self._stream: Stream | None = None  # the latest connection to an address
        self._index = -1  # of the last frame returned
        self._began: float | None = None  # time.monotonic() of the first frame
        self._thread = threading.Thread(target=self._grab, name=f"camera {self.name}", daemon=True)
        self._called = time.monotonic()
        self._thread.start()
        if not (wait and reconnect):
            self._await_first()

    def _await_first(self) -> None:
        """Wait for the first image.

        Raises:
            InputError: none arrived.
        """
        limit, began = self._open_timeout, time.monotonic()
        if not self._started.wait(limit) or (self._last is None and time.monotonic() - began >= limit):
            # A thread that hangs in a driver cannot be ended; it releases the camera when it returns.
            self._stop.set()
            _remember_other(self._address, self._backend)
            raise InputError(
                "{name} sent no image within {seconds:g} s; {advice}",
                name=self.name,
                seconds=limit,
                advice=self._advice(),
            )
        if self._last is None:
            self._stop.set()
            raise InputError("{name} cannot be opened; {advice}", name=self.name, advice=self._advice())

    def __iter__(self) -> Iterator[Frame | SourceStatus | None]:
        last = self._last  # time.monotonic() of the last image returned
        while not self._stop.is_set():
            try:
                image = self._newest.get(timeout=_PATIENCE)
            except Empty:
                if self._over.is_set():
                    break
                yield self._loss()
                continue
            if self._reported:
                self._reported = ""
                if last is None:
                    back = message(
                        "{name}: connected after {seconds:.1f} s", name=self.name, seconds=image.taken - self._called
                    )
                else:
                    back = message(
                        "{name}: images are arriving again after {seconds:.1f} s",
                        name=self.name,
                        seconds=image.taken - last,
                    )
                yield SourceStatus(True, back)
            last = image.taken
            self._began = image.taken if self._began is None else self._began
            seconds = image.taken - self._began
            self._index += 1
            yield Frame(image.image, self._index, self.name, seconds, image.rate, read_ms=image.ms)
        if self._reconnect and not self._stop.is_set():
            raise InspectorError("{name} failed unexpectedly; see the log", name=self.name)

    def _loss(self) -> SourceStatus | None:
        """Why no image comes, if that has not been reported yet."""
        quiet = time.monotonic() - (self._called if self._last is None else self._last)
        if self._last is None:
            never = message(
                "{name} sent no image within {seconds:g} s; {advice}",
                name=self.name,
                seconds=self._open_timeout,
                advice=self._advice(),
            )
            reason = self._refused or (never if quiet > self._open_timeout else "")
        elif self._lost:
            reason = message("{name}: the connection was lost; reconnecting", name=self.name)
        elif self._reported or quiet <= max(_GAP, _INTERVALS * self._usual):
            return None
        elif self._stream is not None and self._stream.damaged:
            reason = message(
                "{name}: images arrive damaged, none was intact for {seconds:.0f} s; check the network",
                name=self.name,
                seconds=quiet,
            )
        else:
            reason = message("{name}: no image for {seconds:.0f} s", name=self.name, seconds=quiet)
        if not reason or reason == self._reported:
            return None
        self._reported = reason
        return SourceStatus(False, reason)

    def close(self) -> None:
        """Release the camera; returns within half a second, even if its driver hangs."""
        self._stop.set()
        self._thread.join(0.5)
        if self._lost and self._last is not None:
            logger.warning("%s: no image for the last %.1f s", self.name, time.monotonic() - self._last)
        logger.info(
            "%s: closed; %d images were replaced by newer ones before they were inspected", self.name, self.dropped
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
                        if self._last is not None and self._reconnect and not self._stop.is_set():
                            self._lost = True  # first: releasing may take a while
                        capture.release()
                if self._last is None:
                    silent = time.monotonic() - called >= self._open_timeout
                    what = f"sent no image within {self._open_timeout:g} s" if silent else "cannot be opened"
                    self._refused = f"{self.name} {what}; {self._advice()}"
                    self._started.set()
                if self._stop.is_set() or not self._reconnect:
                    return
                if time.monotonic() - called > _LONGEST_PAUSE and capture is not None:
                    pause = _FIRST_PAUSE
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._over.set()
            self._started.set()

    def _open(self) -> Any:
        """Open a :class:`Stream` or ``cv2.VideoCapture``; None if that fails."""
        cv2 = self._cv2
        if (index := _index(self._address)) is None:
            return self._connect()
        width, height, rate = self._wishes
        wishes = {
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),  # uncompressed, USB 2 is too slow for large images
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

    def _connect(self) -> Stream | None:
        """Connect to the address; None if that fails."""
        limits = self._open_timeout, self._read_timeout
        try:
            self._stream = Stream(self._address, self.name, *limits, self._decode_threads)
        except ConnectionError as error:
            logger.info("%s: FFmpeg could not open it: %s", self.name, error)
            return None
        return self._stream

    def _take(self, capture: Any) -> None:
        """Grab images until there are no more."""
        is_stream = isinstance(capture, Stream)
        rate = capture.rate if is_stream else sane_rate(capture.get(self._cv2.CAP_PROP_FPS))
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
            self._publish(_GrabbedImage(image, now, rate, (now - began) * 1000))

    def _note(self, now: float, size: tuple[int, int]) -> None:
        """Update the usual interval between two images, and log a changed size."""
        if self._last is not None and not self._lost:
            interval = now - self._last
            self._usual += 0.2 * (interval - self._usual) if self._usual else interval
        if self._size is not None and self._size != size:
            logger.warning("%s: images are %d x %d px now, not %d x %d", self.name, *size, *self._size)
        self._last, self._lost, self._size = now, False, size

    def _publish(self, image: _GrabbedImage) -> None:
        while True:
            try:
                self._newest.put_nowait(image)
            except Full:
                with suppress(Empty):
                    self._newest.get_nowait()
                    self.dropped += 1
            else:
                self._started.set()
                return

    def _advice(self) -> str:
        if _index(self._address) is None:
            return message(
                "check the address, user name and password, and that the camera is on and reachable from here"
            )
        return message(
            "check that it is plugged in, that no other program uses it and that you may use it",
            cli_hint="bearing-inspector cameras",
        )


def devices() -> list[tuple[str, str]]:
    """List the local cameras that can be opened, as (``camera:N``, name).

    On Linux the device nodes are listed; elsewhere the first ten numbers are tried. A device that does not open within
    some seconds is left out.
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
    """Device number in ``camera:N``; None for an address."""
    scheme, _, rest = address.partition(":")
    return int(rest) if scheme.lower() == "camera" else None


# The backend that opened a device is remembered: on Windows the wrong one takes many seconds.


def _backends(index: int, platform: str = sys.platform) -> list[str]:
    """OpenCV's backends for a device, the one that worked last time first."""
    names = {"win32": ["CAP_MSMF", "CAP_DSHOW"], "linux": ["CAP_V4L2"]}.get(platform, ["CAP_ANY"])
    if len(names) > 1:
        winner = _remembered().get(str(index))
        names.sort(key=lambda name: name != winner)
    return names


def _remembered() -> dict[str, str]:
    try:
        read = read_json(_memory())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _remember(index: int, backend: str) -> None:
    known = _remembered()
    if known.get(str(index)) == backend:
        return
    try:
        write_atomically(_memory(), json.dumps(known | {str(index): backend}).encode(), patience=1.0)
    except OSError as error:
        logger.info("The way of opening camera:%d could not be remembered: %s", index, error)


def _remember_other(address: str, backend: str, platform: str = sys.platform) -> None:
    """Try the other backend first next time, after a timeout."""
    index = _index(address)
    if index is not None:
        others = [name for name in _backends(index, platform) if name != backend]
        if backend and others:
            _remember(index, others[0])


def _memory() -> Path:
    return plugin_folder("cameras") / "backends.json"
