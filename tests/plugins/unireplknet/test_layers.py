import copy
import io
import pickle

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn
from torch.nn import functional

from inspector_plugins.unireplknet import layers
from inspector_plugins.unireplknet.layers import (
    DilatedReparamBlock,
    GRNwithNHWC,
    LayerNorm,
    SEBlock,
    UniRepLKNet,
    UniRepLKNetBlock,
)
from inspector_plugins.unireplknet.parts import DropPath
from inspector_plugins.unireplknet.tables import BRANCHES, MEMBERS

SMALL = {"depths": (1, 1, 2, 1), "dims": (8, 12, 16, 24), "kernel_sizes": ((3,), (7,), (13, 5), (0,))}
CASES = ["grn_bias1", "grn_bias0", "se", "layernorm_channels_first", "layernorm_channels_last"]
DRB = [f"drb_k{size}" for size in (5, 7, 11, 15, 17)]
BLOCKS = [f"block_k{size}" for size in (0, 3, 5, 7)]
CLASSES = {"grn": GRNwithNHWC, "se": SEBlock, "layernorm": LayerNorm, "drb": DilatedReparamBlock}
CLASSES |= {"block": UniRepLKNetBlock}


def shifted(x, rows, columns):
    """x moved up and left by rows and columns, zeros coming in."""
    reach = max(abs(rows), abs(columns), 1)
    padded = functional.pad(x, [reach] * 4)
    height, width = x.shape[-2:]
    return padded[..., reach + rows : reach + rows + height, reach + columns : reach + columns + width]


def depthwise(x, conv, dilation):
    """The definition: a sum over the taps of the kernel."""
    reach = conv.weight.shape[-1] // 2
    y = torch.zeros_like(x)
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            weight = conv.weight[:, 0, row + reach, column + reach].view(-1, 1, 1)
            y = y + weight * shifted(x, row * dilation, column * dilation)
    return y if conv.bias is None else y + conv.bias.view(-1, 1, 1)


