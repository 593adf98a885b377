import copy

import pytest

from inspector.api import InputError, LayerSpec, Text, prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins.yolo11.architecture import build, flops
from inspector_plugins.yolo11.checkpoint import checkpoint


class Twin(nn.Module):
    """A block with two branches that merge into one."""

    def __init__(self, c1, c2, stride):
        super().__init__()
        self.stride, self.one, self.other = stride, nn.Conv2d(c1, c2, 3, padding=1), nn.Conv2d(c1, c2, 3, padding=1)
        self.merged = 0

    def reparameterize(self):
        self.merged += 1
        if self.other is not None:
            self.one.weight += self.other.weight
            self.one.bias += self.other.bias
            self.other = None

    def forward(self, x):
        return self.one(x) if self.other is None else self.one(x) + self.other(x)

    def flops(self, x):
        return x.numel()


class Pool(nn.Module):
    def __init__(self, c1, c2, stride):
        super().__init__()
        self.stride, self.mix = stride, nn.Conv2d(c1, c2, 1)

    def forward(self, x):
        return self.mix(nn.functional.max_pool2d(x, 2, ceil_mode=True))


class Join(nn.Module):
    def __init__(self, c1, c2, stride):
        super().__init__()
        self.shape = (c1, c2, stride)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, maps):
        deep, shallow = maps
        return torch.cat((nn.functional.interpolate(deep, shallow.shape[2:]) * self.scale, shallow), 1)


class Tower(nn.Module):
    channels = (24, 40, 56)

    def __init__(self):
        super().__init__()
        widths = (3, *self.channels)
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c1, c2, 3, stride, 1), nn.BatchNorm2d(c2))
            for c1, c2, stride in zip(widths, self.channels, (8, 2, 2), strict=False)
        )

    def forward(self, x):
        maps = []
        for step in self.steps:
            x = step(x)
            maps.append(x)
        return maps


class Wrong(Pool):
    def forward(self, x):
        return self.mix(x)


class Early(Tower):
    def forward(self, x):
        return super().forward(nn.functional.interpolate(x, scale_factor=2))


def spec(cls, kind, **more):
    return LayerSpec(id=cls.__name__.lower(), title=Text(cls.__name__), kind=kind, load=lambda: (cls,), **more)


KINDS = (
    (Twin, "block"),
    (Pool, "downsample"),
    (Join, "neck"),
    (Tower, "backbone"),
    (Wrong, "downsample"),
    (Early, "backbone"),
)
LAYERS = tuple(spec(cls, kind) for cls, kind in KINDS)


@pytest.mark.parametrize("scale", "nsmlx")
def test_stock_architectures_are_ultralytics_own(scale):
    torch.manual_seed(3)
    stock = SegmentationModel(f"yolo11{scale}-seg.yaml", nc=80, verbose=False).eval()
    torch.manual_seed(3)
    ours = build.segmentation_model(f"yolo11{scale}-seg", 80).eval()
    assert type(ours) is SegmentationModel
    own, theirs = ours.state_dict(), stock.state_dict()
    assert list(own) == list(theirs) and all(torch.equal(own[key], theirs[key]) for key in own)
    assert ours.save == stock.save and torch.equal(ours.stride, stock.stride)
    for mine, other in zip(ours.model, stock.model, strict=True):
        assert (mine.i, mine.f, mine.np, mine.type) == (other.i, other.f, other.np, other.type)
    if scale in "nm":
        x = torch.rand(2, 3, 64, 96)
        with torch.no_grad():
            assert torch.equal(ours(x)[0][0], stock(x)[0][0])


def test_layers_get_channels_and_stride_of_their_place():
    model = build.segmentation_model("yolo11n-seg+block=twin+down=pool+neck=join", 2, LAYERS).model
    twins = [module for module in model.modules() if isinstance(module, Twin)]
    assert [(twin.one.in_channels, twin.stride) for twin in twins[:2]] == [(16, 4), (32, 8)]
    assert {twin.stride for twin in twins} == {4, 8, 16, 32}
    assert [(row.stride, row.mix.in_channels, row.mix.out_channels) for row in model if isinstance(row, Pool)] == [
        (4, 16, 32), (8, 64, 64), (16, 128, 128), (32, 128, 256), (16, 64, 64), (32, 128, 128),
    ]  # fmt: skip
    assert [row.shape for row in model if isinstance(row, Join)] == [(256, 128, 16), (128, 128, 8)]


