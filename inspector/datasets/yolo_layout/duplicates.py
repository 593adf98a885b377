"""Find near-duplicates between the splits of a dataset: neighbouring video frames, or one image saved twice.

A perceptual hash of eight by eight cells does not work here: all parts under a fixed camera share it. Therefore
small thumbnails are compared by the details in which an image differs from the average image of the set.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Thumbnail = NDArray[np.uint8]
MOST_COMPARED = 20_000
"""Images compared per split; of more, an evenly spread sample is used."""
_SIDE = 32  # pixels of a thumbnail
_BLUR = 2.0  # pixels of it; anything coarser is lighting
_LEAST, _ALWAYS = 0.9, 0.98  # range of correlations for the limit, which depends on how similar the set is
_ROWS = 1024  # rows of one split compared with the other at a time
_SAMPLE = 300  # images of a split used to estimate the similarity of the set


def thumbnail(pixels: NDArray[np.uint8]) -> Thumbnail:
    """Convert an image (H, W, 3) to a grey thumbnail (32, 32) uint8."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def near_duplicates(
    splits: Mapping[str, Sequence[Thumbnail]], apart: frozenset[tuple[str, int]] = frozenset()
) -> Iterator[tuple[str, str, list[tuple[int, int]], bool]]:
    """Find pairs of images of different splits that show nearly the same.

    Args:
        splits: name -> thumbnails of all its images.
        apart: (split, number) of images to leave out, e.g. those known to be identical to others.

    Yields:
        One split, another split, pairs (number in the one, number in the other) of similar images, and whether only a
        sample was compared.
    """
    chosen = {
        split: _spread([n for n in range(len(mine)) if (split, n) not in apart]) for split, mine in splits.items()
    }
    details = {split: _details([splits[split][n] for n in numbers]) for split, numbers in chosen.items()}
    everything = np.concatenate([*details.values(), np.zeros((0, _SIDE * _SIDE), np.float32)])
    if len(everything) < 2:
        return
    average = everything.mean(axis=0)
    features = {split: _unit(each - average) for split, each in details.items()}
    for one, other in itertools.combinations(features, 2):
        a, b = features[one], features[other]
        if not len(a) or not len(b):
            continue
        alike = a[:: max(1, len(a) // _SAMPLE)] @ b[:: max(1, len(b) // _SAMPLE)].T
        usual = float(np.quantile(alike, 0.99)) if alike.size >= 1000 else 0.0
        limit = min(_ALWAYS, max(_LEAST, 1 - (1 - usual) / 5))
        pairs = []
        for start in range(0, len(b), _ROWS):
            match = b[start : start + _ROWS] @ a.T
            best = match.argmax(axis=1)
            for row in np.flatnonzero(match[np.arange(len(match)), best] >= limit):
                pairs.append((chosen[one][int(best[row])], chosen[other][start + int(row)]))
        if pairs:
            yield one, other, pairs, any(len(splits[split]) > MOST_COMPARED for split in (one, other))


def _spread(numbers: list[int]) -> list[int]:
    if len(numbers) <= MOST_COMPARED:
        return numbers
    return [numbers[int(place)] for place in np.linspace(0, len(numbers) - 1, MOST_COMPARED)]


def _details(thumbnails: Sequence[Thumbnail]) -> NDArray[np.float32]:
    """(n, 1024): details finer than lighting, normalised to unit length."""
    found = np.zeros((len(thumbnails), _SIDE * _SIDE), np.float32)
    for row, small in enumerate(thumbnails):
        grey = small.astype(np.float32)
        found[row] = (grey - cv2.GaussianBlur(grey, (0, 0), _BLUR)).ravel()
    return _unit(found)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise to unit length; flat images stay zero and match none."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 0), np.float32)
