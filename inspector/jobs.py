"""From what a person names to a job: shared by the command line and the window."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from inspector import paths
from inspector.api import Browsable, ModelSpec, Option, SourceSpec, check_options
from inspector.domain import Choice, Frame, InputError, Job, Rules, Skipped
from inspector.history import History, RunEntry
from inspector.registry import Registry
from inspector.settings import Settings

_MENDED = 20  # runs of killed programs, the newest ones, whose folders are looked after

# Sources


def claim(catalogue: Registry, text: str) -> list[Choice]:
    """The sources that open what a user typed; a folder may hold pictures and videos, hence several.

    Raises:
        InputError: where no source can.
    """
    if not text.strip():
        raise InputError("A SOURCE is empty; give a file, a folder, a pattern such as *.jpg, camera:0 or an address")
    if _is_place(text):
        if not glob.has_magic(text) and not exists(text):
            raise InputError(
                f"{text} does not exist; give a file, a folder, a pattern such as *.jpg, camera:0 or an address"
            )
        text = str(Path(text).absolute())
    choices = [Choice(spec.id, dict(claimed)) for spec, claimed in _claimed(catalogue, text)]
    if choices:
        return choices
    if exists(text):
        raise InputError(f"{text} is neither a picture nor a video that can be read; give another file")
    raise InputError(f"{text} does not exist; give a file, a folder, a pattern such as *.jpg, camera:0 or an address")


def find_frame(catalogue: Registry, record: Mapping[str, Any], output: str | Path | None = None) -> Frame:
    """The picture of an earlier inspection, as :meth:`FrameFinder.find` gives it."""
    with FrameFinder(catalogue) as finder:
        return finder.find(record, output)


class FrameFinder:
    """Finds the pictures of earlier inspections, one after the other; a video stays open from one frame to the next.
    Used on one thread, and closed.
    """

    def __init__(self, catalogue: Registry) -> None:
        self._catalogue = catalogue
        self._video: tuple[str, Browsable] | None = None

    def find(self, record: Mapping[str, Any], output: str | Path | None = None) -> Frame:
        """The picture of ``record``, as it was.

        Args:
            record: ``path``, ``name``, ``number``, ``index``, ``seconds``, ``width`` and ``height`` of
                :meth:`inspector.history.History.get`.
            output: the folder of the record's run: a camera's pictures may have been kept in it.

        Raises:
            InputError: it came from a camera and was not kept, or its file is gone, changed or cannot be read.
        """
        name, place = record["name"], record["path"]
        if place is None:
            kept = None if output is None else Path(output) / "originals" / f"{record['number']:06d}.jpg"
            if kept is None or not paths.long_path(kept).is_file():
                raise InputError(f"The picture {name} came from a camera or a stream and was not kept as a file")
            return _as_it_was(_read_still(kept, name), record, str(kept))
        if not paths.long_path(Path(place)).is_file():
            raise InputError(f"{place} is not there any more; put it back there to see its picture")
        found = _read_still(Path(place), name) if record["seconds"] is None else self._moving(place, record["index"])
        return _as_it_was(found, record, place)

    def _moving(self, path: str, index: int) -> Frame:
        if self._video is None or self._video[0] != path:
            self.close()
            self._video = (path, _browsable(self._catalogue, path))
        found = self._video[1].frame(index)
        if isinstance(found, Skipped):
            raise InputError(f"{found.name}: {found.reason}")
        return found

    def close(self) -> None:
        if self._video is not None:
            (_, source), self._video = self._video, None
            source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _browsable(catalogue: Registry, path: str) -> Browsable:
    for spec, claimed in _claimed(catalogue, path):
        source = spec.open(**check_options(spec.options, claimed, f"Source {spec.id}"))
        if isinstance(source, Browsable):
            return source
        source.close()
    raise InputError(f"No source that is active can show a frame of {path}; switch its plugin on")


def _as_it_was(found: Frame, record: Mapping[str, Any], place: str) -> Frame:
    size, was = (found.width, found.height), (record["width"], record["height"])
    if None not in was and size != was:
        raise InputError(
            f"{place} is another picture than it was: {size[0]} x {size[1]} pixels instead of {was[0]} x {was[1]}"
        )
    return found


def _read_still(path: Path, name: str) -> Frame:
    from inspector.imaging import read_image

    image, notes = read_image(path)
    return Frame(image, 0, name, path=str(path), notes=notes)


def _claimed(catalogue: Registry, text: str) -> Iterable[tuple[SourceSpec, Mapping[str, Any]]]:
    for spec in catalogue.sources.values():
        claimed = spec.claim(text) if spec.claim else None
        if claimed is not None:
            yield spec, claimed


def _is_place(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    return exists(text) or not (colon and len(scheme) > 1 and scheme.isalnum() and rest)


def exists(text: str) -> bool:
    """True where ``text`` names a file or folder; also for texts that no file could have for a name."""
    try:
        return Path(text).exists()
    except OSError:  # longer than any name may be
        return False


# Models


def find_model(catalogue: Registry, text: str | None = None) -> tuple[ModelSpec, str | None]:
    """The model that a user names by a path or the name of a bundled one, with its weights file; None: the default.

    Raises:
        InputError: there is no such file, or no plugin opens it.
    """
    bundled = {name: spec for spec in catalogue.models.values() for name in spec.bundled}
    if text is None:
        text = default_model(catalogue)
    if text in bundled:
        weights = bundled[text].bundled[text]
        return bundled[text], None if weights is None else str(weights)
    path = Path(text).absolute()
    if not text.strip() or not exists(text):
        names = f", or {', '.join(bundled)}" if bundled else ""
        raise InputError(f"The model {text!r} does not exist; give a file such as best.pt{names}")
    for spec in catalogue.models.values():
        if path.suffix.lower() in spec.suffixes:
            return spec, str(path)
    known = sorted({suffix for spec in catalogue.models.values() for suffix in spec.suffixes})
    kinds = ", ".join(known) or "none is enabled"
    raise InputError(
        f"{path.name} is no model file that a plugin here opens ({kinds}); give one as trainings write it, "
        "not an export"
    )


def default_model(catalogue: Registry) -> str:
    """The name of the model that ships with the program; never, unasked, one that somebody's plugin brings."""
    own = [record for record in catalogue.records if record.origin == "built-in"]
    active = {id for record in own if record.state == "active" for kind, id in record.specs if kind == "model"}
    for spec in catalogue.models.values():
        if spec.id in active and spec.bundled:
            return next(iter(spec.bundled))
    off = "; ".join(f"the plugin {r.id} is {r.state}" for r in own if r.state != "active" and "model" in r.kinds)
    raise InputError(f"No bundled model can be used ({off or 'none ships'}); enable it, or name one with --model")


