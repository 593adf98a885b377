"""A short form of ``python -m tests.faults``: a few tries of each kind that is quick. Endurance needs many frames."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KINDS = {
    "kill-settings": 3,
    "kill-history": 2,
    "full-settings": 4,
    "full-recipe": 4,
    "full-history": 2,
    "full-exporters": 2,
    "mutant-images": 25,
    "mutant-recipes": 2,
    "mutant-run-json": 1,
    "mutant-archives": 10,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind, tries", KINDS.items(), ids=KINDS)
def test_nothing_is_lost(kind, tries):
    words = ["--only", kind, "--tries", str(tries), "--seconds", "20", "--seed", "7"]
    done = subprocess.run([sys.executable, "-m", "tests.faults", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"| {kind} | " in done.stdout and "test itself failed" not in done.stderr
