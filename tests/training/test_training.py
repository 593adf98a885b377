"""Trainings in a child process: progress, stop, resume, and a killed parent."""

import json
import signal
import subprocess
import sys
import time

import pytest

from inspector import training
from inspector.api import InputError, InspectorError
from inspector.datasets.synthetic import synthesize
from inspector.training import Command, Lock, Training, TrainingWorker, find_trainings, is_locked, read_progress

SMALL = {"epochs": 2, "imgsz": 32, "batch": 2, "device": "cpu", "precision": "f32", "learning_rate": 0.002}
LIMIT = 140.0  # seconds, for a busy machine


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("训练 集") / "set"
    synthesize(folder, count=8, size=160, seed=1, split=(0.5, 0.5, 0), good_share=0.0)
    return folder / "data.yaml"


@pytest.fixture
def begun():
    """Trainings to be ended after the test."""
    mine: list[Training] = []
    yield mine
    for one in mine:
        one.stop()
        assert one.wait(LIMIT)


def until(condition, seconds=LIMIT):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return result


@pytest.mark.slow
def test_two_epochs_are_told_and_stopped_ones_go_on(data, tmp_path, begun):
    folder = tmp_path / "结果" / "out"
    one = Training.start(data, "yolo11n-seg", folder, SMALL | {"epochs": 400})
    begun.append(one)
    assert one.progress().state == "starting" and one.progress().live
    stepping = until(lambda: (now := one.progress()).batches and now)
    assert (stepping.state, stepping.epochs, stepping.batches) == ("running", 400, 2)
    assert set(stepping.losses) >= {"box_loss", "seg_loss"} and stepping.model == "yolo11n-seg"
    assert is_locked(folder) and read_progress(folder).live
    with pytest.raises(InputError, match="is already running"):
        Training.resume(folder)
    one.stop_after_epoch()
    assert one.wait(LIMIT)
    stopped = one.progress()
    assert stopped.state == "stopped" and stopped.resumable and stopped.epoch == len(stopped.rows) >= 1
    assert stopped.weights is not None and not is_locked(folder) and stopped.images
    assert any(line.startswith("epoch 1/400") for line in stopped.log) and not any('{"' in line for line in stopped.log)

    done = stopped.epoch
    two = Training.resume(folder, {"epochs": done + 1})
    begun.append(two)
    assert two.wait(LIMIT)
    finished = two.progress()
    assert (finished.state, finished.epoch, finished.share) == ("finished", done + 1, 1.0), finished.log
    assert [row["epoch"] for row in finished.rows] == list(range(1, done + 2))
    assert finished.seconds > 0 and not finished.resumable and set(finished.best) >= {training.progress.MASK}
    assert [found.folder for found in find_trainings(tmp_path / "结果")] == [folder] == training.known_folders()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_parent_leaves_a_training_that_goes_on(data, tmp_path, begun):
    folder = tmp_path / "out"
    code = (
        "import sys, time; from pathlib import Path; from inspector.training import Training\n"
        f"one = Training.start(Path(sys.argv[1]), 'yolo11n-seg', Path(sys.argv[2]), {SMALL | {'epochs': 400}!r})\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(data), str(folder)])
    try:
        until(lambda: read_progress(folder).epoch >= 1 and read_progress(folder).live)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not is_locked(folder), 30)
    left = read_progress(folder)
    assert (left.state, left.resumable) == ("interrupted", True) and "Interrupted; the model of" in " ".join(left.log)
    again = Training.resume(folder, {"epochs": left.epoch + 1})
    begun.append(again)
    assert again.wait(LIMIT)
    assert again.progress().state == "finished" and again.progress().epoch == left.epoch + 1, again.progress().log


@pytest.mark.slow
def test_what_cannot_begin_says_why_and_leaves_nothing(data, tmp_path, begun):
    for number, (model, options, complaint) in enumerate(
        [("yolo99", {}, "Unknown architecture 'yolo99'"), ("yolo11n-seg", {"epochs": 0}, "--epochs: '0' is outside")]
    ):
        one = Training.start(data, model, tmp_path / str(number), options)
        begun.append(one)
        assert one.wait(LIMIT)
        failed = one.progress()
        assert failed.state == "failed" and failed.sentence.startswith(complaint) and not failed.resumable
        assert one.progress() is failed and not (tmp_path / str(number)).exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(InputError, match="already exists"):
        Training.start(data, "yolo11n-seg", tmp_path / "mine")
    with pytest.raises(InputError, match="no training to resume in"):
        Training.resume(tmp_path / "mine")
    with pytest.raises(InputError, match="choose another folder"):
        Training.start(data, "yolo11n-seg", tmp_path / "mine" / "notes.txt" / "out")


