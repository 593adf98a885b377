"""Every sentence for the user in the sources has its Chinese template, and no template is left over."""

import ast
import json
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from inspector import i18n
from inspector.api import LayerKind
from inspector.datasets.yolo_layout.report import COUNTED
from inspector.domain import InputError, InspectorError, cli_text, from_json, join_messages, message, to_json
from inspector.i18n import translate
from inspector.registry import load
from inspector.registry.manifest import KINDS, State
from inspector.registry.records import Origin
from inspector.system.paths import assets

ROOT = Path(__file__).parents[1]
CHINESE = assets() / "locale" / "zh"
ERRORS = {"ConversionRefused", "InputError", "InspectorError", "Refused", "TryAgain"}
WORDS = {*get_args(State), *get_args(Origin), *KINDS, *get_args(LayerKind)}  # values that are translated as they are
JOINTS = {"{first}, {other}", "{first}; {other}", "{first} and {other}", "{split}: {text}"}
# Constants whose texts are passed to message(): module, name.
TABLES = {("foreign", "FORMATS"), ("report", "KINDS"), ("report", "COUNTED"), ("checkpoint", "_OTHER_TASKS")}
FLAG = re.compile(r"--[a-z{]")


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call in the sources that makes a message or an error, with its place."""
    for path in sorted([*(ROOT / "inspector").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in {"message", *ERRORS}:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def tables() -> Iterator[tuple[str, str]]:
    for path in sorted([*(ROOT / "inspector").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and (path.stem, getattr(node.targets[0], "id", "")) in TABLES:
                assert isinstance(node.value, ast.Dict)
                for text in (part for value in node.value.values for part in ast.walk(value)):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value not in COUNTED:
                        yield f"{path.relative_to(ROOT)}:{text.lineno}", text.value


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def texts(file: str) -> dict[str, str]:
    read: dict[str, str] = json.loads((CHINESE / file).read_text("utf-8"))
    return read


@pytest.fixture(scope="module")
def templates() -> dict[str, str]:
    """Template in the sources -> where it is."""
    found = {text: place for place, text in tables()}
    for place, call in calls():
        for text in ast.walk(call.args[0]) if isinstance(call.args[0], ast.IfExp | ast.BoolOp) else [call.args[0]]:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[text.value] = place
    return found


def test_every_template_is_translated(templates):
    known = texts("errors.json")
    missing = [f"{place}: {text}" for text, place in templates.items() if text not in known and " " in text]
    assert not missing, "\n".join(["Not in assets/locale/zh/errors.json:", *missing])


def test_no_template_is_left_over(templates):
    unused = texts("errors.json").keys() - templates.keys() - WORDS - JOINTS
    assert not unused, "\n".join(["In errors.json, but in no source:", *sorted(unused)])


def test_what_is_no_sentence_of_ours_is_kept_apart():
    assert not texts("errors.json").keys() & texts("system.json").keys()
    assert texts("errors.json").keys() >= WORDS


def test_the_parameters_of_each_call_are_the_fields_of_its_template():
    """No f-string is raised, since nothing could translate it."""
    for place, call in calls():
        assert not isinstance(call.args[0], ast.JoinedStr), place
        names = {keyword.arg for keyword in call.keywords}
        if isinstance(call.args[0], ast.Constant) and None not in names and names - {"cli_hint", "state"}:
            wanted = fields(call.args[0].value)
            assert wanted == names - ({"cli_hint", "state"} - wanted), place


def test_every_translation_has_the_fields_of_its_template():
    for english, chinese in texts("errors.json").items():
        if re.search(r"\{[a-z]", english):
            assert fields(chinese) == fields(english), english


def test_every_translation_is_chinese():
    for english, chinese in [*texts("errors.json").items(), *texts("system.json").items()]:
        words = re.search("[A-Za-z]", re.sub(r"\{.*?\}", "", english))
        assert not words or re.search("[\u4e00-\u9fff]", chinese), english
        assert chinese[-1] not in ",;:?!", english


def test_the_window_names_no_option_of_the_command_line(templates):
    """Nothing that can reach the window says ``--``: sentences from below, the window's own texts, those of specs."""
    own = {text for text, place in templates.items() if place.startswith("inspector/cli/")}
    said = [text for pair in texts("errors.json").items() for text in pair if pair[0] not in own]
    for file in CHINESE.glob("*.json"):
        if file.name not in ("errors.json", "core.json"):  # the command line says what is in core.json
            said += [text for pair in texts(file.name).items() for text in pair]
    specs = load()
    for kind in (specs.models, specs.sources, specs.exporters, specs.layers):
        for spec in kind.values():
            lists = ("options", "train_options", "validate_options", "export_options")
            options = [option for each in lists for option in getattr(spec, each, ())]
            said += [part for text in (spec.title, *(o.title for o in options)) for part in (text.en, text.zh)]
            said += [part for option in options for part in (option.help.en, option.help.zh)]
    assert len(said) > 2000
    assert not [text for text in said if FLAG.search(text)]


