"""``bearing-inspector convert``: labels of labelme, CVAT and Roboflow become a data set for training."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from inspector import cli
from inspector.cli.console import emit, remark, say


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder with pictures and labels; or its COCO .json or data.yaml")
    add("folder", type=Path, metavar="DIR", help="new folder for the data set")
    add("--format", choices=("auto", "labelme", "coco", "yolo"), default="auto", help="of the labels (auto)")
    add("--val", type=float, default=0.2, metavar="F", help="share of pictures to measure with (0.2)")
    add("--test", type=float, default=0.0, metavar="F", help="share of pictures to keep for a last test (0)")
    add("--seed", type=int, default=0, metavar="N", help="the same seed gives the same split (0)")
    add("--group", metavar="PATTERN", help="regular expression; pictures whose paths agree in its match stay together")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--classes", metavar="A,B", help="only these classes, in this order")
    chosen.add_argument("--single", metavar="NAME", help="make all classes this one")
    add("--unlabelled-are-good", action="store_true", help="pictures that no label file names are without a defect")
    add("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from inspector.conversion import convert

    with tqdm(unit="picture", disable=None, file=sys.stderr, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        summary = convert(
            arguments.source,
            arguments.folder,
            format=arguments.format,
            val=arguments.val,
            test=arguments.test,
            seed=arguments.seed,
            group=arguments.group,
            classes=None if arguments.classes is None else [name.strip() for name in arguments.classes.split(",")],
            single=arguments.single,
            unlabelled_are_good=arguments.unlabelled_are_good,
            progress=show,
        )
    if arguments.json:
        emit({**asdict(summary), "folder": str(summary.folder)})
    else:
        for split, count in summary.pictures.items():
            defects = summary.defects[split]
            each = ", ".join(f"{name} {number}" for name, number in defects.items())
            said = f"{count} pictures, {summary.good[split]} of them without a defect"
            say(f"{split}: {said}; {sum(defects.values())} defects ({each})")
        say(f"Saved in {summary.folder}; check it with train --check --data {summary.folder / 'data.yaml'}")
    for sentence in summary.warnings:
        remark(sentence)
    return cli.PART_FAILED if summary.lost else cli.DONE
