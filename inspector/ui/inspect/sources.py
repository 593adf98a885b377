"""Open sources: images, folders, videos, cameras, sources of any plugin, and recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tkinter import filedialog
from typing import TYPE_CHECKING, Any

from inspector import registry
from inspector.api import IMAGE_SUFFIXES, Choice
from inspector.domain import InputError, Job
from inspector.jobs import recipe_library, recipes
from inspector.jobs.options import saved_options, to_json_options
from inspector.jobs.recipes import Recipe
from inspector.jobs.sources import exists
from inspector.system import credentials
from inspector.ui.kit import strings, theme
from inspector.ui.kit.rule_summary import rules_text
from inspector.ui.kit.strings import tr
from inspector.ui.kit.window_state import choices_from_json, choices_to_json

if TYPE_CHECKING:
    from inspector.domain import Image
    from inspector.ui.inspect.host import InspectHost
    from inspector.ui.inspect.toolbar import Toolbar

_RECIPES = (".bearing", ".json")  # the first opens this program; a run.json is a recipe too


class Sources:
    """Open sources and recipes for the session.

    Args:
        opened: called after the source was changed; True: start immediately.
        model: called with a weights file that was opened like a source.
        job: called with the job of a recipe.
        recipe_changed: called after another recipe, or none, was set up, locked or unlocked.
        shown_image: returns the image that is saved with a recipe, None if none is shown.
    """

    def __init__(
        self,
        host: InspectHost,
        opened: Callable[[bool], None],
        model: Callable[[str], None],
        job: Callable[[Job], None],
        recipe_changed: Callable[[], None] = lambda: None,
        shown_image: Callable[[], Image | None] = lambda: None,
    ) -> None:
        self.host, self.session = host, host.session
        self._opened, self._model, self._job = opened, model, job
        self._recipe_changed, self._shown_image = recipe_changed, shown_image
        self._recipe = ""  # the file of the recipe that is set up

    # by dialogs

    def open_image(self) -> None:
        """Choose one image, which is inspected immediately, or several."""
        kinds = [(tr("Images"), " ".join(f"*{suffix}" for suffix in sorted(IMAGE_SUFFIXES))), (tr("All files"), "*")]
        chosen = filedialog.askopenfilenames(
            parent=self.host.root,
            title=tr("Open image"),
            filetypes=kinds,
            initialdir=self.host.window_state.folder("source"),
        )
        if chosen:
            self.host.window_state.remember_folder("source", chosen[0])
            self.open(list(chosen), start=len(chosen) == 1)

    def open_folder(self) -> None:
        chosen = filedialog.askdirectory(
            parent=self.host.root,
            title=tr("Open folder"),
            initialdir=self.host.window_state.folder("source"),
            mustexist=True,
        )
        if chosen:
            self.host.window_state.remember_folder("source", chosen)
            self.open([chosen])

    def open_video(self) -> None:
        kinds = [(tr("Videos"), "*.mp4 *.avi *.mkv *.mov *.m4v *.wmv *.webm *.mpg *.ts"), (tr("All files"), "*")]
        chosen = filedialog.askopenfilename(
            parent=self.host.root,
            title=tr("Open video"),
            filetypes=kinds,
            initialdir=self.host.window_state.folder("source"),
        )
        if chosen:
            self.host.window_state.remember_folder("source", chosen)
            self.open([chosen])

    def camera_menu(self, toolbar: Toolbar) -> None:
        """Show a menu of local cameras, the network camera, and camera sources of plugins."""
        from inspector.ui.kit.menu import menu

        choices = menu(self.host.root)
        for spec in self.host.catalogue.sources.values():
            if not {"path", "folder"} & {option.key for option in spec.options}:
                choices.add_command(
                    label=tr("Network camera…") if spec.droppable else f"{strings.localized(spec.title)}…",
                    command=lambda id=spec.id: self.open_source(id),  # type: ignore[misc]
                )
        choices.add_separator()
        choices.add_command(label=tr("looking for cameras…"), state="disabled")

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
                choices.add_command(label=tr("no camera found on this computer"), state="disabled")

        self.host.tasks.run(self._devices, done=found)
        choices.tk_popup(
            toolbar.winfo_rootx() + theme.px(240), toolbar.winfo_rooty() + toolbar.winfo_height() + theme.px(2)
        )

    def _devices(self) -> list[tuple[str, str]]:
        catalogue = self.host.catalogue
        found = registry.devices(catalogue, tuple(catalogue.sources.values()))
        return [(address, name) for _, address, name in found]

    def open_watched(self) -> None:
        """Ask for a folder to be watched, and inspect what is put into it."""
        for spec in self.host.catalogue.sources.values():
            if "folder" in {option.key for option in spec.options}:
                self.open_source(spec.id)
                return
        self.host.toast(tr("No plugin for watched folders is active."), "warn")

    def open_source(self, id: str, values: Mapping[str, Any] | None = None, message: str = "") -> None:
        """Ask for a source's options and open it.

        Args:
            values: initial values; None: those of the last time.
            message: error message shown initially.
        """
        from inspector.ui.inspect.source_dialog import open_source

        spec = self.host.catalogue.source(id)
        if values is None:
            values = {
                **saved_options(self.host.settings, id, spec.options),
                **self.host.window_state.get(f"source_{id}", {}),
            }

        def chosen(options: dict[str, Any]) -> None:
            plain = credentials.conceal_options(to_json_options(options))
            self.host.window_state.set(f"source_{id}", plain)
            self._open_choices([Choice(id, plain)])

        open_source(self.host.root, spec, values, chosen, self.host.tasks, message)

    def _open_choices(self, choices: Sequence[Choice], text: str = "", start: bool | None = None) -> None:
        """Open sources with their options, and list them among the recent ones.

        Args:
            start: start immediately; None: only if they are live.
        """
        choices = [credentials.conceal_choice(choice) for choice in choices]
        text = text or _called(choices)
        self._open(lambda: self.session.open_choices(choices, text), text, start, choices)

    # by name

    def open(self, texts: Sequence[str], remember: bool = True, start: bool = False) -> None:
        """Open sources that the user named or dropped; recipes and model files are recognised."""
        # Absolute, since it is remembered and the next start may have another working directory.
        texts = [str(Path(text).absolute()) if exists(text) else text for text in texts]
        first = Path(texts[0])
        if len(texts) == 1 and first.suffix.lower() in _RECIPES and first.is_file():
            self.use_recipe(first)
            return
        suffixes = {suffix for spec in self.host.catalogue.models.values() for suffix in spec.suffixes}
        if len(texts) == 1 and first.suffix.lower() in suffixes and first.is_file():
            self._model(str(first))
            return
        if len(texts) == 1 and (choices := self.host.window_state.source_options(texts[0])):
            self._open_choices(choices, texts[0])
            return
        text = credentials.conceal(texts[0])
        self._open(lambda: self.session.open(list(texts)), text if remember else "", start or None)

    def _open(
        self,
        open: Callable[[], None],
        remember: str = "",
        start: bool | None = None,
        choices: Sequence[Choice] = (),
        recipe: str = "",
    ) -> None:
        if self.session.active:
            self.host.toast(tr("An inspection is running; stop it first (Esc)."), "warn")
            return
        try:
            open()
        except InputError as error:
            self.host.show_error(error)
            self.host.window_state.remove_recent("sources", remember)
            return
        if remember and choices:
            self.host.window_state.add_recent_source(remember, choices)
        elif remember:
            self.host.window_state.add_recent("sources", remember)
        if recipe or self.session.lock is None:  # a locked recipe stays in force for other sources
            self._recipe = recipe
            self.session.use_recipe(None)
            self._recipe_changed()
        if remember:
            self.keep_job()
        if self.session.live if start is None else start:
            self.when_known(lambda: self._opened(True), lambda: self._opened(False))
        else:
            self._opened(False)

    def when_known(self, go: Callable[[], object], wait: Callable[[], object] = lambda: None) -> None:
        """Call ``go`` at once, or ``wait`` and then ``go`` where a password is known; else ask for it."""
        sources = self.session.sources
        masked = [
            (choice, value)
            for choice in sources
            for value in choice.options.values()
            if isinstance(value, str) and credentials.is_masked(value)
        ]
        if not masked:
            go()
            return
        wait()
        choice, address = masked[0]

        def found(known: bool) -> None:
            if self.session.sources is not sources:
                return
            if known:
                go()
            else:
                self.open_source(choice.id, choice.options, tr("Enter the password of this camera."))

        self.host.tasks.run(credentials.known, address, done=found)

    # the last job

    def keep_job(self) -> None:
        """Remember what is set up, for the next start."""
        session = self.session
        job = {"sources": choices_to_json(session.sources), "text": session.text, "recipe": self._recipe}
        self.host.window_state.set("last_job", job)

    def reopen(self, start: bool) -> bool:
        """Reopen the last source, and start it if ``start`` is set.

        Returns:
            False if there is none, or it does not exist any more.
        """
        job = self.host.window_state.get("last_job", {})
        choices = choices_from_json(job.get("sources"))
        known = self.host.catalogue.sources
        places = [
            value for choice in choices for key, value in choice.options.items() if key == "path" and choice.id in known
        ]
        if not choices or any(choice.id not in known for choice in choices) or not all(map(exists, places)):
            return False
        recipe = Path(str(job.get("recipe") or ""))
        if recipe.name and recipe.is_file():
            self.use_recipe(recipe, start)
            return True
        text = str(job.get("text") or "")
        self._open(lambda: self.session.open_choices(choices, text), text, start, choices)
        return bool(self.session.sources)

    # recipes

    def open_recipe(self) -> None:
        chosen = filedialog.askopenfilename(
            parent=self.host.root,
            title=tr("Open recipe"),
            filetypes=[(tr("Recipes"), "*.bearing *.json")],
            initialdir=self.host.window_state.folder("recipe"),
        )
        if chosen:
            self.host.window_state.remember_folder("recipe", chosen)
            self.use_recipe(Path(chosen))

    def use_recipe(self, path: Path, start: bool | None = None) -> None:
        """Set up sources, model, thresholds and rules of a recipe or run.json, and report them.

        Args:
            start: start immediately; None: only if its source is live.
        """

        def read() -> tuple[Recipe, bool]:
            recipe = recipes.load(path)
            return recipe, recipe.model_changed()

        def came(found: tuple[Recipe, bool]) -> None:
            recipe, changed = found
            if self.session.active:
                self.host.toast(tr("An inspection is running; stop it first (Esc)."), "warn")
                return
            try:
                self._job(recipe.job)
            except InputError as error:
                self.host.show_error(error)
                return
            self.host.window_state.add_recent("recipes", str(path.absolute()))
            job = recipe.job
            if job.sources:
                choices = [credentials.conceal_choice(choice) for choice in job.sources]
                text, place = _called(choices), str(path.absolute())
                self._open(lambda: self.session.open_choices(choices, text), text, start, choices, place)
            self._recipe = str(path.absolute())
            self.session.use_recipe(recipe, follow=not changed)
            self._recipe_changed()
            self._tell(recipe, changed)

        def refused(error: BaseException) -> None:
            self.host.window_state.remove_recent("recipes", str(path.absolute()))
            self.host.show_error(error)

        self.host.tasks.run(read, done=came, failed=refused)

    def _tell(self, recipe: Recipe, changed: bool) -> None:
        """Report what a recipe has set up."""
        job, name = recipe.job, recipe.info.name
        if changed:
            text = tr(
                ("The model file {file} differs from the one the recipe “{name}” was saved with; check it first."),
                file=Path(str(job.weights)).name,
                name=name,
            )
            self.host.toast(text, "bad")
            return
        text = tr(
            "Recipe “{name}” is set up: model {model}, confidence {confidence}, IoU {iou}, {rules}",
            name=name,
            model=recipe.model[0] or (Path(job.weights).name if job.weights else tr("bundled model")),
            confidence=f"{job.confidence:g}",
            iou=f"{job.iou:g}",
            rules=rules_text(job.rules),
        )
        self.host.toast(text, "good")

    def use_run(self, job: Job, title: str) -> None:
        """Set up the job of a run that is resumed."""
        self._job(job)
        self._open(lambda: self.session.open_choices(job.sources, title))

    def save_recipe(self) -> None:
        """Save what is set up, to be repeated here or by the command line."""
        try:
            job = self.session.job()
        except InputError as error:
            self.host.show_error(error)
            return
        chosen = filedialog.asksaveasfilename(
            parent=self.host.root,
            title=tr("Save recipe"),
            defaultextension=_RECIPES[0],
            filetypes=[(tr("Recipes"), "*.bearing"), ("JSON", "*.json")],
            initialdir=self.host.window_state.folder("recipe"),
            initialfile=f"{self.session.recipe}{_RECIPES[0]}" if self.session.recipe else "",
        )
        if chosen:
            self.host.window_state.remember_folder("recipe", chosen)
            self.save_recipe_as(Path(chosen), job)

    def save_recipe_as(self, path: Path, job: Job) -> None:
        """Save ``job`` as a recipe that is called as the file, and follow it from now on."""
        model = self.session.model.info if self.session.model is not None else None

        image, author = self._shown_image(), self.session.facts.get("operator", "")

        def save() -> Recipe:
            recipes.save(path, job, model, author=author, image=image)
            return recipes.load(path)

        def saved(recipe: Recipe) -> None:
            self._recipe = str(path.absolute())
            self.host.window_state.add_recent("recipes", self._recipe)
            self._follow(recipe)
            self.keep_job()
            self.host.toast(
                tr("The recipe was saved as {name}, version {version}.", name=path.name, version=recipe.info.version),
                "good",
            )

        self.host.tasks.run(save, done=saved)

    def _follow(self, recipe: Recipe) -> None:
        """Follow a recipe whose job is set up already."""
        self.session.use_recipe(replace(recipe, job=replace(recipe.job, sources=self.session.sources)))
        self._recipe_changed()

    def import_recipe(self) -> None:
        """Choose a recipe or an archive, add it to the recipes, and set it up."""
        chosen = filedialog.askopenfilename(
            parent=self.host.root,
            title=tr("Import recipe"),
            filetypes=[(tr("Recipes"), "*.bearing")],
            initialdir=self.host.window_state.folder("recipe"),
        )
        if chosen:
            self.host.window_state.remember_folder("recipe", chosen)
            self.host.tasks.run(recipe_library.add, Path(chosen), done=self.use_recipe)

    def export_recipe(self) -> None:
        """Write the recipe that is set up as one archive with its model."""
        path = Path(self._recipe)
        if not self._recipe:
            self.host.toast(tr("No recipe is set up; open or save one first."), "warn")
            return
        chosen = filedialog.asksaveasfilename(
            parent=self.host.root,
            title=tr("Export recipe with its model"),
            defaultextension=_RECIPES[0],
            filetypes=[(tr("Recipes"), "*.bearing")],
            initialdir=self.host.window_state.folder("export"),
            initialfile=path.name,
        )
        if not chosen:
            return
        self.host.window_state.remember_folder("export", chosen)

        def exported(file: Path) -> None:
            self.host.toast(tr("The recipe and its model were exported to {name}.", name=file.name), "good")

        self.host.tasks.run(recipes.export, path, Path(chosen), True, done=exported)

    def close_recipe(self) -> None:
        """Follow no recipe any more; what it has set up stays as it is."""
        self._recipe = ""
        self.session.use_recipe(None)
        self._recipe_changed()
        self.keep_job()

    def set_lock(self) -> None:
        """Lock the recipe that is set up, or unlock it, after asking who does so."""
        from inspector.ui.inspect.lock_dialog import ask_who

        path, locked = Path(self._recipe), self.session.lock is None
        if not self._recipe:
            self.host.toast(tr("No recipe is set up; open or save one first."), "warn")
            return

        def change(by: str) -> None:
            def write() -> Recipe:
                recipes.set_lock(path, by, locked)
                return recipes.load(path)

            def done(recipe: Recipe) -> None:
                self._follow(recipe)
                name = recipe.info.name
                self.host.toast(
                    tr("The recipe “{name}” is locked.", name=name)
                    if locked
                    else tr("The recipe “{name}” is unlocked.", name=name),
                    "good",
                )

            self.host.tasks.run(write, done=done)

        ask_who(self.host.root, self.session.recipe, locked, self.session.facts.get("operator", ""), change)

    def use_code(self, code: str) -> None:
        """Set up the recipe that a scanned code belongs to; other codes are ignored."""

        def found(path: Path | None) -> None:
            if path is not None:
                self.use_recipe(path)

        self.host.tasks.run(recipe_library.find_code, code, done=found)


def _called(choices: Sequence[Choice]) -> str:
    """Return the display name of sources opened with options: the address or the watched folder."""
    if not choices:
        return ""
    choice = choices[0]
    text = next((value for value in choice.options.values() if isinstance(value, str) and value), choice.id)
    named = f"watch:{text}" if "folder" in choice.options and "://" not in text else text
    return f"{named} +{len(choices) - 1}" if len(choices) > 1 else named
