"""Cases of the first five works: CGNet, UniRepLKNet, RMT, VMamba and FreqFusion."""

from __future__ import annotations

import copy
import json

from cases_attention import loaded

from inspector.api import prepare_torch

prepare_torch()

import torch

from inspector_plugins.cgnet import layers as cgnet
from inspector_plugins.freqfusion.layers import FreqFusion, LocalSimGuidedSampler
from inspector_plugins.freqfusion.reassembly import carafe, hamming2D
from inspector_plugins.freqfusion.similarity import compute_similarity
from inspector_plugins.rmt.attention import MaSA, MaSAd, RelPos2d
from inspector_plugins.rmt.layers import VisRetNet
from inspector_plugins.rmt.retblock import RetBlock
from inspector_plugins.unireplknet import layers as uni
from inspector_plugins.vmamba import layers as vmamba


def plain(kind):
    return lambda config, state: loaded(kind(**config), state)


def merging(kind):
    """The outputs of a module and, where it merges, of the merged one."""

    def build(config, state):
        module = loaded(kind(**config), state)
        small = copy.deepcopy(module)
        small.reparameterize()
        return lambda x: (module(x), small(x))

    return build


def cgnet_network(config, state):
    module = loaded(cgnet.Context_Guided_Network(**config), state)
    return lambda x: (*module.forward_features(x), module(x))


def uni_network(config, state):
    module = loaded(uni.UniRepLKNet(**config), state)
    small = copy.deepcopy(module)
    small.reparameterize()

    def run(x):
        seen = []
        hooks = [stage.register_forward_hook(lambda _m, _i, y: seen.append(y)) for stage in module.stages]
        maps = module(x)
        for hook in hooks:
            hook.remove()
        return [*maps, *seen, *small(x)]

    return run


def positions(config, state):
    config = dict(config)
    size, chunk = config.pop("slen"), config.pop("chunkwise_recurrent", False)
    module = loaded(RelPos2d(**config), state)

    def run(_given):
        found = module(size, chunkwise_recurrent=chunk)
        return list(found) if chunk else [found]

    return run


def retention(kind):
    def build(config, state):
        config = dict(config)
        position, options = RelPos2d(**config.pop("relpos")), config.pop("relpos_kwargs")
        module = loaded(kind(**config), state)
        chunk = options.get("chunkwise_recurrent", False)
        first = (None, chunk) if kind is RetBlock else ()
        return lambda x: module(x, *first, position(x.shape[1:3], **options))

    return build


def rmt_network(config, state):
    module = loaded(VisRetNet(**config), state)
    return lambda x: (*module.forward_maps(x), module(x))


def scan(config, state):
    """The result and the last state; the other outputs of a case are the result again."""

    def run(*values):
        given = dict(zip(config["args"], values, strict=True))
        return vmamba.selective_scan(**given, delta_softplus=config["delta_softplus"], return_last_state=True)

    return run


def crossing(config, state):
    config = config if isinstance(config, dict) else json.loads(config)
    return lambda x, ys: (vmamba.cross_scan(x, **config), vmamba.cross_merge(ys, **config))


BUILD = {
    "ContextGuidedBlock": plain(cgnet.ContextGuidedBlock),
    "ContextGuidedBlock_Down": plain(cgnet.ContextGuidedBlock_Down),
    "Context_Guided_Network": cgnet_network,
    "GRNwithNHWC": plain(uni.GRNwithNHWC),
    "SEBlock": plain(uni.SEBlock),
    "LayerNorm": plain(uni.LayerNorm),
    "DilatedReparamBlock": merging(uni.DilatedReparamBlock),
    "UniRepLKNetBlock": merging(uni.UniRepLKNetBlock),
    "UniRepLKNet": uni_network,
    "RelPos2d": positions,
    "MaSA": retention(MaSA),
    "MaSAd": retention(MaSAd),
    "RetBlock": retention(RetBlock),
    "VisRetNet": rmt_network,
    "selective_scan_ref": scan,
    "cross_scan_fwd/cross_merge_fwd": crossing,
    "SS2D": plain(vmamba.SS2D),
    "VSSBlock": plain(vmamba.VSSBlock),
    "Backbone_VSSM": plain(vmamba.Backbone_VSSM),
    "hamming2D": lambda config, state: lambda _size: torch.from_numpy(hamming2D(**config)),
    "compute_similarity": lambda config, state: lambda x: compute_similarity(x, **config),
    "carafe (pure-torch fallback)": lambda config, state: lambda x, mask: carafe(x, mask, **config),
    "mmcv.ops.carafe semantics": lambda config, state: lambda x, mask: carafe(x, mask, **config),
    "FreqFusion": plain(FreqFusion),
    "LocalSimGuidedSampler": plain(LocalSimGuidedSampler),
}
