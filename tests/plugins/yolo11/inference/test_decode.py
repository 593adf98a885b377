import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from inspector.api import InspectorError, prepare_torch
from inspector_plugins.yolo11.inference import decode
from inspector_plugins.yolo11.inference.decode import Letterbox

SIZES = [
    (640, 640),
    (460, 1130),
    (900, 2700),
    (1, 1),
    (31, 900),
    (4000, 37),
    (1, 3000),
    (333, 517),
    (641, 639),
    (3000, 2),
]


def prediction(boxes, scores, coefficients):
    """(4 + classes + coefficients, n) from boxes x1, y1, x2, y2."""
    boxes = np.array(boxes, np.float32)
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([centre, size, scores, coefficients], 1).T.astype(np.float32)


def test_needs_neither_torch_nor_ultralytics():
    code = "import sys, inspector_plugins.yolo11.inference.decode;"
    code += "sys.exit('torch' in sys.modules or 'ultralytics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("imgsz", [640, 320, 32])
def test_letterbox_is_that_of_ultralytics(picture, height, width, imgsz):
    prepare_torch()
    from ultralytics.data.augment import LetterBox

    image = picture(height, width)
    fit = Letterbox.for_size(height, width, imgsz, 32)
    ours = np.empty((fit.input_height, fit.input_width, 3), np.uint8)
    decode.letterbox(image, fit, ours)
    assert np.array_equal(ours, LetterBox(imgsz, auto=True, stride=32)(image=image))


def test_letterbox_refuses_other_images():
    with pytest.raises(ValueError, match=r"expected \(4, 5, 3\) uint8, not \(5, 4, 3\)"):
        decode.letterbox(
            np.zeros((5, 4, 3), np.uint8), Letterbox.for_size(4, 5, 32, 32), np.empty((32, 32, 3), np.uint8)
        )


def test_suppress_keeps_the_best_of_overlapping_boxes():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [0, 0, 10, 4]], np.float32)
    scores = np.array([0.5, 0.9, 0.7, 0.8], np.float32)
    assert decode.suppress(boxes, scores, 0.5, 300).tolist() == [1, 3, 2]
    assert decode.suppress(boxes, scores, 0.4, 300).tolist() == [1, 2]
    assert decode.suppress(boxes, scores, 1.0, 300).tolist() == [1, 3, 2, 0]
    assert decode.suppress(boxes, scores, 0.5, 2).tolist() == [1, 3]
    assert decode.suppress(boxes[:0], scores[:0], 0.5, 300).tolist() == []


@pytest.mark.parametrize("iou", [0.0, 0.3, 0.7])
def test_suppress_is_that_of_ultralytics(iou):
    prepare_torch()
    import torch
    from ultralytics.utils.nms import TorchNMS

    random = np.random.default_rng(3)
    corner = random.uniform(0, 300, (800, 2))
    boxes = np.concatenate([corner, corner + random.uniform(1, 90, (800, 2))], 1).astype(np.float32)
    scores = random.permutation(800).astype(np.float32) / 800
    theirs = TorchNMS.nms(torch.tensor(boxes), torch.tensor(scores), iou).tolist()
    assert decode.suppress(boxes, scores, iou, 10**6).tolist() == theirs


def test_classes_are_suppressed_apart_and_scores_lie_above_the_threshold():
    fit = Letterbox.for_size(64, 64, 64, 32)
    boxes = [[8, 8, 40, 40], [8, 8, 40, 39], [9, 8, 40, 40], [50, 50, 60, 60]]
    scores = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.25, 0.0]]
    found = decode.decode(
        prediction(boxes, scores, np.ones((4, 1))), np.ones((1, 16, 16), np.float32), fit, ("甲", "b"), 0.25, 0.5, 300
    )
    assert [(d.label, d.class_id, round(d.score, 3)) for d in found] == [("甲", 0, 0.9), ("b", 1, 0.8)]
    assert found[0].box == (8, 8, 40, 40)
    assert (found[0].mask.x, found[0].mask.y, found[0].mask.area) == (8, 8, 32 * 32)


def test_boxes_are_clipped_and_moved_to_the_image():
    fit = Letterbox.for_size(100, 200, 64, 32)
    assert (fit.top, fit.left, fit.input_height, fit.input_width) == (0, 0, 32, 64)
    found = decode.decode(
        prediction([[-10, 16, 32, 90]], [[0.5]], [[1]]), np.ones((1, 8, 16), np.float32), fit, ("a",), 0.1, 0.5, 300
    )
    assert found[0].box == (0, 50, 100, 100)
    assert found[0].mask.pixels.shape == (50, 100)


