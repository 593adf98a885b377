"""``bearing-inspector inspect``: the main job."""

from __future__ import annotations

import argparse
import glob
import hashlib
import json
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from inspector import __version__, cli, history, i18n, logs, paths, registry
from inspector.api import ModelSpec, Option
from inspector.cli import console, options
from inspector.cli.console import remark
from inspector.cli.printers import JsonPrinter, Printer, TextPrinter
from inspector.domain import Choice, InputError, Job, Rules, check_fraction
from inspector.engine import Engine, Run
from inspector.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    parser.set_defaults(catalogue=catalogue)
    parser.usage = "%(prog)s SOURCE… [options]"  # argparse's own would list every flag of every plugin
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="file, folder, glob, video, camera:0, rtsp://…, http://…")
    add("--source", metavar="ID", help=f"open this kind of source instead: {', '.join(catalogue.sources)}")
    add("-o", dest="pairs", action="append", default=[], metavar="key=value", help="an option of --source")
    add("--model", metavar="FILE|NAME", help="weights file (best.pt) or the name of a bundled model")
    add("--conf", type=_fraction, metavar="0-1", help="smallest score that counts (default 0.25)")
    add("--iou", type=_fraction, metavar="0-1", help="largest overlap of two defects of one class (default 0.45)")
    add("--imgsz", metavar="N", help="side length in pixels to which pictures are scaled")
    add("--device", type=_device, metavar="auto|cpu|cuda[:N]", help="what computes")
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
    output = (arguments.output or _default_output(settings, title)).absolute()
    log_to: Callable[[Path], Any] = logs.run_log
    engine = Engine(catalogue, lambda: _open_history(settings.get("history_days")), __version__, log_to)
    printer: Printer = JsonPrinter() if arguments.json else TextPrinter(language, arguments.quiet)
    with _interruptible() as interrupted, console.results_only():
        started = engine.start(job, output, title, printer.result)
        _follow(started, interrupted, arguments.quiet or arguments.json)
    if isinstance(started.failure, InputError) and not started.counts.inspected + started.counts.skipped:
        raise started.failure
    printer.end(started)
    if started.failure is not None:
        remark(f"bearing-inspector: {started.failure}")
    if interrupted.is_set():
        return cli.INTERRUPTED
    if started.failure is not None:
        return cli.PART_FAILED
    if arguments.fail_on_ng and started.counts.ng:
        return cli.NOT_GOOD
    return cli.PART_FAILED if started.problems or printer.refused else cli.DONE


# The job


def _job(arguments: argparse.Namespace, catalogue: registry.Registry, settings: Settings, language: str) -> Job:
    if arguments.recipe:
        job = _recipe(arguments.recipe, check_model=not arguments.model)
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
        job = replace(job, model=job.model if spec.id == job.model.id else Choice(spec.id), weights=weights)
    if arguments.pairs and not arguments.source:
        raise InputError("-o belongs to --source ID; for a SOURCE use flags such as --image_files.recursive")
    if arguments.sources or arguments.source:
        job = replace(job, sources=_sources(arguments, catalogue))
    job = replace(
        job,
        sources=tuple(_chosen(arguments, c, catalogue.source(c.id).options) for c in job.sources),
        model=_model(arguments, catalogue, job.model),
        device=arguments.device or job.device,
        confidence=job.confidence if arguments.conf is None else arguments.conf,
        iou=job.iou if arguments.iou is None else arguments.iou,
        rules=_rules(arguments.rules) if arguments.rules else job.rules,
    )
    exporters = job.exporters
    if arguments.export is not None:
        before = {choice.id: choice for choice in job.exporters}
        exporters = tuple(
            before.get(id) or Choice(id, _kept(settings, id, catalogue.exporter(id).options))
            for id in _exporters(arguments.export)
        )
    job = replace(job, exporters=tuple(_chosen(arguments, c, catalogue.exporter(c.id).options) for c in exporters))
    _refuse_idle_flags(arguments, job)
    return job


def _chosen(arguments: argparse.Namespace, choice: Choice, declared: tuple[Option, ...]) -> Choice:
    """``choice`` with the flags that were given for it, as JSON can hold them."""
    together = {**choice.options, **options.given(arguments, declared, choice.id)}
    return Choice(choice.id, {k: str(v.absolute()) if isinstance(v, Path) else v for k, v in together.items()})


def _exporters(text: str) -> Iterable[str]:
    ids = [part.strip() for part in text.split(",")]
    if ids == ["none"]:
        return ()
    if "none" in ids or "" in ids:
        raise InputError(f"--export {text!r} is not a list such as xlsx,images; or give none alone")
    return dict.fromkeys(ids)


