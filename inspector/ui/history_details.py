"""One inspection of the history, shown: its picture with the masks as it was, and all that was kept of it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

from inspector.domain import Detection
from inspector.history.listing import Row
from inspector.ui import opening, theme
from inspector.ui.preview import Preview
from inspector.ui.record_view import Kept, as_text, defect_cells, facts, load
from inspector.ui.scrolling import add_bars
from inspector.ui.shell import Shell
from inspector.ui.texts import sentence, t


class Details(ttk.Frame):
    """Fetches an inspection in the background, the last one asked for.

    Args:
        picked: called with the defect that was clicked in the picture.
    """

    def __init__(self, parent: tk.Misc, shell: Shell, picked: Callable[[Detection], object]) -> None:
        super().__init__(parent)
        self._shell, self._picked = shell, picked
        self._wanted: int | None = None
        self._loading: int | None = None
        self._mark: Row | None = None
        self.kept: Kept | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=3)
        self.rowconfigure(2, weight=2)
        self.preview = Preview(self, on_select=self._clicked, tasks=shell.tasks)
        self.preview.grid(row=0, column=0, sticky="nsew")
        buttons = ttk.Frame(self)
        buttons.grid(row=1, column=0, sticky="ew", pady=theme.px(4))
        self._file_buttons = [
            ttk.Button(buttons, text=t("Open file"), command=lambda: self._with_path(opening.open_path)),
            ttk.Button(buttons, text=t("Show in folder"), command=lambda: self._with_path(opening.show_in_folder)),
        ]
        self._copy = ttk.Button(buttons, text=t("Copy"), command=self.copy)
        for button in (*self._file_buttons, self._copy):
            button.pack(side="left", padx=(0, theme.px(4)))
        body = ttk.Frame(self)
        body.grid(row=2, column=0, sticky="nsew")
        self.text = tk.Text(
            body, width=10, height=8, wrap="word", borderwidth=0, state="disabled", font=theme.font("body"),
            padx=theme.px(8), pady=theme.px(6), tabs=theme.px(112), highlightthickness=max(1, theme.px(1)),
        )  # fmt: skip
        add_bars(self.text, across=False)
        self.text.bind("<Button-1>", lambda _: self.text.focus_set())
        for key in ("<Tab>", "<Shift-Tab>"):
            self.text.bind(key, self._leave)
        theme.on_change(self, self._paint)
        self.clear()

    def show(self, inspection: int, row: Row | None = None) -> None:
        """Fetch and show an inspection, and mark the defect of ``row``."""
        self._mark = row
        if self._wanted == inspection:
            self._select()
            return
        self._wanted = inspection
        self._load()

    def _load(self) -> None:
        """One at a time: who holds an arrow key passes many rows."""
        if self._loading is None and self._wanted is not None:
            self._loading = self._wanted
            run = self._shell.tasks.run
            run(load, self._shell.catalogue, self._wanted, done=self._came, failed=self._failed)

    def clear(self, text: str = "") -> None:
        """Show nothing, or a sentence in the picture's place."""
        self._wanted = self.kept = None
        self.preview.clear(text or t("Select a row to see its picture."))
        self._write([])
        self._enable()

    def copy(self) -> None:
        """Put all facts on the clipboard."""
        if self.kept is not None:
            self.clipboard_clear()
            self.clipboard_append(as_text(self.kept))
            self._shell.toast(t("Copied."))

    def _came(self, kept: Kept) -> None:
        if not self.winfo_exists():
            return
        self._loading = None
        if kept.record["id"] != self._wanted:
            self._load()
            return
        self.kept = kept
        if kept.inspection is None:
            self.preview.clear(sentence(kept.missing))
        else:
            self.preview.show(kept.inspection, keep_view=False)
            self._select()
        self._write(facts(kept))
        self._enable()

    def _failed(self, error: BaseException) -> None:
        if self.winfo_exists():
            failed, self._loading = self._loading, None
            if failed == self._wanted:
                self.clear(sentence(str(error)))
            self._load()

    def _select(self) -> None:
        row, kept = self._mark, self.kept
        if row is None or kept is None or kept.inspection is None or kept.record["id"] != row.inspection:
            return
        places = [place for place, d in enumerate(kept.inspection.detections) if same(row, d)]
        self.preview.select(places[0] if places else None, centre=False)

    def _clicked(self, place: int | None) -> None:
        if place is not None and self.kept is not None and self.kept.inspection is not None:
            self._picked(self.kept.inspection.detections[place])

    def _with_path(self, use: Callable[[Path], None]) -> None:
        if self.kept is not None and self.kept.record["path"]:
            self._shell.tasks.run(use, Path(self.kept.record["path"]))

    def _enable(self) -> None:
        has_path = self.kept is not None and bool(self.kept.record["path"])
        for button in self._file_buttons:
            button.state(["!disabled" if has_path else "disabled"])
        self._copy.state(["!disabled" if self.kept is not None else "disabled"])

    def _write(self, rows: list[tuple[str, str]]) -> None:
        text = self.text
        text.configure(state="normal")
        text.delete("1.0", "end")
        for name, value in rows:
            below_each_other = value.replace("\n", "\n\t")
            text.insert("end", f"{name}\t", "name", below_each_other, "value", "\n")
        if self.kept is not None and self.kept.record["detections"]:
            text.insert("end", "\n")
            headings = (t("Class"), t("Confidence"), t("Area px²"), t("Length px"))
            text.insert("end", "\t".join(headings) + "\n", "name")
            for detection in self.kept.record["detections"]:
                text.insert("end", "\t".join(defect_cells(detection)) + "\n")
        text.configure(state="disabled")

    def _leave(self, event: tk.Event) -> str:
        back = bool(int(event.state) & 0x1)
        (self.text.tk_focusPrev() if back else self.text.tk_focusNext()).focus_set()  # type: ignore[union-attr]
        return "break"

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.text.configure(
            background=tokens.card,
            foreground=tokens.text,
            selectbackground=tokens.selection,
            selectforeground=tokens.on_selection,
            highlightbackground=tokens.line,
            highlightcolor=tokens.primary,
        )
        self.text.tag_configure("name", foreground=tokens.muted)
        self.text.tag_configure("value", lmargin2=theme.px(112))


def same(row: Row, detection: Detection) -> bool:
    """Whether a row of the table stands for this defect."""
    return (row.label, row.score, row.box) == (detection.label, detection.score, tuple(detection.box))
