"""What the user has set: declared options, of which the file keeps only those that differ from their default."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inspector.api import InputError, Option, Text
from inspector.paths import settings_file, unused_path, write_text

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
        Text("Keep the pictures of cameras", "保留相机图片"),
        Text(
            "so that an old inspection can be shown again; takes room on the disk",
            "以便日后查看旧的检测；会占用磁盘空间",
        ),
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
    """The settings in force.

    Attributes:
        options: everything that can be set, by key; an option of a plugin's spec has the key ``SPECID.OPTION``.
    """

    def __init__(self, options: Mapping[str, Option], values: Mapping[str, Any]) -> None:
        self.options = options
        self._values = dict(values)

    @classmethod
    def load(cls, options: Mapping[str, Option] = MappingProxyType({})) -> Settings:
        """Read the user's settings.

        What cannot be used is warned of and left as it is in the file; a damaged file is moved aside.

        Args:
            options: those of plugins, by ``SPECID.OPTION``.
        """
        known = {option.key: option for option in CORE} | dict(options)
        values = {}
        for key, value in _read().items():
            if key not in known:
                # Also a setting of a plugin that is off just now.
                logger.warning("The setting %s is not known and was ignored", key)
                continue
            try:
                values[key] = _check(key, known[key], value)
            except InputError as error:
                logger.warning("A setting was ignored: %s", error)
        return cls(known, values)

    @property
    def overrides(self) -> Mapping[str, Any]:
        """What differs from the defaults."""
        return MappingProxyType(self._values)

    def get(self, key: str) -> Any:
        """The value of ``key``, its default where the user has set nothing.

        Raises:
            KeyError: there is no such setting.
        """
        return self._values.get(key, self.options[key].default)

    def set(self, key: str, value: Any) -> None:
        """Check, keep and save ``value``; texts are converted as from a form.

        Raises:
            InputError: there is no such setting, or it does not take this value.
        """
        if key not in self.options:
            raise InputError(f"There is no setting {key!r}; there are {', '.join(self.options)}")
        option = self.options[key]
        checked = _check(key, option, value)
        if checked == option.default:
            self.reset(key)
            return
        _save(key, str(checked) if isinstance(checked, Path) else checked)
        self._values[key] = checked

    def reset(self, key: str) -> None:
        """Back to the default."""
        _save(key, None)
        self._values.pop(key, None)


def _check(key: str, option: Option, value: Any) -> Any:
    try:
        return option.check(value)
    except InputError as error:
        raise InputError(f"{key.removesuffix(option.key)}{error}") from None


def _read() -> dict[str, Any]:
    """What the file holds; empty where there is none or it is damaged."""
    path = settings_file()
    try:
        held = json.loads(path.read_bytes().decode("utf-8-sig"))
        if isinstance(held, dict):
            return held
    except FileNotFoundError:
        return {}
    except OSError as error:
        logger.warning("The settings %s cannot be read (%s); defaults are used", path, error.strerror)
        return {}
    except (ValueError, RecursionError):
        pass
    aside = unused_path(path.with_name(f"{path.stem}-damaged{path.suffix}"))
    try:
        path.rename(aside)
        logger.warning("The settings were damaged; they were moved to %s and defaults are used", aside)
    except OSError:
        logger.warning("The settings %s are damaged; defaults are used", path)
    return {}


def _save(key: str, value: Any) -> None:
    """Change one key in the file, and leave what else stands there; None removes it."""
    held = _read()  # again: another window may have changed other keys
    held.pop(key, None)
    if value is not None:
        held[key] = value
    path = settings_file()
    try:
        write_text(path, json.dumps(held, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise InputError(f"The settings {path} cannot be saved ({error.strerror}); make that folder writable") from None
