"""What is known of one plugin: its description, why it does not work, and its options as a form."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Any

from inspector.domain import InspectorError
from inspector.registry import PluginRecord, Registry
from inspector.ui import texts, theme
from inspector.ui.form import Form, wrap
from inspector.ui.scrolling import add_bars
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.widgets import ScrollFrame


class PluginDetails(ttk.Frame):
    """Shows one plugin after the other."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self._shell = shell
        self._shown: tuple[PluginRecord | None, object] = (None, None)
        self._scroll = ScrollFrame(self, width=theme.px(320))
        self._scroll.pack(fill="both", expand=True)
        self._content: ttk.Frame | None = None

    def show(self, record: PluginRecord | None) -> None:
        """Show ``record``; None shows nothing."""
        if self._shown == (record, self._shell.catalogue):
            return
        self._shown = (record, self._shell.catalogue)
        if self._content is not None:
            self._content.destroy()
        body = self._scroll.body
        self._content = ttk.Frame(body)
        self._content.pack(fill="both", expand=True, padx=theme.px(16, 8))
        if record is not None:
            self._fill(self._content, record)
        body.tk.call(body.winfo_parent(), "yview", "moveto", 0)

    def _fill(self, body: ttk.Frame, record: PluginRecord) -> None:
        sign, word = state_words(record)
        self._text(body, record.id, "Title.TLabel")
        good = {"✓": "Good.TLabel", "○": "Muted.TLabel"}.get(sign, "Bad.TLabel")
        self._text(body, f"{sign} {word}", good)
        if record.reason:
            self._text(body, texts.sentence(record.reason), "Bad.TLabel" if record.faulty else "Muted.TLabel")
        about = record.description_zh if texts.language() == "zh" else record.description
        if about or record.description:
            self._text(body, about or record.description, "TLabel")
        self._facts(body, record)
        if record.traceback:
            self._head(body, t("For its author"))
            self._traceback(body, record.traceback)
        self._show_options(body, record)

    def _text(self, body: ttk.Frame, text: str, style: str) -> None:
        label = ttk.Label(body, text=text, style=style, justify="left")
        label.pack(fill="x", pady=(0, theme.px(4)))
        wrap(label)

    def _head(self, body: ttk.Frame, text: str) -> None:
        ttk.Label(body, text=text, style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))

    def _facts(self, body: ttk.Frame, record: PluginRecord) -> None:
        facts = {
            t("Version"): record.version,
            t("Kind"): kind_names(record.kinds),
            t("Brings"): ", ".join(texts.read(spec.title) for spec in specs_of(self._shell.catalogue, record)),
            t("Origin"): origin_name(record),
            t("Licence"): record.licence,
            t("Needs"): ", ".join(record.requires),
            t("Lies in"): str(record.path or ""),
            "SHA-256": record.sha256,
        }
        grid = ttk.Frame(body)
        grid.pack(fill="x", pady=(theme.px(4), 0))
        grid.columnconfigure(1, weight=1)
        for row, (title, value) in enumerate((title, value) for title, value in facts.items() if value):
            ttk.Label(grid, text=title, style="Muted.TLabel").grid(row=row, column=0, sticky="nw", padx=theme.px(0, 12))
            if title in ("SHA-256", t("Lies in")):  # long words, to be selected and copied
                field = ttk.Entry(grid, width=12)
                field.insert(0, value)
                field.configure(state="readonly")
                field.grid(row=row, column=1, sticky="ew")
                continue
            label = ttk.Label(grid, text=value, justify="left")
            label.grid(row=row, column=1, sticky="ew")
            wrap(label)

    def _traceback(self, body: ttk.Frame, text: str) -> None:
        room = ttk.Frame(body)
        room.pack(fill="x")
        box = tk.Text(room, height=12, wrap="none", font=theme.font("mono"), relief="flat", borderwidth=0)
        box.insert("1.0", text.rstrip())
        box.configure(state="disabled")

        def paint() -> None:
            tokens = theme.tokens()
            box.configure(background=tokens.card, foreground=tokens.text, highlightthickness=1)
            box.configure(highlightbackground=tokens.line, highlightcolor=tokens.primary)

        theme.on_change(box, paint)
        box.yview("end")
        add_bars(box)

    def _show_options(self, body: ttk.Frame, record: PluginRecord) -> None:
        settings = self._shell.settings
        for spec in specs_of(self._shell.catalogue, record):
            name = spec.id
            options = [each for each in getattr(spec, "options", ()) if f"{name}.{each.key}" in settings.options]
            if not options:
                continue
            self._head(body, t("Options: {name}", name=texts.read(spec.title)))
            values = {option.key: settings.get(f"{name}.{option.key}") for option in options}
            form = Form(body, options, values, self._saver(name), dict.fromkeys(values, choice_names()))
            form.pack(fill="x", pady=(0, theme.px(8)))

    def _saver(self, spec: str) -> Callable[[str, Any], None]:
        def save(key: str, value: Any) -> None:
            try:
                self._shell.settings.set(f"{spec}.{key}", value)
            except InspectorError as error:
                self._shell.toast(texts.sentence(str(error)), "bad")
                return
            self._shell.settings_changed(f"{spec}.{key}")

        return save


def specs_of(catalogue: Registry, record: PluginRecord) -> list[Any]:
    """The specs that the plugin brings and that are in use."""
    kinds: dict[str, Any] = {
        "model": catalogue.models,
        "source": catalogue.sources,
        "exporter": catalogue.exporters,
        "layer": catalogue.layers,
    }
    return [kinds[kind][name] for kind, name in record.specs if name in kinds[kind]]


def state_words(record: PluginRecord) -> tuple[str, str]:
    """A sign and a word for what became of the plugin."""
    if record.state == "active":
        return ("▲", t("in part")) if record.reason else ("✓", t("active"))
    words = {
        "disabled": ("○", t("disabled")),
        "incompatible": ("✕", t("incompatible")),
        "missing": ("✕", t("something missing")),
        "failed": ("✕", t("failed")),
    }
    return words[record.state]


def choice_names() -> dict[str, str]:
    """What the usual words among an option's choices are called."""
    return {
        "auto": t("auto"),
        "all": t("all"),
        "defects": t("defects"),
        "none": t("none"),
        "copy": t("copy"),
    }


def origin_name(record: PluginRecord) -> str:
    names = {"built-in": t("built in"), "installed": t("Python package"), "drop-in": t("installed here")}
    return names[record.origin]


def kind_names(kinds: Sequence[str]) -> str:
    names = {"model": t("model"), "source": t("source"), "exporter": t("export"), "layer": t("layer")}
    return ", ".join(names[kind] for kind in kinds)
