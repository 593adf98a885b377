"""Images and the defects detected in them.

The origin of pixel coordinates is the outer corner of the top left pixel; x points right, y points down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from inspector.domain.measures import Measures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Frame:
    """An image from a source.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        index: position among the still images of the run (a source counts its own), or frame number in its video,
            from 0.
        name: for the user; a file name for files. Unique only together with ``index``.
        seconds: position in the stream; None for a still image.
        rate: nominal frames per second of the stream; None for a still image or if unknown.
        path: its file, if it came from one.
        read_ms: time for reading and decoding, milliseconds.
        notes: remarks on the reading for the user, for example "page 1 of 3".
    """

    image: Image
    index: int
    name: str
    seconds: float | None = None
    rate: float | None = None
    path: str | None = None
    read_ms: float = 0.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape, kind = getattr(self.image, "shape", None), str(getattr(self.image, "dtype", None))
        if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != "uint8":
            raise ValueError(f"Frame.image must be (H, W, 3) uint8 BGR and not empty, not {shape} {kind}")

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True)
class Skipped:
    """An image that a source could not read; the run reports it and continues."""

    name: str
    reason: str
    path: str | None = None


@dataclass(frozen=True)
class SourceStatus:
    """A source's report that its input (camera, watched folder) is lost or available again, or that an image arrives.

    Attributes:
        available: False while it provides no images.
        message: one sentence for the user, for example "rtsp://192.168.1.20: the connection was lost; reconnecting".
        pending: name of an image that has arrived but is not complete yet; until the next frame, or the next report.
    """

    available: bool
    message: str = ""
    pending: str = ""


@dataclass(frozen=True, eq=False)
class Mask:
    """The pixels of a defect, cropped to their bounding box. Holes are not part of the area.

    Attributes:
        x, y: column and row of the crop's top left pixel in the full image.
        pixels: (h, w) bool.
    """

    x: int
    y: int
    pixels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or str(self.pixels.dtype) != "bool":
            raise ValueError(f"Mask.pixels must be (h, w) bool, not {self.pixels.shape} {self.pixels.dtype}")

    @cached_property
    def area(self) -> int:
        """Number of pixels, px²."""
        import numpy as np

        return int(np.count_nonzero(self.pixels))

    @cached_property
    def rect_length(self) -> float:
        """Long side of the smallest rotated rectangle around the pixels' outer corners, px; 0 for an empty mask."""
        import cv2
        import numpy as np

        rows = np.flatnonzero(self.pixels.any(1))
        if rows.size == 0:
            return 0.0
        # Per row only the outermost pixels can touch the hull.
        corners = np.empty((2, 2, rows.size, 2), np.float32)  # left or right, upper or lower, row, x and y
        corners[0, ..., 0] = self.pixels.argmax(1)[rows]
        corners[1, ..., 0] = self.pixels.shape[1] - self.pixels[:, ::-1].argmax(1)[rows]
        corners[:, 0, :, 1], corners[:, 1, :, 1] = rows, rows + 1
        _, size, _ = cv2.minAreaRect(corners.reshape(-1, 2))
        return float(max(size))

    def rle(self, height: int, width: int) -> dict[str, Any]:
        """Return COCO's compressed run-length encoding in an image of ``height`` x ``width`` pixels; cached.

        Returns:
            ``{"size": [height, width], "counts": str}``, as pycocotools reads and writes it.
        """
        size = (height, width)
        if size not in self._counts:
            from inspector.domain.rle import encode

            self._counts[size] = encode(self.pixels, self.x, self.y, height, width)
        return {"size": [height, width], "counts": self._counts[size]}

    @cached_property
    def _counts(self) -> dict[tuple[int, int], str]:
        return {}

    @classmethod
    def from_rle(cls, rle: Mapping[str, Any]) -> Mask:
        """Decode a COCO run-length encoding (inverse of :meth:`rle`).

        Raises:
            ValueError: the counts are damaged, or do not belong to an image of that size.
        """
        from inspector.domain.rle import decode

        height, width = rle["size"]
        return cls(*decode(rle["counts"], height, width))

    def polygons(self) -> list[NDArray[np.float32]]:
        """Return outer contours in full-image pixels, each (n, 2) float32 with n >= 3, largest first, without holes.

        Vertices are outer pixel corners, so the polygon of a filled rectangle has exactly its area.
        """
        import cv2
        import numpy as np

        # Doubling puts the pixels' corners on the integer grid that findContours walks.
        big = cv2.resize(self.pixels.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        polygons = []
        for contour in sorted(contours, key=cv2.contourArea, reverse=True):
            points = contour[:, 0].astype(np.float32)
            # Odd indices are a pixel's right or lower half: the corner is half a step further.
            points = np.floor((points + 1) / 2) + np.array([self.x, self.y], np.float32)
            if len(points) >= 3:
                polygons.append(points)
        return polygons


@dataclass(frozen=True, eq=False)
class Detection:
    """One defect.

    Attributes:
        label: class name.
        score: confidence, 0 to 1.
        box: (x1, y1, x2, y2) in full-image pixels.
        mask: its pixels; None from a model without masks.
        class_id: index of the label in the model's names.
        measures: set by the engine; None before.
        region: name of the region that contains it; None if there is none.
    """

    label: str
    score: float
    box: Box
    mask: Mask | None = None
    class_id: int = 0
    measures: Measures | None = None
    region: str | None = None

    @property
    def sound(self) -> bool:
        """Whether its score and box are finite numbers, and the box has no negative size."""
        x1, y1, x2, y2 = self.box
        return all(map(isfinite, (self.score, *self.box))) and x1 <= x2 and y1 <= y2

    @property
    def area(self) -> int | None:
        """Pixels of the mask, px²; None without a mask."""
        return None if self.mask is None else self.mask.area

    @property
    def length(self) -> float | None:
        """Length along the skeleton, px; None without a mask. Before measuring: long side of the smallest rectangle."""
        if self.measures is not None:
            return self.measures.length_px
        return None if self.mask is None else self.mask.rect_length
