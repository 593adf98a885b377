"""Trainings in a child process: how they report their progress and how they are stopped.

The protocol: the child is our own program, ``train --supervised``; its standard input is a pipe held by the
parent. The line ``stop`` ends the training after the current epoch, ``now`` after the current step; the end of the
pipe, when the parent has died, also acts like ``now``. Its output goes to ``train.log`` in the training's folder;
lines that begin with ``{`` are JSON for :func:`read_progress`. While it runs it holds a lock on ``train.lock``.
"""

from inspector.training.cli_process import Answer, Command
from inspector.training.exports import Export, add_export, read_exports
from inspector.training.lock import LOCK, Lock, is_locked
from inspector.training.notes import Notes, model_name, read_notes, write_notes
from inspector.training.process import Training
from inspector.training.progress import (
    LOG,
    Progress,
    State,
    delete_training,
    find_trainings,
    known_folders,
    read_progress,
    remember_folder,
)
from inspector.training.worker import TrainingWorker

__all__ = [
    "LOCK",
    "LOG",
    "Answer",
    "Command",
    "Export",
    "Lock",
    "Notes",
    "Progress",
    "State",
    "Training",
    "TrainingWorker",
    "add_export",
    "delete_training",
    "find_trainings",
    "is_locked",
    "known_folders",
    "model_name",
    "read_exports",
    "read_notes",
    "read_progress",
    "remember_folder",
    "write_notes",
]