def _refuse_idle_flags(arguments: argparse.Namespace, job: Job) -> None:
    """A flag that changes nothing is a mistake, which the person should learn of."""
    used = {choice.id for choice in (*job.sources, job.model, *job.exporters)}
    for flag in vars(arguments):
        owner, dot, _ = flag.partition(".")
        if dot and owner not in used:
            raise InputError(f"--{flag} changes nothing, since {owner} has no part in this run; leave it out")


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
    found: list[Choice] = []
    for text in arguments.sources:
        found += claim(catalogue, text)
    return tuple(found)


def claim(catalogue: registry.Registry, text: str) -> list[Choice]:
    """The sources that open what a user typed; a folder may hold pictures and videos, hence several.

    Raises:
        InputError: where no source can.
    """
    if not text.strip():
        raise InputError("A SOURCE is empty; give a file, a folder, a pattern such as *.jpg, camera:0 or an address")
    if _is_place(text):
        if not glob.has_magic(text) and not Path(text).exists():
            raise InputError(
                f"{text} does not exist; give a file, a folder, a pattern such as *.jpg, camera:0 or an address"
            )
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
        text = _default_model(catalogue)
    if text in bundled:
        weights = bundled[text].bundled[text]
        return bundled[text], None if weights is None else str(weights)
    path = Path(text).absolute()
    if not text.strip() or not path.exists():
        raise InputError(f"The model {text!r} does not exist; give a file such as best.pt, or {', '.join(bundled)}")
    for spec in catalogue.models.values():
        if path.suffix.lower() in spec.suffixes:
            return spec, str(path)
    known = sorted({suffix for spec in catalogue.models.values() for suffix in spec.suffixes})
    raise InputError(f"{path.name} is no model file that a plugin here opens ({', '.join(known) or 'none is enabled'})")


def _default_model(catalogue: registry.Registry) -> str:
    """The model that ships with the program; never, unasked, one that somebody's plugin brings."""
    own = [record for record in catalogue.records if record.origin == "built-in"]
    active = {id for record in own if record.state == "active" for kind, id in record.specs if kind == "model"}
    for spec in catalogue.models.values():
        if spec.id in active and spec.bundled:
            return next(iter(spec.bundled))
    off = "; ".join(f"the plugin {r.id} is {r.state}" for r in own if r.state != "active" and "model" in r.kinds)
    raise InputError(f"No bundled model can be used ({off or 'none ships'}); enable it, or name one with --model")


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
    return _chosen(arguments, Choice(spec.id, chosen), ())


def _recipe(path: Path, check_model: bool) -> Job:
    document = _read_json(path, "recipe")
    run = document if isinstance(document, dict) and "job" in document else {"job": document}
    try:
        job = Job.from_json(run["job"])
        if check_model and job.weights and isinstance(run.get("model"), dict):
            _check_same_file(Path(job.weights), run["model"].get("sha256"))
    except InputError as error:
        raise InputError(f"The recipe {path} cannot be used: {error}") from None
    return job


def _check_same_file(weights: Path, sha256: object) -> None:
    """Refuse a model file that is not the one that a recipe was made with."""
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"its model {weights} cannot be read ({error.strerror}); name one with --model") from None
    if sha256 and found != sha256:
        raise InputError(f"its model {weights} has changed since (SHA-256); name it with --model to use it as it is")


def _rules(path: Path) -> Rules:
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


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not auto, cpu, cuda or cuda:N")
    return text


def _title(job: Job, arguments: argparse.Namespace) -> str:
    """What a person calls the run: the first source, and how many more there are."""
    texts = arguments.sources or [
        next((v for v in choice.options.values() if isinstance(v, str) and v), choice.id) for choice in job.sources
    ]
    if not texts:
        return ""
    _, address, rest = texts[0].partition("://")
    # Of an address neither user and password nor the query, which may hold a token: the title names a folder.
    name = rest.rpartition("@")[2].partition("?")[0] if address else Path(texts[0].rstrip("/\\")).name
    return f"{name or texts[0]} +{len(texts) - 1}" if len(texts) > 1 else name or texts[0]


def _default_output(settings: Settings, title: str) -> Path:
    folder = settings.get("output_folder") or paths.results_folder()
    return Path(folder) / paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {title}")


def _open_history(days: int) -> history.History:
    """The history, without what is older than ``days``; 0 keeps all."""
    opened = history.History.open()
    if days:
        opened.purge(before=datetime.now().astimezone() - timedelta(days=days))
    return opened


# Following the run


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C, SIGTERM and the end of the terminal set the event; a second signal interrupts at once."""
    interrupted = threading.Event()

    def interrupt(number: int, frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    signals = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored below nohup
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
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
