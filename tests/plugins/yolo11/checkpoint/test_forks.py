import copy
import sys
from types import ModuleType

import pytest

from inspector.api import InputError, LayerSpec, Text, prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.nn.modules.block import C3k, C3k2
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins.yolo11.checkpoint import checkpoint, forks


class Squeeze(nn.Module):
    """Our counterpart of a block that a fork has as well."""

    def __init__(self, channels):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x + torch.tanh(self.mix(x))

    @classmethod
    def load_foreign(cls, foreign):
        state = foreign.state_dict()
        if set(state) != {"mix.weight", "mix.bias"}:
            raise ValueError(f"has the tensors {', '.join(state)} where mix.weight and mix.bias are needed")
        module = cls(len(state["mix.bias"]))
        module.load_state_dict(state)
        return module


LAYERS = (LayerSpec(id="squeeze", title=Text("Squeeze"), kind="block", load=lambda: (Squeeze,)),)


@pytest.fixture
def fork(monkeypatch):
    """``fork(name, cls)``: that class as the module of a fork has it."""
    made = ModuleType("ultralytics.nn.extra_modules.block")
    for name in ("ultralytics.nn.extra_modules", "ultralytics.nn.extra_modules.block"):
        monkeypatch.setitem(sys.modules, name, made)

    def define(name, base, **members):
        cls = type(name, (base,), {"__module__": made.__name__, "__qualname__": name, **members})
        setattr(made, name, cls)
        return cls

    yield define


def save(tmp_path, change):
    torch.manual_seed(0)
    model = SegmentationModel("yolo11n-seg.yaml", nc=1, verbose=False)
    change(model.model)
    for row, stock in zip(model.model, SegmentationModel("yolo11n-seg.yaml", nc=1, verbose=False).model, strict=True):
        row.i, row.f, row.type = stock.i, stock.f, "fork"
    path = tmp_path / "fork.pt"
    torch.save({"model": copy.deepcopy(model).half(), "train_args": {"imgsz": 64}}, path)
    return path, model.half().float().eval()


def forget(monkeypatch):
    for name in ("ultralytics.nn.extra_modules", "ultralytics.nn.extra_modules.block"):
        monkeypatch.delitem(sys.modules, name)


def test_a_forks_blocks_become_ours(fork, tmp_path, monkeypatch):
    block = fork("Squeeze", nn.Module, forward=Squeeze.forward)
    wrapper, inner = fork("C3k2_Squeeze", C3k2), fork("C3k_Squeeze", C3k)

    def their(channels):
        module = block()
        nn.Module.__init__(module)
        module.mix = nn.Conv2d(channels, channels, 1)
        return module

    def change(rows):
        for number in (2, 8):
            rows[number].__class__ = wrapper
            for place, child in enumerate(rows[number].m):
                if isinstance(child, C3k):
                    child.__class__ = inner
                    child.m = nn.Sequential(their(child.cv1.conv.out_channels))
                else:
                    rows[number].m[place] = their(rows[number].c)

    path, model = save(tmp_path, change)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = model(x)[0][0]
    forget(monkeypatch)
    opened = checkpoint.load(path, LAYERS).model
    assert not any(isinstance(module, forks.Foreign) for module in opened.modules())
    assert sum(isinstance(module, Squeeze) for module in opened.modules()) == 2
    assert type(opened.model[8]) is C3k2 and type(opened.model[8].m[0]) is C3k
    with torch.no_grad():
        torch.testing.assert_close(opened(x)[0][0], expected, rtol=1e-4, atol=1e-3)


def test_what_does_not_fit_is_listed(fork, tmp_path, monkeypatch):
    squeeze, unknown = fork("Squeeze", nn.Sequential), fork("Sparkle", nn.Identity)

    def change(rows):
        rows[2] = nn.Sequential(squeeze(nn.Conv2d(32, 64, 1)), unknown())

    path, _ = save(tmp_path, change)
    forget(monkeypatch)
    with pytest.raises(InputError) as error:
        checkpoint.load(path, LAYERS)
    text = str(error.value)
    assert "comes from a fork of ultralytics" in text
    assert "extra_modules.block.Squeeze (has the tensors 0.weight, 0.bias where mix.weight" in text
    assert "extra_modules.block.Sparkle (no installed plugin has a class of that name)" in text


def test_a_wrapper_with_parts_of_its_own_is_not_taken_for_the_stock_one(fork, tmp_path, monkeypatch):
    wrapper = fork("C3k2_Extra", C3k2)

    def change(rows):
        rows[2].__class__ = wrapper
        rows[2].position = nn.Conv2d(4, 4, 1)

    path, _ = save(tmp_path, change)
    forget(monkeypatch)
    with pytest.raises(InputError, match=r"C3k2_Extra \(has the parts cv1, cv2, m, position where C3k2 has others"):
        checkpoint.load(path, LAYERS)


def test_what_fits_by_keys_but_does_not_compute_is_refused(fork, tmp_path, monkeypatch):
    block = fork("Squeeze", nn.Module)

    def change(rows):
        module = block()
        nn.Module.__init__(module)
        module.mix = nn.Conv2d(48, 48, 1)
        rows[2] = module
        rows[2].f = -1

    path, _ = save(tmp_path, change)
    forget(monkeypatch)
    with pytest.raises(InputError, match="whose network does not fit the layers here"):
        checkpoint.load(path, LAYERS)


def test_a_checkpoint_of_a_plugin_that_is_off_names_the_plugin(tmp_path, monkeypatch):
    for module, plugin in (("inspector_plugins.glitter.layers", "glitter"), ("bearing_inspector_dropins.a%2Eb", "a.b")):
        made = ModuleType(module)
        made.Glitter = type("Glitter", (nn.Identity,), {"__module__": module, "__qualname__": "Glitter"})
        monkeypatch.setitem(sys.modules, module.rpartition(".")[0], ModuleType("package"))
        monkeypatch.setitem(sys.modules, module, made)

        def change(rows, made=made):
            rows[2].m[0] = made.Glitter()

        path, _ = save(tmp_path, change)
        monkeypatch.delitem(sys.modules, module)
        with pytest.raises(InputError, match=f"needs the plugin '{plugin}', as it contains"):
            checkpoint.load(path, LAYERS)
