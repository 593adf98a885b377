import json
import logging
import string
import subprocess
import sys

import pytest

from inspector import i18n
from inspector.domain import MEASURES, Detection, Limit, Reason, Rules, judge
from inspector.i18n import language, reason_text, tr
from inspector.paths import assets

SYSTEM = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows asks the system, not the environment")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (*SYSTEM, i18n.LANGUAGE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    i18n._catalogue.cache_clear()
    yield
    i18n._catalogue.cache_clear()


@posix
@pytest.mark.parametrize(
    "setting, environment, expected",
    [
        ("zh", {}, "zh"),
        ("zh-CN", {"LANG": "en_US.UTF-8"}, "zh"),
        ("en", {"BEARING_INSPECTOR_LANGUAGE": "zh", "LANG": "zh_CN.UTF-8"}, "en"),
        ("fr", {"LANG": "zh_CN.UTF-8"}, "en"),
        ("auto", {}, "en"),
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("auto", {"BEARING_INSPECTOR_LANGUAGE": "zh", "LANG": "en_US.UTF-8"}, "zh"),
        ("auto", {"BEARING_INSPECTOR_LANGUAGE": "auto", "LANG": "zh_CN.UTF-8"}, "zh"),
        ("auto", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ("auto", {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ("auto", {"LANG": "en_US.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh"),
        ("auto", {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en_GB:zh_CN"}, "en"),
        ("auto", {"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_language(setting, environment, expected, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language(setting) == expected


@pytest.mark.parametrize("identifier, expected", [(0x0804, "zh"), (0x0404, "zh"), (0x0409, "en"), (0x0407, "en")])
def test_language_of_windows(identifier, expected, monkeypatch):
    import ctypes

    class Kernel:
        @staticmethod
        def GetUserDefaultUILanguage():  # noqa: N802
            return identifier

    monkeypatch.setattr(ctypes, "windll", type("Libraries", (), {"kernel32": Kernel}), raising=False)
    monkeypatch.setattr(i18n.sys, "platform", "win32")
    monkeypatch.setenv("LANG", "fr_FR")
    assert language() == expected


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_catalogue_fits_its_keys():
    texts = json.loads((assets() / "locale" / "zh.json").read_text("utf-8"))
    assert texts
    for english, chinese in texts.items():
        assert chinese.strip(), english
        assert places(english) == places(chinese), english


def test_unknown_texts_come_back_in_english():
    assert tr("Nobody translated {this}", "zh", this="so far") == "Nobody translated so far"
    assert tr("No values: {kept}", "zh") == "No values: {kept}"


def test_values_are_never_read_as_places():
    assert tr("{label}: {code} {value} above {limit}", "zh", label="{limit}", code="{", value=1, limit=2) == (
        "{limit}：{ 1 超过 2"
    )


def test_a_translation_that_does_not_fit_falls_back_to_english(tmp_path, monkeypatch):
    (tmp_path / "locale").mkdir()
    texts = {"{a} seen": "{b} 看到", "broken {a}": "坏 {a", "good {a}": "好 {a}"}
    (tmp_path / "locale" / "zh.json").write_text(json.dumps(texts), "utf-8")
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    assert [tr(text, "zh", a=1) for text in texts] == ["1 seen", "broken 1", "好 1"]
    assert tr("{c} is missing", "en", a=1) == "{c} is missing"


@pytest.mark.parametrize("content", [None, "{"])
def test_a_missing_catalogue_is_said_once(content, tmp_path, monkeypatch, caplog):
    (tmp_path / "locale").mkdir()
    if content is not None:
        (tmp_path / "locale" / "zh.json").write_text(content, "utf-8")
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    with caplog.at_level(logging.WARNING):
        assert tr("{label}: count {value} above {limit}", "zh", label="a", value=1, limit=0) == "a: count 1 above 0"
        tr("again", "zh")
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "reason, english, chinese",
    [
        (
            Reason("area_above", "Defect", 812.0, 400.0, "px2"),
            "Defect: area 812 px² above 400 px²",
            "Defect：面积 812 px² 超过 400 px²",
        ),
        (
            Reason("length_above", "裂纹", 44.1234, 40.0, "px"),
            "裂纹: length 44.12 px above 40 px",
            "裂纹：长度 44.12 px 超过 40 px",
        ),
        (Reason("count_above", "Defect", 3.0, 0.0), "Defect: count 3 above 0", "Defect：数量 3 超过 0"),
        (Reason("score_above", "{x}", 0.5003, 0.5), "{x}: score 0.5003 above 0.5", "{x}：置信度 0.5003 超过 0.5"),
        (
            Reason("depth_above", "a", 2.5, 1.0, "mm"),
            "a: depth_above 2.5 mm above 1 mm",
            "a：depth_above 2.5 mm 超过 1 mm",
        ),
        (
            Reason("area_above", "a", 1234567.0, 1000000.0, "mm2"),
            "a: area 1234567 mm² above 1000000 mm²",
            "a：面积 1234567 mm² 超过 1000000 mm²",
        ),
    ],
)
def test_reason_text(reason, english, chinese):
    assert reason_text(reason, "en") == english
    assert reason_text(reason, "zh") == chinese


def test_every_measure_has_its_sentence():
    assert {code for code, _ in MEASURES.values()} == set(i18n._REASONS)
    verdict = judge([Detection("Defect", 0.9, (0, 0, 1, 1))], Rules({"Defect": {"score": Limit(ng=0.5)}}))
    assert [reason_text(reason, "zh") for reason in verdict.reasons] == ["Defect：置信度 0.9 超过 0.5"]


def test_the_door_for_plugins_stays_light():
    code = "import sys, inspector.api; assert 'inspector.i18n' not in sys.modules; print(inspector.api.reason_text)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0 and "reason_text" in ended.stdout, ended.stderr
