"""Cases of blocks and convolutions."""

from __future__ import annotations

import copy

from cases_attention import epsilon, loaded, pick

from inspector.api import prepare_torch

prepare_torch()

from torch import nn

from inspector_plugins._shared.sampling import deform_conv2d
from inspector_plugins.dynamic_convolutions import layers as dynamic
from inspector_plugins.light_blocks import layers as light
from inspector_plugins.merged_convolutions import layers as merged
from inspector_plugins.shaped_convolutions import layers as shaped
from inspector_plugins.shaped_convolutions import sampling


def with_merged(module, *more):
    """Outputs of the module, of ``more``, and of the module after merging."""
    small = copy.deepcopy(module)
    small.reparameterize()
    return lambda x: (module(x), *(one(x) for one in more), small(x))


def activation(config):
    named = config.get("nonlinear") or ""
    return named.lower().removesuffix("()")


def dbb(config, state):
    module = merged.DiverseBranchBlock(
        config["in_channels"], config["out_channels"], config["kernel_size"], config.get("stride", 1),
        config.get("groups", 1), activation(config),
    )  # fmt: skip
    return with_merged(loaded(module, state))


def dbb_trained(config, state):
    """One step in training mode."""
    module = merged.DiverseBranchBlock(
        config["in_channels"], config["out_channels"], config["kernel_size"], config.get("stride", 1),
        config.get("groups", 1), activation(config),
    )  # fmt: skip
    module = loaded(module, state).train()

    def run(x):
        y = module(x)
        average, other = module.dbb_avg["bn"].bn, module.dbb_1x1_kxk["bn2"]
        return y, average.running_mean, average.running_var, other.running_var

    return run


def orepa(config, state):
    module = merged.OREPA(
        config["in_channels"], config["out_channels"], config["kernel_size"], config.get("stride", 1),
        config.get("groups", 1), activation(config),
    )  # fmt: skip
    module = loaded(module, state)
    return with_merged(module, lambda x: module.kernel())


def orepa_1x1(config, state):
    return with_merged(loaded(merged.OREPA1x1(config["in_channels"], config["out_channels"]), state))


def repvit(config, state):
    known = ("inp", "hidden_dim", "oup", "kernel_size", "stride", "use_se")
    return with_merged(loaded(light.RepViTBlock(**pick(config, *known)), state))


def faster(config, state):
    module = light.FasterBlock(
        config["dim"], config["n_div"], config["mlp_ratio"], config["layer_scale_init_value"], config["act_layer"]
    )
    return loaded(module, state)


def ghost_module(config, state):
    dfc = config.get("mode") == "attn"
    return loaded(light.GhostModuleV2(config["inp"], config["oup"], dfc, config.get("relu", True)), state)


def ghost(config, state):
    module = light.GhostBottleneckV2(
        config["in_chs"], config["mid_chs"], config["out_chs"], config.get("dw_kernel_size", 3),
        config.get("stride", 1), config.get("se_ratio", 0.0), config["layer_id"] > 1,
    )  # fmt: skip
    return loaded(module, state)


def sc_conv(config, state):
    module = loaded(light.ScConv(**config), state)
    return lambda x: (module(x), module.SRU(x))


def wt_conv(config, state):
    filters = tuple(state[name][:4] for name in ("wt_filter", "iwt_filter"))
    module = shaped.WTConv2d(
        config["in_channels"], config["kernel_size"], config.get("stride", 1), "base_conv.bias" in state,
        config["wt_levels"], filters,
    )  # fmt: skip
    return loaded(module, state)


def snake(kind):
    def build(config, state):
        c1 = config.get("in_channels", config.get("in_ch"))
        c2 = config.get("out_channels", config.get("out_ch"))
        module = kind(c1, c2, config["kernel_size"], config["extend_scope"], config["morph"], config["if_offset"])
        other = "dsc_conv_x." if config["morph"] else "dsc_conv_y."
        return loaded(module, state, {"bn.": "gn_offset."}, skip=(other,))

    return build


