"""Notices and bill of materials, out of what PyInstaller says it took."""

import json
import sys
from pathlib import Path

import pytest

import notices


@pytest.fixture
def work(tmp_path):
    """``work(*files)``: the tables that PyInstaller leaves, as if these files had been put in."""

    def write(*files):
        rows = [(Path(file).name, str(file), "DATA") for file in files]
        (tmp_path / "COLLECT-00.toc").write_text(repr((rows,)), "utf-8")
        (tmp_path / "PYZ-00.toc").write_text(repr(("a.pyz", [])), "utf-8")
        (tmp_path / "EXE-00.toc").write_text(repr(("exe", True, [("u", "", "OPTION")], [(1, "flag")])), "utf-8")
        return tmp_path

    return write


@pytest.mark.slow
def test_files_are_traced_to_what_they_came_from(work):
    import os

    import pluggy
    import torch

    parts = notices.inside(work(pluggy.__file__, torch.__file__, os.__file__, notices.__file__), [])
    found = {part.name: part for part in parts}
    assert set(found) - {"pyinstaller"} == {"pluggy", "torch", "Python"}  # ours are not listed; PyInstaller where it is
    assert found["pluggy"].licence.startswith("MIT") and found["pluggy"].files == 1
    assert "Permission is hereby granted" in "".join(found["pluggy"].texts.values())
    assert found["torch"].texts and found["torch"].purl.startswith("pkg:pypi/torch@2")
    assert found["Python"].version == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/var/lib/dpkg/status").exists(), reason="no Debian")
def test_libraries_of_the_system_are_traced_to_their_package(work):
    library = next(Path("/").glob("usr/lib/*/libc.so.6"))
    (part,) = [part for part in notices.inside(work(library), []) if part.kind == "deb"]
    assert part.name == "libc6" and "GPL" in "".join(part.texts.values())


@pytest.mark.slow
def test_a_file_of_nobody_fails_the_build(work, tmp_path):
    stray = tmp_path / "stray.so"
    stray.touch()
    with pytest.raises(SystemExit, match=r"stray\.so"):
        notices.inside(work(stray), [])


def test_a_text_that_two_share_stands_once():
    parts = [notices.Part(name, "1", "pypi", "MIT", {"LICENSE": "Permission to …"}) for name in ("a", "b")]
    text = notices.text(parts)
    assert text.count("Permission to …") == 1 and "As of a, LICENSE." in text
    assert "  a 1: MIT" in text and "  b 1: MIT" in text


def test_the_bill_is_cyclonedx(tmp_path):
    (tmp_path / "bearing-inspector").write_bytes(b"program")
    (tmp_path / "README.md").touch()
    part = notices.Part("libX 1", "1.0", "deb", "")
    bill = json.loads(json.dumps(notices.bill([part], "0.1.0", tmp_path)))
    assert bill["bomFormat"] == "CycloneDX" and bill["specVersion"] == "1.6"
    (digest,) = bill["metadata"]["component"]["hashes"]
    assert len(digest["content"]) == 64
    assert bill["components"][0]["purl"] == "pkg:deb/debian/libX 1@1.0".replace(" ", "%20")
