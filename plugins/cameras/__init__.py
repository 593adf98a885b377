"""Cameras: ``camera:0`` for one at this computer, or an address (rtsp, http, https, rtmp, udp) in the network.

A camera is never waited for and never ends a run by itself: only its newest picture counts, and when it is gone it is
called again, after half a second at first and every ten seconds at last. Every gap is logged with its length.
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
    "description": "Cameras at this computer and in the network (RTSP, HTTP and more), with reconnection",
    "description_zh": "本机相机与网络相机（RTSP、HTTP 等），断线自动重连",
}

_WISH = "wished for; an address ignores it", "期望值；网络地址忽略此项"
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
        Text("Time limit for opening", "打开时限"),
        Text("seconds until the first picture must be there", "首张图片到达的时限，秒"),
        0.1,
        600,
    ),
    Option(
        "read_timeout",
        float,
        10.0,
        Text("Time limit for a picture", "取图时限"),
        Text("seconds without a picture after which an address is called again", "网络地址无图片多久后重连，秒"),
        0.1,
        600,
    ),
    Option(
        "reconnect",
        bool,
        True,
        Text("Reconnect", "自动重连"),
        Text("call the camera again when it is gone; else the run ends", "断线后重新连接；否则检测结束"),
    ),
    Option(
        "decode_threads",
        int,
        1,
        Text("Decoding threads", "解码线程数"),
        Text(
            "for an address whose pictures one core cannot decode in time; each further one costs a picture of delay",
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
    """``camera:N`` or an address of a scheme that cameras speak."""
    return {"address": text} if ADDRESS.fullmatch(text) else None
