"""The dialog that writes a plugin to start from."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any

from inspector import registry
from inspector.api import Option, Text
from inspector.domain import InputError
from inspector.system import paths
from inspector.ui.kit import dialogs, strings, theme
from inspector.ui.kit.form import Form, wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.plugins.details import kind_names

_KINDS = ("source", "exporter", "model", "layer")
_OPTIONS: tuple[Option, ...] = (
    Option(
        "name", str, "", Text("Name", "名称"),
        Text("Lower-case letters, digits and _, e.g. my_camera", "小写字母、数字和下划线，例如 my_camera"),
    ),
    Option("kind", str, "source", Text("Kind", "类型"), choices=_KINDS),
    Option("folder", Path, None, Text("Folder", "文件夹"), Text("Folder for its code", "代码保存位置")),
)  # fmt: skip


class NewPluginDialog(tk.Toplevel):
    """Asks for name, kind and folder.

    Args:
        written: called with the file or folder of the new plugin.
    """

    def __init__(self, shell: Shell, written: Callable[[Path], object]) -> None:
        super().__init__(shell.root, background=theme.tokens().surface)
        self.withdraw()
        self._shell, self._written = shell, written
        self.title(tr("New plugin"))
        self.transient(shell.root)
        self.resizable(False, False)
        body = ttk.Frame(self, padding=theme.px(16))
        body.pack(fill="both", expand=True)
        ttk.Label(body, text=tr("New plugin"), style="Title.TLabel").pack(anchor="w")
        said = tr("Creates a small working plugin as Python code. Edit it, then install it from its folder.")
        ttk.Label(body, text=said, style="Muted.TLabel", wraplength=theme.px(480), justify="left").pack(
            anchor="w", pady=theme.px(4, 10)
        )
        kinds = {kind: kind_names([kind]) for kind in _KINDS}
        self.form = Form(body, _OPTIONS, {"folder": paths.results_folder() / "plugins"}, names={"kind": kinds})
        self.form.pack(fill="x")
        self.status = ttk.Label(body, style="Bad.TLabel", width=1)
        wrap(self.status)
        row = ttk.Frame(body)
        row.pack(fill="x", pady=theme.px(14, 0))
        self._row = row
        self.make = ttk.Button(row, text=tr("Create"), style="Primary.TButton", command=self.create)
        self.make.pack(side="right", padx=(theme.px(8), 0))
        ttk.Button(row, text=tr("Cancel"), command=self.destroy).pack(side="right")
        self.bind("<Escape>", lambda _: self.destroy())
        self.bind("<Return>", lambda _: self.create())
        dialogs.centre(shell.root, self, width=theme.px(540))
        self._fit()
        self.form.go_to("name")

    def create(self) -> None:
        """Write it, where the fields are right."""
        try:
            values = self.form.values()
            folder = values["folder"]
            if folder is None or not str(folder).strip():
                raise InputError("Choose a folder for the plugin")
        except InputError as error:
            self._complain(error)
            return
        self._shell.tasks.run(_write, values, done=self._done, failed=self._complain)

    def _done(self, place: Path) -> None:
        if self.winfo_exists():
            self.destroy()
        self._written(place)

    def _complain(self, error: BaseException) -> None:
        if self.winfo_exists():
            self.status.configure(text=f"✕ {strings.sentence(str(error))}")
            self.status.pack(fill="x", pady=theme.px(10, 0), before=self._row)
            self._fit()

    def _fit(self) -> None:
        """Fit the height to the wrapped texts."""
        self.update()
        width, height = dialogs.within(self, self.winfo_width(), self.winfo_reqheight())
        self.geometry(f"{width}x{height}")


def _write(values: dict[str, Any]) -> Path:
    folder = Path(values["folder"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "Cannot write to {folder}: {reason}. Choose another folder.", folder=folder, reason=error.strerror or error
        ) from error
    return registry.new(values["kind"], values["name"], folder)
