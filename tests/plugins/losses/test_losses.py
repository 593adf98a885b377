"""Losses and assigners of plugins: finite where boxes and masks are extreme, refused where shapes are wrong, trained.

``tests/reference`` compares them with the official code.
"""

import pytest

from inspector import registry
from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.atss.layers import ATSS, select
from inspector_plugins.box_losses import layers as boxes
from inspector_plugins.class_losses import layers as classes
from inspector_plugins.mask_losses import layers as masks
from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures

LAYERS = tuple(registry.load(plugins=False).layers.values())
OF = {part: [spec for spec in LAYERS if spec.part == part] for part in ("box", "class", "mask")}
PAIRS = torch.tensor(
    [
        [[10, 10, 20, 30], [10, 10, 20, 30]],  # identical
        [[10, 10, 20, 30], [100, 100, 101, 140]],  # apart
        [[15, 15, 15, 15], [10, 10, 20, 20]],  # empty
        [[0, 0, 640, 640], [300, 300, 303, 302]],  # around
        [[10, 10, 40, 12], [10, 11, 40, 13]],  # thin
    ],
    dtype=torch.float32,
)


def made(spec):
    return (spec.build or spec.load()[0])()


@pytest.mark.parametrize("spec", OF["box"], ids=lambda spec: spec.id)
def test_box_losses_are_finite_and_smallest_for_equal_boxes(spec):
    predicted, target = (PAIRS[:, side].clone().requires_grad_() for side in (0, 1))
    loss = made(spec)(predicted, target, (640, 640))
    assert loss.shape == (5,) and torch.isfinite(loss).all()
    loss.sum().backward()
    assert torch.isfinite(predicted.grad).all()
    if spec.id != "wiou_v3" and spec.id != "focal_eiou":  # their weight vanishes for hopeless boxes
        assert float(loss.detach()[0]) == pytest.approx(float(loss.detach().min()), abs=1e-4)
    assert float(loss.detach()[0]) == pytest.approx(0, abs=0.03 if spec.id == "focaler_iou" else 2e-3)
    none = made(spec)(torch.zeros(0, 4), torch.zeros(0, 4), (640, 640))
    assert none.shape == (0,)
    with pytest.raises(ValueError, match="boxes must be"):
        made(spec)(torch.zeros(3, 4), torch.zeros(2, 4), (640, 640))


@pytest.mark.parametrize("spec", OF["box"], ids=lambda spec: spec.id)
def test_a_step_along_the_gradient_improves_a_box(spec):
    predicted = torch.tensor([[12.0, 11, 23, 33]], requires_grad=True)
    target = torch.tensor([[10.0, 10, 20, 30]])
    loss = made(spec).eval()
    value = loss(predicted, target, (64, 64)).sum()
    value.backward()
    stepped = predicted.detach() - 0.5 * predicted.grad / predicted.grad.abs().max()
    before, after = (boxes.measure(one, target).iou for one in (predicted.detach(), stepped))
    assert float(after) > float(before)


def test_nwd_by_hand():
    one, other = torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([[3.0, 4, 11, 12]])  # equal sides, centres 5 px apart
    assert float(boxes.NWD(10)(one, other, (0, 0))) == pytest.approx(1 - 2.718281828**-0.5, abs=1e-6)


def test_mpdiou_by_hand():
    one, other = torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[2.0, 0, 6, 4]])  # IoU 1/3, corners 2 px apart
    assert float(boxes.mpdiou(one, other, (30, 40))) == pytest.approx(1 / 3 - 8 / 2500)


def test_wise_iou_keeps_its_mean_in_evaluation():
    loss = boxes.WiseIoU()
    one, other = PAIRS[:, 0], PAIRS[:, 1]
    loss.eval()(one, other)
    assert float(loss.mean) == 1
    loss.train()(one, other)
    assert float(loss.mean) == pytest.approx(0.99 + 0.01 * float((1 - boxes.measure(one, other).iou).mean()))


@pytest.mark.parametrize("spec", OF["class"], ids=lambda spec: spec.id)
def test_class_losses_are_finite_and_vanish_for_sure_and_right_scores(spec):
    targets = torch.tensor([[[0.0, 1.0], [0.3, 0.0]]])
    logits = torch.tensor([[[-40.0, 40.0], [0.0, 40.0]]], requires_grad=True)
    loss = made(spec)(logits, targets, torch.tensor(0.5))
    assert loss.shape == targets.shape and torch.isfinite(loss).all()
    assert loss[0, 0].max() < 1e-6 < float(loss[0, 1, 1])
    loss.sum().backward()
    assert torch.isfinite(logits.grad).all()
    with pytest.raises(ValueError, match="the same shape"):
        made(spec)(logits, targets[..., :1], torch.tensor(0.5))


