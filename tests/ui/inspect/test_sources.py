"""Opening sources: by dialog, drag and drop, name, recipe, and from plugins."""

import json
import threading
import time
import tkinter as tk

import pytest
from fakes import focus, kept

from inspector.domain import Choice, InputError
from inspector.jobs import recipe_library, recipes
from inspector.ui.inspect import sources as inspect_sources
from inspector.ui.inspect.lock_dialog import LockDialog
from inspector.ui.inspect.rules_dialog import RulesDialog
from inspector.ui.kit.form import Form

SAMPLE = "part-1.png"


@pytest.fixture
def sources(page):
    return page.sources


@pytest.fixture
def choose(monkeypatch):
    """``choose(answer)``: set the answer of the system's file dialogs; records their options."""
    asked = []

    def answer(value):
        for name in ("askopenfilename", "askopenfilenames", "askdirectory", "asksaveasfilename"):
            monkeypatch.setattr(inspect_sources.filedialog, name, lambda **options: asked.append(options) or value)
        return asked

    return answer


def finished(window):
    return window.session.run is not None and not window.session.active and window.inspect_page()._finished


# dialogs


def test_one_image_is_inspected_at_once_and_several_wait(window, page, sources, until, parts, choose):
    asked = choose((str(parts / SAMPLE),))
    sources.open_image()
    until(lambda: finished(window))
    assert window.session.run.counts.ng == 1 and asked[0]["parent"] is window.root
    choose((str(parts / "part-0.png"), str(parts / SAMPLE)))
    sources.open_image()
    until(lambda: window.session.total == 2)
    assert window.session.run is None and window.session.text.endswith(" +1")
    assert window.window_state.folder("source") == str(parts)


def test_folder_and_video(window, sources, until, parts, choose):
    choose(str(parts))
    sources.open_folder()
    until(lambda: window.session.total == 5)
    choose(str(parts / "no video.mp4"))
    sources.open_video()
    assert kept(window, "does not exist")


def test_cancelling_changes_nothing(window, sources, choose):
    before = window.session.text
    choose("")
    for act in (sources.open_image, sources.open_folder, sources.open_video, sources.open_recipe):
        act()
    sources.save_recipe()
    assert window.session.text == before and not window.messages.history


# names


def test_nothing_else_is_opened_while_a_run_is_at_work(window, page, sources, until, parts, monkeypatch):
    event = threading.Event()
    cls = window.catalogue.model("spots").open
    predict = cls.predict
    monkeypatch.setattr(cls, "predict", lambda self, *a: event.wait(20) and predict(self, *a))
    page.start()
    sources.open([str(parts / SAMPLE)])
    assert kept(window, "stop it first") and window.session.text == str(parts)
    event.set()
    until(lambda: finished(window))


def test_a_model_file_is_taken_for_a_model(window, sources, until, tmp_path, monkeypatch):
    def refuse(text, device):
        raise InputError(f"{text} is no model")

    monkeypatch.setattr(window.session, "_open", refuse)
    weights = tmp_path / "最佳.PT"
    weights.write_bytes(b"x")
    before = window.session.text
    sources.open([str(weights)])
    assert window.session.loading == "最佳.PT" and window.session.text == before
    until(lambda: kept(window, "最佳.PT"))


def test_a_recipe_that_cannot_be_used_is_said(window, sources, until, tmp_path):
    recipe = tmp_path / "配方.json"
    for count, content in enumerate((b"", b"{}", b"[]", b"{", b'{"job": {"sources": 5}}', b"\xff\xfe"), 1):
        recipe.write_bytes(content)
        sources.open([str(recipe)])
        until(lambda count=count: len(kept(window, "配方.json", "bad")) == count)


def test_a_recipe_sets_everything_up_and_a_missing_one_is_said(window, page, sources, until, parts, tmp_path, choose):
    sources.open([str(parts / SAMPLE)])
    page.controls.confidence._take(0.5)
    recipe = tmp_path / "配方.json"
    choose(str(recipe))
    sources.save_recipe()
    until(lambda: kept(window, "was saved"))
    sources.open([str(parts)])
    page.controls.confidence._take(0.1)
    sources.open_recipe()
    until(lambda: window.session.text.endswith(SAMPLE))
    assert window.session.confidence == 0.5 and page.controls.source_box.get().endswith(SAMPLE)
    job = json.loads(recipe.read_text("utf-8"))
    job["job"]["model"] = {"id": "of_another_house"}
    recipe.write_text(json.dumps(job))
    sources.open_recipe()
    until(lambda: kept(window, "of_another_house"))


