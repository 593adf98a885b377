"""Cases of pyramids and heads."""

from __future__ import annotations

from cases_attention import loaded

from inspector.api import prepare_torch

prepare_torch()

from torch import nn

from inspector_plugins.heads import layers as heads
from inspector_plugins.pyramids import layers as pyramids
from inspector_plugins.pyramids import parts


def bifpn(config, state):
    softmax = config["weight_method"] in ("attn", "softmax")
    return loaded(parts.Fusion(config["inputs"], softmax, config["eps"]), state)


def asff(config, state):
    module = loaded(heads.ASFF(config["level"], config["dim"], config["expand"], config["compress_c"]), state)

    def run(*maps):
        total, weights = module.fuse(maps)
        return module(maps), weights, total.sum(1)

    return run


def adaptive(levels):
    return lambda config, state: loaded(
        parts.AdaptiveFusion(levels, config["inter_dim"], config["compress_c"], config["act"].lower()), state
    )


def upsample(config, state):
    act = config.get("act", "SiLU").lower()
    module = parts.Upsample(config["in_channels"], config["out_channels"], config["scale_factor"], act)
    return loaded(module, state)


def sequence(config, state):
    module = parts.ScalSeq((config["channel"], config["c_p4"], config["c_p5"]))
    for part in module.modules():
        if isinstance(part, nn.BatchNorm3d | nn.BatchNorm2d):
            part.eps = config["bn3d_eps"]
    return loaded(module, state)


def screening(config, state):
    channels, width = tuple(config["channels"]), config["hidden_dim"]
    module = pyramids.HSFPN(channels, (width,) * 3, width, config["gn_groups"], config["ratio"], project=False)
    module = loaded(module, state)
    return lambda *maps: module(list(maps))


def dy_relu(config, state):
    known = {name: config[name] for name in ("reduction", "use_bias", "use_spatial") if name in config}
    return loaded(heads.DYReLU(config["inp"], two=config.get("K2", True), **known), state)


def dy_conv(config, state):
    module = loaded(heads.DyConv(config["in_channels"], config["gn_groups"]), state)
    return lambda *maps: module(list(maps))[-1]


def gs_conv(act, interleave):
    return lambda config, state: loaded(
        parts.GSConv(config["c1"], config["c2"], config["k"], config["s"], act, interleave), state
    )


def gs_bottleneck(config, state):
    hidden = int(config["c2"] * config.get("e", 0.5))
    paper = "e" not in config
    return loaded(parts.GSBottleneck(config["c1"], config["c2"], hidden, interleave=paper), state)


def vov(config, state):
    module = parts.VoVGSCSP(config["c1"], config["c2"])
    own = {key: value for key, value in state.items() if not key.startswith("res.")}
    if any(key.startswith("gsb.0.") for key in own):  # YOLOv5: as many hidden channels as its own, other shuffle
        width = config["c2"] // 2
        module.gsb = nn.Sequential(parts.GSBottleneck(width, width, width, interleave=False))
    return loaded(module, own)


BUILD = {
    "FpnCombine": bifpn,
    "ASFF": asff,
    "ASFF_2": adaptive(2),
    "ASFF_3": adaptive(3),
    "Upsample": upsample,
    "ScalSeq": sequence,
    "Zoom_cat": lambda config, state: parts.zoom_cat,
    "channel_att": lambda config, state: loaded(parts.ChannelAtt(config["channel"]), state),
    "local_att": lambda config, state: loaded(parts.LocalAtt(config["channel"], config["reduction"]), state),
    "attention_model": lambda config, state: loaded(parts.ChannelPositionAttention(config["ch"]), state),
    "ChannelAttention": lambda config, state: loaded(
        parts.HSChannelAttention(config["in_planes"], config["ratio"], config["flag"]), state
    ),
    "method wbcfpn (HS-FPN) with its layers": screening,
    "DYReLU": dy_relu,
    "DyConv": dy_conv,
    "GSConv": gs_conv("silu", True),
    "GSConv of gsconv-yolov5": gs_conv("mish", False),
    "GSBottleneck": gs_bottleneck,
    "VoVGSCSP": vov,
}  # fmt: skip