TAKEN = message("{path} is a file; choose a folder for the results", path="/a {b}/--c", cli_hint="--output")


def test_a_message_is_translated_by_its_template():
    assert TAKEN == "/a {b}/--c is a file; choose a folder for the results"
    assert translate(TAKEN, "zh").startswith("/a {b}/--c ") and translate(TAKEN, "en") == TAKEN


def test_a_message_within_a_message_is_translated_too():
    nested = InspectorError("Exporter {id} failed: {reason}", id="xlsx", reason=InputError(TAKEN))
    assert translate(str(nested), "zh") == f"导出器 xlsx 失败：{translate(TAKEN, 'zh')}"
    assert translate(join_messages("; ", [TAKEN, "b"]), "zh") == f"{translate(TAKEN, 'zh')}；b"


def test_what_the_system_says_is_translated_and_a_name_is_not():
    said = message("{name} cannot be read ({reason})", name="model", reason="Permission denied")
    assert translate(said, "zh") == "model 无法读取（没有权限）"


@pytest.mark.parametrize("text", ["of a plugin: {x} {0} {", "}{", "", "x" * 100_000, "A {path} B"])
def test_a_plain_text_with_braces_stays_as_it_is(text):
    error = InputError(text)
    assert str(error) == text == translate(str(error), "zh") == cli_text(str(error)) == error.message


def test_a_template_that_does_not_fit_its_parameters_is_shown_as_it_is():
    assert message("{missing} is {there:d}", there="no") == "{missing} is {there:d}"


def test_values_are_kept_as_they_are():
    for value in ("{0}", "{path}", "a\nb", "中文{", "", 3, 2.5, None, True, "\udcff"):
        said = message("{path} does not exist; check the path", path=value)
        assert said == f"{value} does not exist; check the path"
        assert from_json(json.loads(json.dumps(to_json({"a": [said]})))) == {"a": [said]}


def test_a_message_survives_pickle_json_and_str():
    error = InspectorError("Exporter {id} failed: {reason}", id="xlsx", reason=TAKEN)
    for copy in (
        str(pickle.loads(pickle.dumps(error))),
        pickle.loads(pickle.dumps(error.message)),
        from_json(json.loads(json.dumps(to_json(error.message)))),
    ):
        assert copy == str(error) and translate(copy, "zh") == translate(str(error), "zh") != copy
        assert cli_text(copy).endswith("results (--output)")


def test_the_command_line_shows_the_hints_and_the_text_does_not():
    assert "--output" not in TAKEN[12:] and cli_text(TAKEN) == f"{TAKEN} (--output)"
    assert InputError(TAKEN, cli_hint="--to").message.cli_hint == "--to"


def test_a_missing_catalogue_leaves_english(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(i18n, "assets", lambda: tmp_path)
    i18n._sentences.cache_clear()
    try:
        assert translate("yes or no", "zh") == translate("yes or no", "zh") == "yes or no"
        assert len(caplog.records) == 1
    finally:
        i18n._sentences.cache_clear()
