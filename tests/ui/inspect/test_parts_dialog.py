"""The dialog for parts: what is chosen is what the run groups by, and what cannot be used is said."""

import pytest

from inspector.domain import Grouping, Trigger
from inspector.ui.inspect.parts_dialog import PartsDialog, parts_text


@pytest.fixture
def done():
    return []


@pytest.fixture
def opened(shell, done):
    """``opened(grouping)``: the dialog."""

    def begin(grouping=None, **facts):
        dialog = PartsDialog(shell, grouping, facts, lambda *result: done.append(result))
        shell.root.update()
        return dialog

    return begin


@pytest.mark.parametrize(
    "grouping",
    [
        None,
        Grouping("{serial}_{view}", ("front", "back")),
        Grouping("{serial}_{view}", count=2),
        Grouping(r"(?P<serial>\d+)"),
        Grouping(count=3),
        Grouping(count=3, trigger=Trigger("key")),
        Grouping(trigger=Trigger("timer", 2.5)),
        Grouping(stretch=True, trigger=Trigger("still", 0.5)),
    ],
)
def test_what_comes_in_goes_out(opened, done, grouping):
    opened(grouping, lot="L7", operator="Li").accept()
    assert done == [(grouping, {"lot": "L7", "operator": "Li", "station": ""})]


@pytest.mark.parametrize(
    ("kind", "pattern", "count", "said"),
    [
        ("pattern", "{view}", "2", "does not say what tells parts apart"),
        ("pattern", "  ", "2", "cannot be used"),
        ("pattern", "(?P<serial>.", "2", "cannot be used"),
        ("count", "", "0", "1 to 100000 images"),
        ("count", "", "", "1 to 100000 images"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_changes(opened, done, kind, pattern, count, said):
    dialog = opened()
    dialog.kind.set(kind)
    dialog.pattern.set(pattern)
    dialog.count.set(count)
    dialog.accept()
    assert said in dialog.problem.cget("text") and not done and dialog.winfo_exists()
    dialog.destroy()


def test_a_stretch_needs_a_trigger_and_a_pattern_has_none(opened, done):
    dialog = opened()
    dialog.kind.set("stretch")
    dialog._enable()
    assert dialog._trigger_kind == "still" and not dialog._seconds.instate(["disabled"])
    dialog.kind.set("pattern")
    dialog._enable()
    assert dialog._trigger_kind == "" and dialog._trigger_box.instate(["disabled"])
    dialog.accept()
    assert done[0][0] == Grouping("{serial}_{view}")


def test_the_summary_names_what_groups_and_what_triggers(root):
    assert parts_text(None) == "each image is a part"
    assert parts_text(Grouping("{serial}_{view}", ("a", "b"))) == "by name: {serial}_{view} · a, b"
    assert parts_text(Grouping("{serial}_{view}", count=2)) == "by name: {serial}_{view} · 2 views"
    assert parts_text(Grouping(count=3, trigger=Trigger("key"))) == "3 images in a row · key F7"
    assert parts_text(Grouping(stretch=True, trigger=Trigger("timer", 2))) == "from one trigger to the next · timer 2 s"
