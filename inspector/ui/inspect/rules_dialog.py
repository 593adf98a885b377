"""Editor of the rules for OK, WARN and NG: limits per class and measure, each explained by a sentence."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tkinter import filedialog, ttk

from inspector.domain import MEASURES, TEMPLATES, InputError, Rules, rules_sha256
from inspector.jobs import recipes
from inspector.ui.inspect.rule_texts import (
    ALL,
    EVERY,
    Scope,
    Typed,
    measure_name,
    number,
    rules_document,
    sentence,
    typed_rows,
)
from inspector.ui.kit import dialogs, strings, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame

_STEPS = ("warn", "ng")
_LIVE_AFTER = 150  # milliseconds


def edit_rules(
    shell: Shell,
    rules: Rules | None,
    names: Sequence[str],
    done: Callable[[Rules | None], object],
    live: Callable[[Rules | None], object] | None = None,
    regions: Sequence[str] = (),
) -> RulesDialog:
    """Open the editor (non-modal).

    Args:
        rules: current rules; None: any defect is NG.
        names: known classes of the model.
        done: called with the new rules when the user accepts them.
        live: called with valid rules while they are edited, and with ``rules`` if the dialog is cancelled.
        regions: names of the regions that rules may name.
    """
    return RulesDialog(shell, rules, names, done, live, regions)


class RulesDialog(tk.Toplevel):
    """Classes at the left, the limits of the selected one at the right."""

    def __init__(
        self,
        shell: Shell,
        rules: Rules | None,
        names: Sequence[str],
        done: Callable[[Rules | None], object],
        live: Callable[[Rules | None], object] | None = None,
        regions: Sequence[str] = (),
    ) -> None:
        super().__init__(shell.root)
        self._shell, self._names, self._done = shell, tuple(names), done
        self._live, self._regions, self._first, self._tried = live, tuple(regions), rules, rules
        self._trying = IdleCall(self, self._try, _LIVE_AFTER)
        self._typed_rows: Typed = {}  # a scope missing here has no custom limits
        self._scores: dict[str, str] = {}  # confidence thresholds as typed, by class
        self._scopes: list[Scope] = []
        self._template = ""
        self._shown: Scope = ("", "")
        self._filling = False
        self.title(tr("Rules for OK and NG"))
        self.transient(shell.root)
        self._mode = tk.StringVar(self, "any")
        self._own = tk.StringVar(self, "own")
        self._unit = tk.StringVar(self, "px")
        self._threshold = tk.StringVar(self)
        self._unnamed = tk.StringVar(self, "NG")
        self._typed = {measure: {step: tk.StringVar(self) for step in _STEPS} for measure in MEASURES}
        self._sentences: dict[str, ttk.Label] = {}
        self._rows: dict[str, list[ttk.Widget]] = {}
        self._fields: list[ttk.Widget] = []
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._build()
        theme.on_theme_change(self, self._paint)
        self._take(rules)
        for row in self._typed.values():
            for variable in row.values():
                variable.trace_add("write", lambda *_: self._typed_in())
        self._threshold.trace_add("write", lambda *_: self._score_typed())
        self.bind("<Escape>", lambda _: self.cancel())
        self.protocol("WM_DELETE_WINDOW", self.cancel)
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
        unnamed = ttk.Combobox(top, textvariable=self._unnamed, values=("NG", "WARN", "OK"), state="readonly", width=6)
        unnamed.pack(side="right")
        unnamed.bind("<<ComboboxSelected>>", lambda _: self._refresh())
        ttk.Label(top, text=tr("Class without limits:")).pack(side="right", padx=(0, gap))
        self._unnamed_box = unnamed
        middle = ttk.Frame(self)
        middle.grid(row=1, column=0, sticky="nsew", padx=pad)
        middle.columnconfigure(1, weight=1)
        middle.rowconfigure(0, weight=1)
        self.list = ttk.Treeview(middle, show="tree", selectmode="browse", height=8)
        self.list.column("#0", width=min(theme.px(240), self.winfo_screenwidth() * 3 // 10))
        self.list.grid(row=0, column=0, sticky="nsew", padx=(0, pad))
        self.list.bind("<<TreeviewSelect>>", lambda _: self._select())
        self._build_limits(middle)
        self._wrong = ttk.Label(self, style="Bad.TLabel", justify="left")
        self._wrong.grid(row=2, column=0, sticky="ew", padx=pad, pady=(gap, 0))
        wrap(self._wrong)
        bottom = ttk.Frame(self)
        bottom.grid(row=3, column=0, sticky="ew", padx=pad, pady=pad)
        ttk.Button(bottom, text=tr("Load…"), command=self._load).pack(side="left")
        templates = ttk.Menubutton(bottom, text=tr("Template"))
        menu = tk.Menu(templates, tearoff=False)
        for id, template in TEMPLATES.items():
            title = template.zh if strings.language() == "zh" else template.en
            menu.add_command(label=title, command=partial(self.use_template, id))
        templates.configure(menu=menu)
        templates.pack(side="left", padx=(gap, 0))
        self._save_button = ttk.Button(bottom, text=tr("Save as…"), command=self._save)
        self._save_button.pack(side="left", padx=gap)
        self._accept_button = ttk.Button(
            bottom, text=tr("Use these rules"), style="Primary.TButton", command=self.accept
        )
        self._accept_button.pack(side="right", padx=(gap, 0))
        ttk.Button(bottom, text=tr("Cancel"), command=self.cancel).pack(side="right")

    def _build_limits(self, parent: ttk.Frame) -> None:
        self._scroll = ScrollFrame(parent, width=min(theme.px(400), self.winfo_screenwidth() * 6 // 10))
        self._scroll.grid(row=0, column=1, sticky="nsew")
        frame = self._scroll.body
        frame.columnconfigure(3, weight=1)
        self._name = ttk.Label(frame, style="Head.TLabel")
        self._name.grid(row=0, column=0, columnspan=4, sticky="w")
        self._follows = ttk.Radiobutton(frame, variable=self._own, value="follows", command=self._own_changed)
        self._follows.grid(row=1, column=0, columnspan=4, sticky="w", pady=theme.px(4))
        owns = ttk.Radiobutton(
            frame, text=tr("Custom limits"), variable=self._own, value="own", command=self._own_changed
        )
        owns.grid(row=2, column=0, columnspan=4, sticky="w", pady=theme.px(0, 8))
        self._choices = (self._follows, owns)
        units = ttk.Frame(frame)
        units.grid(row=3, column=0, sticky="w")
        for unit in ("px", "mm"):
            choice = ttk.Radiobutton(units, text=unit, variable=self._unit, value=unit, command=self._show_rows)
            choice.pack(side="left", padx=theme.px(0, 8))
        for place, text in enumerate(("WARN", "NG"), 1):
            ttk.Label(frame, text=text, style="Muted.TLabel").grid(row=3, column=place, sticky="w", padx=theme.px(0, 8))
        for place, measure in enumerate(MEASURES):
            row = 4 + 2 * place
            title = ttk.Label(frame, text=measure_name(measure), wraplength=theme.px(150), justify="left")
            title.grid(row=row, column=0, sticky="w", padx=theme.px(0, 12))
            self._rows[measure] = [title]
            for column, step in enumerate(_STEPS, 1):
                field = ttk.Entry(frame, textvariable=self._typed[measure][step], width=7)
                field.grid(row=row, column=column, sticky="w", padx=theme.px(0, 8), pady=(theme.px(6), 0))
                self._fields.append(field)
                self._rows[measure].append(field)
            sentence = ttk.Label(frame, style="Caption.TLabel", justify="left")
            sentence.grid(row=row + 1, column=0, columnspan=4, sticky="ew")
            wrap(sentence)
            self._sentences[measure] = sentence
            self._rows[measure].append(sentence)
        last = 4 + 2 * len(MEASURES)
        least = ttk.Label(frame, text=tr("Counts from confidence"), wraplength=theme.px(150), justify="left")
        least.grid(row=last, column=0, sticky="w", pady=theme.px(12))
        self._threshold_field = ttk.Entry(frame, textvariable=self._threshold, width=7)
        self._threshold_field.grid(row=last, column=1, sticky="w")

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)
        self.list.tag_configure("bad", foreground=theme.tokens().ng_text)

    # Display

    def _take(self, rules: Rules | None) -> None:
        """Show rules as they came."""
        self._loaded = rules  # its name stays as long as its limits do
        self._mode.set("any" if rules is None else "limits")
        self._typed_rows = {} if rules is None else typed_rows(rules)
        self._scores = {} if rules is None else {label: f"{score:g}" for label, score in rules.confidence.items()}
        self._template = "" if rules is None else rules.template
        self._unnamed.set("NG" if rules is None else rules.unnamed.upper())
        if rules is not None and any(MEASURES[name].in_mm for name in rules.measures()):
            self._unit.set("mm")
        self.list.delete(*self.list.get_children())
        self._scopes = self._all_scopes(() if rules is None else tuple(rules.regions))
        for place in range(len(self._scopes)):
            self.list.insert("", "end", str(place))
        self._shown = ("", "")
        self._mark_list()
        self.list.selection_set("0")
        self.list.focus("0")
        self._select()

    def _all_scopes(self, named: Sequence[str]) -> list[Scope]:
        scopes: list[Scope] = []
        for region in dict.fromkeys(("", *self._regions, *named)):
            further = [*(label for of, label in self._typed_rows if of == region), *(() if region else self._scores)]
            labels = [label for label in (*self._names, *further) if label not in (EVERY, ALL)]
            scopes += [(region, label) for label in (*dict.fromkeys(labels), EVERY, ALL)]
        return scopes

    def _label_of(self, item: str) -> str:
        return self._scopes[int(item)][1]

    def _name_of(self, scope: Scope) -> str:
        region, label = scope
        names = {EVERY: tr("every other class"), ALL: tr("All classes together")}
        template = TEMPLATES.get(self._template)
        own = label if template is None else template.name_of(label, strings.language())
        name = names.get(label, own)
        return f"{region} › {name}" if region else name

    def _mark_list(self) -> None:
        terms = TEMPLATES[self._template].terms if self._template else ()
        for place, scope in enumerate(self._scopes):
            label, name = scope[1], self._name_of(scope)
            known = label in (*self._names, *terms, EVERY, ALL)
            if self._names and not known and scope in self._typed_rows:
                self.list.item(str(place), text=f"✕ {name} ({tr('not of this model')})", tags=("bad",))
            else:
                self.list.item(str(place), text=f"{'●' if scope in self._typed_rows else '○'} {name}", tags=())

    def _select(self) -> None:
        chosen = self.list.selection()
        if not chosen:
            return
        scope = self._shown = self._scopes[int(chosen[0])]
        self._filling = True
        held = self._typed_rows.get(scope, {})
        for measure, row in self._typed.items():
            for step, variable in row.items():
                variable.set(held.get(measure, {}).get(step, ""))
        self._own.set("own" if scope in self._typed_rows else "follows")
        self._threshold.set("" if self._is_further(scope) else self._scores.get(scope[1], ""))
        self._filling = False
        self._name.configure(text=self._name_of(scope))
        if self._is_further(scope):
            follows = tr("No further limits")
        else:
            follows = tr("No limits of its own") if scope[1] == EVERY else tr("Same as other classes")
        self._follows.configure(text=follows)
        self._show_rows()
        self._refresh()

    @staticmethod
    def _is_further(scope: Scope) -> bool:
        """Whether its limits are added to those of the classes."""
        return bool(scope[0]) or scope[1] == ALL

    def _show_rows(self) -> None:
        """Show the measures in the chosen unit, and those that have a limit."""
        held = self._typed_rows.get(self._shown, {})
        for measure, widgets in self._rows.items():
            unit = MEASURES[measure].unit
            shown = unit is None or unit.startswith(self._unit.get()) or measure in held
            for widget in widgets[:-1]:
                widget.grid() if shown else widget.grid_remove()

    def _mode_changed(self) -> None:
        self._refresh()

    def _own_changed(self) -> None:
        if self._own.get() == "own":
            self._typed_rows.setdefault(self._shown, {})
        else:
            self._typed_rows.pop(self._shown, None)
        self._select()

    def _typed_in(self) -> None:
        """Keep the typed limits; typing switches the class to custom limits."""
        if self._filling:
            return
        typed = {
            measure: {step: variable.get().strip() for step, variable in row.items()}
            for measure, row in self._typed.items()
        }
        self._typed_rows[self._shown] = {measure: row for measure, row in typed.items() if any(row.values())}
        self._own.set("own")
        self._refresh()

    def _score_typed(self) -> None:
        """Keep the typed confidence threshold of the class."""
        if self._filling or self._is_further(self._shown):
            return
        if text := self._threshold.get().strip():
            self._scores[self._shown[1]] = text
        else:
            self._scores.pop(self._shown[1], None)
        self._refresh()

    def _refresh(self) -> None:
        """Sentences, marks, what can be pressed, what is wrong."""
        limits = self._mode.get() == "limits"
        own = self._shown in self._typed_rows
        for widget in (*self._choices, *self._fields, self._unnamed_box):
            widget.state(["!disabled" if limits else "disabled"])
        self._threshold_field.state(["!disabled" if limits and not self._is_further(self._shown) else "disabled"])
        self._mark_list()
        for measure, label in self._sentences.items():
            held = self._typed_rows.get(self._shown, {}).get(measure, {})
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
        if not problem and self._live is not None:
            self._trying.request()

    def _try(self) -> None:
        """Judge the image shown by the rules as they are now."""
        if self._live is not None and not self.problem():
            rules = self.rules()
            if rules != self._tried:
                self._tried = rules
                self._live(rules)

    def _summary(self) -> str:
        if self._mode.get() == "any":
            return tr("Images without defects are OK, all others are NG.")
        if self._shown not in self._typed_rows:
            if self._is_further(self._shown):
                return ""
            return tr("Uses the limits of “every other class”.") if self._shown[1] != EVERY else ""
        if not self._typed_rows[self._shown] and not self._is_further(self._shown):
            return tr("No limits: any number, size and confidence of this class is OK.")
        return ""

    # The rules

    def problem(self) -> str:
        """Return the first problem as a sentence with its class; empty if the rules are valid."""
        if self._mode.get() == "any":
            return ""
        for scope, row in self._typed_rows.items():
            for measure, held in row.items():
                text, wrong = sentence(measure, held)
                if wrong:
                    return f"{self._name_of(scope)}: {measure_name(measure)}: {text.removeprefix('✕ ')}"
        for label, typed in self._scores.items():
            text, wrong = sentence("score", {"ng": typed})
            if wrong:
                what = tr("Counts from confidence")
                return f"{self._name_of(('', label))}: {what}: {text.removeprefix('✕ ')}"
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
        document = rules_document(self._typed_rows)
        document["confidence"] = {label: number(text) for label, text in self._scores.items()}
        document |= {"unnamed": self._unnamed.get().lower(), "template": self._template}
        rules = Rules.from_json(document)
        same = self._loaded is not None and rules_sha256(self._loaded) == rules_sha256(rules)
        return replace(rules, name=self._loaded.name) if self._loaded is not None and same else rules

    def accept(self) -> None:
        """Pass the rules to ``done`` and close; do nothing if they are invalid."""
        if not self.problem():
            rules = self.rules()
            self._live = None
            self.destroy()
            self._done(rules)

    def cancel(self) -> None:
        """Close; the image shown is judged by the earlier rules again."""
        live, self._live = self._live, None
        self.destroy()
        if live is not None and self._tried != self._first:
            live(self._first)

    def use_template(self, id: str) -> None:
        """Show the rules of a template."""
        self._take(Rules.from_json(TEMPLATES[id].rules_json()))

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
