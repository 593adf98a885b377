"""``bearing-inspector inspect``: inspect sources and save the results."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspector import __version__, cli, i18n, registry
from inspector.api import ModelSpec
from inspector.cli import console, options
from inspector.cli.console import print_error, print_failure
from inspector.cli.printers import JsonPrinter, Printer, TextPrinter
from inspector.domain import (
    Calibration,
    Choice,
    Grouping,
    InputError,
    InspectorError,
    Job,
    check_fraction,
    check_scale,
    quote,
)
from inspector.engine import Engine, Run
from inspector.jobs import recipe_library, recipes, resume
from inspector.jobs.build import build_job, default_output, run_title
from inspector.jobs.models import find_model
from inspector.jobs.options import plugin_options
from inspector.jobs.recovery import open_history, purge_originals
from inspector.jobs.sources import resolve_sources
from inspector.settings import Settings
from inspector.system import logs

_FACTS = ("lot", "operator", "station")


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    parser.set_defaults(catalogue=catalogue)
    # argparse's own would list every flag of every plugin
    parser.usage = "%(prog)s SOURCE… [options] | --resume RUN [--json]"
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="file, folder, glob, video, camera:0, rtsp://…, http://…")
    add("--source", metavar="ID", help=f"open this kind of source instead: {', '.join(catalogue.sources)}")
    add("-o", dest="pairs", action="append", default=[], metavar="key=value", help="an option of --source")
    add("--model", metavar="FILE|NAME", help="weights file (best.pt) or the name of a bundled model")
    add("--conf", type=_fraction, metavar="0-1", help="confidence threshold (default 0.25)")
    add("--iou", type=_fraction, metavar="0-1", help="IoU threshold for non-maximum suppression (default 0.45)")
    add("--imgsz", metavar="N", help="input size of the network in pixels")
    add("--device", type=_device, metavar="auto|cpu|cuda[:N]", help="device")
    add("--runtime", metavar="auto|torch|openvino", help="inference runtime")
    add(
        "--rules",
        type=Path,
        metavar="FILE|TEMPLATE",
        help="limits for the verdict (default: any defect is NG)",
    )
    add("--mm-per-pixel", type=float, metavar="F", help="size of a pixel on the part in millimetres")
    add("--calibration", type=Path, metavar="FILE", help="calibration of the camera, as JSON")
    add(
        "--parts",
        metavar="PATTERN|N|stretch",
        help="images of one part: those whose names agree, N in a row, or a stretch",
    )
    add("--views", metavar="LIST|N", help="views that each part must have, with --parts PATTERN: front,back or 2")
    add("--trigger", metavar="key|timer:S|still", help="take an image of a camera or video, or begin a stretch of it")
    add("--lot", metavar="TEXT", help="lot, recorded with each result")
    add("--operator", metavar="NAME", help="operator, recorded with each result")
    add("--station", metavar="NAME", help="station, recorded with each result")
    add(
        "--recipe",
        metavar="FILE|NAME",
        help="repeat the job of a recipe or run.json; other flags override it unless it is locked",
    )
    add("--resume", metavar="RUN", help="continue a run that ended early: its results folder, run.json or number")
    add("--export", metavar="LIST", help=f"comma-separated exporters, of {','.join(catalogue.exporters)}; or none")
    add("--output", type=Path, metavar="DIR", help="folder for the results (default: a new one for each run)")
    add("--json", action="store_true", help="print one JSON document on stdout")
    add("--quiet", action="store_true", help="no progress bar and no line for each image")
    add("--fail-on-ng", action="store_true", help="exit with code 3 if any image is NG or unreadable")
    for kind in (catalogue.sources, catalogue.models, catalogue.exporters):
        for spec in kind.values():
            if spec.options:
                options.add_flags(parser.add_argument_group(f"{spec.id}: {spec.title.en}"), spec.options, spec.id)


def run(arguments: argparse.Namespace) -> int:
    catalogue: registry.Registry = arguments.catalogue
    settings = Settings.load(plugin_options(catalogue))
    language = i18n.language(settings.get("language"))
    resumable = _resumable(arguments, catalogue)
    if resumable is None:
        job = _job(arguments, catalogue, settings, language)
        title = run_title(job, arguments.sources)
        output = (arguments.output or default_output(settings, title)).absolute()
    else:
        job, title, output = resumable.job, resumable.entry.title, resumable.output
    log_to: Callable[[Path], Any] = logs.run_log
    engine = Engine(catalogue, lambda: open_history(settings.get("history_days")), __version__, log_to)
    printer: Printer = JsonPrinter() if arguments.json else TextPrinter(language, arguments.quiet)
    with _interruptible() as interrupted, console.results_only():
        if resumable is None:
            started = engine.start(job, output, title, printer.result)
        else:
            started = resume.start(engine, resumable, printer.result)
        if started.trigger_kind == "key":
            _trigger_by_lines(started)
        _follow(started, interrupted, arguments.quiet or arguments.json)
    if isinstance(started.failure, InputError) and not started.counts.inspected + started.counts.skipped:
        raise started.failure
    printer.end(started)
    _purge_originals(settings)
    if started.failure is not None:
        print_failure(str(started.failure))
    if interrupted.is_set():
        return cli.INTERRUPTED
    if started.failure is not None:
        return cli.PART_FAILED
    if arguments.fail_on_ng and (started.counts.ng or started.counts.skipped):
        return cli.NOT_GOOD
    return cli.PART_FAILED if started.problems or printer.refused else cli.DONE


def _purge_originals(settings: Settings) -> None:
    try:
        removed = purge_originals(settings)
    except InspectorError as error:
        print_failure(str(error))
        return
    if removed.files:
        days, most = settings.get("originals_days"), settings.get("originals_gb")
        print_error(
            f"Originals removed, kept for {days} days and up to {most:g} GB (0: without limit): {removed.files}"
        )


# The job


def _resumable(arguments: argparse.Namespace, catalogue: registry.Registry) -> resume.Resumable | None:
    """The run to resume, or None. It is resumed as it was started: flags that would change it are refused."""
    if arguments.resume is None:
        return None
    given = {
        **{name: getattr(arguments, name) for name in ("sources", "source", "pairs", "model", "imgsz", "device")},
        **{name: getattr(arguments, name) for name in ("runtime", "rules", "recipe", "export", "output", "iou")},
        **{name: getattr(arguments, name) for name in ("parts", "views", "trigger", *_FACTS)},
        **{name: getattr(arguments, name) for name in ("mm_per_pixel", "calibration")},
        "conf": arguments.conf,
        **{name: value for name, value in vars(arguments).items() if "." in name},
    }
    flags = {"sources": "SOURCE", "pairs": "-o"}
    if changed := [name for name, value in given.items() if value not in (None, [])]:
        flag = flags.get(changed[0], f"--{changed[0]}")
        raise InputError("--resume continues a run as it was started; leave out {flag}", flag=flag)
    return resume.find(catalogue, arguments.resume)


def _job(arguments: argparse.Namespace, catalogue: registry.Registry, settings: Settings, language: str) -> Job:
    recipe, base = None, None
    if arguments.recipe is not None:
        file = recipe_library.find(arguments.recipe)
        recipe = recipes.load(file)
        base = recipe.job
        if not arguments.model:
            recipes.check_model_of(file, recipe)
    if base is None or arguments.model:
        model = find_model(catalogue, arguments.model)
    else:
        model = catalogue.model(base.model.id), base.weights
    if arguments.pairs and not arguments.source:
        raise InputError("-o belongs to --source ID; for a SOURCE use flags such as --image_files.recursive")
    job = build_job(
        catalogue,
        settings,
        language,
        base=base,
        model=model,
        sources=_sources(arguments, catalogue) if arguments.sources or arguments.source else None,
        exporters=None if arguments.export is None else _exporters(arguments.export, catalogue),
        device=arguments.device,
        confidence=arguments.conf,
        iou=arguments.iou,
        rules=recipes.read_rules(arguments.rules) if arguments.rules else None,
        overrides=_overrides(arguments, catalogue, model[0]),
        parts=Grouping.from_text(arguments.parts, arguments.views, arguments.trigger),
        calibration=_calibration(arguments),
        facts={name: (getattr(arguments, name) or "").strip() for name in _FACTS},
    )
    _refuse_idle_flags(arguments, job)
    if recipe is not None:
        recipe.check_lock(job)
    return job


def _calibration(arguments: argparse.Namespace) -> Calibration | None:
    if arguments.calibration is not None and arguments.mm_per_pixel is not None:
        raise InputError("Give either --calibration FILE or --mm-per-pixel F, not both")
    if arguments.calibration is not None:
        return recipes.read_calibration(arguments.calibration)
    if arguments.mm_per_pixel is not None:
        return Calibration(check_scale(arguments.mm_per_pixel))
    return None


def _overrides(
    arguments: argparse.Namespace, catalogue: registry.Registry, model: ModelSpec
) -> dict[str, dict[str, Any]]:
    """Return the options given as flags, by id of the spec."""
    kinds: tuple[Mapping[str, Any], ...] = (catalogue.sources, catalogue.models, catalogue.exporters)
    found = {spec.id: options.given(arguments, spec.options, spec.id) for kind in kinds for spec in kind.values()}
    known = {option.key: option for option in model.options}
    for key in ("imgsz", "runtime"):
        value = getattr(arguments, key)
        if value is not None:
            if key not in known:
                raise InputError("the model {id} has no option --{key}; leave it out", key=key, id=model.id)
            found[model.id][key] = options.check(known[key], value)
    return found


def _exporters(text: str, catalogue: registry.Registry) -> Iterable[str]:
    """The ids of a list in the catalogue's order, because tables refer to images that were written before."""
    ids = [part.strip() for part in text.split(",")]
    if ids == ["none"]:
        return ()
    if "none" in ids or "" in ids:
        raise InputError("--export {text} is not a list such as xlsx,images; or give none alone", text=quote(text))
    known = list(catalogue.exporters)
    return sorted(dict.fromkeys(ids), key=lambda id: known.index(id) if id in known else len(known))


