import sys

import pytest
from links import needs_links

from inspector.registry.discovery import find_candidates, find_source


def ids(origin):
    return [each.id for each in find_candidates() if each.origin == origin]


def test_finds_the_built_in_ones_through_their_entry_points_without_importing_them():
    before = set(sys.modules)
    found = [each for each in find_candidates() if each.origin == "built-in"]
    assert {"image_files", "tables", "yolo11"} <= {each.id for each in found}
    assert not {name for name in set(sys.modules) - before if name.startswith("inspector_plugins")}


def test_every_built_in_plugin_has_the_id_of_its_entry_point():
    # A packed program knows a plugin that is off by this name alone.
    for each in find_candidates():
        if each.origin == "built-in" and each.manifest is not None:
            assert each.id == each.name


def test_order_is_built_in_installed_drop_in_and_by_id(dropins, good, entry_point):
    for name in ("zz", "aa", "mm"):
        (dropins / f"{name}.py").write_text(good(name))
    points = "[bearing_inspector.plugins]\nq = trial_q\nb = trial_b\n"
    entry_point("trial-two", points, {"trial_q.py": good("inst_q"), "trial_b.py": good("inst_b")})
    found = find_candidates()
    assert [each.id for each in found if each.origin != "built-in"] == ["inst_b", "inst_q", "aa", "mm", "zz"]
    assert found[0].origin == "built-in"


def test_the_parents_of_an_installed_plugin_are_not_imported(entry_point, good):
    files = {"trial_pkg/__init__.py": "raise SystemExit('imported')", "trial_pkg/deep/plug.py": good("deep")}
    entry_point("trial-deep", "[bearing_inspector.plugins]\nx = trial_pkg.deep.plug\n", files)
    assert ids("installed") == ["deep"]


def test_a_broken_distribution_is_one_bad_candidate(entry_point, good, dropins):
    entry_point("trial-broken", "[bearing_inspector.plugins]\nthis line has no sense\n", {}, where="one")
    entry_point("trial-ok", "[bearing_inspector.plugins]\nok = trial_ok\n", {"trial_ok.py": good("ok")}, where="two")
    found = {each.id: each for each in find_candidates() if each.origin == "installed"}
    assert found["ok"].problem is None
    assert "broken" in str(found["trial_broken-1.0.dist-info"].problem)


@pytest.mark.parametrize(
    ("value", "says"), [("trial_none", "trial_none is not installed"), ("trial_x:make", "without 'make'")]
)
def test_an_entry_point_that_leads_nowhere_says_so(entry_point, good, value, says):
    entry_point("trial-x", f"[bearing_inspector.plugins]\nx = {value}\n", {"trial_x.py": good("x")})
    (found,) = (each for each in find_candidates() if each.origin == "installed")
    assert found.id == "x" and says in str(found.problem)


def test_the_first_of_two_equal_distributions_counts(entry_point, good):
    entry_point("trial-a", "[bearing_inspector.plugins]\nx = trial_a\n", {"trial_a.py": good("old")}, where="one")
    entry_point("Trial_A", "[bearing_inspector.plugins]\nx = trial_a\n", {"trial_a.py": good("new")}, where="two")
    assert ids("installed") == ["new"]


def test_what_lies_in_the_plugins_folder(dropins, good):
    (dropins / "one.py").write_text(good("one"))
    (dropins / "two").mkdir()
    (dropins / "two" / "__init__.py").write_text(good("two"))
    (dropins / "empty").mkdir()
    (dropins / "late.zip").write_bytes(b"")
    for ignored in ("readme.txt", ".hidden.py"):
        (dropins / ignored).write_text("x")
    (dropins / "__pycache__").mkdir()
    (dropins / "轴承 😀.py").write_text(good("zh"), encoding="utf-8")
    found = {each.id: str(each.problem or "") for each in find_candidates() if each.origin == "drop-in"}
    assert set(found) == {"one", "two", "zh", "empty", "late.zip"}
    assert "neither __init__.py" in found["empty"] and "must be installed first" in found["late.zip"]
    assert not found["one"] + found["two"] + found["zh"]


@needs_links
def test_a_link_that_leads_nowhere_is_told(dropins):
    (dropins / "gone.py").symlink_to(dropins / "nowhere")
    (dropins / "loop").symlink_to(dropins / "loop")
    (dropins / "sub").mkdir()
    (dropins / "sub" / "__init__.py").symlink_to(dropins / "nowhere")
    found = {each.id: str(each.problem) for each in find_candidates() if each.origin == "drop-in"}
    assert set(found) == {"gone.py", "sub"} and all("is not a plugin" in problem for problem in found.values())


def test_finds_source_of_packages_modules_and_nothing():
    assert find_source("inspector.settings").name == "settings.py"
    assert find_source("inspector.registry").name == "__init__.py"
    assert find_source("inspector.none") is None
    assert find_source("sys") is None
    assert find_source("no_such_module_here.at_all") is None
