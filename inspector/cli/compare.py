"""``bearing-inspector compare``: two models, recipes or rule files on the same images."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspector import cli, registry
from inspector.cli.console import emit, print_error, print_line, results_only, table
from inspector.datasets.yolo_layout import YoloDataset, read_yolo_dataset
from inspector.domain import Choice, Frame, InputError, check_fraction, quote
from inspector.jobs import comparison_report, recipes
from inspector.jobs.build import default_output
from inspector.jobs.comparison import Comparison, read_side
from inspector.jobs.options import plugin_options
from inspector.jobs.sources import resolve_sources
from inspector.settings import Settings

_ESCAPE_COST = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("a", metavar="A", help="model, recipe or rules file")
    add("b", metavar="B", help="model, recipe or rules file to compare with")
    add("--source", nargs="+", metavar="SOURCE", help="images, folders, globs or videos (default: those of recipe A)")
    add("--data", type=Path, metavar="D.yaml", help="labels in YOLO's layout; without --source also the images")
    add("--split", default="val", choices=("train", "val", "test"), help="split of --data without --source")
    add("--model", metavar="FILE|NAME", help="model for rule files (default: the bundled one)")
    add("--rules", type=Path, metavar="FILE", help="rules of models and recipes")
    add("--conf", type=_fraction, metavar="0-1", help="confidence threshold of both")
    add("--iou", type=_fraction, metavar="0-1", help="IoU threshold of both")
    add("--device", metavar="auto|cpu|cuda[:N]", help="device")
    add(
        "--escape-cost",
        type=float,
        default=_ESCAPE_COST,
        metavar="N",
        help=f"an escape costs as much as N false alarms, for the best threshold (default {_ESCAPE_COST:g})",
    )
    add("--output", type=Path, metavar="DIR", help="new folder for the results (default: a new one for each run)")
    add("--json", action="store_true", help="print one JSON document on stdout")
    add("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    if not 0 < arguments.escape_cost < float("inf"):
        raise InputError("--escape-cost must be a number above 0, not {value}", value=arguments.escape_cost)
    if arguments.output is not None and arguments.output.exists():
        raise InputError("{path} exists already; choose another file", path=arguments.output)
    catalogue = registry.load()
    settings = Settings.load(plugin_options(catalogue))
    dataset = None if arguments.data is None else read_yolo_dataset(arguments.data, ())
    common = {
        "sources": _sources(arguments, catalogue, dataset),
        "confidence": arguments.conf,
        "iou": arguments.iou,
        "device": arguments.device,
        "rules": None if arguments.rules is None else recipes.read_rules(arguments.rules),
    }
    a, b = (read_side(catalogue, settings, text, common, arguments.model) for text in (arguments.a, arguments.b))
    if arguments.model is not None and "rules" not in (a.kind, b.kind):
        raise InputError("--model belongs to rule files; leave it out")
    comparison = Comparison(catalogue, (a, b), None if dataset is None else _truth(dataset))
    title = f"compare {Path(a.name).stem} {Path(b.name).stem}"
    folder = (arguments.output or default_output(settings, title)).absolute()
    draw = comparison_report.SideBySide(folder, (f"A: {Path(a.name).name}", f"B: {Path(b.name).name}"))
    interrupted = False
    with results_only():
        try:
            _follow(comparison, draw, arguments.quiet or arguments.json)
        except KeyboardInterrupt:
            interrupted = True
        if not comparison.images:
            raise InputError("No image could be compared; give images, a folder or a video", cli_hint="--source")
        content = comparison_report.document(comparison, arguments.escape_cost)
        comparison_report.write(folder, comparison, content)
    if arguments.json:
        emit({"output": str(folder), **content})
    else:
        _print(content, folder)
    for skipped in comparison.unreadable:
        print_error(f"{skipped.name}: {skipped.reason}")
    if interrupted:
        return cli.INTERRUPTED
    return cli.PART_FAILED if comparison.unreadable else cli.DONE


def _fraction(text: str) -> float:
    try:
        return check_fraction(float(text), "the value")
    except (ValueError, InputError):
        raise argparse.ArgumentTypeError(f"{quote(text)} is not a number from 0 to 1") from None


def _sources(
    arguments: argparse.Namespace, catalogue: registry.Registry, dataset: YoloDataset | None
) -> list[Choice] | None:
    """The images to compare on; None: those of recipe A."""
    if arguments.source:
        return [choice for text in arguments.source for choice in resolve_sources(catalogue, text)]
    if dataset is None:
        return None
    images = [str(image.file) for image in dataset.images.get(arguments.split, ()) if not image.problem]
    if not images:
        raise InputError("The split {split} of {file} has no images", split=arguments.split, file=arguments.data)
    return [choice for image in images for choice in resolve_sources(catalogue, image)]


def _truth(dataset: YoloDataset) -> Callable[[Frame], bool | None]:
    """Whether an image of the dataset has labelled defects; None for other images."""
    labels = {
        image.file.resolve(): image.label for images in dataset.images.values() for image in images if not image.problem
    }

    def defective(frame: Frame) -> bool | None:
        path = Path(frame.path).resolve() if frame.path else None
        if path is None or path not in labels:
            return None
        label = labels[path]
        return label is not None and any(line.strip() for line in label.read_bytes().splitlines())

    return defective


def _follow(comparison: Comparison, draw: comparison_report.SideBySide, quiet: bool) -> None:
    from tqdm import tqdm

    with (
        contextlib.closing(comparison.run(draw)) as steps,
        tqdm(total=None, unit="image", disable=True if quiet else None, file=sys.stderr, leave=False) as bar,
    ):
        for _ in steps:
            bar.update()


def _print(content: dict[str, Any], folder: Path) -> None:
    counts, a, b = content["counts"], content["a"], content["b"]
    print_line(f"A: {a['name']} ({a['kind']}); B: {b['name']} ({b['kind']})")
    differing = [part for part in content["parts"] if part["differs"]]
    if differing:
        rows = [
            [part["id"], part["a"]["verdict"], part["b"]["verdict"]]
            + [str(part[side][key]) for key in ("detections", "only") for side in "ab"]
            for part in differing
        ]
        table(["part", "A", "B", "detections A", "detections B", "only A", "only B"], rows)
    changes = ", ".join(f"{number} {change}" for change, number in counts["verdicts"].items()) or "none"
    print_line(
        f"{counts['differing']} of {counts['parts']} parts differ ({counts['images']} images); verdicts: {changes}"
    )
    for letter, side in (("A", a), ("B", b)):
        if side["quality"] is not None:
            print_line(f"{letter}: {_figures(side['quality'])}")
            best = side["best_confidence"]
            print_line(f"{letter}, best confidence threshold {best['confidence']:g}: {_figures(best)}")
    if content["criterion"]:
        print_line(f"Best is: {content['criterion']}")
    print_line(f"Saved in {folder}")


def _figures(quality: dict[str, Any]) -> str:
    shares = (
        f"{key} {'-' if quality[key] is None else format(quality[key], '.3f')}" for key in ("precision", "recall")
    )
    return f"{', '.join(shares)}, false alarms {quality['false_alarms']}, escapes {quality['escapes']}"
