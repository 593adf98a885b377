"""A checkpoint is converted once; damaged, old and superfluous entries are removed; nothing is half done."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from inspector.api import InputError, InspectorError, LayerSpec, Text, assets
from inspector.system import paths
from inspector_plugins.yolo11.inference import openvino_cache

pytestmark = pytest.mark.xdist_group("openvino_cache")  # its fixtures are made once
BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"


@pytest.fixture(scope="module")
def entry(checkpoints, tmp_path_factory):
    """The result of a real child process for a checkpoint."""
    folder = tmp_path_factory.mktemp("once") / "模型"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.HOME_VARIABLE, str(tmp_path_factory.mktemp("home of the child")))
        openvino_cache.convert(checkpoints("yolo11n-seg"), folder, ())
    return folder


@pytest.fixture
def conversions(entry, monkeypatch):
    """The conversions that were asked for, (name, shape); each gives a copy of the one that was really done."""
    asked = []

    def convert(weights, folder, layers, shape="any", *words):
        asked.append((weights.name, shape))
        shutil.copytree(entry, folder)

    monkeypatch.setattr(openvino_cache, "convert", convert)
    return asked


def room():
    return paths.plugin_folder("yolo11") / "converted"


def test_what_is_known_of_it_is_that_of_the_checkpoint(entry, checkpoints, conversions):
    from inspector_plugins.yolo11.checkpoint import checkpoint

    weights = checkpoints("yolo11n-seg")
    found, opened = openvino_cache.find_or_convert(weights, ()), checkpoint.load(weights)
    told = (found.sha256, found.architecture, found.names, found.imgsz, found.stride)
    assert told == (opened.sha256, opened.architecture, opened.names, opened.imgsz, opened.stride)
    assert not found.end_to_end
    assert {file.name for file in found.folder.iterdir()} == {"entry.json", "model.xml", "model.bin"}
    assert [folder.name for folder in room().iterdir()] == [found.folder.name]


def test_once_is_enough(checkpoints, conversions):
    weights = checkpoints("yolo11n-seg")
    first = openvino_cache.find_or_convert(weights, ())
    assert openvino_cache.find_or_convert(weights, ()) == first and len(conversions) == 1
    assert openvino_cache.find_or_convert(weights, (), "64x96") != first and conversions[1] == (weights.name, "64x96")


def test_it_goes_by_the_content_not_by_the_name(checkpoints, conversions, tmp_path):
    first = openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
    moved = shutil.copy(checkpoints("yolo11n-seg"), tmp_path / "anders.pt")
    assert openvino_cache.find_or_convert(moved, ()) == first
    with open(moved, "ab") as file:
        file.write(b"x")
    assert openvino_cache.find_or_convert(moved, ()).folder != first.folder


def test_an_int8_form_is_not_made_by_itself(checkpoints, conversions):
    with pytest.raises(InputError, match=r"yolo11n-seg\.pt has no int8 version here; export it"):
        openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), (), precision="int8")
    assert conversions == [] and list(room().iterdir()) == []


@pytest.mark.parametrize("what", ["__version__", "_FORMAT"])
def test_another_converter_converts_again(checkpoints, conversions, monkeypatch, what):
    first = openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
    before = openvino_cache._FORMAT
    monkeypatch.setattr(openvino_cache, what, "9.9" if what == "__version__" else before)
    if what == "_FORMAT":
        entry = json.loads((first.folder / "entry.json").read_text("utf-8"))
        (first.folder / "entry.json").write_text(json.dumps(entry | {"format": before - 1}), "utf-8")
    openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
    assert len(conversions) == 2


def damage_bit(folder):
    data = bytearray((folder / "model.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.bin").write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        damage_bit,
        lambda folder: (folder / "model.xml").write_text("", "utf-8"),
        lambda folder: (folder / "model.bin").unlink(),
        lambda folder: (folder / "entry.json").unlink(),
        lambda folder: (folder / "entry.json").write_text("{", "utf-8"),
        lambda folder: (folder / "entry.json").write_text("[]", "utf-8"),
        lambda folder: (folder / "entry.json").write_text('{"format": 1, "layers": {}, "files": 3}', "utf-8"),
        shutil.rmtree,
        lambda folder: (shutil.rmtree(folder), folder.write_text("a file", "utf-8")),
    ],
)
def test_a_damaged_one_is_made_again(checkpoints, conversions, damage):
    first = openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
    damage(first.folder)
    assert openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ()) == first and len(conversions) == 2
    assert openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ()) == first and len(conversions) == 2
    assert [folder.name for folder in room().iterdir()] == [first.folder.name]


def layer(id="spots"):
    return LayerSpec(id, Text("Spots"), "block", load=lambda: [])


def needing(folder, **editions):
    entry = json.loads((folder / "entry.json").read_text("utf-8"))
    (folder / "entry.json").write_text(json.dumps(entry | {"layers": editions}), "utf-8")


def test_another_edition_of_a_layer_in_it_converts_again(checkpoints, conversions):
    weights = checkpoints("yolo11n-seg")
    folder = openvino_cache.find_or_convert(weights, (layer(),)).folder
    needing(folder, spots=openvino_cache.edition(layer()))
    openvino_cache.find_or_convert(weights, (layer("another"), layer()))
    assert len(conversions) == 1
    needing(folder, spots="an older one")
    openvino_cache.find_or_convert(weights, (layer(),))
    assert len(conversions) == 2


def test_without_its_plugin_it_is_not_opened(checkpoints, conversions, monkeypatch):
    weights = checkpoints("yolo11n-seg")
    needing(openvino_cache.find_or_convert(weights, (layer(),)).folder, spots=openvino_cache.edition(layer()))

    def refuse(*_):
        raise InputError("it needs the plugin 'spots'")

    monkeypatch.setattr(openvino_cache, "convert", refuse)
    with pytest.raises(InputError, match="needs the plugin 'spots'"):
        openvino_cache.find_or_convert(weights, ())


def test_a_refusal_is_remembered_until_the_plugins_change(checkpoints, monkeypatch):
    asked = []

    def run(command, **_):
        asked.append(command)
        sentence = "bearing-inspector: a.pt cannot be written as openvino (ValueError: so); try another format\n"
        return subprocess.CompletedProcess(command, 1, None, f"a line before\n{sentence}")

    monkeypatch.setattr(openvino_cache, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
    for layers, times in (((), 1), ((), 1), ((layer(),), 2)):
        with pytest.raises(openvino_cache.ConversionRefused, match=r"^a\.pt cannot be written as openvino"):
            openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), layers)
        assert len(asked) == times


@pytest.mark.parametrize(
    "code, sentence, kind",
    [
        (2, "a.pt is damaged or incomplete; copy it again", InputError),
        (2, "{output} cannot be written (No space left on device)", InspectorError),
        (1, "something happened", InspectorError),
        (-9, "", InspectorError),
    ],
)
def test_other_failures_are_told_and_not_remembered(checkpoints, monkeypatch, code, sentence, kind):
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, code, None, sentence.format(output=command[-1]))

    monkeypatch.setattr(openvino_cache, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
    for _ in range(2):
        with pytest.raises(InspectorError) as caught:
            openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
        assert type(caught.value) is kind
    assert len(asked) == 2 and list(room().iterdir()) == []


@pytest.mark.slow
def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"x\.pt is not a PyTorch checkpoint; choose a \.pt file"):
        openvino_cache.find_or_convert(tmp_path / "x.pt", ())
    with pytest.raises(InputError, match=r"There is no file .*nix\.pt"):
        openvino_cache.find_or_convert(tmp_path / "nix.pt", ())


def test_the_least_recently_used_go_where_all_take_too_much(checkpoints, conversions, monkeypatch, tmp_path):
    weights = checkpoints("yolo11n-seg")
    folders = []
    for number, shape in enumerate(("32x32", "64x64", "96x96")):
        folder = openvino_cache.find_or_convert(weights, (), shape).folder
        os.utime(folder / "entry.json", (1000 + number, 1000 + number))
        folders.append(folder)
    openvino_cache.find_or_convert(weights, (), "32x32")  # used again
    size = openvino_cache._size(folders[0])
    monkeypatch.setattr(openvino_cache, "MOST_BYTES", 3 * size)
    last = openvino_cache.find_or_convert(weights, ()).folder
    assert set(room().iterdir()) == {folders[0], folders[2], last}
    monkeypatch.setattr(openvino_cache, "MOST_BYTES", 0)
    openvino_cache.tidy(last)
    assert list(room().iterdir()) == [last]


def test_leftovers_of_killed_processes_go_after_a_day(checkpoints, conversions):
    old, new = room_made() / ".tmp-old", room_made() / ".tmp-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 90_000,) * 2)
    openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
    assert not old.exists() and new.exists()


def room_made():
    room().mkdir(exist_ok=True)
    return room()


def test_processes_at_once_do_no_harm(home):
    program = (
        "import sys; from pathlib import Path; from inspector_plugins.yolo11.inference import openvino_cache;"
        "found = openvino_cache.find_or_convert(Path(sys.argv[1]), ());"
        "print(found.folder.name, found.names, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(BUNDLED)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = {child.communicate(timeout=100) for child in children}
    assert len(said) == 1 and next(iter(said))[1] == "", said
    (folder,) = room().iterdir()
    assert next(iter(said))[0].split() == [folder.name, "('Defect',)", "False"]


def test_what_was_compiled_is_kept_and_a_damaged_one_is_not_used(checkpoints, conversions, monkeypatch):
    found = openvino_cache.find_or_convert(checkpoints("yolo11n-seg"), ())
    assert found.blob("a") is None
    monkeypatch.setattr(openvino_cache, "_MOST_BLOBS", 8)
    for number, name in enumerate("abcdefghij"):
        found.store_blob(name, name.encode() * 3)
        os.utime(found.folder / f"{name}.blob", (1000 + number,) * 2)
    assert found.blobs() == list("jihgfedc")
    assert found.blob("d") == b"ddd" and found.blobs()[0] == "d"
    data = (found.folder / "d.blob").read_bytes()
    for wrong in (data[:-1], data + b"x", data[:-1] + b"e", b"", data[:10]):
        (found.folder / "d.blob").write_bytes(wrong)
        assert found.blob("d") is None


def test_the_bundled_model_came_along_converted():
    folder = assets() / "models" / "converted" / hashlib.sha256(BUNDLED.read_bytes()).hexdigest()[:16]
    came_along = openvino_cache._read(folder, ())
    assert came_along is not None and came_along.sha256 == hashlib.sha256(BUNDLED.read_bytes()).hexdigest()
    assert openvino_cache._size(folder) < 8e6
    assert sum(1 for _ in folder.parent.iterdir()) == 1


def test_a_program_folder_for_reading_only_does_no_harm(conversions, tmp_path, monkeypatch):
    """Copies of it must not be read-only: such a folder could not be moved."""
    digest = hashlib.sha256(BUNDLED.read_bytes()).hexdigest()
    shutil.copytree(assets() / "models" / "converted" / digest[:16], tmp_path / "models" / "converted" / digest[:16])
    for path in (tmp_path / "models").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr(openvino_cache, "assets", lambda: tmp_path)
    folder = openvino_cache.find_or_convert(BUNDLED, ()).folder
    assert conversions == [] and all(path.stat().st_mode & 0o200 for path in [folder, *folder.iterdir()])
    assert list(room().iterdir()) == [folder]
    for path in (tmp_path / "models").rglob("*"):
        path.chmod(0o755)
