"""The settings, made of the declared options; each acts at once where it can."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Mapping, Sequence
from pathlib import Path
from tkinter import ttk
from typing import Any

from inspector.domain import InspectorError
from inspector.history import History, Query
from inspector.jobs.build import WAIT, chosen_exporters
from inspector.system import paths
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import Form, align, wrap
from inspector.ui.kit.open_externally import open_path
from inspector.ui.kit.page import Page
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame

_TWO_COLUMNS = 860
_CAMERA = "camera"
_NO_EXPORTER = "none"
_ORIGINALS = "originals"  # written by keep_camera_pictures


class SettingsPage(Page):
    """Groups of settings in one column or two, as wide as the window is."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self.shell = shell
        self._history_size = tk.StringVar(self)
        self._scroll = ScrollFrame(self, width=theme.px(320))
        self._scroll.pack(fill="both", expand=True)
        self._groups: list[ttk.Frame] = []
        self._columns = [ttk.Frame(self._scroll.body) for _ in range(2)]
        self._arranged = 0
        self.forms: dict[str, Form] = {}
        self._holders: dict[str, Form] = {}  # by setting
        self._build()
        self._scroll.body.bind("<Configure>", lambda event: self._arrange(event.width), add=True)

    # Methods of Page

    def on_show(self) -> None:
        for key, form in self._holders.items():  # settings are changed elsewhere, too
            form.set(key.rpartition(".")[2], self.shell.settings.get(key))
        self.shell.tasks.run(history_size, done=self._show_history_size, failed=self._history_failed)

    def on_plugins_changed(self) -> None:
        """Rebuild the page: plugins provide exporters and camera options."""
        for group in self._groups:
            group.destroy()
        self._groups, self.forms, self._holders, self._arranged = [], {}, {}, 0
        self._build()
        self._arrange(self._scroll.body.winfo_width())

    # Building

    def _build(self) -> None:
        names = {
            "language": {"auto": tr("System default"), "en": "English", "zh": "中文"},
            "theme": {"auto": tr("System default"), "light": tr("light"), "dark": tr("dark")},
            "ok_colour": {"teal": tr("teal"), "blue": tr("blue")},
        }
        self._form(tr("Language and appearance"), ("language", "theme", "text_size", "ok_colour"), names)
        self._form(tr("Inspecting"), ("confidence", "iou", "device", "ng_sound", "alarm_sound", "quiet_after"))
        self._note(
            tr(
                "Confidence, IoU and device apply from the next start of the program; while inspecting, "
                "adjust them next to the image."
            )
        )
        self._form(tr("At the start"), ("start_operator", "start_inspecting"))
        self._form(tr("Saving"), ("output_folder", "keep_camera_pictures", "originals_days", "originals_gb"))
        self._note(tr("Every result is saved in the history immediately. A run also writes:"))
        self._exporters()
        self._form(tr("History"), ("history_days", "shifts"))
        ttk.Label(self._groups[-1], textvariable=self._history_size, style="Muted.TLabel").pack(
            anchor="w", pady=theme.px(4)
        )
        self._note(tr("Older entries are deleted when the next run starts."))
        camera = self.shell.catalogue.sources.get(_CAMERA)
        keys = [f"{_CAMERA}.{option.key}" for option in camera.options if option.key != WAIT] if camera else []
        if keys:
            self._form(tr("Cameras"), keys)
            self._note(tr("Applied the next time a camera is opened."))
        align(self.forms.values())
        self._folders()

    def _group(self, title: str) -> ttk.Frame:
        group = ttk.Frame(self._scroll.body)
        ttk.Label(group, text=title, style="Head.TLabel").pack(anchor="w")
        ttk.Frame(group, style="Line.TFrame", height=1).pack(fill="x", pady=theme.px(4, 10))
        self._groups.append(group)
        return group

    def _form(self, title: str, keys: Sequence[str], names: Mapping[str, Mapping[Any, str]] | None = None) -> None:
        """A group with the settings ``keys``; those of a plugin all begin with the id of its spec."""
        group, settings = self._group(title), self.shell.settings
        keys = [key for key in keys if key in settings.options]
        prefix = keys[0].rpartition(".")[0] if keys else ""
        begin = f"{prefix}." if prefix else ""
        options = [settings.options[key] for key in keys]
        values = {option.key: settings.get(f"{begin}{option.key}") for option in options}
        form = Form(group, options, values, lambda key, value: self.save(f"{begin}{key}", value), names)
        form.pack(fill="x")
        self.forms[title] = form
        self._holders |= dict.fromkeys(keys, form)

    def _note(self, text: str) -> None:
        label = ttk.Label(self._groups[-1], text=text, style="Caption.TLabel", justify="left")
        label.pack(fill="x", pady=theme.px(8, 2))
        wrap(label, still=True)

    def _exporters(self) -> None:
        """A tick for each exporter; what is ticked is written by every run."""
        group = self._groups[-1]
        known = {name: spec for name, spec in self.shell.catalogue.exporters.items() if name != _ORIGINALS}
        chosen = chosen_exporters(self.shell.settings.get("exporters"), known)
        self._ticks = {name: tk.BooleanVar(self, name in chosen) for name in known}
        grid = ttk.Frame(group)
        grid.pack(fill="x")
        for place, (name, spec) in enumerate(known.items()):
            title = strings.localized(spec.title)
            tick = ttk.Checkbutton(grid, text=title, variable=self._ticks[name], command=self._save_exporters)
            tick.grid(row=place // 2, column=place % 2, sticky="w", pady=theme.px(3), padx=theme.px(0, 16))
        self._usual = ttk.Button(
            group, text=tr("Restore defaults"), style="Link.TButton", command=self._reset_exporters
        )
        self._usual.pack(anchor="w")

    def _save_exporters(self) -> None:
        chosen = [name for name, tick in self._ticks.items() if tick.get()]
        usual = [name for name in self._ticks if self.shell.catalogue.exporters[name].default]
        self.save("exporters", "" if chosen == usual else ",".join(chosen) or _NO_EXPORTER)

    def _reset_exporters(self) -> None:
        for name, tick in self._ticks.items():
            tick.set(self.shell.catalogue.exporters[name].default)
        self._save_exporters()

    def _folders(self) -> None:
        group = self._group(tr("Folders"))
        folders = {
            tr("Results"): lambda: Path(self.shell.settings.get("output_folder") or paths.results_folder()),
            tr("Plugins"): paths.plugins_folder,
            tr("Log"): paths.logs_folder,
            tr("Program data"): paths.data_folder,
        }
        for title, find in folders.items():
            row = ttk.Frame(group)
            row.pack(fill="x", pady=theme.px(2))
            ttk.Button(row, text=tr("Open"), command=lambda find=find: self._open(find())).pack(side="right")  # type: ignore[misc]
            label = ttk.Label(row, text=f"{title}\n{find()}", justify="left")
            label.pack(side="left", fill="x", expand=True)
            wrap(label, still=True)

    def _open(self, folder: Path) -> None:
        if folder == paths.results_folder():
            folder.mkdir(parents=True, exist_ok=True)
        self.shell.tasks.run(open_path, folder)

    def _arrange(self, width: int) -> None:
        """Arrange the groups in one column, or two of similar height."""
        columns = 2 if width >= theme.px(_TWO_COLUMNS) else 1
        if columns == self._arranged:
            return
        self._arranged = columns
        body = self._scroll.body
        body.columnconfigure(0, weight=1, uniform="settings")
        body.columnconfigure(1, weight=columns - 1, uniform="settings" if columns == 2 else "")
        for place, column in enumerate(self._columns):
            column.grid(row=0, column=place, sticky="new", padx=theme.px(16) if place < columns else 0)
        half = sum(group.winfo_reqheight() for group in self._groups) / columns
        filled = 0
        for group in self._groups:
            right = columns == 2 and filled + group.winfo_reqheight() / 2 > half
            group.pack_forget()
            group.pack(in_=self._columns[1 if right else 0], fill="x", pady=theme.px(10, 8))
            group.lift()
            filled += group.winfo_reqheight()

    # Saving

    def save(self, key: str, value: Any) -> None:
        """Keep a setting and let it act; called by the forms."""
        try:
            self.shell.settings.set(key, value)
        except InspectorError as error:
            self.shell.toast(strings.sentence(str(error)), "bad")
            return
        self.shell.settings_changed(key)

    # The history's size

    def _show_history_size(self, size: tuple[int, int]) -> None:
        count, held = size
        if self.winfo_exists():
            text = tr("The history holds {n} inspections in {size} MB.", n=f"{count:,}", size=f"{held / 1e6:,.1f}")
            self._history_size.set(text)

    def _history_failed(self, error: BaseException) -> None:
        if self.winfo_exists():
            self._history_size.set(f"✕ {strings.sentence(str(error))}")


def history_size() -> tuple[int, int]:
    """Number of inspections in the history, and bytes on the disk."""
    with History.open() as history:
        count = history.count(Query())
    file = paths.history_file()
    return count, sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*") if part.is_file())
