"""The only door for plugins: hooks, specs, options, protocols, and the helpers a plugin may use.

A plugin is a module with a literal ``PLUGIN`` (its manifest, read before anything is imported) and one or more hook
implementations::

    from inspector.api import SourceSpec, Text, hookimpl

    PLUGIN = {"id": "my_source", "version": "1.0", "api": 1, "kinds": ["source"], "description": "…"}

    @hookimpl
    def inspector_sources():
        return [SourceSpec(id="my_source", title=Text("My source", "我的来源"), open=MySource)]

A spec is data plus a callable ``open``; heavy libraries are imported inside ``open``. See ``docs/plugins.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

import pluggy

from inspector import __version__
from inspector.domain import (
    Choice,
    Detection,
    Frame,
    InputError,
    Inspection,
    InspectorError,
    Job,
    Mask,
    ModelInfo,
    Reason,
    Rules,
    Skipped,
    Timings,
    Verdict,
    judge,
)

if TYPE_CHECKING:
    from inspector.domain import Image
    from inspector.frameworks import prepare_openvino, prepare_torch
    from inspector.i18n import reason_text
    from inspector.imaging import draw_inspection, joined, mask_polygons, read_image, write_image
    from inspector.paths import (
        assets,
        long_path,
        plugin_folder,
        program,
        publish,
        safe_name,
        temporary_beside,
        unused_path,
    )

__all__ = [
    "API_VERSION",
    "Architecture",
    "Architectures",
    "Browsable",
    "Choice",
    "Cost",
    "Detection",
    "Exporter",
    "ExporterSpec",
    "Frame",
    "InputError",
    "Inspection",
    "InspectorError",
    "Job",
    "LayerSpec",
    "ManyAtOnce",
    "Mask",
    "Model",
    "ModelInfo",
    "ModelSpec",
    "Option",
    "ParallelModel",
    "Pixels",
    "Reason",
    "Rules",
    "RunInfo",
    "Skipped",
    "Source",
    "SourceSpec",
    "Text",
    "Timings",
    "Verdict",
    "__version__",
    "assets",
    "draw_inspection",
    "hookimpl",
    "joined",
    "judge",
    "long_path",
    "mask_polygons",
    "plugin_folder",
    "prepare_openvino",
    "prepare_torch",
    "program",
    "publish",
    "read_image",
    "reason_text",
    "safe_name",
    "temporary_beside",
    "unused_path",
    "write_image",
]

API_VERSION = 1
PROJECT = "bearing_inspector"
ENTRY_POINT_GROUP = "bearing_inspector.plugins"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# Helpers whose modules import numpy, OpenCV or torch: resolved at first use, so that specs stay light.
_LAZY = {
    "read_image": "inspector.imaging",
    "write_image": "inspector.imaging",
    "draw_inspection": "inspector.imaging",
    "joined": "inspector.imaging",
    "mask_polygons": "inspector.imaging",
    "reason_text": "inspector.i18n",
    "prepare_openvino": "inspector.frameworks",
    "prepare_torch": "inspector.frameworks",
    "long_path": "inspector.paths",
    "assets": "inspector.paths",
    "plugin_folder": "inspector.paths",
    "program": "inspector.paths",
    "publish": "inspector.paths",
    "safe_name": "inspector.paths",
    "temporary_beside": "inspector.paths",
    "unused_path": "inspector.paths",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


class Text(NamedTuple):
    """A text that people read, in both languages."""

    en: str
    zh: str = ""

    def read(self, language: str) -> str:
        return self.zh if language.startswith("zh") and self.zh else self.en


_NO_TEXT = Text("")


@dataclass(frozen=True)
class Option:
    """One adjustable value of a spec: declared once, it becomes a CLI flag, a setting, a check and a form field.

    Attributes:
        key: name of the keyword argument of ``open``; lower case with underscores.
        type: bool, int, float, str or Path.
        default: used when the user says nothing; None makes the option optional.
        title, help: what a person reads.
        minimum, maximum: inclusive bounds of a number.
        choices: the only accepted values.
    """

    key: str
    type: type
    default: Any
    title: Text
    help: Text = _NO_TEXT
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()

    def check(self, value: Any) -> Any:
        """``value`` as the option's type; texts are converted, as they come from a command line or a form.

        Raises:
            InputError: naming the option, what came and what is accepted.
        """
        if value is None and self.default is None:
            return None
        checked = self._convert(value)
        if self.choices and checked not in self.choices:
            raise InputError(f"{self.key}: {value!r} is not one of {', '.join(map(str, self.choices))}")
        too_small = self.minimum is not None and checked < self.minimum
        too_large = self.maximum is not None and checked > self.maximum
        if too_small or too_large or checked != checked:
            bounds = " ".join(
                f"{word} {bound:g}"
                for word, bound in (("from", self.minimum), ("to", self.maximum))
                if bound is not None
            )
            raise InputError(f"{self.key}: {value!r} lies outside the range {bounds}".rstrip())
        return checked

    def _convert(self, value: Any) -> Any:
        if self.type is bool:
            words = {"true": True, "yes": True, "on": True, "1": True}
            words |= {"false": False, "no": False, "off": False, "0": False}
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.strip().lower() in words:
                return words[value.strip().lower()]
        elif isinstance(value, str | int | float | Path) and not isinstance(value, bool):
            whole = self.type is not int or not isinstance(value, float) or value.is_integer()
            with suppress(ValueError, TypeError, OverflowError):
                if whole:
                    return self.type(value)
        kind = {bool: "yes or no", int: "a whole number", float: "a number", Path: "a path"}.get(self.type, "a text")
        raise InputError(f"{self.key}: {value!r} is not {kind}")


def check_options(options: Sequence[Option], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """All options of ``owner`` with their defaults, overridden by ``given``, each checked.

    Raises:
        InputError: for an unknown key or a refused value.
    """
    known = {option.key: option for option in options}
    if unknown := [key for key in given if key not in known]:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise InputError(f"{owner} has no option {unknown[0]!r}; {has}")
    checked = {}
    for key, option in known.items():
        try:
            checked[key] = option.check(given[key]) if key in given else option.default
        except InputError as error:
            raise InputError(f"{owner}, option {error}") from None
    return checked


@runtime_checkable
class Model(Protocol):
    """An opened model. Opened, used and closed on one thread."""

    info: ModelInfo
    batch: int
    """How many pictures it likes to get at once (1 where that gains nothing)."""

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        """Find defects.

        Args:
            images: each (H, W, 3) uint8 BGR; sizes may differ.
            confidence: smallest score that counts, 0 to 1.
            iou: overlap above which the weaker of two detections of one class is dropped, 0 to 1.

        Returns:
            For each picture its detections, highest score first.
        """

    def close(self) -> None: ...


class ManyAtOnce(Protocol):
    """A model at work on several pictures at once."""

    streams: int
    """From how many threads :meth:`predict` may be called at once, 1 at least; any thread will do."""

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        """As :meth:`Model.predict`."""


@runtime_checkable
class ParallelModel(Model, Protocol):
    """A model that can get more pictures done, where each may take longer; runs of files use it so."""

    def many(self) -> ManyAtOnce:
        """Get ready for that. What is returned may be used until :meth:`close`; single pictures stay as fast."""


class Source(Protocol):
    """An opened source: iterates its pictures. Opened, used and closed on one thread.

    It yields a :class:`Frame`; a :class:`Skipped` for a picture that cannot be read; and, while it waits for the next
    picture, None several times a second, so that a run can be paused and stopped. One whose pictures can be had in any
    order is also :class:`Browsable`.
    """

    total: int | None
    """Number of frames to come, or None where that is unknown or endless."""

    def __iter__(self) -> Iterator[Frame | Skipped | None]: ...

    def close(self) -> None: ...


@runtime_checkable
class Browsable(Source, Protocol):
    """A source that can be looked through: opened, used and closed on one thread like any; ``total`` is a number."""

    def frame(self, index: int) -> Frame | Skipped:
        """The picture at ``index``, from 0 and below ``total``, as iterating gives it; Skipped where it cannot be read.

        Going on to the next one must be about as quick as iterating.
        """


class Exporter(Protocol):
    """An opened exporter. Opened, used and closed on one thread; closed also when the run ends early."""

    def write(self, inspection: Inspection) -> None: ...

    def close(self) -> Iterable[Path]:
        """Finish and return the files that were written."""


@dataclass(frozen=True)
class RunInfo:
    """What an exporter may want to know about its run."""

    job: Job
    model: ModelInfo
    title: str
    started: str
    """Local time, ISO 8601 with offset."""
    total: int | None = None
    ended: str = ""
    """The same of its end, where it is over and exported again."""


@dataclass(frozen=True)
class Architecture:
    """A name that can be trained.

    Attributes:
        name: such as ``yolo11n-seg-cgnet``.
        kind: ``base``, ``preset`` or ``modifier`` (to be added to a base, such as ``+block=vss``).
        title: what a person reads.
        paper: where it was published.
        meaning: of a preset: the base with its modifiers; otherwise as the name.
    """

    name: str
    kind: Literal["base", "preset", "modifier"]
    title: Text
    paper: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Cost:
    """What one architecture costs, for one picture of imgsz x imgsz.

    Attributes:
        name, meaning: see :class:`Architecture`.
        imgsz: pixels.
        layers: modules of the network that hold no others.
        parameters: their number.
        gflops: 10^9 floating-point operations of one forward pass, scans and attention counted.
        stride: of the maps that the head reads, pixels.
        rows: for each row of the network: (number, from, module, parameters).
    """

    name: str
    meaning: str
    imgsz: int
    layers: int
    parameters: int
    gflops: float
    stride: tuple[int, ...]
    rows: tuple[tuple[int, str, str, int], ...]


class Architectures(Protocol):
    """What a model plugin can build out of its own and the other plugins' layers."""

    def list(self) -> Sequence[Architecture]: ...

    def cost(self, name: str, imgsz: int = 640) -> Cost:
        """InputError for a name that cannot be built."""

    def combinations(self) -> Sequence[str]:
        """Distinct architectures for a check of everything: bases, presets, modifiers alone and together."""

    def check(self, name: str) -> None:
        """Build it small, run it forward and backward, save it and load it back; InspectorError says what failed."""