def test_detections_without_mask_pixels_are_dropped_and_masks_are_tight():
    prototypes = -np.ones((1, 16, 16), np.float32)
    fit = Letterbox.for_size(64, 64, 64, 32)
    box = prediction([[0, 0, 64, 64]], [[0.5]], [[1]])
    assert decode.decode(box, prototypes, fit, ("a",), 0.1, 0.5, 300) == []
    prototypes[0, 5, 6:9] = 1
    mask = decode.decode(box, prototypes, fit, ("a",), 0.1, 0.5, 300)[0].mask
    assert mask.pixels.any(0).all() and mask.pixels.any(1).all() and mask.pixels.shape[0] < 9


def test_rows_of_an_end_to_end_head_are_taken_as_they_are():
    rows = np.array([[0, 0, 8, 8, 0.9, 1, 1], [0, 0, 8, 8, 0.6, 1, 1], [0, 0, 8, 8, 0.2, 0, 1]], np.float32)
    fit = Letterbox.for_size(32, 32, 32, 32)
    prototypes = np.ones((1, 8, 8), np.float32)
    found = decode.decode(rows, prototypes, fit, ("a", "b"), 0.25, 0.5, 300, end_to_end=True)
    assert [(d.label, round(d.score, 2)) for d in found] == [("b", 0.9), ("b", 0.6)]
    assert len(decode.decode(rows, prototypes, fit, ("a", "b"), 0.0, 0.5, 1, end_to_end=True)) == 1


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("imgsz", [320, 640])
def test_masks_are_cut_out_of_those_of_ultralytics(height, width, imgsz):
    prepare_torch()
    import torch
    from ultralytics.utils.ops import process_mask_native

    random = np.random.default_rng(height + width)
    fit = Letterbox.for_size(height, width, imgsz, 32)
    prototypes = random.normal(size=(4, fit.input_height // 4, fit.input_width // 4)).astype(np.float32)
    coefficients = random.normal(size=(5, 4)).astype(np.float32)
    corners = np.sort(random.uniform(-0.1, 1.1, (5, 2, 2)), 1) * [width, height]
    boxes = corners.reshape(5, 4).clip(0, [width, height] * 2).astype(np.float32)
    expected = process_mask_native(*map(torch.tensor, (prototypes, coefficients, boxes)), (height, width)).numpy()
    for row, box, whole in zip(coefficients, boxes, expected, strict=True):
        mask = decode._mask(row, prototypes, box, fit)
        ours = np.zeros_like(whole)
        if mask is not None:
            rows, columns = mask.pixels.shape
            ours[mask.y : mask.y + rows, mask.x : mask.x + columns] = mask.pixels
        assert (ours != whole).sum() <= whole.size * 1e-5  # logits within a rounding error of 0


def test_a_small_detection_in_a_huge_image_takes_little_memory():
    fit = Letterbox.for_size(10_000, 10_000, 640, 32)
    prototypes = np.ones((32, 160, 160), np.float32)
    box = prediction([[300, 300, 310, 312]], [[0.5]], np.ones((1, 32)))
    tracemalloc.start()
    found = decode.decode(box, prototypes, fit, ("a",), 0.1, 0.5, 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0].area == 156 * 187
    assert peak < 4 << 20


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1])
def test_outputs_that_are_not_numbers_are_never_decoded(value, part):
    fit = Letterbox.for_size(64, 64, 64, 32)
    outputs = [prediction([[4, 4, 40, 40]] * 9, [[0.01]] * 9, [[1.0]] * 9), np.ones((1, 16, 16), np.float32)]
    assert decode.decode(*outputs, fit, ("a",), 0.1, 0.5, 300) == []
    outputs[part].flat[7] = value
    with pytest.raises(InspectorError, match="computed values that are not numbers"):
        decode.decode(*outputs, fit, ("a",), 0.1, 0.5, 300)


def test_large_finite_outputs_are_decoded():
    fit = Letterbox.for_size(64, 64, 64, 32)
    outputs = prediction([[0, 0, 3e38, 3e38]] * 9, [[0.01]] * 9, [[3e38]] * 9), np.full((1, 16, 16), 3e38, np.float32)
    assert decode.decode(*outputs, fit, ("a",), 0.1, 0.5, 300) == []
