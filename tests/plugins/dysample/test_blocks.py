import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.dysample.blocks import dysample


@pytest.mark.parametrize(("channels", "groups"), [(256, 4), (8, 4), (18, 2), (15, 1), (1, 1)])
def test_groups_divide_the_channels(channels, groups):
    module = dysample(channels, channels, 16)
    assert module.groups == groups
    assert module(torch.randn(2, channels, 3, 5)).shape == (2, channels, 6, 10)


def test_changed_channels_are_refused():
    with pytest.raises(ValueError, match="c1 is 8, c2 is 16"):
        dysample(8, 16, 16)
