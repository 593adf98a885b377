"""Length of a mask along its skeleton, and its width there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from inspector.measure.paths import path_length

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    Points = NDArray[np.float64]

_STEP = 0.25  # px, by which a path is extended towards the end of the mask
_SMOOTHED = 5  # points of a path that are averaged
_BESIDE = 0.15  # px, by which a point beside a centre must be farther from the edge to be the middle of an even width
_PIECES = 16  # most pieces of a mask that are measured, the longest skeletons first
_CORNER = 0.75  # of the width is left out at each end of a path; a skeleton runs into a right angle over 0.71
_SMALL = 48  # px, longest side of a mask whose width is cheap to measure on the grid of half pixels
_COMPACT = 3.0  # squares of its width: a mask of a smaller area is about as wide as long
_WIDEST = 16.0  # px, to which wider masks are reduced before they are thinned
_TANGENT = 5.0  # px of a path that give its direction at least


@dataclass(frozen=True)
class Extent:
    """Length along a skeleton, largest width and mean width there, px."""

    length: float
    width: float
    width_mean: float


def edge_distance(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance to the edge of a mask, px, on a grid of half pixels.

    The edge is half a pixel before the centre of the nearest pixel outside of the mask.

    Args:
        pixels: (h, w) bool. What is outside of it is outside of the mask.

    Returns:
        (2h + 1, 2w + 1) float32, from 0: ``[2y + 1, 2x + 1]`` is the centre of pixel (x, y), ``[2y, 2x]`` its corner.
    """
    height, width = pixels.shape
    inside = np.ones((2 * height + 3, 2 * width + 3), np.uint8)
    inside[::2, ::2] = 0  # the centres of all pixels, with one row and one column around
    inside[2:-2:2, 2:-2:2] = pixels
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.asarray(np.maximum(distance / 2 - 0.5, 0), np.float32)


def extent(pixels: NDArray[np.bool_], area: int, compact: float) -> Extent:
    """Measure a mask along the longest path through its skeleton, from end to end; around it if it is a closed ring.

    The lengths of several pieces are added. Spurs of the skeleton do not count. A wide mask is measured at a lower
    resolution, and one that is about as wide as long by ``compact``.

    Args:
        pixels: (h, w) bool, not empty, without empty margins.
        area: its number of pixels.
        compact: length of a mask that is about as wide as long, px.
    """
    width = _largest_width(pixels)
    if area < _COMPACT * width * width:
        return Extent(max(compact, width), width, area / max(compact, width))
    factor = width / _WIDEST
    if factor <= 1:
        return _along_skeleton(pixels, compact)
    height_px, width_px = (max(1, round(side / factor)) for side in pixels.shape)
    small = cv2.resize(pixels.view(np.uint8) * np.uint8(255), (width_px, height_px), interpolation=cv2.INTER_AREA) > 127
    found = _along_skeleton(np.ascontiguousarray(small), compact / factor)
    return Extent(found.length * factor, width, found.width_mean / found.width * width)


def _largest_width(pixels: NDArray[np.bool_]) -> float:
    """Return the diameter of the largest inscribed circle, px; of a large mask to half a pixel."""
    if max(pixels.shape) <= _SMALL:
        return float(_widths(edge_distance(pixels))[pixels].max())
    padded = np.zeros((pixels.shape[0] + 2, pixels.shape[1] + 2), np.uint8)
    padded[1:-1, 1:-1] = pixels
    # From centre to centre; the middle of an even width is between the centres.
    return max(1.0, 2 * float(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()) - 0.5)


def _along_skeleton(pixels: NDArray[np.bool_], compact: float) -> Extent:
    from skimage.morphology import skeletonize

    skeleton = skeletonize(np.pad(pixels, 1))[1:-1, 1:-1]
    if not skeleton.any():  # thinned to nothing
        skeleton = pixels
    widths = _widths(edge_distance(pixels))
    paths = _paths(skeleton)
    lengths, means, weights = [], [], []
    for points, closed in paths:
        length, mean = _along(points, closed, pixels, widths, compact if len(paths) == 1 else None)
        lengths.append(length)
        means.append(mean)
        weights.append(len(points))
    return Extent(float(sum(lengths)), float(widths[pixels].max()), float(np.average(means, weights=weights)))


def _widths(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return twice the distance to the edge at each pixel, px; where a width is even, from its middle."""
    best = distance[1::2, 1::2]
    for shape in (cv2.MORPH_CROSS, cv2.MORPH_RECT):
        beside = cv2.dilate(distance, cv2.getStructuringElement(shape, (3, 3)))[1::2, 1::2]
        best = np.where(beside - best >= _BESIDE, beside, best)
    return np.asarray(2 * best, np.float32)


def _paths(skeleton: NDArray[np.bool_]) -> list[tuple[Points, bool]]:
    """Return the longest path of each piece as pixel coordinates (n, 2), x and y, and whether it is a closed ring."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(skeleton.view(np.uint8), connectivity=8)
    paths = []
    for piece in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:_PIECES]:
        left, top, width, height, _ = stats[piece]
        part = (slice(top, top + height), slice(left, left + width))
        own = skeleton[part] if count == 2 else labels[part] == piece
        rows, columns = np.nonzero(own)
        order, closed = _longest(_graph(own, len(rows)))
        paths.append((np.stack([columns + left, rows + top], 1)[order].astype(float), closed))
    return paths


