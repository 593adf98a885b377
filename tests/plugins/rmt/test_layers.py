"""PatchEmbed, PatchMerging, BasicLayer, VisRetNet and the published sizes."""

import inspect

import pytest

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.rmt import layers
from inspector_plugins.rmt.layers import (
    RMT_B,
    RMT_L,
    RMT_S,
    RMT_T,
    BasicLayer,
    DropPath,
    MaSA,
    MaSAd,
    PatchEmbed,
    PatchMerging,
    VisRetNet,
)

SMALL = {
    "num_classes": 5,
    "embed_dims": [8, 12, 16, 24],
    "depths": [1, 2, 1, 1],
    "num_heads": [2, 2, 4, 4],
    "layerscales": [False, False, True, True],
}


def small(**options):
    torch.manual_seed(0)
    return VisRetNet(**SMALL | options).eval()


def test_golden_network(golden):
    case = golden("rmtA_visretnet_reduced")
    network = VisRetNet(**case.config).eval()
    network.load_state_dict(case.state_dict, strict=True)
    x, seen = case.inputs["x"], {}
    for number, layer in enumerate(network.layers):
        layer.blocks[-1].register_forward_hook(lambda _m, _i, y, number=number: seen.update({number: y}))
    case.close(network(x), case.outputs["logits"])
    for number, found in enumerate(network.forward_maps(x)):
        case.close(found, case.outputs[f"stage{number}_nhwc"])
        case.close(seen[number], found)


