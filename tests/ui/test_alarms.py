"""No stale verdict, in the window and in the operator's view: a network camera, a watched folder, a read-only results
folder and a locked history, all real.
"""

import contextlib
import http.server
import shutil
import sqlite3
import subprocess
import threading
import time

import cv2
import numpy as np
import pytest
from timing import Stopwatch

from inspector.api import Choice
from inspector.history import History
from inspector.imaging import write_image
from inspector.system.paths import history_file
from inspector_plugins.cameras import inspector_sources

pytestmark = pytest.mark.timeout(120)
reports = pytest.mark.skipif(
    "wait" not in {option.key for spec in inspector_sources() for option in spec.options},
    reason="the camera's plugin does not report losses yet",
)


class Server:
    """A network camera: motion JPEG over HTTP, 20 images per second, until it is killed."""

    def __init__(self, port=0):
        dead = self.dead = threading.Event()
        self.defect = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(handler, *arguments):  # noqa: N805
                pass

            def do_GET(handler):  # noqa: N805
                handler.send_response(200)
                handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                handler.end_headers()
                with contextlib.suppress(OSError):
                    while not dead.is_set():
                        image = np.full((120, 160, 3), 200, np.uint8)
                        if self.defect.is_set():
                            image[40:70, 40:70] = 10
                        data = cv2.imencode(".jpg", image)[1].tobytes()
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                        handler.wfile.write(head.encode() + data + b"\r\n")
                        time.sleep(0.05)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kill(self):
        self.dead.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def servers():
    made = []
    yield made
    for server in made:
        if not server.dead.is_set():
            server.kill()


@pytest.fixture
def view(window, page, until):
    window.settings.set("alarm_sound", False)
    page.toggle_operator()
    until(lambda: page._operator.winfo_viewable())
    yield page._operator
    if page._operator is not None:
        page.toggle_operator()


@pytest.fixture
def ended(window, until):
    yield
    window.session.stop()
    until(lambda: not window.session.active, 30)


def verdicts(page, view):
    return {page.banner.status, view.banner.status} - {"ALARM", ""}


def events(window, kind):
    """Those of one kind; a busy machine may have others as well."""
    with History.open() as history:
        return [event for event in history.events(window.session.run.history_id) if event.kind == kind]


def watch(page, choice):
    page.sources._open_choices([choice])


def camera(port):
    options = {"address": f"http://127.0.0.1:{port}/stream", "read_timeout": 2.0, "open_timeout": 2.0}
    return Choice("camera", options)


@reports
def test_a_camera_that_is_killed_and_comes_back(window, page, view, until, servers, ended):
    servers.append(Server())
    port = servers[0].port
    watch(page, camera(port))
    until(lambda: page.banner.status == view.banner.status == "OK")
    servers[0].kill()
    with Stopwatch() as killed:
        until(lambda: page.banner.status == view.banner.status == "ALARM")
    assert killed.seconds < 1.2
    word, text = view.banner.displayed
    assert word == "—" and text.startswith("Camera disconnected, reconnecting\n(")
    assert "connection was lost" in page.image_view.canvas.itemcget(page.image_view._text, "text")
    before = page.banner.displayed[1]
    until(lambda: page.banner.displayed[1] != before)  # it counts
    assert "reconnecting" in page.status._state.cget("text") == view._state_label.cget("text")
    assert not verdicts(page, view)
    servers.append(Server(port))
    servers[1].defect.set()
    until(lambda: page.banner.status == view.banner.status == "NG")
    assert not window.session.run.alarms.active
    until(lambda: events(window, "source") and events(window, "source")[0].until)
    page.stop()
    until(lambda: not window.session.active)
    until(lambda: not verdicts(page, view))
    assert len(events(window, "source")) == 1
    log = (window.session.run.output / "run.log").read_text("utf-8")
    assert "the connection was lost; reconnecting" in log and "Recovered after" in log
    said = [message.text for message in window.messages.history]
    assert any("connection was lost" in text for text in said) and any(text.startswith("Resolved: ") for text in said)


