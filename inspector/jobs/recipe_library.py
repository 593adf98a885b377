"""The user's recipes: the ``.bearing`` files in the folder ``recipes`` of the user's data, found by name or code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from inspector.domain import InputError, quote
from inspector.jobs import recipe_archive, recipes
from inspector.jobs.recipes import SUFFIX, Recipe
from inspector.jobs.sources import exists
from inspector.system.paths import data_folder, publish, safe_name, temporary_beside

CODE = "recipe:"  # begins a scanned code that names a recipe


@dataclass(frozen=True)
class Entry:
    """A file of the library; ``problem`` says why it cannot be used, and ``recipe`` is None then."""

    path: Path
    recipe: Recipe | None
    problem: str = ""


def folder() -> Path:
    """Folder of the recipes; it need not exist."""
    return data_folder() / "recipes"


def entries() -> Iterator[Entry]:
    """The recipes of the library by name."""
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        try:
            yield Entry(path, recipes.load(path))
        except InputError as error:
            yield Entry(path, None, str(error))


def find(text: str | Path) -> Path:
    """Return the file of a recipe: a path, or the name of one in the library.

    Raises:
        InputError: there is neither.
    """
    text = str(text)
    if exists(text):
        return Path(text)
    named = folder() / (safe_name(text) if text.lower().endswith(SUFFIX) else f"{safe_name(text)}{SUFFIX}")
    if named.is_file():
        return named
    for entry in entries():
        if entry.recipe is not None and entry.recipe.info.name == text:
            return entry.path
    known = ", ".join(entry.path.stem for entry in entries()) or "-"
    raise InputError(
        "The recipe {name} does not exist; give a file, or one of the imported recipes ({known})",
        name=quote(text),
        known=known,
    )


def find_code(code: str) -> Path | None:
    """Return the file of the recipe that a scanned code opens; None if the code is no recipe's.

    Args:
        code: the recipe's own code, or ``recipe:`` and its name.

    Raises:
        InputError: it begins with ``recipe:`` and there is no such recipe, or two recipes have this code.
    """
    code = code.strip()
    if code.lower().startswith(CODE):
        wanted = _plain(code[len(CODE) :])
        found = [entry.path for entry in entries() if entry.recipe and wanted == _plain(entry.recipe.info.name)]
        if not found:
            raise InputError("No recipe is called {name}; import it first", name=quote(code[len(CODE) :]))
    else:
        found = [entry.path for entry in entries() if entry.recipe and code and entry.recipe.code == code]
    if len(found) > 1:
        raise InputError(
            "The code {code} belongs to two recipes, {first} and {second}; give one of them another code",
            code=quote(code),
            first=found[0].stem,
            second=found[1].stem,
        )
    return found[0] if found else None


def _plain(name: str) -> str:
    """A name as scanners type it: regardless of case, spaces, hyphens and underscores."""
    return "".join(character for character in name.casefold() if character not in " -_")


def add(path: Path) -> Path:
    """Import a recipe into the library; its file keeps its bytes, and the model of an archive is stored.

    Raises:
        InputError: it cannot be used, or the library has another recipe of this name.
        OSError: it cannot be written.
    """
    recipe = recipes.load(path)
    data = recipe_archive.read_recipe_json(path) if recipe_archive.is_archive(path) else path.read_bytes()
    final = folder() / f"{safe_name(recipe.info.name)}{SUFFIX}"
    if final.exists():
        if final.read_bytes() == data:
            return final
        known = recipes.load(final)
        if known.lock is not None:
            raise InputError(
                "The recipe {name} is locked by {by}; unlock it first, or save it under another name",
                name=quote(known.info.name),
                by=known.lock.by,
            )
        if known.info.version >= recipe.info.version:
            raise InputError(
                "The recipe {name} is there already as version {there}, and this is version {version}; remove "
                "or rename one of them",
                name=quote(known.info.name),
                there=known.info.version,
                version=recipe.info.version,
            )
    folder().mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(final)
    try:
        temporary.write_bytes(data)
        return publish(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def save_as(path: Path, name: str, author: str, code: str, image: Path | None) -> Path:
    """Save the job of ``path``, for example a ``run.json``, as a recipe of the library.

    Raises:
        InputError: it cannot be used, the recipe of this name is locked, or the image cannot be read.
        OSError: it cannot be written.
    """
    from inspector.domain import ModelInfo
    from inspector.imaging import read_image

    recipe = recipes.load(path)
    recipes.check_model_of(path, recipe)
    model = ModelInfo(*recipe.model, "", ()) if recipe.model[0] else None
    pixels = None if image is None else read_image(image)[0]
    folder().mkdir(parents=True, exist_ok=True)
    final = folder() / f"{safe_name(name)}{SUFFIX}"
    job = replace(recipe.job, recipe=None)
    recipes.save(final, job, model, name, author=author, code=code, image=pixels)
    return final
