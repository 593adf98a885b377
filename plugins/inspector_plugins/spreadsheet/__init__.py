"""Results as an Excel workbook, ``results.xlsx``: a summary to sign, one row per inspection, one row per defect."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspector.api import Exporter, ExporterSpec, Option, Pixels, RunInfo, Text, hookimpl

PLUGIN = {
    "id": "spreadsheet",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Results as an Excel workbook",
    "description_zh": "Excel 工作簿：汇总、检测记录、缺陷列表",
}


@hookimpl
def inspector_exporters() -> Iterable[ExporterSpec]:
    return [
        ExporterSpec(
            id="xlsx",
            title=Text("Excel workbook", "Excel 工作簿"),
            open=_open,
            options=(
                Option(
                    "thumbnails",
                    bool,
                    False,
                    Text("Thumbnails", "缩略图"),
                    Text("a small image with the defects drawn, in each row", "在每一行放入画有缺陷的小图"),
                ),
                Option(
                    "thumbnail_limit",
                    int,
                    1000,
                    Text("Maximum number of thumbnails", "缩略图上限"),
                    Text(
                        "kept in memory until the run ends, about 10 KB each",
                        "检测结束前保存在内存中，每张约 10 KB",
                    ),
                    minimum=0,
                    maximum=100_000,
                ),
            ),
            default=True,
            pixels=_pixels,
        )
    ]


def _pixels(thumbnails: bool, thumbnail_limit: int) -> Pixels:
    return "wished" if thumbnails and thumbnail_limit else "unused"


def _open(folder: Path, run: RunInfo, **options: Any) -> Exporter:
    from .workbook import Workbook

    return Workbook(folder, run, **options)
