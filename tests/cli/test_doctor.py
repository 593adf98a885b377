"""Reports of doctor, on a machine with a working model and on one with broken parts."""

import json
from importlib import metadata

import pytest

CHECKS = ["program", "processor", "data folder", "history", "plugins", "torch", "CUDA", "model", "pictures", "video"]


@pytest.fixture
def findings(program):
    """``findings()``: exit code and the findings by what was looked at."""

    def look() -> tuple[int, dict[str, dict[str, str]]]:
        code, out, _ = program("doctor", "--json")
        document = json.loads(out)
        assert document["good"] == (code == 0) == all(f["state"] != "bad" for f in document["findings"])
        return code, {finding["what"]: finding for finding in document["findings"]}

    return look


@pytest.mark.slow
def test_each_thing_is_looked_at(findings, home, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    _, found = findings()
    assert [*found] == [*CHECKS, "cameras", "window"]
    assert all(found[what]["state"] == "good" for what in ("program", "data folder", "history", "pictures", "video"))
    assert str(home) in found["data folder"]["detail"] and "0 inspections" in found["history"]["detail"]
    import torch

    assert metadata.version("torch") in found["torch"]["detail"]
    assert (found["CUDA"]["state"] == "good") == torch.cuda.is_available()


@pytest.mark.slow
def test_a_broken_plugin_and_a_damaged_history_are_bad(findings, home):
    (home / "plugins").mkdir()
    (home / "plugins" / "broken.py").write_text("PLUGIN = 5\n")
    (home / "history.sqlite3").write_bytes(b"no database " * 1000)
    code, found = findings()
    assert code == 1
    assert found["plugins"]["state"] == "bad" and "broken" in found["plugins"]["detail"]
    assert found["history"]["state"] == "bad" and "is damaged" in found["history"]["detail"]


@pytest.mark.slow
def test_a_table_for_people(program):
    code, out, _ = program("doctor")
    lines = out.splitlines()
    assert lines[0].split() == ["what", "state", "found"] and len(lines) == len(CHECKS) + 3
    assert (code == 1) == any(" BAD " in line for line in lines)
