"""The training loss with the losses and the assigner of plugins, which the description of a network names.

Without any, a network is trained with ultralytics' own loss: CIoU and distribution focal loss of the boxes, binary
cross entropy of the classes and of the masks, task-aligned assignment. Each of them can be replaced alone. What they
replace is part of no network: at inference and in a checkpoint nothing of it is left but its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from inspector.api import LayerSpec, prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn
from ultralytics.nn.tasks import SegmentationModel
from ultralytics.utils.loss import BboxLoss, v8SegmentationLoss
from ultralytics.utils.metrics import bbox_iou

from inspector_plugins.yolo11.architecture import design


def parts(description: Mapping[str, Any], layers: Iterable[LayerSpec]) -> dict[str, LayerSpec]:
    """The losses and the assigner that a network's description names, by part (box, class, mask, assigner).

    Raises:
        InputError: no active plugin provides one of them.
    """
    catalogue = design.Catalogue(layers)
    found = [catalogue.find("loss", name)[0] for name in str(description.get("loss") or "").split(",") if name]
    chosen = {str(spec.part): spec for spec in found}
    if name := description.get("assigner"):
        chosen["assigner"] = catalogue.find("assigner", str(name))[0]
    return chosen


def of_model(model: SegmentationModel, layers: Iterable[LayerSpec]) -> Criterion | None:
    """The training loss of ``model``, on its device; None for ultralytics' own.

    A head that has the attribute ``auxiliary_weight`` returns the predictions of a second head as ``auxiliary`` of its
    own in training. Their loss, for the same assignment, is added with this weight.

    Args:
        model: has ``args``, ultralytics' settings.
        layers: of all active plugins.

    Raises:
        InputError: no active plugin provides what its description names.
    """
    chosen = parts(model.yaml, layers)
    if not chosen and not hasattr(model.model[-1], "auxiliary_weight"):
        return None
    device, classes = next(model.parameters()).device, model.model[-1].nc
    made: dict[str, Any] = {}
    for part, spec in chosen.items():
        build = spec.build or spec.load()[0]
        made[part] = (build(classes) if part == "assigner" else build()).to(device)
    return Criterion(model, made)


class Criterion(v8SegmentationLoss):  # type: ignore[misc]
    """ultralytics' loss with some of its parts replaced; see :class:`inspector.api.LayerSpec` for their arguments.

    Args:
        model: to train.
        replaced: part (box, class, mask, assigner) -> module.
    """

    def __init__(self, model: SegmentationModel, replaced: Mapping[str, nn.Module]) -> None:
        super().__init__(model)
        self.replaced = nn.ModuleDict(replaced)
        if "box" in replaced:
            self.bbox_loss = _BoxLoss(self.reg_max, replaced["box"]).to(self.device)
        self._mask = replaced.get("mask")
        self._auxiliary = float(getattr(model.model[-1], "auxiliary_weight", 0))
        self.assigner: Any = _Assigner(self.assigner, replaced.get("assigner"), "class" in replaced)
        if "class" in replaced:
            self.bce = lambda logits, targets: replaced["class"](logits, targets, self.assigner.overlap)

    def __call__(self, preds: Any, batch: dict[str, Tensor]) -> Any:
        self.replaced.train(isinstance(preds, dict))  # a network in evaluation mode returns a pair
        loss, items = super().__call__(preds, batch)
        if isinstance(preds, dict) and "auxiliary" in preds:
            with self.assigner.as_before():
                loss = loss + self._auxiliary * self.loss(preds["auxiliary"], batch)[0]
        return loss, items

    def get_assigned_targets_and_loss(self, preds: dict[str, Tensor], batch: dict[str, Any], **options: Any) -> Any:
        sizes = [one.shape[2] * one.shape[3] for one in preds["feats"]]
        self.assigner.strides = self.stride.repeat_interleave(torch.tensor(sizes, device=self.stride.device))[:, None]
        return super().get_assigned_targets_and_loss(preds, batch, **options)

    def single_mask_loss(self, gt_mask: Tensor, pred: Tensor, proto: Tensor, xyxy: Tensor, area: Tensor) -> Tensor:
        """Sum of the losses of n masks; see the base class."""
        if self._mask is None:
            return super().single_mask_loss(gt_mask, pred, proto, xyxy, area)  # type: ignore[no-any-return]
        logits = torch.einsum("in,nhw->ihw", pred, proto)
        return self._mask(logits, gt_mask, xyxy).sum()  # type: ignore[no-any-return]


class _BoxLoss(BboxLoss):  # type: ignore[misc]
    """Replaces 1 - CIoU; the distribution focal loss stays."""

    def __init__(self, reg_max: int, loss: nn.Module) -> None:
        super().__init__(reg_max)
        self.box = loss

    def forward(
        self,
        pred_dist: Tensor,
        pred_bboxes: Tensor,
        anchor_points: Tensor,
        target_bboxes: Tensor,
        target_scores: Tensor,
        target_scores_sum: Tensor,
        fg_mask: Tensor,
        imgsz: Tensor,
        stride: Tensor,
    ) -> tuple[Tensor, Tensor]:
        _, distribution = super().forward(
            pred_dist, pred_bboxes, anchor_points, target_bboxes, target_scores, target_scores_sum, fg_mask, imgsz,
            stride,
        )  # fmt: skip
        if not fg_mask.any():
            return (pred_bboxes * 0).sum(), distribution
        predicted, target = (pred_bboxes * stride)[fg_mask], (target_bboxes * stride)[fg_mask]
        values = self.box(predicted, target, (int(imgsz[0]), int(imgsz[1])))
        return (values * target_scores.sum(-1)[fg_mask]).sum() / target_scores_sum, distribution


class _Assigner(nn.Module):
    """Calls a plugin's assigner, or ultralytics', in ultralytics' form.

    Args:
        own: ultralytics' assigner.
        other: a plugin's; None: use ultralytics'.
        measure: compute ``overlap``, the mean IoU of the assigned boxes.
    """

    def __init__(self, own: nn.Module, other: nn.Module | None, measure: bool) -> None:
        super().__init__()
        self.own, self.other, self._measure = own, other, measure
        self.strides: Tensor | None = None
        self._last: tuple[Tensor, ...] = ()
        self._repeat = False
        self.overlap = torch.zeros(())

    @contextmanager
    def as_before(self) -> Iterator[None]:
        """Return the last assignment again."""
        self._repeat = True
        try:
            yield
        finally:
            self._repeat, self._last = False, ()

    @torch.no_grad()
    def forward(
        self, scores: Tensor, boxes: Tensor, points: Tensor, labels: Tensor, targets: Tensor, exist: Tensor, **more: Any
    ) -> tuple[Tensor, ...]:
        if self._repeat:
            return self._last
        if self.other is None:
            made: tuple[Tensor, ...] = self.own(scores, boxes, points, labels, targets, exist, **more)
        else:
            made = self._assign(scores, boxes, points, labels, targets, exist)
        if self._measure:
            positive = made[3].bool()
            ious = bbox_iou(boxes[positive], made[1][positive], xywh=False)
            self.overlap = ious.mean() if len(ious) else scores.new_zeros(())
        self._last = made
        return made

    def _assign(
        self, scores: Tensor, boxes: Tensor, points: Tensor, labels: Tensor, targets: Tensor, exist: Tensor
    ) -> tuple[Tensor, ...]:
        assert self.other is not None
        shape = scores.shape[:2]
        if not targets.shape[1]:
            return (
                torch.full(shape, scores.shape[2], dtype=torch.long, device=scores.device),
                boxes.new_zeros(*shape, 4),
                torch.zeros_like(scores),
                torch.zeros(shape, dtype=torch.bool, device=scores.device),
                torch.zeros(shape, dtype=torch.long, device=scores.device),
            )
        index, positive, quality = self.other(scores, boxes, points, self.strides, labels, targets, exist)
        chosen = labels.long().squeeze(-1).clamp(min=0).gather(1, index)
        wanted = torch.zeros_like(scores).scatter_(2, chosen[..., None], (quality * positive)[..., None].to(scores))
        return chosen, targets.gather(1, index[..., None].expand(-1, -1, 4)), wanted, positive, index
