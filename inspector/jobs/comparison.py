"""Two models, recipes or rule sets on the same images, part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inspector.api import Model, check_options
from inspector.domain import (
    Detection,
    Frame,
    InputError,
    Inspection,
    Job,
    Part,
    Skipped,
    Status,
    judge,
    plain_frame,
    plain_outputs,
    quote,
    warn_if_too_small,
)
from inspector.engine.batch import measure_detections
from inspector.engine.opening import open_model
from inspector.engine.part_tracker import PartTracker
from inspector.jobs import recipe_library, recipes
from inspector.jobs.build import build_job
from inspector.jobs.compared_parts import ComparedPart, Quality, unmatched
from inspector.jobs.models import find_model
from inspector.jobs.sources import exists
from inspector.registry import Registry
from inspector.settings import Settings

LOWEST = 0.05
"""Confidence threshold of the inference from which better thresholds are sought."""
THRESHOLDS = tuple(round(step / 100, 2) for step in range(5, 100))
_RANKS: Mapping[Status, int] = {"OK": 0, "WARN": 1, "NG": 2}


@dataclass(frozen=True)
class Side:
    """A or B: what it is called, what kind of thing it is, and the job that it stands for."""

    name: str
    kind: Literal["model", "recipe", "rules"]
    job: Job

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        job = self.job
        weights = None if job.weights is None else Path(job.weights).name
        return {
            "name": self.name,
            "kind": self.kind,
            "model": weights or job.model.id,
            "confidence": job.confidence,
            "iou": job.iou,
            "rules": None if job.rules is None else job.rules.to_json(),
        }


@dataclass(frozen=True)
class Judged:
    """Result of one side for an image; ``sweep`` are its verdicts by confidence threshold, as far as needed."""

    inspection: Inspection
    sweep: tuple[Status, ...] = ()


@dataclass(frozen=True)
class ComparedImage:
    """An image as A and B judge it, or one that cannot be read."""

    content: Frame | Skipped
    sides: tuple[Judged, Judged] | None = None


def read_side(
    catalogue: Registry, settings: Settings, text: str, common: Mapping[str, Any], model: str | None = None
) -> Side:
    """Find out what A or B is: a rules file, a recipe (file, archive, name, run.json), or a model.

    Args:
        common: further arguments of :func:`inspector.jobs.build.build_job`, of flags.
        model: of the job, for rules.

    Raises:
        InputError: it is none of them, or cannot be used.
    """
    path = Path(text)
    if path.suffix.lower() == ".json" and path.is_file() and _is_rules(path):
        chosen = find_model(catalogue, model)
        rules = recipes.read_rules(path)
        return Side(text, "rules", build_job(catalogue, settings, "en", model=chosen, **{**common, "rules": rules}))
    if path.suffix.lower() in (".bearing", ".json") or (not exists(text) and _in_library(text)):
        file = recipe_library.find(text)
        recipe = recipes.load(file)
        recipes.check_model_of(file, recipe)
        base = recipe.job
        job = build_job(
            catalogue, settings, "en", base=base, model=(catalogue.model(base.model.id), base.weights), **common
        )
        recipe.check_lock(job)
        return Side(recipe.info.name, "recipe", job)
    return Side(text, "model", build_job(catalogue, settings, "en", model=find_model(catalogue, text), **common))


def _is_rules(path: Path) -> bool:
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError):
        return True  # reading it says what is wrong
    return isinstance(document, dict) and "job" not in document and "sources" not in document


def _in_library(text: str) -> bool:
    try:
        recipe_library.find(text)
    except InputError:
        return False
    return True


class Comparison:
    """Inspects the images of the sources with A and B.

    Args:
        sides: A and B; the images and the grouping into parts are those of A.
        defective: tells whether an image has labelled defects, None if it has no labels; thresholds are swept then.

    Raises:
        InputError: the sources have no end, or A or B cannot be used.
    """

    def __init__(
        self,
        catalogue: Registry,
        sides: tuple[Side, Side],
        defective: Callable[[Frame], bool | None] | None = None,
    ) -> None:
        self._catalogue, self.sides, self._defective = catalogue, sides, defective
        self._jobs = tuple(side.job for side in sides)
        self.parts: list[ComparedPart] = []
        self.unreadable: list[Skipped] = []
        self.inferences = 0
        self.images = 0
        self._sweeps: dict[str, list[list[int]]] = {}  # part -> for A and B the worst rank by threshold
        self._compared: dict[str, ComparedPart] = {}
        self._trackers = [PartTracker(self._jobs[0].parts, "", False) for _ in sides]
        if not self._jobs[0].sources:
            raise InputError("There are no images to compare on; name them", cli_hint="--source IMAGES")
        for choice in self._jobs[0].sources:
            if catalogue.source(choice.id).droppable or "folder" in choice.options:
                raise InputError("A comparison needs images or videos, not {source}", source=quote(choice.id))

    @property
    def once(self) -> bool:
        """Whether A and B differ in nothing but what follows inference, so that one inference serves both."""
        a, b = self._jobs
        same_model = (a.weights, a.model, a.device) == (b.weights, b.model, b.device)
        same = a.iou == b.iou and (a.confidence == b.confidence or self._defective is not None)
        return same_model and same

    def run(self, differing: Callable[[ComparedPart, ComparedImage], str]) -> Generator[int, None, None]:
        """Compare image by image; yields the number of images so far. :attr:`parts` are complete at the end.

        Args:
            differing: called with each image whose detections or verdicts differ; returns the name of a file that
                shows it.
        """
        with ExitStack() as opened:
            models = [self._open(self._jobs[0], opened)]
            models.append(models[0] if self.once else self._open(self._jobs[1], opened))
            for side, model in zip(self.sides, models, strict=True):
                if side.job.rules is not None:
                    side.job.rules.check_names(model.info.names)
                    side.job.rules.check_calibration(side.job.calibration)
            try:
                for content in self._contents(opened):
                    self._add(self._inspect(content, models), differing)
                    self.images += 1
                    yield self.images
            finally:
                self._end()

    def _open(self, job: Job, opened: ExitStack) -> Model:
        spec = self._catalogue.model(job.model.id)
        options = check_options(spec.options, job.model.options, f"Model {spec.id}")
        weights = None if job.weights is None else Path(job.weights)
        model = open_model(spec, weights, job.device, tuple(self._catalogue.layers.values()), options)
        opened.callback(model.close)
        return model

    def _contents(self, opened: ExitStack) -> Iterator[Frame | Skipped]:
        sources = []
        for choice in self._jobs[0].sources:
            spec = self._catalogue.source(choice.id)
            sources.append(spec.open(**check_options(spec.options, choice.options, f"Source {spec.id}")))
            opened.callback(sources[-1].close)
        for source in sources:
            for content in source:
                if isinstance(content, Frame | Skipped):  # not the state of a source
                    yield plain_frame(content) if isinstance(content, Frame) else content

    def _inspect(self, content: Frame | Skipped, models: Sequence[Model]) -> ComparedImage:
        if isinstance(content, Skipped):
            return ComparedImage(content)
        found: list[list[Detection]] = []
        for job, model in zip(self._jobs, models, strict=True):
            if found and self.once:
                found.append(found[0])
                continue
            least = job.confidence if self._defective is None else min(LOWEST, job.confidence)
            predicted = model.predict([content.image], least, job.iou)
            self.inferences += 1
            plain = plain_outputs(predicted, [content.image.shape[:2]], model.info.plugin)[0]
            found.append(sorted(plain, key=lambda detection: -detection.score))
        a, b = (
            self._judge(content, detections, job, model)
            for detections, job, model in zip(found, self._jobs, models, strict=True)
        )
        return ComparedImage(content, (a, b))

    def _judge(self, frame: Frame, detections: Sequence[Detection], job: Job, model: Model) -> Judged:
        verdicts: dict[int, Inspection] = {}  # by the number of detections that a threshold leaves

        def above(threshold: float) -> Inspection:
            kept = sum(detection.score >= threshold for detection in detections)
            if kept not in verdicts:
                measured = measure_detections(detections[:kept], model.info)
                verdict = judge(measured, job.rules, job.calibration)
                verdict = warn_if_too_small(verdict, frame, model.info.imgsz)
                verdicts[kept] = Inspection(frame, measured, verdict, model.info, confidence=threshold, iou=job.iou)
            return verdicts[kept]

        own = above(job.confidence)
        sweep = () if self._defective is None else tuple(above(step).verdict.status for step in THRESHOLDS)
        return Judged(own, sweep)

    def _add(self, image: ComparedImage, differing: Callable[[ComparedPart, ComparedImage], str]) -> None:
        content = image.content
        if image.sides is None:
            assert isinstance(content, Skipped)
            self.unreadable.append(content)
            for tracker in self._trackers:
                self._finished(self._trackers.index(tracker), tracker.place(content, content).finished)
            return
        assert isinstance(content, Frame)
        results = [judged.inspection for judged in image.sides]
        places = [tracker.place(result, content) for tracker, result in zip(self._trackers, results, strict=True)]
        view = places[0].view
        id = content.name if view is None else view.id
        if view is None and id in self._compared:
            id = f"{content.name} #{self.images + 1}"
        part = self._compared.get(id)
        if part is None:
            part = self._compared[id] = ComparedPart(id)
            self.parts.append(part)
        part.images.append(content.name)
        only = unmatched(results[0].detections, results[1].detections)
        for number, (result, place) in enumerate(zip(results, places, strict=True)):
            part.verdicts[number] = max(part.verdicts[number], result.verdict.status, key=_RANKS.__getitem__)
            part.detections[number] += len(result.detections)
            part.only[number] += only[number]
            self._finished(number, place.finished)
        if self._defective is not None:
            truth = self._defective(content)
            part.defective = part.defective if truth is None else bool(part.defective) or truth
            worst = self._sweeps.setdefault(id, [[0] * len(THRESHOLDS) for _ in results])
            for row, judged in zip(worst, image.sides, strict=True):
                row[:] = [max(rank, _RANKS[status]) for rank, status in zip(row, judged.sweep, strict=True)]
        if any(only) or results[0].verdict.status != results[1].verdict.status:
            part.files.append(differing(part, image))

    def _finished(self, side: int, parts: Sequence[Part]) -> None:
        """Take the verdicts of whole parts, which say whether a view is missing."""
        for part in parts:
            if part.id in self._compared:
                self._compared[part.id].verdicts[side] = part.verdict.status

    def _end(self) -> None:
        for side, tracker in enumerate(self._trackers):
            self._finished(side, tracker.finish().finished)

    # figures

    def quality(self, side: int) -> Quality | None:
        """Agreement of the verdicts of A (0) or B (1) with the labels; None if no part has labels."""
        judged = [(part.defective, part.verdicts[side] == "NG") for part in self.parts if part.defective is not None]
        return Quality.of(judged) if judged else None

    def best_threshold(self, side: int, escape_cost: float) -> tuple[float, Quality] | None:
        """The confidence threshold with the lowest ``escape_cost * escapes + false alarms``, and its quality.

        Of several equally good ones it is the middle of the longest row of neighbours, which is the least sensitive.
        """
        parts = [part for part in self.parts if part.defective is not None]
        if not parts:
            return None
        qualities = [
            Quality.of([(bool(part.defective), self._sweeps[part.id][side][step] == _RANKS["NG"]) for part in parts])
            for step in range(len(THRESHOLDS))
        ]
        costs = [escape_cost * quality.escapes + quality.false_alarms for quality in qualities]
        rows: list[list[int]] = []
        for step, cost in enumerate(costs):
            if cost == min(costs):
                if rows and rows[-1][-1] == step - 1:
                    rows[-1].append(step)
                else:
                    rows.append([step])
        row = max(rows, key=len)
        best = row[len(row) // 2]
        return THRESHOLDS[best], qualities[best]

    def counts(self) -> dict[str, Any]:
        """Return the numbers of parts: in all, differing, and by the pair of verdicts where these differ."""
        changes: dict[str, int] = {}
        for part in self.parts:
            if part.verdicts[0] != part.verdicts[1]:
                key = " -> ".join(part.verdicts)
                changes[key] = changes.get(key, 0) + 1
        return {
            "parts": len(self.parts),
            "images": self.images,
            "unreadable": len(self.unreadable),
            "differing": sum(part.differs for part in self.parts),
            "verdicts": changes,
            "only_a": sum(part.only[0] for part in self.parts),
            "only_b": sum(part.only[1] for part in self.parts),
            "inferences": self.inferences,
        }
