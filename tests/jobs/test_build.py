"""One builder for the window, the command line and recipes: the same settings act in all of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from inspector.domain import Choice, InputError, Job, Limit, RecipeInfo, Rules
from inspector.jobs.build import build_job, chosen_exporters, default_output, run_title
from inspector.jobs.options import plugin_options
from inspector.registry import Registry, load
from inspector.settings import Settings

FOLLOWED = RecipeInfo("line 1", 2, "ab" * 32)
CAMERA = Choice("camera", {"address": "0"})


@pytest.fixture(scope="module")
def catalogue() -> Registry:
    return load()


@pytest.fixture
def settings(catalogue: Registry) -> Settings:
    return Settings.load(plugin_options(catalogue))


def ids(job: Job) -> list[str]:
    return [choice.id for choice in job.exporters]


def test_the_setting_chooses_the_exporters(catalogue, settings):
    settings.set("exporters", "xlsx, csv, nothing")
    job = build_job(catalogue, settings, "en")
    assert sorted(ids(job)) == ["csv", "xlsx"]
    assert ids(job) == [id for id in catalogue.exporters if id in ("csv", "xlsx")]
    settings.set("exporters", "none")
    assert ids(build_job(catalogue, settings, "en")) == []
    assert ids(build_job(catalogue, settings, "en", exporters=["jsonl"])) == ["jsonl"]


def test_originals_of_live_sources_are_kept_if_the_user_wants_them(catalogue, settings):
    settings.set("exporters", "csv")
    assert ids(build_job(catalogue, settings, "en", sources=[CAMERA])) == ["csv", "originals"]
    assert ids(build_job(catalogue, settings, "en", sources=[Choice("image_files", {"path": "x"})])) == ["csv"]
    settings.set("keep_camera_pictures", False)
    assert ids(build_job(catalogue, settings, "en", sources=[CAMERA])) == ["csv"]


def test_a_recipe_brings_its_own_values_and_arguments_change_them(catalogue, settings):
    settings.set("exporters", "csv")
    settings.set("confidence", 0.9)
    recipe = Job(
        (CAMERA,),
        Choice("yolo11", {"imgsz": 320}),
        "best.pt",
        "cpu",
        0.4,
        0.5,
        (Choice("jsonl"),),
        Rules({"*": {"count": Limit(ng=2)}}, "two"),
        "zh",
        FOLLOWED,
    )
    assert build_job(catalogue, settings, "zh", base=recipe) == recipe
    elsewhere = build_job(catalogue, settings, "zh", base=recipe, device="cuda", exporters=["csv", "jsonl"])
    assert elsewhere == replace(recipe, device="cuda", exporters=(Choice("csv"), Choice("jsonl")))
    other = build_job(catalogue, settings, "zh", base=recipe, overrides={"yolo11": {"imgsz": 640}})
    assert other == replace(recipe, model=Choice("yolo11", {"imgsz": 640}), recipe=None)
    assert build_job(catalogue, settings, "zh", base=recipe, confidence=0.0).confidence == 0.0


def test_the_window_follows_a_recipe_as_long_as_it_inspects_alike(catalogue, settings):
    set_up = build_job(catalogue, settings, "en")
    recipe = replace(set_up, sources=(CAMERA,), recipe=FOLLOWED)
    assert build_job(catalogue, settings, "en", recipe=recipe).recipe == FOLLOWED
    assert build_job(catalogue, settings, "en", recipe=recipe, iou=0.3).recipe is None


def test_a_station_waits_for_its_camera(catalogue, settings):
    assert "wait" not in build_job(catalogue, settings, "en", sources=[CAMERA]).sources[0].options
    waiting = build_job(catalogue, settings, "en", sources=[CAMERA], wait_for_sources=True)
    assert waiting.sources[0].options["wait"] is True
    off = replace(CAMERA, options={**CAMERA.options, "wait": False})
    assert build_job(catalogue, settings, "en", sources=[off], wait_for_sources=True) == waiting


def test_chosen_exporters(catalogue):
    known = catalogue.exporters
    assert chosen_exporters("none", known) == [] and chosen_exporters("xlsx, nothing,csv", known) == ["xlsx", "csv"]
    assert "xlsx" in chosen_exporters("", known) and "coco" not in chosen_exporters("", known)


def test_a_new_job_has_the_users_settings(catalogue, settings, tmp_path):
    plain = build_job(catalogue, settings, "zh")
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
    job = build_job(
        catalogue,
        Settings.load(plugin_options(catalogue)),
        "en",
        sources=[Choice("image_files", {"path": tmp_path})],
        exporters=["jsonl"],
    )
    assert (job.confidence, job.device, job.model) == (0.6, "cpu", Choice("yolo11", {"imgsz": 320}))
    assert job.sources == (Choice("image_files", {"recursive": True, "path": str(tmp_path)}),)
    assert job.exporters == (Choice("jsonl"),)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
    with pytest.raises(InputError, match="no exporter 'nix'"):
        build_job(catalogue, settings, "en", exporters=["nix"])


def test_titles_and_folders(settings, tmp_path):
    job = Job((Choice("image_files", {"path": str(tmp_path / "parts")}), Choice("hot_folder")), Choice("m"))
    assert (run_title(job), run_title(job, ["a/b.png"])) == ("parts +1", "b.png")
    assert run_title(Job((), Choice("m"))) == ""
    address = "rtsp://user:secret@10.0.0.7:554/line?token=abc"
    assert run_title(job, [address]) == "10.0.0.7:554/line"
    settings.set("output_folder", str(tmp_path))
    folder = default_output(settings, "a:b")
    assert folder.parent == tmp_path and re.fullmatch(r"\d{4}-\d\d-\d\d \d{6} a_b", folder.name), folder.name
