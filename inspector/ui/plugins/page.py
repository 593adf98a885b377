"""Plugin manager: list, state and options of plugins; install, remove, enable and disable them."""

from __future__ import annotations

import bisect
import functools
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from tkinter import font as tkfont
from typing import Any

from inspector import diagnostics, registry
from inspector.registry import Installed, PluginRecord
from inspector.system import paths
from inspector.ui.kit import strings, theme
from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.menu import menu as empty_menu
from inspector.ui.kit.open_externally import open_path
from inspector.ui.kit.page import Page
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.support import copy_report
from inspector.ui.kit.widgets import FlowFrame, Tooltip
from inspector.ui.plugins.details import PluginDetails, kind_names, origin_name, specs_of, state_words
from inspector.ui.plugins.new_plugin_dialog import NewPluginDialog

_HEAVY_KINDS = ("model", "layer")
_TABLE = 0.66  # initial share of the width for the table


class PluginsPage(Page):
    """A table of all plugins, and at its right the one that is selected."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self.shell = shell
        self._records: dict[str, PluginRecord] = {}
        self._brings: dict[str, str] = {}  # full texts of shortened cells
        self._wanted = ""  # id to select once it is loaded
        self._new = ""  # installed just now
        self._working = ""
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._build_tools()
        panes = self._panes = ttk.Panedwindow(self, orient="horizontal")
        panes.grid(row=1, column=0, sticky="nsew", padx=theme.px(8), pady=(0, theme.px(8)))
        panes.add(self._build_table(panes), weight=3)
        self.details = PluginDetails(panes, shell)
        panes.add(self.details, weight=2)
        panes.bind("<Map>", self._divide)
        self.on_plugins_changed()

    def _divide(self, event: tk.Event) -> None:
        """Leave the details enough to be read, however wide the table would like to be."""
        event.widget.unbind("<Map>")
        self.update_idletasks()
        self._panes.sashpos(0, round(self._panes.winfo_width() * _TABLE))  # type: ignore[no-untyped-call]

    def _build_tools(self) -> None:
        row = FlowFrame(self, 6)
        row.grid(row=0, column=0, sticky="ew", padx=theme.px(8), pady=theme.px(8))
        self.install_button = ttk.Menubutton(row, text=tr("Install…") + "  ")  # a gap before the arrow
        menu = empty_menu(self.install_button)
        menu.add_command(label=tr("From a file (.py, .zip, .whl)…"), command=self._choose_file)
        menu.add_command(label=tr("From a folder…"), command=self._choose_folder)
        self.install_button.configure(menu=menu)
        row.add(self.install_button)
        self.new_button = ttk.Button(row, text=tr("New plugin…"), command=self.new)
        row.add(self.new_button)
        self.switch_button = ttk.Button(row, text=tr("Disable"), command=self._switch)
        self.remove_button = ttk.Button(row, text=tr("Remove…"), style="Danger.TButton", command=self._remove)
        self.check_button = ttk.Button(row, text=tr("Check"), command=self._check)
        Tooltip(self.check_button, tr("Reload the selected plugin and report its problems"))
        self._remove_tip = Tooltip(self.remove_button, "")
        for button in (self.switch_button, self.remove_button, self.check_button):
            row.add(button)
        self.copy_button = ttk.Button(row, text=tr("Copy diagnostics"), command=self.copy_diagnostics)
        Tooltip(self.copy_button, tr("Copy machine, plugins, settings and log as text for support; without passwords"))
        folder = ttk.Button(row, text=tr("Open folder"), command=self._open_folder)
        row.add(folder)
        row.add(self.copy_button)
        Tooltip(folder, tr("Folder of installed plugins"))
        self._status = ttk.Label(row, style="Muted.TLabel")
        row.add(self._status)

    def _build_table(self, parent: tk.Misc) -> ttk.Frame:
        frame = ttk.Frame(parent)
        columns = {
            "name": (tr("Plugin"), 130, "w"),
            "brings": (tr("Provides"), 160, "w"),
            "kind": (tr("Kind"), 80, "w"),
            "version": (tr("Version"), 64, "w"),
            "api": (tr("API version"), 40, "center"),
            "origin": (tr("Installed from"), 104, "w"),
            "ms": (tr("Load time"), 88, "e"),
        }
        self.table = ttk.Treeview(frame, columns=tuple(columns), selectmode="browse")
        self.table.heading("#0", text=tr("State"), anchor="w")
        self.table.column("#0", width=theme.px(112), minwidth=theme.px(60), stretch=False)
        for name, (title, width, anchor) in columns.items():
            self.table.heading(name, text=title, anchor=anchor)  # type: ignore[call-overload]
            self.table.column(name, width=theme.px(width), minwidth=theme.px(width), stretch=name == "brings")
            self.table.column(name, anchor=anchor)  # type: ignore[call-overload]
        add_scrollbars(self.table)
        shortening = IdleCall(self.table, self._shorten)
        for event in ("<Configure>", "<ButtonRelease-1>"):  # on resizing of the window or a column
            self.table.bind(event, lambda _: shortening.request(), add=True)
        self.table.bind("<<TreeviewSelect>>", lambda _: self._select())
        self.table.bind("<Delete>", lambda _: self._remove())
        theme.on_theme_change(self.table, self._paint)
        return frame

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.table.tag_configure("bad", foreground=tokens.ng_text)
        self.table.tag_configure("off", foreground=tokens.muted)

    # Methods of Page

    def on_show(self, plugin: str = "", install: Path | None = None) -> None:
        """``plugin``: id to select; ``install``: a file or folder to install, after consent."""
        if plugin:
            self._go_to(plugin)
        if install is not None:
            self.install_from(install)

    def save_state(self) -> dict[str, Any]:
        return {"plugin": self._selected_id()}

    def restore_state(self, state: dict[str, Any]) -> None:
        self._go_to(state.get("plugin", ""))

    def on_plugins_changed(self) -> None:
        """Show the current plugins; keep the selection."""
        wanted = self._wanted or self._selected_id()
        self.table.delete(*self.table.get_children())
        self._records, self._brings = {}, {}
        for place, record in enumerate(self.shell.catalogue.records):
            item = self._add(place, record)
            self._records[item] = record
        self._shorten()
        self._go_to(wanted)
        self._select()
        new = next((record for record in self._records.values() if record.id == self._new), None)
        if new is not None and new.faulty:
            reason = strings.sentence(new.reason)
            self.shell.toast(tr("The plugin {id} does not work: {reason}", id=new.id, reason=reason), "bad")
        self._new = ""

    def _add(self, place: int, record: PluginRecord) -> str:
        sign, word = state_words(record)
        tag = "bad" if record.faulty else "off" if record.state == "disabled" else ""
        titles = [strings.localized(spec.title) for spec in specs_of(self.shell.catalogue, record)]
        self._brings[str(place)] = ", ".join(titles)
        values = (
            record.id,
            self._brings[str(place)],
            kind_names(record.kinds),
            record.version or "–",
            record.api if record.api is not None else "–",
            origin_name(record),
            f"{record.load_ms:.0f} ms",
        )
        return self.table.insert("", "end", iid=str(place), text=f"{sign} {word}", values=values, tags=(tag,))

    def _shorten(self) -> None:
        """Shorten cells with an ellipsis to the width of their column."""
        if not self.winfo_exists():
            return
        measure = tkfont.nametofont(theme.font("body"), self).measure
        room = int(self.table.column("brings", "width")) - theme.px(12) - 4
        for item, text in self._brings.items():
            self.table.set(item, "brings", shortened(text, room, measure))

    # The selection

    def _selected(self) -> PluginRecord | None:
        chosen = self.table.selection()
        return self._records.get(chosen[0]) if chosen else None

    def _selected_id(self) -> str:
        record = self._selected()
        return record.id if record else ""

    def _go_to(self, plugin: str) -> None:
        items = [item for item, record in self._records.items() if record.id == plugin]
        item = items[0] if items else next(iter(self._records), None)
        if items:
            self._wanted = ""
        if item is not None:
            self.table.selection_set(item)
            self.table.focus(item)
            self.table.see(item)

    def _select(self) -> None:
        record = self._selected()
        self.details.show(record)
        self._show_buttons(record)

    def _show_buttons(self, record: PluginRecord | None) -> None:
        free = record is not None and not self._working
        off = record is not None and record.state == "disabled"
        self.switch_button.configure(text=tr("Enable") if off else tr("Disable"))
        enabled = {
            self.switch_button: free,
            self.check_button: free,
            self.remove_button: free and record is not None and record.origin == "drop-in",
            self.install_button: not self._working,
            self.copy_button: not self._working,
        }
        for button, can in enabled.items():
            button.state(["!disabled" if can else "disabled"])
        why = {
            "built-in": tr("Part of the program: can be disabled, not removed"),
            "installed": tr("Remove it with pip"),
        }
        self._remove_tip.text = why.get(record.origin, "") if record else ""

    # Background work

    def _work(self, saying: str, function: Callable[..., Any], *args: Any, done: Callable[[Any], None]) -> None:
        """Run one task at a time, shown next to the buttons while it runs."""
        if self._working:
            return
        self._working = saying
        self._status.configure(text=saying)
        self._show_buttons(self._selected())

        def end() -> bool:
            self._working = ""
            if not self.winfo_exists():
                return False
            self._status.configure(text="")
            self._show_buttons(self._selected())
            return True

        def succeeded(result: Any) -> None:
            if end():
                done(result)

        def failed(error: BaseException) -> None:
            end()
            self.shell.toast(strings.sentence(str(error)), "bad")

        self.shell.tasks.run(function, *args, done=succeeded, failed=failed)

    # Switching

    def _switch(self) -> None:
        record = self._selected()
        if record is None:
            return
        on = record.state == "disabled"
        function = registry.enable if on else registry.disable
        self._work(tr("Switching…"), function, record.id, done=lambda _: self._switched(record, on))

    def _switched(self, record: PluginRecord, on: bool) -> None:
        self._wanted = record.id
        message = tr("{id} is enabled.", id=record.id) if on else tr("{id} is disabled.", id=record.id)
        self.shell.toast(f"{message}{self._remark(record.kinds)}", "good")
        self.shell.reload_plugins()

    def _remark(self, kinds: tuple[str, ...]) -> str:
        if not any(kind in _HEAVY_KINDS for kind in kinds):
            return ""
        return " " + tr("A model that is already open does not change until the program is restarted.")

    # Installing

    def _choose_file(self) -> None:
        kinds = [(tr("Plugins"), "*.py *.zip *.whl"), (tr("All files"), "*")]
        chosen = filedialog.askopenfilename(parent=self, title=tr("Install a plugin"), filetypes=kinds)
        if chosen:
            self.install_from(Path(chosen))

    def _choose_folder(self) -> None:
        chosen = filedialog.askdirectory(parent=self, title=tr("Install a plugin"), mustexist=True)
        if chosen:
            self.install_from(Path(chosen))

    def new(self) -> None:
        """Write a plugin to start from, and open its folder."""
        NewPluginDialog(self.shell, self._wrote)

    def _wrote(self, place: Path) -> None:
        action = (tr("Install"), lambda: self.install_from(place))
        self.shell.toast(tr("Plugin created: {file}", file=place), "good", action)
        self.shell.tasks.run(open_path, place if place.is_dir() else place.parent)

    def install_from(self, source: Path) -> None:
        """Read a plugin's manifest, ask for consent, and install it."""
        self._work(
            tr("Reading {name}…", name=source.name),
            registry.look,
            source,
            done=lambda installed: self._agree(source, installed),
        )

    def _agree(self, source: Path, seen: Installed) -> None:
        buttons = [("install", tr("Install"), True), ("leave", tr("Do not install"), False)]
        if self.shell.ask(tr("Install this plugin?"), consent(source, seen), buttons, "leave") == "install":
            self._work(tr("Installing…"), registry.install, source, seen.sha256, done=self._installed)

    def _installed(self, installed: Installed) -> None:
        name = f"{installed.manifest.id} {installed.manifest.version}".rstrip()
        if installed.replaced is None:
            message = tr("{name} is installed.", name=name)
        else:
            message = tr("{name} is installed and replaces {old}.", name=name, old=installed.replaced or "?")
        self._wanted = self._new = installed.manifest.id
        self.shell.toast(f"{message}{self._remark(installed.manifest.kinds)}", "good")
        self.shell.reload_plugins()

    # Removing

    def _remove(self) -> None:
        record = self._selected()
        if record is None or record.origin != "drop-in" or self._working:
            return
        place = place_of(record)
        name = record.id if place is None else place.name
        text = tr(
            "{id} is deleted from {folder}. Files it has saved are kept.", id=record.id, folder=paths.plugins_folder()
        )
        buttons = [("remove", tr("Remove"), True), ("keep", tr("Keep"), False)]
        if self.shell.ask(tr("Remove this plugin?"), text, buttons, "keep") == "remove":
            self._work(tr("Removing…"), registry.remove, name, done=lambda _: self._removed(record))

    def _removed(self, record: PluginRecord) -> None:
        self.shell.toast(tr("{id} is removed.", id=record.id) + self._remark(record.kinds), "good")
        self.shell.reload_plugins()

    # Checking, folders, diagnostics

    def _check(self) -> None:
        record = self._selected()
        if record is None:
            return
        place = place_of(record) if record.origin == "drop-in" else None
        checked = functools.partial(self._checked, record)
        self._work(tr("Checking {id}…", id=record.id), registry.check, place, done=checked)

    def _checked(self, record: PluginRecord, records: tuple[PluginRecord, ...]) -> None:
        fresh = next((each for each in records if each.id == record.id), None)
        if fresh is None:
            self.shell.toast(tr("{id} was not found.", id=record.id), "bad")
        elif fresh.faulty:
            self.shell.toast(f"{record.id}: {strings.sentence(fresh.reason)}", "bad")
            self.details.show(fresh)
        else:
            ms = f"{fresh.load_ms:.0f}"
            self.shell.toast(tr("{id} loads and works ({ms} ms).", id=record.id, ms=ms), "good")

    def _open_folder(self) -> None:
        record = self._selected()
        place = place_of(record) if record is not None and record.origin == "drop-in" else None
        folder = place if place is not None and place.is_dir() else paths.plugins_folder()
        self.shell.tasks.run(open_path, folder)

    def copy_diagnostics(self) -> None:
        """Copy the diagnostics report to the clipboard."""
        records, settings = self.shell.catalogue.records, dict(self.shell.settings.overrides)

        self._work(
            tr("Collecting diagnostics…"),
            diagnostics.gather,
            records,
            settings,
            done=lambda report: copy_report(self.shell, report),
        )


