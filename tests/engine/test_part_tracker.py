"""Which image belongs to which part, when a part is final, and how parts are counted."""

from dataclasses import replace

import numpy as np
import pytest

from inspector.domain import Frame, Grouping, Inspection, ModelInfo, Skipped, Trigger, Verdict
from inspector.engine.part_tracker import PartCounts, PartTracker

MODEL = ModelInfo("m.pt", "", "m", ("Defect",))
PAIR = Grouping("{serial}_{view}", ("front", "back"))


def image(name: str, status: str = "OK", seconds: float | None = None, index: int = 0):
    frame = Frame(np.zeros((2, 2, 3), np.uint8), index, name, seconds, path=f"/data/{name}")
    return Inspection(frame, (), Verdict(status), MODEL), frame


def broken(name: str):
    skipped = Skipped(name, "is broken", f"/data/{name}")
    return skipped, skipped


def follow(tracker: PartTracker, *items, stretches=None):
    """The parts in the order in which they become final, as id: verdict, and what was counted after each image."""
    placements = [
        tracker.place(result, content, stretches[place] if stretches else 0)
        for place, (result, content) in enumerate(items)
    ]
    placements.append(tracker.finish())
    final = [(part.id, part.verdict.status) for placement in placements for part in placement.finished]
    return final, [placement.counts for placement in placements], [placement.view for placement in placements[:-1]]


def test_without_grouping_each_image_is_a_part_and_nothing_is_tracked():
    for grouping in (None, Grouping(count=1), Grouping(trigger=Trigger("key"))):
        tracker = PartTracker(grouping, "", False)
        placement = tracker.place(*image("a.png"))
        assert (placement.view, placement.updated, placement.finished, placement.counts) == (None, (), (), None)
        assert tracker.finish().finished == () and not tracker.grouped


def test_a_fixed_number_of_images():
    tracker = PartTracker(Grouping(count=2), "L7", False)
    items = [image("a.png"), image("b.png", "NG"), image("c.png"), broken("d.png"), image("e.png")]
    final, counts, views = follow(tracker, *items)
    assert final == [("1", "NG"), ("2", "WARN"), ("3", "WARN")]
    assert counts[0] == PartCounts(open=1) and counts[1] == PartCounts(ng=1) and counts[-1] == PartCounts(0, 2, 1, 0)
    assert [(view.id, view.view, view.views, view.lot) for view in views[:2]] == [
        ("1", "a.png", 2, "L7"),
        ("1", "b.png", 2, "L7"),
    ]


def test_a_pattern_groups_images_wherever_they_are_and_counts_parts_once_they_are_complete():
    tracker = PartTracker(PAIR, "", False)
    names = ["A_front.png", "B_front.png", "A_back.png", "C_back.png", "B_back.png"]
    final, counts, views = follow(tracker, *map(image, names))
    assert final == [("A", "OK"), ("B", "OK"), ("C", "WARN")]
    assert [(c.ok, c.warn, c.open) for c in counts] == [
        (0, 0, 1),
        (0, 0, 2),
        (1, 0, 1),
        (1, 0, 2),
        (2, 0, 1),
        (2, 1, 0),
    ]
    assert views[2].serial == "A" and views[2].view == "back"


def test_a_surplus_image_changes_a_part_that_was_counted_as_ok():
    tracker = PartTracker(PAIR, "", False)
    final, counts, _ = follow(tracker, image("A_front.png"), image("A_BACK.png"), image("A_top.png"))
    assert counts[1] == PartCounts(ok=1) and counts[2] == PartCounts(warn=1)
    assert final == [("A", "WARN")]


def test_a_pattern_without_stated_views_counts_a_part_when_the_next_begins():
    tracker = PartTracker(Grouping("{serial}_*"), "", False)
    final, counts, views = follow(tracker, image("A_1.png"), image("A_2.png"), image("B_1.png"), image("A_3.png", "NG"))
    assert [(c.ok, c.ng, c.open) for c in counts] == [(0, 0, 1), (0, 0, 1), (1, 0, 1), (1, 1, 0), (1, 1, 0)]
    assert final == [("A", "NG"), ("B", "OK")] and views[0].views is None


def test_names_that_do_not_fit_are_parts_of_their_own_that_are_not_ok():
    tracker = PartTracker(PAIR, "", False)
    final, *_ = follow(tracker, image("A_front.png"), image("odd.png"), image("A_back.png"))
    assert sorted(final) == [("A", "OK"), ("odd.png", "WARN")] and tracker.unmatched == 1


def test_without_an_end_parts_become_final_one_after_the_other():
    tracker = PartTracker(PAIR, "", True)
    names = ["A_front.png", "B_front.png", "B_back.png", "A_back.png", "C_front.png", "C_back.png"]
    placements = [tracker.place(*image(name)) for name in names]
    # B is complete, so the rest of A does not come any more; when it comes after all, it is a part of its own.
    assert [[(part.id, part.verdict.status) for part in p.finished] for p in placements] == [
        [], [], [("A", "WARN"), ("B", "OK")], [], [], [("A#2", "WARN"), ("C", "OK")],
    ]  # fmt: skip
    assert tracker.counts == PartCounts(ok=2, warn=2)


def test_a_stretch_between_triggers_and_a_trigger_without_an_image():
    tracker = PartTracker(Grouping(stretch=True, trigger=Trigger("still", 0.3)), "", True)
    items = [image("cam", "OK", index / 10, index) for index in range(5)]
    items[3] = image("cam", "NG", 0.3, 3)
    final, counts, views = follow(tracker, *items, stretches=[1, 1, 2, 2, 4])
    assert final == [("1", "OK"), ("2", "NG"), ("3", "WARN"), ("4", "OK")]
    assert tracker.missed == 1 and counts[-1] == PartCounts(2, 1, 1)
    assert views[3].view == "cam #3" and views[3].views is None


def test_a_problem_before_the_first_trigger_is_no_part():
    tracker = PartTracker(Grouping(stretch=True, trigger=Trigger("still", 0.3)), "", False)
    assert tracker.place(*broken("clip.mp4"), 0).view is None


@pytest.mark.parametrize("count", [20_000])
def test_many_parts_take_no_longer_each(count):
    tracker = PartTracker(Grouping("{serial}_{view}"), "", False)
    for number in range(count):
        tracker.place(*broken(f"{number}_front.png"))
    assert len(tracker.finish().finished) == count


def test_pages_of_a_file_are_one_view_and_images_of_a_stack_are_not():
    tracker = PartTracker(Grouping("{serial}_{view}"), "", False)
    pages = [image("A_front.tif", index=index) for index in range(3)]
    stack = []
    for name in ("B_front.png", "B_back.png"):  # of a plugin whose images come from one file
        result, frame = image(name)
        stack.append((result, replace(frame, path="/data/stack.npy")))
    placements = [tracker.place(*each) for each in (*pages, *stack)]
    assert placements[-1].view.view == "back"
    assert [(part.id, part.views, part.images) for part in tracker.finish().finished] == [
        ("A", ("front",), 3),
        ("B", ("front", "back"), 2),
    ]
