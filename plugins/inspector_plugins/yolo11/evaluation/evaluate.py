"""Evaluate a checkpoint on a dataset: precision, recall and mAP of boxes and masks, with ultralytics' validator.

Differences from ultralytics: the checkpoint is read as data and merged as for inference, images and labels are read
and checked as for training, and images that had to be left out are reported.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector.api import (
    InputError,
    LabelledImage,
    LayerSpec,
    YoloDataset,
    examine_image,
    long_path,
    message,
    prepare_torch,
    read_yolo_dataset,
    replace_patiently,
)

prepare_torch()

import torch
import yaml
from ultralytics.models.yolo.segment import SegmentationValidator
from ultralytics.utils import LOGGER, ops
from ultralytics.utils.metrics import Metric

from inspector_plugins.yolo11.architecture import build
from inspector_plugins.yolo11.checkpoint import checkpoint
from inspector_plugins.yolo11.evaluation import per_image
from inspector_plugins.yolo11.inference import devices
from inspector_plugins.yolo11.training import fonts
from inspector_plugins.yolo11.training.dataset import Dataset

CONFUSION_CONFIDENCE = 0.25
"""Lowest confidence in the confusion matrix, unless ``conf`` is higher: at 0.001 it would be full of false alarms."""

_HARMLESS = {
    "taken_as_good",
    "repeated",
    "odd_numbers",
    "orphan_empty",
    "missing_split",
}  # findings that lose nothing


def evaluate(
    weights: Path,
    data: Path,
    layers: Sequence[LayerSpec] = (),
    output: Path | None = None,
    *,
    split: str = "val",
    imgsz: int | None = None,
    conf: float = 0.001,
    iou: float = 0.7,
    batch: int = 16,
    device: str = "auto",
    native_masks: bool = False,
) -> dict[str, Any]:
    """Evaluate a checkpoint.

    Args:
        weights: an ultralytics segmentation checkpoint.
        data: ``data.yaml`` of a dataset in YOLO's layout; it must have the model's classes, in any order.
        layers: layers of plugins that the checkpoint may contain.
        output: new folder for plots of the curves and the confusion matrix; None: no plots.
        split: ``train``, ``val`` or ``test``.
        imgsz: side length to which images are scaled, rounded up to the stride; None: as the model was trained.
        conf: confidence threshold.
        iou: IoU threshold for non-maximum suppression.
        batch: images per batch; they are padded to a common shape, so it slightly influences the metrics.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        native_masks: compare masks at the size of the network's input, each instance separately, as pycocotools does;
            otherwise as ultralytics does: at a quarter of it, where instances overlap the smaller one wins.

    Returns:
        A document for JSON. ``all`` and each of ``classes`` hold ``pictures``, ``instances``, ``box`` and ``mask`` with
        ``precision``, ``recall`` (both at the confidence of the best F1), ``mAP50`` and ``mAP50-95``; ``box`` and
        ``mask`` are None for a class without instances. ``confusion["counts"][predicted][true]`` counts boxes, the last
        row and column are background. ``images`` counts images instead of defects, see :func:`per_image.summarise`, and
        ``worst`` lists those with most errors. ``ms`` are milliseconds per image. ``left_out`` lists what could not be
        used.

    Raises:
        InputError: checkpoint, dataset, device or output cannot be used, or do not match.
    """
    if output is not None and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError("{output} already exists; name a new folder for the results", output=output)
    dataset = read_yolo_dataset(data)
    if split not in dataset.images:
        raise InputError(
            "{data} has no line {split}: with the folder of the {split} images; measure another split",
            data=data,
            split=split,
        )
    place = devices.choose(device)
    opened = checkpoint.load(weights, layers)
    images, left_out = labelled(weights, opened.names, dataset, split)
    size = -(-(imgsz or opened.imgsz) // opened.stride) * opened.stride
    opened.model.names = dict(enumerate(opened.names))
    opened.model.end2end = False  # as in inference: the head that needs NMS, if there are two
    network = build.prepare_for_inference(opened.model)
    fonts.provide()
    LOGGER.setLevel(logging.WARNING)
    with _scratch(output) as folder:
        resolved = folder / "data.yaml"
        text = yaml.safe_dump(dataset.description(), allow_unicode=True, sort_keys=False)
        resolved.write_text(text, encoding="utf-8")
        drawings = folder / "drawings"
        arguments = {
            "data": str(resolved),
            "split": split,
            "imgsz": size,
            "conf": conf,
            "iou": iou,
            "batch": batch,
            "device": place.removeprefix("cuda:"),
            "rect": True,
            "workers": 0,
            "verbose": False,
            "plots": False,
            "mask_ratio": 1 if native_masks else 4,
            "overlap_mask": not native_masks,
        }
        validator = _Validator(images, drawings, arguments, native_masks, draw=output is not None)
        with _memory_explained(place, batch, size), _progress(validator):
            validator(model=network)
        worst = []
        if output is not None:
            worst = per_image.draw_worst(validator.results, validator.least, drawings)
        drawn = sorted(file.name for file in drawings.iterdir())
        if output is not None:
            _publish(drawings, output)
    return {
        "model": {
            "file": weights.name,
            "sha256": opened.sha256,
            "architecture": opened.architecture,
            "names": list(opened.names),
        },
        "data": str(data),
        "split": split,
        "imgsz": size,
        "conf": conf,
        "iou": iou,
        "batch": batch,
        "device": place,
        "native_masks": native_masks,
        **_figures(validator, opened.names),
        "images": per_image.summarise(validator.results, validator.least),
        "worst": worst,
        "ms": {key: round(value, 3) for key, value in validator.speed.items() if key != "loss"},
        "left_out": left_out,
        "files": drawn,
    }


def labelled(
    weights: Path, names: Sequence[str], dataset: YoloDataset, split: str
) -> tuple[list[LabelledImage], list[str]]:
    """Return the images of a split with the model's class numbers; and what cannot be used.

    Raises:
        InputError: the classes are not the model's ``names``, or no defect is labelled.
    """
    order = _class_order(weights, names, dataset.file, dataset.names)
    images, left_out = _read(dataset, split, order)
    if not any(image.classes for image in images):
        if left_out:
            raise InputError(
                "The {split} images of {file} contain no labelled defect that can be used ({reason}); there is "
                "nothing to measure",
                split=split,
                file=dataset.file,
                reason=left_out[0],
            )
        raise InputError(
            "The {split} images of {file} contain no labelled defect; there is nothing to measure",
            split=split,
            file=dataset.file,
        )
    return images, left_out


def _class_order(weights: Path, known: Sequence[str], data: Path, names: Sequence[str]) -> list[int]:
    """The number in the model of each class of the dataset."""
    if list(known) == list(names):
        return list(range(len(known)))
    if sorted(known) != sorted(names) or len(set(known)) != len(known):
        raise InputError(
            "{weights} has {known}, but {data} has {classes}; use a dataset with the classes that the "
            "model was trained on",
            weights=weights.name,
            known=_listed(known),
            data=data,
            classes=_listed(names),
        )
    return [known.index(name) for name in names]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    return (
        message("the class {names}", names=shown)
        if len(names) == 1
        else message("{count} classes ({names})", count=len(names), names=shown)
    )


def _read(dataset: YoloDataset, split: str, order: Sequence[int]) -> tuple[list[LabelledImage], list[str]]:
    """Read the images of a split, with the model's class numbers; and list what cannot be used."""
    images = []
    notes = (note for note in dataset.notes if note[1] in ("", split) and note[0] not in _HARMLESS)
    left_out = [f"{kind.replace('_', ' ')}: {example}" for kind, _, example in notes]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for seen in pool.map(lambda image: examine_image(image, dataset), dataset.images[split]):
            if seen.image is not None:
                images.append(replace(seen.image, classes=tuple(order[number] for number in seen.image.classes)))
            findings = ((kind, example) for kind, example in seen.findings if kind not in _HARMLESS)
            left_out += [f"{kind.replace('_', ' ')}: {example}" for kind, example in findings]
    return images, left_out