def shortened(text: str, room: int, measure: Callable[[str], int]) -> str:
    """Return as much of ``text`` as fits ``room``, with an ellipsis if shortened."""
    if measure(text) <= room:
        return text
    length = bisect.bisect_right(range(len(text)), room, key=lambda end: measure(f"{text[:end]}…")) - 1
    return f"{text[: max(0, length)]}…"


def place_of(record: PluginRecord) -> Path | None:
    """Return the plugin's file or folder in the plugins folder; None if it is elsewhere."""
    folder = paths.plugins_folder()
    if record.path is None or folder not in record.path.parents:
        return None
    return folder / record.path.relative_to(folder).parts[0]


def consent(source: Path, seen: Installed) -> str:
    """Return what the user should know before a plugin is installed."""
    manifest = seen.manifest
    about = manifest.description_zh if strings.language() == "zh" else manifest.description
    lines = [
        tr("Name: {value}", value=f"{manifest.id} {manifest.version}".rstrip()),
        tr("From: {value}", value=source),
        tr("Provides: {value}", value=kind_names(manifest.kinds) or "–"),
        *([about or manifest.description] if about or manifest.description else []),
        *([tr("Licence: {value}", value=manifest.licence)] if manifest.licence else []),
        *([tr("Requires: {value}", value=", ".join(manifest.requires))] if manifest.requires else []),
        f"SHA-256: {seen.sha256}",
    ]
    if seen.replaced is not None:
        lines.append(tr("It replaces the installed version {old}.", old=seen.replaced or "?"))
    warning = tr("A plugin runs with all your permissions; there is no sandbox. Install only plugins that you trust.")
    return "\n".join([*lines, "", warning])
