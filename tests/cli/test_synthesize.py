import json

import pytest


def test_a_data_set_is_made_and_told(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = program("synthesize", "set", "--count", 6, "--size", 160, "--seed", 3, "--json")
    told = json.loads(out)
    assert code == 0 and not err
    assert told["folder"] == str(tmp_path / "set") and told["count"] == 6 and told["seed"] == 3
    assert sum(told["pictures"].values()) == 6 == len(list((tmp_path / "set" / "images").rglob("*.*")))
    assert (tmp_path / "set" / "data.yaml").exists()


def test_a_person_is_told_what_to_do_next(program, tmp_path):
    code, out, _ = program("synthesize", tmp_path / "set", "--count", 2, "--size", 160)
    assert code == 0 and out.startswith("2 images with") and f"--data {tmp_path / 'set' / 'data.yaml'}" in out


@pytest.mark.parametrize(
    "words, complaint",
    [(["--count", "0"], "from 1 to 1000000"), (["--size", "8"], "from 160 to 4096"), (["--seed", "-1"], "0 or more")],
)
def test_a_refused_number_writes_nothing(program, tmp_path, words, complaint):
    code, out, err = program("synthesize", tmp_path / "set", *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and complaint in err
    assert not (tmp_path / "set").exists()


def test_a_folder_with_something_in_it_is_left_alone(program, pictures):
    before = sorted(pictures.iterdir())
    code, out, err = program("synthesize", pictures, "--count", 2)
    assert (code, out, err.count("\n")) == (2, "", 1) and "is not empty" in err
    assert sorted(pictures.iterdir()) == before
