"""Details of a model."""

import hashlib
import json
import tkinter as tk
from tkinter import ttk

import pytest
from fakes import focus

from inspector.api import ModelSpec, Text
from inspector.domain import ModelInfo
from inspector.ui.inspect.model_details import facts
from inspector.ui.inspect.session import ChosenModel
from inspector.ui.kit import strings

SPEC = ModelSpec("yolo11", Text("YOLO11", "YOLO11"), lambda: None)


@pytest.fixture(autouse=True)
def english():
    strings.set_language("en")


@pytest.fixture
def chosen(tmp_path):
    (tmp_path / "训练" / "weights").mkdir(parents=True)
    weights = tmp_path / "训练" / "weights" / "best.pt"
    weights.write_bytes(b"x" * 2_500_000)
    sha = hashlib.sha256(weights.read_bytes()).hexdigest()
    info = ModelInfo("best.pt", sha, "yolo11n-seg", ("wear", "pit"), runtime="torch", device="cpu", imgsz=640)
    return ChosenModel("best.pt", SPEC, weights, info)


def test_file_hash_classes_architecture_and_size(chosen):
    found = facts(chosen)
    assert found["Name"] == "best.pt" and found["File"] == str(chosen.weights) and found["Size"] == "2.5 MB"
    assert found["SHA-256"] == chosen.info.sha256 and found["Classes"] == "wear, pit"
    assert found["Architecture"] == "yolo11n-seg" and found["Input size"] == "640 px"
    assert "cpu" in found["Runtime and device"] and "Training data" not in found


def test_what_it_was_trained_with(chosen):
    plan = {"data": "D:/数据/data.yaml", "options": {"epochs": 100, "seed": None, "arch": "yolo11n"}}
    (chosen.weights.parent.parent / "train.json").write_text(json.dumps(plan), "utf-8")
    found = facts(chosen)
    assert found["Training data"] == "D:/数据/data.yaml" and found["Training"] == "epochs 100, arch yolo11n"


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b'{"options": [1]}', b'{"options": null}', b"\xff"])
def test_a_damaged_plan_is_passed_over(chosen, content):
    (chosen.weights.parent.parent / "train.json").write_bytes(content)
    assert facts(chosen)["Name"] == "best.pt"


def test_a_model_without_a_file():
    info = ModelInfo("", "", "dark-spots", ("Dark",), runtime="opencv")
    found = facts(ChosenModel("spots", SPEC, None, info))
    assert found == {
        "Name": "spots",
        "Kind": "YOLO11",
        "Architecture": "dark-spots",
        "Classes": "Dark",
        "Runtime and device": found["Runtime and device"],
    }


def test_the_window_shows_and_copies_them(window, page, until):
    page.controls.model_details()
    dialog = until(lambda: next((w for w in window.root.winfo_children() if isinstance(w, tk.Toplevel)), None))
    buttons = {
        child.cget("text"): child for part in dialog.winfo_children() for row in part.winfo_children()
        for child in row.winfo_children() if isinstance(child, ttk.Button)
    }  # fmt: skip
    buttons["Copy"].invoke()
    assert "Architecture: dark-spots" in window.root.clipboard_get()
    focus(dialog)
    window.root.update()
    dialog.event_generate("<Escape>")
    window.root.update()
    assert not dialog.winfo_exists()


def test_a_file_that_is_gone_has_no_size(chosen):
    chosen.weights.unlink()
    found = facts(chosen)
    assert found["File"] == str(chosen.weights) and "Size" not in found and found["SHA-256"]
