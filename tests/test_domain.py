"""Masks, rules, verdicts, and what is kept as JSON."""

import json

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
    Rules,
    Verdict,
    judge,
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
        assert Mask(3, 3, pixels).length == pytest.approx(length, abs=1)

    def test_length_of_a_diagonal_is_longer_than_its_box(self):
        assert Mask(0, 0, np.eye(30, dtype=bool)).length == pytest.approx(30 * np.sqrt(2), abs=1)

    @pytest.mark.parametrize("place", [(0, 0), (17, 3), (40, 29)])
    def test_rle_equals_cocos_own_of_the_full_picture(self, place):
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

    def test_rle_never_makes_the_whole_picture(self):
        side = 60_000  # 3.6 GB
        back = Mask.from_rle(Mask(40_000, 50_000, ring()).rle(side, side))
        assert (back.x, back.y) == (40_000, 50_000)
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
        with pytest.raises(InputError, match=r"'defect'.*knows Defect"):
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
    ]  # fmt: skip
    assert list(record["reasons"][0]) == ["code", "label", "value", "limit", "unit"]
    assert list(record["detections"][0]) == [
        "label", "score", "box", "area_px", "length_px", "area_mm2", "length_mm", "rle",
    ]  # fmt: skip
    assert record["detections"][0]["area_px"] == 800
    assert list(record["model"]) == ["file", "sha256", "architecture"]
    assert list(record["ms"]) == ["read", "infer", "total"]
    json.dumps(record, allow_nan=False)
