"""OpenVINO detects the same as torch, without torch in its process."""

import json
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inspector import registry
from inspector.api import InputError, InspectorError, assets, read_image
from inspector_plugins.yolo11 import inspector_models
from inspector_plugins.yolo11.inference import openvino_cache, openvino_runner
from inspector_plugins.yolo11.inference.openvino_runner import OpenVinoModel
from inspector_plugins.yolo11.inference.torch_runner import TorchModel

pytestmark = pytest.mark.xdist_group("openvino_runner")  # its fixtures are made once
ROOT = Path(__file__).parents[4]
THRESHOLDS = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "parity.py"))["THRESHOLDS"]
BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"
PRESETS = ("cgnet", "unireplknet", "rmt", "vmamba", "freqfusion")
SIZE = 160


@pytest.fixture(scope="module")
def layers():
    return tuple(registry.load().layers.values())


@pytest.fixture(scope="module", autouse=True)
def conversion_in_this_process(tmp_path_factory):
    """The child's work without its start, once for each checkpoint and shape, as far as it succeeds.

    test_openvino_cache and the last tests here start real ones.
    """
    from inspector_plugins.yolo11.export.export import export

    made = {}

    def run(command, **options):
        weights, shape, output = command[command.index("export-model") + 1], command[-3], command[-1]
        if (weights, shape) not in made:
            folder = tmp_path_factory.mktemp("converted") / "model"
            try:
                export(Path(weights), "openvino", folder, tuple(registry.load().layers.values()), shape=shape)
            except InspectorError as error:
                said = str(error).replace(str(folder), output)
                return subprocess.CompletedProcess(command, 2 if isinstance(error, InputError) else 1, None, said)
            made[weights, shape] = folder
        shutil.copytree(made[weights, shape], output)
        return subprocess.CompletedProcess(command, 0, None, "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino_cache, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
        yield


@pytest.fixture(scope="module")
def preset(layers, picture, tmp_path_factory):
    """``preset("cgnet")``: a checkpoint of random weights that finds things."""
    folder = tmp_path_factory.mktemp("变体")

    def make(name):
        import torch

        from inspector_plugins.yolo11.architecture import build

        torch.manual_seed(0)
        model = build.segmentation_model(f"yolo11n-seg-{name}", 3, layers)
        pictures = np.stack([picture(SIZE, SIZE, seed=seed) for seed in range(4, 8)])
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # take the statistics of this one batch
        with torch.no_grad():
            model.train()(batch)
            scores = model.eval()(batch)[1]["scores"]
            for sequence in model.model[-1].cv3:
                sequence[-1].weight.mul_(1.5 / scores.std())
                sequence[-1].bias.zero_()
            mean = model(batch)[1]["scores"].mean((0, 2))
            for sequence in model.model[-1].cv3:
                sequence[-1].bias.copy_(-3 - mean)
        torch.save({"model": model.half(), "train_args": {"task": "segment", "imgsz": SIZE}}, folder / f"{name}.pt")
        return folder / f"{name}.pt"

    return make


def check(ours, theirs, image, confidence, iou) -> int:
    """Compare two models on one image, within the parity bounds of ultralytics; return the number of detections."""
    found, expected = (model.predict([image], confidence, iou)[0] for model in (ours, theirs))
    assert len(found) == len(expected)
    free = list(expected)
    for detection in found:
        alike = [
            other for other in free if abs(other.score - detection.score) <= 1e-3 and other.label == detection.label
        ]
        assert alike, detection
        near = min(alike, key=lambda other: np.abs(np.subtract(other.box, detection.box)).max())
        free.remove(near)
        assert np.abs(np.subtract(near.box, detection.box)).max() <= 0.5
        masks = np.zeros((2, *image.shape[:2]), bool)
        for canvas, mask in zip(masks, (detection.mask, near.mask), strict=True):
            height, width = mask.pixels.shape
            canvas[mask.y : mask.y + height, mask.x : mask.x + width] = mask.pixels
        assert (masks[0] & masks[1]).sum() >= 0.99 * (masks[0] | masks[1]).sum()
    return len(found)


@pytest.fixture(scope="module")
def both(checkpoints):
    weights = checkpoints("yolo11n-seg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEARING_INSPECTOR_HOME", str(weights.parent / "home"))
        return OpenVinoModel(weights), TorchModel(weights, "cpu")


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path_factory.mktemp("bundled")))
        return OpenVinoModel(BUNDLED), TorchModel(BUNDLED, "cpu")


