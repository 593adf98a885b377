"""The plugin's specs."""

import subprocess
import sys

import pytest

from inspector_plugins import freqfusion


def specs():
    return {spec.id: spec for spec in freqfusion.inspector_layers()}


def test_specs():
    found = specs()
    assert {name: spec.kind for name, spec in found.items()} == {"freqfusion": "neck", "carafe": "upsample"}
    assert found["freqfusion"].presets == {"freqfusion": "+neck=freqfusion"}
    assert "2408.12879" in found["freqfusion"].paper and "1905.02188" in found["carafe"].paper
    assert freqfusion.PLUGIN["id"] == "freqfusion" and freqfusion.PLUGIN["kinds"] == ["layer"]


def test_declaring_imports_no_torch():
    code = "import sys, inspector_plugins.freqfusion as p; p.inspector_layers(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("name", "channels"), [("freqfusion", (24, 16)), ("carafe", (16, 16))])
def test_load_lists_every_class_of_a_checkpoint(name, channels):
    classes = specs()[name].load()
    module = classes[0](*channels, 8)
    own = {type(part) for part in module.modules() if not type(part).__module__.startswith("torch.nn.")}
    assert own <= set(classes)


def test_class_paths_are_the_checkpoint_format():
    paths = {f"{cls.__module__}.{cls.__qualname__}" for spec in specs().values() for cls in spec.load()}
    assert paths == {
        "inspector_plugins.freqfusion.blocks.CarafeUpsample",
        "inspector_plugins.freqfusion.blocks.FreqFusionNeck",
        "inspector_plugins.freqfusion.layers.FreqFusion",
        "inspector_plugins.freqfusion.layers.FreqFusionSum",
        "inspector_plugins.freqfusion.layers.LocalSimGuidedSampler",
    }
