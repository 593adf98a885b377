"""Models from user input, with the real plugins."""

from pathlib import Path

import pytest

from inspector.api import ModelSpec, Text
from inspector.domain import InputError
from inspector.jobs.models import default_model, find_model
from inspector.registry import Registry, load


@pytest.fixture(scope="module")
def catalogue() -> Registry:
    return load()


def test_models_by_name_by_path_and_by_default(catalogue, tmp_path):
    (tmp_path / "best.pt").write_bytes(b"x")
    spec, weights = find_model(catalogue, str(tmp_path / "best.pt"))
    assert (spec.id, weights) == ("yolo11", str(tmp_path / "best.pt"))
    name = default_model(catalogue)
    assert find_model(catalogue) == find_model(catalogue, name)
    assert find_model(catalogue)[0].bundled[name] == Path(find_model(catalogue)[1])
    (tmp_path / "best.txt").write_bytes(b"x")
    for text, complaint in (
        (tmp_path / "best.txt", "not a supported model file"),
        ("nix.pt", f"does not exist; .*{name}"),
        ("", "''"),
    ):
        with pytest.raises(InputError, match=complaint):
            find_model(catalogue, str(text))


def test_without_any_model_the_sentence_is_whole():
    with pytest.raises(InputError, match=r"give a file such as best\.pt$"):
        find_model(Registry(), "nix.pt")
    with pytest.raises(InputError, match="none ships"):
        find_model(Registry())
    free = Registry(models={"free": ModelSpec("free", Text("free"), open, bundled={"dark": None})})
    assert find_model(free, "dark") == (free.models["free"], None)
