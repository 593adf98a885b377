import json
import re
import sys

import pytest

from inspector.domain import InputError
from inspector.registry import checking
from inspector.registry.checking import check, record_from_json
from inspector.registry.loading import load
from inspector.system import paths


def test_without_a_path_all_plugins_are_tried(dropins, good):
    (dropins / "a.py").write_text(good("a"))
    assert [record.id for record in check()] == [record.id for record in load().records]


def test_lists_what_a_plugin_would_bring_and_leaves_nothing(tmp_path, good, home, dropins):
    (tmp_path / "中文.py").write_text(
        "print('noise')\nimport os; os.write(1, b'noise')\n" + good("a"), encoding="utf-8"
    )
    (record,) = check(tmp_path / "中文.py")
    assert (record.id, record.state, record.specs) == ("a", "active", (("source", "a"),)), record.traceback
    assert record.path == tmp_path / "中文.py"
    assert not record.faulty and record.load_ms > 0
    assert not list(dropins.iterdir()) and not (home / "plugins-state").exists()


ABORTED, KILLED, CRASHED = (
    ("exit code", "exit code 9", "exit code (0xC0000005, access violation|3)")  # the last under Wine
    if sys.platform == "win32"
    else ("signal SIGABRT\\)", "signal SIGKILL", "signal SIGSEGV")
)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import os; os.abort()", f"ended while loading it \\({ABORTED}"),
        ("import os; os._exit(5)", "ended while loading it \\(exit code 5\\)"),
        ("import os; os.kill(os.getpid(), 9)", KILLED),
        ("import faulthandler; faulthandler._sigsegv()", CRASHED),
        ("raise ValueError('here')", "ValueError: here"),
    ],
)
def test_a_plugin_that_crashes_does_not_take_us_down(tmp_path, plugin, body, says, home):
    (tmp_path / "a.py").write_text(plugin("a", body))
    (record,) = check(tmp_path / "a.py")
    assert record.state == "failed" and re.search(says, record.reason) and record.version == "1.0"
    assert not (home / "plugins-state").exists()


def test_one_that_hangs_is_given_up(tmp_path, plugin, monkeypatch):
    (tmp_path / "a.py").write_text(plugin("a", "import time; time.sleep(60)"))
    monkeypatch.setattr(checking, "TIME_LIMIT", 1.0)
    (record,) = check(tmp_path / "a.py")
    assert record.state == "failed" and "not loaded after 1 s" in record.reason


def test_the_packed_program_calls_itself(monkeypatch):
    assert paths.program() == [sys.executable, "-m", "inspector"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert paths.program() == [sys.executable]


def test_what_is_wrong_before_the_import_needs_no_child(tmp_path, plugin, good, monkeypatch):
    monkeypatch.setattr(paths, "program", lambda: ["no-such-program"])
    (tmp_path / "a.py").write_text(plugin("a", "", api=5))
    assert check(tmp_path / "a.py")[0].state == "incompatible"
    (tmp_path / "b.py").write_text(plugin("b", "", requires=["nowhere-to-be-found"]))
    assert check(tmp_path / "b.py")[0].state == "missing"
    (tmp_path / "c.zip").write_bytes(b"no zip")
    assert check(tmp_path / "c.zip")[0].reason.startswith("c.zip is damaged")
    with pytest.raises(InputError, match="There is no"):
        check(tmp_path / "d.py")


def test_a_clash_with_a_built_in_plugin_is_found(tmp_path, good):
    (tmp_path / "a.py").write_text(good("a", spec="csv"))
    (record,) = check(tmp_path / "a.py")
    assert record.state == "active" and record.faulty and "the plugin 'tables' has that id" in record.reason


def test_a_wheel_is_tried_too(wheel, good):
    (record,) = check(wheel({"trial_c.py": good("c")}, "c = trial_c"))
    assert (record.id, record.state) == ("c", "active"), record.reason


def test_a_record_survives_json(dropins, good):
    (dropins / "a.py").write_text(good("a"))
    record = load().records[-1]
    again = record_from_json(json.loads(json.dumps(record.to_json())))
    assert again.to_json() == record.to_json() and again.specs == record.specs
