"""The buttons in the head, and what is possible when."""

import pytest

from inspector.ui import texts
from inspector.ui.toolbar import Toolbar

KEYS = ("open_picture", "open_folder", "open_video", "open_camera", "start", "pause", "stop")


@pytest.fixture
def pressed():
    return []


@pytest.fixture(params=["en", "zh"])
def toolbar(root, pressed, request):
    texts.use(request.param)
    toolbar = Toolbar(root, {key: lambda key=key: pressed.append(key) for key in KEYS})
    toolbar.pack()
    root.update()
    yield toolbar
    texts.use("en")


def enabled(toolbar):
    return {key for key, button in toolbar._buttons.items() if not button.instate(["disabled"])}


def test_every_button_does_its_own(toolbar, pressed):
    toolbar.show(active=True, paused=False, startable=True)
    for key in KEYS:
        toolbar._buttons[key].state(["!disabled"])
        toolbar._buttons[key].invoke()
    assert pressed == list(KEYS)
    assert all(button.cget("text") for button in toolbar._buttons.values()), "an icon alone says too little"


def test_what_is_possible(toolbar):
    opens = set(KEYS[:4])
    toolbar.show(active=False, paused=False, startable=False)
    assert enabled(toolbar) == opens
    toolbar.show(active=False, paused=False, startable=True)
    assert enabled(toolbar) == opens | {"start"}
    toolbar.show(active=True, paused=False, startable=True)
    assert enabled(toolbar) == opens | {"pause", "stop"}
    word = toolbar._buttons["pause"].cget("text")
    toolbar.show(active=True, paused=True, startable=True)
    assert toolbar._buttons["pause"].cget("text") != word
    toolbar.show(active=False, paused=False, startable=True)
    assert toolbar._buttons["pause"].cget("text") == word


def test_targets_are_large_enough(root, toolbar):
    for key, button in toolbar._buttons.items():
        assert button.winfo_height() >= 30 and button.winfo_width() >= 32, key
