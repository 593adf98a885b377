import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

from inspector_plugins.cgnet.layers import Context_Guided_Network, ContextGuidedBlock, ContextGuidedBlock_Down, FGlo


class Placeholder(nn.Module):
    """Placeholder for a class of other code: it has children, parameters and attributes, and cannot compute."""


def foreign(module: nn.Module) -> nn.Module:
    """The module as a checkpoint of other code contains it: only torch's own classes are known."""
    if type(module).__module__.startswith("torch."):
        if not isinstance(module, nn.Sequential | nn.ModuleList):
            return module
        return (
            type(module)(*map(foreign, module))
            if isinstance(module, nn.Sequential)
            else type(module)(map(foreign, module))
        )
    stand_in = Placeholder()
    stand_in.__dict__.update({k: v for k, v in module.__dict__.items() if k not in ("_modules", "_parameters")})
    stand_in._parameters.update(module._parameters)
    for name, child in module.named_children():
        stand_in.add_module(name, foreign(child))
    return stand_in


def randomise(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -1, 1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            part.eps, part.momentum = 0.01, 0.3
    return module.eval()


@pytest.mark.parametrize(
    ("build", "channels"),
    [
        (lambda: FGlo(12, 5), 12),
        (lambda: FGlo(32, 3), 32),
        (lambda: ContextGuidedBlock(16, 16, 3, 8), 16),
        (lambda: ContextGuidedBlock(16, 16, 1, 16, add=False), 16),
        (lambda: ContextGuidedBlock(6, 10, 2, 4, add=False), 6),
        (lambda: ContextGuidedBlock_Down(7, 9, 4, 2), 7),
        (lambda: Context_Guided_Network(5, 2, 3), 3),
        (lambda: Context_Guided_Network(2, 1, 1, dropout_flag=True), 3),
    ],
)
def test_foreign_modules_come_over(build, channels):
    module = randomise(build())
    loaded = type(module).load_foreign(foreign(module))
    assert type(loaded) is type(module) and not loaded.training
    x = torch.randn(2, channels, 12, 9)
    assert torch.equal(loaded(x), module(x))
    norms = [part for part in loaded.modules() if isinstance(part, nn.BatchNorm2d)]
    assert all((part.eps, part.momentum) == (0.01, 0.3) for part in norms)


def test_half_weights_come_over_as_32_bit():
    module = randomise(ContextGuidedBlock(16, 16, 2, 8)).half()
    loaded = ContextGuidedBlock.load_foreign(foreign(module))
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.F_loc.conv.weight, module.F_loc.conv.weight.float())


def test_the_collections_own_block_is_refused_by_its_keys():
    """It has the name, but SiLU instead of PReLU and biased depth-wise convolutions (modules.md, section 3)."""
    block = Placeholder()
    block.conv1x1 = Placeholder()
    block.conv1x1.conv, block.conv1x1.bn = nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)
    block.F_loc, block.F_sur = (nn.Conv2d(8, 8, 3, padding=d, dilation=d, groups=8) for d in (1, 2))
    block.bn, block.F_glo = nn.BatchNorm2d(16), foreign(FGlo(16, 4))
    with pytest.raises(
        ValueError, match=r'Missing.* "conv1x1.act.weight", "F_loc.conv.weight".*Unexpected.*"F_loc.weight"'
    ):
        ContextGuidedBlock.load_foreign(block)


@pytest.mark.parametrize("cls", [FGlo, ContextGuidedBlock, ContextGuidedBlock_Down, Context_Guided_Network])
def test_something_else_is_refused(cls):
    other = Placeholder()
    other.linear = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"is missing.*linear.weight, linear.bias"):
        cls.load_foreign(other)
    with pytest.raises(ValueError, match="there is nothing"):
        cls.load_foreign(Placeholder())


def test_other_shapes_are_told():
    block = foreign(ContextGuidedBlock(16, 16, 2, 8))
    block.F_loc.conv = nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False)
    with pytest.raises(ValueError, match=r"size mismatch for F_loc.conv.weight.*\[8, 1, 5, 5\].*\[8, 1, 3, 3\]"):
        ContextGuidedBlock.load_foreign(block)


def test_another_stride_is_told():
    block = foreign(ContextGuidedBlock_Down(16, 16, 2, 8))
    block.conv1x1.conv.stride = (1, 1)
    with pytest.raises(ValueError, match=r"conv1x1.conv has stride \(1, 1\), not \(2, 2\)"):
        ContextGuidedBlock_Down.load_foreign(block)


def test_unreachable_reductions_are_told():
    glo = Placeholder()
    glo.fc = nn.Sequential(nn.Linear(32, 7), nn.ReLU(), nn.Linear(7, 32), nn.Sigmoid())
    with pytest.raises(ValueError, match=r"size mismatch for fc\.0\.weight"):
        FGlo.load_foreign(glo)
