"""RelPos2d, MaSA and MaSAd: golden cases, loops in float64, gradients, precision, sizes and export."""

import copy
import io
import math
import pickle

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.rmt.layers import MaSA, MaSAd, RelPos2d

KINDS = (MaSA, MaSAd)


def make(kind, dim=12, heads=3, **options):
    """An attention with random weights, biases too."""
    torch.manual_seed(0)
    module = kind(dim, heads, **options).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module


def masks(module, height, width, initial=1, spread=3):
    position = RelPos2d(module.embed_dim, module.num_heads, initial, spread)
    return position((height, width), chunkwise_recurrent=isinstance(module, MaSAd))


def naive(module, x, initial=1, spread=3):
    """Both attentions written out pixel by pixel, in float64."""
    module, x = copy.deepcopy(module).double(), x.double()
    heads, size = module.num_heads, module.embed_dim // module.num_heads
    count, height, width, _ = x.shape
    query, key, value = module.q_proj(x), module.k_proj(x), module.v_proj(x)
    wide = value.shape[-1] // heads
    out = torch.zeros_like(value)

    def mix(n, head, y, x, keys, values):
        decay = math.log(1 - 2 ** (-initial - spread * head / heads))
        q = query[n, y, x, head * size : (head + 1) * size]
        logits = [
            q @ key[n, v, u, head * size : (head + 1) * size] / math.sqrt(size) + decay * (abs(v - y) + abs(u - x))
            for v, u in keys
        ]
        weights = torch.stack(logits).softmax(0)
        return sum(
            w * values[n, v, u, head * wide : (head + 1) * wide] for w, (v, u) in zip(weights, keys, strict=True)
        )

    def everywhere(keys, values):
        result = torch.zeros_like(values)
        for n in range(count):
            for head in range(heads):
                for y in range(height):
                    for x in range(width):
                        part = mix(n, head, y, x, keys(y, x), values)
                        result[n, y, x, head * wide : (head + 1) * wide] = part
        return result

    if isinstance(module, MaSAd):
        rows = everywhere(lambda y, x: [(y, u) for u in range(width)], value)
        out = everywhere(lambda y, x: [(v, x) for v in range(height)], rows)
    else:
        out = everywhere(lambda y, x: [(v, u) for v in range(height) for u in range(width)], value)
    return module.out_proj(out + module.lepe(value))


@pytest.mark.parametrize("name", ["rmtA_relpos_whole", "rmtA_relpos_chunk"])
def test_golden_masks(golden, name):
    case = golden(name)
    config = dict(case.config)
    slen, chunk = config.pop("slen"), config.pop("chunkwise_recurrent", False)
    module = RelPos2d(**config)
    case.close(module.decay, case.state_dict["decay"])
    case.close(module.angle, case.state_dict["angle"])
    module.load_state_dict(case.state_dict, strict=True)
    for size in (slen, tuple(slen), case.inputs["slen"]):
        found = module(size, chunkwise_recurrent=chunk)
        for mask, expected in zip(found if chunk else [found], case.outputs.values(), strict=True):
            case.close(mask, expected)


@pytest.mark.parametrize(("name", "kind"), [("rmtA_masa", MaSA), ("rmtA_masad", MaSAd)])
def test_golden_attention(golden, name, kind):
    case = golden(name)
    config = dict(case.config)
    position, options = RelPos2d(**config.pop("relpos")), config.pop("relpos_kwargs")
    module = kind(**config).eval()
    module.load_state_dict(case.state_dict, strict=True)
    x = case.inputs["x"]
    case.close(module(x, position(x.shape[1:3], **options)), case.outputs["y"])


def test_half_buffers_change_no_mask():
    module = RelPos2d(32, 4, 2, 6)
    expected = [module((80, 80), chunkwise_recurrent=True)[0], module((9, 11)), module((1, 1), activate_recurrent=True)]
    module.load_state_dict(copy.deepcopy(module).half().state_dict())
    assert not torch.equal(module.decay, RelPos2d(32, 4, 2, 6).decay), "the buffer itself is rounded"
    reloaded = pickle.loads(pickle.dumps(module.half()))
    for again in (module, reloaded, reloaded.float(), copy.deepcopy(reloaded).bfloat16()):
        found = [again((80, 80), chunkwise_recurrent=True)[0], again((9, 11)), again((1, 1), activate_recurrent=True)]
        assert all(torch.equal(a, b) and a.dtype == torch.float32 for a, b in zip(found, expected, strict=True))


def test_recurrent_form_is_the_factor_a_step():
    found = RelPos2d(8, 4, 1, 4)((3, 3), activate_recurrent=True)
    torch.testing.assert_close(found, torch.tensor([1 - 2.0 ** (-1 - head) for head in range(4)]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(3, 4), (1, 5), (4, 1), (1, 1)])
