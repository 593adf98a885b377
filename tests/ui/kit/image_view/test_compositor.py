"""The composed pixels: what is coloured and what is not, at every zoom and size."""

import cv2
import numpy as np
import pytest

from inspector.domain import Detection, Mask
from inspector.imaging.overlay import PALETTE, class_colour
from inspector.imaging.text import text_tile
from inspector.ui.kit.image_view.compositor import (
    VIEWS,
    RenderOptions,
    class_swatch,
    compose,
    hit_test,
    panes,
    prepare,
    prepare_fast,
)
from inspector.ui.kit.image_view.viewport import Viewport

GREY = 120
BARE = RenderOptions(boxes=False, labels=False, outline=False)
WINDOW = (400, 300)


def plain(width=400, height=300) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def ring(x, y, size, hole, label="划痕", class_id=0, score=0.91) -> Detection:
    """A filled square with a square hole in its middle."""
    pixels = np.ones((size, size), bool)
    start = (size - hole) // 2
    pixels[start : start + hole, start : start + hole] = False
    return Detection(label, score, (x, y, x + size, y + size), Mask(x, y, pixels), class_id)


def bgr(pyramid, view, look, window=WINDOW) -> np.ndarray:
    return compose(pyramid, view, look, window)[..., ::-1]


@pytest.mark.parametrize("ready", [prepare, prepare_fast])
@pytest.mark.parametrize("scale", [1, 4, 16])
def test_masks_tint_their_pixels_and_not_their_holes(ready, scale):
    pyramid = ready(plain(400 * scale, 300 * scale), [ring(100 * scale, 100 * scale, 80 * scale, 40 * scale)])
    image = bgr(pyramid, Viewport.fit(pyramid.size, WINDOW), BARE)
    tinted = np.rint(0.6 * GREY + 0.4 * np.array(class_colour(0)))
    assert image.shape == (300, 400, 3)
    assert np.abs(image[110, 110] - tinted).max() <= 1
    assert (image[140, 140] == GREY).all(), "the hole"
    assert (image[97, 140] == GREY).all(), "beside it"
    coloured = (image != GREY).any(2).sum()
    assert abs(coloured - (80 * 80 - 40 * 40)) < 0.1 * 80 * 80


def test_zoomed_in_a_mask_covers_exactly_its_pixels():
    pyramid = prepare(plain(), [ring(100, 100, 8, 4)])
    view = Viewport.fit(pyramid.size, WINDOW).centred((100, 100, 108, 108)).zoomed(100)
    assert view.zoom == 32
    image = bgr(pyramid, view, BARE)
    left, top = map(int, view.to_window((100, 100)))
    assert (left, top) == (200 - 4 * 32, 150 - 4 * 32)
    expected = np.kron(pyramid.detections[0].mask.pixels, np.ones((32, 32), bool))
    assert np.array_equal((image != GREY).any(2)[top : top + 256, left : left + 256], expected)


def test_opacity_masks_outline_and_hidden_classes():
    pyramid = prepare(plain(), [ring(100, 100, 80, 40)])
    view = Viewport.fit(pyramid.size, WINDOW)
    full = bgr(pyramid, view, RenderOptions(boxes=False, labels=False, outline=False, opacity=1))
    assert (full[110, 110] == class_colour(0)).all()
    outline = bgr(pyramid, view, RenderOptions(boxes=False, labels=False, opacity=0))
    assert (outline[100, 140] == class_colour(0)).all()
    assert (outline[119, 140] == class_colour(0)).all(), "round the hole too"
    assert (outline[112, 112] == GREY).all()
    for look in (
        RenderOptions(masks=False, boxes=False, labels=False),
        RenderOptions(hidden=frozenset({"划痕"})),
        RenderOptions(view="original"),
    ):
        assert (bgr(pyramid, view, look) == GREY).all()
    boxes = bgr(pyramid, view, RenderOptions(masks=False, labels=False))
    assert (boxes[98, 140] == class_colour(0)).all()
    assert (boxes[110, 110] == GREY).all()


