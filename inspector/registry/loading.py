"""Isolated import of plugins, one at a time, and collection of their specs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType

import pluggy

from inspector.api import PROJECT, Hooks
from inspector.domain import interrupts, join_messages, message, quote
from inspector.registry.discovery import DROPINS, Candidate, find_candidates
from inspector.registry.manifest import Manifest, Refused, State, check_fit, check_manifest
from inspector.registry.records import PluginRecord, Registry, Spec
from inspector.registry.specs import HOOKS, checked_specs
from inspector.registry.state import read_state, starting

NO_PLUGINS_VARIABLE = "BEARING_INSPECTOR_NO_PLUGINS"
RESCUE = message("not loaded: the program was started without plugins")


def load(plugins: bool | None = None) -> Registry:
    """Find, check and load all plugins.

    Args:
        plugins: False loads the built-in ones only (rescue) and lists the others as disabled; None follows the variable
            ``BEARING_INSPECTOR_NO_PLUGINS`` says.
    """
    if plugins is None:
        plugins = os.environ.get(NO_PLUGINS_VARIABLE, "") in ("", "0")
    state = read_state()
    loader = Loader()
    for candidate in find_candidates():
        row = state.get(candidate.id, {})
        off = row.get("off", "")
        if not plugins and candidate.origin != "built-in":
            off = off or RESCUE
        loader.add(candidate, off=str(off), sha256=str(row.get("sha256", "")))
    return loader.registry()


class Loader:
    """Loads candidates one after the other.

    Args:
        marks: keep a crash mark while a plugin that is not built-in is imported.
    """

    def __init__(self, marks: bool = True) -> None:
        self._marks = marks
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._records: list[PluginRecord] = []
        self._specs: dict[str, dict[str, Spec]] = {kind: {} for kind, _ in HOOKS.values()}
        self._owners: dict[str, str] = {}
        self._ids: dict[str, Candidate] = {}

    def registry(self) -> Registry:
        """The registry of the plugins loaded so far."""
        return Registry(
            tuple(self._records),
            *(MappingProxyType(dict(specs)) for specs in self._specs.values()),  # type: ignore[arg-type]
        )

    def add(self, candidate: Candidate, off: str = "", sha256: str = "") -> PluginRecord:
        """Load one candidate unless ``off`` gives a reason not to. Errors are kept in its record."""
        started = time.perf_counter()
        manifest = candidate.manifest
        specs: list[tuple[str, Spec]] = []
        state: State = "active"
        reason = trace = ""
        try:
            self._admit(candidate, off)
            with self._starting(candidate), _quiet():
                manifest, specs = self._load(candidate)
            specs, reason = self._keep(candidate.id, specs)
        except Refused as refused:
            state, reason = refused.state, str(refused)
        except BaseException as error:  # including SystemExit and exceptions of native extensions
            if interrupts(error):
                raise
            state, reason = "failed", _sentence(error)
            trace = "".join(traceback.format_exception(error))
        described = asdict(manifest) if manifest else {}
        described["id"] = candidate.id
        described["kinds"] = tuple(dict.fromkeys(kind for kind, _ in specs)) or described.get("kinds", ())
        described["requires"] = described.get("requires", ()) + candidate.requires
        record = PluginRecord(
            **described,
            origin=candidate.origin,
            state=state,
            reason=reason,
            traceback=trace,
            load_ms=(time.perf_counter() - started) * 1000,
            module=candidate.module,
            path=candidate.source or candidate.place,
            specs=tuple((kind, spec.id) for kind, spec in specs),
            sha256=sha256 if candidate.origin == "drop-in" else "",
        )
        self._records.append(record)
        return record

    def _admit(self, candidate: Candidate, off: str) -> None:
        """Raise Refused for a candidate that must not be imported."""
        if candidate.problem is not None:
            raise candidate.problem
        earlier = self._ids.setdefault(candidate.id.casefold(), candidate)
        if earlier is not candidate:
            where = earlier.place or earlier.module
            raise Refused(
                "the id {id} is taken by a plugin that is {origin} ({where}); remove one",
                id=quote(candidate.id),
                origin=message(earlier.origin),
                where=where,
            )
        if off:
            raise Refused(off, state="disabled")
        if candidate.manifest is not None:
            check_fit(candidate.manifest, candidate.requires)

    def _starting(self, candidate: Candidate) -> contextlib.AbstractContextManager[None]:
        marked = self._marks and candidate.origin != "built-in"
        return starting(candidate.id) if marked else contextlib.nullcontext()

    def _load(self, candidate: Candidate) -> tuple[Manifest, list[tuple[str, Spec]]]:
        """Import the plugin, register it and call its hooks, as one transaction."""
        with _only_if_it_works(candidate):
            module = _import(candidate)
            manifest = candidate.manifest or check_manifest(getattr(module, "PLUGIN", None))
            if candidate.manifest is None:
                check_fit(manifest)
            try:
                self._manager.register(module, name=candidate.id)
                callers = self._manager.get_hookcallers(module) or []
                _check_hooks(module, [caller.name for caller in callers])
                self._manager.check_pending()
                specs: list[tuple[str, Spec]] = []
                for hook in HOOKS:  # one plugin at a time, so that an exception affects no other plugin
                    for implementation in getattr(self._manager.hook, hook).get_hookimpls():
                        if implementation.plugin is module:
                            if implementation.wrapper or implementation.hookwrapper:
                                raise Refused("{hook} is a wrapper; write @hookimpl without arguments", hook=hook)
                            specs += checked_specs(hook, implementation.function())
            except BaseException:
                if self._manager.has_plugin(candidate.id):
                    self._manager.unregister(name=candidate.id)
                raise
        return manifest, specs

    def _keep(self, plugin_id: str, specs: list[tuple[str, Spec]]) -> tuple[list[tuple[str, Spec]], str]:
        """Add the specs; return those whose id was free, and the refused ones."""
        kept, refused = [], []
        for kind, spec in specs:
            if owner := self._owners.get(spec.id.casefold()):
                refused.append(
                    message(
                        "its {kind} {id!r} was left out: the plugin {owner!r} has that id already",
                        kind=message(kind),
                        id=spec.id,
                        owner=owner,
                    )
                )
                continue
            self._owners[spec.id.casefold()] = plugin_id
            self._specs[kind][spec.id] = spec
            kept.append((kind, spec))
        return kept, join_messages("; ", refused) if refused else ""


def _check_hooks(module: ModuleType, implemented: list[str]) -> None:
    """Refuse unknown hooks, and plugins without any hook."""
    for name in implemented:
        if name not in HOOKS:
            if near := get_close_matches(name, HOOKS, 1):
                raise Refused("there is no hook {name}; did you mean {hook}?", name=quote(name), hook=quote(near[0]))
            raise Refused("there is no hook {name}; the hooks are {hooks}", name=quote(name), hooks=", ".join(HOOKS))
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and name in HOOKS and name not in implemented:
            raise Refused("{name} lacks its @hookimpl", name=name)
    if not implemented:
        raise Refused("it has no hook; write one of {hooks} with @hookimpl", hooks=", ".join(HOOKS))


def _import(candidate: Candidate) -> ModuleType:
    if not candidate.module.startswith(f"{DROPINS}."):
        if candidate.on_path is not None and str(candidate.on_path) not in sys.path:
            sys.path.append(str(candidate.on_path))
            importlib.invalidate_caches()
        module = importlib.import_module(candidate.module)
        origin = getattr(module, "__file__", None)
        if candidate.source is not None and (origin is None or not candidate.source.samefile(origin)):
            raise Refused(
                "its module {module} is hidden by another one of that name, {origin}",
                module=candidate.module,
                origin=origin,
            )
        return module
    imported = sys.modules.get(candidate.module)
    if imported is not None and imported.__file__ == str(candidate.source):
        return imported
    for name in _with_submodules(candidate.module):  # another plugin of that name
        del sys.modules[name]
    if DROPINS not in sys.modules:
        parent = ModuleType(DROPINS, "The plugins of the user's plugins folder.")
        parent.__path__ = []
        sys.modules[DROPINS] = parent
    assert candidate.source is not None
    package = [str(candidate.source.parent)] if candidate.source.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(
        candidate.module, candidate.source, submodule_search_locations=package
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[candidate.module] = module
    spec.loader.exec_module(module)
    return module


def _with_submodules(module: str) -> list[str]:
    return [name for name in sys.modules if name == module or name.startswith(f"{module}.")]


@contextlib.contextmanager
def _only_if_it_works(candidate: Candidate) -> Iterator[None]:
    """Remove the candidate's modules and its ``sys.path`` entry if the block fails."""
    before, search = dict(sys.modules), list(sys.path)
    try:
        yield
    except BaseException:
        for name in _with_submodules(candidate.module):
            if sys.modules[name] is not before.get(name):
                del sys.modules[name]
        if candidate.on_path is not None and str(candidate.on_path) not in search:
            sys.path[:] = [folder for folder in sys.path if folder != str(candidate.on_path)]
        raise


def forget(place: Path) -> None:
    """Drop the modules imported from below ``place`` before it is replaced or removed."""
    inside = place.resolve()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and (Path(file).resolve() == inside or inside in Path(file).resolve().parents):
            del sys.modules[name]
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != inside]
    importlib.invalidate_caches()


def _quiet() -> contextlib.AbstractContextManager[object]:
    """Redirect what a plugin prints while loading to stderr; stdout is reserved for results."""
    return contextlib.redirect_stdout(sys.stderr)


def _sentence(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return message("it asked the program to exit ({code}) while it was loaded", code=quote(error.code))
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001  its own class of errors may be broken too
        text = ""
    if isinstance(error, pluggy.PluginValidationError):
        return message("a hook has the wrong form: {text}", text=text.splitlines()[-1])
    text = text.partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
