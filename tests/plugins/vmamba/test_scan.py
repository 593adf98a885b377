"""The selective scan against the official cases, a loop over single numbers, autograd, and its ONNX export."""

import math

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812

from inspector_plugins.vmamba import scan
from inspector_plugins.vmamba.layers import selective_scan, selective_scan_ref

SCANS = [selective_scan, selective_scan_ref]


def inputs(batch=2, channels=4, length=37, states=3, groups=2, dtype=torch.float64, seed=0, everything=True):
    """Arguments by name, every one of them differentiable."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    given = {
        "u": random(batch, channels, length),
        "delta": random(batch, channels, length),
        "A": -random(channels, states).exp(),
        "B": random(batch, groups, states, length),
        "C": random(batch, groups, states, length),
    }
    if everything:
        given |= {"D": random(channels), "z": random(batch, channels, length), "delta_bias": random(channels)}
    return {name: value.requires_grad_() for name, value in given.items()}


def naive(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):  # noqa: N803
    """Number by number, for B and C of four dimensions."""
    batch, channels, length = u.shape
    y = torch.zeros(batch, channels, length, dtype=torch.float64)
    for b in range(batch):
        for d in range(channels):
            group = [d * tensor.shape[1] // channels for tensor in (B, C)]
            h = [0.0] * A.shape[1]
            for t in range(length):
                step = float(delta[b, d, t]) + (0.0 if delta_bias is None else float(delta_bias[d]))
                step = math.log1p(math.exp(step)) if delta_softplus else step
                for n in range(len(h)):
                    h[n] = math.exp(step * float(A[d, n])) * h[n] + step * float(B[b, group[0], n, t] * u[b, d, t])
                total = sum(value * float(C[b, group[1], n, t]) for n, value in enumerate(h))
                total += 0.0 if D is None else float(D[d] * u[b, d, t])
                gate = 1.0 if z is None else float(z[b, d, t]) / (1 + math.exp(-float(z[b, d, t])))
                y[b, d, t] = total * gate
    return y


@pytest.mark.parametrize(
    ("function", "tracing"), [(selective_scan, False), (selective_scan, True), (selective_scan_ref, False)]
)
@pytest.mark.parametrize("case", ["ss_grouped_full", "ss_noD_nobias_nosoftplus", "ss_3dim_BC"])
def test_official_cases(golden, case, function, tracing, monkeypatch):
    monkeypatch.setattr(scan, "_tracing", lambda: tracing)
    stored = golden(case)
    given = {name: value.requires_grad_() for name, value in stored.inputs.items()}
    y, last = function(**given, delta_softplus=stored.config["delta_softplus"], return_last_state=True)
    stored.close(y, stored.outputs["out"])
    stored.close(last, stored.outputs["last_state"])
    (y * stored.grad_output["out"]).sum().backward()
    for name, value in given.items():
        stored.close(value.grad, stored.grads[name])


@pytest.mark.parametrize("function", SCANS)
@pytest.mark.parametrize("softplus", [True, False])
def test_number_by_number(function, softplus):
    given = inputs(length=11)
    with torch.no_grad():
        torch.testing.assert_close(function(**given, delta_softplus=softplus), naive(**given, delta_softplus=softplus))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 20, 21, 97, 400, 401, 1003])
@pytest.mark.parametrize("tracing", [False, True])
def test_any_length(length, tracing, monkeypatch):
    """Chunks that fit and that do not; eager and traced form: results, last state and every gradient."""
    monkeypatch.setattr(scan, "_tracing", lambda: tracing)
    given = inputs(length=length, seed=length)
    generator = torch.Generator().manual_seed(1)
    results = []
    for function in SCANS:
        y, last = function(**given, delta_softplus=True, return_last_state=True)
        weights = [
            torch.randn(value.shape, generator=generator.manual_seed(1), dtype=value.dtype) for value in (y, last)
        ]
        gradients = torch.autograd.grad([y, last], list(given.values()), weights, materialize_grads=True)
        results.append((y, last, *gradients))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


def test_the_inputs_stay_as_they_are():
    for length in (1, 2, 3, 50):
        given = {name: value.detach() for name, value in inputs(length=length).items()}
        before = {name: value.clone() for name, value in given.items()}
        selective_scan(**given)
        assert all(torch.equal(given[name], before[name]) for name in given)


@pytest.mark.parametrize("everything", [True, False])
def test_gradcheck(everything):
    given = inputs(batch=1, channels=2, length=9, states=2, groups=1, everything=everything)

    def function(*tensors):
        named = dict(zip(given, tensors, strict=True))
        return selective_scan(**named, delta_softplus=everything, return_last_state=True)

    assert torch.autograd.gradcheck(function, tuple(given.values()))


@pytest.mark.parametrize("variant", ["constant", "one group", "two and four groups"])
def test_shapes_of_b_and_c(variant):
    """Each is the same as B and C written out for every channel."""
    given = inputs()
    batch, channels, length = given["u"].shape
    b, c = given["B"].detach(), given["C"].detach()
    if variant == "constant":
        b, c = b[0, 0, :, 0].expand(channels, -1) * torch.arange(1, 5)[:, None], c[0, :, :, 3].repeat_interleave(2, 0)
        full = [value[None, :, :, None].expand(batch, -1, -1, length) for value in (b, c)]
    elif variant == "one group":
        b, c = b[:, 0], c[:, 1]
        full = [value[:, None].expand(-1, channels, -1, -1) for value in (b, c)]
    else:
        c = torch.cat([c, c + 1], 1)
        full = [b.repeat_interleave(2, 1), c]
    shapes = [given | {"B": b.clone().requires_grad_(), "C": c.clone().requires_grad_()}]
    for function in SCANS:
        y = function(**shapes[0])
        torch.testing.assert_close(y, selective_scan_ref(**given | {"B": full[0], "C": full[1]}))
        y.square().sum().backward()
        assert shapes[0]["B"].grad.shape == b.shape
        assert shapes[0]["C"].grad.shape == c.shape
    assert y.shape == (batch, channels, length)


@pytest.mark.parametrize("tracing", [False, True])
@pytest.mark.parametrize("strength", [0.0, 1e-6, 1.0, 50.0, 1e4])
def test_strong_and_no_decay(strength, tracing, monkeypatch):
    """delta |A| from 0 to thousands a step, where dividing gives NaN: finite, and as the loop in 64 bit."""
    monkeypatch.setattr(scan, "_tracing", lambda: tracing)
    length = 2000
    given = inputs(length=length, states=2, dtype=torch.float32, everything=False)
    given["delta"] = torch.rand(2, 4, length, generator=torch.Generator().manual_seed(3)).requires_grad_()
    given["A"] = (given["A"].detach() * strength).requires_grad_()
    exact = {name: value.detach().double().requires_grad_() for name, value in given.items()}
    y, expected = selective_scan(**given), selective_scan_ref(**exact)
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-3)
    ones = torch.autograd.grad(y.sum(), list(given.values()))
    for name, got, want in zip(given, ones, torch.autograd.grad(expected.sum(), list(exact.values())), strict=True):
        assert got.isfinite().all()
        limit = 1e-4 * float(want.abs().max()) + 1e-6
        assert float((got - want).abs().max()) < limit, name


def test_no_step_keeps_the_state():
    given = {name: value.detach() for name, value in inputs(everything=False).items()}
    given["delta"][:, :, 5:] = 0
    with_rest = selective_scan(**given, return_last_state=True)[1]
    cut = {name: value[..., :5] if value.dim() > 2 else value for name, value in given.items()}
    torch.testing.assert_close(with_rest, selective_scan(**cut, return_last_state=True)[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_inputs_are_computed_in_32_bit(dtype):
    given = {name: value.detach().to(dtype) for name, value in inputs(length=300).items()}
    y, last = selective_scan(**given, delta_softplus=True, return_last_state=True)
    wide = {name: value.float() for name, value in given.items()}
    expected, state = selective_scan_ref(**wide, delta_softplus=True, return_last_state=True)
    assert y.dtype is dtype
    assert last.dtype is torch.float32
    torch.testing.assert_close(y, expected.to(dtype), rtol=2**-7, atol=1e-3)
    torch.testing.assert_close(last, state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", SCANS)
def test_autocast_changes_nothing(dtype, function):
    given = inputs(length=50, dtype=torch.float32)
    expected = function(**given, delta_softplus=True)
    gradients = torch.autograd.grad(expected.sum(), list(given.values()))
    with torch.autocast("cpu", dtype):
        y = function(**given, delta_softplus=True)
    assert torch.equal(y, expected)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), list(given.values())), gradients, rtol=0, atol=0)


class Scan(torch.nn.Module):
    def forward(self, u, delta, A, B, C):  # noqa: N803
        return selective_scan(u, delta, A, B, C, delta_softplus=True)


@pytest.mark.parametrize(("states", "length"), [(1, 6400), (16, 6400), (2, 37), (1, 2)])
def test_exported(onnx_run, states, length):
    given = inputs(1, 16, length, states, 4, torch.float32, everything=False)
    tensors = [value.detach() for value in given.values()]
    (got,) = onnx_run(Scan(), *tensors)
    torch.testing.assert_close(got, Scan()(*tensors), rtol=1e-4, atol=1e-4)


def test_one_graph_for_any_length(tmp_path):
    """To 1e-5 of the largest number, under the usual decay and a strong one; traced where nothing had to be padded."""
    import onnx
    import openvino

    def tensors(length, strength=1.0):
        given = inputs(1, 8, length, 2, 4, torch.float32, everything=False)
        given["A"] = given["A"] * strength
        return [value.detach() for value in given.values()]

    names = ["u", "delta", "A", "B", "C"]
    axes = {
        name: {tensor.dim() - 1: "length"} for name, tensor in zip(names, tensors(4096), strict=True) if name != "A"
    }
    options = {"dynamo": False, "opset_version": 17, "input_names": names, "dynamic_axes": axes}
    torch.onnx.export(Scan(), tuple(tensors(4096)), tmp_path / "scan.onnx", **options)
    nodes = [node for node in onnx.load(tmp_path / "scan.onnx").graph.node if node.op_type != "Constant"]
    assert len(nodes) < 800
    compiled = openvino.Core().compile_model(tmp_path / "scan.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for length, strength in (
        (1, 1),
        (15, 1),
        (16, 1),
        (17, 1),
        (256, 1),
        (257, 50),
        (4097, 1),
        (4097, 1e4),
        (70_000, 1e-6),
    ):
        given = tensors(length, strength)
        found = torch.from_numpy(compiled([value.numpy() for value in given])[0])
        expected = Scan()(*(value.double() for value in given))
        assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max()), (length, strength)


def test_a_trace_takes_other_batches_and_lengths():
    tensors = [value.detach() for value in inputs(1, 4, 96, 1, 2, torch.float32, everything=False).values()]
    traced = torch.jit.trace(Scan(), tensors)
    for length in (1, 50, 96, 1000):
        other = [value.detach() for value in inputs(2, 4, length, 1, 2, torch.float32, everything=False).values()]
        torch.testing.assert_close(traced(*other), Scan()(*other), rtol=1e-4, atol=1e-5)


def test_shapes_without_numbers():
    given = {name: value.detach().to("meta") for name, value in inputs().items()}
    assert selective_scan(**given, delta_softplus=True).shape == given["u"].shape


@pytest.mark.parametrize("function", SCANS)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("u", torch.zeros(4, 37), r"u: expected .*got \(4, 37\)"),
        ("u", torch.zeros(2, 4, 0), r"u: expected .*got \(2, 4, 0\)"),
        ("u", torch.zeros(2, 4, 37, dtype=torch.long), "u: expected .*int64"),
        ("delta", torch.zeros(2, 4, 36), r"delta: expected \(2, 4, 37\), got \(2, 4, 36\)"),
        ("delta", torch.zeros(2, 1, 37), r"delta: expected \(2, 4, 37\), got \(2, 1, 37\)"),
        ("A", torch.zeros(4), r"A: expected .*got \(4,\)"),
        ("A", torch.zeros(5, 3), r"A: expected \(4, 3\), got \(5, 3\)"),
        ("A", torch.zeros(4, 3, dtype=torch.complex64), "A: expected real.*complex64"),
        ("B", torch.zeros(2, 3, 3, 37), r"B: expected .*divisor of 4.*got \(2, 3, 3, 37\)"),
        ("B", torch.zeros(2, 0, 3, 37), "B: expected"),
        ("C", torch.zeros(2, 3, 36), r"C: expected .*got \(2, 3, 36\)"),
        ("C", torch.zeros(3), r"C: expected .*got \(3,\)"),
        ("D", torch.zeros(3), r"D: expected \(4,\), got \(3,\)"),
        ("z", torch.zeros(2, 4, 1), r"z: expected \(2, 4, 37\), got \(2, 4, 1\)"),
        ("delta_bias", torch.zeros(4, 1), r"delta_bias: expected \(4,\), got \(4, 1\)"),
    ],
)
def test_wrong_shapes(function, name, value, message):
    with pytest.raises(ValueError, match=message):
        function(**inputs() | {name: value})


def test_faster_than_the_loop():
    """At the size of P3 of a 640 image; the benchmark measures more than ten times, on a quiet machine."""
    import time

    given = inputs(1, 256, 6400, 1, 4, torch.float32, everything=False)
    given["delta"] = F.softplus(given["delta"].detach() - 3).requires_grad_()
    took = {}
    for function, times in ((selective_scan_ref, 1), (selective_scan, 5)):
        durations = []
        for _ in range(times):
            began = time.process_time()
            function(**given).sum().backward()
            durations.append(time.process_time() - began)
        took[function] = min(durations)
    assert took[selective_scan] * 4 < took[selective_scan_ref]
