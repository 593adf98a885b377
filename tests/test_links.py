"""Every relative link of every Markdown file of the repository leads to a file and to a heading in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (".", ".github", "assets", "docs", "inspector", "packaging", "plugins", "sample_data")
PAGES = sorted(
    page for room in ROOMS for page in ((ROOT / room).glob("*.md") if room == "." else (ROOT / room).rglob("*.md"))
)


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    plain = (
        re.sub(r"[`*]|\]\([^)]*\)", "", heading) for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    )
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page))):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or file.suffix != ".md" or anchor in anchors(file), target


def test_a_dead_anchor_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Two `words`, and more\n")
    assert anchors(page) == {"two-words-and-more"}
