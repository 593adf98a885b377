"""A watched folder (``watch:FOLDER``): every image that is put there is inspected, until the run is stopped.

An image is read once it is complete: its size and time have not changed for ``settle`` seconds, on Windows no program
has it open for writing, and it decodes. One that does not decode is tried again for a while, then reported. Names that
begin with a dot or a tilde, and suffixes like ``.part``, ``.tmp`` and ``.xml``, are ignored. An image of a
kind that is not read, or without an image's suffix, is reported once.

Inspected files are remembered across restarts by name, size and modification time; a file replaced by a newer one is
inspected again. An image counts as inspected when the engine reports it (``done`` of the source), after the result has
been saved. So within a run each image comes exactly once; after a crash an image may be inspected twice, but never
skipped, as long as it is still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspector.api import Option, Source, SourceSpec, Text, hookimpl

PLUGIN = {
    "id": "hot_folder",
    "version": "1.0",
    "api": 1,
    "kinds": ["source"],
    "description": "A watched folder: every image put there is inspected once",
    "description_zh": "监视文件夹：放入的每张图片都会被检测一次",
}

_PREFIX = "watch:"

_OPTIONS = (
    Option("folder", Path, None, Text("Folder", "文件夹"), Text("the folder to watch", "要监视的文件夹")),
    Option("recursive", bool, False, Text("Include subfolders", "包含子文件夹")),
    Option(
        "settle",
        float,
        1.0,
        Text("Settle time (s)", "写入完成等待（秒）"),
        Text(
            "a file unchanged for this long counts as complete; increase it for slow network drives",
            "文件在此时间内无变化即视为写完；网络盘较慢时请加大",
        ),
        0,
        3600,
    ),
    Option(
        "pattern",
        str,
        None,
        Text("File name filter", "文件名过滤"),
        Text("only files that match, e.g. cam1_*", "只检测符合此模式的文件，例如 cam1_*"),
    ),
    Option(
        "existing",
        bool,
        True,
        Text("Existing files", "已有文件"),
        Text("also inspect images that are there when the run starts", "同时检测开始时已有的图片"),
    ),
)


@hookimpl
def inspector_sources() -> list[SourceSpec]:
    return [SourceSpec("hot_folder", Text("Watched folder", "监视文件夹"), open_folder, _OPTIONS, claim)]


def open_folder(**options: Any) -> Source:
    """Open the folder and start watching."""
    from inspector_plugins.hot_folder.source import HotFolder

    return HotFolder(**options)


def claim(text: str) -> Mapping[str, Any] | None:
    """Accept ``watch:FOLDER`` only: a plain folder is inspected once, by other sources."""
    return {"folder": str(Path(text[len(_PREFIX) :]).absolute())} if text.lower().startswith(_PREFIX) else None
