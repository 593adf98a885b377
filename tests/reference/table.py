"""Print the catalogue: each entry with its reference cases, its largest deviation from them, and its export.

    .venv/bin/python tests/reference/table.py [--only TEXT]

deviation: largest |ours - official| of all outputs of its cases, and the largest share of the tolerance that is used.
cases: none where no official file runs alone; tests/plugins/layers and tests/plugins/losses have numbers by hand.
export: largest |OpenVINO - torch| of the layer with random weights, exported to ONNX; losses have
nothing to export, backbones are exported as parts of networks.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import cases

from inspector import registry
from inspector.api import LayerSpec, prepare_torch

prepare_torch()

import torch
from torch import nn

FOLDER = Path(__file__).parents[3] / "shared" / "reference" / "golden"
CASES: dict[str, str | tuple[str, ...]] = {  # entry -> beginnings of the names of its cases
    "nwd": "loss_nwd", "wiou_v1": "loss_wiou_v1", "wiou_v3": "loss_wiou_v3", "inner_ciou": "loss_inner_ciou",
    "inner_siou": "loss_inner_siou", "mpdiou": "loss_mpdiou", "siou": "loss_siou", "eiou": "loss_eiou",
    "focal_eiou": "loss_focal_eiou", "shape_iou": "loss_shape_iou", "focaler_iou": "loss_focaler",
    "piou_v2": "loss_piou_v2", "sd_box": "loss_sdb", "slide": "loss_slide", "vfl": "loss_vfl", "qfl": "loss_qfl",
    "dice_boundary": "loss_region", "cldice": "loss_cldice", "sd_mask": "loss_sdm", "atss": "atss_",
    "ema": "ema_", "simam": "simam", "cbam": "cbam_", "eca": "eca_", "coord_att": "coordatt_", "se": "se_",
    "mlca": "mlca_", "lska": "lska_", "sppf_lska": "lska_k", "caa": "caa_", "pki": "pki_", "bra": "bra_",
    "msda": "msda", "irmb": "irmb_", "spd_conv": "spd_", "hwd": "hwd_", "adown": "adown_", "eucb": "eucb",
    "faster": ("pconv", "fasternet"), "star": "starnet", "repvit": "repvit", "ghost_v2": "ghostv2", "sc_conv": "scconv",
    "dbb": "dbb_", "orepa": "orepa_", "wt_conv": "wtconv", "rfa_conv": "rfaconv", "pinwheel": "pinwheel",
    "dy_snake": "dysnake", "ld_conv": "ldconv", "dcn_v2": "dcnv", "od_conv": "odconv", "dynamic_conv": "dynamicconv",
    "bifpn": "bifpn", "afpn": "afpn", "asf": "asf_", "hs_fpn": "hsfpn", "slim_neck": ("gs", "vovgscsp"),
    "mafpn": (), "gold_gd": (), "asff": "asff_", "dy_head": ("dyhead", "dyrelu"), "lscd": (), "auxiliary": (),
    "dcn_v3": (), "dcn_v4": (), "ema_slide": (), "timm": (), "context_guided": "cgnet_block",
    "context_guided_down": "cgnet_down", "cgnet": "cgnet_full", "ret": "rmtA_ret", "unireplknet": "uni_block",
    "dilated_reparam": "uni_drb", "vss": ("vssblock", "ss2d"), "dysample": (), "freqfusion": "ff_",
    "carafe": "ff_carafe",
    **{f"rmt_{size}": "rmtA_vis" for size in "tsbl"}, **{f"vmamba_{size}": "vmamba_" for size in "tsb"},
    **{f"unireplknet_{size}": "uni_net" for size in ("a", "f", "p", "n", "t", "s", "b", "l", "xl")},
}  # fmt: skip


def deviation(names: list[str], index: dict[str, Any]) -> tuple[float, float]:
    """The largest deviation of the cases, absolute and in units of the tolerance."""
    worst, share = 0.0, 0.0
    for name in names:
        entry = index[name]
        stored = torch.load(FOLDER / entry["file"], weights_only=True)
        torch.manual_seed(0)
        with torch.no_grad():
            found = cases.builder(entry)(entry["config"], stored.get("state_dict"))(*stored["inputs"].values())
        outputs = [found] if isinstance(found, torch.Tensor) else list(found)
        for own, wanted in zip(outputs, stored["outputs"].values(), strict=False):
            gap = (own.double() - wanted.double()).abs()
            allowed = entry["tolerance"]["atol"] + entry["tolerance"]["rtol"] * wanted.double().abs()
            worst, share = max(worst, float(gap.max())), max(share, float((gap / allowed).max()))
    return worst, share


def _build(spec: LayerSpec) -> tuple[nn.Module, list[torch.Tensor]]:
    """The layer and inputs for it."""
    build: Any = spec.build
    if spec.kind in ("pyramid", "head"):
        maps = [torch.randn(1, c, 16 >> level, 24 >> level) for level, c in enumerate((16, 32, 64))]
        made = build((16, 32, 64), (16, 32, 64), 8) if spec.kind == "pyramid" else build(2, 8, 16, [16, 32, 64])
        if spec.kind == "head":
            made.stride = torch.tensor([8.0, 16, 32])
            made.export, made.format = True, "onnx"
        return _Flat(made), maps
    build = build or spec.load()[0]
    if spec.kind == "neck":
        return _Flat(build(16, 16, 8), several=False), [torch.randn(1, 16, 5, 7), torch.randn(1, 16, 10, 14)]
    return build(16, 16, 8), [torch.randn(1, 16, 10, 14)]


class _Flat(nn.Module):
    """Takes maps as arguments.

    Args:
        several: it returns several maps.
    """

    def __init__(self, module: nn.Module, several: bool = True) -> None:
        super().__init__()
        self.module, self.several = module, several

    def forward(self, *maps: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        found = self.module(list(maps))
        return tuple(found) if self.several else found


def exported(spec: LayerSpec) -> float:
    """The largest difference of OpenVINO and torch."""
    import openvino

    torch.manual_seed(0)
    module, inputs = _build(spec)
    module.eval()
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = module(*inputs)
        for part in list(module.modules()):
            if callable(getattr(part, "reparameterize", None)):
                part.reparameterize()
        file = Path(folder) / "layer.onnx"
        torch.onnx.export(module, tuple(inputs), file, dynamo=False, opset_version=17)
        compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        results = compiled([one.numpy() for one in inputs])
        found = [torch.from_numpy(results[port].copy()) for port in compiled.outputs]
    wanted = [expected] if isinstance(expected, torch.Tensor) else expected
    return max(float((one - other).abs().max()) for one, other in zip(found, wanted, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="entries whose name or kind contains this text")
    only = parser.parse_args().only
    path = FOLDER / "index.json"
    index = json.loads(path.read_text("utf-8"))["cases"] if path.exists() else {}
    layers = registry.load(plugins=False).layers
    print("| entry | kind | cases | largest deviation | of the tolerance | OpenVINO - torch | paper |")
    print("|---|---|---|---|---|---|---|")
    failed = 0
    for name, beginnings in CASES.items():
        spec = layers[name]
        if only not in name and only not in spec.kind:
            continue
        found = [case for case in index if beginnings and case.startswith(beginnings)]
        worst, share = deviation(found, index) if found else (0.0, 0.0)
        export = "-" if spec.kind in ("loss", "assigner", "backbone") else f"{exported(spec):.1e}"
        failed += share > 1
        measured = f"{worst:.1e} | {100 * share:.0f} %" if found else "- | -"
        print(
            f"| {name} | {spec.kind} {spec.part}".rstrip() + f" | {len(found)} | {measured} | {export} | {spec.paper} |"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
