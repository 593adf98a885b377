"""Read text files of other programs: common encodings, with limits on size and depth."""

from __future__ import annotations

import codecs
import json
import os
import stat
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from inspector.domain import InputError, message
from inspector.system.paths import long_path

LARGEST_YAML = 1 << 20  # bytes
LARGEST_LABEL = 16 << 20
LARGEST_LIST = 16 << 20
LARGEST_JSON = 512 << 20
_DEEPEST = 20  # levels of a data.yaml
_MOST_VALUES = 100_000  # in a data.yaml, with aliases expanded
_MARKS = {  # byte order mark -> encoding; UTF-32 before UTF-16, whose mark it begins with
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def shown(value: object, most: int = 120) -> str:
    """Shorten ``value`` for a message: one line without control characters, at most ``most`` characters."""
    text = str(value) if not isinstance(value, str) else value
    if len(text) > most:
        text = f"{text[: most - most // 3 - 1]}…{text[len(text) - most // 3 :]}"
    return "".join("\ufffd" if _is_control(one) else one for one in text)


def _is_control(character: str) -> bool:
    """Whether it is a control or format character (e.g. U+202E, which reverses text) or a lone surrogate."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def read_text(file: Path, largest: int) -> str:
    """Read a file in UTF-8, UTF-16, UTF-32 or GB 18030 (which includes GBK and GB 2312).

    Args:
        largest: maximum size in bytes.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is not a regular file, too large, unreadable, or in another encoding.
    """
    try:
        with open(long_path(file), "rb", opener=_without_waiting) as opened:
            size, mode = (status := os.fstat(opened.fileno())).st_size, status.st_mode
            if not stat.S_ISREG(mode):
                raise InputError("{file} is a device or a pipe, not a text file", file=shown(file))
            if size > largest:
                raise InputError(
                    "{file} has {size} MB; the limit is {largest} MB",
                    file=shown(file),
                    size=size >> 20,
                    largest=largest >> 20,
                )
            data = opened.read(size + 1)  # one byte more, in case it has grown; the memory is allocated at once
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise InputError("{file} is a folder, not a text file", file=shown(file)) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "{file} cannot be read ({reason})", file=shown(file), reason=getattr(error, "strerror", None) or error
        ) from None
    if len(data) > size:
        raise InputError("{file} is being written; try again when that is finished", file=shown(file))
    text = _decoded(data)
    if text is None:
        raise InputError("{file} is text neither in UTF-8 nor in GB 18030; save it as UTF-8", file=shown(file))
    return text


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # opening a pipe without a writer would block


def _decoded(data: bytes) -> str | None:
    """Decode; None if it is not text."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:4]:  # all these files begin with an ASCII character
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    for name in (encoding,) if encoding else ("utf-8", "gb18030"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        private = name == "gb18030" and any("\ue000" <= one <= "\uf8ff" for one in text)
        return None if "\0" in text or private else text
    return None


def read_json(file: Path) -> Any:
    """Parse a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is too large, not text, or not JSON; with the position of the error.
    """
    text = read_text(file, LARGEST_JSON)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            "{file} cannot be read as JSON (line {line}: {reason})",
            file=shown(file),
            line=error.lineno,
            reason=error.msg,
        ) from None
    except RecursionError:
        raise InputError("{file} cannot be read as JSON: it is nested too deeply", file=shown(file)) from None
    except ValueError:  # an integer of thousands of digits
        raise InputError(
            "{file} cannot be read as JSON: it contains a number with thousands of digits", file=shown(file)
        ) from None
    except MemoryError:
        raise InputError("{file} cannot be read as JSON: it needs more memory than is free", file=shown(file)) from None


def read_yaml(file: Path) -> Any:
    """Parse a YAML file: lists, mappings with text keys, and texts.

    Every scalar stays text: ``no`` is not False, ``010`` not 8.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is too large, not text or not YAML, nested too deeply, or expanded excessively by aliases.
    """
    text = read_text(file, LARGEST_YAML)
    try:
        return _Builder(file).build(text)
    except yaml.MarkedYAMLError as error:
        marks = [mark.line for mark in (error.context_mark, error.problem_mark) if mark is not None] or [0]
        for line, words in enumerate(text.splitlines()[min(marks) : max(marks) + 1], min(marks) + 1):
            if (hint := _misspelt([words])) is not None:
                raise InputError("{file}, line {line}: {hint}", file=shown(file), line=line, hint=hint) from None
        problem = shown(error.problem or error.context or "")
        raise InputError(
            "{file} cannot be read as YAML (line {line}: {reason})",
            file=shown(file),
            line=max(marks) + 1,
            reason=problem,
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError("{file} cannot be read as YAML ({reason})", file=shown(file), reason=shown(error)) from None


def explain_yaml(text: str) -> str | None:
    """Explain mistakes such as ``0:crack`` or ``names：[a]``, which YAML takes for plain text."""
    return _misspelt(text.split())


def _misspelt(words: list[str]) -> str | None:
    for word in words:
        key, colon, rest = word.strip().partition(":")
        if colon and rest[:1].strip() and (key.isdecimal() or key in ("train", "val", "test", "nc", "names", "path")):
            return message("a space is missing after the colon in '{word}'", word=shown(word.strip(), 40))
        if "：" in word:
            return message("'{word}' has a full-width colon; write ': ' instead", word=shown(word.strip(), 40))
        if "\t" in word:
            return message("it contains a tab; YAML allows spaces only")
    return None


class _Builder:
    """Builds plain values from YAML events, without recursion, counting the values that aliases expand to."""

    def __init__(self, file: Path) -> None:
        self._name = shown(file)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._stack: list[_Level] = []
        self._result: Any = None
        self._documents = self._values = 0

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            self._take(event)
        return self._result

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise InputError("{name} contains several YAML documents (---); keep one", name=self._name)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(self._stack) >= _DEEPEST:
                    raise InputError(
                        "{name} is nested more than {limit} levels deep, which no data.yaml is",
                        name=self._name,
                        limit=_DEEPEST,
                    )
                container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._stack.append(_Level(container, event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                level = self._stack.pop()
                self._put(level.container, level.values + 1, level.anchor, event)
            case yaml.AliasEvent():
                known = self._anchors.get(event.anchor)
                if known is None:
                    raise InputError(
                        "{name} uses the alias *{anchor} before its definition",
                        name=self._name,
                        anchor=shown(event.anchor, 40),
                    )
                self._count(known[1])
                self._put(*known, None, event)
            case yaml.ScalarEvent():
                self._count(1)
                self._put(event.value, 1, event.anchor, event)

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > _MOST_VALUES:
            raise InputError(
                "{name} expands to more than {limit} values, which no data.yaml does",
                name=self._name,
                limit=_MOST_VALUES,
            )

    def _put(self, value: Any, values: int, anchor: str | None, event: yaml.Event) -> None:
        if anchor is not None:
            self._anchors[anchor] = value, values
        if not self._stack:
            self._result = value
            return
        level = self._stack[-1]
        level.values += values
        if isinstance(level.container, list):
            level.container.append(value)
        elif level.key is not None:
            level.container[level.key] = value
            level.key = None
        else:
            line = event.start_mark.line + 1
            if not isinstance(value, str):
                raise InputError(
                    "{name}, line {line}: a list or mapping where a word is needed", name=self._name, line=line
                )
            if value == "<<":
                raise InputError(
                    "{name}, line {line}: merging with << is not read; write the lines out", name=self._name, line=line
                )
            if value in level.container:
                raise InputError(
                    "{name}, line {line}: '{value}' is there twice; keep one",
                    name=self._name,
                    line=line,
                    value=shown(value, 40),
                )
            level.key = value


class _Level:
    """A list or mapping under construction, the key waiting for its value, and the number of values."""

    def __init__(self, container: Any, anchor: str | None) -> None:
        self.container, self.anchor = container, anchor
        self.key: str | None = None
        self.values = 0
