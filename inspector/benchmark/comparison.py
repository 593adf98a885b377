"""Measure settings against each other: each in its own process, all in turn, several times."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from inspector.api import ModelSpec
from inspector.benchmark.agreement import Agreement
from inspector.domain import Detection, InspectorError, Mask
from inspector.training.cli_process import Command

VARIED = ("runtime", "precision")
"""Options that change how a model computes, not what; they are varied if the model declares choices for them."""


@dataclass(frozen=True)
class Setting:
    """A device, and model options by key."""

    device: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join((self.device, *map(str, self.options.values())))


def settings(spec: ModelSpec, devices: Sequence[str], sizes: Sequence[int | None]) -> list[Setting]:
    """Return every combination of the model's options, the most accurate one first.

    Args:
        devices: e.g. ``cpu`` and ``cuda:0``.
        sizes: values of the option ``imgsz``; None: as the model was trained.
    """
    varied = {option.key: option.choices for option in spec.options if option.key in VARIED and option.choices}
    # "auto" is an alias of one of the others.
    values = [[choice for choice in choices if choice != "auto"] for choices in varied.values()]
    return [
        Setting(device, dict(zip(varied, chosen, strict=True)) | ({} if size is None else {"imgsz": size}))
        for size, device, *chosen in product(sizes, devices, *values)
    ]


@dataclass
class SettingResult:
    """Measurements of a setting.

    Attributes:
        refused: why it is not possible here, or failed; else empty.
        info: of the opened model, see :class:`inspector.domain.ModelInfo`.
        found: detections of each image.
    """

    setting: Setting
    refused: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    found: Sequence[Sequence[Detection]] = ()
    _measurements: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        return bool(self._measurements) and not self.refused

    @property
    def open_ms(self) -> float:
        """Median time from before opening to the first result."""
        return float(statistics.median(measurement["open_ms"] for measurement in self._measurements))

    @property
    def median_ms(self) -> float:
        """Median time of a single image."""
        return statistics.median(self._times())

    @property
    def p95_ms(self) -> float:
        """95th percentile of the time of a single image."""
        times = sorted(self._times())
        return times[min(len(times) - 1, int(len(times) * 0.95))]

    @property
    def rate(self) -> float:
        """Median images per second, with as many images at once as the model offers."""
        return float(statistics.median(measurement["rate"] for measurement in self._measurements))

    @property
    def concurrent_images(self) -> int:
        """Images processed concurrently then."""
        return int(self._measurements[-1]["streams"] * self._measurements[-1]["batch"])

    @property
    def memory_mb(self) -> float:
        """Memory of the process without the images, MiB."""
        return float(max(measurement["memory_mb"] for measurement in self._measurements))

    def add(self, measurement: Mapping[str, Any]) -> None:
        """Add the output of a process of this setting."""
        if not self._measurements:
            self.info = measurement["info"]
            self.found = [[_detection(one) for one in some] for some in measurement["found"]]
        self._measurements.append({key: value for key, value in measurement.items() if key not in ("info", "found")})

    def _times(self) -> list[float]:
        return [took for measurement in self._measurements for took in measurement["ms"]]


class Comparison:
    """Measure settings; :meth:`run` works on the calling thread, :meth:`cancel` may be called from any thread.

    Args:
        words: arguments of ``bearing-inspector benchmark`` common to all settings.
        chosen: settings to compare, the most accurate one first.
        seconds: measuring time per setting, in all rounds together.
        rounds: number of measurements of each setting.

    Attributes:
        rows: one per setting, filled while it runs.
    """

    def __init__(self, words: Sequence[str], chosen: Sequence[Setting], seconds: float, rounds: int = 3) -> None:
        self.rows = [SettingResult(setting) for setting in chosen]
        self.seconds, self.rounds = seconds, rounds
        self._words = words
        self._command: Command | None = None
        self._cancelled = False

    def run(self, report: Callable[[int, int, SettingResult], None]) -> None:
        """Measure all, calling ``report(done, of, row)`` after each; ``rows`` stay usable if interrupted."""
        done = 0
        for later in reversed(range(self.rounds)):
            for index, row in enumerate(self.rows):
                if row.refused:
                    continue
                self._measure(row)
                if self._cancelled:
                    return
                done += 1
                possible = [not other.refused for other in self.rows]
                report(done, done + sum(possible[index + 1 :]) + later * sum(possible), row)

    def cancel(self) -> None:
        """End it soon."""
        self._cancelled = True
        if self._command is not None:
            self._command.cancel()

    @property
    def reference(self) -> SettingResult | None:
        """The most accurate setting that is possible here."""
        return next((row for row in self.rows if row.measured), None)

    def agreement(self, row: SettingResult) -> Agreement:
        """Compare the detections of a setting with those of the reference."""
        reference = self.reference
        assert reference is not None
        return Agreement.compare(reference.found, row.found)

    @property
    def fastest(self) -> SettingResult | None:
        """The fastest setting, regardless of accuracy."""
        return max((row for row in self.rows if row.measured), key=lambda row: row.rate, default=None)

    @property
    def best(self) -> SettingResult | None:
        """The fastest setting whose detections agree with the reference."""
        same = (row for row in self.rows if row.measured and self.agreement(row).within_tolerance)
        return max(same, key=lambda row: row.rate, default=None)

    def _measure(self, row: SettingResult) -> None:
        measurement = {**asdict(row.setting), "seconds": self.seconds / self.rounds}
        self._command = Command("benchmark", *self._words, "--setting", json.dumps(measurement))
        try:
            row.add(self._command.answer().document)
        except InspectorError as error:
            row.refused = str(error)
        except BaseException:
            self._command.cancel()
            raise
        finally:
            self._command = None


def _detection(plain: Mapping[str, Any]) -> Detection:
    mask = None if plain["rle"] is None else Mask.from_rle(plain["rle"])
    return Detection(plain["label"], plain["score"], tuple(plain["box"]), mask)
