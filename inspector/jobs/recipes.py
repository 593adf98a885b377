"""Recipe and rule files: reading, checking, saving and locking them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import __version__
from inspector.domain import TEMPLATES, Calibration, InputError, Job, ModelInfo, RecipeInfo, Rules, message, quote
from inspector.domain.clock import local_time
from inspector.jobs import recipe_archive
from inspector.jobs.recipe_archive import file_sha256
from inspector.system.paths import parse_json, read_json, write_state, write_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = ".bearing"
_THUMBNAIL = 240  # pixels of its longer side


@dataclass(frozen=True)
class Lock:
    """The user who locked a recipe, and the time (ISO 8601)."""

    by: str
    at: str


@dataclass(frozen=True)
class Recipe:
    """A recipe read from a file.

    Attributes:
        job: with its ``recipe`` set.
        model: file name and SHA-256 of the model it was saved with, "" if unknown.
        author: who saved it, "" if unknown.
        saved: time of saving, ISO 8601, "" if unknown.
        code: opens the recipe when it is scanned; "" for none.
        lock: None if its limits may be changed.
        thumbnail: JPEG of a typical image, empty for none.
    """

    job: Job
    model: tuple[str, str] = ("", "")
    author: str = ""
    saved: str = ""
    code: str = ""
    lock: Lock | None = None
    thumbnail: bytes = b""

    @property
    def info(self) -> RecipeInfo:
        assert self.job.recipe is not None
        return self.job.recipe

    def model_changed(self) -> bool:
        """Whether the model file differs from the one that the recipe was saved with. Reads the whole file.

        Raises:
            InputError: it cannot be read.
        """
        return bool(self.job.weights and self.model[1]) and _model_sha256(Path(str(self.job.weights))) != self.model[1]

    def check_lock(self, job: Job) -> None:
        """Refuse a job that differs from a locked recipe in more than sources, exporters, device and records.

        Raises:
            InputError: the recipe is locked and the job differs.
        """
        changed = self.job.changes(job) if self.lock is not None else []
        if self.lock is not None and changed:
            raise InputError(
                "The recipe {name} is locked by {by}, so {changed} cannot be changed; unlock it first",
                name=quote(self.info.name),
                by=self.lock.by,
                changed=", ".join(changed),
                cli_hint="bearing-inspector recipes unlock NAME --by WHO",
            )


def load(path: Path) -> Recipe:
    """Load a recipe from a ``.bearing`` file, a ``run.json``, or a file with only a job.

    The ``run.json`` of a run with a recipe is that recipe; any other is a recipe named by the run's title. The model
    of an archive is copied into the user's folder, see :mod:`inspector.jobs.recipe_archive`.

    Raises:
        InputError: it cannot be read or used.
    """
    data = recipe_archive.unpack(path) if recipe_archive.is_archive(path) else None
    return parse(path, _read_json(path, message("recipe"), data), data)


def parse(path: Path, document: Any, data: bytes | None = None) -> Recipe:
    """Return the recipe in the JSON ``document`` of ``path``.

    Args:
        data: the document as bytes, for its fingerprint; by default the content of the file.

    Raises:
        InputError: it cannot be used.
    """
    content = document if isinstance(document, dict) and "job" in document else {"job": document}
    try:
        job = Job.from_json(content["job"])
        facts = _facts(content)
    except InputError as error:
        raise InputError("The recipe {path} cannot be used: {reason}", path=path, reason=error) from None
    model = content.get("model")
    saved_with = (str(model.get("file") or ""), str(model.get("sha256") or "")) if isinstance(model, dict) else ("", "")
    if job.recipe is None:
        named = content.get("recipe")
        job = replace(job, recipe=_info(path, named if isinstance(named, dict) else content, data))
    if stored := recipe_archive.stored_model(saved_with[1]):
        job = replace(job, weights=str(stored))
    return Recipe(job, saved_with, **facts)


def read_recipe(path: Path, check_model: bool = True) -> Job:
    """Load the job of a recipe; see :func:`load` and :func:`check_model_of`.

    Args:
        check_model: refuse a model file that differs from the one that the recipe was saved with.

    Raises:
        InputError: it cannot be read or used.
    """
    recipe = load(path)
    if check_model:
        check_model_of(path, recipe)
    return recipe.job


def check_model_of(path: Path, recipe: Recipe) -> None:
    """Refuse a model file that is missing, or differs from the one that the recipe was saved with.

    Raises:
        InputError: it is not the same file.
    """
    try:
        if recipe.model_changed():
            raise InputError(
                "its model {weights} has changed since (SHA-256); choose it again to use it as it is",
                weights=recipe.job.weights,
                cli_hint="--model",
            )
    except InputError as error:
        raise InputError("The recipe {path} cannot be used: {reason}", path=path, reason=error) from None


def save(
    path: Path,
    job: Job,
    model: ModelInfo | None,
    name: str = "",
    *,
    author: str = "",
    code: str = "",
    image: NDArray[np.uint8] | None = None,
) -> RecipeInfo:
    """Write a recipe; overwriting one increments its version and keeps its author, code and image unless given.

    Args:
        model: of the job; its SHA-256 is checked when the recipe is loaded.
        name: of the recipe; by default the file name.
        image: a typical image, (H, W, 3) uint8 BGR: its size is checked later, and it becomes the thumbnail.

    Raises:
        InputError: the recipe is locked.
        OSError: it cannot be written.
    """
    before = None
    if path.exists():
        with contextlib.suppress(InputError):
            before = load(path)
    if before is not None and before.lock is not None:
        raise InputError(
            "The recipe {name} is locked by {by}; unlock it first, or save it under another name",
            name=quote(before.info.name),
            by=before.lock.by,
        )
    if image is not None:
        job = replace(job, image_size=(image.shape[1], image.shape[0]))
    thumbnail = _thumbnail(image) if image is not None else before.thumbnail if before is not None else b""
    named: dict[str, Any] = {
        "name": name or path.stem,
        "version": 1 if before is None else before.info.version + 1,
        "author": author or ("" if before is None else before.author),
        "saved": local_time(),
        "code": code or ("" if before is None else before.code),
    }
    document = {
        "recipe": named,
        "program": {"name": "Bearing Inspector", "version": __version__},
        "model": None if model is None else {"file": model.file, "sha256": model.sha256},
        "image": base64.b64encode(thumbnail).decode() or None,
        "job": replace(job, recipe=None, lot="", operator="", station="").to_json(),
    }
    write_text(path, _text(document))
    return _info(path, named)


def export(path: Path, output: Path, overwrite: bool = False) -> Path:
    """Write a recipe with its model and thumbnail as one archive; return its path.

    Args:
        path: of the recipe, a file of its own or an archive.
        overwrite: replace an existing file, which the user confirmed.

    Raises:
        InputError: the recipe or its model cannot be used, or ``output`` exists.
        OSError: it cannot be written.
    """
    recipe = load(path)
    check_model_of(path, recipe)
    document = recipe_archive.read_recipe_json(path) if recipe_archive.is_archive(path) else path.read_bytes()
    weights = Path(recipe.job.weights) if recipe.job.weights else None
    return recipe_archive.export(output, document, weights, recipe.model, recipe.thumbnail, overwrite)


def set_lock(path: Path, by: str, locked: bool) -> RecipeInfo:
    """Lock or unlock a recipe; who did it is kept in the file (``changes``).

    Raises:
        InputError: no name is given, the file is no recipe of its own, or it is locked already or not locked.
        OSError: it cannot be written.
    """
    by = " ".join(by.split())
    if not by:
        raise InputError("Give the name of who locks or unlocks the recipe", cli_hint="--by WHO")
    document, recipe = _own_document(path)
    if locked and recipe.lock is not None:
        raise InputError(
            "The recipe {name} is locked already, by {by}", name=quote(recipe.info.name), by=recipe.lock.by
        )
    if not locked and recipe.lock is None:
        raise InputError("The recipe {name} is not locked", name=quote(recipe.info.name))
    named, now = document["recipe"], local_time()
    named["locked"] = {"by": by, "at": now} if locked else None
    before = named.get("changes")
    named["changes"] = [
        *(before if isinstance(before, list) else []),
        {"what": "locked" if locked else "unlocked", "by": by, "at": now},
    ]
    write_state(path, _text(document))
    return _info(path, named)


def _own_document(path: Path) -> tuple[dict[str, Any], Recipe]:
    """The JSON document of a recipe file that may be changed in place."""
    if recipe_archive.is_archive(path):
        raise InputError(
            "{path} is an archive; import it first", path=path, cli_hint="bearing-inspector recipes import"
        )
    document = _read_json(path, message("recipe"))
    recipe = parse(path, document)
    if not isinstance(document, dict) or not isinstance(document.get("recipe"), dict) or "run" in document:
        raise InputError("{path} is the record of a run; save it as a recipe first", path=path)
    return document, recipe


def _facts(content: Mapping[str, Any]) -> dict[str, Any]:
    """Author, time, code, lock and thumbnail, as far as an earlier version wrote them."""
    named = content.get("recipe")
    named = named if isinstance(named, dict) else {}
    texts = {key: value for key in ("author", "saved", "code") if isinstance(value := named.get(key), str)}
    locked, lock = named.get("locked"), None
    if locked:
        if not isinstance(locked, dict) or not all(isinstance(locked.get(key), str) for key in ("by", "at")):
            raise InputError('locked must be {{"by": …, "at": …}}, not {value}', value=quote(locked))
        lock = Lock(locked["by"], locked["at"])
    image, thumbnail = content.get("image"), b""
    if isinstance(image, str):
        try:
            thumbnail = base64.b64decode(image, validate=True)
        except ValueError:
            raise InputError("its image is damaged") from None
    return {**texts, "lock": lock, "thumbnail": thumbnail}


def _thumbnail(image: NDArray[np.uint8]) -> bytes:
    """JPEG of at most 240 pixels a side."""
    import cv2

    scale = min(1.0, _THUMBNAIL / max(image.shape[:2]))
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    done, packed = cv2.imencode(".jpg", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return packed.tobytes() if done else b""


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


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


def _info(path: Path, content: Mapping[str, Any], data: bytes | None = None) -> RecipeInfo:
    name, version = content.get("name") or content.get("title"), content.get("version")
    whole = isinstance(version, int) and not isinstance(version, bool)
    sha256 = _model_sha256(path) if data is None else hashlib.sha256(data).hexdigest()
    return RecipeInfo(str(name or path.stem), int(version) if whole and version is not None else 1, sha256)


def _model_sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            "its model {path} cannot be read ({reason}); put it back, or name another model", path=path, reason=reason
        ) from None


def _read_json(path: Path, what: str, data: bytes | None = None) -> Any:
    try:
        return read_json(path, _unique_keys) if data is None else parse_json(data, _unique_keys)
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
