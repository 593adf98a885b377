"""``history``: find, show, export and remove what was inspected before."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from inspector import cli, i18n, jobs, registry
from inspector.cli import console
from inspector.domain import InputError
from inspector.history import History, Query
from inspector.paths import publish, temporary_beside, unused_path
from inspector.replay import replay
from inspector.settings import Settings

_MOST_NAMED = 10  # pictures that cannot be read again

_CSV_COLUMNS = (
    *("id", "run", "title", "number", "time", "name", "path", "index", "seconds", "width", "height", "verdict"),
    *("skipped", "labels", "reasons", "defects", "largest_px2", "confidence", "iou", "model", "sha256"),
    *("read_ms", "infer_ms", "total_ms"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="search|show|export|purge")
    search = commands.add_parser("search", help="list inspections, the newest first")
    _add_filters(search)
    search.add_argument("--limit", type=int, default=50, help="how many to list at most (default: 50)")
    show = commands.add_parser("show", help="show all about one inspection")
    show.add_argument("id", type=int, metavar="ID", help="its number in the first column of history search")
    export = commands.add_parser("export", help="write inspections to a file or with exporters, the oldest first")
    way = export.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", type=Path, metavar="FILE", help="a new file: .jsonl or .csv")
    way.add_argument("--export", metavar="LIST", help="what is written, such as xlsx,images; see inspect --help")
    export.add_argument("--output", type=Path, metavar="DIR", help="folder for --export (default: a new one)")
    _add_filters(export)
    purge = commands.add_parser("purge", help="remove old inspections for good")
    purge.add_argument("--before", required=True, metavar="DATE", help="remove what is older than this")
    purge.add_argument("--yes", action="store_true", help="remove; without it only their number is told")
    for command in (search, show, export, purge):
        command.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the chosen sub-command; returns the exit code."""
    actions = {"search": _search, "show": _show, "export": _export, "purge": _purge}
    return actions[arguments.action](arguments) or cli.DONE


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", metavar="DATE", help="from this day or time on, such as 2026-11-22 or 2026-11-22T14:30"
    )
    parser.add_argument("--until", metavar="DATE", help="up to the end of this day, or before this time")
    parser.add_argument("--verdict", type=str.upper, choices=("OK", "WARN", "NG", "SKIPPED"))
    parser.add_argument("--label", help="class name of a defect")
    parser.add_argument("--model", help="file name of the model, or the beginning of its SHA-256")
    parser.add_argument("--file", help="file name or path; * and ? stand for anything")
    parser.add_argument("--text", help="part of a file name, path, class name, reason code or title")
    parser.add_argument("--run", type=int, metavar="ID", help="id of a run")


def _query(arguments: argparse.Namespace, **more: Any) -> Query:
    return Query(
        since=None if arguments.since is None else parse_date(arguments.since, "--since"),
        until=None if arguments.until is None else parse_date(arguments.until, "--until", end=True),
        **{name: getattr(arguments, name) for name in ("verdict", "label", "model", "file", "text", "run")},
        **more,
    )