@reports
def test_a_camera_that_is_off_at_the_start_is_waited_for(window, page, view, until, servers, ended):
    server = Server()
    server.kill()
    watch(page, camera(server.port))
    until(lambda: view.banner.displayed[1].startswith("Waiting for the camera"))
    assert "waiting for the source" in page.status._state.cget("text")
    text = page.image_view.canvas.itemcget(page.image_view._text, "text")
    assert "cannot be opened" in text
    servers.append(Server(server.port))
    until(lambda: page.banner.status == view.banner.status == "OK")


@reports
def test_a_watched_folder_that_is_renamed_away_and_comes_back(window, page, view, until, tmp_path, ended):
    folder = tmp_path / "line"
    folder.mkdir()
    write_image(folder / "a.png", np.full((60, 80, 3), 200, np.uint8))
    watch(page, Choice("hot_folder", {"folder": str(folder), "settle": 0.1}))
    until(lambda: page.banner.status == view.banner.status == "OK")
    with Stopwatch() as renamed:
        folder.rename(tmp_path / "away")
        until(lambda: page.banner.status == view.banner.status == "ALARM")
    assert renamed.seconds < 1.2
    assert view.banner.displayed[1].startswith("Watched folder unavailable, waiting for it\n(")
    (tmp_path / "away").rename(folder)
    until(lambda: not window.session.run.alarms.active)
    until(lambda: page.banner.displayed[1] == "waiting for the next image")
    assert not verdicts(page, view), "the last verdict is from before"
    image = np.full((60, 80, 3), 200, np.uint8)
    image[20:30, 20:30] = 10
    write_image(folder / "b.png", image)
    until(lambda: page.banner.status == view.banner.status == "NG")
    assert events(window, "source")[-1].until
    assert page.host.window_state.recent("sources")[0] == f"watch:{folder}"


@pytest.fixture
def read_only(tmp_path):
    """A read-only folder, even for root."""
    folder = tmp_path / "results"
    folder.mkdir()
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", folder], capture_output=True).returncode:
        pytest.skip("no folder can be made immutable here")
    yield folder
    subprocess.run(["chattr", "-i", folder], check=True)


def test_a_read_only_results_folder_is_said_in_the_panel_until_it_is_acknowledged(window, page, view, until, read_only):
    window.settings.set("output_folder", read_only)
    page.start()
    until(lambda: page.banner.status == view.banner.status == "ALARM")
    assert f"Nothing can be written in {read_only}" in view.banner.displayed[1]
    until(lambda: not window.session.active)
    assert "failed" in view._state_label.cget("text") and view._seen.winfo_viewable()
    page.verdict.update_idletasks()
    assert page.verdict.choose.winfo_manager(), "another folder can be chosen"
    view._seen.invoke()
    until(lambda: view.banner.status == page.banner.status == "")
    assert not view._seen.winfo_ismapped() and not list(read_only.iterdir())


def test_a_history_that_another_program_holds(window, page, view, until, servers, ended):
    servers.append(Server())
    watch(page, camera(servers[0].port))
    until(lambda: page.banner.status == view.banner.status == "OK")
    other = sqlite3.connect(history_file(), isolation_level=None)
    try:
        until(lambda: taken(other))
        with Stopwatch() as locked:
            until(lambda: view.banner.displayed[1].startswith("The history cannot be written"))
        assert locked.seconds < 1.5 and page.banner.status == view.banner.status == "ALARM"
    finally:
        other.close()
    until(lambda: page.banner.status == view.banner.status == "OK")
    assert events(window, "history")[-1].until


def taken(connection):
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("BEGIN IMMEDIATE")
        return True
    return False


def test_an_exporter_that_fails_hides_verdicts_until_it_is_acknowledged(window, page, view, until, servers, ended):
    servers.append(Server())
    watch(page, camera(servers[0].port))
    until(lambda: page.banner.status == view.banner.status == "OK")
    window.session.run._exporter_failed("Exporter images failed: OSError", OSError(5, "Input/output error"), "images")
    until(lambda: page.banner.status == view.banner.status == "ALARM")
    assert "Exporter images failed" in view.banner.displayed[1]
    time.sleep(0.3)
    window.root.update()
    assert not verdicts(page, view), "results that come meanwhile show none"
    view._seen.invoke()
    until(lambda: page.banner.status == view.banner.status == "OK")
