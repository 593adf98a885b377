"""Finds the images of earlier inspections: in their files, in videos, and among the saved originals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from inspector import registry
from inspector.api import SeekableSource, check_options
from inspector.domain import Frame, InputError, Skipped, message
from inspector.history import originals
from inspector.registry import Registry
from inspector.system import paths


def find_frame(catalogue: Registry, record: Mapping[str, Any], output: str | Path | None = None) -> Frame:
    """Return the image of one earlier inspection; see :meth:`FrameFinder.find`."""
    with FrameFinder(catalogue) as finder:
        return finder.find(record, output)


class FrameFinder:
    """Finds the images of earlier inspections; keeps a video open between frames. Used on one thread, then closed."""

    def __init__(self, catalogue: Registry) -> None:
        self._catalogue = catalogue
        self._video: tuple[str, SeekableSource] | None = None

    def find(self, record: Mapping[str, Any], output: str | Path | None = None) -> Frame:
        """Return the image of ``record`` as it was inspected.

        Args:
            record: ``path``, ``name``, ``number``, ``index``, ``seconds``, ``width`` and ``height`` of
                :meth:`inspector.history.History.get`.
            output: the folder of the record's run, which may hold the original.

        Raises:
            InputError: it came from a camera and was not kept, or its file is missing, has changed or cannot be read.
        """
        name, path = record["name"], record["path"]
        original = None if output is None else originals.original_copy(output, record["number"])
        if original is not None:  # before the file itself: another image may have that name now
            return _check_size(_read_image(original, name), record, str(original))
        if path is None:
            raise InputError("The image {name} came from a camera or a stream and was not kept as a file", name=name)
        if not paths.long_path(Path(path)).is_file():
            raise InputError("{path} no longer exists; put it back there to see its image", path=path)
        if record["seconds"] is None:
            return _check_size(_read_image(Path(path), name), record, path)
        return _check_size(self._read_video(path, record["index"]), record, path)

    def find_or_annotated(self, record: Mapping[str, Any], output: str | Path | None = None) -> tuple[Frame, bool]:
        """Return the image of ``record``, else its annotated copy in the run's folder. For viewing, not for exports.

        Returns:
            The image, and whether it is the annotated copy, in which the defects are drawn.

        Raises:
            InputError: neither can be read; the message says why the image cannot.
        """
        try:
            return self.find(record, output), False
        except InputError:
            annotated = None if output is None else originals.annotated_copy(output, record)
            if annotated is None:
                raise
            try:
                return _check_size(_read_image(annotated, record["name"]), record, str(annotated)), True
            except (InputError, OSError):
                pass
            raise

    def close(self) -> None:
        """Close the video."""
        if self._video is not None:
            (_, source), self._video = self._video, None
            source.close()

    def _read_video(self, path: str, index: int) -> Frame:
        if self._video is None or self._video[0] != path:
            self.close()
            self._video = (path, _open_seekable(self._catalogue, path))
        frame = self._video[1].frame(index)
        if isinstance(frame, Skipped):
            raise InputError("{name}: {reason}", name=frame.name, reason=frame.reason)
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _open_seekable(catalogue: Registry, path: str) -> SeekableSource:
    for spec in catalogue.sources.values():
        options = registry.claimed(catalogue, spec, path)
        if options is None:
            continue
        source = spec.open(**check_options(spec.options, options, message("Source {id}", id=spec.id)))
        if isinstance(source, SeekableSource):
            return source
        source.close()
    raise InputError("No active source can show a frame of {path}; enable its plugin", path=path)


def _check_size(frame: Frame, record: Mapping[str, Any], path: str) -> Frame:
    size, was = (frame.width, frame.height), (record["width"], record["height"])
    if None not in was and size != was:
        raise InputError(
            "{path} has changed since it was inspected: {width} x {height} pixels instead of {old_width} x "
            "{old_height}",
            path=path,
            width=size[0],
            height=size[1],
            old_width=was[0],
            old_height=was[1],
        )
    return frame


def _read_image(path: Path, name: str) -> Frame:
    from inspector.imaging import read_image

    image, notes = read_image(path)
    return Frame(image, 0, name, path=str(path), notes=notes)
