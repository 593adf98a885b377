"""The window. The only room with tkinter.

``app`` owns the session and the one poll loop; ``theme`` the look, ``texts`` the words, ``work`` the threads; a page is
a frame that is given the shell (``shell``) and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Open the window as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bearing-inspector", description="The window of Bearing Inspector.")
    parser.add_argument("--open", nargs="+", default=[], metavar="PATH", help="open this: files, camera:0, an address")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="set up the job of a run.json")
    parser.add_argument(
        "--no-plugins", action="store_true", help="leave out plugins that did not come with the program"
    )
    parser.add_argument("--verbose", action="store_true", help="tell on stderr what happens")
    given = parser.parse_args(arguments)
    if given.no_plugins:
        os.environ["BEARING_INSPECTOR_NO_PLUGINS"] = "1"
    try:
        from inspector.ui import app
    except ImportError as error:  # a Python without Tk
        sys.stderr.write(f"bearing-inspector: the window needs Tk ({error}); install python3-tk\n")
        return 2
    return app.main(given.open, given.recipe, verbose=given.verbose)
