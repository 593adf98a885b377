"""Makes a data set: out of labels of other programs, or of synthetic pictures. Both as a form with a folder."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any, Literal

from inspector.api import Option, Text
from inspector.conversion import convert
from inspector.domain import InputError
from inspector.synthesis import synthesize
from inspector.ui import texts, theme
from inspector.ui.form import Form, wrap
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.training_bench import Bench, Job
from inspector.ui.widgets import ScrollFrame

Kind = Literal["convert", "synthesize"]
_FOLDER = Option(
    "folder", Path, None, Text("New folder", "新文件夹"), Text("Must be empty or not exist", "必须为空或尚不存在")
)
_SEED = Option(
    "seed", int, 0, Text("Seed", "随机种子"), Text("The same seed gives the same again", "相同的种子得到相同的结果"),
    minimum=0,
)  # fmt: skip
_SYNTHESIZE: tuple[Option, ...] = (
    _FOLDER,
    Option("count", int, 400, Text("Pictures", "图片数量"), minimum=8, maximum=100_000),
    Option("size", int, 640, Text("Side length in pixels", "边长（像素）"), minimum=160, maximum=4096),
    Option("classes", str, "single", Text("Classes", "类别"), choices=("single", "kinds")),
    _SEED,
)
_CONVERT: tuple[Option, ...] = (
    Option(
        "source_folder", Path, None, Text("Folder with pictures and labels", "图片与标注所在文件夹"),
        Text("labelme, COCO (CVAT) or YOLO (Roboflow)", "labelme、COCO（CVAT）或 YOLO（Roboflow）"),
    ),
    _FOLDER,
    Option("format", str, "auto", Text("Format", "格式"), choices=("auto", "labelme", "coco", "yolo")),
    Option(
        "val", float, 0.2, Text("Share to measure with", "验证集比例"),
        Text("Pictures that are not trained on", "不用于训练的图片"), minimum=0.01, maximum=0.9,
    ),
    Option("test", float, 0.0, Text("Share for a last test", "测试集比例"), minimum=0, maximum=0.9),
    Option(
        "single", str, None, Text("Make all classes this one", "将所有类别合并为"),
        Text("Empty: the classes stay as they are", "留空则保持原有类别"),
    ),
    Option(
        "unlabelled_are_good", bool, False, Text("Unlabelled pictures are good parts", "未标注的图片视为良品"),
        Text("Otherwise they are left out", "否则不使用这些图片"),
    ),
    _SEED,
)  # fmt: skip


class Making(ttk.Frame):
    """The form and what becomes of it; the work is the bench's job ``make``.

    Args:
        leave: called when nothing shall be made.
        source: prefilled.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        bench: Bench,
        kind: Kind,
        leave: Callable[[], None],
        source: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self._shell, self._bench, self._kind = shell, bench, kind
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        if kind == "convert":
            title, verb, options = t("Make a data set from labels"), t("Make the data set"), _CONVERT
            said = t("Pictures and labels are copied into a new folder; yours stay as they are.")
        else:
            title, verb, options = t("Make a synthetic data set"), t("Make the data set"), _SYNTHESIZE
            said = t("Drawn bearings with defects, labelled exactly: to try out the training, or to begin with.")
        self._title = title
        ttk.Label(self, text=title, style="Title.TLabel").grid(row=0, column=0, sticky="w", pady=theme.px(0, 6))
        room = ScrollFrame(self)
        room.grid(row=1, column=0, sticky="nsew")
        about = ttk.Label(room.body, text=said, style="Muted.TLabel")
        about.pack(fill="x", pady=theme.px(0, 8))
        wrap(about)
        values = {"source_folder": source} if source is not None else {}
        kinds = {"single": t("one: Defect"), "kinds": t("the six kinds of defect")}
        self.form = Form(room.body, options, values, names={"classes": kinds})
        self.form.pack(anchor="w", fill="x", padx=theme.px(0, 24))
        self._said = ttk.Label(self, style="Bad.TLabel")
        self._said.grid(row=2, column=0, sticky="ew", pady=theme.px(6, 0))
        wrap(self._said)
        self._said.grid_remove()
        row = ttk.Frame(self)
        row.grid(row=3, column=0, sticky="ew", pady=theme.px(6, 0))
        self.make = ttk.Button(row, text=verb, style="Primary.TButton", command=self.start)
        self.make.pack(side="left")
        ttk.Button(row, text=t("Back"), command=leave).pack(side="left", padx=theme.px(8))

    def start(self) -> None:
        """Begin, where the form is right."""
        try:
            values = self.form.values()
            work = self._work(values)
        except InputError as error:
            self._said.configure(text=f"✕ {texts.sentence(str(error))}")
            self._said.grid()
            return
        self._said.grid_remove()
        self._bench.begin(self._shell.tasks, "make", self._title, work)

    def _work(self, values: dict[str, Any]) -> Callable[[Job], Path]:
        folder = _named(values.pop("folder"), t("Choose a new folder for the data set"))
        if self._kind == "synthesize":
            return lambda job: synthesize(folder, progress=job.tell, **values).folder / "data.yaml"
        source = _named(values.pop("source_folder"), t("Choose the folder with your pictures and labels"))

        def work(job: Job) -> Path:
            summary = convert(source, folder, progress=job.tell, **values)
            job.said = "\n".join(summary.warnings)
            return summary.folder / "data.yaml"

        return work


def _named(folder: Path | None, missing: str) -> Path:
    if folder is None or not str(folder).strip() or str(folder) == ".":
        raise InputError(missing)
    return folder
