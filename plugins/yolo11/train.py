"""Training of YOLO11-seg and its variants on a data set in YOLO's layout, offline, on CPU or CUDA.

ultralytics' trainer does the work. What is ours: the data set is checked before the first epoch, a training can be
killed and gone on with, every integration that reaches a network is off, mixed precision is chosen without the check
that wants to fetch a model, and on a CPU with bfloat16 instructions it runs in bfloat16 and channels-last.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from inspector.api import InputError, LayerSpec, __version__, prepare_torch

prepare_torch()

import torch
import yaml
from ultralytics.nn.tasks import SegmentationModel
from ultralytics.utils import LOGGER, SETTINGS
from ultralytics.utils.torch_utils import init_seeds

from inspector_plugins.yolo11 import build, checkpoint, devices, fonts, trainer
from inspector_plugins.yolo11.data import Report, read_data
from inspector_plugins.yolo11.data import check as check_data

logger = logging.getLogger(__name__)
Tell = Callable[[str], None]
Step = Callable[[int, int, int, int, Mapping[str, float]], None]
_CHANGEABLE = ("epochs", "patience", "device", "workers")  # when a training is gone on with
_STRIDE = 32
_OTHERS = ("train.log", "train.lock")  # files of a window that supervises the training, in its folder from the start


@dataclass(frozen=True)
class Options:
    """How to train.

    Attributes:
        epochs: passes over the training pictures.
        imgsz: side length to which pictures are scaled, pixels.
        batch: pictures a step.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        seed: of weights, order and augmentation.
        patience: epochs without improvement after which training stops.
        learning_rate: of AdamW at the start, falling to a hundredth; None: chosen by ultralytics.
        precision: ``auto``, ``f32`` or ``bf16`` (automatic mixed precision).
        workers: processes that load and augment pictures beside the training; 0: none.
        weights: checkpoint whose weights are taken over where they fit; None: none.
    """

    epochs: int = 100
    imgsz: int = 640
    batch: int = 16
    device: str = "auto"
    seed: int = 0
    patience: int = 50
    learning_rate: float | None = None
    precision: str = "auto"
    workers: int = 0
    weights: str | None = None


@dataclass(frozen=True)
class _Plan:
    """What ``train.json`` in the output folder keeps."""

    data: Path
    data_sha256: str
    model: str
    options: Options


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
        model: an architecture such as ``yolo11n-seg-cgnet``, or a checkpoint that training goes on from.
        output: folder for ``weights/``, ``results.csv``, ``check.json`` and pictures; must not exist or be empty.
        layers: layers of plugins that the architecture or checkpoint may contain.
        report: called with what the check found, and one line an epoch.
        step: called as ``step(epoch, epochs, batch, batches, losses)`` after each step, and with batch 0 after each
            epoch that was saved; ``epoch`` counts the whole ones. It may raise KeyboardInterrupt, like Ctrl-C.
        resume: go on with the training in ``output`` (or that ``output`` is the last.pt of) after its last whole epoch.
            ``data``, ``model`` and the options may then be None or left out; where given they must be the same, except
            for ``epochs``, ``patience``, ``device`` and ``workers``. Where nothing was begun yet, it begins.
        check: only check the data set; returns the path of ``check.json``.
        **options: of :class:`Options`.

    Raises:
        InputError: for a data set, model, device or output folder that cannot be used.
        InspectorError: the loss became infinite.
    """
    LOGGER.setLevel(logging.WARNING)
    if resume and output.suffix == ".pt" and output.is_file():
        output = output.parent.parent
    stored = _stored(output) if resume else None
    plan = _new(output, data, model, options) if stored is None else _agreed(stored, output, data, model, options)
    description = read_data(plan.data)
    if check:
        return _write_check(check_data(description, report), output)
    place = devices.choose(plan.options.device)
    state_file = output / "weights" / "resume.pt"
    state = trainer.read_state(state_file) if stored is not None and state_file.exists() else None
    if state is not None and plan.options.epochs <= state["epoch"]:
        raise InputError(
            f"--epochs {plan.options.epochs} is fewer than the {state['epoch'] + 1} that are trained in {output}; "
            "leave it out, or give a larger number"
        )
    transfer: list[str] = []
    if state is None:
        init_seeds(plan.options.seed + 1)  # as ultralytics does again
        network, transfer = _network(plan, description["names"], layers)
        if resume:
            report(f"No epoch is finished in {output} yet; the training begins")
    else:
        network = checkpoint.load(output / "weights" / "last.pt", layers).model.requires_grad_(True)
        report(f"Going on after epoch {state['epoch'] + 1} of {plan.options.epochs} in {output}")
    found = check_data(description, report)
    for line in found.sentences():
        report(line)
    if found.refusal is not None:
        raise InputError(f"{plan.data}, {found.refusal}")
    _refuse_single(found, plan.options)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output} cannot be made ({error.strerror}); name another folder with --output") from None
    _keep(plan, output, finished=False)
    _write_check(found, output)
    for line in transfer[:2]:
        report(line)
    if transfer:
        _write("\n".join([*transfer, ""]), output / "transfer.txt")
    _write(yaml.safe_dump(description, allow_unicode=True, sort_keys=False), output / "data.yaml")
    training = trainer.Training(
        network,
        found,
        layers,
        _use_bfloat16(plan.options.precision, place),
        state,
        _settings(plan, place, output),
    )
    training.add_callback("on_fit_epoch_end", _Progress(report, plan.options.epochs))
    if step is not None:
        _Steps(step, plan.options.epochs).listen(training)
    _run(training, plan, report)
    _keep(plan, output, finished=True)
    state_file.unlink(missing_ok=True)
    return Path(training.best)


