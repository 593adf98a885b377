"""The command line: one module a command, imported when it is called."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from inspector import __version__
from inspector.cli import console
from inspector.cli.console import remark
from inspector.domain import InputError, InspectorError

DONE, PART_FAILED, BAD_INPUT, NOT_GOOD, INTERRUPTED = 0, 1, 2, 3, 130

COMMANDS = {
    "inspect": "inspect pictures, folders, videos and cameras; save every result",
    "train": "train a model on a data set in YOLO's layout",
    "validate": "measure a model on a data set: precision, recall, mAP, curves",
    "export-model": "write a model as ONNX, OpenVINO or TorchScript",
    "architectures": "list what can be trained; what one costs; check all",
    "convert": "make a data set out of labels of labelme, CVAT and Roboflow",
    "synthesize": "make a data set of synthetic bearing pictures",
    "plugins": "list, check, install, remove, switch and write plugins",
    "history": "search, show, export and purge what was inspected",
    "cameras": "list the cameras of this machine",
    "benchmark": "measure how fast this machine inspects, and with which setting",
    "doctor": "tell what this machine can do",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0 done; 1 one part failed, all else is saved; 2 bad input; 3 not good, with --fail-on-ng; 130 interrupted.
    """
    console.prepare()
    code = _main(list(arguments))
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as with `| head`
        console.give_up()
    except OSError as error:
        console.give_up()
        remark(f"bearing-inspector: what was printed could not be written ({error.strerror or error})")
        return code or PART_FAILED
    return code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of a page of usage, and takes no abbreviations of flags."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def _main(arguments: list[str]) -> int:
    name = next((word for word in arguments if not word.startswith("-")), None)
    parser = _parser(name if name in COMMANDS else None)
    if not arguments:
        parser.print_help()
        return DONE
    # The rescue must act before a command declares its flags, since plugins bring flags of their own.
    if "--no-plugins" in arguments:
        os.environ["BEARING_INSPECTOR_NO_PLUGINS"] = "1"
    verbose = "--verbose" in arguments
    try:
        _start_logging(verbose)
        if name in COMMANDS:
            command = import_module(f"inspector.cli.{name.replace('-', '_')}")
            command.configure(_command_parser(parser, name))
        given = parser.parse_args(arguments)
        return int(command.run(given))
    except InputError as error:
        remark(f"bearing-inspector: {error}")
        return BAD_INPUT
    except InspectorError as error:
        remark(f"bearing-inspector: {error}")
        return PART_FAILED
    except KeyboardInterrupt:
        remark("bearing-inspector: interrupted")
        return INTERRUPTED
    except SystemExit as end:  # --help and --version
        return int(end.code or DONE)
    except BrokenPipeError:
        console.give_up()
        return DONE
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        remark(f"bearing-inspector: {error.strerror or error}{place}")
        return PART_FAILED


def _start_logging(verbose: bool) -> None:
    from inspector import logs

    logs.start(verbose=verbose)


def _parser(name: str | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bearing-inspector",
        description="Finds defects on bearings, offline.",
        epilog="Without a command the window opens; --open PATH … and --recipe FILE say with what. --self-test tries "
        "whether the program is whole. bearing-inspector COMMAND --help tells more. Exit codes: 0 done, 1 one part "
        "failed (all else is saved), 2 bad input, 3 not good (with --fail-on-ng), 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"bearing-inspector {__version__}")
    _add_common(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, text in COMMANDS.items():
        if name in (None, command):
            # A second parser for these flags, so that they may stand before or behind the command.
            added = commands.add_parser(command, help=text, description=text[0].upper() + text[1:] + ".")
            _add_common(added, default=argparse.SUPPRESS)
    parser.set_defaults(commands=commands)
    return parser


def _add_common(parser: argparse.ArgumentParser, default: object = False) -> None:
    rescue, talk = "leave out plugins that did not come with the program", "tell on stderr what happens"
    parser.add_argument("--no-plugins", action="store_true", default=default, help=rescue)
    parser.add_argument("--verbose", action="store_true", default=default, help=talk)


def _command_parser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    chosen: argparse.ArgumentParser = parser.get_default("commands").choices[name]
    return chosen
