"""The inspect page, driven by mouse and by keyboard alone, with a model that needs no torch."""

import json
import shutil
import threading
import time

import numpy as np
import pytest
from fakes import at_work, focus, kept

from inspector.domain import Frame, InputError, Inspection, Skipped
from inspector.history import History, Query
from inspector.imaging import write_image
from inspector.ui.inspect.live_preview import PreviewResult


def finished(window):
    return window.session.run is not None and not window.session.active and window.inspect_page()._finished


def name(page):
    frame = page._shown_frame()
    return frame.name if frame else None


@pytest.fixture
def slow(window, monkeypatch):
    """Inspecting one image waits until the event is set."""
    event = threading.Event()
    spec = window.catalogue.model("spots")
    cls = spec.open
    predict = cls.predict

    def wait(self, images, confidence, iou):
        assert event.wait(20)
        time.sleep(0.01)
        return predict(self, images, confidence, iou)

    monkeypatch.setattr(cls, "predict", wait)
    yield event
    event.set()


# looking


def test_stepping_by_key_and_back(window, page, until):
    root = window.root
    for key, expected in (("<Right>", "part-1.png"), ("<Right>", "part-2.png"), ("<Left>", "part-1.png")):
        root.event_generate(key)
        until(lambda expected=expected: name(page) == expected and isinstance(page._shown, Inspection))
    assert page.banner.status == "NG" and len(page.defects.tree.get_children()) == 1
    assert "not saved" in page._unsaved.cget("text")
    for _ in range(9):
        root.event_generate("<Right>")
    until(lambda: name(page) == "part-4.png")
    assert page.position._words.cget("text") == "5 / 5"


def test_an_old_verdict_never_stands_beside_a_new_image(window, page, until, slow):
    assert page.banner.status == "OK"
    page.step(1)
    until(lambda: name(page) == "part-1.png")
    assert page.banner.status == "" and page.defects.tree.get_children() == ()
    slow.set()
    until(lambda: page.banner.status == "NG")


def test_looking_again_at_the_same_image_does_not_flicker(window, page, until, slow):
    slow.set()
    page.step(1)
    until(lambda: page.banner.status == "NG")
    slow.clear()
    frames = []
    seen = page._show_preview
    window.session.on_preview = lambda sight: (frames.append(type(sight.content)), seen(sight))
    page.controls.confidence._take(0.5)
    until(lambda: frames == [Frame])
    assert page.banner.status == "NG" and page.image_view.detections
    slow.set()
    until(lambda: frames == [Frame, Inspection])


def test_an_image_that_cannot_be_read_is_said_where_the_verdict_stands(window, page, until, parts):
    (parts / "part-1.png").write_bytes(b"no picture")
    page.step(1)
    until(lambda: page.banner.status == "SKIPPED")
    assert isinstance(page._shown, Skipped) and page.defects.tree.get_children() == ()
    page.toggle_operator()
    page.toggle_operator()


def test_selecting_in_list_and_image_go_together(window, page, until):
    page.step(1)
    until(lambda: page.banner.status == "NG")
    page.defects.tree.selection_set("0")
    until(lambda: page.image_view.selected == 0)
    page._detection_selected(None)
    until(lambda: page.defects.tree.selection() == ())
    page._detection_selected(0)
    until(lambda: page.defects.tree.selection() == ("0",))


def test_hiding_a_class_hides_it_in_image_and_list_and_not_from_the_verdict(window, page, until):
    page.step(1)
    until(lambda: page.banner.status == "NG")
    (box,) = [w for w in page.controls.classes.winfo_children() if w.winfo_class() == "TCheckbutton"]
    box.invoke()
    assert page.image_view.render_options.hidden == {"Dark"} and page.defects.tree.get_children() == ()
    page.step(2)
    until(lambda: name(page) == "part-3.png" and page.banner.status == "NG")
    assert page.defects.tree.get_children() == ()
    box.invoke()
    assert len(page.defects.tree.get_children()) == 1


# a run


