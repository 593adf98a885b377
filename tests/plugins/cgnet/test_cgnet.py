import subprocess
import sys

import pytest

from inspector_plugins.cgnet import PLUGIN, inspector_layers

SPECS = {spec.id: spec for spec in inspector_layers()}


def test_three_layers_and_a_preset():
    assert PLUGIN["id"] == "cgnet" and PLUGIN["kinds"] == ["layer"]
    named = {(spec.kind, spec.name or spec.id) for spec in SPECS.values()}
    assert named == {("block", "context_guided"), ("downsample", "context_guided"), ("backbone", "cgnet")}
    assert SPECS["context_guided"].presets == {"cgnet": "+block=context_guided+down=context_guided"}
    assert all("1811.08201" in spec.paper for spec in SPECS.values())


def test_the_plugin_alone_imports_no_torch():
    code = "import sys, inspector_plugins.cgnet as p; p.inspector_layers(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "main", "arguments"),
    [
        ("context_guided", "ContextGuidedBlock", (16, 16, 8)),
        ("context_guided", "ContextGuidedBlock", (17, 17, 8)),
        ("context_guided_down", "ContextGuidedBlock_Down", (16, 32, 8)),
        ("cgnet", "CGNetBackbone", ()),
    ],
)
def test_every_class_in_a_built_module_is_declared(name, main, arguments):
    classes = SPECS[name].load()
    assert classes[0].__name__ == main and len(set(classes)) == len(classes)
    built = (SPECS[name].build or classes[0])(*arguments)
    own = {type(part) for part in built.modules() if not type(part).__module__.startswith("torch.nn.")}
    assert own and own <= set(classes)


def test_contract_classes_have_frozen_paths():
    paths = {f"{cls.__module__}.{cls.__qualname__}" for spec in SPECS.values() for cls in spec.load()}
    layers = ("FGlo", "ContextGuidedBlock", "ContextGuidedBlock_Down", "Context_Guided_Network")
    assert {f"inspector_plugins.cgnet.layers.{name}" for name in layers} <= paths
    assert "inspector_plugins.cgnet.blocks.CGNetBackbone" in paths
