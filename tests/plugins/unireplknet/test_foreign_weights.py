import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.unireplknet.layers import (
    DilatedReparamBlock,
    GRNwithNHWC,
    LayerNorm,
    SEBlock,
    UniRepLKNet,
    UniRepLKNetBlock,
)

SMALL = {"depths": (1, 1, 2, 1), "dims": (8, 12, 16, 24), "kernel_sizes": ((3,), (7,), (13, 5), (0,))}
MAP = (2, 8, 9, 11)
MAKE = {
    "grn": (lambda: GRNwithNHWC(8), (2, 5, 6, 8)),
    "grn without bias": (lambda: GRNwithNHWC(8, False), (2, 5, 6, 8)),
    "layer norm": (lambda: LayerNorm(8, 1e-3, "channels_first"), MAP),
    "se": (lambda: SEBlock(8, 3), MAP),
    "drb": (lambda: DilatedReparamBlock(8, 9), MAP),
    "drb merged": (lambda: DilatedReparamBlock(8, 9, deploy=True), MAP),
    "block": (lambda: UniRepLKNetBlock(8, 13, drop_path=0.2, ffn_factor=3), MAP),
    "block 0": (lambda: UniRepLKNetBlock(8, 0, ffn_factor=4.4), MAP),
    "block 3": (lambda: UniRepLKNetBlock(8, 3, layer_scale_init_value=None), MAP),
    "block merged": (lambda: UniRepLKNetBlock(8, 7, deploy=True), MAP),
    "features": (lambda: UniRepLKNet(num_classes=None, drop_path_rate=0.3, **SMALL), (1, 3, 64, 48)),
    "logits": (lambda: UniRepLKNet(num_classes=7, in_chans=4, layer_scale_init_value=None, **SMALL), (1, 4, 64, 48)),
    "network merged": (lambda: UniRepLKNet(num_classes=None, deploy=True, **SMALL), (1, 3, 64, 48)),
}


@pytest.mark.parametrize("name", MAKE)
def test_a_module_of_other_code_is_taken_over(name, randomised, stranger):
    make, shape = MAKE[name]
    module = randomised(make())
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps, part.momentum = 0.05, 0.03
    loaded = type(module).load_foreign(stranger(module))
    assert not any(part.training for part in loaded.modules())
    x = torch.randn(shape)
    torch.testing.assert_close(loaded(x), module(x), rtol=0, atol=0)
    rates, norms = [], []
    for network in (module, loaded):
        rates.append([part.drop_prob for part in network.modules() if hasattr(part, "drop_prob")])
        norms.append([(p.eps, p.momentum) for p in network.modules() if isinstance(p, nn.BatchNorm2d)])
    assert rates[0] == rates[1] and norms[0] == norms[1]


def test_parts_adopted_before_the_whole(randomised, stranger):
    block = randomised(UniRepLKNetBlock(8, 7))
    foreign = stranger(block)
    foreign.dwconv = DilatedReparamBlock.load_foreign(foreign.dwconv)
    foreign.se = SEBlock.load_foreign(foreign.se)
    foreign.act[1] = GRNwithNHWC.load_foreign(foreign.act[1])
    x = torch.randn(MAP)
    torch.testing.assert_close(UniRepLKNetBlock.load_foreign(foreign)(x), block(x), rtol=0, atol=0)


def test_half_precision_weights_are_taken_over(randomised, stranger):
    block = randomised(UniRepLKNetBlock(8, 7)).half()
    loaded = UniRepLKNetBlock.load_foreign(stranger(block))
    for key, value in block.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value.to(loaded.state_dict()[key].dtype))


def test_collections_without_the_last_normalisations(randomised, stranger):
    network = randomised(UniRepLKNet(num_classes=None, **SMALL))
    foreign = stranger(network)
    for number in range(4):
        delattr(foreign, f"norm{number}")
    loaded, x = UniRepLKNet.load_foreign(foreign), torch.randn(1, 3, 64, 64)
    for number, feature in enumerate(loaded(x)):
        x = network.stages[number](network.downsample_layers[number](x))
        torch.testing.assert_close(feature, x)


def broken(change):
    def make(stranger):
        foreign = stranger(UniRepLKNet(num_classes=None, **SMALL))
        change(foreign)
        return foreign

    return make


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net: delattr(net.stages[1][0].dwconv, "dil_conv_k3_3"), "stages.1.0.dwconv.dil_conv_k3_3.weight"),
        (lambda net: delattr(net.stages[0][0].se, "up"), "stages.0.0.se.up.weight"),
        (lambda net: delattr(net.stages[0][0], "pwconv1"), "pwconv1.1.weight is missing"),
        (lambda net: setattr(net, "extra", nn.Linear(2, 2)), "extra.weight"),
        (lambda net: setattr(net.stages[0][0].se, "up", nn.Conv2d(5, 8, 1)), "size mismatch for stages.0.0.se.up"),
        (lambda net: net.stages.__delitem__(3), "stages.3.* is missing"),
        (
            lambda net: setattr(net.stages[0][0].dwconv, "dilation", (2, 2)),
            r"stages.0.0.dwconv has dilation .*2",
        ),
        (lambda net: net.stages[0][0].act.__setitem__(0, nn.SiLU()), "stages.0.0.act.0 should be GELU, got SiLU"),
    ],
)
def test_what_does_not_fit_is_named(change, words, stranger):
    with pytest.raises(ValueError, match=words):
        UniRepLKNet.load_foreign(broken(change)(stranger))


@pytest.mark.parametrize("kind", [GRNwithNHWC, SEBlock, LayerNorm, DilatedReparamBlock, UniRepLKNetBlock, UniRepLKNet])
def test_something_else_is_refused(kind):
    with pytest.raises(ValueError, match="not fit"):
        kind.load_foreign(nn.Sequential(nn.Conv2d(3, 3, 3)))
