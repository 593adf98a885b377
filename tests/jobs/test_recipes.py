"""Recipes and rule sets: kept under a name, with a version and fingerprints, and checked where they are opened."""

import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from inspector.domain import Calibration, Choice, Grouping, InputError, Job, Limit, ModelInfo, Rules, rules_sha256
from inspector.jobs import recipes


@pytest.fixture
def job(tmp_path):
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"one")
    return Job((Choice("image_files", {"path": "/parts"}),), Choice("yolo11"), str(weights), confidence=0.4)


@pytest.fixture
def model():
    return ModelInfo("best.pt", hashlib.sha256(b"one").hexdigest(), "yolo11n-seg", ("Defect",))


def test_a_recipe_has_name_version_and_fingerprint(tmp_path, job, model):
    file = tmp_path / "6205 外圈.bearing"
    for version in (1, 2, 3):
        info = recipes.save(file, replace(job, confidence=version / 10), model)
        assert (info.name, info.version) == ("6205 外圈", version)
        assert info.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    again = recipes.load(file)
    assert again.info == info and again.model == ("best.pt", model.sha256) and not again.model_changed()
    assert again.job == replace(job, confidence=0.3, recipe=info)


def test_saving_what_follows_a_recipe_does_not_nest_it(tmp_path, job, model):
    first = recipes.save(tmp_path / "a.bearing", job, model)
    recipes.save(tmp_path / "b.bearing", replace(job, recipe=first), model)
    assert recipes.load(tmp_path / "b.bearing").info.name == "b"


def test_other_weights_than_the_recipe_was_made_with_are_noticed(tmp_path, job, model):
    file = tmp_path / "a.bearing"
    recipes.save(file, job, model)
    (tmp_path / "best.pt").write_bytes(b"another")
    assert recipes.load(file).model_changed()
    with pytest.raises(InputError, match=r"recipe .* cannot be used: its model .* has changed since"):
        recipes.read_recipe(file)
    assert recipes.read_recipe(file, check_model=False).weights == job.weights
    (tmp_path / "best.pt").unlink()
    with pytest.raises(InputError, match=r"cannot be read .* put it back, or name another model"):
        recipes.load(file).model_changed()


def test_a_run_is_a_recipe_by_its_title_or_the_one_that_it_followed(tmp_path, job, model):
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"title": "line 2", "job": job.to_json(), "model": {"sha256": ""}}))
    assert (recipes.load(file).info.name, recipes.load(file).info.version) == ("line 2", 1)
    followed = recipes.save(tmp_path / "a.bearing", job, model)
    file.write_text(json.dumps({"title": "line 2", "job": replace(job, recipe=followed).to_json()}))
    assert recipes.load(file).info == followed
    file.write_text(json.dumps(job.to_json()))  # a job alone
    assert recipes.load(file).info.name == "run"


def test_what_is_no_recipe_is_refused_in_a_sentence(tmp_path):
    file = tmp_path / "photo.bearing"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\0\xff")
    with pytest.raises(InputError, match="is not a recipe: it contains no text; choose a file that this program saved"):
        recipes.load(file)
    file.write_text("[]")
    with pytest.raises(InputError, match="cannot be used: A job must be a JSON object"):
        recipes.load(file)
    with pytest.raises(InputError, match="does not exist"):
        recipes.load(tmp_path / "nix.bearing")


def test_a_rule_set_is_called_as_its_file(tmp_path):
    rules = Rules({"Dark": {"count": Limit(ng=1)}})
    saved = recipes.save_rules(tmp_path / "strict.json", rules)
    assert saved.name == "strict" and rules_sha256(saved) == rules_sha256(rules)
    assert recipes.read_rules(tmp_path / "strict.json") == saved
    (tmp_path / "old.json").write_text('{"classes": {"Dark": {"count": {"ng": 1}}}}')
    assert recipes.read_rules(tmp_path / "old.json") == replace(saved, name="old")
    with pytest.raises(InputError, match="does not exist"):
        recipes.read_rules(tmp_path / "nix.json")
    (tmp_path / "twice.json").write_text('{"classes": {"a": {}, "a": {}}}')
    with pytest.raises(InputError, match="stands there twice"):
        recipes.read_rules(tmp_path / "twice.json")


def test_a_locked_recipe_keeps_its_limits_until_it_is_unlocked(tmp_path, job, model):
    file = tmp_path / "6205.bearing"
    recipes.save(file, job, model)
    locked = recipes.set_lock(file, " Wang  Fang ", True)
    recipe = recipes.load(file)
    assert recipe.lock is not None and recipe.lock.by == "Wang Fang" and recipe.info == locked and locked.version == 1
    recipe.check_lock(replace(job, sources=(), device="cpu", language="zh", operator="Li", exporters=(Choice("csv"),)))
    changes = {
        "confidence": 0.1,
        "iou": 0.9,
        "rules": Rules({"Dark": {"count": Limit(ng=9)}}),
        "weights": "other.pt",
        "model": Choice("yolo11", {"imgsz": 32}),
        "calibration": Calibration(0.1),
        "parts": Grouping(count=2),
    }
    for name, value in changes.items():
        with pytest.raises(InputError, match=f"locked by Wang Fang, so {name} cannot be changed; unlock it first"):
            recipe.check_lock(replace(job, **{name: value}))
    for change in (lambda: recipes.save(file, job, model), lambda: recipes.set_lock(file, "Li", True)):
        with pytest.raises(InputError, match="is locked"):
            change()
    assert recipes.load(file).info == locked, "nothing was written"
    recipes.set_lock(file, "Li", False)
    recipes.load(file).check_lock(replace(job, confidence=0.1))
    changed = json.loads(file.read_text("utf-8"))["recipe"]["changes"]
    assert [(row["what"], row["by"]) for row in changed] == [("locked", "Wang Fang"), ("unlocked", "Li")]
    with pytest.raises(InputError, match="is not locked"):
        recipes.set_lock(file, "Li", False)
    with pytest.raises(InputError, match="name of who"):
        recipes.set_lock(file, " ", True)


def test_author_code_and_image_stay_when_it_is_saved_again(tmp_path, job, model):
    file = tmp_path / "6205.bearing"
    recipes.save(file, job, model, author="Li", code="4711", image=np.full((600, 900, 3), 90, np.uint8))
    first = recipes.load(file)
    assert first.job.image_size == (900, 600) and first.saved
    shown = cv2.imdecode(np.frombuffer(first.thumbnail, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (160, 240, 3) and abs(int(shown[80, 120, 0]) - 90) < 3
    recipes.save(file, replace(first.job, confidence=0.1), model)
    again = recipes.load(file)
    assert (again.author, again.code, again.thumbnail) == ("Li", "4711", first.thumbnail)
    assert again.job.image_size == (900, 600) and again.info.version == 2


def test_a_run_cannot_be_locked(tmp_path, job):
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"run": 1, "title": "line 2", "recipe": None, "job": job.to_json()}))
    with pytest.raises(InputError, match="record of a run"):
        recipes.set_lock(file, "Li", True)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("image", "§", "its image is damaged"), ("recipe", {"locked": True}, "locked must be")],
)
def test_a_damaged_part_is_a_sentence(tmp_path, job, key, value, said):
    file = tmp_path / "a.bearing"
    file.write_text(json.dumps({"job": job.to_json(), key: value}))
    with pytest.raises(InputError, match=said):
        recipes.load(file)
    file.write_text(json.dumps({"job": job.to_json() | {"image_size": [0, 3]}}))
    with pytest.raises(InputError, match=r"image_size must be \[width, height\]"):
        recipes.load(file)
