"""Detect damage in the coded data that FFmpeg decodes silently.

The bytes 00 00 00, 00 00 01 and 00 00 02 never occur in a unit of H.264 or HEVC, and 00 00 03 only before a byte of up
to 3; the arithmetic coder of VP8 and VP9 writes no long runs of zeros. A broken copy or a bad disk leaves just those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

_ZEROS = bytes(64)
_MOST_FILLING = 16  # zeros after a unit whose length is stated; between start codes there may be any number
_CONFIGURATION = 1  # the first byte of extradata that state the size of the lengths


def detection(context: av.VideoCodecContext) -> dict[str, str]:
    """Decoder options with which FFmpeg reports damage that it ignores otherwise.

    Intra-only decoders conceal damage. The HEVC decoder ignores undecodable parts and checksums.
    """
    if context.codec.intra_only:
        return {"err_detect": "explode"}
    return {"err_detect": "crccheck+explode"} if context.codec.canonical_name == "hevc" else {}


class Checker:
    """Checks the packets of one stream.

    Args:
        context: its decoder; packets of any codec but H.264, HEVC, VP8 and VP9 pass.
    """

    def __init__(self, context: av.VideoCodecContext) -> None:
        self._codec = context.codec.canonical_name
        extradata = context.extradata or b""
        place = {"h264": 4, "hevc": 21}.get(self._codec, 0)
        with_lengths = len(extradata) > place > 0 and extradata[0] == _CONFIGURATION
        self._length_size = (extradata[place] & 3) + 1 if with_lengths else 0  # 0: units are between start codes

    def checked(self, packet: av.Packet) -> av.Packet:
        """Return the packet, marked as corrupt if it is damaged."""
        if self.is_damaged(packet):
            packet.is_corrupt = True
        return packet

    def is_damaged(self, packet: av.Packet) -> bool:
        """Whether the packet contains data that no encoder writes."""
        if self._codec in ("vp8", "vp9"):
            return _ZEROS in bytes(packet)
        if self._codec not in ("h264", "hevc"):
            return False
        data = bytes(packet)
        try:
            units = self._by_length(data) if self._length_size else self._by_start_code(data)
            return any(self._is_unit_damaged(data, begin, end) for begin, end in units)
        except ValueError:
            return True

    def _by_length(self, data: bytes) -> Iterator[tuple[int, int]]:
        place = 0
        while place < len(data):
            begin = place + self._length_size
            place = begin + int.from_bytes(data[place:begin], "big")
            if begin > len(data) or place > len(data):
                raise ValueError("a length beyond the packet")
            yield begin, place

    def _by_start_code(self, data: bytes) -> Iterator[tuple[int, int]]:
        begin = data.find(b"\0\0\1") + 3
        while begin >= 3:
            after = data.find(b"\0\0\1", begin)
            yield begin, len(data) if after < 0 else after
            begin = after + 3 if after >= 0 else 0

    def _is_unit_damaged(self, data: bytes, begin: int, end: int) -> bool:
        coded = len(data[begin:end].rstrip(b"\0"))
        if self._length_size and end - begin - coded > _MOST_FILLING:
            return True
        end = begin + coded
        if begin < end and data[begin] & 0x80:
            return True
        place = data.find(b"\0\0", begin, end)
        while 0 <= place < end - 2:
            if data[place + 2] < 3 or (data[place + 2] == 3 and place + 3 < end and data[place + 3] > 3):
                return True
            place = data.find(b"\0\0", place + 2, end)
        return False
