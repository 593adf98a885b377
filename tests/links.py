"""Links and pipes in folders: Windows wants a right for the first and has none of the second; Wine makes neither."""

import os
import tempfile
from pathlib import Path

import pytest


def _links() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "link"
        try:
            link.symlink_to(folder, target_is_directory=True)
        except (OSError, NotImplementedError):
            return False
        return os.path.lexists(link)


needs_links = pytest.mark.skipif(not _links(), reason="no links can be made here")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
