"""Third-party notices and the bill of materials, out of what PyInstaller really put into the program.

Every file and module inside is traced to where it came from: a Python distribution (by its RECORD), Python itself, or
a package of Debian. One that cannot be traced fails the build, since its licence would be unknown.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|copyright|authors|ofl)", re.IGNORECASE)
_OURS = "bearing-inspector"
# Part of the program, though no module of theirs is inside by its own name.
_ALWAYS = ("pyinstaller",)


@dataclass
class Part:
    """A third-party component.

    Attributes:
        kind: ``pypi``, ``deb`` or ``generic``, as package URLs say.
        licence: as stated; an SPDX expression where there is one.
        texts: licence texts by file name.
        files: how many files and modules of it are inside.
    """

    name: str
    version: str
    kind: str
    licence: str
    texts: dict[str, str] = field(default_factory=dict)
    files: int = 0

    @property
    def purl(self) -> str:
        name = f"debian/{self.name}" if self.kind == "deb" else self.name.lower()
        return f"pkg:{self.kind}/{quote(name)}@{quote(self.version, safe='')}"


def inside(work: Path, search: Iterable[Path]) -> list[Part]:
    """The parts of the program that was built in ``work``, by name.

    Args:
        search: folders in which distributions are looked for before those of this Python.
    """
    sources = _sources(work)
    parts: dict[str, Part] = {}
    for distribution in metadata.distributions(path=[*map(str, search), *sys.path]):
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        files = {Path(str(file.locate())).resolve() for file in distribution.files or ()}
        found = sources & files
        sources -= found
        if (found or name in _ALWAYS) and name != _OURS and name not in parts:
            parts[name] = _of_distribution(distribution, len(found))
    sources = {file for file in sources if not file.is_relative_to(ROOT)}
    python = {file for file in sources if file.is_relative_to(Path(sys.base_prefix).resolve())}
    if python:
        parts["python"] = _python(len(python))
    parts |= _of_system(sources - python)
    return [parts[name] for name in sorted(parts)]


def text(parts: Iterable[Part]) -> str:
    """All notices as one text; a text that several components share appears once."""
    lines = ["Bearing Inspector contains the work of others. Each part, and the licence under which it comes:", ""]
    shown: dict[str, str] = {}
    parts = list(parts)
    lines += [f"  {part.name} {part.version}: {part.licence or 'see its text'}" for part in parts]
    for part in parts:
        lines += ["", "=" * 100, f"{part.name} {part.version}", f"{part.licence}", "=" * 100]
        for name, content in part.texts.items():
            first = shown.setdefault(content, f"{part.name}, {name}")
            lines += ["", f"--- {name}", "", content if first == f"{part.name}, {name}" else f"As of {first}."]
    return "\n".join(lines) + "\n"


def bill(parts: Iterable[Part], version: str, program: Path) -> dict[str, Any]:
    """The bill of materials in the form CycloneDX 1.6."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {
                "type": "application",
                "bom-ref": _OURS,
                "name": _OURS,
                "version": version,
                "licenses": [{"license": {"id": "AGPL-3.0-or-later"}}],
                "hashes": [
                    {"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}
                    for file in sorted(program.iterdir())
                    if file.stem.lower().replace(" ", "-") == _OURS and file.suffix in ("", ".exe")
                ],
            },
        },
        "components": [
            {
                "type": "library",
                "bom-ref": part.purl,
                "name": part.name,
                "version": part.version,
                "purl": part.purl,
                "licenses": [{"license": {"name": part.licence or "see THIRD-PARTY-NOTICES.txt"}}],
            }
            for part in parts
        ],
    }


def _sources(work: Path) -> set[Path]:
    """The files that everything inside was made of."""
    found: set[Path] = set()
    for name in ("COLLECT-00.toc", "PYZ-00.toc", "EXE-00.toc"):
        for table in ast.literal_eval((work / name).read_text("utf-8")):
            rows = [row for row in table if len(row) == 3] if isinstance(table, list) else []
            found |= {Path(source).resolve() for _, source, kind in rows if kind not in ("OPTION", "SYMLINK")}
    return {file for file in found if file.is_file()}


def _of_distribution(distribution: metadata.Distribution, files: int) -> Part:
    about = distribution.metadata
    classifiers = [
        text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or () if text.startswith("License ::")
    ]
    own = str(about.get("License") or "").strip().partition("\n")[0]
    licence = about.get("License-Expression") or ", ".join(classifiers) or own[:80]
    texts = {}
    for file in distribution.files or ():
        known = ".dist-info/" in str(file) or len(file.parts) <= 2
        if known and file.suffix not in (".py", ".pyc", ".so") and _LICENCE_FILE.search(file.name):
            place = Path(str(file.locate()))
            if place.is_file():
                texts[str(file)] = place.read_text("utf-8", "replace").strip()
    return Part(about["Name"], distribution.version, "pypi", licence, texts, files)


def _python(files: int) -> Part:
    version = ".".join(map(str, sys.version_info[:3]))
    folder = Path(sys.base_prefix)
    places = (
        folder / "LICENSE.txt",
        folder / "lib" / f"python{version.rpartition('.')[0]}" / "LICENSE.txt",
        Path("/usr/share/doc") / f"python{version.rpartition('.')[0]}" / "copyright",
    )
    texts = {place.name: place.read_text("utf-8", "replace").strip() for place in places if place.is_file()}
    return Part("Python", version, "generic", "PSF-2.0", dict(list(texts.items())[:1]), files)


def _of_system(files: set[Path]) -> dict[str, Part]:
    """Libraries of the system, by Debian's packages; on Windows they are Microsoft's, which may be passed on."""
    if sys.platform == "win32":
        licence = "Microsoft Visual C++ Redistributable and Windows SDK licence terms"
        return {"microsoft-runtime": Part("Microsoft runtime", "", "generic", licence, {}, len(files))} if files else {}
    parts: dict[str, Part] = {}
    unknown = []
    for file in sorted(files):
        package = _package(file)
        if package is None:
            unknown.append(str(file))
            continue
        name, version = package
        part = parts.setdefault(f"deb {name}", _of_debian(name, version))
        part.files += 1
    if unknown:
        raise SystemExit("The origin of these files is unknown:\n" + "\n".join(unknown))
    return parts


def _package(file: Path) -> tuple[str, str] | None:
    """Name and version of the package that a file of the system belongs to."""
    for name in (str(file), str(file).removeprefix("/usr"), f"/usr{file}"):
        found = _said("dpkg-query", "--search", name)
        if found:
            package = found.partition(": ")[0].partition(",")[0]
            return package.partition(":")[0], _said("dpkg-query", "--show", "--showformat=${Version}", package)
    return None


def _of_debian(name: str, version: str) -> Part:
    place = Path("/usr/share/doc") / name / "copyright"
    content = place.read_text("utf-8", "replace").strip() if place.is_file() else ""
    names = dict.fromkeys(re.findall(r"^License:[ \t]*(\S.*)$", content, re.MULTILINE))
    return Part(name, version, "deb", ", ".join(names)[:200], {"copyright": content} if content else {})


def _said(*words: str) -> str:
    try:
        return subprocess.run(
            words, capture_output=True, encoding="utf-8", errors="replace", check=False
        ).stdout.strip()
    except OSError:
        return ""
