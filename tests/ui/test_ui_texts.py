"""The window's words in the language of the moment."""

import pytest

from inspector.api import Text
from inspector.ui import texts


@pytest.fixture(autouse=True)
def english():
    yield
    texts.use("en")


def test_the_language_of_the_moment():
    texts.use("en")
    assert texts.language() == "en" and texts.t("Start") == "Start" and texts.read(Text("Box", "盒")) == "Box"
    texts.use("zh")
    assert texts.language() == "zh" and texts.t("Start") == "开始" and texts.read(Text("Box", "盒")) == "盒"


@pytest.mark.parametrize("system, expected", [("zh_CN.UTF-8", "zh"), ("en_GB.UTF-8", "en"), ("de_DE.UTF-8", "en")])
def test_auto_is_what_the_system_speaks(monkeypatch, system, expected):
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", system)
    texts.use("auto")
    assert texts.language() == expected


def test_values_fill_their_places_and_braces_in_them_are_left_alone():
    texts.use("zh")
    assert texts.t("Inspected: {inspected}. NG: {ng}.", inspected=3, ng="{x}").count("{x}") == 1


def test_an_errors_sentence_is_translated_with_its_parts():
    texts.use("zh")
    said = texts.sentence("D:/a {b}.png is not there any more; put it back there to see its picture")
    assert "D:/a {b}.png" in said and "not there" not in said
    assert texts.sentence("A sentence of somebody's plugin") == "A sentence of somebody's plugin"
