"""Trainings beside the window: a child process that trains, what its folder tells, and how one stops it.

The protocol in short. The child is our own program, ``train --supervised``, its standard input a pipe that the parent
holds. The line ``stop`` ends the training after the epoch at hand, ``now`` after the step at hand; so does the end of
the pipe, when the parent has died. What it prints goes into ``train.log`` in the training's folder, lines that begin
with ``{`` being JSON for :func:`read`. While it runs it holds a lock on ``train.lock``.
"""

from inspector.training.child import Training
from inspector.training.command import Answer, Command
from inspector.training.folder import LOG, Progress, State, known, read, remember, trainings
from inspector.training.lock import LOCK, Lock, held
from inspector.training.supervision import Supervision

__all__ = [
    "LOCK",
    "LOG",
    "Answer",
    "Command",
    "Lock",
    "Progress",
    "State",
    "Supervision",
    "Training",
    "held",
    "known",
    "read",
    "remember",
    "trainings",
]
