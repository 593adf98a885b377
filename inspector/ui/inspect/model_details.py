"""Details of a model: file, hash, classes, architecture, size and training data."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from inspector.system.paths import long_path, read_json
from inspector.ui.inspect.session import ChosenModel
from inspector.ui.kit import dialogs, strings, theme
from inspector.ui.kit.strings import tr

if TYPE_CHECKING:
    from inspector.ui.inspect.host import InspectHost


def facts(chosen: ChosenModel) -> dict[str, str]:
    """Return the details as name -> value in display order. Reads files; not for the Tk thread."""
    info = chosen.info
    details = {tr("Name"): chosen.name, tr("Kind"): strings.localized(chosen.spec.title)}
    if chosen.weights is not None:
        details[tr("File")] = str(chosen.weights)
        with suppress(OSError):  # deleted since it was opened
            details[tr("Size")] = f"{long_path(chosen.weights).stat().st_size / 1e6:.1f} MB"
    if info is not None:
        details |= {
            "SHA-256": info.sha256,
            tr("Architecture"): info.architecture,
            tr("Classes"): ", ".join(info.names),
            tr("Input size"): f"{info.imgsz} px" if info.imgsz else "",
            tr("Runtime and device"): f"{info.runtime}, {info.device}",
            tr("Note"): strings.sentence(info.note),
        }
    for key, value in _training(chosen.weights).items():
        details[key] = value
    return {key: value for key, value in details.items() if value}


def _training(weights: Path | None) -> Mapping[str, str]:
    """Read ``train.json`` of the training folder of the weights, if there is one."""
    if weights is None:
        return {}
    for folder in (weights.parent, weights.parent.parent):
        try:
            plan: Any = read_json(folder / "train.json")
            options = plan.get("options", {})
            return {
                tr("Training data"): str(plan.get("data", "")),
                tr("Training"): ", ".join(f"{key} {value}" for key, value in options.items() if value is not None),
            }
        except (OSError, ValueError, AttributeError):
            continue
    return {}


def show_details(host: InspectHost, chosen: ChosenModel) -> None:
    """Open a window with the facts of ``chosen``."""
    host.tasks.run(facts, chosen, done=lambda details: _window(host, details))


def _window(host: InspectHost, details: Mapping[str, str]) -> None:
    window = tk.Toplevel(host.root, background=theme.tokens().surface)
    window.withdraw()
    window.title(tr("Model details"))
    window.transient(host.root)
    body = ttk.Frame(window, padding=theme.px(16))
    body.pack(fill="both", expand=True)
    body.columnconfigure(1, weight=1)
    for row, (name, value) in enumerate(details.items()):
        ttk.Label(body, text=name, style="Muted.TLabel").grid(row=row, column=0, sticky="nw", padx=theme.px(0, 12))
        ttk.Label(body, text=value, wraplength=theme.px(520), justify="left").grid(
            row=row, column=1, sticky="w", pady=theme.px(2)
        )

    def copy() -> None:
        window.clipboard_clear()
        window.clipboard_append("\n".join(f"{name}: {value}" for name, value in details.items()))

    buttons = ttk.Frame(body)
    buttons.grid(row=len(details), column=0, columnspan=2, sticky="ew", pady=theme.px(12, 0))
    ttk.Button(buttons, text=tr("Copy"), command=copy).pack(side="left")
    close = ttk.Button(buttons, text=tr("Close"), command=window.destroy)
    close.pack(side="right")
    close.focus_set()
    window.bind("<Escape>", lambda event: window.destroy())
    dialogs.centre(host.root, window)
