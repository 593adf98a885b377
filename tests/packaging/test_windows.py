"""The checks under Wine: what of them needs no Wine."""

import ast
import contextlib
import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Wine is for Linux")
FOLDER = Path(__file__).resolve().parents[2] / "packaging" / "windows"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    names = ("check", "installer", "place", "shim", "suite")
    yield {name: __import__(name) for name in names}
    for name in names:
        sys.modules.pop(name)


def found(score=0.5, label="Defect", x=10.0, verdict="NG"):
    detection = {"label": label, "score": score, "box": [x, 10.0, 20.0, 20.0], "area_px": 100}
    return {("a.jpg", 0): {"verdict": verdict, "detections": [detection]}}


def test_equal_results_are_equal(scripts):
    said = scripts["check"]._compared(found(), found(score=0.5001))
    assert said.startswith("1 inspections, 1 defects; largest difference of a score 0.0001")


@pytest.mark.parametrize("other", [{"score": 0.6}, {"label": "Crack"}, {"x": 12.0}, {"verdict": "OK"}])
def test_other_results_are_a_fault(scripts, other):
    check = scripts["check"]
    with pytest.raises(check.Fault):
        check._compared(found(), found(**other))
    with pytest.raises(check.Fault, match="0 inspections instead of 1"):
        check._compared(found(), {})


def test_paths_are_named_as_windows_does_and_back(scripts):
    place = scripts["place"]
    assert place.windows(Path("/opt/a b/轴承")) == r"Z:\opt\a b\轴承"
    assert place.linux(r"Z:\opt\a b\轴承") == Path("/opt/a b/轴承")
    assert place.linux(r"C:\检查") == place.PREFIX / "drive_c" / "检查"


def test_nothing_of_this_process_disturbs_a_program_under_wine(scripts, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/x")
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", "/y")
    environment = scripts["place"].environment("936", PYTHONUTF8="1")
    assert environment["LC_ALL"] == "zh_CN.UTF-8" and environment["PYTHONUTF8"] == "1"
    assert "PYTHONPATH" not in environment and environment["BEARING_INSPECTOR_HOME"].startswith("C:")


def test_expected_failures_have_a_kind_a_pattern_and_a_cause(scripts, tmp_path, monkeypatch):
    suite = scripts["suite"]
    assert all(one.kind in ("fails", "hangs") and one.cause for one in suite.expected())
    monkeypatch.setattr(suite, "EXPECTED", tmp_path / "expected.txt")
    suite.EXPECTED.write_text("# a remark\n\nfails tests/a.py::test_b[*] no links there\n", "utf-8")
    (one,) = suite.expected()
    assert (one.kind, one.pattern, one.cause) == ("fails", "tests/a.py::test_b[*]", "no links there")
    assert suite._matches("tests/a.py::test_b[x-1]", one.pattern) and not suite._matches(
        "tests/a.py::test_bx", one.pattern
    )


def test_the_shim_has_every_function_in_three_precisions(scripts):
    code, added = scripts["shim"]._source()
    assert {"cexp", "cexpf", "cexpl", "crealf", "cabsl", "conj", "conjf", "cpowf", "clog10l"} <= set(added)
    assert len(added) == 72 and all(f" {name}(" in code for name in set(added.values()))


def names_used(source: str) -> set[tuple[str, str]]:
    """The names that a script uses from modules of the program, imported or as attributes: (module, name)."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    ours = [node for node in imports if node.module.startswith("inspector")]
    found = {(node.module, alias.name) for node in ours for alias in node.names}
    modules = {alias.name: f"{node.module}.{alias.name}" for node in ours for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add((modules[node.value.id], node.attr))
    return found


@pytest.mark.parametrize("script", sorted((FOLDER / "inside").glob("*.py")), ids=lambda path: path.stem)
def test_the_scripts_for_windows_use_names_that_are_there(script):
    for module, name in names_used(script.read_text("utf-8")):
        with contextlib.suppress(ModuleNotFoundError):
            found = importlib.import_module(module)
            if not hasattr(found, name):
                importlib.import_module(f"{module}.{name}")
            continue
        owner, _, last = module.rpartition(".")
        assert hasattr(getattr(importlib.import_module(owner), last, None), name), f"{module} has no {name}"


def test_what_is_fetched_is_pinned(scripts):
    for digest in (scripts["place"].SHA256, scripts["installer"].SHA256):
        assert len(digest) == len(hashlib.sha256().hexdigest())


def test_a_step_is_done_once_for_what_it_is_made_of(scripts, tmp_path, monkeypatch, capsys):
    place, done = scripts["place"], []
    monkeypatch.setattr(place, "PLACE", tmp_path)
    for made_of in ("one", "one", "two"):
        place._step("libraries", made_of, lambda made_of=made_of: done.append(made_of))
    assert done == ["one", "two"] and capsys.readouterr().out.count("set up: libraries") == 2


@pytest.mark.slow
def test_an_interrupted_suite_is_continued(scripts, tmp_path, monkeypatch):
    suite, place = scripts["suite"], scripts["place"]
    source, file = tmp_path / "source", tmp_path / "source" / "tests" / "test_a.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import os\n"
        "def log(name): print(name, file=open('ran.txt', 'a'))\n"
        "def test_good(): log('good')\n"
        "def test_dies():\n"
        "    log('dies')\n"
        "    if not os.path.exists('mended'): os._exit(7)\n"
        "def test_last(): log('last')\n",
        "utf-8",
    )

    def python(*words, log, limit, code_page, **more):
        command = [sys.executable, *words, "-p", "no:randomly", "--rootdir", str(source)]
        left_out = ("PYTEST_", "COV_")
        own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        done = subprocess.run(command, cwd=source, env=own | more, capture_output=True, text=True)
        return place.Done(done.returncode, done.stdout, 1.0)

    ours = {"PLACE": tmp_path, "SOURCE": source, "INSIDE": FOLDER / "inside", "python": python, "windows": str}
    for name, value in ours.items():
        monkeypatch.setattr(suite, name, value)
    monkeypatch.setattr(place, "source_names", lambda: ["tests/test_a.py"])

    def ran():
        said = (source / "ran.txt").read_text().split()
        (source / "ran.txt").unlink()
        return said

    first = suite.run()
    assert ran() == ["good", "dies", "last"], "the next process begins behind the test that died"
    assert first.sentence == "2 passed, 0 skipped, 0 failed as expected, 1 failed"
    assert "the process ended (exit code 7)" in first.faults[0]
    (source / "mended").touch()
    assert suite.run().sentence.startswith("3 passed") and ran() == ["dies"], "only what failed is run again"
    file.write_text(file.read_text("utf-8") + "# changed\n", "utf-8")
    assert suite.run().sentence.startswith("3 passed") and ran() == ["good", "dies", "last"]
