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
from inspector.domain import InputError, join_messages, message, quote
from inspector.system.paths import safe_name

KINDS = ("model", "source", "exporter", "layer")
State = Literal["active", "disabled", "incompatible", "missing", "failed"]


class Refused(InputError):
    """Raised if a plugin is not loaded or installed; holds the reason and the state for its record."""

    def __init__(
        self, template: object, /, *, state: State = "failed", cli_hint: str = "", **parameters: object
    ) -> None:
        super().__init__(template, cli_hint=cli_hint, **parameters)
        self.state: State = state


@dataclass(frozen=True)
class Manifest:
    """The manifest of a plugin.

    Attributes:
        id: letters, digits, ``_``, ``.`` and ``-``; unique without regard to case.
        api: the version of ``inspector.api`` that it was written for.
        kinds: the kinds of its parts: model, source, exporter, layer.
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
        except SystemError:  # CPython 3.11, if another thread parses at the same time
            return ast.parse(content)


def read_manifest(source: Path) -> Manifest:
    """Read the manifest of a Python file, which is parsed, not run.

    Raises:
        Refused: the file is not Python, or its ``PLUGIN`` is missing, not literal or wrong.
    """
    try:
        tree = parse(source)
    except OSError as error:
        raise Refused("{source} cannot be read: {reason}", source=source.name, reason=error.strerror or error) from None
    except SyntaxError as error:
        raise Refused(
            "{source} is not valid Python: {reason} (line {line})",
            source=source.name,
            reason=error.msg,
            line=error.lineno,
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refused("{source} is not valid Python: {reason}", source=source.name, reason=error) from None
    values = [value for node in tree.body if (value := _assigned_to_plugin(node)) is not None]
    if not values:
        raise Refused(
            '{source} has no PLUGIN = {{"id": …, "version": …, "api": {api_version}}} at module level',
            source=source.name,
            api_version=API_VERSION,
        )
    if len(values) > 1:
        raise Refused("{source} assigns PLUGIN more than once", source=source.name)
    try:
        data = ast.literal_eval(values[0])
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise Refused(
            "PLUGIN in {source} must be a literal: texts, numbers and lists, nothing computed", source=source.name
        ) from None
    return check_manifest(data)


def _assigned_to_plugin(node: ast.stmt) -> ast.expr | None:
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return None
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    named = any(isinstance(target, ast.Name) and target.id == "PLUGIN" for target in targets)
    return node.value if named else None


def check_manifest(data: object) -> Manifest:
    """Check ``data`` as a manifest; for another API version only ``id``, ``api`` and ``version``.

    Raises:
        Refused: naming the key that is wrong.
    """
    if not isinstance(data, Mapping):
        raise Refused("PLUGIN must be a dictionary, not {kind}", kind=type(data).__name__)
    name = data.get("id")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", name):
        raise Refused("PLUGIN: id must be 1 to 64 letters, digits, '_', '.' or '-', not {name}", name=quote(name))
    if safe_name(name) != name:
        raise Refused("PLUGIN: the id {name} is reserved on Windows; choose another", name=quote(name))
    api = data.get("api")
    if not isinstance(api, int) or isinstance(api, bool):
        raise Refused(
            "PLUGIN of {name}: api must be the whole number {api_version}, not {api}",
            name=name,
            api_version=API_VERSION,
            api=quote(api),
        )
    if api != API_VERSION:  # other keys may have another meaning
        return Manifest(id=name, api=api, version=str(data.get("version", "")))
    for key in data:
        if key not in KEYS:
            near = get_close_matches(str(key), KEYS, 1)
            hint = (
                message("did you mean {near}?", near=quote(near[0]))
                if near
                else message("known are {keys}", keys=", ".join(KEYS))
            )
            raise Refused("PLUGIN of {name}: unknown key {key}; {hint}", name=name, key=quote(key), hint=hint)
    texts = {key: data.get(key, "") for key in ("version", "description", "description_zh", "licence")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise Refused("PLUGIN of {name}: {key} must be a text, not {value}", name=name, key=key, value=quote(value))
    lists = {key: data.get(key, ()) for key in ("kinds", "requires")}
    for key, value in lists.items():
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise Refused(
                "PLUGIN of {name}: {key} must be a list of texts, not {value}", name=name, key=key, value=quote(value)
            )
    for kind in lists["kinds"]:
        if kind not in KINDS:
            raise Refused(
                "PLUGIN of {name}: unknown kind {kind}; known are {kinds}",
                name=name,
                kind=quote(kind),
                kinds=", ".join(KINDS),
            )
    unmet(lists["requires"])  # a malformed requirement is an error of the manifest
    return Manifest(id=name, api=api, kinds=tuple(lists["kinds"]), requires=tuple(lists["requires"]), **texts)


def unmet(requires: Iterable[str]) -> list[str]:
    """List the requirements that are missing or installed in another version, with that version.

    Raises:
        Refused: for a malformed requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    lacking: list[str] = []
    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise Refused("{text} is not a requirement; write it as 'name>=1.0'", text=quote(text)) from None
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            lacking.append(
                message(
                    "{requirement}{specifier} (not installed)",
                    requirement=requirement.name,
                    specifier=requirement.specifier,
                )
            )
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            lacking.append(
                message(
                    "{requirement}{specifier} (version {version} is installed)",
                    requirement=requirement.name,
                    specifier=requirement.specifier,
                    version=version,
                )
            )
    return lacking


def check_fit(manifest: Manifest, requires: Iterable[str] = ()) -> None:
    """Check that the plugin is compatible; ``requires`` adds to the requirements of its manifest.

    Raises:
        Refused: state ``incompatible``, naming both versions, or ``missing``, naming the requirements.
    """
    if manifest.api != API_VERSION:
        raise Refused(
            "{id} is written for plugin interface {api}, this program has {api_version}; "
            "get a version of the plugin for interface {api_version}",
            id=manifest.id,
            api=manifest.api,
            api_version=API_VERSION,
            state="incompatible",
        )
    if lacking := unmet([*manifest.requires, *requires]):
        raise Refused("{id} needs {lacking}", id=manifest.id, lacking=join_messages(", ", lacking), state="missing")
