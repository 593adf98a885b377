import copy
import io

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.cgnet.blocks import CGNetBackbone, WidenedContextGuidedBlock, context_guided, context_guided_down
from inspector_plugins.cgnet.layers import Context_Guided_Network, ContextGuidedBlock, ContextGuidedBlock_Down


@pytest.mark.parametrize("stride", [4, 8, 16, 32])
@pytest.mark.parametrize("channels", [1, 2, 7, 8, 12, 15, 16, 32, 33, 64, 128, 256])
def test_blocks_stand_with_any_channels(channels, stride):
    block = context_guided(channels, channels, stride).eval()
    for size in ((9, 6), (1, 1)):
        x = torch.randn(2, channels, *size)
        assert block(x).shape == x.shape
    inner = block if channels % 2 == 0 else block.block
    assert type(inner) is ContextGuidedBlock
    assert inner.F_sur.conv.dilation == ((2, 2) if stride <= 8 else (4, 4))
    assert inner.F_glo.fc[0].out_features >= min(4, channels)


def test_the_papers_stages_have_the_papers_reduction():
    assert context_guided(64, 64, 4).F_glo.fc[0].out_features == 64 // 8
    assert context_guided_down(32, 128, 16).F_glo.fc[0].out_features == 128 // 16


@pytest.mark.parametrize(("c1", "c2"), [(16, 32), (33, 9), (8, 1), (64, 64)])
@pytest.mark.parametrize("size", [(9, 6), (1, 1)])
def test_downsampling_halves_and_rounds_up(c1, c2, size):
    down = context_guided_down(c1, c2, 16).eval()
    assert type(down) is ContextGuidedBlock_Down
    assert down(torch.randn(1, c1, *size)).shape == (1, c2, -(-size[0] // 2), -(-size[1] // 2))


def test_a_block_that_changes_the_channels_is_refused():
    with pytest.raises(ValueError, match="c1 is 16, c2 is 32"):
        context_guided(16, 32, 8)


def test_odd_channels_are_added_to_the_input():
    block = context_guided(7, 7, 8).eval()
    x = torch.randn(2, 7, 5, 5)
    assert torch.equal(block(x), x + block.block(x)[:, :7])


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return CGNetBackbone().eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 70), (1, 1)])
def test_backbone_gives_three_maps(backbone, size):
    maps = backbone(torch.randn(2, 3, *size))
    assert [value.shape[1] for value in maps] == list(backbone.channels)
    for value, stride in zip(maps, (8, 16, 32), strict=True):
        assert value.shape[2:] == tuple(-(-side // stride) for side in size)


def test_backbone_takes_the_networks_weights(backbone):
    """Official weights load into stages 1 to 3, whose map is then the network's."""
    network = Context_Guided_Network(M=3, N=4).eval()
    own = copy.deepcopy(backbone)
    result = own.load_state_dict(network.state_dict(), strict=False)
    assert result.unexpected_keys == ["classifier.0.conv.weight"]
    assert all(key.startswith(("level4", "level5", "bn_prelu_4", "bn_prelu_5")) for key in result.missing_keys)
    x = torch.randn(1, 3, 40, 48)
    assert torch.equal(own(x)[0], network.forward_features(x)[-1])


def test_backbone_learns_everywhere():
    torch.manual_seed(0)
    backbone = CGNetBackbone(2, 2, 2).train()
    sum(value.square().mean() for value in backbone(torch.randn(2, 3, 96, 96))).backward()
    blind = [key for key, value in backbone.named_parameters() if value.grad is None or not value.grad.any()]
    assert [key for key in blind if "F_glo.fc.0" not in key] == []  # hidden channels behind a ReLU may sleep


@pytest.mark.parametrize("build", [lambda: context_guided(16, 16, 8), lambda: context_guided(9, 9, 16)])
def test_onnx_is_equal(build, onnx_run):
    block, x = build().eval(), torch.randn(2, 16, 9, 6)
    x = x[:, : 9 if isinstance(block, WidenedContextGuidedBlock) else 16].contiguous()
    torch.testing.assert_close(onnx_run(block, x)[0], block(x), rtol=1e-4, atol=1e-4)


def test_the_backbones_onnx_is_equal(backbone, onnx_run):
    x = torch.randn(1, 3, 70, 64)
    for output, expected in zip(onnx_run(backbone, x), backbone(x), strict=True):
        torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-3)


def test_backbone_survives_checkpoint_autocast_and_merging(backbone):
    x = torch.randn(1, 3, 64, 64)
    expected = backbone(x)
    file = io.BytesIO()
    torch.save(copy.deepcopy(backbone).half(), file)
    file.seek(0)
    back = torch.load(file, weights_only=False).float()
    back.reparameterize()
    back.reparameterize()
    merged = [name for name, part in back.named_modules() if isinstance(part, nn.BatchNorm2d)]
    assert merged == ["b1.bn", "bn_prelu_2.bn", "bn_prelu_3.bn", "bn_prelu_4.bn", "bn_prelu_5.bn"]
    with torch.autocast("cpu", torch.bfloat16):
        rough = backbone(x)
    for output, coarse, wanted in zip(back(x), rough, expected, strict=True):
        spread = wanted.std().item()
        assert (output - wanted).abs().max() < 0.02 * spread
        assert (coarse.float() - wanted).abs().max() < 0.2 * spread


def test_an_empty_stage_is_refused():
    with pytest.raises(ValueError, match="K is 0"):
        CGNetBackbone(K=0)
