import os
import stat
import struct
import zipfile

import pytest
from links import needs_links

from inspector.registry import archives
from inspector.registry.archives import copy_folder, unpack
from inspector.registry.manifest import Refused


def make(tmp_path, *entries):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return file


def test_unpacks_files_and_folders(tmp_path):
    file = make(tmp_path, ("a/b/c.txt", "one"), ("a/", ""), ("中文 😀.py", "two"), (".hidden/x", "three"))
    target = tmp_path / "out"
    target.mkdir()
    unpack(file, target)
    assert (target / "a/b/c.txt").read_text() == "one" and (target / "中文 😀.py").read_text() == "two"
    assert (target / ".hidden/x").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../evil.py", "outside"),
        ("a/../../evil.py", "outside"),
        ("..", "outside"),
        ("/etc/evil.py", "outside"),
        ("//server/share/evil.py", "outside"),
        ("C:/evil.py", "outside"),
        ("c:evil.py", "outside"),
        ("a\\..\\evil.py", "outside"),
        ("..\\evil.py", "outside"),
        ("a/./b.py", "not a valid file name"),
        ("a//b.py", "not a valid file name"),
        ("a/b.py:stream", "not a valid file name"),
        ("con", "not a valid file name"),
        ("a/nul.txt", "not a valid file name"),
        ("a/b. ", "not a valid file name"),
        ("a/b.", "not a valid file name"),
        ("a?.py", "not a valid file name"),
        ("a\n.py", "not a valid file name"),
    ],
)
def test_refuses_entries_that_could_land_elsewhere(tmp_path, name, says):
    file = make(tmp_path, ("good.py", "x"), (name, "x"))
    target = tmp_path / "deep" / "out"
    target.mkdir(parents=True)
    with pytest.raises(Refused, match=says):
        unpack(file, target)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "deep", "out"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_refuses_links_and_devices(tmp_path, kind):
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match="a link or not a regular file"):
        unpack(make(tmp_path, (info, "/etc/passwd")), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("names", [("a.py", "A.py"), ("a", "a/b.py"), ("a/b.py", "a")], ids=["case", "below", "above"])
def test_refuses_names_that_clash(tmp_path, names):
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match=r"twice|below an entry"):
        unpack(make(tmp_path, *((name, "x") for name in names)), tmp_path / "out")


def test_refuses_an_encrypted_archive(tmp_path):
    file = make(tmp_path, ("a.py", "x" * 50))
    data = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(signature) + offset
        (flags,) = struct.unpack_from("<H", data, place)
        struct.pack_into("<H", data, place, flags | 1)
    file.write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match="is encrypted"):
        unpack(file, tmp_path / "out")


def test_refuses_too_much(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    bomb = make(tmp_path, *((f"{n}.bin", bytes(6 << 20)) for n in range(9)))
    assert bomb.stat().st_size < 1 << 20
    monkeypatch.setattr(archives, "LARGEST_SIZE", 50 << 20)
    with pytest.raises(Refused, match="has 54 MB unpacked; the limit for a plugin is 50 MB"):
        unpack(bomb, tmp_path / "out")
    monkeypatch.setattr(archives, "MOST_FILES", 5)
    with pytest.raises(Refused, match="contains 9 files; the limit for a plugin is 5"):
        unpack(bomb, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_size_that_lies_is_found(tmp_path):
    file = make(tmp_path, ("a.bin", bytes(1 << 20)))
    data = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    file.write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match="damaged"):
        unpack(file, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 10


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flip"])
def test_damaged_archives_are_told(tmp_path, damage):
    file = make(tmp_path, ("a.py", os.urandom(5000)))
    data = file.read_bytes()
    changed = {"empty": b"", "text": b"hello", "cut": data[:3000], "flip": data[:2000] + b"xxxx" + data[2004:]}
    file.write_bytes(changed[damage])
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match="damaged or not a zip"):
        unpack(file, tmp_path / "out")


def test_copies_a_folder_without_what_is_hidden(tmp_path):
    folder = tmp_path / "中文 plug"
    for name in ("a/b.py", "c.py", ".git/config", "__pycache__/c.pyc", ".secret"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "out").mkdir()
    copy_folder(folder, tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"a/b.py", "c.py"}


@needs_links
@pytest.mark.parametrize("where", ["a", "sub/a"])
def test_refuses_a_folder_with_links(tmp_path, where):
    folder = tmp_path / "plug"
    (folder / "sub").mkdir(parents=True)
    (folder / where).symlink_to("/etc/passwd")
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match=f"contains {where}, which is a link"):
        copy_folder(folder, tmp_path / "out")
    (folder / where).unlink()
    (folder / where).symlink_to("/etc", target_is_directory=True)
    with pytest.raises(Refused, match=f"contains {where}, which is a link"):
        copy_folder(folder, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_entry_without_a_name_is_refused(tmp_path):
    """Found by coverage-guided mutants (tests/faults/guided.py)."""
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("p/__init__.py", "PLUGIN = {}")
    archive.write_bytes(archive.read_bytes().replace(b"p/__init__.py", b"\0/__init__.py"))
    (tmp_path / "target").mkdir()
    with pytest.raises(Refused, match="damaged or not a zip file"):
        unpack(archive, tmp_path / "target")
