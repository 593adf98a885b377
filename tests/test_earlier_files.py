"""Files of an earlier version open: recipe, run.json, settings, history, and a checkpoint with layers of plugins."""

from __future__ import annotations

import gzip
import json
import runpy
import shutil
from pathlib import Path

import pytest

from inspector.domain import Limit, Rules, rules_sha256
from inspector.engine.run_folder import Counts
from inspector.history import History, Query
from inspector.history.database import MIGRATIONS
from inspector.jobs import recipes
from inspector.jobs.options import plugin_options
from inspector.registry import Registry, load
from inspector.settings import Settings

FILES = Path(__file__).parent / "earlier_files"
ARCHITECTURE = "yolo11n-seg+block=context_guided+down=context_guided+neck=freqfusion"
RULES = Rules({"裂纹": {"count": Limit(ng=0)}, "*": {"area_px": Limit(warn=500, ng=7000)}}, "housing")


@pytest.fixture(scope="module")
def catalogue() -> Registry:
    return load(False)


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    file = tmp_path / "best.pt"
    file.write_bytes(gzip.decompress((FILES / "best.pt.gz").read_bytes()))
    return file


@pytest.fixture
def recipe(checkpoint, tmp_path):
    """``recipe("line.bearing")``: that file, with the path of the checkpoint here."""

    def adapted(name: str) -> Path:
        document = json.loads((FILES / name).read_text("utf-8"))
        document["job"]["weights"] = str(checkpoint)
        file = tmp_path / name
        file.write_text(json.dumps(document), encoding="utf-8")
        return file

    return adapted


@pytest.mark.parametrize("name", ["line.bearing", "run.json"])
def test_a_recipe(recipe, name):
    loaded = recipes.load(recipe(name))
    assert (loaded.info.name, loaded.info.version) == ({"line.bearing": "line", "run.json": "parts"}[name], 1)
    assert not loaded.model_changed()
    job = loaded.job
    assert (job.sources[0].id, job.model.id) == ("image_files", "yolo11")
    assert job.model.options == {"imgsz": 128, "runtime": "torch"}
    assert (job.device, job.confidence, job.iou, job.rules, job.language) == ("cpu", 0.1, 0.45, RULES, "zh")
    assert [choice.id for choice in job.exporters] == ["images", "csv"]


def test_settings(catalogue, home):
    shutil.copy(FILES / "settings.json", home / "settings.json")
    settings = Settings.load(plugin_options(catalogue))
    assert settings.overrides == json.loads((FILES / "settings.json").read_text("utf-8"))
    assert settings.get("yolo11.imgsz") == 128 and settings.get("shifts") == "05:30, 13:30"


def test_a_history(tmp_path):
    file = Path(shutil.copy(FILES / "history.sqlite3", tmp_path))
    with History.open(file) as history:
        (run,) = history.runs()
        assert (run.title, run.state, run.version) == ("parts", "done", "0.1.0")
        assert run.counts == vars(Counts(inspected=3, ng=3, defects=26, parts=3, parts_ng=3))  # one image, one part
        assert run.model.architecture == ARCHITECTURE
        entries = history.search(Query(verdict="NG", label="裂纹", order="oldest")).entries
        assert [entry.name for entry in entries] == ["part 0.png", "part 1.png", "part 2.png"]
        record = history.get(entries[0].id)
        found = [[d["label"], round(d["score"], 4), d["area_px"]] for d in record["detections"]]
        known = json.loads((FILES / "predictions.json").read_text("utf-8"))
        assert found == [[label, score, area] for label, score, _, area in known]
        assert record["rules_sha256"] == rules_sha256(RULES)
        assert history._connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_checkpoint_with_layers_of_plugins(catalogue, checkpoint):
    image = runpy.run_path(str(Path(__file__).parent / "plugins" / "yolo11" / "conftest.py"))["blobs"](96, 128)
    spec = catalogue.models["yolo11"]
    options = {option.key: option.default for option in spec.options} | {"runtime": "torch", "imgsz": 128}
    model = spec.open(checkpoint, "cpu", layers=tuple(catalogue.layers.values()), **options)
    try:
        assert (model.info.architecture, model.info.names) == (ARCHITECTURE, ("裂纹", "scratch"))
        (detections,) = model.predict([image], 0.1, 0.45)
    finally:
        model.close()
    known = json.loads((FILES / "predictions.json").read_text("utf-8"))
    assert [d.label for d in detections] == [label for label, *_ in known]
    for detection, (_, score, box, area) in zip(detections, known, strict=True):
        assert detection.score == pytest.approx(score, abs=1e-3)
        assert detection.box == pytest.approx(box, abs=0.1)
        assert detection.area == pytest.approx(area, rel=0.01)
