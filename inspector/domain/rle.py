"""COCO's run lengths of a mask, from and to its crop: the pixels of the whole picture are never made.

A picture is read column by column; its counts are the lengths of runs of 0 and of 1 in turn, 0 first. In text, a count
is written as the difference to the last but one (from the fourth on), lowest 5 bits first, one character each: 48 plus
the bits, plus 32 where more follow. The last character's fifth bit is the sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco


def encode(pixels: NDArray[np.bool_], x: int, y: int, height: int, width: int) -> str:
    """The compressed counts of a picture of ``height`` x ``width`` that is 0 but for ``pixels``.

    Args:
        pixels: (h, w), within the picture.
        x, y: column and row of their top left one.
    """
    h, w = pixels.shape
    line = np.zeros(1 + w * (h + 1), bool)  # a 0 before all columns and one after each, so that no run goes on
    line[1:].reshape(w, h + 1)[:, :h] = pixels.T
    column, row = np.divmod(np.flatnonzero(line[1:] != line[:-1]), h + 1)
    edges = (column + x) * height + row + y  # where 1 begins, where it ends, and so on
    if h == height and len(edges):  # then a run may end where the next begins
        apart = np.repeat(edges[1:-1:2] != edges[2::2], 2)
        edges = edges[np.concatenate([[True], apart, [True]])]
    counts = np.diff(np.concatenate([[0], edges, [height * width]])).tolist()
    if counts[-1] == 0:
        counts.pop()
    packed: bytes = coco.frPyObjects({"counts": counts, "size": [height, width]}, height, width)["counts"]
    return packed.decode("ascii")


def decode(counts: str | bytes, height: int, width: int) -> tuple[int, int, NDArray[np.bool_]]:
    """The 1s of a picture as x, y and the crop (h, w) to their bounding box; 0, 0 and (0, 0) where there is none.

    Raises:
        ValueError: the counts are damaged, or not those of a picture of ``height`` x ``width``.
    """
    runs = _decompressed(counts.encode("utf-8") if isinstance(counts, str) else counts)
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"these are not the run lengths of a picture of {height} x {width} pixels")
    starts, ends = np.cumsum(runs)[: len(runs) // 2 * 2].reshape(-1, 2).T
    used = starts < ends
    if not used.any():
        return 0, 0, np.zeros((0, 0), bool)
    left, top = np.divmod(starts[used], height)
    right, bottom = np.divmod(ends[used] - 1, height)
    x, w = int(left[0]), int(right[-1] - left[0]) + 1
    y, h = int(top.min()), int(bottom.max() - top.min()) + 1
    if (left != right).any():  # a run that goes on in the next column is at the bottom and at the top
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
    places = np.arange(len(codes)) - np.repeat(starts, sizes)
    values = np.add.reduceat((codes & 31) << 5 * places, starts)
    values -= np.where(codes[ends - 1] & 16, 1 << 5 * sizes, 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
