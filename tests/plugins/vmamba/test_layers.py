"""SS2D, VSSBlock and VMamba: the official cases, the formula written out, other code's weights, export."""

import copy
import io

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from inspector_plugins.vmamba import layers, scan
from inspector_plugins.vmamba.layers import SS2D, VSSM, Backbone_VSSM, VSSBlock, selective_scan_ref
from inspector_plugins.vmamba.parts import LayerNorm2d

SMALL = {"depths": [1, 1, 2, 1], "dims": 8, "num_classes": 5, "ssm_d_state": 1, "forward_type": "v05_noz"}
KINDS = [
    "v0", "v2", "v3", "v01", "v05", "v05_noz", "v05_nozact", "v051d", "v052d_noz", "v3_onnone", "v2_ondwconv3_noz",
    "v05_oncnorm_oact", "v2_onsoftmax_no32", "v02_onsigmoid_nozact_noz_oact_no32",
]  # fmt: skip


def scattered(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter is random, so that biases and weights of one matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if not name.endswith(("A_logs", "dt_projs_bias")):
                value.add_(torch.randn(value.shape, generator=generator) * 0.1)
    return module.eval()


@pytest.mark.parametrize("tracing", [False, True])
@pytest.mark.parametrize("case", ["ss2d_v0", "ss2d_v3_cl", "ss2d_v05_noz_cf"])
def test_official_ss2d(golden, case, tracing, monkeypatch):
    monkeypatch.setattr(scan, "_tracing", lambda: tracing)
    stored = golden(case)
    module = SS2D(**stored.config).eval()
    module.load_state_dict(stored.state_dict)
    stored.close(module(stored.inputs["x"]), stored.outputs["y"])


def test_official_block(golden):
    stored = golden("vssblock_v0_nomlp")
    module = VSSBlock(**stored.config).eval()
    module.load_state_dict(stored.state_dict)
    stored.close(module(stored.inputs["x"]), stored.outputs["y"])


def test_official_backbone(golden):
    stored = golden("vmamba_backbone_reduced")
    module = Backbone_VSSM(**stored.config).eval()
    module.load_state_dict(stored.state_dict)
    for got, expected in zip(module(stored.inputs["x"]), stored.outputs.values(), strict=True):
        stored.close(got, expected)


def by_formula(module: SS2D, x: torch.Tensor) -> torch.Tensor:
    """The default module on one (H, W, C) map, each direction by itself."""
    height, width, _ = x.shape
    inner, rank, states = module.d_inner, module.dt_rank, module.d_state
    value, gate = (x @ module.in_proj.weight.T).split(inner, -1)
    value = F.conv2d(value.permute(2, 0, 1)[None], module.conv2d.weight, module.conv2d.bias, padding=1, groups=inner)[0]
    value = F.silu(value)
    places = torch.arange(height * width).reshape(height, width)
    total = torch.zeros(inner, height * width)
    for k, order in enumerate((places, places.T, places, places.T)):
        order = order.reshape(-1)
        order = order.flip(0) if k >= 2 else order
        sequence = value.reshape(inner, -1)[:, order]
        step, b, c = (module.x_proj_weight[k] @ sequence).split([rank, states, states])
        own = slice(k * inner, (k + 1) * inner)
        y = selective_scan_ref(
            sequence[None],
            (module.dt_projs_weight[k] @ step)[None],
            -module.A_logs[own].exp(),
            b[None],
            c[None],
            module.Ds[own],
            delta_bias=module.dt_projs_bias[k],
            delta_softplus=True,
        )
        total[:, order] += y[0]
    y = module.out_norm(total.T.reshape(height, width, inner)) * F.silu(gate)
    return y @ module.out_proj.weight.T


@pytest.mark.parametrize("size", [(4, 6), (1, 1), (1, 5), (7, 3)])
@pytest.mark.parametrize("kind", ["v0", "v2", "v3", "v05"])
@torch.no_grad()
def test_the_formula(size, kind):
    module = scattered(SS2D(d_model=12, d_state=3, forward_type=kind))
    x = torch.randn(2, *size, 12)
    expected = torch.stack([by_formula(module, one) for one in x])
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "v0"])
@torch.no_grad()
def test_both_layouts_are_one_layer(kind):
    last = scattered(SS2D(d_model=12, d_state=2, forward_type=kind))
    first = SS2D(d_model=12, d_state=2, forward_type=kind, channel_first=True).eval()
    state = last.state_dict()
    first.load_state_dict(state)
    x = torch.randn(2, 5, 6, 12)
    torch.testing.assert_close(first(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), last(x), rtol=1e-4, atol=1e-5)
    assert last.in_proj.weight.shape[0] == (24 if "_noz_" in f"{kind}_" else 48)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_trace_takes_other_sizes(kind):
    first = kind != "v0"
    module = scattered(SS2D(d_model=12, d_state=2, forward_type=kind, channel_first=first))

    def maps(batch, height, width):
        return torch.randn((batch, 12, height, width) if first else (batch, height, width, 12))

    traced = torch.jit.trace(module, maps(1, 4, 8))
    for size in ((1, 4, 8), (2, 7, 3), (1, 1, 1), (1, 20, 31)):
        x = maps(*size)
        torch.testing.assert_close(traced(x), module(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_trace_in_16_bit_scans_in_32():
    module = scattered(VSSBlock(16, 0.0, LayerNorm2d, True, ssm_d_state=2))
    x = torch.randn(1, 16, 6, 5)
    half = copy.deepcopy(module).half()
    traced = torch.jit.trace(half, x.half())
    torch.testing.assert_close(traced(x.half()), half(x.half()), rtol=0.01, atol=0.01)


@torch.no_grad()
def test_what_the_suffixes_do():
    """Each against the formula with that one thing changed."""
    x = torch.randn(1, 4, 4, 8)
    plain = scattered(SS2D(8, 2, forward_type="v2"))

    def other(kind):
        module = SS2D(8, 2, forward_type=kind).eval()
        module.load_state_dict(plain.state_dict(), strict="_on" not in kind)
        return module

    results = {
        kind: other(kind)(x) for kind in ("v2", "v2_no32", "v2_nozact", "v2_oact", "v2_onnone", "v051d", "v052d")
    }
    torch.testing.assert_close(results["v2_no32"], results["v2"])
    for kind in set(results) - {"v2", "v2_no32"}:
        assert not torch.allclose(results[kind], results["v2"], atol=1e-4), kind


@pytest.mark.parametrize(
    "kind", ["", "v9", "v052dc", "v0_noz", "v2_foo", "v05_noz_nozact", "v05_no32_noz", "v2_on", "_noz"]
)
def test_unknown_forward_type(kind):
    with pytest.raises(ValueError, match=f"unknown forward_type '{kind}'"):
        SS2D(8, forward_type=kind)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forward_type": "v0", "channel_first": True}, "works on"),
        ({"initialize": "v7"}, "initialize .*got 'v7'"),
        ({"dt_init": "zero"}, "dt_init .*got 'zero'"),
        ({"d_state": 0}, "d_state of at least 1, got 0"),
        ({"d_model": 0}, "d_model of at least 1, got 0"),
        ({"ssm_ratio": 0.01}, "ssm_ratio .*got 0"),
        ({"dt_rank": 0}, "dt_rank of at least 1, got 0"),
    ],
)
def test_impossible_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SS2D(**{"d_model": 8} | arguments)


