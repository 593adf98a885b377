"""Training of YOLO11-seg on a data set in YOLO's layout, offline, on CPU or CUDA.

ultralytics' trainer does the work. What is ours: the data set's description is read and checked here (ultralytics would
follow a ``download:`` line in it), every integration that reaches a network is off, mixed precision is chosen without
the check that wants to fetch a model, and on a CPU with bfloat16 instructions it runs in bfloat16 and channels-last.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import InputError, LayerSpec, prepare_torch

prepare_torch()

import torch
import yaml
from torch.utils._pytree import tree_map
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.nn.tasks import SegmentationModel
from ultralytics.utils import LOGGER, SETTINGS

from inspector_plugins.yolo11 import checkpoint, devices

logger = logging.getLogger(__name__)
Report = Callable[[str], None]
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def train(
    data: Path,
    model: str,
    output: Path,
    layers: Sequence[LayerSpec] = (),
    report: Report = logger.info,
    *,
    epochs: int = 100,
    imgsz: int = 640,
    batch: int = 16,
    device: str = "auto",
    seed: int = 0,
    patience: int = 50,
    learning_rate: float | None = None,
    precision: str = "auto",
    workers: int = 0,
) -> Path:
    """Train and return the path of ``best.pt``.

    Args:
        data: ``data.yaml`` with ``train``, ``val``, ``nc`` and ``names``; paths in it are relative to it.
        model: an architecture such as ``yolo11n-seg``, or a checkpoint whose weights training starts from.
        output: folder for ``weights/``, ``results.csv`` and pictures; must not exist or be empty.
        layers: layers that a checkpoint to start from may contain.
        report: called with one line an epoch.
        epochs: passes over the training pictures.
        imgsz: side length to which pictures are scaled, pixels.
        batch: pictures a step.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        seed: of weights, order and augmentation.
        patience: epochs without improvement after which training stops.
        learning_rate: of AdamW at the start, falling to a hundredth; None: chosen by ultralytics.
        precision: ``auto``, ``f32`` or ``bf16`` (automatic mixed precision).
        workers: processes that load and augment pictures beside the training; 0: none.

    Raises:
        InputError: for a data set, model, device or output folder that cannot be used.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} exists already; name a new folder for the training's results")
    description = read_data(data)
    place = devices.choose(device)
    start = None
    architecture = model
    if model.lower().endswith(".pt"):
        start = checkpoint.load(Path(model), layers).model
        architecture = "yolo11n-seg"  # replaced by the checkpoint's own description below
    else:
        known = architectures()
        if model not in known:
            raise InputError(f"Unknown architecture {model!r}; use one of {', '.join(known)} or a .pt file")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output} cannot be made ({error.strerror}); name another folder with --output") from None
    resolved = output / "data.yaml"
    resolved.write_text(yaml.safe_dump(description, allow_unicode=True, sort_keys=False), encoding="utf-8")
    SETTINGS.update({key: False for key, value in SETTINGS.items() if value is True})
    LOGGER.setLevel(logging.WARNING)
    chosen = {} if learning_rate is None else {"optimizer": "AdamW", "lr0": learning_rate, "momentum": 0.9}
    trainer = _Trainer(
        start=start,
        bfloat16=_use_bfloat16(precision, place),
        overrides={
            "model": f"{architecture}.yaml",
            "data": str(resolved),
            "save_dir": str(output),
            "epochs": epochs,
            "imgsz": imgsz,
            "batch": batch,
            "nbs": max(batch, 16),  # a step a batch: small data sets would see few steps otherwise
            "device": place.removeprefix("cuda:") if place.startswith("cuda") else "cpu",
            "seed": seed,
            "patience": patience,
            "amp": False,  # ours instead, see _Trainer
            "close_mosaic": min(10, epochs // 4),
            "workers": workers,
            "exist_ok": True,
            "verbose": False,
            **chosen,
        },
    )
    trainer.add_callback("on_fit_epoch_end", _Progress(report, epochs))
    try:
        trainer.train()
    except KeyboardInterrupt:
        if Path(trainer.last).exists():
            report(f"Interrupted; the model of the last whole epoch is {trainer.last}, go on from it with --model")
        raise
    return Path(trainer.best)


def architectures() -> tuple[str, ...]:
    """Names of the architectures that can be trained from nothing."""
    return tuple(f"yolo11{scale}-seg" for scale in "nsmlx")


def read_data(path: Path) -> dict[str, Any]:
    """The data set that a ``data.yaml`` describes, its paths absolute, checked to exist.

    Returns:
        ``train`` and ``val`` (and ``test`` where given) as lists of absolute folders, ``nc`` and ``names``.

    Raises:
        InputError: naming what is missing.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the data.yaml of a data set in YOLO's layout") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(data, Mapping):
        raise InputError(f"{path} must hold train, val and names")
    names = data.get("names")
    names = list(names.values()) if isinstance(names, Mapping) else names
    if not isinstance(names, list) or not names:
        raise InputError(f"{path} names no classes; add a line such as names: ['Defect']")
    if data.get("nc", len(names)) != len(names):
        raise InputError(f"{path} says nc: {data['nc']} but names {len(names)} classes; make them agree")
    base = path.resolve().parent
    if isinstance(data.get("path"), str):
        base = base / data["path"]
    found: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        given = data.get(split)
        if given is None and split == "test":
            continue
        folders = [base / str(part) for part in (given if isinstance(given, list) else [given] if given else [])]
        if not folders:
            raise InputError(f"{path} has no line {split}: with the folder of the {split} pictures")
        for folder in folders:
            if not folder.is_dir():
                raise InputError(f"{path}: the {split} folder {folder} does not exist")
            if not any(file.suffix.lower() in _PICTURES for file in folder.rglob("*")):
                raise InputError(f"{path}: the {split} folder {folder} holds no pictures")
        found[split] = [str(folder.resolve()) for folder in folders]
    return {**found, "nc": len(names), "names": [str(name) for name in names]}


def _use_bfloat16(precision: str, place: str) -> bool:
    if precision != "auto":
        return precision == "bf16"
    if place.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


class _Progress:
    """One line an epoch: losses, mask mAP50, time left."""

    def __init__(self, report: Report, epochs: int) -> None:
        self._report, self._epochs, self._began = report, epochs, time.monotonic()

    def __call__(self, trainer: Any) -> None:
        if trainer.epoch >= self._epochs or trainer.tloss is None or (trainer.stop and trainer.epoch_time is None):
            return
        done = trainer.epoch + 1
        left = (time.monotonic() - self._began) / done * (self._epochs - done)
        losses = " ".join(f"{name} {float(value):.3f}" for name, value in trainer.tloss.items())
        score = trainer.metrics.get("metrics/mAP50(M)", 0.0)
        self._report(f"epoch {done}/{self._epochs}  {losses}  mask mAP50 {score:.3f}  {left / 60:.1f} min left")


class _Trainer(SegmentationTrainer):  # type: ignore[misc]
    """The trainer of ultralytics, starting from a model in memory, channels-last, the network in bfloat16 if wanted.

    Only the network's forward pass runs in mixed precision: the loss needs coordinates finer than bfloat16 has.
    """

    def __init__(self, start: SegmentationModel | None, bfloat16: bool, overrides: dict[str, Any]) -> None:
        self._start, self._bfloat16 = start, bfloat16
        super().__init__(overrides=overrides)
        self.args.workers = overrides["workers"]  # the base class takes none on a CPU

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        if self._start is not None:
            cfg, weights = dict(self._start.yaml), self._start
        return super().get_model(cfg, weights, verbose=False)

    def _setup_train(self) -> None:
        super()._setup_train()
        torch.set_num_threads(os.cpu_count() or 1)  # ultralytics leaves one core idle
        self.model.to(memory_format=torch.channels_last)
        if self._bfloat16:
            predict, device = self.model.predict, self.device.type

            def predict_mixed(*arguments: Any, **options: Any) -> Any:
                with torch.autocast(device, torch.bfloat16):
                    outputs = predict(*arguments, **options)
                return tree_map(lambda value: value.float() if isinstance(value, torch.Tensor) else value, outputs)

            self.model.predict = predict_mixed  # on this object only: what is saved is the averaged copy

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch
