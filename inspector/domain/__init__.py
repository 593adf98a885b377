"""What the program talks about: frames, masks, detections, rules, verdicts, inspections and jobs.

Plain frozen data. Nothing here knows a toolkit, a plugin or a file format, and nothing else of ours is imported.
"""

from typing import TYPE_CHECKING

from inspector.domain.errors import InputError, InspectorError
from inspector.domain.inspection import Inspection, ModelInfo, Timings
from inspector.domain.job import Choice, Job, check_fraction
from inspector.domain.picture import Box, Detection, Frame, Mask, Skipped
from inspector.domain.verdict import MEASURES, Limit, Reason, Rules, Status, Verdict, judge

if TYPE_CHECKING:
    from inspector.domain.picture import Image as Image

__all__ = [
    "MEASURES",
    "Box",
    "Choice",
    "Detection",
    "Frame",
    "InputError",
    "Inspection",
    "InspectorError",
    "Job",
    "Limit",
    "Mask",
    "ModelInfo",
    "Reason",
    "Rules",
    "Skipped",
    "Status",
    "Timings",
    "Verdict",
    "check_fraction",
    "judge",
]
