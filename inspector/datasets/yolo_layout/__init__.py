"""Read and check datasets in YOLO's layout.

:func:`read_yolo_dataset` is the only reader of that layout: for import, check and evaluation.
"""

from inspector.datasets.yolo_layout.check import CheckReport, check_yolo_dataset, examine_image
from inspector.datasets.yolo_layout.findings import LabelledImage
from inspector.datasets.yolo_layout.layout import YoloDataset, YoloImage, images_in, read_yolo_dataset

__all__ = [
    "CheckReport",
    "LabelledImage",
    "YoloDataset",
    "YoloImage",
    "check_yolo_dataset",
    "examine_image",
    "images_in",
    "read_yolo_dataset",
]
