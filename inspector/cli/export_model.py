"""``bearing-inspector export-model``: export a model for another runtime."""

from __future__ import annotations

import argparse
from pathlib import Path

from inspector import registry
from inspector.cli import console, models, options
from inspector.cli.console import emit, print_line
from inspector.domain import InputError, quote


def configure(parser: argparse.ArgumentParser) -> None:
    catalogue = registry.load()
    able = [spec for spec in catalogue.models.values() if spec.export is not None]
    formats = "|".join(dict.fromkeys(format for spec in able for format in spec.export_formats))
    parser.set_defaults(catalogue=catalogue)
    parser.usage = f"%(prog)s best.pt --format {formats} [options]"
    add = parser.add_argument
    add("model", metavar="FILE|NAME", help="weights file (best.pt) or the name of a bundled model")
    add("--format", required=True, metavar=formats, help="target format")
    add("--output", type=Path, metavar="FILE", help="target; openvino writes a folder (default: next to the model)")
    add("--json", action="store_true", help="print one JSON document on stdout")
    declared = {option.key: option for spec in able for option in spec.export_options}
    options.add_flags(parser, list(declared.values()))


def run(arguments: argparse.Namespace) -> int:
    catalogue: registry.Registry = arguments.catalogue
    spec, weights = models.find(catalogue, arguments.model)
    if spec.export is None:
        raise InputError("{model} cannot be exported; choose another model", model=spec.title.en)
    if arguments.format not in spec.export_formats:
        raise InputError(
            "--format {format} is not one of {export_formats}",
            format=quote(arguments.format),
            export_formats=", ".join(spec.export_formats),
        )
    if arguments.output is None and arguments.model in spec.bundled:
        raise InputError("{model} ships with the program; choose where its copy goes (--output)", model=arguments.model)
    given = options.given(arguments, spec.export_options)
    output = None if arguments.output is None else arguments.output.absolute()
    layers = tuple(catalogue.layers.values())
    found: list[str] = []
    with console.results_only():
        written = spec.export(weights, arguments.format, output, layers, report=found.append, **given)
    if arguments.json:
        emit({"output": str(written), "format": arguments.format, "report": found})
    else:
        for line in (f"Saved as {written}", *found):
            print_line(line)
    return 0
