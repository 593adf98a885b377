"""Recipe and rule files: reading, checking and saving them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inspector import __version__
from inspector.domain import TEMPLATES, Calibration, InputError, Job, ModelInfo, RecipeInfo, Rules, message, quote
from inspector.system.paths import read_json, write_text

SUFFIX = ".bearing"


@dataclass(frozen=True)
class Recipe:
    """A recipe read from a file.

    Attributes:
        job: with its ``recipe`` set.
        model: file name and SHA-256 of the model it was saved with, "" if unknown.
    """

    job: Job
    model: tuple[str, str] = ("", "")

    @property
    def info(self) -> RecipeInfo:
        assert self.job.recipe is not None
        return self.job.recipe

    def model_changed(self) -> bool:
        """Whether the model file differs from the one that the recipe was saved with. Reads the whole file.

        Raises:
            InputError: it cannot be read.
        """
        return bool(self.job.weights and self.model[1]) and _sha256(Path(str(self.job.weights))) != self.model[1]


def load(path: Path) -> Recipe:
    """Load a recipe from a ``.bearing`` file, a ``run.json``, or a file with only a job.

    The ``run.json`` of a run with a recipe is that recipe; any other is a recipe named by the run's title.

    Raises:
        InputError: it cannot be read or used.
    """
    document = _read_json(path, message("recipe"))
    content = document if isinstance(document, dict) and "job" in document else {"job": document}
    try:
        job = Job.from_json(content["job"])
    except InputError as error:
        raise InputError("The recipe {path} cannot be used: {reason}", path=path, reason=error) from None
    model = content.get("model")
    saved_with = (str(model.get("file") or ""), str(model.get("sha256") or "")) if isinstance(model, dict) else ("", "")
    if job.recipe is None:
        named = content.get("recipe")
        job = replace(job, recipe=_info(path, named if isinstance(named, dict) else content))
    return Recipe(job, saved_with)


def read_recipe(path: Path, check_model: bool = True) -> Job:
    """Load the job of a recipe; see :func:`load`.

    Args:
        check_model: refuse a model file that differs from the one that the recipe was saved with.

    Raises:
        InputError: it cannot be read or used.
    """
    recipe = load(path)
    try:
        if check_model and recipe.model_changed():
            raise InputError(
                "its model {weights} has changed since (SHA-256); choose it again to use it as it is",
                weights=recipe.job.weights,
                cli_hint="--model",
            )
    except InputError as error:
        raise InputError("The recipe {path} cannot be used: {reason}", path=path, reason=error) from None
    return recipe.job


def save(path: Path, job: Job, model: ModelInfo | None, name: str = "") -> RecipeInfo:
    """Write a recipe; overwriting one increments its version.

    Args:
        model: of the job; its SHA-256 is checked when the recipe is loaded.
        name: of the recipe; by default the file name.

    Raises:
        OSError: it cannot be written.
    """
    try:
        before = load(path).info.version if path.exists() else 0
    except InputError:
        before = 0
    named = {"name": name or path.stem, "version": before + 1}
    document = {
        "recipe": named,
        "program": {"name": "Bearing Inspector", "version": __version__},
        "model": None if model is None else {"file": model.file, "sha256": model.sha256},
        "job": replace(job, recipe=None, lot="", operator="", station="").to_json(),
    }
    write_text(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return _info(path, named)


def read_rules(path: Path) -> Rules:
    """Read rules from a JSON file; the name of a rule set is by default the file name.

    Args:
        path: the file, or the id of a template of which there is no file.

    Raises:
        InputError: the file cannot be read, or its content is wrong.
    """
    template = TEMPLATES.get(str(path))
    if template is not None and not path.exists():
        return Rules.from_json(template.rules_json())
    rules = Rules.from_json(_read_json(path, message("rules file")))
    return rules if rules.name else replace(rules, name=path.stem)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration from a JSON file.

    Raises:
        InputError: the file cannot be read, or its content is wrong.
    """
    return Calibration.from_json(_read_json(path, message("calibration")))


def save_rules(path: Path, rules: Rules) -> Rules:
    """Write a rule set for ``--rules``, named by its file; return it with that name.

    Raises:
        OSError: it cannot be written.
    """
    named = replace(rules, name=path.stem)
    write_text(path, json.dumps(named.to_json(), ensure_ascii=False, indent=2) + "\n")
    return named


def _info(path: Path, content: Mapping[str, Any]) -> RecipeInfo:
    name, version = content.get("name") or content.get("title"), content.get("version")
    whole = isinstance(version, int) and not isinstance(version, bool)
    return RecipeInfo(str(name or path.stem), int(version) if whole and version is not None else 1, _sha256(path))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            "its model {path} cannot be read ({reason}); put it back, or name another model", path=path, reason=reason
        ) from None


def _read_json(path: Path, what: str) -> Any:
    try:
        return read_json(path, _unique_keys)
    except FileNotFoundError:
        raise InputError("The {kind} {path} does not exist; give a JSON file", kind=what, path=path) from None
    except UnicodeDecodeError:
        raise InputError(
            "{path} is not a {kind}: it contains no text; choose a file that this program saved", path=path, kind=what
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "The {kind} {path} cannot be read as JSON ({reason}); docs/using.md shows one",
            kind=what,
            path=path,
            reason=error,
        ) from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise ValueError(f"{quote(name)} stands there twice")
        document[name] = value
    return document
