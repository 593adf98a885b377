"""Notes for the user on checkpoints that are used in spite of a problem."""

from __future__ import annotations

import logging

from inspector.api import ModelInfo, message

logger = logging.getLogger(__name__)


def image_size_note(file: str, ignored: str, chosen: int | None, used: int) -> str:
    """A sentence if the checkpoint's stated training image size is implausibly large; else empty.

    Args:
        ignored: the stated size, pixels; empty if it is used.
        chosen: the size chosen by the user.
        used: the size that is used instead, pixels.
    """
    notes = ""
    if ignored and chosen is None:
        notes = message(
            "{file} claims to be trained with images of {claimed} pixels, which is implausible; {used} is "
            "used instead, choose an input size to use another",
            file=file,
            claimed=ignored,
            used=used,
        )
    return notes


def log_note(info: ModelInfo) -> None:
    """Log the note of an opened model, which also shows it in the terminal."""
    if info.note:
        logger.warning("%s", info.note)
