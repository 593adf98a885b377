"""Import of labels from labelme, COCO and YOLO into a dataset in YOLO's layout."""

from inspector.datasets.importing.conversion import Summary, convert, unlabelled_images

__all__ = ["Summary", "convert", "unlabelled_images"]
