"""``bearing-inspector study``: agreement of appraisers, gauges and probability of detection, from a CSV table."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.cli import console
from inspector.datasets.yolo_layout.text_files import read_text
from inspector.domain import InputError, quote
from inspector.quality import agreement, detection, gauge, intervals

_LARGEST = 64 << 20  # bytes of a table
_GOOD, _BAD = ("1", "ok", "good", "pass", "合格"), ("0", "ng", "bad", "fail", "不合格")
_FOUND, _MISSED = ("1", "yes", "true", "found", "hit"), ("0", "no", "false", "missed", "miss")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="msa|grr|pod")
    tables = {
        "msa": (
            "attribute agreement: kappa, effectiveness, misses and false alarms",
            "part, appraiser, trial, verdict",
        ),
        "grr": ("repeatability and reproducibility of a measured value", "part, appraiser, trial, value"),
        "pod": ("probability of detection over the size of a defect, with a90 and a90/95", "size, found"),
    }
    for kind, (text, columns) in tables.items():
        command = kinds.add_parser(kind, help=text, description=text)
        command.add_argument("file", type=Path, metavar="FILE.csv", help=f"a table with the columns {columns}")
        command.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the table; returns the exit code."""
    rows = _read(arguments.file)
    try:
        document = {"msa": _msa, "grr": _grr, "pod": _pod}[arguments.kind](rows, arguments.file)
    except ValueError as error:
        raise InputError(
            "{path} is no such study ({reason}); see docs/quality.md", path=arguments.file, reason=error
        ) from None
    if arguments.json:
        console.emit(document)
    else:
        _print(document)
    return 0


def _read(path: Path) -> list[dict[str, str]]:
    try:
        text = read_text(path, _LARGEST)
    except OSError as error:
        raise InputError("{path} cannot be read ({reason})", path=path, reason=error.strerror or error) from None
    try:
        rows = [
            {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if isinstance(key, str)}
            for row in csv.DictReader(io.StringIO(text), strict=True)
        ]
    except csv.Error as error:
        raise InputError("{path} is no CSV table ({reason})", path=path, reason=error) from None
    if not rows:
        raise InputError("{path} has no rows; give a table with a header and one row for each rating", path=path)
    return rows


def _column(rows: Sequence[Mapping[str, str]], name: str, path: Path) -> list[str]:
    if name not in rows[0]:
        raise InputError(
            "{path} has no column {name}; it has {columns}", path=path, name=name, columns=", ".join(rows[0])
        )
    for number, row in enumerate(rows, 2):
        if not row.get(name):
            raise InputError("{path}, line {number}: {name} is missing", path=path, number=number, name=name)
    return [row[name] for row in rows]


def _words(values: Sequence[str], name: str, path: Path, yes: Sequence[str], no: Sequence[str]) -> list[int]:
    for number, value in enumerate(values, 2):
        if value.lower() not in (*yes, *no):
            raise InputError(
                "{path}, line {number}: {name} must be {yes} or {no}, not {value}",
                path=path,
                number=number,
                name=name,
                yes=yes[1],
                no=no[1],
                value=quote(value),
            )
    return [int(value.lower() in yes) for value in values]


def _numbers(values: Sequence[str], name: str, path: Path) -> list[float]:
    found = []
    for number, value in enumerate(values, 2):
        try:
            found.append(float(value))
        except ValueError:
            raise InputError(
                "{path}, line {number}: {name} must be a number, not {value}",
                path=path,
                number=number,
                name=name,
                value=quote(value),
            ) from None
    return found


def _cube(rows: Sequence[Mapping[str, str]], values: Sequence[Any], path: Path) -> tuple[list[str], list[str], Any]:
    """Values by appraiser, part and trial; each combination is there once."""
    names = [_column(rows, column, path) for column in ("appraiser", "part", "trial")]
    appraisers, parts, trials = (list(dict.fromkeys(column)) for column in names)
    cells: dict[tuple[str, ...], Any] = {}
    for number, (*key, value) in enumerate(zip(*names, values, strict=True), 2):
        if tuple(key) in cells:
            raise InputError(
                "{path}, line {number}: this part, appraiser and trial is there twice", path=path, number=number
            )
        cells[tuple(key)] = value
    if len(cells) != len(appraisers) * len(parts) * len(trials):
        missing = next((a, p, t) for a in appraisers for p in parts for t in trials if (a, p, t) not in cells)
        raise InputError(
            "{path}: appraiser {appraiser} has no value for part {part} in trial {trial}",
            path=path,
            **dict(zip(("appraiser", "part", "trial"), map(quote, missing), strict=True)),
        )
    return appraisers, parts, [[[cells[a, p, t] for t in trials] for p in parts] for a in appraisers]


