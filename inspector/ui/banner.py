"""OK, WARN or NG, to be seen from two metres: a sign, a word, a colour and the reason, always at the same place."""

from __future__ import annotations

import tkinter as tk
from tkinter import font as tkfont
from typing import Literal

from inspector.domain import Verdict
from inspector.i18n import reason_text
from inspector.ui import texts, theme
from inspector.ui.texts import t

SIGNS = {"OK": "✓", "WARN": "▲", "NG": "✕", "SKIPPED": "∅"}
_Size = Literal["normal", "large"]


class Banner(tk.Frame):
    """Shows one verdict; ``large`` is for the operator's view."""

    def __init__(self, parent: tk.Misc, size: _Size = "normal") -> None:
        super().__init__(parent, padx=theme.px(8), pady=theme.px(8))
        base = tkfont.Font(self, name=theme.font("banner"), exists=True)
        reason = tkfont.Font(self, name=theme.font("body" if size == "normal" else "title"), exists=True)
        self._largest = round(base["size"] * (1 if size == "normal" else 3))
        self._font = tkfont.Font(self, family=base["family"], size=self._largest, weight="bold")
        self._word = tk.Label(self, font=self._font)
        self._word.pack(expand=size == "large", fill="x")
        self._reason = tk.Label(self, font=reason, justify="center", height=2 if size == "normal" else 3)
        self._reason.pack(fill="x", side="bottom")
        self.bind("<Configure>", lambda event: self._fit(event.width - theme.px(16)))
        self.status = ""
        self._state: tuple[str, str, str] = ("", "", "")
        self.idle()
        theme.on_change(self, self._paint)

    def _fit(self, width: int) -> None:
        """The word as large as there is room for the longest, the reason broken into lines."""
        self._reason.configure(wraplength=max(1, width))
        self._font.configure(size=self._largest)
        needed = max(self._font.measure(f"{sign} {word}") for word, sign in SIGNS.items() if word != "SKIPPED")
        if needed > width > 0:
            self._font.configure(size=min(-10, round(self._largest * width / needed)))

    def idle(self, text: str = "") -> None:
        """No verdict."""
        self._set("", "—", text)

    def show(self, verdict: Verdict) -> None:
        reasons = [reason_text(reason, texts.language()) for reason in verdict.reasons]
        words = {"OK": t("good"), "WARN": t("look at it"), "NG": t("not good")}
        more = t(" (+{n} more)", n=len(reasons) - 1) if len(reasons) > 1 else ""
        text = f"{reasons[0]}{more}" if reasons else words[verdict.status]
        self._set(verdict.status, f"{SIGNS[verdict.status]} {verdict.status}", text)

    def skipped(self, reason: str) -> None:
        """A picture that could not be read."""
        self._set("SKIPPED", f"{SIGNS['SKIPPED']} {t('unread')}", reason)

    def _set(self, status: str, word: str, reason: str) -> None:
        if (status, word, reason) != self._state:
            self._state = (status, word, reason)
            self.status = status
            self._paint()

    def _paint(self) -> None:
        status, word, reason = self._state
        tokens = theme.tokens()
        back = {"OK": tokens.ok, "WARN": tokens.warn, "NG": tokens.ng, "SKIPPED": tokens.warn}.get(status, tokens.panel)
        ink = {"OK": tokens.on_status, "NG": tokens.on_status, "": tokens.muted}.get(status, tokens.on_warn)
        for part in (self, self._word, self._reason):
            part.configure(background=back)
        self._word.configure(text=word, foreground=ink)
        self._reason.configure(text=reason, foreground=ink)
