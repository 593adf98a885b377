"""Check a dataset in YOLO's layout before a training; images and labels are read as the import reads them.

An image with an unusable label is left out completely: its defects would be learned as background. Nothing
is written next to the user's files.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.datasets.yolo_layout.advice import advise
from inspector.datasets.yolo_layout.duplicates import MOST_COMPARED, Thumbnail, near_duplicates, thumbnail
from inspector.datasets.yolo_layout.findings import KEPT, Finding, LabelledImage
from inspector.datasets.yolo_layout.label_lines import are_tilted_boxes, fit_polygon, read_label
from inspector.datasets.yolo_layout.layout import YoloDataset, YoloImage, label_candidates
from inspector.datasets.yolo_layout.report import DOUBTFUL, FATAL, LOSING, SMALLEST
from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import InputError, message
from inspector.imaging import read_image

Tell = Callable[[str], None]
_MOST_NAMES = 30  # classes named in a sentence
_LOST_BY = {*LOSING, "unreadable_picture", "small_picture", "missing_picture", "shared_label"}


@dataclass(frozen=True)
class CheckReport:
    """Result of a check.

    Attributes:
        names: class names.
        images: split -> usable images.
        totals: split -> number of all images.
        findings: errors and hints.
    """

    names: tuple[str, ...]
    images: Mapping[str, tuple[LabelledImage, ...]]
    totals: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def pictures(self) -> Mapping[str, tuple[LabelledImage, ...]]:
        """Alias of ``images``, for plugins written for version 0.1."""
        return self.images

    @property
    def refusal(self) -> str | None:
        """Why training on it is impossible, in one sentence; None if it is possible."""
        return next((finding.sentence() for finding in self.findings if finding.fatal), None)

    @property
    def lost(self) -> bool:
        """Whether an image was left out that should have been used, or a label is uncertain."""
        return any(finding.kind in DOUBTFUL for finding in self.findings)

    def objects(self, split: str) -> dict[str, int]:
        """Number of labelled defects by class name."""
        counts = Counter(number for image in self.images[split] for number in image.classes)
        return {name: counts[number] for number, name in enumerate(self.names)}

    def sentences(self) -> list[str]:
        """Describe the splits and the findings for users."""
        lines = []
        for split, used in self.images.items():
            objects = self.objects(split)
            without = sum(not image.classes for image in used)
            lines.append(
                message(
                    "{split}: {count} of {images} images are used, {good} of them without a defect; {defects} "
                    "defects ({classes})",
                    split=split,
                    count=len(used),
                    images=self.totals[split],
                    good=without,
                    defects=sum(objects.values()),
                    classes=listed(objects),
                )
            )
        return [*lines, *(finding.sentence() for finding in self.findings)]

    def document(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "usable": self.refusal is None,
            "lost": self.lost,
            "refusal": self.refusal,
            "sentences": self.sentences(),
            "names": list(self.names),
            "splits": {
                split: {
                    "pictures": self.totals[split],
                    "used": len(used),
                    "without_defect": sum(not image.classes for image in used),
                    "defects": self.objects(split),
                    "median_side": int(np.median([max(one.height, one.width) for one in used])) if used else 0,
                }
                for split, used in self.images.items()
            },
            "findings": [
                {
                    "kind": finding.kind,
                    "split": finding.split,
                    "fatal": finding.fatal,
                    "count": finding.count,
                    "sentence": finding.sentence(),
                    "examples": finding.examples,
                }
                for finding in self.findings
            ],
        }


def listed(objects: Mapping[str, int]) -> str:
    """List the first thirty classes with their numbers of defects, for users."""
    each = [f"{shown(name, 40)} {count}" for name, count in itertools.islice(objects.items(), _MOST_NAMES)]
    return ", ".join([*each, "…"] if len(objects) > _MOST_NAMES else each)


@dataclass(frozen=True)
class Examined:
    """Result of reading one image and its label.

    Attributes:
        image: None if it is left out.
        digest: equal for equal pixels.
        findings: kind, example.
        small: thumbnail for finding near-duplicates.
    """

    image: LabelledImage | None
    digest: bytes
    findings: tuple[tuple[str, str], ...]
    small: Thumbnail | None = None


def check_yolo_dataset(dataset: YoloDataset, tell: Tell | None = None) -> CheckReport:
    """Read every image and label; all images are decoded, on all cores.

    Args:
        tell: called with a progress line every few seconds.
    """
    names = dataset.classes.names
    total, done, spoken = sum(map(len, dataset.images.values())), 0, time.monotonic()
    findings: dict[tuple[str, str], Finding] = {}
    digests: dict[str, dict[bytes, Path]] = {}
    images: dict[str, tuple[LabelledImage, ...]] = {}
    thumbnails: dict[str, list[tuple[bytes, Thumbnail]]] = {}
    for kind, split, example in dataset.notes:
        _note(findings, kind, split, example)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for split, mine in dataset.images.items():
            used: list[LabelledImage] = []
            digests[split], thumbnails[split] = {}, []
            for image, seen in zip(mine, pool.map(lambda one: examine_image(one, dataset), mine), strict=True):
                for kind, example in seen.findings:
                    _note(findings, kind, split, example)
                if seen.image is not None and seen.small is not None:
                    used.append(seen.image)
                    thumbnails[split].append((seen.digest, seen.small))
                    digests[split].setdefault(seen.digest, image.file)
                done += 1
                if tell is not None and time.monotonic() - spoken > 5:
                    spoken = time.monotonic()
                    tell(message("checking the dataset: {done} of {total} images", done=done, total=total))
            images[split] = tuple(used)
    outlines = [polygon for used in images.values() for one in used for polygon in one.polygons]
    if are_tilted_boxes(outline.astype(np.float64) for outline in outlines):
        findings["", "tilted_boxes"] = Finding("tilted_boxes", "", count=len(outlines), examples=[dataset.file.name])
    whole = [*findings.values(), *_shared(digests), *_absent(names, images), *advise(names, images)]
    whole += _alike(images, thumbnails, digests)
    totals = {split: len(mine) for split, mine in dataset.images.items()}
    impossible = _impossible(images, whole, dataset.images)
    return CheckReport(names, images, totals, tuple(sorted([*whole, *impossible], key=lambda one: not one.fatal)))


def _note(findings: dict[tuple[str, str], Finding], kind: str, split: str, example: str) -> None:
    findings.setdefault((split, kind), Finding(kind, split, fatal=kind in FATAL)).add(example)


def examine_image(image: YoloImage, dataset: YoloDataset) -> Examined:
    """Read one image and its label."""
    file = image.file
    if image.problem:
        label = f"{file.name}, {image.label.name}" if image.label is not None else str(file)
        return Examined(None, b"", ((image.problem, label),))
    try:
        pixels, _ = read_image(file)
    except InputError as error:
        return Examined(None, b"", (("unreadable_picture", str(error).partition(";")[0]),))
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        return Examined(None, b"", (("small_picture", f"{file.name}, {width} x {height}"),))
    digest = hashlib.blake2b(pixels.data, digest_size=16, person=b"%d %d" % (height, width)).digest()
    small = thumbnail(pixels)
    if image.label is None:
        return Examined(LabelledImage(file, height, width, (), ()), digest, (("taken_as_good", file.name),), small)
    lines = read_label(image.label, dataset.classes.places)
    if lines is None:
        return Examined(None, digest, (("unreadable_label", image.label.name),))
    findings: list[tuple[str, str]] = []
    defects: dict[tuple[int, bytes], NDArray[np.float32]] = {}
    for line in lines:
        problem = line.problem
        if line.polygon is not None:
            prepare_image, over, problem = fit_polygon([line.polygon * (width, height)], width, height)
            if prepare_image is not None:
                key = line.place, prepare_image.tobytes()
                problem = "repeated" if key in defects else ""
                defects[key] = np.asarray(prepare_image if over > 0 else line.polygon, np.float32)
        if problem:
            findings.append((problem, f"{image.label.name} line {line.number}"))
    if any(kind in LOSING for kind, _ in findings):
        return Examined(None, digest, tuple(findings))
    used = LabelledImage(file, height, width, tuple(key[0] for key in defects), tuple(defects.values()))
    return Examined(used, digest, tuple(findings), small)


def _shared(digests: Mapping[str, Mapping[bytes, Path]]) -> Iterator[Finding]:
    """Images of one split that are also in another, pixel for pixel."""
    for one, other in itertools.combinations(digests, 2):
        both = sorted(digests[one].keys() & digests[other].keys(), key=lambda key: str(digests[one][key]))
        if both:
            pairs = [shown(f"{digests[one][key].name} = {digests[other][key].name}") for key in both[:KEPT]]
            yield Finding("shared", f"{one} and {other}", count=len(both), examples=pairs)


def _alike(
    images: Mapping[str, Sequence[LabelledImage]],
    thumbnails: Mapping[str, Sequence[tuple[bytes, Thumbnail]]],
    digests: Mapping[str, Mapping[bytes, Path]],
) -> Iterator[Finding]:
    """Images of one split that look almost like one of another, except identical ones."""
    often = Counter(digest for mine in digests.values() for digest in mine)
    same = frozenset(
        (split, number)
        for split, mine in thumbnails.items()
        for number, (digest, _) in enumerate(mine)
        if often[digest] > 1
    )
    small = {split: [one for _, one in mine] for split, mine in thumbnails.items()}
    for one, other, pairs, sampled in near_duplicates(small, same):
        names = [shown(f"{images[one][a].file.name} ~ {images[other][b].file.name}") for a, b in pairs[:KEPT]]
        some = "; ".join([*names[:3], *(["…"] if len(names) > 3 else [])])
        if sampled:
            text = message(
                "{count} images look almost the same ({examples}), {compared} of each having been compared: "
                "figures will look too good; keep images of one part or video in one split",
                count=len(pairs),
                examples=some,
                compared=MOST_COMPARED,
            )
        else:
            text = message(
                "{count} images look almost the same ({examples}): figures will look too good; keep images of "
                "one part or video in one split",
                count=len(pairs),
                examples=some,
            )
        yield Finding("near_duplicates", f"{one} and {other}", text, count=len(pairs), examples=names)


def _absent(names: Sequence[str], images: Mapping[str, Sequence[LabelledImage]]) -> Iterator[Finding]:
    """Classes without a single defect."""
    for split in ("train", "val"):
        present = {number for image in images[split] for number in image.classes}
        absent = [shown(name, 40) for number, name in enumerate(names) if number not in present]
        if absent and present:
            yield Finding("absent_class", split, count=len(absent), examples=absent[:KEPT])
    if images["val"] and not any(image.classes for image in images["val"]):
        text = message("no defect is labelled, so all figures will be zero and the best model cannot be determined")
        yield Finding("no_defects", "val", text)


def _impossible(
    usable: Mapping[str, Sequence[LabelledImage]],
    findings: Sequence[Finding],
    images: Mapping[str, Sequence[YoloImage]],
) -> Iterator[Finding]:
    """Findings that leave nothing to train on or to evaluate with."""
    for split in ("train", "val"):
        losses = [finding for finding in findings if finding.split == split and finding.kind in _LOST_BY]
        most = max(losses, key=lambda finding: finding.count, default=None)
        because = most.description() if most else ""
        if not usable[split]:
            yield Finding("no_pictures", split, message("no image can be used: {reason}", reason=because), True)
        elif split == "train" and not any(image.classes for image in usable[split]):
            looked = message("all label files are empty")
            missing = next((image.file for image in images[split] if image.label is None), None)
            if missing is not None:
                folder, name = next(label_candidates(missing))
                looked = message(
                    "the label of {image} is expected at {label}",
                    image=shown(missing.name),
                    label=shown(folder / name),
                )
            yield Finding(
                "no_labels", split, message("no defect is labelled: {reason}", reason=because or looked), True
            )
