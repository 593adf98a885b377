"""The rules editor: judge() gets the typed limits, and a sentence explains every limit."""

import json
from tkinter import ttk

import pytest
from fakes import inside

from inspector.domain import TEMPLATES, Rules
from inspector.jobs import recipes
from inspector.ui.inspect.rule_texts import ALL, sentence
from inspector.ui.inspect.rules_dialog import edit_rules
from inspector.ui.kit import strings

RULES = {
    "classes": {
        "wear": {"count": {"warn": 0, "ng": 3}, "area_px": {"warn": 200, "ng": 400}, "score": {"ng": 0.9}},
        "stain": {},
        "*": {"length_px": {"ng": 60.5}},
    }
}


def words(widget):
    return [plain(label.cget("text")) for label in inside(widget, ttk.Label)]


def plain(said):
    return str(said).replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture
def done():
    return []


@pytest.fixture
def dialog(shell, done):
    made = edit_rules(shell, Rules.from_json(RULES), ("wear", "stain", "pit"), done.append)
    shell.root.update()
    return made


def choose(dialog, label):
    item = next(item for item in dialog.list.get_children() if dialog._label_of(item) == label)
    dialog.list.selection_set(item)
    dialog.update()


def type_in(dialog, measure, step, text):
    dialog._typed[measure][step].set(text)
    dialog.update()


def names(dialog):
    return [dialog.list.item(item, "text") for item in dialog.list.get_children()]


def test_what_comes_in_goes_out(dialog, done):
    for label in ("stain", "pit", "*", "wear"):
        choose(dialog, label)
    assert names(dialog) == ["● wear", "● stain", "○ pit", "● every other class", "○ All classes together"]
    dialog.accept()
    assert [rules.to_json() for rules in done] == [RULES] and not dialog.winfo_exists()


def test_each_limit_is_a_sentence(dialog):
    said = words(dialog)
    assert "More than 0 in an image: WARN.  More than 3 in an image: NG." in said
    assert "A defect larger than 200 px²: WARN.  A defect larger than 400 px²: NG." in said
    assert "A defect with a confidence above 0.9: NG." in said
    choose(dialog, "stain")
    assert "No limits: any number, size and confidence of this class is OK." in words(dialog)
    choose(dialog, "*")
    assert "A defect longer than 60.5 px: NG." in words(dialog)


def test_typing_gives_a_class_limits_of_its_own(dialog, done):
    choose(dialog, "pit")
    type_in(dialog, "count", "ng", "2")
    assert "● pit" in names(dialog)
    dialog.accept()
    assert done[0].to_json()["classes"]["pit"] == {"count": {"ng": 2}}


def test_a_class_can_follow_the_others_again(dialog, done):
    choose(dialog, "wear")
    dialog._follows.invoke()
    dialog.update()
    assert "○ wear" in names(dialog) and dialog._typed["count"]["ng"].get() == ""
    dialog.accept()
    assert set(done[0].to_json()["classes"]) == {"stain", "*"}


@pytest.mark.parametrize(
    ("measure", "step", "text", "says"),
    [
        ("count", "warn", "4", "wear: Count: The WARN limit must not exceed the NG limit."),
        ("score", "ng", "1.5", "wear: Confidence: Enter a number from 0 to 1."),
        ("area_px", "ng", "large", "wear: Area (px²): Enter a number."),
        ("length_px", "ng", "-1", "wear: Length (px): Enter a number of at least 0."),
        ("length_px", "ng", "inf", "wear: Length (px): Enter a number of at least 0."),
        ("length_px", "ng", "nan", "wear: Length (px): Enter a number of at least 0."),
    ],
)
def test_what_is_wrong_is_said_and_cannot_be_used(dialog, done, measure, step, text, says):
    type_in(dialog, measure, step, text)
    assert dialog.problem() == says and f"✕ {says}" in words(dialog)
    assert dialog._accept_button.instate(["disabled"]) and dialog._save_button.instate(["disabled"])
    dialog.accept()
    assert done == [] and dialog.winfo_exists()
    choose(dialog, "pit")
    assert dialog._accept_button.instate(["disabled"])


def test_a_comma_is_a_decimal_point(dialog, done):
    type_in(dialog, "score", "ng", "0,8")
    dialog.accept()
    assert done[0].to_json()["classes"]["wear"]["score"] == {"ng": 0.8}


