"""Installation, removal, enabling and disabling of plugins in the user's plugin folder, without pip."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.domain import InputError, message, quote
from inspector.registry.archives import copy_folder, unpack
from inspector.registry.discovery import Candidate, find_candidates, find_dropins, read_dropin
from inspector.registry.loading import forget
from inspector.registry.manifest import Manifest, Refused, check_fit, read_manifest
from inspector.registry.state import read_state, state_folder, write_state
from inspector.registry.wheels import check_wheel
from inspector.system import paths


@dataclass(frozen=True)
class Installed:
    """A plugin that was installed, or would be (:func:`look`); it has not been run.

    Attributes:
        path: its location.
        sha256: of the file that was given; for a folder, of its files' names and contents.
        replaced: version of the plugin that it replaces ("" if unknown); None if there is none.
    """

    manifest: Manifest
    path: Path
    sha256: str
    replaced: str | None = None

    def to_json(self) -> dict[str, Any]:
        manifest = self.manifest
        return {
            "id": manifest.id,
            "version": manifest.version,
            "api": manifest.api,
            "kinds": list(manifest.kinds),
            "path": str(self.path),
            "sha256": self.sha256,
            "replaced": self.replaced,
        }


def look(given: Path) -> Installed:
    """Describe what :func:`install` would install from ``given``, for confirmation; change and run nothing.

    Raises:
        InputError: as :func:`install`.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bearing-plugin-", ignore_cleanup_errors=True) as temporary,
        staged(given, Path(temporary)) as candidate,
    ):
        assert candidate.manifest is not None
        return _described(candidate.manifest, given, _same(candidate.manifest))


def install(given: Path, sha256: str | None = None) -> Installed:
    """Install from a ``.py``, a folder, a ``.zip`` or a pure Python wheel without running it.

    A plugin of the same id is replaced and kept in ``plugins-state/previous/<id>`` until the next installation.

    Args:
        sha256: the expected hash, from :func:`look`.

    Raises:
        InputError: it is no plugin, is incompatible, lacks a requirement, is not safe to unpack or is not
            what was looked at.
    """
    with staged(given, paths.plugins_folder()) as candidate:
        manifest, folder = candidate.manifest, candidate.place
        assert manifest is not None and folder is not None
        same = _same(manifest)
        installed = _described(manifest, given, same)
        if sha256 not in (None, installed.sha256):
            raise Refused("{path} has changed since it was checked; check it again", path=given.name)
        old = {each.place: None for each in same if each.place is not None}
        if installed.path.exists():  # a folder with that name, whatever its content
            old[installed.path] = None
        _replace(folder, installed.path, list(old), state_folder() / "previous" / manifest.id)
    state = read_state()
    state[manifest.id] = {"sha256": installed.sha256}
    write_state(state)
    return installed


def _same(manifest: Manifest) -> list[Candidate]:
    """The drop-ins with that id, which would be replaced; raise Refused if the id belongs to another origin."""
    same = [each for each in find_candidates() if each.id.casefold() == manifest.id.casefold()]
    for other in same:
        if other.origin != "drop-in":
            raise Refused(
                "The id {id!r} belongs to a plugin that is {origin}; change it in PLUGIN",
                id=manifest.id,
                origin=message(other.origin),
            )
    return same


def _described(manifest: Manifest, given: Path, same: list[Candidate]) -> Installed:
    replaced = next((each.manifest.version if each.manifest else "" for each in same), None)
    return Installed(manifest, paths.plugins_folder() / manifest.id, _hash(given), replaced)


