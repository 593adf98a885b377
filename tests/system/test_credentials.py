"""Passwords in addresses: masked wherever they are shown or saved, and found again when a source is opened."""

import json
import logging
import socket
import subprocess
import sys

import pytest
from timing import Stopwatch

from inspector.domain import Choice, InputError
from inspector.jobs import recipes
from inspector.jobs.build import run_title
from inspector.settings import Settings
from inspector.system import credentials, logs
from inspector.system.paths import data_folder, settings_file

STORE = """
import keyring.backend
class Store(keyring.backend.KeyringBackend):
    priority = 5
    held = {}
    def get_password(self, service, name): return self.held.get((service, name))
    def set_password(self, service, name, password): self.held[service, name] = password
    def delete_password(self, service, name): del self.held[service, name]
class Slow(Store):
    def get_password(self, service, name):
        import time; time.sleep(3)
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(credentials, "_known", {})
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def store(monkeypatch, tmp_path):
    """A store of passwords as a system has one."""
    import keyring

    (tmp_path / "a_store.py").write_text(STORE)
    monkeypatch.syspath_prepend(tmp_path)
    import a_store

    chosen = keyring.get_keyring()
    a_store.Store.held = {}
    keyring.set_keyring(a_store.Store())
    yield a_store
    keyring.set_keyring(chosen)
    sys.modules.pop("a_store")


@pytest.fixture
def none():
    import keyring
    from keyring.backends.null import Keyring

    chosen = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield
    keyring.set_keyring(chosen)


@pytest.mark.parametrize(
    "address, masked",
    [
        ("rtsp://admin:geheim@10.0.0.1/s", "rtsp://admin:***@10.0.0.1/s"),
        ("rtsp://admin:ge:he@im@10.0.0.1:554/s", "rtsp://admin:***@10.0.0.1:554/s"),
        ("rtsp://admin:a/b@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://admin:12/3@10.0.0.5/s", "rtsp://admin:***@10.0.0.5/s"),
        ("rtsp://admin:p?w#x@10.0.0.5/s", "rtsp://admin:***@10.0.0.5/s"),
        ("rtsp://10.0.0.5:554/user=a_password=tlJ_channel=1.sdp", "rtsp://10.0.0.5:554/user=a_password=***"),
        ("https://h/v?access_token=abc;x=1", "https://h/v?access_token=***;x=1"),
        ("RTSP://u:p@[fe80::1]:80/a", "RTSP://u:***@[fe80::1]:80/a"),
        ("http://cam/s?user=a&password=b&x=1", "http://cam/s?user=a&password=***&x=1"),
        ("http://u:p@cam/s?token=b", "http://u:***@cam/s?token=***"),
        ("it said rtsp://a:b@c and http://d:e@f/", "it said rtsp://a:***@c and http://d:***@f/"),
    ],
)
def test_secrets_are_masked_and_found_again(address, masked):
    assert credentials.mask(address) == masked == credentials.conceal(address)
    assert credentials.is_masked(masked)
    assert credentials.reveal(masked) == address
    assert credentials.conceal(masked) == masked and credentials.mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "camera:0",
        "rtsp://cam:554/s",
        "rtsp://admin@cam/s",
        "http://10.0.0.5:80/a?mail=a@b",
        "http://[fe80::1]:80/a@b",
        "D:/a:b@c",
        "a note",
    ],
)
def test_what_holds_no_secret_is_left_alone(text):
    assert credentials.mask(text) == text == credentials.conceal(text) == credentials.reveal(text)


def test_a_password_that_is_not_known_is_one_sentence(none):
    with pytest.raises(InputError, match=r"password of rtsp://a:\*\*\*@cam/ is not stored here"):
        credentials.reveal("rtsp://a:***@cam/")


def test_user_and_password_as_they_are_typed():
    whole = credentials.with_login("rtsp://cam/s", "the user", "p@ss/w:rd")
    assert whole == "rtsp://the%20user:p%40ss%2Fw%3Ard@cam/s"
    assert credentials.without_login(whole) == ("rtsp://cam/s", "the user", "p@ss/w:rd")
    assert credentials.with_login("rtsp://old:x@cam/s", "new", "y") == "rtsp://new:y@cam/s"
    assert credentials.with_login("rtsp://cam/s", "", "y") == "rtsp://cam/s"
    assert credentials.without_login("camera:0") == ("camera:0", "", "")


def test_the_systems_store_keeps_a_password_for_the_next_start(store):
    masked = credentials.conceal("rtsp://a:geheim@cam/")
    assert credentials.store_name() and credentials.remember(masked)
    credentials._known.clear()  # the next start
    assert credentials.reveal(masked) == "rtsp://a:geheim@cam/"
    credentials.forget(masked)
    assert not store.Store.held and not credentials.known(masked)


def test_without_a_store_a_password_is_kept_until_the_end(none):
    masked = credentials.conceal("rtsp://a:geheim@cam/")
    assert credentials.store_name() == "" and not credentials.remember(masked)
    assert credentials.reveal(masked) == "rtsp://a:geheim@cam/"


@pytest.mark.slow
def test_a_store_that_hangs_is_not_waited_for(store, monkeypatch):
    import keyring

    keyring.set_keyring(store.Slow())
    monkeypatch.setattr(credentials, "_PATIENCE", 0.2)
    with Stopwatch() as watch:
        assert not credentials.known("rtsp://a:***@cam/")
    assert watch.seconds < 2


@pytest.mark.skipif(sys.platform != "linux", reason="a session bus is Linux's")
@pytest.mark.parametrize("bus", ["", "tcp:host=127.0.0.1,port=1"])
def test_no_store_is_asked_over_a_network_or_where_there_is_no_bus(bus, monkeypatch):
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    monkeypatch.setattr(credentials.os, "getuid", lambda: 987654)
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    assert credentials.store_name() == ""


def test_keyring_is_imported_only_when_it_is_asked():
    code = (
        "import sys, inspector.system.credentials as c; c.conceal('rtsp://a:b@c/'); assert 'keyring' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_log_holds_no_password(capsys):
    path = logs.start()
    try:
        logging.getLogger("inspector").warning("cannot open %s", "rtsp://a:geheim@cam/")
        try:
            raise ValueError("rtsp://a:geheim@cam/")
        except ValueError:
            logging.getLogger("inspector").exception("it failed")
    finally:
        logs.stop()
    text = path.read_text("utf-8") + capsys.readouterr().err
    assert "geheim" not in text and text.count("rtsp://a:***@cam/") >= 3


def test_settings_hold_no_password():
    from inspector.api import Option, Text

    settings = Settings.load({"camera.address": Option("address", str, None, Text("Camera", "相机"))})
    settings.set("camera.address", "rtsp://a:geheim@cam/")
    assert json.loads(settings_file().read_text("utf-8"))["camera.address"] == "rtsp://a:***@cam/"
    assert credentials.reveal(settings.get("camera.address")) == "rtsp://a:geheim@cam/"


def test_a_run_opens_the_source_with_the_password_and_keeps_none(tmp_path):
    from test_engine import Catalogue, finish, job

    from inspector.api import Option, SourceSpec, Text
    from inspector.engine import Engine
    from inspector.history import History

    catalogue, opened = Catalogue(), []
    files = catalogue._sources["files"].open

    def open_camera(address):
        opened.append(address)
        return files(count=1)

    option = Option("address", str, None, Text("Camera", "相机"))
    catalogue._sources["camera"] = SourceSpec("camera", Text("camera"), open_camera, (option,))
    what = job(Choice("camera", {"address": "rtsp://a:geheim@cam/s"}))
    run = Engine(catalogue, History.open, "1", logs.run_log).start(what, tmp_path / "out", run_title(what))
    finish(run)
    assert opened == ["rtsp://a:geheim@cam/s"] and run.state == "done"
    kept = [file for folder in (tmp_path / "out", data_folder()) for file in folder.rglob("*") if file.is_file()]
    assert kept and not [file for file in kept if b"geheim" in file.read_bytes()]
    recipe = recipes.read_recipe(tmp_path / "out" / "run.json", check_model=False)
    assert recipe.sources[0].options["address"] == "rtsp://a:***@cam/s"
