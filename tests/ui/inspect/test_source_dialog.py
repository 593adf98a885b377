"""Opening a camera or watched folder: fields for user name and password, the rest on demand, nothing empty."""

import itertools
import tkinter as tk
from tkinter import ttk

import pytest

from inspector import registry
from inspector.system import credentials
from inspector.ui.inspect.source_dialog import _Dialog
from inspector.ui.kit.tasks import BackgroundTasks


@pytest.fixture
def ask(root, monkeypatch):
    """``ask(id, values)``: the dialog, and its answer."""
    monkeypatch.setattr(credentials, "_known", {})
    monkeypatch.setattr(credentials, "_store", lambda: None)
    catalogue, tasks, answers = registry.load(), BackgroundTasks(lambda error: pytest.fail(str(error))), []

    def open_dialog(id="camera", values=None, said=""):
        dialog = _Dialog(root, catalogue.source(id), values or {}, answers.append, tasks, said)
        root.update()
        dialog.answers, dialog.tasks = answers, tasks
        return dialog

    yield open_dialog
    tasks.close()
    for child in root.winfo_children():
        if isinstance(child, tk.Toplevel):
            child.destroy()


def focused(dialog, form, key):
    return dialog.window.focus_lastfor() is form._fields[key].control


def test_the_address_has_the_focus_and_an_empty_one_is_refused(ask):
    dialog = ask()
    assert focused(dialog, dialog.form, "address")
    dialog._go()
    assert not dialog.answers and dialog.window.winfo_exists()
    assert "required" in dialog._status.cget("text")


def test_tab_goes_from_field_to_field(ask):
    """A button between them would swallow the user name, and the password would stand in clear in its field."""
    dialog = ask(values={"address": "http://old/"})
    fields = (dialog.form._fields["address"], dialog.login.form._fields["user"], dialog.login.form._fields["password"])
    dialog.login.form.set("user", "admin")
    dialog.window.update()
    controls = [field.control for field in fields]
    for before, after in itertools.pairwise(controls):
        assert before.tk_focusNext() is after
    assert controls[0].selection_present()  # typing replaces the old address


def test_user_and_password_have_fields_and_no_file_gets_the_password(ask):
    dialog = ask()
    dialog.form.set("address", "rtsp://192.168.1.20/stream")
    dialog.login.form.set("user", "admin")
    dialog.login.form.set("password", "ge:h@im")
    assert dialog.login.form._fields["password"].control.cget("show") == "•"
    dialog._go()
    assert dialog.answers[0]["address"] == "rtsp://admin:***@192.168.1.20/stream"
    assert credentials.reveal(dialog.answers[0]["address"]) == "rtsp://admin:ge%3Ah%40im@192.168.1.20/stream"


def test_a_known_password_is_used_again_and_not_shown(ask):
    credentials.conceal("rtsp://admin:geheim@cam/s")
    dialog = ask(values={"address": "rtsp://admin:***@cam/s"})
    assert dialog.form.values()["address"] == "rtsp://cam/s"
    assert dialog.login.user == "admin" and dialog.login.password == ""
    dialog._go()
    assert dialog.answers[0]["address"] == "rtsp://admin:***@cam/s"
    assert credentials.reveal("rtsp://admin:***@cam/s") == "rtsp://admin:geheim@cam/s"


def test_a_known_password_is_not_sent_to_another_camera(ask):
    credentials.conceal("rtsp://admin:geheim@cam/s")
    dialog = ask(values={"address": "rtsp://admin:***@cam/s"})
    dialog.form.set("address", "rtsp://other/s")
    dialog._go()
    assert dialog.answers[0]["address"] == "rtsp://admin@other/s"


def test_a_whole_address_may_be_pasted(ask):
    dialog = ask()
    dialog.form.set("address", "rtsp://admin:geheim@cam/s")
    dialog._go()
    assert dialog.answers[0]["address"] == "rtsp://admin:***@cam/s"


def test_it_says_where_the_password_is_kept(ask, root, wait):
    dialog = ask()
    dialog.login.show_store("")
    assert "no password store" in dialog.login._where.cget("text") and not dialog.login.remember
    dialog.login.show_store("Windows Credential Manager")
    assert dialog.login._keep.cget("text") == "Remember the password (Windows Credential Manager)"
    assert dialog.login.remember


def test_a_password_that_is_asked_for_has_the_focus(ask):
    dialog = ask(values={"address": "rtsp://admin:***@cam/s"}, said="Enter the password of this camera.")
    assert focused(dialog, dialog.login.form, "password")
    assert "Enter the password" in dialog._status.cget("text")


def test_what_is_rarely_needed_comes_on_demand(ask, root):
    dialog = ask("hot_folder")
    assert dialog.login is None and not dialog.more.winfo_viewable()
    buttons = {str(w.cget("text")): w for w in descendants(dialog.window) if isinstance(w, ttk.Button)}
    assert "Start inspection" in buttons
    buttons["More options"].invoke()
    root.update()
    assert dialog.more.winfo_viewable()


def test_a_camera_at_this_computer_needs_no_login(ask):
    dialog = ask()
    dialog.form.set("address", "camera:0")
    dialog._go()
    assert dialog.answers[0]["address"] == "camera:0"


def descendants(widget):
    for child in widget.winfo_children():
        yield child
        yield from descendants(child)
