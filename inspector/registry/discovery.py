"""Discovery of plugins: entry points of installed distributions, and the user's plugin folder. Imports nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from inspector.api import ENTRY_POINT_GROUP
from inspector.domain import quote
from inspector.registry.manifest import Manifest, Refused, read_manifest
from inspector.registry.records import Origin
from inspector.system import paths

logger = logging.getLogger(__name__)
ORIGINS: tuple[Origin, ...] = ("built-in", "installed", "drop-in")
DISTRIBUTION = "bearing-inspector"
DROPINS = "bearing_inspector_dropins"


@dataclass(frozen=True)
class Candidate:
    """A plugin candidate.

    Attributes:
        origin: where it comes from.
        name: of its entry point, file or folder; shown until the manifest is read.
        module: the name under which it is imported.
        source: the file with its manifest; None where there is no source on disk.
        place: file or folder in the plugin folder; None for others.
        on_path: folder that must be on ``sys.path`` for it; None for others.
        manifest: None where it cannot be read (see ``problem``) or only after the import (a packed program).
        problem: why it cannot be loaded.
        requires: requirements besides those of the manifest, a wheel's.
    """

    origin: Origin
    name: str
    module: str = ""
    source: Path | None = None
    place: Path | None = None
    on_path: Path | None = None
    manifest: Manifest | None = None
    problem: Refused | None = None
    requires: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.manifest.id if self.manifest else self.name


def find_candidates() -> list[Candidate]:
    """Find all candidates in loading order: built-in, installed, drop-in, each sorted by id."""
    found = [*_entry_points(), *find_dropins()]
    return sorted(found, key=lambda each: (ORIGINS.index(each.origin), each.id, str(each.place or each.module)))


def _entry_points() -> Iterator[Candidate]:
    seen = set()
    dropped = paths.plugins_folder().resolve()
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if ENTRY_POINT_GROUP not in text:
                continue
            name = re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()
            if name in seen or dropped in Path(str(distribution.locate_file(""))).resolve().parents:
                continue  # the first one on the path counts; a wheel in the plugin folder is a drop-in
            points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield Candidate(
                "installed", _folder_of(distribution), problem=Refused("its metadata is broken: {reason}", reason=error)
            )
            continue
        seen.add(name)
        origin: Origin = "built-in" if name == DISTRIBUTION else "installed"
        for point in points:
            yield _from_entry_point(point, origin)


def _folder_of(distribution: metadata.Distribution) -> str:
    return Path(str(getattr(distribution, "_path", "unknown"))).name


def _from_entry_point(point: metadata.EntryPoint, origin: Origin) -> Candidate:
    module, _, attribute = point.value.partition(":")
    module = module.strip()
    if attribute.strip():
        problem = Refused(
            "its entry point must name the module {module}, without {attribute}",
            module=module,
            attribute=quote(attribute.strip()),
        )
        return Candidate(origin, point.name, module, problem=problem)
    source = find_source(module)
    if source is not None:
        return read_candidate(Candidate(origin, point.name, module, source))
    if origin == "built-in":  # packed: the manifest is read after the import
        return Candidate(origin, point.name, module)
    return Candidate(origin, point.name, module, problem=Refused("its module {module} is not installed", module=module))


def find_source(module: str) -> Path | None:
    """Find the source file of a module without importing its parent packages; None if there is none."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        if source := find_in_folder(Path(folder), rest):
            return source
    return None


def find_in_folder(folder: Path, parts: list[str]) -> Path | None:
    """Find the source file of the module ``parts`` below ``folder``."""
    stem = folder.joinpath(*parts)
    for source in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
        if _is_file(source):
            return source
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder without permission
        return False


def find_dropins() -> Iterator[Candidate]:
    """List the candidates of the plugin folder."""
    folder = paths.plugins_folder()
    try:
        places = sorted(folder.iterdir())
    except OSError as error:
        logger.warning("The plugins in %s cannot be read: %s", folder, error)
        return
    for place in places:
        if place.name.startswith((".", "__")):
            continue
        if place.is_dir() or place.suffix == ".py":
            yield read_dropin(place)
        elif place.suffix in (".zip", ".whl"):
            problem = Refused("{path} must be installed first", path=place.name, cli_hint=f"plugins install {place}")
            yield Candidate("drop-in", place.name, place=place, problem=problem)


def read_dropin(place: Path) -> Candidate:
    """Read a ``.py``, a folder with ``__init__.py``, or the folder of an unpacked wheel."""
    if place.suffix == ".py" and _is_file(place):
        return read_candidate(Candidate("drop-in", place.stem, source=place, place=place))
    if _is_file(place / "__init__.py"):
        return read_candidate(Candidate("drop-in", place.name, source=place / "__init__.py", place=place))
    try:
        return read_candidate(_read_wheel(place))
    except Refused as problem:
        return Candidate("drop-in", place.name, place=place, problem=problem)


def _read_wheel(place: Path) -> Candidate:
    """Read the plugin of an unpacked wheel by its ``*.dist-info``."""
    infos = sorted(place.glob("*.dist-info"))
    if not infos:
        raise Refused("{path} is not a plugin: it has neither __init__.py nor a wheel's dist-info", path=place.name)
    if len(infos) > 1:
        raise Refused("{path} contains {count} wheels; one is wanted", path=place.name, count=len(infos))
    distribution = metadata.PathDistribution(infos[0])
    try:
        points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
        lines = distribution.metadata.get_all("Requires-Dist") or []
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused("{folder} is broken: {reason}", folder=infos[0].name, reason=error) from None
    if len(points) != 1:
        raise Refused(
            "{folder} names {count} plugins in the group {entry_point_group}; one is wanted",
            folder=infos[0].name,
            count=len(points),
            entry_point_group=ENTRY_POINT_GROUP,
        )
    module, _, attribute = points[0].value.partition(":")
    if attribute:
        raise Refused(
            "its entry point must name the module {module}, without {attribute}",
            module=module,
            attribute=quote(attribute),
        )
    source = find_in_folder(place, module.strip().split("."))
    if source is None:
        raise Refused("its entry point names the module {module}, which it does not hold", module=module)
    return Candidate(
        "drop-in", place.name, module.strip(), source, place, on_path=place, requires=tuple(str(line) for line in lines)
    )


def read_candidate(candidate: Candidate) -> Candidate:
    """Return ``candidate`` with the manifest of its source, or with the problem found there."""
    assert candidate.source is not None
    try:
        manifest = read_manifest(candidate.source)
    except Refused as problem:
        return replace(candidate, problem=problem)
    if candidate.origin == "drop-in" and not candidate.module:
        # No dots: an id with a dot would require a parent package.
        candidate = replace(candidate, module=f"{DROPINS}.{manifest.id.replace('.', '%2E')}")
    return replace(candidate, manifest=manifest)