def _graph(skeleton: NDArray[np.bool_], count: int) -> csr_array:
    """Return the distances between neighbouring pixels. Diagonal neighbours count only if no other pixel joins them."""
    from scipy.sparse import csr_array

    stride = skeleton.shape[1] + 2
    number = np.full((skeleton.shape[0] + 2) * stride, -1, np.int32)
    rows, columns = np.nonzero(skeleton)
    place = (rows + 1) * stride + columns + 1
    number[place] = np.arange(count, dtype=np.int32)
    up, down, left, right = (number[place + step] for step in (-stride, stride, -1, 1))
    columns_of, lengths = [up, left, right, down], [1.0] * 4
    for step, first, second in (
        (-stride - 1, up, left),
        (-stride + 1, up, right),
        (stride - 1, down, left),
        (stride + 1, down, right),
    ):
        columns_of.append(np.where((first < 0) & (second < 0), number[place + step], -1))
        lengths.append(2**0.5)
    others = np.stack(columns_of, 1)
    joined = others >= 0
    starts = np.concatenate([[0], np.cumsum(joined.sum(1))])
    return csr_array((np.broadcast_to(lengths, others.shape)[joined], others[joined], starts), shape=(count, count))


def _longest(graph: csr_array) -> tuple[NDArray[np.intp], bool]:
    """Return the nodes of the longest path through a connected graph, in order, and whether it is a closed ring.

    Exact for trees. Of a graph with one ring, the path around the ring is tried as well; of one with several, the
    longest of the shortest paths is taken.
    """
    nodes = graph.shape[0]
    best, length = _farthest_path(graph)
    if graph.nnz // 2 < nodes:  # a tree
        return best, False
    core = _core(graph)
    inner = graph[core][:, core]
    if inner.nnz != 2 * len(core):  # several rings
        return best, False
    around = core[_unrolled(inner)]
    ring = float(inner.sum()) / 2
    return (around, True) if ring > length else (best, False)


def _farthest_path(graph: csr_array) -> tuple[NDArray[np.intp], float]:
    """Return the longest shortest path, found from the end that is farthest from any node, and its length."""
    from scipy.sparse.csgraph import dijkstra

    start = int(np.argmax(dijkstra(graph, indices=0)))
    reached, before = dijkstra(graph, indices=start, return_predecessors=True)
    end = int(np.argmax(reached))
    order = [end]
    while order[-1] != start:
        order.append(int(before[order[-1]]))
    return np.array(order), float(reached[end])


def _core(graph: csr_array) -> NDArray[np.intp]:
    """Return the nodes that remain if ends are removed again and again: those on rings and between them."""
    degree = np.diff(graph.indptr)
    ends = list(np.flatnonzero(degree == 1))
    while ends:
        node = ends.pop()
        degree[node] = 0
        for other in graph.indices[graph.indptr[node] : graph.indptr[node + 1]]:
            degree[other] -= 1
            if degree[other] == 1:
                ends.append(other)
    return np.flatnonzero(degree > 0)


def _unrolled(ring: csr_array) -> NDArray[np.intp]:
    """Return the nodes of a graph that is one ring, in order."""
    order = [0]
    before = -1
    while True:
        here = order[-1]
        following = [n for n in ring.indices[ring.indptr[here] : ring.indptr[here + 1]] if n != before]
        if following[0] == 0 and len(order) > 2:
            return np.array(order)
        before = here
        order.append(int(following[0]))


def _along(
    points: Points,
    closed: bool,
    pixels: NDArray[np.bool_],
    widths: NDArray[np.float32],
    compact: float | None,
) -> tuple[float, float]:
    """Return the length along a path of pixels and the mean width there."""
    width = widths[points[:, 1].astype(int), points[:, 0].astype(int)]
    if closed:
        return path_length(points, _SMOOTHED, closed=True), float(width.mean())
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    # Near its ends a skeleton may turn into a corner: that part is left out and replaced by a straight line.
    inner = np.flatnonzero((at >= _CORNER * width) & (at[-1] - at >= _CORNER * width))
    if len(inner) < 2 or at[inner[-1]] - at[inner[0]] < width[inner].mean() / 2:
        middle = float(width.max())
        return (max(compact, middle) if compact is not None else max(middle, at[-1] + 1)), float(width.mean())
    first, last = int(inner[0]), int(inner[-1])
    reach = max(_TANGENT, float(width[inner].mean()))
    length = path_length(points[first : last + 1], _SMOOTHED, closed=False)
    for end, sign in ((first, 1), (last, -1)):
        away = np.flatnonzero(sign * (at - at[end]) >= min(reach, at[last] - at[first]))
        other = int(away[0] if sign > 0 else away[-1])
        length += _ray(points[end], points[end] - points[other], pixels, 2 * reach)
    return length, float(width[first : last + 1].mean())


def _ray(start: Points, direction: Points, pixels: NDArray[np.bool_], reach: float) -> float:
    """Return the distance from the centre of a pixel to the end of the mask in a direction, px, at most ``reach``."""
    direction = direction / np.hypot(*direction)
    steps = np.arange(0.0, reach, _STEP)
    x, y = (np.floor(start[axis] + 0.5 + steps * direction[axis]).astype(int) for axis in (0, 1))
    inside = (x >= 0) & (y >= 0) & (x < pixels.shape[1]) & (y < pixels.shape[0])
    inside[inside] = pixels[y[inside], x[inside]]
    return reach if inside.all() else float(steps[int(np.argmin(inside))])
