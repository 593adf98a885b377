"""``bearing-inspector benchmark``: measure devices, runtimes and precisions, and recommend a setting."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inspector import benchmark, cli, registry
from inspector.api import ModelSpec, Option, Text, check_options
from inspector.benchmark import Comparison, Machine, Setting, SettingResult
from inspector.cli import console, options
from inspector.cli.console import emit, print_error, print_line
from inspector.domain import InputError
from inspector.jobs.models import find_model
from inspector.jobs.options import plugin_options, saved_options
from inspector.settings import Settings
from inspector.system import paths

_SECONDS = Option("seconds", float, 6.0, Text("Seconds", "秒"), minimum=0.1, maximum=600)
_FLAGS = ("runtime", "imgsz")  # options that ``inspect`` knows by their mere name


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", metavar="FILE|NAME", help="weights file (best.pt) or the name of a bundled model")
    add("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="device (auto: all available)")
    add("--imgsz", metavar="N,N", help="input sizes of the network (default: as trained)")
    add("--pictures", metavar="FOLDER", help="images to measure with (default: the sample images)")
    add("--seconds", default=_SECONDS.default, metavar="S", help="seconds to measure each setting (default 6)")
    add("--json", action="store_true", help="print one JSON document on stdout")
    add("--setting", help=argparse.SUPPRESS)  # internal: measure this setting in this process


def run(arguments: argparse.Namespace) -> int:
    seconds = options.check(_SECONDS, arguments.seconds)
    catalogue = registry.load()
    spec, weights = find_model(catalogue, arguments.model)
    place = arguments.pictures or _samples()
    settings = Settings.load(plugin_options(catalogue))
    usual = {option.key: option.default for option in spec.options} | saved_options(settings, spec.id, spec.options)
    if arguments.setting:
        asked = json.loads(arguments.setting)
        with console.results_only():
            told = benchmark.measure(
                spec,
                None if weights is None else Path(weights),
                asked["device"],
                tuple(catalogue.layers.values()),
                check_options(spec.options, usual | asked["options"], f"Model {spec.id}"),
                lambda: benchmark.load_images(catalogue, place),
                settings.get("confidence"),
                settings.get("iou"),
                asked["seconds"],
            )
        emit(told)
        return cli.DONE
    sizes = _sizes(spec, arguments.imgsz)
    with console.results_only():
        pictures = len(benchmark.load_images(catalogue, place))
        found = registry.devices(catalogue, (spec,))
        devices = {"cpu": "", **{device: name for _, device, name in found}}
    if arguments.device not in ("auto", *devices) and f"{arguments.device}:0" not in devices:
        raise InputError(
            "There is no device {device} here; give auto or one of {devices}",
            device=arguments.device,
            devices=", ".join(devices),
        )
    chosen = [*devices] if arguments.device == "auto" else [arguments.device]
    words = [f"--pictures={place}", *([f"--model={arguments.model}"] if arguments.model else [])]
    compared = Comparison(words, benchmark.settings(spec, chosen, sizes), seconds)
    whole = _follow(compared)
    if whole and compared.reference is None:
        raise InputError(compared.rows[0].refused)
    named = {device: name for device, name in devices.items() if name}
    report = _Report(compared, named, spec.id, arguments.model or "", usual, place, pictures, whole)
    if arguments.json:
        emit(report.document())
    else:
        report.print()
    return cli.DONE if whole else cli.INTERRUPTED


def _follow(compared: Comparison) -> bool:
    """Return False where the user interrupted it."""

    def tell(done: int, of: int, row: SettingResult) -> None:
        print_error(
            f"{done}/{of}  {row.setting}: " + (row.refused or f"{row.median_ms:.1f} ms, {row.rate:.1f} per second")
        )

    try:
        compared.run(tell)
    except KeyboardInterrupt:
        print_error("bearing-inspector: interrupted")
        return False
    return True


def _sizes(spec: ModelSpec, text: str | None) -> list[int | None]:
    if text is None:
        return [None]
    option = next((option for option in spec.options if option.key == "imgsz"), None)
    if option is None:
        raise InputError("the model {id} has no option --imgsz; leave it out", id=spec.id)
    return list(dict.fromkeys(options.check(option, part.strip()) for part in text.split(",")))


def _samples() -> str:
    folder = paths.sample_data()
    if folder is None:
        raise InputError("This program has no sample images; choose a folder of images", cli_hint="--pictures")
    return str(folder)


@dataclass(frozen=True)
class _Report:
    """The result, as a table or as JSON.

    Attributes:
        devices: names of the devices besides the CPU.
        spec: id of the model's kind.
        model: as the user named it; empty: the default model.
        usual: the model's options without flags.
        place, pictures: folder of the images, and their number.
        whole: False after an interruption.
    """

    compared: Comparison
    devices: Mapping[str, str]
    spec: str
    model: str
    usual: Mapping[str, Any]
    place: str
    pictures: int
    whole: bool

    def document(self) -> dict[str, Any]:
        """Return the JSON document that docs/using.md describes."""
        rows = self.compared.rows
        reference, best, fastest = (
            None if row is None else rows.index(row)
            for row in (self.compared.reference, self.compared.best, self.compared.fastest)
        )
        return {
            "machine": asdict(Machine.detect()) | {"devices": dict(self.devices)},
            "model": None if reference is None else _of(rows[reference].info, "file", "sha256", "architecture"),
            "pictures": {"source": self.place, "count": self.pictures},
            "seconds": self.compared.seconds,
            "rounds": self.compared.rounds,
            "complete": self.whole,
            "settings": [self._plain(row) for row in rows],
            "reference": reference,
            "best": best,
            "fastest": fastest,
        }

    def _plain(self, row: SettingResult) -> dict[str, Any]:
        told: dict[str, Any] = {"device": row.setting.device, "options": dict(row.setting.options)}
        told |= {"flags": self._flags(row.setting), "refused": row.refused or None, "measured": row.measured}
        if row.measured:
            told |= _of(row.info, "runtime", "imgsz")
            told |= {"open_ms": row.open_ms, "ms": row.median_ms, "ms_95": row.p95_ms, "pictures_per_second": row.rate}
            told |= {"at_once": row.concurrent_images, "memory_mb": row.memory_mb}
            told |= {"agreement": asdict(self.compared.agreement(row))}
        return told

    def print(self) -> None:
        """Print a table and the recommended setting to stdout."""
        machine, reference = Machine.detect(), self.compared.reference
        print_line(f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GiB")
        for device, name in self.devices.items():
            print_line(f"{device}: {name}")
        print_line(f"{machine.system}; {', '.join(f'{name} {version}' for name, version in machine.versions.items())}")
        if reference is None:
            print_line("Nothing was measured")
            return
        info = reference.info
        name = " ".join(filter(None, (info["file"] or self.spec, f"({info['architecture']})")))
        print_line(f"{name}, {self.pictures} images of {self.place}")
        print_line()
        self._table(reference)
        reasons: dict[str, list[str]] = {}
        for row in self.compared.rows:
            if row.refused:
                reasons.setdefault(row.refused, []).append(str(row.setting))
        for reason, refused in reasons.items():
            print_line(f"Not possible: {', '.join(refused)}: {reason}")
        if not self.whole:
            print_line("Interrupted: the remaining settings were not measured")
        self._advise(reference)

    def _table(self, reference: SettingResult) -> None:
        measured = [row for row in self.compared.rows if row.measured]
        keys = [key for key in reference.setting.options if key != "imgsz"]
        headers = ["device", *keys, "imgsz", "open s", "ms", "95 % ms", "a second", "at once", "MB", "same defects"]
        lines = []
        for row in measured:
            found, options = self.compared.agreement(row), row.setting.options
            line = [row.setting.device, *(options[key] for key in keys), str(row.info["imgsz"] or "-")]
            line += [f"{row.open_ms / 1000:.2f}", f"{row.median_ms:.1f}", f"{row.p95_ms:.1f}", f"{row.rate:.1f}"]
            line += [str(row.concurrent_images), f"{row.memory_mb:.0f}", f"{found.same:.1%}"]
            line += [f"{found.mask_iou:.3f}", f"{found.box_px:.2f}", f"{found.score:.4f}"]
            lines.append(line)
        console.table([*headers, "mask IoU", "box px", "score"], lines)
        print_line()

    def _advise(self, reference: SettingResult) -> None:
        best, fastest = self.compared.best, self.compared.fastest
        assert best is not None and fastest is not None
        print_line()
        if not self.whole:
            print_line("Of what was measured until then:")
        print_line(f"Best: {best.setting}, {best.rate:.1f} images per second with the results of {reference.setting}")
        print_line(f"  {self._command(best.setting)}")
        if fastest is not best:
            cost = self.compared.agreement(fastest)
            print_line(
                f"Fastest: {fastest.setting}, {fastest.rate:.1f} images per second; {cost.same:.1%} of the defects are "
                f"the same, masks overlap by {cost.mask_iou:.3f} at least, boxes differ by {cost.box_px:.2f} px at "
                f"most, scores by {cost.score:.4f}"
            )
            print_line(f"  {self._command(fastest.setting)}")

    def _command(self, setting: Setting) -> str:
        words = ["bearing-inspector", "inspect", "SOURCE", *self._flags(setting)]
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)

    def _flags(self, setting: Setting) -> list[str]:
        words = ["--model", self.model] if self.model else []
        words += ["--device", setting.device]
        for key, value in setting.options.items():
            if value == self.usual[key]:
                continue
            words += [f"--{key}" if key in _FLAGS else f"--{self.spec}.{key}", str(value)]
        return words


def _of(info: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: info[key] for key in keys}
