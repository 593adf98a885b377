"""Build networks from the description in a checkpoint: attributes that are set, and those that are not."""

import pytest
from pickled import archive, layer, tensor

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins._shared.torch_files import content
from inspector_plugins.yolo11.checkpoint import network
from inspector_plugins.yolo11.checkpoint.allowlist import Allowlist


class Keeps(nn.Module):
    """A layer of a plugin with attributes of every kind."""

    kind = "keeps"

    def __init__(self):
        super().__init__()
        self.width, self.parts, self.late = 4, [(1, 2)], None

    @property
    def shown(self):
        return self.width

    def forward(self, x):
        return x * getattr(self, "factor", 1)


class Described(nn.Module):
    """A layer of a plugin that saves a custom state."""

    @classmethod
    def from_state(cls, state):
        if "numbers" not in state:
            raise ValueError("has no numbers")
        made = cls()
        made.numbers = nn.Parameter(state["numbers"])
        return made


def built(cls, **attributes):
    classes = [Keeps, Described]
    described = layer(f"{cls.__module__}.{cls.__qualname__}", **attributes)
    found = content.read(archive(described), "a.pt").root
    return network.Builder(Allowlist(classes))._module(found, 0)


def test_attributes_that_the_code_mentions_are_taken_over():
    made = built(Keeps, width=7, parts=[(1, 2), (3, 4)], late="x", factor=2.5, i=3, f=[-1, 2], other=1, kind="changed")
    assert (made.width, made.parts, made.late, made.factor) == (7, [(1, 2), (3, 4)], "x", 2.5)
    assert (made.i, made.f) == (3, [-1, 2])
    assert "other" not in vars(made) and made.kind == "keeps"


def test_methods_and_properties_stay():
    made = built(Keeps, width=7, shown=9, forward=None, eval=1, __class__=1, _version=5)
    assert made.shown == 7 and set(vars(made)) & {"forward", "eval", "__class__", "_version", "shown"} == set()
    assert isinstance(made.eval(), Keeps)


def test_a_layer_may_make_itself_of_its_state():
    made = built(Described, numbers=tensor((4,), (1,)), i=2)
    assert made.numbers.shape == (4,) and made.i == 2
    with pytest.raises(ValueError, match="has no numbers"):
        built(Described)


def test_layers_of_torch_that_are_none_of_a_network_are_not_built():
    known = Allowlist()
    for name in ("ParameterDict", "ParameterList"):
        assert known.layer(f"torch.nn.modules.container.{name}") is None
    for name in ("module.Module", "lazy.LazyModuleMixin", "loss.MSELoss", "rnn.LSTM", "linear.LazyLinear"):
        assert known.layer(f"torch.nn.modules.{name}") is None
    assert known.layer("torch.nn.modules.conv.Conv2d") is nn.Conv2d
    for name in ("os.system", "torch.nn.modules.conv.os", "ultralytics.nn.modules.block.torch", "torch.nn.Module"):
        assert known.layer(name) is None and known.missing([name]) == [name]


@pytest.mark.parametrize("mask", [float("inf"), float("-inf")])
def test_constants_may_be_infinite_but_never_nan(mask):
    module = nn.Linear(2, 2)
    module.register_buffer("mask", torch.full((2,), mask))
    assert network.not_finite(module) is None
    module.mask[0] = float("nan")
    assert network.not_finite(module) == "mask"
    module.mask[0] = 0
    with torch.no_grad():
        module.weight[0, 0] = mask
    assert network.not_finite(module) == "weight"
