"""SIGKILL of a training at random moments, or while it writes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.common import Kind

WORDS = ["--imgsz", "64", "--batch", "16", "--device", "cpu", "--precision", "f32"]


def train(output: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inspector", "train", "--output", str(output), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")


def figures(output: Path) -> list[list[str]]:
    """Of each epoch all but the seconds."""
    lines = (output / "results.csv").read_text("utf-8").splitlines()[1:]
    return [[value for number, value in enumerate(line.split(",")) if number != 1] for line in lines]


def check(output: Path, said: int) -> int:
    """Return the epochs on the disk; raise if a file is broken or a reported epoch is lost."""
    from inspector_plugins.yolo11.checkpoint import checkpoint
    from inspector_plugins.yolo11.training.trainer import read_state

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
    """Start or resume, kill after a while; return the last reported epoch, of this life or an earlier one."""
    process = train(output, *words)
    assert process.stderr is not None
    said, awaited = 0, dice.choice(("Going on", "epoch "))
    for line in process.stderr:
        if line.startswith("Resuming after epoch "):
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


def training(kind: Kind) -> None:
    """A training is killed, half of the time while it writes, and resumed: no epoch is lost, and all figures are those
    of an undisturbed training.
    """
    from inspector.datasets.synthetic import synthesize

    (kind.folder / "home").mkdir()
    os.environ["BEARING_INSPECTOR_HOME"] = str(kind.folder / "home")
    synthesize(kind.folder / "集 set", count=8, size=160, split=(0.5, 0.5, 0))
    epochs = str(12 * min(kind.tries, 4))
    begin = ["--data", str(kind.folder / "集 set" / "data.yaml"), "--epochs", epochs, *WORDS]
    output, whole = kind.folder / "killed", kind.folder / "whole"
    finished = False
    for number in kind.each():
        try:
            said = kill_once(output, ["--resume"] if number else begin, kind.dice)
            check(output, said)
        except AssertionError as error:
            kind.demand(False, f"{error}"[:300])
        plan = output / "train.json"
        finished = plan.exists() and json.loads(plan.read_text("utf-8"))["finished"]
        if finished:
            break
    if not finished:
        words = ["--resume"] if (output / "train.json").exists() else begin
        kind.demand(train(output, *words).wait() == 0, "the training could not be resumed")
    kind.demand(train(whole, *begin).wait() == 0, "the undisturbed training failed")
    kind.demand(figures(output) == figures(whole), "the figures differ from those of an undisturbed training")
    kind.demand(not list(output.rglob(".tmp-*")), "half-written files were left behind")
