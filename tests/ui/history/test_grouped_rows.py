"""Parts in the history's table: a row opens to its images, and an image to its defects."""

import numpy as np
import pytest
from fakes import Shell

from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, OpenPart, PartView, judge
from inspector.history import History, Query
from inspector.history.listing import Sort
from inspector.ui.history.grouped_rows import PartRows
from inspector.ui.history.rows import inspections_in
from inspector.ui.kit.table.selection import IndexRanges

MODEL = ModelInfo("m.pt", "", "m", ("Defect",))
STARTED = "2026-11-30T08:00:00.000+00:00"


def add(history, run, number, name, defects, part=None):
    mask = Mask(0, 0, np.ones((2, 2), bool))
    found = tuple(Detection("Defect", 0.9 - 0.1 * each, (0, 0, 4, 4), mask) for each in range(defects))
    frame = Frame(np.zeros((8, 8, 3), np.uint8), number, name, path=f"/data/{name}")
    inspection = Inspection(frame, found, judge(found), MODEL, number=number, time=STARTED, part=part)
    history.add(run, inspection)
    return inspection


@pytest.fixture
def rows(root, home, pumped, wait):
    with History.open() as history:
        run = history.begin(Job((), Choice("m")), MODEL, "run", None, STARTED)
        add(history, run, 1, "single.png", 1)
        part = OpenPart("A1", 2, ("front", "back"), True, "A1")
        for number, view, defects in ((2, "front", 0), (3, "back", 2)):
            part.add(view, judge([Detection("Defect", 0.9, (0, 0, 4, 4))] * defects))
            history.put_part(run, part)
            add(history, run, number, f"A1_{view}.png", defects, PartView("A1", view, 2, "A1"))
        history.finish(run, "done", {})
    found = PartRows(pumped(Shell(root)).tasks, Query(), Sort("number"), lambda: None)
    wait(lambda: not found.loading and found.images is not None)
    yield found
    found.close()


def texts(rows, wait):
    wait(lambda: None not in rows.fetch(0, len(rows)))
    return [(row[0], row[2], row[3]) for row in rows.fetch(0, len(rows))]


def test_a_part_opens_to_its_images_and_an_image_to_its_defects(rows, wait):
    assert (rows.parts, rows.images, rows.defects) == (2, 3, 3)
    closed = [("✕ NG", "single.png", "▸ 1"), ("✕ NG", "A1 (2)", "▸ 2")]
    assert texts(rows, wait) == closed
    assert rows.toggle(1) == 1
    wait(lambda: len(rows) == 4)
    views = [("✓ OK", "    front: A1_front.png", "—"), ("✕ NG", "    back: A1_back.png", "▸ 2")]
    assert texts(rows, wait) == [closed[0], ("✕ NG", "A1 (2)", "▾ 2"), *views]
    assert rows.toggle(2) is None and rows.toggle(3) == 3
    wait(lambda: len(rows) == 6)
    assert [text[0] for text in texts(rows, wait)] == ["✕ NG", "✕ NG", "✓ OK", "✕ NG", "", ""] and rows.parts == 2
    assert rows.toggle(0) == 0
    wait(lambda: len(rows) == 7)
    assert rows.parts == 2
    assert rows.toggle(6) == 4  # from a defect: its image closes
    assert len(rows) == 5 and rows.is_open(2)
    assert rows.toggle(2) == 2 and len(rows) == 3 and rows.parts == 2
    assert rows.toggle(1) == 0 and texts(rows, wait) == closed


def test_closing_a_part_closes_its_images(rows, wait):
    rows.toggle(1)
    wait(lambda: len(rows) == 4)
    rows.toggle(3)
    wait(lambda: len(rows) == 6)
    assert rows.toggle(1) == 1 and len(rows) == 2 and rows.parts == 2
    rows.toggle(1)
    wait(lambda: len(rows) == 4)
    assert not rows.is_open(3)


def test_the_row_of_a_part_selects_all_its_images(rows):
    assert inspections_in(rows.keys, IndexRanges([(1, 2)])) == [2, 3]
    assert inspections_in(rows.keys, IndexRanges([(0, 2)])) == [1, 2, 3]
