"""The public interface for plugins: hooks, specs, options, protocols and helpers.

A plugin is a module with a literal ``PLUGIN`` (its manifest, read before anything is imported) and one or more hook
implementations::

    from inspector.api import SourceSpec, Text, hookimpl

    PLUGIN = {"id": "my_source", "version": "1.0", "api": 1, "kinds": ["source"], "description": "…"}

    @hookimpl
    def inspector_sources():
        return [SourceSpec(id="my_source", title=Text("My source", "我的来源"), open=MySource)]

A spec is data plus a callable ``open``; heavy libraries are imported inside ``open``. See ``docs/plugins.md``.
Plugins import from ``inspector.api`` only; its modules are an implementation detail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inspector import __version__
from inspector.api.hookspecs import API_VERSION, ENTRY_POINT_GROUP, PROJECT, Hooks, hookimpl, hookspec
from inspector.api.options import Option, Text, check_options
from inspector.api.protocols import (
    AcknowledgingSource,
    Architecture,
    Architectures,
    Browsable,
    ConcurrentPredictor,
    Cost,
    Exporter,
    ManyAtOnce,
    Model,
    ParallelModel,
    PartExporter,
    RunInfo,
    Scope,
    SeekableSource,
    Source,
)
from inspector.api.specs import ExporterSpec, LayerKind, LayerSpec, LossPart, ModelSpec, Pixels, SourceSpec
from inspector.domain import (
    Calibration,
    Choice,
    Detection,
    Frame,
    InputError,
    Inspection,
    InspectorError,
    Job,
    Mask,
    Measures,
    Message,
    ModelInfo,
    Part,
    PartView,
    Reason,
    RecipeInfo,
    Rules,
    Skipped,
    SourceStatus,
    Timings,
    Verdict,
    describe,
    from_json,
    from_line,
    join_messages,
    judge,
    masked_address,
    message,
    pass_rate,
    quote,
    rules_sha256,
    shorten,
    spreadsheet_text,
    to_json,
    to_millimetres,
    yield_of,
)
from inspector.domain.image_formats import (
    HEAD_BYTES,
    IMAGE_FORMATS,
    IMAGE_SUFFIXES,
    NO_IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    VIDEO_SUFFIXES,
    format_of_suffix,
    image_format,
    misnamed_image,
)

if TYPE_CHECKING:
    from inspector.datasets.yolo_layout import (
        CheckReport,
        LabelledImage,
        YoloDataset,
        YoloImage,
        check_yolo_dataset,
        examine_image,
        images_in,
        read_yolo_dataset,
    )
    from inspector.i18n import part_reasons, reason_text, rule_lines, sentence
    from inspector.imaging import draw_inspection, joined, mask_polygons, read_image, write_image
    from inspector.system.frameworks import prepare_openvino, prepare_torch
    from inspector.system.isolation import LimitExceededError, run_isolated
    from inspector.system.paths import (
        assets,
        child_environment,
        journal_mode,
        long_path,
        plugin_folder,
        program,
        publish,
        read_json,
        replace_patiently,
        result_stem,
        safe_name,
        temporary_beside,
        unused_path,
    )

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "HEAD_BYTES",
    "IMAGE_FORMATS",
    "IMAGE_SUFFIXES",
    "NO_IMAGE_SUFFIXES",
    "PROJECT",
    "UNREAD_SUFFIXES",
    "VIDEO_SUFFIXES",
    "AcknowledgingSource",
    "Architecture",
    "Architectures",
    "Browsable",
    "Calibration",
    "CheckReport",
    "Choice",
    "ConcurrentPredictor",
    "Cost",
    "Detection",
    "Exporter",
    "ExporterSpec",
    "Frame",
    "Hooks",
    "InputError",
    "Inspection",
    "InspectorError",
    "Job",
    "LabelledImage",
    "LayerKind",
    "LayerSpec",
    "LimitExceededError",
    "LossPart",
    "ManyAtOnce",
    "Mask",
    "Measures",
    "Message",
    "Model",
    "ModelInfo",
    "ModelSpec",
    "Option",
    "ParallelModel",
    "Part",
    "PartExporter",
    "PartView",
    "Pixels",
    "Reason",
    "RecipeInfo",
    "Rules",
    "RunInfo",
    "Scope",
    "SeekableSource",
    "Skipped",
    "Source",
    "SourceSpec",
    "SourceStatus",
    "Text",
    "Timings",
    "Verdict",
    "YoloDataset",
    "YoloImage",
    "__version__",
    "assets",
    "check_options",
    "check_yolo_dataset",
    "child_environment",
    "describe",
    "draw_inspection",
    "examine_image",
    "format_of_suffix",
    "from_json",
    "from_line",
    "hookimpl",
    "hookspec",
    "image_format",
    "images_in",
    "join_messages",
    "joined",
    "journal_mode",
    "judge",
    "long_path",
    "mask_polygons",
    "masked_address",
    "message",
    "misnamed_image",
    "part_reasons",
    "pass_rate",
    "plugin_folder",
    "prepare_openvino",
    "prepare_torch",
    "program",
    "publish",
    "quote",
    "read_image",
    "read_json",
    "read_yolo_dataset",
    "reason_text",
    "replace_patiently",
    "result_stem",
    "rule_lines",
    "rules_sha256",
    "run_isolated",
    "safe_name",
    "sentence",
    "shorten",
    "spreadsheet_text",
    "temporary_beside",
    "to_json",
    "to_millimetres",
    "unused_path",
    "write_image",
    "yield_of",
]

# Helpers whose modules import numpy, OpenCV or torch: resolved at first use, so that specs stay light.
_LAZY = {
    "CheckReport": "inspector.datasets.yolo_layout",
    "LabelledImage": "inspector.datasets.yolo_layout",
    "YoloDataset": "inspector.datasets.yolo_layout",
    "YoloImage": "inspector.datasets.yolo_layout",
    "check_yolo_dataset": "inspector.datasets.yolo_layout",
    "examine_image": "inspector.datasets.yolo_layout",
    "images_in": "inspector.datasets.yolo_layout",
    "read_yolo_dataset": "inspector.datasets.yolo_layout",
    "read_image": "inspector.imaging",
    "write_image": "inspector.imaging",
    "draw_inspection": "inspector.imaging",
    "joined": "inspector.imaging",
    "mask_polygons": "inspector.imaging",
    "part_reasons": "inspector.i18n",
    "reason_text": "inspector.i18n",
    "rule_lines": "inspector.i18n",
    "sentence": "inspector.i18n",
    "prepare_openvino": "inspector.system.frameworks",
    "prepare_torch": "inspector.system.frameworks",
    "LimitExceededError": "inspector.system.isolation",
    "run_isolated": "inspector.system.isolation",
    "journal_mode": "inspector.system.paths",
    "long_path": "inspector.system.paths",
    "assets": "inspector.system.paths",
    "plugin_folder": "inspector.system.paths",
    "child_environment": "inspector.system.paths",
    "program": "inspector.system.paths",
    "replace_patiently": "inspector.system.paths",
    "publish": "inspector.system.paths",
    "read_json": "inspector.system.paths",
    "result_stem": "inspector.system.paths",
    "safe_name": "inspector.system.paths",
    "temporary_beside": "inspector.system.paths",
    "unused_path": "inspector.system.paths",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
