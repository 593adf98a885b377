"""Puts plugins into the user's plugins folder and takes them out, without pip; switches plugins on and off."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.domain import InputError
from inspector.registry.archives import copy_folder, unpack
from inspector.registry.discovery import Candidate, find_candidates, find_dropins, read_dropin
from inspector.registry.loading import forget
from inspector.registry.manifest import Manifest, Refused, check_fit, read_manifest
from inspector.registry.state import read_state, state_folder, write_state
from inspector.registry.wheels import check_wheel


@dataclass(frozen=True)
class Installed:
    """A plugin that lies in the plugins folder now, or that would (:func:`look`); it has not been run.

    Attributes:
        path: where it lies, or would lie.
        sha256: of the file that was given; for a folder, of its files' names and contents.
        replaced: version of the plugin that was there before ("" where that is unknown); None where there was none.
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
    """What :func:`install` would install from ``given``, for the person who is to agree; nothing is changed or run.

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
    """Install from a ``.py``, a folder, a ``.zip`` or a pure Python wheel. Nothing of it is run.

    An older plugin of the same id is replaced; what it was lies in ``plugins-state/previous/<id>`` until the next time.

    Args:
        sha256: what it must be, as :func:`look` told it.

    Raises:
        InputError: it is no plugin, does not fit this program, lacks something, would not be safe to unpack or is not
            what was looked at.
    """
    with staged(given, paths.plugins_folder()) as candidate:
        manifest, folder = candidate.manifest, candidate.place
        assert manifest is not None and folder is not None
        same = _same(manifest)
        installed = _described(manifest, given, same)
        if sha256 not in (None, installed.sha256):
            raise Refused(f"{given.name} has changed since it was looked at; look at it again")
        old = {each.place: None for each in same if each.place is not None}
        if installed.path.exists():  # a folder with that name, whatever is in it
            old[installed.path] = None
        _replace(folder, installed.path, list(old), state_folder() / "previous" / manifest.id)
    state = read_state()
    state[manifest.id] = {"sha256": installed.sha256}
    write_state(state)
    return installed


def _same(manifest: Manifest) -> list[Candidate]:
    """The drop-ins with that id, which would be replaced; Refused where the id is not theirs to take."""
    same = [each for each in find_candidates() if each.id.casefold() == manifest.id.casefold()]
    for other in same:
        if other.origin != "drop-in":
            raise Refused(f"The id {manifest.id!r} belongs to a plugin that is {other.origin}; change it in PLUGIN")
    return same


def _described(manifest: Manifest, given: Path, same: list[Candidate]) -> Installed:
    replaced = next((each.manifest.version if each.manifest else "" for each in same), None)
    return Installed(manifest, paths.plugins_folder() / manifest.id, _hash(given), replaced)


@contextmanager
def staged(given: Path, parent: Path) -> Iterator[Candidate]:
    """A copy of what was given, in the form in which it is installed, in a temporary folder inside ``parent``.

    Raises:
        InputError: it is no plugin, does not fit this program, or ``parent`` cannot be written.
    """
    given = Path(given)
    if not given.exists():
        raise InputError(f"There is no {given}; give a .py file, a folder, a .zip or a .whl")
    try:
        folder = tempfile.TemporaryDirectory(prefix=".tmp-", dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(f"{parent} cannot be written ({error.strerror or error}); make it writable") from None
    with folder as temporary:
        raw = Path(temporary) / "given"
        raw.mkdir()
        if given.is_dir():
            if raw.is_relative_to(given.resolve()):
                raise InputError(f"{given} holds the program's own data; give the plugin's folder")
            copy_folder(given, raw)
        elif given.suffix.lower() == ".py":
            read_manifest(given)  # a refusal then names the file that the person knows
            shutil.copyfile(given, raw / given.name)
        elif given.suffix.lower() in (".zip", ".whl"):
            unpack(given, raw)
        else:
            raise InputError(f"{given.name} is no plugin; give a .py file, a folder, a .zip or a .whl")
        candidate = read_dropin(_arranged(raw, given))
        if candidate.problem is not None:
            raise candidate.problem
        assert candidate.manifest is not None
        check_fit(candidate.manifest, candidate.requires)
        yield candidate


def _arranged(raw: Path, given: Path) -> Path:
    """The folder within ``raw`` that can be used as a drop-in; a single file is put into one."""
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
        modules[0].rename(folder / "__init__.py")
        return folder
    wanted = "one .py with PLUGIN, one folder with __init__.py, or the files of such a folder"
    raise Refused(f"{given.name} holds no plugin, or more than one; wanted is {wanted}")


def _has_manifest(source: Path) -> bool:
    try:
        read_manifest(source)
    except Refused:
        return False
    return True


def _replace(new: Path, final: Path, old: list[Path], previous: Path) -> None:
    """Put ``new`` in its place, and ``old`` aside into ``previous``; on an error everything is as before."""
    moved: list[tuple[Path, Path]] = []
    try:
        if old:
            if previous.exists():
                shutil.rmtree(previous)
            previous.mkdir(parents=True)
        for place in old:
            forget(place)
            moved.append((place, previous / place.name))
            shutil.move(place, previous / place.name)
        new.rename(final)
    except OSError as error:
        for place, aside in moved:
            if aside.exists() and not place.exists():
                shutil.move(aside, place)
        raise InputError(f"{final} cannot be written ({error.strerror or error}); close what uses it") from None


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
    """Delete a plugin from the plugins folder, by its id or by its file or folder name; returns what was deleted.

    Raises:
        InputError: it is not there, or it is not the program's to delete.
    """
    candidates = find_candidates()
    dropins = [each for each in candidates if each.place is not None]
    found = [each for each in dropins if each.place is not None and each.place.name == name]
    found = found or [each for each in dropins if each.id == name]
    if len(found) > 1:
        names = ", ".join(each.place.name for each in found if each.place)
        raise InputError(f"{name!r} is the id of several plugins; name the file or folder: {names}")
    if not found:
        _known(name, candidates)
        if any(each.id == name and each.origin == "built-in" for each in candidates):
            raise InputError(f"{name!r} is built in and cannot be removed; switch it off: plugins disable {name}")
        raise InputError(f"{name!r} was installed as a package; remove it with pip, or: plugins disable {name}")
    place = found[0].place
    assert place is not None
    forget(place)
    try:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
    except OSError as error:
        raise InputError(f"{place} cannot be deleted ({error.strerror or error}); close what uses it") from None
    state = read_state()
    if state.pop(found[0].id, None) is not None and not any(each.id == found[0].id for each in find_dropins()):
        write_state(state)
    return place


def disable(plugin_id: str) -> None:
    """Leave the plugin out from the next start on; InputError for an unknown id."""
    _known(plugin_id, find_candidates())
    state = read_state()
    state.setdefault(plugin_id, {})["off"] = "switched off by the user"
    write_state(state)


def enable(plugin_id: str) -> None:
    """Load the plugin again from the next start on, also after a crash; InputError for an unknown id."""
    _known(plugin_id, find_candidates())
    state = read_state()
    if state.get(plugin_id, {}).pop("off", None) is not None:
        write_state(state)


def _known(plugin_id: str, candidates: list[Candidate]) -> None:
    ids = list(dict.fromkeys(each.id for each in candidates))
    if plugin_id not in ids:
        raise InputError(f"There is no plugin {plugin_id!r}; there are {', '.join(ids)}")
