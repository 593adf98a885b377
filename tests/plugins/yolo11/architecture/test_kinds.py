"""Every kind of layer at its place in an architecture: built, trained one step, saved, reloaded, fused."""

import pytest

from inspector.api import InputError, LayerSpec, Text, prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.nn.modules import Segment

from inspector_plugins.yolo11.architecture import build, criterion, design
from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures


class Same(nn.Module):
    """A convolution, an attention or a pooling."""

    def __init__(self, c1, c2, stride):
        super().__init__()
        self.mix = nn.Conv2d(c1, c2, 1)

    def forward(self, x):
        return self.mix(x)


class Pyramid(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride = stride
        self.mix = nn.ModuleList(nn.Conv2d(c1, c2, 1) for c1, c2 in zip(inputs, outputs, strict=True))

    def forward(self, maps):
        return [mix(one) for mix, one in zip(self.mix, maps, strict=True)]


class Narrow(Pyramid):
    def forward(self, maps):
        return [one[..., 1:] for one in super().forward(maps)]


class Head(Segment):
    def __init__(self, classes, masks, prototypes, channels):
        super().__init__(classes, masks, prototypes, 16, None, channels)


class BoxLoss(nn.Module):
    """Counts its calls in training, as running statistics do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, predicted, target, size):
        assert predicted.shape == target.shape and size == (64, 64)
        self.calls += self.training
        return (predicted - target).abs().mean(-1) / 64


class ClassLoss(nn.Module):
    def forward(self, logits, targets, overlap):
        assert 0 <= float(overlap) <= 1 and logits.shape == targets.shape
        return nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * (1 + overlap)


class MaskLoss(nn.Module):
    def forward(self, logits, masks, boxes):
        assert logits.shape == masks.shape and boxes.shape == (len(masks), 4)
        return (logits.sigmoid() - masks).square().mean((1, 2))


class Nearest(nn.Module):
    """Assigns each object the one anchor nearest to its centre."""

    def __init__(self, classes):
        super().__init__()

    def forward(self, scores, boxes, points, strides, labels, targets, exist):
        assert strides.shape == (len(points), 1) and set(strides.flatten().tolist()) == {8, 16, 32}
        centres = (targets[..., :2] + targets[..., 2:]) / 2
        nearest = torch.cdist(centres, points[None].expand(len(scores), -1, -1)).argmin(-1)
        positive = torch.zeros(scores.shape[:2], dtype=torch.bool)
        positive.scatter_(1, nearest, exist[..., 0].bool())
        index = torch.zeros(scores.shape[:2], dtype=torch.long)
        index.scatter_(1, nearest, torch.arange(targets.shape[1]).expand_as(nearest))
        return index, positive, positive.float()


def spec(cls, kind, name="", **more):
    name = name or kind
    return LayerSpec(id=name, title=Text(name, "层"), kind=kind, load=lambda: (cls,), **more)


LAYERS = (
    spec(Same, "convolution"),
    spec(Same, "attention"),
    spec(Same, "pooling"),
    spec(Same, "block"),
    spec(Pyramid, "pyramid"),
    spec(Narrow, "pyramid", "narrow"),
    spec(Head, "head"),
    spec(Same, "head", "headless"),
    spec(BoxLoss, "loss", "box_loss", part="box"),
    spec(BoxLoss, "loss", "other", part="box"),
    spec(ClassLoss, "loss", "class_loss", part="class"),
    spec(MaskLoss, "loss", "mask_loss", part="mask"),
    spec(Nearest, "assigner", "nearest"),
)
EVERYTHING = (
    "yolo11n-seg+assigner=nearest+attention=attention+convolution=convolution+head=head"
    "+loss=box_loss,class_loss,mask_loss+pooling=pooling+pyramid=pyramid"
)


@pytest.mark.parametrize(
    "modifiers",
    [
        "+convolution=convolution", "+attention=attention", "+pooling=pooling", "+pyramid=pyramid", "+head=head",
        "+attention=attention+block=block", "+loss=box_loss", "+loss=class_loss", "+loss=mask_loss",
        "+assigner=nearest",
    ],
)  # fmt: skip
def test_each_kind_trains_and_comes_back(modifiers):
    YoloArchitectures(LAYERS).check(f"yolo11n-seg{modifiers}")


def test_all_kinds_together():
    YoloArchitectures(LAYERS).check(EVERYTHING)
    swapped = EVERYTHING.replace("box_loss,class_loss", "class_loss,box_loss")
    assert design.Catalogue(LAYERS).parse(swapped).name == EVERYTHING


def test_the_places():
    model = build.segmentation_model("yolo11n-seg+attention=attention+convolution=convolution", 1, LAYERS)
    rows = model.model
    assert [number for number, row in enumerate(rows) if any(isinstance(m, Same) for m in row.modules())] == [
        2, 4, 6, 8, 13, 16, 19, 22,
    ]  # fmt: skip
    assert all(isinstance(rows[number].cv2.act[1], Same) for number in (16, 19, 22))
    assert isinstance(rows[2].m[0].cv2, Same) and isinstance(rows[6].m[0].m[1].cv2, Same)
    stock = build.segmentation_model("yolo11n-seg", 1)
    copied, _ = build.copy_matching(build.segmentation_model("yolo11n-seg+attention=attention", 1, LAYERS), stock)
    assert set(copied) == set(stock.state_dict())  # every stock weight still fits


def test_fused_it_computes_the_same():
    torch.manual_seed(0)
    model = build.segmentation_model("yolo11n-seg+attention=attention+pyramid=pyramid", 1, LAYERS).eval()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = model(image)[0]
        torch.testing.assert_close(build.prepare_for_inference(model)(image)[0], expected, rtol=1e-3, atol=1e-3)


def test_losses_are_no_part_of_the_network():
    stock = build.segmentation_model("yolo11n-seg", 1)
    model = build.segmentation_model("yolo11n-seg+loss=box_loss+assigner=nearest", 1, LAYERS)
    assert model.state_dict().keys() == stock.state_dict().keys()
    assert (model.yaml["loss"], model.yaml["assigner"]) == ("box_loss", "nearest")
    assert build.rebuild(model.yaml, 3, ()).yaml["loss"] == "box_loss"
    with pytest.raises(InputError, match="There is no loss 'box_loss'; no active plugin provides one"):
        criterion.parts(model.yaml, ())


def test_a_loss_keeps_its_running_state_out_of_evaluation():
    model = build.segmentation_model("yolo11n-seg+loss=box_loss", 1, LAYERS)
    model.args = get_cfg()
    model.criterion = criterion.of_model(model, LAYERS)
    batch = {
        "img": torch.rand(1, 3, 64, 64),
        "batch_idx": torch.zeros(1),
        "cls": torch.zeros(1, 1),
        "bboxes": torch.tensor([[0.5, 0.5, 0.5, 0.5]]),
        "masks": torch.ones(1, 16, 16),
    }
    model.train()
    model(batch)
    model.eval()
    model(batch)
    assert float(model.criterion.replaced["box"].calls) == 1
    empty = batch | {"batch_idx": torch.zeros(0), "cls": torch.zeros(0, 1), "bboxes": torch.zeros(0, 4)}
    loss, _ = model.train()(empty | {"masks": torch.zeros(1, 16, 16)})
    assert torch.isfinite(loss).all() and float(loss[0]) == 0


@pytest.mark.parametrize(
    ("modifiers", "said"),
    [
        ("+loss=box_loss,other", "box_loss and other are both losses of the box; keep one"),
        ("+loss=nope", "There is no loss 'nope'; known are box_loss"),
        ("+loss=box_loss,", "There is no loss ''"),
        ("+block=block+convolution=convolution", "block=block leaves no place for convolution=convolution"),
        ("+pyramid=narrow", "the pyramid narrow returns maps of the shapes"),
        ("+head=headless", "cannot be built"),
    ],
)
def test_what_cannot_be_is_refused(modifiers, said):
    with pytest.raises(InputError, match=said):
        build.segmentation_model(f"yolo11n-seg{modifiers}", 1, LAYERS)
