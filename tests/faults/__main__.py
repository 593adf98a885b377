"""All faults, and one table: ``.venv/bin/python -m tests.faults``

[--only WORD …] [--tries N] [--seconds S] [--seed N]

Without ``--tries`` each kind makes as many tries as its row below says; ``--seconds`` limits each kind's time. The exit
code is 1 where something was lost. The same seed gives the same mutants; when a kill hits, no seed can say.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import endurance, full_disk, guided, kill_history, kill_training, kills, mutants
from tests.faults.common import Kind

KINDS = {
    "kill-inspect": (kills.inspections, 20),
    "kill-export": (kills.exports, 20),
    "kill-settings": (kills.settings, 100),
    "kill-history": (kill_history.history, 100),
    "kill-model-cache": (kills.model_cache, 10),
    "kill-training": (kill_training.training, 10),
    "full-history": (full_disk.history, 200),
    "full-exporters": (full_disk.exporters, 400),
    "full-settings": (full_disk.settings, 50),
    "full-recipe": (full_disk.recipe, 50),
    "full-model-cache": (full_disk.model_cache, 20),
    "mutant-images": (mutants.images, 1500),
    "mutant-videos": (mutants.videos, 50),
    "mutant-checkpoints": (mutants.checkpoints, 300),
    "mutant-recipes": (mutants.recipes, 300),
    "mutant-run-json": (mutants.run_json, 60),
    "mutant-archives": (mutants.archives, 200),
    "guided": (guided.guided, 200_000),
    "endurance": (endurance.frames, 500_000),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults, and what survives them.")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help=f"kinds with this in them: {', '.join(KINDS)}"
    )
    parser.add_argument("--tries", type=int, metavar="N", help="of each kind")
    parser.add_argument("--seconds", type=float, default=3600, metavar="S", help="of each kind, at most (3600)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the dice (0)")
    given = parser.parse_args()
    chosen = {name: row for name, row in KINDS.items() if not given.only or any(word in name for word in given.only)}
    if not chosen:
        parser.error(f"no kind is named so; there are {', '.join(KINDS)}")
    lost: list[str] = []
    print(f"| fault | tries | survived | lost | seconds | |  seed {given.seed}\n|---|---|---|---|---|---|", flush=True)
    for name, (work, usual) in chosen.items():
        began = time.monotonic()
        home = os.environ.get("BEARING_INSPECTOR_HOME")
        with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
            os.environ["BEARING_INSPECTOR_HOME"] = str(Path(folder) / "own")
            dice = random.Random(f"{given.seed} {name}")
            kind = Kind(name, dice, Path(folder), given.tries or usual, given.seconds)
            try:
                work(kind)
            except Exception as error:
                kind.demand(False, f"the test itself failed: {type(error).__name__}: {error}")
        os.environ.pop("BEARING_INSPECTOR_HOME")
        if home is not None:
            os.environ["BEARING_INSPECTOR_HOME"] = home
        lost += kind.lost
        gone = min(len(kind.lost), max(1, kind.done)) if kind.lost else 0
        seconds = time.monotonic() - began
        print(
            f"| {name} | {kind.done} | {max(0, kind.done - gone)} | {gone} | {seconds:.0f} | {kind.note} |", flush=True
        )
        for sentence in kind.lost:
            print(f"LOST {sentence}", file=sys.stderr, flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
