"""Judging: whether the defects of an image meet the rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inspector.domain.calibration import Calibration, in_millimetres
from inspector.domain.frame import Detection, Frame
from inspector.domain.limits import MEASURES, Limit, Measure, Row
from inspector.domain.rules import Rules
from inspector.domain.verdicts import ALL, SCALED_BELOW, Reason, Verdict

COVERAGE = 2.0
"""Coverage factor k of expanded uncertainties: about 95 % for a normal distribution (JCGM 100:2008, 6.2)."""
SMALLEST_SIDE = 32
"""Smallest shorter side of a scaled image, pixels. It is one cell of the models' coarsest feature map: below it, a
single cell covers the whole width or height of the image."""
_ANY_DEFECT = Rules()


def judge(
    detections: Iterable[Detection], rules: Rules | None = None, calibration: Calibration | None = None
) -> Verdict:
    """Return OK, WARN or NG with the reasons for that verdict.

    Without rules, any defect is NG. There is one reason per class or region and measure, for the worst value; a value
    equal to the limit is accepted. A defect without a mask has no area and length. The verdict is by the value alone;
    a limit in mm that the value misses or meets by no more than its expanded uncertainty says so in a reason
    (ISO 14253-1:2017), which is also there if the verdict is OK.

    Args:
        calibration: needed for limits in mm.

    Raises:
        InputError: a limit is in mm, but there is no calibration.
    """
    rules = rules or _ANY_DEFECT
    judged = _Judged(calibration)
    counted: list[Detection] = []
    by_class: dict[str, list[Detection]] = {}
    by_region: dict[str, list[Detection]] = {}
    by_both: dict[tuple[str, str], list[Detection]] = {}
    for detection in detections:
        if rules.confidence and not rules.counts(detection.label, detection.score):
            continue
        counted.append(detection)
        named = False
        region = detection.region
        if region is not None and region in rules.regions:
            by_region.setdefault(region, []).append(detection)
            if named := rules.region_limits(detection.label, region) is not None:
                by_both.setdefault((detection.label, region), []).append(detection)
        if not named or rules.covers(detection.label):
            by_class.setdefault(detection.label, []).append(detection)
    if not counted:
        return Verdict("OK")
    if calibration is None:
        rules.check_calibration(None)
    for label, found in by_class.items():
        judged.add(rules.limits(label), found, label)
    for (label, inside), found in by_both.items():
        judged.add(rules.region_limits(label, inside) or {}, found, label, inside)
    for inside, found in by_region.items():
        judged.add(rules.regions[inside].overall, found, ALL, inside)
    judged.add(rules.overall, counted, ALL)
    return judged.verdict()


def warn_if_too_small(verdict: Verdict, frame: Frame, imgsz: int) -> Verdict:
    """Return ``verdict``, but WARN instead of OK if the scaled image was too small to detect anything.

    Args:
        imgsz: longer side to which the model scales images, pixels; 0 if it does not scale.
    """
    return warn_if_scaled_below(verdict, frame.width, frame.height, imgsz)


def warn_if_scaled_below(verdict: Verdict, width: int, height: int, imgsz: int) -> Verdict:
    """As :func:`warn_if_too_small`, for an image of ``width`` x ``height`` pixels."""
    longer, shorter = max(width, height), min(width, height)
    if not 0 < imgsz < longer or verdict.status == "NG":
        return verdict
    scaled = shorter * imgsz / longer
    if scaled >= min(SMALLEST_SIDE, shorter):
        return verdict
    reason = Reason(SCALED_BELOW, "", round(scaled, 2), float(SMALLEST_SIDE), "px")
    return Verdict("WARN", (*verdict.reasons, reason))


class _Judged:
    """Collects the reasons of an image."""

    def __init__(self, calibration: Calibration | None) -> None:
        self._calibration = calibration
        self._refused: list[Reason] = []
        self._warned: list[Reason] = []
        self._near: list[Reason] = []

    def add(self, row: Row, found: Sequence[Detection], label: str, region: str | None = None) -> None:
        """Compare the worst value of these defects with each limit."""
        for name, limit in row.items():
            measure = MEASURES[name]
            measured = _worst(measure, found, self._calibration)
            if measured is not None:
                self._compare(measure, limit, *measured, label, region)

    def _compare(
        self, measure: Measure, limit: Limit, value: float, u: float | None, label: str, region: str | None
    ) -> None:
        expanded = None if u is None else COVERAGE * u
        exceeded: float | None = None
        for bound, reasons in ((limit.ng, self._refused), (limit.warn, self._warned)):
            if bound is None:
                continue
            near = expanded is not None and abs(value - bound) <= expanded
            if value < bound if measure.minimum else value > bound:
                if exceeded is None:
                    exceeded = bound
                    reasons.append(
                        Reason(measure.code, label, value, float(bound), measure.unit, region, expanded, near)
                    )
            elif near:
                self._near.append(
                    Reason(measure.near_code, label, value, float(bound), measure.unit, region, expanded, True)
                )

    def verdict(self) -> Verdict:
        if self._refused:
            return Verdict("NG", tuple(self._refused))
        near = tuple(self._near)
        return Verdict("WARN", (*self._warned, *near)) if self._warned else Verdict("OK", near)


def _worst(
    measure: Measure, found: Sequence[Detection], calibration: Calibration | None
) -> tuple[float, float | None] | None:
    """The value to be judged with its standard uncertainty; None where there is nothing to measure."""
    if measure.quantity == "count":
        return float(len(found)), None
    if measure.quantity == "score":
        return max(d.score for d in found), None
    values = [value for d in found if (value := _value(measure, d, calibration)) is not None]
    if measure.total:
        # The scale's error is common to all areas, so their uncertainties are added, not combined as independent.
        uncertainties = [u for _, u in values if u is not None]
        return float(sum(value for value, _ in values)), sum(uncertainties) if measure.in_mm else None
    if measure.minimum:
        return min(values, default=None, key=lambda pair: pair[0])
    return max(values, default=(0.0, None), key=lambda pair: pair[0])


def _value(measure: Measure, d: Detection, calibration: Calibration | None) -> tuple[float, float | None] | None:
    if d.measures is not None:
        px = getattr(d.measures, f"{measure.quantity}_px")
    else:
        px = d.area if measure.quantity == "area" else d.length if measure.quantity == "length" else None
    if px is None:
        return None
    if not measure.in_mm:
        return float(px), None
    assert calibration is not None
    perimeter = 0.0 if d.measures is None else d.measures.perimeter_px or 0.0
    return in_millimetres(measure.quantity, px, perimeter, calibration)