@contextmanager
def staged(given: Path, parent: Path) -> Iterator[Candidate]:
    """Copy ``given`` in its installed form into a temporary folder inside ``parent``.

    Raises:
        InputError: it is no plugin, is incompatible, or ``parent`` cannot be written.
    """
    given = Path(given)
    if not given.exists():
        raise InputError("There is no {path}; give a .py file, a folder, a .zip or a .whl", path=given)
    try:
        folder = tempfile.TemporaryDirectory(prefix=".tmp-", dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(
            "{parent} cannot be written ({reason}); make it writable", parent=parent, reason=error.strerror or error
        ) from None
    with folder as temporary:
        raw = Path(temporary) / "given"
        raw.mkdir()
        if given.is_dir():
            if raw.is_relative_to(given.resolve()):
                raise InputError("{path} contains the program's own data; give the plugin's folder", path=given)
            copy_folder(given, raw)
        elif given.suffix.lower() == ".py":
            read_manifest(given)  # so that an error names the file that the user knows
            shutil.copyfile(given, raw / given.name)
        elif given.suffix.lower() in (".zip", ".whl"):
            unpack(given, raw)
        else:
            raise InputError("{path} is not a plugin; give a .py file, a folder, a .zip or a .whl", path=given.name)
        candidate = read_dropin(_arranged(raw, given))
        if candidate.problem is not None:
            raise candidate.problem
        assert candidate.manifest is not None
        check_fit(candidate.manifest, candidate.requires)
        yield candidate


def _arranged(raw: Path, given: Path) -> Path:
    """The folder within ``raw`` that serves as a drop-in; a single file is put into a folder."""
    if any(raw.glob("*.dist-info")):
        if not given.is_dir():
            check_wheel(raw, given.name)
        return raw
    if (raw / "__init__.py").is_file():
        return raw
    entries = [path for path in sorted(raw.iterdir()) if not path.name.startswith((".", "__"))]
    packages = [path for path in entries if (path / "__init__.py").is_file()]
    modules = [path for path in entries if path.suffix == ".py" and path.is_file()]
    if len(packages) == 1 and not modules:
        return packages[0]
    if len(modules) > 1 and not packages:
        modules = [path for path in modules if _has_manifest(path)]
    if len(modules) == 1 and not packages:
        folder = raw.parent / modules[0].stem
        folder.mkdir()
        paths.replace_patiently(modules[0], folder / "__init__.py")
        return folder
    wanted = message("one .py with PLUGIN, one folder with __init__.py, or the files of such a folder")
    raise Refused(
        "{path} contains no plugin, or more than one; expected is {expected}", path=given.name, expected=wanted
    )


def _has_manifest(source: Path) -> bool:
    try:
        read_manifest(source)
    except Refused:
        return False
    return True


def _replace(new: Path, final: Path, old: list[Path], previous: Path) -> None:
    """Replace ``old`` by ``new`` and keep it as ``previous``; roll back on an error."""
    moved: list[tuple[Path, Path]] = []
    try:
        if old:
            if previous.exists():
                shutil.rmtree(previous)
            previous.mkdir(parents=True)
        for place in old:
            forget(place)
            moved.append((place, previous / place.name))
            paths.replace_patiently(place, previous / place.name)
        paths.replace_patiently(new, final)
    except OSError as error:
        for place, aside in moved:
            if aside.exists() and not place.exists():
                paths.replace_patiently(aside, place)
        raise InputError(
            "{path} cannot be written ({reason}); close what uses it", path=final, reason=error.strerror or error
        ) from None


def _hash(given: Path) -> str:
    """SHA-256 of a file; of a folder: of the lines ``<SHA-256>  <relative path>`` of its files, as sha256sum does."""
    if given.is_file():
        return hashlib.sha256(given.read_bytes()).hexdigest()
    lines = []
    for root, folders, names in os.walk(given):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for path in (Path(root, name) for name in names if not name.startswith(".")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append((path.relative_to(given).as_posix(), digest))
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()


def remove(name: str) -> Path:
    """Delete a plugin from the plugin folder by its id, file or folder name; return the deleted path.

    Raises:
        InputError: it does not exist, or was not installed by this program.
    """
    candidates = find_candidates()
    dropins = [each for each in candidates if each.place is not None]
    found = [each for each in dropins if each.place is not None and each.place.name == name]
    found = found or [each for each in dropins if each.id == name]
    if len(found) > 1:
        names = ", ".join(each.place.name for each in found if each.place)
        raise InputError(
            "{name} is the id of several plugins; name the file or folder: {names}", name=quote(name), names=names
        )
    if not found:
        _known(name, candidates)
        if any(each.id == name and each.origin == "built-in" for each in candidates):
            raise InputError(
                "{name} is built in and cannot be removed; disable it instead",
                name=quote(name),
                cli_hint=f"plugins disable {name}",
            )
        raise InputError(
            "{name} was installed as a package; remove it with pip, or disable it",
            name=quote(name),
            cli_hint=f"plugins disable {name}",
        )
    place = found[0].place
    assert place is not None
    forget(place)
    try:
        if _is_junction(place):
            place.rmdir()  # the link alone
        elif place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
    except OSError as error:
        raise InputError(
            "{path} cannot be deleted ({reason}); close what uses it", path=place, reason=error.strerror or error
        ) from None
    state = read_state()
    if state.pop(found[0].id, None) is not None and not any(each.id == found[0].id for each in find_dropins()):
        write_state(state)
    return place


def disable(plugin_id: str) -> None:
    """Disable the plugin from the next start on; raise InputError for an unknown id."""
    _known(plugin_id, find_candidates())
    state = read_state()
    state.setdefault(plugin_id, {})["off"] = message("disabled by the user")
    write_state(state)


def enable(plugin_id: str) -> None:
    """Enable the plugin from the next start on, also after a crash; raise InputError for an unknown id."""
    _known(plugin_id, find_candidates())
    state = read_state()
    if state.get(plugin_id, {}).pop("off", None) is not None:
        write_state(state)


def _known(plugin_id: str, candidates: list[Candidate]) -> None:
    ids = list(dict.fromkeys(each.id for each in candidates))
    if plugin_id not in ids:
        raise InputError("There is no plugin {id}; known are {ids}", id=quote(plugin_id), ids=", ".join(ids))


def _is_junction(place: Path) -> bool:
    """Whether a folder is a Windows junction. (Python 3.12 has ``Path.is_junction``.)"""
    tag = getattr(place.lstat(), "st_reparse_tag", 0)
    return bool(tag) and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