def test_a_backbone_feeds_the_stock_head():
    model = build.segmentation_model("yolo11n-seg+backbone=tower", 1, LAYERS)
    assert model.stride.tolist() == [8, 16, 32]
    assert model.model[9].cv1.conv.in_channels == 56
    stock = build.segmentation_model("yolo11n-seg", 1).state_dict()
    own = model.state_dict()
    head = [key for key in own if key.startswith(("model.19.", "model.23."))]
    assert head and all(own[key].shape == stock[key].shape for key in head)


def test_what_cannot_be_built_is_said():
    with pytest.raises(InputError, match=r"the layer wrong turns a map of \(16, 16, 16\) into \(32, 16, 16\), where"):
        build.segmentation_model("yolo11n-seg+down=wrong", 1, LAYERS)
    with pytest.raises(InputError, match=r"has feature maps of stride \(4, 8, 16\) where 8, 16 and 32 are needed"):
        build.segmentation_model("yolo11n-seg+backbone=early", 1, LAYERS)
    few = LayerSpec(id="few", title=Text("few"), kind="backbone", load=lambda: (nn.Identity,))
    with pytest.raises(InputError, match="yolo11n-seg\\+backbone=few cannot be built"):
        build.segmentation_model("yolo11n-seg+backbone=few", 1, (few,))


def test_ultralytics_parser_is_back_afterwards():
    from ultralytics.nn import tasks

    before = tasks.parse_model
    build.segmentation_model("yolo11n-seg+block=twin", 1, LAYERS)
    with pytest.raises(InputError):
        build.segmentation_model("yolo11n-seg+down=wrong", 1, LAYERS)
    assert tasks.parse_model is before


def test_merging_reaches_each_block_once_and_changes_nothing():
    torch.manual_seed(0)
    model = build.segmentation_model("yolo11n-seg+block=twin", 1, LAYERS).eval()
    merged = build.prepare_for_inference(copy.deepcopy(model))
    assert {twin.merged for twin in merged.modules() if isinstance(twin, Twin)} == {1}
    assert not any(isinstance(module, nn.BatchNorm2d) for module in merged.modules())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(merged(x)[0][0], model(x)[0][0], rtol=1e-4, atol=1e-3)


def test_a_checkpoint_tells_its_architecture_and_can_be_rebuilt(tmp_path):
    model = build.segmentation_model("yolo11n-seg+block=twin+backbone=tower", 1, LAYERS)
    torch.save({"model": copy.deepcopy(model).half(), "train_args": {"imgsz": 64}}, tmp_path / "best.pt")
    opened = checkpoint.load(tmp_path / "best.pt", LAYERS)
    assert opened.architecture == "yolo11n-seg+block=twin+backbone=tower"
    again = build.rebuild(opened.model.yaml, 4, LAYERS)
    assert again.model[-1].nc == 4
    taken, fresh = build.copy_matching(again, opened.model)
    assert len(taken) > 300 and all(".cv3." in key for key in fresh)
    with pytest.raises(InputError, match=r"There is no block 'twin'|There is no backbone 'tower'"):
        build.rebuild(opened.model.yaml, 4, ())


def test_every_tensor_of_a_stock_model_goes_over():
    start = build.segmentation_model("yolo11n-seg", 1)
    taken, fresh = build.copy_matching(build.segmentation_model("yolo11n-seg", 1), start)
    assert not fresh and taken == list(start.state_dict())
    taken, fresh = build.copy_matching(build.segmentation_model("yolo11n-seg+down=pool", 1, LAYERS), start)
    assert fresh and all(key.split(".")[1] in ("1", "3", "5", "7", "17", "20") for key in fresh)


def test_operations_are_counted():
    # as ultralytics says of the fused network, in which norms cost nothing
    stock = build.segmentation_model("yolo11n-seg", 80)
    assert flops.count(stock, 640) / 1e9 == pytest.approx(9.80, abs=0.005)
    model = build.segmentation_model("yolo11n-seg+block=twin", 1, LAYERS)
    own = sum(twin.one.in_channels * (64 // twin.stride) ** 2 for twin in model.modules() if isinstance(twin, Twin))
    convolutions = flops.count(model, 64) - own
    for module in model.modules():
        module.flops = None  # nothing tells of its own
    assert flops.count(model, 64) == convolutions


def test_a_layer_that_needs_numbers_is_counted_on_the_cpu():
    class Choosy(Twin):
        def forward(self, x):
            return self.one(x) if x.detach().sum().item() > -1e30 else self.other(x)

    model = build.segmentation_model("yolo11n-seg+block=choosy", 1, (spec(Choosy, "block"),))
    assert flops.count(model, 64) > 1e7
