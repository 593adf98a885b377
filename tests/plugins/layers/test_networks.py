"""Pyramids and heads: sizes, gradients, 16 bit, export, refusals, a checkpoint."""

import math

import pytest

from inspector import registry
from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.nn.modules import Segment

from inspector_plugins.pyramids import assisted, gathering
from inspector_plugins.yolo11.architecture import build, criterion
from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures

REGISTRY = registry.load(plugins=False)
LAYERS = tuple(REGISTRY.layers.values())
IN, OUT = (24, 32, 48), (16, 32, 64)
PYRAMIDS = [spec for spec in LAYERS if spec.kind == "pyramid"]
HEADS = [spec for spec in LAYERS if spec.kind == "head"]


def maps(channels, height=16, width=24, batch=2):
    """Three random maps whose sides are halved and rounded up."""
    sides = [(height, width)]
    for _ in range(2):
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    return [torch.randn(batch, c, *side) for c, side in zip(channels, sides, strict=True)]


def pyramid(spec):
    torch.manual_seed(0)
    return spec.build(IN, OUT, 8).eval()


def head(spec):
    torch.manual_seed(0)
    made = spec.build(2, 8, 16, list(OUT)).eval()
    made.stride = torch.tensor([8.0, 16, 32])
    made.bias_init()
    return made


