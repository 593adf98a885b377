"""A network in 8 bits: rounded and unrounded parts, and that it still detects the same."""

from pathlib import Path

import numpy as np
import pytest

from inspector.api import assets, prepare_openvino, read_image

prepare_openvino()

import openvino

from inspector_plugins.yolo11.export.calibration import network_input
from inspector_plugins.yolo11.export.quantization import _with_zero, quantize
from inspector_plugins.yolo11.inference import decode, openvino_runner

pytestmark = pytest.mark.xdist_group("quantize")  # its fixtures are made once
BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"
SAMPLES = Path(__file__).parents[4] / "sample_data"


def inputs(pattern):
    return [network_input(read_image(file)[0], 416, 32)[0] for file in sorted(SAMPLES.glob(pattern))]


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """The bundled model in 32 bit: ``openvino.Model`` each time it is called."""
    from inspector_plugins.yolo11.export.export import export

    folder = export(BUNDLED, "openvino", tmp_path_factory.mktemp("f32") / "f32_openvino_model", shape="any")
    (file,) = folder.glob("*.xml")
    return lambda: openvino.Core().read_model(file)


@pytest.fixture(scope="module")
def rounded(exact):
    return quantize(exact(), inputs("*.jpg"))


def compiled(model):
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def nodes(model, *kinds):
    return [node for node in model.get_ordered_ops() if node.get_type_name() in kinds]


def weights_type(convolution):
    """``i8`` for what is read through a conversion and a scale, else that of the constant."""
    node = convolution.input_value(1).get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return node.get_element_type().get_type_name()


def test_all_convolutions_but_that_of_the_box_sides_are_integers(rounded):
    convolutions = nodes(rounded, "Convolution", "GroupConvolution")
    exact = [node.get_friendly_name() for node in convolutions if weights_type(node) != "i8"]
    assert len(convolutions) == 100 and exact == ["/model.23/dfl/conv/Conv"]


def test_nothing_is_rounded_behind_them(rounded):
    readers = {
        target.get_node().get_type_name()
        for node in nodes(rounded, "FakeQuantize")
        for target in node.output(0).get_target_inputs()
    }
    assert readers <= {"Convolution", "GroupConvolution", "Concat", "VariadicSplit", "MaxPool", "Interpolate", "Add"}


def test_the_processor_computes_them_as_integers(rounded):
    def told(node, key):
        return node.get_rt_info()[key].astype(str)

    rows = [
        node for node in compiled(rounded).get_runtime_model().get_ops() if told(node, "layerType") == "Convolution"
    ]
    assert sum(told(node, "runtimePrecision") in ("u8", "i8") for node in rows) >= 90


def test_what_is_joined_has_the_same_steps(rounded):
    joined = 0
    for node in nodes(rounded, "Concat"):
        sources = [value.get_node() for value in node.input_values()]
        if {source.get_type_name() for source in sources} == {"FakeQuantize"}:
            ends = {
                tuple(float(source.input_value(end).get_node().get_data().item()) for end in (1, 2))
                for source in sources
            }
            assert len(ends) == 1
            joined += 1
    assert joined >= 3


def test_pixels_are_exact(rounded):
    (first,) = (
        node for node in nodes(rounded, "FakeQuantize") if node.input_value(0).get_node().get_type_name() == "Parameter"
    )
    assert [first.input_value(end).get_node().get_data().item() for end in (1, 2)] == [0, 1]


@pytest.mark.parametrize("low, high", [(-0.2785, 6.3), (0.0, 1.0), (0.5, 2.0), (-3.0, -1.0), (0.0, 0.0), (-1e-9, 40.0)])
def test_zero_is_a_step_and_the_range_is_held(low, high):
    lower, upper = map(float, _with_zero(low, high))
    step = (upper - lower) / 255
    assert lower <= 0 <= upper and step > 0
    assert lower / step == pytest.approx(round(lower / step), abs=1e-3)
    assert lower <= low + step and upper >= high - step


def found(model, image):
    values, fit = network_input(image, 416, 32)
    results = model([values])
    return decode.decode(results["output0"][0], results["output1"][0], fit, ("Defect",), 0.25, 0.45, 300)


def test_it_finds_the_same(exact, rounded):
    before, after = compiled(exact()), compiled(rounded)
    for file in sorted(SAMPLES.glob("*.jpg")):
        image = read_image(file)[0]
        first, second = found(before, image), found(after, image)
        strong = [one for one in first if one.score > 0.4]
        for one in strong:
            assert any(
                np.abs(np.subtract(one.box, other.box)).max() < 4 and abs(one.score - other.score) < 0.1
                for other in second
            ), file
    assert before.outputs[0].any_name == after.outputs[0].any_name == "output0"


def test_it_takes_any_shape_and_pixels_as_they_are(rounded):
    model = compiled(openvino_runner._with_pixels(rounded.clone()))
    for height, width in ((96, 160), (384, 640), (416, 192)):
        results = model([np.full((1, height, width, 3), 90, np.uint8)])
        places = sum(height * width // stride**2 for stride in (8, 16, 32))
        assert results["output0"].shape == (1, 37, places)
        assert results["output1"].shape == (1, 32, height // 4, width // 4)


def test_numbers_that_are_not_finite_are_refused(exact):
    with pytest.raises(ValueError, match="not finite"):
        quantize(exact(), [np.full((1, 3, 64, 64), np.inf, np.float32)])
