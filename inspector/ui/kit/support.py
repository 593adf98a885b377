"""Text for asking support."""

from __future__ import annotations

from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr


def copy_report(shell: Shell, report: str) -> None:
    """Copy a diagnostics report to the clipboard, and say so."""
    shell.root.clipboard_clear()
    shell.root.clipboard_append(report)
    text = tr("Copied {n} lines. Paste them into a message to support.", n=len(report.splitlines()))
    shell.toast(text, "good")
