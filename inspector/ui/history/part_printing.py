"""Print an inspected part: ask how, and create the page in the background."""

from __future__ import annotations

from inspector.ui.history.part_report import Part
from inspector.ui.kit import open_externally, printing
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr

__all__ = ["Part", "print_part"]


def print_part(shell: Shell, part: Part) -> None:
    """Ask whether to print or to open the page, and do so."""
    buttons = [("open", tr("Open the page"), False), ("cancel", tr("Cancel"), False)]
    if printing.can_print():
        buttons.insert(1, ("print", tr("Print now"), False))
    text = tr("Creates a one-page PDF with image, verdict, reasons, time, model, limits and rules.")
    answer = shell.ask(tr("Print this part?"), text, buttons, "open")
    if answer == "cancel":
        return

    def work() -> None:
        from inspector.ui.history.part_report import save

        path = save(part, printing.page_file())
        (printing.print_file if answer == "print" else open_externally.open_path)(path)

    shell.tasks.run(work)
