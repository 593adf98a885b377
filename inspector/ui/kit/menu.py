"""Menus in the theme's colours."""

from __future__ import annotations

import tkinter as tk

from inspector.ui.kit import theme


def menu(parent: tk.Misc) -> tk.Menu:
    """Create an empty menu in the current colours."""
    made = tk.Menu(parent, tearoff=False, font=theme.font("body"), borderwidth=1, activeborderwidth=theme.px(4))

    def paint() -> None:
        tokens = theme.tokens()
        made.configure(
            background=tokens.panel,
            foreground=tokens.text,
            activebackground=tokens.selection,
            activeforeground=tokens.on_selection,
            disabledforeground=tokens.muted,
            selectcolor=tokens.text,
        )

    theme.on_theme_change(made, paint)
    return made