@dataclass(frozen=True)
class ModelSpec:
    """A kind of model.

    Attributes:
        id: unique over all specs of all kinds; letters, digits, underscore.
        open: ``open(weights: Path | None, device: str, layers: Sequence[LayerSpec], **options) -> Model``.
        suffixes: of the weights files it opens, lower case with dot; empty for a model that needs no file.
        bundled: models that ship with the plugin: name -> weights file (None where it needs none); the first is
            the default.
        train: ``train(data: Path | None, model: str | None, output: Path, layers=…, report=…, step=…, **options)`` ->
            path of ``best.pt``, where it can; data and model may be None where ``output`` holds a training to go on
            with. It calls ``report(line)`` now and then, and ``step(epoch, epochs, batch, batches, losses)`` after
            each step and, with batch 0, after each epoch that it saved; ``epoch`` counts the whole ones. Either may
            raise KeyboardInterrupt. Files ``train.log`` and ``train.lock`` in ``output`` are left alone.
        train_options: options of ``train``.
        validate: ``validate(weights: Path, data: Path, layers, output: Path | None, **options)`` -> figures for JSON,
            where it can; pictures of curves go into ``output``.
        validate_options: options of ``validate``.
        export: ``export(weights: Path, format: str, output: Path | None, layers, report=…, **options) -> Path`` of what
            was written, where it can. It may call ``report(line)`` with what it found out.
        export_formats: the formats that ``export`` knows.
        export_options: options of ``export``.
        architectures: the architectures that ``train`` can build, where there are any: makes a :class:`Architectures`.
        devices: lists ``(device, name)`` pairs such as ``("cuda:0", "NVIDIA …")`` beside ``cpu``; may take seconds.
    """

    id: str
    title: Text
    open: Callable[..., Model]
    suffixes: tuple[str, ...] = ()
    bundled: Mapping[str, Path | None] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    train: Callable[..., Path] | None = None
    train_options: tuple[Option, ...] = ()
    validate: Callable[..., Mapping[str, Any]] | None = None
    validate_options: tuple[Option, ...] = ()
    export: Callable[..., Path] | None = None
    export_formats: tuple[str, ...] = ()
    export_options: tuple[Option, ...] = ()
    architectures: Callable[[Sequence[LayerSpec]], Architectures] | None = None
    devices: Callable[[], Sequence[tuple[str, str]]] | None = None


