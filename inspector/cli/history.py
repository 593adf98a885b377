"""``history``: search, show, export and purge earlier inspections."""

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

from inspector import cli, i18n, registry
from inspector.api import Scope
from inspector.cli import console
from inspector.cli.excluding import exclude, include, left_out
from inspector.domain import InputError, Reason, quote, spreadsheet_text
from inspector.domain.limits import CODES
from inspector.history import History, Query
from inspector.history.judgements import Judgements
from inspector.history.periods import to_local_time
from inspector.jobs.build import default_output
from inspector.jobs.options import plugin_options, saved_options
from inspector.reexport import scope as scopes
from inspector.reexport.frame_finder import FrameFinder
from inspector.reexport.reexport import reexport
from inspector.settings import Settings
from inspector.system.paths import publish, temporary_beside, unused_path

_MOST_NAMED = 10  # images that cannot be read again, listed by name

_CSV_COLUMNS = (
    *("id", "run", "title", "number", "time", "name", "path", "index", "seconds", "width", "height", "verdict"),
    *("skipped", "labels", "reasons", "defects", "largest_px2", "confidence", "iou", "model", "sha256"),
    *("read_ms", "infer_ms", "total_ms"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="search|show|export|purge|exclude|include")
    search = commands.add_parser("search", help="list inspections, newest first")
    _add_filters(search)
    search.add_argument("--limit", type=int, default=50, help="maximum number to list (default 50)")
    show = commands.add_parser("show", help="show all details of an inspection")
    show.add_argument("id", type=int, metavar="ID", help="id, the first column of history search")
    export = commands.add_parser("export", help="export inspections, oldest first")
    way = export.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", type=Path, metavar="FILE", help="a new file: .jsonl or .csv")
    way.add_argument("--export", metavar="LIST", help="comma-separated exporters, e.g. xlsx,images; see inspect --help")
    export.add_argument("--output", type=Path, metavar="DIR", help="folder for --export (default: a new one)")
    _add_filters(export)
    purge = commands.add_parser("purge", help="delete old inspections permanently")
    purge.add_argument("--before", required=True, metavar="DATE", help="delete inspections older than this")
    purge.add_argument("--yes", action="store_true", help="delete; without this flag only the number is shown")
    out = commands.add_parser("exclude", help="leave a run out of statistics")
    out.add_argument("--reason", default="", metavar="TEXT", help="recorded with the run")
    out.add_argument("--operator", default="", metavar="NAME", help="who does (default: the user of this computer)")
    again = commands.add_parser("include", help="count a run in statistics again")
    for command in (out, again):
        command.add_argument("id", type=int, metavar="RUN", help="id of a run")
    for command in (search, show, export, purge, out, again):
        command.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the chosen sub-command; returns the exit code."""
    actions = {
        "search": _search,
        "show": _show,
        "export": _export,
        "purge": _purge,
        "exclude": exclude,
        "include": include,
    }
    return actions[arguments.action](arguments) or cli.DONE


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="DATE", help="from this day or time on, e.g. 2026-11-22 or 2026-11-22T14:30")
    parser.add_argument("--until", metavar="DATE", help="until the end of this day, or before this time")
    parser.add_argument("--verdict", type=str.upper, choices=("OK", "WARN", "NG", "SKIPPED"))
    parser.add_argument("--label", help="class name of a defect")
    parser.add_argument("--model", help="file name of the model, or the beginning of its SHA-256")
    parser.add_argument("--file", help="file name or path; * and ? are wildcards")
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
    """Parse an ISO date or date and time; local time unless it names a zone.

    Args:
        text: ``2026-11-22`` or ``2026-11-22T14:30``.
        option: for the error message.
        end: a date without time means the end of that day instead of its beginning.

    Raises:
        InputError: not a date.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if end and moment.time() == datetime.min.time() and not any(mark in text for mark in ":T "):
            moment += timedelta(days=1)
        return to_local_time(moment)
    except (ValueError, OverflowError):
        raise InputError(
            "{option}: {text} is not a date; write it as 2026-11-22, or as 2026-11-22T14:30 with the time",
            option=option,
            text=quote(text),
        ) from None


def _search(arguments: argparse.Namespace) -> None:
    if arguments.limit < 1:
        raise InputError("--limit must be a whole number from 1, not {limit}", limit=arguments.limit)
    query = _query(arguments, limit=arguments.limit)
    with History.open() as history:
        entries = history.search(query).entries
        found = history.count(query)
    if arguments.json:
        console.emit({"found": found, "inspections": [asdict(entry) for entry in entries]})
        return
    if not entries:
        console.print_line("Nothing in the history matches.")
        return
    console.table(
        ("ID", "Time", "Verdict", "Name", "Index", "Defects", "Labels", "Model", "Run"),
        [
            (
                entry.id,
                _local(entry.time),
                entry.verdict or "skipped",
                entry.name,
                "" if entry.index is None else entry.index,
                "" if entry.verdict is None else entry.defects,
                ", ".join(entry.labels) or entry.skipped or "",
                entry.model,
                entry.run,
            )
            for entry in entries
        ],
    )
    if found > len(entries):
        console.print_error(f"{len(entries)} of {found} are listed; use --limit to list more.")


def _show(arguments: argparse.Namespace) -> None:
    with History.open() as history:
        record = history.get(arguments.id)
        events, part = history.events(record["run"]), history.part_of(arguments.id)
    record |= {"events": [asdict(event) for event in events]}
    record["part_record"] = None if part is None else part.record()
    with Judgements() as judgements:
        record["judgements"] = judgements.of_inspection(arguments.id)
        record["excluded"] = judgements.excluded(record["run"])
    if arguments.json:
        console.emit(record)
        return
    reasons = (_reason(r, ":") for r in record["reasons"])
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
        "Part": None if part is None else f"{part.id}, view {record['part']['view']}",
        "Part verdict": None if part is None else "; ".join((part.verdict.status, *i18n.part_reasons(part, "en"))),
        "Statistics": None if record["excluded"] is None else left_out(record["excluded"]),
        "Lot": record["lot"],
        "Operator": record["operator"],
        "Station": record["station"],
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
            console.print_line(f"{name + ':':<14}{value}")
    if events:
        console.print_line()
        console.table(
            ("Event of the run", "Until", "What", "Message"),
            [(_local(e.time), _local(e.until) if e.until else "", e.kind, e.message) for e in events],
        )
    if record["judgements"]:
        console.print_line()
        console.table(
            ("Judged again", "By", "Rules", "Verdict", "Reasons"),
            [
                (
                    _local(each["time"]),
                    each["by"] or "",
                    f"{each['rules']} #{each['rules_sha256'][:8]}",
                    each["verdict"],
                    "; ".join(i18n.reason_text(Reason(**reason), "en") for reason in each["reasons"]),
                )
                for each in record["judgements"]
            ],
        )
    if record["detections"]:
        console.print_line()
        console.table(
            ("Label", "Score", "x1", "y1", "x2", "y2", "Area px²", "Length px"),
            [
                (
                    d["label"],
                    f"{d['score']:.3f}",
                    *(f"{value:.1f}" for value in d["box"]),
                    "" if d["area_px"] is None else d["area_px"],
                    "" if d["length_px"] is None else f"{d['length_px']:.1f}",
                )
                for d in record["detections"]
            ],
        )


def _reason(reason: dict[str, Any], colon: str = "") -> str:
    signs = {"below": "<", "near": "≈"}
    sign = signs.get(reason["code"].rpartition("_")[2], ">") if reason["code"] in CODES else ">"
    return f"{reason['code']} {reason['label']}{colon} {reason['value']:g} {sign} {reason['limit']:g}"


def _export(arguments: argparse.Namespace) -> int:
    if arguments.export is not None:
        return _export_again(arguments)
    if arguments.output is not None:
        raise InputError("--output belongs to --export; with --to the file says where")
    _export_file(arguments)
    return cli.DONE


def _export_again(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    catalogue = registry.load()
    settings = Settings.load(plugin_options(catalogue))
    specs = [catalogue.exporter(id) for id in dict.fromkeys(part.strip() for part in arguments.export.split(","))]
    chosen = [(spec, saved_options(settings, spec.id, spec.options)) for spec in specs]
    wanted: Path = (arguments.output or default_output(settings, "history")).absolute()
    query, language = _query(arguments), i18n.language(settings.get("language"))
    ids = _ids(query)
    if not ids:
        raise InputError("Nothing in the history matches; nothing is exported")
    bar = tqdm(total=len(ids), unit="image", disable=True if arguments.json else None, file=sys.stderr, leave=False)
    with History.open() as history, FrameFinder(catalogue) as finder, console.results_only(), bar:
        runs = history.runs_of(ids)
        outputs = {run.id: run.output for run in runs}
        scope = scopes.scope_of(history, query, ids, runs, language)
        result = reexport(
            history.records_of(ids),
            runs,
            chosen,
            wanted if not wanted.is_dir() or not any(wanted.iterdir()) else unused_path(wanted),
            lambda record: finder.find(record, outputs[record["run"]]),
            language=language,
            scope=scope,
            progress=lambda done: bar.update(done - bar.n),
            part_of=history.part_of,
        )
    for sentence in (*result.problems, *result.missing[:_MOST_NAMED]):
        console.print_failure(sentence)
    if len(result.missing) > _MOST_NAMED:
        console.print_error(f"bearing-inspector: images that can no longer be read, in total: {len(result.missing)}")
    if arguments.json:
        files = [str(file) for file in result.files]
        told = {"missing": result.missing, "problems": result.problems}
        console.emit(
            {"exported": result.written, "folder": str(result.folder), "files": files, **told, "scope": asdict(scope)}
        )
    else:
        console.print_line(f"Inspections written to {result.folder}: {result.written}")
        console.print_line(_covers(scope))
    return cli.PART_FAILED if result.problems or result.missing else cli.DONE


def _export_file(arguments: argparse.Namespace) -> None:
    target: Path = arguments.to
    writers = {".jsonl": _write_jsonl, ".csv": _write_csv}
    write = writers.get(target.suffix.lower())
    if write is None:
        raise InputError("--to: {target} must end in .jsonl or .csv", target=target.name)
    if target.exists():
        raise InputError("--to: {target} already exists; give another name", target=target)
    query = _query(arguments, order="oldest")
    temporary: Path | None = None
    try:
        temporary = temporary_beside(target)
        with History.open() as history:
            ids = _ids(query)
            runs = history.runs_of(ids)
            scope = scopes.scope_of(history, query, ids, runs, "en")
            written = write(temporary, history.records_of(ids))
        target = publish(temporary, target)
        scopes.write_scope(target.with_name(f"{target.name}.scope.json"), scope, runs)
    except OSError as error:
        raise InputError(
            "--to: {target} cannot be written ({reason}); choose another folder", target=target, reason=error.strerror
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    if arguments.json:
        console.emit({"exported": written, "file": str(target), "scope": asdict(scope)})
    else:
        console.print_line(f"Inspections written to {target}: {written}")
        console.print_line(_covers(scope))


def _ids(query: Query) -> list[int]:
    from inspector.history.listing import Listing, Sort

    with Listing() as listing:
        ids: list[int] = listing.keys(query, Sort("time"), whole=True)[:, 0].tolist()
    return ids


def _covers(scope: Scope) -> str:
    part = f"{scope.inspections} of {scope.total} inspections of {scope.runs} run{'s' * (scope.runs != 1)}"
    if scope.parts != scope.inspections:
        part = f"{scope.parts} parts, {part}"
    return f"They are {part}: {scope.filter}"


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
            writer.writerow(spreadsheet_text(v) if isinstance(v, str) else v for v in _csv_row(record))
    return number


def _csv_row(record: dict[str, Any]) -> Iterator[Any]:
    found = record["detections"]
    derived = {
        "labels": "; ".join(sorted({d["label"] for d in found})),
        "reasons": "; ".join(_reason(r) for r in record["reasons"]),
        "defects": len(found),
        "largest_px2": max((d["area_px"] for d in found if d["area_px"] is not None), default=None),
        "model": record["model"]["file"],
        "sha256": record["model"]["sha256"],
    }
    derived |= {f"{name}_ms": value for name, value in record["ms"].items()}
    return ((derived if column in derived else record)[column] for column in _CSV_COLUMNS)


def _purge(arguments: argparse.Namespace) -> None:
    before = parse_date(arguments.before, "--before")
    with History.open() as history:
        count = history.purge(before=before) if arguments.yes else history.count(Query(until=before))
    if arguments.json:
        console.emit({"before": before.isoformat(), "count": count, "removed": bool(arguments.yes)})
    elif arguments.yes:
        console.print_line(f"Inspections deleted: {count}")
    else:
        console.print_line(
            f"Inspections older than {_local(before.isoformat())}: {count}. To delete them permanently, add --yes."
        )


def _local(time: str) -> str:
    return to_local_time(datetime.fromisoformat(time)).strftime("%Y-%m-%d %H:%M:%S")
