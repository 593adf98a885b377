"""Read one video file: every frame once in display order, and any frame by number."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inspector.api import InputError, long_path, message
from inspector_plugins._shared.bitstream import Checker, detection
from inspector_plugins._shared.video_frames import Converter, frame_rate
from inspector_plugins.video_files.decoder import Anomaly, CarefulDecoder, Item, NoKeyFrame, fast, restarts, shows_frame

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

_AHEAD = 16  # frames that are decoded rather than seeking
_BACK = (0, 8, 64, 512)  # frames before the target at which the search may begin
# A local file must not open anything else: no address, no second file, no playlist.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "3gp,apng,asf,av1,avi,dv,flv,gif,h263,h264,hevc,ivf,jpeg_pipe,m4v,matroska,mjpeg,mov,mp4,mpeg,"
    "mpegts,mpegvideo,mxf,nut,obu,ogg,rm,swf,vc1,webm,yuv4mpegpipe",
}
# Containers that state a time for every frame; for others FFmpeg guesses, sometimes wrongly.
_TIMED = frozenset(("mov", "matroska", "flv", "ogg", "mpegts", "ivf", "nut", "mxf"))
_JOINT = 3  # packets before the joint of two files, whose counters do not match
_UNREADABLE = 100  # container errors after which reading is given up
_COUNTING = ("mov", "avi")  # containers whose writer counted the frames

logger = logging.getLogger(__name__)


class DecodedFrame(NamedTuple):
    """A decoded frame: (H, W, 3) uint8 BGR, seconds since the first one, decoding time in milliseconds."""

    image: NDArray[np.uint8]
    seconds: float
    ms: float


class Damaged(NamedTuple):
    """A frame that could not be decoded; ``follows``: because it depends on one that could not."""

    seconds: float
    follows: bool


class Video:
    """One opened video file; ``path`` is absolute.

    Attributes:
        rate: frames per second, or None if the stream does not state it.
        frames: as stated by the header, or None.
        counted: ``frames`` was counted by the program that wrote the file (MP4, MOV, AVI); otherwise it is estimated
            from the duration.
        count: number of frames known so far.
        others: number of further video streams, which are not read.

    Raises:
        InputError: why the file cannot be played, without its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_readable(long_path(path))
        self._careful, self._from_key = False, True
        self._container: av.container.InputContainer
        self._stream: av.VideoStream
        self._items: Iterator[Item]
        self._ahead: deque[Item]
        self._stamp: int | None = None
        self._times: list[int] | None = None  # see _table; empty if unreliable
        self._keys: set[int] = set()  # those of key frames
        self._origin: int | None = None
        self.frames: int | None = None
        self._restart()
        self.rate = frame_rate(self._stream)
        self._measure_header()
        self.count = self.frames or 0

    def read(self) -> DecodedFrame | Damaged | None:
        """Read the next frame; None at the end."""
        began = time.perf_counter()
        item = self._next()
        if item is None:
            return None
        if item.frame is None:
            return Damaged(self._seconds, item.follows)
        return DecodedFrame(self._convert(item.frame), self._seconds, (time.perf_counter() - began) * 1000)

    @property
    def begun(self) -> bool:
        """Whether a frame was read."""
        return self._place > 0

    def at(self, index: int) -> DecodedFrame | Damaged | None:
        """Frame ``index`` as :meth:`read` gives it from the start; None beyond the end. Reading continues behind it."""
        self.measure()
        if self._times and index >= len(self._times):
            return None
        if not 0 <= index - self._place <= _AHEAD:
            self._seek(index)
        self._skip_to(index)
        read = self.read()
        if read is None:
            self.count = self._place
        elif self._times and self._stamp != self._times[index]:
            logger.info("%s: its times do not tell where its frames are; it is read from its start", self.path.name)
            self._times = []
            self._restart()
            return self.at(index)
        return read

    def measure(self) -> int:
        """Count the frames from the packets of the whole file, without decoding."""
        if self._times is None:
            self._times = self._table()
        return self.count

    @property
    def ended_early(self) -> bool:
        """Whether the file held less than its header states, after the last frame.

        Fewer frames alone are no proof: an AVI counts dropped frames too. The end of the last frame must also be before
        the stated end; if the count is an estimate, the end of all streams, clearly.
        """
        if self.frames is None or self._place >= self.frames:
            return False
        if self.counted:
            usual = 1 / self.rate if self.rate else 0.0
            length = self._stream.duration
            stated = self.frames * usual if length is None else float(length * (self._stream.time_base or 0))
            return stated - usual - self._seconds > 0.5 * usual
        missing = self._stated_end - self._end
        if self._container.format.name == _MATROSKA:  # its header states the exact end of the last frame or sound
            return missing > max(0.25, 3 / self.rate if self.rate else 0.0)
        return missing > max(1.0, 0.01 * self._stated_end)

    def close(self) -> None:
        self._items = iter(())
        self._container.close()

    # opening

    def _restart(self) -> None:
        """Open the file, again if necessary, and decode its first intact frame."""
        while True:
            self._reopen()
            self._begin()
            self._seconds, self._place = -1.0, 0
            self._ahead = deque()
            try:
                for item in self._items:
                    self._ahead.append(item)
                    if item.frame is not None:
                        self._origin = self._ahead[0].stamp
                        return
            except (Anomaly, NoKeyFrame) as reason:
                if self._adapt(reason):
                    continue
            codec, unsupported = (
                self._stream.codec_context.codec.canonical_name,
                self._decoder and self._decoder.unsupported,
            )
            self.close()
            raise InputError(_undecodable(codec.upper()) if unsupported else _NOTHING)

    def _reopen(self) -> None:
        if hasattr(self, "_container"):
            self._container.close()
        self._container = self._open()
        try:
            self._stream = self._choose()
        except InputError:
            self._container.close()
            raise
        context = self._stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = 1 if self._careful else 0
        context.options = detection(context)
        self._opened_carefully = self._careful

    def _open(self) -> av.container.InputContainer:
        import av

        try:
            # An absolute path cannot be mistaken for an address.
            return av.open(str(long_path(self.path)), options=_OPTIONS, metadata_errors="replace")
        except av.FFmpegError as error:
            logger.info("%s: FFmpeg could not open it: %s", self.path.name, error)
            raise InputError(_NOTHING) from None

    def _choose(self) -> av.VideoStream:
        import av

        still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
        streams = [stream for stream in self._container.streams.video if not stream.disposition & still]
        self.others = len(streams) - 1
        if not streams:
            if self._container.streams.audio:
                raise InputError("it contains sound but no video")
            raise InputError(_NOTHING)
        if streams[0].codec_context is None:
            raise InputError(_undecodable(message("an unknown codec")))
        return streams[0]

    def _begin(self) -> None:
        """Start decoding at the container's position."""
        context = self._stream.codec_context
        packets = self._packets()
        self._end = 0.0
        self._convert = Converter()
        tracked = self._container.format.name.split(",")[0] in _TIMED
        self._decoder = CarefulDecoder(context, tracked) if self._careful else None
        self._items = self._decoder.items(packets) if self._decoder else fast(packets, context, tracked)

    def _measure_header(self) -> None:
        """Number of frames stated in the header, and the end of the longest stream in seconds."""
        stream, container = self._stream, self._container
        self.counted = stream.frames > 0 and container.format.name.split(",")[0] in _COUNTING
        self._stated_end = (container.duration or 0) / 1e6
        if container.format.name != _MATROSKA:  # it states the end, counted from 0; others the duration
            self._stated_end += (container.start_time or 0) / 1e6
        length = self._stated_end - (container.start_time or 0) / 1e6
        if self.counted:
            shown = sum(
                not entry.is_discard for entry in stream.index_entries
            )  # without those that an edit list removes
            self.frames = (
                min(stream.frames, shown or stream.frames) if container.format.name.startswith("mov") else stream.frames
            )
        else:
            self.frames = round(length * self.rate) if self.rate and 0 < length * self.rate < 1e12 else None

    # decoding

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yield packets of the stream from the next key frame on, and None at the end."""
        import av

        started, failures, time = not self._from_key, 0, -1
        checker = Checker(self._stream.codec_context)
        waiting: deque[av.Packet] = deque()
        while failures < _UNREADABLE:
            try:
                for packet in self._container.demux():
                    if not packet.size:  # a dropped frame, or the end
                        continue
                    failures = 0
                    if packet.pts is not None and packet.time_base is not None:
                        self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    if packet.stream_index != self._stream.index or not (started or packet.is_keyframe):
                        continue
                    started = True
                    if restarts(packet, time):
                        for before in waiting:
                            before.is_corrupt = False
                    time = packet.dts if packet.dts is not None else time
                    waiting.append(packet)
                    if len(waiting) == _JOINT:
                        yield checker.checked(waiting.popleft())
                break
            except av.error.InvalidDataError as error:
                logger.info("%s: damaged data: %s", self.path.name, error)
                failures += 1
            except (av.FFmpegError, OSError) as error:
                logger.warning("%s: the rest cannot be read: %s", self.path.name, error)
                break
        if not started:
            raise NoKeyFrame
        yield from map(checker.checked, waiting)
        yield None

    def _decode(self) -> Item | None:
        """Decode the next frame, with another decoder if this one cannot continue."""
        try:
            return next(self._items, None)
        except (Anomaly, NoKeyFrame) as reason:
            if not self._adapt(reason):
                return None
        self._go_back()
        return self._ahead.popleft() if self._ahead else next(self._items, None)

    def _adapt(self, reason: Anomaly | NoKeyFrame) -> bool:
        """Decode differently from now on; return False if that would change nothing."""
        logger.info("%s: frame %d or a later one: %s", self.path.name, self._place, reason)
        if isinstance(reason, NoKeyFrame):
            changed, self._from_key = self._from_key, False
        else:
            changed, self._careful = not self._careful, True
        return changed

    def _go_back(self) -> None:
        """Return to the frame that is due, with a new decoder."""
        place, seconds, stamp = self._place, self._seconds, self._stamp
        self.measure()
        self._seek(place)
        self._skip_to(place)
        item = self._ahead[0] if self._ahead else next(self._items, None)
        if item is not None and not self._ahead:
            self._ahead.append(item)
        if item is not None and self._times and item.stamp != self._times[place]:
            self._times = []
            self._restart()
            self._skip_to(place)
        self._seconds, self._stamp = seconds, stamp

    def _skip_to(self, index: int) -> None:
        while self._place < index and self._next() is not None:
            pass

    def _seek(self, index: int) -> None:
        """Seek to ``index`` or somewhat before it."""
        for back in _BACK:
            if not self._times or index <= back or index >= len(self._times):
                break
            item = self._first_from(self._times[index - back])
            if item is None or item.stamp is None:
                break
            place = bisect_left(self._times, item.stamp)
            if place <= index and item.stamp in self._keys:  # else the container led into the middle of a group
                self._ahead, self._place, self._seconds = deque([item]), place, -1.0
                return
        self._restart()

    def _first_from(self, stamp: int) -> Item | None:
        """The first decodable frame from the key frame before ``stamp`` on."""
        import av

        if self._opened_carefully != self._careful:
            self._reopen()
        depth = self._stream.codec_context.reorder_depth
        try:
            self._container.seek(stamp, stream=self._stream)
            self._stream.codec_context.reorder_depth = depth  # seeking resets it
            self._begin()
            return next(self._items, None)
        except (Anomaly, NoKeyFrame) as reason:
            return self._first_from(stamp) if self._adapt(reason) else None
        except av.FFmpegError as error:
            logger.info("%s: it cannot be searched: %s", self.path.name, error)
            return None

    def _next(self) -> Item | None:
        """The next frame, in display order, and its time."""
        item = self._ahead.popleft() if self._ahead else self._decode()
        if item is None:
            return None
        self._seconds, self._stamp = self._time(item.stamp), item.stamp
        self._place += 1
        return item

    def _time(self, stamp: int | None) -> float:
        """Time of a frame in seconds: the stream's; if missing or decreasing, one interval after the last."""
        if stamp is not None and self._origin is not None:
            seconds = float((stamp - self._origin) * (self._stream.time_base or 0))
            if seconds > self._seconds:
                return seconds
        if self._seconds < 0:
            return 0.0
        return self._seconds if self.rate is None else self._seconds + 1 / self.rate

    def _table(self) -> list[int]:
        """Presentation times of all frames in order, read without decoding; empty if unreliable."""
        import av

        stamps: list[int | None] = []
        container = self._open()
        joined = container.format.name.endswith("_pipe")  # it has no times of its own
        with container, suppress(av.FFmpegError, OSError):
            stream = container.streams[self._stream.index]
            codec = self._stream.codec_context.codec.name
            started, time = not self._from_key, -1
            for packet in container.demux(stream):
                joined = joined or restarts(packet, time)
                time = packet.dts if packet.dts is not None else time
                started = started or packet.is_keyframe
                if packet.size and started and shows_frame(packet, codec):
                    stamps.append(packet.pts)
                    if packet.is_keyframe and packet.pts is not None:
                        self._keys.add(packet.pts)
        known = sorted(stamp for stamp in stamps if stamp is not None)
        if self._origin is not None:
            known = known[bisect_left(known, self._origin) :]  # drop frames before the first decodable one
        tells = not joined and None not in stamps and known[:1] == [self._origin]
        self.count = len(known) if tells else len(stamps) or self.count
        return known if tells and all(a < b for a, b in pairwise(known)) else []


_MATROSKA = "matroska,webm"
_NOTHING = message("it contains no video frame that can be read; it may be damaged, incomplete or not a video")


def _undecodable(codec: str) -> str:
    return message("it is encoded as {codec}, which cannot be decoded here; convert it to H.264", codec=codec)


def _check_readable(path: Path) -> None:
    try:
        str(path).encode()
        with open(path, "rb") as file:
            head = file.read(12)
    except UnicodeEncodeError:
        raise InputError("its path is not valid UTF-8 and FFmpeg cannot open it; rename it") from None
    except OSError as error:
        raise InputError("it cannot be read ({reason})", reason=error.strerror) from None
    if not head:
        raise InputError("the file is empty")
