"""Maps become four sequences, and back."""

import json

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.vmamba.layers import cross_merge, cross_scan


@pytest.mark.parametrize("case", ["cf_scan0", "cf_scan1", "cl_scan0", "cl_scan2"])
def test_official_cases(golden, case):
    stored = golden(f"vm_cross_{case}")
    config = stored.config if isinstance(stored.config, dict) else json.loads(stored.config)
    stored.close(cross_scan(stored.inputs["x"], **config), stored.outputs["scan"])
    stored.close(cross_merge(stored.inputs["ys"], **config), stored.outputs["merge"])


def test_order_of_the_positions():
    """A map of 2 x 3 whose values are their indices."""
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert cross_scan(x)[0, :, 0].tolist() == [
        [0, 1, 2, 3, 4, 5],
        [0, 3, 1, 4, 2, 5],
        [5, 4, 3, 2, 1, 0],
        [5, 2, 4, 1, 3, 0],
    ]
    assert cross_scan(x, scans=1)[0, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 4
    assert cross_scan(x, scans=2)[0, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 2 + [[5, 4, 3, 2, 1, 0]] * 2


@pytest.mark.parametrize("scans", [0, 1, 2])
@pytest.mark.parametrize("size", [(4, 5), (1, 1), (1, 7), (3, 1)])
@pytest.mark.parametrize("input_first", [True, False])
@pytest.mark.parametrize("output_first", [True, False])
def test_merging_is_the_transpose_of_scanning(scans, size, input_first, output_first):
    """<scan(x), y> = <x, merge(y)>, and merging what was scanned gives four times the map."""
    shape = (2, 3, *size) if input_first else (2, *size, 3)
    x = torch.randn(shape, dtype=torch.float64)
    layout = {"in_channel_first": input_first, "out_channel_first": output_first, "scans": scans}
    scanned = cross_scan(x, **layout)
    length = size[0] * size[1]
    assert scanned.shape == ((2, 4, 3, length) if output_first else (2, length, 4, 3))

    def as_map(sequences):
        return sequences.reshape(2, 4, 3, *size) if output_first else sequences.reshape(2, *size, 4, 3)

    def flat(image):
        return image.reshape(2, 3, length) if input_first else image.reshape(2, length, 3)

    y = torch.randn_like(scanned)
    merged = cross_merge(as_map(y), **layout)
    torch.testing.assert_close((scanned * y).sum(), (flat(x) * merged).sum())
    torch.testing.assert_close(cross_merge(as_map(scanned), **layout), 4 * flat(x))


class Both(torch.nn.Module):
    def __init__(self, scans: int) -> None:
        super().__init__()
        self.scans = scans

    def forward(self, x):
        y = cross_scan(x, scans=self.scans)
        y = y * torch.arange(1.0, 5.0).reshape(1, 4, 1, 1)
        return y, cross_merge(y.reshape(-1, 4, *x.shape[1:]), scans=self.scans)


@pytest.mark.parametrize("scans", [0, 1, 2])
def test_exported(onnx_run, scans):
    x = torch.randn(2, 3, 5, 7)
    for got, expected in zip(onnx_run(Both(scans), x), Both(scans)(x), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


@pytest.mark.parametrize("scans", [0, 1, 2])
def test_a_trace_takes_other_sizes(scans):
    traced = torch.jit.trace(Both(scans), torch.randn(1, 3, 5, 7))
    x = torch.randn(2, 3, 9, 4)
    for got, expected in zip(traced(x), Both(scans)(x), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("function", "shape", "scans", "message"),
    [
        (cross_scan, (1, 2, 3, 4), 3, "scans: expected 0, 1 or 2, got 3"),
        (cross_scan, (1, 2, 3), 0, r"expected 4 dimensions, got \(1, 2, 3\)"),
        (cross_merge, (1, 4, 2, 3), 0, r"expected 5 dimensions, got \(1, 4, 2, 3\)"),
        (cross_merge, (1, 3, 2, 3, 4), 0, "expected 4 directions, got 3"),
    ],
)
def test_wrong_arguments(function, shape, scans, message):
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(shape), scans=scans)