def test_an_outline_does_not_run_along_the_windows_edge():
    pyramid = prepare(plain(), [Detection("a", 0.5, (0, 0, 400, 300), Mask(0, 0, np.ones((300, 400), bool)))])
    view = Viewport.fit(pyramid.size, WINDOW).zoomed(4)
    image = bgr(pyramid, view, RenderOptions(labels=False))
    assert len(np.unique(image.reshape(-1, 3), axis=0)) == 1


def test_labels_are_the_shipped_font_and_lie_in_the_window():
    pyramid = prepare(plain(), [ring(100, 100, 80, 40, label="裂纹")])
    image = bgr(pyramid, Viewport.fit(pyramid.size, WINDOW), RenderOptions())
    tile = text_tile("裂纹 0.91", 13, class_colour(0), 400)
    height, width = tile.shape[:2]
    spots = np.argwhere((image == tile[0, 0]).all(2))
    assert any(np.array_equal(image[y : y + height, x : x + width], tile) for y, x in spots)
    other = text_tile("\U0010ffff\U0010ffff 0.91", 13, class_colour(0), 400)
    assert not np.array_equal(other, tile), "not the sign for an unknown character"


def test_marks_are_seen_without_colour():
    pyramid = prepare(plain(), [ring(100, 100, 80, 40)])
    view = Viewport.fit(pyramid.size, WINDOW)
    usual, selected, hovered = (
        bgr(pyramid, view, look) for look in (RenderOptions(), RenderOptions(selected=0), RenderOptions(hovered=0))
    )
    for marked in (selected, hovered):
        assert not (usual == 255).all(2).any() or (marked == 255).all(2).sum() > 2 * (usual == 255).all(2).sum()
    # Two lines, one beyond the other.
    row = selected[160, 80:100].astype(int)
    assert (row == 255).all(1).any()
    assert (row == class_colour(0)).all(1).any()
    assert (bgr(pyramid, view, RenderOptions(selected=0, masks=False, boxes=False))[160, 80:100] == 255).all(1).any()


def test_side_by_side_shows_the_same_place_twice():
    pyramid = prepare(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8), [ring(100, 100, 80, 40)])
    (left, size), (right, same) = panes("side_by_side", WINDOW, 4)
    assert (left, right, size, same) == (0, 202, (198, 300), (198, 300))
    view = Viewport.fit(pyramid.size, size).zoomed(3, (50, 150))
    image = bgr(pyramid, view, RenderOptions(view="side_by_side", masks=False, boxes=False, labels=False))
    assert image.shape == (300, 400, 3)
    assert np.array_equal(image[:, :198], image[:, 202:])
    result = bgr(pyramid, view, RenderOptions(view="side_by_side"))
    assert np.array_equal(result[:, :198], image[:, :198])
    assert not np.array_equal(result[:, 202:], image[:, 202:])


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (7, 3), (401, 299)])
@pytest.mark.parametrize("window", [(1, 1), (2, 700), (400, 300), (333, 7)])
def test_odd_sizes(size, window):
    width, height = size
    found = [
        Detection("a", 0.5, (0, 0, width, height), Mask(0, 0, np.ones((height, width), bool))),
        Detection("", float("nan"), (float("nan"),) * 4),
        Detection("huge", 1.0, (float("-inf"), -1e30, float("inf"), 1e30), class_id=10**9),
        Detection("beyond", 1.0, (-50, -50, width + 9, height + 9), Mask(-20, -20, np.ones((15, 15), bool)), -3),
        Detection("empty", 1.0, (0, 0, 1, 1), Mask(0, 0, np.zeros((0, 0), bool))),
    ]
    for ready in (prepare, prepare_fast):
        pyramid = ready(plain(width, height), found)
        for mode in VIEWS:
            pane = panes(mode, window, 4)[0][1]
            fit = Viewport.fit(size, pane)
            for view in (fit, fit.zoomed(50), fit.zoomed(0.001), fit.panned(1e6, 1e6), fit.centred(found[0].box)):
                for look in (RenderOptions(view=mode), RenderOptions(view=mode, selected=0, hovered=2)):
                    assert compose(pyramid, view, look, window).shape == (window[1], window[0], 3)
    assert (compose(prepare(plain(width, height)), Viewport.fit(size, window), RenderOptions(), window) == GREY).any()


