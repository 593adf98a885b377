"""One-page report of an inspected part: image, verdict, reasons, time, model and rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inspector import __version__, i18n
from inspector.domain import Inspection, Rules
from inspector.domain import Part as WholePart
from inspector.history.periods import to_local_time
from inspector.reexport.scope import user_name
from inspector.ui.kit import strings, theme
from inspector.ui.kit.charts.export import DPI, font_of, write_page
from inspector.ui.kit.rule_summary import recipe_text, rule_set
from inspector.ui.kit.strings import tr

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageDraw import ImageDraw

_PAGE = (8.27, 11.69)  # inches: A4 portrait
_MARGIN = 0.7  # inches
_IMAGE_HEIGHT, _SMALLEST_IMAGE = 4.6, 2.0  # inches
_LINE, _GAP = round(0.21 * DPI), round(0.2 * DPI)  # pixels
_MOST_LINES = 14  # of reasons and rules each, so that they fit one page


@dataclass(frozen=True)
class Part:
    """The part to print.

    Attributes:
        rules: rules of its verdict.
        saved: result of a run; otherwise a preview, as the page states.
        annotated: the image is the annotated copy, which already shows the defects.
        run: title and number of the run; "" if there is none.
        whole: the part with all of its views; None if the image is a part of its own.
    """

    inspection: Inspection
    rules: Rules | None
    saved: bool = True
    annotated: bool = False
    run: str = ""
    whole: WholePart | None = None


def facts(part: Part) -> list[tuple[str, str]]:
    """Return the facts printed below the image as (name, text) in the current language."""
    inspection = part.inspection
    frame, model, language = inspection.frame, inspection.model, strings.language()
    moment = to_local_time(datetime.fromisoformat(inspection.time)) if inspection.time else datetime.now()
    reasons = [i18n.reason_text(reason, language) for reason in inspection.verdict.reasons]
    place = f"{frame.name}   {tr('Frame')} {frame.index}" if frame.seconds is not None else frame.name
    whole, view = part.whole, inspection.part_view
    rows = [
        (tr("Reasons"), "\n".join(_cut(reasons))),
        (tr("Part"), "" if whole is None else _whole(whole)),
        (tr("Part reasons"), "" if whole is None else "\n".join(_cut(i18n.part_reasons(whole, language)))),
        (tr("View"), "" if whole is None else view.view),
        (tr("Serial number"), view.serial),
        (tr("Lot"), view.lot),
        (tr("Operator"), inspection.operator),
        (tr("Station"), inspection.station),
        (tr("Time"), f"{moment:%Y-%m-%d %H:%M:%S}"),
        (tr("File"), place),
        (tr("Inspection run"), f"{part.run}   {tr('No.')} {inspection.number}" if part.run else ""),
        (tr("Model"), "   ".join(text for text in (model.file, model.architecture, f"#{model.sha256[:8]}") if text)),
        (tr("Confidence threshold"), f"{inspection.confidence:g}   {tr('IoU threshold')} {inspection.iou:g}"),
        (tr("Recipe"), "" if inspection.recipe is None else recipe_text(inspection.recipe)),
        (tr("Rules"), "\n".join([rule_set(part.rules), *_cut(i18n.rule_lines(part.rules, language))])),
        (tr("Image shown"), tr("annotated copy; the original is missing") if part.annotated else ""),
        (tr("Note"), "" if part.saved else tr("Preview, not saved.")),
    ]
    return [(name, text) for name, text in rows if text]


def _whole(part: WholePart) -> str:
    return tr("{id}: {verdict}, views: {n}", id=part.id, verdict=part.verdict.status, n=len(part.views))


def page(part: Part) -> PillowImage:
    """Render the page, A4 portrait at 300 dpi."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width, height = (round(inches * DPI) for inches in _PAGE)
    margin = round(_MARGIN * DPI)
    paper = Pillow.new("RGB", (width, height), "white")
    painter = ImageDraw.Draw(paper)
    y = margin
    painter.text((margin, y), tr("Inspection of one part"), "black", font_of(18))
    status = part.inspection.verdict.status
    colours = theme.paper()
    ink = {"OK": colours.ok_text, "WARN": colours.warn_text, "NG": colours.ng_text}
    painter.text((width - margin, y), status, ink[status], font_of(30), "ra")
    y += round(0.65 * DPI)
    column, foot = margin + round(1.75 * DPI), height - margin
    rows = _rows(painter, facts(part), width - margin - column)
    room = foot - round(0.6 * DPI) - y  # for the image and the text below it
    most = max(round(_SMALLEST_IMAGE * DPI), min(round(_IMAGE_HEIGHT * DPI), room - len(rows) * _LINE - _GAP))
    y += _put_image(paper, part, margin, y, most) + _GAP
    fit = (foot - round(0.6 * DPI) - y) // _LINE
    if len(rows) > fit:
        rows = [*rows[: fit - 1], ("", tr("and {n} more", n=len(rows) - fit + 1))]
    for name, line in rows:
        painter.text((margin, y), name, "#5B6470", font_of(10))
        painter.text((column, y), line, "black", font_of(10))
        y += _LINE
    for place, name in enumerate((tr("Checked by"), tr("Date"), tr("Signature"))):
        left = margin + place * (width - 2 * margin) // 3
        painter.line([(left, foot - 120), (left + (width - 2 * margin) // 3 - 60, foot - 120)], "#5B6470", 3)
        painter.text((left, foot - 105), name, "#5B6470", font_of(9))
    printed = tr("Printed {time} by {user}", time=f"{datetime.now():%Y-%m-%d %H:%M:%S}", user=user_name() or "—")
    painter.text((margin, foot - 20), f"{printed}   Bearing Inspector {__version__}", "#5B6470", font_of(8))
    return paper


def save(part: Part, path: Path) -> Path:
    """Write the page as a PDF.

    Raises:
        InputError: it cannot be written.
    """
    return write_page([page(part)], path)


def _put_image(paper: PillowImage, part: Part, left: int, top: int, most: int) -> int:
    """Draw the image with its defects, at most ``most`` pixels high; return its height in pixels."""
    import cv2
    from PIL import Image as Pillow

    from inspector.imaging import draw_inspection

    inspection = part.inspection
    image = inspection.frame.image
    if not part.annotated:
        image = draw_inspection(image.copy(), inspection.detections, None)
    shown = Pillow.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    room = paper.width - 2 * left, most
    scale = min(room[0] / shown.width, room[1] / shown.height)
    shown = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    paper.paste(shown, (left + (room[0] - shown.width) // 2, top))
    return shown.height


def _rows(painter: ImageDraw, facts: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """Wrap the facts into lines of at most ``room`` pixels, each name next to its first line."""
    rows = []
    for name, text in facts:
        rows += [(name if not place else "", line) for place, line in enumerate(_wrapped(painter, text, room))]
    return rows


def _cut(lines: list[str]) -> list[str]:
    """Keep as many lines as fit the page; the last one states how many were left out."""
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[: _MOST_LINES - 1], tr("and {n} more", n=more + 1)]


def _wrapped(painter: ImageDraw, text: str, room: int) -> list[str]:
    """Wrap ``text`` into lines of at most ``room`` pixels, at spaces or within a word that is too long."""
    lines = []
    for line in text.split("\n"):
        rest = line
        while painter.textlength(rest, font_of(10)) > room:
            fit = next(
                n for n in range(len(rest) - 1, 0, -1) if n == 1 or painter.textlength(rest[:n], font_of(10)) <= room
            )
            cut = rest.rfind(" ", 1, fit + 1)
            cut = cut if cut > 0 else fit
            lines.append(rest[:cut].rstrip())
            rest = rest[cut:].lstrip()
        lines.append(rest)
    return lines
