"""The window with a plugin that fails in every call: it reports that, and everything else keeps working."""

import tkinter as tk

import pytest
from failing import failing

from inspector import registry
from inspector.domain import Choice


@pytest.fixture
def spots(home, request):
    """The model of ``spots``, and a plugin that fails where and how the test chooses."""
    (home / "plugins").mkdir()
    (home / "plugins" / "faulty.py").write_text(failing(*request.param))
    return registry.new("model", "spots", home / "plugins")


HOWS = {"claim": "object", "source devices": "BaseException", "model devices": "object", "architectures": "object"}
INSTALLED = [*HOWS.items(), ("list", "BaseException")]
SOURCES = [("source open", "Exception"), ("source open", "object"), ("frame", "BaseException")]
MODELS = [("model open", "BaseException"), ("model open", "None"), ("predict", "Exception")]
EXPECTED = ("broken on purpose", "The source failed", "could not be closed")  # what the log may say


def bad(window) -> list[str]:
    return [message.text for message in window.messages.history if message.kind == "bad"]


@pytest.mark.parametrize("spots", INSTALLED, indirect=True, ids=" ".join)
def test_what_is_only_installed_disturbs_nobody(window, page, until, parts):
    until(lambda: page.banner.status)
    page.sources.open([str(parts / "part-1.png")])
    until(lambda: page.image_view.detections)
    assert "cpu" in page.controls.device_box.cget("values")
    page.sources.camera_menu(page.toolbar)
    menu = [w for w in window.root.winfo_children() if isinstance(w, tk.Menu) and "looking" not in str(w)][-1]
    until(lambda: "camera" in str(menu.entrycget("end", "label")).lower())
    menu.unpost()
    window.show("training")
    window.root.update()
    assert not bad(window)


@pytest.mark.parametrize("spots", SOURCES, indirect=True, ids=" ".join)
def test_a_source_that_fails_is_said_and_the_next_one_is_opened(window, page, until, parts, faults):
    until(lambda: page.banner.status)
    page.sources._open_choices([Choice("faulty_source")], start=True)
    until(lambda: bad(window))
    until(lambda: not window.session.active)
    faults.found = [fault for fault in faults.found if not any(part in fault for part in EXPECTED)]
    page.sources.open([str(parts / "part-1.png")])
    until(lambda: page.image_view.detections)


@pytest.mark.parametrize("spots", MODELS, indirect=True, ids=" ".join)
def test_a_model_that_fails_is_said_and_the_next_one_is_used(window, page, until, parts, faults):
    until(lambda: page.banner.status)
    page.controls.use_model("faulty")
    until(lambda: bad(window))
    faults.found = [fault for fault in faults.found if not any(part in fault for part in EXPECTED)]
    page.controls.use_model("spots")
    until(lambda: not window.session.loading and window.session.model.name == "spots")
    page.sources.open([str(parts / "part-1.png")])
    until(lambda: page.image_view.detections)
