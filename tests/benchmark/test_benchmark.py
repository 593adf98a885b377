"""Settings, their comparison, and the measurement of one of them."""

import numpy as np
import psutil
import pytest

from inspector import benchmark, registry
from inspector.api import ModelSpec, Option, Text
from inspector.benchmark import Agreement, Machine
from inspector.domain import Detection, InputError, Mask, ModelInfo
from inspector.imaging import write_image


def detection(x=10, score=0.5, label="Defect", width=20, rows=20) -> Detection:
    pixels = np.zeros((20, width), bool)
    pixels[:rows] = True
    return Detection(label, score, (x, 10, x + width, 30), Mask(x, 10, pixels))


@pytest.mark.parametrize(
    "one, other, expected, full",
    [
        ([], [], (1, 1, 0, 0), True),
        ([detection()], [detection()], (1, 1, 0, 0), True),
        ([detection()], [], (0, 1, 0, 0), False),
        ([detection()], [detection(label="Crack")], (0, 1, 0, 0), False),
        ([detection(), detection(100)], [detection(100)], (0.5, 1, 0, 0), False),
        ([detection()], [detection(score=0.5005)], (1, 1, 0, 0.0005), True),
        ([detection()], [detection(score=0.502)], (1, 1, 0, 0.002), False),
        ([detection()], [detection(12)], (1, 18 / 22, 2, 0), False),
        ([detection()], [detection(rows=19)], (1, 0.95, 0, 0), False),
        ([detection(), detection(12)], [detection(12), detection()], (1, 1, 0, 0), True),
        ([detection()], [detection(), detection()], (0.5, 1, 0, 0), False),
        ([Detection("a", 0.5, (0, 0, 9, 9))], [Detection("a", 0.5, (0, 0, 9, 9.25))], (1, 1, 0.25, 0), True),
    ],
)
def test_agreement(one, other, expected, full):
    for found in (Agreement.compare([one, []], [other, []]), Agreement.compare([other], [one])):
        assert (found.same, found.mask_iou, found.box_px, found.score) == pytest.approx(expected)
        assert found.within_tolerance is full


def test_settings_come_from_what_the_model_declares():
    word = Text("Word", "词")
    options = (
        Option("precision", str, "auto", word, choices=("auto", "f32", "int8")),
        Option("runtime", str, "a", word, choices=("a", "b")),
        Option("flavour", str, "sweet", word, choices=("sweet", "sour")),
        Option("imgsz", int, None, word),
    )
    spec = ModelSpec("m", Text("M", "模"), open=lambda *_: None, options=options)
    made = benchmark.settings(spec, ["cpu", "cuda:0"], [None, 320])
    assert len(made) == len({str(one) for one in made}) == 16
    assert (made[0].device, made[0].options) == ("cpu", {"precision": "f32", "runtime": "a"})
    assert (made[-1].device, made[-1].options) == ("cuda:0", {"precision": "int8", "runtime": "b", "imgsz": 320})
    plain = ModelSpec("p", Text("P", "平"), open=lambda *_: None)
    assert [(one.device, one.options) for one in benchmark.settings(plain, ["cpu"], [None])] == [("cpu", {})]


def test_images_are_spread_over_what_is_there(tmp_path):
    catalogue = registry.load()
    for number in range(60):
        write_image(tmp_path / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "0.png").write_bytes(b"no picture")
    images = benchmark.load_images(catalogue, str(tmp_path))
    assert [int(image[0, 0, 0]) for image in images] == [*range(3, 60, 3)]
    with pytest.raises(InputError, match="No image of"):
        benchmark.load_images(catalogue, str(tmp_path / "0.png"))
    with pytest.raises(InputError, match="camera:0 has no end"):
        benchmark.load_images(catalogue, "camera:0")


class Counting:
    """Two images at once from three threads, and a record of the calls."""

    batch = 2
    streams = 3

    def __init__(self, weights, device, layers, **options):
        self.info = ModelInfo("m.bin", "0" * 64, "net", ("Defect",), device=device)
        self.asked, self.closed = [], False
        Counting.last = self

    def many(self):
        return self

    def predict(self, images, confidence, iou):
        self.asked.append(len(images))
        return [[detection()] for _ in images]

    def close(self):
        self.closed = True


def test_one_setting_is_measured():
    spec = ModelSpec("m", Text("M", "模"), open=Counting)
    images = [np.zeros((40, 40, 3), np.uint8)] * 3
    told = benchmark.measure(spec, None, "cpu", (), {}, lambda: images, 0.25, 0.45, 0.05)
    model = Counting.last
    assert model.closed and set(model.asked) == {1, 2}
    assert (told["streams"], told["batch"]) == (3, 2) and told["rate"] > 0 and len(told["ms"]) >= 3
    now = psutil.Process().memory_info().rss / 2**20
    assert told["memory_mb"] == pytest.approx(now, rel=0.2) and told["open_ms"] >= 0
    assert [[one["label"] for one in some] for some in told["found"]] == [["Defect"]] * 3
    assert Mask.from_rle(told["found"][0][0]["rle"]).area == 400


def test_the_machine():
    machine = Machine.detect()
    assert machine.cpu and machine.cores >= 1 and machine.memory_gb > 0.1
    assert {"bearing-inspector", "python", "numpy", "openvino"} <= machine.versions.keys()
