"""``bearing-inspector train``: train a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from inspector import registry
from inspector.api import ModelSpec
from inspector.cli import console, options
from inspector.cli.console import emit, remark, say
from inspector.domain import InputError


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    trainable = [spec for spec in catalogue.models.values() if spec.train is not None]
    parser.set_defaults(catalogue=catalogue, trainable=trainable)
    parser.usage = "%(prog)s --data D.yaml --output DIR [options]"
    parser.add_argument("--data", type=Path, required=True, metavar="D.yaml", help="data set in YOLO's layout")
    parser.add_argument(
        "--model", default="yolo11n-seg", metavar="ARCH", help="architecture or checkpoint to start from (yolo11n-seg)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="new folder for the results")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    if len(trainable) > 1:
        parser.add_argument("--trainer", choices=[spec.id for spec in trainable], default=trainable[0].id)
    declared = {option.key: option for spec in trainable for option in spec.train_options}
    options.add_flags(parser, list(declared.values()))


def run(arguments: argparse.Namespace) -> int:
    trainable: list[ModelSpec] = arguments.trainable
    if not trainable:
        raise InputError("No plugin here can train; enable the plugin yolo11")
    chosen = getattr(arguments, "trainer", trainable[0].id)
    spec = next(spec for spec in trainable if spec.id == chosen)
    assert spec.train is not None
    output = arguments.output.absolute()
    chosen_options = options.given(arguments, spec.train_options)
    layers = tuple(arguments.catalogue.layers.values())
    with console.results_only():
        best = spec.train(arguments.data, arguments.model, output, layers=layers, report=remark, **chosen_options)
    if arguments.json:
        emit({"best": str(best), "output": str(output)})
    else:
        say(f"The best model lies in {best}")
    return 0
