"""The manual is held to the window: it names what is there, alike in both languages, and has all its images."""

import json
import re

import pytest
from PIL import Image

from inspector import registry, settings
from inspector.system import paths
from inspector.ui.kit.markdown.parser import Block, inline, parse

FOLDER = paths.assets() / "manual"
LANGUAGES = ("zh", "en")
NAMED = {"zh": re.compile(r"「([^」]+)」"), "en": re.compile(r"\*\*(.+?)\*\*")}
PICTURE_BYTES = 150_000
PROBLEMS = {"zh": "出现问题时", "en": "When something goes wrong"}


def source(language: str) -> str:
    return (FOLDER / f"manual.{language}.md").read_text("utf-8")


def blocks(language: str, kind: str) -> list[Block]:
    return [block for block in parse(source(language)) if block.kind == kind]


def translations() -> dict[str, str]:
    """Every English text of the window with its Chinese one."""
    found: dict[str, str] = {}
    for file in (paths.assets() / "locale" / "zh").glob("*.json"):
        found |= json.loads(file.read_text("utf-8"))
    return found


def titles(language: str) -> set[str]:
    """Titles of the declared options and the plugins, also as in menus."""
    catalogue = registry.load()
    specs = [*catalogue.sources.values(), *catalogue.models.values(), *catalogue.exporters.values()]
    texts = [spec.title for spec in specs] + [option.title for option in settings.CORE]
    named = {text.read(language) for text in texts}
    return named | {f"{name}…" for name in named}


def as_read(template: str) -> str:
    """A template as the manual writes it: what varies is an ellipsis."""
    return re.sub(r"\{\w*[^}]*\}", "…", template)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_stands_in_the_window(language):
    known = translations()
    shown = {*(known.values() if language == "zh" else known), *titles(language)}
    named = NAMED[language].findall(source(language))
    assert len(named) > 80
    assert sorted({name for name in named if name not in shown}) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_one_of_the_program(language):
    known = translations()
    said = {as_read(text) for text in (known.values() if language == "zh" else known)}
    text = source(language)
    part = text[text.index(f"## {PROBLEMS[language]}") :].split("\n## ")[0]
    (table,) = (block for block in parse(part) if block.kind == "table")
    messages = [row[0] for row in table.rows[1:]]
    assert len(messages) > 10
    assert [message for message in messages if message not in said] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_images_exist_are_small_and_described(language):
    images = blocks(language, "image")
    assert len(images) > 8
    for block in images:
        file = FOLDER / block.mark
        assert file.stem.endswith(f".{language}") and len(block.text) > 8, block
        assert file.stat().st_size < PICTURE_BYTES, file
        with Image.open(file) as image:
            assert image.width <= 1366 and image.height <= 768, file
            assert len(image.convert("L").getcolors() or ()) > 20, f"{file} is blank"


def test_no_image_lies_there_unused():
    used = {block.mark for language in LANGUAGES for block in blocks(language, "image")}
    assert used == {f"images/{file.name}" for file in (FOLDER / "images").iterdir()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_links_lead_somewhere(language):
    anchors = {block.mark for block in blocks(language, "heading")}
    targets = [target for _, _, target in inline(source(language)) if target and not target.startswith("images/")]
    assert targets
    for target in targets:
        name, _, anchor = target.partition("#")
        assert (FOLDER / name).exists() if name else anchor in anchors, target


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/manual.zh.md", "docs/manual.en.md"])
def test_the_pages_that_lead_to_it_have_whole_links(page):
    file = paths.assets().parent / page
    targets = re.findall(r"\]\(([^)#:]+)\)", file.read_text("utf-8"))
    assert any("assets/manual" in target for target in targets)
    assert [target for target in targets if not (file.parent / target).exists()] == []


def test_both_languages_are_built_alike():
    shapes = []
    for language in LANGUAGES:
        parsed = parse(source(language))
        wanted = [block for block in parsed if block.kind in ("heading", "image", "table")]
        shapes.append([(block.kind, block.level, len(block.rows)) for block in wanted])
        images = [block.mark.replace(f".{language}.", ".") for block in wanted if block.kind == "image"]
        shapes[-1] += [("image", 0, name) for name in images]
    assert shapes[0] == shapes[1]
