"""Advice on sound datasets with too few images or defects to give meaningful results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from inspector.datasets.yolo_layout.findings import KEPT, Finding, LabelledImage
from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import message

LEAST_VALIDATION = 30
"""Images needed to choose a model; with fewer, one more hit or miss changes the metrics by percents."""
LEAST_DEFECTS = 100
"""Labelled defects needed per class for training, as in the training guide."""
_MOST_NAMED = 10  # classes named in the sentence


def advise(names: Sequence[str], images: Mapping[str, Sequence[LabelledImage]]) -> Iterator[Finding]:
    """Return what is too few; nothing for a split without images, which is a finding of its own."""
    validation = len(images["val"])
    if 0 < validation < LEAST_VALIDATION:
        text = message(
            "fewer than {minimum} images ({count}); add more, or its figures are left to chance",
            minimum=LEAST_VALIDATION,
            count=validation,
        )
        yield Finding("few_images", "val", text, count=validation)
    for split in ("train", "val"):
        if images[split] and all(image.classes for image in images[split]):
            text = message(
                "no image without a defect; add good parts, or false alarms are neither unlearned nor counted"
            )
            yield Finding("no_good", split, text)
    counts = Counter(number for image in images["train"] for number in image.classes)
    few = {name: counts[number] for number, name in enumerate(names) if 0 < counts[number] < LEAST_DEFECTS}
    if few:
        each = [f"{shown(name, 40)} {count}" for name, count in few.items()]
        listed = ", ".join([*each[:_MOST_NAMED], *(["…"] if len(each) > _MOST_NAMED else [])])
        text = message(
            "fewer than {minimum} labelled defects of a class ({classes}); label more for reliable figures",
            minimum=LEAST_DEFECTS,
            classes=listed,
        )
        yield Finding("few_defects", "train", text, count=len(few), examples=each[:KEPT])