def test_a_recipe_cannot_be_saved_without_a_source(window, sources):
    window.session.sources = ()
    sources.save_recipe()
    assert kept(window, "nothing to inspect")


# dropping


class Drop:
    action = "copy"

    def __init__(self, window, *paths):
        # As tkdnd hands it over: a Tcl list.
        self.data = window.root.tk.call("list", *map(str, paths))


def test_whatever_its_name_a_dropped_image_is_opened(window, page, until, parts):
    target = parts / SAMPLE
    for name in ("零件 甲.png", "a {b} c.png", "one two.png", "$x [y].png", "quote'\".png", "plain.png"):
        target = target.rename(parts.parent / name)
        window.show("history")
        assert window._dropped(Drop(window, target)) == "copy"
        until(lambda target=target: window.session.text == str(target))
        assert window.page == "inspect"
        until(lambda: page.banner.status == "NG")


def test_several_are_dropped_together(window, page, until, parts):
    window._dropped(Drop(window, parts / "part-0.png", parts / SAMPLE, parts))
    until(lambda: window.session.total == 7)
    assert window.session.text == f"{parts / 'part-0.png'} +2"


def test_what_is_dropped_and_cannot_be_opened_is_said(window, until, tmp_path):
    (tmp_path / "text.xyz").write_text("x")
    before = window.session.text
    window._dropped(Drop(window, tmp_path / "text.xyz"))
    until(lambda: kept(window, "text.xyz"))
    assert window.session.text == before
    window._dropped(Drop(window))
    window.root.update()
    assert window.session.text == before


def test_dropping_answers_before_anything_is_opened(window, until, parts):
    before = window.session.text
    window._dropped(Drop(window, parts / SAMPLE))
    assert window.session.text == before, "the program that drops waits for the answer"
    until(lambda: window.session.text != before)


# plugins


def descendants(widget):
    for child in widget.winfo_children():
        yield child
        yield from descendants(child)


def menu_of(window):
    return [w for w in window.root.winfo_children() if isinstance(w, tk.Menu) and "looking" not in str(w)][-1]


def test_the_menu_of_cameras_offers_what_there_is(window, page, sources, until, monkeypatch):
    monkeypatch.setattr(sources, "_devices", lambda: [("camera:0", "Integrated Camera")])
    sources.camera_menu(page.toolbar)
    menu = menu_of(window)
    labels = until(lambda: (x := [menu.entrycget(i, "label") for i in range(menu.index("end") + 1)
                                  if menu.type(i) == "command"])[-1].startswith("Integrated") and x)  # fmt: skip
    assert "Network camera…" in labels and not any("Image" in x or "folder" in x for x in labels)
    menu.unpost()
    opened = []
    monkeypatch.setattr(sources, "open", opened.append)
    menu.invoke("end")
    assert opened == [["camera:0"]]


def test_a_computer_without_cameras_says_so(window, page, sources, until, monkeypatch):
    monkeypatch.setattr(sources, "_devices", lambda: [])
    sources.camera_menu(page.toolbar)
    menu = menu_of(window)
    until(lambda: "no camera" in menu.entrycget("end", "label"))
    assert menu.entrycget("end", "state") == "disabled"
    menu.unpost()


def test_any_source_is_opened_by_its_form_and_remembered(window, page, sources, until, parts):
    sources.open_source("image_files")
    dialog = until(lambda: next((w for w in window.root.winfo_children() if isinstance(w, tk.Toplevel)), None))
    form = next(w for w in descendants(dialog) if isinstance(w, Form))
    form.set("path", parts)
    window.root.update()
    focus(dialog)
    window.root.update()
    dialog.event_generate("<Return>")
    until(lambda: window.session.sources == (Choice("image_files", window.session.sources[0].options),))
    assert window.window_state.get("source_image_files", {})["path"] == str(parts)
    assert not dialog.winfo_exists()


def test_a_live_source_starts_at_once(window, page, sources, until, parts):
    watched = parts.parent / "watched"
    watched.mkdir()
    sources._open(lambda: window.session.open_choices([Choice("hot_folder", {"folder": str(watched)})], "watched"))
    until(lambda: window.session.active and window.session.run.state == "running")
    (parts / SAMPLE).rename(watched / SAMPLE)
    until(lambda: window.session.run.counts.inspected == 1)
    until(lambda: page.banner.status == "NG")
    end = time.monotonic() + 20
    page.stop()
    until(lambda: finished(window))
    assert time.monotonic() < end


