"""DropPath, FeedForwardNetwork and RetBlock."""

import copy

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812

from inspector_plugins.rmt.layers import DropPath, FeedForwardNetwork, MaSA, MaSAd, RelPos2d, RetBlock


def block(retention="chunk", **options):
    torch.manual_seed(0)
    module = RetBlock(retention, 12, 3, 20, **options).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def masks(module, height, width):
    return RelPos2d(12, 3, 1, 3)((height, width), chunkwise_recurrent=isinstance(module.retention, MaSAd))


@pytest.mark.parametrize("name", ["rmtA_retblock_chunk_ls0", "rmtA_retblock_whole_ls0"])
def test_golden_blocks(golden, name):
    case = golden(name)
    config = dict(case.config)
    position, options = RelPos2d(**config.pop("relpos")), config.pop("relpos_kwargs")
    module = RetBlock(**config).eval()
    module.load_state_dict(case.state_dict, strict=True)
    x = case.inputs["x"]
    chunk = options.get("chunkwise_recurrent", False)
    case.close(module(x, None, chunk, position(x.shape[1:3], **options)), case.outputs["y"])


@pytest.mark.parametrize("retention", ["chunk", "whole"])
@pytest.mark.parametrize("scaled", [False, True])
def test_block_is_its_three_residual_steps(retention, scaled):
    module = block(retention, layerscale=scaled)
    x = torch.randn(2, 4, 5, 12)
    position = masks(module, 4, 5)
    first, second = (module.gamma_1, module.gamma_2) if scaled else (1, 1)
    weight, bias = module.pos.conv.weight, module.pos.conv.bias
    y = x + F.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1, groups=12).permute(0, 2, 3, 1)

    def normed(norm, y):
        return F.layer_norm(y, (12,), norm.weight, norm.bias, 1e-6)

    y = y + first * module.retention(normed(module.retention_layer_norm, y), position)
    hidden = F.gelu(F.linear(normed(module.final_layer_norm, y), module.ffn.fc1.weight, module.ffn.fc1.bias))
    y = y + second * F.linear(hidden, module.ffn.fc2.weight, module.ffn.fc2.bias)
    torch.testing.assert_close(module(x, None, retention == "chunk", position), y, rtol=1e-5, atol=1e-5)


def test_layer_scale_starts_from_its_value():
    module = RetBlock("whole", 8, 2, 16, layerscale=True, layer_init_values=1e-3)
    assert module.gamma_1.shape == module.gamma_2.shape == (1, 1, 1, 8)
    assert torch.all(module.gamma_1 == 1e-3)
    assert isinstance(module.retention, MaSA)


def test_the_switches_of_the_official_signature_change_nothing():
    module, x = block(), torch.randn(1, 3, 4, 12)
    position = masks(module, 3, 4)
    expected = module(x, retention_rel_pos=position)
    assert torch.equal(module(x, {"state": 1}, True, position), expected)


@pytest.mark.parametrize("retention", ["chunk", "whole"])
def test_block_in_16_bit_and_on_one_pixel(retention):
    module, x = block(retention), torch.randn(2, 1, 1, 12)
    expected = module(x, None, False, masks(module, 1, 1)).detach()
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x, None, False, masks(module, 1, 1))
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05 * expected.abs().max().item())
    halves = copy.deepcopy(module).half()(x.half(), None, False, masks(module, 1, 1))
    torch.testing.assert_close(halves.float(), expected, rtol=0.02, atol=0.02)


def test_feed_forward_with_other_activation_and_norm():
    torch.manual_seed(0)
    module = FeedForwardNetwork(6, 10, F.relu, subln=True, layernorm_eps=1e-3).eval()
    x = torch.randn(2, 3, 4, 6)
    hidden = F.layer_norm(F.relu(module.fc1(x)), (10,), eps=1e-3)
    torch.testing.assert_close(module(x), module.fc2(hidden))
    assert {"ffn_layernorm.weight", "ffn_layernorm.bias"} <= module.state_dict().keys()


def test_feed_forward_drops_values_only_while_training():
    module = FeedForwardNetwork(6, 10, dropout=0.5)
    x = torch.randn(50, 6)
    share = (module(x) == 0).float().mean().item()
    assert 0.35 < share < 0.65
    assert torch.all(module.eval()(x) != 0)


def test_drop_path_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    module, x = DropPath(0.25), torch.ones(4000, 2, 3)
    y = module(x)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(y, y[:, :1, :1].expand_as(y))
    assert y.mean().item() == pytest.approx(1, abs=0.05)
    assert module.eval()(x) is x


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: RetBlock("rows", 8, 2, 16), "'chunk' or 'whole', not 'rows'"),
        (lambda: RetBlock("chunk", 9, 2, 16), "9 and 2"),
        (lambda: RetBlock("chunk", 8, 2, 16, drop_path=1), "less than 1, got 1"),
        (lambda: FeedForwardNetwork(8, 16, lambda x: x), "function of torch.nn.functional"),
        (lambda: block()(torch.zeros(1, 2, 2, 12)), "needs retention_rel_pos"),
    ],
)
def test_impossible_arguments(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()
