"""Parse the manual's subset of Markdown into blocks and lines for :mod:`inspector.ui.kit.markdown.view`.

Supported: headings, paragraphs, lists (nested by indentation), quotes, fenced code, tables, rules, images on a line of
their own; and within a line ``**bold**``, ``*slanted*``, code and links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "text", "item", "quote", "code", "table", "rule", "image"]
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*"
    # Next to a Chinese character a star opens and closes, as in CommonMark; in a Latin word or number it is literal.
    r"|(?<![A-Za-z0-9_*])\*(?P<slanted>[^*\s](?:[^*]*[^*\s])?)\*(?![A-Za-z0-9_*])"
    r"|!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)"
)
_ITEM = re.compile(r"(?P<indent> *)(?P<mark>[-*+]|\d+[.)]) +(?P<text>.*)")
_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One block of a page.

    Attributes:
        text: of code with its line breaks; of an image its description.
        level: of a heading 1 to 6; of an item its depth, from 0.
        mark: of an item its bullet or number; of an image its file; of a heading its anchor.
        rows: of a table, the first one its head.
    """

    kind: Kind
    text: str = ""
    level: int = 0
    mark: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def parse(source: str) -> list[Block]:
    """The blocks of a page, in order."""
    return list(_Parser(source.splitlines()).blocks())


def plain(text: str) -> str:
    """Return a line without its markup."""
    return "".join(part for part, _, _ in inline(text))


def inline(text: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Parts of a line: ``(text, styles, target)``; styles of ``bold``, ``slanted``, ``code``, ``link``."""
    at = 0
    for match in _INLINE.finditer(text):
        if match.start() > at:
            yield text[at : match.start()], (), ""
        at = match.end()
        if match["code"] is not None:
            yield match["code"], ("code",), ""
        elif match["target"] is not None:
            yield plain(match["text"]), ("link",), match["target"]
        else:
            style = "bold" if match["bold"] is not None else "slanted"
            for part, styles, target in inline(match["bold"] or match["slanted"]):
                yield part, (style, *styles), target
    if at < len(text):
        yield text[at:], (), ""


def anchor(text: str) -> str:
    """The name by which a link finds a heading, as GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", plain(text).strip().lower())
    return kept.replace(" ", "-")


class _Parser:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._anchors: dict[str, int] = {}

    def blocks(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip()
            if not line:
                self._at += 1
            elif line.lstrip().startswith("```"):
                yield Block("code", "\n".join(self._fenced()))
            elif heading := re.match(r"(#{1,6}) +(.+?) *#*$", line):
                self._at += 1
                yield Block("heading", heading[2], len(heading[1]), self._anchor(heading[2]))
            elif re.fullmatch(r"(-{3,}|\*{3,}|_{3,})", line):
                self._at += 1
                yield Block("rule")
            elif image := _IMAGE.fullmatch(line.strip()):
                self._at += 1
                yield Block("image", image["alt"], mark=image["target"])
            elif line.startswith("|") and self._is_table():
                yield Block("table", rows=tuple(self._table()))
            elif line.startswith(">"):
                yield Block("quote", self._joined(lambda text: text.startswith(">"), lambda text: text.lstrip("> ")))
            elif item := _ITEM.fullmatch(line):
                self._at += 1
                rest = self._joined(lambda text: text.startswith(" ") and not self._begins(text), str.strip)
                mark = "•" if item["mark"] in "-*+" else item["mark"]
                text = join_lines([item["text"], rest] if rest else [item["text"]])
                yield Block("item", text, min(len(item["indent"]) // 2, 4), mark)
            else:
                self._at += 1
                rest = self._joined(lambda text: not self._begins(text), str.strip)
                yield Block("text", join_lines([line.strip(), rest] if rest else [line.strip()]))

    def _begins(self, line: str) -> bool:
        """Whether a line begins something other than a paragraph."""
        marks = ("```", "#", "|", ">")
        return line.lstrip().startswith(marks) or bool(_ITEM.fullmatch(line) or _IMAGE.fullmatch(line.strip()))

    def _joined(self, belongs: Callable[[str], bool], cut: Callable[[str], str]) -> str:
        """The lines that follow as one, as far as they belong."""
        parts: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip()
            if not line or not belongs(line):
                break
            parts.append(cut(line))
            self._at += 1
        return join_lines(parts)

    def _fenced(self) -> Iterator[str]:
        self._at += 1
        while self._at < len(self._lines) and not self._lines[self._at].lstrip().startswith("```"):
            yield self._lines[self._at]
            self._at += 1
        self._at += 1

    def _is_table(self) -> bool:
        after = self._lines[self._at + 1 : self._at + 2]
        return bool(after) and bool(re.fullmatch(r"\|?( *:?-+:? *\|)+( *:?-+:? *)?", after[0].strip()))

    def _table(self) -> Iterator[tuple[str, ...]]:
        first = self._at
        while self._at < len(self._lines) and self._lines[self._at].startswith("|"):
            if self._at != first + 1:
                row = self._lines[self._at].strip().removeprefix("|").removesuffix("|")
                yield tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row))
            self._at += 1

    def _anchor(self, text: str) -> str:
        name = anchor(text)
        count = self._anchors.get(name, 0)
        self._anchors[name] = count + 1
        return f"{name}-{count}" if count else name


def join_lines(lines: Sequence[str]) -> str:
    """Lines as one: with a space between words, without one between Chinese characters."""
    joined = ""
    for line in lines:
        wide = bool(joined) and bool(line) and (ord(joined[-1]) > 0x2E80 or ord(line[0]) > 0x2E80)
        joined += line if wide or not joined else f" {line}"
    return joined
