"""The documentation is held to the code: its plugins are run, its tables compared."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from inspector import api
from inspector.domain import Detection, Frame, Inspection, ModelInfo, judge
from inspector.registry import Registry, install, load
from inspector.registry.manifest import KINDS, Manifest

TEXT = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text("utf-8")
FILES = ("numpy_stack.py", "bad_parts.py", "eca/__init__.py", "eca/layers.py", "plain/__init__.py", "plain/layers.py")


def blocks() -> dict[str, str]:
    """The code of the page, by the file name before each block."""
    found = {}
    for before, code in re.findall(r"^(.*?)```python\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE):
        names = re.findall(r"`([\w/]+\.py)`", before)
        found[names[-1]] = code
    return found


def test_the_page_has_the_examples_in_about_20_or_30_lines():
    code = blocks()
    assert tuple(code) == FILES
    for name, text in code.items():
        lines = [line for line in text.splitlines() if line.strip()]
        assert len(lines) <= (32 if name.startswith("plain") else 24), name
        assert "inspector" not in text.replace("inspector.api", "").replace("inspector_", "")


@pytest.fixture(params=["drop-in", "entry point"])
def registry(request, tmp_path, monkeypatch) -> Registry:
    """The plugins of the page, installed in one of the two ways."""
    modules, search = set(sys.modules), list(sys.path)
    folder = tmp_path / "site"
    for name, code in blocks().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code, encoding="utf-8")
    names = ("numpy_stack", "bad_parts", "eca", "plain")
    if request.param == "drop-in":
        for name in names:
            file = folder / f"{name}.py"
            install(file if file.exists() else folder / name)
    else:
        info = folder / "docs_examples-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: docs-examples\nVersion: 1.0\n")
        points = "".join(f"{name} = {name}\n" for name in names)
        (info / "entry_points.txt").write_text(f"[{api.ENTRY_POINT_GROUP}]\n{points}")
        monkeypatch.syspath_prepend(str(folder))
    registry = load()
    records = {record.id: record for record in registry.records}
    for name in names:
        assert (records[name].state, records[name].reason) == ("active", "")
        assert records[name].origin == {"drop-in": "drop-in", "entry point": "installed"}[request.param]
    yield registry
    for name in set(sys.modules) - modules:
        if name.startswith(("bearing_inspector_dropins", *names)):
            del sys.modules[name]
    sys.path[:] = search


def test_the_source_yields_frames(registry, tmp_path):
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), np.uint8)
    np.save(tmp_path / "parts.npy", images)
    spec = registry.source("numpy_stack")
    assert spec.claim("a.jpg") is None
    options = api.check_options(spec.options, spec.claim(str(tmp_path / "parts.npy")), "numpy_stack")
    source = spec.open(**options)
    frames = list(source)
    assert source.total == 3 and all(isinstance(frame, Frame) for frame in frames)
    assert [frame.name for frame in frames] == ["parts-0000.png", "parts-0001.png", "parts-0002.png"]
    assert all((frame.image == image).all() for frame, image in zip(frames, images, strict=True))
    source.close()


def test_the_exporter_writes_its_file(registry, tmp_path):
    import numpy as np

    info = ModelInfo("", "", "none", ("Defect",))
    exporter = registry.exporter("bad_parts").open(tmp_path, api.RunInfo(None, info, "Run", ""))
    for index, name in enumerate(("good.png", "坏 1.png", "bad 2.png")):
        frame = Frame(np.zeros((8, 8, 3), np.uint8), index, name)
        found = (Detection("Defect", 0.9, (0.0, 0.0, 4.0, 4.0)),) * min(index, 1)
        exporter.write(Inspection(frame, found, judge(found), info))
    (file,) = exporter.close()
    assert file == tmp_path / "bad-parts.txt"
    assert file.read_text("utf-8") == "坏 1.png\nbad 2.png\n"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["bad-parts.txt"]


def test_the_layer_computes_what_the_paper_says(registry):
    import pickle

    import torch

    (main,) = registry.layer("eca_block").load()
    torch.manual_seed(0)
    layer = main(4, 6, 8).eval()
    x = torch.randn(2, 4, 9, 7)
    with torch.no_grad():
        y = layer.project(x)
        means = torch.nn.functional.pad(y.mean((2, 3)), (1, 1))
        weights = torch.stack([(means[:, i : i + 3] * layer.weigh.weight[0, 0]).sum(1) for i in range(6)], 1).sigmoid()
        assert torch.allclose(layer(x), y * weights[:, :, None, None], atol=1e-6)
    assert pickle.loads(pickle.dumps(main)) is main  # a checkpoint names it by module and class


def test_the_layers_stand_in_architectures(registry):
    from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures

    known = YoloArchitectures(tuple(registry.layers.values()))
    known.check("yolo11n-seg-eca")
    known.check("yolo11n-seg+backbone=plain+block=eca+neck=gated")


def test_every_hook_spec_and_manifest_key_is_documented():
    hooks = [name for name in vars(api.Hooks) if name.startswith("inspector_")]
    assert len(hooks) == 4
    assert set(re.findall(r"\binspector_[a-z]+\b", TEXT)) - {"inspector_dropins"} == set(hooks)
    for hook in hooks:
        kind = hook.removeprefix("inspector_").removesuffix("s")
        assert re.search(rf"^\| `{hook}` \| `{kind.title()}Spec` \|", TEXT, re.MULTILINE), hook
        assert kind in KINDS and hasattr(api, f"{kind.title()}Spec")
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith("|"))
    for field in fields(Manifest):
        assert f"`{field.name}`" in rows, field.name
    assert f"`inspector.api` it is written for: {api.API_VERSION}." in TEXT


def test_every_action_and_every_state_is_documented():
    import argparse
    from typing import get_args

    from inspector.cli import plugins
    from inspector.registry.manifest import State

    parser = argparse.ArgumentParser()
    plugins.configure(parser)
    (actions,) = (action.choices for action in parser._actions if action.dest == "action")
    for action in actions:
        assert f"plugins {action}" in TEXT or f"`{action} ID`" in TEXT, action
    for state in get_args(State):
        assert f"`{state}`" in TEXT, state
