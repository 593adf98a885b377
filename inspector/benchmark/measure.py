"""Measure one setting in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.api import (
    Browsable,
    Detection,
    Frame,
    ModelSpec,
    ParallelModel,
    Skipped,
    Source,
    SourceStatus,
    check_options,
)
from inspector.domain import InputError, message
from inspector.jobs.sources import resolve_sources
from inspector.registry import Registry

if TYPE_CHECKING:
    from inspector.domain import Image

_MOST_IMAGES = 24
_MOST_BYTES = 256 << 20  # in memory; no further image is loaded beyond it
_FEWEST = 3  # images to be timed, however long they take


def load_images(catalogue: Registry, text: str) -> list[Image]:
    """Load at most 24 images from a source as the user typed it, evenly spread over a folder or a video; at least one.

    Raises:
        InputError: it cannot be read, has no end, or holds no image.
    """
    images: list[Image] = []
    for choice in resolve_sources(catalogue, text):
        spec = catalogue.source(choice.id)
        if spec.droppable:
            raise InputError("{source} has no end; choose a folder of images", source=text)
        source = spec.open(**check_options(spec.options, choice.options, message("Source {id}", id=spec.id)))
        try:
            for image in _spread(source, _MOST_IMAGES - len(images)):
                images.append(image)
                if sum(image.nbytes for image in images) > _MOST_BYTES:
                    return images
        finally:
            source.close()
    if not images:
        raise InputError("No image of {source} can be read; choose a folder of images", source=text)
    return images


def _spread(source: Source, most: int) -> Iterator[Image]:
    """Yield at most ``most`` images, spread evenly over a seekable source."""
    contents: Iterable[Frame | Skipped | SourceStatus | None] = source
    if isinstance(source, Browsable) and source.total and most:
        contents = map(source.frame, range(0, source.total, -(-source.total // most)))
    for content in islice(contents, most):
        if isinstance(content, Frame):
            yield content.image


def measure(
    spec: ModelSpec,
    weights: Path | None,
    device: str,
    layers: Sequence[Any],
    options: Mapping[str, Any],
    load: Callable[[], Sequence[Image]],
    confidence: float,
    iou: float,
    seconds: float,
) -> dict[str, Any]:
    """Open the model and run it for about ``seconds``: half the time with single images, half at full concurrency.

    Args:
        load: loads the images after the model is open, so that an invalid model is reported first.

    Returns:
        For JSON: ``info`` as :class:`inspector.domain.ModelInfo`; ``open_ms`` from before opening to the first result;
        ``ms`` of single images; ``streams``, ``batch`` and ``rate``: images per second, from so many threads with so
        many images each; ``memory_mb`` of this process without the images, MiB; ``found``: the detections of each
        image.
    """
    import psutil

    began = time.perf_counter()
    model = spec.open(weights, device, layers=layers, **options)
    try:
        opened = time.perf_counter() - began
        images = load()
        began = time.perf_counter()
        model.predict(images[:1], confidence, iou)
        opened += time.perf_counter() - began
        found = [model.predict([image], confidence, iou)[0] for image in images]  # each shape has been seen once, too
        took: list[float] = []
        until = time.perf_counter() + seconds / 2
        for image in cycle(images):
            began = time.perf_counter()
            model.predict([image], confidence, iou)
            ended = time.perf_counter()
            took.append(round((ended - began) * 1000, 3))
            if ended >= until and len(took) >= _FEWEST:
                break
        many = model.many() if isinstance(model, ParallelModel) else model
        streams, batch = max(1, getattr(many, "streams", 1)), max(1, model.batch)
        rate = _rate(many, streams, batch, images, confidence, iou, seconds / 2)
        memory = psutil.Process().memory_info().rss - sum(image.nbytes for image in images)
        return {
            "info": asdict(model.info),
            "open_ms": round(opened * 1000, 1),
            "ms": took,
            "streams": streams,
            "batch": batch,
            "rate": round(rate, 2),
            "memory_mb": round(memory / 2**20, 1),
            "found": [
                [_plain(one, *image.shape[:2]) for one in some] for some, image in zip(found, images, strict=True)
            ],
        }
    finally:
        model.close()


def _rate(
    model: Any, streams: int, batch: int, images: Sequence[Image], confidence: float, iou: float, seconds: float
) -> float:
    """Images per second, from ``streams`` threads with ``batch`` images at once each."""
    whole = -(-len(images) // batch) * batch
    repeated = list(islice(cycle(images), whole))
    batches = [repeated[start : start + batch] for start in range(0, whole, batch)]
    until = 0.0

    def work(first: int) -> int:
        done = 0
        for some in islice(cycle(batches), first, None):
            model.predict(some, confidence, iou)
            done += len(some)
            if time.perf_counter() >= until:
                break
        return done

    with ExitStack() as stack:
        # A single stream stays on this thread: torch starts additional threads for each calling thread.
        every = stack.enter_context(ThreadPoolExecutor(streams)).map if streams > 1 else map
        list(every(lambda some: model.predict(some, confidence, iou), batches))  # warm up each shape
        began = time.perf_counter()
        until = began + seconds
        done = sum(every(work, range(streams)))
        return done / (time.perf_counter() - began)


def _plain(detection: Detection, height: int, width: int) -> dict[str, Any]:
    rle = None if detection.mask is None else detection.mask.rle(height, width)
    return {
        "label": detection.label,
        "score": float(detection.score),
        "box": [float(side) for side in detection.box],
        "rle": rle,
    }
