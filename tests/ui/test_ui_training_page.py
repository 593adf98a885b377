"""The training page as its person uses it: from a synthetic data set to a model that inspects."""

import contextlib
import json
import tkinter as tk
from pathlib import Path

import pytest

from inspector import registry, training
from inspector.imaging import write_image
from inspector.settings import Settings
from inspector.synthesis import synthesize
from inspector.ui import texts, theme
from inspector.ui.training_page import TrainingPage
from inspector.ui.work import Tasks

LIMIT = 140.0  # seconds, on a machine with much else to do
SMALL = {"epochs": 1, "imgsz": 32, "batch": 4, "device": "cpu", "precision": "f32"}


class Shell:
    """The window around the page, as far as the page knows it; keeps what the page says."""

    def __init__(self, root):
        self.root, self.settings, self.catalogue = root, Settings.load(), registry.load()
        self.tasks = Tasks(lambda error: self.toast(str(error), "bad"))
        self.said: list[tuple[str, str]] = []
        self.shown: list[tuple[str, dict]] = []
        self.answer = ""
        self.action = None
        self._pump()

    def _pump(self):
        self.tasks.pump()
        self.timer = self.root.after(5, self._pump)

    def toast(self, text, kind="info", action=None):
        self.said.append((kind, text))
        self.action = action

    def ask(self, title, text, buttons, default):
        self.said.append(("ask", title))
        return self.answer or default

    def show(self, page, **what):
        self.shown.append((page, what))

    def language(self):
        return texts.language()

    def heard(self, part) -> bool:
        return any(part in text for _, text in self.said)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("训练 集") / "set"
    synthesize(folder, count=10, size=160, seed=1, split=(0.6, 0.4, 0), classes="kinds")
    return folder / "data.yaml"


@pytest.fixture
def shell(root):
    made = Shell(root)
    yield made
    root.after_cancel(made.timer)
    made.tasks.close()


@pytest.fixture
def page(root, shell):
    made = TrainingPage(root, shell)
    made.pack(fill="both", expand=True)
    made.shown()
    root.update()
    yield made
    if made.winfo_exists():
        running = made.bench.training
        made.close()
        if running is not None:
            assert running.wait(LIMIT)
        made.destroy()


def words(widget) -> str:
    """All texts in a widget, a line each."""
    found = []
    for child in widget.winfo_children():
        with contextlib.suppress(tk.TclError):
            found.append(str(child.cget("text")))
        found.append(words(child))
    return "\n".join(text for text in found if text)


def test_a_data_set_is_checked_and_shown(page, shell, data, wait, root):
    assert "Choose a data set in YOLO's layout" in words(page.data.report)
    page.data.choose(data.parent)
    assert page.bench.data == data and "It is being checked" in words(page.data.report)
    wait(lambda: page.bench.report is not None, LIMIT)
    wait(lambda: page.data.sheet.canvas.find_withtag("name"), LIMIT)
    said = words(page.data.report)
    assert "This data set can be trained on" in said and "scratch" in said and "corrosion" in said
    sheet = page.data.sheet
    assert list(sheet.splits.cget("values"))[1:] == ["training set", "validation set"]
    assert len(sheet.canvas.find_withtag("name")) == 10
    sheet.splits.current(2)
    sheet.splits.event_generate("<<ComboboxSelected>>")
    wait(lambda: len(sheet.canvas.find_withtag("name")) == 4)
    sheet.canvas.focus_force()
    root.update()
    for key in ("<Right>", "<Return>"):
        sheet.canvas.event_generate(key)
    wait(lambda: len(sheet.canvas.find_withtag("name")) == 1)
    assert " · validation set · " in sheet.canvas.itemcget("name", "text")
    sheet.canvas.event_generate("<Escape>")
    wait(lambda: len(sheet.canvas.find_withtag("name")) == 4)


def test_a_faulty_data_set_says_why_and_cannot_be_trained_on(page, shell, tmp_path, wait):
    folder = tmp_path / "faulty"
    synthesize(folder, count=8, size=160, split=(0.5, 0.5, 0), good_share=0.0)
    next((folder / "labels" / "train").iterdir()).write_text("7 0 0 1 0 1 1\n", "utf-8")
    page.data.choose(folder / "data.yaml")
    wait(lambda: page.bench.report is not None, LIMIT)
    assert "✕ This data set cannot be trained on" in words(page.data.report)
    assert "with a class that data.yaml does not have" in words(page.data.report)
    page.go(2)
    page.training.start_button.invoke()
    assert shell.heard("Choose a data set first") and page.bench.training is None
    page.data.choose(tmp_path / "nix.yaml")
    assert shell.heard("does not exist") and page.bench.data == folder / "data.yaml"


