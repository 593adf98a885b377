"""A form made of declared options alone: it shows the options of plugins, the settings and the training options."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.api import InputError, Option
from inspector.ui import texts, theme
from inspector.ui.texts import t
from inspector.ui.widgets import Tooltip

PAUSE_MS = 400
_SCALE_STEPS = 200
_BESIDE = 12  # pixels at 96 dpi between a title and its control
_WHEEL = ("<MouseWheel>", "<Button-4>", "<Button-5>")


class Form(ttk.Frame):
    """One row an option: its title, a control that fits its type, its help, and what is wrong with what stands there.

    Args:
        options: in the order in which they are shown.
        values: by key; an option that is missing here shows its default.
        on_change: called with the key and the checked value after each change that is right; for what is typed after a
            short pause, or when the field is left.
        names: by key: how choices are called (choice -> text for people); choices without a name are shown as they are.
    """

    def __init__(
        self,
        parent: tk.Misc,
        options: Sequence[Option],
        values: Mapping[str, Any],
        on_change: Callable[[str, Any], None] | None = None,
        names: Mapping[str, Mapping[Any, str]] | None = None,
    ) -> None:
        super().__init__(parent)
        self.columnconfigure(1, weight=1)
        self._fields = {
            option.key: _Field(self, place, option, (names or {}).get(option.key, {}), on_change)
            for place, option in enumerate(options)
        }
        for key, field in self._fields.items():
            field.start(values.get(key, field.option.default))

    def values(self) -> dict[str, Any]:
        """Every option's checked value.

        Raises:
            InputError: for the first field that is wrong, by its title.
        """
        for field in self._fields.values():
            if field.error:
                raise InputError(f"{texts.read(field.option.title)}: {field.error}")
        return {key: field.value() for key, field in self._fields.items()}

    def errors(self) -> dict[str, str]:
        """What is wrong, as a sentence by key; empty where everything is right."""
        return {key: field.error for key, field in self._fields.items() if field.error}

    def set(self, key: str, value: Any) -> None:
        """Show ``value``; ``on_change`` is not called."""
        self._fields[key].start(value)

    def title_width(self) -> int:
        """Pixels that the column of titles takes."""
        return max((field.title_width() for field in self._fields.values()), default=0)

    def go_to(self, key: str) -> None:
        """Put the keyboard into a field."""
        self._fields[key].control.focus_set()

    def destroy(self) -> None:
        """Tell what was typed last, then go."""
        for field in self._fields.values():
            field.flush()
        super().destroy()


class _Field:
    """One option: title, control, help, error, and the way back to the default."""

    def __init__(
        self,
        form: Form,
        place: int,
        option: Option,
        names: Mapping[Any, str],
        on_change: Callable[[str, Any], None] | None,
    ) -> None:
        self.option, self.error = option, ""
        self._form, self._on_change = form, on_change
        self._shown = {choice: names.get(choice, str(choice)) for choice in option.choices}
        self._told: Any = None
        self._pending = ""
        self._starting = True
        self._variable = tk.StringVar(form)
        self._slider: tk.DoubleVar | None = None
        row, gap, above = 3 * place, theme.px(4), (theme.px(10) if place else 0, 0)
        box = ttk.Frame(form)
        box.columnconfigure(0, weight=1)
        box.grid(row=row, column=1, sticky="ew", pady=above)
        self.control = self._make(box)
        title = self._title = ttk.Label(form, text=texts.read(option.title), wraplength=theme.px(190))
        title.grid(row=row, column=0, sticky="w", padx=(0, theme.px(_BESIDE)), pady=above)
        if isinstance(self.control, ttk.Checkbutton):
            press = self.control.invoke
            title.bind("<Button-1>", lambda _: press())
        self._back = ttk.Button(form, style="Tool.TButton", command=self._reset)
        theme.icon_on(self._back, "arrow-counterclockwise", 14, "muted")
        if not self._back.cget("image"):
            self._back.configure(text="↺", width=2)  # without ttkbootstrap there are no icons
        self._back.grid(row=row, column=2, sticky="e", padx=(gap, 0), pady=above)
        form.columnconfigure(2, minsize=self._back.winfo_reqwidth() + gap)
        Tooltip(self._back, t("Back to the default: {value}", value=self._default_text()))
        if help_text := texts.read(option.help):
            muted = ttk.Label(form, text=help_text, style="Caption.TLabel")
            muted.grid(row=row + 2, column=1, columnspan=2, sticky="ew")
            wrap(muted)
        self._wrong = ttk.Label(form, style="Bad.TLabel")
        self._wrong.grid(row=row + 1, column=1, columnspan=2, sticky="ew")
        wrap(self._wrong)
        self._wrong.grid_remove()
        self._variable.trace_add("write", lambda *_: self._changed())

    def title_width(self) -> int:
        return self._title.winfo_reqwidth() + theme.px(_BESIDE)

    # The control

    def _make(self, box: ttk.Frame) -> ttk.Widget:
        option, variable = self.option, self._variable
        control: ttk.Widget
        if option.type is bool:
            control = ttk.Checkbutton(box, variable=variable, onvalue="true", offvalue="false")
        elif option.choices:
            shown = [*([""] if option.default is None else []), *self._shown.values()]
            width = max(12, *(len(text) + 2 for text in shown))
            control = ttk.Combobox(box, textvariable=variable, values=shown, state="readonly", width=min(width, 28))
        elif option.type in (int, float) and option.minimum is not None and option.maximum is not None:
            return self._make_number(box, option.minimum, option.maximum)
        else:
            control = ttk.Entry(box, textvariable=variable, width=8 if option.type in (int, float) else 16)
        wide = option.type in (str, Path) and not option.choices
        control.grid(row=0, column=0, sticky="ew" if wide else "w")
        if option.type is Path:
            browse = ttk.Button(box, text="…", width=3, command=self._browse)
            browse.grid(row=0, column=1, padx=(theme.px(4), 0))
            Tooltip(browse, t("Choose a folder") if self._wants_folder() else t("Choose a file"))
        self._watch(control)
        return control

    def _make_number(self, box: ttk.Frame, low: float, high: float) -> ttk.Widget:
        step = _step(self.option.type, low, high)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        width = max(6, len(f"{high:g}") + 2)
        spin = ttk.Spinbox(
            box, textvariable=self._variable, from_=low, to=high, increment=step, width=width, format=f"%.{digits}f"
        )
        if self.option.default is not None and (high - low) / step <= _SCALE_STEPS:
            self._slider = tk.DoubleVar(box)

            def slide(position: str) -> None:
                stop = min(high, max(low, low + round((float(position) - low) / step) * step))
                self._variable.set(f"{stop:.{digits}f}")

            scale = ttk.Scale(box, from_=low, to=high, variable=self._slider, command=slide)
            scale.grid(row=0, column=0, sticky="ew", padx=(0, theme.px(8)))
            spin.grid(row=0, column=1)
            self._watch(scale)
        else:
            spin.grid(row=0, column=0, sticky="w")
        self._watch(spin)
        return spin

    def _watch(self, control: ttk.Widget) -> None:
        control.bind("<FocusOut>", lambda _: self.flush(), add=True)
        control.bind("<Return>", lambda _: self.flush(), add=True)
        if isinstance(control, ttk.Combobox | ttk.Spinbox):  # the wheel scrolls the page; it changes nothing unseen
            for event in _WHEEL:
                control.bind(event, _pass_on)

    def _wants_folder(self) -> bool:
        key = self.option.key
        return key in ("folder", "output", "directory") or key.endswith(("_folder", "_directory"))

    def _browse(self) -> None:
        title, now = texts.read(self.option.title), str(self._variable.get())
        at = str(Path(now) if Path(now).is_dir() else Path(now).parent) if now else ""
        if self._wants_folder():
            chosen = filedialog.askdirectory(parent=self._form, title=title, initialdir=at, mustexist=True)
        else:
            chosen = filedialog.askopenfilename(parent=self._form, title=title, initialdir=at)
        if chosen:
            self._variable.set(str(Path(chosen)))
            self.flush()

    # The value

    def start(self, value: Any) -> None:
        """Show a value without telling anybody."""
        self._cancel()
        self._starting = True
        self._variable.set(self._raw(value))
        self._starting = False
        self._check()
        self._told = None if self.error else self.value()

    def value(self) -> Any:
        """The checked value; InputError where it is wrong."""
        return self.option.check(self._given())

    def _given(self) -> Any:
        raw = self._variable.get()
        if not raw.strip() and self.option.default is None:
            return None
        if self.option.choices:
            return next((choice for choice, shown in self._shown.items() if shown == raw), raw)
        return raw.strip() if self.option.type in (int, float, Path) else raw

    def _raw(self, value: Any) -> str:
        """``value`` as the control holds it."""
        if value is None:
            return ""
        if self.option.type is bool:
            return str(value).lower()
        if self.option.choices:
            return self._shown.get(value, str(value))
        return f"{value:g}" if isinstance(value, float) else str(value)

    def _default_text(self) -> str:
        default = self.option.default
        if isinstance(default, bool):
            return t("on") if default else t("off")
        return self._raw(default) or "–"

    def _changed(self) -> None:
        if self._starting:
            return
        self._check()
        if self._on_change is not None:
            self._cancel()
            typed = self.option.type is not bool and not self.option.choices
            self._pending = self._form.after(PAUSE_MS if typed else 1, self.flush)

    def _check(self) -> None:
        try:
            value = self.value()
            self.error = ""
        except InputError:
            value = None
            self.error = wanted(self.option)
        if self.error:
            self._wrong.configure(text=f"✕ {self.error}")
            self._wrong.grid()
        else:
            self._wrong.grid_remove()
            if self._slider is not None:
                self._slider.set(float(value))
        if not self.error and value == self.option.default:
            self._back.grid_remove()
        else:
            self._back.grid()

    def flush(self) -> None:
        """Tell the change that waits for a pause in typing."""
        if self._pending:
            self._cancel()
            if not self.error and (value := self.value()) != self._told:
                self._told = value
                if self._on_change is not None:
                    self._on_change(self.option.key, value)

    def _cancel(self) -> None:
        if self._pending:
            self._form.after_cancel(self._pending)
            self._pending = ""

    def _reset(self) -> None:
        self._variable.set(self._raw(self.option.default))
        self.control.focus_set()  # the button that was pressed is gone
        self.flush()


def align(forms: Iterable[Form]) -> None:
    """Let the fields of these forms, one below the other, begin at the same place."""
    forms = tuple(forms)
    widest = max((form.title_width() for form in forms), default=0)
    for form in forms:
        form.columnconfigure(0, minsize=widest)


def wanted(option: Option) -> str:
    """What the option accepts, as a sentence for the person at the field."""
    if option.choices:
        return t("Choose one of the list.")
    low, high = (None if bound is None else f"{bound:.15g}" for bound in (option.minimum, option.maximum))
    whole = option.type is int
    if option.type not in (int, float):
        return t("This cannot be used here.")
    if low is not None and high is not None:
        if whole:
            return t("Give a whole number from {low} to {high}.", low=low, high=high)
        return t("Give a number from {low} to {high}.", low=low, high=high)
    if low is not None:
        return (
            t("Give a whole number, at least {low}.", low=low)
            if whole
            else t("Give a number, at least {low}.", low=low)
        )
    if high is not None:
        return (
            t("Give a whole number, at most {high}.", high=high)
            if whole
            else t("Give a number, at most {high}.", high=high)
        )
    return t("Give a whole number.") if whole else t("Give a number.")


def wrap(label: ttk.Label) -> None:
    """Break the label's lines at the width that it is given."""
    label.configure(wraplength=theme.px(300))
    empty = ttk.Label(label.master, style=str(label.cget("style")))
    edges = empty.winfo_reqwidth()  # what it keeps around its text
    empty.destroy()

    def fit(event: tk.Event) -> None:
        room = max(1, event.width - edges)
        if int(str(label.cget("wraplength")) or 0) != room:
            label.configure(wraplength=room)

    label.bind("<Configure>", fit, add=True)


def _step(kind: type, low: float, high: float) -> float:
    """How far one press of an arrow goes."""
    if kind is int:
        return 1
    span = high - low
    return 0.05 if span <= 1 else 0.1 if span <= 10 else 1


def _pass_on(event: tk.Event) -> str:
    """Give a turn of the wheel to what surrounds the control."""
    around = event.widget.nametowidget(event.widget.winfo_parent())
    if event.num in (4, 5):
        around.event_generate(f"<Button-{event.num}>", when="tail")
    else:
        around.event_generate("<MouseWheel>", delta=event.delta, when="tail")
    return "break"
