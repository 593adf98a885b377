"""Other people's labels (labelme, COCO, YOLO) become a data set in YOLO's segmentation layout, ready for training."""

from inspector.conversion.dataset import Summary, convert

__all__ = ["Summary", "convert"]
