"""``bearing-inspector train``: train a model, resume a training, or check a dataset."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from inspector import cli, registry
from inspector.api import ModelSpec
from inspector.cli import console, models, options
from inspector.cli.console import emit, print_error, print_line
from inspector.domain import InputError, from_json
from inspector.training import TrainingWorker


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    trainable = [spec for spec in catalogue.models.values() if spec.train is not None]
    parser.set_defaults(catalogue=catalogue, trainable=trainable)
    parser.usage = (
        "%(prog)s --data D.yaml [--model ARCH] [options]\n"
        "       %(prog)s --resume --output DIR [options]\n"
        "       %(prog)s --check --data D.yaml [--json]"
    )
    parser.add_argument("--data", type=Path, metavar="D.yaml", help="dataset in YOLO's layout")
    parser.add_argument(
        "--model",
        metavar="ARCH",
        help="architecture, checkpoint or bundled model to start from (yolo11n-seg); see the command architectures",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the results (default: a new one for each training)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)  # see inspector.training
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
    given = options.given(arguments, spec.train_options)
    if arguments.data is None and not given.get("resume"):
        raise InputError("--data is needed; see bearing-inspector train --help")
    if given.get("check"):
        return _check(arguments, spec, given)
    if arguments.output is None and given.get("resume"):
        raise InputError("--resume continues the training in a folder; name it with --output")
    model = arguments.model or "yolo11n-seg"
    model = Path(model).stem if model.lower().endswith(".pt") else model
    output = (arguments.output or models.results_folder("train", model)).absolute()
    best = _train(arguments, spec, output, given)
    if arguments.json:
        emit({"best": str(best), "output": str(output if output.is_dir() else output.parent.parent)})
    else:
        print_line(f"Best model: {best}")
    return 0


def _train(arguments: argparse.Namespace, spec: ModelSpec, output: Path, given: dict[str, Any]) -> Path:
    assert spec.train is not None
    model = _shipped(spec, arguments.model)
    if model is None and not given.get("resume"):
        model = "yolo11n-seg"
    if "weights" in given:
        given = {**given, "weights": _shipped(spec, given["weights"])}
    layers = tuple(arguments.catalogue.layers.values())
    with console.results_only(), _supervision(arguments, output) as supervision:
        step = supervision.step
        try:
            return spec.train(arguments.data, model, output, layers=layers, report=print_error, step=step, **given)
        except InputError:
            models.explain(arguments.catalogue, model or "")
            raise


def _supervision(arguments: argparse.Namespace, output: Path) -> TrainingWorker:
    def say_at_once(line: str) -> None:
        print_line(line)
        console.stdout().flush()

    folder = output.parent.parent if output.suffix == ".pt" else output  # last.pt also names a training
    return TrainingWorker(folder, say_at_once if arguments.supervised else None)


def _check(arguments: argparse.Namespace, spec: ModelSpec, given: dict[str, Any]) -> int:
    """Check the dataset without training; the findings are the result."""
    if arguments.output is not None or given.get("resume"):
        raise InputError("--check trains nothing; leave out --output and --resume")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = _train(arguments, spec, Path(folder) / "check", given)
        document = from_json(json.loads(file.read_text(encoding="utf-8")))
    if arguments.json:
        emit(document)
    else:
        for sentence in document["sentences"]:
            print_line(sentence)
        if not document["findings"]:
            print_line("No problems found.")
    if document["refusal"] is not None:
        raise InputError("{data}, {refusal}", data=arguments.data, refusal=document["refusal"])
    return cli.PART_FAILED if document.get("lost") else cli.DONE


def _shipped(spec: ModelSpec, name: str | None) -> str | None:
    """The file of a bundled model; any other name unchanged."""
    file = spec.bundled.get(name) if name is not None else None
    return str(file) if file is not None else name
