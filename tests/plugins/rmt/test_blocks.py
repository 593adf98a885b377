"""The retention block and the backbones in a YOLO network."""

import copy
import pickle

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.rmt.blocks import RetentionBlock, RMTBackbone, heads_for
from inspector_plugins.rmt.layers import CLASSES, MaSA, MaSAd, VisRetNet


def block(channels=16, stride=8):
    torch.manual_seed(0)
    return RetentionBlock(channels, channels, stride).eval()


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return RMTBackbone("T").eval()


@pytest.mark.parametrize("channels", [8, 9, 12, 13, 16, 17, 18, 20, 24, 27, 48, 64, 100, 128, 131, 256])
def test_heads_divide_the_channels(channels):
    heads = heads_for(channels)
    assert channels % heads == 0
    assert 1 <= heads <= 8
    assert heads == 1 or channels // heads >= 8
    assert channels % 2 or channels // heads % 2 == 0, "even parts wherever the channels are even"


@pytest.mark.parametrize(("channels", "heads"), [(8, 1), (16, 2), (32, 4), (64, 8), (128, 8), (256, 8)])
def test_heads_of_the_usual_widths(channels, heads):
    assert heads_for(channels) == heads


@pytest.mark.parametrize(("stride", "kind"), [(4, MaSAd), (8, MaSAd), (16, MaSAd), (32, MaSA), (64, MaSA)])
def test_small_maps_are_retained_as_a_whole(stride, kind):
    assert isinstance(block(stride=stride).block.retention, kind)


@pytest.mark.parametrize("stride", [8, 32])
@pytest.mark.parametrize("channels", [8, 13, 32])
@pytest.mark.parametrize("size", [(6, 9), (1, 1), (7, 1)])
def test_shapes_and_layouts(stride, channels, size):
    module, x = block(channels, stride), torch.randn(2, channels, *size)
    found = module(x)
    assert found.shape == x.shape
    torch.testing.assert_close(module(x.to(memory_format=torch.channels_last)), found)


def test_the_block_is_a_retblock_with_its_masks():
    module, x = block(), torch.randn(1, 16, 5, 6)
    masks = module.Relpos((5, 6), chunkwise_recurrent=True)
    expected = module.block(x.permute(0, 2, 3, 1), retention_rel_pos=masks).permute(0, 3, 1, 2)
    torch.testing.assert_close(module(x), expected)
    assert module.block.ffn.fc1.out_features == 32


@pytest.mark.parametrize("stride", [8, 32])
def test_transposed_maps_matter(stride):
    """Chunk retention goes along rows first; a whole map has no order."""
    module, x = block(stride=stride), torch.randn(1, 16, 5, 6)
    for weight in (module.block.pos.conv.weight, module.block.retention.lepe.conv.weight):
        nn.init.zeros_(weight)
    for name in ("q_proj", "k_proj"):
        nn.init.normal_(getattr(module.block.retention, name).weight)
    same = torch.allclose(module(x), module(x.transpose(2, 3)).transpose(2, 3), atol=1e-5)
    assert same == (stride == 32)


@pytest.mark.parametrize("stride", [8, 32])
def test_a_checkpoint_of_16_bit_computes_the_same(stride):
    module, x = block(stride=stride), torch.randn(1, 16, 9, 11)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module).half())).float()
    for name, value in again.named_parameters():
        value.data = module.get_parameter(name).data
    assert torch.equal(again(x), module(x)), "rounded buffers must not show"


@pytest.mark.parametrize("stride", [8, 32])
def test_16_bit_and_autocast(stride):
    module, x = block(stride=stride), torch.randn(1, 16, 9, 11)
    expected = module(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(module(x).float(), expected, rtol=0.05, atol=0.1)
    torch.testing.assert_close(copy.deepcopy(module).half()(x.half()).float(), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("stride", [8, 32])
def test_exports_are_equal_to_eager(onnx_run, stride):
    module, x = block(stride=stride), torch.randn(2, 16, 6, 9)
    with torch.no_grad():
        torch.testing.assert_close(onnx_run(module, x)[0], module(x), rtol=1e-3, atol=1e-4)
        other = torch.randn(1, 16, 4, 3)
        torch.testing.assert_close(torch.jit.trace(module, x)(other), module(other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [4, 32])
def test_training_reaches_every_parameter(stride):
    module = block(stride=stride).train()
    module(torch.randn(2, 16, 5, 7, requires_grad=True)).square().sum().backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in module.parameters())


def test_other_channels_out_than_in_are_refused():
    with pytest.raises(ValueError, match="cannot make 32 of 16"):
        RetentionBlock(16, 32, 8)


@pytest.mark.parametrize("size", [(64, 96), (70, 33)])
def test_backbone_gives_the_maps_of_stride_8_to_32(tiny, size):
    maps = tiny(torch.randn(2, 3, *size))
    for found, channels, stride in zip(maps, tiny.channels, (8, 16, 32), strict=True):
        assert found.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        torch.testing.assert_close(found.mean(1), torch.zeros_like(found[:, 0]), atol=1e-4, rtol=0)


def test_backbone_is_the_network_of_the_paper(tiny):
    from inspector_plugins.rmt.layers import SIZES

    network = VisRetNet(num_classes=0, **SIZES["T"]).eval()
    report = network.load_state_dict(tiny.state_dict(), strict=False)
    assert all(key.startswith("norm.") for key in report.missing_keys)
    assert all(key.startswith("extra_norms.") for key in report.unexpected_keys)
    x = torch.randn(1, 3, 64, 64)
    for found, whole, norm in zip(tiny(x), network.forward_maps(x)[1:], tiny.extra_norms, strict=True):
        torch.testing.assert_close(found, norm(whole).permute(0, 3, 1, 2))


def test_training_the_backbone_reaches_every_parameter():
    module = RMTBackbone("T").train()
    sum(found.square().mean() for found in module(torch.randn(2, 3, 64, 64))).backward()
    assert [name for name, value in module.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize(
    ("size", "millions", "channels"),
    [
        ("T", 12.7, [128, 256, 512]),
        ("S", 25.2, [128, 256, 512]),
        ("B", 52.2, [160, 320, 512]),
        ("L", 93.2, [224, 448, 640]),
    ],
)
def test_published_sizes(size, millions, channels):
    with torch.device("meta"):
        module = RMTBackbone(size)
    assert module.channels == channels
    assert sum(value.numel() for value in module.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    maps = module(torch.zeros(1, 3, 640, 640, device="meta"))
    assert [tuple(found.shape) for found in maps] == [
        (1, width, side, side) for width, side in zip(channels, (80, 40, 20), strict=True)
    ]


def test_backbone_export_is_equal_to_eager(tiny, onnx_run):
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for found, expected in zip(onnx_run(tiny, x), tiny(x), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match="T, S, B, L, not 'XL'"):
        RMTBackbone("XL")


def test_a_checkpoint_names_only_classes_of_torch_and_of_the_plugin(tiny):
    own = {RetentionBlock, RMTBackbone, *CLASSES}
    for module in (tiny, block(), block(stride=32)):
        for part in module.modules():
            assert type(part) in own or type(part).__module__.startswith("torch.nn.")
            plain = {name: value for name, value in vars(part).items() if not name.startswith("_")}
            kinds = (bool, int, float, str, list, tuple, type(None))
            if type(part) in own:
                assert all(isinstance(value, kinds) for value in plain.values()), plain
