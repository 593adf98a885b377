import copy
import io

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.cgnet.layers import (
    CLASSES,
    Context_Guided_Network,
    ContextGuidedBlock,
    ContextGuidedBlock_Down,
    FGlo,
)

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def random(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in inference mode with every parameter and running statistic drawn, so that each of them counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator)
                spread = 0.3 if value.ndim < 2 else value[0].numel() ** -0.5
                positive = key.endswith("running_var") or (value.ndim == 1 and key.endswith("weight"))
                value.copy_(drawn.abs() * 0.5 + 0.5 if positive else drawn * spread)
    return module.eval()


def image(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# The equations once more, straight from the state dict, in 64 bit and with loops over the taps.


def convolve(x, weight, stride=1, dilation=1):
    """(N, C, H, W) with kernels (O, C or 1, k, k); one channel in a kernel: depth-wise."""
    side = weight.shape[-1]
    reach = side // 2 * dilation
    padded = nn.functional.pad(x, [reach] * 4)
    height, width = (-(-size // stride) for size in x.shape[2:])
    result = 0
    for i in range(side):
        for j in range(side):
            top, left = i * dilation, j * dilation
            tap = padded[
                :, :, top : top + (height - 1) * stride + 1 : stride, left : left + (width - 1) * stride + 1 : stride
            ]
            kernel = weight[:, :, i, j]
            result = result + (
                tap * kernel.T[..., None, None] if kernel.shape[1] == 1 < x.shape[1] else mix(tap, kernel)
            )
    return result


def mix(x, matrix):
    return (matrix[None, :, :, None, None] * x[:, None]).sum(2)


def prelu(x, slope):
    return torch.where(x > 0, x, x * slope[:, None, None])


def norm_prelu(x, state, norm, act):
    mean, var, weight, bias = (
        state[f"{norm}.{k}"][:, None, None] for k in ("running_mean", "running_var", "weight", "bias")
    )
    return prelu((x - mean) / (var + 1e-3) ** 0.5 * weight + bias, state[f"{act}.weight"])


def conv_norm_prelu(x, state, name, stride=1):
    x = convolve(x, state[f"{name}.conv.weight"], stride)
    return norm_prelu(x, state, f"{name}.bn", f"{name}.act")


def global_context(x, state, name):
    hidden = (state[f"{name}fc.0.weight"] * x.mean((2, 3))[:, None]).sum(2) + state[f"{name}fc.0.bias"]
    gate = (state[f"{name}fc.2.weight"] * hidden.clamp(min=0)[:, None]).sum(2) + state[f"{name}fc.2.bias"]
    return x / (1 + torch.exp(-gate))[:, :, None, None]


def guided(x, state, name="", dilation=2, add=True):
    t = conv_norm_prelu(x, state, f"{name}conv1x1")
    parts = (
        convolve(t, state[f"{name}F_loc.conv.weight"]),
        convolve(t, state[f"{name}F_sur.conv.weight"], dilation=dilation),
    )
    y = norm_prelu(torch.cat(parts, 1), state, f"{name}bn_prelu.bn", f"{name}bn_prelu.act")
    y = global_context(y, state, f"{name}F_glo.")
    return x + y if add else y


def guided_down(x, state, name="", dilation=2):
    t = conv_norm_prelu(x, state, f"{name}conv1x1", 2)
    parts = (
        convolve(t, state[f"{name}F_loc.conv.weight"]),
        convolve(t, state[f"{name}F_sur.conv.weight"], dilation=dilation),
    )
    y = norm_prelu(torch.cat(parts, 1), state, f"{name}bn", f"{name}act")
    return global_context(convolve(y, state[f"{name}reduce.conv.weight"]), state, f"{name}F_glo.")


def shrink(x):
    ninths = torch.full((x.shape[1], 1, 3, 3), 1 / 9, dtype=x.dtype)
    return convolve(x, ninths, 2)


def network_maps(x, state, m, n):
    y = conv_norm_prelu(x, state, "level1_0", 2)
    y = conv_norm_prelu(conv_norm_prelu(y, state, "level1_1"), state, "level1_2")
    maps = [norm_prelu(torch.cat([y, shrink(x)], 1), state, "b1.bn", "b1.act")]
    for level, blocks, dilation in ((2, m, 2), (3, n, 4)):
        first = y = guided_down(maps[-1], state, f"level{level}_0.", dilation)
        for i in range(blocks - 1):
            y = guided(y, state, f"level{level}.{i}.", dilation)
        name = f"bn_prelu_{level}"
        joined = [y, first, shrink(shrink(x))] if level == 2 else [first, y]
        maps.append(norm_prelu(torch.cat(joined, 1), state, f"{name}.bn", f"{name}.act"))
    return maps


def near(output, expected):
    torch.testing.assert_close(output.double(), expected, rtol=1e-5, atol=1e-5)


def double(module):
    return {key: value.double() for key, value in module.state_dict().items()}


# Cases for tests of all layers: name, module, channels of its input.
LAYERS = {
    "glo": (lambda: FGlo(12, 5), 12),
    "block": (lambda: ContextGuidedBlock(16, 16, 2, 8), 16),
    "block-noadd": (lambda: ContextGuidedBlock(6, 10, 3, 2, add=False), 6),
    "down": (lambda: ContextGuidedBlock_Down(7, 9, 4, 3), 7),
    "network": (lambda: Context_Guided_Network(4, M=2, N=2), 3),
    "network-dropout": (lambda: Context_Guided_Network(4, M=1, N=1, dropout_flag=True), 3),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    build, channels = LAYERS[request.param]
    return random(build()), channels


@pytest.mark.parametrize("name", ["cgnet_block", "cgnet_block_noadd"])
def test_block_is_the_papers(golden, name):
    case = golden(name)
    module = ContextGuidedBlock(**case.config)
    assert list(module.state_dict()) == list(case.state_dict)
    module.load_state_dict(case.state_dict, strict=True)
    case.close(module.eval()(case.inputs["x"]), case.outputs["y"])


def test_down_is_the_papers(golden):
    case = golden("cgnet_down")
    module = ContextGuidedBlock_Down(**case.config)
    assert list(module.state_dict()) == list(case.state_dict)
    module.load_state_dict(case.state_dict, strict=True)
    case.close(module.eval()(case.inputs["x"]), case.outputs["y"])


def test_network_is_the_papers(golden):
    case = golden("cgnet_full")
    module = Context_Guided_Network(**case.config)
    assert list(module.state_dict()) == list(case.state_dict)
    module.load_state_dict(case.state_dict, strict=True)
    module.eval()
    maps = module.forward_features(case.inputs["x"])
    for output, name in zip(maps, ("feat_s2", "feat_s4", "feat_s8"), strict=True):
        case.close(output, case.outputs[name])
    case.close(module(case.inputs["x"]), case.outputs["logits"])


def test_a_merged_network_is_still_the_papers(golden):
    case = golden("cgnet_full")
    module = Context_Guided_Network(**case.config)
    module.load_state_dict(case.state_dict, strict=True)
    module.eval().reparameterize()
    case.close(module(case.inputs["x"]), case.outputs["logits"])


def test_keys_are_the_official_ones():
    prelu_norm = [*(f"bn.{key}" for key in NORM), "act.weight"]
    glo = [f"fc.{i}.{key}" for i in (0, 2) for key in ("weight", "bias")]
    common = [
        "conv1x1.conv.weight",
        *(f"conv1x1.{key}" for key in prelu_norm),
        "F_loc.conv.weight",
        "F_sur.conv.weight",
    ]
    block = [*common, *(f"bn_prelu.{key}" for key in prelu_norm), *(f"F_glo.{key}" for key in glo)]
    down = [*common, *prelu_norm, "reduce.conv.weight", *(f"F_glo.{key}" for key in glo)]
    assert list(ContextGuidedBlock(8, 8, reduction=2).state_dict()) == block
    assert list(ContextGuidedBlock_Down(8, 8, reduction=2).state_dict()) == down
    expected = [f"level1_{i}.{key}" for i in range(3) for key in ("conv.weight", *prelu_norm)]
    expected += [f"b1.{key}" for key in prelu_norm]
    for level, blocks in ((2, 2), (3, 20)):
        expected += [f"level{level}_0.{key}" for key in down]
        expected += [f"level{level}.{i}.{key}" for i in range(blocks) for key in block]
        expected += [f"bn_prelu_{level}.{key}" for key in prelu_norm]
    assert list(Context_Guided_Network().state_dict()) == [*expected, "classifier.0.conv.weight"]
    dropping = Context_Guided_Network(dropout_flag=True).state_dict()
    assert dropping["classifier.1.conv.weight"].shape == (19, 256, 1, 1)


def test_numbers_of_parameters_are_the_papers():
    """The paper gives 0.5 million for M3N21."""
    network = Context_Guided_Network()
    assert sum(value.numel() for value in network.parameters()) == 496_306


def test_global_context_is_its_equation():
    module = random(FGlo(12, 5))
    x = image(2, 12, 5, 4)
    near(module(x), global_context(x.double(), double(module), ""))


@pytest.mark.parametrize("size", [(7, 9), (1, 1), (2, 13)])
def test_block_is_its_equations(size):
    kept, changed = random(ContextGuidedBlock(16, 16, 2, 8)), random(ContextGuidedBlock(6, 10, 3, 2, add=False))
    x = image(2, 16, *size)
    near(kept(x), guided(x.double(), double(kept)))
    x = image(2, 6, *size)
    near(changed(x), guided(x.double(), double(changed), "", 3, add=False))


@pytest.mark.parametrize("size", [(7, 9), (1, 1), (8, 5)])
def test_down_is_its_equations(size):
    module = random(ContextGuidedBlock_Down(7, 9, 4, 3))
    x = image(2, 7, *size)
    output = module(x)
    assert output.shape == (2, 9, -(-size[0] // 2), -(-size[1] // 2))
    near(output, guided_down(x.double(), double(module), "", 4))


@pytest.mark.parametrize(("m", "n", "size"), [(3, 2, (32, 40)), (1, 3, (33, 17)), (2, 1, (1, 1))])
def test_network_is_its_equations(m, n, size):
    module = random(Context_Guided_Network(4, m, n))
    x = image(1, 3, *size)
    expected = network_maps(x.double(), double(module), m, n)
    for output, wanted in zip(module.forward_features(x), expected, strict=True):
        torch.testing.assert_close(output.double(), wanted, rtol=1e-4, atol=1e-4)
    logits = mix(expected[-1], module.classifier[0].conv.weight.detach().double()[:, :, 0, 0])
    enlarged = nn.functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(module(x).double(), enlarged, rtol=1e-4, atol=1e-4)


def test_convolutions_start_as_kaiming_draws_them():
    torch.manual_seed(0)
    weight = Context_Guided_Network(M=1, N=1).level1_1.conv.weight
    assert weight.std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    module = random(Context_Guided_Network(4, 1, 1, dropout_flag=True))
    x = image(1, 3, 16, 16)
    assert torch.equal(module(x), module(x))
    module.classifier.train()
    assert not torch.equal(module(x), module(x))


def test_gradients_are_those_of_the_equations(layer):
    module, channels = layer
    module, x = module.double(), image(2, channels, 5, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: module(x).mean((2, 3)), (x,), fast_mode=True)


def test_training_reaches_every_parameter(layer):
    module, channels = layer
    module.train()(image(2, channels, 16, 24)).square().sum().backward()
    assert [key for key, value in module.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("size", [(9, 14), (1, 1)])
def test_onnx_is_equal(layer, onnx_run, size):
    module, channels = layer
    x = image(2, channels, *size)
    (output,) = onnx_run(module, x)
    torch.testing.assert_close(output, module(x), rtol=1e-4, atol=1e-4)


def test_trace_deepcopy_and_channels_last_change_nothing(layer):
    module, channels = layer
    x = image(2, channels, 9, 14)
    expected = module(x)
    other = image(3, channels, 20, 7, seed=2)
    traced = torch.jit.trace(module, x)
    torch.testing.assert_close(traced(other), module(other), rtol=1e-4, atol=1e-4)
    assert torch.equal(copy.deepcopy(module)(x), expected)
    last = copy.deepcopy(module).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_fewer_bits_are_near(layer, kind):
    module, channels = layer
    x = image(2, channels, 9, 14)
    expected = module(x)
    spread = expected.std().item()
    with torch.autocast("cpu", kind):
        output = module(x)
    torch.testing.assert_close(output.float(), expected, rtol=0.05, atol=0.1 * spread)
    halved = copy.deepcopy(module).to(kind)(x.to(kind))
    assert halved.dtype == kind
    torch.testing.assert_close(halved.float(), expected, rtol=0.05, atol=0.1 * spread)


def test_a_half_checkpoint_comes_back(layer):
    """As ultralytics saves: the whole module pickled in 16 bit, opened by its classes alone."""
    module, channels = layer
    file = io.BytesIO()
    torch.save(copy.deepcopy(module).half(), file)
    file.seek(0)
    known = {value for value in vars(nn).values() if isinstance(value, type)}
    with torch.serialization.safe_globals([*known, *CLASSES]):
        back = torch.load(file, weights_only=True).float()
    assert type(back) is type(module)
    x = image(2, channels, 9, 14)
    torch.testing.assert_close(back(x), module(x), rtol=0.01, atol=0.02)


def test_merging_keeps_the_result_and_happens_once(layer):
    module, channels = layer
    if not hasattr(module, "reparameterize"):
        assert not any(isinstance(part, nn.BatchNorm2d) for part in module.modules())  # nothing to merge
        return
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 0.02  # read when merging, not assumed
    x = image(2, channels, 9, 14)
    expected, norms = module(x), sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())
    assert module.reparameterize() is None
    merged = copy.deepcopy(module.state_dict())
    assert sum(isinstance(part, nn.BatchNorm2d) for part in module.modules()) < norms
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-4)
    module.reparameterize()
    assert merged.keys() == module.state_dict().keys()
    assert all(torch.equal(value, merged[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FGlo(8), "reduction must be from 1 to the number of channels, 8, and is 16"),
        (lambda: FGlo(8, 0), "and is 0"),
        (lambda: ContextGuidedBlock(9, 9, reduction=3), "nOut must be even.*9"),
        (lambda: ContextGuidedBlock(0, 0), "nOut must be even.*0"),
        (lambda: ContextGuidedBlock(8, 16), "nIn is 8, nOut is 16"),
        (lambda: ContextGuidedBlock(16, 16, dilation_rate=0), "dilation_rate must be at least 1 and is 0"),
        (lambda: ContextGuidedBlock_Down(16, 16, dilation_rate=-1), "dilation_rate must be at least 1 and is -1"),
        (lambda: ContextGuidedBlock_Down(16, 8), "number of channels, 8"),
        (lambda: Context_Guided_Network(0), "at least one class"),
        (lambda: Context_Guided_Network(M=0), "M is 0"),
        (lambda: Context_Guided_Network(N=0), "N is 0"),
    ],
)
def test_impossible_arguments_are_told(build, message):
    with pytest.raises(ValueError, match=message):
        build()
