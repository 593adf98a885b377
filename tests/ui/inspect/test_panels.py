"""The panels around the image: by mouse, by keyboard, by typing."""

import numpy as np
import pytest
from fakes import focus

from inspector.domain import Detection, Mask
from inspector.ui.inspect.panels import ClassList, Counters, DefectList, FrameNavigator, ThresholdField
from inspector.ui.kit import theme


@pytest.fixture
def told():
    return []


@pytest.fixture
def threshold(root, told):
    threshold = ThresholdField(root, "Confidence", "help", 0.25, told.append)
    threshold.pack()
    root.update()
    return threshold


def type_in(root, threshold, text, end="<Return>"):
    focus(threshold.number)
    root.update()
    threshold.number.delete(0, "end")
    threshold.number.insert(0, text)
    threshold.number.event_generate(end)
    root.update()


def shown(threshold):
    return threshold.number.get(), round(threshold._position.get(), 4)


NUMBERS = {"0.4": 0.4, "0,6": 0.6, "1": 1, "7": 1, "-3": 0, ".5": 0.5, "1e-3": 0.001, "0.12345": 0.1235}


@pytest.mark.parametrize("end", ["<Return>", "<FocusOut>"])
def test_a_number_is_typed(root, threshold, told, end):
    for text, value in NUMBERS.items():
        threshold.set(0.25)
        type_in(root, threshold, text, end)
        assert threshold.value == value and told.pop() == value and not told, text
        assert shown(threshold) == (f"{value:.2f}", value), text


def test_nonsense_changes_nothing_and_the_number_comes_back(root, threshold, told):
    for text in ("", "abc", "0.4.5", "nan", "NaN", "%", "０.五", "0x1", " "):
        type_in(root, threshold, text)
        assert threshold.value == 0.25 and told == [] and shown(threshold) == ("0.25", 0.25), text


def test_slider_and_number_go_together(root, threshold, told):
    threshold.scale.set(0.637)
    assert told == [0.64] and shown(threshold) == ("0.64", 0.64)
    threshold.number.event_generate("<<Increment>>")
    assert told[-1] == 0.65 and shown(threshold) == ("0.65", 0.65)


def test_the_keyboard_moves_the_slider(root, threshold, told):
    focus(threshold.scale)
    root.update()
    for key in ("<Right>", "<Left>", "<Prior>", "<Next>", "<Next>", "<Next>", "<Next>"):
        threshold.scale.event_generate(key)
        root.update()
    assert told == [0.26, 0.25, 0.35, 0.25, 0.15, 0.05, 0]
    threshold.scale.event_generate("<Left>")
    root.update()
    assert len(told) == 7, "at the end nothing changes"


def test_setting_it_tells_nobody(root, threshold, told):
    threshold.set(0.9)
    root.update()
    assert told == [] and shown(threshold) == ("0.90", 0.9) and threshold.value == 0.9


def test_the_same_value_is_told_once(root, threshold, told):
    for _ in range(3):
        type_in(root, threshold, "0.5")
    assert told == [0.5]


@pytest.fixture
def classes(root, told):
    classes = ClassList(root, told.append)
    classes.pack()
    classes.set_names(["wear", "划痕"], ["#ff0000", "#00ff00"], {"划痕", "of another model"})
    root.update()
    return classes


def boxes(classes):
    return [child for child in classes.winfo_children() if child.winfo_class() == "TCheckbutton"]


def test_classes_are_shown_and_hidden(root, classes, told):
    assert classes.hidden == {"划痕"}
    for box in boxes(classes):
        box.invoke()
    assert told == [{"划痕", "wear"}, {"wear"}]
    assert [box.cget("text") for box in boxes(classes)] == ["wear", "划痕"]


def test_the_colours_stay_in_another_theme(root, classes):
    for mode in ("dark", "light"):
        theme.configure(mode)
        root.update()
        swatches = [child for child in classes.winfo_children() if child.winfo_class() == "Frame"]
        assert [swatch.cget("background") for swatch in swatches] == ["#ff0000", "#00ff00"]


def test_counts(classes):
    classes.set_counts({"wear": 12, "elsewhere": 3})
    assert [classes._counts[name].cget("text") for name in ("wear", "划痕")] == ["12", ""]
    classes.set_counts({})
    assert classes._counts["wear"].cget("text") == ""


