"""ultralytics' trainer, made safe to kill and to resume, for networks with layers of plugins.

After each epoch three files are replaced atomically: ``best.pt`` (if the epoch was the best) and ``last.pt``, which
are finished checkpoints at any time, and ``resume.pt``: weights, averages, optimiser and random numbers in full
precision. It contains tensors and plain values only. A training resumed from it computes what it would have computed
without the interruption (with no loader processes, and as many images per step as go into one optimiser step).
"""

from __future__ import annotations

import copy
import logging
import math
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from inspector.api import (
    CheckReport,
    InputError,
    InspectorError,
    LabelledImage,
    LayerSpec,
    prepare_torch,
)

prepare_torch()

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from ultralytics import __version__
from ultralytics.cfg import DEFAULT_CFG_DICT
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.nn.tasks import SegmentationModel
from ultralytics.utils.torch_utils import ModelEMA, unwrap_model

from inspector_plugins._shared.atomic_files import write_atomically
from inspector_plugins._shared.torch_files import content as torch_file
from inspector_plugins.yolo11.architecture import criterion
from inspector_plugins.yolo11.checkpoint import checkpoint
from inspector_plugins.yolo11.checkpoint.weights_file import read
from inspector_plugins.yolo11.training import curves
from inspector_plugins.yolo11.training.dataset import Dataset
from inspector_plugins.yolo11.training.plan import PATIENCE

logger = logging.getLogger(__name__)
STATE_FORMAT = 1
_CHOSEN = ("optimizer", "lr0", "momentum", "warmup_bias_lr")  # settings that ultralytics chooses at the start
_MOST_RECOVERIES = 3
_MOST_VALUES = 500_000  # in a saved state
_DRAWN_EVERY = 30.0  # seconds between two drawings of validation images


