"""Convert video frames decoded by PyAV to images."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

_FASTEST = 1000  # frames per second


class Converter:
    """Converts frames to (height, width, 3) uint8 BGR arrays, rotated as the file specifies.

    FFmpeg's filters reuse their buffers, while converting frame by frame would allocate new memory each time.
    """

    def __init__(self) -> None:
        self._format: tuple[Any, ...] = ()
        self._graph: Any = None

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        import cv2

        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if kind != self._format:
            self._graph, self._format = _graph(*kind), kind
        self._graph.push(frame)
        image: NDArray[np.uint8] = self._graph.pull().to_ndarray()
        turn = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
        turned = turn.get(round(frame.rotation) % 360)
        return image.copy() if turned is None else cv2.rotate(image, turned)  # type: ignore[return-value]


def _graph(width: int, height: int, pixels: str, colorspace: int, color_range: int) -> Any:
    import av
    import av.filter

    graph = av.filter.Graph()
    source = graph.add(
        "buffer",
        video_size=f"{width}x{height}",
        pix_fmt=pixels,
        time_base="1/1",
        pixel_aspect="1/1",
        colorspace=str(int(colorspace)),
        range=str(int(color_range)),
    )
    steps = [source, graph.add("scale", "interl=-1"), graph.add("format", "bgr24"), graph.add("buffersink")]
    for step, following in pairwise(steps):
        step.link_to(following)
    graph.configure()
    return graph


def frame_rate(stream: av.VideoStream) -> float | None:
    """Frames per second as stated by the stream; None if impossible (0, or a clock's tick)."""
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0 < rate <= _FASTEST:
            return float(rate)
    return None
