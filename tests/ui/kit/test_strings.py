"""Texts of the window in the current language."""

import pytest

from inspector.api import Text
from inspector.ui.kit import strings


@pytest.fixture(autouse=True)
def english():
    yield
    strings.set_language("en")


def test_the_language_of_the_moment():
    strings.set_language("en")
    assert (
        strings.language() == "en" and strings.tr("Start") == "Start" and strings.localized(Text("Box", "盒")) == "Box"
    )
    strings.set_language("zh")
    assert strings.language() == "zh" and strings.tr("Start") == "开始" and strings.localized(Text("Box", "盒")) == "盒"


@pytest.mark.parametrize("system, expected", [("zh_CN.UTF-8", "zh"), ("en_GB.UTF-8", "en"), ("de_DE.UTF-8", "en")])
def test_auto_is_what_the_system_speaks(monkeypatch, system, expected):
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", system)
    strings.set_language("auto")
    assert strings.language() == expected


def test_values_fill_their_places_and_braces_in_them_are_left_alone():
    strings.set_language("zh")
    assert strings.tr("Inspected: {inspected}. NG: {ng}.", inspected=3, ng="{x}").count("{x}") == 1


def test_an_errors_sentence_is_translated_with_its_parts():
    strings.set_language("zh")
    said = strings.sentence("D:/a {b}.png no longer exists; put it back there to see its image")
    assert "D:/a {b}.png" in said and "not there" not in said
    assert strings.sentence("A sentence of somebody's plugin") == "A sentence of somebody's plugin"