class Training(SegmentationTrainer):  # type: ignore[misc]
    """One training. Its name must not contain "Trainer": ultralytics would add callbacks that access a network.

    Only the network's forward pass runs in mixed precision: the loss needs coordinates finer than bfloat16 has.

    Args:
        network: to train, built for the dataset's classes.
        report: of the check of the dataset.
        layers: layers of plugins that the network may contain.
        bfloat16: compute the network's forward pass in bfloat16.
        state: of :func:`read_state`, to resume from; None: start.
        settings: of ultralytics.
    """

    def __init__(
        self,
        network: SegmentationModel,
        report: CheckReport,
        layers: Sequence[LayerSpec],
        bfloat16: bool,
        state: Mapping[str, Any] | None,
        settings: Mapping[str, Any],
    ) -> None:
        self._network, self._report, self._layers = network, report, layers
        self._bfloat16, self._state = bfloat16, state
        self._threads, self._seconds_before = torch.get_num_threads(), 0.0
        self._drawing, self._last_drawn = False, -math.inf
        self._criterion: criterion.Criterion | None = None
        chosen = {key: state["settings"][key] for key in _CHOSEN} if state else {}
        super().__init__(overrides={**settings, **chosen})
        self.add_callback("on_train_start", Training._restore_clock)
        if not self.args.workers:  # so that the order of an epoch depends on the saved random numbers only
            self.add_callback("on_train_epoch_start", lambda training: training.train_loader.reset())
        self.args.workers = settings["workers"]  # the base class uses none on a CPU
        self.state_file = self.wdir / "resume.pt"

    # Pass ultralytics what it would look for in files.

    def check_resume(self, overrides: Mapping[str, Any]) -> None:
        self.resume = self._state is not None

    def get_dataset(self) -> dict[str, Any]:
        names = dict(enumerate(self._report.names))
        return {"train": "train", "val": "val", "nc": len(names), "names": names, "channels": 3}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Dataset:
        images: Sequence[LabelledImage] = self._report.images[img_path]
        return Dataset(
            images,
            self._report.names,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=mode == "train",
            hyp=self.args,
            rect=mode == "val",
            stride=max(int(unwrap_model(self.model).stride.max()), 32),
            pad=0.0 if mode == "train" else 0.5,
        )

    def setup_model(self) -> Mapping[str, Any] | None:
        self.model = self._network
        return self._state

    def get_validator(self) -> Any:
        """Draw predictions on the first validation images now and then; everything else is drawn at the end."""
        validator = super().get_validator()
        validator.add_callback("on_val_start", self._draw_first)
        validator.add_callback("on_val_batch_end", self._drawn_first)
        return validator

    def _draw_first(self, validator: Any) -> None:
        due = time.monotonic() - self._last_drawn > _DRAWN_EVERY
        self._drawing = bool(self.args.plots) and not validator.args.plots and due
        validator.args.plots |= self._drawing

    def _drawn_first(self, validator: Any) -> None:
        if self._drawing:
            self._drawing, self._last_drawn = False, time.monotonic()
            validator.args.plots = False

    # Training.

    def _do_train(self) -> None:
        if self._state and self._is_finished(self._state):  # it was interrupted while the best model was evaluated
            self._setup_train()
            self.final_eval()
            self.plot_metrics()
        else:
            super()._do_train()

    def _restore_clock(self) -> None:
        """Add the time spent before the interruption."""
        self.train_time_start -= self._seconds_before

    def _is_finished(self, state: Mapping[str, Any]) -> bool:
        done = state["epoch"] + 1
        return bool(done >= self.epochs or done - state["stopper"]["best_epoch"] >= self.args.patience)

    def _setup_train(self) -> None:
        super()._setup_train()
        torch.set_num_threads(self._threads)  # ultralytics leaves one core idle
        self.model.to(memory_format=torch.channels_last)
        if self._bfloat16:
            predict, device = self.model.predict, self.device.type

            def predict_mixed(*arguments: Any, **options: Any) -> Any:
                with torch.autocast(device, torch.bfloat16):
                    outputs = predict(*arguments, **options)
                return tree_map(lambda value: value.float() if isinstance(value, torch.Tensor) else value, outputs)

            self.model.predict = predict_mixed  # on this object only: the averaged copy is what is saved
            if device == "cpu":
                _keep_dilated_in_float32(self.model)
        network = unwrap_model(self.model)
        self._criterion = criterion.of_model(network, self._layers)
        network.criterion = self.ema.ema.criterion = self._criterion
        if self._criterion and self._state and (saved := self._state.get("criterion")):
            self._criterion.replaced.load_state_dict(saved)
        if self._state:
            if self.start_epoch > self.epochs - self.args.close_mosaic:
                self._close_dataloader_mosaic()  # it was closed before; doing it again would change random numbers
                self.args.close_mosaic = 0
            self._restore_random(self._state)
            self._state = None  # free its memory

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    # Reading and plotting; the base class uses polars, which the packaged program leaves out.

    def read_results_csv(self) -> dict[str, list[float]]:
        return curves.read(self.csv)

    def plot_metrics(self) -> None:
        curves.draw_results(curves.read(self.csv), self.save_dir / "results.png")

    def plot_training_labels(self) -> None:
        labels = self.train_loader.dataset.labels
        boxes, classes = (np.concatenate([label[key] for label in labels]) for key in ("bboxes", "cls"))
        curves.draw_labels(boxes, classes.ravel(), self.data["names"], self.save_dir / "labels.jpg")

    # Saving.

    def save_model(self) -> bool:
        if not all(torch.isfinite(value).all() for value in self.ema.ema.state_dict().values()):
            logger.warning("the averaged weights of epoch %d are not finite and were not saved", self.epoch + 1)
            return False
        content = self._content()
        if self.best_fitness == self.fitness or not self.best.exists():
            _save(content, self.best)
        _save(content, self.last)
        _save(self._current_state(), self.state_file)
        return True

    def _content(self) -> dict[str, Any]:
        """A checkpoint as ultralytics writes it at the end of a training: the averaged weights in 16 bit."""
        settings = {key: value for key, value in vars(self.args).items() if key in DEFAULT_CFG_DICT}
        model = copy.deepcopy(self.ema.ema).half().to(memory_format=torch.contiguous_format).requires_grad_(False)
        model.criterion, model.args = None, settings
        for value in model.state_dict().values():
            if value.is_floating_point():
                torch.nan_to_num_(value)  # values too large for 16 bit
        return {
            "epoch": -1,
            "model": model,
            **dict.fromkeys(("best_fitness", "stopper", "ema", "updates", "optimizer", "scaler")),
            "train_args": settings,
            "train_metrics": {**self.metrics, "fitness": float(self.fitness)},
            "train_results": self.read_results_csv(),
            "date": datetime.now().astimezone().isoformat(),
            "version": __version__,
            "license": "AGPL-3.0 (https://ultralytics.com/license)",
        }

    def _current_state(self) -> dict[str, Any]:
        kind, keys, *rest = np.random.get_state(legacy=True)
        return {
            "format": STATE_FORMAT,
            "epoch": self.epoch,
            "model": unwrap_model(self.model).state_dict(),
            "ema": self.ema.ema.state_dict(),
            "updates": self.ema.updates,
            "criterion": self._criterion.replaced.state_dict() if self._criterion else {},
            "optimizer": self.optimizer.state_dict(),
            "best_fitness": float(self.best_fitness),
            "stopper": {"best_fitness": float(self.stopper.best_fitness), "best_epoch": self.stopper.best_epoch},
            "settings": {key: getattr(self.args, key) for key in _CHOSEN},
            "losses": list(self.loss_names),
            "results": self.csv.read_text("utf-8"),
            "seconds": time.time() - self.train_time_start,
            "mosaic": list(self.train_loader.dataset.buffer),
            "random": {
                "python": random.getstate(),
                "numpy": (kind, torch.from_numpy(np.asarray(keys, np.int64)), *rest),
                "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
                "order": self.train_loader.generator.get_state(),
            },
        }

    # Resuming.

    def resume_training(self, ckpt: Mapping[str, Any] | None) -> None:
        if ckpt and self._is_finished(ckpt):
            self._load_checkpoint_state(ckpt)
            self.epoch = ckpt["epoch"]
        else:
            super().resume_training(ckpt)

    def _load_checkpoint_state(self, state: Mapping[str, Any]) -> None:
        self._restore_weights(state)
        self.ema = ModelEMA(self.model)
        self.ema.ema.load_state_dict(state["ema"])
        self.ema.updates = state["updates"]
        self.best_fitness = state["best_fitness"]
        for key, value in state["stopper"].items():
            setattr(self.stopper, key, value)
        self.loss_names = tuple(state["losses"])
        self.loss_items = dict.fromkeys(state["losses"], torch.zeros((), device=self.device))
        self.stopper.possible_stop = state["epoch"] + 1 - self.stopper.best_epoch >= self.stopper.patience - 1
        self._seconds_before = state["seconds"]
        write_atomically(self.csv, state["results"].encode(), PATIENCE)
        dataset = self.train_loader.dataset
        for number in state["mosaic"]:
            if number < len(dataset):
                dataset.load_image(number)

    def _restore_weights(self, state: Mapping[str, Any]) -> None:
        unwrap_model(self.model).load_state_dict(state["model"])
        saved = copy.copy(state["optimizer"])
        for group, now in zip(saved["param_groups"], self.optimizer.param_groups, strict=True):
            group["fused"] = now.get("fused")  # depends on the device
        self.optimizer.load_state_dict(saved)

    def _restore_random(self, state: Mapping[str, Any]) -> None:
        saved = state["random"]
        kind, keys, *rest = saved["numpy"]
        random.setstate(saved["python"])
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
        torch.set_rng_state(saved["torch"])
        if self.device.type == "cuda" and len(saved["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(saved["cuda"])
        self.train_loader.generator.set_state(saved["order"])

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """After an epoch with a NaN loss: return to the last saved epoch, with other random numbers."""
        figures = [float(value.detach()) for value in [self.loss] if value is not None] + [float(self.fitness)]
        if np.isfinite(figures).all():
            return False
        self.nan_recovery_attempts += 1
        if not self.state_file.exists() or self.nan_recovery_attempts > _MOST_RECOVERIES:
            raise InspectorError(
                "The loss became infinite in epoch {epoch} and training cannot continue; try a smaller "
                "learning rate, or precision f32",
                epoch=epoch + 1,
                cli_hint="--learning-rate, --precision f32",
            )
        logger.warning("the loss became infinite in epoch %d, which is done again", epoch + 1)
        self._model_train()
        state = read_state(self.state_file)
        self._restore_weights(state)
        with torch.no_grad():
            self.ema.ema.load_state_dict(state["ema"])
        self.ema.updates = state["updates"]
        self.best_fitness = state["best_fitness"]
        self.scheduler.last_epoch = epoch - 1
        return True

    # End of the training.

    def final_eval(self) -> None:
        """Evaluate the best model again, with plots of all curves."""
        if self.best.exists():
            best = checkpoint.load(self.best, self._layers).model
            self.ema.ema = best.to(self.device)
            self.ema.ema.args = self.args
            self.ema.ema.criterion = self._criterion
            self.validator.args.plots = bool(self.args.plots)
            self.stopper.possible_stop = True  # otherwise ultralytics plots nothing
            self.metrics = self.validator(self)


def read_state(file: Path) -> dict[str, Any]:
    """Read the state saved by a training to resume from.

    Raises:
        InputError: the file is damaged or of another version.
    """
    try:
        content = torch_file.read(read(file), file.name)
        if content.problem:
            raise ValueError(content.problem)
        state = torch_file.plain(content.root, _MOST_VALUES, tensors=True)
    except (InputError, ValueError) as error:
        raise InputError(
            "{file} is damaged ({reason}), so the training cannot be resumed; start a new one from last.pt "
            "in the same folder",
            file=file,
            reason=error,
            cli_hint="--model",
        ) from None
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        raise InputError(
            "{file} was written by another version of this program; start a new training from last.pt",
            file=file,
            cli_hint="--model",
        )
    return state


def _keep_dilated_in_float32(model: torch.nn.Module) -> None:
    """Keep grouped dilated convolutions out of bfloat16: on the CPU the gradient of their weights depends on
    memory that was never written (torch 2.13; ``tests/benchmarks/dilated_gradient.py``)."""
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d) and module.groups > 1 and max(module.dilation) > 1:
            module.forward = _in_float32(module.forward)  # type: ignore[assignment]


def _in_float32(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def call(x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return forward(x.float())

    return call


def _save(content: Mapping[str, Any], file: Path) -> None:
    def write(temporary: Path) -> None:
        with open(temporary, "wb") as opened:
            torch.save(content, opened)
            opened.flush()
            os.fsync(opened.fileno())

    write_atomically(file, write, PATIENCE)
