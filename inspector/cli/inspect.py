"""``bearing-inspector inspect``: the main job."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector import __version__, cli, i18n, jobs, logs, registry
from inspector.api import Option
from inspector.cli import console, options
from inspector.cli.console import remark
from inspector.cli.printers import JsonPrinter, Printer, TextPrinter
from inspector.domain import Choice, InputError, Job, check_fraction
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
    add("--runtime", metavar="auto|torch|openvino", help="what runs the model")
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
    settings = Settings.load(jobs.plugin_options(catalogue))
    language = i18n.language(settings.get("language"))
    job = _job(arguments, catalogue, settings, language)
    title = jobs.title(job, arguments.sources)
    output = (arguments.output or jobs.default_output(settings, title)).absolute()
    log_to: Callable[[Path], Any] = logs.run_log
    engine = Engine(catalogue, lambda: jobs.open_history(settings.get("history_days")), __version__, log_to)
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
        job = replace(jobs.read_recipe(arguments.recipe, check_model=not arguments.model), language=language)
        if arguments.model:
            spec, weights = jobs.find_model(catalogue, arguments.model)
            job = replace(job, model=job.model if spec.id == job.model.id else Choice(spec.id), weights=weights)
    else:
        job = jobs.new_job(catalogue, settings, language, model=arguments.model)
    if arguments.pairs and not arguments.source:
        raise InputError("-o belongs to --source ID; for a SOURCE use flags such as --image_files.recursive")
    if arguments.sources or arguments.source:
        job = replace(job, sources=jobs.set_up(catalogue, settings, _sources(arguments, catalogue)))
    job = replace(
        job,
        sources=tuple(_chosen(arguments, c, catalogue.source(c.id).options) for c in job.sources),
        model=_model(arguments, catalogue, job.model),
        device=arguments.device or job.device,
        confidence=job.confidence if arguments.conf is None else arguments.conf,
        iou=job.iou if arguments.iou is None else arguments.iou,
        rules=jobs.read_rules(arguments.rules) if arguments.rules else job.rules,
    )
    exporters = job.exporters
    if arguments.export is not None:
        before = {choice.id: choice for choice in job.exporters}
        exporters = tuple(
            before.get(id) or Choice(id, jobs.kept(settings, id, catalogue.exporter(id).options))
            for id in _exporters(arguments.export)
        )
    job = replace(job, exporters=tuple(_chosen(arguments, c, catalogue.exporter(c.id).options) for c in exporters))
    _refuse_idle_flags(arguments, job)
    return job


def _chosen(arguments: argparse.Namespace, choice: Choice, declared: tuple[Option, ...]) -> Choice:
    """``choice`` with the flags that were given for it, as JSON can hold them."""
    return Choice(choice.id, jobs.plain({**choice.options, **options.given(arguments, declared, choice.id)}))


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
        found += jobs.claim(catalogue, text)
    return tuple(found)


def _model(arguments: argparse.Namespace, catalogue: registry.Registry, choice: Choice) -> Choice:
    spec = catalogue.model(choice.id)
    chosen = dict(choice.options) | options.given(arguments, spec.options, spec.id)
    known = {option.key: option for option in spec.options}
    for key in ("imgsz", "runtime"):
        value = getattr(arguments, key)
        if value is not None:
            if key not in known:
                raise InputError(f"--{key} means nothing to the model {spec.id}; leave it out")
            chosen[key] = options.check(known[key], value)
    return _chosen(arguments, Choice(spec.id, chosen), ())


def _fraction(text: str) -> float:
    try:
        return check_fraction(float(text), "the value")
    except (ValueError, InputError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1") from None


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not auto, cpu, cuda or cuda:N")
    return text


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
