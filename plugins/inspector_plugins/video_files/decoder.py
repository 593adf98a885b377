"""Decode one video stream with PyAV: frames in display order, with damaged ones in their place.

FFmpeg decodes as much as it can. A damaged packet yields an error, no frame, or a frame with concealed regions,
and the frames after it, up to the next key frame, are predicted from those pixels. None of them shows the part, so all
of them are reported as damaged. ``_shared.bitstream`` detects zeros in place of H.264, HEVC, VP8 or VP9 data; other
wrong bits that FFmpeg decodes without an error are not noticed, since these formats have no checksum.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import av

_HELD = 32  # frames held back until the frame they may be predicted from has arrived, at most
_SET_BACK = 0.1  # seconds by which the file's clock goes back where another part begins
_EMPTY_VOP = 8  # bytes; an MPEG-4 packet as short as this repeats a frame that another packet holds
# Codecs whose B-frames are not used for prediction.
_PLAIN_B = frozenset(("mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v3", "vc1", "wmv3"))


class Anomaly(Exception):
    """The stream is damaged, or a packet yielded no frame: it must be decoded frame by frame."""


class NoKeyFrame(Exception):
    """The stream has no key frame; it must be decoded from its first packet."""


class Item(NamedTuple):
    """One frame of the stream in display order; ``frame`` is None if it is damaged.

    ``stamp`` is its presentation time in the stream's time base, or None.
    """

    stamp: int | None
    frame: av.VideoFrame | None
    follows: bool = False  # damaged because a frame that it is predicted from is


@dataclass(eq=False)
class _Sent:
    """A decoded packet."""

    number: int  # in decoding order
    group: int  # of a key frame and the frames after it
    leading: bool  # displayed before its group's key frame, and thus perhaps predicted from the previous group
    due: tuple[int, int] | None  # display order, if known: part of the file, presentation time
    arrived: bool = False
    damaged: bool = False


class _Log:
    """Record of the packets decoded so far."""

    def __init__(self, context: av.VideoCodecContext, tracked: bool, carried: bool) -> None:
        import av

        self.codec = context.codec.name
        # A frame carries its packet. Not with several threads: FFmpeg's would wait for the interpreter's lock.
        self._carried = carried
        if carried:
            context.flags |= av.codec.context.Flags.copy_opaque
        self.last = _Sent(0, 0, False, None)
        self._tracked = tracked
        self._key: int | None = None
        self._part, self._time = 0, -1  # a file joined from several restarts its clock in the middle

    def send(self, packet: av.Packet) -> _Sent:
        """Record the packet that is decoded next."""
        pts, number, group = packet.pts, self.last.number + 1, self.last.group
        jump = restarts(packet, self._time)
        self._part += jump
        self._time = packet.dts if packet.dts is not None else self._time
        if packet.is_keyframe:
            group += 1
            self._key = pts
        leading = pts is not None and self._key is not None and pts < self._key and not jump
        known = self._tracked and pts is not None and shows_frame(packet, self.codec)
        self.last = _Sent(number, group, leading, (self._part, pts) if known and pts is not None else None)
        if self._carried:
            packet.opaque = self.last
        return self.last


def restarts(packet: av.Packet, previous: int) -> bool:
    """Whether the file's clock goes back at this packet; ``previous`` is the decoding time of the one before."""
    if packet.dts is None or packet.time_base is None:
        return False
    return float((previous - packet.dts) * packet.time_base) > _SET_BACK


def shows_frame(packet: av.Packet, codec: str) -> bool:
    """Whether this packet should yield a frame."""
    if packet.is_discard or (codec == "mpeg4" and packet.size <= _EMPTY_VOP):
        return False
    return codec != "vp8" or bool(memoryview(packet)[0] & 0x10)


def fast(packets: Iterator[av.Packet | None], context: av.VideoCodecContext, tracked: bool) -> Iterator[Item]:
    """Decode an intact stream with several threads.

    Args:
        packets: in decoding order, and None at the end.
        context: the decoder.
        tracked: whether the packets' times are reliable, so that missing frames are noticed.

    Raises:
        Anomaly: something is wrong. The frames before it have been yielded; the faulty packet is unknown.
    """
    import av

    log = _Log(context, tracked, carried=False)
    sent_at: dict[int, deque[_Sent]] = {}  # by presentation time, which occurs twice in a file joined from several
    expected: list[tuple[tuple[int, int], int, _Sent]] = []  # a heap of frames that have not arrived yet
    begun = woven = False
    for packet in packets:
        if packet is not None:
            if packet.is_corrupt:
                raise Anomaly("a packet is damaged")
            sent = log.send(packet)
            if sent.due is not None:
                heapq.heappush(expected, (sent.due, sent.number, sent))
                sent_at.setdefault(sent.due[1], deque()).append(sent)
        try:
            frames = _decode(context, packet)
        except av.FFmpegError as error:
            raise Anomaly(str(error)) from None
        for frame in frames:
            woven = frame.interlaced_frame
            if frame.is_corrupt:
                raise Anomaly("a frame is damaged")
            arriving = sent_at.get(frame.pts) if frame.pts is not None else None
            if arriving:
                arrived = arriving.popleft()
                arrived.arrived = True
                if not arriving:
                    del sent_at[arrived.due[1] if arrived.due else 0]
                while expected and (expected[0][2].arrived or expected[0][0] < (arrived.due or ())):
                    if not heapq.heappop(expected)[2].arrived and begun and not woven:
                        raise Anomaly("a frame is missing")
            begun = True
            yield Item(frame.pts, frame)
    if not woven and not all(sent.arrived for _, _, sent in expected):
        raise Anomaly("frames are missing at the end")


