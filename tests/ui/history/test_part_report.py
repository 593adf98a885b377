"""One part on one page."""

import re

import numpy as np
import pytest

from inspector.domain import Detection, Frame, Inspection, Mask, ModelInfo, RecipeInfo, Rules, judge, rules_sha256
from inspector.ui.history.part_printing import print_part
from inspector.ui.history.part_report import Part, facts, page, save
from inspector.ui.kit import open_externally, printing, strings

RULES = Rules.from_json({"name": "strict", "classes": {"wear": {"area_px": {"warn": 50, "ng": 100}}}})
MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("wear",))


@pytest.fixture
def part():
    found = Detection("wear", 0.9, (10, 10, 40, 30), Mask(10, 10, np.ones((20, 30), bool)))
    frame = Frame(np.full((600, 800, 3), 180, np.uint8), 3, "零件 3.png", path="/parts/零件 3.png")
    time = "2026-11-30T08:15:00+00:00"
    recipe = RecipeInfo("6205", 2, "cd" * 32)
    judged = Inspection(frame, (found,), judge([found], RULES), MODEL, number=7, time=time, recipe=recipe)
    return Part(judged, RULES, run="4  line")


def test_it_says_all_that_a_signature_needs(part):
    strings.set_language("en")
    told = dict(facts(part))
    assert told["Reasons"] == "wear: area 600 px² above 100 px²" and told["Inspection run"] == "4  line   No. 7"
    assert told["File"] == "零件 3.png" and told["Model"] == "best.pt   yolo11n-seg   #abababab"
    assert told["Recipe"] == "6205 v2 #cdcdcdcd" and told["Confidence threshold"] == "0.25   IoU threshold 0.45"
    assert told["Rules"].split("\n") == [
        f"strict #{rules_sha256(RULES)[:8]}",
        "wear: area (px²): WARN > 50, NG > 100",
        "every other class: any defect is NG",
    ]
    strings.set_language("zh")
    assert dict(facts(part))["原因"] == "wear：面积 600 px² 超过 100 px²"


def test_it_is_one_a4_page_with_the_image(part, tmp_path):
    strings.set_language("zh")
    paper = page(part)
    assert paper.size == (2481, 3507)
    pixels = np.asarray(paper)
    assert (np.abs(pixels.astype(int) - 180).max(2) < 4).sum() > 1_000_000  # the grey part
    pdf = save(part, tmp_path / "part.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", pdf)) == 1


def test_many_reasons_and_long_names_stay_on_the_page(part):
    from dataclasses import replace

    strings.set_language("en")
    rules = Rules.from_json({"classes": {f"class {n} " + "x" * 90: {"count": {"ng": n}} for n in range(60)}})
    inspection = replace(part.inspection, frame=replace(part.inspection.frame, name="n" * 400))
    long = replace(part, rules=rules, inspection=inspection, saved=False, annotated=True)
    told = dict(facts(long))
    assert told["Rules"].count("\n") == 14 and told["Rules"].endswith("and 48 more")
    assert told["Note"] == "Preview, not saved." and "the original is missing" in told["Image shown"]
    bottom = np.asarray(page(long))[3507 - 420 : 3507 - 340]
    assert (bottom == 255).all()  # nothing runs into the signature


def test_printing_asks_and_opens_or_prints(part, shell, wait, monkeypatch):
    opened, printed = [], []
    monkeypatch.setattr(open_externally, "open_path", opened.append)
    monkeypatch.setattr(printing, "print_file", printed.append)
    monkeypatch.setattr(printing, "can_print", lambda: True)
    shell.answer = "cancel"
    print_part(shell, part)
    assert shell.asked[-1][0] == "Print this part?" and set(shell.asked[-1][2]) == {"open", "print", "cancel"}
    for answer, done in (("open", opened), ("print", printed)):
        shell.answer = answer
        print_part(shell, part)
        wait(lambda done=done: shell.tasks.pump() or done)
        assert done[0].suffix == ".pdf" and done[0].stat().st_size > 10_000
