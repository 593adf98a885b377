"""Rules by class, region and for all classes: every measure, confidence thresholds, uncertainty, and the rule file."""

import json
from dataclasses import replace

import pytest

from inspector.domain import (
    MEASURES,
    TEMPLATES,
    Calibration,
    Detection,
    InputError,
    Limit,
    Measures,
    Reason,
    RegionRules,
    Rules,
    Verdict,
    judge,
    rules_sha256,
    to_millimetres,
)

SCALE = Calibration(0.1, relative_uncertainty=0.01)


def defect(label="Scratch", score=0.9, region=None, **px):
    px = {"area_px": 500, "length_px": 100.0, "feret_px": 90.0, "width_px": 6.0, "width_mean_px": 5.0} | px
    px = {"perimeter_px": 210.0, "nearest_px": 40.0} | px
    return Detection(label, score, (0, 0, 9, 9), measures=Measures(**px), region=region)


def rules(**document):
    return Rules.from_json({"version": 2, **document})


def codes(verdict):
    return [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in ("count", "score")])
def test_each_measure_has_limits_of_its_own(name):
    measure, found = MEASURES[name], defect()
    value = getattr(found.measures, f"{measure.quantity}_px") * ({"mm": 0.1, "mm2": 0.01}.get(measure.unit, 1.0))
    accepts, refuses = (value * 0.5, value * 1.5) if measure.minimum else (value * 1.5, value * 0.5)
    for limit, status in (({"ng": accepts}, "OK"), ({"warn": refuses}, "WARN"), ({"ng": refuses}, "NG")):
        verdict = judge([found], rules(classes={"Scratch": {name: limit}}), SCALE)
        assert verdict.status == status
        for reason in verdict.reasons:
            assert (reason.code, reason.unit) == (measure.code, measure.unit)
            assert reason.value == pytest.approx(value) and reason.limit == refuses


def test_total_area_is_the_sum_and_area_that_of_the_largest():
    found = [defect(area_px=300), defect(area_px=300)]
    both = rules(classes={"Scratch": {"area_px": {"ng": 400}, "total_area_px": {"ng": 599}}})
    assert [(r.code, r.value) for r in judge(found, both).reasons] == [("total_area_above", 600.0)]


def test_limits_for_all_classes_together_are_added():
    found = [defect("Scratch"), defect("Dent")]
    both = rules(classes={"*": {"count": {"ng": 1}}}, all={"count": {"ng": 1}})
    assert judge(found, both) == Verdict("NG", (Reason("count_above", "*", 2.0, 1.0),))


def test_limits_of_a_region_are_added_and_name_it():
    both = rules(
        classes={"Scratch": {"length_px": {"ng": 200}}},
        regions={"raceway": {"classes": {"Scratch": {"length_px": {"warn": 50}}}, "all": {"count": {"ng": 1}}}},
    )
    assert judge([defect(), defect()], both).status == "OK"
    warned = judge([defect(), defect(region="raceway")], both)
    assert warned == Verdict("WARN", (Reason("length_above", "Scratch", 100.0, 50.0, "px", "raceway"),))
    refused = judge([defect(region="raceway"), defect(region="raceway")], both)
    assert refused == Verdict("NG", (Reason("count_above", "*", 2.0, 1.0, None, "raceway"),))


def test_a_class_that_only_a_region_names_may_occur_there_alone():
    inside = rules(classes={}, regions={"raceway": {"classes": {"Scratch": {}}}})
    assert judge([defect(region="raceway")], inside).status == "OK"
    assert judge([defect(region="rib")], inside).status == "NG"
    assert judge([defect()], inside).status == "NG"
    assert judge([defect("Dent", region="raceway")], inside).status == "NG"


@pytest.mark.parametrize(("unnamed", "status"), [("ok", "OK"), ("warn", "WARN"), ("ng", "NG")])
def test_the_verdict_on_a_class_that_no_rule_names(unnamed, status):
    assert judge([defect("Crack")], rules(classes={"Scratch": {}}, unnamed=unnamed)).status == status


def test_a_defect_below_the_threshold_of_its_class_does_not_count():
    strict = rules(classes={"*": {"count": {"ng": 0}}}, confidence={"Dent": 0.5, "*": 0.8})
    assert judge([defect("Dent", 0.49), defect("Scratch", 0.79)], strict).status == "OK"
    assert judge([defect("Dent", 0.5)], strict).status == "NG"
    assert judge([defect("Scratch", 0.8)], strict).status == "NG"


@pytest.mark.parametrize(
    ("limit", "status", "found"),
    [
        (9.0, "NG", ("length_above", False)),
        (9.95, "NG", ("length_above", True)),
        (10.05, "OK", ("length_near", True)),
        (11.0, "OK", None),
    ],
)
def test_a_value_within_the_uncertainty_of_a_limit_says_so(limit, status, found):
    one = defect()
    verdict = judge([one], rules(classes={"Scratch": {"length_mm": {"ng": limit}}}), SCALE)
    assert verdict.status == status
    if found is None:
        assert verdict.reasons == ()
        return
    (reason,) = verdict.reasons
    u = to_millimetres(one.measures, SCALE)["length_mm_u"]
    assert (reason.code, reason.within_uncertainty) == found
    assert reason.uncertainty == pytest.approx(2 * u) and 0.1 < reason.uncertainty < 0.9
    record = reason.record()
    assert ("within_uncertainty" in record) == found[1] and record["uncertainty"] == reason.uncertainty
    assert Reason(**record) == reason


def test_reasons_keep_their_five_keys():
    assert list(Reason("area_above", "Scratch", 2.0, 1.0, "px2").record()) == [
        "code",
        "label",
        "value",
        "limit",
        "unit",
    ]


