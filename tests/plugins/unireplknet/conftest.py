"""Modules in which every parameter and statistic matters."""

import pytest

from inspector.api import prepare_torch


@pytest.fixture(scope="session")
def randomised():
    """``randomised(module, seed=0)``: the module in eval mode, with random parameters and statistics."""
    prepare_torch()
    import torch

    def fill(module, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, value in module.state_dict().items():
                if name.endswith(("running_var", "gamma")) or (value.ndim == 1 and name.endswith("weight")):
                    value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
                elif value.is_floating_point():
                    spread = 0.3 if value.ndim < 2 else 1 / max(value[0].numel(), 1) ** 0.5
                    value.copy_(torch.randn(value.shape, generator=generator) * spread)
        return module.eval()

    return fill


@pytest.fixture(scope="session")
def stranger():
    """``stranger(module)``: the module as other code would have pickled it: placeholders in place of our classes."""
    prepare_torch()
    import copy

    from torch import nn

    def disguise(module):
        module = copy.deepcopy(module)
        for part in list(module.modules()):
            if type(part).__module__.startswith("inspector_plugins"):
                part.__class__ = type(type(part).__name__, (nn.Module,), {})
        return module

    return disguise
