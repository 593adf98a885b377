import pytest

from inspector.registry.installing import install
from inspector.registry.loading import load
from inspector.registry.manifest import Refused

POINT = "w = trial_w.plug"


@pytest.fixture
def files(good):
    return {
        "trial_w/__init__.py": "",
        "trial_w/plug.py": "from trial_w import part\n" + good("w"),
        "trial_w/part.py": "",
    }


@pytest.mark.parametrize("tag", ["py3-none-any", "py2.py3-none-any"])
def test_a_pure_wheel_works_without_pip(wheel, files, tag, home):
    installed = install(wheel(files, POINT, tag))
    assert installed.path == home / "plugins" / "w"
    record = load().records[-1]
    assert (record.id, record.origin, record.state, record.module) == ("w", "drop-in", "active", "trial_w.plug")
    assert record.sha256 == installed.sha256
    again = [each for each in load().records if each.id == "w"]  # its metadata is on the path now
    assert [(each.origin, each.state) for each in again] == [("drop-in", "active")]


def test_a_module_that_is_hidden_by_another_is_told(wheel, good, dropins):
    install(wheel({"json/__init__.py": good("w")}, "w = json"))
    record = load().records[-1]
    assert record.state == "failed" and "hidden by another one of that name" in record.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tag": "cp311-cp311-win_amd64"}, "is a wheel for cp311-cp311-win_amd64; only pure Python wheels"),
        ({"tag": "py2-none-any"}, "is a wheel for py2-none-any"),
        ({"tag": "cp311-cp311-win_amd64", "wheel_tag": "py3-none-any"}, "only pure Python"),
        ({"metadata": "Requires-Python: >=4\n"}, "needs Python >=4, this program runs on 3"),
        ({"metadata": "Requires-Dist: no-such-thing-here>=3\n"}, "w needs no-such-thing-here>=3 \\(not installed\\)"),
        ({"change": {"trial_w/part.py": "evil()"}}, "was changed: trial_w/part.py"),
        ({"change": {"trial_w/more.py": "evil()"}}, "contains trial_w/more.py, which RECORD does not list"),
        ({"change": {"other-2.0.dist-info/WHEEL": ""}}, "it has 2 dist-info folders"),
        ({"points": ""}, "names 0 plugins"),
        ({"points": "a = trial_w.plug\nb = trial_w.part"}, "names 2 plugins"),
        ({"points": "w = trial_w.none"}, "the module trial_w.none, which it does not hold"),
        ({"points": "w = trial_w.plug:run"}, "without 'run'"),
    ],
)
def test_other_wheels_are_refused(wheel, files, change, says, dropins):
    with pytest.raises(Refused, match=says):
        install(wheel(files, **({"points": POINT} | change)))
    assert not list(dropins.iterdir())


def test_an_unmet_extra_does_not_count(wheel, files):
    install(wheel(files, POINT, metadata="Requires-Dist: no-such-thing-here; extra == 'test'\n"))
    assert load().records[-1].state == "active"


def test_a_wheel_without_record_is_refused(wheel, files, tmp_path):
    import zipfile

    whole = wheel(files, POINT)
    part = tmp_path / "part" / whole.name
    part.parent.mkdir()
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(part, "w") as write:
        for name in read.namelist():
            if not name.endswith("RECORD"):
                write.writestr(name, read.read(name))
    with pytest.raises(Refused, match="lacks WHEEL or RECORD"):
        install(part)
