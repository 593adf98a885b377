"""Messages that disturb nobody: they stand at the lower right for a while, and stay in a list."""

from __future__ import annotations

import time
import tkinter as tk
from dataclasses import dataclass
from tkinter import ttk

from inspector.ui import theme
from inspector.ui.shell import Action, Kind
from inspector.ui.texts import t

_SECONDS: dict[Kind, float] = {"info": 5, "good": 5, "warn": 10, "bad": 15}
_SIGNS: dict[Kind, str] = {"info": "ℹ", "good": "✓", "warn": "⚠", "bad": "✕"}
_SHOWN, _KEPT = 3, 200


@dataclass(frozen=True)
class Message:
    time: str
    kind: Kind
    text: str


class Messages:
    """Shows messages over ``root`` and keeps the last 200."""

    def __init__(self, root: tk.Tk) -> None:
        self.root = root
        self.kept: list[Message] = []
        self._shown: list[tk.Frame] = []

    def show(self, text: str, kind: Kind = "info", action: Action | None = None) -> None:
        """Show a message; the same one again only renews it."""
        self.kept.append(Message(time.strftime("%H:%M:%S"), kind, text))
        del self.kept[:-_KEPT]
        for old in tuple(self._shown):
            if getattr(old, "said", None) == text:
                self._drop(old)
        while len(self._shown) >= _SHOWN:
            self._drop(self._shown[0])
        frame = self._build(text, kind, action)
        self._shown.append(frame)
        self._place()
        # The root waits, not the frame: what a frame waits for fails once it is gone.
        self.root.after(round(_SECONDS[kind] * 1000), self._drop, frame)

    def clear(self) -> None:
        """Take away what stands there; the list keeps it."""
        for frame in tuple(self._shown):
            self._drop(frame)

    def _build(self, text: str, kind: Kind, action: Action | None) -> tk.Frame:
        tokens = theme.tokens()
        edge = {"info": tokens.primary, "good": tokens.ok, "warn": tokens.warn, "bad": tokens.ng}[kind]
        frame = tk.Frame(self.root, background=edge)
        frame.said = text  # type: ignore[attr-defined]
        inner = tk.Frame(frame, background=tokens.card)
        inner.pack(side="right", fill="both", expand=True, padx=(theme.px(5), 1), pady=1)
        ink = {"info": tokens.text, "good": tokens.ok_text, "warn": tokens.warn_text, "bad": tokens.ng_text}[kind]
        sign = tk.Label(inner, text=_SIGNS[kind], background=tokens.card, foreground=ink, font=theme.font("title"))
        sign.pack(side="left", anchor="n", padx=theme.px(10, 4), pady=theme.px(6))
        ttk.Button(inner, text="✕", style="Tool.TButton", width=2, command=lambda: self._drop(frame)).pack(
            side="right", anchor="n", padx=theme.px(2), pady=theme.px(2)
        )
        said = tk.Label(
            inner,
            text=text,
            background=tokens.card,
            foreground=tokens.text,
            font=theme.font("body"),
            justify="left",
            anchor="w",
            wraplength=theme.px(380),
        )
        said.pack(anchor="w", fill="x", padx=theme.px(4), pady=theme.px(8))
        if action is not None:
            verb, act = action

            def do() -> None:
                self._drop(frame)
                act()

            ttk.Button(inner, text=verb, command=do).pack(anchor="w", padx=theme.px(4), pady=(0, theme.px(8)))
        return frame

    def _drop(self, frame: tk.Frame) -> None:
        if frame in self._shown:
            self._shown.remove(frame)
            if frame.winfo_exists():
                frame.destroy()
            self._place()

    def _place(self) -> None:
        bottom = -theme.px(56)
        for frame in reversed(self._shown):
            frame.place(relx=1.0, rely=1.0, x=-theme.px(16), y=bottom, anchor="se")
            frame.lift()
            frame.update_idletasks()
            bottom -= frame.winfo_reqheight() + theme.px(8)

    def window(self) -> None:
        """All messages since the start, in a window of their own."""
        window = tk.Toplevel(self.root, background=theme.tokens().surface)
        window.title(t("Messages"))
        window.transient(self.root)
        window.geometry(f"{theme.px(760)}x{theme.px(360)}")
        table = ttk.Treeview(window, columns=("time", "text"), show="headings")
        table.heading("time", text=t("Time"), anchor="w")
        table.heading("text", text=t("Message"), anchor="w")
        table.column("time", width=theme.px(90), stretch=False)
        table.column("text", width=theme.px(640))
        for message in reversed(self.kept):
            table.insert("", "end", values=(message.time, f"{_SIGNS[message.kind]} {' '.join(message.text.split())}"))

        def copy() -> None:
            window.clipboard_clear()
            window.clipboard_append("\n".join(f"{m.time} {m.text}" for m in self.kept))

        row = ttk.Frame(window)
        row.pack(side="bottom", fill="x", padx=theme.px(8), pady=(0, theme.px(8)))
        ttk.Button(row, text=t("Copy all"), command=copy).pack(side="left")
        close = ttk.Button(row, text=t("Close"), command=window.destroy)
        close.pack(side="right")
        table.pack(fill="both", expand=True, padx=theme.px(8), pady=theme.px(8))
        window.bind("<Escape>", lambda event: window.destroy())
        close.focus_set()
