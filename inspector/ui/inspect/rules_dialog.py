"""Editor of the rules for OK, WARN and NG: limits per class and measure, each explained by a sentence."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector import i18n
from inspector.domain import MEASURES, InputError, Rules, rules_sha256
from inspector.jobs import recipes
from inspector.ui.kit import dialogs, strings, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame

_EVERY = "*"
_ALL = "\0"  # the limits over all classes, among those of the classes
_STEPS = ("warn", "ng")
_UNITS = {"px2": "px²", "mm2": "mm²"}


def edit_rules(
    shell: Shell, rules: Rules | None, names: Sequence[str], done: Callable[[Rules | None], object]
) -> RulesDialog:
    """Open the editor (non-modal).

    Args:
        rules: current rules; None: any defect is NG.
        names: known classes of the model.
        done: called with the new rules when the user accepts them.
    """
    return RulesDialog(shell, rules, names, done)


class RulesDialog(tk.Toplevel):
    """Classes at the left, the limits of the selected one at the right."""

    def __init__(
        self, shell: Shell, rules: Rules | None, names: Sequence[str], done: Callable[[Rules | None], object]
    ) -> None:
        super().__init__(shell.root)
        self._shell, self._names, self._done = shell, tuple(names), done
        # As typed: class -> measure -> warn and ng; a class missing here has no custom limits.
        self._classes: dict[str, dict[str, dict[str, str]]] = {}
        self._shown = ""
        self._filling = False
        self.title(tr("Rules for OK and NG"))
        self.transient(shell.root)
        self._mode = tk.StringVar(self, "any")
        self._own = tk.StringVar(self, "own")
        self._typed = {measure: {step: tk.StringVar(self) for step in _STEPS} for measure in MEASURES}
        self._thresholds: dict[str, str] = {}  # class -> confidence from which its defects count, as typed
        self._threshold = tk.StringVar(self)
        self._sentences: dict[str, ttk.Label] = {}
        self._fields: list[ttk.Widget] = []
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._build()
        theme.on_theme_change(self, self._paint)
        self._take(rules)
        for row in self._typed.values():
            for variable in row.values():
                variable.trace_add("write", lambda *_: self._typed_in())
        self._threshold.trace_add("write", lambda *_: self._threshold_typed())
        self.bind("<Escape>", lambda _: self.destroy())
        self._place()
        self.list.focus_set()

    def _place(self) -> None:
        """In the middle of the window; as high as its content where the screen allows it."""
        self.update_idletasks()
        content = self._scroll.body.winfo_reqheight() - self._scroll.winfo_reqheight() + theme.px(40)
        height = min(self.winfo_reqheight() + max(0, content), self.winfo_screenheight() - 60)
        dialogs.centre(self._shell.root, self, self.winfo_reqwidth(), height)

    # Building

    def _build(self) -> None:
        pad, gap = theme.px(16), theme.px(8)
        top = ttk.Frame(self)
        top.grid(row=0, column=0, sticky="ew", padx=pad, pady=(pad, gap))
        for value, text in (("any", tr("Any defect is NG")), ("limits", tr("Use limits"))):
            choice = ttk.Radiobutton(top, text=text, variable=self._mode, value=value, command=self._mode_changed)
            choice.pack(side="left", padx=(0, pad))
        middle = ttk.Frame(self)
        middle.grid(row=1, column=0, sticky="nsew", padx=pad)
        middle.columnconfigure(1, weight=1)
        middle.rowconfigure(0, weight=1)
        self.list = ttk.Treeview(middle, show="tree", selectmode="browse", height=8)
        self.list.column("#0", width=theme.px(220))
        self.list.grid(row=0, column=0, sticky="nsew", padx=(0, pad))
        self.list.bind("<<TreeviewSelect>>", lambda _: self._select())
        self._build_limits(middle)
        self._wrong = ttk.Label(self, style="Bad.TLabel", justify="left")
        self._wrong.grid(row=2, column=0, sticky="ew", padx=pad, pady=(gap, 0))
        wrap(self._wrong)
        bottom = ttk.Frame(self)
        bottom.grid(row=3, column=0, sticky="ew", padx=pad, pady=pad)
        ttk.Button(bottom, text=tr("Load…"), command=self._load).pack(side="left")
        self._save_button = ttk.Button(bottom, text=tr("Save as…"), command=self._save)
        self._save_button.pack(side="left", padx=gap)
        self._accept_button = ttk.Button(
            bottom, text=tr("Use these rules"), style="Primary.TButton", command=self.accept
        )
        self._accept_button.pack(side="right", padx=(gap, 0))
        ttk.Button(bottom, text=tr("Cancel"), command=self.destroy).pack(side="right")

    def _build_limits(self, parent: ttk.Frame) -> None:
        self._scroll = ScrollFrame(parent, width=theme.px(340))
        self._scroll.grid(row=0, column=1, sticky="nsew")
        frame = self._scroll.body
        frame.columnconfigure(2, weight=1)
        self._name = ttk.Label(frame, style="Head.TLabel")
        self._name.grid(row=0, column=0, columnspan=3, sticky="w")
        self._follows = ttk.Radiobutton(frame, variable=self._own, value="follows", command=self._own_changed)
        self._follows.grid(row=1, column=0, columnspan=3, sticky="w", pady=theme.px(4))
        owns = ttk.Radiobutton(
            frame, text=tr("Custom limits"), variable=self._own, value="own", command=self._own_changed
        )
        owns.grid(row=2, column=0, columnspan=3, sticky="w", pady=theme.px(0, 8))
        self._choices = (self._follows, owns)
        ttk.Label(frame, text=tr("Counts from confidence")).grid(row=3, column=0, columnspan=3, sticky="w")
        self._threshold_field = ttk.Entry(frame, textvariable=self._threshold, width=9)
        self._threshold_field.grid(row=4, column=0, sticky="w", padx=theme.px(0, 8), pady=theme.px(0, 8))
        for place, text in enumerate((tr("WARN beyond"), tr("NG beyond"))):
            ttk.Label(frame, text=text, style="Muted.TLabel").grid(row=5, column=place, sticky="w", padx=theme.px(0, 8))
        for place, measure in enumerate(MEASURES):
            row = 6 + 3 * place
            name = ttk.Label(frame, text=measure_name(measure))
            name.grid(row=row, column=0, columnspan=3, sticky="w", pady=(theme.px(6), 0))
            for column, step in enumerate(_STEPS):
                field = ttk.Entry(frame, textvariable=self._typed[measure][step], width=9)
                field.grid(row=row + 1, column=column, sticky="w", padx=theme.px(0, 8))
                self._fields.append(field)
            sentence = ttk.Label(frame, style="Caption.TLabel", justify="left")
            sentence.grid(row=row + 2, column=0, columnspan=3, sticky="ew")
            wrap(sentence)
            self._sentences[measure] = sentence

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)
        self.list.tag_configure("bad", foreground=theme.tokens().ng_text)

    # Display

    def _take(self, rules: Rules | None) -> None:
        """Show rules as they came."""
        self._loaded = rules  # its name stays as long as its limits do
        self._mode.set("any" if rules is None else "limits")
        self._classes, document = {}, rules.to_json() if rules is not None else {"classes": {}}
        rows = document["classes"] | ({_ALL: document["all"]} if "all" in document else {})
        self._thresholds = {label: f"{value:.15g}" for label, value in document.get("confidence", {}).items()}
        for label, row in rows.items():
            self._classes[label] = {
                measure: {step: f"{pair[step]:.15g}" if step in pair else "" for step in _STEPS}
                for measure, pair in row.items()
            }
        self.list.delete(*self.list.get_children())
        known = (*self._names, _EVERY, _ALL)
        others = [label for label in dict.fromkeys([*self._classes, *self._thresholds]) if label not in known]
        labels = [*self._names, *others, _EVERY, _ALL]
        for place, label in enumerate(labels):
            self.list.insert("", "end", str(place), values=(label,))
        self._shown = ""
        self._mark_list()
        self.list.selection_set("0")
        self.list.focus("0")
        self._select()
        self._mode_changed()

    def _label_of(self, item: str) -> str:
        return str(self.list.item(item, "values")[0])

    def _mark_list(self) -> None:
        for item in self.list.get_children():
            label = self._label_of(item)
            name = _class_name(label)
            if self._names and label not in (*self._names, _EVERY, _ALL) and label in self._classes:
                self.list.item(item, text=f"✕ {name} ({tr('not of this model')})", tags=("bad",))
            else:
                self.list.item(item, text=f"{'●' if label in self._classes else '○'} {name}", tags=())

    def _select(self) -> None:
        chosen = self.list.selection()
        if not chosen:
            return
        label = self._shown = self._label_of(chosen[0])
        self._filling = True
        held = self._classes.get(label, {})
        for measure, row in self._typed.items():
            for step, variable in row.items():
                variable.set(held.get(measure, {}).get(step, ""))
        self._threshold.set(self._thresholds.get(label, ""))
        self._own.set("own" if label in self._classes else "follows")
        self._filling = False
        self._name.configure(text=_class_name(label))
        follows = tr("No limits over all classes") if label == _ALL else tr("Same as other classes")
        if label == _EVERY:
            follows = self._unnamed()
        self._follows.configure(text=follows)
        self._refresh()

    def _mode_changed(self) -> None:
        self._refresh()

    def _own_changed(self) -> None:
        if self._own.get() == "own":
            self._classes.setdefault(self._shown, {})
        else:
            self._classes.pop(self._shown, None)
        self._select()

    def _typed_in(self) -> None:
        """Keep the typed limits; typing switches the class to custom limits."""
        if self._filling:
            return
        typed = {
            measure: {step: variable.get().strip() for step, variable in row.items()}
            for measure, row in self._typed.items()
        }
        self._classes[self._shown] = {measure: row for measure, row in typed.items() if any(row.values())}
        self._own.set("own")
        self._refresh()

    def _threshold_typed(self) -> None:
        if self._filling:
            return
        typed = self._threshold.get().strip()
        self._thresholds = {label: text for label, text in self._thresholds.items() if label != self._shown}
        if typed:
            self._thresholds[self._shown] = typed
        self._refresh()

    def _unnamed(self) -> str:
        """What becomes of a defect of a class without limits."""
        verdict = self._loaded.unnamed if self._loaded is not None else "ng"
        if verdict == "warn":
            return tr("No limits: such a defect is WARN")
        return tr("No limits: such a defect is NG") if verdict == "ng" else tr("No limits: such a defect is OK")

    def _refresh(self) -> None:
        """Sentences, marks, what can be pressed, what is wrong."""
        limits = self._mode.get() == "limits"
        own = self._shown in self._classes
        for widget in (*self._choices, *self._fields):
            widget.state(["!disabled" if limits else "disabled"])
        with_threshold = limits and self._shown != _ALL
        self._threshold_field.state(["!disabled" if with_threshold else "disabled"])
        self._mark_list()
        for measure, label in self._sentences.items():
            held = self._classes.get(self._shown, {}).get(measure, {})
            text, wrong = sentence(measure, held) if own else ("", False)
            label.configure(text=text, style="Bad.TLabel" if wrong else "Caption.TLabel")
            label.grid() if text else label.grid_remove()
        problem = self.problem()
        self._wrong.configure(text=f"✕ {problem}" if problem else self._summary())
        self._wrong.configure(style="Bad.TLabel" if problem else "Muted.TLabel")
        for button in (self._accept_button, self._save_button):
            button.state(["disabled" if problem else "!disabled"])
        if not limits:
            self._save_button.state(["disabled"])

    def _summary(self) -> str:
        if self._mode.get() == "any":
            return tr("Images without defects are OK, all others are NG.")
        if self._shown not in self._classes:
            return tr("Uses the limits of “every other class”.") if self._shown not in (_EVERY, _ALL) else ""
        if not self._classes[self._shown] and self._shown != _ALL:
            return tr("No limits: any number, size and confidence of this class is OK.")
        if self._loaded is not None and self._loaded.regions:
            return tr("Limits of regions stay as they are in the file: {names}.", names=", ".join(self._loaded.regions))
        return ""

    # The rules

    def problem(self) -> str:
        """Return the first problem as a sentence with its class; empty if the rules are valid."""
        if self._mode.get() == "any":
            return ""
        for label, row in self._classes.items():
            for measure, held in row.items():
                text, wrong = sentence(measure, held)
                if wrong:
                    return f"{_class_name(label)}: {measure_name(measure)}: {text.removeprefix('✕ ')}"
        for label, typed in self._thresholds.items():
            text, wrong = sentence("score", {"warn": typed})
            if wrong:
                return f"{_class_name(label)}: {tr('Counts from confidence')}: {text.removeprefix('✕ ')}"
        try:
            rules = self.rules()
            if rules is not None and self._names:
                rules.check_names(self._names)
        except InputError as error:
            return strings.sentence(str(error))
        return ""

    def rules(self) -> Rules | None:
        """Return the rules set up; None: any defect is NG.

        Raises:
            InputError: a limit is invalid.
            ValueError: a field contains no number.
        """
        if self._mode.get() == "any":
            return None
        rows: dict[str, Any] = {}
        for label, row in self._classes.items():
            rows[label] = {}
            for measure, held in row.items():
                pair = {step: _number(text) for step, text in held.items() if text}
                if pair:
                    rows[label][measure] = pair
        further = {} if self._loaded is None else self._loaded.to_json()  # e.g. rules for regions
        thresholds = {label: _number(text) for label, text in self._thresholds.items()}
        document = {"version": 2, "all": rows.pop(_ALL, {}), "classes": rows, "confidence": thresholds}
        rules = Rules.from_json(further | document)
        same = self._loaded is not None and rules_sha256(self._loaded) == rules_sha256(rules)
        return rules if same else replace(rules, name="")

    def accept(self) -> None:
        """Pass the rules to ``done`` and close; do nothing if they are invalid."""
        if not self.problem():
            rules = self.rules()
            self.destroy()
            self._done(rules)

    # Files

    def _load(self) -> None:
        kinds = [(tr("Rules"), "*.json"), (tr("All files"), "*")]
        chosen = filedialog.askopenfilename(parent=self, title=tr("Load rules"), filetypes=kinds)
        if chosen:
            self.load(Path(chosen))

    def load(self, file: Path) -> None:
        """Show the rules of a file; a refused one changes nothing."""
        try:
            rules = recipes.read_rules(file)
        except InputError as error:
            self._wrong.configure(text=f"✕ {strings.sentence(str(error))}", style="Bad.TLabel")
            return
        self._take(rules)

    def _save(self) -> None:
        kinds = [(tr("Rules"), "*.json")]
        chosen = filedialog.asksaveasfilename(
            parent=self, title=tr("Save rules"), filetypes=kinds, defaultextension=".json", initialfile="rules.json"
        )
        if chosen:
            self.save(Path(chosen))

    def save(self, file: Path) -> None:
        """Write the rules to a file, as ``--rules`` reads them."""
        rules = self.rules()
        assert rules is not None
        try:
            self._loaded = recipes.save_rules(file, rules)
        except OSError as error:
            self._wrong.configure(text=f"✕ {file}: {error.strerror or error}", style="Bad.TLabel")
            return
        self._shell.toast(tr("The rules were saved as {name}.", name=file.name), "good")


def _class_name(label: str) -> str:
    if label == _ALL:
        return tr("All classes together")
    return tr("every other class") if label == _EVERY else label


def measure_name(measure: str) -> str:
    name = i18n.measure_name(measure, strings.language())
    return name[0].upper() + name[1:]


def sentence(measure: str, held: Mapping[str, str]) -> tuple[str, bool]:
    """Return what the limits of a measure mean and False, or their problem and True."""
    numbers: dict[str, float] = {}
    for step, text in held.items():
        if not text:
            continue
        try:
            numbers[step] = float(_number(text))
        except ValueError:
            return f"✕ {tr('Enter a number.')}", True
        if not 0 <= numbers[step] < float("inf"):
            return f"✕ {tr('Enter a number of at least {low}.', low=0)}", True
        if measure == "score" and numbers[step] > 1:
            return f"✕ {tr('Enter a number from {low} to {high}.', low=0, high=1)}", True
    minimum = MEASURES[measure].minimum
    if len(numbers) == 2 and minimum and numbers["warn"] < numbers["ng"]:
        return f"✕ {tr('The WARN limit must not be below the NG limit.')}", True
    if len(numbers) == 2 and not minimum and numbers["warn"] > numbers["ng"]:
        return f"✕ {tr('The WARN limit must not exceed the NG limit.')}", True
    sentences = [
        _meaning(measure, f"{numbers[step]:.15g}", word)
        for step, word in (("warn", "WARN"), ("ng", "NG"))
        if step in numbers
    ]
    unbroken = [text.replace(" ", "\N{NO-BREAK SPACE}") for text in sentences]
    return "  ".join(unbroken), False  # lines break between sentences only


def _meaning(measure: str, limit: str, verdict: str) -> str:
    if measure == "count":
        return tr("More than {limit} in an image: {verdict}.", limit=limit, verdict=verdict)
    of = MEASURES[measure]
    value = f"{limit} {_UNITS.get(of.unit or '', of.unit or '')}".strip()
    texts = {
        "area": tr("A defect larger than {limit}: {verdict}.", limit=value, verdict=verdict),
        "length": tr("A defect longer than {limit}: {verdict}.", limit=value, verdict=verdict),
        "width": tr("A defect wider than {limit}: {verdict}.", limit=value, verdict=verdict),
        "nearest": tr("Two defects closer than {limit}: {verdict}.", limit=value, verdict=verdict),
        "score": tr("A defect with a confidence above {limit}: {verdict}.", limit=value, verdict=verdict),
    }
    if of.total or of.quantity not in texts:
        return tr("{measure} above {limit}: {verdict}.", measure=measure_name(measure), limit=limit, verdict=verdict)
    return texts[of.quantity]


def _number(text: str) -> int | float:
    """Parse a number with decimal comma or point. Raises ValueError."""
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number
