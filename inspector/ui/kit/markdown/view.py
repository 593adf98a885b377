"""A text widget that shows a Markdown page, with links that the keyboard reaches."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any
from urllib.parse import unquote

from PIL import Image, ImageTk

from inspector.ui.kit import theme
from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.markdown.line_breaks import LineBreaks
from inspector.ui.kit.markdown.parser import Block, inline, parse, plain
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.tasks import BackgroundTasks

_LAST_COLUMN = 0.3  # share of the page kept for a table's last column
_CHINESE = 0x2E80
_READING = 780  # widest column of text at 96 dpi, so that lines stay readable


class MarkdownView(ttk.Frame):
    """Shows a page of Markdown.

    Args:
        tasks: reads images on threads.
        follow: called with the target of a link to another page; ``#…`` is followed here.
    """

    def __init__(self, parent: tk.Misc, tasks: BackgroundTasks, follow: Callable[[str], object]) -> None:
        super().__init__(parent)
        self._tasks, self._follow = tasks, follow
        self._images: list[ImageTk.PhotoImage] = []
        self._links: dict[str, str] = {}
        self._anchors: dict[str, str] = {}
        self._page = 0  # an image read late may belong to an earlier page
        self.text = tk.Text(self, wrap="word", relief="flat", borderwidth=0, cursor="arrow", font=theme.font("body"))
        self.text.configure(padx=theme.px(20), pady=theme.px(12), state="disabled")
        add_scrollbars(self.text, across=False)
        self._slanted = tkfont.Font(self, font=tkfont.nametofont(theme.font("body"), self).copy())
        self._slanted.configure(slant="italic")
        self._style()
        theme.on_theme_change(self.text, self._paint)
        self._breaks = LineBreaks(self.text)
        self._mending = IdleCall(self, self._breaks.update)
        self.text.bind("<Configure>", self._resized)
        self.text.bind("<Tab>", lambda _: self._next_link(1))
        for keys in ("<Shift-Tab>", "<ISO_Left_Tab>"):
            try:
                self.text.bind(keys, lambda _: self._next_link(-1))
            except tk.TclError:  # X11 alone knows the second name
                continue
        self.text.bind("<Return>", lambda _: self._open_current())
        self.text.bind("<Key>", self._scroll_key)

    def show(self, source: str, folder: Path) -> list[Block]:
        """Show a page with images relative to ``folder``; return its headings."""
        blocks = parse(source)
        text = self.text
        self.update_idletasks()  # tables and images need its width
        # Tk breaks lines at blanks, of which Chinese has none.
        chinese = sum(ord(character) > _CHINESE for character in source) > len(source) / 20
        text.configure(state="normal", wrap="char" if chinese else "word")
        text.delete("1.0", "end")
        self._page += 1
        self._images, self._links, self._anchors = [], {}, {}
        for tag in text.tag_names():
            if tag.startswith(("link-", "table-")):
                text.tag_delete(tag)
        for place, block in enumerate(blocks):
            self._insert(block, folder, place)
        text.configure(state="disabled")
        text.mark_set("insert", "1.0")
        text.yview_moveto(0)
        self._mend_soon()
        return [block for block in blocks if block.kind == "heading"]

    def go_to(self, anchor: str) -> bool:
        """Scroll a heading to the top; return False if there is none of that name."""
        index = self._anchors.get(anchor)
        if index is None:
            return False
        self.text.yview(index)
        self.text.mark_set("insert", index)
        return True

    def seek(self, sought: str, again: bool = True) -> bool:
        """Highlight all matches of a text, ignoring case, and scroll to the next one.

        Args:
            again: continue after the last match shown; False: from the beginning.

        Returns:
            Whether there is a match.
        """
        text, length = self.text, tk.IntVar(self)
        text.tag_remove("found", "1.0", "end")
        text.tag_remove("sel", "1.0", "end")
        if not sought.strip():
            return False
        at = "1.0"
        while at := text.search(sought, at, "end", nocase=True, count=length):
            text.tag_add("found", at, f"{at}+{length.get()}c")
            at = f"{at}+{max(1, length.get())}c"
        first = text.search(sought, f"{text.index('insert')}+1c" if again else "1.0", nocase=True, count=length)
        if first:
            text.tag_add("sel", first, f"{first}+{length.get()}c")
            text.mark_set("insert", first)
            text.see(first)
        return bool(first)

    # Style

    def _style(self) -> None:
        tag, px = self.text.tag_configure, theme.px
        tag("heading1", font=theme.font("title"), spacing1=px(12), spacing3=px(8))
        tag("heading2", font=theme.font("number"), spacing1=px(16), spacing3=px(6))
        for level in (3, 4, 5, 6):
            tag(f"heading{level}", font=theme.font("head"), spacing1=px(12), spacing3=px(4))
        tag("text", spacing1=px(2), spacing2=px(2), spacing3=px(6))
        for depth in range(5):
            left = px(20) * (depth + 1)
            hang = left + px(18)
            tag(f"item{depth}", lmargin1=left, lmargin2=hang, tabs=(hang,), spacing2=px(2), spacing3=px(4))
        tag("quote", lmargin1=px(16), lmargin2=px(16), spacing1=px(4), spacing3=px(4))
        tag("block", font=theme.font("mono"), lmargin1=px(12), lmargin2=px(12), rmargin=px(12), wrap="none")
        tag("head", font=theme.font("head"))
        tag("cell", spacing1=px(3), spacing3=px(3))
        tag("bold", font=theme.font("head"))
        tag("slanted", font=self._slanted.name)
        tag("code", font=theme.font("mono"))
        tag("link", underline=True)
        tag("centre", spacing1=px(6), spacing3=px(10))
        self.text.tag_bind("link", "<Enter>", lambda _: self.text.configure(cursor="hand2"))
        self.text.tag_bind("link", "<Leave>", lambda _: self.text.configure(cursor="arrow"))
        tag("found", underline=True)
        self.text.tag_raise("found")
        self.text.tag_raise("sel")

    def _paint(self) -> None:
        tokens, tag = theme.tokens(), self.text.tag_configure
        tag("found", background=tokens.warn, foreground=tokens.on_warn)
        self.text.configure(
            background=tokens.card, foreground=tokens.text, insertbackground=tokens.card,
            selectbackground=tokens.selection, selectforeground=tokens.on_selection,
            highlightthickness=theme.px(1), highlightbackground=tokens.line, highlightcolor=tokens.primary,
        )  # fmt: skip
        tag("link", foreground=tokens.primary)
        tag("current", background=tokens.selection, foreground=tokens.on_selection)
        for name in ("code", "block", "quote"):
            tag(name, background=tokens.panel)
        tag("rule", foreground=tokens.line)
        tag("muted", foreground=tokens.muted)
        self.text.tag_raise("current")

    def _resized(self, event: Any) -> None:
        spare = max(0, event.width - theme.px(_READING))
        self.text.configure(padx=theme.px(20) + spare // 2)
        self._mend_soon()

    def _mend_soon(self) -> None:
        """Chinese lines are broken by Tk first."""
        if str(self.text.cget("wrap")) == "char":
            self._mending.request()

    def _width(self) -> int:
        """Pixels that a line may take."""
        room = self.text.winfo_width() - 2 * int(str(self.text.cget("padx")))
        return max(theme.px(200), room if self.text.winfo_width() > 1 else theme.px(_READING))

    # Content

    def _insert(self, block: Block, folder: Path, place: int) -> None:
        text = self.text
        if block.kind == "heading":
            self._anchors[block.mark] = text.index("end-1c")
            self._line(block.text, f"heading{block.level}")
        elif block.kind == "item":
            text.insert("end", f"{block.mark}\t", f"item{block.level}")
            self._line(block.text, f"item{block.level}")
        elif block.kind == "code":
            text.insert("end", f"{block.text}\n", "block")
            text.insert("end", "\n")
        elif block.kind == "table":
            self._table(block, f"table-{place}")
        elif block.kind == "rule":
            text.insert("end", "─" * 40 + "\n", "rule")
        elif block.kind == "image":
            self._image(block, folder, f"image{place}")
        else:
            self._line(block.text, block.kind)

    def _line(self, source: str, *tags: str, end: str = "\n") -> None:
        for part, styles, target in inline(source):
            if target:
                name = f"link-{len(self._links)}"
                self._links[name] = target
                self.text.tag_bind(name, "<Button-1>", lambda _, name=name: self._open(name))  # type: ignore[misc]
                styles = (*styles, name)
            self.text.insert("end", part, (*tags, *styles))
        self.text.insert("end", end, tags)

    def _table(self, block: Block, tag: str) -> None:
        """Insert a table with tab stops, wrapping the last column; cells below each other if that is
        too little."""
        head, *rows = block.rows
        measure = tkfont.nametofont(theme.font("head"), self).measure
        stops, at = [], 0
        for cells in list(zip_longest(*block.rows, fillvalue=""))[:-1]:
            at += max(measure(plain(cell)) for cell in cells) + theme.px(16)
            stops.append(at)
        if at > self._width() * (1 - _LAST_COLUMN):
            self._list(head, rows)
            return
        self.text.tag_configure(tag, tabs=stops or "", lmargin2=at)
        for number, row in enumerate(block.rows):
            tags = (tag, "cell") if number else (tag, "cell", "head")
            if number or any(head):
                for cell in row[:-1]:
                    self._line(cell, *tags, end="\t")
                self._line(row[-1], *tags)
        self.text.insert("end", "\n")

    def _list(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table that is too wide: its rows one after the other."""
        for row in rows:
            self._line(row[0], "cell", "head")
            for name, cell in zip(head[1:], row[1:], strict=False):
                colon = "：" if name and ord(name[-1]) > _CHINESE else ": "
                self._line(f"{name}{colon}{cell}" if name else cell, "item0")
        self.text.insert("end", "\n")

    def _image(self, block: Block, folder: Path, mark: str) -> None:
        """Insert the image's description; the image replaces it when it has been read."""
        page = self._page
        self.text.mark_set(mark, "end-1c")
        self.text.mark_gravity(mark, "left")
        self.text.insert("end", f"[{block.text or block.mark}]", ("muted", "centre"))
        self.text.insert("end", "\n", "centre")
        file = folder / unquote(block.mark)

        def put(image: Image.Image | None) -> None:
            if image is None or page != self._page or not self.winfo_exists():
                return
            shown = ImageTk.PhotoImage(image, master=self)
            self._images.append(shown)
            self.text.configure(state="normal")
            self.text.delete(mark, f"{mark} lineend")
            self.text.image_create(mark, image=shown, padx=0)
            self.text.configure(state="disabled")

        self._tasks.run(read_image, file, self._width(), theme.scale(), done=put)

    # Links

    def _open(self, name: str) -> None:
        target = self._links[name]
        if target.startswith("#"):
            self.go_to(unquote(target[1:]))
        else:
            self._follow(target)

    def _next_link(self, step: int) -> str | None:
        """Select the next link; after the last one the focus moves on as usual."""
        names = list(self._links)
        ranges = self.text.tag_ranges("current")
        here = next((name for name in names if ranges and name in self.text.tag_names(ranges[0])), None)
        place = names.index(here) + step if here is not None else (0 if step > 0 else len(names) - 1)
        self.text.tag_remove("current", "1.0", "end")
        if not 0 <= place < len(names):
            return None
        start, stop = self.text.tag_ranges(names[place])[:2]
        self.text.tag_add("current", start, stop)
        self.text.see(start)
        return "break"

    def _open_current(self) -> str:
        ranges = self.text.tag_ranges("current")
        for name in self.text.tag_names(ranges[0]) if ranges else ():
            if name in self._links:
                self._open(name)
        return "break"

    def _scroll_key(self, event: Any) -> str | None:
        """Scroll with the arrow keys, since there is no visible cursor."""
        if event.keysym in ("Up", "Down"):
            self.text.yview_scroll(-1 if event.keysym == "Up" else 1, "units")
            return "break"
        if event.keysym in ("Prior", "Next"):
            self.text.yview_scroll(-1 if event.keysym == "Prior" else 1, "pages")
            return "break"
        if event.keysym in ("Home", "End"):
            self.text.yview_moveto(0 if event.keysym == "Home" else 1)
            return "break"
        return None


def read_image(file: Path, width: int, scale: float) -> Image.Image | None:
    """Read an image at its size on this screen, reduced if wider than ``width``; None if it is missing
    or damaged."""
    try:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
    except OSError:
        return None
    factor = min(scale, width / image.width)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image if factor == 1 else image.resize(size, Image.Resampling.LANCZOS)
