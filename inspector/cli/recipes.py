"""``bearing-inspector recipes``: list, show, import, export, lock and unlock recipes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inspector.cli.console import emit, print_error, print_line, table
from inspector.domain import InputError, rules_sha256
from inspector.jobs import recipe_library, recipes
from inspector.jobs.recipe_library import Entry
from inspector.jobs.recipes import SUFFIX, Recipe


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        return added

    action("list", "list the imported recipes")
    action("show", "show a recipe").add_argument("recipe", metavar="FILE|NAME")
    export = action("export", "write a recipe with its model and image as one archive")
    export.add_argument("recipe", metavar="FILE|NAME")
    export.add_argument("output", nargs="?", type=Path, metavar="FILE", help="new archive (default: NAME.bearing)")
    imported = action("import", "add a recipe or an archive to the recipes, or a run.json under a --name")
    imported.add_argument("file", type=Path, metavar="FILE", help="recipe, archive or run.json")
    imported.add_argument("--name", metavar="NAME", help="save its job as a new version of the recipe of this name")
    imported.add_argument("--author", default="", metavar="WHO", help="recorded in the recipe, with --name")
    imported.add_argument("--code", default="", metavar="CODE", help="code that opens it when scanned, with --name")
    imported.add_argument("--image", type=Path, metavar="IMAGE", help="a typical image, with --name")
    for name, text in (
        ("lock", "refuse changes of a recipe's limits"),
        ("unlock", "allow changes of a recipe's limits again"),
    ):
        locking = action(name, text)
        locking.add_argument("recipe", metavar="FILE|NAME")
        locking.add_argument("--by", required=True, metavar="WHO", help="name of who decides this; kept in the recipe")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        return _list(arguments.json)
    path = _import(arguments) if arguments.action == "import" else recipe_library.find(arguments.recipe)
    if arguments.action in ("lock", "unlock"):
        recipes.set_lock(path, arguments.by, arguments.action == "lock")
    recipe = recipes.load(path)
    problem = _problem(path, recipe)
    if arguments.action == "export":
        path = recipes.export(path, arguments.output or Path(f"{path.stem}{SUFFIX}"))
    if arguments.json:
        emit(_described(path, recipe, problem))
    elif arguments.action == "show":
        _show(path, recipe, problem)
    else:
        print_line(f"{recipe.info.name} v{recipe.info.version}: {path}")
    if problem is not None and arguments.action != "show":
        print_error(str(problem))
    return 0


def _import(arguments: argparse.Namespace) -> Path:
    if arguments.name:
        return recipe_library.save_as(arguments.file, arguments.name, arguments.author, arguments.code, arguments.image)
    if arguments.author or arguments.code or arguments.image:
        raise InputError("--author, --code and --image belong to --name; without it the recipe is imported unchanged")
    return recipe_library.add(arguments.file)


def _problem(path: Path, recipe: Recipe) -> InputError | None:
    """Why the model of the recipe cannot be used, or None."""
    try:
        recipes.check_model_of(path, recipe)
    except InputError as error:
        return error
    return None


def _described(path: Path, recipe: Recipe | None, problem: InputError | str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"file": str(path), "problem": str(problem) if problem else None}
    if recipe is None:
        return described
    lock, job = recipe.lock, recipe.job
    return described | {
        **vars(recipe.info),
        "author": recipe.author or None,
        "saved": recipe.saved or None,
        "code": recipe.code or None,
        "locked": None if lock is None else dict(vars(lock)),
        "model": {"file": recipe.model[0], "sha256": recipe.model[1]} if recipe.model[0] else None,
        "rules_sha256": rules_sha256(job.rules),
        "image": bool(recipe.thumbnail),
        "job": job.to_json(),
    }


def _list(as_json: bool) -> int:
    found = [(entry, _usable(entry)) for entry in recipe_library.entries()]
    if as_json:
        emit([_described(entry.path, entry.recipe, problem) for entry, problem in found])
        return 0
    rows = []
    for entry, problem in found:
        recipe = entry.recipe
        if recipe is None:
            rows.append([entry.path.stem, "-", "-", "-", "-", str(problem)])
            continue
        info, locked = recipe.info, "-" if recipe.lock is None else recipe.lock.by
        state = str(problem) if problem else "-"
        rows.append([info.name, str(info.version), recipe.author or "-", locked, recipe.model[0] or "-", state])
    table(["name", "version", "author", "locked by", "model", "problem"], rows)
    return 0


def _usable(entry: Entry) -> InputError | str | None:
    return entry.problem if entry.recipe is None else _problem(entry.path, entry.recipe)


def _show(path: Path, recipe: Recipe, problem: InputError | None) -> None:
    described = _described(path, recipe, problem)
    job = recipe.job
    facts = {
        **{key: described[key] for key in ("name", "version", "author", "saved", "code", "sha256")},
        "locked": "-" if recipe.lock is None else f"by {recipe.lock.by}, {recipe.lock.at}",
        "model": f"{recipe.model[0]} {recipe.model[1]}".strip(),
        "thresholds": f"confidence {job.confidence:g}, IoU {job.iou:g}",
        "rules": (job.rules.name if job.rules else "") or "-",
        "rules_sha256": described["rules_sha256"],
        "calibration": "-" if job.calibration is None else f"{job.calibration.mm_per_pixel:g} mm per pixel",
        "image size": "-" if job.image_size is None else "x".join(map(str, job.image_size)),
        "sources": ", ".join(choice.id for choice in job.sources) or "-",
        "exporters": ", ".join(choice.id for choice in job.exporters) or "-",
        "file": str(path),
        "problem": str(problem) if problem else "-",
    }
    for name, value in facts.items():
        print_line(f"{name + ':':<14}{value if value not in (None, '') else '-'}")
