import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from inspector.domain import InputError
from inspector.registry.installing import disable, enable
from inspector.registry.loading import RESCUE, load

SPEC = 'SourceSpec(id="{id}", title=Text("T"), open=print)'

# name -> (body after the manifest, state, what the reason says)
BROKEN = {
    "b_import": ("import no_such_module_here", "failed", "ModuleNotFoundError: No module named 'no_such_module_here'"),
    "b_syntax": ("def (", "failed", "not valid Python"),
    "b_exit": ("import sys; sys.exit(7)", "failed", "asked the program to exit (7)"),
    "b_base": ("class Odd(BaseException): pass\nraise Odd('x')", "failed", "Odd: x"),
    "b_text": ("class Odd(Exception):\n    def __str__(self): return 1/0\nraise Odd", "failed", "Odd"),
    "b_recursion": ("def f(): f()\nf()", "failed", "RecursionError"),
    "b_misspelt": (
        "@hookimpl\ndef inspector_sourcez(): return []",
        "failed",
        "there is no hook 'inspector_sourcez'; did you mean 'inspector_sources'?",
    ),
    "b_unmarked": ("def inspector_layers(): return []", "failed", "inspector_layers lacks its @hookimpl"),
    "b_no_hook": ("x = 1", "failed", "it has no hook; write one of inspector_models"),
    "b_raises": ("@hookimpl\ndef inspector_sources(): raise ValueError('broken hook')", "failed", "ValueError: broken"),
    "b_exits_in_hook": ("@hookimpl\ndef inspector_models(): raise SystemExit", "failed", "asked the program to exit"),
    "b_arguments": ("@hookimpl\ndef inspector_sources(folder): return []", "failed", "wrong form: .*folder"),
    "b_wrapper": (
        "@hookimpl(wrapper=True)\ndef inspector_sources():\n    yield",
        "failed",
        "inspector_sources is a wrapper",
    ),
    "b_rubbish": (
        "@hookimpl\ndef inspector_sources(): return 5",
        "failed",
        "returned an int, not a list of SourceSpec",
    ),
    "b_nothing": ("@hookimpl\ndef inspector_sources(): pass", "failed", "returned nothing, not a list of SourceSpec"),
    "b_items": ("@hookimpl\ndef inspector_sources(): return ['a']", "failed", "with a str in it"),
    "b_lazy": ("@hookimpl\ndef inspector_sources():\n    yield 1/0", "failed", "ZeroDivisionError"),
    "b_half": (
        "@hookimpl\ndef inspector_models(): raise ValueError('late')\n"
        f"@hookimpl\ndef inspector_sources(): return [{SPEC.format(id='from_half')}]",
        "failed",
        "ValueError: late",
    ),
    "b_api": ("raise SystemExit('imported')", "incompatible", "interface 9, this program has 1"),
    "b_needs": ("raise SystemExit('imported')", "missing", "needs no-such-thing-here>=2 (not installed)"),
    "b_manifest": ("raise SystemExit('imported')", "failed", "must be a literal"),
    "tables": ("raise SystemExit('imported')", "failed", "'tables' is taken by a plugin that is built-in"),
}
MORE = {"b_api": {"api": 9}, "b_needs": {"requires": ["no-such-thing-here>=2"]}}


@pytest.fixture
def all_broken(dropins, plugin, good):
    for name, (body, _, _) in BROKEN.items():
        text = plugin(name, body, **MORE.get(name, {}))
        if name == "b_manifest":
            text = text.replace("PLUGIN = {", "PLUGIN = dict() | {")
        (dropins / f"{name}.py").write_text(text)
    (dropins / "a_first.py").write_text(good("a_first"))
    (dropins / "z_last.py").write_text(good("z_last"))


def test_every_broken_plugin_is_shown_and_the_rest_works(all_broken):
    registry = load()
    records = {record.id: record for record in registry.records if record.origin == "drop-in"}
    assert set(records) == {*BROKEN, "a_first", "z_last"}
    for name, (_, state, says) in BROKEN.items():
        record = records[name]
        assert (record.state, record.faulty, record.specs) == (state, True, ()), name
        assert re.search(says, record.reason) or says in record.reason, record.reason
        assert "\n" not in record.reason
    assert records["a_first"].state == records["z_last"].state == "active"
    assert {"a_first", "z_last"} <= set(registry.sources)
    assert "from_half" not in registry.sources
    built_in = {record.id: record.state for record in registry.records if record.origin == "built-in"}
    assert built_in["tables"] == "active" and "csv" in registry.exporters
    assert not [name for name in sys.modules if name.startswith("bearing_inspector_dropins.b_")]