@pytest.mark.parametrize(("confidence", "iou"), THRESHOLDS)
def test_the_bundled_model_agrees_on_the_sample_images(bundled, confidence, iou):
    paths = sorted((ROOT / "sample_data").glob("*.jpg"))
    assert sum(check(*bundled, read_image(path)[0], confidence, iou) for path in paths) >= 6


@pytest.mark.parametrize("many", [False, True])  # as for a camera, and as for files
@pytest.mark.parametrize(("confidence", "iou"), THRESHOLDS)
def test_the_bundled_model_agrees_on_real_images(shared, bundled, confidence, iou, many):
    ours, theirs = bundled
    ours = ours.many() if many else ours
    paths = sorted((shared / "data/bsdata-raceway/images/val").iterdir())[::9]
    assert sum(check(ours, theirs, read_image(path)[0], confidence, iou) for path in paths) >= 1


@pytest.mark.parametrize(("height", "width"), [(260, 630), (333, 517), (1, 1), (31, 900), (4000, 37), (320, 320)])
def test_agrees_on_any_size(both, picture, height, width):
    """More shapes than get networks of their own."""
    for confidence, iou in THRESHOLDS:
        count = check(*both, picture(height, width), confidence, iou)
        assert count >= (5 if min(height, width) > 100 else 0)


def test_rare_shapes_share_a_network(checkpoints, picture, monkeypatch):
    monkeypatch.setattr(openvino_runner, "_WORTH", 3)
    weights = checkpoints("yolo11n-seg")
    ours, theirs = OpenVinoModel(weights), TorchModel(weights, "cpu")
    networks = ours._one._compiled
    for height in (320, 288, 256, 224, 320):
        check(ours, theirs, picture(height, 320), 0.25, 0.45)
    assert list(networks) == [(320, 320), None]
    for height in (288, 256, 224) * 3:
        check(ours, theirs, picture(height, 320), 0.25, 0.45)
    assert list(networks) == [(320, 320), None, (288, 320), (256, 320)]  # three at most have their own
    again = OpenVinoModel(weights)
    for height in (320, 256, 224):
        again.predict([picture(height, 320)], 0.25, 0.45)
    assert set(again._one._compiled) >= {(320, 320), (256, 320)}  # it was kept


@pytest.mark.parametrize("name", PRESETS)
def test_the_variants_agree(preset, layers, picture, name):
    weights = preset(name)
    ours, theirs = OpenVinoModel(weights, layers), TorchModel(weights, "cpu", layers)
    assert ours.info.names == theirs.info.names and ours.info.architecture == f"yolo11n-seg-{name}"
    for height, width in ((SIZE, 120), (99, SIZE)):  # with a network of its own, and with that for any shape
        assert check(ours, theirs, picture(height, width), 0.1, 0.5) >= 3
    check(ours, theirs, picture(20, SIZE), 0.1, 0.5)  # maps of one row
    assert list(ours._one._compiled) == [(SIZE, 128), None]


def test_what_fits_one_shape_only_is_converted_for_each(checkpoints, picture, monkeypatch, tmp_path):
    import torch

    def doubled(_, x):
        return torch.nn.functional.interpolate(x, size=(2 * int(x.shape[2]), 2 * int(x.shape[3])))

    monkeypatch.setattr(torch.nn.Upsample, "forward", doubled)
    weights = shutil.copy(checkpoints("yolo11n-seg"), tmp_path / "yolo11n-seg.pt")  # not converted before
    with pytest.raises(openvino_cache.ConversionRefused, match=r"yolo11n-seg.pt cannot be written as openvino"):
        OpenVinoModel(weights)
    ours, theirs = OpenVinoModel(weights, fixed=True), TorchModel(weights, "cpu")
    for height in (99, 240):
        assert check(ours, theirs, picture(height, 320), 0.1, 0.5) >= 3


@pytest.mark.parametrize("architecture", ["yolov8n-seg", "yolo12n-seg", "yolo26n-seg"])
def test_other_families_agree(checkpoints, picture, architecture):
    weights = checkpoints(architecture)
    assert check(OpenVinoModel(weights), TorchModel(weights, "cpu"), picture(333, 517), 0.1, 0.5) >= 5


