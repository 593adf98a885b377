"""One opened model that stays warm between pictures and runs."""

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

from inspector.api import LayerSpec, ManyAtOnce, Model, ModelSpec, ParallelModel
from inspector.channel import Channel
from inspector.domain import Detection, InspectorError, ModelInfo

if TYPE_CHECKING:
    from inspector.domain import Image

logger = logging.getLogger(__name__)
_BELOW_NORMAL, _NICE = -1, 5  # as Windows and Linux count
_WAITING = 8  # calls; whoever has one more waits for a place
T = TypeVar("T")


@dataclass(frozen=True)
class _Call(Generic[T]):
    work: Callable[[], T]
    answer: Future[T]

    def do(self) -> None:
        try:
            result = self.work()
        except BaseException as error:  # noqa: BLE001 - a model may fail in any way; whoever asked is told
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)


@dataclass(eq=False)
class _Opened:
    """A model with what it was opened with. Touched on the desk's thread; any thread may say that it failed."""

    key: tuple[Any, ...]
    model: Model
    loans: int = 0
    failed: bool = False


class ModelDesk:
    """Lends a model to several users in turn; opens, uses and closes it on a thread of its own.

    The model that was lent last stays open after it was given back, for whoever asks for the same again: the same
    spec, file (path, size and time), device, layers and options. A model that failed is not lent again.

    Attributes:
        current: what the model that is kept says of itself; None where there is none.
        busy: a model is being opened, or is at work.
    """

    def __init__(self) -> None:
        self.current: ModelInfo | None = None
        self.busy = False
        self._closing = False
        self._kept: _Opened | None = None
        self._opened: list[_Opened] = []  # the kept one, and earlier ones that are still lent
        self._calls: Channel[_Call] = Channel(_WAITING)
        self._thread = threading.Thread(target=self._serve, name="desk", daemon=True)
        self._thread.start()

    def lend(
        self,
        spec: ModelSpec,
        weights: Path | None,
        device: str,
        layers: Sequence[LayerSpec],
        options: Mapping[str, Any],
    ) -> Model:
        """The model, opened if it is not; waits for that. Closing what is returned leaves the model open.

        What was kept before is closed first, or once its last user has given it back.

        Raises:
            InputError: and whatever else opening it raises; the desk can be used on.
            InspectorError: the desk is closed.
        """
        key = (spec, weights, _stamp(weights), device, tuple(layers), dict(options))
        opened = self._ask(lambda: self._open(key, spec, weights, device, layers, options))
        return (_LentParallel if isinstance(opened.model, ParallelModel) else _Lent)(self, opened)

    def close(self, timeout: float = 5.0) -> None:
        """Close the model, also where it is lent; calls that wait are refused. Waits ``timeout`` seconds at most."""
        self._closing = True
        self._calls.finish()
        self._thread.join(timeout)

    def _ask(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises on the desk's thread.

        Raises:
            InspectorError: the desk is closed.
        """
        call = _Call(work, Future[T]())
        if not self._calls.put(call):
            raise _closed()
        return call.answer.result()

    # on the desk's thread

    def _serve(self) -> None:
        _stand_back()
        for call in self._calls:
            if self._closing:
                call.answer.set_exception(_closed())
                continue
            self.busy = True
            call.do()
            self.busy = False
        self._drop()
        for opened in tuple(self._opened):
            self._shut(opened)

    def _open(
        self,
        key: tuple[Any, ...],
        spec: ModelSpec,
        weights: Path | None,
        device: str,
        layers: Sequence[LayerSpec],
        options: Mapping[str, Any],
    ) -> _Opened:
        if self._kept is None or self._kept.failed or self._kept.key != key:
            self._drop()
            model = spec.open(weights, device, layers=tuple(layers), **options)
            self._kept, self.current = _Opened(key, model), replace(model.info, plugin=spec.id)
            self._opened.append(self._kept)
        self._kept.loans += 1
        return self._kept

    def _predict(
        self, opened: _Opened, images: Sequence[Image], confidence: float, iou: float
    ) -> list[list[Detection]]:
        with _failures_noted(opened):
            return opened.model.predict(images, confidence, iou)

    def _take_back(self, opened: _Opened) -> None:
        opened.loans -= 1
        if opened.failed and opened is self._kept:
            self._drop()
        elif opened is not self._kept and not opened.loans:
            self._shut(opened)

    def _drop(self) -> None:
        """Keep no model; one that is still lent is closed when it comes back."""
        kept, self._kept, self.current = self._kept, None, None
        if kept is not None and not kept.loans:
            self._shut(kept)

    def _shut(self, opened: _Opened) -> None:
        self._opened.remove(opened)
        try:
            opened.model.close()
        except (Exception, SystemExit):
            logger.exception("The model %s could not be closed", opened.model.info.file)


class _Lent:
    """A user's view of an opened model."""

    def __init__(self, desk: ModelDesk, opened: _Opened) -> None:
        self._desk, self._opened, self._closed = desk, opened, False
        self.info, self.batch = opened.model.info, opened.model.batch

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        if self._closed:
            raise _closed()
        return self._desk._ask(lambda: self._desk._predict(self._opened, images, confidence, iou))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with suppress(InspectorError):  # the desk is closed, and with it the model
                self._desk._ask(lambda: self._desk._take_back(self._opened))


class _LentParallel(_Lent):
    def many(self) -> ManyAtOnce:
        if self._closed:
            raise _closed()
        return _LentMany(self._opened, self._desk._ask(self._opened.model.many))  # type: ignore[attr-defined]


class _LentMany:
    """A user's view of a model at work on several pictures at once: on the user's threads, not on the desk's."""

    def __init__(self, opened: _Opened, many: ManyAtOnce) -> None:
        self._opened, self._many, self.streams = opened, many, many.streams
        self._known = threading.local()

    def predict(self, images: Sequence[Image], confidence: float, iou: float) -> list[list[Detection]]:
        if not hasattr(self._known, "stands_back"):
            _stand_back()
            self._known.stands_back = True
        with _failures_noted(self._opened):
            return self._many.predict(images, confidence, iou)


@contextmanager
def _failures_noted(opened: _Opened) -> Iterator[None]:
    try:
        yield
    except InspectorError:
        raise
    except BaseException:
        opened.failed = True
        raise


def _stand_back() -> None:
    """Let this thread, and on Linux those that it starts, give way to the window's where there is one core too few."""
    with suppress(OSError, AttributeError):
        if sys.platform == "win32":
            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _BELOW_NORMAL)
        else:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _closed() -> InspectorError:
    return InspectorError("The model is closed; open it again")


def _stamp(file: Path | None) -> tuple[int, int] | None:
    """Size and time of change, by which a file is known to be the same; None where there is none."""
    try:
        status = None if file is None else file.stat()
    except OSError:
        return None  # opening it says why
    return None if status is None else (status.st_size, status.st_mtime_ns)
