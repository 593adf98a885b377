import json

import pytest

pytestmark = pytest.mark.torch


@pytest.fixture
def call(program):
    return lambda *arguments: program("architectures", *arguments)


def test_the_list(call):
    code, out, _ = call()
    assert code == 0 and "yolo11n-seg-cgnet" in out and "+neck=freqfusion" in out and "timm/NAME" in out
    entries = json.loads(call("--json")[1])
    assert {entry["kind"] for entry in entries} == {"base", "preset", "modifier"}
    assert all(entry["paper"] and entry["title_zh"] for entry in entries)


def test_the_catalogue_is_searched(call):
    code, out, _ = call("--search", "channel Hu", "--kind", "attention")
    assert code == 0 and out.splitlines()[1].startswith("+attention=se ") and "arXiv:1709.01507" in out
    assert len(json.loads(call("--kind", "loss", "--json")[1])) > 15
    found = json.loads(call("--search", "裂纹", "--json")[1])
    assert "+convolution=dy_snake" in {entry["name"] for entry in found} and all(one["about"] for one in found)
    costs = json.loads(call("--search", "slide", "--cost", "--json", "--imgsz", "64")[1])
    assert {entry["parameters"] for entry in costs} == {2842803}  # a loss costs nothing


def test_one_architecture(call):
    code, out, _ = call("yolo11n-seg")
    assert code == 0 and "203 layers, 2,842,803 parameters, 9.63 GFLOPs at 640 x 640, stride 8, 16, 32" in out
    document = json.loads(call("yolo11n-seg+neck=freqfusion", "--imgsz", "320", "--json")[1])
    assert document["stride"] == [8, 16, 32] and document["imgsz"] == 320
    assert "freqfusion" in document["rows"][12]["module"]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["yolo11n-seg+block=nope"], "There is no block 'nope'"),
        (["yolo11n-seg", "--imgsz", "1"], "--imgsz: 1 is outside"),
        (["yolo11n-seg", "--check"], "--check checks all architectures"),
        (["--sample", "3"], "belong to --check"),
        (["--check", "--cost"], "belong to the list; leave out --check"),
        (["yolo11n-seg", "--search", "x"], "belong to the list; leave out the architecture"),
        (["--kind", "nope"], "There is no kind 'nope'; known are base, preset, "),
        (["--search", "nothing-like-this"], "No architecture contains 'nothing-like-this'"),
        (["--check", "--sample", "0"], "--sample: 0 is not a number from 1"),
        (["--check", "--only", "nothing-like-this"], "No architecture contains 'nothing-like-this'"),
    ],
)
def test_bad_input(call, arguments, said):
    code, out, err = call(*arguments)
    assert code == 2 and not out and said in err and err.count("\n") == 1


@pytest.mark.slow
def test_the_check_runs_in_processes_and_counts(call):
    code, out, err = call("--check", "--only", "yolo11n-seg+block=dilated_reparam", "--sample", "2", "--json")
    document = json.loads(out)
    assert code == 0 and document["passed"] == 2 == len(document["checked"]) and document["failed"] == {}
    assert "1/2  ok" in err and "2/2  ok" in err


def test_a_plugin_that_is_off_is_named(call, program):
    assert program("plugins", "disable", "cgnet")[0] == 0
    for name in ("yolo11n-seg-cgnet", "yolo11n-seg+block=context_guided", "yolo11n-seg+backbone=cgnet"):
        code, _, err = call(name)
        assert code == 2 and "belongs to the plugin 'cgnet', which is disabled" in err


@pytest.mark.parametrize(("plugin", "modifier"), [("box_losses", "loss=nwd"), ("atss", "assigner=atss")])
def test_a_loss_of_a_plugin_that_is_off_is_named(call, program, plugin, modifier):
    assert program("plugins", "disable", plugin)[0] == 0
    code, _, err = call(f"yolo11n-seg+{modifier}")
    assert code == 2 and f"belongs to the plugin '{plugin}', which is disabled" in err


def test_sizes_are_rounded_up(call):
    document = json.loads(call("yolo11n-seg", "--imgsz", "33", "--json")[1])
    assert document["imgsz"] == 64
