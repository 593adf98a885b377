"""The folder dialog: the highlighted folder is chosen."""

from tkinter import filedialog, ttk

import pytest
from fakes import inside

from inspector.ui.kit.folder_dialog import FolderDialog, install


@pytest.fixture
def place(tmp_path):
    for name in ("line A", "线体图片", ".hidden"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def ask(root, place):
    """``ask(act)``: open it as the program does, do ``act(dialog)``, return the answer."""
    install(root)

    def answer(act):
        def when_there():
            dialog = next(iter(inside(root, FolderDialog)), None)
            if dialog is None or dialog.grab_current() is not dialog:
                root.after(10, when_there)
            else:
                act(dialog)

        root.after(10, when_there)
        return filedialog.askdirectory(parent=root, title="Folder", initialdir=str(place), mustexist=True)

    return answer


def mark(dialog, name):
    item = next(each for each in dialog.list.get_children() if dialog.list.item(each, "text") == name)
    dialog.list.selection_set(item)
    return item


def press(dialog, text):
    next(each for each in inside(dialog, ttk.Button) if each.cget("text") == text).invoke()


def test_the_highlighted_folder_is_taken(ask, place):
    assert ask(lambda dialog: (mark(dialog, "线体图片"), press(dialog, "Choose"))) == str(place / "线体图片")


def test_without_a_mark_it_is_the_place_that_is_shown(ask, place):
    assert ask(lambda dialog: press(dialog, "Choose")) == str(place)
    assert ask(lambda dialog: (dialog.path.set(str(place / "line A")), press(dialog, "Choose"))) == str(
        place / "line A"
    )


def test_escape_and_cancel_choose_nothing(ask):
    assert not ask(lambda dialog: press(dialog, "Cancel"))
    assert not ask(lambda dialog: dialog.destroy())


def test_it_goes_in_and_up_and_hides_what_is_hidden(ask, place):
    seen = []

    def walk(dialog):
        seen.append([dialog.list.item(each, "text") for each in dialog.list.get_children()])
        mark(dialog, "line A")
        dialog._enter()
        seen.append(dialog.path.get())
        press(dialog, "↑")
        seen.append(dialog.path.get())
        dialog.destroy()

    ask(walk)
    assert seen == [["line A", "线体图片"], str(place / "line A"), str(place)]


def test_a_new_folder_is_made_and_marked(ask, place):
    assert ask(lambda dialog: (dialog.name.set("新"), dialog.make(), dialog.take())) == str(place / "新")
    assert (place / "新").is_dir()


def test_what_cannot_be_opened_is_said(ask, place):
    said = []

    def wrong(dialog):
        dialog.path.set(str(place / "nowhere"))
        dialog.take()
        said.append(dialog.status.cget("text"))
        dialog.name.set("line A")
        dialog.make()
        said.append(dialog.status.cget("text"))
        dialog.destroy()

    assert not ask(wrong)
    assert all(each.startswith("✕ ") for each in said)
