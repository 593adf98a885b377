import pytest

from inspector.api import SourceSpec, Text
from inspector.domain import InputError
from inspector.registry.records import PluginRecord, Registry

SPEC = SourceSpec("here", Text("Here"), print)


def test_finds_specs_by_id_and_kind():
    registry = Registry(sources={"here": SPEC})
    assert registry.source("here") is SPEC
    with pytest.raises(InputError, match="There is no source 'gone'; known are here"):
        registry.source("gone")
    with pytest.raises(InputError, match="There is no model 'here'; there are none"):
        registry.model("here")
    with pytest.raises(InputError, match="There is no exporter"):
        registry.exporter("here")


@pytest.mark.parametrize(
    "call", ['SourceSpec(id="gone")', 'SourceSpec("gone", 1)', 'api.SourceSpec(\n  title=1, id="gone")']
)
@pytest.mark.parametrize("state", ["disabled", "missing", "incompatible", "failed"])
def test_a_plugin_that_is_not_active_is_known_by_its_source(tmp_path, call, state):
    file = tmp_path / "p.py"
    file.write_text(f"def hook():\n    return [{call}]\n")
    record = PluginRecord("plug", "drop-in", state, "because of it", path=file)
    with pytest.raises(InputError, match=f"'gone' belongs to the plugin 'plug', which is {state}: because of it"):
        Registry((record,)).source("gone")


@pytest.mark.parametrize("text", ["def (", 'other("gone")', "SourceSpec(id=name)", "SourceSpec(id=5)", "\0"])
def test_what_is_not_known_is_not_guessed(tmp_path, text):
    file = tmp_path / "p.py"
    file.write_text(text)
    records = (
        PluginRecord("plug", "drop-in", "failed", "x", path=file),
        PluginRecord("nowhere", "built-in", "failed", "x", path=tmp_path / "none.py"),
        PluginRecord("packed", "built-in", "failed", "x"),
    )
    with pytest.raises(InputError, match="There is no source 'gone'"):
        Registry(records).source("gone")


def test_what_counts_as_faulty():
    def faulty(state, reason=""):
        return PluginRecord("p", "drop-in", state, reason).faulty

    assert faulty("failed", "x") and faulty("missing", "x") and faulty("incompatible", "x") and faulty("active", "x")
    assert not faulty("active") and not faulty("disabled", "disabled by the user")
