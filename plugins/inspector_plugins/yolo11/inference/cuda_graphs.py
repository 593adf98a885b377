"""CUDA graphs: record the kernel launches for one input shape once, then replay them.

A small network is a few hundred kernels, and launching them one by one takes longer than computing them.
Source: PyTorch's notes on CUDA semantics, section CUDA graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)
_SHAPES = 4  # each keeps its activations in the GPU's memory
_WARM_UP = 3  # calls, during which libraries choose their kernels

Outputs = tuple[Tensor, ...]


class GraphedCallable:
    """Calls ``compute``, replaying a graph from the second call of a shape on if the device supports it.

    Args:
        compute: function of a tensor of fixed shape on a CUDA device; its results stay on that device.
    """

    def __init__(self, compute: Callable[[Tensor], Outputs]) -> None:
        self._compute = compute
        self._seen: set[tuple[int, ...]] = set()
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Tensor, Outputs]] = {}
        self._possible = True

    def __call__(self, inputs: Tensor) -> Outputs:
        """Return the result of ``compute``, in memory that the next call may overwrite."""
        shape = tuple(inputs.shape)
        if shape not in self._graphs and self._possible and shape in self._seen and len(self._graphs) < _SHAPES:
            self._record(inputs)
        self._seen.add(shape)
        if shape not in self._graphs:
            return self._compute(inputs)
        graph, place, results = self._graphs[shape]
        place.copy_(inputs)
        graph.replay()
        return results

    def clear(self) -> None:
        """Free the memory of the recorded graphs."""
        self._graphs.clear()

    def _record(self, inputs: Tensor) -> None:
        try:
            with torch.cuda.device(inputs.device):
                place = inputs.clone()
                side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    for _ in range(_WARM_UP):
                        self._compute(place)
                torch.cuda.current_stream().wait_stream(side)
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    results = self._compute(place)
            self._graphs[tuple(inputs.shape)] = (graph, place, results)
        except (AssertionError, RuntimeError, ValueError) as error:
            self._possible = False
            reason = str(error).partition("\n")[0]
            logger.info("This network cannot be graphed as a CUDA graph and runs without: %s", reason)
