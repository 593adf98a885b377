"""The isolated process: it receives a checkpoint and answers with plain data.

The answer is JSON followed by the bytes of unpacked storages. Its values are plain JSON or ``[number]``, a node of
the table ``nodes``, so that shared, nested or circular values of a pickle take space in proportion to the file:

* ``["l", values]``, ``["t", values]``, ``["s", values]``: list, tuple, set;
* ``["d", [key, value, …]]``: dictionary, its keys plain or short flat tuples of plain values;
* ``["b", base64]``: bytes; ``["g", name]``: a global;
* ``["r", name, arguments, state, pairs, elements]``: see :class:`~.pickles.Record`;
* ``["T", storage, offset, size, stride, parameter]``: a tensor, which is within its storage;

and ``storages`` lists ``[dtype, elements, start, bytes]``: the position of a storage in the file, or, with a negative
``start``, ``-1 - index`` of the blob behind the JSON. This module imports the standard library only.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from inspector_plugins._shared.torch_files.archive import Archive, Refused
from inspector_plugins._shared.torch_files.pickles import (
    Elements,
    Interpreter,
    Name,
    Pairs,
    Persistent,
    Record,
    Unreadable,
)

MOST_NODES = 1_000_000
MOST_TENSORS = 100_000
MOST_AXES = 16
MOST_EXPANDED = 1 << 16  # elements of an expanded tensor, which has more elements than bytes
MOST_NAMES = 10_000
MOST_UNPACKED = 64 << 20  # bytes of tensors beyond four times those present
TYPES = {  # storage class -> dtype and bytes per element
    "Byte": ("uint8", 1),
    "Char": ("int8", 1),
    "Bool": ("bool", 1),
    "Short": ("int16", 2),
    "Int": ("int32", 4),
    "Long": ("int64", 8),
    "Half": ("float16", 2),
    "BFloat16": ("bfloat16", 2),
    "Float": ("float32", 4),
    "Double": ("float64", 8),
}
STORAGES = {f"torch.{word}Storage": kind for word, kind in TYPES.items()}
TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")


def main(data: bytes, *words: str) -> list[bytes]:
    """Answer for a checkpoint.

    Args:
        data: the file's content.
        words: JSON of groups of keys: of a dictionary at the top, only the first key of each group that is present and
            not None is returned; without any of them, or without groups, everything is.

    Returns:
        The length of the JSON (8 bytes), the JSON, and unpacked storages.
    """
    groups: list[list[str]] = json.loads(words[0]) if words else []
    answer: dict[str, Any] = {"names": []}
    blobs: list[bytes] = []
    interpreter = None
    try:
        archive = Archive(data)
        interpreter = Interpreter(archive.pickle())
        root = _chosen(interpreter.run(), groups)
        table = Table(archive)
        answer |= table.told(root)
        blobs = table.blobs
    except Refused as refused:
        answer["problem"] = ["archive", refused.kind]
    except Unreadable as unreadable:
        answer["problem"] = ["content", str(unreadable)]
    if interpreter is not None:
        answer["names"] = interpreter.names[:MOST_NAMES]
    text = json.dumps(answer, ensure_ascii=True, separators=(",", ":")).encode()
    return [len(text).to_bytes(8, "little"), text, *blobs]


def _chosen(root: Any, groups: list[list[str]]) -> Any:
    pairs = root.pairs if type(root) in (Pairs, Record) else []
    found = {key: value for key, value in pairs if type(key) is str}
    chosen = Pairs()
    for group in groups:
        key = next((key for key in group if found.get(key) is not None), None)
        if key is not None:
            chosen.pairs.append((key, found[key]))
    return chosen if groups and any(key in found for group in groups[:1] for key in group) else root


class Table:
    """Converts values to nodes and storages.

    Attributes:
        blobs: contents of storages that were compressed, in order.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._nodes: list[Any] = []
        self._numbers: dict[int, int] = {}  # id of an object -> its node
        self._kept: list[Any] = []  # keeps objects alive so that ids stay unique
        self._waiting: list[tuple[int, Any]] = []
        self._storages: list[list[Any]] = []
        self._by_key: dict[str, int] = {}
        self._allowed = archive.total * 4 + MOST_UNPACKED
        self._tensors = 0
        self._behind = 0
        self.blobs: list[bytes] = []

    def told(self, root: Any) -> dict[str, Any]:
        """Convert the value ``root`` to an answer.

        Raises:
            Unreadable: a value does not occur in checkpoints, or a size does not match the bytes present.
        """
        value = self._value(root)
        while self._waiting:
            number, waiting = self._waiting.pop()
            self._nodes[number] = self._node(waiting)
        return {"root": value, "nodes": self._nodes, "storages": self._storages, "big": self._is_big()}

    def _is_big(self) -> bool:
        """Whether the file was written on a big-endian machine."""
        if self._archive.get("byteorder") is None:
            return False
        order = self._archive.content("byteorder").strip()
        if order not in (b"little", b"big"):
            raise Unreadable("it has an unknown byte order")
        return order == b"big"

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            if not -(1 << 63) <= value < 1 << 64:
                raise Unreadable("it holds a number that is too large")
            return value
        number = self._numbers.get(id(value))
        if number is None:
            number = len(self._nodes)
            if number >= MOST_NODES:
                raise Unreadable("it holds more values than any checkpoint")
            self._numbers[id(value)] = number
            self._kept.append(value)
            self._nodes.append(None)
            self._waiting.append((number, value))
        return [number]

    def _values(self, values: Any) -> list[Any]:
        return [self._value(value) for value in values]

    def _node(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind is Record:
            if value.name in TENSORS or value.name in PARAMETERS:
                return self._tensor(value)
            return [
                "r",
                value.name,
                self._values(value.arguments),
                self._value(value.state),
                self._pairs(value.pairs),
                self._values(value.elements),
            ]
        if kind is Pairs:
            return ["d", self._pairs(value.pairs)]
        if kind is list:
            return ["l", self._values(value)]
        if kind is tuple:
            return ["t", self._values(value)]
        if kind is Elements:
            return ["s", self._values(value.elements)]
        if kind is Name:
            return ["g", value.dotted]
        if kind is bytes:
            return ["b", base64.b64encode(value).decode()]
        raise Unreadable("it refers to a storage outside of a tensor")

    def _pairs(self, pairs: list[tuple[Any, Any]]) -> list[Any]:
        told = []
        for key, value in pairs:
            if not _plain(key) and not (type(key) is tuple and len(key) <= 8 and all(map(_plain, key))):
                raise Unreadable("a key of a dictionary is neither a text nor a number")
            told += [self._value(key), self._value(value)]
        return told

    # Tensors.

    def _tensor(self, record: Record) -> list[Any]:
        parameter = record.name in PARAMETERS
        inner: Any = record
        if parameter:
            inner = record.arguments[0] if record.arguments else None
            if type(inner) is not Record or inner.name not in TENSORS or inner.state is not None:
                raise Unreadable("a parameter is no tensor")
        if len(inner.arguments) < 4 or record.pairs or record.elements or inner.pairs or inner.elements:
            raise Unreadable("a tensor is not described as torch does it")
        storage, offset, size, stride = inner.arguments[:4]
        size, stride = _axes(size), _axes(stride)
        if type(offset) is not int or offset < 0 or len(size) != len(stride):
            raise Unreadable("a tensor is not described as torch does it")
        number = self._storage(storage)
        _, elements, _, count = self._storages[number]
        length = math.prod(size)
        if length:
            last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
            if last >= elements:
                raise Unreadable("a tensor is larger than the bytes that are there for it")
            if length > max(elements, MOST_EXPANDED):
                raise Unreadable("a tensor repeats its bytes more often than any network needs")
        self._tensors += 1
        self._allowed -= length * (count // max(elements, 1))
        if self._tensors > MOST_TENSORS or self._allowed < 0:
            raise Unreadable("its tensors would take far more memory than the file")
        return ["T", number, offset, size, stride, parameter]

    def _storage(self, value: Any) -> int:
        identity = value.identity if type(value) is Persistent else None
        if type(identity) is not tuple or len(identity) != 5 or identity[0] != "storage":
            raise Unreadable("a tensor has no storage")
        _, kind, key, _, elements = identity
        if type(kind) is not Name or kind.dotted not in STORAGES:
            raise Unreadable("a tensor holds a kind of number that no network here computes with")
        dtype, size = STORAGES[kind.dotted]
        if type(key) is not str or type(elements) is not int or elements < 0:
            raise Unreadable("a tensor has no storage")
        known = self._by_key.get(key)
        if known is None:
            member = self._archive.get(f"data/{key}")
            if member is None or elements * size > member.size:
                raise Unreadable("a tensor is larger than the bytes that are there for it")
            known = self._by_key[key] = len(self._storages)
            start = member.start
            if member.content is not None:
                start = -1 - self._behind
                self.blobs.append(member.content)
                self._behind += member.size
            self._storages.append([dtype, elements, start, elements * size])
        elif self._storages[known][:2] != [dtype, elements]:
            raise Unreadable("two tensors describe one storage differently")
        return known


def _plain(value: Any) -> bool:
    return value is None or (type(value) in (bool, int, float, str))


def _axes(given: Any) -> list[int]:
    """Sizes or strides: a tuple, a list, or a record of ``torch.Size``."""
    if type(given) is Record and given.name == "torch.Size" and len(given.arguments) == 1:
        given = given.arguments[0]
    if type(given) not in (tuple, list) or len(given) > MOST_AXES:
        raise Unreadable("a tensor is not described as torch does it")
    if not all(type(value) is int and 0 <= value < 1 << 40 for value in given):
        raise Unreadable("a tensor has a size or stride that no tensor has")
    return list(given)