@dataclass(frozen=True)
class SourceSpec:
    """A kind of source.

    Attributes:
        open: ``open(**options) -> Source``.
        claim: options that open what a user typed (a path, a glob, an address), or None if it is not for this source.
            Must be quick: it may look at the file system, not open a device.
        droppable: True where only the newest frame counts (a camera): when the model is slower, frames are dropped
            and counted. False: every picture is inspected, however long that takes.
        devices: for sources with devices: lists ``(what a user types, name)`` pairs.
    """

    id: str
    title: Text
    open: Callable[..., Source]
    options: tuple[Option, ...] = ()
    claim: Callable[[str], Mapping[str, Any] | None] | None = None
    droppable: bool = False
    devices: Callable[[], Sequence[tuple[str, str]]] | None = None


Pixels = Literal["needed", "wished", "unused"]


@dataclass(frozen=True)
class ExporterSpec:
    """A kind of output.

    Attributes:
        open: ``open(folder: Path, run: RunInfo, **options) -> Exporter``. The folder exists.
        default: written when the user names no exporter.
        pixels: whether it looks at ``frame.image``; or ``pixels(**options)`` tells. It counts where earlier inspections
            are exported: where a picture is gone, that inspection is left out of what ``needed`` it, and a black one
            stands in where it is ``wished``; for what leaves it ``unused`` no picture is read.
    """

    id: str
    title: Text
    open: Callable[..., Exporter]
    options: tuple[Option, ...] = ()
    default: bool = False
    pixels: Pixels | Callable[..., Pixels] = "needed"


