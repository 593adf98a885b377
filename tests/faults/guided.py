"""Coverage-guided mutants (atheris, where it is installed): a target in a process of its own, many thousand inputs.

``python -m tests.faults.guided TARGET -atheris_runs=N CORPUS`` is one such process; it ends at any exception that is no
sentence.
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.faults.common import Kind, environment

TARGETS = {"json": 4, "rle": 4, "archive": 2, "checkpoint": 1}
"""Shares of the tries."""


def guided(kind: Kind) -> None:
    """Recipes and rules, run lengths, plugin archives and checkpoints, led by coverage."""
    if importlib.util.find_spec("atheris") is None:
        kind.note = "left out: atheris is not installed"
        return
    for target, share in TARGETS.items():
        runs = max(1, kind.tries * share // sum(TARGETS.values()))
        corpus = kind.folder / target
        corpus.mkdir()
        for number, data in enumerate(_corpus(target)):
            (corpus / str(number)).write_bytes(data)
        limits = [f"-atheris_runs={runs}", f"-max_total_time={max(1, int(kind.seconds / len(TARGETS)))}", "-timeout=30"]
        command = [
            sys.executable,
            "-m",
            "tests.faults.guided",
            target,
            *limits,
            "-max_len=300000",
            "-rss_limit_mb=4096",
        ]
        command += [f"-artifact_prefix={kind.folder}/", f"-seed={kind.dice.randint(1, 2**30)}", str(corpus)]
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(command, cwd=root, env=environment(kind.folder), capture_output=True, text=True)
        kind.demand(done.returncode == 0, f"{target}: exit code {done.returncode}: {done.stderr[-600:]}")
        counts = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
        made = int(counts[-1].split()[1]) if counts else 0
        kind.demand(made or done.returncode, f"{target}: nothing was tried")
        kind.done += made
        kind.note += f"{target} {made}; "


def _corpus(target: str) -> list[bytes]:
    if target == "rle":
        return [b"\x08\x0858\x0b", b"PPYo1"]
    if target == "archive":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("p/__init__.py", 'PLUGIN = {"id": "p"}\n')
        return [packed.getvalue()]
    if target == "checkpoint":
        from inspector.system.paths import assets

        with zipfile.ZipFile(next((assets() / "models").glob("*.pt"))) as archive:
            return [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]
    rules = {"classes": {"A": {"area_px": {"warn": 1, "ng": 2}}}}
    job = {"sources": [{"id": "x", "options": {}}], "model": {"id": "m"}, "rules": rules, "weights": "w"}
    return [json.dumps(rules).encode(), json.dumps(job).encode()]


def main() -> None:
    import atheris

    target = sys.argv.pop(1)
    with atheris.instrument_imports(include=["inspector", "inspector_plugins.yolo11"], enable_loader_override=False):
        from inspector.domain import InspectorError, Job, Rules, rle
        from inspector.registry import archives
        from inspector.registry.manifest import Refused
    folder = Path(tempfile.mkdtemp(prefix="guided-"))

    def once(data: bytes) -> None:
        try:
            if target == "json":
                document = json.loads(data)
                for made in (Job, Rules):
                    try:
                        made.from_json(document)
                    except InspectorError as error:
                        assert len(str(error)) < 2000
            elif target == "rle":
                rle.decode(data[2:], *(data[:2] or b"\1\1").ljust(2, b"\1"))
            elif target == "archive":
                (folder / "a.zip").write_bytes(data)
                with tempfile.TemporaryDirectory(dir=folder) as empty:
                    archives.unpack(folder / "a.zip", Path(empty))
            else:
                from inspector_plugins.yolo11.checkpoint import checkpoint

                with zipfile.ZipFile(folder / "a.pt", "w") as archive:
                    archive.writestr("a/data.pkl", data)
                    archive.writestr("a/version", "3\n")
                checkpoint.load(folder / "a.pt")
        except (ValueError, RecursionError):
            assert target in ("json", "rle")
        except (InspectorError, Refused):
            pass

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
