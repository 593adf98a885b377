"""The ZIP archive that ``torch.save`` writes, as members with verified sizes and checksums.

Nothing in it is trusted: a member's size is the number of its bytes, two members never share bytes or a name, and
members that would unpack to far more are refused before they are unpacked. Imports the standard library only.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from itertools import pairwise

MOST_MEMBERS = 100_000
LARGEST_PICKLE = 64 << 20  # the largest official model's is 0.5 MB
_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED = 0x1


class Refused(ValueError):
    """The archive is not read; ``kind`` is the reason: damaged, other, torchscript or bomb."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True)
class Member:
    """One file of the archive.

    Attributes:
        start, size: position and size of its content in the archive, bytes; ``start`` is -1 if it is compressed.
        content: of a compressed member, unpacked.
    """

    start: int
    size: int
    content: bytes | None


class Archive:
    """The members of a checkpoint file.

    Args:
        data: the file.

    Raises:
        Refused: it is damaged, not a checkpoint, or would unpack to far more than a checkpoint holds.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OverflowError, struct.error):
            raise Refused("damaged") from None
        if len(entries) > MOST_MEMBERS:
            raise Refused("bomb")
        named: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            inner = entry.filename.partition("/")[2]
            if inner in named and inner:
                raise Refused("other" if inner == "data.pkl" else "damaged")
            named[inner] = entry
        if "constants.pkl" in named:
            raise Refused("torchscript")
        if "data.pkl" not in named:
            raise Refused("other")
        if named["data.pkl"].file_size > LARGEST_PICKLE or _unpacked(entries) > 20 * len(data) + (1 << 20):
            raise Refused("bomb")
        self._members = self._proved(named)

    @property
    def total(self) -> int:
        """Bytes of all members, unpacked."""
        return sum(member.size for member in self._members.values())

    def pickle(self) -> bytes:
        return self.content("data.pkl")

    def get(self, inner: str) -> Member | None:
        """The member of that name below the archive's top folder."""
        return self._members.get(inner)

    def content(self, inner: str) -> bytes:
        """Content of a member."""
        member = self._members[inner]
        return self._data[member.start : member.start + member.size] if member.content is None else member.content

    def _proved(self, named: dict[str, zipfile.ZipInfo]) -> dict[str, Member]:
        members: dict[str, Member] = {}
        taken: list[tuple[int, int]] = []
        for inner, entry in named.items():
            start = self._start(entry)
            end = start + entry.compress_size
            if end > len(self._data):
                raise Refused("damaged")
            taken.append((entry.header_offset, end))
            members[inner] = self._checked(entry, start, end)
        taken.sort()
        for (_, before), (after, _) in pairwise(taken):
            if before > after:
                raise Refused("damaged")
        return members

    def _start(self, entry: zipfile.ZipInfo) -> int:
        """Offset of the content of ``entry``; its local header must agree with the central directory."""
        at = entry.header_offset
        header = self._data[at : at + _LOCAL_HEADER.size]
        if at < 0 or len(header) < _LOCAL_HEADER.size:
            raise Refused("damaged")
        signature, _, flags, method, *_, names, extras = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\x03\x04" or method != entry.compress_type or flags & _ENCRYPTED:
            raise Refused("damaged")
        name = self._data[at + _LOCAL_HEADER.size : at + _LOCAL_HEADER.size + names]
        if name.decode("utf-8" if flags & 0x800 else "cp437", "replace") != entry.orig_filename:
            raise Refused("damaged")
        return at + _LOCAL_HEADER.size + int(names) + int(extras)

    def _checked(self, entry: zipfile.ZipInfo, start: int, end: int) -> Member:
        packed = memoryview(self._data)[start:end]
        if entry.compress_type == zipfile.ZIP_STORED:
            if entry.file_size != len(packed) or zlib.crc32(packed) != entry.CRC:
                raise Refused("damaged")
            return Member(start, len(packed), None)
        if entry.compress_type != zipfile.ZIP_DEFLATED:
            raise Refused("damaged")
        try:
            unpacker = zlib.decompressobj(-15)
            content = unpacker.decompress(packed, entry.file_size + 1)
        except zlib.error:
            raise Refused("damaged") from None
        if len(content) != entry.file_size or not unpacker.eof or zlib.crc32(content) != entry.CRC:
            raise Refused("damaged")
        return Member(-1, len(content), content)


def _unpacked(entries: list[zipfile.ZipInfo]) -> int:
    return sum(entry.file_size for entry in entries)
