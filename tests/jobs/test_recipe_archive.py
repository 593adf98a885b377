"""Archives of recipes: they come back unchanged, and nothing odd in them is stored."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inspector.domain import Choice, InputError, Job, ModelInfo
from inspector.jobs import recipe_archive, recipes


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "here" / "best 外圈.pt"
    file.parent.mkdir()
    file.write_bytes(b"weights" * 1000)
    return file


@pytest.fixture
def recipe(tmp_path, weights, home):
    sha256 = recipe_archive.file_sha256(weights)
    job = Job((Choice("image_files", {"path": "/parts"}),), Choice("yolo11"), str(weights), confidence=0.4)
    file = tmp_path / "6205.bearing"
    image = np.full((300, 600, 3), 80, np.uint8)
    recipes.save(file, job, ModelInfo(weights.name, sha256, "", ()), author="Li", code="4711", image=image)
    return file


@pytest.fixture
def archive(recipe, tmp_path):
    return recipes.export(recipe, tmp_path / "packed.bearing")


def changed(archive: Path, entries: dict[str, bytes | None], also: dict[str, bytes] | None = None) -> Path:
    """The archive with other entries: None leaves one out."""
    target = archive.with_name("changed.bearing")
    with zipfile.ZipFile(archive) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            data = entries.get(name, before.read(name))
            if data is not None:
                after.writestr(name, data)
        for name, data in (also or {}).items():
            after.writestr(name, data)
    return target


def test_an_archive_has_recipe_model_image_and_hashes(archive, recipe, weights):
    with zipfile.ZipFile(archive) as opened:
        assert set(opened.namelist()) == {"recipe.json", "manifest.json", "image.jpg", f"model/{weights.name}"}
        assert opened.read("recipe.json") == recipe.read_bytes()
        hashes = json.loads(opened.read("manifest.json"))["sha256"]
        assert hashes[f"model/{weights.name}"] == recipe_archive.file_sha256(weights)
        assert opened.read("image.jpg")[:2] == b"\xff\xd8"


def test_it_opens_with_its_model_where_the_model_file_is_gone(archive, recipe, weights):
    before = recipes.load(recipe)
    shutil.rmtree(weights.parent)
    again = recipes.load(archive)
    assert again.info == before.info and (again.author, again.code) == ("Li", "4711")
    assert again.job == replace(before.job, weights=again.job.weights) and again.job.image_size == (600, 300)
    assert Path(again.job.weights).read_bytes() == b"weights" * 1000 and not again.model_changed()
    assert Path(again.job.weights).is_relative_to(recipe_archive.models_folder())
    assert recipes.load(recipe).job.weights == again.job.weights, "the recipe itself finds it by its hash too"


def test_a_stored_model_that_was_changed_is_replaced(archive):
    stored = Path(recipes.load(archive).job.weights)
    stored.write_bytes(b"another")
    assert Path(recipes.load(archive).job.weights).read_bytes() == b"weights" * 1000


@pytest.mark.parametrize(
    "name", ["../evil.py", "model/../../evil.pt", "/tmp/evil", "C:evil", "model\\evil.pt", "plugin.py"]
)
def test_an_entry_that_does_not_belong_there_is_refused(archive, name, tmp_path):
    before = set(tmp_path.rglob("*"))
    odd = changed(archive, {}, {name: b"import os"})
    with pytest.raises(InputError, match="is not a recipe with its model"):
        recipes.load(odd)
    assert set(tmp_path.rglob("*")) - before == {odd} and not recipe_archive.models_folder().exists()


def test_what_was_changed_after_the_export_is_refused(archive, weights):
    model = f"model/{weights.name}"
    with pytest.raises(InputError, match="is not the one of the recipe"):
        recipes.load(changed(archive, {model: b"another"}))
    with zipfile.ZipFile(archive) as opened:
        document = json.loads(opened.read("recipe.json"))
    document["job"]["confidence"] = 0.01
    with pytest.raises(InputError, match="was changed after it was exported"):
        recipes.load(changed(archive, {"recipe.json": json.dumps(document).encode()}))
    with pytest.raises(InputError, match="its manifest is damaged"):
        recipes.load(changed(archive, {"manifest.json": b"[]"}))
    with pytest.raises(InputError, match=r"must contain recipe\.json"):
        recipes.load(changed(archive, {"manifest.json": None}))
    assert not recipe_archive.models_folder().exists() or not any(recipe_archive.models_folder().iterdir())


def test_a_damaged_or_too_large_archive_is_refused(archive, monkeypatch):
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cannot be used"):
        recipes.load(archive)
    archive.write_bytes(data)
    monkeypatch.setattr(recipe_archive, "LARGEST_MODEL", 100)
    with pytest.raises(InputError, match="larger than 100 bytes"):
        recipes.load(archive)


def test_an_export_needs_the_model_of_the_recipe(recipe, weights, tmp_path):
    output = tmp_path / "out.bearing"
    weights.write_bytes(b"another")
    with pytest.raises(InputError, match="has changed since"):
        recipes.export(recipe, output)
    weights.unlink()
    with pytest.raises(InputError, match="put it back"):
        recipes.export(recipe, output)
    assert not output.exists()


def test_an_existing_file_is_replaced_only_on_request(archive, recipe):
    with pytest.raises(InputError, match="exists already"):
        recipes.export(recipe, archive)
    assert recipes.export(recipe, archive, overwrite=True) == archive


def test_a_model_of_several_files_is_refused(recipe, tmp_path):
    document = json.loads(recipe.read_text())
    document["job"]["weights"], document["model"] = str(tmp_path / "best.xml"), None
    recipe.write_text(json.dumps(document))
    with pytest.raises(InputError, match="several files"):
        recipes.export(recipe, tmp_path / "out.bearing")
