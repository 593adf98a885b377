"""A plugin's manifest: the literal ``PLUGIN = {...}`` of its module, read from the source without importing it."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Literal

from inspector.api import API_VERSION
from inspector.domain import InputError
from inspector.paths import safe_name

KINDS = ("model", "source", "exporter", "layer")
State = Literal["active", "disabled", "incompatible", "missing", "failed"]


class Refused(InputError):
    """Why a plugin is not loaded or not installed, with the state that its record gets."""

    def __init__(self, reason: str, state: State = "failed") -> None:
        super().__init__(reason)
        self.state: State = state


@dataclass(frozen=True)
class Manifest:
    """What a plugin says of itself.

    Attributes:
        id: letters, digits, ``_``, ``.`` and ``-``; unique without regard to case.
        api: the version of ``inspector.api`` that it was written for.
        kinds: what it brings, out of model, source, exporter, layer.
        requires: PEP 508 requirements on installed distributions.
    """

    id: str
    api: int
    version: str = ""
    kinds: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    description: str = ""
    description_zh: str = ""
    licence: str = ""


_PARSING = threading.Lock()
KEYS = tuple(field.name for field in fields(Manifest))


def parse(source: Path) -> ast.Module:
    """The syntax tree of a Python file.

    Raises:
        OSError, SyntaxError, ValueError, RecursionError, MemoryError: it cannot be read or is not Python.
    """
    content = source.read_bytes()
    with _PARSING:
        try:
            return ast.parse(content)
        except SystemError:  # CPython 3.11, where another thread parses too
            return ast.parse(content)


def read_manifest(source: Path) -> Manifest:
    """The manifest in a Python file, which is parsed and not run.

    Raises:
        Refused: the file is not Python, or its ``PLUGIN`` is missing, not literal or wrong.
    """
    try:
        tree = parse(source)
    except OSError as error:
        raise Refused(f"{source.name} cannot be read: {error.strerror or error}") from None
    except SyntaxError as error:
        raise Refused(f"{source.name} is not valid Python: {error.msg} (line {error.lineno})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{source.name} is not valid Python: {error}") from None
    values = [value for node in tree.body if (value := _assigned_to_plugin(node)) is not None]
    if not values:
        raise Refused(f'{source.name} has no PLUGIN = {{"id": …, "version": …, "api": {API_VERSION}}} at module level')
    if len(values) > 1:
        raise Refused(f"{source.name} assigns PLUGIN more than once")
    try:
        data = ast.literal_eval(values[0])
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise Refused(
            f"PLUGIN in {source.name} must be a literal: texts, numbers and lists, nothing computed"
        ) from None
    return check_manifest(data)


def _assigned_to_plugin(node: ast.stmt) -> ast.expr | None:
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return None
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    named = any(isinstance(target, ast.Name) and target.id == "PLUGIN" for target in targets)
    return node.value if named else None


def check_manifest(data: object) -> Manifest:
    """``data`` as a manifest; of one for another version of the interface only ``id``, ``api`` and ``version``.

    Raises:
        Refused: naming the key that is wrong.
    """
    if not isinstance(data, Mapping):
        raise Refused(f"PLUGIN must be a dictionary, not {type(data).__name__}")
    name = data.get("id")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", name):
        raise Refused(f"PLUGIN: id must be 1 to 64 letters, digits, '_', '.' or '-', not {name!r}")
    if safe_name(name) != name:
        raise Refused(f"PLUGIN: the id {name!r} is reserved on Windows; choose another")
    api = data.get("api")
    if not isinstance(api, int) or isinstance(api, bool):
        raise Refused(f"PLUGIN of {name}: api must be the whole number {API_VERSION}, not {api!r}")
    if api != API_VERSION:  # its other keys may mean something else
        return Manifest(id=name, api=api, version=str(data.get("version", "")))
    for key in data:
        if key not in KEYS:
            near = get_close_matches(str(key), KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KEYS)}"
            raise Refused(f"PLUGIN of {name}: unknown key {key!r}; {hint}")
    texts = {key: data.get(key, "") for key in ("version", "description", "description_zh", "licence")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise Refused(f"PLUGIN of {name}: {key} must be a text, not {value!r}")
    lists = {key: data.get(key, ()) for key in ("kinds", "requires")}
    for key, value in lists.items():
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise Refused(f"PLUGIN of {name}: {key} must be a list of texts, not {value!r}")
    for kind in lists["kinds"]:
        if kind not in KINDS:
            raise Refused(f"PLUGIN of {name}: unknown kind {kind!r}; known are {', '.join(KINDS)}")
    unmet(lists["requires"])  # a malformed requirement is the manifest's fault, wherever it is read
    return Manifest(id=name, api=api, kinds=tuple(lists["kinds"]), requires=tuple(lists["requires"]), **texts)


def unmet(requires: Iterable[str]) -> list[str]:
    """What of the requirements is not installed here, or in another version, each with what is.

    Raises:
        Refused: for text that is no requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    lacking = []
    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise Refused(f"{text!r} is not a requirement; write it as 'name>=1.0'") from None
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            lacking.append(f"{requirement.name}{requirement.specifier} (not installed)")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            lacking.append(f"{requirement.name}{requirement.specifier} (version {version} is installed)")
    return lacking


def check_fit(manifest: Manifest, requires: Iterable[str] = ()) -> None:
    """Nothing, where the plugin fits this program; ``requires`` is what it needs besides its manifest's list.

    Raises:
        Refused: state ``incompatible``, naming both versions, or ``missing``, naming what is lacking.
    """
    if manifest.api != API_VERSION:
        raise Refused(
            f"{manifest.id} is written for plugin interface {manifest.api}, this program has {API_VERSION}; "
            f"get a version of the plugin for interface {API_VERSION}",
            "incompatible",
        )
    if lacking := unmet([*manifest.requires, *requires]):
        raise Refused(f"{manifest.id} needs {', '.join(lacking)}", "missing")
