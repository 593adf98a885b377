"""``bearing-inspector validate``: evaluate a model on a dataset."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspector import cli, registry
from inspector.cli import console, models, options
from inspector.cli.console import emit, print_error, print_line
from inspector.domain import InputError
from inspector.system import paths

_FIGURES = ("precision", "recall", "mAP50", "mAP50-95")


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    parser.set_defaults(catalogue=catalogue)
    parser.usage = "%(prog)s --model best.pt --data D.yaml [options]"
    add = parser.add_argument
    add("--model", required=True, metavar="FILE|NAME", help="weights file (best.pt) or the name of a bundled model")
    add("--data", type=Path, required=True, metavar="D.yaml", help="dataset in YOLO's layout")
    add("--output", type=Path, metavar="DIR", help="folder for metrics and curves (default: a new one for each run)")
    add("--json", action="store_true", help="print one JSON document on stdout")
    able = [spec for spec in catalogue.models.values() if spec.validate is not None]
    declared = {option.key: option for spec in able for option in spec.validate_options}
    options.add_flags(parser, list(declared.values()))


def run(arguments: argparse.Namespace) -> int:
    catalogue: registry.Registry = arguments.catalogue
    spec, weights = models.find(catalogue, arguments.model)
    if spec.validate is None:
        raise InputError("{model} cannot be evaluated on a dataset; choose another model", model=spec.title.en)
    given = options.given(arguments, spec.validate_options)
    output = (arguments.output or models.results_folder("validate", weights.stem)).absolute()
    layers = tuple(catalogue.layers.values())
    with console.results_only():
        figures = spec.validate(weights, arguments.data, layers, output, **given)
    document = {**figures, "output": str(output)}
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    paths.write_text(output / "validation.json", text + "\n")
    if arguments.json:
        emit(document)
    else:
        _print(document)
    left_out = document.get("left_out", ())
    for sentence in left_out:
        print_error(f"Left out: {sentence}")
    return cli.PART_FAILED if left_out else cli.DONE


def _print(document: Mapping[str, Any]) -> None:
    rows = [("all", document["all"]), *((one["name"], one) for one in document["classes"])]
    headers = ["Class", "Images", "Defects", *(f"{part} {key}" for part in ("Box", "Mask") for key in _FIGURES)]
    console.table(headers, [[name, one["pictures"], one["instances"], *_figures(one)] for name, one in rows])
    print_line(" ".join(f"{key} {value:.1f} ms" for key, value in document["ms"].items()) + " per image")
    print_line(f"Saved in {document['output']}")


def _figures(one: Mapping[str, Any]) -> list[str]:
    return [f"{one[part][key]:.3f}" if one[part] else "-" for part in ("box", "mask") for key in _FIGURES]
