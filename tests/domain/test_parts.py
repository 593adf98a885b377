"""The verdict of a part."""

import pytest

from inspector.domain import OpenPart, Reason, Verdict

OK = Verdict("OK")
NG = Verdict("NG", (Reason("area_above", "Defect", 500.0, 400.0, "px2"),))
WARN = Verdict("WARN", (Reason("count_above", "Defect", 2.0, 1.0),))


def part(*views, **settings):
    made = OpenPart("1", **settings)
    for name, verdict in views:
        made.add(name, verdict)
    return made.part()


def test_the_worst_view_decides_and_gives_the_reasons():
    judged = part(("front", WARN), ("back", NG), ("top", OK), expected=3)
    assert judged.verdict.status == "NG" and judged.images == 3
    assert judged.record()["reasons"] == [NG.reasons[0].record() | {"view": "back"}]
    assert judged.record()["views"] == ["front", "back", "top"]
    assert part(("front", OK), ("back", WARN), expected=2).verdict.status == "WARN"
    assert part(("front", OK), ("back", OK), expected=2).verdict == OK


def test_of_equal_reasons_the_largest_value_remains():
    larger = Verdict("NG", (Reason("area_above", "Defect", 900.0, 400.0, "px2"),))
    judged = part(("a", NG), ("b", larger), ("c", NG))
    assert [(reason.value, view) for reason, view in zip(judged.verdict.reasons, judged.reason_views, strict=True)] == [
        (900.0, "b")
    ]


NAMED = {"expected": 2, "expected_views": ("front", "back"), "named": True}


@pytest.mark.parametrize(
    ("views", "settings", "codes"),
    [
        ([("front", OK)], NAMED, [("view_missing", "back")]),
        ([("front", OK), ("back", OK), ("top", OK)], NAMED, [("view_unexpected", "top")]),
        ([("front", OK), ("back", OK), ("back", OK)], NAMED, [("view_surplus", "back")]),
        ([("front", OK), ("back", None)], NAMED, [("view_unreadable", "back")]),
        ([("front", OK), ("front", OK)], {"named": True}, [("view_surplus", "front")]),
        ([("a", OK)], {"expected": 2}, [("views_below", "")]),
        ([("a", OK), ("b", OK), ("c", OK)], {"expected": 2}, [("views_above", "")]),
        ([], {}, [("views_below", "")]),
        ([("a", None)], {"expected": 1}, [("view_unreadable", "a")]),
    ],
)
def test_a_part_with_a_view_missing_surplus_or_unreadable_is_never_ok(views, settings, codes):
    judged = part(*views, **settings)
    assert judged.verdict.status == "WARN"
    assert [(reason.code, reason.label) for reason in judged.verdict.reasons] == codes


def test_a_missing_view_is_named_beside_a_defect():
    judged = part(("front", NG), **NAMED)
    assert judged.verdict.status == "NG"
    assert [reason.code for reason in judged.verdict.reasons] == ["area_above", "view_missing"]


def test_all_frames_of_a_video_are_one_view():
    made = OpenPart("1", **NAMED)
    for verdict in (OK, NG, OK):
        made.add("front", verdict, "/data/A_front.mp4")
    made.add("back", OK, "/data/A_back.png")
    assert made.complete and made.part().views == ("front", "back") and made.part().images == 4
    assert made.part().verdict.status == "NG"
