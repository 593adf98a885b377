"""What a wheel must fulfil to be used as it lies there, without pip: pure Python, every file's hash right."""

from __future__ import annotations

import base64
import csv
import hashlib
import platform
from importlib import metadata
from pathlib import Path

from inspector.registry.manifest import Refused

_HASHES = ("sha256", "sha384", "sha512")


def check_wheel(folder: Path, name: str) -> None:
    """Check the unpacked wheel in ``folder``; ``name`` is its file's.

    Raises:
        Refused: it is for certain machines or Pythons only, or a file is missing, changed or not listed.
    """
    infos = sorted(folder.glob("*.dist-info"))
    if len(infos) != 1:
        raise Refused(f"{name} is no wheel: it has {len(infos)} dist-info folders")
    wheel, record = infos[0] / "WHEEL", infos[0] / "RECORD"
    if not wheel.is_file() or not record.is_file():
        raise Refused(f"{name} is no whole wheel: {infos[0].name} lacks WHEEL or RECORD")
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
        told = ", ".join(tags) if tags and not fitting else "-".join(of_name)
        raise Refused(f"{name} is a wheel for {told}; only pure Python wheels (py3-none-any) can be installed")


def _check_python(info: Path, name: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    texts = metadata.PathDistribution(info).metadata.get_all("Requires-Python")
    if not texts:
        return
    text = str(texts[0])
    try:
        fits = SpecifierSet(text).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        raise Refused(f"{name} states no valid Python version: {text!r}") from None
    if not fits:
        raise Refused(f"{name} needs Python {text}, this program runs on {platform.python_version()}", "missing")


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
            raise Refused(f"{name} is damaged: {row[0]} is listed in RECORD and not there")
        kind, _, expected = (row[1] if len(row) > 1 else "").partition("=")
        if kind not in _HASHES:
            raise Refused(f"{name} is damaged: RECORD has no usable hash of {row[0]}")
        actual = base64.urlsafe_b64encode(hashlib.new(kind, path.read_bytes()).digest()).decode().rstrip("=")
        if actual != expected.rstrip("="):
            raise Refused(f"{name} is damaged or was changed: {row[0]} is not what RECORD says")
        listed.add(path)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in listed and path not in signatures:
            raise Refused(f"{name} holds {path.relative_to(folder).as_posix()}, which RECORD does not list")
