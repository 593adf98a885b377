"""The inspect page."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING, Any, Literal

from inspector.domain import Frame, InputError, Inspection, PartProgress, Skipped, judge, warn_if_too_small
from inspector.engine.alarms import Alarm
from inspector.jobs import resume as resuming
from inspector.jobs.resume import Resumable
from inspector.system import paths
from inspector.ui.history.export_dialog import ExportDialog, run_scope
from inspector.ui.history.part_printing import Part, print_part
from inspector.ui.inspect.controls import Controls
from inspector.ui.inspect.live_preview import PreviewResult
from inspector.ui.inspect.notices import Notice, Notices, state, state_line, state_text
from inspector.ui.inspect.operator_view import OperatorCommands, OperatorView
from inspector.ui.inspect.panels import Counters, DefectList, FrameNavigator, counted
from inspector.ui.inspect.results import Results
from inspector.ui.inspect.sources import Sources
from inspector.ui.inspect.toolbar import Toolbar
from inspector.ui.inspect.verdict_panel import VerdictPanel
from inspector.ui.kit import sounds, strings, theme
from inspector.ui.kit.duration import duration
from inspector.ui.kit.image_view.image_view import ImageView
from inspector.ui.kit.page import Page
from inspector.ui.kit.rule_summary import rule_set
from inspector.ui.kit.scanner import Scanner
from inspector.ui.kit.status_bar import StatusBar
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame, close_popdown

if TYPE_CHECKING:
    from inspector.domain import Image
    from inspector.ui.inspect.host import InspectHost

View = Literal["original", "result", "side_by_side"]
_TYPING = ("TEntry", "TSpinbox", "TCombobox", "Entry", "Text")
_APPEND = 25  # ticks between two checks for new rows
_REPEAT = 0.7  # seconds within which a press repeats the one before: longer than a held key waits until it repeats


class InspectPage(Page):
    """Source, model and thresholds at the left, image and results in the middle, verdict at the right."""

    exports = True
    toolbar: Toolbar

    def __init__(self, parent: tk.Misc, host: InspectHost) -> None:
        super().__init__(parent)
        self.host, self.session = host, host.session
        self._ticks = 0
        self._finished = True
        self._shown: Inspection | Frame | Skipped | None = None
        self._is_saved = False  # what is shown is a result of a run
        self._triggered = -_REPEAT  # time.monotonic() of the last press of the trigger key
        self._part: PartProgress | None = None  # of what is shown
        self._window_title = ""
        self._rules_shown: object = self  # no rules: not shown yet
        self._place = 0  # position of the content, from 0, counted over all sources
        self._operator: OperatorView | None = None
        self._resumable: Resumable | None = None
        self._export: ExportDialog | None = None
        self._notice: Notice | None = None  # shown in place of the verdict
        self.notices = Notices(self.session, self._sound)
        self._start_wanted = self._centred = self._samples = self._stopping = self._stacked = False
        self.controls: Controls
        self.sources = Sources(
            host,
            self._opened,
            lambda weights: self.controls.use_model(weights),
            lambda job: self.controls.use_job(job),
            lambda: self.controls.show_lock(),
            self._shown_image,
        )
        self._build()
        self._bind_events()
        self.session.on_error = self._failed
        self.session.on_preview = self._show_preview
        self.session.on_rules = self._rejudge
        self.session.on_alarm = self._on_alarm
        host.on_tick(self._tick)

    # building

    def _build(self) -> None:
        self.columnconfigure(1, weight=1)
        self.rowconfigure(0, weight=1)
        commands: dict[str, Callable[[], object]] = {
            "open_image": self.sources.open_image,
            "open_folder": self.sources.open_folder,
            "open_video": self.sources.open_video,
            "open_camera": lambda: self.sources.camera_menu(self.toolbar),
            "open_watched": self.sources.open_watched,
            "start": self.start,
            "pause": self.pause,
            "stop": self.stop,
        }
        self.toolbar = Toolbar(self.host.header_tools, commands)
        self.toolbar.grid(row=0, column=0, sticky="ew")
        self.middle = ttk.Panedwindow(self, orient="vertical")
        self.middle.grid(row=0, column=1, sticky="nsew", padx=theme.px(4), pady=theme.px(4, 0))
        self._build_middle()
        self.controls = Controls(
            self, self.host, self.image_view, lambda texts: self.sources.open(texts), self._hide, self._model_ready
        )
        self.controls.grid(row=0, column=0, sticky="ns", padx=theme.px(8, 4), pady=theme.px(8, 4))
        self.controls.lower()  # first in the tab order
        self.side = ScrollFrame(self, width=theme.sidebar_width(264, self), fill=True)
        self.side.grid(row=0, column=2, sticky="ns", padx=theme.px(4, 8), pady=theme.px(8, 4))
        self.right = self.side.body
        self._build_right()
        self.bind("<Configure>", lambda event: self._stack(event.width))
        ttk.Frame(self, style="Line.TFrame", height=1).grid(row=2, column=0, columnspan=3, sticky="ew")
        self.status = StatusBar(self, self.stop)
        self.status.grid(row=3, column=0, columnspan=3, sticky="ew")

    def _stack(self, width: int) -> None:
        """Place verdict and counters next to the image, or below the controls in a narrow window."""
        stacked = 1 < width < theme.px(820)
        if stacked is not self._stacked:
            self._stacked = stacked
            self.side.grid(row=1 if stacked else 0, column=0 if stacked else 2, sticky="nsew" if stacked else "ns")
            self.middle.grid(rowspan=2 if stacked else 1)
            self.rowconfigure(1, weight=1 if stacked else 0)

    def _build_middle(self) -> None:
        top = ttk.Frame(self.middle)
        top.rowconfigure(0, weight=1)
        top.columnconfigure(0, weight=1)
        self.image_view = ImageView(top, on_select=self._detection_selected, tasks=self.host.tasks)
        self.image_view.grid(row=0, column=0, sticky="nsew")
        self.position = FrameNavigator(top, self.session.preview, self.step)
        self.position.grid(row=1, column=0, sticky="ew")
        self.middle.add(top, weight=3)
        self.results = Results(self.middle, self.host, self._show_stored)
        self.middle.add(self.results, weight=2)
        self._image_share = self.host.window_state.get("sash", 0.0)
        self.middle.bind("<Configure>", self._place_sash)
        self.middle.bind("<ButtonRelease-1>", lambda event: self._save_sash(), add=True)

    def _place_sash(self, event: Any) -> None:
        """Restore the share of the height that the image had last time."""
        if 0.1 < self._image_share < 0.9:
            self.tk.call(self.middle, "sashpos", 0, round(self._image_share * event.height))

    def _save_sash(self) -> None:
        """Keep the share of the height that the user gave to the image."""
        if (height := self.middle.winfo_height()) > 1:
            self._image_share = round(int(self.tk.call(self.middle, "sashpos", 0)) / height, 3)

    def _build_right(self) -> None:
        self.right.rowconfigure(3, weight=1)
        self.right.columnconfigure(0, weight=1)
        self.verdict = VerdictPanel(self.right, self.acknowledge, self.choose_output)
        self.verdict.grid(row=0, column=0, sticky="ew")
        self.banner, self._unsaved = self.verdict.banner, self.verdict.note
        names = {
            "inspected": tr("Parts (images)"),
            "ok": tr("OK"),
            "ng": tr("NG"),
            "warn": tr("WARN"),
            "unread": tr("Unreadable"),
            "ms": tr("Inference"),
        }
        self.trigger_button = ttk.Button(
            self.right, text=tr("Next part (F7)"), style="Primary.TButton", command=self.trigger
        )
        self.counters = Counters(self.right, names)
        self.counters.grid(row=2, column=0, sticky="ew", pady=theme.px(4))
        below = ttk.Frame(self.right)
        below.grid(row=3, column=0, sticky="nsew")
        self._judged = ttk.Label(below, style="Caption.TLabel", anchor="center")
        self._judged.pack(fill="x")
        ttk.Label(below, text=tr("Defects in this image"), style="Head.TLabel").pack(anchor="w", pady=theme.px(8, 4))
        self.defects = DefectList(below, lambda index: self.image_view.select(index, centre=True))
        self.defects.pack(fill="both", expand=True)

    def _bind_events(self) -> None:
        root = self.host.root
        keys: dict[str, Callable[[], object]] = {
            "<Control-o>": self.sources.open_image,
            "<Control-Shift-O>": self.sources.open_folder,
            "<Control-Shift-V>": self.sources.open_video,
            "<Control-m>": self.controls.open_model,
            "<F5>": self.start,
            "<F6>": self.pause,
            "<F7>": self.trigger,
            "<F11>": self.toggle_operator,
        }
        root.bind("<Control-e>", lambda event: self.host.export())
        root.bind("<Control-p>", lambda event: self.host.print())
        for key, command in keys.items():
            root.bind(key, lambda event, command=command: self._key(command))  # type: ignore[misc]
        plain: dict[str, Callable[[], object]] = {
            "<Escape>": self.stop,
            "<Left>": lambda: self.step(-1),
            "<Right>": lambda: self.step(1),
            "m": self.controls.toggle_masks,
            "M": self.controls.toggle_masks,
            "f": self.image_view.fit,
            "F": self.image_view.fit,
            "Key-1": self.image_view.actual,
            "plus": lambda: self.image_view.zoom_in(),
            "minus": lambda: self.image_view.zoom_out(),
        }
        for key, command in plain.items():
            sequence = key if key.startswith("<") else f"<{key}>"
            root.bind(sequence, lambda event, command=command: self._plain_key(event, command))  # type: ignore[misc]
        self._scanner = Scanner(root, self.sources.use_code)
        self.image_view.canvas.bind("<space>", lambda event: self.pause())

    def _key(self, command: Callable[[], object]) -> None:
        if self.host.page != "inspect":
            self.host.show("inspect")
        command()

    def _plain_key(self, event: Any, command: Callable[[], object]) -> None:
        """Run a single-key command unless the user types or moves through a list; Escape always works."""
        kind = event.widget.winfo_class() if isinstance(event.widget, tk.Misc) else ""
        walks = kind in ("Treeview", "TScale") and event.keysym in ("Left", "Right")
        typed = kind in _TYPING and event.keysym != "Escape"
        if self.host.page != "inspect" or typed or walks or event.state & 0x4:
            return
        if event.char.isprintable() and event.char:
            self._scanner.after_single_key(command)
        else:
            command()

    def _shown_image(self) -> Image | None:
        frame = self._shown_frame()
        return None if frame is None else frame.image

    # a page

    def on_show(
        self,
        sources: Sequence[str] = (),
        recipe: Path | None = None,
        model: str | Path | None = None,
        sample: bool = False,
        resume: int | None = None,
        start: bool | None = None,
        operator: bool = False,
    ) -> None:
        """Come to the front.

        Args:
            sources, recipe, model: to open.
            sample: open the sample images.
            start: start the inspection; None: only if the source is live.
            operator: open the operator's view.
        """
        model = None if model is None else str(model)
        if self.session.model is None and not self.session.loading:
            self.controls.open_first_model(model)
        elif model:
            self.controls.use_model(model)
        if resume is not None:
            self.resume(resume)
        elif recipe is not None:
            self.sources.use_recipe(recipe, start)
        elif sources:
            self.open_sources(sources, start=bool(start))
        elif sample or (not self.session.sources and not self.sources.reopen(bool(start))):
            self._open_samples(sample)
        if operator and self._operator is None:
            self.toggle_operator()

    def _open_samples(self, wanted: bool) -> None:
        """Open the sample images at the first start, instead of an empty window."""
        place = paths.sample_data()
        if place is not None and (wanted or not self.host.window_state.recent("sources")):
            self.open_sources([str(place)], remember=False)
            self._samples = True  # announced when the first one is shown
        else:
            self.image_view.clear(tr("Open an image, a folder, a video or a camera, or drop it here."))

    def save_state(self) -> dict[str, Any]:
        return {
            "controls": self.controls.save_state(),
            "run": self.results.run,
            "shown": self._shown,
            "place": self._place,
            "saved": not self._unsaved.cget("text"),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self.controls.restore_state(state["controls"])
        self._finished = not self.session.active
        self.results.follow(state["run"])
        if state["shown"] is not None:
            self._show(state["shown"], state["saved"], state["place"])

    def close_warning(self) -> str:
        if not self.session.active:
            return ""
        return tr("An inspection is running. Results so far are saved; the remaining images would not be inspected.")

    def close(self) -> None:
        self._save_sash()
        self.host.window_state.set("sash", self._image_share)
        self.session.save_thresholds()
        self.results.close()
        self.toolbar.destroy()
        self._scanner.close()

    def on_plugins_changed(self) -> None:
        self.controls.show_model()

    # the source

    def open_sources(self, texts: Sequence[str], remember: bool = True, start: bool = False) -> None:
        """Open sources that the user named or dropped."""
        self.sources.open(texts, remember, start)

    def _opened(self, start: bool) -> None:
        """Reset the page for another source."""
        self._start_wanted = False
        self._resumable = None
        self.controls.show_source()
        self.notices.begin()
        self._notice = None
        self.image_view.clear("")
        self.banner.idle(tr("ready"))
        self.results.follow(None)
        self.defects.show(())
        self.counters.clear()
        self._shown = None
        self._unsaved.configure(text="")
        if start:
            self.start()

    def _hide(self, hidden: set[str]) -> None:
        self.image_view.set_hidden(hidden)
        if isinstance(self._shown, Inspection):
            self.defects.show(self._shown.detections, hidden)

    def _detection_selected(self, index: int | None) -> None:
        self.defects.select(index)

    # the run

    def _model_ready(self) -> None:
        model = self.session.model
        if model is not None and model.info is not None and model.info.note:
            self.host.toast(strings.sentence(model.info.note), "warn")
        if self._start_wanted:
            self._start_wanted = False
            self.start()

    def _failed(self, error: BaseException) -> None:
        """Show an error and cancel a start that waits for the model."""
        self._start_wanted = False
        self._resumable = None
        self.host.show_error(error)

    def resume(self, run: int) -> None:
        """Resume a run that ended early, with its original job."""

        def found(resumable: Resumable) -> None:
            if self.session.active:
                self.host.toast(tr("An inspection is running; stop it first (Esc)."), "warn")
                return
            try:
                self.sources.use_run(resumable.job, resumable.entry.title)
            except InputError as error:
                self.host.show_error(error)
                return
            self._resumable = resumable
            self.start()

        self.host.tasks.run(resuming.find, self.host.catalogue, str(run), done=found)

    def start(self) -> None:
        """Inspect the source from its beginning and save every result."""
        if self.session.active:
            return
        if self.session.loading:
            self._start_wanted = True
            return
        self.sources.when_known(self._begin)

    def _begin(self) -> None:
        """Start what is set up, whose passwords are known."""
        if self.session.active:
            return
        resumable, self._resumable = self._resumable, None
        try:
            self.session.start(resumable)
        except InputError as error:
            self._failed(error)
            return
        self.host.tasks.run(self.session.save_thresholds)
        self.notices.begin()
        self._notice = self._shown = None
        self._finished = self._stopping = False
        self.results.follow(None)
        self.status.show_folder(None)
        self.defects.show(())
        self._centred = True  # a new run starts with the whole image
        self.verdict.show_notice(None)
        self._unsaved.configure(text="")
        self.counters.set(ms="—")
        self._clear_verdict(tr("starting…"))

    def _clear_verdict(self, text: str) -> None:
        """Clear the verdict, which is not that of the current part; notices stay."""
        if self._notice is not None:
            return
        self.banner.idle(text)
        if self._operator is not None:
            self._operator.clear(text)

    def pause(self) -> None:
        """Pause before the next image, or resume."""
        run = self.session.run
        if run is not None and self.session.active:
            if run.paused:
                run.resume()
            else:
                run.pause()

    def stop(self) -> None:
        self._start_wanted = False
        if self.session.active:
            self._stopping = True
            self.session.stop()
            self._clear_verdict(tr("stopping…"))

    def trigger(self) -> None:
        """Take the next image of a camera, or begin the next part with it; a key that is held down does so once."""
        last, self._triggered = self._triggered, time.monotonic()
        if self._triggered - last < _REPEAT:
            return
        if self.session.run is not None and self.session.active:
            self.session.run.trigger()

    def step(self, by: int) -> None:
        """Go one image forward or back; in a paused run, inspect one more."""
        run = self.session.run
        if run is not None and self.session.active:
            if run.paused and by > 0:
                run.step()
        else:
            self.session.preview(self.session.index + by)

    # the poll loop

    def _tick(self) -> None:
        self._ticks += 1
        run = self.session.run
        latest = self.session.take_latest()
        if latest is not None and not self._stopping:
            counts = run.counts if run is not None else None
            number = (
                latest.number if isinstance(latest, Inspection) else counts.inspected + counts.skipped if counts else 1
            )
            self._show(latest, saved=True, place=max(0, number - 1), part=run.part if run is not None else None)
            if self._centred:  # on a defect of an earlier image
                self._centred = False
                self.image_view.fit()
            if self.host.settings.get("ng_sound") and self.banner.status == "NG":
                self.host.root.bell()
        elif (
            run is not None and (passing := run.take_passing()) is not None and not isinstance(self._shown, Inspection)
        ):
            self._show(passing, saved=False)  # where the first part is to be placed
        if self._ticks % 5 == 0:
            self._update_notice()
            self._show_state()
        if run is None or self._finished:
            return
        if self.results.run is None and run.history_id is not None:
            self.results.follow(run.history_id)
        if self._ticks % _APPEND == 0:
            self.results.append_new()
        if run.wait(0) and latest is None:
            self._finished = True
            self._show_state()
            self._ended(run)

    # notices

    def _update_notice(self) -> None:
        """Replace the verdict by a notice as soon as there is one; called several times a second."""
        notice, hint, before = self.notices.current(), self.notices.hint(), self._notice
        self._notice = notice
        if notice is not None:
            self.banner.alarm(notice.text)
            if notice.interrupts and (before is None or before.detail != notice.detail):
                self._shown = None
                self.image_view.clear(notice.detail)
                self.defects.show(())
                self._unsaved.configure(text="")
        self.verdict.show_notice(notice or (hint if hint is not None and hint.code != "error" else None))
        if self._operator is not None:
            self._operator.update_state(state(self.session, self._stopping, notice), notice, hint)
        if notice is None and before is not None:
            if before.interrupts and self._shown is None:
                self.image_view.clear("")
            self._restore_verdict()

    def _restore_verdict(self) -> None:
        """Show the newest current result, or none, after a notice was resolved or acknowledged."""
        if isinstance(self._shown, Inspection | Skipped) and self.session.active:
            run = self.session.run
            self._show(self._shown, saved=True, part=run.part if run is not None else None)
        elif self.session.active:
            self._clear_verdict(tr("waiting for the next image"))
        else:
            self._clear_verdict(state_text(state(self.session, False, None)))

    def _on_alarm(self, alarm: Alarm) -> None:
        """Add an alarm, or its end, to the list of messages."""
        sentence = strings.sentence(alarm.message)
        text = sentence if alarm.active else tr("Resolved: {alarm}", alarm=sentence)
        self.host.messages.note(text, "bad" if alarm.active and alarm.hides else "warn")

    def _sound(self) -> None:
        if self.host.settings.get("alarm_sound"):
            sounds.alarm(self.host.root)

    def acknowledge(self) -> None:
        """Show current verdicts again; the notice stays in the messages and the history."""
        self.notices.acknowledge()
        self._update_notice()

    def choose_output(self) -> None:
        """Choose another folder for the results of the next run."""
        chosen = filedialog.askdirectory(parent=self.host.root, title=tr("Results folder"), mustexist=True)
        if chosen:
            try:
                self.host.settings.set("output_folder", Path(chosen))
            except InputError as error:
                self.host.show_error(error)
                return
            self.host.toast(tr("The next run is saved in {folder}.", folder=chosen), "good")

    def on_error_shown(self, text: str) -> None:
        """Show an error also in the operator view, which covers the messages."""
        if self._operator is not None:
            self.notices.error(text)

    def _ended(self, run: Any) -> None:
        self.results.append_new()
        self._update_notice()
        if self._part is not None and run.part is not None and isinstance(self._shown, Inspection) and self._is_saved:
            self._show(self._shown, saved=True, part=run.part)  # no more views come
        if run.state != "done" or self.session.live:
            self._clear_verdict(state_text(state(self.session, False, None)))
        self.controls.run_ended()
        if run.problems:
            more = tr(" (+{n} more)", n=len(run.problems) - 1) if len(run.problems) > 1 else ""
            self.host.toast(f"{strings.sentence(run.problems[0])}{more}", "warn")
        counts = run.counts
        open_folder = (tr("Open folder"), lambda: self.host.open_path(run.output)) if run.output else None
        self.status.show_folder(open_folder and open_folder[1])
        if run.failure is not None:
            self.host.toast(strings.sentence(str(run.failure)), "bad")
        else:
            text = tr(
                "Parts: {parts} (images: {images}). NG: {ng}, WARN: {warn}, unreadable: {unread}.",
                parts=counts.parts,
                images=counts.inspected,
                ng=counts.parts_ng,
                warn=counts.parts_warn,
                unread=counts.skipped,
            )
            all_good = counts.parts_ok == counts.parts and not counts.skipped
            self.host.toast(text, "good" if all_good else "info", open_folder)

    def _show_state(self) -> None:
        run, session = self.session.run, self.session
        active = session.active
        self.toolbar.show(active, active and run is not None and run.paused, bool(session.sources))
        now = "opening" if session.loading else state(session, self._stopping, self._notice)
        if run is None or not active:
            self.position.show(session.index, session.total, movable=True)
        else:
            if now == "running" and self._shown is None and not run.counts.inspected + run.counts.skipped:
                self.banner.idle(tr("waiting for the first image"))
            self.position.show(self._place, run.total or 0, movable=False)
        if run is not None and active and run.trigger_kind == "key":
            self.trigger_button.grid(row=1, column=0, sticky="ew", pady=theme.px(4))
        else:
            self.trigger_button.grid_remove()
        self._show_method()
        model = session.model.info if session.model else None
        frame = self._shown_frame()
        size = "" if frame is None else tr("image {width} × {height}", width=frame.width, height=frame.height)
        facts = [] if model is None else [session.model.name if session.model else "", model.runtime, model.device]
        epoch = self.host.training_progress()
        trains = tr("Training: epoch {epoch}", epoch=epoch) if epoch else ""
        self.status.show(state_line(session, now), "   ".join(part for part in (*facts, size, trains) if part))
        self._show_progress(active)
        self.controls.classes.set_counts(session.counts if run is not None else {})

    def _show_method(self) -> None:
        """Show recipe and rules of the verdict in the window's title and next to the verdict."""
        recipe = self.session.recipe_name
        title = f"{recipe} – Bearing Inspector" if recipe else "Bearing Inspector"
        if title != self._window_title:
            self._window_title = title
            self.host.root.title(title)
            self.controls.show_recipe()
        run = self.session.run
        rules = run.job.rules if run is not None and self.session.active else self.session.shown_rules
        if rules is not self._rules_shown:
            self._rules_shown = rules
            self._judged.configure(text=tr("Rules: {rules}", rules=rule_set(rules)))

    def _show_progress(self, active: bool) -> None:
        run = self.session.run
        if run is None:
            self.status.progress(None, "", False)
            return
        counts = run.counts
        done = counts.inspected + counts.skipped
        words = [f"{done} / {run.total}" if run.total else str(done)]
        if counts.skipped:
            words.append(tr("unreadable {n}", n=counts.skipped))
        if counts.dropped:
            words.append(tr("dropped {n}", n=counts.dropped))
        if active and run.rate:
            words.append(tr("{n} images/s", n=f"{run.rate:.1f}"))
        if active and run.remaining is not None:
            words.append(tr("{time} left", time=duration(run.remaining)))
        self.status.progress(done / run.total if run.total else None, " · ".join(words), active)
        self.counters.name("inspected", tr("Frames") if run.counts_frames else tr("Parts (images)"))
        values = {
            "inspected": counted(run),
            "ok": str(counts.parts_ok),
            "warn": str(counts.parts_warn),
            "ng": f"{counts.parts_ng} · {counts.parts_ng / counts.parts:.0%}" if counts.parts else "0",
            "unread": str(counts.skipped),
        }
        self.counters.set(**values)

    # showing

    def _shown_frame(self) -> Frame | None:
        shown = self._shown
        return shown.frame if isinstance(shown, Inspection) else shown if isinstance(shown, Frame) else None

    def _show_preview(self, result: PreviewResult) -> None:
        """Show a preview result."""
        self._show(result.content, saved=False, place=result.index)
        if self._samples and isinstance(result.content, Inspection):
            self._samples = False
            if Path(result.content.frame.path or "").is_relative_to(paths.sample_data() or "/"):
                self.host.toast(tr("These are sample images. Press Start (F5) to inspect them."), "info")
        self.position.show(result.index, result.total, movable=True)

    def _rejudge(self) -> None:
        """Judge the image shown by the new rules; no other image is shown."""
        shown = self._shown
        if isinstance(shown, Inspection) and not self.session.active:
            try:
                verdict = judge(shown.detections, self.session.shown_rules, self.session.calibration)
            except InputError:  # limits in millimetres without calibration; the preview says so
                self.session.preview()
                return
            verdict = warn_if_too_small(verdict, shown.frame, shown.model.imgsz)
            self._show(replace(shown, verdict=verdict), saved=False, place=self._place)
        else:
            self.session.preview()

    def _show(
        self,
        content: Inspection | Frame | Skipped,
        saved: bool,
        place: int | None = None,
        part: PartProgress | None = None,
    ) -> None:
        """Show an image or its inspection.

        Args:
            saved: whether it is a result of a run.
            part: its part, whose verdict is shown; None: the image is a part of its own.
            place: position of the image, from 0, counted over all sources; None if unknown.
        """
        if place is not None:
            self._place = place
            if place < self.session.total:
                self.session.index = place  # manual stepping continues from there
        if isinstance(content, Frame) and content is self._shown_frame():
            return  # being inspected again; its detections stay until then
        self._shown, self._is_saved, self._part = content, saved, part
        hidden = self.controls.classes.hidden
        if isinstance(content, Skipped):
            reason = strings.sentence(content.reason)
            self.image_view.clear(reason if content.name in reason else f"{content.name}\n{reason}")
            if self._notice is None:
                self.banner.skipped(strings.sentence(content.reason))
            self.defects.show(())
            if self._operator is not None:
                self._operator.show(content)
            return
        if isinstance(content, Frame):
            self.image_view.show(content, position=_position(self._place + 1, self.session.total))
            if self._notice is None:
                self.banner.idle()
            self.defects.show(())
            return
        run = self.session.run
        total = run.total if saved and run else self.session.total
        self.image_view.show(content, position=_position(self._place + 1, total))
        if self._notice is None and part is not None:
            self.banner.show_part(part)
        elif self._notice is None:
            self.banner.show(content.verdict)
        self.defects.show(content.detections, hidden)
        note = tr("Part {id}", id=part.id) if part is not None else ""
        note = note if saved else tr("Preview, not saved. Press Start (F5) to save.")
        if self._unsaved.cget("text") != note:
            self._unsaved.configure(text=note)
        if content.timings.total:
            self.counters.set(ms=f"{content.timings.infer:.0f} ms")
        if self._operator is not None:
            self._operator.show(content, saved, part)

    def _show_stored(self, content: Inspection | Skipped, selected: int | None, place: int) -> None:
        """Show a stored inspection with its defect marked."""
        self._show(content, saved=True, place=place)
        self._centred = True
        if isinstance(content, Inspection):
            self.image_view.select(selected, centre=True)
            self.defects.select(selected)

    def export(self) -> None:
        """Open the export dialog for the run shown; the filter of the history is not changed."""
        if self.results.run is None:
            self.host.toast(tr("There is no run to export yet; export earlier runs from the history."), "info")
        elif self._export is not None and self._export.winfo_exists():
            self._export.lift()
        else:
            self._export = ExportDialog(self.host, [run_scope(self.results.run)])

    def print(self) -> None:
        """Print the image shown, with its verdict."""
        if isinstance(self._shown, Inspection):
            saved, run = self._is_saved, self.session.run
            rules = run.job.rules if saved and run is not None else self.session.rules
            print_part(self.host, Part(self._shown, rules, saved))
        else:
            self.host.toast(tr("There is no inspected image to print."), "info")

    def open_results(self) -> None:
        run = self.session.run
        output = run.output if run is not None else None
        self.host.open_path(output or Path(self.host.settings.get("output_folder") or paths.results_folder()))

    # the operator's view

    def toggle_operator(self) -> None:
        """Open or close the operator view."""
        close_popdown(self.host.root)
        if self._operator is not None:
            self._operator.close()
            self._operator = None
            return
        self._operator = OperatorView(
            self.host,
            OperatorCommands(self.start, self.pause, self.stop, self.toggle_operator, self.acknowledge, self.trigger),
        )
        if isinstance(self._shown, Inspection | Skipped):
            self._operator.show(self._shown, self._is_saved, self._part)
        self._operator.update_state(state(self.session, self._stopping, self._notice), self._notice, None)


def _position(number: int, total: int | None) -> str:
    return f"{number} / {total}" if total else str(number)