def _figures(validator: _Validator, names: Sequence[str]) -> dict[str, Any]:
    metrics = validator.metrics
    classes = []
    for number, name in enumerate(names):
        has = {"pictures": int(metrics.nt_per_image[number]), "instances": int(metrics.nt_per_class[number])}
        classes.append(
            {
                "name": name,
                **has,
                "box": _class_metrics(metrics.box, number),
                "mask": _class_metrics(metrics.seg, number),
            }
        )
    total = {"pictures": validator.seen, "instances": int(metrics.nt_per_class.sum())}
    return {
        "all": {**total, "box": _named(metrics.box.mean_results()), "mask": _named(metrics.seg.mean_results())},
        "classes": classes,
        "confusion": {
            "confidence": validator.least,
            "names": [*names, "background"],
            "counts": validator.confusion_matrix.matrix.astype(int).tolist(),
        },
    }


def _class_metrics(metric: Metric, number: int) -> dict[str, float] | None:
    """The metrics of one class; None if it has no instances."""
    places = list(metric.ap_class_index)
    return _named(metric.class_result(places.index(number))) if number in places else None


def _named(results: Sequence[float]) -> dict[str, float]:
    keys = ("precision", "recall", "mAP50", "mAP50-95")
    return {key: round(float(value), 5) for key, value in zip(keys, results, strict=True)}


