"""Drawing: which pixels change and which do not, at every size."""

import time

import numpy as np
import pytest

from inspector.domain import Detection, Mask, Verdict
from inspector.imaging import class_colour, draw_inspection
from inspector.imaging.text import _font, ink_on, text_tile

GREY = 120


def plain(height=480, width=640) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def found(x, y, w, h, label="Defect", score=0.91, class_id=0, mask=None, at=None) -> Detection:
    pixels = np.ones((h, w), bool) if mask is None else mask
    left, top = at or (x, y)
    return Detection(label, score, (x, y, x + w, y + h), Mask(left, top, pixels), class_id)


def changed(image: np.ndarray) -> np.ndarray:
    return (image != GREY).any(2)


def test_draws_in_place_and_only_near_the_defect():
    image = plain()
    assert draw_inspection(image, [found(300, 200, 60, 40)]) is image
    rows, columns = np.nonzero(changed(image))
    assert changed(image)[200:240, 300:360].all()
    assert rows.min() > 160
    assert rows.max() < 250
    assert columns.min() > 290
    assert columns.max() < 400


def test_tint_keeps_holes_and_follows_opacity():
    mask = np.ones((80, 80), bool)
    mask[30:50, 30:50] = False
    image = draw_inspection(plain(), [found(300, 200, 80, 80, mask=mask)], labels=False, opacity=0.25)
    assert (image[240, 340] == GREY).all()
    expected = 0.75 * GREY + 0.25 * np.array(class_colour(0))
    assert np.abs(image[210, 310] - expected).max() <= 1
    assert (image[199, 340] == class_colour(0)).all()  # the box lies around the pixels, not on them
    untinted = draw_inspection(plain(), [found(300, 200, 80, 80, mask=mask)], labels=False, opacity=0)
    assert (untinted[210, 310] == GREY).all()
    assert (untinted[200, 340] == class_colour(0)).all()  # the contour


def test_without_mask_and_without_labels():
    image = draw_inspection(plain(), [Detection("Defect", 0.5, (100, 100, 200, 200))], labels=False)
    assert not changed(image)[105:195, 105:195].any()
    assert changed(image)[98:102, 150].any()
    assert np.array_equal(draw_inspection(plain(), []), plain())


@pytest.mark.parametrize(
    "detection",
    [
        found(0, 0, 640, 480),
        found(-20, -30, 50, 60),
        found(620, 470, 100, 100),
        found(-500, -500, 50, 50),
        found(700, 500, 50, 50),
        found(10, 10, 1, 1),
        found(300, 200, 20, 20, mask=np.zeros((20, 20), bool)),
        found(300, 200, 20, 20, mask=np.zeros((0, 0), bool)),
        found(300, 200, 20, 20, at=(630, 470)),
        Detection("inverted", 0.5, (50.5, 60.5, 40.2, 30.1)),
        Detection("huge", 0.5, (float("-inf"), -1e30, float("inf"), 1e30)),
        Detection("nan", float("nan"), (float("nan"),) * 4),
        Detection("", 1.0, (5, 5, 9, 9), class_id=-3),
        Detection("line\nbreak\tand \x00 control", 1.0, (5, 5, 9, 9), class_id=10**9),
        Detection("很长的名字" * 60, 1.0, (5, 5, 9, 9)),
    ],
)
@pytest.mark.parametrize("size", [(480, 640), (1, 1), (2, 9), (900, 31), (37, 4000)])
def test_awkward_boxes_masks_names_and_sizes(detection, size):
    for status in ("OK", "WARN", "NG"):
        image = draw_inspection(plain(*size), [detection, detection], Verdict(status))
        assert image.shape == (*size, 3)
        assert changed(image).any()


def test_a_wrong_array_is_refused_with_what_came():
    for wrong in (
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 3)),
        plain()[:, ::-1],
        np.broadcast_to(np.uint8(0), (9, 9, 3)),
    ):
        with pytest.raises(ValueError, match=r"must be \(H, W, 3\) uint8, contiguous and writeable, not \("):
            draw_inspection(wrong, [])


def readable(image: np.ndarray, tile: np.ndarray) -> bool:
    """Whether the whole tile is within the image."""
    height, width = tile.shape[:2]
    return any(
        np.array_equal(image[y : y + height, x : x + width], tile)
        for y, x in np.argwhere((image == tile[0, 0]).all(2)).tolist()
    )


