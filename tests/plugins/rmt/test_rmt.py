"""The plugin's specs."""

import subprocess
import sys

from inspector_plugins import rmt


def test_specs():
    specs = {spec.id: spec for spec in rmt.inspector_layers()}
    assert {name: spec.kind for name, spec in specs.items()} == {
        "ret": "block",
        "rmt_t": "backbone",
        "rmt_s": "backbone",
        "rmt_b": "backbone",
        "rmt_l": "backbone",
    }
    assert specs["ret"].presets == {"rmt": "+block=ret"}
    assert all(spec.paper.endswith("arXiv:2309.11523") and spec.title.zh for spec in specs.values())


def test_specs_load_and_build():
    from inspector.api import prepare_torch

    prepare_torch()
    import torch

    for spec in rmt.inspector_layers():
        classes = spec.load()
        assert len(set(classes)) == len(classes)
        with torch.device("meta"):
            module = spec.build() if spec.kind == "backbone" else classes[0](16, 16, 8)
        assert isinstance(module, classes[0])
        known = {cls for cls in classes if cls.__module__.startswith("inspector_plugins.rmt.")}
        own = {type(part) for part in module.modules() if type(part).__module__.startswith("inspector_plugins.")}
        assert own <= known


def test_the_hook_needs_no_torch():
    code = "import sys; from inspector_plugins import rmt; rmt.inspector_layers(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
