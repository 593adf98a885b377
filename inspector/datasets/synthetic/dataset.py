"""Write a folder of synthetic images in the YOLO segmentation layout."""

import json
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from inspector.datasets.synthetic.defects import KINDS
from inspector.datasets.synthetic.part import Part, render_part
from inspector.datasets.synthetic.scene import Mask
from inspector.domain import InputError, InspectorError
from inspector.system.paths import replace_patiently

VERSION = 2  # of the generator: the same seed gives the same bytes only within one version
_MOST_IMAGES = 1_000_000
SPLITS = ("train", "val", "test")
Classes: TypeAlias = Literal["single", "kinds"]


@dataclass(frozen=True)
class Summary:
    """Summary of a dataset: images per split, good parts among them, defects per split and kind."""

    folder: Path
    count: int
    seed: int
    pictures: dict[str, int]
    good: dict[str, int]
    defects: dict[str, dict[str, int]]


@dataclass(frozen=True)
class _Task:
    """One image to render: everything a worker process needs."""

    folder: str
    index: int
    split: str
    good: bool
    seed: int
    size: int
    kinds: bool


def synthesize(
    folder: Path,
    *,
    count: int = 1200,
    seed: int = 0,
    classes: Classes = "single",
    size: int = 640,
    good_share: float = 0.25,
    split: tuple[float, float, float] = (0.8, 0.1, 0.1),
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Render `count` images of `size` x `size` pixels into `folder`, which must be empty or not exist.

    `good_share` of the images of each split show no defect (empty label file); `split`: shares of train, val, test.
    `progress(done, count)` is called after each image. The same arguments give the same bytes, whatever `workers`.

    Raises:
        InputError: an argument is out of range, or the folder is in use or cannot be written.
    """
    folder = Path(folder).absolute()
    _check(count, seed, classes, size, good_share, split)
    building = _open_building(folder)
    try:
        tasks = _plan(building, count, seed, size, classes == "kinds", good_share, split)
        for name in SPLITS:
            for part in ("images", "labels", "masks"):
                (building / part / name).mkdir(parents=True)
        found: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
        with closing(_run(tasks, workers)) as results:
            for done, (task, kinds) in enumerate(zip(tasks, results, strict=True), 1):
                found[task.split].update(kinds)
                if progress is not None:
                    progress(done, count)
        summary = Summary(
            folder=folder,
            count=count,
            seed=seed,
            pictures={name: sum(task.split == name for task in tasks) for name in SPLITS},
            good={name: sum(task.good and task.split == name for task in tasks) for name in SPLITS},
            defects={name: {kind: found[name][kind] for kind in KINDS} for name in SPLITS},
        )
        _write_head(building, summary, classes, size)
        if folder.exists():
            folder.rmdir()
        replace_patiently(building, folder)
    except OSError as error:
        raise InputError(
            "Cannot write to {folder}: {reason}. Choose another folder.", folder=folder, reason=error.strerror or error
        ) from error
    except BrokenProcessPool as error:
        raise InspectorError("A worker process was stopped, often for lack of memory. Use fewer workers.") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return summary


def _check(
    count: int, seed: int, classes: str, size: int, good_share: float, split: tuple[float, float, float]
) -> None:
    if not 1 <= count <= _MOST_IMAGES:
        raise InputError(
            "The number of images is {count}, but must be from 1 to {limit}.",
            count=count,
            limit=_MOST_IMAGES,
        )
    if seed < 0:
        raise InputError("The seed is {seed}, but must be 0 or more.", seed=seed)
    if classes not in ("single", "kinds"):
        raise InputError("The classes are '{classes}', but must be 'single' or 'kinds'.", classes=classes)
    if not 160 <= size <= 4096:
        raise InputError("The image size is {size} pixels, but must be from 160 to 4096.", size=size)
    if not 0 <= good_share <= 1:
        raise InputError("The share of good parts is {good_share}, but must be from 0 to 1.", good_share=good_share)
    if len(split) != 3 or min(split) < 0 or abs(sum(split) - 1) > 1e-6:
        raise InputError(
            "The split is {split}, but must be three shares (train, val, test) that add up to 1.", split=split
        )


def _open_building(folder: Path) -> Path:
    """Create a hidden folder next to `folder`, to be renamed when everything is written."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("{folder} exists and is not empty. Choose a new or an empty folder.", folder=folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        building.chmod(0o755)
    except OSError as error:
        raise InputError(
            "Cannot write to {folder}: {reason}. Choose another folder.", folder=folder, reason=error.strerror or error
        ) from error
    return building


def _plan(
    building: Path, count: int, seed: int, size: int, kinds: bool, good_share: float, split: tuple[float, float, float]
) -> list[_Task]:
    """Assign the images to the splits, and good parts within each split, at random but in exact numbers."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    order = rng.permutation(count)
    sizes = [round(count * share) for share in split[1:]]
    sizes = [min(sizes[0], count), min(sizes[1], count - min(sizes[0], count))]
    starts = {"val": 0, "test": sizes[0], "train": sizes[0] + sizes[1]}
    ends = {"val": sizes[0], "test": sizes[0] + sizes[1], "train": count}
    tasks: list[_Task] = []
    for name in SPLITS:
        members = order[starts[name] : ends[name]]
        good = round(len(members) * good_share)
        for place, index in enumerate(members):
            tasks.append(_Task(str(building), int(index), name, place < good, seed, size, kinds))
    return sorted(tasks, key=lambda task: task.index)


def _run(tasks: list[_Task], workers: int | None) -> Generator[list[str], None, None]:
    """Return the kinds painted on each image, in the order of the tasks."""
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    if workers <= 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for task in tasks:
                yield _make(task)
        finally:
            cv2.setNumThreads(threads)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=cv2.setNumThreads,
                               initargs=(1,))  # fmt: skip
    try:
        yield from pool.map(_make, tasks, chunksize=max(1, min(8, len(tasks) // (workers * 2))))
    finally:
        pool.shutdown(cancel_futures=True)


def _make(task: _Task) -> list[str]:
    """Render one image and write image, label and masks; return the kinds of its defects."""
    rng = np.random.default_rng(np.random.SeedSequence(task.seed, spawn_key=(task.index,)))
    part = render_part(rng, size=task.size, good=task.good)
    quality = int(rng.integers(82, 97) if rng.random() < 0.7 else rng.integers(50, 82))
    folder, name = Path(task.folder), f"{task.index:05d}"
    _write(folder / "images" / task.split / f"{name}.jpg", part.image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    _write(folder / "masks" / task.split / f"{name}.png", number_masks(part), [])
    lines = []
    for defect in part.defects:
        number = KINDS.index(defect.kind) if task.kinds else 0
        points = outline(defect.mask) / task.size
        lines.append(" ".join([str(number), *(f"{value:.6f}" for value in points.ravel())]) + "\n")
    (folder / "labels" / task.split / f"{name}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
    return [defect.kind for defect in part.defects]


def number_masks(part: Part) -> npt.NDArray[np.uint8]:
    """Combine all masks of a part into one image (H, W): k on the pixels of the k-th defect, from 1."""
    out = np.zeros(part.image.shape[:2], np.uint8)
    for number, defect in enumerate(part.defects, 1):
        out[defect.mask] = number
    return out


def outline(mask: Mask) -> npt.NDArray[np.float64]:
    """Outline a one-piece mask as a polygon (n, 2), x and y in pixels from the image's corner.

    The polygon runs a quarter pixel inside the outer edges of the pixels, so that filling it gives back the mask
    whether a pixel counts by its centre or by its corner; simplified by less than half a pixel.
    """
    double = np.repeat(np.repeat(mask.astype(np.uint8), 2, 0), 2, 1)
    contours, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    points = np.asarray(cv2.approxPolyDP(largest, 0.9, True), np.float64).reshape(-1, 2)
    if len(points) < 3:  # a mask one pixel wide, of which only a line would be left
        points = largest.astype(np.float64).reshape(-1, 2)
    return np.clip((points + 0.5) / 2, 0, [mask.shape[1], mask.shape[0]])


def _write(path: Path, image: npt.NDArray[np.uint8], options: list[int]) -> None:
    done, data = cv2.imencode(path.suffix, image, options)
    if not done:
        raise OSError(f"cannot encode {path.name}")
    path.write_bytes(data.tobytes())


def _write_head(building: Path, summary: Summary, classes: Classes, size: int) -> None:
    """Write `data.yaml` for training, and `synthesis.json`, which documents how the folder was generated."""
    names = KINDS if classes == "kinds" else ("Defect",)
    text = "train: images/train\nval: images/val\ntest: images/test\n"
    text += f"nc: {len(names)}\nnames:\n" + "".join(f"  {i}: {name}\n" for i, name in enumerate(names))
    (building / "data.yaml").write_text(text, encoding="utf-8", newline="\n")
    facts = {"generator": VERSION, "classes": classes, "size": size, **asdict(summary)}
    del facts["folder"]
    (building / "synthesis.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8", newline="\n")