@pytest.mark.slow
def test_the_lock_is_freed_with_its_process(tmp_path):
    assert not is_locked(tmp_path)
    lock = Lock(tmp_path)
    lock.acquire()
    lock.acquire()
    assert is_locked(tmp_path)
    with pytest.raises(InputError, match="is already running"):
        Lock(tmp_path).acquire()
    lock.release()
    assert not is_locked(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from inspector.training import Lock\n"
        "Lock(Path(sys.argv[1])).acquire(); print(flush=True); time.sleep(99)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    other.stdout.readline()
    assert is_locked(tmp_path)
    other.kill()
    other.wait()
    other.stdout.close()
    assert not is_locked(tmp_path)


@pytest.mark.slow
def test_a_training_in_a_terminal_is_seen_too_and_puts_nothing_into_other_folders(tmp_path):
    (tmp_path / "mine.txt").touch()
    with TrainingWorker(tmp_path) as here:
        assert not is_locked(tmp_path) and len(list(tmp_path.iterdir())) == 1
        here.step(0, 3, 1, 4, {"box_loss": 1.0})  # the folder was created by the trainer
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    folder_of(tmp_path)
    with TrainingWorker(tmp_path), pytest.raises(InputError, match="is already running"), TrainingWorker(tmp_path):
        pass


def folder_of(place, epochs=4, finished=False, rows=(), log=""):
    place.mkdir(parents=True, exist_ok=True)
    plan = {"data": "/set/data.yaml", "model": "yolo11s-seg", "options": {"epochs": epochs}, "finished": finished}
    (place / "train.json").write_text(json.dumps(plan), "utf-8")
    (place / "results.csv").write_text("epoch,time,metrics/mAP50(B), metrics/mAP50(M)\n" + "".join(rows), "utf-8")
    (place / "train.log").write_text(log, "utf-8")
    return place


def test_a_folder_tells_its_state(tmp_path):
    rows = ("1,10,0.5,0.4\n", "2,30,0.6,0.7\n", "3,40,0.7,0.6\n")
    began, step = '{"began": 1}\n', '{"epoch": 3, "epochs": 4, "batch": 5, "batches": 10, "seconds": 3, "losses": {}}\n'
    for number, (finished, log, state) in enumerate(
        [
            (True, "", "finished"),
            (False, "", "interrupted"),
            (False, began + step, "interrupted"),
            (False, began + step + '{"ended": "stopped"}\nbearing-inspector: interrupted\n', "stopped"),
            (False, began + '{"ended": "failed", "sentence": "It is full"}\n', "failed"),
            (False, '{"ended": "failed"}\n' + began, "interrupted"),
        ]
    ):
        found = read_progress(folder_of(tmp_path / str(number), finished=finished, rows=rows, log=log))
        assert (found.state, found.epoch, found.left) == (state, 3, None)
    assert found.model == "yolo11s-seg" and found.epochs == 4 and found.seconds == 40
    assert found.best["epoch"] == 2 and found.best["metrics/mAP50(B)"] == 0.6
    assert read_progress(tmp_path / "4").sentence == "It is full"
    alive = read_progress(folder_of(tmp_path / "x", rows=(*rows, "4,1.5"), log=f"text\n{began}{step}"), alive=True)
    assert (alive.state, alive.batch, alive.share, alive.log) == ("running", 5, 3.5 / 4, ("text",))
    assert alive.left == pytest.approx(40 / 3 * 0.5)
    first = read_progress(folder_of(tmp_path / "y", log=step.replace('"epoch": 3', '"epoch": 0')), alive=True)
    assert first.left == pytest.approx(6 * 3.5)
    assert len(find_trainings(tmp_path)) == 8 and find_trainings(tmp_path / "nix") == []


@pytest.mark.parametrize("content", ["", "[]", '{"options": 1}', '{"data'])
def test_damaged_folders_are_no_trainings(tmp_path, content):
    (tmp_path / "train.json").write_text(content, "utf-8")
    (tmp_path / "train.log").write_bytes(b"\xff{\x00\n{half\n")
    (tmp_path / "results.csv").write_bytes(b"\xff\xfe")
    assert find_trainings(tmp_path) == [] and not read_progress(tmp_path).begun


@pytest.mark.slow
def test_commands_are_asked_in_a_child(data, tmp_path):
    said = []
    answer = Command("train", "--check", "--data", data).answer(said.append)
    assert answer.code == 0 and answer.document["usable"] and answer.document["splits"]["val"]["pictures"] == 4
    with pytest.raises(InspectorError, match=r"nix\.yaml does not exist"):
        Command("train", "--check", "--data", tmp_path / "nix.yaml").answer(said.append)
    assert "nix.yaml" in said[-1]
    slow = Command("architectures", "yolo11x-seg")
    slow.cancel()
    with pytest.raises(InspectorError, match="Cancelled"):
        slow.answer()
    slow.cancel()


def test_the_log_does_not_hide_behind_steps(tmp_path):
    step = json.dumps({"epoch": 0, "epochs": 4, "batch": 5, "batches": 10, "seconds": 3, "losses": {}})
    folder = folder_of(tmp_path / "x", log="begin\n" + f"{step}\n" * 2000 + "last words\n")
    assert (folder / "train.log").stat().st_size > 100_000 and read_progress(folder).log == ("begin", "last words")
