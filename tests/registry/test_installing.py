import hashlib
import json
import subprocess
import sys
import zipfile

import pytest
from links import needs_links

from inspector.domain import InputError
from inspector.registry.installing import disable, enable, install, look, remove, staged
from inspector.registry.loading import load


def zipped(file, **files):
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file


def versioned(text: str, version: str) -> str:
    return text.replace('"version": "1.0"', f'"version": "{version}"')


def record(plugin_id):
    return next(record for record in load().records if record.id == plugin_id)


@pytest.fixture
def forms(tmp_path, good):
    """The same plugin in every form in which it may come."""
    (tmp_path / "中文 plug.py").write_text(good("p"), encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .part import x\n" + good("p"))
    (folder / "part.py").write_text("x = 1")
    package = {"__init__.py": "from .part import x\n" + good("p"), "part.py": "x = 1"}
    return {
        "file": tmp_path / "中文 plug.py",
        "folder": folder,
        "zip of a file": zipped(
            tmp_path / "a.zip", **{"plug.py": good("p"), "README.md": "", "__MACOSX/._plug.py": "?"}
        ),
        "zip of a folder": zipped(tmp_path / "b.ZIP", **{f"some-name/{name}": text for name, text in package.items()}),
        "zip of its files": zipped(tmp_path / "c.zip", **package),
        "zip of two files": zipped(tmp_path / "d.zip", **{"plug.py": good("p"), "setup.py": "raise SystemExit"}),
    }


@pytest.mark.parametrize(
    "form", ["file", "folder", "zip of a file", "zip of a folder", "zip of its files", "zip of two files"]
)
def test_every_form_is_installed_and_works(forms, form, home):
    installed = install(forms[form])
    assert installed.path == home / "plugins" / "p" and installed.replaced is None
    found = record("p")
    assert found.state == "active" and "p" in load().sources, found.reason
    assert found.sha256 == installed.sha256
    if forms[form].is_file():
        assert installed.sha256 == hashlib.sha256(forms[form].read_bytes()).hexdigest()
    assert [path.name for path in (home / "plugins").iterdir()] == ["p"]


def test_a_place_that_cannot_be_written_is_told(forms, tmp_path):
    with (
        pytest.raises(InputError, match=r"gone cannot be written \(.+\); make it writable"),
        staged(forms["file"], tmp_path / "gone"),
    ):
        pass


def test_a_look_tells_what_would_be_installed_and_changes_nothing(forms, home):
    seen = look(forms["zip of a folder"])
    assert seen.manifest.id == "p" and seen.path == home / "plugins" / "p" and seen.replaced is None
    assert not seen.path.exists() and not list((home / "plugins").iterdir())
    assert install(forms["zip of a folder"], seen.sha256) == seen
    assert look(forms["file"]).replaced == "1.0" and look(forms["folder"]).sha256 != seen.sha256


def test_what_changed_after_the_look_is_not_installed(tmp_path, good, dropins):
    file = tmp_path / "p.py"
    file.write_text(good("p"))
    seen = look(file)
    file.write_text(versioned(good("p"), "2.0"))
    with pytest.raises(InputError, match=r"p\.py has changed since it was checked; check it again"):
        install(file, seen.sha256)
    assert not list(dropins.iterdir())


def test_a_look_refuses_what_cannot_be_installed(tmp_path, good):
    (tmp_path / "tables.py").write_text(good("tables"))
    with pytest.raises(InputError, match="belongs to a plugin that is built-in"):
        look(tmp_path / "tables.py")
    with pytest.raises(InputError, match="There is no"):
        look(tmp_path / "nothing.py")


def test_the_hash_of_a_folder_is_that_of_its_sha256sum_lines(forms):
    folder = forms["folder"]
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    names = ("__init__.py", "part.py")
    lines = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    assert install(folder).sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_nothing_of_it_is_run(tmp_path, plugin):
    (tmp_path / "x.py").write_text(plugin("x", f"open({str(tmp_path / 'ran')!r}, 'w')"))
    install(tmp_path / "x.py")
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_newer_version_replaces_the_older_and_is_used_at_once(tmp_path, good, home):
    file = tmp_path / "p.py"
    file.write_text(good("p", spec="old"))
    install(file)
    assert "old" in load().sources
    file.write_text(versioned(good("p", spec="new"), "2.0"))
    assert install(file).replaced == "1.0"
    registry = load()
    assert "new" in registry.sources and "old" not in registry.sources
    previous = home / "plugins-state" / "previous" / "p" / "p"
    assert install(previous).replaced == "2.0"  # back again
    assert "old" in load().sources


def test_a_replaced_wheel_is_used_at_once(wheel, good):
    install(wheel({"trial_r.py": good("r", spec="r1")}, "r = trial_r"))
    assert "r1" in load().sources
    install(wheel({"trial_r.py": versioned(good("r", spec="r2"), "2.0")}, "r = trial_r"))
    assert "r2" in load().sources and record("r").version == "2.0"


def test_a_file_that_a_user_dropped_is_kept_when_it_is_replaced(tmp_path, dropins, good, home):
    (dropins / "mine.py").write_text(good("p", spec="mine"))
    (tmp_path / "p.py").write_text(good("p"))
    install(tmp_path / "p.py")
    assert sorted(path.name for path in dropins.iterdir()) == ["p"]
    assert "mine" in (home / "plugins-state" / "previous" / "p" / "mine.py").read_text()


def test_installing_again_switches_on(tmp_path, good):
    (tmp_path / "p.py").write_text(good("p"))
    install(tmp_path / "p.py")
    disable("p")
    assert record("p").state == "disabled"
    install(tmp_path / "p.py")
    assert record("p").state == "active"


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path, plugin, dropins, good, entry_point):
    entry_point("trial-i", "[bearing_inspector.plugins]\nx = trial_i\n", {"trial_i.py": good("inst")})
    cases = {
        "tables": (plugin("Tables", ""), "belongs to a plugin that is built-in"),
        "inst": (good("inst"), "belongs to a plugin that is installed"),
        "api": (plugin("a", "", api=2), "interface 2, this program has 1"),
        "needs": (plugin("a", "", requires=["nowhere-to-be-found"]), "needs nowhere-to-be-found \\(not installed\\)"),
        "none": ("x = 1", "has no PLUGIN"),
        "bad": ("def (", "not valid Python"),
    }
    for name, (text, says) in cases.items():
        (tmp_path / f"{name}.py").write_text(text)
        with pytest.raises(InputError, match=says):
            install(tmp_path / f"{name}.py")
    folder = tmp_path / "empty"
    folder.mkdir()
    for given, says in (
        (folder, "contains no plugin, or more than one"),
        (tmp_path / "none.zip", "There is no"),
        (zipped(tmp_path / "two.zip", **{"a/__init__.py": "", "b/__init__.py": ""}), "or more than one"),
        (zipped(tmp_path / "up.zip", **{"__init__.py": good("z"), "../../evil.py": ""}), "outside"),
    ):
        with pytest.raises(InputError, match=says):
            install(given)
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(InputError, match="is not a plugin; give"):
        install(tmp_path / "text.txt")
    assert not list(dropins.iterdir())


