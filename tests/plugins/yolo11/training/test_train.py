"""Training: reproducible from a seed, resumable after any end, and without half-written files."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest

from inspector.api import InputError, InspectorError, LayerSpec, Text, prepare_torch
from inspector.datasets.synthetic import synthesize
from inspector_plugins.yolo11.checkpoint import checkpoint

pytestmark = pytest.mark.xdist_group("train")  # its fixtures are made once
SMALL = {"epochs": 2, "imgsz": 64, "batch": 16, "device": "cpu", "precision": "f32", "learning_rate": 0.002}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("训练 集") / "set"
    synthesize(folder, count=8, size=160, seed=1, split=(0.5, 0.5, 0), good_share=0.0)
    return folder / "data.yaml"


@contextlib.contextmanager
def quick(**more):
    """Trainings draw no images of curves, and close their mosaics after two epochs."""
    from inspector_plugins.yolo11.training import train

    settings = train._settings
    more = {"plots": False, "close_mosaic": 2} | more
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_settings", lambda *arguments: settings(*arguments) | more)
        if not more["plots"]:
            patch.setattr(train.trainer.Training, "plot_metrics", lambda training: None)
        yield train.train


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The folder of a training of four epochs, seed 7."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    with quick() as train:
        train(data, "yolo11n-seg", folder, **SMALL | {"epochs": 4, "seed": 7})
    return folder


@pytest.fixture
def run(data, tmp_path):
    """``run("name", …)``: a quick training in that folder, ended like Ctrl-C by the line that begins with ``stop``.

    Its lines are in ``run.said``.
    """
    with quick() as train:

        def run(name="out", model="yolo11n-seg", stop="\0", data=data, **options):
            def report(line):
                run.said.append(line)
                if line.startswith(stop):
                    raise KeyboardInterrupt

            options = options if options.get("resume") else SMALL | options
            return train(data, model, tmp_path / name, report=report, **options)

        run.said = []
        yield run


def rows(folder) -> list[list[str]]:
    """results.csv without the column of seconds."""
    lines = (folder / "results.csv").read_text("utf-8").splitlines()
    return [[value for number, value in enumerate(line.split(",")) if number != 1] for line in lines]


def weights(file):
    return checkpoint.load(file).model.state_dict()


def same(one, other) -> bool:
    import torch

    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


def test_a_training_that_goes_on_computes_what_it_would_have_computed(run, whole, tmp_path):
    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        run("parts", epochs=4, seed=7, stop="epoch 1/")
    assert run.said[-1].startswith("Interrupted; the model of the last whole epoch is")
    assert run.said[-1].cli_hint.endswith(f"train --resume --output {folder}")
    assert checkpoint.load(folder / "weights" / "last.pt").imgsz == 64
    (folder / "weights" / ".tmp-half.pt").write_bytes(b"PK\x03\x04")
    with (folder / "results.csv").open("a") as file:
        file.write("2,1.5,0.2")  # killed while it was written
    with pytest.raises(KeyboardInterrupt):
        run("parts/weights/last.pt", model=None, data=None, resume=True, stop="epoch 3/")  # without mosaics
    best = run("parts", resume=True, epochs=4, seed=7, imgsz=64)
    assert best == folder / "weights" / "best.pt"
    assert [row[0] for row in rows(folder)] == ["epoch", "1", "2", "3", "4"]
    assert rows(folder) == rows(whole)
    assert same(weights(folder / "weights" / "last.pt"), weights(whole / "weights" / "last.pt"))
    assert sorted(file.name for file in best.parent.iterdir()) == ["best.pt", "last.pt"]
    with pytest.raises(InputError, match="is finished"):
        run("parts", resume=True)


def test_the_seed_decides(run, whole, tmp_path):
    run("same", epochs=4, seed=7)
    assert rows(tmp_path / "same") == rows(whole)
    with pytest.raises(KeyboardInterrupt):
        run("other", epochs=4, seed=8, stop="epoch 1/")
    assert rows(tmp_path / "other")[1] != rows(whole)[1]


def test_another_epoch_count_and_patience_may_be_given_when_going_on(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(stop="epoch 2/", epochs=4)
    for options, complaint in (
        ({"imgsz": 96}, "imgsz 64, not 96"),
        ({"epochs": 1}, r"1 epochs are fewer than the 2 already trained"),
        ({"seed": 1}, "seed 0, not 1"),
        ({"learning_rate": None}, "learning-rate 0.002, not None"),
        ({"model": "yolo11s-seg"}, "is of yolo11n-seg, not yolo11s-seg"),
    ):
        with pytest.raises(InputError, match=complaint):
            run(**{"model": None, "data": None, "resume": True} | options)
    run(resume=True, model=None, data=None, epochs=3, patience=9)
    assert len(rows(tmp_path / "out")) == 4
    kept = json.loads((tmp_path / "out" / "train.json").read_text("utf-8"))
    assert kept["finished"] and (kept["options"]["epochs"], kept["options"]["patience"]) == (3, 9)


def test_a_changed_data_set_is_refused_and_a_moved_one_is_not(run, data, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(data.parent, moved)
    with pytest.raises(KeyboardInterrupt):
        run(stop="epoch 1/")
    other = moved / "data.yaml"
    text = other.read_text("utf-8")
    other.write_text(text + "# another\n", "utf-8")
    with pytest.raises(InputError, match="has changed since"):
        run(resume=True, data=other)
    other.write_text(text, "utf-8")
    with pytest.raises(KeyboardInterrupt):
        run(resume=True, data=other, stop="Resuming after epoch 1 of 2")


def test_damaged_files_are_told(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(stop="epoch 1/")
    for name, content, complaint in (
        ("weights/resume.pt", b"PK\x03\x04half", "resume.pt is damaged"),
        ("weights/last.pt", b"PK\x03\x04half", "last.pt is damaged"),
        ("train.json", b'{"data": ', "cannot be read; start a new training"),
        ("train.json", b"[]", "cannot be read; start a new training"),
    ):
        file = tmp_path / "out" / name
        sound = file.read_bytes()
        file.write_bytes(content)
        with pytest.raises(InputError, match=complaint):
            run(resume=True)
        file.write_bytes(sound)


def test_the_state_is_read_without_running_it(tmp_path):
    prepare_torch()
    import torch

    from inspector_plugins.yolo11.training.trainer import read_state

    torch.save({"format": 1, "epoch": subprocess.Popen}, tmp_path / "resume.pt")
    with pytest.raises(InputError, match="is damaged"):
        read_state(tmp_path / "resume.pt")
    torch.save({"format": 99}, tmp_path / "resume.pt")
    with pytest.raises(InputError, match="another version"):
        read_state(tmp_path / "resume.pt")


def test_going_on_where_nothing_was_begun_begins(run, tmp_path):
    with pytest.raises(InputError, match="no training to resume in"):
        run(resume=True, data=None)
    assert not (tmp_path / "out").exists()
    with pytest.raises(KeyboardInterrupt):
        run(stop="epoch 1/", resume=True, **SMALL)
    assert "the training starts" in run.said[0] and len(rows(tmp_path / "out")) == 2


def falling(monkeypatch):
    """The fitness falls from epoch to epoch."""
    from inspector_plugins.yolo11.training.trainer import Training

    validate = Training.validate

    def worse(training):
        best = training.best_fitness
        metrics, _ = validate(training)
        fitness = np.float64(1 - training.epoch / 100)
        training.best_fitness = fitness if best is None or best < fitness else best
        return metrics, fitness

    monkeypatch.setattr(Training, "validate", worse)


def test_it_stops_early_and_keeps_the_best(run, tmp_path, monkeypatch):
    falling(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(epochs=9, patience=2, stop="epoch 2/")
    first = (tmp_path / "out" / "weights" / "best.pt").read_bytes()
    run(resume=True)
    assert [row[0] for row in rows(tmp_path / "out")] == ["epoch", "1", "2", "3"]
    assert (tmp_path / "out" / "weights" / "best.pt").read_bytes() == first


def test_infinite_losses_are_left_behind(run, tmp_path, monkeypatch):
    from inspector_plugins.yolo11.training.trainer import Training

    prepare, broken = Training.preprocess_batch, [2]

    def sometimes_broken(training, batch):
        batch = prepare(training, batch)
        if training.epoch + 1 in broken:
            broken.remove(training.epoch + 1)
            batch["img"] = batch["img"] * float("nan")
        return batch

    monkeypatch.setattr(Training, "preprocess_batch", sometimes_broken)
    run()
    assert not broken and [row[0] for row in rows(tmp_path / "out")] == ["epoch", "1", "2"]
    assert all(bool(value.isfinite().all()) for value in weights(tmp_path / "out" / "weights" / "last.pt").values())
    broken.append(1)
    with pytest.raises(InspectorError, match="infinite in epoch 1 "):
        run("first", epochs=3)


def test_weights_are_taken_over_where_they_fit(run, checkpoints, tmp_path):
    start = checkpoints("yolo11n-seg")  # three classes, the set has one
    with pytest.raises(KeyboardInterrupt):
        run("with", weights=str(start), stop="epoch 1/")
    told = [line for line in run.said if "ransferred" in line]
    assert len(told) == 2 and "23 Segment (" in told[1] and "0 Conv" in told[0] and "0 Conv" not in told[1]
    listed = (tmp_path / "with" / "transfer.txt").read_text("utf-8").splitlines()[2:]
    given, got = weights(start), weights(tmp_path / "with" / "weights" / "last.pt")
    assert {line.split()[1] for line in listed} == set(got)
    fitting = {key for key, value in got.items() if given[key].shape == value.shape}
    assert {line.split()[1] for line in listed if line.startswith("copied")} == fitting
    with pytest.raises(InputError, match=r"nix\.pt"):
        run("without", weights="nix.pt")
    assert not (tmp_path / "without").exists()


def test_a_checkpoint_is_an_architecture_with_weights(run, checkpoints, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(model=str(checkpoints("yolov8n-seg")), stop="epoch 1/")
    assert checkpoint.load(tmp_path / "out" / "weights" / "last.pt").architecture == "yolov8n-seg"
    with pytest.raises(KeyboardInterrupt):
        run(model=None, resume=True, epochs=3, stop="epoch 2/")


def block():
    """A block of a plugin, in a module of its own, as a checkpoint names it."""
    prepare_torch()
    import torch

    module = sys.modules.setdefault("a_plugin_of_a_test", type(sys)("a_plugin_of_a_test"))
    if not hasattr(module, "Scaled"):

        class Scaled(torch.nn.Module):
            def __init__(self, c1, c2, stride):
                super().__init__()
                self.scale = torch.nn.Parameter(torch.ones(c1, 1, 1))

            def forward(self, x):
                return x * self.scale

        Scaled.__module__, Scaled.__qualname__ = module.__name__, "Scaled"
        module.Scaled = Scaled
    return [module.Scaled]


def test_a_variant_is_trained_gone_on_with_and_measured(run, tmp_path):
    layers = [LayerSpec(id="scaled", title=Text("Scaled"), kind="block", load=block, presets={"own": "+block=scaled"})]
    with pytest.raises(KeyboardInterrupt):
        run(model="yolo11n-seg-own", layers=layers, stop="epoch 1/")
    best = run(model=None, resume=True, layers=layers)
    opened = checkpoint.load(best, layers)
    assert opened.architecture == "yolo11n-seg-own" and opened.imgsz == 64
    assert any(type(module).__name__ == "Scaled" for module in opened.model.modules())
    with pytest.raises(InputError, match="a_plugin_of_a_test"):
        checkpoint.load(best)


def test_the_best_model_loads_in_plain_ultralytics(whole, data):
    program = (
        "import sys; from inspector.system.frameworks import prepare_torch; prepare_torch()\n"
        "import os; os.environ['ULTRALYTICS_SAFE_LOAD'] = '0'\n"
        "from ultralytics import YOLO; model = YOLO(sys.argv[1])\n"
        "print(model.task, model.names, len(model(sys.argv[2], imgsz=64, verbose=False)))\n"
        "print([name for name in sys.modules if name.startswith('inspector_plugins')])"
    )
    words = [sys.executable, "-c", program, str(whole / "weights" / "best.pt"), str(data.parent / "images" / "val")]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-2:] == ["segment {0: 'Defect'} 4", "[]"]


def test_an_interrupted_last_measuring_is_made_up_for_with_images(data, tmp_path, monkeypatch):
    """Drawn offline, with Chinese names; nothing is left next to the data."""
    from inspector_plugins.yolo11.training.trainer import Training

    def interrupted(training):
        raise KeyboardInterrupt

    asked, said = [], []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: asked.append(arguments))
    chinese, output = tmp_path / "set", tmp_path / "out"
    shutil.copytree(data.parent, chinese)
    file = chinese / "data.yaml"
    file.write_text("train: images/train\nval: images/val\nnames: [划痕]\ndownload: http://x.invalid/a.zip", "utf-8")
    beside = sorted(chinese.rglob("*"))
    with quick(plots=True) as train:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Training, "final_eval", interrupted)
            train(file, "yolo11n-seg", output, **SMALL | {"epochs": 1})
        before = rows(output)
        train(None, None, output, report=said.append, resume=True)
    assert asked == [] and sorted(chinese.rglob("*")) == beside
    assert rows(output) == before and said[-1].startswith("best model: box mAP50")
    names = {entry.name for entry in output.iterdir()}
    assert names >= {"train.json", "check.json", "data.yaml", "results.csv", "args.yaml", "weights"}
    assert names >= {"train_batch0.jpg", "val_batch0_labels.jpg", "labels.jpg", "MaskPR_curve.png", "results.png"}
    assert names >= {"BoxF1_curve.png", "confusion_matrix.png", "confusion_matrix_normalized.png"}


def test_a_last_step_of_one_image_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="would have a single image"):
        run(imgsz=32, batch=3)
    assert not (tmp_path / "out").exists()


def test_a_loss_of_a_plugin_goes_on_with_its_running_mean(data, tmp_path):
    import torch

    from inspector_plugins.box_losses import inspector_layers
    from inspector_plugins.yolo11.training import trainer

    layers, model = inspector_layers(), "yolo11n-seg+loss=wiou_v3"

    def train(name, stop="\0", **options):
        def report(line):
            if line.startswith(stop):
                raise KeyboardInterrupt

        with quick() as train:
            train(data, model, tmp_path / name, layers, report=report, **options)

    train("whole", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        train("parts", "epoch 1/2", **SMALL)
    mean = trainer.read_state(tmp_path / "parts" / "weights" / "resume.pt")["criterion"]["box.mean"]
    assert 0.9 < float(mean) < 1
    train("parts", resume=True)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    one, other = (checkpoint.load(tmp_path / name / "weights" / "last.pt") for name in ("whole", "parts"))
    assert one.architecture == model and same(one.model.state_dict(), other.model.state_dict())  # opens without it
    with pytest.raises(InputError, match="There is no loss 'wiou_v3'"), quick() as again:
        again(data, str(tmp_path / "whole" / "weights" / "best.pt"), tmp_path / "next", (), **SMALL)
    assert torch.isfinite(mean) and not (tmp_path / "next").exists()
