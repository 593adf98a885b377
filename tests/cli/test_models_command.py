"""``models`` lists what is bundled and what was trained here."""

import json
import shutil
from pathlib import Path

from inspector.api import assets
from inspector.cli import main
from inspector.training import Notes, write_notes

BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"


def trained(folder: Path) -> Path:
    (folder / "weights").mkdir(parents=True)
    shutil.copy(BUNDLED, folder / "weights" / "best.pt")
    plan = {
        "data": "/set/data.yaml",
        "model": "yolo11n-seg-rmt",
        "options": {"epochs": 2, "weights": str(BUNDLED)},
        "finished": True,
    }
    (folder / "train.json").write_text(json.dumps(plan), "utf-8")
    head = "epoch,time,metrics/mAP50(B),metrics/mAP50(M)\n"
    (folder / "results.csv").write_text(head + "1,60,0.4,0.5\n2,120,0.3,0.6\n", "utf-8")
    write_notes(folder, Notes("托板 7"))
    return folder


def test_bundled_and_trained_models_are_listed(home, capsys):
    trained(home / "results" / "first")
    assert main(["models", "--json"]) == 0
    bundled, own = json.loads(capsys.readouterr().out)
    assert bundled["name"] == "bearing-yolo11n-seg" and bundled["origin"] == "bundled"
    assert own["name"] == "托板 7" and own["origin"] == "trained" and own["sha256"] == bundled["sha256"]
    assert own["architecture"] == "yolo11n-seg-rmt" and own["parent"] == str(BUNDLED) and own["state"] == "finished"
    assert own["figures"] == {"mask_mAP50": 0.6, "box_mAP50": 0.3}
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert "托板 7" in printed and "0.600" in printed


def test_without_trained_models_the_bundled_one_is_listed(home, capsys):
    assert main(["models", "--json"]) == 0
    (bundled,) = json.loads(capsys.readouterr().out)
    assert len(bundled["sha256"]) == 64 and Path(bundled["file"]).is_file()