class _Validator(SegmentationValidator):  # type: ignore[misc]
    """ultralytics' validator for checked images, with a confusion matrix at a practical confidence.

    Attributes:
        least: lowest confidence in the confusion matrix.
        results: per image, after it has run.
    """

    def __init__(
        self, images: Sequence[LabelledImage], folder: Path, arguments: dict[str, Any], native: bool, draw: bool
    ) -> None:
        super().__init__(save_dir=folder, args=arguments)
        self._images, self._native, self._draw = images, native, draw
        self._threads = torch.get_num_threads()
        self.results: list[per_image.ImageResult] = []
        self.least = max(self.args.conf, CONFUSION_CONFIDENCE)

    def build_dataset(self, img_path: object, mode: str = "val", batch: int | None = None) -> Dataset:
        return Dataset(
            self._images,
            list(self.names.values()),
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=False,
            hyp=self.args,
            rect=self.args.rect,
            stride=self.stride,
            pad=0.5,
        )

    def init_metrics(self, model: Any) -> None:
        super().init_metrics(model)
        torch.set_num_threads(self._threads)  # ultralytics leaves one core idle
        if self._native:
            self.process = ops.process_mask_native

    def _process_batch(self, preds: dict[str, Any], batch: dict[str, Any]) -> Any:
        before = self.confusion_matrix.matrix.copy()
        self.confusion_matrix.process_batch(preds, batch, conf=self.least)
        self._note(preds, batch, self.confusion_matrix.matrix - before)
        return super()._process_batch(preds, batch)

    def _note(self, preds: dict[str, Any], batch: dict[str, Any], counts: Any) -> None:
        """Record the results of one image; ``counts`` [predicted][true], background last."""

        def in_image(boxes: Any) -> Any:
            scaled = ops.scale_boxes(batch["imgsz"], boxes.clone().float(), batch["ori_shape"], batch["ratio_pad"])
            return scaled.cpu().numpy()

        wrong = counts[:-1, :-1].sum() - counts[:-1, :-1].trace()  # found, but as another class
        self.results.append(
            per_image.ImageResult(
                Path(batch["im_file"]),
                in_image(batch["bboxes"]),
                in_image(preds["bboxes"]),
                preds["conf"].cpu().numpy(),
                int(counts[-1].sum() + wrong),
                int(counts[:, -1].sum() + wrong),
            )
        )

    def get_stats(self) -> Any:
        # Not earlier: with plots on, the base class fills the confusion matrix itself and draws samples.
        self.args.plots = self._draw
        return super().get_stats()


@contextmanager
def _progress(validator: _Validator) -> Iterator[None]:
    from tqdm import tqdm

    with tqdm(unit="image", disable=None, file=sys.stderr, leave=False) as bar:

        def begin(of: _Validator) -> None:
            bar.total = len(of.dataloader.dataset)

        def advance(of: _Validator) -> None:
            bar.update(of.seen - bar.n)

        validator.add_callback("on_val_start", begin)
        validator.add_callback("on_val_batch_end", advance)
        yield


@contextmanager
def _memory_explained(device: str, batch: int, size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
            raise InputError(
                "Not enough memory on {device} for {batch} images of {size}x{size} at once; choose a smaller "
                "batch or imgsz, or another device",
                device=device,
                batch=batch,
                size=size,
            ) from error
        raise


@contextmanager
def _scratch(output: Path | None) -> Iterator[Path]:
    """Create a temporary folder, on the file system of ``output`` if given."""
    try:
        if output is not None:
            long_path(output.parent).mkdir(parents=True, exist_ok=True)
        parent = None if output is None else long_path(output.parent)
        made = tempfile.TemporaryDirectory(prefix=".tmp-", dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(
            "{path} cannot be created ({reason}); choose another folder",
            path=output,
            reason=error.strerror or error,
            cli_hint="--output",
        ) from None
    with made as folder:
        yield Path(folder)


def _publish(folder: Path, output: Path) -> None:
    target = long_path(output)
    if target.exists():
        target.rmdir()  # empty: Windows cannot rename onto an existing folder
    replace_patiently(folder, target)
