"""The left side: source, model, device, classes, view."""

import shutil
import threading

import pytest
from fakes import focus, kept
from pickled import archive, changing, escape, smuggled

from inspector.api import assets
from inspector.domain import Choice, InputError, Job, Rules
from inspector.training import Notes, write_notes
from inspector.ui.inspect.controls import _by_name
from inspector.ui.inspect.session import ChosenModel


@pytest.fixture
def controls(page):
    return page.controls


def pick(box, value, event="<<ComboboxSelected>>"):
    focus(box)
    box.update()
    box.set(value)
    box.event_generate(event)
    box.update()


def open_menu(box):
    box.tk.call(box.cget("postcommand"))
    return list(box.cget("values"))


def test_what_was_typed_is_opened_and_remembered(window, controls, until, parts):
    for text in (f"  {parts / 'part-1.png'} ", str(parts)):
        pick(controls.source_box, text, "<Return>")
        assert window.session.text == text.strip() == controls.source_box.get()
    assert open_menu(controls.source_box)[:2] == [str(parts), str(parts / "part-1.png")]


def test_what_cannot_be_opened_is_said_and_forgotten(window, controls, until, parts):
    window.window_state.add_recent("sources", "nowhere.jpg")
    before = window.session.text
    for text in ("nowhere.jpg", "", "   ", "x" * 1000):
        pick(controls.source_box, text, "<Return>")
    assert window.session.text == before
    assert "nowhere.jpg" not in window.window_state.recent("sources")
    assert len(kept(window, "does not exist", "bad")) == 2, "an empty box asks for nothing"


def test_a_model_is_chosen_from_the_list(window, controls, until, monkeypatch, tmp_path):
    seen = threading.Event()

    def refuse(text, device):
        seen.wait(30)
        raise InputError(f"{text} is no model")

    monkeypatch.setattr(window.session, "_open", refuse)
    weights = tmp_path / "最佳.pt"
    weights.write_bytes(b"x")
    window.window_state.add_recent("models", str(weights))
    window.window_state.add_recent("models", str(tmp_path / "gone.pt"))
    values = open_menu(controls.model_box)
    assert "spots" in values and str(weights) in values and str(tmp_path / "gone.pt") not in values
    pick(controls.model_box, str(weights))
    assert controls.model_box.get() == "opening 最佳.pt…"
    seen.set()
    until(lambda: kept(window, "最佳.pt"))
    assert controls.model_box.get() == "spots"


