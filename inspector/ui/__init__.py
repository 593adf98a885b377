"""The graphical user interface. The only package that imports tkinter.

``app`` owns the session and the poll loop. ``kit`` has the widgets and services that all pages share, e.g. ``theme``
(colours and fonts), ``strings`` (texts), ``tasks`` (threads), ``shell`` and ``page`` (the contract between window and
pages). Each page is a package of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from inspector.domain import InputError, InspectorError, printable
from inspector.system import paths, single_instance


def main(arguments: Sequence[str]) -> int:
    """Open the window from command-line arguments and return the exit code."""
    parser = argparse.ArgumentParser(prog="bearing-inspector", description="The window of Bearing Inspector.")
    parser.add_argument("--open", nargs="*", default=[], metavar="PATH", help="files, camera:0 or addresses to open")
    parser.add_argument("--recipe", metavar="FILE|NAME", help="recipe or run.json to set up")
    parser.add_argument("--operator", action="store_true", help="open the full-screen operator view")
    parser.add_argument("--start", action="store_true", help="start the inspection immediately")
    parser.add_argument("--no-plugins", action="store_true", help="load built-in plugins only")
    parser.add_argument("--verbose", action="store_true", help="log details and tracebacks to stderr")
    args = parser.parse_args(arguments)
    if args.no_plugins:
        os.environ["BEARING_INSPECTOR_NO_PLUGINS"] = "1"
    try:
        recipe = None if args.recipe is None else _recipe(args.recipe)
        only = single_instance.take_or_hand_over(
            single_instance.Request.of(args.open, recipe, args.operator, args.start)
        )
    except InspectorError as error:
        return _refuse(str(error), 2 if isinstance(error, InputError) else 1)
    if only is None:
        sys.stderr.write("bearing-inspector: a window is already open; the request was passed to it\n")
        return 0
    try:
        from inspector.ui import app
    except ImportError as error:  # a Python without Tk
        return _refuse(f"the window needs Tk ({error}); install python3-tk", 2)
    try:
        return app.main(args.open, recipe, args.verbose, only=only, operator=args.operator, start=args.start)
    except InspectorError as error:
        return _refuse(str(error), 2)
    finally:
        only.close()


def _recipe(text: str) -> Path:
    """The file of a recipe by its path or name; the window reports a missing one."""
    from inspector.jobs import recipe_library

    try:
        return recipe_library.find(text)
    except InputError:
        return Path(text)


def _refuse(sentence: str, code: int) -> int:
    """Report why the window cannot open, in a dialog if there is no terminal, and return ``code``."""
    sys.stderr.write(f"bearing-inspector: {printable(sentence)}\n")
    if paths.frozen() and not sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from inspector.ui.startup_error import show_startup_error

            show_startup_error(sentence)
    return code