@pytest.mark.quick
def test_a_run_by_keys_alone(window, page, until, slow):
    root = window.root
    root.event_generate("<F5>")
    until(lambda: window.session.run is not None and window.session.run.state == "running")
    root.event_generate("<F6>")
    assert window.session.run.paused
    until(lambda: page.status._state.cget("text") == "❚❚ paused")
    slow.set()
    root.event_generate("<F6>")
    assert not window.session.run.paused
    until(lambda: finished(window))
    assert window.session.run.counts.inspected == 5
    assert page.counters._values["ng"].cget("text") == "2 · 40%"
    assert page._unsaved.cget("text") == "" and name(page) == "part-4.png"
    until(lambda: len(page.results.rows) == 5)


def test_stepping_in_a_paused_run_inspects_one_more(window, page, until, slow):
    page.start()
    page.pause()
    slow.set()
    until(lambda: window.session.run.state == "running")
    with pytest.raises(AssertionError, match="did not happen"):  # one may have been under way
        until(lambda: window.session.run.counts.inspected > 1, 0.5)
    before = window.session.run.counts.inspected
    window.root.event_generate("<Right>")
    until(lambda: window.session.run.counts.inspected == before + 1)
    window.root.event_generate("<Left>")
    page.stop()
    until(lambda: finished(window))


def test_escape_stops_even_while_somebody_types(window, page, until, slow):
    for widget in (window.root, page.controls.source_box, page.controls.confidence.number):
        slow.clear()
        page.start()
        until(lambda: window.session.run.state == "running")
        focus(widget)
        window.root.update()
        widget.event_generate("<Escape>")
        slow.set()
        until(lambda: finished(window))
        assert window.session.run.state == "stopped", widget


def test_start_twice_is_one_run(window, page, until, slow):
    page.start()
    run = window.session.run
    page.start()
    window.root.event_generate("<F5>")
    assert window.session.run is run
    slow.set()
    until(lambda: finished(window))


def test_start_while_the_model_opens_begins_when_it_is_open(window, page, until):
    page.controls.use_model("spots")
    assert window.session.loading
    page.start()
    assert window.session.run is None
    until(lambda: finished(window))
    assert window.session.run.counts.inspected == 5


@pytest.mark.parametrize("change", ["stop", "refused", "another source"])
def test_a_start_that_waits_for_a_model_is_forgotten_when_things_change(window, page, until, change, parts, tmp_path):
    window.session.loading = "slow.pt"
    page.start()
    assert page._start_wanted
    if change == "stop":
        window.root.event_generate("<Escape>")
    elif change == "refused":
        window.session._refused(window.session._request_id, InputError("it is no model"))
    else:
        page.open_sources([str(parts / "part-0.png")])
    window.session.loading = ""
    page.controls.show_model()
    assert window.session.run is None and not page._start_wanted


def test_what_cannot_start_is_said(window, page, until):
    window.session.sources = ()
    page.start()
    assert kept(window, "nothing to inspect", "bad")
    assert window.session.run is None


def test_a_run_that_fails_is_said_and_the_window_lives_on(window, page, until, parts):
    shutil.rmtree(parts)
    page.start()
    until(lambda: finished(window))
    assert kept(window, str(parts), "bad") and window.session.run.failure is not None
    until(lambda: "failed" in page.status._state.cget("text"))
    assert page.banner.status == "ALARM" and page.banner.displayed == ("—", "The source failed; the run has ended")
    assert str(parts) in page.verdict._detail.cget("text")
    page.verdict.acknowledge.invoke()
    assert page.banner.status == "" and page.banner.displayed == ("—", "✕ failed")


@pytest.mark.quick
def test_a_damaged_history_is_said(window, page, until, home):
    # While a connection is open, such as that of the start, SQLite reads from the -wal file and notices no damage.
    until(lambda: not at_work())
    (home / "history.sqlite3").write_bytes(b"no database " * 1000)
    page.start()
    until(lambda: finished(window))
    assert kept(window, "is damaged", "bad") and window.session.run.state == "failed"
    assert any("is damaged" in shown.text for shown in window.messages._shown)
    assert not kept(window, "Parts: ")


