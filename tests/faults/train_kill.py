"""Kills a training at random moments and goes on with it, again and again: python tests/faults/train_kill.py [times]

Half of the kills hit it while it writes. Each time every file must be whole, no epoch that was told may be lost, and in
the end the figures of every epoch must be those of a training that nobody killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = ["--imgsz", "64", "--batch", "16", "--device", "cpu", "--precision", "f32"]


def train(output: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inspector", "train", "--output", str(output), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")


def figures(output: Path) -> list[list[str]]:
    """Of each epoch all but the seconds."""
    lines = (output / "results.csv").read_text("utf-8").splitlines()[1:]
    return [[value for number, value in enumerate(line.split(",")) if number != 1] for line in lines]


def check(output: Path, said: int) -> int:
    """Returns the epochs that are on the disk; raises where a file is broken or an epoch that was told is lost."""
    from inspector_plugins.yolo11 import checkpoint
    from inspector_plugins.yolo11.trainer import read_state

    weights = output / "weights"
    for file in ("train.json", "check.json"):
        if (output / file).exists():
            json.loads((output / file).read_text("utf-8"))
    for file in ("best.pt", "last.pt"):
        if (weights / file).exists():
            checkpoint.load(weights / file)
    kept = int(read_state(weights / "resume.pt")["epoch"]) + 1 if (weights / "resume.pt").exists() else 0
    assert kept >= said, f"epoch {said} was told, but {kept} is the last one on the disk"
    return kept


def kill_once(output: Path, words: list[str], dice: random.Random) -> int:
    """Starts or goes on, kills after a while; returns the last epoch that was told, of this life or an earlier one."""
    process = train(output, *words)
    assert process.stderr is not None
    said, awaited = 0, dice.choice(("Going on", "epoch "))
    for line in process.stderr:
        if line.startswith("Going on after epoch "):
            said = int(line.split()[4])
        if line.startswith("epoch "):
            said = int(line.split()[1].partition("/")[0])
        if line.startswith(("epoch ", awaited)):
            break
    time.sleep(dice.uniform(0, 4))
    if dice.random() < 0.5:
        while process.poll() is None and not list((output / "weights").glob(".tmp-*")):
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.1))
    process.send_signal(signal.SIGKILL)
    for line in process.stderr:
        if line.startswith("epoch ") and line.endswith("left\n"):
            said = int(line.split()[1].partition("/")[0])
    process.wait()
    return said


def main(times: int) -> None:
    from inspector.synthesis import synthesize

    dice = random.Random()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["BEARING_INSPECTOR_HOME"] = str(folder / "home")
        (folder / "home").mkdir()
        synthesize(folder / "集 set", count=8, size=160, split=(0.5, 0.5, 0))
        begin = ["--data", str(folder / "集 set" / "data.yaml"), "--epochs", str(12 * times), *WORDS]
        output, whole = folder / "killed", folder / "whole"
        lost = 0
        for number in range(times):
            said = kill_once(output, ["--resume"] if number else begin, dice)
            kept = check(output, said)
            torn = [file.name for file in output.rglob(".tmp-*")]
            lost += len(torn)
            print(f"{number + 1}: epoch {said} was told, {kept} are kept, half-written files: {len(torn)}", flush=True)
            if json.loads((output / "train.json").read_text("utf-8"))["finished"]:
                break
        else:
            assert train(output, "--resume").wait() == 0
        assert train(whole, *begin).wait() == 0
        assert figures(output) == figures(whole), "the figures differ from those of a training that nobody killed"
        assert not list(output.rglob(".tmp-*")) and not (output / "weights" / "resume.pt").exists()
    print(f"{times} kills, {lost} of them while a file was written: nothing that was told was lost, same figures")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
