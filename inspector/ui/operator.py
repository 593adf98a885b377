"""The operator's view: the verdict and the picture over the whole screen, and nothing to break."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from inspector.domain import Inspection, Skipped
from inspector.ui import texts, theme
from inspector.ui.banner import Banner
from inspector.ui.preview import Preview
from inspector.ui.texts import t

if TYPE_CHECKING:
    from inspector.ui.app import App


class OperatorView(tk.Toplevel):
    """Covers the screen until F11. It can start and stop, and changes nothing else."""

    def __init__(
        self, app: App, start: Callable[[], object], stop: Callable[[], object], leave: Callable[[], object]
    ) -> None:
        super().__init__(app.root, background=theme.tokens().surface)
        self.app = app
        self.title("Bearing Inspector")
        self.attributes("-fullscreen", True)
        if not self.attributes("-fullscreen"):  # no window manager there
            self.geometry(f"{self.winfo_screenwidth()}x{self.winfo_screenheight()}+0+0")
        self.rowconfigure(0, weight=1)
        self.columnconfigure(0, weight=3, uniform="operator")
        self.columnconfigure(1, weight=2, uniform="operator")
        self.preview = Preview(self, tasks=app.tasks)
        self.preview.grid(row=0, column=0, sticky="nsew")
        side = ttk.Frame(self)
        side.grid(row=0, column=1, sticky="nsew")
        side.rowconfigure(0, weight=1)
        side.columnconfigure(0, weight=1)
        self.banner = Banner(side, "large")
        self.banner.grid(row=0, column=0, sticky="nsew")
        self._words = ttk.Label(side, style="Title.TLabel", anchor="center")
        self._words.grid(row=1, column=0, sticky="ew", pady=theme.px(16))
        ttk.Label(side, text=t("F5 start · Esc stop · F11 back"), style="Muted.TLabel", anchor="center").grid(
            row=2, column=0, sticky="ew", pady=theme.px(0, 16)
        )
        for key, command in {"<F5>": start, "<Escape>": stop, "<F11>": leave}.items():
            self.bind(key, lambda event, command=command: command())  # type: ignore[misc]
        self.protocol("WM_DELETE_WINDOW", leave)
        self.focus_force()
        self._count()

    def show(self, content: Inspection | Skipped) -> None:
        if isinstance(content, Skipped):
            self.preview.clear(content.name)
            self.banner.skipped(texts.sentence(content.reason))
            return
        self.preview.show(content)
        self.banner.show(content.verdict)

    def _count(self) -> None:
        run: Any = self.app.session.run
        if run is not None:
            counts = run.counts
            words = [t("Inspected {n}", n=counts.inspected), t("NG {n}", n=counts.ng)]
            words += [t("WARN {n}", n=counts.warn)] if counts.warn else []
            words += [t("unread {n}", n=counts.skipped)] if counts.skipped else []
            self._words.configure(text=" · ".join(words))
        self._counting = self.after(300, self._count)

    def destroy(self) -> None:
        self.after_cancel(self._counting)
        super().destroy()

    def close(self) -> None:
        self.destroy()
        self.app.root.focus_force()
