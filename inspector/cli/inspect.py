"""``bearing-inspector inspect``: the main job."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from inspector import __version__, cli, history, i18n, logs, paths, registry
from inspector.api import ModelSpec, Option
from inspector.cli import options
from inspector.cli.console import remark, say
from inspector.domain import Choice, InputError, Inspection, Job, Rules, Skipped, check_fraction
from inspector.engine import Engine, Run
from inspector.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    parser.set_defaults(catalogue=catalogue)
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="file, folder, glob, video, camera:0, rtsp://…, http://…")
    add("--source", metavar="ID", help=f"open this kind of source instead: {', '.join(catalogue.sources)}")
    add("-o", dest="pairs", action="append", default=[], metavar="key=value", help="an option of --source")
    add("--model", metavar="FILE|NAME", help="weights file (best.pt) or the name of a bundled model")
    add("--conf", type=_fraction, metavar="0-1", help="smallest score that counts (default 0.25)")
    add("--iou", type=_fraction, metavar="0-1", help="largest overlap of two defects of one class (default 0.45)")
    add("--imgsz", metavar="N", help="side length in pixels to which pictures are scaled")
    add("--device", metavar="auto|cpu|cuda[:N]", help="what computes")
    add("--runtime", metavar="auto|torch", help="what runs the model")
    add("--rules", type=Path, metavar="FILE", help="limits for the verdict, as JSON; without them any defect is NG")
    add("--recipe", type=Path, metavar="FILE", help="repeat the job of a run.json, other flags change it")
    add("--export", metavar="LIST", help=f"what is written, of {','.join(catalogue.exporters)}; or none")
    add("--output", type=Path, metavar="DIR", help="folder for the results (default: a new one a run)")
    add("--json", action="store_true", help="print one JSON document on stdout")
    add("--quiet", action="store_true", help="no progress and no line a picture")
    add("--fail-on-ng", action="store_true", help="exit code 3 if a part is not good")
    for kind in (catalogue.sources, catalogue.models, catalogue.exporters):
        for spec in kind.values():
            if spec.options:
                options.add_flags(parser.add_argument_group(f"{spec.id}: {spec.title.en}"), spec.options, spec.id)


def run(arguments: argparse.Namespace) -> int:
    catalogue: registry.Registry = arguments.catalogue
    settings = Settings.load(_plugin_options(catalogue))
    language = i18n.language(settings.get("language"))
    job = _job(arguments, catalogue, settings, language)
    title = _title(job, arguments)
    output = arguments.output or _default_output(settings, title)
    log_to: Callable[[Path], Any] = logs.run_log
    engine = Engine(catalogue, history.History.open, __version__, log_to)
    printer = _JsonPrinter() if arguments.json else _TextPrinter(language, arguments.quiet)
    with _interruptible() as interrupted:
        started = engine.start(job, output, title, printer.result)
        _follow(started, interrupted, arguments.quiet or arguments.json)
    if started.failure is not None and not started.counts.inspected and started.state == "failed":
        raise started.failure
    printer.end(started)
    if interrupted.is_set():
        return cli.INTERRUPTED
    if arguments.fail_on_ng and started.counts.ng:
        return cli.NOT_GOOD
    return cli.PART_FAILED if started.problems or started.failure else cli.DONE


# The job


def _job(arguments: argparse.Namespace, catalogue: registry.Registry, settings: Settings, language: str) -> Job:
    if arguments.recipe:
        job = Job.from_json(_recipe(arguments.recipe))
    else:
        spec, weights = _find_model(catalogue, arguments.model)
        job = Job(
            sources=(),
            model=Choice(spec.id, _kept(settings, spec.id, spec.options)),
            weights=weights,
            device=settings.get("device"),
            confidence=settings.get("confidence"),
            iou=settings.get("iou"),
            exporters=tuple(
                Choice(e.id, _kept(settings, e.id, e.options)) for e in catalogue.exporters.values() if e.default
            ),
        )
    job = replace(job, language=language)
    if arguments.recipe and arguments.model:
        spec, weights = _find_model(catalogue, arguments.model)
        job = replace(job, model=Choice(spec.id), weights=weights)
    if arguments.sources or arguments.source:
        job = replace(job, sources=_sources(arguments, catalogue))
    job = replace(
        job,
        sources=tuple(
            Choice(c.id, {**c.options, **options.given(arguments, catalogue.source(c.id).options, c.id)})
            for c in job.sources
        ),
        model=_model(arguments, catalogue, job.model),
        device=arguments.device or job.device,
        confidence=job.confidence if arguments.conf is None else arguments.conf,
        iou=job.iou if arguments.iou is None else arguments.iou,
        rules=_rules(arguments.rules) if arguments.rules else job.rules,
    )
    chosen = job.exporters
    if arguments.export is not None:
        ids = [part.strip() for part in arguments.export.split(",") if part.strip() and part.strip() != "none"]
        before = {choice.id: choice for choice in job.exporters}
        chosen = tuple(
            before.get(id) or Choice(id, _kept(settings, id, catalogue.exporter(id).options))
            for id in dict.fromkeys(ids)
        )
    return replace(
        job,
        exporters=tuple(
            Choice(c.id, {**c.options, **options.given(arguments, catalogue.exporter(c.id).options, c.id)})
            for c in chosen
        ),
    )


def _sources(arguments: argparse.Namespace, catalogue: registry.Registry) -> tuple[Choice, ...]:
    if arguments.source:
        if arguments.sources:
            raise InputError("Give either SOURCE or --source ID, not both")
        spec = catalogue.source(arguments.source)
        pairs = {}
        for pair in arguments.pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                raise InputError(f"-o {pair!r} is not key=value")
            pairs[key.strip()] = value
        return (Choice(spec.id, pairs),)
    if arguments.pairs:
        raise InputError("-o belongs to --source ID; for a SOURCE use flags such as --image_files.recursive")
    found: list[Choice] = []
    for text in arguments.sources:
        found += claim(catalogue, text)
    return tuple(found)


def claim(catalogue: registry.Registry, text: str) -> list[Choice]:
    """The sources that open what a user typed; a folder may hold pictures and videos, hence several.

    Raises:
        InputError: where no source can.
    """
    if _is_place(text):
        text = str(Path(text).absolute())
    choices = []
    for spec in catalogue.sources.values():
        claimed = spec.claim(text) if spec.claim else None
        if claimed is not None:
            choices.append(Choice(spec.id, dict(claimed)))
    if choices:
        return choices
    if Path(text).exists():
        raise InputError(f"{text} is neither a picture nor a video that can be read; give another file")
    raise InputError(f"{text} does not exist; give a file, a folder, a pattern such as *.jpg, camera:0 or an address")


def _is_place(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    return Path(text).exists() or not (colon and len(scheme) > 1 and scheme.isalnum() and rest)


def _find_model(catalogue: registry.Registry, text: str | None) -> tuple[ModelSpec, str | None]:
    bundled = {name: spec for spec in catalogue.models.values() for name in spec.bundled}
    if text is None:
        if not bundled:
            raise InputError("No model ships with this program; name one with --model FILE")
        text = next(iter(bundled))
    if text in bundled:
        weights = bundled[text].bundled[text]
        return bundled[text], None if weights is None else str(weights)
    path = Path(text).absolute()
    if not path.exists():
        raise InputError(f"The model {text} does not exist; give a file such as best.pt, or {', '.join(bundled)}")
    for spec in catalogue.models.values():
        if path.suffix.lower() in spec.suffixes:
            return spec, str(path)
    known = sorted({suffix for spec in catalogue.models.values() for suffix in spec.suffixes})
    raise InputError(f"{path.name} is no model file that a plugin here opens ({', '.join(known)}); give such a file")


def _model(arguments: argparse.Namespace, catalogue: registry.Registry, choice: Choice) -> Choice:
    spec = catalogue.model(choice.id)
    chosen = dict(choice.options) | options.given(arguments, spec.options, spec.id)
    known = {option.key: option for option in spec.options}
    for key in ("imgsz", "runtime"):
        value = getattr(arguments, key)
        if value is not None:
            if key not in known:
                raise InputError(f"--{key} means nothing to the model {spec.id}; leave it out")
            chosen[key] = known[key].check(value)
    return Choice(spec.id, chosen)


def _recipe(path: Path) -> object:
    document = _read_json(path, "recipe")
    return document["job"] if isinstance(document, dict) and "job" in document else document


def _rules(path: Path) -> Rules:
    return Rules.from_json(_read_json(path, "rules file"))


def _read_json(path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"The {what} {path} does not exist") from None
    except (OSError, ValueError) as error:
        raise InputError(f"The {what} {path} cannot be read as JSON ({error})") from None


def _plugin_options(catalogue: registry.Registry) -> dict[str, Option]:
    kinds: tuple[Mapping[str, Any], ...] = (catalogue.sources, catalogue.models, catalogue.exporters)
    return {f"{s.id}.{option.key}": option for kind in kinds for s in kind.values() for option in s.options}


def _kept(settings: Settings, id: str, declared: tuple[Option, ...]) -> dict[str, Any]:
    return {o.key: settings.get(f"{id}.{o.key}") for o in declared if f"{id}.{o.key}" in settings.overrides}


def _fraction(text: str) -> float:
    try:
        return check_fraction(float(text), "the value")
    except (ValueError, InputError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1") from None


def _title(job: Job, arguments: argparse.Namespace) -> str:
    names = [Path(text.rstrip("/\\")).name or text for text in arguments.sources]
    if not names:
        places = [next((v for v in c.options.values() if isinstance(v, str | Path) and v), c.id) for c in job.sources]
        names = [Path(place).name or str(place) for place in places]
    return names[0] if len(names) == 1 else f"{names[0]} +{len(names) - 1}" if names else ""


def _default_output(settings: Settings, title: str) -> Path:
    folder = settings.get("output_folder") or paths.results_folder()
    return Path(folder) / paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {title}")


# Following the run


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event; a second Ctrl-C interrupts at once."""
    interrupted = threading.Event()

    def interrupt(number: int, frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow(started: Run, interrupted: threading.Event, quiet: bool) -> None:
    from tqdm import tqdm

    with tqdm(total=None, unit="picture", disable=True if quiet else None, file=sys.stderr, leave=False) as bar:
        while not started.wait(0.1):
            if interrupted.is_set():
                started.stop()
            bar.total = started.total
            bar.update(started.counts.inspected + started.counts.skipped - bar.n)
            bar.set_postfix(OK=started.counts.ok, NG=started.counts.ng, refresh=False)


class _TextPrinter:
    """A line a still picture, and a line whenever the verdict of a stream changes."""

    def __init__(self, language: str, quiet: bool) -> None:
        self._language, self._quiet = language, quiet
        self._stream: tuple[str, str] | None = None

    def result(self, result: Inspection | Skipped) -> None:
        if self._quiet or isinstance(result, Skipped):
            return
        frame, status = result.frame, result.verdict.status
        name = frame.name
        if frame.seconds is not None:
            if self._stream == (frame.name, status):
                return
            self._stream = (frame.name, status)
            name = f"{frame.name} {frame.seconds:.2f} s"
        reasons = "; ".join(i18n.reason_text(reason, self._language) for reason in result.verdict.reasons)
        notes = "".join(f" ({note})" for note in frame.notes)
        from tqdm import tqdm

        tqdm.write(f"{status:<5}{name}{notes}{'  ' if reasons else ''}{reasons}", file=sys.stdout)

    def end(self, started: Run) -> None:
        counts = started.counts
        words = [f"{counts.inspected} inspected: {counts.ok} OK, {counts.warn} WARN, {counts.ng} NG"]
        words += [f"{counts.defects} defects"]
        words += [f"{counts.skipped} could not be read"] if counts.skipped else []
        words += [f"{counts.dropped} frames dropped"] if counts.dropped else []
        say(", ".join(words))
        if started.output is not None:
            say(f"Saved in {started.output}")
        if started.failure is not None:
            remark(f"bearing-inspector: {started.failure}")


class _JsonPrinter:
    """One JSON document, written as the results come, so that memory stays flat."""

    def __init__(self) -> None:
        self._count = 0

    def result(self, result: Inspection | Skipped) -> None:
        if isinstance(result, Skipped):
            return
        sys.stdout.write('{"inspections": [\n' if self._count == 0 else ",\n")
        sys.stdout.write(json.dumps(result.record(), ensure_ascii=False, allow_nan=False))
        self._count += 1

    def end(self, started: Run) -> None:
        from dataclasses import asdict

        rest = {
            "state": started.state,
            "output": None if started.output is None else str(started.output),
            "counts": asdict(started.counts),
            "problems": started.problems,
            "files": [str(path) for path in started.files],
        }
        head = "\n], " if self._count else '{"inspections": [], '
        sys.stdout.write(head + json.dumps(rest, ensure_ascii=False, allow_nan=False)[1:] + "\n")
