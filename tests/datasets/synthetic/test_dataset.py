"""The folder that `synthesize` writes: bytes, labels, splits, refusals."""

import hashlib
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.datasets.synthetic import KINDS, synthesize
from inspector.datasets.synthetic.dataset import outline
from inspector.domain import InputError

SIZE = 192


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "Lager – 轴承"
    synthesize(folder, count=20, seed=3, classes="kinds", size=SIZE, workers=1)
    return folder


@pytest.mark.slow
def test_same_seed_same_bytes_whatever_the_workers(made: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "two", count=20, seed=3, classes="kinds", size=SIZE, workers=2)
    assert _hashes(tmp_path / "two") == _hashes(made)


def test_another_seed_gives_other_images(made: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "other", count=2, seed=4, size=SIZE, workers=1)
    ours = {v for k, v in _hashes(tmp_path / "other").items() if k.startswith("images")}
    assert ours.isdisjoint(_hashes(made).values())


def test_layout_and_split_counts(made: Path) -> None:
    counts = {name: len(list((made / "images" / name).glob("*.jpg"))) for name in ("train", "val", "test")}
    assert counts == {"train": 16, "val": 2, "test": 2}
    for image in (made / "images").rglob("*.jpg"):
        place = image.relative_to(made / "images")
        assert (made / "labels" / place).with_suffix(".txt").is_file()
        assert (made / "masks" / place).with_suffix(".png").is_file()
        assert _read(image).shape == (SIZE, SIZE, 3)


def test_summary_and_facts_agree_with_the_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = synthesize(tmp_path / "d", count=5, size=SIZE, workers=1, progress=lambda *step: seen.append(step))
    assert seen == [(n, 5) for n in range(1, 6)]
    facts = json.loads((tmp_path / "d" / "synthesis.json").read_text(encoding="utf-8"))
    assert facts["seed"] == 0 and facts["count"] == 5 and facts["generator"] >= 1
    assert facts["pictures"] == summary.pictures and facts["defects"] == summary.defects
    lines = sum(len(p.read_text().splitlines()) for p in (tmp_path / "d" / "labels").rglob("*.txt"))
    assert lines == sum(sum(kinds.values()) for kinds in summary.defects.values()) > 0


def test_good_parts_have_empty_labels(made: Path) -> None:
    empty = [p for p in (made / "labels" / "train").glob("*.txt") if p.stat().st_size == 0]
    assert len(empty) == 4
    for path in empty:
        assert _read(made / "masks" / "train" / f"{path.stem}.png").max() == 0


def test_data_yaml_names_the_kinds_or_one_class(made: Path, tmp_path: Path) -> None:
    import yaml

    synthesize(tmp_path / "one", count=1, size=SIZE, workers=1)
    one, kinds = (yaml.safe_load((f / "data.yaml").read_text(encoding="utf-8")) for f in (tmp_path / "one", made))
    assert one["nc"] == 1 and list(one["names"].values()) == ["Defect"]
    assert kinds["nc"] == 6 and list(kinds["names"].values()) == list(KINDS)
    assert "path" not in one
    assert all((made / kinds[name]).is_dir() for name in ("train", "val", "test"))


def test_polygons_fill_to_the_exact_masks(made: Path) -> None:
    checked = 0
    for label in (made / "labels").rglob("*.txt"):
        masks = _read((made / "masks" / label.relative_to(made / "labels")).with_suffix(".png"))
        lines = label.read_text().splitlines()
        assert len(lines) == masks.max()
        for number, line in enumerate(lines, 1):
            kind, *values = line.split()
            points = np.array(values, np.float64).reshape(-1, 2)
            assert 0 <= int(kind) < 6 and points.min() >= 0 and points.max() <= 1
            drawn = np.zeros((SIZE, SIZE), np.uint8)
            cv2.fillPoly(drawn, [(points * SIZE).astype(np.int32)], 1)
            mask = masks == number
            assert (mask & (drawn > 0)).sum() / (mask | (drawn > 0)).sum() >= 0.95
            checked += 1
    assert checked >= 15


def test_outline_of_a_rectangle() -> None:
    mask = np.zeros((20, 30), np.bool_)
    mask[5:15, 4:24] = True
    points = outline(mask)
    assert points.min(0) == pytest.approx([4, 5], abs=0.5)
    assert points.max(0) == pytest.approx([24, 15], abs=0.5)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1)])
def test_the_outline_of_a_thin_mask_encloses_it(size: tuple[int, int]) -> None:
    mask = np.zeros((20, 30), np.bool_)
    mask[5 : 5 + size[0], 4 : 4 + size[1]] = True
    points = outline(mask)
    assert len(points) >= 3 and cv2.contourArea(points.astype(np.float32)) > 0
    assert points.min(0) == pytest.approx([4, 5], abs=0.5)


def test_an_empty_folder_is_used_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    synthesize(tmp_path / "empty", count=1, size=SIZE, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert (tmp_path / "empty" / "data.yaml").is_file()


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        synthesize(tmp_path, count=1, size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "d", count=3, size=SIZE, workers=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "must be from 1 to 1000000"),
        ({"count": 10**11}, "must be from 1 to 1000000"),
        ({"seed": -1}, "must be 0 or more"),
        ({"size": 50}, "from 160 to 4096"),
        ({"good_share": 1.5}, "from 0 to 1"),
        ({"split": (0.5, 0.1, 0.1)}, "add up to 1"),
        ({"classes": "many"}, "'single' or 'kinds'"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        synthesize(tmp_path / "d", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Choose another folder"):
        synthesize(tmp_path / "file" / "d", count=1, size=SIZE)
    with pytest.raises(InputError, match="not empty"):
        synthesize(tmp_path / "file", count=1, size=SIZE)


@pytest.mark.skipif(os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="root may write anywhere")
def test_a_read_only_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="Choose another folder"):
        synthesize(tmp_path / "d", count=1, size=SIZE)
    tmp_path.chmod(0o755)