def ld_conv(config, state):
    module = sampling.LDConv(config["inc"], config["outc"], config["num_param"], config["stride"], bool(config["bias"]))
    return loaded(module, state, skip=("p_n",))


def rfa(config, state):
    module = shaped.RFAConv(config["in_channel"], config["out_channel"], config["kernel_size"], config["stride"])
    return loaded(module, state)


def rfa_unfold(config, state):
    return loaded(shaped.RFAConvUnfold(config["in_channel"], config["out_channel"], config["kernel_size"]), state)


def od_conv(config, state):
    c1, c2 = config["in_planes"], config["out_planes"]
    known = ("stride", "padding", "dilation", "groups", "reduction", "kernel_num", "temperature")
    return loaded(dynamic.ODConv2d(c1, c2, config["kernel_size"], **pick(config, *known)), state)


def dynamic_conv(config, state):
    known = ("stride", "dilation", "groups", "bias", "num_experts")
    module = dynamic.DynamicConv(
        config["in_features"], config["out_features"], config.get("kernel_size", 1), **pick(config, *known)
    )
    return loaded(module, state)


def dynamic_ghost(config, state):
    half = config["oup"] // 2
    count = config["num_experts"]
    primary = nn.Sequential(
        dynamic.DynamicConv(config["inp"], half, config["kernel_size"], num_experts=count), nn.BatchNorm2d(half),
        nn.ReLU(),
    )  # fmt: skip
    cheap = nn.Sequential(
        dynamic.DynamicConv(half, half, 3, groups=half, num_experts=count), nn.BatchNorm2d(half), nn.ReLU()
    )
    module = loaded(nn.ModuleDict({"primary_conv": primary, "cheap_operation": cheap}), state)

    def run(x):
        import torch

        one = module["primary_conv"](x)
        return torch.cat([one, module["cheap_operation"](one)], 1)[:, : config["oup"]]

    return run


def deformable(config, state):
    known = ("stride", "padding", "dilation", "groups", "offset_groups")

    def run(x, offset, weight, bias=None, mask=None):
        return deform_conv2d(x, offset, weight, bias, mask, **pick(config, *known))

    return run


def deformable_pack(config, state):
    module = sampling.ModulatedDeformConvPack(
        config["in_channels"], config["out_channels"], config["kernel_size"], config.get("stride", 1),
        config["padding"], config.get("dilation", 1), config.get("groups", 1), config.get("deformable_groups", 1),
    )  # fmt: skip
    return loaded(module, state)


BUILD = {
    "Partial_conv3": lambda config, state: loaded(light.PartialConv(config["dim"], config["n_div"]), state),
    "MLPBlock": faster,
    "Block": lambda config, state: loaded(light.StarBlock(config["dim"], config["mlp_ratio"]), state),
    "RepViTBlock": repvit,
    "DiverseBranchBlock": dbb,
    "DiverseBranchBlock (training mode)": dbb_trained,
    "OREPA": orepa,
    "OREPA_1x1": orepa_1x1,
    "WTConv2d": wt_conv,
    "DSConv_pro": snake(sampling.DSConv),
    "DSConv": snake(sampling.DSConvOriginal),
    "LDConv": ld_conv,
    "RFAConv (group-conv version, first of that name)": rfa,
    "RFAConv (unfold version, second of that name)": rfa_unfold,
    "ODConv2d": od_conv,
    "DynamicConv": dynamic_conv,
    "GhostModule": dynamic_ghost,
    "ScConv": sc_conv,
    "GhostModuleV2": ghost_module,
    "GhostBottleneckV2": ghost,
    "DCNv1 (deformable convolution)": deformable,
    "DCNv2 (modulated deformable convolution)": deformable,
    "ModulatedDeformConvPack": deformable_pack,
    "PConv": lambda config, state: epsilon(
        loaded(shaped.PinwheelConv(config["c1"], config["c2"], config["k"], config["s"]), state), 1e-5
    ),
    "APBottleneck": lambda config, state: epsilon(
        loaded(shaped.APBottleneck(config["c1"], config["c2"], config["shortcut"], config["e"]), state), 1e-5
    ),
}  # fmt: skip
