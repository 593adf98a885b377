import sys

import pytest

from inspector.api import API_VERSION
from inspector.registry.manifest import Refused, check_fit, check_manifest, read_manifest, unmet

RIGHT = {"id": "a", "api": API_VERSION}


def read(tmp_path, text: str | bytes):
    file = tmp_path / "x.py"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(file)


def test_reads_all_keys_without_running_the_file(tmp_path):
    manifest = read(
        tmp_path,
        'import sys\nsys.exit(3)\nPLUGIN: dict = {"id": "my.plug-in_1", "version": "2.1", "api": 1, "kinds": ["layer"],'
        ' "requires": ["numpy>=1"], "description": "d", "description_zh": "说明", "licence": "MIT"}\nraise SystemExit',
    )
    assert (manifest.id, manifest.version, manifest.api) == ("my.plug-in_1", "2.1", 1)
    assert manifest.kinds == ("layer",) and manifest.requires == ("numpy>=1",)
    assert (manifest.description, manifest.description_zh, manifest.licence) == ("d", "说明", "MIT")


def test_reads_an_encoding_cookie(tmp_path):
    text = '# -*- coding: gb18030 -*-\nPLUGIN = {"id": "a", "api": 1, "description": "轴承"}\n'
    assert read(tmp_path, text.encode("gb18030")).description == "轴承"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def (", "not valid Python.*line 1"),
        ("x = 1", "has no PLUGIN"),
        ("if True:\n    PLUGIN = {}", "has no PLUGIN"),
        ("PLUGIN = dict(id='a')", "must be a literal"),
        ("NAME = 'a'\nPLUGIN = {'id': NAME}", "must be a literal"),
        ("PLUGIN = {'id': 'a'}\nPLUGIN = {'id': 'b'}", "more than once"),
        ("PLUGIN = ['a']", "must be a dictionary, not list"),
        ("PLUGIN = {[]: 1}", "must be a literal"),
        ("x = " + "(" * 5000, "not valid Python"),
        ("x = " + "-" * 100_000 + "1", "not valid Python"),
        (b"PLUGIN = {'id': '\xff'}", "not valid Python"),
        (b"\0\0", "not valid Python"),
        ("", "has no PLUGIN"),
    ],
)
def test_refuses_a_file_in_one_sentence(tmp_path, text, says):
    with pytest.raises(Refused, match=says) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(Refused, match="cannot be read"):
        read_manifest(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": None}, "id must be"),
        ({"id": ""}, "id must be"),
        ({"id": "../a"}, "id must be"),
        ({"id": "a b"}, "id must be"),
        ({"id": "轴承"}, "id must be"),
        ({"id": ".a"}, "id must be"),
        ({"id": "a."}, "id must be"),
        ({"id": "a\n"}, "id must be"),
        ({"id": "x" * 65}, "id must be"),
        ({"id": "CON"}, "reserved"),
        ({"id": "nul.txt"}, "reserved"),
        ({"api": None}, "api must be the whole number 1, not None"),
        ({"api": "1"}, "api must be"),
        ({"api": True}, "api must be"),
        ({"api": 1.0}, "api must be"),
        ({"version": 1.0}, "version must be a text"),
        ({"kinds": "source"}, "kinds must be a list"),
        ({"kinds": ["sources"]}, "unknown kind 'sources'"),
        ({"requires": [1]}, "requires must be a list"),
        ({"requires": ["no such thing!"]}, "is not a requirement"),
        ({"descriptoin": "x"}, "did you mean 'description'"),
        ({"min_app": "x"}, "unknown key 'min_app'; known are id"),
        ({1: "x"}, "unknown key 1"),
    ],
)
def test_names_what_is_wrong(change, says):
    with pytest.raises(Refused, match=says):
        check_manifest(RIGHT | change)


def test_only_the_id_and_the_interface_count_of_another_interface():
    manifest = check_manifest({"id": "a", "api": 7, "version": "3", "permissions": ["x"], "kinds": 5})
    assert (manifest.id, manifest.api, manifest.version) == ("a", 7, "3")
    with pytest.raises(Refused, match=f"interface 7, this program has {API_VERSION}") as caught:
        check_fit(manifest)
    assert caught.value.state == "incompatible"


def test_names_every_requirement_that_is_not_met():
    lacking = unmet(
        ["numpy>=1", "numpy<0.1", "no-such-thing-here", f'nothing; python_version < "{sys.version_info[0]}"']
    )
    assert len(lacking) == 2
    assert lacking[0].startswith("numpy<0.1 (version ") and lacking[1] == "no-such-thing-here (not installed)"


def test_a_missing_requirement_is_the_state_missing():
    with pytest.raises(Refused, match="a needs no-such-thing-here>=2 \\(not installed\\), also-not") as caught:
        check_fit(check_manifest(RIGHT | {"requires": ["no-such-thing-here>=2"]}), ["also-not"])
    assert caught.value.state == "missing"
