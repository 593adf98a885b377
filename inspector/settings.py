"""The settings of the user: declared options; the file holds only values that differ from the defaults."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inspector.api import InputError, Option, Text
from inspector.domain import quote
from inspector.system.credentials import conceal
from inspector.system.paths import read_json, replace_patiently, settings_file, unused_path, write_state

logger = logging.getLogger(__name__)

CORE: tuple[Option, ...] = (
    Option("language", str, "auto", Text("Language", "语言"), choices=("auto", "en", "zh")),
    Option("theme", str, "auto", Text("Theme", "主题"), choices=("auto", "light", "dark")),
    Option("text_size", int, 100, Text("Text size (%)", "文字大小（%）"), choices=tuple(range(100, 201, 10))),
    Option(
        "ok_colour",
        str,
        "teal",
        Text("Colour of OK", "OK 的颜色"),
        Text("blue differs most from NG for people who see few colours", "蓝色与 NG 的区别最大，适合色觉异常者"),
        choices=("teal", "blue"),
    ),
    Option("ng_sound", bool, False, Text("Sound at NG", "NG 时发出声音")),
    Option(
        "alarm_sound",
        bool,
        True,
        Text("Sound at an alarm", "报警时发出声音"),
        Text("when a camera is lost or results cannot be saved", "相机断开或结果无法保存时"),
    ),
    Option(
        "quiet_after",
        float,
        5.0,
        Text("Time without a new image (s)", "无新图片时限（秒）"),
        Text(
            "after which a camera's last verdict is no longer shown; 0: never",
            "超过后不再显示相机的上一次判定；0 表示不限",
        ),
        0,
        600,
    ),
    Option(
        "start_operator",
        bool,
        False,
        Text("Start in the operator's view", "启动后进入操作员视图"),
        Text("the whole screen, with large buttons", "全屏，大按钮"),
    ),
    Option(
        "start_inspecting",
        bool,
        False,
        Text("Start inspecting at once", "启动后立即开始检测"),
        Text("what was inspected last, or the recipe that is opened", "上次检测的内容，或打开的配方"),
    ),
    Option(
        "output_folder",
        Path,
        None,
        Text("Output folder", "输出文件夹"),
        Text("Each run gets a new folder in it", "每次检测在其中新建一个文件夹"),
    ),
    Option(
        "exporters",
        str,
        "",
        Text("Files a run writes", "每次检测写入的文件"),
        Text("such as images,xlsx; none; empty: the usual ones", "例如 images,xlsx；none 表示不写；留空为常用文件"),
    ),
    Option(
        "keep_camera_pictures",
        bool,
        True,
        Text("Keep originals of cameras and watched folders", "保留相机和监视文件夹的原图"),
        Text(
            "of NG and WARN parts, so that they can be shown on another day; files of plain folders stay there",
            "保留 NG 和 WARN 零件的原图，以便日后查看；普通文件夹中的文件保留在原处",
        ),
    ),
    Option(
        "originals_days",
        int,
        30,
        Text("Keep originals for days", "原图保留天数"),
        Text("the oldest are deleted first; 0: without limit", "先删除最早的；0 表示不限"),
        minimum=0,
    ),
    Option(
        "originals_gb",
        float,
        20.0,
        Text("Originals at most (GB)", "原图最多占用 (GB)"),
        Text("the oldest are deleted first; 0: without limit", "先删除最早的；0 表示不限"),
        minimum=0,
    ),
    Option(
        "shifts",
        str,
        "06:00, 14:00, 22:00",
        Text("Shifts begin at", "班次开始时间"),
        Text("times of day, separated by commas", "一天中的时刻，用逗号分隔"),
    ),
    Option("confidence", float, 0.25, Text("Confidence", "置信度"), minimum=0, maximum=1),
    Option("iou", float, 0.45, Text("IoU", "IoU"), minimum=0, maximum=1),
    Option(
        "device", str, "auto", Text("Device", "设备"), Text("auto, cpu, cuda or cuda:N", "auto、cpu、cuda 或 cuda:N")
    ),
    Option(
        "history_days",
        int,
        0,
        Text("Keep the history for days", "历史记录保留天数"),
        Text("0 keeps everything", "0 表示全部保留"),
        minimum=0,
    ),
)


class Settings:
    """The current settings.

    Attributes:
        options: all settings by key; an option of a plugin's spec has the key ``SPECID.OPTION``.
    """

    def __init__(self, options: Mapping[str, Option], values: Mapping[str, Any]) -> None:
        self.options = options
        self._values = dict(values)

    @classmethod
    def load(cls, options: Mapping[str, Option] = MappingProxyType({})) -> Settings:
        """Load the settings of the user.

        Unknown or wrong values are logged and stay in the file; a damaged file is moved aside.

        Args:
            options: of plugins, by ``SPECID.OPTION``.
        """
        known = {option.key: option for option in CORE} | dict(options)
        values = {}
        for key, value in _read().items():
            if key not in known:
                # It may belong to a plugin that is disabled now.
                logger.warning("The setting %s is not known and was ignored", key)
                continue
            try:
                values[key] = _check(key, known[key], value)
            except InputError as error:
                logger.warning("A setting was ignored: %s", error)
        return cls(known, values)

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The values that differ from the defaults."""
        return MappingProxyType(self._values)

    def get(self, key: str) -> Any:
        """Return the value of ``key``, or its default.

        Raises:
            KeyError: there is no such setting.
        """
        return self._values.get(key, self.options[key].default)

    def set(self, key: str, value: Any) -> None:
        """Check and save ``value``; texts are converted.

        Raises:
            InputError: there is no such setting, or the value is not accepted.
        """
        if key not in self.options:
            raise InputError(
                "There is no setting {key}; there are {options}", key=quote(key), options=", ".join(self.options)
            )
        option = self.options[key]
        checked = _check(key, option, value)
        if isinstance(checked, str):
            checked = conceal(checked)  # no passwords in the file
        if checked == option.default:
            self.reset(key)
            return
        _save(key, str(checked) if isinstance(checked, Path) else checked)
        self._values[key] = checked

    def reset(self, key: str) -> None:
        """Reset ``key`` to its default."""
        _save(key, None)
        self._values.pop(key, None)


def _check(key: str, option: Option, value: Any) -> Any:
    try:
        return option.check(value)
    except InputError as error:
        raise InputError(error.message.with_parameters(key=key)) from None


def _read() -> dict[str, Any]:
    """The content of the file; empty if it is missing or damaged."""
    path = settings_file()
    try:
        content = read_json(path)
        if isinstance(content, dict):
            return content
    except FileNotFoundError:
        return {}
    except OSError as error:
        logger.warning("The settings %s cannot be read (%s); defaults are used", path, error.strerror)
        return {}
    except ValueError:
        pass
    aside = unused_path(path.with_name(f"{path.stem}-damaged{path.suffix}"))
    try:
        replace_patiently(path, aside)
        logger.warning("The settings were damaged; they were moved to %s and defaults are used", aside)
    except OSError:
        logger.warning("The settings %s are damaged; defaults are used", path)
    return {}


def _save(key: str, value: Any) -> None:
    """Change a key in the file and keep the others; None removes it."""
    content = _read()  # again, since another window may have changed other keys
    content.pop(key, None)
    if value is not None:
        content[key] = value
    path = settings_file()
    try:
        write_state(path, json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise InputError(
            "The settings {path} cannot be saved ({reason}); make that folder writable",
            path=path,
            reason=error.strerror,
        ) from None
