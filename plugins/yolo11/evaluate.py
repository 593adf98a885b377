"""Measures a checkpoint on a data set: precision, recall and mAP of boxes and masks, by ultralytics' validator.

What is ours: the checkpoint is loaded by allow-list and merged as for inspecting, the pictures and labels are read and
checked as for training, and pictures that had to be left out are told.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector.api import InputError, LayerSpec, long_path, prepare_torch

prepare_torch()

import torch
import yaml
from ultralytics.models.yolo.segment import SegmentationValidator
from ultralytics.utils import LOGGER, ops
from ultralytics.utils.metrics import Metric

from inspector_plugins.yolo11 import build, checkpoint, devices, fonts
from inspector_plugins.yolo11.data import Picture, examine, files, read_data
from inspector_plugins.yolo11.dataset import Dataset

CONFUSION_CONFIDENCE = 0.25
"""Smallest score in the confusion matrix, unless ``conf`` is larger: at 0.001 it would be full of false alarms."""

_HARMLESS = {"unlabelled", "repeated_line"}  # findings by which nothing is lost


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
    """Measure a checkpoint.

    Args:
        weights: an ultralytics segmentation checkpoint.
        data: ``data.yaml`` of a data set in YOLO's layout; it must have the model's classes, in any order.
        layers: layers of plugins that the checkpoint may contain.
        output: new folder for the pictures of the curves and the confusion matrix; None: draw none.
        split: ``train``, ``val`` or ``test``.
        imgsz: side length to which pictures are scaled, rounded up to the stride; None: as the model was trained.
        conf: smallest score that counts.
        iou: overlap above which the weaker of two detections of one class is dropped.
        batch: pictures computed at once; they are padded to a common shape, so it has a small influence on the figures.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        native_masks: compare masks at the size of the network's input, every instance by itself, as pycocotools does;
            otherwise as ultralytics does: at a quarter of it, where instances overlap the smaller one wins.

    Returns:
        A document for JSON. ``all`` and each of ``classes`` hold ``pictures``, ``instances``, ``box`` and ``mask`` with
        ``precision``, ``recall`` (both at the confidence of the best F1), ``mAP50`` and ``mAP50-95``; ``box`` and
        ``mask`` are None for a class without instances. ``confusion["counts"][predicted][true]`` counts boxes, the last
        row and column are background. ``ms`` are milliseconds a picture. ``left_out`` tells what could not be used.

    Raises:
        InputError: for a checkpoint, data set, device or output that cannot be used, or that do not fit together.
    """
    if output is not None and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} exists already; name a new folder for the results")
    description = read_data(data)
    if split not in description:
        raise InputError(f"{data} has no line {split}: with the folder of the {split} pictures; measure another split")
    place = devices.choose(device)
    opened = checkpoint.load(weights, layers)
    pictures, left_out = labelled(weights, opened.names, data, description, split)
    size = -(-(imgsz or opened.imgsz) // opened.stride) * opened.stride
    opened.model.names = dict(enumerate(opened.names))
    opened.model.end2end = False  # as we inspect: the head that needs NMS, where there are two
    network = build.prepare_for_inference(opened.model)
    fonts.provide()
    LOGGER.setLevel(logging.WARNING)
    with _scratch(output) as folder:
        resolved = folder / "data.yaml"
        resolved.write_text(yaml.safe_dump(description, allow_unicode=True, sort_keys=False), encoding="utf-8")
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
        validator = _Validator(pictures, drawings, arguments, native_masks, draw=output is not None)
        with _memory_explained(place, batch, size), _progress(validator):
            validator(model=network)
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
        "ms": {key: round(value, 3) for key, value in validator.speed.items() if key != "loss"},
        "left_out": left_out,
        "files": drawn,
    }


def labelled(
    weights: Path, names: Sequence[str], data: Path, description: Mapping[str, Any], split: str
) -> tuple[list[Picture], list[str]]:
    """The pictures of a split that :func:`read_data` found, with the model's class numbers; and what cannot be used.

    Raises:
        InputError: the classes are not the model's ``names``, or no defect is labelled.
    """
    order = _order(weights, names, data, description["names"])
    pictures, left_out = _read(description[split], order)
    if not any(picture.classes for picture in pictures):
        usable = f" that can be used ({left_out[0]})" if left_out else ""
        raise InputError(f"The {split} pictures of {data} hold no labelled defect{usable}; there is nothing to measure")
    return pictures, left_out


def _order(weights: Path, known: Sequence[str], data: Path, given: Sequence[str]) -> list[int]:
    """For each class of the data set its number in the model."""
    if list(known) == list(given):
        return list(range(len(known)))
    if sorted(known) != sorted(given) or len(set(known)) != len(known):
        raise InputError(
            f"{weights.name} knows {_listed(known)}, but {data} has {_listed(given)}; "
            "use a data set with the classes that the model was trained on"
        )
    return [known.index(name) for name in given]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    return f"the class {shown}" if len(names) == 1 else f"{len(names)} classes ({shown})"


def _read(places: Sequence[str], order: Sequence[int]) -> tuple[list[Picture], list[str]]:
    """The pictures of a split, with the model's class numbers; and what of it cannot be used."""
    found = files(places)
    pictures, left_out = [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for seen in pool.map(lambda file: examine(file, len(order)), found):
            if seen.picture is not None:
                pictures.append(replace(seen.picture, classes=tuple(order[number] for number in seen.picture.classes)))
            findings = ((kind, example) for kind, example in seen.findings if kind not in _HARMLESS)
            left_out += [f"{kind.replace('_', ' ')}: {example}" for kind, example in findings]
    return pictures, left_out


def _figures(validator: _Validator, names: Sequence[str]) -> dict[str, Any]:
    metrics = validator.metrics
    classes = []
    for number, name in enumerate(names):
        has = {"pictures": int(metrics.nt_per_image[number]), "instances": int(metrics.nt_per_class[number])}
        classes.append({"name": name, **has, "box": _of(metrics.box, number), "mask": _of(metrics.seg, number)})
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


def _of(metric: Metric, number: int) -> dict[str, float] | None:
    """The figures of one class; None where it has no instances."""
    places = list(metric.ap_class_index)
    return _named(metric.class_result(places.index(number))) if number in places else None


def _named(results: Sequence[float]) -> dict[str, float]:
    keys = ("precision", "recall", "mAP50", "mAP50-95")
    return {key: round(float(value), 5) for key, value in zip(keys, results, strict=True)}


class _Validator(SegmentationValidator):  # type: ignore[misc]
    """ultralytics' validator for checked pictures, its confusion matrix at a confidence that people use.

    Attributes:
        least: smallest score in the confusion matrix.
    """

    def __init__(
        self, pictures: Sequence[Picture], folder: Path, arguments: dict[str, Any], native: bool, draw: bool
    ) -> None:
        super().__init__(save_dir=folder, args=arguments)
        self._pictures, self._native, self._draw = pictures, native, draw
        self._threads = torch.get_num_threads()
        self.least = max(self.args.conf, CONFUSION_CONFIDENCE)

    def build_dataset(self, img_path: object, mode: str = "val", batch: int | None = None) -> Dataset:
        return Dataset(
            self._pictures,
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
        self.confusion_matrix.process_batch(preds, batch, conf=self.least)
        return super()._process_batch(preds, batch)

    def get_stats(self) -> Any:
        # Not before: with plots on, the base class fills the confusion matrix itself and draws samples.
        self.args.plots = self._draw
        return super().get_stats()


@contextmanager
def _progress(validator: _Validator) -> Iterator[None]:
    from tqdm import tqdm

    with tqdm(unit="picture", disable=None, file=sys.stderr, leave=False) as bar:

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
                f"Not enough memory on {device} for {batch} pictures of {size}x{size} at once; "
                "choose a smaller batch or imgsz, or another device"
            ) from error
        raise


@contextmanager
def _scratch(output: Path | None) -> Iterator[Path]:
    """A temporary folder; on the file system of ``output`` where there is one."""
    try:
        if output is not None:
            long_path(output.parent).mkdir(parents=True, exist_ok=True)
        parent = None if output is None else long_path(output.parent)
        made = tempfile.TemporaryDirectory(prefix=".tmp-", dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(
            f"{output} cannot be made ({error.strerror or error}); name another folder with --output"
        ) from None
    with made as folder:
        yield Path(folder)


def _publish(folder: Path, output: Path) -> None:
    target = long_path(output)
    if target.exists():
        target.rmdir()  # empty: Windows renames onto nothing
    folder.rename(target)
