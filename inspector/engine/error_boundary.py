"""Error isolation between pipeline stages and plugins."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from inspector.api import Model, Source
from inspector.domain import interrupts

logger = logging.getLogger(__name__)


class ErrorBoundary(AbstractContextManager["ErrorBoundary"]):
    """Passes any exception but Ctrl-C to ``report`` instead of raising it.

    Attributes:
        failed: whether there was one.
    """

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report, self.failed = report, False

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        if error is None or interrupts(error):
            return False
        self.failed = True
        self._report(error)
        return True


def close_quietly(part: Source | Model, name: str) -> None:
    """Close a source or model; a failure is only logged."""
    with ErrorBoundary(lambda error: logger.error("%s could not be closed", name, exc_info=error)):
        part.close()
