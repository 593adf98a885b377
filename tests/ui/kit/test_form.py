"""Forms made of options: controls by type, errors while typing, keyboard and wheel."""

from pathlib import Path
from tkinter import ttk

import pytest
from fakes import focus

from inspector.api import InputError, Option, Text
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import Form, align, wanted, wrap
from inspector.ui.kit.widgets import ScrollFrame

OPTIONS = (
    Option("labels", bool, True, Text("Labels", "标签"), Text("Names at the boxes")),
    Option("format", str, "jpg", Text("Format"), choices=("jpg", "png")),
    Option("quality", int, 92, Text("Quality", "质量"), minimum=1, maximum=100),
    Option("imgsz", int, None, Text("Size"), minimum=32, maximum=4096),
    Option("settle", float, 1.0, Text("Settle"), minimum=0),
    Option("pattern", str, None, Text("Pattern")),
    Option("results_folder", Path, None, Text("Folder")),
    Option("weights", Path, None, Text("Weights")),
)


def inside(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    return found + [each for child in widget.winfo_children() for each in inside(child, kind)]


@pytest.fixture
def told():
    return []


@pytest.fixture
def form(root, told):
    made = Form(root, OPTIONS, {"quality": 50, "pattern": "cam*"}, lambda key, value: told.append((key, value)))
    made.pack(fill="x")
    root.update()
    return made


def type_into(root, control, text):
    focus(control)
    control.delete(0, "end")
    control.insert(0, text)
    root.update()


def control(form, key):
    form.go_to(key)
    form.update()
    return form.focus_get()


def test_each_type_has_its_control(form):
    kinds = {option.key: type(control(form, option.key)) for option in OPTIONS}
    assert kinds == {
        "labels": ttk.Checkbutton,
        "format": ttk.Combobox,
        "quality": ttk.Spinbox,
        "imgsz": ttk.Spinbox,
        "settle": ttk.Entry,
        "pattern": ttk.Entry,
        "results_folder": ttk.Entry,
        "weights": ttk.Entry,
    }
    assert len(inside(form, ttk.Scale)) == 1  # quality: 100 stops; a size of 4,000 pixels cannot be hit with a slider
    assert str(control(form, "format").cget("state")) == "readonly"


def test_values_are_checked_and_have_their_types(form):
    assert form.values() == {
        "labels": True,
        "format": "jpg",
        "quality": 50,
        "imgsz": None,
        "settle": 1.0,
        "pattern": "cam*",
        "results_folder": None,
        "weights": None,
    }
    form.set("weights", "/x/最好.pt")
    form.set("settle", "2.5")
    assert form.values()["weights"] == Path("/x/最好.pt") and form.values()["settle"] == 2.5


def test_what_is_wrong_is_said_under_the_field_at_once(root, form, told):
    field = control(form, "quality")
    type_into(root, field, "500")
    assert form.errors() == {"quality": "Enter a whole number from 1 to 100."}
    shown = [label for label in inside(form, ttk.Label) if str(label.cget("text")).startswith("✕")]
    assert [label.winfo_ismapped() for label in shown] == [1]
    with pytest.raises(InputError, match=r"Quality: Enter a whole number from 1 to 100\."):
        form.values()
    type_into(root, field, "60")
    assert form.errors() == {} and not shown[0].winfo_ismapped() and form.values()["quality"] == 60
    assert not [value for _, value in told if value == 500]


def test_a_typed_change_is_told_once_after_a_pause(root, form, told, wait):
    field = control(form, "settle")
    for text in ("3", "30", "30."):
        type_into(root, field, text)
    assert told == []
    wait(lambda: told)
    assert told == [("settle", 30.0)]


def test_leaving_the_field_and_closing_the_form_tell_what_waits(root, form, told):
    type_into(root, control(form, "settle"), "3")
    control(form, "pattern").event_generate("<FocusOut>")
    root.update()
    assert told == [("settle", 3.0)]
    type_into(root, control(form, "pattern"), "x")
    form.destroy()
    assert told == [("settle", 3.0), ("pattern", "x")]


def test_choices_and_ticks_are_told_at_once(root, form, told, wait):
    box = control(form, "labels")
    box.event_generate("<space>")
    wait(lambda: told)
    combo = control(form, "format")
    combo.set("png")
    wait(lambda: len(told) == 2)
    assert told == [("labels", False), ("format", "png")]


def test_the_way_back_to_the_default_is_there_where_something_differs(root, form, told):
    backs = [button for button in inside(form, ttk.Button) if str(button.cget("style")) == "Tool.TButton"]
    assert sum(button.winfo_ismapped() for button in backs) == 2  # quality and pattern
    for button in backs:
        if button.winfo_ismapped():
            button.invoke()
    root.update()
    assert not any(button.winfo_ismapped() for button in backs)
    assert form.values()["quality"] == 92 and form.values()["pattern"] is None
    assert told == [("quality", 92), ("pattern", None)]


def test_set_tells_nobody(root, form, told):
    form.set("quality", 10)
    form.set("labels", False)
    root.update()
    form.destroy()
    assert told == []


def test_slider_and_number_go_together(root, form):
    scale = inside(form, ttk.Scale)[0]
    assert scale.get() == 50
    scale.set(70.4)
    root.update()
    assert form.values()["quality"] == 70
    type_into(root, control(form, "quality"), "20")
    assert scale.get() == 20


def test_the_wheel_over_a_field_scrolls_the_page_and_changes_nothing(root):
    frame = ScrollFrame(root)
    frame.pack(fill="both", expand=True)
    form = Form(frame.body, OPTIONS, {"quality": 50})
    form.pack(fill="x")
    turned = []
    root.bind("<Button-5>", lambda event: turned.append(event.widget), add=True)
    root.update()
    for key in ("quality", "format"):
        field = control(form, key)
        field.event_generate("<Button-5>", x=2, y=2)
        root.update()
    assert len(turned) == 2 and form.values()["quality"] == 50 and form.values()["format"] == "jpg"


def test_choosing_a_path(root, form, told, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("tkinter.filedialog.askdirectory", lambda **given: asked.append("folder") or str(tmp_path))
    monkeypatch.setattr("tkinter.filedialog.askopenfilename", lambda **given: asked.append("file") or "")
    browse = [button for button in inside(form, ttk.Button) if button.cget("text") == "Choose…"]
    for button in browse:
        button.invoke()
    assert asked == ["folder", "file"]
    assert told == [("results_folder", tmp_path)] and form.values()["weights"] is None


def test_names_of_choices_and_chinese(root):
    strings.set_language("zh")
    form = Form(root, OPTIONS[:3], {}, names={"format": {"png": "PNG 图片"}})
    form.pack()
    assert "质量" in [label.cget("text") for label in inside(form, ttk.Label)]
    combo = control(form, "format")
    assert combo.cget("values") == ("jpg", "PNG 图片")
    combo.set("PNG 图片")
    assert form.values()["format"] == "png"
    form.set("quality", "x")
    assert form.errors() == {"quality": "请输入 1 到 100 的整数。"}


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (Option("k", int, 1, Text("K"), minimum=0), "Enter a whole number of at least 0."),
        (Option("k", float, 1, Text("K"), maximum=2.5), "Enter a number of at most 2.5."),
        (Option("k", float, 1, Text("K"), minimum=0.1, maximum=600), "Enter a number from 0.1 to 600."),
        (Option("k", int, 1, Text("K")), "Enter a whole number."),
        (Option("k", str, "a", Text("K"), choices=("a", "b")), "Choose one from the list."),
    ],
)
def test_what_is_wanted(option, says):
    strings.set_language("en")
    assert wanted(option) == says


def test_a_larger_text_makes_a_larger_form(root):
    def height():
        form = Form(root, OPTIONS, {})
        form.pack(fill="x")
        root.update()
        tall = form.winfo_reqheight()
        form.destroy()
        return tall

    small = height()
    theme.configure(text_size=200)
    assert height() > 1.6 * small


def test_variables_live_as_long_as_the_form(root, form):
    import gc

    gc.collect()
    assert control(form, "quality").get() == "50"


def test_forms_below_each_other_begin_their_fields_at_the_same_place(root):
    forms = [Form(root, [Option("a", str, "", Text(title))], {}) for title in ("No", "A rather long title")]
    for each in forms:
        each.pack(fill="x")
    align(forms)
    root.update()
    assert len({each._fields["a"].control.winfo_rootx() for each in forms}) == 1


def test_the_last_letter_of_a_wrapped_line_is_seen(root):
    label = ttk.Label(root, text="many words " * 40)
    label.pack(fill="x")
    wrap(label)
    root.update()
    assert label.winfo_reqwidth() <= label.winfo_width() == root.winfo_width()
