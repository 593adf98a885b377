"""Pages of the window by name, each imported when first opened."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from inspector.ui.kit.page import Page
from inspector.ui.kit.shell import PageName

if TYPE_CHECKING:
    from inspector.ui.inspect.host import InspectHost

PageFactory = Callable[[tk.Misc, "InspectHost"], Page]


def _inspect() -> PageFactory:
    from inspector.ui.inspect.page import InspectPage

    return InspectPage


def _history() -> PageFactory:
    from inspector.ui.history.page import HistoryPage

    return HistoryPage


def _statistics() -> PageFactory:
    from inspector.ui.statistics.page import StatisticsPage

    return StatisticsPage


def _training() -> PageFactory:
    from inspector.ui.training.page import TrainingPage

    return TrainingPage


def _plugins() -> PageFactory:
    from inspector.ui.plugins.page import PluginsPage

    return PluginsPage


def _settings() -> PageFactory:
    from inspector.ui.settings_page import SettingsPage

    return SettingsPage


def _help() -> PageFactory:
    from inspector.ui.help_page import HelpPage

    return HelpPage


PAGES: Mapping[PageName, Callable[[], PageFactory]] = {
    "inspect": _inspect,
    "history": _history,
    "statistics": _statistics,
    "training": _training,
    "plugins": _plugins,
    "settings": _settings,
    "help": _help,
}
"""Loaders in the order of the tabs; each imports the module of its page and returns the class."""