class Flat(nn.Module):
    """Takes the maps as arguments, as an export needs them."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *given):
        return tuple(self.module(list(given)))


@pytest.mark.parametrize("spec", PYRAMIDS, ids=lambda spec: spec.id)
@pytest.mark.parametrize("size", [(16, 24), (9, 7), (1, 1)])
def test_a_pyramid_keeps_the_sizes(spec, size):
    given = maps(IN, *size)
    with torch.no_grad():
        found = pyramid(spec)(given)
    wanted = [(2, c, *one.shape[2:]) for c, one in zip(OUT, given, strict=True)]
    assert [tuple(one.shape) for one in found] == wanted and all(torch.isfinite(one).all() for one in found)


@pytest.mark.parametrize("spec", PYRAMIDS, ids=lambda spec: spec.id)
def test_every_weight_of_a_pyramid_learns(spec):
    module = pyramid(spec).train()
    sum(one.square().mean() for one in module(maps(IN))).backward()
    assert not [name for name, value in module.named_parameters() if value.grad is None]
    assert all(torch.isfinite(value.grad).all() for value in module.parameters())


@pytest.mark.parametrize("spec", PYRAMIDS, ids=lambda spec: spec.id)
def test_a_pyramid_in_bfloat16_and_exported(spec, onnx_run):
    module, given = pyramid(spec), maps(IN, batch=1)
    with torch.no_grad():
        expected = module(given)
        with torch.autocast("cpu", torch.bfloat16):
            near = module(given)
    for one, other in zip(near, expected, strict=True):
        assert (one.float() - other).abs().mean() < 0.08 * other.abs().mean()
    for one, other in zip(onnx_run(Flat(module), *given), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spec", PYRAMIDS, ids=lambda spec: spec.id)
def test_two_maps_are_refused_by_name(spec):
    with pytest.raises(ValueError, match="needs three numbers of channels"):
        spec.build(IN[:2], OUT[:2], 8)


@pytest.mark.parametrize("spec", HEADS, ids=lambda spec: spec.id)
def test_a_head_is_a_segment_whose_weights_all_learn(spec):
    module = head(spec).train()
    assert isinstance(module, Segment) and module.nc == 2
    found = module(maps(OUT))
    assert found["boxes"].shape == (2, 64, 16 * 24 + 8 * 12 + 4 * 6) and found["scores"].shape[1] == 2
    assert found["mask_coefficient"].shape[1] == 8 and found["proto"].shape[1] == 8
    sum(found[name].square().mean() for name in ("boxes", "scores", "mask_coefficient", "proto")).backward(
        retain_graph=True
    )
    idle = [name for name, value in module.named_parameters() if value.requires_grad and value.grad is None]
    assert not [name for name in idle if not name.startswith(("dfl", "aux_"))]
    if "auxiliary" in found:
        sum(found["auxiliary"][name].square().mean() for name in ("boxes", "scores", "mask_coefficient")).backward()
        assert all(value.grad is not None for name, value in module.named_parameters() if name.startswith("aux_"))


@pytest.mark.parametrize("spec", HEADS, ids=lambda spec: spec.id)
def test_a_head_is_exported(spec, onnx_run):
    module, given = head(spec), maps(OUT, batch=1)
    module.export, module.format = True, "onnx"
    with torch.no_grad():
        expected = module(given)
    for one, other in zip(onnx_run(Flat(module), *given), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["mafpn", "gold_gd", "auxiliary"])
def test_merged_a_network_computes_the_same_with_fewer_weights(name):
    """In 64 bit, with statistics as after a training."""
    kind = next(spec.kind for spec in LAYERS if spec.id == name)
    model = build.segmentation_model(f"yolo11n-seg+{kind}={name}", 1, LAYERS).eval()
    torch.manual_seed(3)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    model, image, before = model.double(), torch.rand(1, 3, 64, 96).double(), weights(model)
    with torch.no_grad():
        expected = model(image)[0][0]
        merged = build.prepare_for_inference(model)
        torch.testing.assert_close(merged(image)[0][0], expected, rtol=1e-6, atol=1e-6)
    stock = build.prepare_for_inference(build.segmentation_model(f"yolo11n-seg+{kind}={name}", 1, LAYERS).eval())
    assert weights(stock) < before and not any("aux_" in key or "convs" in key for key in stock.state_dict())


def weights(model):
    return sum(value.numel() for value in model.parameters())


def test_an_injection_by_hand():
    """local gate + gathered, the gathered map of half the size and of constants."""
    module = gathering.Injection(1, 1, 1).eval()
    for conv, factor in ((module.local_embedding, 2.0), (module.global_embedding, 3.0), (module.global_act, 1.0)):
        nn.init.constant_(conv.conv.weight, factor)
        conv.bn.eps = 0.0
    local = torch.arange(8.0).reshape(1, 1, 2, 4)
    with torch.no_grad():
        found = module(local, torch.full((1, 1, 1, 2), 1.5))
        fine = module(local, torch.full((1, 1, 4, 8), 1.5))
    torch.testing.assert_close(found, 2 * local * 0.75 + 4.5)  # hsigmoid(1.5) = (1.5 + 3) / 6
    torch.testing.assert_close(fine, found)


def test_global_attention_by_hand():
    """Of each query over all pixels, in 64 bit."""
    module = gathering.GlobalAttention(6, key=2, heads=3).double().eval()
    for conv in (module.fc2,):
        nn.init.zeros_(conv.conv.weight)  # leaves the attention
    x = torch.randn(1, 6, 2, 3).double()
    with torch.no_grad():
        q, k, v = (one(x)[0].flatten(1).T for one in (module.to_q, module.to_k, module.to_v))
        result = torch.zeros(6, 12).double()
        for head in range(3):
            for pixel in range(6):
                scores = [float(q[pixel, 2 * head :][:2] @ k[other, 2 * head :][:2]) / 2**0.5 for other in range(6)]
                total = sum(math.exp(score) for score in scores)
                for other in range(6):
                    share = math.exp(scores[other]) / total
                    result[pixel, 4 * head : 4 * head + 4] += share * v[other, 4 * head : 4 * head + 4]
        expected = x + module.proj(result.T.reshape(1, 12, 2, 3).clamp(0, 6))
        torch.testing.assert_close(module(x), expected)


def test_heterogeneous_kernels_by_hand():
    """A pixel spreads as the sum of the kernels does; SiLU follows."""
    module = assisted.HeterogeneousConv(1, 7).eval()
    for conv, norm, value in zip(module.convs, module.norms, (1.0, 10.0, 100.0), strict=True):
        nn.init.constant_(conv.weight, value)
        norm.eps = 0.0
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    for _ in range(2):
        with torch.no_grad():
            row = module(x)[0, 0, 4]
        expected = torch.tensor([0, 100, 110, 111, 111, 111, 110, 100, 0.0])
        torch.testing.assert_close(row, expected)  # SiLU of 100 is 100
        module.reparameterize()


def test_the_light_head_reads_all_maps_by_the_same_weights():
    """Equal maps of the three levels give equal scores, and boxes in the ratio of their scales."""
    spec = next(spec for spec in HEADS if spec.id == "lscd")
    torch.manual_seed(0)
    module = spec.build(2, 8, 16, [16, 16, 16]).train()
    for stem in module.stems[1:]:
        stem.load_state_dict(module.stems[0].state_dict())
    nn.init.constant_(module.cv2[2][0].scale, 2.0)
    one = torch.randn(1, 16, 4, 6)
    with torch.no_grad():
        found = module([one, one, one])
    boxes, scores = (found[name].chunk(3, 2) for name in ("boxes", "scores"))
    torch.testing.assert_close(scores[0], scores[2])
    torch.testing.assert_close(boxes[0], boxes[1])
    bias = module.cv2[0][1].bias[:, None]
    torch.testing.assert_close(boxes[2] - bias, 2 * (boxes[0] - bias), rtol=1e-4, atol=1e-5)


def test_the_auxiliary_loss_is_added_for_the_same_assignment():
    torch.manual_seed(0)
    model = build.segmentation_model("yolo11n-seg+head=auxiliary", 1, LAYERS).train()
    model.args = get_cfg()
    loss = model.criterion = criterion.of_model(model, LAYERS)
    batch = {
        "img": torch.rand(1, 3, 64, 64),
        "batch_idx": torch.zeros(1),
        "cls": torch.zeros(1, 1),
        "bboxes": torch.tensor([[0.5, 0.5, 0.5, 0.5]]),
        "masks": torch.ones(1, 16, 16),
    }
    found = model(batch["img"])
    calls = []
    loss.assigner.own.register_forward_hook(lambda *given: calls.append(given))
    total, items = loss(found, batch)
    assert len(calls) == 1  # the second head has no assignment of its own
    first = {key: value for key, value in found.items() if key != "auxiliary"}
    main, _ = loss(first, batch)
    with loss.assigner.as_before():
        second, _ = loss.loss(found["auxiliary"], batch)
    torch.testing.assert_close(total, main + 0.25 * second)
    assert second[0] > 0 and second[1] > 0 and items["box_loss"] > 0
    total.sum().backward()
    head = model.model[-1]
    assert head.aux_boxes[0][0].conv.weight.grad.any() and head.cv2[0][0].conv.weight.grad.any()
    assert "auxiliary" not in model.eval()(batch["img"])[1]


SAMPLE = [
    "head=asff", "head=dy_head", "head=lscd+pyramid=slim_neck", "attention=ema+pyramid=afpn", "pyramid=asf",
    "head=auxiliary+pyramid=mafpn", "pyramid=gold_gd",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_a_checkpoint_of_a_sample(name):
    YoloArchitectures(LAYERS).check(f"yolo11n-seg+{name}")
