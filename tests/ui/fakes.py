"""Helpers for tests of single pages: a fake shell that records messages, and functions to find widgets."""

import threading
import time
from tkinter import ttk

from inspector import registry
from inspector.jobs.options import plugin_options
from inspector.settings import Settings
from inspector.ui.kit import strings
from inspector.ui.kit.tasks import BackgroundTasks
from inspector.ui.kit.window_state import WindowState


class Shell:
    """A fake window around one page; records its messages and questions.

    Attributes:
        said: ``(kind, text)`` of each message.
        asked: ``(title, text, {key: dangerous}, default)`` of each question; ``answer`` is given if not empty.
        shown: ``(page, options)`` of each page that was called to the front.
        errors: failures of background tasks that the page did not handle; they are said too.
        action: of the last message.
    """

    def __init__(self, root, catalogue=None):
        self.root, self.tasks = root, BackgroundTasks(self._failed)
        self.said, self.asked, self.shown, self.changed, self.errors, self.answer = [], [], [], [], [], ""
        self.action = self.page = None
        self.window_state = WindowState()
        self._catalogue = catalogue
        self.settings = Settings.load() if catalogue is None else Settings.load(plugin_options(catalogue))

    @property
    def catalogue(self):
        if self._catalogue is None:
            self.reload_plugins()
        return self._catalogue

    def _failed(self, error):
        self.errors.append(error)
        self.toast(str(error), "bad")

    def reload_plugins(self):
        self._catalogue = registry.load()
        self.settings = Settings.load(plugin_options(self._catalogue))
        if self.page is not None:
            self.page.on_plugins_changed()

    def toast(self, text, kind="info", action=None):
        self.said.append((kind, text))
        self.action = action

    def ask(self, title, text, buttons, default):
        self.asked.append((title, text, {key: dangerous for key, _, dangerous in buttons}, default))
        return self.answer or default

    def show(self, page, **options):
        self.shown.append((page, options))

    def settings_changed(self, key):
        self.changed.append(key)

    def language(self):
        return strings.language()

    def heard(self, part):
        """Whether a message or a question's title contains ``part``."""
        return any(part in text for text in [text for _, text in self.said] + [title for title, *_ in self.asked])


def focus(widget):
    """Give a widget, or a widget inside a window, the keyboard focus, and wait until the X server has set it."""
    widget.focus_force()
    end = time.monotonic() + 60
    while not str(widget.tk.call("focus")).startswith(str(widget)):
        assert time.monotonic() < end, f"{widget} did not get the focus"
        widget.update()
        time.sleep(0.005)


def at_work():
    """Names of the functions that :class:`BackgroundTasks` still runs; their connections to the history are open."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("task ")]


def kept(window, words, kind=None):
    """The messages of ``window`` so far that contain ``words``; others may have come in between and afterwards."""
    return [message for message in window.messages.history if words in message.text and kind in (None, message.kind)]


def inside(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    return found + [each for child in widget.winfo_children() for each in inside(child, kind)]


def words(widget):
    return [str(label.cget("text")) for label in inside(widget, ttk.Label)]
