"""Checks of wheels that are used unpacked, without pip: pure Python, with correct hashes."""

from __future__ import annotations

import base64
import csv
import hashlib
import platform
from importlib import metadata
from pathlib import Path

from inspector.domain import quote
from inspector.registry.manifest import Refused

_HASHES = ("sha256", "sha384", "sha512")


def check_wheel(folder: Path, name: str) -> None:
    """Check the unpacked wheel in ``folder``; ``name`` is the file name of the wheel.

    Raises:
        Refused: it is platform-specific, or a file is missing, changed or not listed.
    """
    infos = sorted(folder.glob("*.dist-info"))
    if len(infos) != 1:
        raise Refused("{name} is not a wheel: it has {count} dist-info folders", name=name, count=len(infos))
    wheel, record = infos[0] / "WHEEL", infos[0] / "RECORD"
    if not wheel.is_file() or not record.is_file():
        raise Refused("{name} is not a complete wheel: {folder} lacks WHEEL or RECORD", name=name, folder=infos[0].name)
    _check_tags(wheel, name)
    _check_python(infos[0], name)
    _check_record(folder, record, name)


def _check_tags(wheel: Path, name: str) -> None:
    lines = [line.partition(":") for line in wheel.read_text("utf-8", errors="replace").splitlines()]
    tags = [value.strip() for key, _, value in lines if key.strip().lower() == "tag"]
    pure = [value.strip().lower() for key, _, value in lines if key.strip().lower() == "root-is-purelib"]
    fitting = any(tag.endswith("-none-any") and "py3" in tag.split("-")[0].split(".") for tag in tags)
    of_name = name.removesuffix(".whl").split("-")[-3:]  # python, ABI and platform
    named = not name.endswith(".whl") or (of_name[1:] == ["none", "any"] and "py3" in of_name[0].split("."))
    if not fitting or not named or pure != ["true"]:
        named_tags = ", ".join(tags) if tags and not fitting else "-".join(of_name)
        raise Refused(
            "{name} is a wheel for {platforms}; only pure Python wheels (py3-none-any) can be installed",
            name=name,
            platforms=named_tags,
        )


def _check_python(info: Path, name: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    texts = metadata.PathDistribution(info).metadata.get_all("Requires-Python")
    if not texts:
        return
    text = str(texts[0])
    try:
        fits = SpecifierSet(text).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        raise Refused("{name} does not state a valid Python version: {text}", name=name, text=quote(text)) from None
    if not fits:
        raise Refused(
            "{name} needs Python {text}, this program runs on {python_version}",
            name=name,
            text=text,
            python_version=platform.python_version(),
            state="missing",
        )


def _check_record(folder: Path, record: Path, name: str) -> None:
    signatures = {record, record.with_name("RECORD.jws"), record.with_name("RECORD.p7s")}
    listed = set()
    with open(record, encoding="utf-8", errors="replace", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    for row in rows:
        path = folder.joinpath(*row[0].split("/"))
        if path in signatures:
            continue
        if ".." in path.parts or not path.is_file():
            raise Refused("{name} is damaged: {path} is listed in RECORD but missing", name=name, path=row[0])
        kind, _, expected = (row[1] if len(row) > 1 else "").partition("=")
        if kind not in _HASHES:
            raise Refused("{name} is damaged: RECORD has no usable hash of {path}", name=name, path=row[0])
        actual = base64.urlsafe_b64encode(hashlib.new(kind, path.read_bytes()).digest()).decode().rstrip("=")
        if actual != expected.rstrip("="):
            raise Refused("{name} is damaged or was changed: {path} does not match RECORD", name=name, path=row[0])
        listed.add(path)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in listed and path not in signatures:
            raise Refused(
                "{name} contains {path}, which RECORD does not list",
                name=name,
                path=path.relative_to(folder).as_posix(),
            )