def _new(output: Path, data: Path | None, model: str | None, options: Mapping[str, Any]) -> _Plan:
    if data is None:
        raise InputError(f"There is no training in {output} to go on with; name its folder, or give --data to begin")
    if output.exists() and (not output.is_dir() or any(not _passing(file) for file in output.iterdir())):
        raise InputError(
            f"{output} exists already; name a new folder for the training's results, or go on with --resume"
        )
    return _Plan(data.absolute(), _sha256(data), _absolute(model or "yolo11n-seg"), _options(options))


def _stored(output: Path) -> _Plan | None:
    """The plan of the training in ``output``, cleared of what a kill left there; None where there is none."""
    file = output / "train.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        plan = _Plan(Path(content["data"]), content["data_sha256"], content["model"], Options(**content["options"]))
        finished = content["finished"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(
            f"{file} cannot be read; start a new training, with --model {output}/weights/last.pt"
        ) from None
    if finished:
        raise InputError(
            f"The training in {output} is finished; to train longer, start a new one from its best.pt with --model"
        )
    for folder in (output, output / "weights"):
        for left in folder.glob(".tmp-*"):
            left.unlink(missing_ok=True)
    return plan


def _agreed(stored: _Plan, output: Path, data: Path | None, model: str | None, options: Mapping[str, Any]) -> _Plan:
    """The stored plan with the changes that are allowed."""
    place = stored.data if data is None else data.absolute()
    if _sha256(place) != stored.data_sha256:
        raise InputError(f"{place} is not as it was when the training in {output} began; start a new training")
    if model is not None and _absolute(model) != stored.model:
        raise InputError(f"The training in {output} is of {stored.model}, not {model}; leave out --model")
    given = asdict(_options(options))
    for key in options:
        had, wanted = getattr(stored.options, key), given[key]
        if wanted != had and key not in _CHANGEABLE:
            flag = key.replace("_", "-")
            raise InputError(f"The training in {output} has --{flag} {had}, not {wanted}; leave it out")
    changed = {key: given[key] for key in options if key in _CHANGEABLE}
    return replace(stored, data=place, options=replace(stored.options, **changed))


def _options(given: Mapping[str, Any]) -> Options:
    options = Options(**given)
    return replace(options, weights=_absolute(options.weights)) if options.weights else options


def _absolute(model: str) -> str:
    return str(Path(model).absolute()) if model.lower().endswith(".pt") else model


def _passing(file: Path) -> bool:
    return file.name.startswith(".tmp-") or file.name in _OTHERS


def _sha256(file: Path) -> str:
    """Of a file; empty where it cannot be read, which reading it as YAML will tell."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _keep(plan: _Plan, output: Path, finished: bool) -> None:
    content = {
        "version": __version__,
        "data": str(plan.data),
        "data_sha256": plan.data_sha256,
        "model": plan.model,
        "options": asdict(plan.options),
        "finished": finished,
    }
    _write(json.dumps(content, ensure_ascii=False, indent=2), output / "train.json")


def _write_check(found: Report, output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    return _write(json.dumps(found.document(), ensure_ascii=False, indent=2), output / "check.json")


def _write(text: str, file: Path) -> Path:
    trainer.write(text.encode("utf-8", "backslashreplace"), file)  # a path on Linux need not be Unicode
    return file


def _refuse_single(found: Report, options: Options) -> None:
    """A step of one picture whose smallest map has one pixel has no variance to normalise by."""
    count = len(found.pictures["train"])
    if options.imgsz <= _STRIDE and (count - 1) % options.batch == 0:
        raise InputError(
            f"With --imgsz {options.imgsz} the last step of an epoch would have a single picture ({count} pictures by "
            f"{options.batch}), which is too few; choose another --batch or a larger --imgsz"
        )


def _network(plan: _Plan, names: Sequence[str], layers: Sequence[LayerSpec]) -> tuple[SegmentationModel, list[str]]:
    """The network to train, with the weights to start from, and what was taken over, see :func:`_told`."""
    told: list[str] = []
    if plan.model.endswith(".pt"):
        start = checkpoint.load(Path(plan.model), layers).model
        network = build.rebuild(start.yaml, len(names), layers)
        network.names = dict(enumerate(names))  # by which ultralytics finds the rows of the class branch
        network.load(start, verbose=False)
        theirs = start.state_dict()
        fits = [
            key for key, value in network.state_dict().items() if getattr(theirs.get(key), "shape", 0) == value.shape
        ]
        told = _told(Path(plan.model), network, fits)
    else:
        network = build.segmentation_model(plan.model, len(names), layers)
    if plan.options.weights is not None:
        file = Path(plan.options.weights)
        taken, _ = build.transfer(network, checkpoint.load(file, layers).model)
        if not taken:
            raise InputError(f"No layer of {file.name} fits {plan.model}; leave out --weights, or choose another file")
        told = _told(file, network, taken)
    return network, told


def _told(file: Path, network: SegmentationModel, taken: Sequence[str]) -> list[str]:
    """What was taken over and what was not, a line each by rows of the network; then each tensor in a line."""
    tensors = network.state_dict()

    def rows(keys: Sequence[str]) -> str:
        counts = Counter(int(key.split(".")[1]) for key in keys)
        of = Counter(int(key.split(".")[1]) for key in tensors)
        parts = (
            f"{row} {type(network.model[row]).__name__}" + ("" if count == of[row] else f" ({count} of {of[row]})")
            for row, count in sorted(counts.items())
        )
        return ", ".join(parts) or "none"

    chosen = set(taken)
    new = [key for key in tensors if key not in chosen]
    return [
        f"Taken over from {file.name}: {len(taken)} of {len(tensors)} tensors; rows {rows(taken)}",
        f"Not taken over: {len(new)} tensors; rows {rows(new)}",
        *(f"{'taken' if key in chosen else 'new':5}  {key}  {tuple(value.shape)}" for key, value in tensors.items()),
    ]


def _settings(plan: _Plan, place: str, output: Path) -> dict[str, Any]:
    """Of ultralytics."""
    options = plan.options
    rate = options.learning_rate
    return {
        "model": plan.model,
        "data": str(output / "data.yaml"),
        "save_dir": str(output),
        "epochs": options.epochs,
        "imgsz": options.imgsz,
        "batch": options.batch,
        "nbs": max(options.batch, 16),  # a step a batch: small data sets would see few steps otherwise
        "device": place.removeprefix("cuda:") if place.startswith("cuda") else "cpu",
        "seed": options.seed,
        "patience": options.patience,
        "amp": False,  # ours instead, see trainer.Training
        "close_mosaic": min(10, options.epochs // 4),
        "workers": options.workers,
        "exist_ok": True,
        "verbose": False,
        **({} if rate is None else {"optimizer": "AdamW", "lr0": rate, "momentum": 0.9}),
    }


def _run(training: trainer.Training, plan: _Plan, report: Tell) -> None:
    SETTINGS.update({key: False for key, value in SETTINGS.items() if value is True})
    fonts.provide()
    try:
        training.train()
    except KeyboardInterrupt:
        again = f"go on with: train --resume --output {training.save_dir}"
        if training.state_file.exists():
            report(f"Interrupted; the model of the last whole epoch is {training.last}; {again}")
        else:
            report(f"Interrupted before the first epoch was finished; {again}")
        raise
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
            raise InputError(
                f"Not enough memory for {plan.options.batch} pictures of {plan.options.imgsz} pixels a step; "
                "choose a smaller --batch or --imgsz, or another device"
            ) from error
        raise
    box, mask = (
        ", ".join(
            f"{name} {training.metrics.get(f'metrics/{name}({kind})', 0.0):.3f}" for name in ("mAP50", "mAP50-95")
        )
        for kind in "BM"
    )
    report(f"best model: box {box}; mask {mask}")


def _use_bfloat16(precision: str, place: str) -> bool:
    if precision != "auto":
        return precision == "bf16"
    if place.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


class _Progress:
    """One line an epoch: losses, mask mAP50, time left."""

    def __init__(self, report: Tell, epochs: int) -> None:
        self._report, self._epochs, self._began = report, epochs, time.monotonic()

    def __call__(self, training: Any) -> None:
        done = training.epoch + 1
        left = (time.monotonic() - self._began) / (done - training.start_epoch) * (self._epochs - done)
        losses = " ".join(f"{name} {float(value):.3f}" for name, value in training.tloss.items())
        score = training.metrics.get("metrics/mAP50(M)", 0.0)
        self._report(f"epoch {done}/{self._epochs}  {losses}  mask mAP50 {score:.3f}  {left / 60:.1f} min left")


class _Steps:
    """Counts the steps of an epoch for ``step``."""

    def __init__(self, step: Step, epochs: int) -> None:
        self._step, self._epochs, self._batch = step, epochs, 0

    def listen(self, training: trainer.Training) -> None:
        training.add_callback("on_train_epoch_start", self._begin)
        training.add_callback("on_train_batch_end", self._go)
        training.add_callback("on_fit_epoch_end", self._end)

    def _begin(self, training: Any) -> None:
        self._batch = 0

    def _go(self, training: Any) -> None:
        self._batch += 1
        self._tell(training, training.epoch)

    def _end(self, training: Any) -> None:
        self._batch = 0
        if not training.stop:  # the last epoch is followed by the measuring of the best model
            self._tell(training, training.epoch + 1)

    def _tell(self, training: Any, epoch: int) -> None:
        losses = {name: float(value) for name, value in training.tloss.items()}
        self._step(epoch, self._epochs, self._batch, len(training.train_loader), losses)
