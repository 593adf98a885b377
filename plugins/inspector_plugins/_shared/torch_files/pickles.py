"""Read a pickle as data: an interpreter of its opcodes that imports, instantiates and calls nothing.

A name (GLOBAL) becomes a :class:`Name`, and what the pickle would call or make (REDUCE, NEWOBJ, BUILD) a
:class:`Record` of the name, its arguments and its state. Dictionaries become lists of pairs, so that nothing is hashed
or compared; no value is ever printed. This module imports the standard library only: it runs in the isolated process.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

MOST_OPCODES = 3_000_000  # the largest official model's pickle has 0.2 million
MOST_MARKS = 10_000
LONGEST_NAME = 256
LARGEST_INTEGER = 9  # bytes
RESULT = "()"  # suffix of the name of a call's result that would be called
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # names in pickle protocol 2, which torch uses


class Unreadable(ValueError):
    """Not a pickle, or one that no checkpoint contains; the message is a short phrase for a sentence."""


class Name:
    """A global that the pickle names."""

    __slots__ = ("dotted",)

    def __init__(self, dotted: str) -> None:
        self.dotted = dotted


class Record:
    """The object that the pickle would have created by calling ``name`` with ``arguments``.

    Attributes:
        name: dotted.
        arguments: a tuple, as given.
        state: what BUILD would have filled it with, or None.
        pairs: what SETITEMS would have set.
        elements: what APPENDS and ADDITEMS would have added.
    """

    __slots__ = ("arguments", "elements", "name", "pairs", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments, self.state = name, arguments, None
        self.pairs: list[tuple[Any, Any]] = []
        self.elements: list[Any] = []


class Pairs:
    """A dictionary, as pairs, that hashes nothing."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []


class Elements:
    """A set, as a list, that hashes nothing."""

    __slots__ = ("elements",)

    def __init__(self, elements: list[Any]) -> None:
        self.elements = elements


class Persistent:
    """A reference to something outside of the pickle: torch's storages."""

    __slots__ = ("identity",)

    def __init__(self, identity: Any) -> None:
        self.identity = identity


class Interpreter:
    """Interprets one pickle.

    Attributes:
        names: every global named so far, dotted, in order of appearance; also kept if reading fails.
    """

    def __init__(self, pickled: bytes) -> None:
        self._data, self._at = pickled, 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._known: dict[str, Name] = {}

    @property
    def names(self) -> list[str]:
        return list(self._known)

    def run(self) -> Any:
        """Return the value of the pickle.

        Raises:
            Unreadable: with the reason.
        """
        data, table = self._data, _OPCODES
        try:
            for _ in range(MOST_OPCODES):
                code = data[self._at]
                self._at += 1
                if code == 0x2E:  # STOP
                    if len(self._stack) != 1 or self._marks:
                        raise Unreadable("its values are not complete")
                    return self._stack[0]
                operation = table[code]
                if operation is None:
                    raise Unreadable(f"it uses the pickle instruction 0x{code:02x}, which no checkpoint needs")
                operation(self)
        except (IndexError, struct.error, OverflowError):
            raise Unreadable("it is cut off or damaged inside") from None
        except UnicodeDecodeError:
            raise Unreadable("it holds text that is not UTF-8") from None
        raise Unreadable("it is longer than the description of any network")

    # Reading.

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise IndexError
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at, self._at + LONGEST_NAME + 1) if self._has_line() else -1
        if end < 0:
            raise Unreadable("it names something too long")
        line = self._data[self._at : end].decode()
        self._at = end + 1
        return line

    def _has_line(self) -> bool:
        return self._data.find(b"\n", self._at, self._at + LONGEST_NAME + 1) >= 0

    def _number(self, form: str, size: int) -> Any:
        return struct.unpack(form, self._take(size))[0]

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        if start > len(self._stack):
            raise Unreadable("its values are not complete")
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _pop(self) -> Any:
        if self._marks and self._marks[-1] >= len(self._stack):
            raise Unreadable("its values are not complete")
        return self._stack.pop()

    def _top(self) -> Any:
        if self._marks and self._marks[-1] >= len(self._stack):
            raise Unreadable("its values are not complete")
        return self._stack[-1]

    # Opcodes.

    def _mark(self) -> None:
        if len(self._marks) >= MOST_MARKS:
            raise Unreadable("it is nested too deeply")
        self._marks.append(len(self._stack))

    def _pop_mark(self) -> None:
        self._since_mark()

    def _pop_one(self) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._stack.pop()

    def _duplicate(self) -> None:
        self._stack.append(self._top())

    def _protocol(self) -> None:
        if self._take(1)[0] > 5:
            raise Unreadable("it is a pickle of an unknown protocol")

    def _frame(self) -> None:
        self._take(8)

    def _text(self, form: str, size: int) -> None:
        self._stack.append(self._take(self._number(form, size)).decode("utf-8", "surrogatepass"))

    def _bytes(self, form: str, size: int) -> None:
        self._stack.append(self._take(self._number(form, size)))

    def _old_text(self, form: str, size: int) -> None:  # str of Python 2
        count = self._number(form, size)
        if count < 0:
            raise IndexError
        self._stack.append(self._take(count).decode("utf-8", "surrogateescape"))

    def _long(self, form: str, size: int) -> None:
        count = self._number(form, size)
        if not 0 <= count <= LARGEST_INTEGER:
            raise Unreadable("it holds a number that is too large")
        self._stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def _decimal(self) -> None:  # INT and LONG of protocol 0
        line = self._line().rstrip("L")
        if line in ("00", "01"):
            self._stack.append(line == "01")
            return
        if len(line) > 20:
            raise Unreadable("it holds a number that is too large")
        try:
            self._stack.append(int(line))
        except ValueError:
            raise Unreadable("it is damaged inside") from None

    def _global(self) -> None:
        module, name = self._line(), self._line()
        self._named(module, name)

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str or len(name) + len(module) > LONGEST_NAME:
            raise Unreadable("it names something that is no name")
        self._named(module, name)

    def _named(self, module: str, name: str) -> None:
        dotted = f"{_PYTHON_2.get(module, module)}.{name}"
        self._stack.append(self._known.setdefault(dotted, Name(dotted)))

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        self._record(function, arguments)

    def _new_object(self) -> None:
        arguments, cls = self._pop(), self._pop()
        self._record(cls, arguments)

    def _new_object_named(self) -> None:
        named, arguments, cls = self._pop(), self._pop(), self._pop()
        if type(named) is not Pairs or named.pairs:
            raise Unreadable("it makes an object in a way that no checkpoint needs")
        self._record(cls, arguments)

    def _record(self, function: Any, arguments: Any) -> None:
        if type(arguments) is not tuple:
            raise Unreadable("its values are not complete")
        if type(function) is Name:
            self._stack.append(Record(function.dotted, arguments))
        elif type(function) is Record and not function.name.endswith(RESULT):
            self._stack.append(Record(function.name + RESULT, arguments))  # as dill writes: a name that does not exist
        else:
            raise Unreadable("it calls something that it does not name")

    def _build(self) -> None:
        state, made = self._pop(), self._top()
        if type(made) is not Record or made.state is not None:
            raise Unreadable("it changes something that it did not make")
        made.state = state

    def _append(self) -> None:
        item = self._pop()
        self._extend([item])

    def _appends(self) -> None:
        items = self._since_mark()
        self._extend(items)

    def _extend(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is list:
            target.extend(items)
        elif type(target) in (Record, Elements):
            target.elements.extend(items)
        else:
            raise Unreadable("it adds to something that is no list")

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _set_items(self) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) not in (Pairs, Record) or len(items) % 2:
            raise Unreadable("it sets items of something that is no dictionary")
        target.pairs.extend(zip(items[::2], items[1::2], strict=True))

    def _put(self, key: int) -> None:
        self._memo[key] = self._top()

    def _get(self, key: int) -> None:
        if key not in self._memo:
            raise Unreadable("it is damaged inside")
        self._stack.append(self._memo[key])

    def _dictionary(self) -> None:
        items, made = self._since_mark(), Pairs()
        self._stack.append(made)
        self._set(items)

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def _persistent(self) -> None:
        self._stack.append(Persistent(self._pop()))

    def _integer_of(self, text: str) -> int:
        if not text.isdecimal() or len(text) > 10:
            raise Unreadable("it is damaged inside")
        return int(text)


