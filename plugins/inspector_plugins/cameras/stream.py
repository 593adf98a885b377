"""Read the video of an address (RTSP, HTTP, RTMP, UDP) with PyAV: intact frames only, without delay.

OpenCV shows interlaced frames black, and shows frames concealed or predicted from damaged ones as if they were good.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from inspector_plugins._shared.bitstream import Checker, detection
from inspector_plugins._shared.video_frames import Converter, frame_rate

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import av
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

# Protocols that an address may lead to: FFmpeg's defaults without local files, also where FFmpeg has none (RTMP, UDP).
_HTTP = "http,https,tls,rtp,tcp,udp,crypto,httpproxy"
_RTSP = f"rtsp,rtsps,srtp,{_HTTP}"
_RTMP = f"rtmp,rtmps,rtmpe,rtmpt,rtmpts,rtmpte,ffrtmpcrypt,ffrtmphttp,{_HTTP}"
_PROTOCOLS = {"http": _HTTP, "https": _HTTP, "rtsp": _RTSP, "rtsps": _RTSP, "rtmp": _RTMP, "rtmps": _RTMP, "udp": "udp"}
_GENERATE_TIMES = 1  # AVFMT_FLAG_GENPTS, set by PyAV: packets without a time would wait for the next ones
_UNREADABLE = 100  # consecutive container errors after which the connection is closed
_NO_KEY = 5.0  # seconds without a key frame after which the stream is assumed to have none
_HELD = 32  # B-frames that wait for a frame they may be predicted from, at most
_QUIET = 10.0  # seconds between two log entries about damaged frames


class Stream:
    """One connection; used like ``cv2.VideoCapture``.

    A damaged frame is left out, as are those after it up to the next key frame, which may be predicted from it. A
    B-frame is returned some intervals later, once the frame that it may be predicted from is known to be intact. What
    FFmpeg does not notice cannot be left out: damage inside HEVC, VP8 and VP9, and frames that were lost completely if
    nothing counts the packets (MPEG-TS does); so RTSP is read over TCP if possible.

    Args:
        address: with its scheme, user name and password.
        name: the address as it may be logged.
        open_timeout, read_timeout: seconds.
        threads: decoder threads; each beyond the first delays by one frame.

    Attributes:
        rate: frames per second as stated by the stream, or None.
        damaged: whether the frames since the last intact one are damaged.

    Raises:
        ConnectionError: why it cannot be opened, without the address.
    """

    def __init__(self, address: str, name: str, open_timeout: float, read_timeout: float, threads: int) -> None:
        import av

        scheme, _, rest = address.partition(":")
        options = {"protocol_whitelist": _PROTOCOLS[scheme.lower()]}
        if scheme.lower().startswith("rtsp"):
            options["rtsp_flags"] = "prefer_tcp"  # over UDP frames are lost; UDP remains for cameras without TCP
        try:
            self._container = av.open(
                f"{scheme.lower()}:{rest}",
                options=options,
                metadata_errors="replace",
                timeout=(open_timeout, read_timeout),
            )
        except (av.FFmpegError, ValueError) as error:
            # The error itself contains the address, including the password.
            raise ConnectionError(getattr(error, "strerror", None) or type(error).__name__) from None
        video = [stream for stream in self._container.streams.video if stream.codec_context is not None]
        if not video:
            self._container.close()
            raise ConnectionError("it holds no video that can be decoded")
        self._container.flags &= ~_GENERATE_TIMES
        self._name, self._read_timeout = name, read_timeout
        self._stream = video[0]
        self._context = self._stream.codec_context
        self._context.thread_type, self._context.thread_count = "AUTO", threads
        self._context.options = detection(self._context)
        self._checker = Checker(self._context)
        self.rate = frame_rate(self._stream)
        self.damaged = False
        self._limit = 0.0  # time.monotonic() by which an image must arrive
        self._opened = time.monotonic()
        self._keyed = False  # whether the stream has key frames
        self._waiting = True  # for a key frame
        self._left_out, self._logged = 0, -_QUIET
        self._held: deque[av.VideoFrame] = deque()
        self._sure = 0  # number of held frames known to be intact
        self._convert = Converter()
        self._frames = self._paced()

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        """Whether there is an image, and the next one: (H, W, 3) uint8 BGR; None after the connection is lost."""
        import av

        self._limit = time.monotonic() + self._read_timeout
        try:
            frame = next(self._frames, None)
            return (False, None) if frame is None else (True, self._convert(frame))
        except av.FFmpegError as error:
            logger.info("%s: an image cannot be converted: %s", self._name, error.strerror)
            return False, None

    def release(self) -> None:
        """Close the connection."""
        self._log(at_once=True)
        self._frames.close()
        self._container.close()

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yield packets of the video as they come, and None at the end."""
        import av

        failures: int = 0
        reason: str | None = "no image in time"
        while failures < _UNREADABLE and time.monotonic() < self._limit:
            try:
                for packet in self._container.demux():
                    if time.monotonic() > self._limit:
                        break
                    if packet.size and packet.stream is self._stream:
                        failures = 0
                        yield packet
                else:
                    reason = "the end"
                break
            except av.error.BlockingIOError:
                time.sleep(0.005)
            except av.error.InvalidDataError as error:
                failures, reason = failures + 1, error.strerror
                self._break()
            except av.FFmpegError as error:  # also the end of HTTP without a length
                reason = error.strerror
                break
        logger.info("%s: reading ended: %s", self._name, reason)
        yield None

    def _intact(self) -> Iterator[av.VideoFrame]:
        """Yield frames in display order, without those that are damaged or may be."""
        import av

        for packet in self._packets():
            if packet is not None and not self._is_of_use(packet):
                continue
            try:
                frames = self._context.decode(packet)
            except EOFError:  # no more frames after the last packet
                return
            except av.FFmpegError:
                self._break()
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._break()
                    break
                if self._waiting and frame.pict_type != av.video.frame.PictureType.I:
                    continue
                self._waiting = False
                yield frame

    def _is_of_use(self, packet: av.Packet) -> bool:
        """Whether to decode the packet: it is intact, and so is what its frame may be predicted from."""
        if self._checker.checked(packet).is_corrupt:
            self._break()
            return False
        if packet.is_keyframe:
            self._keyed, self._waiting = True, False
        elif self._waiting and (self._keyed or time.monotonic() < self._opened + _NO_KEY):
            self._left_out += self.damaged
            return False
        return True

    def _break(self) -> None:
        """Drop what was decoded but not returned, and everything up to the next key frame."""
        self.damaged, self._waiting = True, True
        self._left_out += 1
        self._held.clear()
        self._sure = 0
        self._context.flush_buffers()

    def _paced(self) -> Generator[av.VideoFrame]:
        """Yield intact frames, one out for one in, once what they may be predicted from is known to be intact."""
        import av

        for frame in self._intact():
            self._held.append(frame)
            predicted = self._context.reorder_depth and frame.pict_type == av.video.frame.PictureType.B
            if not predicted or len(self._held) >= _HELD:
                self._sure = len(self._held)
            if self._sure:
                yield self._next()
        while self._sure:
            yield self._next()

    def _next(self) -> av.VideoFrame:
        self._sure -= 1
        self.damaged = False
        self._log()
        return self._held.popleft()

    def _log(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._left_out and (at_once or now - self._logged > _QUIET):
            logger.warning("%s: %d damaged images were left out", self._name, self._left_out)
            self._left_out, self._logged = 0, now
