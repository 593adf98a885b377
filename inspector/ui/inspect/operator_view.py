"""Operator view: full-screen verdict and image with large buttons; no settings can be changed by mistake."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from tkinter import font as tkfont
from tkinter import ttk
from typing import TYPE_CHECKING

from inspector.domain import Inspection, PartProgress, Skipped
from inspector.ui.inspect.notices import Notice, State, state_line, state_text
from inspector.ui.inspect.panels import counted
from inspector.ui.kit import strings, theme
from inspector.ui.kit.image_view.image_view import ImageView
from inspector.ui.kit.rule_summary import rules_text
from inspector.ui.kit.strings import tr
from inspector.ui.kit.text_fitting import FontFitter
from inspector.ui.kit.verdict_banner import VerdictBanner

if TYPE_CHECKING:
    from inspector.ui.inspect.host import InspectHost

_HEIGHT, _WIDTH = 768, 1366  # pixels of the screen that the sizes below refer to
_HEAD, _COUNTERS, _BUTTONS, _ACKNOWLEDGE = 58, 116, 84, 84
_STATE_TEXT, _FACTS_TEXT, _CAPTION_TEXT, _NUMBER_TEXT, _BUTTON_TEXT = 34, 22, 24, 66, 28
_FADED: tuple[State, ...] = ("paused", "ended")


@dataclass(frozen=True)
class OperatorCommands:
    """Actions available to the operator."""

    start: Callable[[], object]
    pause: Callable[[], object]
    stop: Callable[[], object]
    leave: Callable[[], object]
    acknowledge: Callable[[], object]
    trigger: Callable[[], object] = lambda: None


class OperatorView(tk.Toplevel):
    """Covers the screen until F11. It can start, pause and stop, and changes nothing else."""

    def __init__(self, host: InspectHost, commands: OperatorCommands) -> None:
        super().__init__(host.root, background=theme.tokens().surface)
        self.host, self._commands = host, commands
        self._state: State = "ready"
        self._hiding = self._errs = False
        self._saved = True  # the content shown is a result of a run
        self.title("Bearing Inspector")
        self.attributes("-fullscreen", True)
        if not self.attributes("-fullscreen"):  # no window manager there
            self.geometry(f"{self.winfo_screenwidth()}x{self.winfo_screenheight()}+0+0")
        self._fitter = FontFitter(self)
        family = tkfont.Font(self, name=theme.font("body"), exists=True)["family"]
        self._fonts = {
            name: tkfont.Font(self, family=family, size=-size, weight="bold" if bold else "normal")
            for name, size, bold in (
                ("state", _STATE_TEXT, True),
                ("facts", _FACTS_TEXT, False),
                ("caption", _CAPTION_TEXT, False),
                ("number", _NUMBER_TEXT, True),
                ("button", _BUTTON_TEXT, True),
            )
        }
        self._build()
        keys = {"<F5>": commands.start, "<F6>": commands.pause, "<Escape>": commands.stop, "<F11>": commands.leave}
        keys |= {"<F7>": commands.trigger}
        for key, command in keys.items():
            self.bind(key, lambda event, command=command: command())  # type: ignore[misc]
        self.protocol("WM_DELETE_WINDOW", commands.leave)
        self.bind("<Configure>", self._resized)
        theme.on_theme_change(self, self._paint)
        self.focus_force()

    # building

    def _build(self) -> None:
        self.columnconfigure(0, weight=1, uniform="operator")
        self.columnconfigure(1, weight=1, uniform="operator")
        self.rowconfigure(1, weight=1)
        head = self._head = tk.Frame(self)
        head.grid(row=0, column=0, columnspan=2, sticky="nsew")
        head.grid_propagate(False)
        head.rowconfigure(0, weight=1)
        head.columnconfigure(1, weight=1)
        self._state_label = tk.Label(head, font=self._fonts["state"], anchor="w")
        self._state_label.grid(row=0, column=0, sticky="w", padx=theme.px(12, 16))
        self._facts = tk.Label(head, font=self._fonts["facts"], anchor="e")
        self._facts.grid(row=0, column=1, sticky="e", padx=theme.px(0, 12))
        self.image_view = ImageView(self, tasks=self.host.tasks)
        self.image_view.grid(row=1, column=0, sticky="nsew")
        self._side = tk.Frame(self)
        self._side.grid(row=1, column=1, sticky="nsew")
        self._side.grid_propagate(False)
        self._side.rowconfigure(0, weight=1)
        self._side.columnconfigure(0, weight=1)
        self.banner = VerdictBanner(self._side, "large")
        self.banner.grid(row=0, column=0, sticky="nsew")
        self._hint = tk.Label(self._side, font=self._fonts["facts"], justify="center")
        self._seen = self._button(self._side, tr("Acknowledge"), "Primary.TButton", self._commands.acknowledge)
        self._strip = tk.Frame(self)
        self._strip.grid(row=2, column=0, columnspan=2, sticky="nsew")
        self._strip.grid_propagate(False)
        self._strip.rowconfigure(0, weight=1)
        self.counters: dict[str, tk.Label] = {}
        self._captions: dict[str, tk.Label] = {}
        names = {
            "ok": "OK",
            "warn": "WARN",
            "ng": "NG",
            "skipped": tr("Unreadable"),
            "inspected": tr("Parts (images)"),
            "yield": tr("Yield (OK ÷ parts)"),
        }
        for place, (key, name) in enumerate(names.items()):
            cell = tk.Frame(self._strip)
            cell.grid(row=0, column=place, sticky="nsew", padx=1)
            self._strip.columnconfigure(place, weight=1, uniform="counters")
            # By height, since a font's lines are higher than its digits.
            self._captions[key] = tk.Label(cell, text=name, font=self._fonts["caption"], borderwidth=0, pady=0)
            self._captions[key].place(relwidth=1, rely=0.02, relheight=0.3)
            self.counters[key] = tk.Label(cell, text="—", font=self._fonts["number"], borderwidth=0, pady=0)
            self.counters[key].place(relwidth=1, rely=0.32, relheight=0.66)
        self._row = tk.Frame(self)
        self._row.grid(row=3, column=0, columnspan=2, sticky="nsew")
        self._row.grid_propagate(False)
        self._row.rowconfigure(0, weight=1)
        commands = self._commands
        buttons: Mapping[str, tuple[str, str, Callable[[], object]]] = {
            "start": (tr("Start"), "Primary.TButton", self._start_or_trigger),
            "pause": (tr("Pause"), "TButton", commands.pause),
            "stop": (tr("Stop"), "Danger.TButton", commands.stop),
            "back": (tr("Back"), "TButton", commands.leave),
        }
        self.buttons: dict[str, ttk.Button] = {}
        for place, (key, (text, style, command)) in enumerate(buttons.items()):
            button = self.buttons[key] = self._button(self._row, text, style, command)
            button.grid(row=0, column=place, sticky="nsew", padx=theme.px(4), pady=theme.px(4))
            self._row.columnconfigure(place, weight=1, uniform="buttons")

    def _start_or_trigger(self) -> None:
        (self._commands.trigger if self._triggers() else self._commands.start)()

    def _triggers(self) -> bool:
        """Whether the operator takes the parts by a key."""
        run = self.host.session.run
        return run is not None and self.host.session.active and run.trigger_kind == "key"

    def _button(self, parent: tk.Misc, text: str, style: str, command: Callable[[], object]) -> ttk.Button:
        return ttk.Button(parent, text=text, style=f"Touch.{style}", command=command, takefocus=False)

    def _paint(self) -> None:
        tokens = theme.tokens()
        for style in ("TButton", "Primary.TButton", "Danger.TButton"):
            ttk.Style(self).configure(f"Touch.{style}", font=self._fonts["button"], anchor="center")
        for part in (self, self._head, self._side, self._row, self._state_label, self._facts):
            part.configure(background=tokens.surface)
        self._strip.configure(background=tokens.line)
        inks = {"ok": tokens.ok_text, "warn": tokens.warn_text, "ng": tokens.ng_text}
        for key, label in self.counters.items():
            label.master.configure(background=tokens.card)  # type: ignore[call-arg]
            label.configure(background=tokens.card, foreground=inks.get(key, tokens.text))
            self._captions[key].configure(background=tokens.card, foreground=tokens.muted)
        self._state_label.configure(foreground=tokens.text)
        self._facts.configure(foreground=tokens.muted)
        self._hint.configure(background=tokens.warn, foreground=tokens.on_warn)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self._fit()

    def _fit(self) -> None:
        """Everything in the sizes of this screen, and no word wider than its place."""
        width, height = self.winfo_width(), self.winfo_height()
        tall, both = height / _HEIGHT, min(height / _HEIGHT, width / _WIDTH)
        self._head.configure(height=round(_HEAD * tall))
        self._strip.configure(height=round(_COUNTERS * tall))
        self._row.configure(height=round(_BUTTONS * tall))
        self._side.rowconfigure(2, minsize=0)
        self._set_size("facts", round(_FACTS_TEXT * both))
        self._hint.configure(wraplength=max(1, width // 2 - theme.px(16)))
        self._fit_head(width, tall, both)
        self._fit_counters(width, tall)
        words = [str(button.cget("text")) for button in (*self.buttons.values(), self._seen)]
        high = round(_BUTTONS * tall * 0.7)
        self._set_size("button", self._common(words, width // 4 - theme.px(24), high, _BUTTON_TEXT * tall))

    def _fit_head(self, width: int, tall: float, both: float) -> None:
        high = round(_HEAD * tall)
        words = str(self._state_label.cget("text"))
        size = self._common([words], width // 2, high, _STATE_TEXT * tall)
        self._set_size("state", size)
        room = width - self._fonts["state"].measure(words) - 3 * theme.px(16)
        size = self._common([str(self._facts.cget("text"))], room, high, _FACTS_TEXT * max(both, tall * 0.8))
        self._set_size("facts", size)

    def _fit_counters(self, width: int, tall: float) -> None:
        room = width // len(self.counters) - 8
        numbers = [str(label.cget("text")) for label in self.counters.values()]
        high = round(_COUNTERS * tall)
        self._set_size("number", self._common(numbers, room, high, _NUMBER_TEXT * tall))
        captions = [str(label.cget("text")) for label in self._captions.values()]
        self._set_size("caption", self._common(captions, room, high // 3, _CAPTION_TEXT * tall))

    def _set_size(self, name: str, size: int) -> None:
        """Set a font's size in pixels. Unchanged ones are left alone: Tk lays out every widget again after a change."""
        if self._fonts[name]["size"] != -size:
            self._fonts[name].configure(size=-size)

    def _common(self, words: list[str], width: int, height: int, largest: float) -> int:
        """The font size with which each of these fits."""
        family = self._fonts["state"]["family"]
        sizes = (
            self._fitter.size(word, width, height, round(largest), family=family, bold=True, wrap=False)
            for word in words
        )
        return min(sizes, default=round(largest))

    # showing

    def show(self, content: Inspection | Skipped, saved: bool = True, part: PartProgress | None = None) -> None:
        """Show a new result; its verdict only if there is no notice.

        Args:
            saved: result of a run. The verdict of a preview is shown in grey.
            part: its part, whose verdict is shown; None: the image is a part of its own.
        """
        self._saved = saved
        if isinstance(content, Skipped):
            self.image_view.clear(content.name)
            if not self._hiding:
                self.banner.skipped(strings.sentence(content.reason))
            return
        self.image_view.show(content)
        if not self._hiding:
            if part is not None:
                self.banner.show_part(part)
            else:
                self.banner.show(content.verdict)
            if not saved:
                self.banner.fade(tr("Preview, not saved."))

    def clear(self, text: str) -> None:
        """Show neither image nor verdict."""
        self.image_view.clear("")
        self.banner.idle(text)

    def update_state(self, now: State, notice: Notice | None, hint: Notice | None) -> None:
        """Show state, progress and notices of the run; called several times a second."""
        run = self.host.session.run
        active = now in ("starting", "waiting", "reconnecting", "running", "paused", "stopping")
        fresh = self._say(self._state_label, state_line(self.host.session, now))
        if hint is not None and hint.code == "error":
            if notice is not None and hint.detail in (notice.detail, notice.text):
                hint = None
            elif notice is None and not active:
                notice, hint = hint, None
        self._show_notice(notice, hint)
        # A run may end before its last result was polled; the result then arrives after the end.
        late = now in _FADED and self._saved and bool(self.banner.status) and not self.banner.faded
        if notice is None and (late or now != self._state):
            self._changed(now)
        elif notice is not None and now in ("stopped", "failed", "ended") and not notice.interrupts:
            self.image_view.clear("")
        self._state = now
        triggers = self._triggers()
        self._enable("start", not active or triggers)
        self._say(self.buttons["start"], tr("Next part (F7)") if triggers else tr("Start"))
        self._enable("pause", active)
        self._enable("stop", active)
        self._say(self.buttons["pause"], tr("Resume") if now == "paused" else tr("Pause"))
        if run is not None:
            counts = run.counts
            numbers = {
                "ok": f"{counts.parts_ok:,}",
                "warn": f"{counts.parts_warn:,}",
                "ng": f"{counts.parts_ng:,}",
                "skipped": f"{counts.skipped:,}",
                "inspected": counted(run),
                "yield": "—" if counts.good_share is None else f"{counts.good_share:.1%}",
            }
            self._say(self._captions["inspected"], tr("Frames") if run.counts_frames else tr("Parts (images)"))
            changed = [self._say(label, numbers[key]) for key, label in self.counters.items()]
            if any(changed):
                self._fit_counters(self.winfo_width(), self.winfo_height() / _HEIGHT)
        if self._say(self._facts, self._facts_text()) or fresh:
            width, height = self.winfo_width(), self.winfo_height()
            self._fit_head(width, height / _HEIGHT, min(height / _HEIGHT, width / _WIDTH))

    def _changed(self, now: State) -> None:
        """Grey out the verdict of a run that is paused or has ended: it is not that of the current part."""
        if now in _FADED and self.banner.status:
            if self._saved:  # a preview keeps its own note
                self.banner.fade(state_text(now))
        elif now in ("stopped", "failed"):
            self.clear(state_text(now))
        elif now == "running" and self._state == "paused":
            self.banner.idle(tr("waiting for the next image"))

    def _show_notice(self, notice: Notice | None, hint: Notice | None) -> None:
        before, self._hiding = self._hiding, notice is not None
        if notice is not None:
            detail = f"\n{notice.detail}" if notice.detail != notice.text and not notice.interrupts else ""
            self.banner.alarm(f"{notice.text}{detail}")
            if not before and notice.interrupts:
                self.image_view.clear(notice.detail)
        elif before:
            self.banner.idle(tr("waiting for the next image") if self.host.session.active else "")
        told = "" if hint is None else hint.detail
        if self._say(self._hint, told):
            if told:
                self._hint.grid(row=1, column=0, sticky="ew", ipady=theme.px(6))
            else:
                self._hint.grid_remove()
        wanted = (notice is not None and not notice.quiet) or hint is not None
        if wanted != self._errs:
            self._errs = wanted
            if wanted:
                self._side.rowconfigure(2, minsize=round(_ACKNOWLEDGE * self.winfo_height() / _HEIGHT))
                self._seen.grid(row=2, column=0, sticky="nsew", padx=theme.px(4), pady=theme.px(4))
            else:
                self._seen.grid_remove()
                self._side.rowconfigure(2, minsize=0)

    def _facts_text(self) -> str:
        session = self.host.session
        run = session.run
        parts = [session.recipe_name and tr("Recipe {name}", name=session.recipe_name), rules_text(session.rules)]
        if run is not None:
            whole = round(run.elapsed)
            parts.append(f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}")
        parts.append(time.strftime("%H:%M"))
        return "   ".join(part for part in parts if part)

    def _enable(self, key: str, possible: bool) -> None:
        button = self.buttons[key]
        if button.instate(["disabled"]) is possible:
            button.state(["!disabled" if possible else "disabled"])

    @staticmethod
    def _say(label: tk.Label | ttk.Button, text: str) -> bool:
        """Set the text of a label; return whether it changed."""
        if str(label.cget("text")) == text:
            return False
        label.configure(text=text)
        return True

    def close(self) -> None:
        self.destroy()
        self.host.root.focus_force()
