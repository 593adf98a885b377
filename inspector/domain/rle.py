"""COCO run-length encoding of cropped masks, without creating a mask of the whole image.

The image is scanned column by column; counts are the lengths of alternating runs of 0 and 1, beginning with 0. As text,
a count is the difference to the last but one (from the fourth on), lowest 5 bits first, one character each: 48 plus the
bits, plus 32 if more follow. The fifth bit of the last character is the sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


def encode(pixels: NDArray[np.bool_], x: int, y: int, height: int, width: int) -> str:
    """Return the compressed counts of a mask of ``height`` x ``width`` that is 0 outside ``pixels``.

    Args:
        pixels: (h, w) bool, within the image.
        x, y: column and row of their top left pixel.
    """
    h, w = pixels.shape
    line = np.zeros(1 + w * (h + 1), bool)  # a 0 before all columns and after each, so that runs end there
    line[1:].reshape(w, h + 1)[:, :h] = pixels.T
    column, row = np.divmod(np.flatnonzero(line[1:] != line[:-1]), h + 1)
    edges = (column + x) * height + row + y  # starts and ends of the runs of 1
    if h == height and len(edges):  # a run may end where the next begins
        apart = np.repeat(edges[1:-1:2] != edges[2::2], 2)
        edges = edges[np.concatenate([[True], apart, [True]])]
    counts = np.diff(np.concatenate([[0], edges, [height * width]])).tolist()
    if counts[-1] == 0:
        counts.pop()
    packed: bytes = coco.frPyObjects({"counts": counts, "size": [height, width]}, height, width)["counts"]
    return packed.decode("ascii")


def decode(counts: str | bytes, height: int, width: int) -> tuple[int, int, NDArray[np.bool_]]:
    """Return x, y and the mask (h, w) cropped to the bounding box of its 1s; 0, 0 and (0, 0) if there are none.

    Raises:
        ValueError: the counts are damaged, or do not belong to an image of ``height`` x ``width``.
    """
    runs = _decompressed(counts.encode("utf-8") if isinstance(counts, str) else counts)
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"these are not the run lengths of an image of {height} x {width} pixels")
    starts, ends = np.cumsum(runs)[: len(runs) // 2 * 2].reshape(-1, 2).T
    used = starts < ends
    if not used.any():
        return 0, 0, np.zeros((0, 0), bool)
    left, top = np.divmod(starts[used], height)
    right, bottom = np.divmod(ends[used] - 1, height)
    x, w = int(left[0]), int(right[-1] - left[0]) + 1
    y, h = int(top.min()), int(bottom.max() - top.min()) + 1
    if (left != right).any():  # a run across columns touches bottom and top
        y, h = 0, height
    edges = np.stack([(left - x) * h + top - y, (right - x) * h + bottom - y + 1], 1).ravel()
    lengths = np.diff(np.concatenate([[0], edges, [w * h]]))
    pixels = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(w, h).T
    return x, y, np.ascontiguousarray(pixels)


def _decompressed(text: bytes) -> NDArray[np.int64]:
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 32 == 0) + 1
    starts = np.concatenate([[0], ends[:-1]])
    sizes = ends - starts
    if not len(ends) or ends[-1] != len(codes) or codes.min() < 0 or codes.max() > 63 or sizes.max() > 12:
        raise ValueError("the run lengths of a mask are damaged")
    positions = np.arange(len(codes)) - np.repeat(starts, sizes)
    values = np.add.reduceat((codes & 31) << 5 * positions, starts)
    values -= np.where(codes[ends - 1] & 16, 1 << 5 * sizes, 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