def normalised(x, norm):
    mean, variance, weight, bias = (
        value.view(-1, 1, 1) for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return weight * (x - mean) / (variance + norm.eps) ** 0.5 + bias


def branches(x, block):
    """Reference implementation of a dilated reparam block, on 64-bit tensors."""
    y = normalised(depthwise(x, block.lk_origin, 1), block.origin_bn)
    for name, conv in block.named_children():
        if name.startswith("dil_conv_k"):
            dilation = int(name.rpartition("_")[2])
            y = y + normalised(depthwise(x, conv, dilation), getattr(block, name.replace("conv", "bn")))
    return y


def meaning(x, block):
    """Reference implementation of a UniRepLKNet block, on 64-bit tensors."""
    y = x
    if isinstance(block.dwconv, DilatedReparamBlock):
        y = branches(y, block.dwconv)
    elif isinstance(block.dwconv, nn.Conv2d):
        y = depthwise(y, block.dwconv, 1)
    if isinstance(block.norm, nn.BatchNorm2d):
        y = normalised(y, block.norm)
    mean = y.mean(dim=(2, 3))
    inner = torch.clamp(mean @ block.se.down.weight[:, :, 0, 0].T + block.se.down.bias, min=0)
    gate = 1 / (1 + torch.exp(-(inner @ block.se.up.weight[:, :, 0, 0].T + block.se.up.bias)))
    y = y * gate[:, :, None, None]
    first, second, grn = block.pwconv1[1], block.pwconv2[0], block.act[1]
    y = torch.einsum("nchw,dc->ndhw", y, first.weight) + first.bias.view(-1, 1, 1)
    y = 0.5 * y * (1 + torch.erf(y / 2**0.5))
    strength = (y**2).sum(dim=(2, 3), keepdim=True) ** 0.5
    response = strength / (strength.mean(dim=1, keepdim=True) + 1e-6)
    y = (grn.gamma.view(-1, 1, 1) * response + 1) * y + grn.beta.view(-1, 1, 1)
    y = normalised(torch.einsum("nchw,dc->ndhw", y, second.weight), block.pwconv2[2])
    return x + (y if block.gamma is None else block.gamma.view(-1, 1, 1) * y)


@pytest.mark.parametrize("name", CASES + DRB + BLOCKS)
def test_golden_layers(golden, name):
    case = golden(f"uni_{name}")
    layer = CLASSES[name.partition("_")[0]](**case.config).eval()
    layer.load_state_dict(case.state_dict)
    with torch.inference_mode():
        case.close(layer(case.inputs["x"]), case.outputs["y"])


@pytest.mark.parametrize("name", DRB + BLOCKS)
def test_golden_merged_layers(golden, name):
    case = golden(f"uni_{name}")
    kind = CLASSES[name.partition("_")[0]]
    layer = kind(**case.config).eval()
    layer.load_state_dict(case.state_dict)
    layer.reparameterize()
    assert layer.state_dict().keys() == case.deploy_state_dict.keys()
    for key, value in layer.state_dict().items():
        torch.testing.assert_close(value, case.deploy_state_dict[key], rtol=1e-4, atol=1e-5)
    case.close(layer(case.inputs["x"]), case.outputs["y_deploy"])
    deployed = kind(**case.config | {"deploy": True}).eval()
    deployed.load_state_dict(case.deploy_state_dict)
    case.close(deployed(case.inputs["x"]), case.outputs["y_deploy"])


def test_golden_network(golden):
    case = golden("uni_net_a_reduced")
    network = UniRepLKNet(**case.config).eval()
    network.load_state_dict(case.state_dict)
    with torch.inference_mode():
        for number, feature in enumerate(network(case.inputs["x"])):
            case.close(feature, case.outputs[f"norm{number}"])
        network.reparameterize()
        assert network.state_dict().keys() == case.deploy_state_dict.keys()
        for number, feature in enumerate(network(case.inputs["x"])):
            case.close(feature, case.outputs[f"norm{number}_deploy"])
    deployed = UniRepLKNet(**case.config, deploy=True)
    deployed.load_state_dict(case.deploy_state_dict)


@pytest.mark.parametrize("use_bias", [True, False])
def test_global_response_normalisation_by_hand(use_bias, randomised):
    grn = randomised(GRNwithNHWC(3, use_bias)).double()
    gamma = grn.gamma.flatten().tolist()
    beta = grn.beta.flatten().tolist() if use_bias else [0, 0, 0]
    x = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    expected = torch.empty_like(x)
    for sample in range(2):
        strengths = [sum(float(v) ** 2 for v in x[sample, :, :, c].flatten()) ** 0.5 for c in range(3)]
        for c in range(3):
            factor = 1 + gamma[c] * strengths[c] / (sum(strengths) / 3 + 1e-6)
            expected[sample, :, :, c] = x[sample, :, :, c] * factor + beta[c]
    torch.testing.assert_close(grn(x), expected)
    assert torch.autograd.gradcheck(grn, x.requires_grad_())
    dark = torch.zeros(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    grn(dark).sum().backward()
    assert dark.grad.isfinite().all()


def test_global_response_normalisation_of_large_half_precision_maps():
    x = torch.full((1, 160, 160, 4), 60.0, dtype=torch.float16)
    grn = GRNwithNHWC(4).half()
    nn.init.ones_(grn.gamma)
    torch.testing.assert_close(grn(x), torch.full_like(x, 120.0), rtol=5e-3, atol=0)


@pytest.mark.parametrize("size", BRANCHES)
def test_a_dilated_reparam_block_is_the_sum_of_its_branches_before_and_after_merging(size, randomised):
    block = randomised(DilatedReparamBlock(3, size)).double()
    x = torch.randn(2, 3, 9, 21, dtype=torch.float64)
    expected = branches(x, block)
    torch.testing.assert_close(block(x), expected)
    block.merge_dilated_branches()
    assert list(block.state_dict()) == ["lk_origin.weight", "lk_origin.bias"]
    torch.testing.assert_close(block(x), expected)
    assert block.lk_origin.weight.dtype == torch.float64


@pytest.mark.parametrize("size", [0, 3, *BRANCHES])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_a_block_is_its_equation_before_and_after_merging(size, scale, randomised):
    block = randomised(UniRepLKNetBlock(8, size, layer_scale_init_value=scale, ffn_factor=1.5)).double()
    assert (block.gamma is None) == (scale is None)
    x = torch.randn(2, 8, 7, 10, dtype=torch.float64)
    expected = meaning(x, block)
    torch.testing.assert_close(block(x), expected)
    for _ in range(2):
        block.reparameterize()
        torch.testing.assert_close(block(x), expected)
    deployed = UniRepLKNetBlock(8, size, deploy=True, ffn_factor=1.5).double().eval()
    deployed.load_state_dict(block.state_dict())
    torch.testing.assert_close(deployed(x), expected)


@pytest.mark.parametrize("grn_bias", [True, False])
@pytest.mark.parametrize("linear_bias", [True, False])
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("merged_before", [True, False])
def test_no_combination_loses_the_layer_scale(grn_bias, linear_bias, scale, merged_before, randomised):
    block = UniRepLKNetBlock(8, 7, layer_scale_init_value=scale)
    block.act[1] = GRNwithNHWC(32, grn_bias)
    block.pwconv2[0] = nn.Linear(32, 8, linear_bias)
    block = randomised(block).double()
    x = torch.randn(1, 8, 6, 5, dtype=torch.float64)
    expected = block(x)
    if merged_before:
        block.dwconv.reparameterize()
    block.reparameterize()
    torch.testing.assert_close(block(x), expected)
    assert block.gamma is None and not [part for part in block.modules() if isinstance(part, nn.BatchNorm2d)]


def test_merging_reads_eps_when_it_merges_and_keeps_type_and_mode(randomised):
    block = randomised(UniRepLKNetBlock(8, 13, layer_scale_init_value=1.0))
    for norm in block.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 0.1
    x = torch.randn(1, 8, 12, 12)
    expected = block(x)
    block.reparameterize()
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)
    half = randomised(UniRepLKNetBlock(8, 13, layer_scale_init_value=1.0)).half()
    half.reparameterize()
    assert {value.dtype for value in half.parameters()} == {torch.float16}
    assert not any(part.training for part in half.modules())


def test_official_deployed_blocks_with_another_name_of_the_kernel_load(randomised):
    block = randomised(UniRepLKNetBlock(8, 7, deploy=True))
    state = {key.replace("lk_origin.", ""): value for key, value in block.state_dict().items()}
    assert "dwconv.weight" in state
    other = UniRepLKNetBlock(8, 7, deploy=True)
    other.load_state_dict(state)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in block.state_dict().items())