def test_wrong_inputs():
    with pytest.raises(ValueError, match=r"8 channels at 3, got \(1, 8, 4, 4\)"):
        SS2D(8)(torch.zeros(1, 8, 4, 4))
    with pytest.raises(ValueError, match=r"8 channels at 1, got \(1, 4, 4\)"):
        SS2D(8, channel_first=True)(torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="hidden_dim of at least 1, got 0"):
        VSSBlock()


def test_how_delta_begins():
    """softplus(bias) is between dt_min and dt_max, A is -1..-N, as in Mamba."""
    module = SS2D(64, 4, dt_min=0.01, dt_max=0.05)
    steps = F.softplus(module.dt_projs_bias.detach())
    assert 0.0099 < float(steps.min()) < 0.02 < float(steps.max()) < 0.0501
    torch.testing.assert_close(module.A_logs.exp(), torch.arange(1.0, 5).expand(512, -1))
    assert float(module.dt_projs_weight.detach().abs().max()) <= module.dt_rank**-0.5
    assert (SS2D(8, initialize="v2").A_logs == 0).all()
    assert SS2D(8, initialize="v1").A_logs.std() > 0.5
    assert SS2D(8, dt_init="constant").dt_projs_weight.unique().numel() == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    """Maps whose scans pass 16 bit's largest number: what the norm gets is 32 bit, the gradients are finite."""
    module = scattered(VSSBlock(16, 0.0, LayerNorm2d, True, ssm_d_state=1, forward_type="v05_noz"))
    module.op.Ds.data.fill_(1e5)
    x = torch.randn(2, 16, 9, 11, requires_grad=True)
    expected = module(x)
    with torch.autocast("cpu", dtype):
        y = module(x)
        y.float().square().sum().backward()
    torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.1)
    assert all(value.grad.isfinite().all() for value in [x, *module.parameters()])


