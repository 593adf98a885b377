"""What keeps a part's failure from taking the others with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from inspector.api import Model, Source
from inspector.domain import InspectorError

logger = logging.getLogger(__name__)


class Guard(AbstractContextManager["Guard"]):
    """Hands an exception to ``report`` instead of raising it; ``failed`` says whether there was one."""

    def __init__(self, report: Callable[[Exception | SystemExit], None]) -> None:
        self._report, self.failed = report, False

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        if not isinstance(error, Exception | SystemExit):
            return False
        self.failed = True
        self._report(error)
        return True


def close(part: Source | Model, what: str) -> None:
    """Close; a failure is only logged."""
    try:
        part.close()
    except (Exception, SystemExit):
        logger.exception("%s could not be closed", what)


def describe(error: BaseException) -> str:
    """One sentence of ours, or the kind of a foreign error with its text."""
    return f"{error}" if isinstance(error, InspectorError) else f"{type(error).__name__}: {error}".rstrip(": ")
