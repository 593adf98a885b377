"""Details of a plugin: description, problems, and a form for its options."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import Any

from inspector.api import ExporterSpec, LayerSpec, ModelSpec, SourceSpec
from inspector.domain import InspectorError
from inspector.registry import PluginRecord, Registry
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import Form, wrap
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame

Spec = ModelSpec | SourceSpec | ExporterSpec | LayerSpec


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
            self._text(body, strings.sentence(record.reason), "Bad.TLabel" if record.faulty else "Muted.TLabel")
        about = record.description_zh if strings.language() == "zh" else record.description
        if about or record.description:
            self._text(body, about or record.description, "TLabel")
        self._facts(body, record)
        if record.traceback:
            self._head(body, tr("Traceback"))
            self._traceback(body, record.traceback)
        self._show_options(body, record)

    def _text(self, body: ttk.Frame, text: str, style: str) -> None:
        label = ttk.Label(body, text=text, style=style, justify="left")
        label.pack(fill="x", pady=(0, theme.px(4)))
        wrap(label, still=True)

    def _head(self, body: ttk.Frame, text: str) -> None:
        ttk.Label(body, text=text, style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))

    def _facts(self, body: ttk.Frame, record: PluginRecord) -> None:
        facts = {
            tr("Version"): record.version,
            tr("Kind"): kind_names(record.kinds),
            tr("Provides"): ", ".join(
                strings.localized(spec.title) for spec in specs_of(self._shell.catalogue, record)
            ),
            tr("Installed from"): origin_name(record),
            tr("Licence"): record.licence,
            tr("Requires"): ", ".join(record.requires),
            tr("Location"): str(record.path or ""),
            "SHA-256": record.sha256,
        }
        grid = ttk.Frame(body)
        grid.pack(fill="x", pady=(theme.px(4), 0))
        narrow = theme.narrow(body)  # values are placed below their titles there
        grid.columnconfigure(0 if narrow else 1, weight=1)
        for place, (title, value) in enumerate((title, value) for title, value in facts.items() if value):
            ttk.Label(grid, text=title, style="Muted.TLabel").grid(
                row=2 * place, column=0, sticky="nw", padx=theme.px(0, 12)
            )
            row, column = (2 * place + 1, 0) if narrow else (2 * place, 1)
            if title in ("SHA-256", tr("Location")):  # long words, to be selected and copied
                field = ttk.Entry(grid, width=12)
                field.insert(0, value)
                field.configure(state="readonly")
                field.grid(row=row, column=column, sticky="ew")
                continue
            label = ttk.Label(grid, text=value, justify="left")
            label.grid(row=row, column=column, sticky="ew")
            wrap(label, still=True)

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

        theme.on_theme_change(box, paint)
        box.yview("end")
        add_scrollbars(box)

    def _show_options(self, body: ttk.Frame, record: PluginRecord) -> None:
        settings = self._shell.settings
        for spec in specs_of(self._shell.catalogue, record):
            name = spec.id
            if isinstance(spec, LayerSpec):
                continue
            options = [option for option in spec.options if f"{name}.{option.key}" in settings.options]
            if not options:
                continue
            self._head(body, tr("Options: {name}", name=strings.localized(spec.title)))
            values = {option.key: settings.get(f"{name}.{option.key}") for option in options}
            form = Form(body, options, values, self._saver(name), dict.fromkeys(values, choice_names()))
            form.pack(fill="x", pady=(0, theme.px(8)))

    def _saver(self, spec: str) -> Callable[[str, Any], None]:
        def save(key: str, value: Any) -> None:
            try:
                self._shell.settings.set(f"{spec}.{key}", value)
            except InspectorError as error:
                self._shell.toast(strings.sentence(str(error)), "bad")
                return
            self._shell.settings_changed(f"{spec}.{key}")

        return save


def specs_of(catalogue: Registry, record: PluginRecord) -> list[Spec]:
    """Specs of the plugin that are in use."""
    kinds: dict[str, Mapping[str, Spec]] = {
        "model": catalogue.models,
        "source": catalogue.sources,
        "exporter": catalogue.exporters,
        "layer": catalogue.layers,
    }
    return [kinds[kind][name] for kind, name in record.specs if name in kinds[kind]]


def state_words(record: PluginRecord) -> tuple[str, str]:
    """Return sign and word of the plugin's state."""
    if record.state == "active":
        return ("▲", tr("partially active")) if record.reason else ("✓", tr("active"))
    words = {
        "disabled": ("○", tr("disabled")),
        "incompatible": ("✕", tr("incompatible")),
        "missing": ("✕", tr("missing dependency")),
        "failed": ("✕", tr("failed")),
    }
    return words[record.state]


def choice_names() -> dict[str, str]:
    """Return display names of common choices."""
    return {
        "auto": tr("auto"),
        "all": tr("all"),
        "defects": tr("defects"),
        "none": tr("none"),
        "copy": tr("copy"),
    }


def origin_name(record: PluginRecord) -> str:
    names = {"built-in": tr("built in"), "installed": tr("Python package"), "drop-in": tr("user-installed")}
    return names[record.origin]


def kind_names(kinds: Sequence[str]) -> str:
    names = {"model": tr("model"), "source": tr("input source"), "exporter": tr("export"), "layer": tr("layer")}
    return ", ".join(names[kind] for kind in kinds)