def test_an_image_of_100_megapixels():
    ramp = np.repeat((np.arange(12_500) * 255 // 12_499).astype(np.uint8), 3).reshape(1, -1, 3)
    image = np.broadcast_to(ramp, (8000, 12_500, 3))
    rough = prepare_fast(image)
    view = Viewport.fit(rough.size, WINDOW)
    mean = np.interp((np.arange(400) + 0.5) * 31.25, np.arange(12_500), ramp[0, :, 0])
    first = compose(rough, view, BARE, WINDOW)[150, :, 0].astype(float)
    assert np.abs(first - mean).max() < 4
    pyramid = prepare(np.ascontiguousarray(image[:4000]))
    assert [level.shape[1] for level in pyramid.levels][:3] == [12_500, 6250, 3125]
    view = Viewport.fit(pyramid.size, WINDOW)
    fine = compose(pyramid, view, BARE, WINDOW)[150, :, 0].astype(float)
    assert np.abs(fine - mean).max() < 2
    actual = compose(pyramid, view.actual(), BARE, WINDOW)[150, :, 0]
    assert np.array_equal(actual, ramp[0, 6050:6450, 0])


def test_composing_costs_by_the_window_and_not_by_the_image(monkeypatch):
    read, warp = [], cv2.warpAffine

    def counted(source, *arguments, **options):
        read.append(source.shape[0] * source.shape[1])
        return warp(source, *arguments, **options)

    monkeypatch.setattr(cv2, "warpAffine", counted)
    for side in (600, 6000):
        pyramid = prepare(plain(side, side), [ring(side // 4, side // 4, side // 8, side // 16)])
        for zoom in (1.0, 3.0, 40.0):
            read.clear()
            compose(pyramid, Viewport.fit(pyramid.size, WINDOW).zoomed(zoom), RenderOptions(), WINDOW)
            assert read and sum(read) < 6 * WINDOW[0] * WINDOW[1]  # four source pixels each, image and mask


def test_thin_scratches_stay_visible_when_scaled_down():
    line = np.ones((1, 4000), bool)
    pyramid = prepare(plain(4000, 3000), [Detection("a", 0.5, (0, 1501, 4000, 1502), Mask(0, 1501, line))])
    image = bgr(pyramid, Viewport.fit(pyramid.size, WINDOW), RenderOptions(boxes=False, labels=False))
    assert (image[148:153] != GREY).any(2).any(0).mean() > 0.95


def test_pointing():
    large, small = ring(100, 100, 80, 40, label="a"), ring(100, 100, 20, 0, label="b")
    boxed = Detection("c", 0.5, (300, 200, 340, 240))
    found = [large, small, boxed]
    assert hit_test(found, (105, 105), 1) == 1, "the smallest"
    assert hit_test(found, (170, 170), 1) == 0
    assert hit_test(found, (140, 140), 1) is None, "the hole"
    assert hit_test(found, (310, 210), 1) == 2
    assert hit_test(found, (105, 105), 1, frozenset({"b"})) == 0
    assert hit_test(found, (5, 5), 1) is None
    assert hit_test(found, (183, 150), 1) == 0, "a few window pixels beside it"
    assert hit_test(found, (183, 150), 10) is None
    assert hit_test([], (5, 5), 1) is None


def test_swatches_are_the_colours_of_saved_images():
    assert class_swatch(0) == "#d55e00"
    assert len({class_swatch(number) for number in range(len(PALETTE))}) == len(PALETTE)
    assert class_swatch(len(PALETTE)) == class_swatch(0)
