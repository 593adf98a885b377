"""Help: quick start with buttons, manual, keyboard shortcuts, licence and third-party components."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

from inspector import __version__, diagnostics
from inspector.diagnostics import Package
from inspector.system import paths
from inspector.ui.kit import dialogs, open_externally, strings, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.markdown.parser import Block, plain
from inspector.ui.kit.markdown.view import MarkdownView
from inspector.ui.kit.page import Page
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.support import copy_report
from inspector.ui.kit.widgets import ScrollFrame, Tooltip

_TOPICS = ("first", "manual", "keys", "about")


class HelpPage(Page):
    """Four tabs; ``on_show(topic=…)`` opens ``first``, ``manual``, ``keys`` or ``about``."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self.shell = shell
        self._file: Path | None = None
        self._packages_wanted = True
        self._tabs = ttk.Notebook(self)
        self._tabs.pack(fill="both", expand=True, padx=theme.px(8), pady=theme.px(8))
        self._tabs.add(self._first_steps(), text=tr("Quick start"))
        self._tabs.add(self._manual(), text=tr("Manual"))
        self._tabs.add(self._keys(), text=tr("Keys"))
        self._tabs.add(self._about(), text=tr("About"))
        self._tabs.enable_traversal()
        self._tabs.bind("<<NotebookTabChanged>>", lambda _: self._opened())

    # Methods of Page

    def on_show(self, topic: str = "", anchor: str = "") -> None:
        """``topic``: one of the tabs; ``anchor``: a heading of the manual."""
        if topic in _TOPICS:
            self._select(topic)
        if topic == "manual":
            self.view.text.focus_set()  # the keys that scroll act at once
        if anchor:
            self._select("manual")
            self.view.go_to(anchor)

    def save_state(self) -> dict[str, Any]:
        return {"topic": self._topic()}

    def restore_state(self, state: dict[str, Any]) -> None:
        self.on_show(topic=state.get("topic", ""))

    def _topic(self) -> str:
        return _TOPICS[self._tabs.index("current")]  # type: ignore[no-untyped-call]

    def _select(self, topic: str) -> None:
        self._tabs.select(_TOPICS.index(topic))  # type: ignore[no-untyped-call]
        self._opened()

    def _opened(self) -> None:
        """Fill a tab when it is opened for the first time."""
        if self._topic() == "manual" and self._file is None:
            self._show_manual(f"manual.{strings.language()}.md")
        if self._topic() == "about" and self._packages_wanted:
            self._packages_wanted = False
            self.shell.tasks.run(diagnostics.packages, done=self._show_packages)

    # First steps

    def _first_steps(self) -> ttk.Frame:
        scroll = ScrollFrame(self._tabs)
        steps: list[tuple[str, str, str, Callable[[], object]]] = [
            (
                tr("Quick start"),
                tr(
                    "Sample images of bearings are included. Press Start (F5) to get a verdict, OK or NG, for "
                    "each of them."
                ),
                tr("Try the sample images"),
                lambda: self.shell.show("inspect", sample=True),
            ),
            (
                tr("Inspect your own images"),
                tr(
                    "Open an image, a folder, a video or a camera, or drop it on the window. The confidence "
                    "threshold sets how sure the model must be: lower values find more defects but also raise "
                    "more false alarms."
                ),
                tr("Go to Inspect"),
                lambda: self.shell.show("inspect"),
            ),
            (
                tr("Use your own model"),
                tr(
                    "Open best.pt under Model, next to the image: a YOLO11 segmentation model, or one of the "
                    "variants that this program trains. Code in the file is never run."
                ),
                tr("Open the manual"),
                lambda: self.on_show(topic="manual"),
            ),
            (
                tr("Find earlier results"),
                tr("Every result is saved immediately. Search by date, verdict, class or file, and export to Excel."),
                tr("Go to the history"),
                lambda: self.shell.show("history"),
            ),
            (
                tr("Train for your parts"),
                tr(
                    "Check a dataset, choose an architecture and start training; use the model as soon as it "
                    "is finished."
                ),
                tr("Go to training"),
                lambda: self.shell.show("training"),
            ),
        ]
        for number, (title, text, verb, act) in enumerate(steps, 1):
            card = ttk.Frame(scroll.body)
            card.pack(fill="x", padx=theme.px(16), pady=theme.px(12 if number == 1 else 6, 6))
            card.columnconfigure(1, weight=1)
            ttk.Label(card, text=str(number), style="Number.TLabel", width=3, anchor="center").grid(
                row=0, column=0, rowspan=2, sticky="nw"
            )
            ttk.Label(card, text=title, style="Head.TLabel").grid(row=0, column=1, sticky="w")
            label = ttk.Label(card, text=text, justify="left")
            label.grid(row=1, column=1, sticky="ew", pady=theme.px(2, 0))
            wrap(label, still=True)
            style = "Primary.TButton" if number == 1 else "TButton"
            ttk.Button(card, text=verb, style=style, command=act).grid(row=2, column=1, sticky="w", pady=theme.px(6, 0))
        return scroll

    # The manual

    def _manual(self) -> ttk.Frame:
        frame = ttk.Frame(self._tabs)
        frame.columnconfigure(1, weight=1)
        frame.rowconfigure(0, weight=1)
        self._side = ttk.Frame(frame)
        self._side.grid(row=0, column=0, sticky="nsew", padx=(0, theme.px(8)))
        self._side.grid_propagate(False)
        self._side.rowconfigure(1, weight=1)
        self._side.columnconfigure(0, weight=1)
        self.sought = tk.StringVar(frame)
        line = ttk.Frame(self._side)
        line.grid(row=0, column=0, sticky="ew", pady=theme.px(0, 6))
        line.columnconfigure(1, weight=1)
        ttk.Label(line, text=tr("Search")).grid(row=0, column=0, padx=theme.px(0, 6))
        search = ttk.Entry(line, textvariable=self.sought, width=8)
        search.grid(row=0, column=1, sticky="ew")
        Tooltip(search, tr("Search the manual; press Enter for the next match"))
        search.bind("<Return>", lambda _: self._search())
        self.sought.trace_add("write", lambda *_: self.view.seek(self.sought.get(), again=False))
        self.bind("<Control-f>", lambda _: search.focus_set())
        room = ttk.Frame(self._side)
        room.grid(row=1, column=0, sticky="nsew")
        self.contents = ttk.Treeview(room, show="tree", selectmode="browse")
        add_scrollbars(self.contents)
        self.contents.bind("<<TreeviewSelect>>", lambda _: self._chose_heading())
        self.view = MarkdownView(frame, self.shell.tasks, self._follow)
        self.view.grid(row=0, column=1, sticky="nsew")
        return frame

    def _search(self) -> None:
        """Go to the next match of the search, or report that there is none."""
        sought = self.sought.get().strip()
        if sought and not self.view.seek(sought):
            self.shell.toast(tr("“{sought}” was not found on this page of the manual.", sought=sought), "warn")

    def _show_manual(self, name: str) -> bool:
        """Show a page of the manual; return False if there is no page of that name."""
        file = manual_folder() / name
        try:
            source = file.read_text("utf-8")
        except OSError:
            if self._file is None:
                self.view.show(tr("The manual is not included with this program."), file.parent)
            return False
        self._file = file
        headings = self.view.show(source, file.parent)
        self._list(headings)
        return True

    def _list(self, headings: list[Block]) -> None:
        self.contents.delete(*self.contents.get_children())
        above, longest = {0: ""}, 0
        measure = tkfont.nametofont(theme.font("body"), self).measure
        for number, block in enumerate(headings):
            if block.level > 3:
                continue
            parent = above[max(level for level in above if level < block.level)]
            item = self.contents.insert(parent, "end", f"{number} {block.mark}", text=plain(block.text), open=True)
            above = {level: name for level, name in above.items() if level < block.level} | {block.level: item}
            longest = max(longest, measure(plain(block.text)) + theme.px(20 * (len(above) - 1) + 4))
        self.contents.column("#0", width=longest, minwidth=longest)
        self._side.configure(width=min(longest + theme.px(12), self.winfo_screenwidth() // 3))

    def _chose_heading(self) -> None:
        for item in self.contents.selection():
            self.view.go_to(item.partition(" ")[2])

    def _follow(self, target: str) -> None:
        """Open another page of the manual; an address is copied, since this program opens no connection."""
        if "://" in target or target.startswith("mailto:"):
            self.clipboard_clear()
            self.clipboard_append(target)
            self.shell.toast(tr("Copied: {address}. This program opens no web pages.", address=target))
            return
        name, _, anchor = target.partition("#")
        if not self._show_manual(name):
            self.shell.toast(tr("{name} is not in this manual.", name=name), "warn")
        elif anchor:
            self.view.go_to(anchor)

    # Keys

    def _keys(self) -> ttk.Frame:
        scroll = ScrollFrame(self._tabs)
        grid = ttk.Frame(scroll.body)
        grid.pack(anchor="w", padx=theme.px(16), pady=theme.px(8))
        row = 0
        for title, keys in shortcuts().items():
            ttk.Label(grid, text=title, style="Head.TLabel").grid(
                row=row, column=0, columnspan=2, sticky="w", pady=theme.px(10, 4)
            )
            for key, text in keys.items():
                row += 1
                ttk.Label(grid, text=key, font=theme.font("mono")).grid(row=row, column=0, sticky="w")
                ttk.Label(grid, text=text).grid(row=row, column=1, sticky="w", padx=(theme.px(24), 0))
            row += 1
        return scroll

    # About

    def _about(self) -> ttk.Frame:
        scroll = ScrollFrame(self._tabs)
        body = ttk.Frame(scroll.body)
        body.pack(fill="both", expand=True, padx=theme.px(16), pady=theme.px(12))
        ttk.Label(body, text=f"Bearing Inspector {__version__}", style="Title.TLabel").pack(anchor="w")
        lines = [
            tr("Finds defects on bearings, offline. No data leaves this machine."),
            tr(
                "Licence: GNU Affero General Public License, version 3 or later (AGPL-3.0-or-later). You "
                "may use, modify and distribute this program; anyone who receives it, or uses it over a "
                "network, must be offered the source code."
            ),
            tr(
                "The source code is available where you obtained this program. Plugins that you add have "
                "their own licences."
            ),
        ]
        source = paths.source_archive()
        if source is not None:
            lines.append(
                tr("The exact source code is {file}; for details see THIRD-PARTY-NOTICES.txt next to it.", file=source)
            )
        for text in lines:
            label = ttk.Label(body, text=text, justify="left")
            label.pack(fill="x", pady=theme.px(4, 0))
            wrap(label, still=True)
        row = ttk.Frame(body)
        row.pack(anchor="w", pady=theme.px(10))
        self.copy_button = ttk.Button(row, text=tr("Copy diagnostics"), command=self.copy_diagnostics)
        self.copy_button.pack(side="left")
        if licence_text():
            ttk.Button(row, text=tr("Read the licence"), command=self._show_licence).pack(side="left", padx=theme.px(8))
        if source is not None:
            opener = ttk.Button(row, text=tr("Show the source code"))
            opener.configure(command=lambda: self.shell.tasks.run(open_externally.show_in_folder, source))
            opener.pack(side="left")
        ttk.Label(body, text=tr("Third-party components"), style="Head.TLabel").pack(anchor="w", pady=theme.px(8, 4))
        room = ttk.Frame(body)
        room.pack(fill="both", expand=True)
        self.packages = ttk.Treeview(room, columns=("version", "licence"), height=14, selectmode="browse")
        for name, title, width in (
            ("#0", tr("Name"), 200),
            ("version", tr("Version"), 120),
            ("licence", tr("Licence"), 420),
        ):
            self.packages.heading(name, text=title, anchor="w")
            self.packages.column(name, width=theme.px(width), stretch=name == "licence")
        add_scrollbars(self.packages)
        return scroll

    def _show_packages(self, packages: list[Package]) -> None:
        if not self.winfo_exists():
            return
        for package in packages:
            values = (package.version, package.licence or tr("not stated"))
            self.packages.insert("", "end", text=package.name, values=values)

    def _show_licence(self) -> None:
        window = tk.Toplevel(self)
        window.title(tr("Licence"))
        dialogs.centre(self, window, *theme.px(760, 560))
        window.bind("<Escape>", lambda _: window.destroy())
        view = MarkdownView(window, self.shell.tasks, self._follow)
        view.pack(fill="both", expand=True)
        view.show(f"```\n{licence_text()}\n```", manual_folder())
        view.text.focus_set()

    def copy_diagnostics(self) -> None:
        """Copy the diagnostics report to the clipboard; takes some seconds."""
        self.copy_button.state(["disabled"])
        self.copy_button.configure(text=tr("Collecting diagnostics…"))
        records, settings = self.shell.catalogue.records, dict(self.shell.settings.overrides)

        def ready(text: str = "") -> None:
            if self.winfo_exists():
                self.copy_button.state(["!disabled"])
                self.copy_button.configure(text=tr("Copy diagnostics"))

        def copy(text: str) -> None:
            ready()
            copy_report(self.shell, text)

        def failed(error: BaseException) -> None:
            ready()
            self.shell.toast(strings.sentence(str(error)), "bad")

        self.shell.tasks.run(diagnostics.gather, records, settings, done=copy, failed=failed)


def manual_folder() -> Path:
    """Return the folder of the manual and its images."""
    return paths.assets() / "manual"


def licence_text() -> str:
    """Return the licence text, from the source tree or the installed distribution; empty if missing."""
    try:
        return (paths.assets().parent / "LICENSE").read_text("utf-8")
    except OSError:
        pass
    try:
        return metadata.distribution(diagnostics.DISTRIBUTION).read_text("licenses/LICENSE") or ""
    except metadata.PackageNotFoundError:
        return ""


def shortcuts() -> dict[str, dict[str, str]]:
    """Return keys and their actions by topic."""
    return {
        tr("Inspecting"): {
            "Ctrl+O": tr("open images"),
            "Ctrl+Shift+O": tr("open a folder"),
            "Ctrl+Shift+V": tr("open a video"),
            "Ctrl+M": tr("open a model (best.pt)"),
            "F5": tr("start"),
            "F6": tr("pause, resume"),
            "F7": tr("next part of a camera"),
            "Esc": tr("stop"),
            "←  →": tr("previous and next image"),
            "Ctrl+E": tr("export"),
        },
        tr("In the image"): {
            tr("Space"): tr("pause, resume"),
            "F": tr("fit the image to the window"),
            "1": tr("actual size (1:1)"),
            "+  −": tr("zoom (also mouse wheel)"),
            "Shift+← → ↑ ↓": tr("pan (also by dragging)"),
            "M": tr("masks on or off"),
            "F11": tr("operator view, and back"),
        },
        tr("In tables"): {
            "↑ ↓ PgUp PgDn Home End": tr("move"),
            "Ctrl+A": tr("select everything"),
            "Ctrl+C": tr("copy"),
            tr("Enter"): tr("open"),
        },
        tr("Everywhere"): {
            "Ctrl+1 … Ctrl+5": tr("change the page"),
            "Ctrl+,": tr("settings"),
            "F1": tr("this help"),
            tr("Tab, Space, Enter"): tr("move to any button and press it"),
            "Ctrl+Q": tr("quit"),
        },
    }
