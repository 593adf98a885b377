import json

import pytest

from inspector.imaging import read_image, write_image


@pytest.fixture
def labels(pictures):
    """The five images with labelme's files; the fourth holds a stray line, the fifth has no file."""
    for number in range(4):
        shapes = [{"label": "斑", "points": [[20, 20], [30, 20], [30, 30]], "shape_type": "polygon"}] * (number % 2)
        shapes += [{"label": "斑", "points": [[1, 1], [5, 5]], "shape_type": "line"}] * (number == 3)
        content = {"shapes": shapes, "imagePath": f"零件 {number}.png", "imageData": None}
        (pictures / f"零件 {number}.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        image = read_image(pictures / f"零件 {number}.png")[0]
        image[0, number] = 0  # so that no two are the same
        (pictures / f"零件 {number}.png").unlink()
        write_image(pictures / f"零件 {number}.png", image)
    return pictures


def test_labels_become_a_data_set_that_training_accepts(program, labels, tmp_path):
    code, out, err = program("convert", labels, tmp_path / "set", "--val", 0.4, "--json")
    told = json.loads(out)
    assert code == 1 and told["lost"]  # an image was left out
    assert told["folder"] == str(tmp_path / "set") and told["format"] == "labelme" and told["names"] == ["斑"]
    assert sum(told["pictures"].values()) == 3 and told["notes"] == {"no_outline": 1, "unlabelled": 1}
    assert err.splitlines()[:-1] == told["warnings"] and err.rstrip().endswith("with --unlabelled-are-good.")
    assert "left out with the image, being a box, line or point" in err
    (labels / "零件 3.json").unlink()
    code, out, err = program("convert", labels, tmp_path / "two", "--single", "Defect", "--unlabelled-are-good")
    assert code == 0 and "Defect 1" in out and "train --check --data" in out
    assert "2 images without a label file, taken as without a defect" in err
    code, out, _ = program("train", "--check", "--data", tmp_path / "two" / "data.yaml", "--json")
    assert code == 0 and sum(split["pictures"] for split in json.loads(out)["splits"].values()) == 5


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--val", "0"], "val must be above 0"),
        (["--val", "much"], "--val"),
        (["--format", "voc"], "--format"),
        (["--classes", "a", "--single", "b"], "--single"),
        (["--classes", "a,"], "named once"),
        (["--classes", "nix"], "No defect that can be used"),
        (["--format", "yolo"], "has no data.yaml"),
        (["--group", "("], "not a regular expression"),
    ],
)
def test_what_is_refused_is_one_sentence_and_writes_nothing(program, labels, tmp_path, words, complaint):
    before = sorted(tmp_path.rglob("*"))
    code, out, err = program("convert", labels, tmp_path / "set", *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and complaint in err, err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_source_that_is_none(program, pictures, tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK")
    for source, complaint in (
        (tmp_path / "nix", "does not exist"),
        (tmp_path / "export.zip", "unpack it first"),
        (pictures, "contains no labels"),
    ):
        code, out, err = program("convert", source, tmp_path / "set")
        assert (code, out, err.count("\n")) == (2, "", 1) and complaint in err
    code, _, err = program("convert", pictures, pictures)
    assert code == 2 and "not empty" in err
