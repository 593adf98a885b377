"""Filter bar for inspections, shared by the history and the statistics page."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from tkinter import ttk
from typing import Any, Literal

from inspector.domain import InputError
from inspector.history import History, Query
from inspector.history.periods import day, shift, shift_starts, to_local_time
from inspector.history.statistics import Analysis
from inspector.ui.history.rows import verdict_text
from inspector.ui.kit import theme
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import sentence, tr
from inspector.ui.kit.widgets import Tooltip

_DELAY = 350  # milliseconds after the last key
_VERDICTS: tuple[Literal["OK", "WARN", "NG", "SKIPPED"], ...] = ("OK", "WARN", "NG", "SKIPPED")
_PERIODS = ("all", "today", "yesterday", "shift", "week", "month", "own")
_QUICK = ("today", "yesterday", "shift")
_FIELDS = ("period", "since", "until", "verdict", "label", "model", "run", "file", "text")


@dataclass(frozen=True)
class FilterChoices:
    """Values to choose from; runs as id and title."""

    runs: tuple[tuple[int, str], ...]
    labels: tuple[str, ...]
    models: tuple[str, ...]


def load_choices() -> FilterChoices:
    """Load runs, class names and models of the whole history. Call on a worker thread."""
    with History.open() as history:
        runs = history.runs()
    named = tuple((run.id, f"{run.id} · {run.started[:16].replace('T', ' ')} · {run.title}") for run in runs)
    labels = {label for run in runs for label in run.model.names}
    models = {run.model.file for run in runs if run.model.file}
    return FilterChoices(named, tuple(sorted(labels)), tuple(sorted(models)))


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
            zip(
                _PERIODS,
                (
                    tr("Any time"),
                    tr("Today"),
                    tr("Yesterday"),
                    tr("This shift"),
                    tr("7 days"),
                    tr("30 days"),
                    tr("Custom range"),
                ),
                strict=True,
            )
        )
        self._verdicts = {"": tr("All")} | {
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
        self._choice(tr("Period"), "period", 11, list(self._periods.values()))
        for field in (self._entry(tr("From"), "since", 11), self._entry(tr("To"), "until", 11)):
            Tooltip(field, tr("A date, e.g. 2026-11-23, optionally with a time: 2026-11-23 14:30"))
        self._choice(tr("Verdict"), "verdict", 8, list(self._verdicts.values()))
        self._label = self._choice(tr("Class"), "label", 10)
        self._model = self._choice(tr("Model"), "model", 14)
        self._run = self._choice(tr("Run"), "run", 18)
        _widen_list(self._run, 260)
        Tooltip(self._entry(tr("File"), "file", 12), tr("File name or end of a path; * and ? are wildcards"))
        self.text = self._entry(tr("Keyword"), "text", 12)
        Tooltip(self.text, tr("Part of a file, folder, class, reason or run (Ctrl+F)"))
        self._reset = ttk.Button(self, text=tr("Reset"), command=self.reset)
        self._status = ttk.Label(self, style="Bad.TLabel")
        self._arrange()
        self.bind("<Configure>", lambda _: self._arrange())

    def _choice(self, title: str, name: str, width: int, fixed: list[str] | None = None) -> ttk.Combobox:
        """Add a combobox; with ``fixed`` it accepts only its values."""
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
        """Arrange all fields in one row if they fit, else in two."""
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
        self._status.grid(row=2 * rows, column=0, columnspan=across, sticky="w")
        self._say("")

    # public interface

    def query(self) -> Query | None:
        """Return the query of the fields; None if one is invalid, which the bar then reports."""
        get = {name: value.get().strip() for name, value in self._values.items()}
        period = _key(self._periods, get["period"])
        since = until = None
        message = ""
        try:
            if period == "own":
                since, until = _moment(get["since"]), _moment(get["until"], end=True)
            else:
                since, until = _period(period, self._shell.settings.get("shifts"))
        except ValueError as error:
            message = tr("{day} is not a date like 2026-11-23.", day=error)
        except InputError as error:
            message = sentence(str(error))
        run = self._runs.get(get["run"])
        if get["run"] and run is None:
            number = get["run"].split("·")[0].strip()
            if number.isdecimal():
                run = int(number)
            else:
                message = tr("{run} is not a run number.", run=get["run"])
        self._say(message)
        if message:
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

    def title(self) -> str:
        """Return a title of the query: period and verdict, e.g. ``Today NG``."""
        values = self.values()
        period = self._periods[values["period"]] if values["period"] not in ("all", "own") else tr("History")
        return " ".join(part for part in (period, values["verdict"]) if part)

    def show(self, choices: FilterChoices) -> None:
        """Set the values to choose from."""
        self._runs = {name: id for id, name in choices.runs}
        self._label.configure(values=choices.labels)
        self._model.configure(values=choices.models)
        self._run.configure(values=[name for _, name in choices.runs])

    def reload(self) -> None:
        """Reload the values to choose from."""
        self._shell.tasks.run(load_choices, done=self._came)

    def _came(self, choices: FilterChoices) -> None:
        if self.winfo_exists():
            self.show(choices)

    def reset(self) -> None:
        """Clear all fields."""
        self.set()

    def set(self, **values: str) -> None:
        """Fill in fields and clear the others. Period and verdict are given by key: ``today``, ``NG`` …"""
        self._fill(values)
        self._tell()

    def values(self) -> dict[str, str]:
        """Return the fields by key, for :meth:`set`."""
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
            text = values.get(name, "")
            if name == "period":
                text = self._periods[text or "all"]
            elif name == "verdict":
                text = self._verdicts[text or ""]
            value.set(text)
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
            self._status.configure(text=f"✕ {text}")
            self._status.grid()
        else:
            self._status.grid_remove()


def _widen_list(box: ttk.Combobox, by: int) -> None:
    """Make the list of a combobox wider than its field by ``by`` pixels at 96 dpi."""
    style = "Wide.TCombobox"
    theme.on_theme_change(box, lambda: ttk.Style(box).configure(style, postoffset=(0, 0, theme.px(by), 0)))
    box.configure(style=style)


def _key(texts: Mapping[str, str], text: str) -> Any:
    return next((key for key, known in texts.items() if known == text), next(iter(texts)))


def _period(period: str, shifts: str) -> tuple[datetime | None, datetime | None]:
    """Return start and end of a period; a current period has no end.

    Raises:
        InputError: ``shifts`` contains no valid times of day.
    """
    now = datetime.now().astimezone()
    if period == "yesterday":
        return day(now, 1)
    if period == "shift":
        return shift(now, shift_starts(shifts))[0], None
    back = {"today": 0, "week": 6, "month": 29}
    return (day(now, back[period])[0], None) if period in back else (None, None)


def load_counts(shifts: str) -> dict[str, int]:
    """Count NG parts of today, yesterday and this shift; unknown counts are omitted. Call on a worker thread."""
    counts = {}
    with Analysis() as analysis:
        for period in _QUICK:
            try:
                since, until = _period(period, shifts)
            except InputError:
                continue
            counts[period] = analysis.tally(Query(since=since, until=until)).ng
    return counts


class PeriodButtons(ttk.Frame):
    """Buttons for today, yesterday and this shift, and for the NG parts of each.

    Args:
        chosen: called after one was pressed.
        ng: with a button for the NG parts of each.
    """

    def __init__(
        self, parent: tk.Misc, shell: Shell, bar: FilterBar, chosen: Callable[[], object], ng: bool = True
    ) -> None:
        super().__init__(parent)
        self._shell, self._bar, self._chosen = shell, bar, chosen
        names = {"today": tr("Today"), "yesterday": tr("Yesterday"), "shift": tr("This shift")}
        self.buttons: dict[tuple[str, str], ttk.Button] = {}
        for place, (period, name) in enumerate(names.items()):
            gap = theme.px(12) if place else 0
            self._add(period, "", name, gap)
            if ng:
                Tooltip(self._add(period, "NG", "✕ NG", 1), tr("Only NG parts"))

    def _add(self, period: str, verdict: str, text: str, gap: int) -> ttk.Button:
        button = ttk.Button(self, text=text, command=lambda: self.press(period, verdict))
        button.pack(side="left", padx=(gap, 0))
        self.buttons[period, verdict] = button
        return button

    def press(self, period: str, verdict: str = "") -> None:
        """Filter by a period, optionally by a verdict."""
        self._bar.set(period=period, verdict=verdict)
        self._chosen()

    def reload(self) -> None:
        """Count the NG parts again."""
        self._shell.tasks.run(load_counts, self._shell.settings.get("shifts"), done=self._came)

    def _came(self, counts: Mapping[str, int]) -> None:
        if self.winfo_exists():
            for (period, verdict), button in self.buttons.items():
                if verdict and period in counts:
                    button.configure(text=f"✕ NG {counts[period]:,}")


def _file(text: str) -> str | None:
    """Turn a part of a name into a pattern; paths and patterns are used as they are."""
    return f"*{text}*" if text and not set(text) & set("*?/\\") else text or None


def _moment(text: str, end: bool = False) -> datetime | None:
    """Parse a local date or time; with ``end`` return the end of that day or minute. Raises ValueError(text)."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(text) from None
    try:
        if end:
            moment += timedelta(days=1) if len(text) <= len("2026-11-23") else timedelta(minutes=1)
        return to_local_time(moment)
    except OverflowError:
        raise ValueError(text) from None
