"""The window. The only room with tkinter.

``app`` owns the session and the one poll loop; ``theme`` the look, ``texts`` the words, ``work`` the threads; a page is
a frame that is given the shell (``shell``) and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from inspector import paths, single_instance
from inspector.domain import InputError, InspectorError


def main(arguments: Sequence[str]) -> int:
    """Open the window as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bearing-inspector", description="The window of Bearing Inspector.")
    parser.add_argument("--open", nargs="*", default=[], metavar="PATH", help="open this: files, camera:0, an address")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="set up the job of a run.json")
    parser.add_argument(
        "--no-plugins", action="store_true", help="leave out plugins that did not come with the program"
    )
    parser.add_argument("--verbose", action="store_true", help="tell on stderr what happens")
    given = parser.parse_args(arguments)
    if given.no_plugins:
        os.environ["BEARING_INSPECTOR_NO_PLUGINS"] = "1"
    try:
        only = single_instance.take_or_hand_over(single_instance.Request.of(given.open, given.recipe))
    except InspectorError as error:
        return _refuse(str(error), 2 if isinstance(error, InputError) else 1)
    if only is None:
        sys.stderr.write("bearing-inspector: a window is open already; it was told and brought to the front\n")
        return 0
    try:
        from inspector.ui import app
    except ImportError as error:  # a Python without Tk
        return _refuse(f"the window needs Tk ({error}); install python3-tk", 2)
    try:
        return app.main(given.open, given.recipe, verbose=given.verbose, only=only)
    except InspectorError as error:
        return _refuse(str(error), 2)
    finally:
        only.close()


def _refuse(sentence: str, code: int) -> int:
    """Say why there is no window, where nobody looks at a terminal in a window of its own; returns ``code``."""
    sys.stderr.write(f"bearing-inspector: {sentence}\n")
    if paths.frozen() and not sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from inspector.ui.refusal import show

            show(sentence)
    return code
