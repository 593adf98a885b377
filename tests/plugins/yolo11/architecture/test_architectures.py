import pytest

from inspector import registry
from inspector.api import InputError, InspectorError, LayerSpec, Text, prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures


class Calm(nn.Conv2d):
    def __init__(self, c1, c2, stride):
        super().__init__(c1, c2, 1)


class Idle(Calm):
    """Has an unused parameter."""

    def __init__(self, c1, c2, stride):
        super().__init__(c1, c2, stride)
        self.unused = nn.Parameter(torch.ones(3))


class Forgetful(Calm):
    """Loses something when it is saved."""

    def __init__(self, c1, c2, stride):
        super().__init__(c1, c2, stride)
        self.factor = 3

    def __getstate__(self):
        return {**self.__dict__, "factor": 1}

    def forward(self, x):
        return super().forward(x) * self.factor


class Explosive(Calm):
    def forward(self, x):
        return super().forward(x) / 0


def spec(cls, kind="block", **more):
    return LayerSpec(id=cls.__name__.lower(), title=Text(cls.__name__, "层"), kind=kind, load=lambda: (cls,), **more)


@pytest.fixture(scope="module")
def builtin():
    """All that the built-in plugins bring."""
    catalogue = registry.load(plugins=False)
    return YoloArchitectures(tuple(catalogue.layers.values()))


def test_the_list_has_bases_presets_and_modifiers():
    entries = YoloArchitectures([spec(Calm, paper="Calm 2024", presets={"calm": "+block=calm"})]).list()
    assert [entry.name for entry in entries if entry.kind == "base"] == [f"yolo11{scale}-seg" for scale in "nsmlx"]
    presets = {entry.name: (entry.meaning, entry.paper) for entry in entries if entry.kind == "preset"}
    assert presets["yolo11l-seg-calm"] == ("yolo11l-seg+block=calm", "Calm 2024") and len(presets) == 5
    (modifier,) = (entry for entry in entries if entry.kind == "modifier")
    assert modifier.name == "+block=calm" and modifier.title.zh == "层，替换瓶颈模块"


def test_the_cost_of_the_stock_network(builtin):
    cost = builtin.cost("yolo11n-seg", 320)
    assert (cost.layers, cost.parameters, cost.stride) == (203, 2_842_803, (8, 16, 32))
    assert cost.gflops == pytest.approx(9.63 / 4, abs=0.02)  # attention grows faster than the image
    assert [row[2] for row in cost.rows[:3]] == [
        "ultralytics.nn.modules.conv.Conv", "ultralytics.nn.modules.conv.Conv", "ultralytics.nn.modules.block.C3k2",
    ]  # fmt: skip
    assert sum(row[3] for row in cost.rows) == cost.parameters


def test_combinations_are_distinct_and_many(builtin):
    names = builtin.combinations()
    assert len(names) == len(set(names)) >= 140
    assert {"yolo11x-seg", "yolo11n-seg+backbone=unireplknet_xl", "yolo11n-seg+backbone=timm/resnet18"} <= set(names)
    assert "yolo11n-seg+block=vss+neck=freqfusion" in names and "yolo11n-seg+backbone=cgnet+block=vss" in names
    assert any(name.count("+") >= 4 for name in names)


@pytest.mark.parametrize(
    "layer, said",
    [
        (Idle, "parameters get no gradient, the first is"),
        (Forgetful, "reloaded it computes something else"),
        (Explosive, "not finite|cannot be built"),
    ],
)
def test_the_check_finds_what_is_wrong(layer, said):
    with pytest.raises(InspectorError, match=said):
        YoloArchitectures([spec(layer)]).check(f"yolo11n-seg+block={layer.__name__.lower()}")


def test_the_check_passes_what_is_right():
    YoloArchitectures([spec(Calm)]).check("yolo11n-seg+block=calm")
    with pytest.raises(InspectorError, match="There is no block 'nope'"):
        YoloArchitectures([]).check("yolo11n-seg+block=nope")


PRESETS = ("cgnet", "unireplknet", "rmt", "vmamba", "freqfusion")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes(builtin, preset):
    builtin.check(f"yolo11n-seg-{preset}")


@pytest.mark.slow
def test_a_sample_of_everything_passes(builtin):
    """`architectures --check` runs all of them."""
    names = [name for name in builtin.combinations() if name.startswith("yolo11n") and name.count("+") > 1]
    for name in names[:: max(1, len(names) // 3)]:
        builtin.check(name)


def test_an_unknown_name_is_refused(builtin):
    with pytest.raises(InputError, match="There is no preset 'nope'"):
        builtin.cost("yolo11n-seg-nope")
