"""VMamba as parts of an architecture."""

import copy
import sys
from subprocess import run

import pytest

from inspector.api import LayerSpec, prepare_torch

prepare_torch()

import torch

import inspector_plugins.vmamba as plugin
from inspector_plugins.vmamba.blocks import VMambaBackbone, vss
from inspector_plugins.vmamba.layers import Backbone_VSSM, VSSBlock


def specs() -> dict[str, LayerSpec]:
    return {spec.id: spec for spec in plugin.inspector_layers()}


def test_specs():
    assert list(specs()) == ["vss", "vmamba_t", "vmamba_s", "vmamba_b"]
    assert specs()["vss"].presets == {"vmamba": "+block=vss"}
    assert specs()["vss"].load()[0] is VSSBlock
    assert specs()["vmamba_t"].load()[0] is VMambaBackbone
    for spec in specs().values():
        assert {VSSBlock, *map(type, vss(8, 8, 8).children())} - {torch.nn.Identity} <= set(spec.load())


def test_the_manifest_needs_no_torch():
    code = "import sys, inspector_plugins.vmamba as p; p.inspector_layers(); sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("channels", [8, 13, 16, 64])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (1, 9)])
def test_block(channels, size):
    block = specs()["vss"].build(channels, channels, 8)
    x = torch.randn(3, channels, *size, requires_grad=True)
    y = block(x)
    assert y.shape == x.shape
    y.square().mean().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in block.parameters())
    with pytest.raises(ValueError, match="c1 is 8, c2 is 16"):
        vss(8, 16, 8)


def test_every_pixel_sees_the_whole_map():
    block = vss(8, 8, 8)
    with torch.no_grad():
        block.op.dt_projs_bias.fill_(-4)  # small steps: the state fades slowly
    x = torch.randn(1, 8, 9, 12, requires_grad=True)
    for row, column in ((0, 0), (8, 11), (4, 5)):
        (gradient,) = torch.autograd.grad(block(x)[0, :, row, column].square().sum(), x)
        assert (gradient[0].abs().sum(0) > 0).all()


@torch.no_grad()
def test_block_survives_a_checkpoint():
    """Halved, unpickled without its constructor, and made 32 bit again."""
    block = vss(16, 16, 8).eval()
    kept = copy.deepcopy(block).half()
    again = VSSBlock.__new__(VSSBlock)
    again.__dict__.update(copy.deepcopy(kept.__dict__))
    x = torch.randn(1, 16, 9, 9)
    torch.testing.assert_close(again.float()(x), block(x), rtol=0.01, atol=0.01)


def test_sizes_may_change_between_calls():
    block = vss(8, 8, 8).eval()
    with torch.no_grad():
        for size in ((4, 4), (20, 3), (1, 1), (4, 4)):
            assert block(torch.zeros(1, 8, *size)).shape == (1, 8, *size)


@torch.no_grad()
def test_backbone():
    backbone = specs()["vmamba_t"].build().eval()
    maps = backbone(torch.randn(1, 3, 64, 96))
    assert [tuple(value.shape) for value in maps] == [(1, 192, 8, 12), (1, 384, 4, 6), (1, 768, 2, 3)]
    assert backbone.channels == [192, 384, 768]
    assert not any(key.startswith(("outnorm0", "classifier")) for key in backbone.state_dict())
    assert isinstance(backbone, Backbone_VSSM)
    assert [tuple(value.shape[2:]) for value in backbone(torch.randn(1, 3, 33, 65))] == [(5, 9), (3, 5), (2, 3)]


def test_members():
    with torch.device("meta"):
        millions = {name: sum(value.numel() for value in VMambaBackbone(name).parameters()) / 1e6 for name in "tsb"}
    assert {name: round(value) for name, value in millions.items()} == {"t": 29, "s": 49, "b": 88}
    with pytest.raises(ValueError, match="expected one of t, s, b, got 'x'"):
        VMambaBackbone("x")


def test_backbone_trains():
    backbone = VMambaBackbone("t")
    sum(value.square().mean() for value in backbone(torch.randn(2, 3, 32, 32))).backward()
    assert all(value.grad is not None for value in backbone.parameters())
