"""Data model: frames, masks, detections, rules, verdicts, inspections and jobs.

Plain frozen data, independent of toolkits, plugins and the other packages of the program.
"""

from typing import TYPE_CHECKING

from inspector.domain.address import masked_address
from inspector.domain.calibration import Calibration, check_scale, to_millimetres
from inspector.domain.errors import InputError, InspectorError, TryAgain, describe, interrupts
from inspector.domain.frame import Box, Detection, Frame, Mask, Skipped, SourceStatus
from inspector.domain.grouping import Grouping, Trigger
from inspector.domain.inspection import Inspection, ModelInfo, Timings, view_name
from inspector.domain.job import Choice, Job, check_fraction
from inspector.domain.judging import judge, warn_if_scaled_below, warn_if_too_small
from inspector.domain.limits import MEASURES, Limit, RegionRules
from inspector.domain.measures import Measures
from inspector.domain.messages import Message, cli_text, from_json, from_line, join_messages, message, to_json, to_line
from inspector.domain.outputs import plain_frame, plain_outputs
from inspector.domain.parts import OpenPart, Part, PartProgress, PartView
from inspector.domain.recipe import RecipeInfo
from inspector.domain.rule_templates import TEMPLATES
from inspector.domain.rules import Rules, rules_sha256
from inspector.domain.texts import printable, quote, shorten, spreadsheet_text
from inspector.domain.verdicts import Reason, Status, Verdict
from inspector.domain.yields import pass_rate, yield_of

if TYPE_CHECKING:
    from inspector.domain.frame import Image as Image

__all__ = [
    "MEASURES",
    "TEMPLATES",
    "Box",
    "Calibration",
    "Choice",
    "Detection",
    "Frame",
    "Grouping",
    "InputError",
    "Inspection",
    "InspectorError",
    "Job",
    "Limit",
    "Mask",
    "Measures",
    "Message",
    "ModelInfo",
    "OpenPart",
    "Part",
    "PartProgress",
    "PartView",
    "Reason",
    "RecipeInfo",
    "RegionRules",
    "Rules",
    "Skipped",
    "SourceStatus",
    "Status",
    "Timings",
    "Trigger",
    "TryAgain",
    "Verdict",
    "check_fraction",
    "check_scale",
    "cli_text",
    "describe",
    "from_json",
    "from_line",
    "interrupts",
    "join_messages",
    "judge",
    "masked_address",
    "message",
    "pass_rate",
    "plain_frame",
    "plain_outputs",
    "printable",
    "quote",
    "rules_sha256",
    "shorten",
    "spreadsheet_text",
    "to_json",
    "to_line",
    "to_millimetres",
    "view_name",
    "warn_if_scaled_below",
    "warn_if_too_small",
    "yield_of",
]