def test_the_traceback_of_an_error_is_kept_for_its_author(all_broken):
    records = {record.id: record for record in load().records}
    assert 'raise ValueError("broken hook")' in records["b_raises"].traceback.replace("'", '"')
    assert "b_raises.py" in records["b_raises"].traceback
    assert records["b_rubbish"].traceback == ""


def test_a_plugin_that_hangs_and_is_interrupted_is_off_at_the_next_start(dropins, plugin, home):
    (dropins / "stop.py").write_text(plugin("stop", "raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        load()
    assert "bearing_inspector_dropins.stop" not in sys.modules
    (record,) = (record for record in load().records if record.origin == "drop-in")
    assert record.state == "disabled" and "the program ended while loading it" in record.reason
    assert not list((home / "plugins-state" / "starting").iterdir())


def test_on_another_thread_an_interrupt_is_a_failure_like_any(dropins, plugin):
    (dropins / "stop.py").write_text(plugin("stop", "raise KeyboardInterrupt"))
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(load).result()
    (record,) = (record for record in found.records if record.origin == "drop-in")
    assert record.state == "failed" and "KeyboardInterrupt" in record.reason


def test_records_tell_all(dropins, plugin):
    body = f"@hookimpl\ndef inspector_sources(): return [{SPEC.format(id='s1')}, {SPEC.format(id='s2')}]"
    more = {"description": "d", "description_zh": "说明", "licence": "MIT", "requires": ["numpy"], "kinds": ["model"]}
    (dropins / "x.py").write_text(plugin("full", body, **more), encoding="utf-8")
    (record,) = (record for record in load().records if record.origin == "drop-in")
    data = json.loads(json.dumps(record.to_json()))
    assert data.pop("load_ms") > 0
    assert data == {
        "id": "full",
        "origin": "drop-in",
        "state": "active",
        "reason": "",
        "version": "1.0",
        "api": 1,
        "kinds": ["source"],
        "description": "d",
        "description_zh": "说明",
        "licence": "MIT",
        "requires": ["numpy"],
        "traceback": "",
        "module": "bearing_inspector_dropins.full",
        "path": str(dropins / "x.py"),
        "specs": [{"kind": "source", "id": "s1"}, {"kind": "source", "id": "s2"}],
        "sha256": "",
    }


def test_a_spec_id_that_is_taken_is_left_out_and_the_others_stay(dropins, good, plugin):
    (dropins / "a.py").write_text(good("a", spec="shared"))
    body = (
        "@hookimpl\ndef inspector_exporters(): return [ExporterSpec(id='SHARED', title=Text('T'), open=print),"
        " ExporterSpec(id='own', title=Text('T'), open=print), ExporterSpec(id='own', title=Text('T'), open=print)]"
    )
    (dropins / "b.py").write_text(plugin("b", body))
    registry = load()
    record = registry.records[-1]
    assert record.state == "active" and record.faulty and record.specs == (("exporter", "own"),)
    assert "its exporter 'SHARED' was left out: the plugin 'a' has that id" in record.reason
    assert "its exporter 'own' was left out: the plugin 'b' has that id" in record.reason
    assert "shared" in registry.sources and "own" in registry.exporters and "SHARED" not in registry.exporters


def test_of_two_with_one_id_the_later_is_refused(dropins, good):
    (dropins / "one.py").write_text(good("same", spec="s1"))
    (dropins / "two.py").write_text(good("SAME", spec="s2"))
    registry = load()
    assert [record.state for record in registry.records if record.origin == "drop-in"] == ["active", "failed"]
    assert len({"s1", "s2"} & set(registry.sources)) == 1


def test_what_a_plugin_prints_does_not_reach_stdout(dropins, good, capsys):
    (dropins / "loud.py").write_text("print('hello from the plugin')\n" + good("loud"))
    load()
    out, err = capsys.readouterr()
    assert out == "" and "hello from the plugin" in err


@pytest.mark.parametrize("value", ["1", "yes"])
def test_rescue_loads_only_what_is_built_in(dropins, good, monkeypatch, value):
    (dropins / "a.py").write_text(good("a"))
    monkeypatch.setenv("BEARING_INSPECTOR_NO_PLUGINS", value)
    for registry in (load(), load(plugins=False)):
        assert (registry.records[-1].id, registry.records[-1].state) == ("a", "disabled")
        assert registry.records[-1].reason == RESCUE
        assert "a" not in registry.sources and registry.exporters
    assert "a" in load(plugins=True).sources
    monkeypatch.setenv("BEARING_INSPECTOR_NO_PLUGINS", "0")
    assert "a" in load().sources


def test_a_plugin_that_is_off_is_not_imported(dropins, good, plugin):
    (dropins / "a.py").write_text("raise SystemExit('imported')\n" + good("a"))
    disable("a")
    disable("tables")
    registry = load()
    records = {record.id: record for record in registry.records}
    assert records["a"].state == records["tables"].state == "disabled" and not records["a"].faulty
    assert "csv" not in registry.exporters
    enable("tables")
    assert "csv" in load().exporters


def test_unknown_ids_are_named_with_the_known_ones_or_the_plugin_that_brings_them(dropins, good):
    (dropins / "a.py").write_text(good("my-plugin", spec="things"))
    registry = load()
    assert registry.source("things").id == "things"
    with pytest.raises(InputError, match=r"There is no source 'nothing'; known are .*things"):
        registry.source("nothing")
    with pytest.raises(InputError, match="There is no layer 'things'; "):
        registry.layer("things")
    disable("my-plugin")
    with pytest.raises(InputError, match="'things' belongs to the plugin 'my-plugin', which is disabled: disabled by"):
        load().source("things")


def test_a_package_imports_its_own_modules_and_an_id_may_have_dots(dropins, good):
    (dropins / "pack").mkdir()
    (dropins / "pack" / "__init__.py").write_text("from . import helper\n" + good("com.me.pack"))
    (dropins / "pack" / "helper.py").write_text("from inspector.api import Text\n")
    record = load().records[-1]
    assert (record.id, record.state) == ("com.me.pack", "active"), record.reason


def test_a_changed_home_does_not_bring_the_old_module(dropins, good, tmp_path, monkeypatch):
    (dropins / "a.py").write_text(good("a", spec="old"))
    assert "old" in load().sources
    other = tmp_path / "other"
    (other / "plugins").mkdir(parents=True)
    (other / "plugins" / "a.py").write_text(good("a", spec="new"))
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(other))
    assert "new" in load().sources
    (other / "plugins" / "a.py").unlink()
    (other / "plugins" / "b.py").write_text(good("a", spec="bad") + "raise ValueError")
    for _ in range(2):
        assert load().records[-1].state == "failed"


def test_an_installed_plugin_loads_under_its_own_name(entry_point, good):
    entry_point("trial-x", "[bearing_inspector.plugins]\nx = trial_x.plug\n", {"trial_x/plug.py": good("x")})
    record = load().records[-1]
    assert (record.origin, record.state, record.module) == ("installed", "active", "trial_x.plug"), record.reason


def test_a_packed_program_reads_the_manifest_after_the_import(tmp_path, good, monkeypatch):
    import py_compile

    from inspector.registry.discovery import Candidate
    from inspector.registry.loading import Loader

    (tmp_path / "x.py").write_text(good("packed"))
    py_compile.compile(str(tmp_path / "x.py"), cfile=str(tmp_path / "trial_packed.pyc"))
    (tmp_path / "y.py").write_text("PLUGIN = {'id': 'old', 'api': 9}")
    py_compile.compile(str(tmp_path / "y.py"), cfile=str(tmp_path / "trial_old.pyc"))
    monkeypatch.syspath_prepend(str(tmp_path))
    loader = Loader()
    record = loader.add(Candidate("built-in", "packed", "trial_packed"))
    assert (record.state, record.version, record.specs) == ("active", "1.0", (("source", "packed"),)), record.reason
    assert loader.add(Candidate("built-in", "old", "trial_old")).state == "incompatible"


def test_two_loads_in_one_process_are_alike(dropins, good):
    (dropins / "a.py").write_text(good("a"))
    first, second = load(), load()
    assert [(r.id, r.state, r.specs) for r in first.records] == [(r.id, r.state, r.specs) for r in second.records]


def test_loading_imports_no_heavy_library(dropins, good):
    (dropins / "a.py").write_text(good("a"))
    heavy = "{'torch', 'cv2', 'numpy', 'ultralytics', 'openpyxl', 'PIL', 'tkinter', 'timm'}"
    code = f"from inspector import registry; import sys; registry.load(); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
