"""Quantize an OpenVINO network of floats to 8-bit integers, by post-training quantization.

Convolutions take nearly all the time. Their weights become signed integers with a scale for each output channel; what
they read is rounded to 256 steps over the range that was seen on images, by operations ``FakeQuantize`` from which
OpenVINO's CPU plugin makes integer kernels. What flows into one ``Concat`` shares its steps, so that it is joined as
integers. All that comes after the last convolutions stays floats: eight bits over an image's width are no place for
the side of a box. To leave these convolutions floats too gained nothing that could be measured.

Sources: Jacob et al. 2018, arXiv 1712.05877, for scales and zero points; Krishnamoorthi 2018, arXiv 1806.08342, for
scales by channel. Not used: nncf, OpenVINO's own tool. Its defaults round the decoded boxes too, and with those left
out it is as fast and no more exact, for 230 MB of packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.api import prepare_openvino

prepare_openvino()

import openvino
from openvino import opset13 as operations
from openvino._offline_transformations import apply_moc_transformations

Floats = NDArray[np.float32]

_PASSED_ON = {"Concat", "VariadicSplit", "Split", "MaxPool"}  # pass their inputs on unchanged, only rearranged
_STEPS = 255
_WEIGHT_STEPS = 127
_FIRST_WEIGHT_STEPS = 63  # full pixels times full weights would overflow 16 bits on processors without VNNI


def quantize(model: Any, inputs: Iterable[Floats]) -> Any:
    """Quantize the network to 8 bits.

    Args:
        model: an ``openvino.Model`` for (1, 3, H, W) float32 from 0 to 1; changed in place.
        inputs: representative inputs.

    Returns:
        A model with the same inputs and outputs.

    Raises:
        ValueError: it computes non-finite numbers.
    """
    apply_moc_transformations(model, cf=True)  # constants folded, norms merged, activations recognized
    convolutions = [node for node in model.get_ordered_ops() if _is_rounded(node)]
    groups = _groups(convolutions)
    for group, (low, high) in zip(groups, _ranges(model, groups, inputs), strict=True):
        for output in group:
            _round_activations(output, *_with_zero(low, high))
    for convolution in convolutions:
        _round_weights(convolution)
    model.validate_nodes_and_infer_types()
    return model


def _is_rounded(node: Any) -> bool:
    """Whether it is a convolution by constants, but not the one behind a softmax, which computes a box's sides (DFL).

    Nor a transposed one: OpenVINO computes it in floats where zero is not the lowest step.
    """
    if node.get_type_name() not in ("Convolution", "GroupConvolution"):
        return False
    values, weights = (value.get_node().get_type_name() for value in node.input_values())
    return bool(values != "Softmax" and weights == "Constant")


def _groups(convolutions: Sequence[Any]) -> list[list[Any]]:
    """Group the node outputs that ``convolutions`` read; those that share a ``Concat`` form one group."""
    groups: list[dict[tuple[str, int], Any]] = []
    for convolution in convolutions:
        group = {(output.get_node().get_name(), output.get_index()): output for output in _sources(convolution)}
        apart = []
        for other in groups:
            if group.keys().isdisjoint(other):
                apart.append(other)
            else:
                group = other | group
        groups = [*apart, group]
    return [list(group.values()) for group in groups]


def _sources(convolution: Any) -> Iterator[Any]:
    waiting = [convolution.input_value(0)]
    while waiting:
        output = waiting.pop()
        node = output.get_node()
        kind = node.get_type_name()
        if kind in _PASSED_ON or (kind == "Interpolate" and node.get_attributes()["mode"] == "nearest"):
            waiting += node.input_values() if kind == "Concat" else [node.input_value(0)]
        else:
            yield output


def _ranges(model: Any, groups: Sequence[Sequence[Any]], inputs: Iterable[Floats]) -> list[tuple[float, float]]:
    """Smallest and largest number in each group over all ``inputs``; of pixels 0 and 1."""
    reduced = []
    for output in (output for group in groups for output in group):
        axes = np.arange(output.get_partial_shape().rank.get_length())
        reduced += [operations.reduce_min(output, axes), operations.reduce_max(output, axes)]
    probe = openvino.Model([operations.result(node) for node in reduced], model.get_parameters(), "ranges")
    compiled = openvino.Core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = []
    for values in inputs:
        results = compiled([values])
        rows.append([float(results[number]) for number in range(len(reduced))])
    seen = np.array(rows).reshape(len(rows), -1, 2)
    if not np.isfinite(seen).all():
        raise ValueError("it computes numbers that are not finite")
    ranges, start = [], 0
    for group in groups:
        mine = seen[:, start : start + len(group)]
        start += len(group)
        pixels = group[0].get_node().get_type_name() == "Parameter"
        ranges.append((0.0, 1.0) if pixels else (float(mine[..., 0].min()), float(mine[..., 1].max())))
    return ranges


def _with_zero(low: float, high: float) -> tuple[np.float32, np.float32]:
    """Widen the range to include zero, and shift it until zero, which pads, is one of the steps."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max(high - low, 1e-6) / _STEPS
    below = round(-low / step)
    return np.float32(-below * step), np.float32((_STEPS - below) * step)


def _round_activations(output: Any, low: np.float32, high: np.float32) -> None:
    readers = [reader for reader in output.get_target_inputs() if reader.get_node().get_type_name() != "ShapeOf"]
    rounded = operations.fake_quantize(output, low, high, low, high, _STEPS + 1)
    rounded.set_friendly_name(f"{output.get_node().get_friendly_name()}/rounded.{output.get_index()}")
    for reader in readers:
        reader.replace_source_output(rounded.output(0))


def _round_weights(convolution: Any) -> None:
    weights = convolution.input_value(1).get_node().get_data().astype(np.float32)
    channel_axes = 2 if convolution.get_type_name() == "GroupConvolution" else 1  # groups, channels of a group
    peaks = np.abs(weights).max(axis=tuple(range(channel_axes, weights.ndim)), keepdims=True)
    source = convolution.input_value(0).get_node()
    reads_pixels = source.get_type_name() == "FakeQuantize" and source.input_value(0).get_node().get_type_name() == (
        "Parameter"
    )
    scales = np.maximum(peaks, np.float32(1e-12)) / np.float32(_FIRST_WEIGHT_STEPS if reads_pixels else _WEIGHT_STEPS)
    integers = operations.convert(operations.constant(np.round(weights / scales).astype(np.int8)), "f32")
    rescaled = operations.multiply(integers, operations.constant(scales))
    convolution.input(1).replace_source_output(rescaled.output(0))
