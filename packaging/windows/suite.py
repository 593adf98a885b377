"""The test suite under Wine: each group of files in a process of its own, against the list of expected failures.

A process that dies or hangs costs one test: the next process begins behind it. What was interrupted is continued: while
the source stays the same, only tests without an outcome and those that failed are run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import place
from place import PLACE, ROOT, SOURCE, python, windows

EXPECTED = Path(__file__).with_name("expected.txt")
INSIDE = SOURCE / "packaging" / "windows" / "inside"
WANTED = ["tests"]
"""Folders and files of the suite that are run."""
_LIMIT = 3 * 3600.0  # seconds for a group
_TEST_LIMIT = 900  # seconds for a test


@dataclass
class Result:
    """Outcome of the suite.

    Attributes:
        sentence: the figures.
        faults: tests that failed and are not expected to.
        notes: expected failures with their causes; those that did not fail.
    """

    sentence: str
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expected:
    """A line of the list: ``fails`` or ``hangs`` (then it is not run), a pattern of test ids, the cause."""

    kind: str
    pattern: str
    cause: str


def expected() -> list[Expected]:
    rows = []
    for line in EXPECTED.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            kind, pattern, cause = line.split(None, 2)
            rows.append(Expected(kind, pattern, cause))
    return rows


def run() -> Result:
    known = expected()
    counts: Counter[str] = Counter()
    failed: dict[str, str] = {}
    for name, files in _groups().items():
        for row in _outcomes(name, files, [one.pattern for one in known if one.kind == "hangs"]).values():
            counts[row["outcome"]] += 1
            if row["outcome"] == "failed":
                failed[row["id"]] = row["why"]
    result = Result("")
    used: Counter[Expected] = Counter()
    for test, why in failed.items():
        match = next((one for one in known if _matches(test, one.pattern)), None)
        if match is None:
            lines = why.strip().splitlines() or [""]
            result.faults.append(f"{test}: {lines[-1][:200]}")
        else:
            used[match] += 1
    unexpected = len(result.faults)
    result.sentence = (
        f"{counts['passed']} passed, {counts['skipped']} skipped, {len(failed) - unexpected} failed as expected, "
        f"{unexpected} failed"
    )
    for one in known:
        number = "not run" if one.kind == "hangs" else f"{used[one]} failed"
        if one.kind == "hangs" or used[one]:
            result.notes.append(f"{number}: {one.pattern}: {one.cause}")
        elif WANTED == ["tests"]:
            result.notes.append(f"did not fail: {one.pattern}: {one.cause}")
    return result


def _matches(test: str, pattern: str) -> bool:
    return fnmatchcase(test, pattern.replace("[", "[[]"))


def _groups() -> dict[str, list[str]]:
    """Test files by their folder; those right in ``tests`` are cut in pieces."""
    files: set[Path] = set()
    for name in WANTED:
        given = SOURCE / name
        files |= set(given.rglob("test_*.py")) if given.is_dir() else {given}
    left = ("benchmarks", "faults")
    groups: dict[str, list[str]] = {}
    for file in sorted(files):
        relative = file.relative_to(SOURCE)
        if not set(relative.parts) & set(left):
            groups.setdefault("-".join(relative.parent.parts), []).append(relative.as_posix())
    return groups


def _digest(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + (SOURCE / name).read_bytes())
    return digest.hexdigest()


def _folder() -> Path:
    """The folder of the outcomes; empty where they belong to another source than today's."""
    folder = PLACE / "outcomes"
    left_out = ("docs/", "packaging/")
    names = [name for name in place.source_names() if not name.startswith(left_out)]
    digest = _digest(*(name for name in names if not Path(name).name.startswith("test_")))
    mark = folder / "source.txt"
    if not mark.exists() or mark.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        mark.write_text(digest)
    return folder


def _outcomes(name: str, files: list[str], hanging: list[str]) -> dict[str, dict[str, str]]:
    """Run what of a group has not passed or been skipped yet; returns the last outcome of each test."""
    folder = _folder()
    file, left_out = folder / f"{name}.jsonl", folder / f"{name}.left-out.txt"
    digests = {test_file: _digest(test_file) for test_file in files}
    earlier: dict[str, dict[str, str]] = {}
    _read(file, earlier)
    kept = [row for row in earlier.values() if row["outcome"] != "failed" and "file" in row]
    others = [row for row in kept if _file_of(row) not in digests]  # of files that are not wanted now
    found = {row["id"]: row for row in kept if row["file"] == digests.get(_file_of(row))}
    file.write_text("".join(json.dumps(row) + "\n" for row in [*others, *found.values()]), "utf-8")
    begin = len(others)
    shared = ROOT.parent / "shared"
    for attempt in range(30):
        lines = [f"*{pattern.replace('[', '[[]')}" for pattern in hanging] + [f"={test}" for test in found]
        left_out.write_text("\n".join(lines), "utf-8")
        words = ["-v", "-p", "no:cacheprovider", "-p", "outcomes", f"--timeout={_TEST_LIMIT}", "--tb=short", *files]
        done = python(
            "-m", "pytest", *words, log=f"tests-{name}", limit=_LIMIT, code_page="936", PYTHONPATH=windows(INSIDE),
            BEARING_INSPECTOR_TEST_LIMIT=str(4 * 3600), BEARING_OUTCOMES=windows(file),
            BEARING_LEFT_OUT=windows(left_out), BEARING_INSPECTOR_SHARED=windows(shared),
            BEARING_INSPECTOR_TEST_THREADS_END="60",
        )  # fmt: skip
        before = len(found)
        began = _read(file, found, begin)
        if done.code in (0, 1, 5):
            return found
        for test in began - found.keys():  # the one at which it died
            found[test] = {"id": test, "outcome": "failed", "why": f"the process ended (exit code {done.code})"}
        if len(found) == before:
            found[name] = {"id": name, "outcome": "failed", "why": f"pytest: exit code {done.code}, attempt {attempt}"}
            return found
        place.end_wine()
    return found


def _file_of(row: dict[str, str]) -> str:
    return row["id"].partition("::")[0]


def _read(file: Path, found: dict[str, dict[str, str]], begin: int = 0) -> set[str]:
    """Add the outcomes from line ``begin`` on to ``found``; returns the tests that began."""
    began = set()
    for line in file.read_text("utf-8").splitlines()[begin:] if file.exists() else ():
        row = json.loads(line)
        if "began" in row:
            began.add(row["began"])
        elif found.get(row["id"], row)["outcome"] != "failed":
            found[row["id"]] = row
    return began
