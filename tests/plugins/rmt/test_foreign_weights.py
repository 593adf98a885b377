"""Modules of the same names from other code, as in an unpickled checkpoint: tensors, children, attributes."""

import copy

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from inspector_plugins.rmt import layers
from inspector_plugins.rmt.layers import (
    BasicLayer,
    DWConv2d,
    FeedForwardNetwork,
    MaSA,
    MaSAd,
    PatchEmbed,
    PatchMerging,
    RelPos2d,
    RetBlock,
    VisRetNet,
)


class Foreign(nn.Module):
    """A placeholder without code."""


def foreign(module: nn.Module) -> nn.Module:
    """The module as a placeholder of the same class name, with placeholders for all children of ours."""
    if type(module) not in layers.CLASSES and not isinstance(module, nn.ModuleList):
        return copy.deepcopy(module)
    kind = nn.ModuleList if isinstance(module, nn.ModuleList) else type(type(module).__name__, (Foreign,), {})
    made = kind.__new__(kind)
    nn.Module.__init__(made)
    for name, value in vars(module).items():
        if name not in ("_parameters", "_buffers", "_modules"):
            made.__dict__[name] = copy.deepcopy(value)
    for name, parameter in module.named_parameters(recurse=False):
        made.register_parameter(name, nn.Parameter(parameter.detach().clone()))
    for name, buffer in module.named_buffers(recurse=False):
        made.register_buffer(name, buffer.clone())
    for name, child in module._modules.items():
        made._modules[name] = None if child is None else foreign(child)
    return made


