"""Text files of other programs: common encodings, parsed within limits, quickly and with little memory."""

import os
import time
import tracemalloc

import pytest

from inspector.datasets.yolo_layout.text_files import LARGEST_YAML, read_json, read_text, read_yaml, shown
from inspector.domain import InputError

TEXT = "train: 图像/训练\nnames: [裂纹, 凹坑]\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_every_usual_encoding_is_read(tmp_path, encoding):
    (tmp_path / "a.yaml").write_bytes(TEXT.encode(encoding))
    assert read_text(tmp_path / "a.yaml", 1000) == TEXT
    assert read_yaml(tmp_path / "a.yaml") == {"train": "图像/训练", "names": ["裂纹", "凹坑"]}
    (tmp_path / "a.json").write_bytes('{"裂纹": 1}'.encode(encoding))
    assert read_json(tmp_path / "a.json") == {"裂纹": 1}


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"names: [Ri\xdf, b]", b"a\x81", b"\x89PNG\r\n\x1a\n\0\0\0\r"])
def test_what_is_no_text_is_refused(tmp_path, data):
    (tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(InputError, match="is text neither in UTF-8 nor in GB 18030; save it as UTF-8"):
        read_text(tmp_path / "a.yaml", 1000)


def test_words_stay_words(tmp_path):
    (tmp_path / "a.yaml").write_text("names: {0: no, 1: yes, 2: on, 3: 010, 4: 1_0, 5: null, 6: 2026-11-30}", "utf-8")
    names = {"0": "no", "1": "yes", "2": "on", "3": "010", "4": "1_0", "5": "null", "6": "2026-11-30"}
    assert read_yaml(tmp_path / "a.yaml") == {"names": names}


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text, complaint",
    [
        (laughs(9), "expands to more than 100000 values"),
        (laughs(40), "expands to more than 100000 values"),
        ("names: " + "[" * 5000, "nested more than 20 levels deep"),
        ("names: " + "{a: " * 5000, "nested more than 20 levels deep"),
        ("- " * 5000, "nested more than 20 levels deep"),
        ("a: &a [*a]", r"uses the alias \*a before its definition"),
        ("a: *nix", "alias|YAML"),
        ("names: [a]\nnames: [b]", "line 2: 'names' is there twice"),
        ("a: &a {x: y}\nb:\n  <<: *a", "merging with << is not read"),
        ("names: [a]\n---\nnames: [b]", "several YAML documents"),
        ("? [a, b]\n: c", "a list or mapping where a word is needed"),
        ("names: [a", "cannot be read as YAML"),
        ("names: \x07[a]", "cannot be read as YAML"),
        ("train: a\n\tval: b", "contains a tab|cannot be read as YAML"),
        ("x: '" + "a" * LARGEST_YAML + "'", "the limit is 1 MB"),
    ],
)
def test_what_would_harm_is_refused_in_one_short_sentence_at_once(tmp_path, text, complaint):
    (tmp_path / "data.yaml").write_text(text, "utf-8")
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(InputError, match=complaint) as refused:
        read_yaml(tmp_path / "data.yaml")
    assert time.process_time() - began < 2 and tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()
    assert len(str(refused.value)) < 400 and str(refused.value).isprintable()


def test_python_tags_make_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text(f"names: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']", "utf-8")
    assert read_yaml(tmp_path / "a.yaml") == {"names": [str(tmp_path / "made")]}
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" + "1" * 5000 + "]", "a number with thousands of digits"),
        ('{"a": 1,}', "cannot be read as JSON .line 1: "),
        ("", "cannot be read as JSON"),
    ],
)
def test_json_that_is_none_is_refused(tmp_path, text, complaint):
    (tmp_path / "a.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=complaint):
        read_json(tmp_path / "a.json")


def test_a_file_of_any_size_costs_nothing(tmp_path):
    with open(tmp_path / "a.json", "wb") as file:
        file.truncate(600 << 20)
    with pytest.raises(InputError, match="has 600 MB; the limit is 512 MB"):
        read_json(tmp_path / "a.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_devices_and_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for place in ("/dev/zero", tmp_path / "pipe.json"):
        with pytest.raises(InputError, match="is a device or a pipe"):
            read_text(type(tmp_path)(place), 1000)
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path, 1000)


def test_shown_is_short_and_printable():
    assert shown("a\x1b[31mb\u202ec\nd\udc80") == "a\ufffd[31mb\ufffdc\ufffdd\ufffd"
    assert len(shown("x" * 10**6)) == 120 and shown("轴承 1.png") == "轴承 1.png"
