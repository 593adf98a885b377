"""Details of a stored inspection: its image with masks as inspected, and all stored facts."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

from inspector.domain import Detection
from inspector.history.listing import Row
from inspector.ui.history.part_printing import Part, print_part
from inspector.ui.history.stored_inspection import StoredInspection, as_text, defect_cells, facts, load
from inspector.ui.kit import open_externally, theme
from inspector.ui.kit.image_view.image_view import ImageView
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import sentence, tr
from inspector.ui.kit.widgets import FlowFrame


class Details(ttk.Frame):
    """Load the requested inspection in the background and show it; only the last request counts.

    Args:
        picked: called with the defect clicked in the image.
    """

    def __init__(self, parent: tk.Misc, shell: Shell, picked: Callable[[Detection], object]) -> None:
        super().__init__(parent)
        self._shell, self._picked = shell, picked
        self._wanted: int | None = None
        self._loading: int | None = None
        self._mark: Row | None = None
        self.stored: StoredInspection | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=3, minsize=theme.px(170) if theme.narrow(self) else 0)
        self.rowconfigure(2, weight=2)
        self.image_view = ImageView(self, on_select=self._clicked, tasks=shell.tasks)
        self.image_view.grid(row=0, column=0, sticky="nsew")
        buttons = FlowFrame(self)
        buttons.grid(row=1, column=0, sticky="ew", pady=theme.px(4))
        self._file_buttons = [
            ttk.Button(buttons, text=tr("Open file"), command=lambda: self._with_path(open_externally.open_path)),
            ttk.Button(
                buttons, text=tr("Show in folder"), command=lambda: self._with_path(open_externally.show_in_folder)
            ),
        ]
        self._copy = ttk.Button(buttons, text=tr("Copy"), command=self.copy)
        self._print = ttk.Button(buttons, text=tr("Print…"), command=self.print)
        for button in (*self._file_buttons, self._copy, self._print):
            buttons.add(button)
        body = ttk.Frame(self)
        body.grid(row=2, column=0, sticky="nsew")
        self.text = tk.Text(
            body, width=10, height=8, wrap="word", borderwidth=0, state="disabled", font=theme.font("body"),
            padx=theme.px(8), pady=theme.px(6), tabs=theme.px(112), highlightthickness=max(1, theme.px(1)),
        )  # fmt: skip
        add_scrollbars(self.text, across=False)
        self.text.bind("<Button-1>", lambda _: self.text.focus_set())
        for key in ("<Tab>", "<Shift-Tab>"):
            self.text.bind(key, self._leave)
        theme.on_theme_change(self, self._paint)
        self.clear()

    @property
    def inspection(self) -> int | None:
        """Id of the inspection that is shown or being loaded."""
        return self._wanted

    def show(self, inspection: int, row: Row | None = None) -> None:
        """Fetch and show an inspection, and mark the defect of ``row``."""
        self._mark = row
        if self._wanted == inspection:
            self._select()
            return
        self._wanted = inspection
        self._load()

    def _load(self) -> None:
        """Load one inspection at a time: holding an arrow key passes many rows."""
        if self._loading is None and self._wanted is not None:
            self._loading = self._wanted
            run = self._shell.tasks.run
            run(load, self._shell.catalogue, self._wanted, done=self._came, failed=self._failed)

    def clear(self, text: str = "") -> None:
        """Show nothing, or a sentence in place of the image."""
        self._wanted = self.stored = None
        self.image_view.clear(text or tr("Select a row to see its image."))
        self._write([])
        self._enable()

    def copy(self) -> None:
        """Copy all facts to the clipboard."""
        if self.stored is not None:
            self.clipboard_clear()
            self.clipboard_append(as_text(self.stored))
            self._shell.toast(tr("Copied."))

    def print(self) -> None:
        """Print the inspection on one page, after asking how."""
        stored = self.stored
        if stored is None or stored.inspection is None:
            self._shell.toast(tr("There is no inspected image to print."), "info")
            return
        run = f"{stored.record['run']}  {stored.record['title']}"
        rules = stored.job.rules if stored.job is not None else None
        print_part(self._shell, Part(stored.inspection, rules, annotated=stored.annotated, run=run, whole=stored.part))

    def _came(self, stored: StoredInspection) -> None:
        if not self.winfo_exists():
            return
        self._loading = None
        if stored.record["id"] != self._wanted:
            self._load()
            return
        self.stored = stored
        if stored.inspection is None:
            self.image_view.clear(sentence(stored.missing))
        elif stored.annotated:  # it already shows the defects
            position = tr("annotated copy; the original is missing")
            self.image_view.show(stored.inspection.frame, position=position, keep_view=False)
        else:
            self.image_view.show(stored.inspection, keep_view=False)
            self._select()
        self._write(facts(stored))
        self._enable()

    def _failed(self, error: BaseException) -> None:
        if self.winfo_exists():
            failed, self._loading = self._loading, None
            if failed == self._wanted:
                self.clear(sentence(str(error)))
            self._load()

    def _select(self) -> None:
        row, stored = self._mark, self.stored
        if row is None or stored is None or stored.inspection is None or stored.annotated:
            return
        if stored.record["id"] != row.inspection:
            return
        places = [place for place, d in enumerate(stored.inspection.detections) if same(row, d)]
        self.image_view.select(places[0] if places else None, centre=False)

    def _clicked(self, place: int | None) -> None:
        if place is not None and self.stored is not None and self.stored.inspection is not None:
            self._picked(self.stored.inspection.detections[place])

    def _with_path(self, use: Callable[[Path], None]) -> None:
        if self.stored is not None and self.stored.record["path"]:
            self._shell.tasks.run(use, Path(self.stored.record["path"]))

    def _enable(self) -> None:
        has_path = self.stored is not None and bool(self.stored.record["path"])
        for button in self._file_buttons:
            button.state(["!disabled" if has_path else "disabled"])
        self._copy.state(["!disabled" if self.stored is not None else "disabled"])
        printable = self.stored is not None and self.stored.inspection is not None
        self._print.state(["!disabled" if printable else "disabled"])

    def _write(self, rows: list[tuple[str, str]]) -> None:
        text = self.text
        text.configure(state="normal")
        text.delete("1.0", "end")
        for name, value in rows:
            below_each_other = value.replace("\n", "\n\t")
            text.insert("end", f"{name}\t", "name", below_each_other, "value", "\n")
        if self.stored is not None and self.stored.record["detections"]:
            text.insert("end", "\n")
            headings = (tr("Class"), tr("Confidence"), tr("Area px²"), tr("Length px"))
            text.insert("end", "\t".join(headings) + "\n", "name")
            for detection in self.stored.record["detections"]:
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
    """Whether a row of the table is this defect."""
    return (row.label, row.score, row.box) == (detection.label, detection.score, tuple(detection.box))
