"""Form that creates a dataset from labels of other programs or from synthetic images."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any, Literal

from inspector.api import Option, Text
from inspector.datasets.importing import convert, unlabelled_images
from inspector.datasets.synthetic import synthesize
from inspector.domain import InputError
from inspector.system import paths
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import Form, wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame
from inspector.ui.training.state import BackgroundJob, Cancelled, TrainingState

Kind = Literal["convert", "synthesize"]
_FOLDER = Option(
    "folder", Path, None, Text("New folder", "新文件夹"), Text("Must be empty or not exist", "必须为空或尚不存在")
)
_SEED = Option(
    "seed", int, 0, Text("Seed", "随机种子"), Text("The same seed gives the same result", "相同的种子得到相同的结果"),
    minimum=0,
)  # fmt: skip
_SYNTHESIZE: tuple[Option, ...] = (
    _FOLDER,
    Option("count", int, 400, Text("Number of images", "图片数量"), minimum=8, maximum=100_000),
    Option("size", int, 640, Text("Side length in pixels", "边长（像素）"), minimum=160, maximum=4096),
    Option("classes", str, "single", Text("Classes", "类别"), choices=("single", "kinds")),
    _SEED,
)
_CONVERT: tuple[Option, ...] = (
    Option(
        "source_folder", Path, None, Text("Folder with images and labels", "图片与标注所在文件夹"),
        Text("labelme, COCO (CVAT) or YOLO (Roboflow)", "labelme、COCO（CVAT）或 YOLO（Roboflow）"),
    ),
    _FOLDER,
    Option("format", str, "auto", Text("Format", "格式"), choices=("auto", "labelme", "coco", "yolo")),
    Option(
        "val", float, 0.2, Text("Validation split", "验证集比例"),
        Text("Share of images that are not trained on", "不用于训练的图片所占比例"), minimum=0.01, maximum=0.9,
    ),
    Option("test", float, 0.0, Text("Test split", "测试集比例"), minimum=0, maximum=0.9),
    Option(
        "single", str, None, Text("Merge all classes into", "将所有类别合并为"),
        Text("Empty: classes stay as they are", "留空则保持原有类别"),
    ),
    Option(
        "images_from_anywhere", bool, False, Text("Take images from any folder", "使用任意文件夹中的图片"),
        Text("Otherwise only from this folder and those next to it", "否则只用该文件夹及相邻文件夹中的图片"),
    ),
    _SEED,
)  # fmt: skip


class DatasetForm(ttk.Frame):
    """The form and its result; job ``make`` creates the dataset, after job ``look`` has searched for images
    without a label.

    Args:
        leave: called when the user cancels.
        source: initial source folder.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        training_state: TrainingState,
        kind: Kind,
        leave: Callable[[], None],
        source: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self._shell, self._training_state, self._kind = shell, training_state, kind
        self._then: Callable[[bool], None] = lambda good: None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        if kind == "convert":
            title, verb, options = tr("Create dataset from labels"), tr("Create dataset"), _CONVERT
            said = tr("Images and labels are copied into a new folder; the originals are not changed.")
        else:
            title, verb, options = tr("Create synthetic dataset"), tr("Create dataset"), _SYNTHESIZE
            said = tr("Rendered bearings with pixel-exact labels, for trying out training or getting started.")
        self._title = title
        ttk.Label(self, text=title, style="Title.TLabel").grid(row=0, column=0, sticky="w", pady=theme.px(0, 6))
        room = ScrollFrame(self)
        room.grid(row=1, column=0, sticky="nsew")
        about = ttk.Label(room.body, text=said, style="Muted.TLabel")
        about.pack(fill="x", pady=theme.px(0, 8))
        wrap(about, still=True)
        self._proposed = self._free_folder(source)
        values = {"source_folder": source, "folder": self._proposed}
        kinds = {"single": tr("one: Defect"), "kinds": tr("the six kinds of defect")}
        self.form = Form(room.body, options, values, self._changed, {"classes": kinds})
        self.form.pack(anchor="w", fill="x", padx=theme.px(0, 24))
        self._status = ttk.Label(self, style="Bad.TLabel")
        self._status.grid(row=2, column=0, sticky="ew", pady=theme.px(6, 0))
        wrap(self._status)
        self._status.grid_remove()
        row = ttk.Frame(self)
        row.grid(row=3, column=0, sticky="ew", pady=theme.px(6, 0))
        self.make = ttk.Button(row, text=verb, style="Primary.TButton", command=self.start)
        self.make.pack(side="left")
        ttk.Button(row, text=tr("Back"), command=leave).pack(side="left", padx=theme.px(8))

    def _free_folder(self, source: Path | None) -> Path | None:
        """Return a new folder for the dataset next to the results; None if its name is unknown."""
        name = "synthetic" if self._kind == "synthesize" else source.name if source is not None else ""
        if not name:
            return None
        chosen = self._shell.settings.get("output_folder")
        results = Path(chosen) if chosen else paths.results_folder()
        return paths.unused_path(results / "datasets" / paths.safe_name(name))

    def _changed(self, key: str, value: Any) -> None:
        """Propose a new folder named after the source, unless the user has chosen one."""
        if key != "source_folder" or value is None:
            return
        if self._proposed is None or self.form.display_value("folder") in ("", str(self._proposed)):
            self._proposed = self._free_folder(Path(value))
            self.form.set("folder", self._proposed)

    def start(self) -> None:
        """Start, if the form is valid."""
        try:
            values = self.form.values()
            folder = _required(values.pop("folder"), tr("Choose a new folder for the dataset"))
            if self._kind == "synthesize":
                self._make(lambda job: synthesize(folder, progress=job.tell, **values).folder / "data.yaml")
                return
            source = _required(values.pop("source_folder"), tr("Choose the folder with your images and labels"))
        except InputError as error:
            self._complain(str(error))
            return
        self._status.grid_remove()
        looked = {key: values[key] for key in ("format", "images_from_anywhere")}
        self._then = lambda good: self._make(_converting(source, folder, {**values, "unlabelled_are_good": good}))
        self._training_state.start_job(
            self._shell.tasks, "look", tr("Reading the labels"), lambda job: unlabelled_images(source, **looked)
        )

    def looked(self, job: BackgroundJob) -> None:
        """Ask how to treat unlabelled images, and continue with the conversion."""
        if job.error is not None:
            if not isinstance(job.error, Cancelled):
                self._complain(str(job.error))
            return
        count = len(job.result)
        answer = "leave"
        if count:
            answer = self._shell.ask(
                tr("{count} images have no label", count=f"{count:,}"),
                tr(
                    (
                        "Good parts teach the model what is not a defect. Use these images as good parts only if "
                        "they have been checked.\n\nFor example: {names}"
                    ),
                    names=", ".join(file.name for file in job.result[:3]),
                ),
                [("good", tr("Good parts"), False), ("leave", tr("Leave out"), False), ("back", tr("Back"), False)],
                "back",
            )
        if answer != "back":
            self._then(answer == "good")

    def _make(self, work: Callable[[BackgroundJob], Path]) -> None:
        self._status.grid_remove()
        self._training_state.start_job(self._shell.tasks, "make", self._title, work)

    def _complain(self, sentence: str) -> None:
        self._status.configure(text=f"✕ {strings.sentence(sentence)}")
        self._status.grid()


def _converting(source: Path, folder: Path, values: dict[str, Any]) -> Callable[[BackgroundJob], Path]:
    def work(job: BackgroundJob) -> Path:
        summary = convert(source, folder, progress=job.tell, **values)
        job.said = "\n".join(summary.warnings)
        return summary.folder / "data.yaml"

    return work


def _required(folder: Path | None, missing: str) -> Path:
    if folder is None or not str(folder).strip() or str(folder) == ".":
        raise InputError(missing)
    return folder
