"""The menu bar."""

from __future__ import annotations

import tkinter as tk
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from inspector.ui import texts, theme
from inspector.ui.texts import t

if TYPE_CHECKING:
    from inspector.ui.app import App


def build(app: App) -> tk.Menu:
    """The menu bar of ``app``; what stands in its menus is found out when they open."""
    bar = menu(app.root)

    def act(name: str, *values: Any) -> Any:
        """A command of the inspect page."""

        def do() -> None:
            app.show("inspect")
            app.when_ready(lambda: attrgetter(name)(app.inspect_page())(*values))

        return do

    file = menu(bar)
    file.add_command(label=t("Open picture…"), accelerator="Ctrl+O", command=act("sources.open_picture"))
    file.add_command(label=t("Open folder…"), accelerator="Ctrl+Shift+O", command=act("sources.open_folder"))
    file.add_command(label=t("Open video…"), accelerator="Ctrl+Shift+V", command=act("sources.open_video"))
    sources, recent = menu(file), menu(file)

    def fill_sources() -> None:
        sources.delete(0, "end")
        for spec in app.catalogue.sources.values() if hasattr(app, "catalogue") else ():
            sources.add_command(label=f"{texts.read(spec.title)}…", command=act("sources.open_source", spec.id))

    def fill_recent() -> None:
        recent.delete(0, "end")
        for text in app.memory.recent("sources"):
            recent.add_command(label=text, command=act("open_texts", [text]))
        if not app.memory.recent("sources"):
            recent.add_command(label=t("nothing yet"), state="disabled")

    sources.configure(postcommand=fill_sources)
    recent.configure(postcommand=fill_recent)
    file.add_cascade(label=t("Open source"), menu=sources)
    file.add_cascade(label=t("Recent"), menu=recent)
    file.add_separator()
    file.add_command(label=t("Open model (best.pt)…"), accelerator="Ctrl+M", command=act("controls.open_model"))
    file.add_command(label=t("Open recipe…"), command=act("sources.open_recipe"))
    file.add_command(label=t("Save recipe…"), command=act("sources.save_recipe"))
    file.add_separator()
    file.add_command(label=t("Export…"), accelerator="Ctrl+E", command=act("export"))
    file.add_command(label=t("Open the results folder"), command=act("open_results"))
    file.add_separator()
    file.add_command(label=t("Quit"), accelerator="Ctrl+Q", command=app.close)
    bar.add_cascade(label=t("File"), menu=file)

    run = menu(bar)
    run.add_command(label=t("Start"), accelerator="F5", command=act("start"))
    run.add_command(label=t("Pause or go on"), accelerator="F6", command=act("pause"))
    run.add_command(label=t("Stop"), accelerator="Esc", command=act("stop"))
    run.add_separator()
    run.add_command(label=t("Previous picture"), accelerator="←", command=act("step", -1))
    run.add_command(label=t("Next picture"), accelerator="→", command=act("step", 1))
    run.add_separator()
    run.add_command(label=t("Rules for OK and NG…"), command=act("controls.edit_rules"))
    run.add_command(label=t("Model details…"), command=act("controls.model_details"))
    bar.add_cascade(label=t("Run"), menu=run)

    view = menu(bar)
    view.add_command(label=t("Original"), command=act("controls.set_view", "original"))
    view.add_command(label=t("Result"), command=act("controls.set_view", "result"))
    view.add_command(label=t("Side by side"), command=act("controls.set_view", "side_by_side"))
    view.add_separator()
    view.add_command(label=t("Masks on or off"), accelerator="M", command=act("controls.toggle_masks"))
    view.add_command(label=t("Fit"), accelerator="F", command=act("preview.fit"))
    view.add_command(label="100 %", accelerator="1", command=act("preview.actual"))
    view.add_separator()
    view.add_command(label=t("Operator view"), accelerator="F11", command=act("toggle_operator"))
    view.add_command(label=t("Light or dark"), command=app.toggle_theme)
    bar.add_cascade(label=t("View"), menu=view)

    pages = {
        "history": t("History"),
        "statistics": t("Statistics"),
        "training": t("Training"),
        "plugins": t("Plugins"),
        "settings": t("Settings"),
    }
    tools = menu(bar)
    for page, name in pages.items():
        tools.add_command(label=name, command=lambda page=page: app.show(page))  # type: ignore[misc]
    tools.add_separator()
    tools.add_command(label=t("Messages"), command=lambda: app.messages.window())
    bar.add_cascade(label=t("Go to"), menu=tools)

    help = menu(bar)
    help.add_command(label=t("Help"), accelerator="F1", command=lambda: app.show("help"))
    help.add_command(label=t("About"), command=lambda: app.show("help", topic="about"))
    bar.add_cascade(label=t("Help"), menu=help)
    return bar


def menu(parent: tk.Misc) -> tk.Menu:
    """An empty menu in the colours of the moment."""
    made = tk.Menu(parent, tearoff=False, font=theme.font("body"), borderwidth=0)

    def paint() -> None:
        tokens = theme.tokens()
        made.configure(
            background=tokens.panel,
            foreground=tokens.text,
            activebackground=tokens.selection,
            activeforeground=tokens.on_selection,
            disabledforeground=tokens.muted,
        )

    theme.on_change(made, paint)
    return made
