"""Verdict banner: OK, WARN or NG with sign, colour and reason, readable from two metres, always in the same place.

An outdated verdict is never shown as current: :meth:`VerdictBanner.alarm` replaces the verdict by what is wrong in an
amber frame, :meth:`VerdictBanner.fade` greys out a verdict of a run that is paused or ended.
"""

from __future__ import annotations

import re
import tkinter as tk
from tkinter import font as tkfont
from typing import Literal

from inspector.domain import PartProgress, Verdict
from inspector.i18n import reason_text
from inspector.ui.kit import strings, theme
from inspector.ui.kit.line_breaking import break_lines
from inspector.ui.kit.strings import tr
from inspector.ui.kit.text_fitting import FontFitter

SIGNS = {"OK": "✓", "WARN": "▲", "NG": "✕", "SKIPPED": "∅"}
_Size = Literal["normal", "large"]
_LINES = 2  # of the reason at normal size
_REASON, _MESSAGE = 0.34, 0.78  # parts of the large banner's height that the reason takes, below a verdict or a sign


class VerdictBanner(tk.Frame):
    """Shows one verdict; ``large`` is for the operator's view, fills its place and grows with it."""

    def __init__(self, parent: tk.Misc, size: _Size = "normal") -> None:
        super().__init__(parent, padx=theme.px(8), pady=theme.px(8), highlightthickness=theme.px(5))
        self._large = size == "large"
        base = tkfont.Font(self, name=theme.font("banner"), exists=True)
        body = tkfont.Font(self, name=theme.font("body"), exists=True)
        self._largest = abs(round(base["size"] * (6 if self._large else 1)))
        self._largest_reason = abs(round(body["size"] * (5 if self._large else 1)))
        self._fitter = FontFitter(self)
        self._font = self._fitter.font(base["family"], self._largest, bold=True)
        self._small = self._fitter.font(body["family"], self._largest_reason)
        self._word = tk.Label(self, font=self._font, borderwidth=0, padx=0, pady=0)
        self._reason = tk.Label(self, font=self._small, justify="center", borderwidth=0, padx=0, pady=0)
        self._reason_height = _LINES * self._small.metrics("linespace") + 2
        if not self._large:
            around = 2 * (theme.px(8) + theme.px(5))
            self.configure(height=base.metrics("linespace") + self._reason_height + around, width=theme.px(120))
        self.bind("<Configure>", lambda event: self._fit())
        self.status = ""
        self._faded = False
        self._state: tuple[str, str, str] = ("", "", "")
        self.idle()
        theme.on_theme_change(self, self._paint)

    @property
    def displayed(self) -> tuple[str, str]:
        """The word and the reason shown."""
        return self._state[1], self._state[2]

    @property
    def faded(self) -> bool:
        """Whether the verdict is greyed out."""
        return self._faded

    def idle(self, text: str = "") -> None:
        """No verdict."""
        self._set("", "—", text)

    def show(self, verdict: Verdict) -> None:
        reasons = [reason_text(reason, strings.language()) for reason in verdict.reasons]
        words = {"OK": tr("Pass"), "WARN": tr("Review"), "NG": tr("Fail")}
        more = tr(" (+{n} more)", n=len(reasons) - 1) if len(reasons) > 1 else ""
        text = f"{reasons[0]}{more}" if reasons else words[verdict.status]
        self._set(verdict.status, f"{SIGNS[verdict.status]} {verdict.status}", text)

    def show_part(self, part: PartProgress) -> None:
        """Show the verdict of a part; in grey as long as it is not final."""
        self.show(part.verdict)
        if not part.final:
            views = f"{part.views} / {part.expected}" if part.expected else str(part.views)
            self.fade(tr("Part {id}: views so far {views}", id=part.id, views=views))

    def skipped(self, reason: str) -> None:
        """Show that an image could not be read."""
        self._set("SKIPPED", f"{SIGNS['SKIPPED']} {tr('Unreadable')}", reason)

    def alarm(self, text: str) -> None:
        """Show a notice instead of a verdict: ``text`` states the problem and its duration."""
        self._set("ALARM", "—", text)

    def fade(self, text: str) -> None:
        """Leave the verdict in grey: it was the last one, of a run that is paused or over."""
        self._set(self.status, self._state[1], text, faded=True)

    def _set(self, status: str, word: str, reason: str, faded: bool = False) -> None:
        if ((status, word, reason), faded) != (self._state, self._faded):
            self._state, self._faded = (status, word, reason), faded
            self.status = status
            self._reason.configure(text=_joined(reason))
            self._paint()
            self._fit()

    def _fit(self) -> None:
        """Fit both texts to the available space; they are never cut off."""
        edge = 2 * int(str(self.cget("highlightthickness")))
        width = self.winfo_width() - 2 * theme.px(8) - edge
        height = self.winfo_height() - 2 * theme.px(8) - edge
        if width < 20 or height < 20:
            return
        status, word, reason = self._state
        reason = _joined(reason)
        below = self._reason_height
        if self._large:
            below = round(height * (_REASON if status not in ("", "ALARM") else _MESSAGE)) if reason else 0
        above = height - below
        family = str(self._font["family"])
        # Digits and capitals leave a part of their line empty, so they may be higher than the place.
        size = self._fitter.size(word, width, round(above * 1.3), self._largest, family=family, bold=True, wrap=False)
        reason_family = str(self._small["family"])
        small = self._fitter.size(reason, width, below, self._largest_reason, family=reason_family)
        self._font = self._fitter.font(family, size, bold=True)
        self._small = self._fitter.font(reason_family, small)
        lines = break_lines(reason, self._small.measure, width)
        self._word.configure(font=self._font)
        self._reason.configure(font=self._small, wraplength=width, text=lines)
        self._word.place(x=0, y=0, width=width, height=above)
        self._reason.place(x=0, y=above, width=width, height=below)

    def _paint(self) -> None:
        status, word, _ = self._state
        tokens = theme.tokens()
        back = {"OK": tokens.ok, "WARN": tokens.warn, "NG": tokens.ng, "SKIPPED": tokens.warn}.get(status, tokens.panel)
        ink = {"OK": tokens.on_status, "NG": tokens.on_status, "": tokens.muted, "ALARM": tokens.text}.get(
            status, tokens.on_warn
        )
        if self._faded:
            back, ink = tokens.panel, tokens.muted
        for part in (self, self._word, self._reason):
            part.configure(background=back)
        frame = tokens.warn if status == "ALARM" else back
        self.configure(highlightbackground=frame, highlightcolor=frame)
        self._word.configure(text=word, foreground=ink)
        self._reason.configure(foreground=ink)


def _joined(text: str) -> str:
    """A number stays in one line with its unit: Tk breaks no line at a no-break space."""
    return re.sub(r"(?<=\d) (?=px)", "\N{NO-BREAK SPACE}", text)
