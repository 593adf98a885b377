"""``bearing-inspector synthesize``: render a dataset of synthetic bearings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from inspector.cli.console import emit, print_line


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="new folder for the dataset")
    parser.add_argument("--count", type=int, default=1200, metavar="N", help="number of images (default 1200)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed gives the same bytes (default 0)"
    )
    parser.add_argument("--size", type=int, default=640, metavar="N", help="side length in pixels (default 640)")
    parser.add_argument(
        "--classes", choices=("single", "kinds"), default="single", help="one class Defect, or the six kinds of defect"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from inspector.datasets.synthetic import synthesize

    with tqdm(total=arguments.count, unit="image", disable=None, file=sys.stderr, leave=False) as bar:
        summary = synthesize(
            arguments.folder,
            count=arguments.count,
            seed=arguments.seed,
            classes=arguments.classes,
            size=arguments.size,
            progress=lambda done, total: bar.update(done - bar.n),
        )
    if arguments.json:
        emit(
            {
                "folder": str(summary.folder),
                "count": summary.count,
                "seed": summary.seed,
                "pictures": summary.pictures,
                "good": summary.good,
                "defects": summary.defects,
            }
        )
    else:
        defects = sum(sum(kinds.values()) for kinds in summary.defects.values())
        print_line(f"{summary.count} images with {defects} defects, {sum(summary.good.values())} of them good parts")
        print_line(f"Saved in {summary.folder}; train with --data {summary.folder / 'data.yaml'}")
    return 0
