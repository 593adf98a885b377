"""What tests of single pages share: a shell that keeps what the page says, and how to find what stands in it."""

from tkinter import ttk

from inspector import jobs, registry
from inspector.settings import Settings
from inspector.ui import texts
from inspector.ui.work import Tasks


class Shell:
    """The window around the page, as far as the page knows it; keeps what the page says."""

    def __init__(self, root):
        self.root, self.tasks = root, Tasks(lambda error: self.toast(str(error), "bad"))
        self.said, self.asked, self.shown, self.changed, self.answer = [], [], [], [], ""
        self.page = None
        self.reload_plugins()

    def reload_plugins(self):
        self.catalogue = registry.load()
        self.settings = Settings.load(jobs.plugin_options(self.catalogue))
        if self.page is not None:
            self.page.plugins_changed()

    def toast(self, text, kind="info", action=None):
        self.said.append((kind, text))

    def ask(self, title, text, buttons, default):
        self.asked.append((title, text, {key: dangerous for key, _, dangerous in buttons}, default))
        return self.answer or default

    def show(self, page, **what):
        self.shown.append((page, what))

    def settings_changed(self, key):
        self.changed.append(key)

    def language(self):
        return texts.language()


def inside(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    return found + [each for child in widget.winfo_children() for each in inside(child, kind)]


def words(widget):
    return [str(label.cget("text")) for label in inside(widget, ttk.Label)]