def test_gradients_of_a_block(randomised):
    block = randomised(UniRepLKNetBlock(4, 5, layer_scale_init_value=0.5, ffn_factor=1)).double()
    assert torch.autograd.gradcheck(block, torch.randn(1, 4, 3, 3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (DilatedReparamBlock(8, 9), (2, 8, 13, 7)),
        (UniRepLKNetBlock(8, 7, layer_scale_init_value=1.0), (1, 8, 5, 9)),
        (UniRepLKNetBlock(8, 13, layer_scale_init_value=1.0), (3, 8, 1, 1)),
        (UniRepLKNetBlock(8, 3, layer_scale_init_value=1.0), (1, 8, 6, 4)),
        (SEBlock(8, 2), (1, 8, 1, 3)),
    ],
    ids=["drb", "block7", "one pixel", "block3", "se"],
)
def test_a_layer_survives_what_a_yolo_does_to_it(layer, shape, randomised, onnx_run):
    layer = randomised(layer)
    x = torch.randn(shape)
    with torch.inference_mode():
        expected = layer(x)
    torch.testing.assert_close(copy.deepcopy(layer)(x), expected)
    torch.testing.assert_close(pickle.loads(pickle.dumps(layer))(x), expected)
    last = layer(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.jit.trace(layer, x)(x), expected)
    torch.testing.assert_close(onnx_run(layer, x)[0], expected, rtol=1e-4, atol=1e-4)
    for kind in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", kind), torch.inference_mode():
            torch.testing.assert_close(layer(x).float(), expected, rtol=0.1, atol=0.1)
    half = pickle.loads(pickle.dumps(copy.deepcopy(layer).half()))
    torch.testing.assert_close(half(x.half()).float(), expected, rtol=0.05, atol=0.05)
    torch.testing.assert_close(half.float()(x), expected, rtol=0.02, atol=0.02)


