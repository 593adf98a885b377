"""Content of a ``torch.save`` file as plain values, names and descriptions of tensors.

The file is read by :mod:`.child` in an isolated process. Here its answer becomes objects without behaviour: a
:class:`Record` describes what the file would have called, a :class:`Stored` the position of a tensor's numbers.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from inspector.api import InputError, LimitExceededError, message, run_isolated

if TYPE_CHECKING:
    from torch import Tensor

_CHILD = "inspector_plugins._shared.torch_files.child"
_MEMORY = 1 << 30  # bytes, beyond four times the file
_SECONDS = 30  # of CPU time; the largest official checkpoint takes 1
_DEEPEST = 12  # nesting of plain values
_ORDERED = "collections.OrderedDict"
_SETS = ("builtins.set", "builtins.frozenset")
_SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_PATHS = tuple(
    f"{module}.{kind}Path" for module in ("pathlib", "pathlib._local") for kind in ("Posix", "Windows", "PurePosix")
)


class Name(NamedTuple):
    """A global that the file names as a value."""

    dotted: str


class Tuple(list[Any]):
    """A tuple of the file."""


class Set(list[Any]):
    """A set of the file."""


@dataclass(eq=False, slots=True)
class Record:
    """An object that the file describes: what would have been called or created.

    Attributes:
        name: of the class or function, dotted.
        arguments: what it would have been called with.
        state: what the object would have been filled with, or None.
        items: key-value pairs that would have been set in it.
        elements: what would have been added to it.
    """

    name: str
    arguments: list[Any]
    state: Any
    items: dict[Any, Any]
    elements: list[Any]


@dataclass(eq=False, slots=True)
class Stored:
    """A tensor of the file, which is within its storage.

    Attributes:
        dtype: e.g. ``float16``.
        shape: sizes of its axes.
        parameter: whether it was wrapped as one.
    """

    dtype: str
    shape: tuple[int, ...]
    parameter: bool
    _offset: int
    _stride: tuple[int, ...]
    _storage: memoryview

    @property
    def count(self) -> int:
        """Number of elements."""
        product = 1
        for side in self.shape:
            product *= side
        return product

    def tensor(self) -> Tensor:
        """Its numbers, contiguous, in their own memory."""
        import torch

        if not self.count:
            return torch.empty(self.shape, dtype=getattr(torch, self.dtype))
        wire = {"bfloat16": "int16", "bool": "uint8"}.get(self.dtype, self.dtype)
        numbers = np.frombuffer(self._storage, wire)
        view = np.lib.stride_tricks.as_strided(
            numbers[self._offset :], self.shape, [step * numbers.itemsize for step in self._stride], writeable=False
        )
        copied = torch.from_numpy(np.array(view, order="C", copy=True))
        if self.dtype == "bfloat16":
            return copied.view(torch.bfloat16)
        return copied.bool() if self.dtype == "bool" else copied


@dataclass(frozen=True, eq=False)
class Content:
    """Content of a file.

    Attributes:
        root: its value.
        names: every global that it names, dotted, in order of appearance.
        problem: why the rest is missing, as a phrase; else empty.
    """

    root: Any
    names: tuple[str, ...]
    problem: str


def read(data: bytes, file: str, *groups: Sequence[str]) -> Content:
    """Read the content of a ``torch.save`` file.

    Args:
        data: the file.
        file: its name, for messages.
        groups: of keys; of a dictionary at the top, only the first of each group that is present and not None is read.

    Raises:
        InputError: it is damaged, of another kind, or would take more memory or time than any checkpoint needs.
    """
    words = [json.dumps(groups)] if groups else []
    try:
        answer = run_isolated(_CHILD, data, words, memory=_MEMORY + 4 * len(data), seconds=_SECONDS)
    except LimitExceededError as error:
        raise InputError(
            "{file} would take far more memory or time than a checkpoint needs and was not opened; choose "
            "the best.pt of a training",
            file=file,
        ) from error
    length = int.from_bytes(answer[:8], "little")
    description = json.loads(answer[8 : 8 + length])
    kind, phrase = description.get("problem", ("", ""))
    if kind == "archive":
        raise InputError(_refusal(file, phrase))
    if phrase:
        return Content(None, tuple(description["names"]), phrase)
    values = _Values(description, memoryview(data), memoryview(answer)[8 + length :])
    return Content(values.of(description["root"]), tuple(description["names"]), "")


def _refusal(file: str, kind: str) -> str:
    if kind == "torchscript":
        return message("{file} is a TorchScript archive; load the .pt file that it was exported from", file=file)
    if kind == "other":
        return message(
            "{file} is a ZIP archive but not a PyTorch checkpoint; choose a .pt file that ultralytics saved", file=file
        )
    if kind == "bomb":
        return message("{file} would unpack to far more than a checkpoint contains; it was not opened", file=file)
    return message("{file} is damaged or incomplete; copy it again from where it was trained", file=file)


class _Values:
    """Converts the nodes of an answer to objects."""

    def __init__(self, description: dict[str, Any], file: memoryview, behind: memoryview) -> None:
        self._nodes, self._big = description["nodes"], description["big"]
        self._storages = description["storages"]
        self._places = {"file": file, "behind": behind}
        self._contents: dict[int, memoryview] = {}
        self._made = [self._shell(node) for node in self._nodes]
        for node, made in zip(self._nodes, self._made, strict=True):
            self._fill(node, made)

    def of(self, value: Any) -> Any:
        return self._made[value[0]] if isinstance(value, list) else value

    def _shell(self, node: list[Any]) -> Any:
        kind = node[0]
        if kind == "r":
            return Record(node[1], [], None, {}, [])
        if kind == "T":
            _, storage, offset, size, stride, parameter = node
            dtype = self._storages[storage][0]
            return Stored(dtype, tuple(size), parameter, offset, tuple(stride), self._content(storage))
        if kind == "b":
            return base64.b64decode(node[1])
        if kind == "g":
            return Name(node[1])
        shells: dict[str, Any] = {"d": dict, "l": list, "t": Tuple, "s": Set}
        return shells[kind]()

    def _fill(self, node: list[Any], shell: Any) -> None:
        kind = node[0]
        if kind == "r":
            shell.arguments.extend(map(self.of, node[2]))
            shell.state = self.of(node[3])
            shell.items.update(self._pairs(node[4]))
            shell.elements.extend(map(self.of, node[5]))
        elif kind == "d":
            shell.update(self._pairs(node[1]))
        elif kind in "lts":
            shell.extend(map(self.of, node[1]))

    def _pairs(self, flat: list[Any]) -> dict[Any, Any]:
        return {self._key(key): self.of(value) for key, value in zip(flat[::2], flat[1::2], strict=True)}

    def _key(self, key: Any) -> Any:
        return tuple(self._nodes[key[0]][1]) if isinstance(key, list) else key

    def _content(self, number: int) -> memoryview:
        if number not in self._contents:
            dtype, _, start, size = self._storages[number]
            place, start = ("file", start) if start >= 0 else ("behind", -1 - start)
            content = self._places[place][start : start + size]
            if len(content) != size:
                raise ValueError("a storage is not where the isolated process reported it")
            if self._big:
                numbers = np.frombuffer(content, {"bfloat16": "int16", "bool": "uint8"}.get(dtype, dtype))
                content = memoryview(numbers.byteswap().tobytes())
            self._contents[number] = content
        return self._contents[number]


def read_tensors(file: Path, key: str) -> dict[str, Tensor]:
    """The tensors of a state dict at the top of ``file``, or under its ``key``.

    Raises:
        InputError: see :func:`read`.
        OSError: the file cannot be read.
    """
    items = mapping(read(file.read_bytes(), file.name, (key,)).root) or {}
    named = mapping(items.get(key)) or items
    return {str(name): value.tensor() for name, value in named.items() if isinstance(value, Stored)}


def mapping(value: Any) -> dict[Any, Any] | None:
    """Items of a dictionary, ordered or not; None for anything else."""
    if isinstance(value, dict):
        return value
    return value.items if isinstance(value, Record) and value.name == _ORDERED and not value.arguments else None


def plain(value: Any, most: int = 10_000, tensors: bool = False) -> Any:
    """Convert ``value`` and its content to plain Python: numbers, texts, lists, tuples, sets, dictionaries.

    numpy scalars become numbers, paths become texts, and a namespace of settings becomes a dictionary.

    Args:
        most: maximum number of values.
        tensors: convert :class:`Stored` to tensors.

    Raises:
        ValueError: a value is not plain, or there are too many.
    """
    left = [most]

    def convert(value: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0 or depth > _DEEPEST:
            raise ValueError("a value holds more than any setting")
        below = functools.partial(convert, depth=depth + 1)
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        if isinstance(value, Stored) and tensors:
            return value.tensor()
        if isinstance(value, Tuple):
            return tuple(map(below, value))
        if isinstance(value, Set):
            return list(map(below, value))
        if isinstance(value, list):
            return list(map(below, value))
        if (items := mapping(value)) is not None:
            return {key: below(one) for key, one in items.items()}
        if isinstance(value, Record):
            return _plain_record(value, below)
        raise ValueError("a value is not plain")

    return convert(value, 0)


def _plain_record(record: Record, below: Any) -> Any:
    arguments = record.arguments
    if record.name in ("torch.Size", *_SETS) and len(arguments) == 1 and isinstance(arguments[0], list):
        return tuple(map(below, arguments[0]))
    if record.name in _SCALARS:
        return _scalar(record)
    if record.name in _PATHS and all(isinstance(part, str) for part in arguments):
        return "/".join(arguments)
    if record.name == "_codecs.encode" and len(arguments) == 2 and isinstance(arguments[0], str):
        return arguments[0].encode("latin1")
    if record.name.endswith(".IterableSimpleNamespace") and isinstance(record.state, dict):
        return {str(key): below(value) for key, value in record.state.items()}
    raise ValueError("a value is not plain")


def _scalar(record: Record) -> Any:
    """A numpy number: ``scalar(dtype("f8", False, True), bytes)``."""
    kind, given = [*record.arguments, None, None][:2]
    if isinstance(given, Record) and given.name == "_codecs.encode":
        given = _plain_record(given, None)
    code = kind.arguments[0] if isinstance(kind, Record) and kind.arguments else None
    if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8") or type(given) is not bytes:
        raise ValueError("a numpy scalar is not a number")
    order = kind.state[1] if isinstance(kind.state, list) and len(kind.state) > 1 else "<"
    dtype = np.dtype(code).newbyteorder(">" if order == ">" else "<")
    if len(given) != dtype.itemsize:
        raise ValueError("a numpy scalar is not a number")
    return np.frombuffer(given, dtype)[0].item()
