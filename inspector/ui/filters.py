"""What to look for in the history: a bar that the history and the statistics share."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from tkinter import ttk
from typing import Any, Literal

from inspector.history import History, Query
from inspector.ui import theme
from inspector.ui.history_rows import verdict_text
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.widgets import Tooltip

_DELAY = 350  # milliseconds after the last key
_VERDICTS: tuple[Literal["OK", "WARN", "NG", "SKIPPED"], ...] = ("OK", "WARN", "NG", "SKIPPED")
_PERIODS = ("all", "today", "week", "month", "own")
_FIELDS = ("period", "since", "until", "verdict", "label", "model", "run", "file", "text")


@dataclass(frozen=True)
class Choices:
    """What there is to choose from: of runs the id and what a person calls it."""

    runs: tuple[tuple[int, str], ...]
    labels: tuple[str, ...]
    models: tuple[str, ...]


def load_choices() -> Choices:
    """Runs, class names and models of the whole history. For a worker's thread."""
    with History.open() as history:
        runs = history.runs()
    named = tuple((run.id, f"{run.id} · {run.started[:16].replace('T', ' ')} · {run.title}") for run in runs)
    labels = {label for run in runs for label in run.model.names}
    models = {run.model.file for run in runs if run.model.file}
    return Choices(named, tuple(sorted(labels)), tuple(sorted(models)))


