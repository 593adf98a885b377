"""The buttons in the header, and when they are enabled."""

import pytest

from inspector.ui.inspect.toolbar import Toolbar
from inspector.ui.kit import strings

KEYS = ("open_image", "open_folder", "open_video", "open_camera", "open_watched", "start", "pause", "stop")


@pytest.fixture
def pressed():
    return []


@pytest.fixture(params=["en", "zh"])
def toolbar(root, pressed, request):
    strings.set_language(request.param)
    toolbar = Toolbar(root, {key: lambda key=key: pressed.append(key) for key in KEYS})
    toolbar.pack()
    root.update()
    yield toolbar
    strings.set_language("en")


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
    opens = set(KEYS[:5])
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
