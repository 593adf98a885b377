"""The menu bar."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from inspector.ui.kit import strings
from inspector.ui.kit.menu import menu
from inspector.ui.kit.shell import PageName, Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.toasts import Messages

if TYPE_CHECKING:
    from inspector.ui.inspect.page import InspectPage


class MenuHost(Shell, Protocol):
    """The window as the menu bar sees it.

    Attributes:
        ready: whether the plugins are loaded and ``catalogue`` is set.
        messages: the list of messages.
    """

    ready: bool
    messages: Messages

    def inspect_page(self) -> InspectPage:
        """Build the page Inspect if needed and return it."""

    def when_ready(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` once the plugins are loaded."""

    def export(self) -> None:
        """Open the export dialog of the page in front."""

    def print(self) -> None:
        """Print what the page in front shows."""

    def toggle_theme(self) -> None:
        """Switch between light and dark."""

    def close(self) -> None:
        """Close the window, after asking where something would be lost."""


def _call(command: Callable[[InspectPage], object], page: InspectPage) -> None:
    command(page)


def build(host: MenuHost) -> tk.Menu:
    """Build the menu bar of ``host``; submenus fill themselves when they open."""
    bar = menu(host.root)

    def act(command: Callable[[InspectPage], object]) -> Callable[[], None]:
        """A command of the page Inspect."""

        def do() -> None:
            host.show("inspect")
            host.when_ready(lambda: _call(command, host.inspect_page()))

        return do

    def open_source(id: str) -> Callable[[], None]:
        return act(lambda page: page.sources.open_source(id))

    def open_text(text: str) -> Callable[[], None]:
        return act(lambda page: page.open_sources([text]))

    file = menu(bar)
    file.add_command(label=tr("Open image…"), accelerator="Ctrl+O", command=act(lambda page: page.sources.open_image()))
    file.add_command(
        label=tr("Open folder…"), accelerator="Ctrl+Shift+O", command=act(lambda page: page.sources.open_folder())
    )
    file.add_command(
        label=tr("Open video…"), accelerator="Ctrl+Shift+V", command=act(lambda page: page.sources.open_video())
    )
    sources, recent = menu(file), menu(file)

    def fill_sources() -> None:
        sources.delete(0, "end")
        for spec in host.catalogue.sources.values() if host.ready else ():
            sources.add_command(label=f"{strings.localized(spec.title)}…", command=open_source(spec.id))

    def fill_recent() -> None:
        recent.delete(0, "end")
        for text in host.window_state.recent("sources"):
            recent.add_command(label=text, command=open_text(text))
        if not host.window_state.recent("sources"):
            recent.add_command(label=tr("nothing yet"), state="disabled")

    sources.configure(postcommand=fill_sources)
    recent.configure(postcommand=fill_recent)
    file.add_cascade(label=tr("Open an input source"), menu=sources)
    file.add_cascade(label=tr("Recent"), menu=recent)
    file.add_separator()
    file.add_command(
        label=tr("Open model (best.pt)…"), accelerator="Ctrl+M", command=act(lambda page: page.controls.open_model())
    )
    file.add_command(label=tr("Open recipe…"), command=act(lambda page: page.sources.open_recipe()))
    recipes = menu(file)

    def fill_recipes() -> None:
        recipes.delete(0, "end")
        for text in host.window_state.recent("recipes"):
            recipes.add_command(label=text, command=open_text(text))
        if not host.window_state.recent("recipes"):
            recipes.add_command(label=tr("nothing yet"), state="disabled")

    recipes.configure(postcommand=fill_recipes)
    file.add_cascade(label=tr("Recent recipes"), menu=recipes)
    file.add_command(label=tr("Save recipe…"), command=act(lambda page: page.sources.save_recipe()))
    file.add_command(label=tr("Import recipe…"), command=act(lambda page: page.sources.import_recipe()))
    file.add_command(label=tr("Export recipe…"), command=act(lambda page: page.sources.export_recipe()))
    file.add_command(label=tr("Close recipe"), command=act(lambda page: page.sources.close_recipe()))
    file.add_command(label=tr("Lock or unlock recipe…"), command=act(lambda page: page.sources.set_lock()))
    file.add_separator()
    file.add_command(label=tr("Export…"), accelerator="Ctrl+E", command=host.export)
    file.add_command(label=tr("Print part…"), accelerator="Ctrl+P", command=host.print)
    file.add_command(label=tr("Open the results folder"), command=act(lambda page: page.open_results()))
    file.add_separator()
    file.add_command(label=tr("Quit"), accelerator="Ctrl+Q", command=host.close)
    _cascade(bar, tr("File"), "F", file)

    run = menu(bar)
    run.add_command(label=tr("Start"), accelerator="F5", command=act(lambda page: page.start()))
    run.add_command(label=tr("Pause or resume"), accelerator="F6", command=act(lambda page: page.pause()))
    run.add_command(label=tr("Next part"), accelerator="F7", command=act(lambda page: page.trigger()))
    run.add_command(label=tr("Stop"), accelerator="Esc", command=act(lambda page: page.stop()))
    run.add_separator()
    run.add_command(label=tr("Previous image"), accelerator="←", command=act(lambda page: page.step(-1)))
    run.add_command(label=tr("Next image"), accelerator="→", command=act(lambda page: page.step(1)))
    run.add_separator()
    run.add_command(label=tr("Parts…"), command=act(lambda page: page.controls.edit_parts()))
    run.add_command(label=tr("Rules for OK and NG…"), command=act(lambda page: page.controls.edit_rules()))
    run.add_command(label=tr("Model details…"), command=act(lambda page: page.controls.model_details()))
    _cascade(bar, tr("Inspection"), "I", run)

    view = menu(bar)
    view.add_command(label=tr("Original"), command=act(lambda page: page.controls.set_view("original")))
    view.add_command(label=tr("Result"), command=act(lambda page: page.controls.set_view("result")))
    view.add_command(label=tr("Side by side"), command=act(lambda page: page.controls.set_view("side_by_side")))
    view.add_separator()
    view.add_command(
        label=tr("Masks on or off"), accelerator="M", command=act(lambda page: page.controls.toggle_masks())
    )
    view.add_command(label=tr("Fit"), accelerator="F", command=act(lambda page: page.image_view.fit()))
    view.add_command(label="100 %", accelerator="1", command=act(lambda page: page.image_view.actual()))
    view.add_separator()
    view.add_command(label=tr("Operator view"), accelerator="F11", command=act(lambda page: page.toggle_operator()))
    view.add_command(label=tr("Toggle dark mode"), command=host.toggle_theme)
    _cascade(bar, tr("View"), "V", view)

    pages: dict[PageName, str] = {
        "inspect": tr("Inspect"),
        "history": tr("History"),
        "statistics": tr("Statistics"),
        "training": tr("Training"),
        "plugins": tr("Plugins"),
        "settings": tr("Settings"),
    }
    tools = menu(bar)
    for place, (page, name) in enumerate(pages.items(), 1):
        key = "Ctrl+," if page == "settings" else f"Ctrl+{place}"
        tools.add_command(label=name, accelerator=key, command=lambda page=page: host.show(page))  # type: ignore[misc]
    tools.add_separator()
    tools.add_command(label=tr("Messages"), command=lambda: host.messages.window())
    _cascade(bar, tr("Go to"), "G", tools)

    help = menu(bar)
    help.add_command(label=tr("Manual"), accelerator="F1", command=lambda: host.show("help", topic="manual"))
    help.add_command(label=tr("Quick start"), command=lambda: host.show("help", topic="first"))
    help.add_command(label=tr("Keys"), command=lambda: host.show("help", topic="keys"))
    help.add_command(label=tr("About"), command=lambda: host.show("help", topic="about"))
    _cascade(bar, tr("Help"), "H", help)
    return bar


def _cascade(bar: tk.Menu, name: str, letter: str, inside: tk.Menu) -> None:
    """A menu of the bar, opened by Alt and ``letter``, which a Chinese name has behind it: ``文件(F)``."""
    at = name.upper().find(letter)
    label = name if at >= 0 else f"{name}({letter})"
    bar.add_cascade(label=label, underline=at if at >= 0 else len(name) + 1, menu=inside)
    _underline(inside)


def _underline(inside: tk.Menu) -> None:
    """Give each entry a letter of its own, as far as its name has Latin ones."""
    taken: set[str] = set()
    for place in range((inside.index("end") or 0) + 1):
        if inside.type(place) == "separator":
            continue
        name = str(inside.entrycget(place, "label"))
        for at, letter in enumerate(name.lower()):
            if letter.isascii() and letter.isalpha() and letter not in taken:
                taken.add(letter)
                inside.entryconfigure(place, underline=at)
                break
