import logging

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.yolo11.inference.cuda_graphs import GraphedCallable


def twice(given):
    return (given * 2,)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_where_nothing_can_be_recorded_it_is_computed_and_said_once(caplog):
    caplog.set_level(logging.INFO)
    graphed = GraphedCallable(twice)
    for value in range(4):
        (result,) = graphed(torch.full((2, 3), value))
        assert result.tolist() == [[value * 2] * 3] * 2
    assert caplog.text.count("cannot be graphed as a CUDA graph and runs without") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_each_shape_is_recorded_when_it_comes_again():
    calls = []

    def compute(given):
        calls.append(tuple(given.shape))
        return (given * 2,)

    graphed = GraphedCallable(compute)
    for rows in (2, 2, 3, 3, 2, 3):
        given = torch.randn(rows, 3, device="cuda")
        assert torch.equal(graphed(given)[0], given * 2)
    assert len(graphed._graphs) == 2 and len(calls) == 2 * (1 + 3 + 1)
