"""The opened parts that a plugin's specs return, and the data that the program hands to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from inspector.api.options import _NO_TEXT, Text
from inspector.domain import Detection, Frame, Inspection, Job, ModelInfo, Part, Skipped, SourceStatus

if TYPE_CHECKING:
    from inspector.domain import Image


@runtime_checkable
class Model(Protocol):
    """An opened model. Opened, used and closed on one thread."""

    info: ModelInfo
    batch: int
    """Preferred number of images per call of :meth:`predict`; 1 if larger batches are no faster."""

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        """Find defects.

        Args:
            images: each (H, W, 3) uint8 BGR; sizes may differ.
            confidence: confidence threshold, 0 to 1.
            iou: NMS IoU, 0 to 1: of two detections of a class that overlap by more, the one with the lower score is
                dropped.

        Returns:
            The detections of each image, highest score first.
        """

    def close(self) -> None: ...


class ConcurrentPredictor(Protocol):
    """A model that infers several images at the same time."""

    streams: int
    """Number of threads, 1 or more, that may call :meth:`predict` at the same time; any thread may."""

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        """Same as :meth:`Model.predict`."""


ManyAtOnce = ConcurrentPredictor
"""Former name of :class:`ConcurrentPredictor`; plugins may keep using it."""


@runtime_checkable
class ParallelModel(Model, Protocol):
    """A model with higher throughput, at a higher latency per image, when several threads call it.

    Runs of files use it that way; cameras do not.
    """

    def many(self) -> ConcurrentPredictor:
        """Return the view for several threads, valid until :meth:`close`. :meth:`predict` must remain as fast."""


class Source(Protocol):
    """An opened source: an iterable of images. Opened, used and closed on one thread.

    It yields a :class:`Frame`; a :class:`Skipped` for an image that cannot be read; a :class:`SourceStatus` when its
    input is lost and again when it is back, so that no outdated verdict is shown; and, while it waits for the next
    image, None several times a second, so that a run can be paused and stopped. A source with random access is also a
    :class:`SeekableSource`, one that must know which images are done an :class:`AcknowledgingSource`.
    """

    total: int | None
    """Number of images, or None if unknown or endless."""

    def __iter__(self) -> Iterator[Frame | Skipped | SourceStatus | None]: ...

    def close(self) -> None: ...


@runtime_checkable
class SeekableSource(Source, Protocol):
    """A source with random access, for browsing: opened, used and closed on one thread; ``total`` is a number."""

    def frame(self, index: int) -> Frame | Skipped:
        """Return the image at ``index`` (0 to ``total`` - 1) as iterating yields it; Skipped if it cannot be read.

        Reading the next index must be about as fast as iterating.
        """


Browsable = SeekableSource
"""Former name of :class:`SeekableSource`; plugins may keep using it."""


@runtime_checkable
class AcknowledgingSource(Source, Protocol):
    """A source without an end that remembers which images are done, for example a watched folder.

    A run of such a source cannot be resumed: starting it again continues where it was. The source itself decides
    whether a file is inspected once more.
    """

    def done(self, item: Frame | Skipped) -> None:
        """Note that the result of ``item`` is safe on disk.

        Called once per item, in order, on another thread than the source's own, also after the source was closed.

        Args:
            item: a copy of what this source yielded, with the same path and index.
        """


class Exporter(Protocol):
    """An opened exporter. Opened, used and closed on one thread; closed also when the run ends early."""

    def write(self, inspection: Inspection) -> None: ...

    def close(self) -> Iterable[Path]:
        """Finish and return the files that were written."""


@runtime_checkable
class PartExporter(Exporter, Protocol):
    """An exporter that also writes parts."""

    def write_part(self, part: Part) -> None:
        """Write a part that is final. Called once per part, after :meth:`write` of its last image."""


@dataclass(frozen=True)
class Scope:
    """The part of the history that an export of earlier inspections covers.

    Attributes:
        filter: description of the inspections in the job's language.
        query: the same for programs: the fields of the query that are set, times as ISO 8601; ``selection`` is true
            if rows were selected by hand.
        inspections: number of exported inspections.
        total: number of inspections in the runs that they come from.
        runs: number of those runs.
        by: login name of the user.
        at: local time of the export, ISO 8601 with offset.
        version: of the program.
        parts: number of the parts that the exported inspections belong to.
    """

    filter: str
    query: Mapping[str, Any]
    inspections: int
    total: int
    runs: int
    by: str
    at: str
    version: str
    parts: int = 0

    @property
    def complete(self) -> bool:
        """Whether the runs are exported whole. A yield is reported only then: that of a part would mislead."""
        return self.inspections == self.total


@dataclass(frozen=True)
class RunInfo:
    """The run that an exporter writes."""

    job: Job
    model: ModelInfo
    title: str
    started: str
    """Local time, ISO 8601 with offset."""
    total: int | None = None
    ended: str = ""
    """Time of its end in an export of earlier inspections; else empty."""
    scope: Scope | None = None
    """Scope of an export of earlier inspections; None in the run itself, which writes all results."""


@dataclass(frozen=True)
class Architecture:
    """An architecture that can be trained.

    Attributes:
        name: for example ``yolo11n-seg-cgnet``.
        kind: ``base``, ``preset`` or ``modifier`` (added to a base, for example ``+block=vss``).
        title: for the window.
        paper: publication.
        meaning: of a preset: the base with its modifiers; otherwise the name.
        about: what it does, in one sentence; may be empty.
    """

    name: str
    kind: Literal["base", "preset", "modifier"]
    title: Text
    paper: str = ""
    meaning: str = ""
    about: Text = _NO_TEXT


@dataclass(frozen=True)
class Cost:
    """Size of an architecture and cost of inferring one image of imgsz x imgsz pixels.

    Attributes:
        name, meaning: see :class:`Architecture`.
        imgsz: pixels.
        layers: number of modules without submodules.
        parameters: number of parameters.
        gflops: 10^9 floating-point operations of one forward pass, scans and attention counted.
        stride: of the feature maps that the head reads, pixels.
        rows: (number, from, module, parameters) of each row of the network.
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
    """The architectures that a model plugin builds from its own and other plugins' layers."""

    def list(self) -> Sequence[Architecture]: ...

    def cost(self, name: str, imgsz: int = 640) -> Cost:
        """Return size and cost; raise InputError for a name that cannot be built."""

    def combinations(self) -> Sequence[str]:
        """Return distinct architectures that cover everything: bases, presets, modifiers alone and combined."""

    def check(self, name: str) -> None:
        """Build a small one, run it forward and backward, save and load it; raise InspectorError where that fails."""
