"""The evaluation of a model in the window: figures, thresholds, confusion matrix, curves and the worst images."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tkinter import ttk
from typing import Any

from inspector.ui.kit import theme
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.training.validation_images import ImageViewer
from inspector.ui.training.widgets import scrolled_tree


class EvaluationView(ttk.Frame):
    """Shows the document that ``validate --json`` prints.

    Args:
        inspect: called with image files that the user wants to see in the inspect page.
    """

    def __init__(self, parent: tk.Misc, shell: Shell, inspect: Callable[[Sequence[str]], None]) -> None:
        super().__init__(parent, padding=theme.px(6))
        self._inspect = inspect
        self._document: Mapping[str, Any] = {}
        self._names = {
            "confusion_matrix.png": tr("Confusion matrix"),
            "MaskPR_curve.png": tr("Precision and recall, masks"),
            "MaskF1_curve.png": tr("F1 by confidence, masks"),
            "BoxPR_curve.png": tr("Precision and recall, boxes"),
            "BoxF1_curve.png": tr("F1 by confidence, boxes"),
        }
        narrow = theme.narrow(self)
        self.columnconfigure(0 if narrow else 1, weight=1)
        self.rowconfigure(1 if narrow else 0, weight=1)
        left = ttk.Frame(self)
        left.grid(row=0, column=0, sticky="nsew", padx=theme.px(0, 8))
        left.rowconfigure(0, weight=1)
        left.columnconfigure(0, weight=1)
        self.text = tk.Text(left, width=46, height=4, wrap="word", font=theme.font("body"), borderwidth=0)
        if narrow:
            self.text.configure(width=20, height=12)
        self.text.grid(row=0, column=0, sticky="nsew")
        self.text.configure(state="disabled")
        theme.on_theme_change(self.text, self._paint)
        right = ttk.Notebook(self)
        right.grid(row=1 if narrow else 0, column=0 if narrow else 1, sticky="nsew")
        plots = ttk.Frame(right, padding=theme.px(4))
        self.which = ttk.Combobox(plots, state="readonly", width=32)
        self.which.pack(anchor="w", pady=theme.px(0, 4))
        self.which.bind("<<ComboboxSelected>>", lambda event: self._show_plot())
        self.plot = ImageViewer(plots, shell)
        self.plot.pack(fill="both", expand=True)
        worst = ttk.Panedwindow(right, orient="horizontal")
        room = ttk.Frame(worst)
        self.worst = scrolled_tree(room, ["image", "missed", "false"], "browse")
        for key, title, width in (
            ("image", tr("Image"), 170),
            ("missed", tr("Missed"), 66),
            ("false", tr("False alarms"), 96),
        ):
            self.worst.heading(key, text=title, anchor="w" if key == "image" else "e")
            self.worst.column(key, width=theme.px(width), anchor="w" if key == "image" else "e", stretch=key == "image")
        self.worst.bind("<<TreeviewSelect>>", lambda event: self._show_drawing())
        for event in ("<Double-1>", "<Return>"):
            self.worst.bind(event, lambda event: self._open())
        self.drawing = ImageViewer(worst, shell)
        worst.add(room, weight=1)
        worst.add(self.drawing, weight=2)
        right.add(plots, text=tr("Curves"))
        right.add(worst, text=tr("Worst images"))
        self.show({})

    def show(self, document: Mapping[str, Any]) -> None:
        """Show an evaluation; an empty document if there is none."""
        self._document = document
        self._write(
            figures(document) if document else tr("Not evaluated yet. Press “Evaluate” to evaluate the selected model.")
        )
        there = [name for name in self._names if name in document.get("files", ())]
        self._plots = there
        self.which.configure(values=[self._names[name] for name in there])
        self.which.set(self._names[there[0]] if there else "")
        self._show_plot()
        self.worst.delete(*self.worst.get_children())
        for number, entry in enumerate(document.get("worst", ())):
            self.worst.insert(
                "", "end", str(number), values=(Path(entry["file"]).name, entry["missed"], entry["false"])
            )
        if rows := self.worst.get_children():
            self.worst.selection_set(rows[0])
        self._show_drawing()

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.text.configure(
            background=tokens.card, foreground=tokens.text, highlightthickness=1, highlightbackground=tokens.line,
            highlightcolor=tokens.primary,
        )  # fmt: skip

    def _write(self, text: str) -> None:
        self.text.configure(state="normal")
        self.text.delete("1.0", "end")
        self.text.insert("1.0", text)
        self.text.configure(state="disabled")

    def _show_plot(self) -> None:
        at = self.which.current()
        file = Path(self._document["output"]) / self._plots[at] if at >= 0 else None
        self.plot.show(file, tr("No curves"))

    def _chosen(self) -> Mapping[str, Any] | None:
        selected = self.worst.selection()
        return self._document["worst"][int(selected[0])] if selected else None

    def _show_drawing(self) -> None:
        entry = self._chosen()
        file = Path(self._document["output"]) / entry["drawing"] if entry else None
        self.drawing.show(file, tr("No image with an error") if self._document else "")

    def _open(self) -> None:
        if (entry := self._chosen()) is not None:
            self._inspect([entry["file"]])


def figures(document: Mapping[str, Any]) -> str:
    """The figures of an evaluation as text: images, thresholds, then all classes and each class."""
    lines = []
    images = document.get("images")
    if images:
        lines.append(tr("At confidence {value}:", value=f"{images['confidence']:g}"))
        for key, of, title in (
            ("false_alarms", "good", tr("False alarms (good images judged NG)")),
            ("escapes", "defective", tr("Escapes (defective images judged OK)")),
        ):
            share = images[key]
            if share is None:
                lines.append(f"{title}: –")
            else:
                low, high = (f"{100 * value:.1f}" for value in share["interval"])
                lines.append(
                    f"{title}: {share['count']} / {images[of]} = {100 * share['rate']:.1f} %  (95 %: {low}–{high} %)"
                )
        lines += [tr("Best confidence threshold on these images: {value}", value=f"{images['best_confidence']:g}"), ""]
    rows = [(tr("all classes"), document["all"]), *((entry["name"], entry) for entry in document["classes"])]
    for name, entry in rows[:8]:
        lines.append(f"{name}:")
        for part, title in (("mask", tr("masks")), ("box", tr("boxes"))):
            if entry[part]:
                lines.append(f"    {title}: " + "  ".join(f"{key} {value:.3f}" for key, value in entry[part].items()))
    return "\n".join(lines)
