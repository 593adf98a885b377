"""A form made of declared options alone: it shows the options of plugins, the settings and the training options."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from tkinter import font as tkfont
from typing import Any

from inspector.api import InputError, Option
from inspector.ui.kit import strings, theme
from inspector.ui.kit.line_breaking import break_lines
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import Tooltip

PAUSE_MS = 400
_SCALE_STEPS = 200
_NARROW, _FIELD = 300, 150  # pixels at 96 dpi: width of form and field below which titles are placed above the fields
_BESIDE = 12  # pixels at 96 dpi between a title and its control
_WHEEL = ("<MouseWheel>", "<Button-4>", "<Button-5>")


class Form(ttk.Frame):
    """One row per option: title, a control for its type, help and error message.

    Args:
        options: in display order.
        values: by key; a missing option shows its default.
        on_change: called with key and checked value after each valid change; for typed values after a
            short pause, or when the field is left.
        names: by key: display names of choices (choice -> text); other choices are shown as they are.
        secret: keys of texts that are masked, e.g. passwords.
    """

    def __init__(
        self,
        parent: tk.Misc,
        options: Sequence[Option],
        values: Mapping[str, Any],
        on_change: Callable[[str, Any], None] | None = None,
        names: Mapping[str, Mapping[Any, str]] | None = None,
        secret: Collection[str] = (),
    ) -> None:
        super().__init__(parent)
        self.columnconfigure(1, weight=1)
        self._fields = {
            option.key: _Field(self, place, option, (names or {}).get(option.key, {}), on_change)
            for place, option in enumerate(options)
        }
        for key, field in self._fields.items():
            field.start(values.get(key, field.option.default))
        for key in secret:
            self._fields[key].control.configure(show="•")  # type: ignore[call-arg]
        self._stacked = False
        self.bind("<Configure>", lambda event: self._fit(event.width))

    def _fit(self, width: int) -> None:
        """Place titles next to their fields, or above them in a narrow form."""
        stacked = 1 < width < max(theme.px(_NARROW), self.title_width() + theme.px(_FIELD))
        if stacked is not self._stacked:
            self._stacked = stacked
            for field in self._fields.values():
                field.stack(stacked)

    def values(self) -> dict[str, Any]:
        """Every option's checked value.

        Raises:
            InputError: for the first field that is wrong, by its title.
        """
        for field in self._fields.values():
            if field.error:
                raise InputError("{title}: {reason}", title=strings.localized(field.option.title), reason=field.error)
        return {key: field.value() for key, field in self._fields.items()}

    def errors(self) -> dict[str, str]:
        """Return error messages by key; empty if everything is valid."""
        return {key: field.error for key, field in self._fields.items() if field.error}

    def set(self, key: str, value: Any) -> None:
        """Show ``value``; ``on_theme_change`` is not called."""
        self._fields[key].start(value)

    def display_value(self, key: str) -> str:
        """Return the text of a field."""
        return self._fields[key].display_value()

    def title_width(self) -> int:
        """Pixels that the column of titles takes."""
        return max((field.title_width() for field in self._fields.values()), default=0)

    def go_to(self, key: str) -> None:
        """Focus a field and select its text, so that typing replaces it."""
        control = self._fields[key].control
        control.focus_set()
        if isinstance(control, ttk.Entry):
            control.selection_range(0, "end")
            control.icursor("end")

    def destroy(self) -> None:
        """Report the last typed value, then destroy the form."""
        for field in self._fields.values():
            field.flush()
        super().destroy()


class _Field:
    """One option: title, control, help, error, and a button to restore the default."""

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
        self._reported: Any = None
        self._pending = ""
        self._starting = self._back_shown = True
        self._variable = tk.StringVar(form)
        self._slider: tk.DoubleVar | None = None
        row, gap, above = 4 * place + 1, theme.px(4), (theme.px(10) if place else 0, 0)
        self._row, self._above = row, above
        box = ttk.Frame(form)
        box.columnconfigure(0, weight=1)
        box.grid(row=row, column=1, sticky="ew", pady=above)
        self._box = box
        self.control = self._make(box)
        title = self._title = ttk.Label(form, text=strings.localized(option.title), wraplength=theme.px(190))
        title.grid(row=row, column=0, sticky="w", padx=(0, theme.px(_BESIDE)), pady=above)
        if isinstance(self.control, ttk.Checkbutton):
            press = self.control.invoke
            title.bind("<Button-1>", lambda _: press())
        # Skipped by Tab if the default is empty: the keyboard can empty the field without the button.
        plain = option.default in (None, "")
        self._back = ttk.Button(form, style="Tool.TButton", command=self._reset, takefocus=not plain)
        theme.set_icon(self._back, "arrow-counterclockwise", 14, "muted")
        if not self._back.cget("image"):
            self._back.configure(text="↺", width=2)  # without ttkbootstrap there are no icons
        self._back.grid(row=row, column=2, sticky="e", padx=(gap, 0), pady=above)
        form.columnconfigure(2, minsize=self._back.winfo_reqwidth() + gap)
        Tooltip(self._back, tr("Restore default: {value}", value=self._default_text()))
        if help_text := strings.localized(option.help):
            muted = ttk.Label(form, text=help_text, style="Caption.TLabel")
            muted.grid(row=row + 2, column=1, columnspan=2, sticky="ew")
            wrap(muted, still=True)
            self._help: ttk.Label | None = muted
        else:
            self._help = None
        self._wrong = ttk.Label(form, style="Bad.TLabel")
        self._wrong.grid(row=row + 1, column=1, columnspan=2, sticky="ew")
        wrap(self._wrong)
        self._wrong.grid_remove()
        self._variable.trace_add("write", lambda *_: self._changed())

    def stack(self, on: bool) -> None:
        """Place the title above the field or next to it."""
        first = 0 if on else 1
        self._title.grid_configure(row=self._row - on, column=0, columnspan=3 if on else 1)
        self._box.grid_configure(column=first, columnspan=2 - first, pady=(0, 0) if on else self._above)
        self._back.grid_configure(pady=(0, 0) if on else self._above)
        shown = bool(self._wrong.winfo_manager())
        for label in (self._help, self._wrong):
            if label is not None:
                label.grid_configure(column=first, columnspan=3 - first)
        if not shown:
            self._wrong.grid_remove()
        if not self._back_shown:
            self._back.grid_remove()

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
            browse = ttk.Button(box, text=tr("Choose…"), command=self._browse)
            browse.grid(row=0, column=1, padx=(theme.px(4), 0))
            Tooltip(browse, tr("Choose a folder") if self._wants_folder() else tr("Choose a file"))
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
        title, now = strings.localized(self.option.title), str(self._variable.get())
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
        """Show a value without calling ``on_change``."""
        self._cancel()
        self._starting = True
        self._variable.set(self._raw(value))
        self._starting = False
        self._check()
        self._reported = None if self.error else self.value()

    def display_value(self) -> str:
        """Return the text of the field."""
        return self._variable.get()

    def value(self) -> Any:
        """Return the checked value. Raises InputError."""
        return self.option.check(self._input())

    def _input(self) -> Any:
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
            return tr("on") if default else tr("off")
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
        self._back_shown = bool(self.error) or value != self.option.default
        if self._back_shown:
            self._back.grid()
        else:
            self._back.grid_remove()

    def flush(self) -> None:
        """Report a change that waits for a pause in typing."""
        if self._pending:
            self._cancel()
            if not self.error and (value := self.value()) != self._reported:
                self._reported = value
                if self._on_change is not None:
                    self._on_change(self.option.key, value)

    def _cancel(self) -> None:
        if self._pending:
            self._form.after_cancel(self._pending)
            self._pending = ""

    def _reset(self) -> None:
        self._variable.set(self._raw(self.option.default))
        self.control.focus_set()  # the pressed button is hidden now
        self.flush()


def align(forms: Iterable[Form]) -> None:
    """Let the fields of these forms, one below the other, begin at the same place."""
    forms = tuple(forms)
    widest = max((form.title_width() for form in forms), default=0)
    for form in forms:
        form.columnconfigure(0, minsize=widest)


def wanted(option: Option) -> str:
    """Return a sentence that states what the option accepts."""
    if option.choices:
        return tr("Choose one from the list.")
    low, high = (None if bound is None else f"{bound:.15g}" for bound in (option.minimum, option.maximum))
    whole = option.type is int
    if option.type not in (int, float):
        return tr("This value is not valid.")
    if low is not None and high is not None:
        if whole:
            return tr("Enter a whole number from {low} to {high}.", low=low, high=high)
        return tr("Enter a number from {low} to {high}.", low=low, high=high)
    if low is not None:
        return (
            tr("Enter a whole number of at least {low}.", low=low)
            if whole
            else tr("Enter a number of at least {low}.", low=low)
        )
    if high is not None:
        return (
            tr("Enter a whole number of at most {high}.", high=high)
            if whole
            else tr("Enter a number of at most {high}.", high=high)
        )
    return tr("Enter a whole number.") if whole else tr("Enter a number.")


def wrap(label: ttk.Label, still: bool = False) -> None:
    """Wrap the label's text at its allocated width.

    Args:
        still: the text does not change; Chinese is then broken only at allowed positions.
    """
    text, broken_at = str(label.cget("text")), set[int]()
    label.configure(wraplength=theme.px(300))
    empty = ttk.Label(label.master, style=str(label.cget("style")))
    edges = empty.winfo_reqwidth()  # padding around its text
    empty.destroy()

    def fit(event: tk.Event) -> None:
        room = max(1, event.width - edges)
        if int(str(label.cget("wraplength")) or 0) != room:
            label.configure(wraplength=room)
            if still and room not in broken_at:
                # Once a width: a text whose lines change the width that it is given would go on for ever.
                broken_at.add(room)
                style = str(label.cget("style")) or "TLabel"
                font = tkfont.Font(label, font=str(ttk.Style(label).lookup(style, "font")) or theme.font("body"))
                label.configure(text=break_lines(text, font.measure, room))

    label.bind("<Configure>", fit, add=True)


def _step(kind: type, low: float, high: float) -> float:
    """Return the increment of a spinbox."""
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
