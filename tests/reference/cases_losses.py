"""Cases of losses and assigners."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
from ultralytics.utils.metrics import bbox_iou

from inspector_plugins.atss.layers import select
from inspector_plugins.box_losses import layers as boxes
from inspector_plugins.class_losses import layers as classes
from inspector_plugins.mask_losses import layers as masks


def corners(values):
    """Boxes as centre and size -> x1, y1, x2, y2."""
    return torch.cat([values[:, :2] - values[:, 2:] / 2, values[:, :2] + values[:, 2:] / 2], 1)


def similarity(function, *names):
    """A builder of ``function(predicted, target, *config[names])`` that returns (n, 1)."""

    def build(config, state):
        convert = corners if config.get("box") == "cxcywh" else lambda values: values
        given = [config[name] for name in names]
        return lambda one, other: function(convert(one), convert(other), *given)[:, None]

    return build


def nwd(config, state):
    def loss(one, other):
        squared = boxes.wasserstein(one, other, config["eps"])
        values = boxes.nwd_loss(squared, config["mode"], config.get("constant", 12.8), config.get("gamma", 2.0))
        values = values * config.get("loss_weight", 1.0)
        return values, values.mean(), values.sum()

    return loss


def aligned(config, state):
    """mmdet's and mmyolo's bbox_overlaps."""
    eps = config["eps"]
    if config.get("iou_mode") == "siou":
        return lambda one, other: boxes.siou(one, other, config["siou_theta"])
    if config.get("iou_mode") == "giou":
        return lambda one, other: bbox_iou(one, other, xywh=False, GIoU=True, eps=eps)[:, 0].clamp(-1, 1)
    if config.get("iou_mode") == "ciou":
        return boxes.ciou
    return lambda one, other: boxes.measure(one, other).iou


def pairwise_nwd(config, state):
    return lambda one, other: torch.exp(
        -boxes.wasserstein(one[:, None], other[None], config["eps"]).sqrt() / config["constant"]
    )


def ultralytics_iou(config, state):
    if config.get("SDIoU"):
        return lambda one, other: boxes.sd_iou(one, other, config["delta"])[:, None]
    return lambda one, other: bbox_iou(one, other, **config)


def wise(config, state):
    version = {None: 1, True: 2, False: 3}[config["monotonous"]]
    loss = boxes.WiseIoU(version, config["momentum"], config["alpha"], config["delta"])
    loss.mean.fill_(config["iou_mean_init"])

    def run(*pairs):
        found, loss_of = [], lambda one, other: 1 - boxes.measure(one, other).iou
        loss.train()
        for one, other in zip(pairs[::2], pairs[1::2], strict=True):
            found += [loss(one, other), loss_of(one, other), loss.mean.clone()]
        loss.eval()
        return [*found, loss(*pairs[:2]), loss.mean.clone()]

    return run


def mpdiou(config, state):
    size = (config["img_h"], config["img_w"])

    def run(one, other):
        found = boxes.mpdiou(one, other, size)
        return 1 - found, boxes.measure(one, other).iou, found

    return run


def eiou(config, state):
    def run(one, other):
        iou = boxes.measure(one, other).iou
        if config["gamma"] is None:
            return 1 - boxes.eiou(one, other), iou
        return boxes.FocalEIoU(config["gamma"])(one, other), iou, 1 - boxes.eiou(one, other)

    return run


def piou(config, state):
    version = 2 if config["PIoU2"] else 1
    convert = corners if config["xywh"] else lambda values: values
    return lambda one, other: boxes.piou(convert(one), convert(other), version, config["Lambda"])[:, None]


def regions(config, state):
    idc = config["idc"]

    def run(probabilities, target, distance):
        signed = torch.stack(
            [torch.stack([torch.from_numpy(masks.signed_distance(one.numpy() > 0.5)) for one in image])
             for image in target]
        )  # fmt: skip
        torch.testing.assert_close(signed, distance.to(signed), rtol=1e-5, atol=1e-5)
        p, q = probabilities[:, idc], target[:, idc].to(probabilities)
        return (
            signed.trunc(),
            masks.dice(p, q).mean().reshape(1),
            masks.generalized_dice(p, q).mean().reshape(1),
            masks.boundary(p, distance[:, idc]).mean().reshape(1),
        )

    return run


def cldice(config, state):
    alpha, smooth, steps = config["alpha"], config["smooth"], config["loss_iterations"]

    def run(wanted, own):
        first = int(config["exclude_background"])
        y, p = wanted[:, first:], own[:, first:]
        line, region = masks.soft_cldice(y, p, steps, smooth), masks.soft_dice(wanted, own, 1.0)
        mixed = (1 - alpha) * masks.soft_dice(y, p, 1.0) + alpha * line
        values = [line.reshape(1), region.reshape(1), mixed.reshape(1)]
        return [*values, *(masks.soft_skeleton(one, n) for n in (3, 10) for one in (own, wanted))]

    return run


def varifocal(config, state):
    loss = classes.Varifocal(config["alpha"], config["gamma"], config["iou_weighted"])

    def run(logits, target):
        values = loss(logits, target)
        return values, values.mean().reshape(1), (values.sum() / 7).reshape(1)

    return run


def quality(config, state):
    loss = classes.QualityFocal(config["beta"])

    def run(logits, label, score):
        count = logits.shape[1]
        target = torch.nn.functional.one_hot(label, count + 1)[:, :count].to(logits) * score[:, None]
        values = loss(logits, target).sum(1)
        return values, values.mean().reshape(1)

    return run


def slide(config, state):
    def run(logits, target):
        values = classes.Slide(official=True)(logits, target, torch.tensor(config["auto_iou"]))
        return values, values.mean().reshape(1)

    return run


def sls(config, state):
    def run(logits, target):
        overlap, location, b = masks.sls_iou(
            logits[:, 0], target[:, 0], distance=config["with_distance"], dynamic=config["dynamic"],
            delta=config["delta"],
        )  # fmt: skip
        if config["epoch"] <= config["warm_epoch"]:
            p = logits[:, 0].sigmoid()
            common = (p * target[:, 0]).sum((1, 2))
            return (1 - (common / (p.sum((1, 2)) + target[:, 0].sum((1, 2)) - common)).mean()).reshape(1)
        mean, term = b.mean(), location.mean()
        return ((1 + mean) * (1 - overlap.mean()) + (1 - mean) * term).reshape(1)

    return run


def atss(config, state):
    def run(anchors, targets, labels):
        index, iou = select(anchors, config["num_level_bboxes"], targets, config["topk"])
        found = labels[index.clamp(min=0)] if len(labels) else index
        return index + 1, iou, torch.where(index >= 0, found, -1)

    return run


BUILD = {
    "WassersteinLoss": nwd,
    "bbox_overlaps(mode=wasserstein)": pairwise_nwd,
    "bbox_overlaps": aligned,
    "bbox_iou": ultralytics_iou,
    "bbox_iou(SDIoU=True)": lambda config, state: ultralytics_iou({**config, "SDIoU": True}, state),
    "IouLoss": wise,
    "inner_ciou": similarity(lambda one, other, ratio: boxes.inner_iou(one, other, ratio, "ciou"), "ratio"),
    "inner_siou": similarity(lambda one, other, ratio: boxes.inner_iou(one, other, ratio, "siou"), "ratio"),
    "MPDIoU": mpdiou,
    "EIoU": eiou,
    "Focal-EIoU": eiou,
    "shape_iou": similarity(boxes.shape_iou, "scale"),
    "(one line)": lambda config, state: lambda iou: boxes.focaler(iou, config["d"], config["u"]),
    "piou": piou,
    "DiceLoss, GeneralizedDice, SurfaceLoss, one_hot2dist": regions,
    "soft_cldice, soft_dice, soft_dice_cldice, SoftSkeletonize": cldice,
    "varifocal_loss": varifocal,
    "quality_focal_loss": quality,
    "distribution_focal_loss": lambda config, state: classes.distribution_focal,
    "reSwanLoss": slide,
    "SLSIoULoss": sls,
    "ATSSAssigner": atss,
}