def test_a_network_of_logits(randomised):
    network = randomised(UniRepLKNet(num_classes=5, **SMALL))
    x = torch.randn(2, 3, 37, 50)
    expected = network(x)
    assert expected.shape == (2, 5)
    stages = x
    for number in range(4):
        stages = network.stages[number](network.downsample_layers[number](stages))
    mean = functional.layer_norm(stages.flatten(2).mean(2), (24,), network.norm.weight, network.norm.bias, 1e-6)
    torch.testing.assert_close(expected, mean @ network.head.weight.T + network.head.bias)
    network.reparameterize_unireplknet()
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_a_network_of_features_has_the_sizes_of_its_strides(randomised, onnx_run):
    network = randomised(UniRepLKNet(num_classes=None, **SMALL))
    x = torch.randn(1, 3, 75, 41)
    with torch.inference_mode():
        maps = network(x)
    assert [tuple(value.shape) for value in maps] == [(1, 8, 19, 11), (1, 12, 10, 6), (1, 16, 5, 3), (1, 24, 3, 2)]
    for exported, value in zip(onnx_run(network, x), maps, strict=True):
        torch.testing.assert_close(exported, value, rtol=1e-4, atol=1e-4)
    assert [tuple(value.shape[2:]) for value in network(x[..., :1, :1])] == [(1, 1)] * 4


def test_pretraining_starts_with_small_weights_and_stochastic_depth_grows():
    network = UniRepLKNet(num_classes=4, drop_path_rate=0.4, head_init_scale=0.5, **SMALL)
    assert 0.9 < network.stages[2][0].pwconv1[1].weight.std() / 0.02 < 1.1
    assert network.head.weight.std() < 0.015 and not network.head.bias.any()
    linears = [part for part in network.modules() if isinstance(part, nn.Linear) and part.bias is not None]
    assert linears and not any(part.bias.any() for part in linears)
    blocks = [block for stage in network.stages for block in stage]
    assert isinstance(blocks[0].drop_path, nn.Identity)
    rates = [block.drop_path.drop_prob for block in blocks[1:]]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert all(torch.equal(block.gamma, torch.full_like(block.gamma, 1e-6)) for block in blocks)


@pytest.mark.parametrize("with_cp", [False, True])
def test_checkpointed_training_is_training(with_cp, randomised):
    results = []
    for flag in (False, with_cp):
        network = randomised(UniRepLKNet(num_classes=None, with_cp=flag, layer_scale_init_value=1.0, **SMALL)).train()
        x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1), requires_grad=True)
        sum((value**2).mean() for value in network(x)).backward()
        grads = {name: value.grad for name, value in network.named_parameters()}
        results.append((x.grad, grads, network.state_dict()))
    torch.testing.assert_close(results[0], results[1])
    assert int(results[1][2]["stages.0.0.norm.num_batches_tracked"]) == 1


