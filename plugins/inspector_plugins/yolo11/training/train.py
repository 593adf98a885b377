"""Train YOLO11-seg and its variants on a dataset in YOLO's layout, offline, on CPU or CUDA.

Based on ultralytics' trainer. Differences: the dataset is checked before the first epoch, a training can be
killed and resumed, every integration that accesses a network is off, mixed precision is chosen without the check
that would download a model, and on a CPU with bfloat16 instructions it runs in bfloat16 and channels-last.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import (
    CheckReport,
    InputError,
    LayerSpec,
    check_yolo_dataset,
    message,
    prepare_torch,
    read_yolo_dataset,
    to_json,
)

prepare_torch()

import torch
import yaml
from ultralytics.nn.tasks import SegmentationModel
from ultralytics.utils import LOGGER, SETTINGS
from ultralytics.utils.torch_utils import init_seeds

from inspector_plugins.yolo11.architecture import build, criterion
from inspector_plugins.yolo11.checkpoint import checkpoint
from inspector_plugins.yolo11.inference import devices
from inspector_plugins.yolo11.training import fonts, trainer
from inspector_plugins.yolo11.training.plan import (
    Options,
    Plan,
    new_plan,
    save_plan,
    stored_plan,
    with_changes,
    write_text,
)

logger = logging.getLogger(__name__)
Tell = Callable[[str], None]
Step = Callable[[int, int, int, int, Mapping[str, float]], None]
_STRIDE = 32


def train(
    data: Path | None,
    model: str | None,
    output: Path,
    layers: Sequence[LayerSpec] = (),
    report: Tell = logger.info,
    step: Step | None = None,
    *,
    resume: bool = False,
    check: bool = False,
    **options: Any,
) -> Path:
    """Train and return the path of ``best.pt``.

    Args:
        data: ``data.yaml`` with ``train``, ``val`` and ``names``; paths in it are relative to it.
        model: an architecture, e.g. ``yolo11n-seg-cgnet``, or a checkpoint to start from.
        output: folder for ``weights/``, ``results.csv``, ``check.json`` and images; must not exist or be empty.
        layers: layers of plugins that the architecture or checkpoint may contain.
        report: called with the findings of the check, and one line per epoch.
        step: called as ``step(epoch, epochs, batch, batches, losses)`` after each step, and with batch 0 after each
            saved epoch; ``epoch`` counts complete epochs. It may raise KeyboardInterrupt, like Ctrl-C.
        resume: resume the training in ``output`` (or whose last.pt ``output`` is) after its last complete epoch.
            ``data``, ``model`` and the options may then be None or omitted; given ones must be the same, except
            for ``epochs``, ``patience``, ``device`` and ``workers``. If nothing was trained yet, it starts.
        check: only check the dataset; returns the path of ``check.json``.
        **options: of :class:`Options`.

    Raises:
        InputError: the dataset, model, device or output folder cannot be used.
        InspectorError: the loss became infinite.
    """
    LOGGER.setLevel(logging.WARNING)
    if resume and output.suffix == ".pt" and output.is_file():
        output = output.parent.parent
    stored = stored_plan(output) if resume else None
    plan = (
        new_plan(output, data, model, options) if stored is None else with_changes(stored, output, data, model, options)
    )
    dataset = read_yolo_dataset(plan.data)
    if check:
        return _write_check(check_yolo_dataset(dataset, report), output)
    device = devices.choose(plan.options.device)
    state_file = output / "weights" / "resume.pt"
    state = trainer.read_state(state_file) if stored is not None and state_file.exists() else None
    if state is not None and plan.options.epochs <= state["epoch"]:
        raise InputError(
            "{epochs} epochs are fewer than the {done} already trained in {folder}; give a larger number, or none",
            epochs=plan.options.epochs,
            done=state["epoch"] + 1,
            folder=output,
            cli_hint="--epochs",
        )
    transfer: list[str] = []
    if state is None:
        init_seeds(plan.options.seed + 1)  # as in ultralytics when it resumes
        network, transfer = _network(plan, dataset.names, layers)
        criterion.parts(network.yaml, layers)  # refuses a loss of an inactive plugin before anything is written
        if resume:
            report(message("No epoch is finished in {folder} yet; the training starts", folder=output))
    else:
        network = checkpoint.load(output / "weights" / "last.pt", layers).model.requires_grad_(True)
        report(
            message(
                "Resuming after epoch {epoch} of {epochs} in {folder}",
                epoch=state["epoch"] + 1,
                epochs=plan.options.epochs,
                folder=output,
            )
        )
    checked = check_yolo_dataset(dataset, report)
    for line in checked.sentences():
        report(line)
    if checked.refusal is not None:
        raise InputError("{data}, {refusal}", data=plan.data, refusal=checked.refusal)
    _refuse_single(checked, plan.options)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "{path} cannot be created ({reason}); choose another folder",
            path=output,
            reason=error.strerror,
            cli_hint="--output",
        ) from None
    save_plan(plan, output, finished=False)
    _write_check(checked, output)
    for line in transfer[:2]:
        report(line)
    if transfer:
        write_text("\n".join([*transfer, ""]), output / "transfer.txt")
    write_text(yaml.safe_dump(dataset.description(), allow_unicode=True, sort_keys=False), output / "data.yaml")
    training = trainer.Training(
        network,
        checked,
        layers,
        _use_bfloat16(plan.options.precision, device),
        state,
        _settings(plan, device, output),
    )
    training.add_callback("on_fit_epoch_end", _Progress(report, plan.options.epochs))
    if step is not None:
        _Steps(step, plan.options.epochs).listen(training)
    _run(training, plan, report)
    save_plan(plan, output, finished=True)
    state_file.unlink(missing_ok=True)
    return Path(training.best)


def _write_check(checked: CheckReport, output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    return write_text(json.dumps(to_json(checked.document()), ensure_ascii=False, indent=2), output / "check.json")


def _refuse_single(checked: CheckReport, options: Options) -> None:
    """Refuse steps of one image if the smallest map has one pixel: there is no variance to normalise by."""
    count = len(checked.images["train"])
    if options.imgsz <= _STRIDE and (count - 1) % options.batch == 0:
        raise InputError(
            "With images of {imgsz} pixels the last step of an epoch would have a single image ({count} "
            "images in batches of {batch}), which is too few; choose another batch size or larger images",
            imgsz=options.imgsz,
            count=count,
            batch=options.batch,
            cli_hint="--batch, --imgsz",
        )


def _network(plan: Plan, names: Sequence[str], layers: Sequence[LayerSpec]) -> tuple[SegmentationModel, list[str]]:
    """Create the network to train, load its initial weights, and list the copied ones (:func:`_describe_transfer`)."""
    lines: list[str] = []
    if plan.model.endswith(".pt"):
        start = checkpoint.load(Path(plan.model), layers).model
        network = build.rebuild(start.yaml, len(names), layers)
        network.names = dict(enumerate(names))  # used by ultralytics to find the rows of the class branch
        network.load(start, verbose=False)
        start_tensors = start.state_dict()
        fits = [
            key
            for key, value in network.state_dict().items()
            if getattr(start_tensors.get(key), "shape", 0) == value.shape
        ]
        lines = _describe_transfer(Path(plan.model), network, fits)
    else:
        network = build.segmentation_model(plan.model, len(names), layers)
    if plan.options.weights is not None:
        file = Path(plan.options.weights)
        copied, _ = build.copy_matching(network, checkpoint.load(file, layers).model)
        if not copied:
            raise InputError(
                "No layer of {file} fits {model}; train without start weights, or choose another file",
                file=file.name,
                model=plan.model,
                cli_hint="--weights",
            )
        lines = _describe_transfer(file, network, copied)
    return network, lines


def _describe_transfer(file: Path, network: SegmentationModel, copied: Sequence[str]) -> list[str]:
    """List the copied and the initialised weights: a line each by rows of the network, then a line per tensor."""
    tensors = network.state_dict()

    def rows(keys: Sequence[str]) -> str:
        counts = Counter(int(key.split(".")[1]) for key in keys)
        of = Counter(int(key.split(".")[1]) for key in tensors)
        parts = (
            f"{row} {type(network.model[row]).__name__}" + ("" if count == of[row] else f" ({count} of {of[row]})")
            for row, count in sorted(counts.items())
        )
        return ", ".join(parts) or "none"

    chosen = set(copied)
    new = [key for key in tensors if key not in chosen]
    return [
        message(
            "Transferred from {file}: {count} of {total} tensors; rows {rows}",
            file=file.name,
            count=len(copied),
            total=len(tensors),
            rows=rows(copied),
        ),
        message("Not transferred: {count} tensors; rows {rows}", count=len(new), rows=rows(new)),
        *(f"{'copied' if key in chosen else 'new':5}  {key}  {tuple(value.shape)}" for key, value in tensors.items()),
    ]


def _settings(plan: Plan, device: str, output: Path) -> dict[str, Any]:
    """Settings for ultralytics."""
    options = plan.options
    rate = options.learning_rate
    return {
        "model": plan.model,
        "data": str(output / "data.yaml"),
        "save_dir": str(output),
        "epochs": options.epochs,
        "imgsz": options.imgsz,
        "batch": options.batch,
        "nbs": max(options.batch, 16),  # one optimiser step per batch: small datasets would see few steps otherwise
        "device": device.removeprefix("cuda:") if device.startswith("cuda") else "cpu",
        "seed": options.seed,
        "patience": options.patience,
        "amp": False,  # replaced, see trainer.Training
        "close_mosaic": min(10, options.epochs // 4),
        "workers": options.workers,
        "exist_ok": True,
        "verbose": False,
        "optimizer": options.optimizer if rate is None or options.optimizer != "auto" else "AdamW",
        "freeze": options.freeze or None,
        "cos_lr": options.cosine,
        "multi_scale": options.multi_scale,
        "mosaic": options.mosaic,
        "scale": options.scale,
        "degrees": options.degrees,
        "fliplr": options.flip_horizontal,
        "flipud": options.flip_vertical,
        "hsv_v": options.brightness,
        **({} if rate is None else {"lr0": rate, "momentum": 0.9}),
    }


def _run(training: trainer.Training, plan: Plan, report: Tell) -> None:
    SETTINGS.update({key: False for key, value in SETTINGS.items() if value is True})
    fonts.provide()
    try:
        training.train()
    except KeyboardInterrupt:
        again, command = message("the training can be resumed"), f"train --resume --output {training.save_dir}"
        if training.state_file.exists():
            report(
                message(
                    "Interrupted; the model of the last whole epoch is {path}; {hint}",
                    path=training.last,
                    hint=again,
                    cli_hint=command,
                )
            )
        else:
            report(message("Interrupted before the first epoch was finished; {hint}", hint=again, cli_hint=command))
        raise
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
            raise InputError(
                "Not enough memory for steps of {batch} images of {imgsz} pixels; choose a smaller batch size "
                "or image size, or another device",
                batch=plan.options.batch,
                imgsz=plan.options.imgsz,
                cli_hint="--batch, --imgsz",
            ) from error
        raise
    box, mask = (
        ", ".join(
            f"{name} {training.metrics.get(f'metrics/{name}({kind})', 0.0):.3f}" for name in ("mAP50", "mAP50-95")
        )
        for kind in "BM"
    )
    report(message("best model: box {box}; mask {mask}", box=box, mask=mask))


def _use_bfloat16(precision: str, device: str) -> bool:
    if precision != "auto":
        return precision == "bf16"
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


class _Progress:
    """One line per epoch: losses, mask mAP50, remaining time."""

    def __init__(self, report: Tell, epochs: int) -> None:
        self._report, self._epochs, self._began = report, epochs, time.monotonic()

    def __call__(self, training: Any) -> None:
        done = training.epoch + 1
        left = (time.monotonic() - self._began) / (done - training.start_epoch) * (self._epochs - done)
        losses = " ".join(f"{name} {float(value):.3f}" for name, value in training.tloss.items())
        score = training.metrics.get("metrics/mAP50(M)", 0.0)
        self._report(
            message(
                "epoch {done}/{epochs}  {losses}  mask mAP50 {score:.3f}  {left:.1f} min left",
                done=done,
                epochs=self._epochs,
                losses=losses,
                score=score,
                left=left / 60,
            )
        )


class _Steps:
    """Counts the steps of an epoch for ``step``."""

    def __init__(self, step: Step, epochs: int) -> None:
        self._step, self._epochs, self._batch = step, epochs, 0

    def listen(self, training: trainer.Training) -> None:
        training.add_callback("on_train_epoch_start", self._on_epoch_start)
        training.add_callback("on_train_batch_end", self._on_step)
        training.add_callback("on_fit_epoch_end", self._on_epoch_end)

    def _on_epoch_start(self, training: Any) -> None:
        self._batch = 0

    def _on_step(self, training: Any) -> None:
        self._batch += 1
        self._call_step(training, training.epoch)

    def _on_epoch_end(self, training: Any) -> None:
        self._batch = 0
        if not training.stop:  # after the last epoch the best model is evaluated
            self._call_step(training, training.epoch + 1)

    def _call_step(self, training: Any, epoch: int) -> None:
        losses = {name: float(value) for name, value in training.tloss.items()}
        self._step(epoch, self._epochs, self._batch, len(training.train_loader), losses)
