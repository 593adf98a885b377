"""``bearing-inspector plugins``: list, check, install, remove, enable, disable and create plugins."""

from __future__ import annotations

import argparse
from pathlib import Path

from inspector import registry
from inspector.cli import console
from inspector.registry.checking import check_here
from inspector.registry.manifest import KINDS
from inspector.registry.records import PluginRecord


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text)
        added.add_argument("--json", action="store_true", help="print one JSON document")
        for flag in ("--no-plugins", "--verbose"):  # the program's own flags are also accepted at the end
            added.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        return added

    action("list", "list all plugins with their state")
    check = action("check", "check all plugins, or one that is not installed yet, in a separate process")
    check.add_argument("path", nargs="?", type=Path, metavar="PATH", help="a .py, a folder, a .zip or a .whl")
    check.add_argument("--here", type=Path, help=argparse.SUPPRESS)  # internal: the separate process
    install = action("install", "install a plugin for this user; it runs with your full permissions")
    install.add_argument("path", type=Path, metavar="PATH", help="a .py, a folder, a .zip or a py3-none-any wheel")
    for name, text in (
        ("remove", "delete an installed plugin"),
        ("enable", "enable a plugin"),
        ("disable", "disable a plugin from the next start on"),
    ):
        action(name, text).add_argument("id", metavar="ID")
    new = action("new", "create a plugin from a template")
    new.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    new.add_argument("name", metavar="NAME", help="lower case letters, digits and underscore")
    new.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="target folder (default: the current one)"
    )
    new.add_argument(
        "--layer", default="block", metavar="KIND", help="kind of a layer: " + ", ".join(registry.LAYER_KINDS)
    )


def run(arguments: argparse.Namespace) -> int:
    actions = {"list": _list, "check": _check, "install": _install, "remove": _remove, "new": _new}
    return actions.get(arguments.action, _switch)(arguments)


def _list(arguments: argparse.Namespace) -> int:
    _show(registry.load().records, arguments.json)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    if arguments.here is not None:
        check_here(arguments.path, arguments.here)
        return 0
    records = registry.check(arguments.path)
    _show(records, arguments.json)
    faulty = [record for record in records if record.faulty]
    if not arguments.json:
        for record in faulty:
            if record.traceback:
                console.print_error("")
                console.print_error(f"{record.id}:")
                for line in record.traceback.splitlines():
                    console.print_error(line)
    return 1 if faulty else 0


def _show(records: tuple[PluginRecord, ...], as_json: bool) -> None:
    if as_json:
        console.emit({"plugins": [record.to_json() for record in records]})
        return
    headers = ("id", "version", "kinds", "origin", "state", "ms", "brings", "reason")
    rows = [
        (
            record.id,
            record.version or "-",
            ", ".join(record.kinds) or "-",
            record.origin,
            record.state,
            f"{record.load_ms:.0f}",
            ", ".join(name for _, name in record.specs) or "-",
            record.reason,
        )
        for record in records
    ]
    console.table(headers, rows)


def _install(arguments: argparse.Namespace) -> int:
    installed = registry.install(arguments.path)
    if arguments.json:
        console.emit(installed.to_json())
        return 0
    manifest = installed.manifest
    instead = f", in place of {installed.replaced or 'an older one'}" if installed.replaced is not None else ""
    console.print_line(f"Installed {manifest.id} {manifest.version}".rstrip() + f"{instead}: {installed.path}")
    console.print_line(f"SHA-256 {installed.sha256}")
    console.print_error(
        "A plugin runs with your full permissions; keep only plugins you trust. Check it: plugins check"
    )
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    place = registry.remove(arguments.id)
    if arguments.json:
        console.emit({"id": arguments.id, "removed": str(place)})
    else:
        console.print_line(f"Removed {place}")
    return 0


def _switch(arguments: argparse.Namespace) -> int:
    on = arguments.action == "enable"
    (registry.enable if on else registry.disable)(arguments.id)
    if arguments.json:
        console.emit({"id": arguments.id, "enabled": on})
    else:
        console.print_line(f"{arguments.id} is {'enabled' if on else 'disabled'} from the next start on")
    return 0


def _new(arguments: argparse.Namespace) -> int:
    place = registry.new(arguments.kind, arguments.name, arguments.folder, arguments.layer)
    if arguments.json:
        console.emit({"kind": arguments.kind, "id": arguments.name, "path": str(place)})
    else:
        console.print_line(f"Wrote {place}")
        console.print_error(f"Check it: plugins check {place}; install it: plugins install {place}")
    return 0