def test_labels_stay_inside_and_avoid_each_other():
    for x, y in ((0, 0), (160, 0), (0, 90), (160, 90)):
        image = draw_inspection(plain(120, 200), [found(x, y, 40, 30)])
        assert readable(image, text_tile("Defect 0.91", 10, class_colour(0), 200)), (x, y)
    near = [found(300, 200, 30, 30), found(304, 203, 30, 30, class_id=1), found(308, 206, 30, 30, class_id=2)]
    image = draw_inspection(plain(), near)
    for number in range(3):
        tile = text_tile("Defect 0.91", 11, class_colour(number), 640)
        assert readable(image[150:290, 200:450], tile), "each label lies free"


def test_sizes_grow_with_the_image():
    def label_height(height, width):
        box = found(width // 2, height // 2, width // 10, height // 10)
        image, bare = (draw_inspection(plain(height, width), [box], labels=on) for on in (True, False))
        rows = np.nonzero((image != bare).any((1, 2)))[0]
        return rows.max() - rows.min() + 1

    small, middle, large = label_height(72, 128), label_height(720, 1280), label_height(3000, 4000)
    assert small >= 12
    assert middle >= 24
    assert large >= 80


def test_badge_has_sign_word_and_colour():
    badges = {s: draw_inspection(plain(), [], Verdict(s))[:40, :120] for s in ("OK", "WARN", "NG")}
    for image in badges.values():
        used = changed(image)
        assert used[0, 0]
        assert not used[:, -1].any()
    shapes = []
    for image in badges.values():
        ground = image[0, 0].astype(int)
        used = changed(image)
        ink = used & (np.abs(image.astype(int) - ground).sum(2) > 200)
        side = used.any(1).sum()
        assert ink[:side, :side].sum() > 10, "a sign"
        assert ink[:side, side:].sum() > 30, "a word"
        shapes.append(ink[:side, :side])
    assert not np.array_equal(shapes[0], shapes[1])
    assert not np.array_equal(shapes[1], shapes[2])
    assert not np.array_equal(shapes[0], shapes[2])


def test_the_font_has_what_labels_and_reports_need():
    font = _font(20)
    missing = np.asarray(font.getmask("\U0010ffff"))
    characters = "轴承裂纹磨损腐蚀划痕点蚀凹坑缺陷检测合格警告不良²³°µμ×≥≤±…–—✓⚠→●■℃Øφ，。：（）"
    for character in characters:
        glyph = np.asarray(font.getmask(character))
        assert glyph.shape != missing.shape or not np.array_equal(glyph, missing), character
    gb2312 = [
        bytes([row, column]).decode("gb2312", "ignore") for row in range(0xB0, 0xF8) for column in range(0xA1, 0xFF)
    ]
    inked = [bool(font.getmask(character).getbbox()) for character in gb2312 if character]
    assert len(inked) == 6763
    assert all(inked)


def test_text_tiles():
    tile = text_tile("划痕 0.87", 20, (0, 94, 213), 1000)
    assert tile.shape[0] == text_tile("Ag", 20, (0, 0, 0), 1000).shape[0]
    assert (tile[0, 0] == (0, 94, 213)).all()
    assert (tile > 240).all(2).sum() > 50  # white strokes
    assert text_tile("划痕 0.87", 20, (0, 94, 213), 1000) is tile
    assert 130 < text_tile("W" * 100, 20, (0, 0, 0), 150).shape[1] <= 150
    assert ink_on((0, 0, 0)) == (255, 255, 255)
    assert ink_on((66, 228, 240)) == (0, 0, 0)


def test_many_defects_in_one_image_are_drawn_quickly():
    random = np.random.default_rng(0)
    boxes = [found(*map(int, random.integers(0, 400, 2)), 20, 15, score=i / 300) for i in range(300)]
    start = time.thread_time()
    draw_inspection(plain(), boxes, Verdict("NG"))
    assert time.thread_time() - start < 2


def test_a_video_frame_is_drawn_in_a_few_milliseconds():
    defects = [found(100 + 200 * i, 200, 120, 80, class_id=i, label="划痕") for i in range(5)]
    frame = plain(720, 1280)
    spent = []
    for _ in range(40):
        image = frame.copy()
        start = time.thread_time()
        draw_inspection(image, defects, Verdict("NG"))
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.004
