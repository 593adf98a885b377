"""``bearing-inspector architectures``: what can be trained, what one costs, and the check of everything."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context

from inspector import registry
from inspector.api import Architectures
from inspector.cli import console, models
from inspector.cli.console import emit, remark, say, table
from inspector.domain import InputError, InspectorError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architecture", nargs="?", metavar="ARCH", help="tell what this one is made of and costs")
    parser.add_argument("--imgsz", type=int, default=640, metavar="N", help="picture size of the costs (640)")
    parser.add_argument("--check", action="store_true", help="build, train a step, save and reload each combination")
    parser.add_argument("--only", metavar="TEXT", default="", help="with --check: names that contain this text")
    parser.add_argument("--sample", type=int, metavar="N", help="with --check: every so-many'th, N in all")
    parser.add_argument("--jobs", type=int, metavar="N", help="with --check: processes (as many as cores)")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    if not 32 <= arguments.imgsz <= 4096:
        raise InputError(f"--imgsz: {arguments.imgsz} lies outside the range from 32 to 4096")
    if arguments.check:
        if arguments.architecture:
            raise InputError("--check looks at all architectures; narrow it with --only TEXT instead of a name")
        return _check(arguments)
    if arguments.only or arguments.sample is not None or arguments.jobs is not None:
        raise InputError("--only, --sample and --jobs belong to --check; add it")
    known = _architectures()
    if arguments.architecture:
        try:
            return _describe(known, arguments)
        except InputError:
            models.explain(registry.load(), arguments.architecture)
            raise
    entries = [entry for one in known for entry in one.list()]
    if arguments.json:
        emit(
            [
                {
                    "name": entry.name,
                    "kind": entry.kind,
                    "title": entry.title.en,
                    "title_zh": entry.title.zh,
                    "paper": entry.paper,
                    "meaning": entry.meaning or entry.name,
                }
                for entry in entries
            ]
        )
        return 0
    shown = [[entry.name, entry.kind, entry.paper, entry.meaning or entry.title.en] for entry in entries]
    table(["name", "kind", "paper", "meaning"], shown)
    return 0


def _architectures() -> Sequence[Architectures]:
    catalogue = registry.load()
    layers = tuple(catalogue.layers.values())
    known = [spec.architectures(layers) for spec in catalogue.models.values() if spec.architectures is not None]
    if not known:
        raise InputError("No plugin here can build a network; enable the plugin yolo11")
    return known


def _describe(known: Sequence[Architectures], arguments: argparse.Namespace) -> int:
    with console.results_only():
        cost = known[0].cost(arguments.architecture, arguments.imgsz)
    if arguments.json:
        document = asdict(cost)
        keys = ("row", "from", "module", "parameters")
        document["rows"] = [dict(zip(keys, row, strict=True)) for row in cost.rows]
        emit(document)
        return 0
    table(["row", "from", "module", "parameters"], cost.rows)
    say()
    say(f"{cost.name}" + (f" = {cost.meaning}" if cost.meaning != cost.name else ""))
    size, stride = f"{cost.imgsz} x {cost.imgsz}", ", ".join(map(str, cost.stride))
    say(f"{cost.layers} layers, {cost.parameters:,} parameters, {cost.gflops:.2f} GFLOPs at {size}, stride {stride}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    for name in ("sample", "jobs"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise InputError(f"--{name}: {value} is not a number from 1")
    known = _architectures()
    tasks = [(number, name) for number, one in enumerate(known) for name in one.combinations()]
    tasks = [task for task in tasks if arguments.only in task[1]]
    if arguments.sample and arguments.sample < len(tasks):
        tasks = [tasks[index * len(tasks) // arguments.sample] for index in range(arguments.sample)]
    if not tasks:
        raise InputError(f"No architecture contains {arguments.only!r}; see 'bearing-inspector architectures'")
    failed: dict[str, str] = {}
    began = time.monotonic()
    for done, (name, reason) in enumerate(_results(tasks, arguments), 1):
        if reason:
            failed[name] = reason
        remark(f"{done}/{len(tasks)}  {'FAILED' if reason else 'ok'}  {name}" + (f"  {reason}" if reason else ""))
    seconds = round(time.monotonic() - began, 1)
    if arguments.json:
        names = [name for _, name in tasks]
        emit({"checked": names, "passed": len(names) - len(failed), "failed": failed, "seconds": seconds})
    else:
        say(f"{len(tasks) - len(failed)} passed, {len(failed)} failed, in {seconds:g} s")
    return 1 if failed else 0


def _results(tasks: Sequence[tuple[int, str]], arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """(name, what failed) of each task as it is done, in processes of one thread each."""
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


_mine: Sequence[Architectures] = ()  # of this process of the check


def _start() -> None:
    global _mine
    _mine = _architectures()


def _try(number: int, name: str) -> tuple[str, str]:
    with console.results_only():
        try:
            _mine[number].check(name)
        except InspectorError as error:
            return name, str(error).removeprefix(f"{name}: ")
    return name, ""