# Settings and the job


def plugin_options(catalogue: Registry) -> dict[str, Option]:
    """The options of all sources, models and exporters, as settings: by ``SPECID.OPTION``."""
    kinds: tuple[Mapping[str, Any], ...] = (catalogue.sources, catalogue.models, catalogue.exporters)
    return {f"{s.id}.{option.key}": option for kind in kinds for s in kind.values() for option in s.options}


def kept(settings: Settings, id: str, declared: Sequence[Option]) -> dict[str, Any]:
    """Those options of the spec ``id`` that the user has set, as JSON can hold them."""
    keys = (option.key for option in declared)
    return plain({key: settings.get(f"{id}.{key}") for key in keys if f"{id}.{key}" in settings.overrides})


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` as JSON can hold them: paths as absolute texts."""
    return {key: str(value.absolute()) if isinstance(value, Path) else value for key, value in options.items()}


def set_up(catalogue: Registry, settings: Settings, sources: Iterable[Choice]) -> tuple[Choice, ...]:
    """``sources`` with what the user has set for them, which their own options override.

    Raises:
        InputError: for an unknown id.
    """
    return tuple(
        Choice(c.id, {**kept(settings, c.id, catalogue.source(c.id).options), **plain(c.options)}) for c in sources
    )


def new_job(
    catalogue: Registry,
    settings: Settings,
    language: str,
    *,
    model: str | None = None,
    sources: Sequence[Choice] = (),
    exporters: Iterable[str] | None = None,
    rules: Rules | None = None,
) -> Job:
    """A job with the user's settings.

    Args:
        language: ``en`` or ``zh``.
        model: as :func:`find_model` takes it.
        sources: completed by :func:`set_up`.
        exporters: ids; None: those that are written by default.

    Raises:
        InputError: the model cannot be found, or an id is unknown.
    """
    spec, weights = find_model(catalogue, model)
    if exporters is None:
        exporters = [exporter.id for exporter in catalogue.exporters.values() if exporter.default]
    return Job(
        sources=set_up(catalogue, settings, sources),
        model=Choice(spec.id, kept(settings, spec.id, spec.options)),
        weights=weights,
        device=settings.get("device"),
        confidence=settings.get("confidence"),
        iou=settings.get("iou"),
        exporters=tuple(Choice(id, kept(settings, id, catalogue.exporter(id).options)) for id in exporters),
        rules=rules,
        language=language,
    )


def title(job: Job, texts: Sequence[str] = ()) -> str:
    """What a person calls the run: the first source, and how many more there are.

    Args:
        texts: what the user typed; else the first text among each source's options.
    """
    texts = texts or [
        next((v for v in choice.options.values() if isinstance(v, str) and v), choice.id) for choice in job.sources
    ]
    if not texts:
        return ""
    _, address, rest = texts[0].partition("://")
    # Of an address neither user and password nor the query, which may hold a token: the title names a folder.
    name = rest.rpartition("@")[2].partition("?")[0] if address else Path(texts[0].rstrip("/\\")).name
    return f"{name or texts[0]} +{len(texts) - 1}" if len(texts) > 1 else name or texts[0]


def default_output(settings: Settings, title: str) -> Path:
    """A new folder for results, such as ``2026-11-23 101500 parts``; it is not made yet."""
    folder = settings.get("output_folder") or paths.results_folder()
    return Path(folder) / paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {title}")


def open_history(days: int) -> History:
    """The history, without what is older than ``days`` (0 keeps all), and with killed runs mended."""
    opened = History.open()
    mend_interrupted(opened)
    if days:
        opened.purge(before=datetime.now().astimezone() - timedelta(days=days))
    return opened


def mend_interrupted(history: History) -> RunEntry | None:
    """After runs whose program was killed: ``run.json`` says so, and what was only half written is removed.

    Returns:
        The newest such run.
    """
    killed = history.runs(state="interrupted")
    for run in killed[:_MENDED]:
        if run.output:
            _mend(Path(run.output))
    return killed[0] if killed else None


def _mend(folder: Path) -> None:
    file = folder / "run.json"
    with suppress(OSError, ValueError):
        document = json.loads(file.read_text("utf-8"))
        if isinstance(document, dict) and document.get("state") == "running":
            for part in folder.rglob(".tmp-*"):
                part.unlink(missing_ok=True)
            paths.write_text(
                file, json.dumps({**document, "state": "interrupted"}, ensure_ascii=False, indent=2) + "\n"
            )


# Recipes and rules


def read_recipe(path: Path, check_model: bool = True) -> Job:
    """The job of a ``run.json`` or of a file that holds a job alone.

    Args:
        check_model: refuse a model file that is not the one that the run was made with.

    Raises:
        InputError: it cannot be read or used.
    """
    document = _read_json(path, "recipe")
    run = document if isinstance(document, dict) and "job" in document else {"job": document}
    try:
        job = Job.from_json(run["job"])
        if check_model and job.weights and isinstance(run.get("model"), dict):
            check_same_file(Path(job.weights), run["model"].get("sha256"))
    except InputError as error:
        raise InputError(f"The recipe {path} cannot be used: {error}") from None
    return job


def check_same_file(weights: Path, sha256: object) -> None:
    """Refuse a model file that is not the one that a recipe was made with.

    Raises:
        InputError: it cannot be read or has changed.
    """
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"its model {weights} cannot be read ({error.strerror}); name one with --model") from None
    if sha256 and found != sha256:
        raise InputError(f"its model {weights} has changed since (SHA-256); name it with --model to use it as it is")


def read_rules(path: Path) -> Rules:
    """Limits for the verdict from a JSON file.

    Raises:
        InputError: it cannot be read, or says something that rules cannot.
    """
    return Rules.from_json(_read_json(path, "rules file"))


def _read_json(path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_repeats)
    except FileNotFoundError:
        raise InputError(f"The {what} {path} does not exist; give a JSON file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"The {what} {path} cannot be read as JSON ({error}); docs/using.md shows one") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{repeated[0]!r} stands there twice")
    return dict(pairs)
