"""ultralytics' trainer, made safe to kill and to go on with, for networks with layers of plugins.

After each epoch three files are replaced as wholes: ``best.pt`` (where the epoch was the best) and ``last.pt``, which
are finished checkpoints at any time, and ``resume.pt``: weights, averages, optimiser and random numbers in full
precision. It holds tensors and plain values only. A training that goes on from it computes what it would have computed
(with no loading processes, and as many pictures a step as go into one step of the optimiser).
"""

from __future__ import annotations

import copy
import logging
import math
import os
import pickle
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from inspector.api import InputError, InspectorError, LayerSpec, prepare_torch, publish, temporary_beside

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

from inspector_plugins.yolo11 import checkpoint, curves
from inspector_plugins.yolo11.data import Picture, Report
from inspector_plugins.yolo11.dataset import Dataset

logger = logging.getLogger(__name__)
STATE_FORMAT = 1
_CHOSEN = ("optimizer", "lr0", "momentum", "warmup_bias_lr")  # settings that ultralytics chooses at the beginning
_MOST_RECOVERIES = 3
_DRAWN_EVERY = 30.0  # seconds between two drawings of validation pictures


class Training(SegmentationTrainer):  # type: ignore[misc]
    """One training. Its name must not contain "Trainer": ultralytics would add callbacks that reach for a network.

    Only the network's forward pass runs in mixed precision: the loss needs coordinates finer than bfloat16 has.

    Args:
        network: what is trained, built for the data set's classes.
        report: of the check of the data set.
        layers: layers of plugins that the network may contain.
        bfloat16: compute the network's forward pass in it.
        state: of :func:`read_state`, to go on from; None: begin.
        settings: of ultralytics.
    """

    def __init__(
        self,
        network: SegmentationModel,
        report: Report,
        layers: Sequence[LayerSpec],
        bfloat16: bool,
        state: Mapping[str, Any] | None,
        settings: Mapping[str, Any],
    ) -> None:
        self._network, self._report, self._layers = network, report, layers
        self._bfloat16, self._state = bfloat16, state
        self._threads, self._seconds_before = torch.get_num_threads(), 0.0
        self._drawing, self._last_drawn = False, -math.inf
        chosen = {key: state["settings"][key] for key in _CHOSEN} if state else {}
        super().__init__(overrides={**settings, **chosen})
        self.add_callback("on_train_start", Training._set_clock_back)
        if not self.args.workers:  # so that the order of an epoch follows from the saved random numbers alone
            self.add_callback("on_train_epoch_start", lambda training: training.train_loader.reset())
        self.args.workers = settings["workers"]  # the base class takes none on a CPU
        self.state_file = self.wdir / "resume.pt"

    # What ultralytics looks for in files is given to it.

    def check_resume(self, overrides: Mapping[str, Any]) -> None:
        self.resume = self._state is not None

    def get_dataset(self) -> dict[str, Any]:
        names = dict(enumerate(self._report.names))
        return {"train": "train", "val": "val", "nc": len(names), "names": names, "channels": 3}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Dataset:
        pictures: Sequence[Picture] = self._report.pictures[img_path]
        return Dataset(
            pictures,
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
        """Draws what is found on the first validation pictures now and then; all the rest is drawn at the end."""
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

    # The course of it.

    def _do_train(self) -> None:
        if self._state and self._over(self._state):  # it was interrupted while the best model was measured
            self._setup_train()
            self.final_eval()
            self.plot_metrics()
        else:
            super()._do_train()

    def _set_clock_back(self) -> None:
        """The time that it took before it was interrupted counts."""
        self.train_time_start -= self._seconds_before

    def _over(self, state: Mapping[str, Any]) -> bool:
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

            self.model.predict = predict_mixed  # on this object only: what is saved is the averaged copy
            if device == "cpu":
                _keep_dilated_in_float32(self.model)
        if self._state:
            if self.start_epoch > self.epochs - self.args.close_mosaic:
                self._close_dataloader_mosaic()  # it was closed before; doing it again would change random numbers
                self.args.close_mosaic = 0
            self._restore_random(self._state)
            self._state = None  # its memory is needed

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    # Reading and drawing; the base class does it with polars, which the packaged program leaves out.

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
        """A checkpoint as ultralytics leaves it at the end of a training: the averaged weights in 16 bit."""
        settings = {key: value for key, value in vars(self.args).items() if key in DEFAULT_CFG_DICT}
        model = copy.deepcopy(self.ema.ema).half().to(memory_format=torch.contiguous_format).requires_grad_(False)
        model.criterion, model.args = None, settings
        for value in model.state_dict().values():
            if value.is_floating_point():
                torch.nan_to_num_(value)  # what is too large for 16 bit
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

    # Going on.

    def resume_training(self, ckpt: Mapping[str, Any] | None) -> None:
        if ckpt and self._over(ckpt):
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
        write(state["results"].encode(), self.csv)
        dataset = self.train_loader.dataset
        for number in state["mosaic"]:
            if number < len(dataset):
                dataset.load_image(number)

    def _restore_weights(self, state: Mapping[str, Any]) -> None:
        unwrap_model(self.model).load_state_dict(state["model"])
        saved = copy.copy(state["optimizer"])
        for group, now in zip(saved["param_groups"], self.optimizer.param_groups, strict=True):
            group["fused"] = now.get("fused")  # the device decides
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
        """After an epoch whose loss is no number: go back to the last saved one, with other random numbers."""
        figures = [float(value.detach()) for value in [self.loss] if value is not None] + [float(self.fitness)]
        if np.isfinite(figures).all():
            return False
        self.nan_recovery_attempts += 1
        if not self.state_file.exists() or self.nan_recovery_attempts > _MOST_RECOVERIES:
            raise InspectorError(
                f"The loss became infinite in epoch {epoch + 1} and training cannot go on; "
                "try a smaller --learning-rate, or --precision f32"
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

    # The end.

    def final_eval(self) -> None:
        """Measure the best model once more, with all pictures of curves."""
        if self.best.exists():
            best = checkpoint.load(self.best, self._layers).model
            self.ema.ema = best.to(self.device)
            self.ema.ema.args = self.args
            self.validator.args.plots = bool(self.args.plots)
            self.stopper.possible_stop = True  # otherwise ultralytics draws nothing
            self.metrics = self.validator(self)


def read_state(file: Path) -> dict[str, Any]:
    """What a training saved to go on from.

    Raises:
        InputError: the file is damaged or of another version.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{file} is damaged ({type(error).__name__}), so the training cannot go on where it stopped; "
            "start a new one from last.pt beside it, with --model"
        ) from None
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        raise InputError(f"{file} was written by another version of this program; start from last.pt with --model")
    return state


def _keep_dilated_in_float32(model: torch.nn.Module) -> None:
    """Leave dilated convolutions in groups out of the bfloat16: on the CPU the gradient of their weights depends on
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
    temporary = temporary_beside(file)
    try:
        with open(temporary, "wb") as opened:
            torch.save(content, opened)
            opened.flush()
            os.fsync(opened.fileno())
        publish(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def write(content: bytes, file: Path) -> None:
    """Put a file in its place as a whole."""
    temporary = temporary_beside(file)
    try:
        temporary.write_bytes(content)
        publish(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