@pytest.mark.parametrize("factor", [1, 2])
def test_attention_is_what_the_loops_say(kind, size, factor):
    module = make(kind, 6, 3, value_factor=factor)
    x = torch.randn(2, *size, 6)
    torch.testing.assert_close(module(x, masks(module, *size)).double(), naive(module, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    module = make(kind, 4, 2).double()
    position = masks(module, 2, 3)
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: module(x, position), (x,))
    module(x, position).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_near_float32(kind, dtype):
    module = make(kind)
    x = torch.randn(1, 6, 9, 12)
    expected = module(x, masks(module, 6, 9))
    with torch.autocast("cpu", dtype):
        found = module(x, masks(module, 6, 9))
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05 * expected.abs().max().item())


@pytest.mark.parametrize("kind", KINDS)
def test_half_module(kind):
    module = make(kind)
    x = torch.randn(1, 6, 9, 12)
    found = copy.deepcopy(module).half()(x.half(), masks(module, 6, 9))
    torch.testing.assert_close(found.float(), module(x, masks(module, 6, 9)), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_a_batch_do_not_touch_each_other(kind):
    module = make(kind)
    x = torch.randn(3, 5, 4, 12)
    alone = torch.cat([module(x[n : n + 1], masks(module, 5, 4)) for n in range(3)])
    torch.testing.assert_close(module(x, masks(module, 5, 4)), alone)


class Located(torch.nn.Module):
    """An attention with its masks, for export."""

    def __init__(self, attention):
        super().__init__()
        self.attention, self.chunk = attention, isinstance(attention, MaSAd)
        self.position = RelPos2d(attention.embed_dim, attention.num_heads, 1, 3)

    def forward(self, x):
        return self.attention(x, self.position((x.shape[1], x.shape[2]), chunkwise_recurrent=self.chunk))


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_export(onnx_run, kind):
    module, x = Located(make(kind)), torch.randn(2, 5, 7, 12)
    torch.testing.assert_close(onnx_run(module, x)[0], module(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_one_export_serves_all_sizes(tmp_path, kind):
    import onnxruntime

    module, file = Located(make(kind)).eval(), tmp_path / "dynamic.onnx"
    axes = {"x": {0: "n", 1: "h", 2: "w"}}
    torch.onnx.export(
        module,
        (torch.randn(2, 5, 7, 12),),
        file,
        input_names=["x"],
        dynamic_axes=axes,
        dynamo=False,
        opset_version=17,
    )
    session = onnxruntime.InferenceSession(file)
    for shape in ((2, 5, 7, 12), (1, 8, 3, 12), (3, 1, 1, 12)):
        x = torch.randn(shape)
        found = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
        torch.testing.assert_close(found, module(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_serves_all_sizes(kind):
    module = Located(make(kind)).eval()
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, torch.randn(1, 5, 7, 12)), stream)
    stream.seek(0)
    traced = torch.jit.load(stream)
    for size in ((5, 7), (4, 9), (1, 1)):
        x = torch.randn(2, *size, 12)
        torch.testing.assert_close(traced(x), module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: RelPos2d(10, 4, 2, 4), "multiple of num_heads.*10 and 4"),
        (lambda: RelPos2d(8, 0, 2, 4), "8 and 0"),
        (lambda: RelPos2d(8, 4, 0, 4), "initial_value 0"),
        (lambda: RelPos2d(8, 4, 2, -4), "heads_range -4"),
        (lambda: MaSA(10, 4), "10 and 4"),
        (lambda: MaSAd(8, 4, 0.3), "whole number of channels"),
        (lambda: MaSAd(8, 4, 0.25), "2 and 4"),
        (lambda: RelPos2d(8, 4, 2, 4)((0, 3)), "not 0 x 3"),
        (lambda: MaSA(8, 4)(torch.zeros(1, 2, 2, 8), (torch.zeros(4, 2, 2),) * 2), "'whole' needs one mask"),
        (lambda: MaSAd(8, 4)(torch.zeros(1, 2, 2, 8), torch.zeros(4, 4, 4)), "'chunk' needs two masks"),
        (
            lambda: MaSA(8, 4)(torch.zeros(1, 2, 2, 8), torch.zeros(4, 9, 9)),
            r"\(4, 4, 4\) for this map, not \(4, 9, 9\)",
        ),
        (lambda: MaSAd(8, 4)(torch.zeros(1, 2, 3, 8), (torch.zeros(4, 3, 3), torch.zeros(4, 2, 2))), r"\(4, 2, 2\)"),
        (lambda: MaSA(8, 4)(torch.zeros(1, 8, 2, 2), torch.zeros(4, 4, 4)), r"\(N, H, W, 8\), not \(1, 8, 2, 2\)"),
    ],
)
def test_impossible_arguments(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()


def test_initial_weights_are_small_for_the_keys():
    torch.manual_seed(0)
    module = MaSA(256, 4)
    deviation = 2**-2.5 * math.sqrt(2 / 512)
    for projection in (module.q_proj, module.k_proj, module.v_proj):
        assert projection.weight.std().item() == pytest.approx(deviation, rel=0.03)
    assert module.out_proj.weight.std().item() == pytest.approx(math.sqrt(2 / 512), rel=0.03)
