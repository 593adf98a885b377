"""Dialog for how images group into parts, what triggers a camera, and what is recorded with each result."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import TYPE_CHECKING, Literal

from inspector.domain import Grouping, InputError
from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.strings import sentence, tr

if TYPE_CHECKING:
    from inspector.ui.inspect.host import InspectHost

Kind = Literal["image", "pattern", "count", "stretch"]
FACTS = ("lot", "operator", "station")
_SECONDS = {"timer": "2", "still": "0.3"}


def parts_text(grouping: Grouping | None) -> str:
    """Summarise how images group into parts, and the trigger."""
    if grouping is None:
        return tr("each image is a part")
    if grouping.pattern:
        words = tr("by name: {pattern}", pattern=grouping.pattern)
        if grouping.expected:
            words += " · " + (", ".join(grouping.views) or tr("{n} views", n=grouping.expected))
        return words
    if grouping.stretch:
        words = tr("from one trigger to the next")
    elif grouping.single:
        words = tr("each image is a part")
    else:
        words = tr("{n} images in a row", n=grouping.count)
    return words if grouping.trigger is None else f"{words} · {trigger_text(grouping)}"


def trigger_text(grouping: Grouping) -> str:
    """Name the trigger, with its seconds."""
    trigger = grouping.trigger
    if trigger is None:
        return tr("no trigger")
    words = {"key": tr("key F7"), "timer": tr("timer"), "still": tr("when motion stops")}[trigger.kind]
    return words if trigger.kind == "key" else f"{words} {trigger.seconds:g} s"


class PartsDialog(tk.Toplevel):
    """Modal dialog.

    Args:
        facts: ``lot``, ``operator`` and ``station``.
        edited: called with the new grouping and facts.
    """

    def __init__(
        self,
        host: InspectHost,
        grouping: Grouping | None,
        facts: Mapping[str, str],
        edited: Callable[[Grouping | None, Mapping[str, str]], object],
    ) -> None:
        super().__init__(host.root)
        self.withdraw()
        self._edited = edited
        self.title(tr("Parts"))
        self.transient(host.root)
        self.resizable(False, False)
        theme.on_theme_change(self, self._paint)
        body = ttk.Frame(self, padding=theme.px(16))
        body.pack(fill="both", expand=True)
        ttk.Label(body, text=tr("What is one part?"), style="Title.TLabel").pack(anchor="w", pady=theme.px(0, 8))
        self._build_kinds(body, grouping or Grouping())
        self._build_trigger(body, grouping or Grouping())
        self._build_facts(body, facts)
        self.problem = ttk.Label(body, style="Bad.TLabel", wraplength=theme.px(470), justify="left")
        self.problem.pack(anchor="w", pady=theme.px(8, 4))
        buttons = ttk.Frame(body)
        buttons.pack(fill="x")
        ttk.Button(buttons, text=tr("OK"), style="Primary.TButton", command=self.accept).pack(side="right")
        ttk.Button(buttons, text=tr("Cancel"), command=self.destroy).pack(side="right", padx=theme.px(8))
        self.bind("<Return>", lambda _: self.accept())
        self.bind("<Escape>", lambda _: self.destroy())
        self._enable()
        dialogs.centre(host.root, self)
        self.grab_set()
        self.focus_set()

    def _build_kinds(self, body: ttk.Frame, grouping: Grouping) -> None:
        kind: Kind = "image"
        if grouping.pattern:
            kind = "pattern"
        elif grouping.stretch:
            kind = "stretch"
        elif not grouping.single:
            kind = "count"
        self.kind = tk.StringVar(self, kind)
        self.pattern = tk.StringVar(self, grouping.pattern or "{serial}_{view}")
        views = ", ".join(grouping.views) or (str(grouping.count) if grouping.pattern and grouping.count else "")
        self.views = tk.StringVar(self, views)
        self.count = tk.StringVar(self, str(grouping.count or 2) if not grouping.pattern else "2")
        self._fields: dict[str, list[ttk.Widget]] = {"pattern": [], "count": []}
        self._radio(body, "image", tr("Each image"))
        self._radio(body, "pattern", tr("Images whose file names agree"))
        box = self._inner(body)
        for row, (name, variable, help) in enumerate(
            (
                (
                    tr("Name"),
                    self.pattern,
                    tr("{fields} stand for what differs; * is any text", fields="{serial}, {lot}, {view}"),
                ),
                (tr("Views"), self.views, tr("that each part must have, e.g. front, back, or their number")),
            )
        ):
            ttk.Label(box, text=name).grid(row=2 * row, column=0, sticky="w", padx=theme.px(0, 8))
            entry = ttk.Entry(box, textvariable=variable, width=34)
            entry.grid(row=2 * row, column=1, sticky="ew")
            ttk.Label(box, text=help, style="Muted.TLabel").grid(row=2 * row + 1, column=1, sticky="w")
            self._fields["pattern"].append(entry)
        self._radio(body, "count", tr("A fixed number of images in a row"))
        box = self._inner(body)
        ttk.Label(box, text=tr("Images")).pack(side="left", padx=theme.px(0, 8))
        number = ttk.Spinbox(box, textvariable=self.count, from_=2, to=999, width=6)
        number.pack(side="left")
        self._fields["count"].append(number)
        self._radio(body, "stretch", tr("A video or camera from one trigger to the next"))

    def _build_trigger(self, body: ttk.Frame, grouping: Grouping) -> None:
        row = ttk.Frame(body)
        row.pack(fill="x", pady=theme.px(10, 0))
        self._triggers = {
            "": tr("no trigger"),
            "key": tr("key F7"),
            "timer": tr("timer"),
            "still": tr("when motion stops"),
        }
        trigger = grouping.trigger
        ttk.Label(row, text=tr("Trigger"), style="Head.TLabel").pack(side="left", padx=theme.px(0, 8))
        self.trigger = tk.StringVar(self, self._triggers[trigger.kind if trigger else ""])
        self._trigger_box = ttk.Combobox(
            row, textvariable=self.trigger, state="readonly", values=list(self._triggers.values()), width=22
        )
        self._trigger_box.pack(side="left")
        self.seconds = tk.StringVar(self, f"{trigger.seconds:g}" if trigger and trigger.seconds else "")
        self._seconds = ttk.Spinbox(row, textvariable=self.seconds, from_=0.1, to=3600, increment=0.1, width=7)
        self._seconds.pack(side="left", padx=theme.px(8, 4))
        ttk.Label(row, text="s").pack(side="left")
        self._trigger_box.bind("<<ComboboxSelected>>", lambda _: self._chose_trigger())
        text = tr(
            "For cameras and videos. Without a trigger, each frame of a camera counts. “When motion stops” compares "
            "with the image at the start, so begin with an empty place."
        )
        ttk.Label(body, text=text, style="Muted.TLabel", wraplength=theme.px(470), justify="left").pack(
            anchor="w", pady=theme.px(4, 0)
        )

    def _build_facts(self, body: ttk.Frame, facts: Mapping[str, str]) -> None:
        ttk.Label(body, text=tr("Recorded with each result"), style="Head.TLabel").pack(
            anchor="w", pady=theme.px(10, 2)
        )
        row = ttk.Frame(body)
        row.pack(fill="x")
        self.facts = {name: tk.StringVar(self, facts.get(name, "")) for name in FACTS}
        titles = {"lot": tr("Lot"), "operator": tr("Operator"), "station": tr("Station")}
        for column, name in enumerate(FACTS):
            ttk.Label(row, text=titles[name]).grid(row=0, column=column, sticky="w")
            ttk.Entry(row, textvariable=self.facts[name], width=16).grid(
                row=1, column=column, sticky="ew", padx=theme.px(0, 8)
            )
            row.columnconfigure(column, weight=1)

    def _radio(self, body: ttk.Frame, kind: Kind, text: str) -> None:
        ttk.Radiobutton(body, text=text, value=kind, variable=self.kind, command=self._enable).pack(anchor="w")

    def _inner(self, body: ttk.Frame) -> ttk.Frame:
        box = ttk.Frame(body, padding=(*theme.px(24, 2), *theme.px(0, 8)))
        box.pack(fill="x")
        box.columnconfigure(1, weight=1)
        return box

    @property
    def _trigger_kind(self) -> str:
        return next((kind for kind, text in self._triggers.items() if text == self.trigger.get()), "")

    def _chose_trigger(self) -> None:
        self._trigger_box.selection_clear()
        self.seconds.set(_SECONDS.get(self._trigger_kind, ""))
        self._enable()

    def _enable(self) -> None:
        """Enable the fields that the choice needs."""
        kind = self.kind.get()
        for name, fields in self._fields.items():
            for field in fields:
                field.state(["!disabled" if name == kind else "disabled"])
        if kind == "pattern":
            self.trigger.set(self._triggers[""])
        elif kind == "stretch" and not self._trigger_kind:
            self.trigger.set(self._triggers["still"])
            self.seconds.set(_SECONDS["still"])
        self._trigger_box.state(["disabled" if kind == "pattern" else "!disabled"])
        self._seconds.state(["!disabled" if self._trigger_kind in _SECONDS and kind != "pattern" else "disabled"])
        self.problem.configure(text="")

    def grouping(self) -> Grouping | None:
        """Return what is chosen.

        Raises:
            InputError: it cannot be used.
        """
        kind, trigger = self.kind.get(), self._trigger_kind
        seconds = self.seconds.get().replace(",", ".").strip()
        parts = {"image": "", "pattern": self.pattern.get(), "count": self.count.get(), "stretch": "stretch"}[kind]
        if kind in ("pattern", "count") and not parts.strip():
            parts = "{}" if kind == "pattern" else "0"  # refused with the sentence for it
        return Grouping.from_text(
            parts,
            self.views.get() if kind == "pattern" else "",
            f"{trigger}:{seconds}" if trigger in _SECONDS else trigger,
        )

    def accept(self) -> None:
        """Use what is chosen, or say in one sentence why it cannot be used."""
        try:
            grouping = self.grouping()
        except InputError as error:
            self.problem.configure(text=sentence(str(error)))
            return
        facts = {name: variable.get().strip() for name, variable in self.facts.items()}
        self.destroy()
        self._edited(grouping, facts)

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)