def test_another_model_waits_for_the_end_of_the_run(window, page, until, slow):
    page.start()
    until(lambda: window.session.run.state == "running")
    page.controls.use_model("nowhere.pt")
    assert not window.session.loading and kept(window, "next run")
    slow.set()
    until(lambda: kept(window, "does not exist"))
    assert window.session.model.name == "spots" and finished(window)


def test_a_row_shows_its_inspection_as_it_was(window, page, until, parts):
    page.start()
    until(lambda: finished(window) and page.results.rows is not None and len(page.results.rows) == 5)
    until(lambda: page.results.rows.key(1) is not None)
    page.results.table.select(1)
    page.results._selected(page.results.table.selection())
    until(lambda: name(page) == "part-1.png" and page.image_view.selected == 0)
    (parts / "part-0.png").unlink()
    page.results.table.select(0)
    page.results._selected(page.results.table.selection())
    until(lambda: page.banner.status == "SKIPPED")
    assert "no longer exists" in " ".join(page.banner._reason.cget("text").split())


def test_exporting_without_a_run_is_said(window, page):
    window.root.event_generate("<Control-e>")
    assert kept(window, "no run to export")


# keys


def descendants(widget):
    for child in widget.winfo_children():
        yield child
        if child.winfo_class() != "Menu":
            yield from descendants(child)


WALKED = ("TButton", "TEntry", "TCombobox", "TSpinbox", "TScale", "TCheckbutton", "TRadiobutton", "Treeview")


def test_tab_reaches_every_control(window, page, until):
    window.root.update()
    wanted = {
        widget
        for widget in (*descendants(window.header), *descendants(page))
        if widget.winfo_class() in WALKED and widget.winfo_viewable() and not widget.instate(["disabled"])
        if widget.cget("takefocus") not in (0, "0")
    }
    wanted |= {page.image_view.canvas}
    assert len(wanted) > 25
    walked, at = [], window.root
    for _ in range(300):
        at = at.tk_focusNext()
        if at in walked:
            break
        walked.append(at)
    assert wanted <= set(walked), [str(widget) for widget in wanted - set(walked)]
    first = [widget for widget in walked if str(widget).startswith(str(page))]
    assert str(first[0]).startswith(str(page.controls)), "source and model come before the image"


def test_plain_letters_do_nothing_while_somebody_types(window, page, until):
    before = page.controls._masks.get(), page.image_view.zoom, window.session.index
    for widget in (page.controls.source_box, page.controls.confidence.number, page.controls.model_box):
        focus(widget)
        window.root.update()
        for key in ("m", "f", "1", "plus", "minus", "<Left>", "<Right>"):
            widget.event_generate(key if key[0] == "<" else f"<Key-{key}>")
        window.root.update()
    assert (page.controls._masks.get(), page.image_view.zoom, window.session.index) == before


def test_plain_letters_act_elsewhere(window, page, until):
    root = window.root
    zoom = page.image_view.zoom
    root.event_generate("<Key-m>")
    until(lambda: not page.controls._masks.get() and not page.image_view.render_options.masks)
    root.event_generate("<Key-1>")
    until(lambda: page.image_view.zoom == 1)
    root.event_generate("<Key-plus>")
    until(lambda: page.image_view.zoom > 1)
    root.event_generate("<Key-f>")
    until(lambda: page.image_view.zoom == zoom)
    window.show("history")
    root.update()
    root.event_generate("<Key-m>")
    root.event_generate("<Right>")
    assert not page.controls._masks.get() and window.session.index == 0, "not from another page"


def test_control_keys_come_back_from_another_page(window, page, until, monkeypatch):
    asked = []
    monkeypatch.setattr("tkinter.filedialog.askopenfilenames", lambda **_: asked.append("image") or ())
    monkeypatch.setattr("tkinter.filedialog.askdirectory", lambda **_: asked.append("folder") or "")
    monkeypatch.setattr("tkinter.filedialog.askopenfilename", lambda **_: asked.append("file") or "")
    for key in ("<Control-o>", "<Control-Shift-O>", "<Control-Shift-V>", "<Control-m>"):
        window.show("history")
        window.root.event_generate(key)
        window.root.update()
        assert window.page == "inspect"
    assert asked == ["image", "folder", "file", "file"]