def test_a_hostile_checkpoint_from_the_list_or_a_file_runs_nothing(
    window, controls, page, until, monkeypatch, tmp_path, parts
):
    """Neither file runs code or changes a class, and the previous model keeps working."""
    torch = pytest.importorskip("torch")
    canary = tmp_path / "canary"
    chain = escape(f"touch {canary}")
    bundled = (assets() / "models" / "bearing-yolo11n-seg.pt").read_bytes()
    files = {
        "marking.pt": archive({"model": changing("torch.Tensor", marked=1)}),
        "working.pt": smuggled(bundled, chain),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    window.window_state.add_recent("models", str(tmp_path / "marking.pt"))
    assert str(tmp_path / "marking.pt") in open_menu(controls.model_box)
    pick(controls.model_box, str(tmp_path / "marking.pt"))
    until(lambda: window.messages.history and "marking.pt names torch." in window.messages.history[-1].text, 60)
    monkeypatch.setattr(
        "inspector.ui.inspect.controls.filedialog.askopenfilename", lambda **options: str(tmp_path / "working.pt")
    )
    pick(controls.model_box, open_menu(controls.model_box)[-1])
    until(lambda: "working.pt names torch." in window.messages.history[-1].text, 60)
    until(lambda: not window.session.loading)
    assert window.session.model.name == "spots" == controls.model_box.get()
    assert not canary.exists() and not hasattr(torch.Tensor, "marked")
    pick(controls.source_box, str(parts / "part-1.png"), "<Return>")
    until(lambda: page.image_view.detections)


def test_the_last_entry_of_the_list_opens_a_file(window, controls, until, monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr("inspector.ui.inspect.controls.filedialog.askopenfilename", lambda **o: given.append(o) or "")
    pick(controls.model_box, open_menu(controls.model_box)[-1])
    assert controls.model_box.get() == "spots", "after Cancel the box says again what is open"
    assert ".pt" in given[0]["filetypes"][0][1]


def test_the_model_is_remembered_for_the_next_start(window, controls, until):
    assert window.window_state.get("model", "") == "spots"
    window.window_state.set("model", "/gone/best.pt")
    window.session.model = None
    asked = []
    window.session.choose_model = asked.append
    controls.open_first_model(None)
    window.window_state.set("model", "spots")
    controls.open_first_model(None)
    controls.open_first_model("wanted.pt")
    assert asked == [None, "spots", "wanted.pt"]


def test_devices_are_listed_and_chosen(window, controls, until):
    controls._fill_devices([("cuda:0", "NVIDIA RTX 4090"), ("cuda:1", "NVIDIA T4")])
    assert list(controls.device_box.cget("values"))[2:] == ["cuda:0  NVIDIA RTX 4090", "cuda:1  NVIDIA T4"]
    pick(controls.device_box, "cuda:1  NVIDIA T4")
    assert window.session.device == "cuda:1"
    pick(controls.device_box, "cpu")
    until(lambda: not window.session.loading)
    assert window.session.device == "cpu" and not window.messages.history


@pytest.mark.quick
def test_thresholds_reach_the_session(window, controls, page, until):
    page.step(1)
    until(lambda: page.banner.status == "NG")
    pick(controls.confidence.number, "0.99", "<Return>")
    until(lambda: page.banner.status == "OK")
    assert window.session.confidence == 0.99
    controls.iou.scale.set(0.7)
    assert window.session.iou == 0.7


def test_a_recipes_job_is_set_up(window, controls, until):
    rules = Rules.from_json({"classes": {"Dark": {"count": {"warn": 0}}}})
    controls.use_job(Job((), Choice("spots"), confidence=0.6, iou=0.3, rules=rules))
    assert (controls.confidence.value, controls.iou.value) == (0.6, 0.3)
    assert (window.session.confidence, window.session.iou, window.session.rules) == (0.6, 0.3, rules)
    assert controls._rules_text.cget("text").startswith("1 limit active")
    until(lambda: not window.session.loading)
    assert window.session.model.name == "spots"


def test_a_recipe_of_a_plugin_that_is_off_is_said(window, controls, page, until, faults):
    with pytest.raises(InputError, match="no model"):
        controls.use_job(Job((), Choice("of_another_house"), confidence=0.6))


def test_views_and_masks(window, controls, page, until):
    for view in ("original", "side_by_side", "result"):
        controls.set_view(view)
        assert page.image_view.render_options.view == view and controls._view.get() == view
    controls._opacity.set(0.9)
    controls.toggle_masks()
    assert not page.image_view.render_options.masks and page.image_view.render_options.opacity == 0.9
    focus(page.image_view.canvas)
    window.root.update()


def test_hidden_classes_are_kept_where_another_model_has_them_too(window, controls, page, until):
    controls.classes._marks["Dark"].set(False)
    controls.restore_state(controls.save_state() | {"hidden": {"Dark"}})
    assert controls.classes.hidden == {"Dark"}


def test_everything_fits_into_the_smallest_window(window, controls, page, until):
    window.root.update()
    assert controls.winfo_width() < 260
    for child in controls.body.winfo_children():
        assert child.winfo_x() + child.winfo_width() <= controls.body.winfo_width() + 1, child


def test_a_model_without_a_file_shows_its_name(window, controls, until):
    model = window.session.model
    assert isinstance(model, ChosenModel) and model.weights is None
    assert controls.model_box.get() == "spots" and window.window_state.recent("models") == []


def test_plugins_that_change_are_seen_at_once(window, controls, page, until, home):
    shutil.copy(home / "plugins" / "spots.py", home / "spots.py")
    page.on_plugins_changed()
    assert controls.model_box.get() == "spots"


def test_trained_models_are_listed_by_their_names(tmp_path):
    folder = tmp_path / "2026-12-01 train"
    (folder / "weights").mkdir(parents=True)
    (folder / "train.json").write_text("{}")
    write_notes(folder, Notes("Ring A"))
    best, last = (folder / "weights" / name for name in ("best.pt", "last.pt"))
    loose = tmp_path / "best.pt"
    other = tmp_path / "copy" / "weights"
    shutil.copytree(folder / "weights", other)
    shutil.copy(folder / "train.json", tmp_path / "copy")
    shutil.copy(folder / "notes.json", tmp_path / "copy")
    same = other / "best.pt"
    files = [str(file) for file in (best, last, loose, same)]
    assert _by_name(files, ["spots"]) == {
        "Ring A": str(best),
        "Ring A (last.pt)": str(last),
        str(loose): str(loose),
        str(same): str(same),
    }
    assert _by_name(files[:1], ["Ring A"]) == {str(best): str(best)}, "a model that ships is not hidden"
