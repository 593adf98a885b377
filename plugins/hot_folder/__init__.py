"""A watched folder (``watch:FOLDER``): every picture that is put there is inspected, until the run is stopped.

A picture is read once it is complete: its size and time have not changed for ``settle`` seconds, on Windows no program
has it open for writing, and it decodes. One that does not decode is tried again for a while, then reported. Names that
begin with a dot or a tilde and suffixes that are not a picture's (``.part``, ``.tmp``) are left alone.

What has been inspected is remembered over restarts by name, size and time of change; a file replaced by a newer one is
inspected again. A picture counts as inspected when the engine says so (``done`` of the source), after the result has
been saved. So within a run each picture comes exactly once; after a crash a picture may be inspected twice, never not
at all, as long as it still lies there.
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
    "description": "A watched folder: every picture that is put there is inspected, once",
    "description_zh": "监视文件夹：放入的每张图片都会被检测一次",
}

_PREFIX = "watch:"

_OPTIONS = (
    Option("folder", Path, None, Text("Folder", "文件夹"), Text("the folder to watch", "要监视的文件夹")),
    Option("recursive", bool, False, Text("With sub-folders", "包含子文件夹")),
    Option(
        "settle",
        float,
        1.0,
        Text("Settle time (s)", "稳定时间（秒）"),
        Text(
            "a file is complete when it has not changed for so long; more for slow network drives",
            "文件在此时间内无变化即视为写完；网络盘较慢时请加大",
        ),
        0,
        3600,
    ),
    Option(
        "pattern",
        str,
        None,
        Text("Pattern", "匹配模式"),
        Text("only names like this: cam1_*", "只检测符合此模式的文件，例如 cam1_*"),
    ),
    Option(
        "existing",
        bool,
        True,
        Text("What lies there already", "已有文件"),
        Text("inspect also what lies there when the run starts", "同时检测开始时已有的图片"),
    ),
)


@hookimpl
def inspector_sources() -> list[SourceSpec]:
    return [SourceSpec("hot_folder", Text("Watched folder", "监视文件夹"), open_folder, _OPTIONS, claim)]


def open_folder(**options: Any) -> Source:
    """Begin to watch."""
    from inspector_plugins.hot_folder.source import HotFolder

    return HotFolder(**options)


def claim(text: str) -> Mapping[str, Any] | None:
    """``watch:FOLDER`` only: a plain folder is inspected once, by others."""
    return {"folder": str(Path(text[len(_PREFIX) :]).absolute())} if text.lower().startswith(_PREFIX) else None
