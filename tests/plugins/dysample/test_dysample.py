import subprocess
import sys

from inspector_plugins.dysample import PLUGIN, inspector_layers


def test_one_upsampling():
    (spec,) = inspector_layers()
    assert PLUGIN["id"] == spec.id == "dysample"
    assert (spec.kind, spec.name, dict(spec.presets)) == ("upsample", "", {})
    assert "2308.15085" in spec.paper
    built = spec.build(16, 16, 8)
    assert [type(built)] == list(spec.load())
    assert f"{type(built).__module__}.{type(built).__name__}" == "inspector_plugins.dysample.layers.DySample"


def test_the_plugin_alone_imports_no_torch():
    code = "import sys, inspector_plugins.dysample as p; p.inspector_layers(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