def test_another_models_classes_take_their_place(root, classes, told):
    classes.set_names(["pit"], ["#0000ff"])
    root.update()
    assert [box.cget("text") for box in boxes(classes)] == ["pit"] and classes.hidden == set()
    classes.set_counts({"wear": 1, "pit": 2})
    classes.set_names([], [])
    assert boxes(classes) == []


def test_counters(root):
    counters = Counters(root, {"inspected": "Inspected", "ng": "NG"})
    counters.set(inspected="12", ng="3 · 25%")
    assert counters._values["ng"].cget("text") == "3 · 25%"


def test_counters_keep_their_size_when_a_number_is_set_in_a_smaller_font(root):
    counters = Counters(root, {"inspected": "Inspected", "ng": "NG"})
    counters.place(width=200)
    counters.set(inspected="1")
    root.update()
    label = counters._values["inspected"]
    before = (counters.winfo_reqwidth(), counters.winfo_reqheight(), str(label.cget("font")))
    counters.set(inspected="123,456,789,012")
    root.update()
    assert (counters.winfo_reqwidth(), counters.winfo_reqheight()) == before[:2]
    assert str(label.cget("font")) != before[2]


FOUND = (
    Detection("wear", 0.91234, (0.0, 0.0, 50.0, 40.0), Mask(0, 0, np.ones((40, 50), bool))),
    Detection("划痕", 0.5, (5, 5, 6, 6)),
    Detection("wear", 0.4, (7, 7, 9, 9)),
)


@pytest.fixture
def defects(root, told):
    defects = DefectList(root, told.append)
    defects.pack()
    defects.show(FOUND)
    root.update()
    return defects


def cells(defects):
    return [tuple(map(str, defects.tree.item(row, "values"))) for row in defects.tree.get_children()]


def test_defects_are_listed_without_the_hidden_ones(root, defects):
    assert cells(defects) == [("wear", "0.912", "2,000"), ("划痕", "0.500", "—"), ("wear", "0.400", "—")]
    defects.show(FOUND, {"wear"})
    assert cells(defects) == [("划痕", "0.500", "—")]
    assert defects.tree.get_children() == ("1",), "a row is its defect's index, whatever is hidden"


def test_choosing_a_row_is_told(root, defects, told):
    defects.tree.selection_set("2")
    root.update()
    focus(defects.tree)
    defects.tree.focus("2")
    root.update()
    defects.tree.event_generate("<Up>")
    root.update()
    assert told == [2, 1]
    defects.tree.selection_set(())
    root.update()
    assert told == [2, 1, None]


def test_marking_a_row_tells_nobody(root, defects, told):
    for index in (1, 2, 2, None, 0):
        defects.select(index)
    root.update()
    assert told == [] and defects.tree.selection() == ("0",)
    defects.select(7)
    root.update()
    assert told == [] and defects.tree.selection() == ()
    defects.tree.selection_set("1")
    root.update()
    assert told == [1]


def test_showing_another_part_tells_nobody(root, defects, told):
    defects.select(1)
    root.update()
    defects.show(FOUND[:1])
    defects.show(())
    root.update()
    assert told == [] and cells(defects) == []


def test_the_same_defects_keep_their_row_marked(root, defects):
    defects.select(1)
    defects.show(FOUND)
    root.update()
    assert defects.tree.selection() == ("1",)


@pytest.fixture
def position(root, told):
    position = FrameNavigator(root, told.append, lambda by: told.append(f"{by:+}"))
    position.pack(fill="x")
    root.update()
    return position


def test_the_place_in_words_and_on_the_slider(root, position, told):
    position.show(6, 48, movable=True)
    assert position._words.cget("text") == "7 / 48" and position._value.get() == 6
    position.scale.set(20.4)
    assert told == [20]
    position.show(0, 0, movable=True)
    assert position._words.cget("text") == "" and position.scale.instate(["disabled"])
    position.show(0, 1, movable=True)
    assert position.scale.instate(["disabled"])
    position.show(3, 48, movable=False)
    assert position.scale.instate(["disabled"])
    position.show(3, 48, movable=True)
    assert position.scale.instate(["!disabled"]) and told == [20], "showing a place tells nobody"


def test_one_back_and_one_forward_by_button_and_key(root, position, told):
    position.show(6, 48, movable=True)
    for child in position.winfo_children():
        if child.winfo_class() == "TButton":
            child.invoke()
    focus(position.scale)
    root.update()
    position.scale.event_generate("<Right>")
    root.update()
    assert told == ["-1", "+1", 7]