def test_without_rules_any_defect_is_ng(shell, done):
    dialog = edit_rules(shell, None, ("wear",), done.append)
    shell.root.update()
    assert all(field.instate(["disabled"]) for field in dialog._fields)
    dialog.accept()
    assert done == [None]


def test_from_no_rules_to_some(shell, done):
    dialog = edit_rules(shell, None, (), done.append)
    shell.root.update()
    limits = next(each for each in inside(dialog, ttk.Radiobutton) if each.cget("text") == "Use limits")
    limits.invoke()
    type_in(dialog, "area_px", "ng", "100")
    dialog.accept()
    assert done[0].to_json() == {"classes": {"*": {"area_px": {"ng": 100}}}}


def test_a_class_that_the_model_does_not_know_is_marked(shell, done):
    dialog = edit_rules(shell, Rules.from_json({"classes": {"waer": {}}}), ("wear",), done.append)
    shell.root.update()
    assert "✕ waer (not of this model)" in names(dialog) and "does not have" in dialog.problem()
    choose(dialog, "waer")
    dialog._follows.invoke()
    dialog.update()
    assert dialog.problem() == ""


def test_escape_changes_nothing(dialog, done, shell):
    dialog.event_generate("<Escape>")
    shell.root.update()
    assert done == [] and not dialog.winfo_exists()


def test_files(dialog, shell, tmp_path, done):
    file = tmp_path / "规则.json"
    dialog.save(file)
    named = {"name": file.stem, **RULES}
    assert json.loads(file.read_text("utf-8")) == named and recipes.read_rules(file).to_json() == named
    assert dialog.rules().name == file.stem  # until a limit is changed
    assert shell.said == [("good", "The rules were saved as 规则.json.")]
    other = {"classes": {"pit": {"count": {"ng": 1}}}}
    file.write_text(json.dumps(other))
    dialog.load(file)
    dialog.update()
    assert dialog.rules().to_json() == {"name": "规则", **other}
    file.write_text('{"classes": {"pit": {"weight": {"ng": 1}}}}')
    dialog.load(file)
    assert (
        any("unknown measure" in text for text in words(dialog))
        and dialog.rules().to_json()["classes"] == other["classes"]
    )


def test_a_file_that_cannot_be_written_is_told(dialog, tmp_path):
    dialog.save(tmp_path / "nowhere" / "x.json")
    assert any(text.startswith("✕ ") and "x.json" in text for text in words(dialog))


def test_sentences_in_chinese():
    strings.set_language("zh")
    said, wrong = sentence("count", {"warn": "", "ng": "3"})
    assert plain(said) == "一张图片中超过 3 个：NG。" and not wrong


SECOND = {
    "version": 2,
    "classes": {"wear": {"length_mm": {"ng": 1.5}, "nearest_px": {"warn": 9, "ng": 5}}},
    "all": {"total_area_px": {"ng": 1000}},
    "regions": {"raceway": {"classes": {}, "all": {"count": {"ng": 0}}}},
    "confidence": {"wear": 0.4},
    "unnamed": "warn",
}


@pytest.fixture
def second(shell, done):
    made = edit_rules(shell, Rules.from_json(SECOND), ("wear", "pit"), done.append)
    shell.root.update()
    return made


def test_all_that_a_file_says_goes_out_again(second, done):
    for label in ("pit", "*", "\0", "wear"):
        choose(second, label)
    second.accept()
    assert done == [Rules.from_json(SECOND)]


def test_limits_over_all_classes_and_thresholds_are_typed(second, done):
    choose(second, "\0")
    type_in(second, "total_area_px", "warn", "500")
    assert second._threshold_field.instate(["disabled"]), "a threshold is of a class"
    choose(second, "pit")
    second._threshold.set("0,6")
    choose(second, "wear")
    second._threshold.set("")
    second.accept()
    (rules,) = done
    assert rules.to_json()["all"] == {"total_area_px": {"warn": 500, "ng": 1000}}
    assert rules.to_json()["confidence"] == {"pit": 0.6}


def test_a_threshold_that_is_none_cannot_be_used(second):
    choose(second, "wear")
    second._threshold.set("1.5")
    assert "wear" in plain(second.problem()) and second._accept_button.instate(["disabled"])


def test_both_limits_of_every_measure_are_within_the_dialog(second):
    choose(second, "wear")
    right = second._scroll.winfo_rootx() + second._scroll.winfo_width()
    assert all(field.winfo_rootx() + field.winfo_width() <= right for field in second._fields)


