"""What is known of a model: file, hash, classes, architecture, size, and what it was trained with."""

from __future__ import annotations

import json
import tkinter as tk
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from inspector.paths import long_path
from inspector.ui import texts, theme
from inspector.ui.session import Chosen
from inspector.ui.texts import t

if TYPE_CHECKING:
    from inspector.ui.app import App


def facts(chosen: Chosen) -> dict[str, str]:
    """Name -> value, in the order in which they are shown. Reads files; not for the Tk thread."""
    info = chosen.info
    found = {t("Name"): chosen.name, t("Kind"): texts.read(chosen.spec.title)}
    if chosen.weights is not None:
        found[t("File")] = str(chosen.weights)
        with suppress(OSError):  # gone since it was opened
            found[t("Size")] = f"{long_path(chosen.weights).stat().st_size / 1e6:.1f} MB"
    if info is not None:
        found |= {
            "SHA-256": info.sha256,
            t("Architecture"): info.architecture,
            t("Classes"): ", ".join(info.names),
            t("Picture size"): f"{info.imgsz} px" if info.imgsz else "",
            t("Computed by"): f"{info.runtime}, {info.device}",
        }
    for key, value in _training(chosen.weights).items():
        found[key] = value
    return {key: value for key, value in found.items() if value}


def _training(weights: Path | None) -> Mapping[str, str]:
    """What ``train.json`` of the training folder around the weights says, where there is one."""
    if weights is None:
        return {}
    for folder in (weights.parent, weights.parent.parent):
        try:
            plan: Any = json.loads((folder / "train.json").read_text("utf-8"))
            options = plan.get("options", {})
            return {
                t("Training data"): str(plan.get("data", "")),
                t("Training"): ", ".join(f"{key} {value}" for key, value in options.items() if value is not None),
            }
        except (OSError, ValueError, AttributeError):
            continue
    return {}


def show_details(app: App, chosen: Chosen) -> None:
    """Open a window with the facts of ``chosen``."""
    app.tasks.run(facts, chosen, done=lambda found: _window(app, found))


def _window(app: App, found: Mapping[str, str]) -> None:
    window = tk.Toplevel(app.root, background=theme.tokens().surface)
    window.title(t("Model details"))
    window.transient(app.root)
    body = ttk.Frame(window, padding=theme.px(16))
    body.pack(fill="both", expand=True)
    body.columnconfigure(1, weight=1)
    for row, (name, value) in enumerate(found.items()):
        ttk.Label(body, text=name, style="Muted.TLabel").grid(row=row, column=0, sticky="nw", padx=theme.px(0, 12))
        ttk.Label(body, text=value, wraplength=theme.px(520), justify="left").grid(
            row=row, column=1, sticky="w", pady=theme.px(2)
        )

    def copy() -> None:
        window.clipboard_clear()
        window.clipboard_append("\n".join(f"{name}: {value}" for name, value in found.items()))

    buttons = ttk.Frame(body)
    buttons.grid(row=len(found), column=0, columnspan=2, sticky="ew", pady=theme.px(12, 0))
    ttk.Button(buttons, text=t("Copy"), command=copy).pack(side="left")
    close = ttk.Button(buttons, text=t("Close"), command=window.destroy)
    close.pack(side="right")
    close.focus_set()
    window.bind("<Escape>", lambda event: window.destroy())
    window.geometry(f"+{app.root.winfo_rootx() + theme.px(240)}+{app.root.winfo_rooty() + theme.px(80)}")