@pytest.mark.parametrize("size", [(64, 96), (61, 37), (1, 1), (5, 70)])
def test_stage_maps_have_strides_4_to_32_rounded_up(size):
    maps = small().forward_maps(torch.randn(2, 3, *size))
    for number, (found, channels) in enumerate(zip(maps, SMALL["embed_dims"], strict=True)):
        stride = 4 << number
        assert found.shape == (2, -(-size[0] // stride), -(-size[1] // stride), channels)


def test_logits_are_the_classifier_of_the_mean_of_the_last_map():
    network, x = small(), torch.randn(2, 3, 64, 96)
    last = network.forward_maps(x)[-1].permute(0, 3, 1, 2)
    torch.testing.assert_close(network(x), network.head(network.norm(last).mean((2, 3))))
    torch.testing.assert_close(network.forward_features(x), network.norm(last).mean((2, 3)))


@pytest.mark.parametrize("classes", [0, -1])
def test_without_classes_there_is_no_head(classes):
    network = small(num_classes=classes)
    assert not any(key.startswith("head") for key in network.state_dict())
    assert network(torch.randn(1, 3, 32, 32)).shape == (1, 24)


def test_training_reaches_every_parameter_and_train_returns_the_network():
    network = small(drop_path_rate=0.0)
    assert network.train() is network
    assert network.eval().train(True) is network
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []
    assert all(torch.isfinite(value.grad).all() for value in network.parameters())


def test_checkpointing_gives_the_same_gradient():
    x, gradients = torch.randn(2, 3, 32, 64), []
    for checkpoints in ([False] * 4, [True] * 4):
        network = small(use_checkpoints=checkpoints)
        network(x).square().sum().backward()
        gradients.append(network.patch_embed.proj[0].weight.grad)
    torch.testing.assert_close(*gradients)


def test_drop_path_grows_from_the_first_to_the_last_block():
    rates = [part.drop_prob for part in small(drop_path_rate=0.4).modules() if isinstance(part, DropPath)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_defaults_are_the_official_ones():
    found = {name: item.default for name, item in inspect.signature(VisRetNet).parameters.items()}
    assert list(found) == [
        "in_chans", "num_classes", "embed_dims", "depths", "num_heads", "init_values", "heads_ranges", "mlp_ratios",
        "drop_path_rate", "norm_layer", "patch_norm", "use_checkpoints", "chunkwise_recurrents", "layerscales",
        "layer_init_values",
    ]  # fmt: skip
    lists = (found["embed_dims"], found["depths"], found["num_heads"], found["init_values"], found["heads_ranges"])
    assert [list(value) for value in lists] == [[96, 192, 384, 768], [2, 2, 6, 2], [3, 6, 12, 24], [1] * 4, [3] * 4]
    assert (found["num_classes"], found["drop_path_rate"], found["layer_init_values"]) == (1000, 0.1, 1e-6)
    network = small()
    assert [type(layer.blocks[0].retention) for layer in network.layers] == [MaSAd, MaSAd, MaSA, MaSA]


@pytest.mark.parametrize(
    ("make_it", "millions", "chunks"),
    [(RMT_T, 12.7, 2), (RMT_S, 25.2, 3), (RMT_B, 52.2, 3), (RMT_L, 93.2, 3)],
)
def test_published_sizes(make_it, millions, chunks):
    with torch.device("meta"):
        network = make_it(num_classes=0)
    assert sum(value.numel() for value in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    kinds = [type(layer.blocks[0].retention) for layer in network.layers]
    assert kinds == [MaSAd] * chunks + [MaSA] * (4 - chunks)
    assert all(layer.Relpos.initial_value == 2 for layer in network.layers)
    maps = network.forward_maps(torch.zeros(1, 3, 640, 640, device="meta"))
    assert [found.shape[1] for found in maps] == [160, 80, 40, 20]


def test_a_published_size_takes_the_official_argument_and_our_options():
    with torch.device("meta"):
        assert RMT_T(None).head.out_features == 1000
        assert RMT_T(num_classes=7, in_chans=1).patch_embed.proj[0].in_channels == 1


def test_a_image_too_large_for_a_whole_map_is_refused():
    with torch.device("meta"):
        network = RMT_T()
    with pytest.raises(ValueError, match=r"100 x 100 with 8 heads.*use 'chunk'"):
        network(torch.zeros(1, 3, 1600, 1600, device="meta"))


def test_onnx_and_trace_are_equal_to_eager(onnx_run):
    network, x = small(), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = network(x)
        torch.testing.assert_close(onnx_run(network, x)[0], expected, rtol=1e-3, atol=1e-4)
        traced = torch.jit.trace(network, x)
        other = torch.randn(2, 3, 40, 33)
        torch.testing.assert_close(traced(other), network(other), rtol=1e-4, atol=1e-5)


def test_initial_weights():
    network = small(embed_dims=[64, 64, 64, 64], num_classes=200)
    layer = network.layers[0].blocks[0]
    for linear in (layer.retention.q_proj, layer.retention.out_proj, layer.ffn.fc1, network.head):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert torch.all(linear.bias == 0)


def test_patch_layers_give_nhwc():
    assert PatchEmbed(4, 10)(torch.randn(2, 4, 33, 17)).shape == (2, 9, 5, 10)
    assert PatchMerging(6, 10)(torch.randn(2, 5, 8, 6)).shape == (2, 3, 4, 10)


def test_basic_layer_alone():
    torch.manual_seed(0)
    layer = BasicLayer(8, 12, 2, 2, 1, 3, ffn_dim=16, chunkwise_recurrent=True, downsample=PatchMerging).eval()
    x = torch.randn(1, 4, 6, 8)
    kept = layer.retain(x)
    assert kept.shape == x.shape
    torch.testing.assert_close(layer(x), layer.downsample(kept))
    assert BasicLayer(8, 8, 1, 2, 1, 3).eval()(x).shape == x.shape


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: VisRetNet(depths=[2, 2, 2]), "embed_dims must hold 3 values.*not 4"),
        (lambda: VisRetNet(depths=[2, 0, 2, 2]), r"at least one block.*\[2, 0, 2, 2\]"),
        (lambda: VisRetNet(num_heads=[5, 6, 12, 24]), "96 and 5"),
        (lambda: VisRetNet(init_values=[0, 1, 1, 1]), "initial_value 0"),
        (lambda: BasicLayer(8, 8, 2, 2, 1, 3, drop_path=[0.1]), "each of the 2 blocks, not 1"),
    ],
)
def test_impossible_arguments(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()


def test_the_contract_classes_stand_in_layers():
    official = (
        *("RelPos2d", "MaSA", "MaSAd", "FeedForwardNetwork", "RetBlock"),
        *("PatchMerging", "PatchEmbed", "BasicLayer", "VisRetNet", "DWConv2d"),
    )
    assert all(getattr(layers, name) in layers.CLASSES for name in official)
