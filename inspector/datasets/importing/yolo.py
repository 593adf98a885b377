"""Read YOLO segmentation datasets of other programs: data.yaml with folders, lists or neither, and a .txt per image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inspector.datasets.importing.source import Source
from inspector.datasets.yolo_layout.data_yaml import Classes, read_class_list, read_description
from inspector.datasets.yolo_layout.label_lines import are_tilted_boxes, read_label
from inspector.datasets.yolo_layout.layout import (
    YoloDataset,
    YoloImage,
    match_labels,
    orphans,
    read_yolo_dataset,
    splits_of,
)
from inspector.datasets.yolo_layout.report import ConversionReport, Labelled, Labels, Shape
from inspector.domain import InputError


def can_read(source: Source) -> bool:
    """Whether there is a data.yaml, readable or not, or a classes.txt."""
    return bool(source.descriptions or source.class_lists)


def read(source: Source, notes: ConversionReport) -> Labels:
    """Read all images of the splits in data.yaml, or all there are; one without a label file has no defect.

    If train and val are the same, there is no split.

    Raises:
        InputError: nothing names the classes, or they are ambiguous.
    """
    dataset = _dataset(source)
    images = _divided(source, dataset, notes)
    for kind, _, example in dataset.notes:
        notes.add(kind, example)
    labels = Labels(names=dataset.names, seen=set(source.images))
    for image, split in images:
        if image.problem:
            notes.add(image.problem, source.relative(image.file))
            continue
        if not source.is_allowed(image.file):
            notes.add("elsewhere", source.relative(image.file))
            continue
        if image.label is None:
            notes.add("taken_as_good", source.relative(image.file))
        shapes = _shapes(source, image, dataset.classes, notes)
        if shapes is not None:
            labels.images.append(Labelled(image.file, image.file.name, shapes, (1.0, 1.0), split))
    outlines = [ring for one in labels.images for shape in one.shapes for ring in shape.rings]
    if are_tilted_boxes(outlines):
        notes.add("tilted_boxes", source.relative(dataset.file), len(outlines))
    return labels


def _shapes(source: Source, image: YoloImage, classes: Classes, notes: ConversionReport) -> tuple[Shape, ...] | None:
    """The shapes of an image; None if they must not be used."""
    if image.label is None:
        return ()
    lines = read_label(image.label, classes.places)
    if lines is None:
        notes.add("unreadable_label", source.relative(image.label))
        return None
    shapes = []
    for line in lines:
        label = classes.names[line.place] if line.place >= 0 else ""
        example = f"{source.relative(image.label)} line {line.number}"
        if line.problem == "wrong_class":
            notes.add(line.problem, example)
        rings = () if line.polygon is None else (line.polygon,)
        shapes.append(Shape(label, rings, line.problem, example=example))
    return tuple(shapes)


def _dataset(source: Source) -> YoloDataset:
    """The dataset of a data.yaml, or of a classes.txt with all images of the folder."""
    if source.descriptions:
        file = source.descriptions[0]
        description = read_description(file)
        if description.splits:
            return read_yolo_dataset(file, needed=())
        classes = description.classes
    elif source.class_lists:
        file = source.class_lists[0]
        classes = read_class_list(file)
        others = [one for one in source.class_lists[1:] if read_class_list(one).names != classes.names]
        if others:
            raise InputError(
                "{file} and {other} name different classes; delete the old one",
                file=source.relative(file),
                other=source.relative(others[0]),
            )
    else:
        raise InputError(
            "{folder} has no data.yaml that names the classes; write one with the line names: ['Defect']",
            folder=source.folder,
        )
    images = match_labels({"": [YoloImage(image) for image in source.images]})
    notes = [*((kind, "", example) for kind, example in classes.notes), *orphans(images)]
    return YoloDataset(file, classes, {}, images, tuple(notes))


def _divided(source: Source, dataset: YoloDataset, notes: ConversionReport) -> Iterable[tuple[YoloImage, str | None]]:
    """Every image with its split; None if the description does not divide them."""
    if "" in dataset.images:
        return [(image, None) for image in dataset.images[""]]
    own = {split: [image.file for image in images] for split, images in dataset.images.items()}
    undivided = "val" in own and own["val"] == own.get("train")
    chosen: dict[Path, tuple[YoloImage, str | None]] = {}
    for split, image in reversed(list(splits_of(dataset.images))):
        if undivided and split == "val":
            continue
        before = chosen.setdefault(image.file, (image, None if undivided and split == "train" else split))
        if before[1] not in (split, None):
            notes.add("two_splits", source.relative(image.file))
    return reversed(list(chosen.values()))
