"""Templates of working plugins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from inspector.domain import InputError, quote
from inspector.registry.discovery import find_candidates
from inspector.registry.layer_templates import LAYER_KINDS, layer_files
from inspector.system import paths

Kind = Literal["source", "exporter", "model", "layer"]

_SOURCE = '''\
"""NAME: Grey images with a dark square, to try things out."""

from __future__ import annotations

from inspector.api import Frame, Option, SourceSpec, Text, hookimpl

PLUGIN = {
    "id": "NAME",
    "version": "0.1",
    "api": 1,
    "kinds": ["source"],
    "requires": ["numpy"],
    "description": "Grey images with a dark square, to try things out",
    "description_zh": "用于试验的灰色图片，带一个深色方块",
    "licence": "AGPL-3.0-or-later",
}


@hookimpl
def inspector_sources():
    return [
        SourceSpec(
            id="NAME",
            title=Text("Test pattern", "测试图案"),
            open=Pattern,
            options=(
                Option("count", int, 5, Text("Images", "图片数"), minimum=1, maximum=100_000),
                Option("size", int, 256, Text("Side length, px", "边长，像素"), minimum=16, maximum=8192),
            ),
        )
    ]


class Pattern:
    """Grey images with a dark square that wanders to the right."""

    def __init__(self, count: int, size: int) -> None:
        self.total = count
        self._size = size

    def __iter__(self):
        import numpy as np  # heavy libraries are imported where they are used

        side = self._size // 8
        for index in range(self.total):
            image = np.full((self._size, self._size, 3), 170, np.uint8)
            x = index * side % (self._size - side)
            image[3 * side : 4 * side, x : x + side] = 30
            yield Frame(image, index, f"pattern-{index + 1:04d}.png")

    def close(self) -> None:
        """Nothing is held open."""
'''

_EXPORTER = '''\
"""NAME: Counts the verdicts and writes them to a text file."""

from __future__ import annotations

from pathlib import Path

from inspector.api import ExporterSpec, Inspection, RunInfo, Text, hookimpl, publish, temporary_beside

PLUGIN = {
    "id": "NAME",
    "version": "0.1",
    "api": 1,
    "kinds": ["exporter"],
    "requires": [],
    "description": "Counts the verdicts and writes them to a text file",
    "description_zh": "统计判定结果并写入文本文件",
    "licence": "AGPL-3.0-or-later",
}


@hookimpl
def inspector_exporters():
    return [ExporterSpec(id="NAME", title=Text("Tally as text", "文本统计"), open=Tally)]


class Tally:
    """Counts the verdicts and writes one text file when the run ends."""

    def __init__(self, folder: Path, run: RunInfo) -> None:
        self._file = folder / "NAME.txt"
        self._run = run
        self._counts = {"OK": 0, "WARN": 0, "NG": 0}

    def write(self, inspection: Inspection) -> None:
        self._counts[inspection.verdict.status] += 1

    def close(self) -> list[Path]:
        lines = [self._run.title, *(f"{status}: {count}" for status, count in self._counts.items())]
        temporary = temporary_beside(self._file)  # written under another name, then put in place as a whole
        temporary.write_text("\\n".join(lines) + "\\n", encoding="utf-8")
        return [publish(temporary, self._file)]
'''

_MODEL = '''\
"""NAME: Finds dark spots by a threshold, without a neural network."""

from __future__ import annotations

from inspector.api import Detection, Mask, ModelInfo, ModelSpec, Option, Text, hookimpl

PLUGIN = {
    "id": "NAME",
    "version": "0.1",
    "api": 1,
    "kinds": ["model"],
    "requires": ["numpy", "opencv-python"],
    "description": "Finds dark spots by a threshold, without a neural network",
    "description_zh": "用阈值查找暗斑，不需要神经网络",
    "licence": "AGPL-3.0-or-later",
}


@hookimpl
def inspector_models():
    return [
        ModelSpec(
            id="NAME",
            title=Text("Dark spots", "暗斑"),
            open=DarkSpots,
            bundled={"NAME": None},
            options=(
                Option("darkness", int, 60, Text("Darkest good grey", "最暗的合格灰度"), minimum=0, maximum=255),
                Option("smallest", int, 20, Text("Smallest area, px²", "最小面积，像素²"), minimum=1),
            ),
        )
    ]


class DarkSpots:
    """Every connected region darker than a limit is a defect; the darker, the surer."""

    batch = 1

    def __init__(self, weights, device, layers, darkness: int, smallest: int) -> None:
        self.info = ModelInfo("", "", "dark-spots", ("Dark",), plugin="NAME", runtime="opencv")
        self._darkness, self._smallest = darkness, smallest

    def predict(self, images, confidence: float, iou: float) -> list[list[Detection]]:
        return [self._find(image, confidence) for image in images]

    def _find(self, image, confidence: float) -> list[Detection]:
        import cv2
        import numpy as np

        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        dark = (grey < self._darkness).astype(np.uint8)
        _, labels, regions, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
        found = []
        for number, (x, y, width, height, area) in enumerate(regions.tolist()):
            if number == 0 or area < self._smallest:  # region 0 is the background
                continue
            window = (slice(y, y + height), slice(x, x + width))
            pixels = labels[window] == number
            score = 1 - float(grey[window][pixels].mean()) / 256
            if score >= confidence:
                box = (float(x), float(y), float(x + width), float(y + height))
                found.append(Detection("Dark", score, box, Mask(x, y, pixels)))
        return sorted(found, key=lambda detection: -detection.score)

    def close(self) -> None:
        """Nothing is held open."""
'''

# Kind -> the plugin's files; "" is the plugin itself, the others are in the same folder.
_FILES: dict[str, dict[str, str]] = {
    "source": {"": _SOURCE},
    "exporter": {"": _EXPORTER},
    "model": {"": _MODEL},
    "layer": {},  # by the kind of layer, see layer_templates
}


def new(kind: Kind, name: str, folder: Path, layer: str = "block") -> Path:
    """Create a working plugin: ``NAME.py``, or a folder ``NAME`` for a layer, whose classes need a separate file.

    Args:
        layer: for the kind ``layer``: its kind, e.g. ``attention``.

    Raises:
        InputError: the name is invalid or exists.
    """
    if kind not in _FILES:
        raise InputError("There is no kind {kind}; choose {files}", kind=quote(kind), files=", ".join(_FILES))
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or paths.safe_name(name) != name:
        raise InputError(
            "A plugin's name is lower case letters, digits and '_', and starts with a letter: not {name}",
            name=quote(name),
        )
    if any(candidate.id == name for candidate in find_candidates()):
        raise InputError("There is a plugin {name} already; choose another name", name=quote(name))
    if not folder.is_dir():
        raise InputError(
            "The folder {folder} does not exist; create it, or choose another one", folder=folder, cli_hint="--folder"
        )
    if layer not in LAYER_KINDS:
        raise InputError("There is no kind {kind}; choose {files}", kind=quote(layer), files=", ".join(LAYER_KINDS))
    files = _FILES[kind] or layer_files(layer)
    place = folder / (f"{name}.py" if "" in files else name)
    if place.exists():
        raise InputError("{path} already exists; choose another name or folder", path=place)
    try:
        if "" not in files:
            place.mkdir()
        for file, text in files.items():
            paths.write_text(place / file if file else place, text.replace("NAME", name))
    except OSError as error:
        raise InputError(
            "{path} cannot be written ({reason}); choose another folder",
            path=place,
            reason=error.strerror or error,
            cli_hint="--folder",
        ) from None
    return place
