"""Recipes and rule sets: kept under a name, with a version and fingerprints, and checked where they are opened."""

import hashlib
import json
from dataclasses import replace

import pytest

from inspector.domain import Choice, InputError, Job, Limit, ModelInfo, Rules, rules_sha256
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
