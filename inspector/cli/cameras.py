"""``cameras``: the devices that the sources find at this computer."""

from __future__ import annotations

import argparse

from inspector import registry
from inspector.cli import console
from inspector.domain import InspectorError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    found = []
    for spec in registry.load().sources.values():
        try:
            devices = spec.devices() if spec.devices is not None else ()
        except (InspectorError, OSError) as error:
            console.remark(f"{spec.title.en}: {error}")
            continue
        found += [{"address": address, "name": name, "source": spec.id} for address, name in devices]
    if arguments.json:
        console.emit({"cameras": found})
    elif found:
        console.table(("CAMERA", "NAME"), [(row["address"], row["name"]) for row in found])
    else:
        console.say(
            "No camera found at this computer. If there is one, check that it is plugged in, that no other program "
            "uses it and that you may use it; a network camera is given by its address, such as rtsp://…"
        )
    return 0
