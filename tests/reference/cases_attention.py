"""Cases of attentions, pooling and resampling."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

from torch import nn
from ultralytics.nn.modules.block import ADown
from ultralytics.nn.modules.conv import CBAM

from inspector_plugins.attentions import layers as attentions
from inspector_plugins.large_kernels import layers as large
from inspector_plugins.resampling import layers as resampling
from inspector_plugins.window_attention import layers as window


def loaded(module, state, names=None, skip=()):
    """``module`` with the official weights, whose keys begin otherwise where ``names`` says so."""
    own = {}
    for key, value in (state or {}).items():
        if key.startswith(tuple(skip)) and skip:
            continue
        for official, ours in (names or {}).items():
            if key.startswith(official):
                key = ours + key[len(official) :]
                break
        own[key] = value
    lacking = [key for key in module.state_dict() if key not in own and not key.endswith("num_batches_tracked")]
    assert not lacking, f"{lacking} are not in {list(own)}"
    module.load_state_dict(own, strict=False)
    assert set(own) <= set(module.state_dict()), set(own) - set(module.state_dict())
    return module.eval()


def epsilon(module, eps):
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = eps
    return module


def pick(config, *names):
    return {name: config[name] for name in names if name in config}


def se(config, state):
    width = config["channel"] // config["reduction"]
    own = {f"fc{2 if 'fc.2' in key else 1}.weight": value[..., None, None] for key, value in state.items()}
    return loaded(attentions.SE(config["channel"], rd_channels=width, bias=False), own)


def cbam(config, state):
    """timm's, with the official biases and order (maximum, mean)."""
    own = {}
    for key, value in state.items():
        place = key.replace("ChannelGate.mlp.1", "channel.fc1").replace("ChannelGate.mlp.3", "channel.fc2")
        place = place.replace("SpatialGate.spatial.", "spatial.conv.")
        if place.startswith("channel") and value.ndim == 2:
            value = value[..., None, None]
        own[place] = value.flip(1) if place == "spatial.conv.conv.weight" else value
    width, channels = state["ChannelGate.mlp.1.weight"].shape
    return epsilon(loaded(attentions.CBAM(channels, rd_channels=width, mlp_bias=True), own), 1e-5)


def coordinate(config, state):
    width, channels = state["conv1.weight"].shape[:2]
    return loaded(attentions.CoordAtt(channels, rd_channels=width, bias="conv1.bias" in state), state)


def eca(config, state):
    return loaded(attentions.ECA(kernel_size=state["conv.weight"].shape[-1]), state)


def bra(config, state):
    names = {"qkv.qkv": "qkv"}
    module = window.BiLevelRoutingAttention(
        **pick(config, "dim", "num_heads", "n_win", "topk", "side_dwconv", "qk_dim")
    )
    module = loaded(module, state, names)

    def run(x):
        index, weight = module.route(*module.regions(x)[:2])
        return module(x), weight, index

    return run


def caa(config, state):
    norm = config["norm_cfg"] is not None
    module = large.CAA(config["channels"], config["h_kernel_size"], config["v_kernel_size"], norm)
    return loaded(module, state)


def pki(config, state):
    names = {
        "ffn.ffn_layers.1.": "norm.", "ffn.ffn_layers.3.conv.": "widen.", "ffn.ffn_layers.4.conv.": "mix.",
        "ffn.ffn_layers.7.conv.": "narrow.",
    }  # fmt: skip
    return loaded(large.PKIBlock(config["in_channels"], config["ffn_scale"]), state, names)


def irmb(config, state):
    known = ("dim_in", "dim_out", "has_skip", "exp_ratio", "dw_ks", "stride", "attn_s", "qkv_bias", "attn_pre",
             "dim_head", "window_size", "act_layer")  # fmt: skip
    return loaded(window.iRMB(**pick(config, *known)), state)


def spd(config, state):
    module = resampling.SPDConv(config["c1"], config["c2"], config["k"])
    return epsilon(loaded(module, state, {"1.": "conv."}), config["bn_eps"])


def hwd(config, state):
    module = loaded(resampling.HWD(config["in_ch"], config["out_ch"]), state, skip=("wt.",))

    def run(x):
        import torch

        low, *high = resampling.haar(x)
        return module(x), low, torch.stack(high, 2)

    return run


def eucb(config, state):
    slope = 0.2 if config["activation"] == "leakyrelu" else 0.0
    module = resampling.EUCB(config["in_channels"], config["out_channels"], config["kernel_size"], slope)
    return loaded(module, state)


def adown(config, state):
    return epsilon(loaded(ADown(config["c1"], config["c2"]), state), config["bn_eps"])


BUILD = {
    "SELayer": se,
    "SEModule": lambda config, state: loaded(attentions.SE(**pick(config, "channels", "rd_ratio")), state),
    "eca_layer": eca,
    "EcaModule": eca,
    "CBAM (original)": cbam,
    "CbamModule": lambda config, state: loaded(
        attentions.CBAM(config["channels"], rd_channels=state["channel.fc1.weight"].shape[0]), state
    ),
    "CBAM": lambda config, state: loaded(CBAM(state["channel_attention.fc.weight"].shape[0]), state),
    "CoordAtt": coordinate,
    "CoordAttn": coordinate,
    "EMA": lambda config, state: loaded(attentions.EMA(config["channels"], config["factor"]), state),
    "simam_module": lambda config, state: attentions.SimAM(config["e_lambda"]),
    "MLCA": lambda config, state: loaded(
        attentions.MLCA(**pick(config, "in_size", "local_size", "gamma", "b", "local_weight")), state
    ),
    "LSKA": lambda config, state: loaded(large.LSKA(config["dim"], config["k_size"]), state),
    "Attention": lambda config, state: loaded(large.Attention(config["dim"], config["k_size"]), state),
    "CAA": caa,
    "InceptionBottleneck": lambda config, state: loaded(
        large.InceptionBottleneck(config["in_channels"], config["caa_kernel_size"]), state
    ),
    "PKIBlock": pki,
    "BiLevelRoutingAttention": bra,
    "MultiDilatelocalAttention": lambda config, state: loaded(
        window.MultiDilatelocalAttention(
            **pick(config, "dim", "num_heads", "qkv_bias", "kernel_size", "dilation")
        ), state
    ),
    "DilateBlock": lambda config, state: loaded(
        window.DilateBlock(**pick(config, "dim", "num_heads", "mlp_ratio", "qkv_bias", "dilation", "cpe_per_block")),
        state,
    ),
    "iRMB": irmb,
    "space_to_depth": lambda config, state: resampling.space_to_depth,
    "space_to_depth + Conv (as in the yaml: two rows)": spd,
    "Down_wt": hwd,
    "ADown": adown,
    "EUCB": eucb,
}  # fmt: skip
