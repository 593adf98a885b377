import json
import logging
from pathlib import Path

import pytest

from inspector.api import InputError, Option, Text
from inspector.settings import CORE, Settings
from inspector.system.paths import settings_file

RATE = {"camera.rate": Option("rate", int, 25, Text("Rate"), minimum=1)}


def held() -> dict:
    return json.loads(settings_file().read_text("utf-8"))


def test_defaults_where_nothing_is_set():
    settings = Settings.load()
    assert {option.key: settings.get(option.key) for option in CORE} == {
        "language": "auto",
        "theme": "auto",
        "text_size": 100,
        "ok_colour": "teal",
        "ng_sound": False,
        "alarm_sound": True,
        "quiet_after": 5.0,
        "start_operator": False,
        "start_inspecting": False,
        "output_folder": None,
        "exporters": "",
        "keep_camera_pictures": True,
        "originals_days": 30,
        "originals_gb": 20.0,
        "shifts": "06:00, 14:00, 22:00",
        "confidence": 0.25,
        "iou": 0.45,
        "device": "auto",
        "history_days": 0,
    }
    assert settings.overrides == {} and not settings_file().exists()


def test_what_is_set_is_checked_kept_and_sparse(tmp_path):
    settings = Settings.load(RATE)
    settings.set("confidence", "0.5")
    settings.set("output_folder", str(tmp_path / "输出"))
    settings.set("camera.rate", 30)
    settings.set("language", "zh")
    assert held() == {
        "confidence": 0.5,
        "output_folder": str(tmp_path / "输出"),
        "camera.rate": 30,
        "language": "zh",
    }
    again = Settings.load(RATE)
    assert again.get("output_folder") == tmp_path / "输出" and isinstance(again.get("output_folder"), Path)
    assert again.overrides == settings.overrides
    again.set("confidence", 0.25)  # the default
    again.reset("camera.rate")
    again.set("output_folder", None)
    assert held() == {"language": "zh"} and again.get("confidence") == 0.25 and again.get("camera.rate") == 25
    assert list(settings_file().parent.glob(".tmp-*")) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("confidence", 1.5, "confidence: 1.5 is outside"),
        ("language", "fr", "language: 'fr' is not one of auto, en, zh"),
        ("history_days", -1, "history_days: -1 is less than the minimum"),
        ("text_size", 90, "text_size: 90 is not one of 100, 110, 120"),
        ("theme", "blue", "theme: 'blue' is not one of auto, light, dark"),
        ("camera.rate", "fast", r"camera\.rate: 'fast' is not a whole number"),
        ("speed", 1, "no setting 'speed'"),
    ],
)
def test_a_refused_value_changes_nothing(key, value, message):
    settings = Settings.load(RATE)
    settings.set("iou", 0.6)
    with pytest.raises(InputError, match=message):
        settings.set(key, value)
    assert held() == {"iou": 0.6} and settings.overrides == {"iou": 0.6}


def test_unknown_and_wrong_values_in_the_file_are_warned_of_and_kept(caplog):
    settings_file().write_text('{"camera.rate": 30, "confidence": 7, "iou": 0.6}', "utf-8")
    with caplog.at_level(logging.WARNING):
        settings = Settings.load()
    assert settings.overrides == {"iou": 0.6} and settings.get("confidence") == 0.25
    messages = [record.getMessage() for record in caplog.records]
    assert any("camera.rate is not known" in m for m in messages) and any("confidence: 7" in m for m in messages)
    settings.set("device", "cpu")
    assert held() == {"camera.rate": 30, "confidence": 7, "iou": 0.6, "device": "cpu"}
    assert Settings.load(RATE).get("camera.rate") == 30


@pytest.mark.parametrize("content", [b"{", b"", b"[1]", b"\xff\xfe\x00", b"null", b"[" * 100_000])
def test_a_damaged_file_is_moved_aside(content, caplog):
    path = settings_file()
    path.write_bytes(content)
    assert Settings.load().overrides == {}
    assert "damaged" in caplog.text and not path.exists()
    assert path.with_name("settings-damaged.json").read_bytes() == content
    path.write_bytes(content)
    settings = Settings.load()
    settings.set("iou", 0.6)
    assert path.with_name("settings-damaged-2.json").read_bytes() == content and held() == {"iou": 0.6}


def test_a_file_that_notepad_saved_is_read():
    settings_file().write_bytes(b'\xef\xbb\xbf{"iou": 0.6}')
    assert Settings.load().get("iou") == 0.6


def test_two_windows_keep_each_others_changes():
    one, two = Settings.load(), Settings.load()
    one.set("iou", 0.6)
    two.set("confidence", 0.3)
    assert held() == {"iou": 0.6, "confidence": 0.3}


def test_an_unknown_key_is_a_mistake_of_the_program():
    with pytest.raises(KeyError):
        Settings.load().get("speed")


def test_an_unreadable_file_is_warned_of(caplog):
    settings_file().mkdir()
    settings = Settings.load()
    assert settings.overrides == {} and "cannot be read" in caplog.text
    with pytest.raises(InputError, match="cannot be saved"):
        settings.set("iou", 0.6)
