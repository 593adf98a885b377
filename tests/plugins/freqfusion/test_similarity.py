"""Local similarity, against loops over every pixel."""

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.freqfusion.similarity import compute_similarity


@pytest.mark.parametrize("name", ["ff_similarity_k3_d1_cos", "ff_similarity_k3_d2_cos", "ff_similarity_k3_d2_dot"])
def test_golden_similarity(golden, name):
    case = golden(name)
    case.close(compute_similarity(case.inputs["x"], **case.config), case.outputs["y"])


@pytest.mark.parametrize("sim", ["cos", "dot"])
@pytest.mark.parametrize(("k", "dilation", "h", "w"), [(3, 1, 4, 5), (3, 2, 5, 3), (5, 1, 4, 4), (3, 2, 1, 1)])
def test_definition(k, dilation, h, w, sim):
    torch.manual_seed(0)
    x = torch.randn(2, 6, h, w, dtype=torch.float64)
    found = compute_similarity(x, k, dilation, sim)
    assert found.shape == (2, k * k - 1, h, w)
    steps = [
        (dy, dx) for dy in range(-(k // 2), k // 2 + 1) for dx in range(-(k // 2), k // 2 + 1) if (dy, dx) != (0, 0)
    ]
    for number, (dy, dx) in enumerate(steps):
        for y in range(h):
            for column in range(w):
                y2, column2 = y + dy * dilation, column + dx * dilation
                expected = torch.zeros(2, dtype=torch.float64)
                if 0 <= y2 < h and 0 <= column2 < w:
                    a, b = x[:, :, y, column], x[:, :, y2, column2]
                    expected = (a * b).sum(1) if sim == "dot" else torch.cosine_similarity(a, b)
                torch.testing.assert_close(found[:, number, y, column], expected)


def test_gradient():
    x = torch.randn(1, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    for sim in ("cos", "dot"):
        assert torch.autograd.gradcheck(lambda a, sim=sim: compute_similarity(a, 3, 2, sim), (x,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_empty_and_faint_pixels(dtype):
    """Of a pixel of zeros the cosine is 0, not NaN, in 16 bit too."""
    x = torch.zeros(1, 4, 3, 3, dtype=dtype)
    x[..., 0, 0] = 1e-4
    x[..., 0, 1] = 1e-4
    x.requires_grad_()
    found = compute_similarity(x)
    assert found.dtype == dtype and found.isfinite().all()
    assert found[0, 4, 0, 0].item() == pytest.approx(1, abs=0.01)  # the pixel to its right, the same
    if dtype == torch.float32:
        found.sum().backward()
        assert x.grad.isfinite().all()


@pytest.mark.parametrize("arguments", [{"k": 2}, {"dilation": 0}, {"sim": "l2"}])
def test_impossible_arguments(arguments):
    with pytest.raises(ValueError, match="expected"):
        compute_similarity(torch.zeros(1, 2, 3, 3), **arguments)