def _msa(rows: Sequence[Mapping[str, str]], path: Path) -> dict[str, Any]:
    verdicts = _words(_column(rows, "verdict", path), "verdict", path, _GOOD, _BAD)
    appraisers, parts, cube = _cube(rows, verdicts, path)
    reference = None
    if "reference" in rows[0]:
        truths = _words(_column(rows, "reference", path), "reference", path, _GOOD, _BAD)
        of_part: dict[str, int] = {}
        for part, truth in zip(_column(rows, "part", path), truths, strict=True):
            if of_part.setdefault(part, truth) != truth:
                raise InputError("{path}: part {part} has two references", path=path, part=quote(part))
        reference = [of_part[part] for part in parts]
    found = agreement.study(dict(zip(appraisers, cube, strict=True)), reference)
    return {
        "study": "msa",
        "parts": len(parts),
        "trials": len(cube[0][0]),
        "fleiss_kappa": found.fleiss,
        "pairs": [{"appraisers": list(pair), "kappa": kappa} for pair, kappa in found.pairs.items()],
        "appraisers": [
            {
                "appraiser": name,
                "kappa": each.kappa,
                "effectiveness": _share(each.effectiveness),
                "repeatability": _share(each.repeatability),
                "miss_rate": _share(each.misses),
                "false_alarm_rate": _share(each.false_alarms),
            }
            for name, each in found.appraisers.items()
        ],
    }


def _share(share: agreement.Share | None) -> dict[str, Any] | None:
    if share is None:
        return None
    return {"count": share.count, "of": share.of, "value": share.value, "interval": list(share.interval)}


def _grr(rows: Sequence[Mapping[str, str]], path: Path) -> dict[str, Any]:
    values = _numbers(_column(rows, "value", path), "value", path)
    appraisers, parts, cube = _cube(rows, values, path)
    document: dict[str, Any] = {"study": "grr", "parts": len(parts), "appraisers": len(appraisers)}
    for name, evaluate in (("range", gauge.by_ranges), ("anova", gauge.by_variance)):
        try:
            found = evaluate(cube)
        except ValueError as error:
            if name == "anova":
                raise
            document[name] = {"reason": str(error)}
            continue
        document[name] = {**vars(found), "percent": found.percent, "distinct_categories": found.distinct_categories}
    return document


def _pod(rows: Sequence[Mapping[str, str]], path: Path) -> dict[str, Any]:
    sizes = _numbers(_column(rows, "size", path), "size", path)
    hits = _words(_column(rows, "found", path), "found", path, _FOUND, _MISSED)
    curve = detection.fit(sizes, hits)
    return {
        "study": "pod",
        "defects": len(sizes),
        "found": sum(hits),
        "a90": curve.size_at(0.9),
        "a90_95": curve.size_at_bound(0.9, 0.95),
        "intercept": curve.intercept,
        "slope": curve.slope,
        "smallest": curve.smallest,
        "largest": curve.largest,
        "parts_needed": {str(misses): intervals.parts_needed(misses) for misses in range(3)},
    }


def _print(document: Mapping[str, Any]) -> None:
    if document["study"] == "msa":
        _print_msa(document)
    elif document["study"] == "grr":
        _print_grr(document)
    else:
        bound = document["a90_95"]
        console.print_line(f"{document['found']} of {document['defects']} defects found")
        console.print_line(f"a90     {document['a90']:.4g}")
        console.print_line(f"a90/95  {bound:.4g}" if bound is not None else "a90/95  not reached; add defects")
        if bound is not None and bound > document["largest"]:
            console.print_line("a90/95 is beyond the largest defect of the table, so it is extrapolated")


def _print_msa(document: Mapping[str, Any]) -> None:
    fleiss = f"Fleiss' kappa {document['fleiss_kappa']:.4f}"
    console.print_line(f"{document['parts']} parts, {document['trials']} trials, {fleiss}")
    for pair in document["pairs"]:
        console.print_line(f"{' and '.join(pair['appraisers'])}: kappa {pair['kappa']:.4f}")
    keys = ("effectiveness", "repeatability", "miss_rate", "false_alarm_rate")
    rows = [
        [
            each["appraiser"],
            "-" if each["kappa"] is None else f"{each['kappa']:.4f}",
            *(_percent(each[key]) for key in keys),
        ]
        for each in document["appraisers"]
    ]
    headers = ("Appraiser", "Kappa", "Effectiveness", "Repeatability", "Miss rate", "False alarm rate")
    console.table(headers, rows)


def _percent(share: Mapping[str, Any] | None) -> str:
    if share is None or share["value"] is None:
        return "-"
    low, high = share["interval"]
    return f"{100 * share['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _print_grr(document: Mapping[str, Any]) -> None:
    console.print_line(f"{document['parts']} parts, {document['appraisers']} appraisers")
    for name in ("range", "anova"):
        found = document[name]
        if "reason" in found:
            console.print_line(f"{name}: {found['reason']}")
            continue
        names = ("repeatability", "reproducibility", "gauge", "part", "total")
        values = "  ".join(f"{key} {found[key]:.4g}" for key in names)
        console.print_line(f"{name}: GR&R {found['percent']:.2f} %, ndc {found['distinct_categories']}  ({values})")
