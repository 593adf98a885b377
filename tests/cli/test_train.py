"""Training from the command line, with a training that is as small as one can be."""

import json
import shutil
import signal
import sys
import time

import pytest

from inspector.datasets.synthetic import synthesize

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """``data.yaml`` of twelve synthetic images; a ``download:`` line in it would reach for a network."""
    folder = tmp_path_factory.mktemp("训练 集") / "set"
    synthesize(folder, count=12, size=160)
    file = folder / "data.yaml"
    file.write_text(file.read_text("utf-8") + "download: https://example.invalid/set.zip\n", "utf-8")
    return file


@pytest.mark.slow
def test_a_model_is_trained_and_then_inspects(start, program, data, tmp_path):
    output = tmp_path / "结果"
    process = start(
        *("train", "--data", data, "--output", output, "--json"),
        *("--epochs", 2, "--imgsz", 64, "--batch", 12, "--device", "cpu", "--precision", "f32"),
        *("--weights", "bearing-yolo11n-seg"),
    )
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    assert json.loads(out) == {"best": str(output / "weights" / "best.pt"), "output": str(output)}
    assert "epoch 1/2" in err and "epoch 2/2" in err and "example.invalid" not in err
    assert "train: 10 of 10 images are used" in err and "Transferred from bearing-yolo11n-seg.pt: 561 of 561" in err
    code, out, _ = program(
        *("inspect", data.parent / "images" / "train", "--model", output / "weights" / "best.pt"),
        *("--json", "--export", "none"),
    )
    document = json.loads(out)
    assert code == 0 and document["counts"]["inspected"] == len(list((data.parent / "images" / "train").iterdir()))
    assert document["inspections"][0]["model"]["file"] == "best.pt"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_it(start, data, tmp_path):
    process = start("train", "--data", data, "--output", tmp_path / "out", "--imgsz", 32, "--device", "cpu")
    while process.poll() is None and not (tmp_path / "out" / "args.yaml").exists():  # the trainer has begun
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130 and out == "" and err.endswith("bearing-inspector: interrupted\n")
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_after_a_kill_and_ctrl_c_it_goes_on(start, program, data, tmp_path):
    output = tmp_path / "out"
    words = ("--epochs", 500, "--imgsz", 64, "--device", "cpu", "--precision", "f32")
    for signals, beginning, code in (
        (signal.SIGKILL, ("--data", data, *words), -signal.SIGKILL),
        (signal.SIGINT, (), 130),
    ):
        process = start("train", *beginning, "--output", output, *(() if beginning else ("--resume",)))
        line = ""
        while line != "" or process.poll() is None:
            line = process.stderr.readline()
            if line.startswith("epoch "):
                break
        said = int(line.split()[1].partition("/")[0])
        process.send_signal(signals)
        _, err = process.communicate(timeout=100)
        assert process.returncode == code and "Traceback" not in err, err
        numbers = [int(row.partition(",")[0]) for row in (output / "results.csv").read_text("utf-8").splitlines()[1:]]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= said
        assert all((output / "weights" / f"{name}.pt").stat().st_size > 5e6 for name in ("last", "best", "resume"))
    assert said > 1 and "the training can be resumed (train --resume --output" in err
    assert err.endswith("bearing-inspector: interrupted\n")
    code, _, err = program("train", "--resume", "--output", output, "--imgsz", 96)
    assert code == 2 and "has imgsz 64, not 96" in err
    code, out, _ = program(
        *("inspect", data.parent / "images" / "val", "--model", output / "weights" / "last.pt"),
        *("--yolo11.runtime", "torch", "--json"),
    )
    assert code == 0 and json.loads(out)["counts"]["inspected"] == 1


