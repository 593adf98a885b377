"""Specs: descriptions of the models, sources, exporters and layers that a plugin provides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inspector.api.options import _NO_TEXT, Option, Text
from inspector.api.protocols import Architectures, Exporter, Model, Source


@dataclass(frozen=True)
class ModelSpec:
    """A kind of model.

    Attributes:
        id: unique over all specs of all kinds; letters, digits, underscore.
        open: ``open(weights: Path | None, device: str, layers: Sequence[LayerSpec], **options) -> Model``.
        suffixes: of the weights files it opens, lower case with dot; empty for a model that needs no file.
        bundled: models that ship with the plugin: name -> weights file (None if it needs none); the first is the
            default.
        train: ``train(data: Path | None, model: str | None, output: Path, layers=…, report=…, step=…, **options)`` ->
            path of ``best.pt``; None if it cannot train. data and model may be None if ``output`` holds a training to
            resume. It calls ``report(line)`` now and then, and ``step(epoch, epochs, batch, batches, losses)`` after
            each step and, with batch 0, after each saved epoch; ``epoch`` is the number of complete epochs. Either may
            raise KeyboardInterrupt. It must not touch the files ``train.log`` and ``train.lock`` in ``output``.
        train_options: options of ``train``.
        validate: ``validate(weights: Path, data: Path, layers, output: Path | None, **options)`` -> figures for JSON;
            it writes images of curves to ``output``. None if it cannot evaluate.
        validate_options: options of ``validate``.
        export: ``export(weights: Path, format: str, output: Path | None, layers, report=…, **options) -> Path`` of what
            was written; it may call ``report(line)`` with remarks. None if it cannot export.
        export_formats: formats of ``export``.
        export_options: options of ``export``.
        architectures: returns the :class:`Architectures` that ``train`` can build.
        devices: lists ``(device, name)`` besides ``cpu``, for example ``("cuda:0", "NVIDIA …")``; may take seconds.
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
        claim: returns the options that open what the user typed (a path, a pattern, an address), or None if it is not
            for this source. Must be quick: it may look at the file system, but not open a device.
        droppable: True if only the newest frame counts (a camera): frames are dropped and counted while the model is
            slower. False: every image is inspected, however long that takes.
        devices: lists ``(text that the user types, name)`` pairs of the devices found.
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
        default: used if the user chooses no exporters.
        pixels: whether it reads ``frame.image``, or a function ``pixels(**options)`` that returns it. In an export of
            earlier inspections whose image is missing, an exporter that ``needed`` it does not get the inspection,
            and one that ``wished`` for it gets a black image; if it is ``unused``, images are not read at all.
        per_image: True if it writes files per image instead of one for all.
    """

    id: str
    title: Text
    open: Callable[..., Exporter]
    options: tuple[Option, ...] = ()
    default: bool = False
    pixels: Pixels | Callable[..., Pixels] = "needed"
    per_image: bool = False


LayerKind = Literal[
    "backbone",
    "block",
    "convolution",
    "attention",
    "pooling",
    "downsample",
    "upsample",
    "neck",
    "pyramid",
    "head",
    "loss",
    "assigner",
]
LossPart = Literal["", "box", "class", "mask"]


@dataclass(frozen=True)
class LayerSpec:
    """A network layer that an architecture may name and a checkpoint may contain.

    ``build`` makes the module for one position of an architecture. Its arguments depend on ``kind``; c1 and c2 are
    numbers of channels, stride is the size of one pixel of the feature map in pixels of the image:

    * block: ``build(c1, c2, stride)``, c1 == c2: (N, c1, H, W) -> (N, c2, H, W). It replaces a bottleneck of C3k2.
    * downsample: ``build(c1, c2, stride)``: (N, c1, H, W) -> (N, c2, ceil(H/2), ceil(W/2)); stride of the output.
    * upsample: ``build(c1, c2, stride)``, c1 == c2: (N, c1, H, W) -> (N, c2, 2H, 2W); stride of the output.
    * neck: ``build(c1, c2, stride)``: called with the list [deep (N, c1, h, w), shallow (N, c2, H, W)] and
      h = ceil(H/2), w = ceil(W/2) -> (N, c1 + c2, H, W), in that order; stride of the shallow map.
    * backbone: ``build()``, or ``build(member)`` for a family: (N, 3, H, W) -> list of the maps of stride 8, 16 and 32.
      Its attribute ``channels`` holds their three numbers of channels.
    * convolution: ``build(c1, c2, stride)``: (N, c1, H, W) -> (N, c2, H, W). It replaces the second convolution,
      with its normalisation and activation, of each bottleneck of C3k2.
    * attention: ``build(c1, c2, stride)``, c1 == c2: (N, c1, H, W) -> (N, c2, H, W). It follows the three blocks
      whose maps the head reads.
    * pooling: ``build(c1, c2, stride)``: (N, c1, H, W) -> (N, c2, H, W). It replaces SPPF.
    * pyramid: ``build(inputs, outputs, stride)``, two tuples of three numbers of channels: called with the list of the
      maps of stride 8, 16 and 32; returns the list of three maps of the same sizes. It replaces the whole neck; stride
      of the largest map.
    * head: ``build(classes, masks, prototypes, channels)``: a subclass of ultralytics' ``Segment``.
    * loss: ``build()``: a module that replaces the loss of one ``part`` while training. Nothing of it is in the
      network or its checkpoint.

      * part box: called with the predicted and the target boxes, both (n, 4) as x1, y1, x2, y2 in pixels of the image,
        and the image's size (H, W); returns n losses, in place of 1 - CIoU.
      * part class: called with logits and targets from 0 to 1, both (N, anchors, classes), and the mean IoU of the
        assigned boxes (a scalar tensor); returns losses of the same shape, in place of the binary cross entropy.
      * part mask: called with logits and masks of 0 and 1, both (n, H, W), and the target boxes (n, 4) as x1, y1, x2,
        y2 in pixels of the mask; returns n losses, in place of the mean binary cross entropy inside the box.

    * assigner: ``build(classes)``: a module called with scores (N, anchors, classes) from 0 to 1, boxes (N, anchors,
      4), anchor points (anchors, 2), their strides (anchors, 1), labels (N, objects, 1), target boxes (N, objects, 4)
      and which of them exist (N, objects, 1), boxes and points in pixels. It returns the assigned object of each
      anchor (N, anchors), int64, whether it is positive (N, anchors), bool, and its target score (N, anchors) from 0
      to 1.

    Two optional methods of a module are used: ``reparameterize()`` merges branches in place before inference;
    ``flops(*inputs)`` returns the floating-point operations of its own arithmetic, other than convolutions and matrix
    products, for these inputs. An optional classmethod ``load_foreign(foreign)`` (formerly ``adopt``) makes a module
    from one of the same name in other code, by its ``state_dict()`` and attributes, or raises ValueError saying what
    does not fit. A checkpoint is data: its modules are made without calling their constructors and filled with
    parameters, buffers, children and those plain attributes (numbers, texts, lists of them) that the class's own code
    mentions; ``__setstate__`` is never called. A class with other state has a classmethod ``from_state(state)``, which
    makes a module from the result of its ``__getstate__``, with tensors, or raises ValueError.

    Attributes:
        id: unique over all specs of all kinds.
        kind: position in an architecture.
        load: imports torch and returns the classes, the main one first; checkpoints may contain these classes.
        paper: author, year, arXiv number or DOI.
        name: used in architectures, unique within its kind; empty: the id.
        build: see above; None: the main class, called with the same arguments.
        members: of a family of backbones: lists the names; an architecture says ``name/member``.
        part: of a loss: ``box``, ``class`` or ``mask``; otherwise empty.
        about: what it does, in one sentence.
        presets: architectures that it defines: suffix -> modifiers; ``{"cgnet": "+block=context_guided"}`` makes
            ``yolo11n-seg-cgnet`` an alias of ``yolo11n-seg+block=context_guided``.
    """

    id: str
    title: Text
    kind: LayerKind
    load: Callable[[], Sequence[type]]
    paper: str = ""
    name: str = ""
    build: Callable[..., Any] | None = None
    members: Callable[[], Sequence[str]] | None = None
    part: LossPart = ""
    about: Text = _NO_TEXT
    presets: Mapping[str, str] = field(default_factory=dict)