class FilterBar(ttk.Frame):
    """Fields for a :class:`inspector.history.Query`.

    Args:
        changed: called with the query soon after each change that can be used.
    """

    def __init__(self, parent: tk.Misc, shell: Shell, changed: Callable[[Query], object]) -> None:
        super().__init__(parent)
        self._shell, self._changed = shell, changed
        self._values = {name: tk.StringVar(self) for name in _FIELDS}
        self._periods = dict(
            zip(_PERIODS, (t("All times"), t("Today"), t("7 days"), t("30 days"), t("From … to …")), strict=True)
        )
        self._verdicts = {"": t("All")} | {
            name: verdict_text(None if name == "SKIPPED" else name) for name in _VERDICTS
        }
        self._runs: dict[str, int] = {}
        self._waiting = ""
        self._quiet = False
        self._fields: list[tuple[ttk.Label, ttk.Entry, int]] = []
        self._lines = 0
        self._last: Query | None = None
        self._build()
        self._fill({})
        for name, value in self._values.items():
            value.trace_add("write", lambda *_, name=name: self._edited(name))

    def _build(self) -> None:
        self._choice(t("Period"), "period", 11, list(self._periods.values()))
        for field in (self._entry(t("From"), "since", 11), self._entry(t("To"), "until", 11)):
            Tooltip(field, t("A day such as 2026-11-23, also with a time: 2026-11-23 14:30"))
        self._choice(t("Verdict"), "verdict", 8, list(self._verdicts.values()))
        self._label = self._choice(t("Class"), "label", 10)
        self._model = self._choice(t("Model"), "model", 14)
        self._run = self._choice(t("Run no."), "run", 16)
        Tooltip(self._entry(t("File"), "file", 12), t("Name or end of a path; * and ? stand for anything"))
        self.text = self._entry(t("Text"), "text", 12)
        Tooltip(self.text, t("Part of a file, folder, class, reason or run (Ctrl+F)"))
        self._reset = ttk.Button(self, text=t("Reset"), command=self.reset)
        self._said = ttk.Label(self, style="Bad.TLabel")
        self._arrange()
        self.bind("<Configure>", lambda _: self._arrange())

    def _choice(self, title: str, name: str, width: int, fixed: list[str] | None = None) -> ttk.Combobox:
        """A field with a list; with ``fixed`` nothing else may be typed."""
        field = ttk.Combobox(self, textvariable=self._values[name], width=width)
        if fixed is not None:
            field.configure(values=fixed, state="readonly")
        self._place(field, title, width)
        return field

    def _entry(self, title: str, name: str, width: int) -> ttk.Entry:
        field = ttk.Entry(self, textvariable=self._values[name], width=width)
        self._place(field, title, width)
        return field

    def _place(self, field: ttk.Entry, title: str, width: int) -> None:
        self._fields.append((ttk.Label(self, text=title, style="Caption.TLabel"), field, width))
        field.bind("<Return>", lambda _: self._tell())

    def _arrange(self) -> None:
        """All in a row where that fits, else in two."""
        gap = theme.px(4)
        needed = sum(field.winfo_reqwidth() + gap for _, field, _ in self._fields) + self._reset.winfo_reqwidth()
        rows = 1 if needed <= self.winfo_width() else 2
        if rows == self._lines:
            return
        self._lines = rows
        across = -(-len(self._fields) // rows)
        for place, (label, field, width) in enumerate(self._fields):
            row, column = divmod(place, across)
            label.grid(row=2 * row, column=column, sticky="w")
            field.grid(row=2 * row + 1, column=column, sticky="ew", padx=(0, gap))
            self.columnconfigure(column, weight=width)
        self._reset.grid(row=2 * rows - 1, column=across, padx=(gap, 0))
        self._said.grid(row=2 * rows, column=0, columnspan=across, sticky="w")
        self._say("")

    # what others may ask

    def query(self) -> Query | None:
        """What the fields ask for; None where one cannot be understood, and the bar says which."""
        get = {name: value.get().strip() for name, value in self._values.items()}
        period = _key(self._periods, get["period"])
        today = _midnight(date.today())
        days = {"today": 0, "week": 6, "month": 29}
        since = today - timedelta(days=days[period]) if period in days else None
        until = None
        said = ""
        try:
            if period == "own":
                since, until = _moment(get["since"]), _moment(get["until"], end=True)
        except ValueError as error:
            said = t("{day} is not a day such as 2026-11-23.", day=error)
        run = self._runs.get(get["run"])
        if get["run"] and run is None:
            number = get["run"].split("·")[0].strip()
            if number.isdecimal():
                run = int(number)
            else:
                said = t("{run} is not the number of a run.", run=get["run"])
        self._say(said)
        if said:
            return None
        verdict = next((name for name in _VERDICTS if self._verdicts[name] == get["verdict"]), None)
        return Query(
            since=since,
            until=until,
            verdict=verdict,
            label=get["label"] or None,
            model=get["model"] or None,
            file=_file(get["file"]),
            text=get["text"] or None,
            run=run,
        )

    def show(self, choices: Choices) -> None:
        """Offer what there is to choose from."""
        self._runs = {name: id for id, name in choices.runs}
        self._label.configure(values=choices.labels)
        self._model.configure(values=choices.models)
        self._run.configure(values=[name for _, name in choices.runs])

    def reload(self) -> None:
        """Fetch anew what there is to choose from."""
        self._shell.tasks.run(load_choices, done=self._came)

    def _came(self, choices: Choices) -> None:
        if self.winfo_exists():
            self.show(choices)

    def reset(self) -> None:
        """Ask for everything."""
        self.set()

    def set(self, **values: str) -> None:
        """Fill fields in, the others become empty. Period and verdict go by their keys: ``today``, ``NG`` …"""
        self._fill(values)
        self._tell()

    def held(self) -> dict[str, str]:
        """The fields, by their keys, for :meth:`set`."""
        values = {name: value.get() for name, value in self._values.items()}
        values["period"] = _key(self._periods, values["period"])
        values["verdict"] = _key(self._verdicts, values["verdict"])
        return values

    def destroy(self) -> None:
        if self._waiting:
            self.after_cancel(self._waiting)
        super().destroy()

    # within

    def _fill(self, values: Mapping[str, str]) -> None:
        self._quiet = True
        for name, value in self._values.items():
            given = values.get(name, "")
            if name == "period":
                given = self._periods[given or "all"]
            elif name == "verdict":
                given = self._verdicts[given or ""]
            value.set(given)
        self._quiet = False

    def _edited(self, name: str) -> None:
        if self._quiet:
            return
        self._quiet = True
        if name in ("since", "until") and self._values[name].get():
            self._values["period"].set(self._periods["own"])
        elif name == "period" and self._values["period"].get() != self._periods["own"]:
            self._values["since"].set("")
            self._values["until"].set("")
        self._quiet = False
        if self._waiting:
            self.after_cancel(self._waiting)
        self._waiting = self.after(_DELAY, self._tell)

    def _tell(self) -> None:
        if self._waiting:
            self.after_cancel(self._waiting)
            self._waiting = ""
        query = self.query()
        if query is not None and query != self._last:
            self._last = query
            self._changed(query)

    def _say(self, text: str) -> None:
        if text:
            self._said.configure(text=f"✕ {text}")
            self._said.grid()
        else:
            self._said.grid_remove()


def _key(texts: Mapping[str, str], text: str) -> Any:
    return next((key for key, known in texts.items() if known == text), next(iter(texts)))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day).astimezone()


def _file(text: str) -> str | None:
    """A part of a name is enough; whoever writes a path or a pattern means it exactly."""
    return f"*{text}*" if text and not set(text) & set("*?/\\") else text or None


def _moment(text: str, end: bool = False) -> datetime | None:
    """A day or a moment by the clock on the wall; with ``end`` the one behind it. ValueError with the text."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(text) from None
    if end:
        moment += timedelta(days=1) if len(text) <= len("2026-11-23") else timedelta(minutes=1)
    return moment.astimezone()
