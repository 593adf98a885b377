"""``bearing-inspector architectures``: list architectures, show what one costs, check all."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context

from inspector import registry
from inspector.api import Architecture, Architectures, Cost, ModelSpec
from inspector.cli import console, models
from inspector.cli.console import emit, print_error, print_line, table
from inspector.domain import InputError, InspectorError, describe, interrupts, quote


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architecture", nargs="?", metavar="ARCH", help="show layers and cost of this architecture")
    parser.add_argument("--search", metavar="TEXT", default="", help="list what contains all words of TEXT")
    parser.add_argument("--kind", metavar="KIND", default="", help="list one kind: base, preset, attention, loss, …")
    parser.add_argument("--cost", action="store_true", help="list parameters and GFLOPs too; builds each, in minutes")
    parser.add_argument("--imgsz", type=int, default=640, metavar="N", help="image size for the cost (default 640)")
    parser.add_argument("--check", action="store_true", help="build, train one step, save and reload each combination")
    parser.add_argument("--only", metavar="TEXT", default="", help="with --check: names that contain this text")
    parser.add_argument("--sample", type=int, metavar="N", help="with --check: N evenly spaced combinations")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="with --check: number of processes (default: number of cores)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    if not 32 <= arguments.imgsz <= 4096:
        raise InputError("--imgsz: {imgsz} is outside the range from 32 to 4096", imgsz=arguments.imgsz)
    if arguments.check:
        if arguments.search or arguments.kind or arguments.cost:
            raise InputError("--search, --kind and --cost belong to the list; leave out --check")
        if arguments.architecture:
            raise InputError("--check checks all architectures; narrow it with --only TEXT instead of a name")
        return _check(arguments)
    if arguments.only or arguments.sample is not None or arguments.jobs is not None:
        raise InputError("--only, --sample and --jobs belong to --check; add it")
    catalogue = registry.load()
    known = _architectures(catalogue)
    if arguments.architecture:
        if arguments.search or arguments.kind or arguments.cost:
            raise InputError("--search, --kind and --cost belong to the list; leave out the architecture")
        try:
            return _describe(known[0][1], arguments)
        except InputError:
            models.explain(catalogue, arguments.architecture)
            raise
    entries = [(one, entry) for spec, one in known for entry in registry.architecture_list(catalogue, spec, one)]
    return _list(entries, arguments)


_BASE = "yolo11n-seg"  # with which modifiers are counted


def _list(entries: Sequence[tuple[Architectures, Architecture]], arguments: argparse.Namespace) -> int:
    """Print what the search finds."""
    kinds = list(dict.fromkeys(_word(entry) for _, entry in entries))
    if arguments.kind and arguments.kind not in kinds:
        raise InputError(
            "There is no kind {kind}; known are {known}", kind=quote(arguments.kind), known=", ".join(kinds)
        )
    shown = [
        (one, entry)
        for one, entry in entries
        if arguments.kind in ("", _word(entry)) and _fits(entry, arguments.search)
    ]
    if not shown:
        raise InputError(
            "No architecture contains {only}; see 'bearing-inspector architectures'", only=quote(arguments.search)
        )
    documents, rows = [], []
    for number, (one, entry) in enumerate(shown, 1):
        document: dict[str, object] = {
            "name": entry.name,
            "kind": entry.kind,
            "word": _word(entry),
            "title": entry.title.en,
            "title_zh": entry.title.zh,
            "paper": entry.paper,
            "meaning": entry.meaning or entry.name,
            "about": entry.about.en,
            "about_zh": entry.about.zh,
        }
        row = [entry.name, _word(entry), entry.paper, entry.about.en or entry.title.en]
        if arguments.cost:
            print_error(f"{number}/{len(shown)}  {entry.name}")
            cost = _cost(one, entry, arguments.imgsz)
            document |= {
                "parameters": cost.parameters if cost else None,
                "gflops": cost.gflops if cost else None,
            }
            row[2:2] = [f"{cost.parameters:,}", f"{cost.gflops:.2f}"] if cost else ["-", "-"]
        documents.append(document)
        rows.append(row)
    if arguments.json:
        emit(documents)
    else:
        table(["name", "kind", *(["parameters", "GFLOPs"] if arguments.cost else []), "paper", "what it does"], rows)
    return 0


def _word(entry: Architecture) -> str:
    """The kind that is shown: of a modifier its word, e.g. ``attention``."""
    return entry.name.removeprefix("+").partition("=")[0] if entry.kind == "modifier" else entry.kind


def _fits(entry: Architecture, search: str) -> bool:
    texts = (entry.name, _word(entry), entry.paper, entry.meaning, *entry.title, *entry.about)
    whole = "\n".join(texts).casefold()
    return all(word in whole for word in search.casefold().split())


def _cost(known: Architectures, entry: Architecture, imgsz: int) -> Cost | None:
    """Of a modifier with the smallest base; None for a family, whose members differ."""
    if entry.name.endswith("/NAME"):
        return None
    with console.results_only():
        return known.cost(_BASE + entry.name if entry.kind == "modifier" else entry.name, imgsz)


def _architectures(catalogue: registry.Registry) -> Sequence[tuple[ModelSpec, Architectures]]:
    """Each model that can build something, with what it can build."""
    asked = ((spec, registry.architectures(catalogue, spec)) for spec in catalogue.models.values())
    known = [(spec, one) for spec, one in asked if one is not None]
    if not known:
        raise InputError("No plugin here can build a network; enable the plugin yolo11")
    return known


def _describe(known: Architectures, arguments: argparse.Namespace) -> int:
    with console.results_only():
        cost = known.cost(arguments.architecture, arguments.imgsz)
    if arguments.json:
        document = asdict(cost)
        keys = ("row", "from", "module", "parameters")
        document["rows"] = [dict(zip(keys, row, strict=True)) for row in cost.rows]
        emit(document)
        return 0
    table(["row", "from", "module", "parameters"], cost.rows)
    print_line()
    print_line(f"{cost.name}" + (f" = {cost.meaning}" if cost.meaning != cost.name else ""))
    size, stride = f"{cost.imgsz} x {cost.imgsz}", ", ".join(map(str, cost.stride))
    print_line(
        f"{cost.layers} layers, {cost.parameters:,} parameters, {cost.gflops:.2f} GFLOPs at {size}, stride {stride}"
    )
    return 0


def _check(arguments: argparse.Namespace) -> int:
    for name in ("sample", "jobs"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise InputError("--{name}: {value} is not a number from 1", name=name, value=value)
    catalogue = registry.load()
    tasks: list[tuple[int, str]] = []
    failed: dict[str, str] = {}
    for number, (spec, one) in enumerate(_architectures(catalogue)):
        names = registry.combinations(catalogue, spec, one)
        if names is None:
            failed[spec.id] = "its combinations cannot be determined"
            print_error(f"FAILED  {spec.id}  {failed[spec.id]}")
        tasks += [(number, name) for name in names or () if arguments.only in name]
    if arguments.sample and arguments.sample < len(tasks):
        tasks = [tasks[index * len(tasks) // arguments.sample] for index in range(arguments.sample)]
    if not tasks and not failed:
        raise InputError(
            "No architecture contains {only}; see 'bearing-inspector architectures'", only=quote(arguments.only)
        )
    began = time.monotonic()
    for done, (name, reason) in enumerate(_results(tasks, arguments), 1):
        if reason:
            failed[name] = reason
        print_error(f"{done}/{len(tasks)}  {'FAILED' if reason else 'ok'}  {name}" + (f"  {reason}" if reason else ""))
    seconds = round(time.monotonic() - began, 1)
    if arguments.json:
        names = [name for _, name in tasks]
        emit(
            {
                "checked": names,
                "passed": sum(name not in failed for name in names),
                "failed": failed,
                "seconds": seconds,
            }
        )
    else:
        print_line(f"{sum(name not in failed for _, name in tasks)} passed, {len(failed)} failed, in {seconds:g} s")
    return 1 if failed else 0


def _results(tasks: Sequence[tuple[int, str]], arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield (name, error) of each task as it finishes, in processes of one thread each."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = max(1, min(arguments.jobs or os.cpu_count() or 1, len(tasks)))
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start)
    try:
        futures = [pool.submit(_try, number, name) for number, name in tasks]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


_mine: Sequence[Architectures] = ()  # in a worker process of the check


def _start() -> None:
    global _mine
    _mine = [one for _, one in _architectures(registry.load())]


def _try(number: int, name: str) -> tuple[str, str]:
    with console.results_only():
        try:
            _mine[number].check(name)
        except InspectorError as error:
            return name, str(error).removeprefix(f"{name}: ")
        except BaseException as error:
            if interrupts(error):
                raise
            return name, describe(error)
    return name, ""