def test_space_on_the_image_pauses(window, page, until, slow):
    page.start()
    until(lambda: window.session.run.state == "running")
    focus(page.image_view.canvas)
    window.root.update()
    page.image_view.canvas.event_generate("<space>")
    assert window.session.run.paused
    page.image_view.canvas.event_generate("<space>")
    assert not window.session.run.paused
    slow.set()
    until(lambda: finished(window))


# kept


def test_the_split_is_kept_from_one_start_to_the_next(window, page, until, home):
    height = page.middle.winfo_height()
    page.middle.tk.call(page.middle, "sashpos", 0, round(height * 0.4))
    window.root.update()
    window.close()
    assert window._closing
    assert json.loads((home / "window.json").read_text())["sash"] == pytest.approx(0.4, abs=0.02)


def test_the_split_of_the_last_time_comes_back(window, page, until):
    page.middle.tk.call(page.middle, "sashpos", 0, round(page.middle.winfo_height() * 0.3))
    window.root.update()
    window.rebuild()
    new = window.inspect_page()
    until(lambda: new.middle.winfo_height() > 100)
    until(lambda: abs(int(new.tk.call(new.middle, "sashpos", 0)) / new.middle.winfo_height() - 0.3) < 0.03)


def test_what_is_shown_is_kept_when_the_text_grows(window, page, until):
    page.step(1)
    until(lambda: page.banner.status == "NG")
    page.controls.set_view("side_by_side")
    page.controls.toggle_masks()
    window.messages.show("told before", "bad")
    window.settings.set("text_size", 150)
    window.settings_changed("text_size")
    until(lambda: window.inspect_page() is not page)
    new = window.inspect_page()
    assert new.banner.status == "NG" and name(new) == "part-1.png" and "not saved" in new._unsaved.cget("text")
    assert new.controls._view.get() == "side_by_side" and not new.controls._masks.get()
    assert [message.text for message in window.messages.history][-1:] == ["told before"]


def test_a_run_goes_on_while_the_language_changes(window, page, until, slow):
    page.start()
    until(lambda: window.session.run.state == "running")
    window.settings.set("language", "zh")
    window.settings_changed("language")
    until(lambda: window.inspect_page() is not page)
    slow.set()
    until(lambda: finished(window))
    new = window.inspect_page()
    until(lambda: new.results.rows is not None and len(new.results.rows) == 5)
    assert new.counters._values["inspected"].cget("text") == "5 (5)"


# the first start


def test_without_samples_and_sources_it_says_what_to_do(window, page, until, monkeypatch):
    monkeypatch.setattr("inspector.system.paths.sample_data", lambda: None)
    window.session.sources = ()
    window.window_state.set("last_job", {})
    page.on_show()
    text = page.image_view.canvas.itemcget(page.image_view._text, "text")
    assert "drop it here" in text


def test_a_large_image_is_looked_at_without_holding_the_window_up(window, page, until, tmp_path):
    large = tmp_path / "large.png"
    write_image(large, np.full((4000, 6000, 3), 120, np.uint8))
    page.open_sources([str(large)])
    slowest, began = 0.0, time.thread_time()
    while not (name(page) == "large.png" and isinstance(page._shown, Inspection)):
        before = time.thread_time()
        window.root.update()
        slowest = max(slowest, time.thread_time() - before)
        time.sleep(0.003)
        assert time.thread_time() - began < 20
    assert slowest < 0.1, "of the Tk thread's own time"


def test_a_sight_that_comes_late_is_left_out_in_a_run(window, page, until, slow):
    page.start()
    until(lambda: window.session.run.state == "running")
    frame = Frame(np.zeros((9, 9, 3), np.uint8), 0, "late.png")
    window.session._on_preview(PreviewResult(frame, 0, 1))
    assert name(page) != "late.png"
    slow.set()
    until(lambda: finished(window))
    with History.open() as history:
        assert history.count(Query()) == 5