def test_a_head_without_suppression_is_refused(checkpoints, tmp_path):
    import copy

    import torch

    content = torch.load(checkpoints("yolo26n-seg"), weights_only=False)
    model = copy.deepcopy(content["ema"]).float()
    model.end2end = True
    model.fuse(verbose=False)
    torch.save(content | {"ema": model}, tmp_path / "fused.pt")
    with pytest.raises(openvino_cache.ConversionRefused, match="fixed number of places"):
        OpenVinoModel(tmp_path / "fused.pt")
    with pytest.raises(openvino_cache.ConversionRefused, match="has a head that needs no suppression"):
        OpenVinoModel(tmp_path / "fused.pt", fixed=True)
    assert open_model(tmp_path / "fused.pt").info.runtime == "torch"


def test_many_images_at_once(both, picture):
    ours, _ = both
    images = [picture(240, 300), picture(300, 240), picture(240, 300)[::-1]]
    found = ours.predict(images, 0.25, 0.45)
    for image, at_once in zip(images, found, strict=True):
        (alone,) = ours.predict([image], 0.25, 0.45)
        assert [d.box for d in at_once] == [d.box for d in alone] and len(alone) >= 5
        assert all(np.array_equal(a.mask.pixels, b.mask.pixels) for a, b in zip(at_once, alone, strict=True))
    assert ours.predict([], 0.2, 0.5) == []


def test_several_threads_at_once(both, picture):
    """More images than shapes that get a network, from more threads than there are streams."""
    ours, _ = both
    many = ours.many()
    images = [picture(240 + 32 * (n % 5), 320)[:: (-1) ** n] for n in range(20)]
    with ThreadPoolExecutor(many.streams + 2) as threads:
        found = list(threads.map(lambda image: many.predict([image], 0.25, 0.45)[0], images))
    for image, at_once in zip(images, found, strict=True):
        (alone,) = ours.predict([image], 0.25, 0.45)
        assert len(at_once) == len(alone) >= 5
        for one, other in zip(at_once, alone, strict=True):
            assert np.allclose(one.box, other.box, atol=0.01) and abs(one.score - other.score) < 1e-4


def test_the_number_of_streams():
    counts = [openvino_runner._streams(cores) for cores in (1, 2, 4, 6, 8, 16, 64)]
    assert counts == [1, 2, 4, 4, 4, 8, 8]


def test_options(checkpoints, picture):
    weights = checkpoints("yolo11n-seg")
    ours = OpenVinoModel(weights, imgsz=250, max_detections=3, batch=4)
    assert (ours.info.imgsz, ours.batch, ours.info.runtime, ours.info.device) == (256, 4, "openvino", "cpu")
    assert len(ours.predict([picture(320, 320)], 0.05, 0.7)[0]) == 3
    ours.close()


def test_what_was_compiled_is_taken_up_before_the_first_image(checkpoints, picture, monkeypatch):
    weights = checkpoints("yolo11n-seg")
    first = OpenVinoModel(weights)
    expected = first.predict([picture(240, 320)], 0.25, 0.45)[0]

    def not_needed(*_):
        raise AssertionError("it was compiled again")

    with monkeypatch.context() as patched:
        patched.setattr(openvino_runner, "_with_pixels", not_needed)
        again = OpenVinoModel(weights)
        assert list(again._one._compiled) == [(256, 320)]
        found = again.predict([picture(240, 320)], 0.25, 0.45)[0]
        assert [d.box for d in found] == [d.box for d in expected] and len(found) >= 5
        assert OpenVinoModel(weights, imgsz=640)._one._compiled == {}
    (blob,) = first._opened.blobs()
    first.many().predict([picture(240, 320)], 0.25, 0.45)
    again = OpenVinoModel(weights)
    assert list(again._many._compiled) == [(256, 320)] and not again._one._compiled
    first._opened.store_blob(blob, b"from another build of OpenVINO")
    assert check(OpenVinoModel(weights), TorchModel(weights, "cpu"), picture(240, 320), 0.25, 0.45) >= 5


def test_bf16_is_near(bundled):
    if "BF16" not in openvino_runner._core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(InputError, match="precision bf16 is not for this processor"):
            OpenVinoModel(BUNDLED, precision="bf16")
        return
    ours = OpenVinoModel(BUNDLED, precision="bf16")
    image = read_image(ROOT / "sample_data" / "defect-05.jpg")[0]
    (found,), (expected,) = (model.predict([image], 0.25, 0.45)[0] for model in (ours, bundled[1]))
    assert ours.info.runtime == "openvino bf16"
    assert 0 < np.abs(np.subtract(found.box, expected.box)).max() < 5 and abs(found.score - expected.score) < 0.05


