"""Check the description of a model before a network is built from it."""

import copy

import pytest

from inspector.api import InputError, prepare_torch

prepare_torch()

from ultralytics.nn.tasks import yaml_model_load

from inspector_plugins.yolo11.architecture import build, design
from inspector_plugins.yolo11.architecture.model_yaml import checked


@pytest.fixture
def stock():
    return yaml_model_load("yolo11n-seg.yaml")


@pytest.mark.parametrize("name", ["yolo11x-seg", "yolov8m-seg", "yolov9e-seg", "yolo12l-seg", "yolo26n-seg"])
def test_official_descriptions_pass_as_they_are(name):
    given = yaml_model_load(f"{name}.yaml")
    found = checked(given)
    assert (found["backbone"], found["head"]) == (given["backbone"], given["head"])
    assert {key: found[key] for key in ("scales", "scale", "nc") if key in given} == {
        key: given[key] for key in ("scales", "scale", "nc") if key in given
    }


def test_ours_passes():
    given = design.rows(design.Design("n", {"block": "x", "neck": "y"}), yaml_model_load("yolo11n-seg.yaml"))
    assert checked(given)["head"] == given["head"]


@pytest.mark.parametrize(
    "activation", ["nn.SiLU()", "torch.nn.LeakyReLU(0.1)", "nn.ReLU(inplace=True)", "torch.nn.Hardswish()"]
)
def test_known_activations_pass(stock, activation):
    assert checked(stock | {"activation": activation})["activation"] == activation


def row(number=0, **changed):
    """A change of one row's source, repeats, module or arguments."""

    def change(description):
        place = description["backbone"][number]
        for key, value in changed.items():
            place[("source", "repeats", "module", "arguments").index(key)] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"activation": "__import__('os').system('x')"}, "activation"),
        ({"activation": "nn.SiLU()\n"}, "activation"),
        ({"activation": "nn.SiLU(__import__)"}, "activation"),
        ({"activation": ["nn.SiLU()"]}, "activation"),
        ({"scales": {"n": [1e9, 1, 1024]}}, "scales is larger"),
        ({"scales": {"n": [1, float("nan"), 1024]}}, "no number"),
        ({"scales": {"n": "abc"}}, "scales"),
        ({"scales": 5}, "scales"),
        ({"nc": 2 * 10**9}, "nc is larger"),
        ({"nc": "80"}, "nc is no number"),
        ({"reg_max": 10**9}, "reg_max"),
        ({"channels": 10**6}, "three channels"),
        ({"backbone": "abc"}, "no rows"),
        ({"head": None}, "no rows"),
        ({"backbone": [[-1, 1, "Conv", [64, 3, 2]]] * 600}, "no rows"),
        ({"yaml_file": "\x1b]0;"}, "texts"),
        (row(arguments=[10**9, 3, 2]), "row 0 is larger"),
        (row(arguments=["__import__('os')"]), "unknown argument"),
        (row(arguments=[{}]), "unknown argument"),
        (row(arguments=[[[[1]]]]), "unknown argument"),
        (row(module="TorchVision"), "unknown kind"),
        (row(module="__builtins__"), "unknown kind"),
        (row(module="torchvision.ops.x"), "unknown kind"),
        (row(module="nn.Module"), "unknown kind"),
        (row(module=7), "unknown kind"),
        (row(module="system:x"), "unknown kind"),
        (row(repeats=10**9), "repeated"),
        (row(repeats=2.5), "repeated"),
        (row(3, source=-9), "not there"),
        (row(3, source=[3]), "not there"),
        (row(3, source="x"), "not there"),
        (row(3, module="nn.Upsample", arguments=["None", 1000, "nearest"]), "enlarges"),
    ],
)
def test_what_no_network_is_described_with(stock, change, said):
    described = copy.deepcopy(stock)
    described.update(change) if isinstance(change, dict) else change(described)
    with pytest.raises(ValueError, match=said):
        checked(described)
    with pytest.raises(InputError, match="is not built here"):
        build.rebuild(described, 1)


def test_what_would_be_too_large_is_not_allocated(stock):
    stock["scales"] = {"n": [1, 2, 4096]}
    stock["backbone"][3:3] = [[-1, 1, "Conv", [2048, 3, 1]]] * 4
    for number, one in enumerate(stock["head"]):
        if isinstance(one[0], list):
            stock["head"][number][0] = [-1 if source == -1 else source + 4 for source in one[0]]
    with pytest.raises(InputError, match="larger than any network"):
        build.rebuild(stock, 1)


def test_what_ultralytics_cannot_build_is_one_sentence(stock):
    stock["head"][0] = [-1, 1, "Concat", [1]]
    with pytest.raises(InputError, match=r"cannot be built \(.*\); name its architecture"):
        build.rebuild(stock, 1)