@torch.no_grad()
def test_half_and_double():
    module = scattered(VSSBlock(16, 0.0, LayerNorm2d, True, ssm_d_state=2))
    x = torch.randn(1, 16, 6, 5)
    expected = module(x)
    half = copy.deepcopy(module).half()(x.half())
    assert half.dtype is torch.float16
    torch.testing.assert_close(half.float(), expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(copy.deepcopy(module).double()(x.double()).float(), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_layouts_in_memory():
    module = scattered(VSSBlock(16, 0.0, LayerNorm2d, True))
    x = torch.randn(2, 16, 6, 5)
    torch.testing.assert_close(module(x.contiguous(memory_format=torch.channels_last)), module(x))
    torch.testing.assert_close(torch.cat([module(x[:1]), module(x[1:])]), module(x), rtol=1e-4, atol=1e-5)


def test_block_options():
    x = torch.randn(2, 5, 6, 8, requires_grad=True)
    block = scattered(VSSBlock(8, mlp_ratio=2.0, gmlp=True, post_norm=True, use_checkpoint=True))
    assert "mlp.fc1.weight" in block.state_dict() and block.mlp.fc1.weight.shape == (32, 8)
    expected = block(x)
    block.train()
    y = block(x)
    torch.testing.assert_close(y, expected)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    (other,) = torch.autograd.grad(expected.sum(), x)
    torch.testing.assert_close(gradient, other)
    assert not hasattr(VSSBlock(8, ssm_ratio=0.0), "op")
    assert not hasattr(VSSBlock(8, mlp_ratio=0.0), "mlp")


@pytest.mark.parametrize("norm", ["ln", "LN2D", "bn"])
@pytest.mark.parametrize(("down", "patch"), [("v1", "v1"), ("v2", "v2"), ("v3", "v2")])
@torch.no_grad()
def test_networks(norm, down, patch):
    options = SMALL | {"norm_layer": norm, "downsample_version": down, "patchembed_version": patch}
    x = torch.randn(2, 3, 64, 96)
    assert VSSM(**options).eval()(x).shape == (2, 5)
    maps = Backbone_VSSM(out_indices=(1, 3), **options).eval()(x)
    assert [tuple(value.shape) for value in maps] == [(2, 16, 8, 12), (2, 64, 2, 3)]


@torch.no_grad()
def test_networks_of_odd_sizes():
    maps = Backbone_VSSM(**SMALL, downsample_version="v3", patchembed_version="v2", norm_layer="ln2d").eval()(
        torch.randn(1, 3, 75, 33)
    )
    assert [tuple(value.shape[2:]) for value in maps] == [(19, 9), (10, 5), (5, 3), (3, 2)]


@torch.no_grad()
def test_learned_position_follows_the_size():
    network = VSSM(**SMALL, posembed=True, imgsize=32).eval()
    network.pos_embed.fill_(0.5)
    assert network(torch.randn(1, 3, 64, 32)).shape == (1, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm_layer": "gn"}, "norm_layer: expected one of ln, ln2d, bn, got 'gn'"),
        ({"downsample_version": "v9"}, "downsample_version: expected one of v1"),
        ({"patchembed_version": "v9"}, "patchembed_version: expected one of v1"),
        ({"ssm_act_layer": "tanh"}, "ssm_act_layer: expected one of silu"),
        ({"dims": [8, 16]}, "as many dims as depths, 4, got 2"),
    ],
)
def test_impossible_networks(options, message):
    with pytest.raises(ValueError, match=message):
        VSSM(**SMALL | options)
    with pytest.raises(ValueError, match="out_indices: expected numbers from 0 to 3, got 4"):
        Backbone_VSSM(out_indices=(4,), **SMALL)


@pytest.mark.parametrize(
    ("name", "millions"), [("tiny_s1l8", 30), ("tiny_s2l5", 31), ("small_s2l15", 50), ("base_s2l15", 89)]
)
def test_published_sizes(name, millions):
    with torch.device("meta"):
        network = getattr(layers, f"vmamba_{name}")()
    assert round(sum(value.numel() for value in network.parameters()) / 1e6) == millions


def test_pretrained_weights(tmp_path):
    """A classifier's checkpoint initialises a backbone; one of another size is refused."""
    classifier = scattered(VSSM(**SMALL))
    torch.save({"model": classifier.state_dict()}, tmp_path / "weights.pth")
    backbone = Backbone_VSSM(pretrained=tmp_path / "weights.pth", **SMALL)
    torch.testing.assert_close(backbone.layers[2].blocks[1].op.Ds, classifier.layers[2].blocks[1].op.Ds)
    with pytest.raises(ValueError, match="are missing"):
        Backbone_VSSM(pretrained=tmp_path / "weights.pth", **SMALL | {"depths": [1, 1, 3, 1]})


def test_old_names_load():
    """Of the single-file version and of the first release."""
    network, other = scattered(VSSM(**SMALL)), VSSM(**SMALL)
    renamed = {}
    for key, value in network.state_dict().items():
        for new, old in (
            (".norm.", ".ln_1."),
            (".op.", ".self_attention."),
            ("x_proj_weight", "x_proj.weight"),
            ("dt_projs_weight", "dt_projs.weight"),
            ("dt_projs_bias", "dt_projs.bias"),
            ("patch_embed.0", "patch_embed.proj"),
            ("patch_embed.2", "patch_embed.norm"),
            ("classifier.head", "head"),
            ("classifier.norm", "norm"),
        ):
            if not (new == ".norm." and "blocks" not in key):
                key = key.replace(new, old)
        renamed[key] = value.flatten(0, 1) if key.endswith("x_proj.weight") else value
    other.load_state_dict(renamed)
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(other.eval()(x), network(x))


def test_weights_of_convolutions_load():
    module = scattered(SS2D(8, 1, forward_type="v05_noz", channel_first=True))
    state = {key: value[:, :, None, None] if "_proj." in key else value for key, value in module.state_dict().items()}
    SS2D(8, 1, forward_type="v05_noz", channel_first=True).load_state_dict(state)
    with pytest.raises(RuntimeError, match="size mismatch"):
        SS2D(8, 1, forward_type="v05_noz", channel_first=True).load_state_dict(
            state | {"in_proj.weight": torch.ones(9, 8)}
        )


class Foreign(nn.Module):
    """A placeholder, as in a checkpoint of other code: children, tensors and plain attributes."""


def as_foreign(module: nn.Module) -> nn.Module:
    """Modules of ours become placeholders, those of torch stay."""
    if not type(module).__module__.startswith("inspector_plugins"):
        return module
    foreign = type(type(module).__name__, (Foreign,), {})()
    for key, value in module.named_parameters(recurse=False):
        foreign.register_parameter(key, value)
    for key, child in module.named_children():
        foreign.add_module(key, as_foreign(child))
    if isinstance(eps := getattr(module, "eps", None), float):
        foreign.eps = eps
    return foreign


@pytest.mark.parametrize("channel_first", [False, True])
@pytest.mark.parametrize(
    "kind", ["v2", "v05_noz", "v3_ondwconv3_noz", "v2_oncnorm", "v2_onsigmoid_oact", "v2_onsoftmax"]
)
@torch.no_grad()
def test_adopting(channel_first, kind):
    norm = LayerNorm2d if channel_first else nn.LayerNorm
    for options in ({}, {"mlp_ratio": 0.0, "ssm_ratio": 1.7, "ssm_conv": 5}, {"gmlp": True, "ssm_dt_rank": 3}):
        block = scattered(VSSBlock(11, 0.1, norm, channel_first, 2, forward_type=kind, **options))
        x = torch.randn(1, 11, 5, 5) if channel_first else torch.randn(1, 5, 5, 11)
        loaded = VSSBlock.load_foreign(as_foreign(block))
        assert not loaded.training
        torch.testing.assert_close(loaded(x), block(x))
        torch.testing.assert_close(SS2D.load_foreign(as_foreign(block.op))(x), block.op(x))


@torch.no_grad()
def test_adopting_a_port_to_yolo():
    """The first release's names and epsilon, inside a network of (N, C, H, W)."""
    block = scattered(VSSBlock(8, 0.0, nn.LayerNorm, ssm_d_state=3, forward_type="v0", mlp_ratio=0.0))
    block.norm.eps = 1e-3
    foreign = Foreign()
    foreign.add_module("ln_1", block.norm)
    foreign.add_module("self_attention", as_foreign(block.op))
    foreign.add_module("drop_path", nn.Identity())
    x = torch.randn(2, 8, 4, 5)
    loaded = VSSBlock.load_foreign(foreign)
    torch.testing.assert_close(loaded(x), block(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    assert loaded.norm.eps == 1e-3


def test_adopting_what_does_not_fit():
    with pytest.raises(ValueError, match="neither op nor self_attention, but linear"):
        foreign = Foreign()
        foreign.add_module("linear", nn.Linear(1, 1))
        VSSBlock.load_foreign(foreign)
    with pytest.raises(ValueError, match=r"missing in_proj.weight.*there is nothing"):
        SS2D.load_foreign(Foreign())
    foreign = as_foreign(SS2D(8))
    foreign.add_module("extra", nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"extra\.weight"):
        SS2D.load_foreign(foreign)
    foreign = as_foreign(SS2D(8))
    foreign.x_proj_weight = nn.Parameter(torch.zeros(4, 5, 16))
    with pytest.raises(ValueError, match="x_proj_weight"):
        SS2D.load_foreign(foreign)


def test_pickled_without_functions():
    """Every global of a pickled module is torch's or one of CLASSES."""
    import pickletools

    for module in (SS2D(8, dropout=0.1), VSSBlock(8, 0.1, gmlp=True), VSSM(**SMALL), Backbone_VSSM(**SMALL)):
        buffer = io.BytesIO()
        torch.save(module, buffer, _use_new_zipfile_serialization=False)
        texts = [str(argument) for op, argument, _ in pickletools.genops(buffer.getvalue()) if op.name == "GLOBAL"]
        buffer.seek(0)
        ours = {text.split(" ")[1] for text in texts if text.startswith("inspector_plugins")}
        assert ours <= {cls.__name__ for cls in layers.CLASSES}
        assert all(cls.__module__.startswith("inspector_plugins.vmamba.") for cls in layers.CLASSES)
        loaded = torch.load(buffer, weights_only=False)
        assert type(loaded) is type(module)


@pytest.mark.parametrize(
    ("module", "size"),
    [
        (SS2D(8, 2), (1, 7, 5, 8)),
        (VSSBlock(8, 0.0, LayerNorm2d, True, 1, forward_type="v05_noz"), (1, 8, 80, 80)),
        (VSSBlock(8, 0.0, LayerNorm2d, True, 1, forward_type="v05_noz"), (1, 8, 1, 1)),
        (Backbone_VSSM(norm_layer="ln2d", downsample_version="v3", patchembed_version="v2", **SMALL), (1, 3, 64, 96)),
    ],
)
@torch.no_grad()
def test_exported(onnx_run, module, size):
    scattered(module)
    x = torch.randn(size)
    expected = module(x)
    for got, want in zip(onnx_run(module, x), expected if isinstance(expected, list) else [expected], strict=True):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)


def test_flops():
    """The official count, 9 B L D N + B L D for the four directions together."""
    module = SS2D(8, 3, ssm_ratio=2.0, channel_first=True)
    assert module.flops(torch.zeros(2, 8, 5, 7)) == 9 * 2 * 35 * 64 * 3 + 2 * 35 * 64
    assert SS2D(8, 3).flops(torch.zeros(2, 5, 7, 8)) == 9 * 2 * 35 * 64 * 3 + 2 * 35 * 64
