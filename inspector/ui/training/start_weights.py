"""Field for the weights that a training starts from, with a warning for random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tkinter import Misc, filedialog, ttk

from inspector.training import known_folders, read_progress
from inspector.ui.kit import theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.training.state import TrainingState

_ENOUGH = 1000  # training images from which random weights learn something in reasonable time
_MOST = 20  # trained models in the list


class StartWeights(ttk.Frame):
    """A list: the bundled model, trained models, none, or a file.

    The choice is kept in ``training_state.start``: None until the user chooses (then the bundled model
    is used if it fits).
    """

    def __init__(
        self, parent: Misc, shell: Shell, training_state: TrainingState, changed: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(parent)
        self._shell, self._training_state, self._on_change = shell, training_state, changed
        self._choices: list[tuple[str, str]] = []  # text, weights ("": none)
        ttk.Label(self, text=tr("Start weights"), style="Head.TLabel").pack(anchor="w")
        self.box = ttk.Combobox(self, state="readonly", postcommand=self._fill)
        self.box.pack(fill="x", pady=theme.px(2, 2))
        self.box.bind("<<ComboboxSelected>>", lambda event: self._chosen())
        self.warning = ttk.Label(self, style="Warn.TLabel")
        wrap(self.warning)
        self.show()

    @property
    def weights(self) -> str:
        """Checkpoint to start from; empty for random weights, or if the chosen model is a checkpoint itself."""
        if self._from_checkpoint:
            return ""
        return self._default() if self._training_state.start is None else self._training_state.start

    @property
    def _from_checkpoint(self) -> bool:
        return self._training_state.model.lower().endswith(".pt")

    def _default(self) -> str:
        """Return the bundled model if its layers fit the architecture, i.e. have the same scale."""
        return self._bundled() if self._training_state.model.startswith("yolo11n") else ""

    def _bundled(self) -> str:
        for spec in self._shell.catalogue.models.values():
            if spec.id == self._training_state.trainer:
                for file in spec.bundled.values():
                    if file is not None:
                        return str(file)
        return ""

    def show(self) -> None:
        """Update the field after another architecture or dataset was chosen."""
        self._fill()
        if self._from_checkpoint:
            self.box.set(tr("The chosen checkpoint: {name}", name=Path(self._training_state.model).name))
        else:
            weights = self.weights
            self.box.set(next((shown for shown, file in self._choices if file == weights), Path(weights).name))
        self.box.configure(state="disabled" if self._from_checkpoint else "readonly")
        self._warn()

    def _fill(self) -> None:
        bundled = self._bundled()
        self._choices = [(tr("Bundled model: {name}", name=Path(bundled).stem), bundled)] if bundled else []
        for folder in reversed(known_folders()[-_MOST:]):
            progress = read_progress(folder)
            if progress.weights is not None:
                self._choices.append((tr("Trained: {name}", name=progress.name), str(progress.weights)))
        self._choices.append((tr("None: random weights"), ""))
        self.box.configure(values=[*(shown for shown, _ in self._choices), tr("Another file…")])

    def _chosen(self) -> None:
        at = self.box.current()
        self.box.selection_clear()
        if at < len(self._choices):
            self._training_state.start = self._choices[at][1]
        else:
            kinds = [(tr("Checkpoints"), "*.pt"), (tr("All files"), "*")]
            if chosen := filedialog.askopenfilename(parent=self, filetypes=kinds):
                self._training_state.start = chosen
        self.show()
        self._on_change()

    def _warn(self) -> None:
        """Warn if there are too few images for random weights."""
        report = self._training_state.report
        count = report["splits"].get("train", {}).get("used", 0) if report else 0
        if self._from_checkpoint or self.weights or not 0 < count < _ENOUGH:
            self.warning.pack_forget()
            return
        message = tr(
            "Random weights need about {enough} images or more; this dataset has {count} for training. "
            "Start from the bundled model where it fits.",
            enough=f"{_ENOUGH:,}",
            count=f"{count:,}",
        )
        self.warning.configure(text=f"⚠ {message}")
        self.warning.pack(anchor="w", fill="x")
