import json
import os
import subprocess
import sys
import threading
import time

import pytest

from inspector.domain import InputError, InspectorError
from inspector.system import single_instance
from inspector.system.single_instance import Request, take_or_hand_over

HOLD = """
import sys, time
from inspector.system.single_instance import Request, take_or_hand_over
only = take_or_hand_over(Request())
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def elsewhere():
    """Another process that is the window."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_first_is_the_window_and_a_second_hands_over():
    first = take_or_hand_over(Request())
    answers = []
    second = threading.Thread(
        target=lambda: answers.append(take_or_hand_over(Request(("轴承 1.jpg", "camera:0"), "a b.json")))
    )
    second.start()
    found = []
    while not found:
        found = first.requests()
        time.sleep(0.01)
    second.join(10)
    assert answers == [None] and found == [Request(("轴承 1.jpg", "camera:0"), "a b.json")]
    assert first.requests() == []
    first.close()
    again = take_or_hand_over(Request())
    assert again is not None
    again.close()


def test_several_requests_come_in_order():
    first = take_or_hand_over(Request())
    for number in range(3):
        single_instance._leave(Request((str(number),)))
    assert [request.sources for request in first.requests()] == [("0",), ("1",), ("2",)]
    first.close()


def test_a_window_that_does_not_answer_is_a_sentence(elsewhere, home):
    with pytest.raises(InspectorError, match="does not respond; wait a little"):
        take_or_hand_over(Request(), patience=0.3)
    assert list((home / "to-open").iterdir()) == []


def test_when_the_other_window_ends_this_one_takes_its_place(elsewhere):
    threading.Timer(0.5, elsewhere.kill).start()
    only = take_or_hand_over(Request(), patience=20)
    assert only is not None
    only.close()


def test_what_was_left_behind_long_ago_is_not_opened(home):
    (home / "to-open").mkdir()
    old, new = home / "to-open" / "1.json", home / "to-open" / "2.json"
    for file in (old, new):
        file.write_text(json.dumps({"sources": [file.name], "recipe": ""}))
    os.utime(old, (1, 1))
    only = take_or_hand_over(Request())
    assert [request.sources for request in only.requests()] == [("2.json",)]
    only.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sources": 3, "recipe": ""}', b"\xff"])
def test_a_damaged_request_only_brings_the_window_forward(content, home):
    only = take_or_hand_over(Request())
    (home / "to-open").mkdir()
    (home / "to-open" / "1.json").write_bytes(content)
    assert only.requests() == [Request()] and only.requests() == []
    only.close()


def test_whole_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "零件").mkdir()
    request = Request.of(["零件", "camera:0", "rtsp://a/b", "gone.jpg"], tmp_path.relative_to(tmp_path) / "r.json")
    assert request == Request((str(tmp_path / "零件"), "camera:0", "rtsp://a/b", "gone.jpg"), str(tmp_path / "r.json"))


def test_where_nothing_can_be_written_the_window_opens_all_the_same(monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(single_instance.os, "open", refuse)
    only = take_or_hand_over(Request())
    assert only is not None and only.requests() == []
    only.close()


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(InputError, match="cannot be created"):
        take_or_hand_over(Request())
