import copy
import io

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.timm_backbones import blocks, inspector_layers
from inspector_plugins.yolo11.architecture import build
from inspector_plugins.yolo11.checkpoint import checkpoint


def test_the_hook_lists_timms_models_without_importing_them():
    (spec,) = inspector_layers()
    assert spec.kind == "backbone" and "resnet18" in spec.members() and len(spec.members()) > 500


@pytest.mark.parametrize("name", blocks.TESTED)
def test_a_tested_backbone_gives_maps_of_three_strides_learns_and_is_saved(name):
    net = blocks.TimmBackbone(name).train()
    maps = net(torch.rand(2, 3, 64, 96))
    assert [tuple(one.shape) for one in maps] == [
        (2, channels, 64 // stride, 96 // stride) for channels, stride in zip(net.channels, (8, 16, 32), strict=True)
    ]
    sum(one.square().mean() for one in maps).backward()
    assert all(torch.isfinite(value.grad).all() for value in net.parameters() if value.grad is not None)
    assert next(net.parameters()).grad.any()
    again, x = blocks.TimmBackbone.from_state(net.__getstate__()), torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        for mine, other in zip(net.eval()(x), again(x), strict=True):
            torch.testing.assert_close(mine, other)


def test_the_tested_ones_come_first():
    assert len(blocks.TESTED) >= 15 and tuple(blocks.names()[: len(blocks.TESTED)]) == blocks.TESTED


def test_maps_with_channels_last_are_turned():
    net = blocks.TimmBackbone("davit_tiny").eval()
    with torch.no_grad():
        assert [one.shape[1] for one in net(torch.rand(1, 3, 64, 64))] == list(net.channels)


@pytest.mark.parametrize(
    "name, said",
    [
        ("no_such_net", "timm has no model 'no_such_net'"),
        ("hf-hub:timm/resnet18.a1_in1k", "timm has no model"),
        ("vit_tiny_patch16_224", "has maps of stride 16, 16, 16 and none of 8, 32"),
        ("levit_128", "none of 8"),
    ],
)
def test_what_is_no_backbone_is_refused(name, said):
    with pytest.raises(ValueError, match=said):
        blocks.TimmBackbone(name)


def test_it_is_saved_by_name_and_tensors():
    net = blocks.TimmBackbone("mobilenetv3_small_100").eval()
    net.i, net.f, net.type, net.np = 0, -1, "backbone", 12
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps, module.momentum = 1e-3, 0.03  # as ultralytics sets them
    buffer = io.BytesIO()
    torch.save(copy.deepcopy(net).half(), buffer)
    assert b"mobilenetv3.MobileNetV3" not in buffer.getvalue() and b"timm.models" not in buffer.getvalue()
    buffer.seek(0)
    again = torch.load(buffer, weights_only=False)
    assert (again.i, again.f, again.type, again.np) == (0, -1, "backbone", 12) and not again.training
    assert again.channels == net.channels and {value.dtype for value in again.parameters()} == {torch.float16}
    assert list(again.state_dict()) == list(net.state_dict())
    eps = {module.eps for module in again.modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert eps == {1e-3}
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for mine, other in zip(net.half().float()(x), again.float()(x), strict=True):
            torch.testing.assert_close(mine, other)


def test_a_checkpoint_opens_by_the_allow_list(tmp_path):
    model = build.segmentation_model("yolo11n-seg+backbone=timm/mobilenetv3_small_100", 1, inspector_layers()).eval()
    torch.save({"model": copy.deepcopy(model).half(), "train_args": {"imgsz": 64}}, tmp_path / "best.pt")
    opened = checkpoint.load(tmp_path / "best.pt", inspector_layers())
    assert opened.architecture == "yolo11n-seg+backbone=timm/mobilenetv3_small_100"
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(opened.model(x)[0][0], model.half().float()(x)[0][0], rtol=1e-3, atol=1e-2)
