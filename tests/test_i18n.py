import ast
import json
import logging
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector import i18n
from inspector.api import Text
from inspector.domain import Detection, Limit, Reason, Rules, judge
from inspector.domain.limits import CODES
from inspector.i18n import language, reason_text, tr
from inspector.registry import load
from inspector.settings import CORE
from inspector.system.paths import assets

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


ROOT = Path(__file__).parents[1]


REASONS = {*i18n._REASONS.values(), *i18n._PHRASES.values()}


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, str]]:
    """File name -> its texts, without the templates that test_i18n_errors.py looks at."""
    found = sorted((assets() / "locale" / "zh").glob("*.json"))
    return {
        file.name: json.loads(file.read_text("utf-8"))
        for file in found
        if file.name not in ("errors.json", "system.json")
    }


@pytest.fixture(scope="module")
def translated(files) -> set[str]:
    return {english for texts in files.values() for english in texts}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def calls(name: str, folder: str) -> Iterator[tuple[str, ast.Call]]:
    """Calls of ``name(...)`` or ``texts.name(...)``, with file and arguments."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                if getattr(called, "attr", None) == name or getattr(called, "id", None) == name:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def literals(value: ast.expr) -> list[str] | None:
    """The texts that an expression may be; None where it is more than literals and a choice between them."""
    match value:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            one, other = literals(body), literals(orelse)
            return None if one is None or other is None else one + other
    return None


def window_texts() -> Iterator[tuple[str, ast.Call]]:
    """Calls of ``tr`` in the window, with file and arguments."""
    return (found for found in calls("tr", "inspector/ui") if "kit/strings.py" not in found[0])


def said_by_the_window() -> tuple[dict[str, str], list[str]]:
    """Key -> where; and the calls whose key is no literal."""
    keys: dict[str, str] = {}
    opaque = []
    for where, call in window_texts():
        found = literals(call.args[0]) if call.args else None
        if found is None:
            opaque.append(f"{where}: {ast.unparse(call)}")
        keys |= dict.fromkeys(found or (), where)
    return keys, opaque


def said_by_the_command_line() -> set[str]:
    """The sentences that :class:`inspector.cli.printers.TextPrinter` gathers for ``tr``."""
    tree = ast.parse((ROOT / "inspector" / "cli" / "printers.py").read_text("utf-8"))
    lists = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign) and "sentences" in ast.unparse(node).split("=")[0]
    ]
    constants = (node for value in lists for node in ast.walk(value) if isinstance(node, ast.Constant))
    return {node.value for node in constants if isinstance(node.value, str)}


def test_the_catalogue_fits_its_keys(files):
    for file, texts in files.items():
        assert texts, file
        for english, chinese in texts.items():
            assert chinese.strip(), english
            assert places(english) == places(chinese), english


def test_every_text_of_the_window_is_a_literal():
    _, opaque = said_by_the_window()
    assert not opaque, "\n".join(["tr() takes a literal, so that it can be found and translated:", *opaque])


def test_every_text_is_translated(translated):
    keys, _ = said_by_the_window()
    missing = [f"{where}: {key}" for key, where in keys.items() if key not in translated]
    missing += [key for key in {*said_by_the_command_line(), *REASONS} if key not in translated]
    assert not missing, "\n".join(["In no file of assets/locale/zh:", *missing])
    others = [f"{where}: {ast.unparse(call)}" for where, call in calls("tr", "plugins")]
    assert not others, "plugins translate with Text(en, zh)"


def test_every_translation_is_used(translated):
    keys, _ = said_by_the_window()
    fallback = "{label}: {code} {value} above {limit}"
    unused = translated - keys.keys() - said_by_the_command_line() - {*REASONS, fallback}
    assert not unused, "\n".join(["Translated, but used nowhere:", *sorted(unused)])


def test_every_translation_stands_once(files):
    seen: dict[str, str] = {}
    twice = []
    for file, texts in files.items():
        twice += [f"{english}: {file} and {seen[english]}" for english in texts if english in seen]
        seen |= dict.fromkeys(texts, file)
    assert not twice, "\n".join(twice)
    for file in (assets() / "locale" / "zh").glob("*.json"):
        pairs = json.loads(file.read_text("utf-8"), object_pairs_hook=list)
        assert len(pairs) == len(dict(pairs)), f"{file.name} has a key twice"


def test_every_place_is_given():
    """A call gives the values that its text has places for, and no others."""
    wrong = []
    for where, call in window_texts():
        given = {keyword.arg for keyword in call.keywords}
        if None not in given:  # **values
            wrong += [
                f"{where}: {text}" for text in (call.args and literals(call.args[0])) or () if places(text) != given
            ]
    assert not wrong, "\n".join(wrong)


def test_every_text_of_a_spec_and_setting_is_in_both_languages():
    catalogue = load()
    specs = [*catalogue.models.values(), *catalogue.sources.values(), *catalogue.exporters.values()]
    specs += catalogue.layers.values()
    assert len(specs) > 15
    kinds = ("options", "train_options", "validate_options", "export_options")
    options = [option for spec in specs for kind in kinds for option in getattr(spec, kind, ())]
    texts = {f"{spec.id}": spec.title for spec in specs}
    for option in [*options, *CORE]:
        texts |= {f"{option.key} title": option.title, f"{option.key} help": option.help}
    lacking = [where for where, text in texts.items() if text.en and not has_chinese(text)]
    assert not lacking


def has_chinese(text: Text) -> bool:
    """Or the Chinese is the very word, a name such as ``COCO``."""
    return any("\u4e00" <= letter <= "\u9fff" for letter in text.zh) or text.zh == text.en


def test_every_text_in_the_source_has_chinese():
    for folder in ("inspector", "plugins"):
        for where, call in calls("Text", folder):
            if isinstance(call.func, ast.Name) and isinstance(call.args[0], ast.Constant | ast.JoinedStr):
                empty = literals(call.args[0]) == [""]
                assert empty or len(call.args) + len(call.keywords) == 2, f"{where}: {ast.unparse(call)}"


def test_unknown_texts_come_back_in_english():
    assert tr("Never translated {this}", "zh", this="so far") == "Never translated so far"
    assert tr("No values: {kept}", "zh") == "No values: {kept}"


def test_values_are_never_read_as_places():
    assert tr("{label}: {code} {value} above {limit}", "zh", label="{limit}", code="{", value=1, limit=2) == (
        "{limit}：{ 1 超过 2"
    )


def test_a_translation_that_does_not_fit_falls_back_to_english(tmp_path, monkeypatch):
    folder = tmp_path / "locale" / "zh"
    folder.mkdir(parents=True)
    texts = {"{a} seen": "{b} 看到", "broken {a}": "坏 {a", "good {a}": "好 {a}"}
    (folder / "core.json").write_text(json.dumps(texts), "utf-8")
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    assert [tr(text, "zh", a=1) for text in texts] == ["1 seen", "broken 1", "好 1"]
    assert tr("{c} is missing", "en", a=1) == "{c} is missing"


def test_a_missing_catalogue_is_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    with caplog.at_level(logging.WARNING):
        assert tr("{label}: {value} found (limit {limit})", "zh", label="a", value=1, limit=0) == "a: 1 found (limit 0)"
        tr("again", "zh")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_broken_file_leaves_the_others(content, tmp_path, monkeypatch, caplog):
    folder = tmp_path / "locale" / "zh"
    folder.mkdir(parents=True)
    (folder / "b.json").write_text(content, "latin-1")
    (folder / "a.json").write_text('{"one": "一"}', "utf-8")
    (folder / "c.json").write_text('{"two": "二", "one": "壹"}', "utf-8")
    (folder / "errors.json").write_text('{"three": "三"}', "utf-8")
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    assert [tr(text, "zh") for text in ("one", "two", "three")] == ["壹", "二", "three"]
    assert ["b.json" in record.getMessage() for record in caplog.records] == [True]


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
        (Reason("count_above", "Defect", 3.0, 0.0), "Defect: 3 found (limit 0)", "Defect 3 处（上限 0）"),
        (Reason("score_above", "{x}", 0.5003, 0.5), "{x}: confidence 0.5003 above 0.5", "{x}：置信度 0.5003 超过 0.5"),
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
    of_parts = {"view_missing", "view_surplus", "view_unexpected", "view_unreadable", "views_below", "views_above"} | {
        "view_unsaved"
    }
    codes = set(CODES) | {"scaled_below", "name_unmatched"} | of_parts
    assert codes == set(i18n._REASONS)
    verdict = judge([Detection("Defect", 0.9, (0, 0, 1, 1))], Rules({"Defect": {"score": Limit(ng=0.5)}}))
    assert [reason_text(reason, "zh") for reason in verdict.reasons] == ["Defect：置信度 0.9 超过 0.5"]


def test_the_door_for_plugins_stays_light():
    code = "import sys, inspector.api; assert 'inspector.i18n' not in sys.modules; print(inspector.api.reason_text)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0 and "reason_text" in ended.stdout, ended.stderr