def _table() -> list[Callable[[Interpreter], None] | None]:
    of = Interpreter

    def push(make: Callable[[], Any]) -> Callable[[Interpreter], None]:
        return lambda it: it._stack.append(make())

    def number(form: str) -> Callable[[Interpreter], None]:
        size = struct.calcsize(form)
        return lambda it: it._stack.append(it._number(form, size))

    def sized(method: Callable[[Interpreter, str, int], None], form: str) -> Callable[[Interpreter], None]:
        size = struct.calcsize(form)
        return lambda it: method(it, form, size)

    known: dict[bytes, Callable[[Interpreter], None]] = {
        b"(": of._mark,
        b"0": of._pop_one,
        b"1": of._pop_mark,
        b"2": of._duplicate,
        b"\x80": of._protocol,
        b"\x95": of._frame,
        b"N": push(lambda: None),
        b"\x88": push(lambda: True),
        b"\x89": push(lambda: False),
        b"]": push(list),
        b"}": push(Pairs),
        b")": push(tuple),
        b"\x8f": push(lambda: Elements([])),
        b"J": number("<i"),
        b"K": number("<B"),
        b"M": number("<H"),
        b"G": number(">d"),
        b"I": of._decimal,
        b"L": of._decimal,
        b"\x8a": sized(of._long, "<B"),
        b"\x8b": sized(of._long, "<i"),
        b"X": sized(of._text, "<I"),
        b"\x8c": sized(of._text, "<B"),
        b"\x8d": sized(of._text, "<Q"),
        b"B": sized(of._bytes, "<I"),
        b"C": sized(of._bytes, "<B"),
        b"\x8e": sized(of._bytes, "<Q"),
        b"T": sized(of._old_text, "<i"),
        b"U": sized(of._old_text, "<B"),
        b"c": of._global,
        b"\x93": of._stack_global,
        b"R": of._reduce,
        b"\x81": of._new_object,
        b"\x92": of._new_object_named,
        b"b": of._build,
        b"a": of._append,
        b"e": of._appends,
        b"\x90": of._appends,
        b"s": of._set_item,
        b"u": of._set_items,
        b"q": lambda it: it._put(it._take(1)[0]),
        b"r": lambda it: it._put(it._number("<I", 4)),
        b"p": lambda it: it._put(it._integer_of(it._line())),
        b"\x94": lambda it: it._put(len(it._memo)),
        b"h": lambda it: it._get(it._take(1)[0]),
        b"j": lambda it: it._get(it._number("<I", 4)),
        b"g": lambda it: it._get(it._integer_of(it._line())),
        b"t": lambda it: it._stack.append(tuple(it._since_mark())),
        b"l": lambda it: it._stack.append(it._since_mark()),
        b"\x91": lambda it: it._stack.append(Elements(it._since_mark())),
        b"d": of._dictionary,
        b"\x85": lambda it: it._tuple(1),
        b"\x86": lambda it: it._tuple(2),
        b"\x87": lambda it: it._tuple(3),
        b"Q": of._persistent,
    }
    return [known.get(bytes((code,))) for code in range(256)]


_OPCODES = _table()