def randomised(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.eval()


def network():
    made = VisRetNet(
        num_classes=3,
        embed_dims=[8, 12, 16, 24],
        depths=[1, 2, 1, 1],
        num_heads=[2, 2, 4, 4],
        init_values=[2, 2, 1, 2],
        heads_ranges=[4, 4, 6, 6],
        mlp_ratios=[3, 2.1, 3, 3],
        layerscales=[False, False, True, True],
    )
    return randomised(made)


def masks(module, x, chunk):
    return RelPos2d(12, 3, 1, 3)((x.shape[1], x.shape[2]), chunkwise_recurrent=chunk)


@pytest.mark.parametrize(
    ("module", "run"),
    [
        (DWConv2d(12, 5, 1, 2), lambda m, x: m(x)),
        (DWConv2d(12, 3, 2, 1), lambda m, x: m(x)),
        (MaSA(12, 3), lambda m, x: m(x, masks(m, x, False))),
        (MaSAd(12, 3), lambda m, x: m(x, masks(m, x, True))),
        (MaSAd(12, 3, 2), lambda m, x: m(x, masks(m, x, True))),
        (FeedForwardNetwork(12, 20), lambda m, x: m(x)),
        (FeedForwardNetwork(12, 20, subln=True), lambda m, x: m(x)),
        (RetBlock("whole", 12, 3, 24), lambda m, x: m(x, None, False, masks(m, x, False))),
        (RetBlock("chunk", 12, 3, 24, 0.2, True), lambda m, x: m(x, None, True, masks(m, x, True))),
        (PatchMerging(12, 20), lambda m, x: m(x)),
        (PatchEmbed(3, 12), lambda m, x: m(x[..., :3].permute(0, 3, 1, 2))),
        (BasicLayer(12, 12, 2, 3, 1, 3, 24), lambda m, x: m(x)),
        (BasicLayer(12, 16, 1, 3, 1, 3, 24, 0.1, chunkwise_recurrent=True, downsample=PatchMerging), lambda m, x: m(x)),
    ],
    ids=lambda item: type(item).__name__,
)
def test_an_adopted_module_computes_the_same(module, run):
    randomised(module)
    for norm in (part for part in module.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.eps = 1e-3  # as ultralytics sets it
    x = torch.randn(2, 4, 5, 12)
    loaded = type(module).load_foreign(foreign(module).half().float())
    assert not loaded.training
    reference = copy.deepcopy(module)
    reference.load_state_dict(copy.deepcopy(module).half().state_dict())
    torch.testing.assert_close(run(loaded, x), run(reference, x))
    again = type(module).load_foreign(module)
    assert torch.equal(run(again, x), run(module, x))


def test_an_adopted_network_computes_the_same():
    made = network()
    made.layers[1].blocks[0].drop_path.drop_prob = 0.35
    loaded = VisRetNet.load_foreign(foreign(made))
    x = torch.randn(2, 3, 48, 64)
    torch.testing.assert_close(loaded(x), made(x))
    assert loaded.layers[1].blocks[0].drop_path.drop_prob == 0.35
    assert [layer.blocks[0].ffn.fc1.out_features for layer in loaded.layers] == [24, 25, 48, 72]


def test_masks_of_an_adopted_module_are_exact():
    rounded = foreign(RelPos2d(32, 4, 2, 6)).half()
    found = RelPos2d.load_foreign(rounded)((9, 7))
    assert torch.equal(found, RelPos2d(32, 4, 2, 6)((9, 7)))


def test_a_function_that_was_not_loaded_counts_as_the_official_one():
    placeholder = foreign(FeedForwardNetwork(6, 8))
    placeholder.activation_fn = object()
    assert FeedForwardNetwork.load_foreign(placeholder).activation_fn is F.gelu
    placeholder.activation_fn = F.gelu
    assert FeedForwardNetwork.load_foreign(placeholder).activation_fn is F.gelu
    placeholder.activation_fn = F.relu
    with pytest.raises(ValueError, match="activation_fn"):
        FeedForwardNetwork.load_foreign(placeholder)


def without(path):
    """The network's placeholder without an attribute or child."""
    made = foreign(network())
    parent, _, name = path.rpartition(".")
    delattr(made.get_submodule(parent), name)
    return made


def changed(path, value):
    made = foreign(network())
    parent, _, name = path.rpartition(".")
    setattr(made.get_submodule(parent), name, value)
    return made


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: without("norm"), r'Missing .*"norm\.weight", "norm\.bias"'),
        (lambda: without("layers"), "layers is missing"),
        (lambda: without("patch_embed.proj"), r"patch_embed\.proj\.0\.weight is missing"),
        (lambda: without("layers.1.blocks.0.retention.num_heads"), "num_heads is missing"),
        (lambda: without("layers.1.blocks.1.retention.num_heads"), "num_heads None, not 2"),
        (lambda: without("layers.0.Relpos.initial_value"), "initial_value is missing"),
        (lambda: without("layers.2.blocks.0.gamma_2"), r"Missing .*layers\.2\.blocks\.0\.gamma_2"),
        (lambda: without("layers.0.downsample"), r"Missing .*layers\.0\.downsample\.reduction\.weight"),
        (lambda: changed("layers.1.blocks.1.retention.num_heads", 3), "num_heads 3, not 2"),
        (lambda: changed("layers.1.blocks.0.pos.conv", nn.Conv2d(12, 12, 3, 1, 2, groups=12)), r"padding \(2, 2\)"),
        (lambda: changed("layers.1.blocks.0.ffn.dwconv", nn.Conv2d(25, 25, 3)), r"Unexpected .*ffn\.dwconv\.weight"),
        (lambda: changed("layers.1.blocks.0.retention", nn.Linear(12, 12)), "is missing"),
        (
            lambda: changed("layers.3.blocks.0.ffn.fc2", nn.Linear(72, 20)),
            r"mismatch for layers\.3\.blocks\.0\.ffn\.fc2",
        ),
        (lambda: changed("layers.0.Relpos.decay", torch.tensor([-0.5, -0.1])), r"layers\.0\.Relpos has decay \[-0\.5"),
        (lambda: changed("channel", [8, 12, 16, 24]), "list of maps"),
        (lambda: nn.Module(), "layers is missing"),
    ],
)
def test_what_does_not_fit_is_named(made, message):
    with pytest.raises(ValueError, match=message):
        VisRetNet.load_foreign(made())


@pytest.mark.parametrize("cls", [cls for cls in layers.CLASSES if hasattr(cls, "load_foreign")])
def test_nothing_fits_an_empty_module(cls):
    with pytest.raises(ValueError, match=r"[Mm]issing"):
        cls.load_foreign(Foreign())
