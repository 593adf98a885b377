"""Masks, rules, verdicts, and what is kept as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco

from inspector.domain import (
    Choice,
    Detection,
    Frame,
    InputError,
    Inspection,
    Job,
    Limit,
    Mask,
    ModelInfo,
    Reason,
    RecipeInfo,
    Rules,
    Verdict,
    judge,
    pass_rate,
    rules_sha256,
    warn_if_too_small,
    yield_of,
)


def ring(radius: int = 100, hole: int = 80) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    distance = np.hypot(x, y)
    return (distance <= radius) & (distance >= hole)


def detection(label: str = "Defect", score: float = 0.9, side: int = 4) -> Detection:
    return Detection(label, score, (0, 0, side, side), Mask(0, 0, np.ones((side, side), bool)))


class TestMask:
    def test_area_counts_holes_as_holes(self):
        pixels = ring()
        assert Mask(5, 7, pixels).area == pixels.sum() < np.pi * 100**2 / 2

    @pytest.mark.parametrize(
        ("pixels", "length"),
        [
            (np.ones((1, 1), bool), 1),
            (np.ones((1, 10), bool), 10),
            (np.ones((10, 3), bool), 10),
            (np.zeros((3, 3), bool), 0),
            (ring(), 201),
        ],
    )
    def test_length_of_known_shapes(self, pixels, length):
        assert Mask(3, 3, pixels).rect_length == pytest.approx(length, abs=1)

    def test_length_of_a_diagonal_is_longer_than_its_box(self):
        assert Mask(0, 0, np.eye(30, dtype=bool)).rect_length == pytest.approx(30 * np.sqrt(2), abs=1)

    @pytest.mark.parametrize("place", [(0, 0), (17, 3), (40, 29)])
    def test_rle_equals_cocos_own_of_the_full_image(self, place):
        rng = np.random.default_rng(0)
        pixels = rng.random((20, 30)) > 0.5
        full = np.zeros((60, 80), np.uint8)
        x, y = place
        full[y : y + 20, x : x + 30] = pixels
        rle = Mask(x, y, pixels).rle(60, 80)
        expected = coco.encode(np.asfortranarray(full))
        assert rle == {"size": [60, 80], "counts": expected["counts"].decode()}

    def test_rle_round_trip(self):
        back = Mask.from_rle(Mask(5, 7, ring()).rle(400, 500))
        assert (back.x, back.y) == (5, 7)
        assert np.array_equal(back.pixels, ring())

    @pytest.mark.parametrize("pixels", [np.zeros((3, 4), bool), np.ones((6, 8), bool)])
    def test_rle_of_nothing_and_of_everything(self, pixels):
        rle = Mask(0, 0, pixels).rle(6, 8)
        assert coco.area({"size": rle["size"], "counts": rle["counts"].encode()}) == pixels.sum()

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
    def test_rle_of_masks_that_touch_the_edges_is_cocos_own_and_comes_back(self, share):
        rng = np.random.default_rng(1)
        for _ in range(200):
            height, width = rng.integers(1, 14, 2)
            h, w = (height if rng.random() < 0.3 else rng.integers(1, height + 1)), rng.integers(1, width + 1)
            y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
            full = np.zeros((height, width), bool)
            full[y : y + h, x : x + w] = rng.random((h, w)) < share
            rle = Mask(x, y, full[y : y + h, x : x + w]).rle(int(height), int(width))
            assert rle["counts"].encode() == coco.encode(np.asfortranarray(full, np.uint8))["counts"]
            back = Mask.from_rle(rle)
            found = np.zeros_like(full)
            found[back.y : back.y + back.pixels.shape[0], back.x : back.x + back.pixels.shape[1]] = back.pixels
            assert np.array_equal(found, full)
            left, top, wide, high = coco.toBbox(coco.encode(np.asfortranarray(full, np.uint8)))
            assert (back.x, back.y, *back.pixels.shape) == (left, top, high, wide)

    def test_rle_never_makes_the_whole_image(self):
        side = 46_000  # 2.1 GB; run lengths from 2^31 on do not fit into a C long on Windows, images end long before
        back = Mask.from_rle(Mask(30_000, 40_000, ring()).rle(side, side))
        assert (back.x, back.y) == (30_000, 40_000)
        assert np.array_equal(back.pixels, ring())

    def test_rle_is_made_once_for_each_size(self):
        mask = Mask(2, 1, np.ones((2, 3), bool))
        first = mask.rle(10, 10)
        mask.rle(9, 9)["size"].append(0)
        mask.pixels[:] = False  # would be seen by a second making
        assert mask.rle(10, 10) == first
        assert mask.rle(9, 9)["size"] == [9, 9]

    @pytest.mark.parametrize("counts", ["", "P", "0a", "é", "11", "ppppppppppppp0", "\x10"])
    def test_a_damaged_rle_is_refused(self, counts):
        with pytest.raises(ValueError, match="run lengths"):
            Mask.from_rle({"size": [4, 5], "counts": counts})

    def test_polygon_of_a_rectangle_has_its_area(self):
        (polygon,) = Mask(10, 20, np.ones((3, 5), bool)).polygons()
        assert sorted(map(tuple, polygon)) == [(10, 20), (10, 23), (15, 20), (15, 23)]

    def test_a_wrong_bitmap_is_refused(self):
        with pytest.raises(ValueError, match="uint8"):
            Mask(0, 0, np.zeros((2, 2), np.uint8))


class TestFrame:
    @pytest.mark.parametrize(
        "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
    )
    def test_a_wrong_image_is_refused_with_what_it_was(self, image):
        with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
            Frame(image, 0, "x")


class TestJudge:
    def test_without_rules(self):
        assert judge([]) == Verdict("OK")
        verdict = judge([detection(), detection()])
        assert verdict.status == "NG"
        (reason,) = verdict.reasons
        assert (reason.code, reason.label, reason.value, reason.limit) == ("count_above", "Defect", 2, 0)

    @pytest.mark.parametrize(("side", "status"), [(10, "OK"), (11, "WARN"), (20, "WARN"), (21, "NG")])
    def test_a_limit_itself_is_still_accepted(self, side, status):
        rules = Rules({"Defect": {"area_px": Limit(warn=100, ng=400)}})
        assert judge([detection(side=side)], rules).status == status

    def test_reasons_are_those_of_the_verdict_with_value_limit_and_unit(self):
        rules = Rules.from_json(
            {
                "classes": {
                    "Defect": {"count": {"warn": 1}, "area_px": {"ng": 15}, "length_px": {"ng": 3}, "score": {"ng": 1}}
                }
            }
        )
        verdict = judge([detection(), detection(side=2)], rules)
        assert verdict.status == "NG"
        assert [(r.code, r.value, r.limit, r.unit) for r in verdict.reasons] == [
            ("area_above", 16, 15, "px2"),
            ("length_above", 4, 3, "px"),
        ]

    def test_a_class_that_nobody_thought_of_is_not_good(self):
        rules = Rules({"Scratch": {"count": Limit(ng=5)}})
        assert judge([detection("Crack")], rules).status == "NG"
        assert judge([detection("Crack")], Rules({"*": {"count": Limit(ng=5)}})).status == "OK"

    def test_rules_for_a_class_that_the_model_lacks_are_refused(self):
        rules = Rules({"defect": {"count": Limit(ng=0)}, "*": {}})
        with pytest.raises(InputError, match=r"'defect'.*it has Defect"):
            rules.check_names(["Defect"])
        Rules({"*": {}}).check_names(["Defect"])

    def test_boxes_without_masks_are_counted_not_measured(self):
        bare = Detection("Defect", 0.5, (0, 0, 9, 9))
        assert judge([bare], Rules({"Defect": {"area_px": Limit(ng=1)}})).status == "OK"
        assert judge([bare]).status == "NG"

    @pytest.mark.parametrize(
        ("document", "named"),
        [
            ([], "classes"),
            ({"classes": {"D": 3}}, "'D'"),
            ({"classes": {"D": {"volume": {"ng": 1}}}}, "volume"),
            ({"classes": {"D": {"count": {"bad": 1}}}}, "count"),
            ({"classes": {"D": {"count": {"ng": "many"}}}}, "many"),
            ({"classes": {"D": {"count": {"ng": True}}}}, "True"),
            ({"classes": {"D": {"count": {"ng": float("nan")}}}}, "nan"),
            ({"classes": {"D": {"count": {"warn": 3, "ng": 1}}}}, "swap"),
            ({"classes": {"D": {"score": {"ng": 3}}}}, "from 0 to 1"),
        ],
    )
    def test_wrong_rules_are_named(self, document, named):
        with pytest.raises(InputError, match=named):
            Rules.from_json(document)

    def test_rules_survive_json(self):
        document = {"classes": {"缺陷": {"area_px": {"warn": 1, "ng": 2}}, "*": {"count": {"ng": 0}}}}
        assert Rules.from_json(document).to_json() == document


def test_job_survives_json():
    job = Job(
        sources=(Choice("image_files", {"path": "轴承"}),),
        model=Choice("yolo11", {"imgsz": 320}),
        weights="best.pt",
        confidence=0.5,
        exporters=(Choice("csv"),),
        rules=Rules({"*": {"count": Limit(ng=1)}}),
        language="zh",
    )
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (3, "object"),
        ({"model": {"id": "m"}, "colour": 1}, "colour"),
        ({"model": "m"}, "model"),
        ({"model": {"id": "m"}, "confidence": 2}, "confidence"),
        ({"model": {"id": "m"}, "sources": {}}, "sources"),
    ],
)
def test_a_wrong_job_is_refused_with_the_place(document, named):
    with pytest.raises(InputError, match=named):
        Job.from_json(document)


def test_record_has_the_keys_of_the_contract():
    frame = Frame(np.zeros((46, 113, 3), np.uint8), 0, "a.jpg")
    found = Detection("Defect", 0.91, (10, 20, 50, 40), Mask(10, 20, np.ones((20, 40), bool)))
    model = ModelInfo("best.pt", "ab", "yolo11n-seg", ("Defect",))
    record = Inspection(frame, (found,), judge([found]), model).record()
    assert list(record) == [
        "name", "index", "seconds", "width", "height", "verdict", "reasons", "detections", "model", "ms",
        "rules_sha256", "recipe", "part", "serial", "lot", "operator", "station",
        "path", "notes",
    ]  # fmt: skip
    assert list(record["reasons"][0]) == ["code", "label", "value", "limit", "unit"]
    assert list(record["detections"][0]) == [
        "label", "score", "box", "area_px", "length_px", "feret_px", "width_px", "width_mean_px", "perimeter_px",
        "nearest_px", "rect_length_px", "area_mm2", "area_mm2_u", "length_mm", "length_mm_u", "feret_mm", "feret_mm_u",
        "width_mm", "width_mm_u", "width_mean_mm", "width_mean_mm_u", "perimeter_mm", "perimeter_mm_u", "nearest_mm",
        "nearest_mm_u", "rect_length_mm", "rect_length_mm_u", "region", "rle",
    ]  # fmt: skip
    assert record["detections"][0]["area_px"] == 800
    assert list(record["model"]) == ["file", "sha256", "architecture"]
    assert list(record["ms"]) == ["read", "infer", "total"]
    json.dumps(record, allow_nan=False)


def test_a_yield_has_one_definition():
    assert yield_of(6, 200) == 0.03 and pass_rate(6, 71, 200) == 0.385
    assert yield_of(0, 0) is None and pass_rate(0, 0, 0) is None


def test_the_fingerprint_of_rules_is_of_their_limits():
    written = Rules.from_json({"classes": {"a": {"area_px": {"warn": 200, "ng": 400}}, "*": {"count": {"ng": 0}}}})
    same = Rules.from_json(
        {"name": " strict\n6205 ", "classes": {"*": {"count": {"ng": 0.0}}, "a": {"area_px": {"ng": 4e2, "warn": 200}}}}
    )
    assert same.name == "strict 6205" and same.to_json()["name"] == "strict 6205"
    assert rules_sha256(written) == rules_sha256(same) and len(rules_sha256(same)) == 64
    others = [None, Rules({"a": {}}), Rules({"a": {"area_px": Limit(200, 401)}, "*": {"count": Limit(ng=0)}})]
    assert len({rules_sha256(rules) for rules in [written, *others]}) == 4
    assert rules_sha256(None) == rules_sha256(Rules())


def test_rules_refuse_a_name_that_is_none():
    with pytest.raises(InputError, match="name must be a text"):
        Rules.from_json({"name": 7, "classes": {}})


def test_a_job_keeps_its_recipe():
    job = Job((Choice("image_files"),), Choice("yolo11"), recipe=RecipeInfo("6205", 2, "ab" * 32))
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
    assert "recipe" not in replace(job, recipe=None).to_json()
    assert job.same_inspection(replace(job, sources=(), recipe=None))
    assert not job.same_inspection(replace(job, confidence=0.3))
    for wrong in ("6205", {"name": "6205", "version": True, "sha256": ""}, {"name": "6205"}):
        with pytest.raises(InputError, match="recipe of a job"):
            Job.from_json({**job.to_json(), "recipe": wrong})


@pytest.mark.parametrize(
    ("size", "imgsz", "expected"),
    [
        ((64, 20000), 416, 1.33),
        ((20000, 64), 416, 1.33),
        ((600, 8000), 416, 31.2),
        ((640, 8000), 416, None),  # 33 px are left
        ((20, 300), 416, None),  # not scaled down
        ((20, 416), 416, None),
        ((64, 20000), 0, None),  # a model that does not scale
    ],
)
def test_an_image_scaled_to_nothing_is_doubted(size, imgsz, expected):
    frame = Frame(np.zeros((*size, 3), np.uint8), 0, "a.png")
    verdict = warn_if_too_small(Verdict("OK"), frame, imgsz)
    if expected is None:
        assert verdict == Verdict("OK")
        return
    assert verdict == Verdict("WARN", (Reason("scaled_below", "", expected, 32.0, "px"),))
    refused = Verdict("NG", (Reason("count_above", "Defect", 1.0, 0.0),))
    assert warn_if_too_small(refused, frame, imgsz) is refused
    warned = Verdict("WARN", (Reason("area_above", "Defect", 9.0, 5.0, "px2"),))
    assert [reason.code for reason in warn_if_too_small(warned, frame, imgsz).reasons] == ["area_above", "scaled_below"]