def test_slide_has_no_step_at_the_mean():
    logits, mean = torch.zeros(3), torch.tensor(0.5)
    at = classes.Slide()(logits, torch.tensor([0.4999, 0.5, 0.39]), mean) / 0.693147
    assert at.tolist() == pytest.approx([2.71828**0.5, 2.71828**0.5, 1], abs=1e-3)


def test_the_moving_mean_of_slide_by_hand():
    logits, targets, loss = torch.zeros(2), torch.tensor([0.6, 0.0]), classes.MovingSlide(0.5, 1)
    shares = [0.5 * (1 - 2.718281828**-calls) for calls in (1, 2)]
    loss.train()(logits, targets, torch.tensor(0.3))
    loss(logits, torch.zeros(2), torch.tensor(0.9))  # no positives: nothing is learned of them
    assert float(loss.mean) == pytest.approx(shares[0] + (1 - shares[0]) * 0.3)
    found = loss(logits, targets, torch.tensor(0.7))
    mean = shares[1] * (shares[0] + (1 - shares[0]) * 0.3) + (1 - shares[1]) * 0.7
    assert float(loss.mean) == pytest.approx(mean)
    assert found.tolist() == pytest.approx([0.693147 * 2.718281828 ** (1 - mean), 0.693147], abs=1e-5)
    loss.eval()(logits, targets, torch.tensor(0.1))
    assert float(loss.mean) == pytest.approx(mean)


@pytest.mark.parametrize("spec", OF["mask"], ids=lambda spec: spec.id)
def test_mask_losses_are_finite_and_fall_towards_the_mask(spec):
    wanted = torch.zeros(3, 20, 24)
    wanted[0, 5:9, 4:16] = 1
    wanted[1] = 1
    where = torch.tensor([[4.0, 5, 16, 9], [0, 0, 24, 20], [3, 3, 3.4, 3.4]])
    loss = made(spec)
    values = [loss((2 * wanted - 1) * sure, wanted, where) for sure in (0.1, 4.0)]
    assert values[0].shape == (3,) and all(torch.isfinite(one).all() for one in values)
    assert (values[1][:2] < values[0][:2]).all()
    logits = torch.zeros(3, 20, 24, requires_grad=True)
    loss(logits, wanted, where).sum().backward()
    assert torch.isfinite(logits.grad).all()
    outside = torch.ones_like(wanted[0], dtype=torch.bool)
    outside[5:9, 4:16] = False
    assert not logits.grad[0][outside].any()  # nothing outside the box counts
    assert loss(torch.zeros(0, 8, 8), torch.zeros(0, 8, 8), torch.zeros(0, 4)).shape == (0,)
    with pytest.raises(ValueError, match="must be"):
        loss(torch.zeros(1, 8, 8), torch.zeros(1, 8, 9), torch.zeros(1, 4))


def test_the_signed_distance_by_hand():
    mask = torch.zeros(5, 7).numpy()
    mask[1:4, 2:5] = 1
    distance = masks.signed_distance(mask)
    assert distance[2, 3] == -1 and distance[1, 2] == 0 and distance[2, 0] == 2
    assert distance[0, 1] == pytest.approx(2**0.5)
    assert not masks.signed_distance(mask * 0).any() and not masks.signed_distance(mask * 0 + 1).any()


def test_atss_takes_the_nearest_anchors_that_overlap_well():
    points = torch.tensor([[x * 8 + 4.0, y * 8 + 4.0] for y in range(8) for x in range(8)])
    strides = torch.full((64, 1), 8.0)
    targets = torch.tensor([[[0.0, 0, 64, 64], [40, 40, 60, 60], [0, 0, 0, 0]]])
    predicted = torch.cat([points - 32, points + 32], 1)[None]
    index, positive, quality = ATSS()(
        torch.zeros(1, 64, 1), predicted, points, strides, torch.zeros(1, 3, 1), targets,
        torch.tensor([[[1.0], [1], [0]]]),
    )  # fmt: skip
    assert positive.any() and not (index[positive] == 2).any()
    assert float(quality[~positive].max()) == 0 < float(quality[positive].min())
    centres = points[positive[0] & (index[0] == 0)]
    assert ((centres - 32).abs() <= 12).all()
    with pytest.raises(ValueError, match="together"):
        select(predicted[0], [3], targets[0])


@pytest.mark.parametrize("name", ["loss=wiou_v3,slide,dice_boundary", "loss=cldice,nwd,ema_slide", "assigner=atss"])
def test_a_step_is_trained_with_them(name):
    YoloArchitectures(LAYERS).check(f"yolo11n-seg+{name}")
