"""The second part of the training page: the architecture, out of a list that can be searched, with modifiers."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.api import Architecture
from inspector.training import known
from inspector.ui import texts, theme
from inspector.ui.form import wrap
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.training_bench import Bench, Cancelled, Job
from inspector.ui.training_parts import JobBar, scrolled_tree, select_row
from inspector.ui.widgets import ScrollFrame

_SIZE = 640  # pixels that costs are told for


class ArchitecturePane(ttk.Frame):
    """Step 2.

    Args:
        onward: called to go to the next step.
        changed: called when another architecture is chosen.
    """

    def __init__(
        self, parent: tk.Misc, shell: Shell, bench: Bench, onward: Callable[[], None], changed: Callable[[], None]
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._bench, self._changed = shell, bench, changed
        self._bases: list[tuple[str, Architecture]] = []  # with the id of the plugin that trains it
        self._modifiers: dict[str, ttk.Combobox] = {}
        self._base = ""
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._wanted = tk.StringVar(self)
        bar = ttk.Frame(self)
        bar.grid(row=0, column=0, sticky="ew", pady=theme.px(0, 8))
        ttk.Label(bar, text=t("Search")).pack(side="left", padx=theme.px(0, 8))
        self.search = ttk.Entry(bar, textvariable=self._wanted, width=28)
        self.search.pack(side="left")
        self._wanted.trace_add("write", lambda *_: self._list())
        self.table = self._build_table()
        side = ScrollFrame(self, width=min(theme.px(340), self.winfo_screenwidth() * 3 // 8))
        side.grid(row=0, column=1, rowspan=2, sticky="ns", padx=theme.px(16, 0))
        self._build_side(side.body)
        ttk.Button(self, text=t("Next: options and start"), style="Primary.TButton", command=onward).grid(
            row=2, column=1, sticky="e", pady=theme.px(8, 0)
        )
        self._fill()

    def _build_table(self) -> ttk.Treeview:
        room = ttk.Frame(self)
        room.grid(row=1, column=0, sticky="nsew")
        columns = {
            "name": (t("Name"), 170),
            "kind": (t("Kind"), 72),
            "title": (t("Title"), 210),
            "paper": (t("Paper"), 200),
            "parameters": (t("Parameters"), 105),
            "gflops": ("GFLOPs", 70),
        }
        table = scrolled_tree(room, list(columns), "browse")
        for key, (title, width) in columns.items():
            anchor: Any = "e" if key in ("parameters", "gflops") else "w"
            table.heading(key, text=title, anchor=anchor)
            elastic = key in ("title", "paper")
            narrowest = theme.px(width * 0.8 if elastic else 40)
            table.column(key, width=theme.px(width), minwidth=narrowest, anchor=anchor, stretch=elastic)
        table.bind("<<TreeviewSelect>>", lambda event: self._chosen())
        return table

    def _build_side(self, side: ttk.Frame) -> None:
        side.columnconfigure(0, weight=1)
        ttk.Label(side, text=t("Chosen"), style="Head.TLabel").grid(row=0, column=0, sticky="w")
        self._model = tk.StringVar(side, self._bench.model)
        entry = ttk.Entry(side, textvariable=self._model, font=theme.font("mono"))
        entry.grid(row=1, column=0, sticky="ew", pady=theme.px(4, 4))
        entry.bind("<Return>", lambda event: self.choose(self._model.get().strip()))
        entry.bind("<FocusOut>", lambda event: self.choose(self._model.get().strip()))
        self._box = ttk.Labelframe(side, text=t("Modifiers"), padding=theme.px(10, 6))
        self._box.grid(row=2, column=0, sticky="ew", pady=theme.px(0, 8))
        self._box.columnconfigure(1, weight=1)
        self._about = ttk.Label(side, style="Muted.TLabel")
        self._about.grid(row=3, column=0, sticky="ew")
        wrap(self._about)
        costs = ttk.Frame(side)
        costs.grid(row=4, column=0, sticky="ew", pady=theme.px(4, 10))
        self.ask = ttk.Button(costs, text=t("Compute the size"), command=self.compute)
        self.ask.pack(side="left")
        self._bar = JobBar(costs, self._bench, ("cost",))
        self._bar.pack(side="left", padx=theme.px(8, 0))
        checkpoint = ttk.Button(side, text=t("Start from a checkpoint…"), command=self._open)
        theme.icon_on(checkpoint, "folder2-open")
        checkpoint.grid(row=5, column=0, sticky="w", pady=theme.px(0, 10))

    # The list

    def _fill(self) -> None:
        """Ask the plugins what they can build; none imports torch for that."""
        layers = tuple(self._shell.catalogue.layers.values())
        found: list[tuple[str, Architecture]] = []
        for spec in self._shell.catalogue.models.values():
            if spec.train is None:
                continue
            if spec.architectures is not None:
                found += [(spec.id, one) for one in spec.architectures(layers).list()]
            if ".pt" in spec.suffixes:  # the weights of such a model may be the beginning of another
                for name, file in spec.bundled.items():
                    if file is not None and file.is_file():
                        found.append((spec.id, Architecture(name, "base", spec.title, "", str(file))))
        bases = [(trainer, one) for trainer, one in found if one.kind != "modifier"]
        self._bases = sorted(bases, key=lambda pair: not pair[1].meaning.endswith(".pt"))
        self._build_modifiers([one for _, one in found if one.kind == "modifier"])
        self._list()
        self.choose(self._bench.model)

    def _build_modifiers(self, modifiers: list[Architecture]) -> None:
        words: dict[str, list[Architecture]] = {}
        for one in modifiers:
            words.setdefault(one.name[1:].partition("=")[0], []).append(one)
        names = {
            "block": t("Blocks"),
            "down": t("Downsampling"),
            "backbone": t("Backbone"),
            "neck": t("Neck"),
            "upsample": t("Upsampling"),
        }
        for row, (word, members) in enumerate(words.items()):
            ttk.Label(self._box, text=names.get(word, word)).grid(row=row, column=0, sticky="w", padx=theme.px(0, 8))
            values = ["", *(one.name.partition("=")[2] for one in members)]
            box = ttk.Combobox(self._box, values=values, width=22)
            box.grid(row=row, column=1, sticky="ew", pady=theme.px(2, 2))
            for event in ("<<ComboboxSelected>>", "<Return>", "<FocusOut>"):
                box.bind(event, lambda event: self._modified())
            self._modifiers[word] = box

    def _list(self) -> None:
        """Show what fits the search."""
        words = self._wanted.get().casefold().split()
        kinds = {"base": t("base"), "preset": t("improved")}
        self.table.delete(*self.table.get_children())
        for _, one in self._bases:
            shipped = one.meaning.endswith(".pt")
            kind, title = t("trained") if shipped else kinds[one.kind], texts.read(one.title)
            row = (one.name, kind, title, one.paper, *self._sizes(one.name))
            if all(any(word in text.casefold() for text in (*row, one.meaning)) for word in words):
                self.table.insert("", "end", one.name, values=row)
        if self._base in self.table.get_children():
            select_row(self.table, self._base)

    def _sizes(self, name: str) -> tuple[str, str]:
        cost = self._bench.costs.get(name)
        return ("", "") if cost is None else (f"{cost['parameters'] / 1e6:.2f} M", f"{cost['gflops']:.2f}")

    # The choice

    def _chosen(self) -> None:
        """A row was selected: it takes the base's place, the modifiers stay."""
        selected = self.table.selection()
        if selected and selected[0] != self._base:
            self.choose(selected[0] + ("" if self._is_file(selected[0]) else self._suffix()))

    def _suffix(self) -> str:
        parts = ((word, box.get().strip()) for word, box in self._modifiers.items())
        return "".join(f"+{word}={value}" for word, value in parts if value)

    def _modified(self) -> None:
        if not self._is_file(self._base):
            self.choose((self._base or "yolo11n-seg") + self._suffix())

    def _is_file(self, name: str) -> bool:
        """It starts from weights, which have their architecture."""
        return name.lower().endswith(".pt") or any(
            one.name == name and one.meaning.endswith(".pt") for _, one in self._bases
        )

    def choose(self, model: str) -> None:
        """Take an architecture, a checkpoint's file, or the name of a shipped model."""
        if not model:
            model = self._bench.model
        file = self._is_file(model)
        base, *parts = [model] if file else model.split("+")
        given = dict(part.partition("=")[::2] for part in parts)
        for word, box in self._modifiers.items():
            box.state(["disabled" if file else "!disabled"])
            box.set(given.get(word, ""))
        self._base = base
        found = next(((trainer, one) for trainer, one in self._bases if one.name == base), None)
        self._model.set(model)
        if model != self._bench.model or (found and found[0] != self._bench.trainer):
            self._bench.model = model
            self._bench.trainer = found[0] if found else self._bench.trainer
            self._changed()
        if base in self.table.get_children() and self.table.selection() != (base,):
            select_row(self.table, base)
        elif base not in self.table.get_children():
            self.table.selection_set()
        self._tell(found[1] if found else None)

    def _tell(self, one: Architecture | None) -> None:
        """Below the name: what it means, and what it costs."""
        model = self._bench.model
        lines = []
        if one is not None and one.meaning and one.meaning != one.name and not one.meaning.endswith(".pt"):
            lines.append("=\N{NO-BREAK SPACE}" + one.meaning.replace("+", " +"))  # so that lines end between words
        if one is not None and one.paper:
            lines.append(one.paper)
        if self._is_file(model):
            lines.append(t("Training goes on from the weights in this file."))
        if (cost := self._bench.costs.get(model)) is not None:
            parameters, gflops = f"{cost['parameters']:,}", f"{cost['gflops']:.2f}"
            lines.append(
                t(
                    "{parameters} parameters, {gflops} GFLOPs at {size} pixels",
                    parameters=parameters,
                    gflops=gflops,
                    size=_SIZE,
                )
            )
        self._about.configure(text="\n".join(lines))
        self.ask.state(["disabled" if self._is_file(model) or cost is not None else "!disabled"])

    def _open(self) -> None:
        kinds = [(t("Checkpoints"), "*.pt"), (t("All files"), "*")]
        trained = known()
        at = str(trained[-1] / "weights") if trained else ""
        if chosen := filedialog.askopenfilename(parent=self, filetypes=kinds, initialdir=at):
            self.choose(str(Path(chosen)))

    # Costs

    def compute(self) -> None:
        """Have the chosen architecture built in a child process, and counted."""
        model = self._bench.model
        self._bench.begin(
            self._shell.tasks,
            "cost",
            t("Building it"),
            lambda job: (model, job.ask("architectures", model, "--imgsz", _SIZE)),
        )

    def job_over(self, job: Job) -> None:
        """The size is known, or the architecture cannot be built."""
        if job.error is None:
            model, document = job.result
            self._bench.costs[model] = document
            self._list()
            self.choose(self._bench.model)
        elif not isinstance(job.error, Cancelled):
            self._shell.toast(texts.sentence(str(job.error)), "bad")

    def poll(self) -> None:
        self._bar.poll()
