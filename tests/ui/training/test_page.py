"""The training page as a vision engineer uses it: from a synthetic dataset to a model in use."""

import contextlib
import json
import tkinter as tk
from pathlib import Path

import pytest
from fakes import Shell, focus

from inspector import training
from inspector.datasets.synthetic import synthesize
from inspector.imaging import write_image
from inspector.ui.kit import strings, theme
from inspector.ui.training.page import TrainingPage

LIMIT = 140.0  # seconds, on a machine with much else to do
SMALL = {"epochs": 1, "imgsz": 32, "batch": 4, "device": "cpu", "precision": "f32"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("训练 集") / "set"
    synthesize(folder, count=10, size=160, seed=1, split=(0.6, 0.4, 0), classes="kinds")
    return folder / "data.yaml"


@pytest.fixture
def shell(root, pumped):
    return pumped(Shell(root))


@pytest.fixture
def page(root, shell):
    made = TrainingPage(root, shell)
    made.pack(fill="both", expand=True)
    made.on_show()
    root.update()
    yield made
    if made.winfo_exists():
        running = made.training_state.training
        made.close()
        if running is not None:
            assert running.wait(LIMIT)
        made.destroy()


def words(widget) -> str:
    """All texts in a widget, one per line."""
    found = []
    for child in widget.winfo_children():
        with contextlib.suppress(tk.TclError):
            found.append(str(child.cget("text")))
        found.append(words(child))
    return "\n".join(text for text in found if text)


def test_a_dataset_is_checked_and_shown(page, shell, data, wait, root):
    assert "Choose a dataset in YOLO format" in words(page.data.report)
    page.data.choose(data.parent)
    assert page.training_state.data == data and "Checking" in words(page.data.report)
    wait(lambda: page.training_state.report is not None, LIMIT)
    wait(lambda: page.data.contact_sheet.canvas.find_withtag("name"), LIMIT)
    said = words(page.data.report)
    assert "fewer than 30 images (4)" in said and "No problems found" not in said
    assert "Ready for training" in said and "scratch" in said and "corrosion" in said
    contact_sheet = page.data.contact_sheet
    assert list(contact_sheet.splits.cget("values"))[1:] == ["training set", "validation set"]
    assert len(contact_sheet.canvas.find_withtag("name")) == 10
    contact_sheet.splits.current(2)
    contact_sheet.splits.event_generate("<<ComboboxSelected>>")
    wait(lambda: len(contact_sheet.canvas.find_withtag("name")) == 4)
    focus(contact_sheet.canvas)
    root.update()
    for key in ("<Right>", "<Return>"):
        contact_sheet.canvas.event_generate(key)
    wait(lambda: len(contact_sheet.canvas.find_withtag("name")) == 1)
    assert " · validation set · " in contact_sheet.canvas.itemcget("name", "text")
    contact_sheet.canvas.event_generate("<Escape>")
    wait(lambda: len(contact_sheet.canvas.find_withtag("name")) == 4)


def test_a_faulty_dataset_says_why_and_cannot_be_trained_on(page, shell, tmp_path, wait):
    folder = tmp_path / "faulty"
    synthesize(folder, count=8, size=160, split=(0.5, 0.5, 0), good_share=0.0)
    next((folder / "labels" / "train").iterdir()).write_text("7 0 0 1 0 1 1\n", "utf-8")
    page.data.choose(folder / "data.yaml")
    wait(lambda: page.training_state.report is not None, LIMIT)
    assert "✕ This dataset cannot be used for training" in words(page.data.report)
    assert "with a class that data.yaml does not have" in words(page.data.report)
    page.go(2)
    page.training.start_button.invoke()
    assert shell.heard("Choose a dataset first") and page.training_state.training is None
    page.data.choose(tmp_path / "nix.yaml")
    assert shell.heard("does not exist") and page.training_state.data == folder / "data.yaml"


def test_a_dataset_is_made_of_images_that_are_drawn_and_can_be_cancelled(page, shell, tmp_path, wait):
    page.data.make("synthesize")
    page.update()
    assert Path(page.data.dataset_form.form.display_value("folder")).parts[-2:] == ("datasets", "synthetic")
    page.data.dataset_form.form.set("folder", "")
    assert not page.data._next.winfo_ismapped()  # one way on at a time
    page.data.dataset_form.start()
    assert "Choose a new folder" in words(page.data.dataset_form)
    page.data.dataset_form.form.set("folder", str(tmp_path / "many"))
    page.data.dataset_form.form.set("count", 5000)
    page.data.dataset_form.form.set("size", 160)
    page.data.dataset_form.start()
    wait(lambda: page.training_state.running_job("make").done > 0, LIMIT)
    assert "closing cancels it" in page.close_warning()
    page.data._check.cancel.invoke()
    wait(lambda: page.training_state.running_job("make") is None, LIMIT)
    assert not (tmp_path / "many").exists() and page.close_warning() == ""
    assert not [text for kind, text in shell.said if kind == "bad"]
    page.data.dataset_form.form.set("folder", str(tmp_path / "few"))
    page.data.dataset_form.form.set("count", 10)
    page.data.dataset_form.start()
    wait(lambda: page.training_state.report is not None, LIMIT)
    assert page.training_state.data == tmp_path / "few" / "data.yaml" and page.data.dataset_form is None


def test_a_dataset_is_made_of_labels(page, shell, tmp_path, wait, root):
    import numpy as np

    folder = tmp_path / "labelme"
    folder.mkdir()
    for number in range(6):
        write_image(folder / f"零件 {number}.png", np.full((60, 80, 3), 40 * number, np.uint8))
        shape = {"label": "Kratzer", "points": [[5, 5], [30, 5], [30, 20 + number]], "shape_type": "polygon"}
        document = {"imagePath": f"零件 {number}.png", "imageHeight": 60, "imageWidth": 80, "shapes": [shape]}
        (folder / f"零件 {number}.json").write_text(json.dumps(document), "utf-8")
    page.data.choose(folder)
    assert shell.heard("There is no data.yaml in") and page.data.dataset_form is not None
    assert Path(page.data.dataset_form.form.display_value("folder")).parts[-2:] == ("datasets", "labelme")
    for number in range(2):
        write_image(folder / f"ok {number}.png", np.full((60, 80, 3), 9 * number, np.uint8))
    page.data.dataset_form.form.set("folder", str(tmp_path / "set"))
    page.data.dataset_form.start()
    wait(lambda: shell.heard("2 images have no label"), LIMIT)
    root.update()
    assert page.training_state.running_job("make") is None and not (tmp_path / "set").exists()  # the answer was Back
    shell.answer = "good"
    page.data.dataset_form.start()
    wait(lambda: page.training_state.report is not None, LIMIT)
    assert sum(split["without_defect"] for split in page.training_state.report["splits"].values()) == 2
    assert page.training.values() == {"imgsz": 96, "batch": 4}
    assert "Proposed for this dataset: image size 96, batch size 4." in words(page.training)
    assert "Kratzer" in words(page.data.report) and page.training_state.report["splits"]["val"]["pictures"] >= 1


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
    assert page.training_state.model == "yolo11s-seg-cgnet" and "arXiv:1811.08201" in words(pane)
    pane.choose("yolo11n-seg")
    pane._modifiers["neck"].set("freqfusion")
    pane._modifiers["neck"].event_generate("<<ComboboxSelected>>")
    assert page.training_state.model == "yolo11n-seg+neck=freqfusion"
    assert "Architecture: yolo11n-seg+neck=freqfusion" in words(page.training)
    pane.ask.invoke()
    wait(lambda: page.training_state.costs, LIMIT)
    root.update()
    assert (
        "parameters, " in words(pane) and page.training_state.costs["yolo11n-seg+neck=freqfusion"]["parameters"] > 2e6
    )
    pane.choose("yolo11n-seg+block=nonsense")
    pane.ask.invoke()
    wait(lambda: shell.heard("There is no block 'nonsense'"), LIMIT)
    pane.choose("/somewhere/best.pt")
    assert str(pane.ask.state()) and pane._modifiers["neck"].instate(["disabled"])


def test_the_catalogue_of_modifiers_is_read_and_used(page, wait, root):
    pane = page.architecture
    page.go(1)
    pane.choose("yolo11n-seg")
    names = list(pane.kind.cget("values"))
    pane.kind.current(names.index("Attention"))
    pane.kind.event_generate("<<ComboboxSelected>>")
    root.update()
    assert len(pane.table.get_children()) > 8 and all(row.startswith("+att") for row in pane.table.get_children())
    pane.search.insert(0, "无参数" if strings.language() == "zh" else "no weights")
    root.update()
    assert "+attention=simam" in pane.table.get_children()
    pane.table.selection_set("+attention=simam")
    root.update()
    assert page.training_state.model == "yolo11n-seg" and "Yang et al., 2021" in words(pane)
    pane.add.invoke()
    root.update()
    assert page.training_state.model == "yolo11n-seg+attention=simam" and pane._modifiers["attention"].get() == "simam"
    assert pane.table.selection() == ("+attention=simam",)  # the list stays
    pane.ask.invoke()
    wait(lambda: page.training_state.costs, LIMIT)
    root.update()
    assert "With yolo11n-seg: 2,8" in words(pane) and "2.8" in str(pane.table.item("+attention=simam", "values"))
    pane.search.delete(0, "end")
    pane.kind.current(0)
    pane.kind.event_generate("<<ComboboxSelected>>")
    for name in ("+loss=nwd", "+loss=cldice", "+loss=siou"):
        pane.table.selection_set(name)
        root.update()
        pane.use()
    assert pane._modifiers["loss"].get() == "cldice,siou"  # one of each part
    pane.table.selection_set("yolo11s-seg")
    root.update()
    assert page.training_state.model == "yolo11s-seg+attention=simam+loss=cldice,siou" and not pane.add.winfo_manager()


@pytest.mark.timeout(900)  # six programs one after the other, which takes long beside other work
def test_a_model_is_trained_used_measured_and_written(page, shell, data, tmp_path, wait, root):
    page.data.choose(data)
    wait(lambda: page.training_state.report is not None, LIMIT)
    pane = page.training
    page.go(2)
    for key, value in SMALL.items():
        (pane._form if key in pane._form._fields else pane._more).set(key, value)
    pane._form.set("imgsz", 8)
    pane.start_button.invoke()
    assert shell.said[-1][0] == "bad" and page.training_state.training is None
    pane._form.set("imgsz", 32)
    pane._form.set("epochs", 500)
    pane._output.set(str(tmp_path / "结果" / "first"))
    pane.start_button.invoke()
    wait(lambda: page.training_state.training is not None)
    assert pane.start_button.instate(["disabled"]) and pane.stop_button.instate(["!disabled"])
    wait(lambda: page.training_state.progress.rows, LIMIT)
    assert page.activity().endswith(" / 500")
    assert "Training is running (yolo11n-seg, epoch" in page.close_warning() and "of 500" in words(pane)

    state = page.save_state()
    page.close()
    page.destroy()
    strings.set_language("zh")
    page = TrainingPage(root, shell)
    page.pack(fill="both", expand=True)
    page.restore_state(state)
    page.on_show()
    root.update()
    pane = page.training
    assert page.training_state.training.alive and "正在训练" in page.close_warning() and "停止" in words(pane)
    strings.set_language("en")

    shell.answer = "stay"
    pane.end_button.invoke()
    assert shell.heard("Stop the training now?")
    assert page.training_state.training.alive
    pane.stop_button.invoke()
    wait(lambda: page.training_state.training is None, LIMIT)
    stopped = page.training_state.progress
    assert stopped.state == "stopped" and pane.resume_button.instate(["!disabled"])
    pane._form.set("epochs", stopped.epoch + 1)
    pane.resume_button.invoke()
    wait(lambda: page.training_state.training is not None)
    wait(lambda: page.training_state.training is None, LIMIT)
    assert page.training_state.progress.state == "finished" and page.training_state.progress.epoch == stopped.epoch + 1
    assert pane.score.canvas.find_withtag("curve") and pane.loss.canvas.find_withtag("curve")
    assert "epoch 1/500" in pane._text.get("1.0", "end")
    plan = json.loads((tmp_path / "结果" / "first" / "train.json").read_text("utf-8"))
    assert Path(plan["options"]["weights"]).name == "bearing-yolo11n-seg.pt"  # preselected
    best = str(tmp_path / "结果" / "first" / "weights" / "best.pt")
    shell.action[1]()
    wait(lambda: shell.shown)
    assert shell.shown.pop() == ("inspect", {"model": best})

    page.go(3)
    models = page.models
    wait(lambda: models.table.get_children())
    models._fit(theme.px(500))
    assert list(models.table.cget("displaycolumns")) == ["name", "mask", "state"]
    models._fit(theme.px(5000))
    assert len(models.table.cget("displaycolumns")) == len(models.table.cget("columns"))
    models.select(tmp_path / "结果" / "first")
    root.update()
    assert models.chart.canvas.find_withtag("curve") and models.resume.instate(["disabled"])
    models.use.invoke()
    wait(lambda: shell.shown)
    assert shell.shown[-1] == ("inspect", {"model": best})
    models.measure.invoke()
    wait(lambda: shell.heard("The model is evaluated"), LIMIT)
    said = models.evaluation.text.get("1.0", "end")
    assert "all classes:" in said and "Escapes" in said and "Best confidence threshold" in said
    assert "混淆矩阵" in models.evaluation.which.cget("values"), "the page was built in Chinese"
    wait(lambda: models.evaluation.plot.find_all())
    models.export("torchscript", tmp_path / "mine.torchscript")
    wait(lambda: shell.heard("Saved as"), LIMIT)
    assert (tmp_path / "mine.torchscript").is_file()
    assert models.exports.table.set("0", "file") == str(tmp_path / "mine.torchscript")
    assert "1 x 3 x 32 x 32" in str(models.exports.status.cget("text"))
    wait(lambda: models.write.instate(["!disabled"]))
    (one,) = models.chosen()
    models.calibrate(one, one.data.parent / "images" / "train")
    wait(lambda: shell.heard("From f32 to int8, mask mAP50-95 goes from"), LIMIT)
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
    assert table.set(folders[1], "state") == "⚠ interrupted" and table.set(folders[0], "time") == "2 min 0 s"
    table.selection_set(folders)
    root.update()
    assert len(page.models.chart.canvas.find_withtag("curve")) == 3 and page.models.use.instate(["disabled"])
    page.models.chart.canvas.event_generate("<Motion>", x=400, y=60)
    assert "Epoch" in page.models.chart.canvas.itemcget(page.models.chart.canvas.find_withtag("pointer")[-1], "text")
    table.selection_set(folders[1])
    root.update()
    assert page.models.resume.instate(["!disabled"])
    page.models.look.invoke()
    assert page.training_state.progress.folder == tmp_path / "b" and page.training.resume_button.instate(["!disabled"])
    theme.configure("dark")
    root.update()
    theme.configure("light")
    assert {str(folder) for folder in training.known_folders()} == set(folders)


def test_a_training_gets_a_name_and_a_note_and_is_deleted(page, shell, tmp_path, wait, root):
    folder = folder_of(tmp_path / "a", 0.9)
    page.go(3)
    page.models.add(tmp_path)
    models = page.models
    wait(lambda: models.table.get_children())
    models.select(folder)
    root.update()
    models.notes.name.set("托板 7")
    models.notes.remark.set("second camera")
    models.notes.save()
    wait(lambda: models.table.set(str(folder), "name") == "托板 7")
    assert models.table.set(str(folder), "remark") == "second camera"
    assert training.read_progress(folder).name == "托板 7"
    assert training.model_name(folder / "weights" / "best.pt") == "托板 7"
    shell.answer = "keep"
    models.delete.invoke()
    root.update()
    assert folder.is_dir()
    shell.answer = "delete"
    models.delete.invoke()
    wait(lambda: not models.table.get_children())
    assert not folder.exists() and not list(tmp_path.iterdir())


def test_a_model_that_is_gone_is_not_used(page, shell, tmp_path, wait, root):
    folder = folder_of(tmp_path / "a", 0.9)
    (folder / "weights").mkdir()
    (folder / "weights" / "best.pt").write_bytes(b"")
    page.go(3)
    page.models.add(tmp_path)
    wait(lambda: page.models.table.get_children())
    page.models.select(folder)
    root.update()
    (folder / "weights" / "best.pt").unlink()
    page.models.use.invoke()
    wait(lambda: shell.heard("no longer exists"))
    assert not shell.shown


def test_start_weights_are_a_list_and_random_ones_are_warned_of(page, shell, data, wait, root):
    start = page.training.start_weights
    page.training_state.model = "yolo11n-seg"
    start.show()
    assert start.box.get() == "Bundled model: bearing-yolo11n-seg"
    page.data.choose(data)
    wait(lambda: page.training_state.report is not None, LIMIT)
    start.box.set("None: random weights")
    start.box.current(list(start.box.cget("values")).index("None: random weights"))
    start.box.event_generate("<<ComboboxSelected>>")
    root.update()
    assert start.weights == "" and "about 1,000 images" in str(start.warning.cget("text"))
    assert start.warning.winfo_manager()
    page.training_state.start = None
    page.training_state.model = "yolo11s-seg"  # whose layers are wider
    start.show()
    assert start.weights == "" and start.box.get() == "None: random weights"
    page.training_state.model = "/x/best.pt"
    start.show()
    assert start.box.get() == "The chosen checkpoint: best.pt" and start.box.instate(["disabled"])


def test_a_training_starts_from_the_first_part(page, shell, data, tmp_path, wait):
    assert page.data.start.instate(["disabled"])
    page.data.choose(data)
    wait(lambda: page.training_state.report is not None, LIMIT)
    for key, value in SMALL.items():
        (page.training._form if key in page.training._form._fields else page.training._more).set(key, value)
    page.training._output.set(str(tmp_path / "first"))
    page.data.start.invoke()
    wait(lambda: page.training_state.training is not None, LIMIT)
    assert page.training_state.tab == 2
    page.training_state.training.stop()
    wait(lambda: page.training_state.training is None, LIMIT)


def test_the_options_of_the_last_training_on_a_dataset_come_back(page, shell, data, tmp_path, wait):
    folder = folder_of(tmp_path / "a", 0.9)
    plan = json.loads((folder / "train.json").read_text("utf-8"))
    plan |= {"data": str(data), "options": {"epochs": 7, "imgsz": 320, "mosaic": 0.5}}
    (folder / "train.json").write_text(json.dumps(plan), "utf-8")
    training.remember_folder(folder)
    page.data.choose(data)
    wait(lambda: page.training_state.report is not None, LIMIT)
    assert page.training.values() | {"x": 1} == {"epochs": 7, "imgsz": 320, "mosaic": 0.5, "x": 1}
