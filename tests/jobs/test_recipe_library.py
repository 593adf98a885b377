"""The library of recipes: found by name, path and code; imported unchanged."""

from dataclasses import replace

import pytest

from inspector.domain import Choice, InputError, Job
from inspector.jobs import recipe_library, recipes

JOB = Job((Choice("image_files", {"path": "/parts"}),), Choice("spots"))


@pytest.fixture
def saved(home, tmp_path):
    """``saved("6205", confidence=0.5)``: a file elsewhere; ``code`` and others go to the recipe."""

    def save(name, code="", confidence=0.25):
        file = tmp_path / f"{name}.bearing"
        recipes.save(file, replace(JOB, confidence=confidence), None, code=code)
        return file

    return save


def test_a_recipe_is_found_by_path_file_name_and_name(saved):
    file = saved("6205 outer")
    assert recipe_library.find(str(file)) == file
    added = recipe_library.add(file)
    assert added.parent == recipe_library.folder() and added.read_bytes() == file.read_bytes()
    assert recipe_library.find("6205 outer") == recipe_library.find("6205 outer.bearing") == added
    with pytest.raises(InputError, match=r"'6304' does not exist; .* \(6205 outer\)"):
        recipe_library.find("6304")


def test_importing_replaces_only_an_older_version(saved):
    file = saved("6205")
    recipe_library.add(file)
    assert recipe_library.add(file).is_file(), "the same one again changes nothing"
    old = file.read_bytes()
    saved("6205", confidence=0.5)  # version 2
    assert recipes.load(recipe_library.add(file)).info.version == 2
    file.write_bytes(old)
    with pytest.raises(InputError, match="is there already as version 2, and this is version 1"):
        recipe_library.add(file)
    recipes.set_lock(recipe_library.find("6205"), "Wang", True)
    file.unlink()
    for confidence in (0.1, 0.2, 0.3):
        saved("6205", confidence=confidence)  # version 3
    with pytest.raises(InputError, match="is locked by Wang"):
        recipe_library.add(file)


def test_a_code_opens_its_recipe(saved):
    first = recipe_library.add(saved("6205_Outer", code="4006381333931"))
    recipe_library.add(saved("6304"))
    assert recipe_library.find_code("4006381333931") == first
    assert recipe_library.find_code("recipe:6205 outer") == recipe_library.find_code("RECIPE:6205-OUTER") == first
    assert recipe_library.find_code("4006381333932") is None and recipe_library.find_code("") is None
    with pytest.raises(InputError, match="No recipe is called 'x'"):
        recipe_library.find_code("recipe:x")
    recipe_library.add(saved("copy", code="4006381333931"))
    with pytest.raises(InputError, match="belongs to two recipes"):
        recipe_library.find_code("4006381333931")


def test_a_damaged_file_is_listed_with_its_problem(saved):
    recipe_library.add(saved("6205"))
    (recipe_library.folder() / "broken.bearing").write_text("{")
    good, bad = sorted(recipe_library.entries(), key=lambda entry: entry.path.stem)
    assert good.recipe is not None and bad.recipe is None and "cannot be read as JSON" in bad.problem
