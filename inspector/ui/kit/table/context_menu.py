"""A table's context menu, in the theme's colours."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any

from inspector.ui.kit import theme
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.rows import Column

Item = tuple[str, Callable[[], object]] | tuple[str, Callable[[], object], str]
"""Label, action and key of an entry."""
ARROWS = {False: " ▲", True: " ▼"}


def context_menu(parent: tk.Misc, items: Sequence[Item]) -> tk.Menu:
    """A menu of these items."""
    menu = _menu(parent)
    for label, command, *key in items:
        menu.add_command(label=label, command=command, accelerator="".join(key))
    return menu


def add_orders(
    menu: tk.Menu, columns: Sequence[Column], now: tuple[str, bool] | None, sort: Callable[[str], object]
) -> None:
    """Let the keyboard sort, too: the columns that sort, the one that is sorted by marked."""
    orders = _menu(menu)
    for column in columns:
        if column.sortable:
            arrow = ARROWS[now[1]] if now is not None and now[0] == column.key else ""
            command: Callable[[], object] = lambda key=column.key: sort(key)  # type: ignore[misc]  # noqa: E731
            orders.add_command(label=column.title + arrow, command=command)
    menu.add_cascade(label=tr("Sort by"), menu=orders)


def _menu(parent: tk.Misc) -> tk.Menu:
    tokens = theme.tokens()
    look: dict[str, Any] = {
        "font": theme.font("body"),
        "background": tokens.card,
        "foreground": tokens.text,
        "activebackground": tokens.selection,
        "activeforeground": tokens.on_selection,
    }
    return tk.Menu(parent, tearoff=False, **look)
