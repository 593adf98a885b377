"""Cameras: ``camera:0`` for a local one, or a network address (rtsp, http, https, rtmp, udp).

A camera never blocks the program and never ends a run by itself: only its newest image counts, and a lost connection
is retried, first after half a second, finally every ten seconds. It is reported at once when images stop coming, and
when they come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspector.api import Option, SourceSpec, Text, hookimpl
from inspector_plugins.cameras.camera import ADDRESS, Camera, devices

PLUGIN = {
    "id": "cameras",
    "version": "1.0",
    "api": 1,
    "kinds": ["source"],
    "description": "Local and network cameras (RTSP, HTTP and more), with automatic reconnection",
    "description_zh": "本机相机与网络相机（RTSP、HTTP 等），断线自动重连",
}

_WISH = "requested; ignored by network cameras", "建议值；不适用于网络相机"
_OPTIONS = (
    Option(
        "address",
        str,
        None,
        Text("Camera", "相机"),
        Text(
            "camera:0, or an rtsp, http, https, rtmp or udp address", "camera:0，或 rtsp、http、https、rtmp、udp 地址"
        ),
    ),
    Option("width", int, None, Text("Width (px)", "宽度（像素）"), Text(*_WISH), 1, 100_000),
    Option("height", int, None, Text("Height (px)", "高度（像素）"), Text(*_WISH), 1, 100_000),
    Option("rate", float, None, Text("Frames per second", "帧率"), Text(*_WISH), 0.1, 1000),
    Option(
        "open_timeout",
        float,
        10.0,
        Text("Connection timeout", "连接超时"),
        Text("seconds until the first image must arrive", "等待首张图片的最长时间（秒）"),
        0.1,
        600,
    ),
    Option(
        "read_timeout",
        float,
        10.0,
        Text("Image timeout", "取图超时"),
        Text("seconds without an image after which a network camera is reconnected", "网络相机无图片多久后重连（秒）"),
        0.1,
        600,
    ),
    Option(
        "reconnect",
        bool,
        True,
        Text("Reconnect", "自动重连"),
        Text("reconnect when the connection drops; otherwise end the run", "断线后重新连接；否则检测结束"),
    ),
    Option(
        "wait",
        bool,
        False,
        Text("Wait for the camera", "等待相机上线"),
        Text(
            "keep trying a camera that is off at the start; needs Reconnect",
            "开始时相机未上线则持续重试，直到连上；需启用自动重连",
        ),
    ),
    Option(
        "decode_threads",
        int,
        1,
        Text("Decoder threads (advanced)", "（高级）解码线程数"),
        Text(
            "for network cameras that one core cannot decode in time; each additional thread adds a delay of one image",
            "用于单核来不及解码的网络地址；每多一个线程，画面延迟一帧",
        ),
        1,
        16,
    ),
)


@hookimpl
def inspector_sources() -> list[SourceSpec]:
    title = Text("Camera", "相机")
    return [SourceSpec("camera", title, Camera, _OPTIONS, claim, droppable=True, devices=devices)]


def claim(text: str) -> Mapping[str, Any] | None:
    """Accept ``camera:N``, or an address with a scheme that cameras use."""
    return {"address": text} if ADDRESS.fullmatch(text) else None