def _refuse_idle_flags(arguments: argparse.Namespace, job: Job) -> None:
    """A flag that changes nothing is a mistake, which the person should learn of."""
    used = {choice.id for choice in (*job.sources, job.model, *job.exporters)}
    for flag in vars(arguments):
        owner, dot, _ = flag.partition(".")
        if dot and owner not in used:
            raise InputError(
                "--{flag} changes nothing, since {owner} has no part in this run; leave it out", flag=flag, owner=owner
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
                raise InputError("-o {pair} is not key=value", pair=quote(pair))
            pairs[key.strip()] = value
        return (Choice(spec.id, pairs),)
    found: list[Choice] = []
    for text in arguments.sources:
        found += [choice for choice in resolve_sources(catalogue, text) if choice not in found]
    return tuple(found)


def _fraction(text: str) -> float:
    try:
        return check_fraction(float(text), "the value")
    except (ValueError, InputError):
        raise argparse.ArgumentTypeError(f"{quote(text)} is not a number from 0 to 1") from None


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{quote(text)} is not auto, cpu, cuda or cuda:N")
    return text


# Following the run


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Set the event on Ctrl-C, SIGTERM or the end of the terminal; interrupt at once on a second signal."""
    interrupted = threading.Event()

    def interrupt(number: int, frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    signals = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        signals.append(signal.SIGBREAK)  # Ctrl-Break, and the closing of the console
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored below nohup
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _trigger_by_lines(started: Run) -> None:
    """Take an image with each line of stdin (Enter); the end of stdin ends the run."""

    def read() -> None:
        for _ in sys.stdin:
            started.trigger()
        while started.triggers_waiting and not started.wait(0.05):
            pass
        started.stop()

    print_error("Press Enter for each part; Ctrl-D or Ctrl-C ends the run")
    threading.Thread(target=read, name="key trigger", daemon=True).start()


def _follow(started: Run, interrupted: threading.Event, quiet: bool) -> None:
    from tqdm import tqdm

    with tqdm(total=None, unit="image", disable=True if quiet else None, file=sys.stderr, leave=False) as bar:
        while not started.wait(0.1):
            if interrupted.is_set():
                started.stop()
            bar.total = started.total
            bar.update(started.counts.inspected + started.counts.skipped - bar.n)
            bar.set_postfix(OK=started.counts.ok, NG=started.counts.ng, refresh=False)