def test_memory_that_does_not_suffice_is_said(both, picture, monkeypatch):
    def fail(message):
        def run(*_):
            raise RuntimeError(f"Exception from cpu.cpp:1:\n{message}")

        monkeypatch.setattr(openvino_runner._Request, "run", run)

    fail("std::bad_alloc")
    with pytest.raises(InputError, match="Not enough memory for an image of 320x320; choose a smaller imgsz"):
        both[0].predict([picture(50, 50)], 0.2, 0.45)
    fail("what it cannot do")
    with pytest.raises(InspectorError, match=r"cannot compute .* 320x320 \(what it cannot do\); use the runtime torch"):
        both[0].predict([picture(50, 50)], 0.2, 0.45)


def open_model(weights=BUNDLED, device="cpu", layers=(), **options):
    spec = inspector_models()[0]
    given = {option.key: option.default for option in spec.options} | options
    return spec.open(weights, device, layers, **given)


@pytest.mark.parametrize(
    "options, kind, runtime",
    [
        ({}, OpenVinoModel, "openvino"),
        ({"runtime": "openvino"}, OpenVinoModel, "openvino"),
        ({"runtime": "openvino", "device": "auto"}, OpenVinoModel, "openvino"),
        ({"runtime": "torch"}, TorchModel, "torch"),
    ],
)
def test_the_choice(options, kind, runtime):
    model = open_model(**options)
    assert isinstance(model, kind) and (model.info.runtime, model.info.device) == (runtime, "cpu")


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"precision": "f16"}, "precision f16 needs a CUDA device"),
        ({"runtime": "torch", "precision": "bf16"}, "precision bf16 is for the runtime openvino"),
        ({"device": "cuda:99"}, "cuda:99 was requested"),
        ({"device": "gpu"}, "Unknown device 'gpu'"),
    ],
)
def test_choices_that_do_not_go_together(options, complaint):
    with pytest.raises(InputError, match=complaint):
        open_model(**options)


def missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "inspector_plugins.yolo11.inference.openvino_runner")


def full(monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openvino_cache.tempfile, "mkdtemp", fail)


@pytest.mark.parametrize("trouble, reason", [(missing, "import of openvino halted"), (full, "No space left on device")])
def test_torch_takes_over_and_the_log_says_why(monkeypatch, caplog, trouble, reason):
    trouble(monkeypatch)
    assert open_model().info.runtime == "torch"
    assert f"{BUNDLED.name} runs with torch, since OpenVINO cannot: " in caplog.text and reason in caplog.text
    with pytest.raises(InputError, match=f"{BUNDLED.name} does not run with OpenVINO: .*{reason}.*; leave out runtime"):
        open_model(runtime="openvino")


def test_a_wrong_file_is_refused_by_both_alike(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04 and nothing more")
    said = set()
    for runtime in ("auto", "openvino", "torch"):
        with pytest.raises(InputError) as caught:
            open_model(tmp_path / "x.pt", runtime=runtime)
        said.add(str(caught.value))
    assert len(said) == 1 and "x.pt is damaged or incomplete" in said.pop()


INSPECT = """
import json, socket, sys
tried = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        tried.append(f"{event} {arguments}")

sys.addaudithook(watch)
from inspector.cli import main

code = main(sys.argv[1:])
heavy = [name for name in ("torch", "torchvision", "ultralytics", "onnx", "yaml", "openvino_telemetry")
         if sys.modules.get(name)]
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) >> 10
print(json.dumps({"code": code, "heavy": heavy, "openvino": "openvino" in sys.modules, "tried": tried, "peak": peak}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_torch_and_no_network_while_inspecting(tmp_path):
    words = ("inspect", ROOT / "sample_data" / "defect-05.jpg", "--quiet", "--output", tmp_path / "out")
    command = [sys.executable, "-c", INSPECT, *map(str, words)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=100)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.pop("peak") < 300  # MB
    assert told == {"code": 0, "heavy": [], "openvino": True, "tried": []}
    assert json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["model"]["runtime"] == "openvino"


def test_a_device_is_chosen_without_torch():
    program = (
        "import sys; from inspector_plugins.yolo11 import inspector_models;"
        "from inspector_plugins.yolo11.inference import devices;"
        "print(devices.choose('auto'), list(inspector_models()[0].devices()), 'torch' in sys.modules)"
    )
    import torch

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    if not torch.version.cuda and not torch.version.hip:
        assert done.stdout.split() == ["cpu", "[]", "False"]
