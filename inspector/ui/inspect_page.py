"""The page where inspecting happens."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING, Any, Literal

from inspector import paths
from inspector.domain import Frame, InputError, Inspection, Skipped
from inspector.ui import texts, theme
from inspector.ui.banner import Banner
from inspector.ui.inspect_controls import Controls
from inspector.ui.inspect_parts import Counters, DefectList, Position
from inspector.ui.inspect_results import Results
from inspector.ui.inspect_sources import Sources
from inspector.ui.looking import Sight
from inspector.ui.operator import OperatorView
from inspector.ui.preview import Preview
from inspector.ui.status import StatusLine, duration
from inspector.ui.texts import t
from inspector.ui.toolbar import Toolbar

if TYPE_CHECKING:
    from inspector.ui.app import App

View = Literal["original", "result", "side_by_side"]
_TYPING = ("TEntry", "TSpinbox", "TCombobox", "Entry", "Text")
_APPEND = 25  # ticks between two looks for new rows


class InspectPage(ttk.Frame):
    """Source, model and thresholds at the left, the picture and the results in the middle, the verdict at the right."""

    def __init__(self, parent: tk.Misc, app: App) -> None:
        super().__init__(parent)
        self.app, self.session = app, app.session
        self._ticks = 0
        self._finished = True
        self._shown: Inspection | Frame | Skipped | None = None
        self._operator: OperatorView | None = None
        self._start_wanted = self._centred = self._samples = self._stopping = False
        self.sources = Sources(
            app,
            self._opened,
            lambda weights: self.controls.use_model(weights),
            lambda job: self.controls.use_job(job),
        )
        self._build()
        self._bind_events()
        self.session.on_error = self._failed
        self.session.on_sight = self._seen
        app.every_tick(self._tick)

    # building

    def _build(self) -> None:
        self.columnconfigure(1, weight=1)
        self.rowconfigure(0, weight=1)
        commands: dict[str, Callable[[], object]] = {
            "open_picture": self.sources.open_picture,
            "open_folder": self.sources.open_folder,
            "open_video": self.sources.open_video,
            "open_camera": lambda: self.sources.camera_menu(self.toolbar),
            "start": self.start,
            "pause": self.pause,
            "stop": self.stop,
        }
        self.toolbar = Toolbar(self.app.tools, commands)
        self.toolbar.pack(side="left")
        self.middle = ttk.Panedwindow(self, orient="vertical")
        self.middle.grid(row=0, column=1, sticky="nsew", padx=theme.px(4), pady=theme.px(4, 0))
        self._build_middle()
        self.controls = Controls(
            self, self.app, self.preview, lambda given: self.sources.open(given), self._hide, self._model_ready
        )
        self.controls.grid(row=0, column=0, sticky="ns", padx=theme.px(8, 4), pady=theme.px(8, 4))
        self.controls.lower()  # the keyboard comes to it first
        self.right = ttk.Frame(self, width=theme.side(264, self))
        self.right.grid(row=0, column=2, sticky="ns", padx=theme.px(4, 8), pady=theme.px(8, 4))
        self.right.grid_propagate(False)
        self._build_right()
        ttk.Frame(self, style="Line.TFrame", height=1).grid(row=1, column=0, columnspan=3, sticky="ew")
        self.status = StatusLine(self, self.stop)
        self.status.grid(row=2, column=0, columnspan=3, sticky="ew")

    def _build_middle(self) -> None:
        top = ttk.Frame(self.middle)
        top.rowconfigure(0, weight=1)
        top.columnconfigure(0, weight=1)
        self.preview = Preview(top, on_select=self._picked, tasks=self.app.tasks)
        self.preview.grid(row=0, column=0, sticky="nsew")
        self.position = Position(top, self.session.look, self.step)
        self.position.grid(row=1, column=0, sticky="ew")
        self.middle.add(top, weight=3)
        self.results = Results(self.middle, self.app, self._show_kept)
        self.middle.add(self.results, weight=2)
        self.middle.bind("<Configure>", self._place_sash)

    def _place_sash(self, event: Any) -> None:
        """Once there is room, give the picture the part of it that it had the last time."""
        self.middle.unbind("<Configure>")
        part = self.app.memory.get("sash", 0.0)
        if 0.1 < part < 0.9:
            self.tk.call(self.middle, "sashpos", 0, round(part * event.height))

    def _build_right(self) -> None:
        self.right.rowconfigure(3, weight=1)
        self.right.columnconfigure(0, weight=1)
        self.banner = Banner(self.right)
        self.banner.grid(row=0, column=0, sticky="ew")
        self._unsaved = ttk.Label(self.right, style="Caption.TLabel", anchor="center")
        self._unsaved.grid(row=1, column=0, sticky="ew", pady=theme.px(2))
        names = {
            "inspected": t("Inspected"),
            "ng": t("NG"),
            "warn": t("WARN"),
            "unread": t("unread"),
            "rate": t("Pictures/s"),
            "ms": t("Inference"),
        }
        self.counters = Counters(self.right, names)
        self.counters.grid(row=2, column=0, sticky="ew", pady=theme.px(4))
        below = ttk.Frame(self.right)
        below.grid(row=3, column=0, sticky="nsew")
        ttk.Label(below, text=t("Defects on this part"), style="Head.TLabel").pack(anchor="w", pady=theme.px(8, 4))
        self.defects = DefectList(below, lambda index: self.preview.select(index, centre=True))
        self.defects.pack(fill="both", expand=True)

    def _bind_events(self) -> None:
        root = self.app.root
        keys: dict[str, Callable[[], object]] = {
            "<Control-o>": self.sources.open_picture,
            "<Control-Shift-O>": self.sources.open_folder,
            "<Control-Shift-V>": self.sources.open_video,
            "<Control-m>": self.controls.open_model,
            "<Control-e>": self.export,
            "<F5>": self.start,
            "<F6>": self.pause,
            "<F11>": self.toggle_operator,
        }
        for key, command in keys.items():
            root.bind(key, lambda event, command=command: self._key(command))  # type: ignore[misc]
        plain: dict[str, Callable[[], object]] = {
            "<Escape>": self.stop,
            "<Left>": lambda: self.step(-1),
            "<Right>": lambda: self.step(1),
            "m": self.controls.toggle_masks,
            "M": self.controls.toggle_masks,
            "f": self.preview.fit,
            "F": self.preview.fit,
            "Key-1": self.preview.actual,
            "plus": lambda: self.preview.zoom_in(),
            "minus": lambda: self.preview.zoom_out(),
        }
        for key, command in plain.items():
            sequence = key if key.startswith("<") else f"<{key}>"
            root.bind(sequence, lambda event, command=command: self._plain_key(event, command))  # type: ignore[misc]
        self.preview.canvas.bind("<space>", lambda event: self.pause())

    def _key(self, command: Callable[[], object]) -> None:
        if self.app.page != "inspect":
            self.app.show("inspect")
        command()

    def _plain_key(self, event: Any, command: Callable[[], object]) -> None:
        """Single letters and arrows act only where nobody types or walks through a list; Escape stops from anywhere."""
        kind = event.widget.winfo_class() if hasattr(event.widget, "winfo_class") else ""
        walks = kind in ("Treeview", "TScale") and event.keysym in ("Left", "Right")
        typed = kind in _TYPING and event.keysym != "Escape"
        if self.app.page == "inspect" and not typed and not walks and not event.state & 0x4:
            command()

    # a page

    def shown(
        self, sources: Sequence[str] = (), recipe: Path | None = None, model: str | None = None, sample: bool = False
    ) -> None:
        if self.session.model is None and not self.session.loading:
            self.controls.open_first_model(model)
        elif model:
            self.controls.use_model(model)
        if recipe is not None:
            self.sources.use_recipe(recipe)
        elif sources:
            self.open_texts(sources)
        elif sample or not self.session.sources:
            self._open_samples(sample)

    def _open_samples(self, wanted: bool) -> None:
        """The first start shows pictures that can be inspected at once, not an empty window."""
        place = paths.sample_data()
        if place is not None and (wanted or not self.app.memory.recent("sources")):
            self.open_texts([str(place)], remember=False)
            self._samples = True  # said as soon as the first one is seen
        else:
            self.preview.clear(t("Open a picture, a folder, a video or a camera, or drop it here."))

    def hidden(self) -> None:
        pass

    def kept(self) -> dict[str, Any]:
        return {
            "controls": self.controls.kept(),
            "run": self.results.run,
            "shown": self._shown,
            "saved": not self._unsaved.cget("text"),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.controls.restore(state["controls"])
        self._finished = not self.session.active
        self.results.follow(state["run"])
        if state["shown"] is not None:
            self._show(state["shown"], state["saved"])

    def busy(self) -> str:
        if not self.session.active:
            return ""
        return t("A run is at work. What was inspected is saved; the rest would be left out.")

    def close(self) -> None:
        if (height := self.middle.winfo_height()) > 1:
            self.app.memory.put("sash", round(int(self.tk.call(self.middle, "sashpos", 0)) / height, 3))
        self.session.keep_thresholds()
        self.results.close()
        self.toolbar.destroy()

    def plugins_changed(self) -> None:
        self.controls.show_model()

    # the source

    def open_texts(self, given: Sequence[str], remember: bool = True, start: bool = False) -> None:
        """Open what a person named or dropped."""
        self.sources.open(given, remember, start)

    def _opened(self, start: bool) -> None:
        """The session has another source."""
        self._start_wanted = False
        self.controls.show_source()
        self.preview.clear("")
        self.banner.idle(t("ready"))
        self.results.follow(None)
        self.defects.show(())
        self.counters.clear()
        self._shown = None
        self._unsaved.configure(text="")
        if start:
            self.start()

    def _hide(self, hidden: set[str]) -> None:
        self.preview.set_hidden(hidden)
        if isinstance(self._shown, Inspection):
            self.defects.show(self._shown.detections, hidden)

    def _picked(self, index: int | None) -> None:
        self.defects.select(index)

    # the run

    def _model_ready(self) -> None:
        if self._start_wanted:
            self._start_wanted = False
            self.start()

    def _failed(self, error: BaseException) -> None:
        self._start_wanted = False
        self.app.show_error(error)

    def start(self) -> None:
        """Inspect everything from the source's beginning, and keep every result."""
        if self.session.active:
            return
        if self.session.loading:
            self._start_wanted = True
            return
        try:
            self.session.start()
        except InputError as error:
            self.app.show_error(error)
            return
        self.app.tasks.run(self.session.keep_thresholds)
        self._finished = self._stopping = False
        self.results.follow(None)
        self.defects.show(())
        self._centred = True  # a new run begins with the whole picture
        self.banner.idle(t("starting…"))

    def pause(self) -> None:
        """Halt before the next picture, or go on."""
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

    def step(self, by: int) -> None:
        """One picture forward or back; in a run that is paused, inspect one more."""
        run = self.session.run
        if run is not None and self.session.active:
            if run.paused and by > 0:
                run.step()
        else:
            self.session.look(self.session.index + by)

    # the poll loop

    def _tick(self) -> None:
        self._ticks += 1
        run = self.session.run
        latest = self.session.take_latest()
        if latest is not None:
            self._show(latest, saved=True)
            frame = self._shown_frame()
            if frame is not None and frame.index < self.session.total:
                self.session.index = frame.index  # from there one goes on by hand
            if self._centred:  # on a defect of an earlier picture
                self._centred = False
                self.preview.fit()
            if self.app.settings.get("ng_sound") and self.banner.status == "NG":
                self.app.root.bell()
        if self._ticks % 5 == 0:
            self._show_state()
        if run is None or self._finished:
            return
        if self.results.run is None and run.history_id is not None:
            self.results.follow(run.history_id)
        if self._ticks % _APPEND == 0:
            self.results.look()
        if run.wait(0) and latest is None:
            self._finished = True
            self._show_state()
            self._ended(run)

    def _ended(self, run: Any) -> None:
        self.results.look()
        self.controls.run_ended()
        if run.problems:
            more = t(" (+{n} more)", n=len(run.problems) - 1) if len(run.problems) > 1 else ""
            self.app.toast(f"{texts.sentence(run.problems[0])}{more}", "warn")
        counts = run.counts
        open_folder = (t("Open folder"), lambda: self.app.open_path(run.output)) if run.output else None
        if run.failure is not None:
            self.app.toast(texts.sentence(str(run.failure)), "bad")
            if not counts.inspected:
                self.banner.idle(t("not inspected"))
        else:
            text = t(
                "Inspected: {inspected}. NG: {ng}, WARN: {warn}, unread: {unread}.",
                inspected=counts.inspected,
                ng=counts.ng,
                warn=counts.warn,
                unread=counts.skipped,
            )
            all_good = counts.ok == counts.inspected and not counts.skipped
            self.app.toast(text, "good" if all_good else "info", open_folder)

    def _show_state(self) -> None:
        run, session = self.session.run, self.session
        active = session.active
        self.toolbar.show(active, bool(run and run.paused), bool(session.sources))
        if run is None or not active:
            state = t("● opening the model…") if session.loading else t("● ready")
            self.position.show(session.index, session.total, movable=True)
        else:
            states = {"starting": t("● starting…"), "running": t("● running")}
            state = t("❚❚ paused") if run.paused else states.get(run.state, t("● finishing…"))
            if self._stopping:
                state = t("● stopping…")
            elif run.state == "running" and self._shown is None and not run.counts.skipped:
                self.banner.idle(t("waiting for the first picture"))
            done = run.counts.inspected + run.counts.skipped
            self.position.show(max(0, done - 1), run.total or 0, movable=False)
        model = session.model.info if session.model else None
        frame = self._shown_frame()
        size = "" if frame is None else f"{frame.width} × {frame.height}"
        facts = [] if model is None else [session.model.name if session.model else "", model.runtime, model.device]
        self.status.show(state, "   ".join(part for part in (*facts, size) if part))
        self._show_progress(active)
        self.controls.classes.set_counts(session.counts if run is not None else {})

    def _show_progress(self, active: bool) -> None:
        run = self.session.run
        if run is None:
            self.status.progress(None, "", False)
            return
        counts = run.counts
        done = counts.inspected + counts.skipped
        words = [f"{done} / {run.total}" if run.total else str(done)]
        if counts.skipped:
            words.append(t("unread {n}", n=counts.skipped))
        if counts.dropped:
            words.append(t("dropped {n}", n=counts.dropped))
        if active and run.remaining is not None:
            words.append(t("{time} left", time=duration(run.remaining)))
        self.status.progress(done / run.total if run.total else None, " · ".join(words), active)
        values = {"inspected": str(counts.inspected), "ng": str(counts.ng), "warn": str(counts.warn)}
        values["unread"] = str(counts.skipped)
        if counts.inspected:
            values["ng"] = f"{counts.ng} · {counts.ng / counts.inspected:.0%}"
        values["rate"] = f"{run.rate:.1f}" if active and run.rate else "—"
        self.counters.set(**values)

    # showing

    def _shown_frame(self) -> Frame | None:
        shown = self._shown
        return shown.frame if isinstance(shown, Inspection) else shown if isinstance(shown, Frame) else None

    def _seen(self, sight: Sight) -> None:
        """What was looked at without a run."""
        self._show(sight.content, saved=False)
        if self._samples and isinstance(sight.content, Inspection):
            self._samples = False
            if Path(sight.content.frame.path or "").is_relative_to(paths.sample_data() or "/"):
                self.app.toast(t("These are sample pictures. Press Start (F5) to inspect them."), "info")
        self.position.show(sight.index, sight.total, movable=True)

    def _show(self, content: Inspection | Frame | Skipped, saved: bool) -> None:
        if isinstance(content, Frame) and content is self._shown_frame():
            return  # it is looked at again, and what was found in it stays until then
        self._shown = content
        hidden = self.controls.classes.hidden
        if isinstance(content, Skipped):
            self.preview.clear(f"{content.name}\n{texts.sentence(content.reason)}")
            self.banner.skipped(texts.sentence(content.reason))
            self.defects.show(())
            if self._operator is not None:
                self._operator.show(content)
            return
        if isinstance(content, Frame):
            self.preview.show(content, position=_position(content.index + 1, self.session.total))
            self.banner.idle()
            self.defects.show(())
            return
        run = self.session.run
        place = (content.number, run.total) if saved and run else (content.frame.index + 1, self.session.total)
        self.preview.show(content, position=_position(*place))
        self.banner.show(content.verdict)
        self.defects.show(content.detections, hidden)
        note = "" if saved else t("A look only: not saved. Start (F5) saves.")
        if self._unsaved.cget("text") != note:
            self._unsaved.configure(text=note)
        if content.timings.total:
            self.counters.set(ms=f"{content.timings.infer:.0f} ms")
        if self._operator is not None:
            self._operator.show(content)

    def _show_kept(self, content: Inspection | Skipped, selected: int | None) -> None:
        """An inspection as it was kept, its defect marked."""
        self._show(content, saved=True)
        self._centred = True
        if isinstance(content, Inspection):
            if content.frame.index < self.session.total:
                self.session.index = content.frame.index
            self.preview.select(selected, centre=True)
            self.defects.select(selected)

    def export(self) -> None:
        """Write the run with any exporter."""
        if self.results.run is None:
            self.app.toast(t("There is no run to export yet; the history exports older ones."), "info")
            return
        self.app.show("history", run=self.results.run, export=True)

    def open_results(self) -> None:
        run = self.session.run
        output = run.output if run is not None else None
        self.app.open_path(output or Path(self.app.settings.get("output_folder") or paths.results_folder()))

    # the operator's view

    def toggle_operator(self) -> None:
        """Banner and picture, large, and nothing to break."""
        if self._operator is not None:
            self._operator.close()
            self._operator = None
            return
        self._operator = OperatorView(self.app, self.start, self.stop, self.toggle_operator)
        if isinstance(self._shown, Inspection | Skipped):
            self._operator.show(self._shown)


def _position(number: int, total: int | None) -> str:
    return f"{number} / {total}" if total else str(number)
