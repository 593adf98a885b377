"""Counterparts of detections, and figures by labels."""

from inspector.domain import Detection
from inspector.jobs.compared_parts import ComparedPart, Quality, unmatched


def found(*boxes, label="Defect"):
    return [Detection(label, 0.9, box) for box in boxes]


def test_detections_of_one_class_that_overlap_by_half_are_counterparts():
    a, b = found((0, 0, 10, 10), (50, 50, 60, 60)), found((0, 0, 10, 5), (50, 56, 60, 66))
    assert unmatched(a, b) == (1, 1), "IoU 0.5 is enough, 0.25 is not"
    assert unmatched(a, []) == (2, 0) and unmatched([], a) == (0, 2)
    assert unmatched(a, found((0, 0, 10, 10), label="Dent")) == (2, 1)


def test_each_detection_has_one_counterpart():
    assert unmatched(found((0, 0, 10, 10)), found((0, 0, 10, 10), (0, 0, 10, 9))) == (0, 1)
    # The best pair first: the exact one is taken from the second, which still finds another.
    assert unmatched(found((0, 0, 10, 8), (0, 0, 10, 10)), found((0, 0, 10, 10), (0, 0, 10, 7))) == (0, 0)


def test_figures_by_labels():
    judged = [(True, True)] * 3 + [(True, False)] + [(False, True)] * 2 + [(False, False)] * 4
    quality = Quality.of(judged)
    assert (quality.precision, quality.recall) == (3 / 5, 3 / 4)
    assert (quality.false_alarms, quality.escapes) == (2, 1) and quality.document()["parts"] == 10
    nothing = Quality.of([(False, False)])
    assert nothing.precision is None and nothing.recall is None


def test_a_part_differs_by_verdict_or_by_a_detection():
    part = ComparedPart("7")
    assert not part.differs
    part.verdicts[1] = "WARN"
    assert part.differs
    assert ComparedPart("8", only=[0, 1]).differs