def test_a_data_set_is_made_of_pictures_that_are_drawn_and_can_be_cancelled(page, shell, tmp_path, wait):
    page.data.make("synthesize")
    page.update()
    assert not page.data._next.winfo_ismapped()  # one way on at a time
    page.data.making.start()
    assert "Choose a new folder" in words(page.data.making)
    page.data.making.form.set("folder", str(tmp_path / "many"))
    page.data.making.form.set("count", 5000)
    page.data.making.form.set("size", 160)
    page.data.making.start()
    wait(lambda: page.bench.running("make").done > 0, LIMIT)
    assert "closing cancels it" in page.busy()
    page.data._check.cancel.invoke()
    wait(lambda: page.bench.running("make") is None, LIMIT)
    assert not (tmp_path / "many").exists() and page.busy() == "" and not [k for k, _ in shell.said if k == "bad"]
    page.data.making.form.set("folder", str(tmp_path / "few"))
    page.data.making.form.set("count", 10)
    page.data.making.start()
    wait(lambda: page.bench.report is not None, LIMIT)
    assert page.bench.data == tmp_path / "few" / "data.yaml" and page.data.making is None


def test_a_data_set_is_made_of_labels(page, shell, tmp_path, wait):
    import numpy as np

    folder = tmp_path / "labelme"
    folder.mkdir()
    for number in range(6):
        write_image(folder / f"零件 {number}.png", np.full((60, 80, 3), 40 * number, np.uint8))
        shape = {"label": "Kratzer", "points": [[5, 5], [30, 5], [30, 20 + number]], "shape_type": "polygon"}
        document = {"imagePath": f"零件 {number}.png", "imageHeight": 60, "imageWidth": 80, "shapes": [shape]}
        (folder / f"零件 {number}.json").write_text(json.dumps(document), "utf-8")
    page.data.choose(folder)
    assert shell.heard("There is no data.yaml in") and page.data.making is not None
    page.data.making.form.set("folder", str(tmp_path / "set"))
    page.data.making.start()
    wait(lambda: page.bench.report is not None, LIMIT)
    assert "Kratzer" in words(page.data.report) and page.bench.report["splits"]["val"]["pictures"] >= 1


def test_an_architecture_is_found_changed_and_counted(page, shell, wait, root):
    pane = page.architecture
    page.go(1)
    everything = pane.table.get_children()
    assert "yolo11x-seg-freqfusion" in everything and len(everything) > 20
    pane.search.insert(0, "wu 2018 yolo11s")
    root.update()
    assert pane.table.get_children() == ("yolo11s-seg-cgnet",)
    pane.table.selection_set("yolo11s-seg-cgnet")
    root.update()
    assert page.bench.model == "yolo11s-seg-cgnet" and "arXiv:1811.08201" in words(pane)
    pane.choose("yolo11n-seg")
    pane._modifiers["neck"].set("freqfusion")
    pane._modifiers["neck"].event_generate("<<ComboboxSelected>>")
    assert page.bench.model == "yolo11n-seg+neck=freqfusion"
    assert "Architecture: yolo11n-seg+neck=freqfusion" in words(page.training)
    pane.ask.invoke()
    wait(lambda: page.bench.costs, LIMIT)
    root.update()
    assert "parameters, " in words(pane) and page.bench.costs["yolo11n-seg+neck=freqfusion"]["parameters"] > 2e6
    pane.choose("yolo11n-seg+block=nonsense")
    pane.ask.invoke()
    wait(lambda: shell.heard("There is no block 'nonsense'"), LIMIT)
    pane.choose("/somewhere/best.pt")
    assert str(pane.ask.state()) and pane._modifiers["neck"].instate(["disabled"])