def test_the_data_folder_itself_is_no_plugin(home, good):
    (home / "__init__.py").write_text(good("p"))
    with pytest.raises(InputError, match="the program's own data"):
        install(home)


def test_a_failure_half_way_puts_the_old_one_back(tmp_path, good, home, monkeypatch):
    from pathlib import Path

    (tmp_path / "p.py").write_text(good("p", spec="old"))
    install(tmp_path / "p.py")
    (tmp_path / "p.py").write_text(good("p", spec="new"))

    def replace(self, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", replace)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text(good("p", spec="new"))
    with pytest.raises(InputError, match="cannot be written \\(in use\\)"):
        install(tmp_path / "pack")
    monkeypatch.undo()
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(home))
    assert "old" in load().sources


def test_removes_drop_ins_only(tmp_path, dropins, good, entry_point, home):
    entry_point("trial-i", "[bearing_inspector.plugins]\nx = trial_i\n", {"trial_i.py": good("inst")})
    (tmp_path / "p.py").write_text(good("p"))
    install(tmp_path / "p.py")
    (dropins / "broken.py").write_text("def (")
    for name in ("p", "broken"):
        load()
        assert not remove(name).exists()
    assert not list(dropins.iterdir())
    assert json.loads((home / "plugins-state" / "state.json").read_text()) == {"plugins": {}}
    for name, says in (
        ("tables", "built in and cannot be removed; disable it instead"),
        ("inst", "installed as a package; remove it with pip"),
        ("p", "There is no plugin 'p'; known are annotated, "),
    ):
        with pytest.raises(InputError, match=says):
            remove(name)


@pytest.mark.slow
def test_of_two_with_one_id_the_file_is_named(dropins, good):
    (dropins / "one.py").write_text(good("same"))
    (dropins / "two.py").write_text(good("same"))
    (dropins / "copy.py").write_text(good("tables"))
    with pytest.raises(InputError, match="several plugins; name the file or folder: one"):
        remove("same")
    remove("two.py")
    remove("same")
    assert remove("tables").name == "copy.py"  # the drop-in that clashes with the built-in one
    assert not list(dropins.iterdir())


@needs_links
def test_a_linked_plugin_is_unlinked_and_its_folder_stays(dropins, tmp_path, good):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "__init__.py").write_text(good("dev"))
    (dropins / "dev").symlink_to(tmp_path / "dev", target_is_directory=True)
    assert record("dev").state == "active"
    remove("dev")
    assert (tmp_path / "dev" / "__init__.py").exists() and not list(dropins.iterdir())


def test_switching_an_unknown_plugin_names_the_known_ones():
    for switch in (enable, disable):
        with pytest.raises(InputError, match="There is no plugin 'nothing'; known are annotated, "):
            switch("nothing")


def test_installing_while_another_program_has_it_loaded(tmp_path, good, dropins):
    (tmp_path / "p.py").write_text(good("p"))
    install(tmp_path / "p.py")
    code = "from inspector import registry; registry.load(); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "ready\n"
        (tmp_path / "p.py").write_text(versioned(good("p"), "2.0"))
        install(tmp_path / "p.py")
        other.communicate("\n")
        assert other.returncode == 0
    assert record("p").version == "2.0"