def test_factories_make_the_members_on_request():
    with torch.device("meta"):
        for name, (depths, dims) in MEMBERS.items():
            if name in ("b", "l", "xl"):
                continue
            network = getattr(layers, f"unireplknet_{name}")(num_classes=None, in_1k_pretrained=False)
            assert [len(stage) for stage in network.stages] == list(depths)
            assert [network.get_submodule(f"norm{number}").weight.numel() for number in range(4)] == list(dims)
        thirds = layers.unireplknet_t(num_classes=None).stages[2]
    assert [
        block.dwconv.lk_origin.kernel_size[0] if index % 2 == 0 else block.dwconv.kernel_size[0]
        for index, block in enumerate(thirds)
    ] == [13, 3] * 9


def test_synchronised_normalisation_has_the_same_keys(randomised):
    plain, synchronised = UniRepLKNetBlock(8, 7), randomised(UniRepLKNetBlock(8, 7, use_sync_bn=True))
    plain.load_state_dict(synchronised.state_dict())
    x = torch.randn(1, 8, 5, 5)
    expected = plain.eval()(x)
    synchronised.reparameterize()
    torch.testing.assert_close(synchronised(x), expected, rtol=1e-4, atol=1e-5)


def test_checkpoints_hold_modules_and_numbers_alone(randomised):
    """A restricted unpickler with the classes of the plugin and of torch.nn reads a network."""
    network = randomised(UniRepLKNet(num_classes=None, with_cp=True, drop_path_rate=0.1, **SMALL)).half()
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    from inspector_plugins.unireplknet.blocks import CLASSES as OURS

    official = [nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.GELU, nn.ReLU, nn.Identity, nn.Sequential, nn.ModuleList]
    with torch.serialization.safe_globals([*OURS, *official]):
        read = torch.load(file, weights_only=True).float()
    x = torch.randn(1, 3, 64, 64)
    for first, second in zip(read(x), network.float()(x), strict=True):
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DilatedReparamBlock(8, 6), "kernel size of 5, 7, 9, 11, 13, 15, 17, got 6"),
        (lambda: DilatedReparamBlock(8, 3), "got 3"),
        (lambda: DilatedReparamBlock(0, 7), "at least one channel, got 0"),
        (lambda: UniRepLKNetBlock(8, 4), "kernel size of 0, 3, 5, .*, got 4"),
        (lambda: UniRepLKNetBlock(3, 7), "at least 4 channels, got 3"),
        (lambda: UniRepLKNetBlock(8, 7, ffn_factor=0), "got a factor of 0"),
        (lambda: UniRepLKNetBlock(8, 7, drop_path=1.0), r"less than 1, got 1.0"),
        (lambda: SEBlock(3, 0), "got 3 and 0"),
        (lambda: LayerNorm(4, data_format="NCHW"), "got 'NCHW'"),
        (lambda: UniRepLKNet(depths=(1, 1, 1, 1)), r"kernel_sizes are needed .* got \(1, 1, 1, 1\)"),
        (lambda: UniRepLKNet(depths=(1, 1, 1)), "4 stages, got 3"),
        (lambda: UniRepLKNet(dims=(8, 16)), "4 stages, got 2"),
        (lambda: UniRepLKNet(**SMALL | {"depths": (1, 1, 1, 1)}), r"got \(1, 1, 2, 1\)"),
        (lambda: UniRepLKNet(init_cfg={"checkpoint": None}, **SMALL), "num_classes should be None .* got 1000"),
        (lambda: UniRepLKNet(num_classes=None, init_cfg={"checkpoint": "x.pth"}, **SMALL), "x.pth: use load_state"),
        (lambda: layers.unireplknet_a(in_1k_pretrained=True), "in_1k_pretrained out"),
        (lambda: UniRepLKNet(num_classes=0, **SMALL), "num_classes should be at least 1, or None, got 0"),
    ],
)
def test_impossible_arguments_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_stochastic_depth_drops_samples_in_training_alone():
    drop, x = DropPath(0.25), torch.ones(4000, 1, 2, 1)
    torch.manual_seed(0)
    y = drop(x)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(y[:, :, 0], y[:, :, 1])
    assert abs(float((y[:, 0, 0, 0] == 0).float().mean()) - 0.25) < 0.03
    assert drop.eval()(x) is x
