"""Keeps one model loaded between previews and runs."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inspector.api import ConcurrentPredictor, LayerSpec, Model, ModelSpec, ParallelModel
from inspector.domain import Detection, InspectorError, ModelInfo
from inspector.engine.channel import Channel
from inspector.engine.opening import open_model

if TYPE_CHECKING:
    from inspector.domain import Image

logger = logging.getLogger(__name__)
_BELOW_NORMAL, _NICE = -1, 5  # as Windows and Linux count
_QUEUE_LENGTH = 8  # calls; further callers wait
T = TypeVar("T")


@dataclass(frozen=True)
class _Call(Generic[T]):
    function: Callable[[], T]
    result: Future[T]

    def run(self) -> None:
        try:
            result = self.function()
        except BaseException as error:  # noqa: BLE001 - a model may fail in any way; the caller gets the error
            self.result.set_exception(error)
        else:
            self.result.set_result(result)


@dataclass(eq=False)
class _CachedModel:
    """A loaded model with the key of its arguments. Changed on the cache's thread; any thread may set ``failed``."""

    key: tuple[Any, ...]
    model: Model
    handles: int = 0
    failed: bool = False


class ModelCache:
    """Opens, uses and closes a model on a thread of its own, for several users in turn.

    The model that was acquired last stays loaded after its handle is closed, until another one is acquired. It is the
    same model if spec, file (path, size and time), device, layers and options are equal. One that failed is reopened.

    Attributes:
        current: information of the loaded model; None if there is none.
        busy: whether a model is being opened or used.
    """

    def __init__(self) -> None:
        self.current: ModelInfo | None = None
        self.busy = False
        self._closing = False
        self._cached: _CachedModel | None = None
        self._opened: list[_CachedModel] = []  # the cached one, and earlier ones that still have handles
        self._calls: Channel[_Call] = Channel(_QUEUE_LENGTH)
        self._thread = threading.Thread(target=self._serve, name="model cache", daemon=True)
        self._thread.start()

    def acquire(
        self,
        spec: ModelSpec,
        weights: Path | None,
        device: str,
        layers: Sequence[LayerSpec],
        options: Mapping[str, Any],
    ) -> Model:
        """Return a handle to the model, and open it if needed. Closing the handle leaves the model loaded.

        A different model that was cached is closed first, or once its last handle is closed.

        Raises:
            InputError: the model cannot be opened; other errors of its plugin pass too. The cache stays usable.
            InspectorError: the cache is closed.
        """
        key = (spec, weights, _stamp(weights), device, tuple(layers), dict(options))
        opened = self._call(lambda: self._open(key, spec, weights, device, layers, options))
        return (ParallelModelHandle if isinstance(opened.model, ParallelModel) else ModelHandle)(self, opened)

    def close(self, timeout: float = 5.0) -> None:
        """Close the model, even if it has handles; waiting calls fail. Waits at most ``timeout`` seconds."""
        self._closing = True
        self._calls.finish()
        self._thread.join(timeout)

    def _call(self, function: Callable[[], T]) -> T:
        """Run ``function`` on the cache's thread; return its result or raise its error.

        Raises:
            InspectorError: the cache is closed.
        """
        call = _Call(function, Future[T]())
        if not self._calls.put(call):
            raise _closed()
        return call.result.result()

    # on the cache's thread

    def _serve(self) -> None:
        _lower_priority()
        for call in self._calls:
            if self._closing:
                call.result.set_exception(_closed())
                continue
            self.busy = True
            call.run()
            self.busy = False
        self._drop()
        for opened in tuple(self._opened):
            self._close_model(opened)

    def _open(
        self,
        key: tuple[Any, ...],
        spec: ModelSpec,
        weights: Path | None,
        device: str,
        layers: Sequence[LayerSpec],
        options: Mapping[str, Any],
    ) -> _CachedModel:
        if self._cached is None or self._cached.failed or self._cached.key != key:
            self._drop()
            model = open_model(spec, weights, device, layers, options)
            self._cached, self.current = _CachedModel(key, model), replace(model.info, plugin=spec.id)
            self._opened.append(self._cached)
        self._cached.handles += 1
        return self._cached

    def _predict(
        self, opened: _CachedModel, images: Sequence[Image], confidence: float, iou: float
    ) -> list[list[Detection]]:
        with _mark_failures(opened):
            return opened.model.predict(images, confidence, iou)

    def _release(self, opened: _CachedModel) -> None:
        opened.handles -= 1
        if opened.failed and opened is self._cached:
            self._drop()
        elif opened is not self._cached and not opened.handles:
            self._close_model(opened)

    def _drop(self) -> None:
        """Uncache the model; if it still has handles, it is closed with the last one."""
        cached, self._cached, self.current = self._cached, None, None
        if cached is not None and not cached.handles:
            self._close_model(cached)

    def _close_model(self, opened: _CachedModel) -> None:
        self._opened.remove(opened)
        try:
            opened.model.close()
        except BaseException:
            logger.exception("The model %s could not be closed", opened.model.info.file)


class ModelHandle:
    """A handle to the cached model; used like a model of one's own."""

    def __init__(self, cache: ModelCache, opened: _CachedModel) -> None:
        self._cache, self._opened, self._closed = cache, opened, False
        self.info, self.batch = opened.model.info, opened.model.batch

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        if self._closed:
            raise _closed()
        return self._cache._call(lambda: self._cache._predict(self._opened, images, confidence, iou))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with suppress(InspectorError):  # the cache is closed, and with it the model
                self._cache._call(lambda: self._cache._release(self._opened))


class ParallelModelHandle(ModelHandle):
    """A handle to a :class:`inspector.api.ParallelModel`."""

    def many(self) -> ConcurrentPredictor:
        if self._closed:
            raise _closed()
        return _ConcurrentHandle(self._opened, self._cache._call(self._opened.model.many))  # type: ignore[attr-defined]


class _ConcurrentHandle:
    """A handle for concurrent inference; it runs on the threads of its user, not on that of the cache."""

    def __init__(self, opened: _CachedModel, many: ConcurrentPredictor) -> None:
        self._opened, self._many, self.streams = opened, many, many.streams
        self._thread = threading.local()

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        if not hasattr(self._thread, "prepared"):
            _lower_priority()
            self._thread.prepared = True
        with _mark_failures(self._opened):
            return self._many.predict(images, confidence, iou)


@contextmanager
def _mark_failures(opened: _CachedModel) -> Iterator[None]:
    try:
        yield
    except InspectorError:
        raise
    except BaseException:
        opened.failed = True
        raise


def _lower_priority() -> None:
    """Lower the priority of this thread (on Linux also of those it starts), so that the window stays responsive."""
    with suppress(OSError, AttributeError):
        if sys.platform == "win32":
            kernel = ctypes.WinDLL("kernel32")
            kernel.GetCurrentThread.restype = ctypes.c_void_p  # a pseudo handle, 64 bits wide
            kernel.SetThreadPriority.argtypes = (ctypes.c_void_p, ctypes.c_int)
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _BELOW_NORMAL)
        else:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _closed() -> InspectorError:
    return InspectorError("The model is closed; open it again")


def _stamp(file: Path | None) -> tuple[int, int] | None:
    """Size and modification time of a file, to detect changes; None if there is none."""
    try:
        status = None if file is None else file.stat()
    except OSError:
        return None  # opening it gives the error
    return None if status is None else (status.st_size, status.st_mtime_ns)
