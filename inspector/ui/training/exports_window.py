"""Exported models of a training: files, inputs and outputs."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import filedialog, ttk

from inspector.system import paths
from inspector.training import Export, Progress
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.open_externally import open_path
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.training.widgets import scrolled_tree

FORMATS = {"onnx": "ONNX", "openvino": "OpenVINO", "torchscript": "TorchScript"}
_ENDINGS = {"onnx": ".onnx", "openvino": "_openvino_model", "torchscript": ".torchscript"}


class ExportsView(ttk.Frame):
    """A list, with details of the selected export below."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(6))
        self._shell = shell
        self._exports: list[Export] = []
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        room = ttk.Frame(self)
        room.grid(row=0, column=0, sticky="nsew")
        self.table = scrolled_tree(room, ["format", "file"], "browse")
        for key, title, width in (("format", tr("Format"), 110), ("file", tr("File"), 500)):
            self.table.heading(key, text=title, anchor="w")
            self.table.column(key, width=theme.px(width), stretch=key == "file")
        self.table.configure(height=2)
        self.table.bind("<<TreeviewSelect>>", lambda event: self._describe())
        for event in ("<Return>", "<Double-1>"):
            self.table.bind(event, lambda event: self.open())
        below = ttk.Frame(self)
        below.grid(row=1, column=0, sticky="ew", pady=theme.px(4, 0))
        below.columnconfigure(0, weight=1)
        self.status = ttk.Label(below, style="Muted.TLabel")
        self.status.grid(row=0, column=0, sticky="ew")
        wrap(self.status)
        self._open = ttk.Button(below, text=tr("Open folder"), command=self.open)
        self._open.grid(row=0, column=1, padx=theme.px(8, 0))
        self.show([])

    def show(self, exports: list[Export]) -> None:
        """Show the exports of a training; the first is selected."""
        self._exports = exports
        self.table.delete(*self.table.get_children())
        for number, export in enumerate(exports):
            values = (FORMATS.get(export.format, export.format), str(export.file))
            self.table.insert("", "end", str(number), values=values)
        if exports:
            self.table.selection_set("0")
            self.table.focus("0")
        self._describe()

    def _chosen(self) -> Export | None:
        selected = self.table.selection()
        return self._exports[int(selected[0])] if selected else None

    def _describe(self) -> None:
        export = self._chosen()
        message = tr("Exported models of the selected training are listed here.")
        if export is not None:
            message = "\n".join(map(strings.sentence, export.report))
            if not export.file.exists():
                message = f"⚠ {tr('{file} does not exist', file=export.file)}\n{message}"
        self.status.configure(text=message)
        self._open.state(["!disabled" if export is not None else "disabled"])

    def open(self) -> None:
        """Open the folder of the selected export."""
        if (export := self._chosen()) is not None:
            self._shell.tasks.run(open_path, export.file.parent)


def ask_place(parent: tk.Misc, export: Progress, format: str) -> Path | None:
    """Ask for the file to export to; None if the user cancels."""
    ending = _ENDINGS[format]
    chosen = filedialog.asksaveasfilename(
        parent=parent,
        title=tr("Export the model as {format}", format=FORMATS[format]),
        initialdir=str(export.folder / "weights"),
        initialfile=f"{paths.safe_name(export.name)}{ending}",
        confirmoverwrite=False,  # nothing is overwritten
    )
    if not chosen:
        return None
    return Path(chosen if chosen.endswith(ending) else chosen + ending)
