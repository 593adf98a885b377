"""``bearing-inspector convert``: convert labels from labelme, CVAT or Roboflow into a dataset."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from inspector import cli
from inspector.cli.console import emit, print_error, print_line


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="folder with images and labels; or its COCO .json or data.yaml")
    add("folder", type=Path, metavar="DIR", help="new folder for the dataset")
    add(
        "--format",
        choices=("auto", "labelme", "coco", "yolo"),
        default="auto",
        help="format of the labels (default auto)",
    )
    add("--val", type=float, default=0.2, metavar="F", help="share of images for validation (default 0.2)")
    add("--test", type=float, default=0.0, metavar="F", help="share of images for the final test (default 0)")
    add("--seed", type=int, default=0, metavar="N", help="the same seed gives the same split (default 0)")
    add("--group", metavar="PATTERN", help="regular expression; images whose paths agree in its match stay together")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--classes", metavar="A,B", help="only these classes, in this order")
    chosen.add_argument("--single", metavar="NAME", help="map all classes to this one")
    add("--unlabelled-are-good", action="store_true", help="treat images without a label file as free of defects")
    add(
        "--images-from-anywhere",
        action="store_true",
        help="also take images that labels name outside the folder or next to it",
    )
    add("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from inspector.datasets.importing import convert
    from inspector.datasets.yolo_layout.check import listed

    with tqdm(unit="image", disable=None, file=sys.stderr, leave=False) as bar:

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
            images_from_anywhere=arguments.images_from_anywhere,
            progress=show,
        )
    if arguments.json:
        emit({**asdict(summary), "folder": str(summary.folder)})
    else:
        for split, count in summary.pictures.items():
            defects = summary.defects[split]
            said = f"{count} images, {summary.good[split]} of them without a defect"
            print_line(f"{split}: {said}; {sum(defects.values())} defects ({listed(defects)})")
        print_line(f"Saved in {summary.folder}; check it with train --check --data {summary.folder / 'data.yaml'}")
    for sentence in summary.warnings:
        print_error(sentence)
    if summary.notes.get("unlabelled"):
        print_error("Images without a label can be taken in as good parts with --unlabelled-are-good.")
    return cli.PART_FAILED if summary.lost else cli.DONE