def test_a_data_set_is_only_checked(program, data, tmp_path):
    code, out, err = program("train", "--check", "--data", data, "--json")
    assert (code, err) == (0, "") and json.loads(out)["usable"]
    assert json.loads(out)["splits"]["train"]["pictures"] == 10
    code, out, err = program("train", "--check", "--data", data)
    assert (code, err) == (0, "") and out.startswith("train: 10 of 10 images are used")
    faulty = tmp_path / "set"
    shutil.copytree(data.parent, faulty)
    label = next((faulty / "labels" / "train").iterdir())
    label.write_text("0 10 10 50 10 50 50\n", "utf-8")  # pixels instead of shares
    code, out, err = program("train", "--check", "--data", faulty / "data.yaml")
    assert (code, err) == (1, "") and "train: 9 of 10 images are used" in out
    assert "train: 1 polygon left out with the image, which it leaves; coordinates are shares" in out
    code, _, err = program("convert", faulty, tmp_path / "converted")
    assert code == 1 and "1 polygon left out with the image, which it leaves" in err
    label.write_text("3 0 0 1 0 1 1\n", "utf-8")
    code, out, err = program("train", "--check", "--data", faulty / "data.yaml", "--json")
    assert code == 2 and err.count("\n") == 1 and f"{label.name} line 1" in err
    assert not json.loads(out)["usable"] and json.loads(out)["refusal"] in err
    code, out, err = program("train", "--data", faulty / "data.yaml", "--output", tmp_path / "out")
    assert (code, out) == (2, "") and not (tmp_path / "out").exists()
    assert err.splitlines()[-1].endswith(
        json.loads(program("train", "--check", "--data", faulty / "data.yaml", "--json")[1])["refusal"]
    )


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--output", "out"], "--data is needed"),
        (["--resume"], "--resume continues the training in a folder; name it with --output"),
        (["--resume", "--output", "out"], "There is no training to resume in"),
        (["--check", "--data", "d.yaml", "--output", "out"], "--check trains nothing"),
        (["--check", "--data", "d.yaml"], "d.yaml does not exist"),
    ],
)
def test_what_is_missing_is_told(program, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    refused(program("train", *words), complaint, tmp_path / "out")


@pytest.mark.parametrize(
    "text, complaint",
    [
        (None, "does not exist"),
        ("train: [", "cannot be read as YAML"),
        ("- 1", "must hold train, val and names"),
        ("train: images/train\nval: images/val\nnames: []", "names no classes"),
        ("train: images/train\nval: images/val\nnc: 2\nnames: [a]", "says nc: 2 but names 1 classes"),
        ("val: images/val\nnames: [a]", "has no line train:"),
        ("train: nix\nval: images/val\nnames: [a]", "nix does not exist"),
        ("train: masks\nval: labels\nnames: [a]", "labels contains no images"),
    ],
)
def test_a_data_set_that_cannot_be_used_is_one_sentence(program, data, tmp_path, text, complaint):
    file = data.with_name("other.yaml")
    file.unlink(missing_ok=True)
    if text is not None:
        file.write_text(text, "utf-8")
    refused(program("train", "--data", file, "--output", tmp_path / "out"), complaint, tmp_path / "out")


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--model", "yolo99"], "Unknown architecture 'yolo99'"),
        (["--model", "nix.pt"], "nix.pt"),
        (["--device", "potato"], "'potato'"),
        (["--epochs", "0"], "--epochs: '0' is"),
        (["--precision", "f8"], "--precision: 'f8' is not one of"),
    ],
)
def test_a_refused_option_is_one_sentence(program, data, tmp_path, words, complaint):
    refused(program("train", "--data", data, "--output", tmp_path / "out", *words), complaint, tmp_path / "out")


def test_a_folder_with_something_in_it_is_left_alone(program, data, pictures):
    before = sorted(pictures.iterdir())
    code, out, err = program("train", "--data", data, "--output", pictures)
    assert (code, out, err.count("\n")) == (2, "", 1) and "choose a new folder" in err
    assert sorted(pictures.iterdir()) == before


def refused(result, complaint: str, output) -> None:
    """Bad input: one sentence, exit code 2, nothing on stdout, nothing written."""
    code, out, err = result
    assert (code, out, err.count("\n")) == (2, "", 1), result
    assert complaint in err and not output.exists()
