"""What a person opens to be inspected: pictures, folders, videos, cameras, any plugin's source, and recipes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import filedialog
from typing import TYPE_CHECKING, Any

from inspector import jobs, paths
from inspector.api import Choice
from inspector.domain import InputError, Job
from inspector.ui import texts, theme
from inspector.ui.texts import t

if TYPE_CHECKING:
    from inspector.ui.app import App
    from inspector.ui.toolbar import Toolbar

_RECIPES = (".bearing", ".json")  # the first opens this program; a run.json is a recipe too


class Sources:
    """Opens things for the session.

    Args:
        opened: called after the session has another source; True: it is to be started at once.
        model: called with a weights file that was opened as if it were a source.
        job: called with the job of a recipe.
    """

    def __init__(
        self, app: App, opened: Callable[[bool], None], model: Callable[[str], None], job: Callable[[Job], None]
    ) -> None:
        self.app, self.session = app, app.session
        self._opened, self._model, self._job = opened, model, job

    # by dialogs

    def open_picture(self) -> None:
        """Choose one picture, which is inspected at once, or several."""
        kinds = [(t("Pictures"), "*.jpg *.jpeg *.png *.bmp *.tif *.tiff *.webp"), (t("All files"), "*")]
        chosen = filedialog.askopenfilenames(
            parent=self.app.root, title=t("Open picture"), filetypes=kinds, initialdir=self.app.memory.folder("source")
        )
        if chosen:
            self.app.memory.chose("source", chosen[0])
            self.open(list(chosen), start=len(chosen) == 1)

    def open_folder(self) -> None:
        chosen = filedialog.askdirectory(
            parent=self.app.root, title=t("Open folder"), initialdir=self.app.memory.folder("source"), mustexist=True
        )
        if chosen:
            self.app.memory.chose("source", chosen)
            self.open([chosen])

    def open_video(self) -> None:
        kinds = [(t("Videos"), "*.mp4 *.avi *.mkv *.mov *.m4v *.wmv *.webm *.mpg *.ts"), (t("All files"), "*")]
        chosen = filedialog.askopenfilename(
            parent=self.app.root, title=t("Open video"), filetypes=kinds, initialdir=self.app.memory.folder("source")
        )
        if chosen:
            self.app.memory.chose("source", chosen)
            self.open([chosen])

    def camera_menu(self, toolbar: Toolbar) -> None:
        """The cameras of this computer, a stream, a watched folder, and whatever plugins bring."""
        from inspector.ui.menus import menu

        choices = menu(self.app.root)
        for spec in self.app.catalogue.sources.values():
            if "path" not in {option.key for option in spec.options}:
                choices.add_command(
                    label=f"{texts.read(spec.title)}…",
                    command=lambda id=spec.id: self.open_source(id),  # type: ignore[misc]
                )
        choices.add_separator()
        choices.add_command(label=t("looking for cameras…"), state="disabled")

        def found(devices: list[tuple[str, str]]) -> None:
            if not choices.winfo_exists():
                return
            choices.delete("end")
            for address, name in devices:
                choices.add_command(
                    label=f"{name} ({address})",
                    command=lambda address=address: self.open([address]),  # type: ignore[misc]
                )
            if not devices:
                choices.add_command(label=t("no camera found at this computer"), state="disabled")

        self.app.tasks.run(self._devices, done=found)
        choices.tk_popup(
            toolbar.winfo_rootx() + theme.px(240), toolbar.winfo_rooty() + toolbar.winfo_height() + theme.px(2)
        )

    def _devices(self) -> list[tuple[str, str]]:
        return [row for spec in self.app.catalogue.sources.values() if spec.devices for row in spec.devices()]

    def open_source(self, id: str) -> None:
        """Ask for a source's options and open it."""
        from inspector.ui.dialogs import open_source

        spec = self.app.catalogue.source(id)
        values = {**jobs.kept(self.app.settings, id, spec.options), **self.app.memory.get(f"source_{id}", {})}

        def chosen(options: dict[str, Any]) -> None:
            plain = jobs.plain(options)
            self.app.memory.put(f"source_{id}", plain)
            text = next((value for value in plain.values() if isinstance(value, str) and value), id)
            self._open(lambda: self.session.open_choices([Choice(id, plain)], text))

        open_source(self.app.root, spec, values, chosen)

    # by name

    def open(self, given: Sequence[str], remember: bool = True, start: bool = False) -> None:
        """Open what a person named or dropped; a recipe or a model file is taken for what it is."""
        # Absolute, since it is remembered, and the next start may be elsewhere.
        given = [str(Path(text).absolute()) if jobs.exists(text) else text for text in given]
        first = Path(given[0])
        if len(given) == 1 and first.suffix.lower() in _RECIPES and first.is_file():
            self.use_recipe(first)
            return
        suffixes = {suffix for spec in self.app.catalogue.models.values() for suffix in spec.suffixes}
        if len(given) == 1 and first.suffix.lower() in suffixes and first.is_file():
            self._model(str(first))
            return
        self._open(lambda: self.session.open(list(given)), given[0] if remember else "", start)

    def _open(self, open: Callable[[], None], remember: str = "", start: bool = False) -> None:
        if self.session.active:
            self.app.toast(t("A run is at work; stop it first (Esc)."), "warn")
            return
        try:
            open()
        except InputError as error:
            self.app.show_error(error)
            self.app.memory.forget("sources", remember)
            return
        if remember:
            self.app.memory.used("sources", remember)
        self._opened(start or self.session.live)

    # recipes

    def open_recipe(self) -> None:
        chosen = filedialog.askopenfilename(
            parent=self.app.root, title=t("Open recipe"), filetypes=[(t("Recipes"), "*.bearing *.json")]
        )
        if chosen:
            self.use_recipe(Path(chosen))

    def use_recipe(self, path: Path) -> None:
        """Set up the job of a run.json: sources, model, thresholds, rules."""

        def read(job: Job) -> None:
            try:
                self._job(job)
            except InputError as error:
                self.app.show_error(error)
                return
            if job.sources:
                self._open(lambda: self.session.open_choices(job.sources, jobs.title(job)))

        self.app.tasks.run(jobs.read_recipe, path, done=read)

    def save_recipe(self) -> None:
        """Save what is set up, to be repeated here or by the command line."""
        try:
            job = self.session.job()
        except InputError as error:
            self.app.show_error(error)
            return
        chosen = filedialog.asksaveasfilename(
            parent=self.app.root,
            title=t("Save recipe"),
            defaultextension=_RECIPES[0],
            filetypes=[(t("Recipes"), "*.bearing"), ("JSON", "*.json")],
        )
        if chosen:
            text = json.dumps({"job": job.to_json()}, ensure_ascii=False, indent=2) + "\n"
            self.app.tasks.run(
                paths.write_text,
                Path(chosen),
                text,
                done=lambda path: self.app.toast(t("The recipe was saved as {name}.", name=path.name), "good"),
            )