FULL = {
    "version": 2,
    "name": "line",
    "template": "manufacturing",
    "classes": {"wear": {"length_mm": {"warn": 1, "ng": 2.5}}, "scratch": {"count": {"ng": 0}}},
    "all": {"total_area_mm2": {"ng": 3}},
    "regions": {"raceway": {"classes": {"*": {"nearest_px": {"warn": 9, "ng": 4}}}, "all": {"count": {"ng": 2}}}},
    "confidence": {"wear": 0.4},
    "unnamed": "warn",
}


@pytest.fixture
def live():
    return []


@pytest.fixture
def full(shell, done, live):
    made = edit_rules(shell, Rules.from_json(FULL), ("wear", "pit"), done.append, live.append, ("raceway", "rib"))
    shell.root.update()
    return made


def choose_scope(dialog, region, label):
    dialog.list.selection_set(str(dialog._scopes.index((region, label))))
    dialog.update()


def shown_measures(dialog):
    return {measure for measure, widgets in dialog._rows.items() if widgets[0].winfo_manager()}


def wait_for(dialog, condition):
    for _ in range(100):
        dialog.update()
        if condition():
            return
        dialog.after(10)
    raise AssertionError("it did not happen")


def test_everything_of_a_rule_file_goes_out_as_it_came(full, done):
    for scope in full._scopes:
        choose_scope(full, *scope)
    full.accept()
    assert [rules.to_json() for rules in done] == [FULL]


def test_limits_of_a_region_and_of_all_classes_are_edited(full, done):
    assert ("rib", ALL) in full._scopes and ("raceway", "pit") in full._scopes
    choose_scope(full, "rib", "pit")
    type_in(full, "width_mm", "ng", "0,2")
    choose_scope(full, "", ALL)
    type_in(full, "count", "warn", "5")
    assert "● rib › pit" in names(full) and "● All classes together" in names(full)
    full.accept()
    written = done[0].to_json()
    assert written["regions"]["rib"] == {"classes": {"pit": {"width_mm": {"ng": 0.2}}}}
    assert written["all"] == {"total_area_mm2": {"ng": 3}, "count": {"warn": 5}}
    assert written["regions"]["raceway"] == FULL["regions"]["raceway"]


def test_the_unit_chooses_the_measures_and_hides_no_limit(full):
    choose_scope(full, "", "wear")
    assert full._unit.get() == "mm" and {"count", "score", "area_mm2", "nearest_mm"} <= shown_measures(full)
    assert "area_px" not in shown_measures(full)
    full._unit.set("px")
    full._show_rows()
    assert "area_px" in shown_measures(full) and "area_mm2" not in shown_measures(full)
    assert "length_mm" in shown_measures(full)  # it has a limit


def test_a_minimum_says_below_and_its_warning_comes_first(full):
    choose_scope(full, "raceway", "*")
    assert "Two defects closer than 9 px: WARN.  Two defects closer than 4 px: NG." in words(full)
    type_in(full, "nearest_px", "ng", "20")
    assert "The WARN limit must not be below the NG limit." in full.problem()


def test_threshold_and_unnamed_classes_are_edited(full, done):
    choose_scope(full, "", "pit")
    full._threshold.set("0.7")
    full._unnamed.set("OK")
    full.update()
    choose_scope(full, "", "wear")
    full._threshold.set("1.5")
    full.update()
    assert full.problem() == "wear: Counts from confidence: Enter a number from 0 to 1."
    full._threshold.set("")
    full.update()
    full.accept()
    assert (done[0].confidence, done[0].unnamed) == ({"pit": 0.7}, "ok")


@pytest.mark.parametrize("id", list(TEMPLATES))
def test_a_template_fills_the_dialog(full, done, id):
    full.use_template(id)
    full.update()
    assert full.problem() == "" and not any("✕" in name for name in names(full))
    first = TEMPLATES[id].classes[0]
    assert f"● {first.en}" in names(full)
    full.accept()
    assert done[0].to_json() == TEMPLATES[id].rules_json()


def test_the_image_is_judged_while_limits_are_typed_and_again_when_it_is_cancelled(full, done, live):
    choose_scope(full, "", "pit")
    type_in(full, "count", "ng", "x")
    full.after(300)
    full.update()
    assert live == []  # nothing valid yet
    type_in(full, "count", "ng", "7")
    wait_for(full, lambda: live)
    assert live[-1].classes["pit"]["count"].ng == 7 and done == []
    full.cancel()
    assert [rules.to_json() for rules in live[1:]] == [FULL] and done == []
