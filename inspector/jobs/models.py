"""Models from user input: a file, a folder, or the name of a bundled model."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from inspector.api import ModelSpec
from inspector.domain import InputError, join_messages, message, quote
from inspector.jobs.sources import exists
from inspector.registry import Registry


def find_model(catalogue: Registry, text: str | Path | None = None) -> tuple[ModelSpec, str | None]:
    """Find the model spec and the weights file.

    Args:
        text: path of a model file or its folder, or name of a bundled model; None: the default model.

    Raises:
        InputError: there is no such file, or no plugin opens it.
    """
    bundled = {name: spec for spec in catalogue.models.values() for name in spec.bundled}
    text = default_model(catalogue) if text is None else str(text)
    if text in bundled:
        weights = bundled[text].bundled[text]
        return bundled[text], None if weights is None else str(weights)
    path = Path(text).absolute()
    if not text.strip() or not exists(text):
        if bundled:
            raise InputError(
                "The model {model} does not exist; give a file such as best.pt, or {bundled}",
                model=quote(text),
                bundled=", ".join(bundled),
            )
        raise InputError("The model {model} does not exist; give a file such as best.pt", model=quote(text))
    if path.is_dir():
        path = _model_in(catalogue, path)
    for spec in catalogue.models.values():
        if path.suffix.lower() in spec.suffixes:
            return spec, str(path)
    known = sorted({suffix for spec in catalogue.models.values() for suffix in spec.suffixes})
    kinds = ", ".join(known) or message("none is enabled")
    raise InputError(
        "{path} is not a supported model file ({kinds}); choose a checkpoint such as best.pt, or a model "
        "exported as ONNX or OpenVINO",
        path=path.name,
        kinds=kinds,
    )


def _model_in(catalogue: Registry, folder: Path) -> Path:
    """The only model file in ``folder`` (an OpenVINO export is a folder); ``folder`` if there is none or several."""
    suffixes = {suffix for spec in catalogue.models.values() for suffix in spec.suffixes}
    with suppress(OSError):
        files = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.is_file()]
        if len(files) == 1:
            return files[0]
    return folder


def default_model(catalogue: Registry) -> str:
    """Return the name of the bundled model; one of a plugin from outside is never used without being chosen.

    Raises:
        InputError: there is none, or its plugin is not active.
    """
    own = [record for record in catalogue.records if record.origin == "built-in"]
    active = {id for record in own if record.state == "active" for kind, id in record.specs if kind == "model"}
    for spec in catalogue.models.values():
        if spec.id in active and spec.bundled:
            return next(iter(spec.bundled))
    idle = [record for record in own if record.state != "active" and "model" in record.kinds]
    off = [message("the plugin {id} is {state}", id=record.id, state=message(record.state)) for record in idle]
    raise InputError(
        "No bundled model is available ({reason}); enable its plugin, or choose another model",
        reason=join_messages("; ", off or [message("none ships")]),
        cli_hint="--model",
    )