LayerKind = Literal["block", "backbone", "neck", "downsample", "upsample"]


@dataclass(frozen=True)
class LayerSpec:
    """A network layer that an architecture may name and a checkpoint may contain.

    ``build`` makes the module for one place of an architecture. Its arguments depend on ``kind``; c1 and c2 are
    channels, stride is how many pixels of the picture one pixel of the map stands for:

    * block: ``build(c1, c2, stride)``, c1 == c2: (N, c1, H, W) -> (N, c2, H, W). It takes a bottleneck's place in C3k2.
    * downsample: ``build(c1, c2, stride)``: (N, c1, H, W) -> (N, c2, ceil(H/2), ceil(W/2)); stride of the output.
    * upsample: ``build(c1, c2, stride)``, c1 == c2: (N, c1, H, W) -> (N, c2, 2H, 2W); stride of the output.
    * neck: ``build(c1, c2, stride)``: called with the list [deep (N, c1, h, w), shallow (N, c2, H, W)] and
      h = ceil(H/2), w = ceil(W/2) -> (N, c1 + c2, H, W), in that order; stride of the shallow map.
    * backbone: ``build()``, of a family ``build(member)``: (N, 3, H, W) -> list of the maps of stride 8, 16 and 32. Its
      attribute ``channels`` holds their three channel counts.

    Two methods of a module are used where it has them: ``reparameterize()`` merges branches in place before inference;
    ``flops(*inputs)`` tells the floating-point operations of its own arithmetic, other than convolutions and matrix
    products, for these inputs. A class may have a classmethod ``adopt(foreign)``, which makes a module out of one of
    the same name from other code, by its ``state_dict()`` and attributes, or raises ValueError saying what does not
    fit.

    Attributes:
        id: unique over all specs of all kinds.
        kind: where it may stand.
        load: imports torch and returns the classes, the main one first; those of a checkpoint are allowed by them.
        paper: author, year, arXiv number or DOI.
        name: the name used in an architecture, unique in its kind; empty: the id.
        build: see above; None: the main class, called with the same arguments.
        members: of a family of backbones: lists the names, and an architecture says ``name/member``.
        presets: architectures that it brings: suffix -> modifiers; ``{"cgnet": "+block=context_guided"}`` makes
            ``yolo11n-seg-cgnet`` mean ``yolo11n-seg+block=context_guided``.
    """

    id: str
    title: Text
    kind: LayerKind
    load: Callable[[], Sequence[type]]
    paper: str = ""
    name: str = ""
    build: Callable[..., Any] | None = None
    members: Callable[[], Sequence[str]] | None = None
    presets: Mapping[str, str] = field(default_factory=dict)


class Hooks:
    """The hooks. A plugin implements at least one; each is called once, when the plugin is loaded."""

    @hookspec
    def inspector_models(self) -> Iterable[ModelSpec]:
        """Models that this plugin brings."""
        return ()

    @hookspec
    def inspector_sources(self) -> Iterable[SourceSpec]:
        """Sources of pictures that this plugin brings."""
        return ()

    @hookspec
    def inspector_exporters(self) -> Iterable[ExporterSpec]:
        """Outputs that this plugin brings."""
        return ()

    @hookspec
    def inspector_layers(self) -> Iterable[LayerSpec]:
        """Network layers that this plugin brings, usable in architectures and allowed in checkpoints."""
        return ()
