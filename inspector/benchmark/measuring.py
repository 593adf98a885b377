"""Measures one setting in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import jobs
from inspector.api import Browsable, Detection, Frame, ModelSpec, ParallelModel, Skipped, Source, check_options
from inspector.domain import InputError
from inspector.registry import Registry

if TYPE_CHECKING:
    from inspector.domain import Image

_MOST_PICTURES = 24
_MOST_BYTES = 256 << 20  # in memory, from which on no other picture is taken
_FEWEST = 3  # pictures to be timed, however long they take


def load_pictures(catalogue: Registry, text: str) -> list[Image]:
    """Pictures of what a user typed, 24 at most, evenly spread over a folder or a video; at least one.

    Raises:
        InputError: it cannot be read, has no end, or holds no picture.
    """
    images: list[Image] = []
    for choice in jobs.claim(catalogue, text):
        spec = catalogue.source(choice.id)
        if spec.droppable:
            raise InputError(f"{text} has no end; give a folder of pictures")
        source = spec.open(**check_options(spec.options, choice.options, f"Source {spec.id}"))
        try:
            for image in _spread(source, _MOST_PICTURES - len(images)):
                images.append(image)
                if sum(image.nbytes for image in images) > _MOST_BYTES:
                    return images
        finally:
            source.close()
    if not images:
        raise InputError(f"No picture of {text} can be read; give a folder of pictures")
    return images


def _spread(source: Source, most: int) -> Iterator[Image]:
    """So many pictures at most; of a source that can be looked through from everywhere in it."""
    contents: Iterable[Frame | Skipped | None] = source
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
    """Open the model and use it for about ``seconds``, half of them one picture at a time, half with all it can do.

    Args:
        load: the pictures, loaded once the model is open: what it refuses need not wait for them.

    Returns:
        For JSON: ``info`` as :class:`inspector.domain.ModelInfo`; ``open_ms`` from before opening to the first result;
        ``ms`` of single pictures; ``streams``, ``batch`` and ``rate``: pictures a second, from so many threads with so
        many pictures each; ``memory_mb`` of this process without the pictures, MiB; ``found``: the detections of each
        picture.
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
        found = [model.predict([image], confidence, iou)[0] for image in images]  # each shape has been met once, too
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
    """Pictures a second, from ``streams`` threads with ``batch`` pictures at once each."""
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
        # One alone stays on this thread: torch starts other threads of its own for each that calls it.
        every = stack.enter_context(ThreadPoolExecutor(streams)).map if streams > 1 else map
        list(every(lambda some: model.predict(some, confidence, iou), batches))  # warm in each shape
        began = time.perf_counter()
        until = began + seconds
        done = sum(every(work, range(streams)))
        return done / (time.perf_counter() - began)


def _plain(one: Detection, height: int, width: int) -> dict[str, Any]:
    rle = None if one.mask is None else one.mask.rle(height, width)
    return {"label": one.label, "score": float(one.score), "box": [float(side) for side in one.box], "rle": rle}
