"""The plan of a training: its options and dataset, kept as ``train.json`` so that it can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from inspector.api import InputError, __version__, read_json
from inspector_plugins._shared.atomic_files import write_atomically

PATIENCE = 20.0  # seconds that a file of the training may be held by another program, e.g. a virus scanner
_CHANGEABLE = ("epochs", "patience", "device", "workers")  # when a training is resumed
_OTHERS = ("train.log", "train.lock")  # files of a supervised training, in its folder from the start


@dataclass(frozen=True)
class Options:
    """Options of a training.

    Attributes:
        epochs: passes over the training images.
        imgsz: side length to which images are scaled, pixels.
        batch: images per step.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        seed: of weights, order and augmentation.
        patience: stop after this many epochs without improvement.
        learning_rate: of AdamW at the start, falling to a hundredth; None: chosen by ultralytics.
        precision: ``auto``, ``f32`` or ``bf16`` (automatic mixed precision).
        workers: additional processes that load and augment images; 0: none.
        weights: checkpoint whose matching weights are copied; None: none.
        optimizer: ``auto``, or one that ultralytics knows; a ``learning_rate`` implies AdamW with ``auto``.
        freeze: number of the network's first rows whose weights are frozen.
        cosine: let the learning rate fall along a cosine instead of a line.
        multi_scale: share by which the input size varies from step to step, 0 to 0.75.
        mosaic: probability of combining four images into one; off in the last epochs.
        scale: largest share by which an image is enlarged or reduced.
        degrees: largest rotation either way.
        flip_horizontal, flip_vertical: probabilities.
        brightness: largest share by which the brightness varies.
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
    optimizer: str = "auto"
    freeze: int = 0
    cosine: bool = False
    multi_scale: float = 0.0
    mosaic: float = 1.0
    scale: float = 0.5
    degrees: float = 0.0
    flip_horizontal: float = 0.5
    flip_vertical: float = 0.0
    brightness: float = 0.4


@dataclass(frozen=True)
class Plan:
    """Content of ``train.json`` in the output folder."""

    data: Path
    data_sha256: str
    model: str
    options: Options


def new_plan(output: Path, data: Path | None, model: str | None, options: Mapping[str, Any]) -> Plan:
    if data is None:
        raise InputError(
            "There is no training to resume in {folder}; choose its folder, or a dataset for a new training",
            folder=output,
            cli_hint="--data",
        )
    if output.exists() and (not output.is_dir() or any(not _is_transient(file) for file in output.iterdir())):
        raise InputError(
            "{path} already exists; choose a new folder for the training's results, or resume the training",
            path=output,
            cli_hint="--resume",
        )
    return Plan(data.absolute(), _sha256(data), _absolute(model or "yolo11n-seg"), _options(options))


def stored_plan(output: Path) -> Plan | None:
    """The plan of the training in ``output``, after removing leftovers of a kill; None if there is none."""
    file = output / "train.json"
    try:
        content = read_json(file)
        plan = Plan(Path(content["data"]), content["data_sha256"], content["model"], Options(**content["options"]))
        finished = content["finished"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(
            "{file} cannot be read; start a new training from {folder}/weights/last.pt",
            file=file,
            folder=output,
            cli_hint="--model",
        ) from None
    if finished:
        raise InputError(
            "The training in {folder} is finished; to train longer, start a new one from its best.pt",
            folder=output,
            cli_hint="--model",
        )
    for folder in (output, output / "weights"):
        for left in folder.glob(".tmp-*"):
            left.unlink(missing_ok=True)
    return plan


def with_changes(stored: Plan, output: Path, data: Path | None, model: str | None, options: Mapping[str, Any]) -> Plan:
    """The stored plan with the permitted changes."""
    data_file = stored.data if data is None else data.absolute()
    if _sha256(data_file) != stored.data_sha256:
        raise InputError(
            "{path} has changed since the training in {folder} started; start a new training",
            path=data_file,
            folder=output,
        )
    if model is not None and _absolute(model) != stored.model:
        raise InputError(
            "The training in {folder} is of {model}, not {other}; keep the architecture when resuming",
            folder=output,
            model=stored.model,
            other=model,
            cli_hint="--model",
        )
    values = asdict(_options(options))
    for key in options:
        had, wanted = getattr(stored.options, key), values[key]
        if wanted != had and key not in _CHANGEABLE:
            flag = key.replace("_", "-")
            raise InputError(
                "The training in {folder} has {option} {stored}, not {value}; keep its value when resuming",
                folder=output,
                option=flag,
                stored=had,
                value=wanted,
                cli_hint=f"--{flag}",
            )
    changed = {key: values[key] for key in options if key in _CHANGEABLE}
    return replace(stored, data=data_file, options=replace(stored.options, **changed))


def _options(values: Mapping[str, Any]) -> Options:
    options = Options(**values)
    return replace(options, weights=_absolute(options.weights)) if options.weights else options


def _absolute(model: str) -> str:
    return str(Path(model).absolute()) if model.lower().endswith(".pt") else model


def _is_transient(file: Path) -> bool:
    return file.name.startswith(".tmp-") or file.name in _OTHERS


def _sha256(file: Path) -> str:
    """Hash of a file; empty if it cannot be read, which is reported when it is read as YAML."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    except OSError:
        return ""


def save_plan(plan: Plan, output: Path, finished: bool) -> None:
    content = {
        "version": __version__,
        "data": str(plan.data),
        "data_sha256": plan.data_sha256,
        "model": plan.model,
        "options": asdict(plan.options),
        "finished": finished,
    }
    write_text(json.dumps(content, ensure_ascii=False, indent=2), output / "train.json")


def write_text(text: str, file: Path) -> Path:
    content = text.encode("utf-8", "backslashreplace")  # a path on Linux need not be Unicode
    write_atomically(file, content, PATIENCE)
    return file
