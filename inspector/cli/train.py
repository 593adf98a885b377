"""``bearing-inspector train``: train a model, go on with a training, or check a data set."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from inspector import registry
from inspector.api import ModelSpec
from inspector.cli import console, models, options
from inspector.cli.console import emit, remark, say
from inspector.domain import InputError
from inspector.training import Supervision


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    trainable = [spec for spec in catalogue.models.values() if spec.train is not None]
    parser.set_defaults(catalogue=catalogue, trainable=trainable)
    parser.usage = (
        "%(prog)s --data D.yaml [--model ARCH] [options]\n"
        "       %(prog)s --resume --output DIR [options]\n"
        "       %(prog)s --check --data D.yaml [--json]"
    )
    parser.add_argument("--data", type=Path, metavar="D.yaml", help="data set in YOLO's layout")
    parser.add_argument(
        "--model",
        metavar="ARCH",
        help="architecture, checkpoint or shipped model to start from (yolo11n-seg); see the command architectures",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the results (default: a new one a training)"
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
        raise InputError("--resume goes on with the training in a folder; name it with --output")
    model = arguments.model or "yolo11n-seg"
    model = Path(model).stem if model.lower().endswith(".pt") else model
    output = (arguments.output or models.results_folder("train", model)).absolute()
    best = _train(arguments, spec, output, given)
    if arguments.json:
        emit({"best": str(best), "output": str(output if output.is_dir() else output.parent.parent)})
    else:
        say(f"The best model lies in {best}")
    return 0


def _train(arguments: argparse.Namespace, spec: ModelSpec, output: Path, given: dict[str, Any]) -> Path:
    assert spec.train is not None
    model = _shipped(spec, arguments.model)
    if model is None and not given.get("resume"):
        model = "yolo11n-seg"
    if "weights" in given:
        given = {**given, "weights": _shipped(spec, given["weights"])}
    layers = tuple(arguments.catalogue.layers.values())
    try:
        with console.results_only(), _supervision(arguments, output) as supervision:
            step = supervision.step
            return spec.train(arguments.data, model, output, layers=layers, report=remark, step=step, **given)
    except InputError:
        models.explain(arguments.catalogue, model or "")
        raise


def _supervision(arguments: argparse.Namespace, output: Path) -> Supervision:
    def say_at_once(line: str) -> None:
        say(line)
        console.stdout().flush()

    folder = output.parent.parent if output.suffix == ".pt" else output  # its last.pt names a training, too
    return Supervision(folder, say_at_once if arguments.supervised else None)


def _check(arguments: argparse.Namespace, spec: ModelSpec, given: dict[str, Any]) -> int:
    """Only check the data set: the findings are the result."""
    if arguments.output is not None or given.get("resume"):
        raise InputError("--check trains nothing; leave out --output and --resume")
    with tempfile.TemporaryDirectory() as folder:
        file = _train(arguments, spec, Path(folder) / "check", given)
        document = json.loads(file.read_text(encoding="utf-8"))
    if arguments.json:
        emit(document)
    else:
        for sentence in document["sentences"]:
            say(sentence)
    if document["refusal"] is not None:
        raise InputError(f"{arguments.data}, {document['refusal']}")
    return 0


def _shipped(spec: ModelSpec, name: str | None) -> str | None:
    """The file of a shipped model; any other name as it is."""
    file = spec.bundled.get(name) if name is not None else None
    return str(file) if file is not None else name
