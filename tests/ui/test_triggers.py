"""A camera that a key triggers, in the window and in the operator's view: a real network camera."""

import contextlib
import http.server
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from fakes import focus

from inspector.api import Choice
from inspector.domain import Grouping, RecipeInfo, Trigger
from inspector.jobs.recipes import Recipe

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def camera():
    """Address of a network camera (motion JPEG, 20 images a second), and an event: it sends a defect."""
    over, defect = threading.Event(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not over.is_set():
                    image = np.full((120, 160, 3), 200, np.uint8)
                    if defect.is_set():
                        image[40:70, 40:70] = 10
                    data = cv2.imencode(".jpg", image)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
                    time.sleep(0.05)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/a", defect
    over.set()
    server.shutdown()
    server.server_close()
    serving.join(10)


def test_f7_takes_the_parts_of_a_camera(window, page, until, camera):
    address, defect = camera
    session = window.session
    session.parts = Grouping(trigger=Trigger("key"))
    session.open_choices([Choice("camera", {"address": address})], "camera")
    page.start()
    until(lambda: session.run is not None and session.run.state == "running")
    until(lambda: page._shown_frame() is not None)  # the live image, to place the first part
    until(lambda: page.trigger_button.winfo_ismapped())
    assert page.banner.status == "" and session.run.counts.inspected == 0
    focus(window.root)
    for _ in range(5):  # a key that is held down
        window.root.event_generate("<F7>")
    until(lambda: page.banner.status == "OK")
    until(lambda: page.counters._values["inspected"].cget("text") == "1 (1)")
    page.toggle_operator()
    view = page._operator
    until(lambda: view.winfo_viewable() and view.buttons["start"].cget("text") == "Next part (F7)")
    assert view._state_label.cget("text") == "● running · F7 takes the next part"
    defect.set()
    again = time.monotonic() + 0.8
    until(lambda: time.monotonic() > again)
    before = session.run.take_passing
    until(lambda: (frame := before()) is not None and frame.image[50, 50, 0] < 50)
    view.buttons["start"].invoke()
    until(lambda: view.banner.status == "NG")
    until(lambda: view.counters["inspected"].cget("text") == "2 (2)")
    page.toggle_operator()
    page.stop()
    until(lambda: not session.active)
    assert (session.run.counts.inspected, session.run.counts.parts_ng, session.run.counts.dropped) == (2, 1, 0)


def test_without_a_trigger_the_counter_is_that_of_frames(window, page, until, camera):
    address, _ = camera
    window.session.open_choices([Choice("camera", {"address": address})], "camera")
    page.start()
    until(lambda: page.counters._names["inspected"].cget("text") == "Frames")
    assert not page.trigger_button.winfo_ismapped()
    until(lambda: "each frame counts" in page.status._state.cget("text"))
    page.stop()
    until(lambda: not window.session.active)


def test_parts_are_kept_for_the_next_start_and_belong_to_the_recipe(window, page, until):
    grouping = Grouping("{serial}-{view}", ("0", "1"))
    session = window.session
    assert session.job().parts is None
    page.controls.edit_parts()
    (dialog,) = (child for child in window.root.winfo_children() if type(child).__name__ == "PartsDialog")
    dialog.kind.set("pattern")
    dialog.pattern.set("{serial}-{view}")
    dialog.views.set("0, 1")
    dialog.facts["station"].set("S2")
    dialog.accept()
    assert session.parts == grouping and session.job().parts == grouping and session.job().station == "S2"
    assert window.window_state.get("parts", {}) == grouping.to_json()
    session.parts = None
    page.controls.open_first_model(None)
    assert session.parts == grouping and session.facts == {"station": "S2"}
    session.use_recipe(Recipe(replace(session.job(), recipe=RecipeInfo("pairs", 1, ""))))
    assert session.recipe_name == "pairs"
    session.parts = Grouping(count=2)
    assert session.recipe_name == "pairs *"
    until(lambda: not session.loading)
