"""``bearing-inspector cameras``: list the devices that the sources find."""

from __future__ import annotations

import argparse

from inspector import registry
from inspector.cli import console


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    catalogue = registry.load()
    devices = registry.devices(catalogue, tuple(catalogue.sources.values()), console.print_error)
    found = [{"address": address, "name": name, "source": id} for id, address, name in devices]
    if arguments.json:
        console.emit({"cameras": found})
    elif found:
        console.table(("CAMERA", "NAME"), [(row["address"], row["name"]) for row in found])
    else:
        console.print_line(
            "No camera found. Check that it is connected, that no other program uses it, and that you have access. "
            "Give a network camera by its address, e.g. rtsp://…"
        )
    return 0
