"""The second part of the training page: the architecture, out of a list that can be searched, with modifiers."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector import registry
from inspector.api import Architecture
from inspector.training import known_folders
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame
from inspector.ui.training.modifiers import added, kind_names, word_of
from inspector.ui.training.state import BackgroundJob, Cancelled, TrainingState
from inspector.ui.training.widgets import JobBar, scrolled_tree, select_row

_SIZE = 640  # image size for which costs are computed
_BASE = "yolo11n-seg"  # with which modifiers are counted


def _example(name: str) -> str:
    """The architecture that shows what ``name`` costs."""
    return _BASE + name if name.startswith("+") else name


class ArchitecturePane(ttk.Frame):
    """Step 2.

    Args:
        onward: called to go to the next step.
        changed: called when another architecture is chosen.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        training_state: TrainingState,
        onward: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._training_state, self._changed = shell, training_state, changed
        self._bases: list[tuple[str, Architecture]] = []  # with the id of the plugin that trains it
        self._known_modifiers: dict[str, Architecture] = {}
        self._modifiers: dict[str, ttk.Combobox] = {}
        self._base = ""
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._wanted = tk.StringVar(self)
        bar = ttk.Frame(self)
        bar.grid(row=0, column=0, sticky="ew", pady=theme.px(0, 8))
        ttk.Label(bar, text=tr("Search")).pack(side="left", padx=theme.px(0, 8))
        self.search = ttk.Entry(bar, textvariable=self._wanted, width=28)
        self.search.pack(side="left")
        self._wanted.trace_add("write", lambda *_: self._list())
        ttk.Label(bar, text=tr("Kind")).pack(side="left", padx=theme.px(16, 8))
        self.kind = ttk.Combobox(bar, state="readonly", width=14)
        self.kind.pack(side="left")
        self.kind.bind("<<ComboboxSelected>>", lambda event: self._list())
        self.table = self._build_table()
        narrow = theme.narrow(self)
        side = ScrollFrame(self, width=theme.px(340), whole=narrow)
        if narrow:
            side.grid(row=2, column=0, sticky="ew", pady=theme.px(8, 0))
        else:
            side.grid(row=0, column=1, rowspan=2, sticky="ns", padx=theme.px(16, 0))
        self._build_side(side.body)
        ttk.Button(self, text=tr("Next: options and start"), style="Primary.TButton", command=onward).grid(
            row=3, column=0 if narrow else 1, sticky="e", pady=theme.px(8, 0)
        )
        self._fill()

    def _build_table(self) -> ttk.Treeview:
        room = ttk.Frame(self)
        room.grid(row=1, column=0, sticky="nsew")
        columns = {
            "name": (tr("Name"), 170),
            "kind": (tr("Kind"), 100),
            "title": (tr("Title"), 210),
            "paper": (tr("Paper"), 200),
            "parameters": (tr("Parameters"), 105),
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
        table.bind("<Double-Button-1>", lambda event: self.use())
        table.bind("<Return>", lambda event: self.use())
        return table

    def _build_side(self, side: ttk.Frame) -> None:
        side.columnconfigure(0, weight=1)
        ttk.Label(side, text=tr("Chosen"), style="Head.TLabel").grid(row=0, column=0, sticky="w")
        self._model = tk.StringVar(side, self._training_state.model)
        entry = ttk.Entry(side, textvariable=self._model, font=theme.font("mono"))
        entry.grid(row=1, column=0, sticky="ew", pady=theme.px(4, 4))
        entry.bind("<Return>", lambda event: self.choose(self._model.get().strip()))
        entry.bind("<FocusOut>", lambda event: self.choose(self._model.get().strip()))
        self._box = ttk.Labelframe(side, text=tr("Modifiers"), padding=theme.px(10, 6))
        self._box.grid(row=5, column=0, sticky="ew", pady=theme.px(0, 8))
        self._box.columnconfigure(1, weight=1)
        self._about = ttk.Label(side, style="Muted.TLabel")
        self._about.grid(row=2, column=0, sticky="ew")
        wrap(self._about)
        self.add = ttk.Button(side, text=tr("Add to the architecture"), command=self.use)
        self.add.grid(row=3, column=0, sticky="w", pady=theme.px(6, 0))
        self.add.grid_remove()
        costs = ttk.Frame(side)
        costs.grid(row=4, column=0, sticky="ew", pady=theme.px(6, 10))
        self.ask = ttk.Button(costs, text=tr("Compute parameters and FLOPs"), command=self.compute)
        self.ask.pack(side="left")
        self._bar = JobBar(costs, self._training_state, ("cost",))
        self._bar.pack(side="left", padx=theme.px(8, 0))
        checkpoint = ttk.Button(side, text=tr("Start from a checkpoint…"), command=self._open)
        theme.set_icon(checkpoint, "folder2-open")
        checkpoint.grid(row=6, column=0, sticky="w", pady=theme.px(0, 10))

    # The list

    def _fill(self) -> None:
        """Ask the plugins what they can build; none imports torch for that."""
        found: list[tuple[str, Architecture]] = []
        for spec in self._shell.catalogue.models.values():
            if spec.train is None:
                continue
            if (known := registry.architectures(self._shell.catalogue, spec)) is not None:
                found += [
                    (spec.id, architecture)
                    for architecture in registry.architecture_list(self._shell.catalogue, spec, known)
                ]
            if ".pt" in spec.suffixes:  # the weights of such a model may be the beginning of another
                for name, file in spec.bundled.items():
                    if file is not None and file.is_file():
                        found.append((spec.id, Architecture(name, "base", spec.title, "", str(file))))
        bases = [(trainer, architecture) for trainer, architecture in found if architecture.kind != "modifier"]
        self._bases = sorted(bases, key=lambda pair: not pair[1].meaning.endswith(".pt"))
        modifiers = [architecture for _, architecture in found if architecture.kind == "modifier"]
        self._known_modifiers = {architecture.name: architecture for architecture in modifiers}
        self._build_modifiers(modifiers)
        words = dict.fromkeys(word_of(name) for name in self._known_modifiers)
        names = kind_names()
        self.kind.configure(
            values=[tr("All"), tr("base"), tr("improved"), tr("trained"), *(names.get(word, word) for word in words)]
        )
        self.kind.current(0)
        self._list()
        self.choose(self._training_state.model)

    def _build_modifiers(self, modifiers: list[Architecture]) -> None:
        words: dict[str, list[Architecture]] = {}
        for architecture in modifiers:
            words.setdefault(architecture.name[1:].partition("=")[0], []).append(architecture)
        names = kind_names()
        for row, (word, members) in enumerate(words.items()):
            ttk.Label(self._box, text=names.get(word, word)).grid(row=row, column=0, sticky="w", padx=theme.px(0, 8))
            values = ["", *(architecture.name.partition("=")[2] for architecture in members)]
            box = ttk.Combobox(self._box, values=values, width=22)
            box.grid(row=row, column=1, sticky="ew", pady=theme.px(2, 2))
            for event in ("<<ComboboxSelected>>", "<Return>", "<FocusOut>"):
                box.bind(event, lambda event: self._modified())
            self._modifiers[word] = box

    def _list(self) -> None:
        """Show what fits the search and the kind."""
        words = self._wanted.get().casefold().split()
        wanted = self.kind.get() if self.kind.current() > 0 else ""
        selected = self._selected()
        self.table.delete(*self.table.get_children())
        for architecture in (*(one for _, one in self._bases), *self._known_modifiers.values()):
            kind, title = self._kind_of(architecture), strings.localized(architecture.title)
            row = (architecture.name, kind, title, architecture.paper, *self._sizes(architecture.name))
            texts = (*row, architecture.meaning, architecture.about.en, architecture.about.zh)
            if wanted in ("", kind) and all(any(word in text.casefold() for text in texts) for word in words):
                self.table.insert("", "end", architecture.name, values=row)
        rows = self.table.get_children()
        if row_to_select := next((one for one in (selected, self._base) if one and one in rows), None):
            select_row(self.table, row_to_select)

    def _kind_of(self, architecture: Architecture) -> str:
        if architecture.kind == "modifier":
            word = word_of(architecture.name)
            return kind_names().get(word, word)
        if architecture.meaning.endswith(".pt"):
            return tr("trained")
        return {"base": tr("base"), "preset": tr("improved")}[architecture.kind]

    def _sizes(self, name: str) -> tuple[str, str]:
        cost = self._training_state.costs.get(_example(name))
        return ("", "") if cost is None else (f"{cost['parameters'] / 1e6:.2f} M", f"{cost['gflops']:.2f}")

    def _selected(self) -> str:
        """The modifier whose row is selected, if any."""
        return next((row for row in self.table.selection() if row in self._known_modifiers), "")

    # The choice

    def _chosen(self) -> None:
        """A row was selected: it takes the base's place, the modifiers stay; a modifier is described."""
        selected = self.table.selection()
        if self._selected():
            self._tell(None)
        elif selected and selected[0] != self._base:
            self.choose(selected[0] + ("" if self._is_file(selected[0]) else self._suffix()))
        elif selected:
            self.choose(self._training_state.model)

    def use(self) -> None:
        """Add the selected modifier to the chosen architecture."""
        if (name := self._selected()) and not self._is_file(self._base):
            box = self._modifiers[word_of(name)]
            box.set(added(box.get().strip(), name, self._shell.catalogue.layers.values()))
            self._modified()

    def _suffix(self) -> str:
        parts = ((word, box.get().strip()) for word, box in self._modifiers.items())
        return "".join(f"+{word}={value}" for word, value in parts if value)

    def _modified(self) -> None:
        if not self._is_file(self._base):
            self.choose((self._base or "yolo11n-seg") + self._suffix())

    def _is_file(self, name: str) -> bool:
        """Whether the model is a weights file, which contains its architecture."""
        return name.lower().endswith(".pt") or any(
            architecture.name == name and architecture.meaning.endswith(".pt") for _, architecture in self._bases
        )

    def choose(self, model: str) -> None:
        """Take an architecture, a checkpoint's file, or the name of a shipped model."""
        if not model:
            model = self._training_state.model
        file = self._is_file(model)
        base, *parts = [model] if file else model.split("+")
        modifiers = dict(part.partition("=")[::2] for part in parts)
        for word, box in self._modifiers.items():
            box.state(["disabled" if file else "!disabled"])
            box.set(modifiers.get(word, ""))
        self._base = base
        found = next(
            ((trainer, architecture) for trainer, architecture in self._bases if architecture.name == base), None
        )
        self._model.set(model)
        if model != self._training_state.model or (found and found[0] != self._training_state.trainer):
            self._training_state.model = model
            self._training_state.trainer = found[0] if found else self._training_state.trainer
            self._changed()
        if self._selected():
            pass  # the catalogue stays where it is being read
        elif base in self.table.get_children():
            if self.table.selection() != (base,):
                select_row(self.table, base)
        elif base not in self.table.get_children():
            self.table.selection_set()
        self._tell(found[1] if found else None)

    def _tell(self, architecture: Architecture | None) -> None:
        """Below the name: what it means, and what it costs; or the same of the selected modifier."""
        model = self._training_state.model
        lines = []
        if selected := self._selected():
            architecture = self._known_modifiers[selected]
            lines += [strings.localized(architecture.title), strings.localized(architecture.about)]
        elif architecture is not None:
            lines.append(strings.localized(architecture.about))
        if (
            architecture is not None
            and architecture.meaning
            and architecture.meaning != architecture.name
            and not architecture.meaning.endswith(".pt")
        ):
            lines.append(
                "=\N{NO-BREAK SPACE}" + architecture.meaning.replace("+", " +")
            )  # so that lines end between words
        if architecture is not None:
            lines.append(architecture.paper)
        if not selected and self._is_file(model):
            lines.append(tr("Training starts from the weights in this file."))
        if (cost := self._training_state.costs.get(self._costed())) is not None:
            values = {"parameters": f"{cost['parameters']:,}", "gflops": f"{cost['gflops']:.2f}", "size": _SIZE}
            said = (
                tr("With {base}: {parameters} parameters, {gflops} GFLOPs at {size} pixels", base=_BASE, **values)
                if selected
                else tr("{parameters} parameters, {gflops} GFLOPs at {size} pixels", **values)
            )
            lines.append(said)
        self._about.configure(text="\n".join(line for line in lines if line))
        known = cost is not None or (self._is_file(model) and not selected) or selected.endswith("/NAME")
        self.ask.state(["disabled" if known else "!disabled"])
        (self.add.grid if selected else self.add.grid_remove)()
        self.add.state(["disabled" if self._is_file(model) else "!disabled"])

    def _costed(self) -> str:
        """The architecture whose size is shown: the chosen one, or the smallest base with the selected modifier."""
        return _example(self._selected()) or self._training_state.model

    def _open(self) -> None:
        kinds = [(tr("Checkpoints"), "*.pt"), (tr("All files"), "*")]
        trained = known_folders()
        at = str(trained[-1] / "weights") if trained else ""
        if chosen := filedialog.askopenfilename(parent=self, filetypes=kinds, initialdir=at):
            self.choose(str(Path(chosen)))

    # Costs

    def compute(self) -> None:
        """Have the chosen architecture, or the selected modifier, built in a child process and counted."""
        model = self._costed()
        self._training_state.start_job(
            self._shell.tasks,
            "cost",
            tr("Building the model"),
            lambda job: (model, job.ask("architectures", model, "--imgsz", _SIZE)),
        )

    def on_job_ended(self, job: BackgroundJob) -> None:
        """The size is known, or the architecture cannot be built."""
        if job.error is None:
            model, document = job.result
            self._training_state.costs[model] = document
            self._list()
            self.choose(self._training_state.model)
        elif not isinstance(job.error, Cancelled):
            self._shell.toast(strings.sentence(str(job.error)), "bad")

    def poll(self) -> None:
        self._bar.poll()
