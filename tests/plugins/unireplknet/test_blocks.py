import copy
import pickle
import subprocess
import sys

import pytest

from inspector.api import prepare_torch
from inspector_plugins.unireplknet import inspector_layers

prepare_torch()

import torch
from torch import nn
from ultralytics.utils.torch_utils import fuse_conv_and_bn

from inspector_plugins.unireplknet.blocks import DilatedReparamBottleneck, UniRepLKNetBackbone
from inspector_plugins.unireplknet.layers import unireplknet_a

SPECS = {spec.id: spec for spec in inspector_layers()}
# Parameters in millions of the backbones alone, as those of the official code.
MILLIONS = {"a": 4.33, "f": 6.1, "p": 10.6, "n": 18.2, "t": 31, "s": 55.7}


def test_the_specs_import_nothing_heavy():
    code = (
        "import sys; from inspector_plugins.unireplknet import inspector_layers; inspector_layers();"
        "sys.exit(', '.join({'torch', 'numpy', 'ultralytics'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_specs():
    members = ["a", "f", "p", "n", "t", "s", "b", "l", "xl"]
    assert list(SPECS) == ["unireplknet", "dilated_reparam", *(f"unireplknet_{name}" for name in members)]
    assert SPECS["unireplknet"].presets == {"unireplknet": "+block=unireplknet"}
    assert {spec.kind for spec in SPECS.values()} == {"block", "backbone"}
    for spec in SPECS.values():
        assert "2311.15599" in spec.paper and spec.title.en and spec.title.zh
        assert all(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in spec.load())


@pytest.mark.parametrize("name", ["unireplknet", "dilated_reparam"])
@pytest.mark.parametrize(("channels", "stride"), [(8, 4), (16, 8), (30, 16), (128, 32)])
def test_blocks_keep_the_shape_and_merge(name, channels, stride, randomised):
    block = SPECS[name].build(channels, channels, stride)
    allowed = set(SPECS[name].load())
    for part in block.modules():
        assert type(part) in allowed or type(part).__module__.startswith(("torch.nn.", "ultralytics.nn."))
    assert copy.deepcopy(block).train()(torch.randn(2, channels, 6, 5)).shape == (2, channels, 6, 5)
    x = torch.randn(1, channels, 14, 9)
    block = randomised(block)
    expected = block(x)
    for module in (pickle.loads(pickle.dumps(block)), copy.deepcopy(block)):
        torch.testing.assert_close(module(x), expected)
    for _ in range(2):
        for part in list(block.modules()):
            if hasattr(part, "reparameterize"):
                part.reparameterize()
        torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)
    assert block(x[..., :1, :1]).shape == (1, channels, 1, 1)


def test_the_kernel_is_larger_where_the_map_is_small():
    sizes = [SPECS["unireplknet"].build(16, 16, stride).dwconv.lk_origin.kernel_size for stride in (4, 8, 16, 32)]
    assert sizes == [(7, 7), (7, 7), (13, 13), (13, 13)]


@pytest.mark.parametrize("name", ["unireplknet", "dilated_reparam"])
def test_a_block_learns_in_a_short_training(name):
    """No weight has a gradient that is a millionth of the others at the first step."""
    torch.manual_seed(0)
    block = SPECS[name].build(16, 16, 8)
    (block(torch.randn(4, 16, 8, 8)) * torch.randn(4, 16, 8, 8)).sum().backward()
    gradients = {
        key: float(value.grad.norm()) for key, value in block.named_parameters() if key.endswith(("weight", "gamma"))
    }
    largest = max(gradients.values())
    assert all(norm > 1e-4 * largest for norm in gradients.values()), gradients


def test_the_bottleneck_is_its_equation_and_fuses_as_ultralytics_does(randomised, onnx_run):
    block, x = randomised(DilatedReparamBottleneck(8, 8, 16)), torch.randn(1, 8, 11, 7)
    inner = block.cv1.bn(block.cv1.conv(x))
    expected = x + block.cv2(inner * torch.sigmoid(inner))
    torch.testing.assert_close(block(x), expected)
    torch.testing.assert_close(onnx_run(block, x)[0], expected, rtol=1e-4, atol=1e-4)
    block.cv1.conv = fuse_conv_and_bn(block.cv1.conv, block.cv1.bn)
    block.cv1.forward = block.cv1.forward_fuse
    block.cv2.reparameterize()
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("member", MILLIONS)
def test_parameters_of_the_backbones(member):
    with torch.device("meta"):
        network = SPECS[f"unireplknet_{member}"].build()
    count = sum(value.numel() for value in network.parameters()) / 1e6
    assert count == pytest.approx(MILLIONS[member], rel=0.005)


def test_a_backbone_is_the_official_network_without_its_first_map(randomised):
    backbone, official = SPECS["unireplknet_a"].build(), randomised(unireplknet_a(num_classes=None))
    missing = backbone.load_state_dict(official.state_dict(), strict=False)
    assert missing.missing_keys == [] and missing.unexpected_keys == ["norm0.weight", "norm0.bias"]
    x = torch.randn(1, 3, 70, 97)
    with torch.inference_mode():
        maps, expected = backbone.eval()(x), official(x)[1:]
        for first, second in zip(maps, expected, strict=True):
            torch.testing.assert_close(first, second)
        assert [value.shape[1] for value in maps] == backbone.channels == [80, 160, 320]
        assert [tuple(value.shape[2:]) for value in maps] == [(9, 13), (5, 7), (3, 4)]
        backbone.reparameterize()
        assert not any(isinstance(part, nn.BatchNorm2d) for part in backbone.modules())
        for first, second in zip(backbone(x), expected, strict=True):
            torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["unireplknet", "dilated_reparam"])
def test_other_numbers_of_channels_are_refused(name):
    with pytest.raises(ValueError, match="c2 should be 16, got 32"):
        SPECS[name].build(16, 32, 8)


def test_an_unknown_member_is_refused():
    with pytest.raises(ValueError, match=r"a, f, p, .* got 'q'"):
        UniRepLKNetBackbone("q")
