"""The command line: one module for each command, imported when it is called."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from inspector import __version__
from inspector.cli import console
from inspector.cli.console import print_error, print_failure
from inspector.domain import InputError, InspectorError, describe

logger = logging.getLogger(__name__)
DONE, PART_FAILED, BAD_INPUT, NOT_GOOD, INTERRUPTED = 0, 1, 2, 3, 130

COMMANDS = {
    "inspect": "inspect images, folders, videos and cameras; save every result",
    "train": "train a model on a dataset in YOLO's layout",
    "validate": "evaluate a model on a dataset: precision, recall, mAP, curves",
    "export-model": "export a model to ONNX, OpenVINO or TorchScript",
    "models": "list bundled and locally trained models with their metrics",
    "architectures": "list architectures, show what one costs, check all",
    "convert": "convert labels from labelme, CVAT or Roboflow into a dataset",
    "synthesize": "render a dataset of synthetic bearings",
    "recipes": "list, show, import, export, lock and unlock recipes",
    "compare": "compare two models, recipes or rule files on the same images",
    "calibrate": "find the size of a pixel in millimetres",
    "rules": "list the templates of rules, explain a rule file",
    "rejudge": "apply other rules to a finished run, without inference",
    "study": "evaluate agreement, gauges and probability of detection",
    "plugins": "list, check, install, remove, enable, disable and create plugins",
    "history": "search, show, export and purge earlier inspections",
    "cameras": "list the cameras of this computer",
    "benchmark": "benchmark devices, runtimes and precisions",
    "doctor": "run diagnostics",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0 done; 1 one part failed, everything else is saved; 2 bad input; 3 NG, with --fail-on-ng; 130 interrupted.
    """
    console.prepare()
    code = _main(list(arguments))
    try:
        sys.stdout.flush()
    except OSError as error:
        console.discard_stdout()
        if console.reader_gone(error):
            return code
        print_error(f"bearing-inspector: cannot write to stdout ({error.strerror or error})")
        return code or PART_FAILED
    return code


class _Parser(argparse.ArgumentParser):
    """Report errors in one sentence instead of a page of usage; accept no abbreviated flags."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self.register("type", Path, _path)  # for every argument with type=Path, also of the commands

    def error(self, message: str) -> NoReturn:
        raise InputError("{message}; see {prog} --help", message=message.removeprefix("argument "), prog=self.prog)


def _path(text: str) -> Path:
    """Refuse an empty path, e.g. of an unset shell variable: ``Path("")`` is the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def _main(arguments: list[str]) -> int:
    name = next((word for word in arguments if not word.startswith("-")), None)
    parser = _parser(name if name in COMMANDS else None)
    if not arguments:
        parser.print_help()
        return DONE
    # --no-plugins must act before a command declares its flags: plugins add flags.
    if "--no-plugins" in arguments:
        os.environ["BEARING_INSPECTOR_NO_PLUGINS"] = "1"
    verbose = "--verbose" in arguments
    try:
        _start_logging(verbose)
        if name in COMMANDS:
            command = import_module(f"inspector.cli.{name.replace('-', '_')}")
            command.configure(_command_parser(parser, name))
        try:
            given = parser.parse_args(arguments)
        except SystemExit as end:  # --help and --version
            return int(end.code or DONE)
        return int(command.run(given))
    except InputError as error:
        print_failure(str(error))
        return BAD_INPUT
    except InspectorError as error:
        print_failure(str(error))
        return PART_FAILED
    except KeyboardInterrupt:
        print_error("bearing-inspector: interrupted")
        return INTERRUPTED
    except OSError as error:
        if console.reader_gone(error) and error.filename is None:
            console.discard_stdout()
            return DONE
        place = f" ({error.filename})" if error.filename else ""
        print_error(f"bearing-inspector: {error.strerror or error}{place}")
        return PART_FAILED
    except BaseException as error:
        logger.critical("Unexpected error: %s", describe(error), exc_info=error)
        return PART_FAILED


def _start_logging(verbose: bool) -> None:
    from inspector.system import logs

    logs.start(verbose=verbose)


def _parser(name: str | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bearing-inspector",
        description="Find defects on bearings, offline.",
        epilog="Run without a command to open the window: --open PATH … and --recipe FILE preload it, --operator "
        "opens the operator's view, --start begins to inspect. --self-test verifies the installation. "
        "bearing-inspector COMMAND --help describes a command. Exit codes: 0 done, 1 one part failed (everything else "
        "is saved), 2 bad input, 3 NG (with --fail-on-ng), 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"bearing-inspector {__version__}")
    _add_common(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, text in COMMANDS.items():
        if name in (None, command):
            # A second parser for these flags, so that they are accepted before and after the command.
            added = commands.add_parser(command, help=text, description=text[0].upper() + text[1:] + ".")
            _add_common(added, default=argparse.SUPPRESS)
    parser.set_defaults(commands=commands)
    return parser


def _add_common(parser: argparse.ArgumentParser, default: object = False) -> None:
    rescue, talk = "load built-in plugins only", "log details and tracebacks to stderr"
    parser.add_argument("--no-plugins", action="store_true", default=default, help=rescue)
    parser.add_argument("--verbose", action="store_true", default=default, help=talk)


def _command_parser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    chosen: argparse.ArgumentParser = parser.get_default("commands").choices[name]
    return chosen