# locks and codes


@pytest.fixture
def saved(window, page, sources, until, parts, home):
    """A recipe of the library that is set up, with the image shown."""
    sources.open([str(parts)])
    until(lambda: window.session.total == 5 and window.session.model is not None and page._shown_frame() is not None)
    file = recipe_library.folder() / "6205.bearing"
    file.parent.mkdir()
    sources.save_recipe_as(file, window.session.job())
    until(lambda: window.session.recipe_name == "6205")
    return file


def test_a_recipe_is_saved_with_the_image_shown(window, page, saved):
    recipe, frame = recipes.load(saved), page._shown_frame()
    assert recipe.thumbnail and recipe.job.image_size == (frame.width, frame.height)
    assert window.session.job().recipe == recipe.info


def test_a_locked_recipe_disables_its_limits(window, page, sources, saved, until, parts):
    sources.set_lock()
    dialog = next(child for child in window.root.winfo_children() if isinstance(child, LockDialog))
    assert dialog.accept_button.instate(["disabled"])
    dialog.name.set("Wang")
    dialog.accept()
    until(lambda: window.session.lock is not None)
    controls = page.controls
    assert all(widget.instate(["disabled"]) for widget in controls._lockable)
    assert "Wang" in controls._lock_text.cget("text") and controls._lock_text.winfo_manager()
    rules = window.session.rules
    controls.edit_rules()
    controls.use_model("other.pt")
    assert window.session.rules is rules and window.session.lock is not None
    assert not any(isinstance(child, RulesDialog) for child in window.root.winfo_children())
    sources.open([str(parts / SAMPLE)])
    until(lambda: window.session.total == 1)
    assert window.session.lock is not None and window.session.recipe_name == "6205", "for other images too"
    assert window.session.job().recipe == recipes.load(saved).info
    window.session.confidence = 0.01  # by any way that no field shows
    with pytest.raises(InputError, match="locked by Wang, so confidence cannot be changed"):
        window.session.job()
    window.session.confidence = recipes.load(saved).job.confidence
    sources.set_lock()
    dialog = next(child for child in window.root.winfo_children() if isinstance(child, LockDialog))
    dialog.name.set("Li")
    dialog.accept()
    until(lambda: window.session.lock is None)
    assert all(widget.instate(["!disabled"]) for widget in controls._lockable)


def test_a_scanned_code_sets_up_its_recipe(window, page, sources, saved, until, parts):
    sources.open([str(parts / SAMPLE)])
    until(lambda: window.session.total == 1 and not window.session.recipe)
    focus(window.root)
    masks = page.controls._masks.get()
    for place, key in enumerate(("r", "m", "f", "colon", "6", "2", "1", "Return")):
        window.root.event_generate(f"<Key-{key}>", time=1000 + 8 * place)
    time.sleep(0.1)
    window.root.update()
    assert page.controls._masks.get() is masks, "no key of a code is a command"
    for place, key in enumerate((*"recipe", "colon", *"6205", "Return")):
        window.root.event_generate(f"<Key-{key}>", time=5000 + 8 * place)
    until(lambda: window.session.recipe_name == "6205" and window.session.total == 5)


def test_a_code_during_a_run_changes_nothing(window, sources, saved, until, monkeypatch):
    confidence = window.session.confidence = 0.77
    with monkeypatch.context() as running:
        running.setattr(type(window.session), "active", True)
        sources.use_code("recipe:6205")
        until(lambda: kept(window, "is running"))
    assert window.session.confidence == confidence


def test_export_and_import_of_a_recipe(window, sources, saved, until, tmp_path, choose):
    sources.close_recipe()
    assert not window.session.recipe_name
    sources.export_recipe()
    assert kept(window, "No recipe is set up")
    sources.use_recipe(saved)
    until(lambda: window.session.recipe_name == "6205")
    choose(str(tmp_path / "packed.bearing"))
    sources.export_recipe()
    until(lambda: (tmp_path / "packed.bearing").exists())
    info = recipes.load(saved).info
    saved.unlink()
    sources.close_recipe()
    sources.import_recipe()
    until(lambda: window.session.recipe_name == "6205")
    assert window.session.job().recipe == info and saved.exists()