def test_a_model_is_trained_used_measured_and_written(page, shell, data, tmp_path, wait, root):
    page.data.choose(data)
    wait(lambda: page.bench.report is not None, LIMIT)
    pane = page.training
    page.go(2)
    for key, value in SMALL.items():
        (pane._form if key in pane._form._fields else pane._more).set(key, value)
    pane._form.set("imgsz", 8)
    pane.start_button.invoke()
    assert shell.said[-1][0] == "bad" and page.bench.training is None
    pane._form.set("imgsz", 32)
    pane._form.set("epochs", 500)
    pane._output.set(str(tmp_path / "结果" / "first"))
    pane.start_button.invoke()
    wait(lambda: page.bench.training is not None)
    assert pane.start_button.instate(["disabled"]) and pane.stop_button.instate(["!disabled"])
    wait(lambda: page.bench.progress.rows, LIMIT)
    assert "A training runs (yolo11n-seg, epoch" in page.busy() and "of 500" in words(pane)

    state = page.kept()
    page.close()
    page.destroy()
    texts.use("zh")
    page = TrainingPage(root, shell)
    page.pack(fill="both", expand=True)
    page.restore(state)
    page.shown()
    root.update()
    pane = page.training
    assert page.bench.training.alive and "正在训练" in page.busy() and "停止" in words(pane)
    texts.use("en")

    shell.answer = "stay"
    pane.end_button.invoke()
    assert shell.heard("Stop the training now?")
    assert page.bench.training.alive
    pane.stop_button.invoke()
    wait(lambda: page.bench.training is None, LIMIT)
    stopped = page.bench.progress
    assert stopped.state == "stopped" and pane.resume_button.instate(["!disabled"])
    pane._form.set("epochs", stopped.epoch + 1)
    pane.resume_button.invoke()
    wait(lambda: page.bench.training is not None)
    wait(lambda: page.bench.training is None, LIMIT)
    assert page.bench.progress.state == "finished" and page.bench.progress.epoch == stopped.epoch + 1
    assert pane.score.canvas.find_withtag("curve") and pane.loss.canvas.find_withtag("curve")
    assert "epoch 1/500" in pane._text.get("1.0", "end")
    shell.action[1]()
    assert shell.shown[-1] == ("inspect", {"model": tmp_path / "结果" / "first" / "weights" / "best.pt"})

    page.go(3)
    models = page.models
    wait(lambda: models.table.get_children())
    models.select(tmp_path / "结果" / "first")
    root.update()
    assert models.chart.canvas.find_withtag("curve") and models.resume.instate(["disabled"])
    models.measure.invoke()
    wait(lambda: shell.heard("The model is measured"), LIMIT)
    assert "all classes:" in str(models.figures.cget("text"))
    models.export("torchscript")
    wait(lambda: shell.heard("Saved as"), LIMIT)
    assert list((tmp_path / "结果" / "first" / "weights").glob("*.torchscript"))
    wait(lambda: models.write.instate(["!disabled"]))
    (one,) = models.chosen()
    models.calibrate(one, one.data.parent / "images" / "train")
    wait(lambda: "From f32 to int8, mask mAP50-95 goes from" in str(models.figures.cget("text")), LIMIT)
    page.close()
    page.destroy()


def folder_of(place: Path, score: float) -> Path:
    place.mkdir(parents=True)
    plan = {"data": "/set/data.yaml", "model": "yolo11s-seg", "options": {"epochs": 3}, "finished": score > 0.5}
    (place / "train.json").write_text(json.dumps(plan), "utf-8")
    rows = "".join(f"{n},{60 * n},{score - 0.1},{score / n},0.5,0.4\n" for n in (1, 2))
    head = "epoch,time,metrics/mAP50(B),metrics/mAP50(M),train/seg_loss,val/seg_loss\n"
    (place / "results.csv").write_text(head + rows, "utf-8")
    return place


def test_earlier_trainings_are_compared(page, shell, tmp_path, wait, root):
    page.models.add(tmp_path)
    assert shell.heard("There is no training in")
    folders = [str(folder_of(tmp_path / name, score)) for name, score in (("a", 0.9), ("b", 0.4), ("c", 0.7))]
    page.go(3)
    page.models.add(tmp_path)
    table = page.models.table
    wait(lambda: len(table.get_children()) == 3)
    page.models._sort("mask")
    assert [table.set(row, "mask") for row in table.get_children()] == ["0.900", "0.700", "0.400"]
    assert table.set(folders[1], "state") == "⚠ interrupted" and table.set(folders[0], "time") == "2 min"
    table.selection_set(folders)
    root.update()
    assert len(page.models.chart.canvas.find_withtag("curve")) == 3 and page.models.use.instate(["disabled"])
    page.models.chart.canvas.event_generate("<Motion>", x=400, y=60)
    assert "Epoch" in page.models.chart.canvas.itemcget(page.models.chart.canvas.find_withtag("pointer")[-1], "text")
    table.selection_set(folders[1])
    root.update()
    assert page.models.resume.instate(["!disabled"])
    page.models.look.invoke()
    assert page.bench.progress.folder == tmp_path / "b" and page.training.resume_button.instate(["!disabled"])
    theme.use("dark")
    root.update()
    theme.use("light")
    assert {str(folder) for folder in training.known()} == set(folders)