class CarefulDecoder:
    """Decodes a damaged stream on one thread, so that each error belongs to the packet just decoded."""

    def __init__(self, context: av.VideoCodecContext, tracked: bool) -> None:
        self._context = context
        self._log = _Log(context, tracked, carried=True)
        self._pending: dict[int, _Sent] = {}  # not arrived yet, by number
        # For each group, and separately for its leading frames: the first packet that damages those after it.
        self._broken: dict[tuple[int, bool], int] = {}
        self._held: list[tuple[_Sent, Item]] = []
        self._begun = self._woven = False
        self.unsupported = False  # whether the decoder does not support the stream

    def items(self, packets: Iterator[av.Packet | None]) -> Iterator[Item]:
        import av

        for packet in packets:
            if packet is not None:
                self._send(packet)
            try:
                frames = _decode(self._context, packet)
            except av.FFmpegError as error:
                self.unsupported = not isinstance(error, av.error.InvalidDataError)
                frames = []
                if packet is not None:
                    self._break(self._log.last)
                    if self._log.last.due is None and shows_frame(packet, self._log.codec):
                        self._held.append((self._log.last, Item(packet.pts, None)))
            for frame in frames:
                yield from self._receive(frame)
        self._miss(None)
        yield from self._release()

    def _send(self, packet: av.Packet) -> None:
        sent = self._log.send(packet)
        if packet.is_corrupt:
            self._break(sent, others=not packet.is_disposable)
        if sent.due is not None:
            self._pending[sent.number] = sent

    def _receive(self, frame: av.VideoFrame) -> Iterator[Item]:
        import av

        sent = frame.opaque if isinstance(frame.opaque, _Sent) else self._sent_at(frame.pts)
        plain = frame.pict_type == av.video.frame.PictureType.B
        self._pending.pop(sent.number, None)
        self._woven = frame.interlaced_frame
        if sent.due is not None:
            self._miss(sent.due)
        if frame.is_corrupt:
            self._break(sent, others=not (plain and self._log.codec in _PLAIN_B))
        self._begun = True
        self._held.append((sent, Item(frame.pts, frame)))
        if not plain or len(self._held) >= _HELD:
            yield from self._release()

    def _sent_at(self, pts: int | None) -> _Sent:
        """The packet of a frame that does not carry it."""
        last = self._log.last
        found = (sent for sent in self._pending.values() if sent.due is not None and sent.due[1] == pts)
        return next(found, _Sent(last.number, last.group, False, None))

    def _miss(self, due: tuple[int, int] | None) -> None:
        """Report frames that should have been displayed before ``due`` (at the end: all) as missing."""
        late = [sent for sent in self._pending.values() if sent.due is not None and (due is None or sent.due < due)]
        for sent in sorted(late, key=lambda sent: sent.due or ()):
            del self._pending[sent.number]
            # Frames displayed before the first key frame cannot be decoded; a field may have its own packet.
            missing = self._begun and not self._woven
            if sent.due is not None and (missing or (sent.damaged and not sent.leading)):
                self._break(sent)
                self._held.append((sent, Item(sent.due[1], None)))

    def _break(self, sent: _Sent, others: bool = True) -> None:
        """Mark the packet as damaged, and with it the ``others`` of its group that are decoded after it."""
        sent.damaged = True
        if others:
            chain = (sent.group, sent.leading)
            self._broken[chain] = min(sent.number, self._broken.get(chain, sent.number))

    def _release(self) -> Iterator[Item]:
        held, self._held = self._held, []
        for sent, item in held:
            follows = not sent.damaged and self._follows(sent)
            yield Item(item.stamp, None, follows) if sent.damaged or follows else item

    def _follows(self, sent: _Sent) -> bool:
        """Whether a frame that it may be predicted from is damaged. Only leading frames depend on leading frames."""
        chains = {(sent.group, False), (sent.group, sent.leading)}
        if sent.leading:
            chains.add((sent.group - 1, False))
        return any(self._broken.get(chain, sent.number) < sent.number for chain in chains)


def _decode(context: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame]:
    try:
        return context.decode(packet)
    except EOFError:  # no more frames after the last packet
        return []