def test_limits_in_millimetres_need_a_calibration():
    in_mm = rules(classes={"Scratch": {"width_mm": {"ng": 1}}})
    with pytest.raises(InputError, match=r"width_mm in millimetres.*calibrate"):
        in_mm.check_calibration(None)
    with pytest.raises(InputError, match="calibrate"):
        judge([defect()], in_mm)
    in_mm.check_calibration(SCALE)


def test_the_nearest_defect_is_worse_the_closer_it_is():
    two = rules(classes={"Scratch": {"nearest_px": {"warn": 50, "ng": 10}}})
    assert judge([defect(nearest_px=60.0), defect(nearest_px=9.0)], two).reasons[0].value == 9.0
    assert judge([defect(nearest_px=None)], two).status == "OK"
    far, near = Reason("nearest_below", "a", 8.0, 10.0), Reason("nearest_below", "a", 3.0, 10.0)
    assert near.worse_than(far) and not far.worse_than(near)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"version": 3, "classes": {}}, "version 3"),
        ({"version": True, "classes": {}}, "version"),
        ({"classes": {}, "unnamed": "ok"}, "unnamed"),
        ({"classes": {"a": {"width_px": {"ng": 1}}}}, 'needs "version": 2'),
        ({"version": 2, "regions": []}, "regions"),
        ({"version": 2, "regions": {"r": {"count": {"ng": 0}}}}, "'r'"),
        ({"version": 2, "regions": {"r": {"classes": {"a": {"size": {"ng": 0}}}}}}, "'r'.*'a'.*'size'"),
        ({"version": 2, "all": 3}, "all classes together"),
        ({"version": 2, "unnamed": "bad"}, "bad"),
        ({"version": 2, "confidence": {"a": 1.2}}, "1.2"),
        ({"version": 2, "confidence": [1]}, "confidence"),
        ({"version": 2, "template": "din"}, "din"),
        ({"version": 2, "classes": {"a": {"nearest_px": {"warn": 1, "ng": 2}}}}, "minimum"),
        ({"version": 2, "all": {"score": {"ng": 2}}}, "from 0 to 1"),
    ],
)
def test_what_is_wrong_is_named(document, named):
    with pytest.raises(InputError, match=named):
        Rules.from_json(document)


FULL = {
    "version": 2,
    "name": "6205",
    "template": "manufacturing",
    "classes": {"scratch": {"length_mm": {"warn": 1, "ng": 2.5}}},
    "all": {"count": {"ng": 3}},
    "regions": {"raceway": {"classes": {"*": {"count": {"ng": 0}}}, "all": {"total_area_mm2": {"ng": 1}}}},
    "confidence": {"*": 0.4},
    "unnamed": "warn",
}


def test_rules_survive_their_file():
    assert json.loads(json.dumps(Rules.from_json(FULL).to_json())) == FULL


def test_version_1_keeps_its_form_and_its_fingerprint():
    first = {"classes": {"Defect": {"area_px": {"warn": 200, "ng": 400}}, "*": {"count": {"ng": 0}}}}
    expected = "f3ea8d06523751415e6a55d7a35e452da0979725082ca5f929d469c752ab9664"
    assert Rules.from_json(first).to_json() == first
    assert Rules.from_json({"version": 2, **first}).to_json() == first
    assert rules_sha256(Rules.from_json({"version": 2, **first})) == rules_sha256(Rules.from_json(first)) == expected


def test_the_fingerprint_covers_everything_that_acts():
    changed = [
        {"template": "iso15243"},
        {"classes": {"scratch": {"length_mm": {"warn": 1, "ng": 2.6}}}},
        {"all": {"count": {"warn": 3}}},
        {"regions": {"rib": FULL["regions"]["raceway"]}},
        {"regions": {"raceway": {"classes": {"*": {"count": {"ng": 0}}}}}},
        {"confidence": {"*": 0.5}},
        {"unnamed": "ok"},
    ]
    prints = {rules_sha256(Rules.from_json(FULL | change)) for change in ({}, *changed)}
    assert len(prints) == len(changed) + 1
    assert rules_sha256(Rules.from_json(FULL | {"name": "other"})) == rules_sha256(Rules.from_json(FULL))


@pytest.mark.parametrize("template", list(TEMPLATES.values()), ids=list(TEMPLATES))
def test_a_template_knows_its_classes_in_both_languages(template):
    made = Rules.from_json(template.rules_json())
    made.check_names(["Other"])
    for each in template.classes:
        assert each.en and any("\u4e00" <= char <= "\u9fff" for char in each.zh)
        for name in (each.key, each.en.title(), each.zh, each.key.upper()):
            assert judge([defect(name)], made).status == each.found.upper()
    assert judge([defect("Other")], made).status == "NG"
    names = [name for each in template.classes for name in (each.en, each.zh)]
    assert len(set(names)) == len(names)


def test_a_name_that_neither_model_nor_template_knows_is_refused():
    made = Rules.from_json(TEMPLATES["iso15243"].rules_json())
    wrong = replace(made, classes={**made.classes, "spaling": {"count": Limit(ng=1)}})
    with pytest.raises(InputError, match="spaling"):
        wrong.check_names(["Spalling"])
    for named in (Rules(confidence={"x": 0.5}), Rules(regions={"r": RegionRules({"x": {}})})):
        with pytest.raises(InputError, match="'x'"):
            named.check_names(["Defect"])


def test_a_region_that_does_not_exist_is_refused():
    made = Rules(regions={"raceway": RegionRules()})
    made.check_regions(["raceway", "rib"])
    with pytest.raises(InputError, match=r"'raceway'.*it has rib"):
        made.check_regions(["rib"])
    with pytest.raises(InputError, match="no regions"):
        made.check_regions([])
