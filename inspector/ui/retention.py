"""Keep original images of cameras and watched folders within the configured limits while the window is open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from inspector.history.originals import Purged
from inspector.jobs.recovery import purge_originals
from inspector.ui.kit.strings import tr

if TYPE_CHECKING:
    from inspector.ui.kit.shell import Shell

logger = logging.getLogger(__name__)
_EVERY = 3_600_000  # milliseconds: a run of a camera may last for days


class Retention:
    """Delete originals beyond the limits at the start and every hour, and report it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._look()

    def _look(self) -> None:
        self._shell.tasks.run(
            purge_originals,
            self._shell.settings,
            done=self._report_removed,
            failed=lambda error: logger.warning("Originals were not looked through: %s", error),
        )
        self._shell.root.after(_EVERY, self._look)

    def _report_removed(self, removed: Purged) -> None:
        if removed.files:
            self._shell.toast(
                tr(
                    (
                        "{n} original images were deleted, oldest first: originals are kept for {days} days and up "
                        "to {gb} GB (0: no limit)."
                    ),
                    n=f"{removed.files:,}",
                    days=self._shell.settings.get("originals_days"),
                    gb=f"{self._shell.settings.get('originals_gb'):g}",
                ),
                "info",
            )