def parse_date(text: str, option: str, end: bool = False) -> datetime:
    """An ISO date or date and time, as local time where it names no zone.

    Args:
        text: such as ``2026-11-22`` or ``2026-11-22T14:30``.
        option: for the error message.
        end: a date without time means the end of that day instead of its beginning.

    Raises:
        InputError: it is no such date.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if end and moment.time() == datetime.min.time() and not any(mark in text for mark in ":T "):
            moment += timedelta(days=1)
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        raise InputError(
            f"{option}: {text!r} is not a date; write it as 2026-11-22, or as 2026-11-22T14:30 with the time"
        ) from None


def _search(arguments: argparse.Namespace) -> None:
    if arguments.limit < 1:
        raise InputError(f"--limit must be a whole number from 1, not {arguments.limit}")
    query = _query(arguments, limit=arguments.limit)
    with History.open() as history:
        entries = history.search(query).entries
        found = history.count(query)
    if arguments.json:
        console.emit({"found": found, "inspections": [asdict(entry) for entry in entries]})
        return
    if not entries:
        console.say("Nothing in the history matches.")
        return
    console.table(
        ("ID", "Time", "Verdict", "Name", "Index", "Defects", "Labels", "Model", "Run"),
        [
            (
                entry.id,
                _local(entry.time),
                entry.verdict or "skipped",
                _line(entry.name),
                "" if entry.index is None else entry.index,
                "" if entry.verdict is None else entry.defects,
                _line(", ".join(entry.labels) or entry.skipped or ""),
                _line(entry.model),
                entry.run,
            )
            for entry in entries
        ],
    )
    if found > len(entries):
        console.remark(f"{len(entries)} of {found} are listed; --limit lists more.")


def _show(arguments: argparse.Namespace) -> None:
    with History.open() as history:
        record = history.get(arguments.id)
    if arguments.json:
        console.emit(record)
        return
    reasons = (f"{r['code']} {r['label']}: {r['value']:g} > {r['limit']:g}" for r in record["reasons"])
    lines = {
        "Inspection": f"{record['id']} (run {record['run']}: {record['title']})",
        "Name": record["name"],
        "Path": record["path"],
        "Index": record["index"],
        "Seconds": record["seconds"],
        "Time": _local(record["time"]),
        "Size": None if record["width"] is None else f"{record['width']} x {record['height']} px",
        "Verdict": record["verdict"] or f"skipped: {record['skipped']}",
        "Reasons": "; ".join(reasons) or None,
        "Model": " ".join(filter(None, (record["model"]["file"], record["model"]["sha256"][:12]))) or None,
        "Thresholds": None
        if record["confidence"] is None
        else f"confidence {record['confidence']:g}, IoU {record['iou']:g}",
        "Milliseconds": None
        if record["ms"]["total"] is None
        else ", ".join(f"{name} {value:g}" for name, value in record["ms"].items()),
    }
    for name, value in lines.items():
        if value is not None:
            console.say(f"{name + ':':<14}{_line(str(value))}")
    if record["detections"]:
        console.say()
        console.table(
            ("Label", "Score", "x1", "y1", "x2", "y2", "Area px²", "Length px"),
            [
                (
                    _line(d["label"]),
                    f"{d['score']:.3f}",
                    *(f"{value:.1f}" for value in d["box"]),
                    "" if d["area_px"] is None else d["area_px"],
                    "" if d["length_px"] is None else f"{d['length_px']:.1f}",
                )
                for d in record["detections"]
            ],
        )


def _export(arguments: argparse.Namespace) -> int:
    if arguments.export is not None:
        return _export_again(arguments)
    if arguments.output is not None:
        raise InputError("--output belongs to --export; with --to the file says where")
    _export_file(arguments)
    return cli.DONE


def _export_again(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from inspector.history.listing import Listing, Sort

    catalogue = registry.load()
    settings = Settings.load(jobs.plugin_options(catalogue))
    specs = [catalogue.exporter(id) for id in dict.fromkeys(part.strip() for part in arguments.export.split(","))]
    chosen = [(spec, jobs.kept(settings, spec.id, spec.options)) for spec in specs]
    wanted: Path = (arguments.output or jobs.default_output(settings, "history")).absolute()
    with Listing() as listing:
        ids = list(dict.fromkeys(listing.keys(_query(arguments), Sort("time"))[:, 0].tolist()))
    if not ids:
        raise InputError("Nothing in the history matches; nothing is exported")
    bar = tqdm(total=len(ids), unit="picture", disable=True if arguments.json else None, file=sys.stderr, leave=False)
    with History.open() as history, jobs.FrameFinder(catalogue) as finder, console.results_only(), bar:
        runs = history.runs_of(ids)
        outputs = {run.id: run.output for run in runs}
        result = replay(
            history.records_of(ids),
            runs,
            chosen,
            wanted if not wanted.is_dir() or not any(wanted.iterdir()) else unused_path(wanted),
            lambda record: finder.find(record, outputs[record["run"]]),
            language=i18n.language(settings.get("language")),
            progress=lambda done: bar.update(done - bar.n),
        )
    for sentence in (*result.problems, *result.missing[:_MOST_NAMED]):
        console.remark(f"bearing-inspector: {_line(sentence)}")
    if len(result.missing) > _MOST_NAMED:
        console.remark(f"bearing-inspector: pictures that cannot be read again, in all: {len(result.missing)}")
    if arguments.json:
        files = [str(file) for file in result.files]
        told = {"missing": result.missing, "problems": result.problems}
        console.emit({"exported": result.written, "folder": str(result.folder), "files": files, **told})
    else:
        console.say(f"Inspections written to {result.folder}: {result.written}")
    return cli.PART_FAILED if result.problems or result.missing else cli.DONE


def _export_file(arguments: argparse.Namespace) -> None:
    target: Path = arguments.to
    writers = {".jsonl": _write_jsonl, ".csv": _write_csv}
    write = writers.get(target.suffix.lower())
    if write is None:
        raise InputError(f"--to: {target.name} must end in .jsonl or .csv")
    if target.exists():
        raise InputError(f"--to: {target} exists already; give another name")
    query = _query(arguments, order="oldest")
    temporary: Path | None = None
    try:
        temporary = temporary_beside(target)
        with History.open() as history:
            written = write(temporary, history.records(query))
        target = publish(temporary, target)
    except OSError as error:
        raise InputError(f"--to: {target} cannot be written ({error.strerror}); choose another folder") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    if arguments.json:
        console.emit({"exported": written, "file": str(target)})
    else:
        console.say(f"Inspections written to {target}: {written}")


def _write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> int:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        number = 0
        for number, record in enumerate(records, 1):  # noqa: B007 - counted
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return number


def _write_csv(path: Path, records: Iterable[dict[str, Any]]) -> int:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_CSV_COLUMNS)
        number = 0
        for number, record in enumerate(records, 1):  # noqa: B007 - counted
            writer.writerow(_cell(value) for value in _csv_row(record))
    return number


def _csv_row(record: dict[str, Any]) -> Iterator[Any]:
    found = record["detections"]
    derived = {
        "labels": "; ".join(sorted({d["label"] for d in found})),
        "reasons": "; ".join(f"{r['code']} {r['label']} {r['value']:g} > {r['limit']:g}" for r in record["reasons"]),
        "defects": len(found),
        "largest_px2": max((d["area_px"] for d in found if d["area_px"] is not None), default=None),
        "model": record["model"]["file"],
        "sha256": record["model"]["sha256"],
    }
    derived |= {f"{name}_ms": value for name, value in record["ms"].items()}
    return ((derived if column in derived else record)[column] for column in _CSV_COLUMNS)


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _purge(arguments: argparse.Namespace) -> None:
    before = parse_date(arguments.before, "--before")
    with History.open() as history:
        count = history.purge(before=before) if arguments.yes else history.count(Query(until=before))
    if arguments.json:
        console.emit({"before": before.isoformat(), "count": count, "removed": bool(arguments.yes)})
    elif arguments.yes:
        console.say(f"Inspections removed: {count}")
    else:
        console.say(
            f"Inspections older than {_local(before.isoformat())}: {count}. To remove them for good, add --yes."
        )


def _local(time: str) -> str:
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _line(text: str) -> str:
    """``text`` without control characters, which would disturb the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
