"""Measures settings against each other: each in processes of its own, all of them in turn, several times over."""

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
from inspector.training.command import Command

VARIED = ("runtime", "precision")
"""Options that change how a model computes and not what; those of them are varied that it declares with choices."""


@dataclass(frozen=True)
class Setting:
    """A device, and options of the model by key."""

    device: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join((self.device, *map(str, self.options.values())))


def settings(spec: ModelSpec, devices: Sequence[str], sizes: Sequence[int | None]) -> list[Setting]:
    """Every combination that the model's options offer, the most exact one first.

    Args:
        devices: such as ``cpu`` and ``cuda:0``.
        sizes: values of the option ``imgsz``; None: as the model was trained.
    """
    varied = {option.key: option.choices for option in spec.options if option.key in VARIED and option.choices}
    # "auto" stands for one of the others.
    values = [[choice for choice in choices if choice != "auto"] for choices in varied.values()]
    return [
        Setting(device, dict(zip(varied, chosen, strict=True)) | ({} if size is None else {"imgsz": size}))
        for size, device, *chosen in product(sizes, devices, *values)
    ]


@dataclass
class Row:
    """What is known of a setting.

    Attributes:
        refused: why it is not possible here, or did not always succeed; empty where it is, or was not tried yet.
        info: what the opened model said of itself, see :class:`inspector.domain.ModelInfo`.
        found: detections of each picture.
    """

    setting: Setting
    refused: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    found: Sequence[Sequence[Detection]] = ()
    _told: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        return bool(self._told) and not self.refused

    @property
    def open_ms(self) -> float:
        """From before opening to the first result, median."""
        return float(statistics.median(told["open_ms"] for told in self._told))

    @property
    def ms(self) -> float:
        """Of a single picture, median."""
        return statistics.median(self._times())

    @property
    def ms_95(self) -> float:
        """What 95 of 100 single pictures stay below."""
        times = sorted(self._times())
        return times[min(len(times) - 1, int(len(times) * 0.95))]

    @property
    def rate(self) -> float:
        """Pictures a second, as many at once as the model offers; median."""
        return float(statistics.median(told["rate"] for told in self._told))

    @property
    def at_once(self) -> int:
        """Pictures that are then at work at once."""
        return int(self._told[-1]["streams"] * self._told[-1]["batch"])

    @property
    def memory_mb(self) -> float:
        """Of the process, the pictures not counted, MiB."""
        return float(max(told["memory_mb"] for told in self._told))

    def add(self, told: Mapping[str, Any]) -> None:
        """Take in what a process of this setting printed."""
        if not self._told:
            self.info = told["info"]
            self.found = [[_detection(one) for one in some] for some in told["found"]]
        self._told.append({key: value for key, value in told.items() if key not in ("info", "found")})

    def _times(self) -> list[float]:
        return [took for told in self._told for took in told["ms"]]


class Comparison:
    """Measures settings; works on the thread that calls :meth:`run`, :meth:`cancel` may be called from any.

    Args:
        words: of ``bearing-inspector benchmark`` for all settings.
        chosen: what to compare, the most exact setting first.
        seconds: of measuring each setting, in all rounds together.
        rounds: how often each is measured.

    Attributes:
        rows: one a setting, filled in while it runs.
    """

    def __init__(self, words: Sequence[str], chosen: Sequence[Setting], seconds: float, rounds: int = 3) -> None:
        self.rows = [Row(setting) for setting in chosen]
        self.seconds, self.rounds = seconds, rounds
        self._words = words
        self._command: Command | None = None
        self._cancelled = False

    def run(self, tell: Callable[[int, int, Row], None]) -> None:
        """Measure all; ``tell(done, of, row)`` after each measurement. What is interrupted leaves ``rows`` usable."""
        done = 0
        for later in reversed(range(self.rounds)):
            for place, row in enumerate(self.rows):
                if row.refused:
                    continue
                self._measure(row)
                if self._cancelled:
                    return
                done += 1
                possible = [not other.refused for other in self.rows]
                tell(done, done + sum(possible[place + 1 :]) + later * sum(possible), row)

    def cancel(self) -> None:
        """End it soon."""
        self._cancelled = True
        if self._command is not None:
            self._command.cancel()

    @property
    def reference(self) -> Row | None:
        """The most exact setting that is possible here."""
        return next((row for row in self.rows if row.measured), None)

    def agreement(self, row: Row) -> Agreement:
        """How far what the setting finds is from what the reference finds."""
        reference = self.reference
        assert reference is not None
        return Agreement.of(reference.found, row.found)

    @property
    def fastest(self) -> Row | None:
        """Whatever it finds."""
        return max((row for row in self.rows if row.measured), key=lambda row: row.rate, default=None)

    @property
    def best(self) -> Row | None:
        """The fastest of those that find the same as the reference."""
        same = (row for row in self.rows if row.measured and self.agreement(row).full)
        return max(same, key=lambda row: row.rate, default=None)

    def _measure(self, row: Row) -> None:
        told = {**asdict(row.setting), "seconds": self.seconds / self.rounds}
        self._command = Command("benchmark", *self._words, "--setting", json.dumps(told))
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
