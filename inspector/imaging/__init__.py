"""Read and write image files with any path, and draw detections."""

from inspector.imaging.files import read_image, write_image
from inspector.imaging.overlay import class_colour, draw_inspection
from inspector.imaging.polygons import joined, mask_polygons

__all__ = ["class_colour", "draw_inspection", "joined", "mask_polygons", "read_image", "write_image"]
