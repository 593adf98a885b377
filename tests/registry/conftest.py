"""Plugins to try things with, in the plugins folder of the test's own home."""

import sys
import textwrap
from pathlib import Path

import pytest

GOOD = """
from inspector.api import Frame, Option, SourceSpec, Text, hookimpl

PLUGIN = {{"id": "{id}", "version": "1.0", "api": 1, "kinds": ["source"]}}

class Nothing:
    total = 0
    def __iter__(self):
        return iter(())
    def close(self): ...

@hookimpl
def inspector_sources():
    return [SourceSpec(id="{spec}", title=Text("Nothing"), open=Nothing)]
"""


@pytest.fixture(autouse=True)
def clean_modules():
    """Forget the modules that a test imports."""
    modules, search = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(modules):
        if name.startswith(("bearing_inspector_dropins", "trial_")):
            del sys.modules[name]
    sys.path[:] = search


@pytest.fixture
def dropins(home: Path) -> Path:
    folder = home / "plugins"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def good():
    """Source of a plugin that works; ``good("id")`` brings the source ``id``."""

    def text(plugin_id: str, spec: str = "") -> str:
        return GOOD.format(id=plugin_id, spec=spec or plugin_id.replace(".", "_").replace("-", "_"))

    return text


@pytest.fixture
def plugin():
    """Source of a plugin with the manifest of ``id`` and the given body."""

    def text(plugin_id: str, body: str, **more: object) -> str:
        manifest = {"id": plugin_id, "version": "1.0", "api": 1} | more
        return f"from inspector.api import *\nPLUGIN = {manifest!r}\n{textwrap.dedent(body)}\n"

    return text


@pytest.fixture
def entry_point(tmp_path, monkeypatch):
    """Makes an installed distribution whose entry points name modules beside it."""

    def make(distribution: str, points: str, files: dict[str, str], where: str = "site") -> Path:
        folder = tmp_path / where
        info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        return folder

    return make


@pytest.fixture
def wheel(tmp_path):
    """Writes a wheel with right hashes."""
    import base64
    import hashlib
    import zipfile

    def make(
        files: dict[str, str],
        points: str,
        tag: str = "py3-none-any",
        metadata: str = "",
        wheel_tag: str = "",
        change: dict[str, str] | None = None,
        name: str = "",
    ) -> Path:
        info = "trial-1.0.dist-info"
        tags = "".join(f"Tag: {part}-{tag.split('-', 1)[1]}\n" for part in (wheel_tag or tag).split("-")[0].split("."))
        pure = str("none-any" in tag).lower()
        everything = files | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: trial\nVersion: 1.0\n{metadata}",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\n{tags}",
            f"{info}/entry_points.txt": f"[bearing_inspector.plugins]\n{points}\n",
        }
        rows = []
        for path, text in everything.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            rows.append(f"{path},sha256={digest},{len(text.encode())}")
        everything |= change or {}
        everything[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
        file = tmp_path / (name or f"trial-1.0-{tag}.whl")
        with zipfile.ZipFile(file, "w") as archive:
            for path, text in everything.items():
                archive.writestr(path, text)
        return file

    return make
