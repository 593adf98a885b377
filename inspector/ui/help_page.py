"""Help: the first steps with buttons that do them, the manual, the keys, and what the program is made of."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

from inspector import __version__, diagnostics, paths
from inspector.diagnostics import Package
from inspector.ui import dialogs, opening, texts, theme
from inspector.ui.form import wrap
from inspector.ui.markdown import Block, plain
from inspector.ui.markdown_view import MarkdownView
from inspector.ui.scrolling import add_bars
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.widgets import ScrollFrame

_TOPICS = ("first", "manual", "keys", "about")


class HelpPage(ttk.Frame):
    """Four tabs; ``shown(topic=…)`` opens one of ``first``, ``manual``, ``keys`` and ``about``."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self.shell = shell
        self._file: Path | None = None
        self._packages_wanted = True
        self._tabs = ttk.Notebook(self)
        self._tabs.pack(fill="both", expand=True, padx=theme.px(8), pady=theme.px(8))
        self._tabs.add(self._first_steps(), text=t("First steps"))
        self._tabs.add(self._manual(), text=t("Manual"))
        self._tabs.add(self._keys(), text=t("Keys"))
        self._tabs.add(self._about(), text=t("About"))
        self._tabs.enable_traversal()
        self._tabs.bind("<<NotebookTabChanged>>", lambda _: self._opened())

    # What the shell calls

    def shown(self, topic: str = "", anchor: str = "") -> None:
        """``topic``: one of the tabs; ``anchor``: a heading of the manual."""
        if topic in _TOPICS:
            self._select(topic)
        if anchor:
            self._select("manual")
            self.view.go_to(anchor)

    def hidden(self) -> None: ...

    def kept(self) -> dict[str, Any]:
        return {"topic": self._topic()}

    def restore(self, state: dict[str, Any]) -> None:
        self.shown(topic=state.get("topic", ""))

    def busy(self) -> str:
        return ""

    def close(self) -> None: ...

    def _topic(self) -> str:
        return _TOPICS[self._tabs.index("current")]  # type: ignore[no-untyped-call]

    def _select(self, topic: str) -> None:
        self._tabs.select(_TOPICS.index(topic))  # type: ignore[no-untyped-call]
        self._opened()

    def _opened(self) -> None:
        """Fill a tab when it is looked at for the first time."""
        if self._topic() == "manual" and self._file is None:
            self._show_manual(f"manual.{texts.language()}.md")
        if self._topic() == "about" and self._packages_wanted:
            self._packages_wanted = False
            self.shell.tasks.run(diagnostics.packages, done=self._show_packages)

    # First steps

    def _first_steps(self) -> ttk.Frame:
        scroll = ScrollFrame(self._tabs)
        steps: list[tuple[str, str, str, Callable[[], object]]] = [
            (
                t("Try it"),
                t("Sample pictures of bearings lie ready. Press Start (F5), and each one gets its verdict: OK or NG."),
                t("Try the sample pictures"),
                lambda: self.shell.show("inspect", sample=True),
            ),
            (
                t("Inspect your own pictures"),
                t(
                    "Open a picture, a folder, a video or a camera, or drop it on the window. "
                    "Confidence says how sure the model must be; lower finds more, and more that is none."
                ),
                t("Go to inspecting"),
                lambda: self.shell.show("inspect"),
            ),
            (
                t("Use your own model"),
                t(
                    "Open best.pt under Model, beside the picture: a YOLO11 segmentation model, or one of the variants "
                    "that this program trains. No code in the file is run."
                ),
                t("Read in the manual"),
                lambda: self.shown(topic="manual"),
            ),
            (
                t("Find a result again"),
                t("Everything is saved as it comes. Search by date, verdict, class or file, and export to Excel."),
                t("Go to the history"),
                lambda: self.shell.show("history"),
            ),
            (
                t("Train for your parts"),
                t("Check a data set, choose an architecture and start; the model can be used as soon as it is there."),
                t("Go to training"),
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
            wrap(label)
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
        self.contents = ttk.Treeview(self._side, show="tree", selectmode="browse")
        add_bars(self.contents)
        self.contents.bind("<<TreeviewSelect>>", lambda _: self._chose_heading())
        self.view = MarkdownView(frame, self.shell.tasks, self._follow)
        self.view.grid(row=0, column=1, sticky="nsew")
        return frame

    def _show_manual(self, name: str) -> bool:
        """Show a page of the manual; False where there is none of that name."""
        file = manual_folder() / name
        try:
            source = file.read_text("utf-8")
        except OSError:
            if self._file is None:
                self.view.show(t("The manual did not come along with this program."), file.parent)
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
        """Another page of the manual; an address is copied, since this program opens no connection."""
        if "://" in target or target.startswith("mailto:"):
            self.clipboard_clear()
            self.clipboard_append(target)
            self.shell.toast(t("Copied: {address}. This program opens no web pages.", address=target))
            return
        name, _, anchor = target.partition("#")
        if not self._show_manual(name):
            self.shell.toast(t("{name} is not part of the manual here.", name=name), "warn")
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
            t("Finds defects on bearings, offline. No data leaves this machine."),
            t(
                "Licence: GNU Affero General Public License, version 3 or later (AGPL-3.0-or-later). "
                "You may use, change and pass on this program; whoever gets it, or uses it over a network, "
                "must be given the source code."
            ),
            t("The source code lies where you got this program from. Plugins that you add have licences of their own."),
        ]
        source = paths.source_archive()
        if source is not None:
            lines.append(
                t("The exact source code is {file}; THIRD-PARTY-NOTICES.txt beside it tells more.", file=source)
            )
        for text in lines:
            label = ttk.Label(body, text=text, justify="left")
            label.pack(fill="x", pady=theme.px(4, 0))
            wrap(label)
        row = ttk.Frame(body)
        row.pack(anchor="w", pady=theme.px(10))
        self.copy_button = ttk.Button(row, text=t("Copy diagnostics"), command=self.copy_diagnostics)
        self.copy_button.pack(side="left")
        if licence_text():
            ttk.Button(row, text=t("Read the licence"), command=self._show_licence).pack(side="left", padx=theme.px(8))
        if source is not None:
            opener = ttk.Button(row, text=t("Show the source code"))
            opener.configure(command=lambda: self.shell.tasks.run(opening.show_in_folder, source))
            opener.pack(side="left")
        ttk.Label(body, text=t("What it is made of"), style="Head.TLabel").pack(anchor="w", pady=theme.px(8, 4))
        room = ttk.Frame(body)
        room.pack(fill="both", expand=True)
        self.packages = ttk.Treeview(room, columns=("version", "licence"), height=14, selectmode="browse")
        for name, title, width in (
            ("#0", t("Name"), 200),
            ("version", t("Version"), 120),
            ("licence", t("Licence"), 420),
        ):
            self.packages.heading(name, text=title, anchor="w")
            self.packages.column(name, width=theme.px(width), stretch=name == "licence")
        add_bars(self.packages)
        return scroll

    def _show_packages(self, packages: list[Package]) -> None:
        if not self.winfo_exists():
            return
        for package in packages:
            values = (package.version, package.licence or t("not stated"))
            self.packages.insert("", "end", text=package.name, values=values)

    def _show_licence(self) -> None:
        window = tk.Toplevel(self)
        window.title(t("Licence"))
        window.geometry("{}x{}".format(*dialogs.within(window, *theme.px(760, 560))))
        window.bind("<Escape>", lambda _: window.destroy())
        view = MarkdownView(window, self.shell.tasks, self._follow)
        view.pack(fill="both", expand=True)
        view.show(f"```\n{licence_text()}\n```", manual_folder())
        view.text.focus_set()

    def copy_diagnostics(self) -> None:
        """Put the report of everything on the clipboard; it takes some seconds."""
        self.copy_button.state(["disabled"])
        self.copy_button.configure(text=t("Examining the machine…"))
        records, settings = self.shell.catalogue.records, dict(self.shell.settings.overrides)

        def ready(text: str = "") -> None:
            if self.winfo_exists():
                self.copy_button.state(["!disabled"])
                self.copy_button.configure(text=t("Copy diagnostics"))

        def copy(text: str) -> None:
            ready()
            self.shell.root.clipboard_clear()
            self.shell.root.clipboard_append(text)
            lines = len(text.splitlines())
            self.shell.toast(t("Copied: {n} lines. Paste them into a message to whoever helps.", n=lines), "good")

        def failed(error: BaseException) -> None:
            ready()
            self.shell.toast(texts.sentence(str(error)), "bad")

        self.shell.tasks.run(diagnostics.gather, records, settings, done=copy, failed=failed)


def manual_folder() -> Path:
    """Where the manual lies, with its pictures."""
    return paths.assets() / "manual"


def licence_text() -> str:
    """The licence, from the source tree or the installed distribution; empty where it did not come along."""
    try:
        return (paths.assets().parent / "LICENSE").read_text("utf-8")
    except OSError:
        pass
    try:
        return metadata.distribution(diagnostics.DISTRIBUTION).read_text("licenses/LICENSE") or ""
    except metadata.PackageNotFoundError:
        return ""


def shortcuts() -> dict[str, dict[str, str]]:
    """By topic: keys and what they do."""
    return {
        t("Inspecting"): {
            "Ctrl+O": t("open a picture"),
            "Ctrl+Shift+O": t("open a folder"),
            "Ctrl+Shift+V": t("open a video"),
            "Ctrl+M": t("open a model (best.pt)"),
            "F5": t("start"),
            "F6": t("pause, go on"),
            "Esc": t("stop"),
            "←  →": t("previous and next picture"),
            "Ctrl+E": t("export"),
        },
        t("In the picture"): {
            t("Space"): t("pause, go on"),
            "F": t("fit the whole picture"),
            "1": t("one pixel for one pixel"),
            "+  −": t("zoom, also with the wheel"),
            "Shift+← → ↑ ↓": t("move the picture, also with the pointer"),
            "M": t("masks on or off"),
            "F11": t("operator view, and back"),
        },
        t("In tables"): {
            "↑ ↓ PgUp PgDn Home End": t("move"),
            "Ctrl+A": t("select everything"),
            "Ctrl+C": t("copy"),
            t("Enter"): t("open"),
        },
        t("Everywhere"): {
            "Ctrl+1 … Ctrl+5": t("change the page"),
            "Ctrl+,": t("settings"),
            "F1": t("this help"),
            t("Tab, Space, Enter"): t("reach and press every button"),
            "Ctrl+Q": t("quit"),
        },
    }
