"""From what a person names to a job, and back to the picture of an old inspection; with the real plugins."""

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector import jobs
from inspector.api import ModelSpec, Text
from inspector.domain import Choice, InputError, Job, ModelInfo
from inspector.engine import Engine
from inspector.history import History, Query
from inspector.imaging import write_image
from inspector.registry import Registry, load
from inspector.settings import Settings


@pytest.fixture(scope="module")
def catalogue() -> Registry:
    return load()


@pytest.fixture
def settings(catalogue) -> Settings:
    return Settings.load(jobs.plugin_options(catalogue))


def picture(path: Path, value: int = 100, size: tuple[int, int] = (20, 30)) -> Path:
    return write_image(path, np.full((*size, 3), value, np.uint8))


def film(path: Path, count: int = 12) -> Path:
    """Frame n has the brightness 20 n."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(count):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


# What a person names


def test_a_folder_of_pictures_and_videos_is_two_sources(catalogue, tmp_path):
    picture(tmp_path / "a.png")
    assert jobs.claim(catalogue, str(tmp_path)) == [Choice("image_files", {"path": str(tmp_path)})]
    film(tmp_path / "b.avi")
    assert [choice.id for choice in jobs.claim(catalogue, str(tmp_path))] == ["image_files", "video_files"]
    assert jobs.claim(catalogue, "camera:0")[0].id == "camera"


@pytest.mark.parametrize(
    ("text", "complaint"), [(" ", "SOURCE is empty"), ("nix.png", "does not exist"), ("odd.xyz", "neither a picture")]
)
def test_what_nobody_opens_is_refused(catalogue, tmp_path, monkeypatch, text, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.xyz").write_bytes(b"odd")
    with pytest.raises(InputError, match=complaint):
        jobs.claim(catalogue, text)


def test_models_by_name_by_path_and_by_default(catalogue, tmp_path):
    (tmp_path / "best.pt").write_bytes(b"x")
    spec, weights = jobs.find_model(catalogue, str(tmp_path / "best.pt"))
    assert (spec.id, weights) == ("yolo11", str(tmp_path / "best.pt"))
    name = jobs.default_model(catalogue)
    assert jobs.find_model(catalogue) == jobs.find_model(catalogue, name)
    assert jobs.find_model(catalogue)[0].bundled[name] == Path(jobs.find_model(catalogue)[1])
    (tmp_path / "best.txt").write_bytes(b"x")
    for text, complaint in (
        (tmp_path / "best.txt", "no model file"),
        ("nix.pt", f"does not exist; .*{name}"),
        ("", "''"),
    ):
        with pytest.raises(InputError, match=complaint):
            jobs.find_model(catalogue, str(text))


def test_without_any_model_the_sentence_is_whole():
    with pytest.raises(InputError, match=r"give a file such as best\.pt$"):
        jobs.find_model(Registry(), "nix.pt")
    with pytest.raises(InputError, match="none ships"):
        jobs.find_model(Registry())
    free = Registry(models={"free": ModelSpec("free", Text("free"), open, bundled={"dark": None})})
    assert jobs.find_model(free, "dark") == (free.models["free"], None)


def test_a_new_job_has_the_users_settings(catalogue, settings, tmp_path):
    plain = jobs.new_job(catalogue, settings, "zh")
    assert (plain.sources, plain.model, plain.confidence, plain.language) == ((), Choice("yolo11"), 0.25, "zh")
    assert {choice.id for choice in plain.exporters} == {e.id for e in catalogue.exporters.values() if e.default}
    for key, value in {
        "confidence": 0.6,
        "device": "cpu",
        "yolo11.imgsz": 320,
        "image_files.recursive": True,
        "image_files.path": "nowhere",
    }.items():
        settings.set(key, value)
    job = jobs.new_job(
        catalogue,
        Settings.load(jobs.plugin_options(catalogue)),
        "en",
        sources=[Choice("image_files", {"path": tmp_path})],
        exporters=["jsonl"],
    )
    assert (job.confidence, job.device, job.model) == (0.6, "cpu", Choice("yolo11", {"imgsz": 320}))
    assert job.sources == (Choice("image_files", {"recursive": True, "path": str(tmp_path)}),)
    assert job.exporters == (Choice("jsonl"),)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
    with pytest.raises(InputError, match="no exporter 'nix'"):
        jobs.new_job(catalogue, settings, "en", exporters=["nix"])


def test_titles_and_folders(settings, tmp_path):
    job = Job((Choice("image_files", {"path": str(tmp_path / "parts")}), Choice("hot_folder")), Choice("m"))
    assert (jobs.title(job), jobs.title(job, ["a/b.png"])) == ("parts +1", "b.png")
    assert jobs.title(Job((), Choice("m"))) == ""
    address = "rtsp://user:secret@10.0.0.7:554/line?token=abc"
    assert jobs.title(job, [address]) == "10.0.0.7:554/line"
    settings.set("output_folder", str(tmp_path))
    folder = jobs.default_output(settings, "a:b")
    assert folder.parent == tmp_path and re.fullmatch(r"\d{4}-\d\d-\d\d \d{6} a_b", folder.name), folder.name


def test_recipes_and_rules(tmp_path):
    weights, recipe = tmp_path / "best.pt", tmp_path / "run.json"
    weights.write_bytes(b"one")
    job = Job((), Choice("yolo11"), str(weights))
    recipe.write_text(json.dumps({"job": job.to_json(), "model": {"sha256": "00"}}))
    with pytest.raises(InputError, match=r"recipe .* cannot be used: its model .* has changed since"):
        jobs.read_recipe(recipe)
    assert jobs.read_recipe(recipe, check_model=False) == job
    recipe.write_text(json.dumps(job.to_json()))
    assert jobs.read_recipe(recipe) == job
    rules = tmp_path / "rules.json"
    rules.write_text('{"classes": {"Dark": {"count": {"ng": 1}}}}')
    assert "Dark" in jobs.read_rules(rules).to_json()["classes"]
    with pytest.raises(InputError, match="does not exist"):
        jobs.read_rules(tmp_path / "nix.json")


# The picture of an old inspection


@pytest.fixture
def inspected(catalogue):
    """``inspected(path, ...)``: what the history keeps of a run over them."""

    class Nothing:
        from inspector.domain import ModelInfo

        info, batch = ModelInfo("", "", "none", ("Defect",)), 1

        def predict(self, images, confidence, iou):
            return [[] for _ in images]

        def close(self):
            pass

    def inspect(*places: Path) -> list[dict]:
        choices = [choice for place in places for choice in jobs.claim(catalogue, str(place))]
        engine = Engine(catalogue, lambda: jobs.open_history(0), "1", open_model=lambda *_: Nothing())
        run = engine.start(Job(tuple(choices), Choice("yolo11")), None)
        assert run.wait(30) and run.state == "done", run.failure
        with History.open() as history:
            found = history.search(Query(run=run.history_id, order="oldest")).entries
            return [history.get(entry.id) for entry in found]

    return inspect


def test_the_picture_of_an_old_inspection_is_found_again(catalogue, inspected, tmp_path):
    stills = [picture(tmp_path / f"零件 {n}.png", 10 * n) for n in range(3)]
    records = inspected(tmp_path, film(tmp_path / "moving.avi"))
    records = [record for record in records if record["name"] != "moving.avi"] + records[-12:]
    for number, record in enumerate(records[:3]):
        frame = jobs.find_frame(catalogue, record)
        assert (frame.name, frame.path, frame.image[0, 0, 0]) == (stills[number].name, str(stills[number]), 10 * number)
    for number in (7, 2, 11):
        frame = jobs.find_frame(catalogue, records[3 + number])
        assert (frame.index, frame.name, frame.path) == (number, "moving.avi", str(tmp_path / "moving.avi"))
        assert abs(int(frame.image.mean()) - 20 * number) <= 3 and frame.seconds == pytest.approx(number / 10)


def test_a_video_stays_open_from_one_frame_to_the_next(catalogue, inspected, tmp_path, monkeypatch):
    records = inspected(film(tmp_path / "a.avi"), film(tmp_path / "b.avi"), picture(tmp_path / "still.png"))
    one, other, still = records[:12], records[12:24], records[24]
    opened, closed = [], []
    spec = catalogue.source("video_files")

    def open_counted(path):
        opened.append(Path(path).name)
        source = spec.open(path)
        close = source.close
        monkeypatch.setattr(source, "close", lambda: (closed.append(Path(path).name), close()))
        return source

    counted = replace(catalogue, sources={**catalogue.sources, spec.id: replace(spec, open=open_counted)})
    order = [*one[3:], still, one[0], *other, one[5]]
    with jobs.FrameFinder(counted) as finder:
        for record in order:
            frame = finder.find(record)
            assert (frame.name, frame.index) == (record["name"], record["index"])
            assert np.array_equal(frame.image, jobs.find_frame(catalogue, record).image)
        with pytest.raises(InputError, match="has no frame 12"):
            finder.find(one[0] | {"index": 12})
        assert np.array_equal(finder.find(one[4]).image, jobs.find_frame(catalogue, one[4]).image)
    assert opened == closed == ["a.avi", "b.avi", "a.avi"]


def test_what_cannot_be_found_again_is_told(catalogue, inspected, tmp_path):
    (record,) = inspected(picture(tmp_path / "a.png"))
    with pytest.raises(InputError, match="camera or a stream"):
        jobs.find_frame(catalogue, record | {"path": None, "name": "camera 0"})
    picture(tmp_path / "a.png", size=(25, 30))
    with pytest.raises(InputError, match="another picture than it was: 30 x 25 pixels instead of 30 x 20"):
        jobs.find_frame(catalogue, record)
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="not a picture"):
        jobs.find_frame(catalogue, record)
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="not there any more"):
        jobs.find_frame(catalogue, record)


def test_a_video_that_was_cut_or_cannot_be_looked_through_is_told(catalogue, inspected, tmp_path):
    *_, last = inspected(film(tmp_path / "a.avi"))
    with pytest.raises(InputError, match="No source that is active can show a frame"):
        jobs.find_frame(Registry(), last)
    film(tmp_path / "a.avi", 5)
    with pytest.raises(InputError, match="has no frame 11"):
        jobs.find_frame(catalogue, last)


def test_the_history_forgets_what_is_old(inspected, tmp_path):
    inspected(picture(tmp_path / "a.png"))
    with jobs.open_history(0) as history:
        assert history.count(Query()) == 1
    with jobs.open_history(30) as history:
        assert history.count(Query()) == 1


def test_runs_that_were_killed_are_mended_whatever_came_after(tmp_path):
    model = ModelInfo("m", "", "", ("Defect",))
    folders = [tmp_path / name for name in ("先", "gone", "after")]
    with History.open() as history:
        for folder in folders:
            run = history.begin(Job((), Choice("yolo11")), model, folder.name, folder, "2026-11-23T10:00:00+01:00")
        history.finish(run, "done", {})
    for folder in (folders[0], folders[2]):
        folder.mkdir()
        (folder / ".tmp-1.xlsx").write_bytes(b"half")
        (folder / "run.json").write_text('{"state": "running", "title": "批"}', "utf-8")
    with jobs.open_history(0) as history:
        newest = jobs.mend_interrupted(history)
    assert newest is not None and newest.title == "gone"
    assert json.loads((folders[0] / "run.json").read_text("utf-8")) == {"state": "interrupted", "title": "批"}
    assert [file.name for file in folders[0].iterdir()] == ["run.json"]
    assert len(list(folders[2].iterdir())) == 2
