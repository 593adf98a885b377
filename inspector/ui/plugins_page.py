"""The plugin manager: what is there, what works, what each can be told; installing, removing, switching on and off."""

from __future__ import annotations

import bisect
import functools
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from tkinter import font as tkfont
from typing import Any

from inspector import diagnostics, paths, registry
from inspector.registry import Installed, PluginRecord
from inspector.ui import texts, theme
from inspector.ui.menus import menu as empty_menu
from inspector.ui.opening import open_path
from inspector.ui.plugin_details import PluginDetails, kind_names, origin_name, specs_of, state_words
from inspector.ui.scrolling import add_bars
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.widgets import Tooltip

_HEAVY_KINDS = ("model", "layer")
_TABLE = 0.66  # of the width that the table takes at first


class PluginsPage(ttk.Frame):
    """A table of all plugins, and at its right the one that is selected."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self.shell = shell
        self._records: dict[str, PluginRecord] = {}
        self._brings: dict[str, str] = {}  # what stands in the table, in full
        self._wanted = ""  # id to be selected once it is there
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
        self.plugins_changed()

    def _divide(self, event: tk.Event) -> None:
        """Leave the details enough to be read, however wide the table would like to be."""
        event.widget.unbind("<Map>")
        self.update_idletasks()
        self._panes.sashpos(0, round(self._panes.winfo_width() * _TABLE))  # type: ignore[no-untyped-call]

    def _build_tools(self) -> None:
        row = ttk.Frame(self)
        row.grid(row=0, column=0, sticky="ew", padx=theme.px(8), pady=theme.px(8))
        gap = theme.px(6)
        self.install_button = ttk.Menubutton(row, text=t("Install…") + "  ")  # a gap before the arrow
        menu = empty_menu(self.install_button)
        menu.add_command(label=t("From a file (.py, .zip, .whl)…"), command=self._choose_file)
        menu.add_command(label=t("From a folder…"), command=self._choose_folder)
        self.install_button.configure(menu=menu)
        self.install_button.pack(side="left")
        self.switch_button = ttk.Button(row, text=t("Disable"), command=self._switch)
        self.remove_button = ttk.Button(row, text=t("Remove…"), style="Danger.TButton", command=self._remove)
        self.check_button = ttk.Button(row, text=t("Check"), command=self._check)
        Tooltip(self.check_button, t("Load the selected plugin once more and say what is wrong with it"))
        self._remove_tip = Tooltip(self.remove_button, "")
        for button in (self.switch_button, self.remove_button, self.check_button):
            button.pack(side="left", padx=(gap, 0))
        self.copy_button = ttk.Button(row, text=t("Copy diagnostics"), command=self.copy_diagnostics)
        self.copy_button.pack(side="right")
        Tooltip(self.copy_button, t("Machine, plugins, settings and log as text, for whoever helps; without passwords"))
        folder = ttk.Button(row, text=t("Open folder"), command=self._open_folder)
        folder.pack(side="right", padx=(0, gap))
        Tooltip(folder, t("The folder in which installed plugins lie"))
        self._said = ttk.Label(row, style="Muted.TLabel")
        self._said.pack(side="left", padx=(theme.px(12), 0))

    def _build_table(self, parent: tk.Misc) -> ttk.Frame:
        frame = ttk.Frame(parent)
        columns = {
            "name": (t("Plugin"), 130, "w"),
            "brings": (t("Brings"), 160, "w"),
            "kind": (t("Kind"), 80, "w"),
            "version": (t("Version"), 64, "w"),
            "api": (t("API"), 40, "center"),
            "origin": (t("Origin"), 104, "w"),
            "ms": (t("Load time"), 88, "e"),
        }
        self.table = ttk.Treeview(frame, columns=tuple(columns), selectmode="browse")
        self.table.heading("#0", text=t("State"), anchor="w")
        self.table.column("#0", width=theme.px(112), minwidth=theme.px(60), stretch=False)
        for name, (title, width, anchor) in columns.items():
            self.table.heading(name, text=title, anchor=anchor)  # type: ignore[call-overload]
            self.table.column(name, width=theme.px(width), minwidth=theme.px(width), stretch=name == "brings")
            self.table.column(name, anchor=anchor)  # type: ignore[call-overload]
        add_bars(self.table)
        for event in ("<Configure>", "<ButtonRelease-1>"):  # as wide as the window, or as a column was drawn
            self.table.bind(event, lambda _: self.after_idle(self._shorten), add=True)
        self.table.bind("<<TreeviewSelect>>", lambda _: self._select())
        self.table.bind("<Delete>", lambda _: self._remove())
        theme.on_change(self.table, self._paint)
        return frame

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.table.tag_configure("bad", foreground=tokens.ng_text)
        self.table.tag_configure("off", foreground=tokens.muted)

    # What the shell calls

    def shown(self, plugin: str = "", install: Path | None = None) -> None:
        """``plugin``: id to select; ``install``: a file or folder to install, after consent."""
        if plugin:
            self._go_to(plugin)
        if install is not None:
            self.install_from(install)

    def hidden(self) -> None: ...

    def kept(self) -> dict[str, Any]:
        return {"plugin": self._selected_id()}

    def restore(self, state: dict[str, Any]) -> None:
        self._go_to(state.get("plugin", ""))

    def busy(self) -> str:
        return ""

    def close(self) -> None: ...

    def plugins_changed(self) -> None:
        """Show the catalogue as it is now; the selection stays."""
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
            reason = texts.sentence(new.reason)
            self.shell.toast(t("The plugin {id} does not work: {reason}", id=new.id, reason=reason), "bad")
        self._new = ""

    def _add(self, place: int, record: PluginRecord) -> str:
        sign, word = state_words(record)
        tag = "bad" if record.faulty else "off" if record.state == "disabled" else ""
        titles = [texts.read(spec.title) for spec in specs_of(self.shell.catalogue, record)]
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
        """Say by an ellipsis that a plugin brings more than its cell has room for."""
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
        self.switch_button.configure(text=t("Enable") if off else t("Disable"))
        enabled = {
            self.switch_button: free,
            self.check_button: free,
            self.remove_button: free and record is not None and record.origin == "drop-in",
            self.install_button: not self._working,
            self.copy_button: not self._working,
        }
        for button, can in enabled.items():
            button.state(["!disabled" if can else "disabled"])
        why = {"built-in": t("It is part of the program; it can be disabled"), "installed": t("Remove it with pip")}
        self._remove_tip.text = why.get(record.origin, "") if record else ""

    # Work beside the Tk thread

    def _work(self, saying: str, function: Callable[..., Any], *given: Any, done: Callable[[Any], None]) -> None:
        """One thing at a time, said beside the buttons while it lasts."""
        if self._working:
            return
        self._working = saying
        self._said.configure(text=saying)
        self._show_buttons(self._selected())

        def end() -> bool:
            self._working = ""
            if not self.winfo_exists():
                return False
            self._said.configure(text="")
            self._show_buttons(self._selected())
            return True

        def succeeded(result: Any) -> None:
            if end():
                done(result)

        def failed(error: BaseException) -> None:
            end()
            self.shell.toast(texts.sentence(str(error)), "bad")

        self.shell.tasks.run(function, *given, done=succeeded, failed=failed)

    # Switching

    def _switch(self) -> None:
        record = self._selected()
        if record is None:
            return
        on = record.state == "disabled"
        function = registry.enable if on else registry.disable
        self._work(t("Switching…"), function, record.id, done=lambda _: self._switched(record, on))

    def _switched(self, record: PluginRecord, on: bool) -> None:
        self._wanted = record.id
        said = t("{id} is on.", id=record.id) if on else t("{id} is off.", id=record.id)
        self.shell.toast(f"{said}{self._remark(record.kinds)}", "good")
        self.shell.reload_plugins()

    def _remark(self, kinds: tuple[str, ...]) -> str:
        if not any(kind in _HEAVY_KINDS for kind in kinds):
            return ""
        return " " + t("A model that is open stays as it is until the program is started again.")

    # Installing

    def _choose_file(self) -> None:
        kinds = [(t("Plugins"), "*.py *.zip *.whl"), (t("All files"), "*")]
        chosen = filedialog.askopenfilename(parent=self, title=t("Install a plugin"), filetypes=kinds)
        if chosen:
            self.install_from(Path(chosen))

    def _choose_folder(self) -> None:
        chosen = filedialog.askdirectory(parent=self, title=t("Install a plugin"), mustexist=True)
        if chosen:
            self.install_from(Path(chosen))

    def install_from(self, given: Path) -> None:
        """Look at a plugin, ask for consent, and install it."""
        self._work(
            t("Looking at {name}…", name=given.name), registry.look, given, done=lambda it: self._agree(given, it)
        )

    def _agree(self, given: Path, seen: Installed) -> None:
        buttons = [("install", t("Install"), True), ("leave", t("Do not install"), False)]
        if self.shell.ask(t("Install this plugin?"), consent(given, seen), buttons, "leave") == "install":
            self._work(t("Installing…"), registry.install, given, seen.sha256, done=self._installed)

    def _installed(self, it: Installed) -> None:
        name = f"{it.manifest.id} {it.manifest.version}".rstrip()
        if it.replaced is None:
            said = t("{name} is installed.", name=name)
        else:
            said = t("{name} is installed in place of {old}.", name=name, old=it.replaced or "?")
        self._wanted = self._new = it.manifest.id
        self.shell.toast(f"{said}{self._remark(it.manifest.kinds)}", "good")
        self.shell.reload_plugins()

    # Removing

    def _remove(self) -> None:
        record = self._selected()
        if record is None or record.origin != "drop-in" or self._working:
            return
        place = place_of(record)
        name = record.id if place is None else place.name
        text = t("{id} is deleted from {folder}. What it has saved stays.", id=record.id, folder=paths.plugins_folder())
        buttons = [("remove", t("Remove"), True), ("keep", t("Keep"), False)]
        if self.shell.ask(t("Remove this plugin?"), text, buttons, "keep") == "remove":
            self._work(t("Removing…"), registry.remove, name, done=lambda _: self._removed(record))

    def _removed(self, record: PluginRecord) -> None:
        self.shell.toast(t("{id} is removed.", id=record.id) + self._remark(record.kinds), "good")
        self.shell.reload_plugins()

    # Checking, folders, diagnostics

    def _check(self) -> None:
        record = self._selected()
        if record is None:
            return
        place = place_of(record) if record.origin == "drop-in" else None
        checked = functools.partial(self._checked, record)
        self._work(t("Checking {id}…", id=record.id), registry.check, place, done=checked)

    def _checked(self, record: PluginRecord, found: tuple[PluginRecord, ...]) -> None:
        fresh = next((each for each in found if each.id == record.id), None)
        if fresh is None:
            self.shell.toast(t("{id} was not found.", id=record.id), "bad")
        elif fresh.faulty:
            self.shell.toast(f"{record.id}: {texts.sentence(fresh.reason)}", "bad")
            self.details.show(fresh)
        else:
            ms = f"{fresh.load_ms:.0f}"
            self.shell.toast(t("{id} can be loaded and works ({ms} ms).", id=record.id, ms=ms), "good")

    def _open_folder(self) -> None:
        record = self._selected()
        place = place_of(record) if record is not None and record.origin == "drop-in" else None
        folder = place if place is not None and place.is_dir() else paths.plugins_folder()
        self.shell.tasks.run(open_path, folder)

    def copy_diagnostics(self) -> None:
        """Put the report of everything on the clipboard."""
        records, settings = self.shell.catalogue.records, dict(self.shell.settings.overrides)

        def copy(text: str) -> None:
            self.clipboard_clear()
            self.clipboard_append(text)
            lines = len(text.splitlines())
            self.shell.toast(t("Copied: {n} lines. Paste them into a message to whoever helps.", n=lines), "good")

        self._work(t("Examining the machine…"), diagnostics.gather, records, settings, done=copy)


def shortened(text: str, room: int, measure: Callable[[str], int]) -> str:
    """As much of ``text`` as ``measure`` finds room for, with an ellipsis where that is not all."""
    if measure(text) <= room:
        return text
    length = bisect.bisect_right(range(len(text)), room, key=lambda end: measure(f"{text[:end]}…")) - 1
    return f"{text[: max(0, length)]}…"


def place_of(record: PluginRecord) -> Path | None:
    """What of the plugins folder is this plugin: a file or a folder; None where it lies elsewhere."""
    folder = paths.plugins_folder()
    if record.path is None or folder not in record.path.parents:
        return None
    return folder / record.path.relative_to(folder).parts[0]


def consent(given: Path, seen: Installed) -> str:
    """What a person should know before a plugin is installed."""
    manifest = seen.manifest
    about = manifest.description_zh if texts.language() == "zh" else manifest.description
    lines = [
        t("Name: {value}", value=f"{manifest.id} {manifest.version}".rstrip()),
        t("From: {value}", value=given),
        t("Brings: {value}", value=kind_names(manifest.kinds) or "–"),
        *([about or manifest.description] if about or manifest.description else []),
        *([t("Licence: {value}", value=manifest.licence)] if manifest.licence else []),
        *([t("Needs: {value}", value=", ".join(manifest.requires))] if manifest.requires else []),
        f"SHA-256: {seen.sha256}",
    ]
    if seen.replaced is not None:
        lines.append(t("It replaces the version {old} that is installed now.", old=seen.replaced or "?"))
    warning = t("A plugin runs with all your rights; there is no sandbox. Install only what you trust.")
    return "\n".join([*lines, "", warning])
