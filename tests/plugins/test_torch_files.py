"""Read files of torch.save as data: their content, and the cost of hostile ones."""

import collections
import io
import json
import random
import struct
import sys
import zipfile

import pytest
from pickled import Call, Global, Raw, Storage, archive, pickle, tensor
from timing import Stopwatch

from inspector.api import InputError, prepare_torch

prepare_torch()

import torch

from inspector_plugins._shared.torch_files import child, content
from inspector_plugins._shared.torch_files.content import Name, Record, Stored

SET = Global("builtins", "set")


def told(value, **more):
    """The answer of the child for a file, read in this process."""
    data = value if isinstance(value, bytes) and value.startswith(b"PK") else archive(value, **more)
    parts = b"".join(child.main(data))
    length = int.from_bytes(parts[:8], "little")
    return json.loads(parts[8 : 8 + length])


def problem(value, **more) -> str:
    answer = told(value, **more)
    _, phrase = answer["problem"]
    assert len(phrase) < 120 and phrase.isprintable()
    return phrase


def saved(value, **more) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **more)
    return file.getvalue()


def reread(value, *groups, **more):
    return content.read(saved(value, **more), "a.pt", *groups)


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]
)
def test_tensors_come_back_as_they_were(dtype):
    value = (torch.arange(24).reshape(2, 3, 4) % 5).to(getattr(torch, dtype))
    found = reread({"a": value, "b": value.transpose(0, 2), "c": value[1:, ::2]}).root
    assert torch.equal(found["a"].tensor(), value) and found["a"].tensor().dtype == value.dtype
    assert torch.equal(found["b"].tensor(), value.transpose(0, 2))
    assert torch.equal(found["c"].tensor(), value[1:, ::2])


def test_parameters_empty_tensors_and_scalars():
    found = reread([torch.nn.Parameter(torch.ones(2)), torch.empty(0, 3), torch.tensor(2.5)]).root
    assert [one.parameter for one in found] == [True, False, False]
    assert found[1].tensor().shape == (0, 3) and float(found[2].tensor()) == 2.5


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_of_every_protocol(protocol):
    value = {
        "a": [1, -1, 2**40, -(2**62), 1.5, True, None, "轴承", b"\x00\xff"],
        ("k", 1): (1, (2, ())),
        7: {"x": set("ab")},
        "n": collections.OrderedDict(b=1),
    }
    found = content.plain(reread(value, pickle_protocol=protocol).root)
    found[7]["x"] = set(found[7]["x"])
    assert found == value


def test_numpy_scalars_and_paths_become_plain():
    from pathlib import PurePosixPath

    import numpy as np

    value = {"f": np.float64(0.25), "i": np.int32(-3), "p": PurePosixPath("runs/a")}
    assert content.plain(reread(value).root) == {"f": 0.25, "i": -3, "p": "runs/a"}


def test_what_would_be_called_is_only_told(tmp_path):
    import os

    class Harmful:
        def __reduce__(self):
            return os.system, (f"touch '{tmp_path / 'canary'}'",)

    found = reread({"a": Harmful()})
    assert isinstance(found.root["a"], Record) and found.root["a"].name.endswith(".system")
    assert found.names == (found.root["a"].name,) and not (tmp_path / "canary").exists()
    with pytest.raises(ValueError, match="not plain"):
        content.plain(found.root)


def test_only_the_chosen_keys_are_read():
    value = {"model": torch.ones(2), "ema": None, "optimizer": [torch.ones(9)] * 3, "train_args": {"imgsz": 3}}
    found = reread(value, ("ema", "model"), ("train_args",)).root
    assert list(found) == ["model", "train_args"] and isinstance(found["model"], Stored)
    assert reread([1], ("ema",)).root == [1]


def test_circles_and_sharing_stay():
    loop = []
    loop.append(loop)
    found = reread({"a": loop, "b": loop}).root
    assert found["a"] is found["b"] and found["a"][0] is found["a"]
    with pytest.raises(ValueError, match="more than any setting"):
        content.plain(found["a"])


def test_compressed_members_and_the_other_byte_order():
    plain, packed = zipfile.ZipFile(io.BytesIO(saved(torch.arange(5.0)))), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for member in plain.namelist():
            file.writestr(member, plain.read(member))
    assert torch.equal(content.read(packed.getvalue(), "a").root.tensor(), torch.arange(5.0))
    big = archive(tensor((4,), (1,)), {"0": struct.pack(">4f", 1, 2, 3, 4)}, byteorder=b"big")
    assert content.read(big, "a").root.tensor().tolist() == [1, 2, 3, 4]


# Time and memory.


def deep(depth, inner=b")"):
    return Raw(inner + b"\x85" * depth)


def doubled(times):
    """A list of lists of lists …, each holding the one before twice: 2 ** times values in some bytes."""
    steps = (b"q" + bytes([n]) + b"0](h" + bytes([n]) + b"h" + bytes([n]) + b"e" for n in range(times))
    return Raw(b"]" + b"".join(steps))


def nested(n):  # a tuple in which everything occurs twice
    return Raw(b")" + b"\x32\x86" * n)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Raw(b"}" + nested(60).code + b"Ns"), "key"),
        (Raw(b"}" + nested(60).code + b"\x85" + b"Ns"), "key"),
        (Call(nested(60), ()), "does not name"),
        (Raw(nested(60).code + b")\x81"), "does not name"),
        (Raw(b"(" * 20_000), "nested"),
        (Raw(b"\x8bzzzz"), "too large"),
        (Raw(b"\x8a\xff" + bytes(255)), "too large"),
        (Raw(b"c" + b"a" * 1000 + b"\nb\n"), "too long"),
        (Raw(b"Ph\n"), "0x50"),
        (Raw(b"\x82\x01"), "0x82"),
        (Raw(b"]N" + b"a]" * 3), "not complete"),
        (Raw(b"N]b"), "did not make"),
        (Raw(b"h\x05"), "damaged"),
        (Raw(b"X\xff\xff\xff\xffab"), "cut off"),
        (Raw(b"Nq\x00" + b"0" * 3), "cut off"),
    ],
)
def test_bombs_and_nonsense_cost_one_phrase(value, said):
    with Stopwatch() as watch:
        assert said in problem(pickle(value))
    assert watch.seconds < 2


@pytest.mark.parametrize(
    "value",
    [
        Call(SET, ([nested(60)],)),
        Call(Global("collections", "Counter"), (Call(Global("builtins", "bytearray"), (2**33,)),)),
        Call(SET, (Call(Global("builtins", "bytearray"), (2**40,)),)),
        doubled(60),
        deep(200_000),
        [Call(Global("torch.nn", "X"), (nested(60),), {"a": nested(60)})],
    ],
)
def test_what_would_be_hashed_copied_or_printed_is_not(value):
    with Stopwatch() as watch:
        data = archive(pickle(value))
        found = content.read(data, "a.pt")
    assert watch.seconds < 10
    with pytest.raises(ValueError):
        content.plain(found.root)


def test_too_many_instructions():
    assert "longer" in problem(pickle(Raw(b"N0" * 1_600_000 + b"N")))


# Sizes.


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (tensor((5,), (1,)), "larger than the bytes"),
        (tensor((2, 2), (3, 1)), "larger than the bytes"),
        (tensor((1,), (1,), offset=4), "larger than the bytes"),
        (tensor((1,), (1,), offset=-1), "not described"),
        (tensor((4,), (-1,)), "no tensor has"),
        (tensor((2**39,) * 3, (0,) * 3), "repeats its bytes"),
        (tensor((10**6,), (0,)), "repeats its bytes"),
        (tensor((4,), ()), "not described"),
        (tensor((1,) * 17, (1,) * 17), "not described"),
        (tensor((1.0,), (1,)), "no tensor has"),
        (tensor((True,), (1,)), "no tensor has"),
        (tensor("aa", "bb"), "not described"),
        (tensor((4,), (1,), elements=5), "larger than the bytes"),
        (tensor((4,), (1,), elements=2**62), "larger than the bytes"),
        (tensor((4,), (1,), elements=-1), "no storage"),
        (tensor((4,), (1,), elements="4"), "no storage"),
        (tensor((4,), (1,), key="../data.pkl"), "larger than the bytes"),
        (tensor((4,), (1,), key=0), "no storage"),
        (tensor((4,), (1,), kind="ComplexFloatStorage"), "kind of number"),
        (tensor((4,), (1,), kind="QUInt8Storage"), "kind of number"),
        (tensor((4,), (1,), kind="system"), "kind of number"),
        (tensor((4,), (1,), storage="0"), "no storage"),
        ([tensor((4,), (1,)), tensor((2,), (1,), kind="DoubleStorage", elements=2)], "describe one storage"),
        ([tensor((1 << 16,), (0,)) for _ in range(10_000)], "far more memory"),
        (Call(Global("torch._utils", "_rebuild_parameter"), (1, True, None)), "no tensor"),
        (Call(Global("torch._utils", "_rebuild_parameter"), ()), "no tensor"),
        (Call(Global("torch._utils", "_rebuild_tensor_v2"), (1,)), "not described"),
        (Storage(), "outside of a tensor"),
        (2**70, "too large"),
    ],
)
def test_sizes_are_held_against_the_bytes_present(value, said):
    assert said in problem(pickle(value))


def test_views_of_one_storage_may_share_but_not_blow_up():
    base = torch.arange(100_000.0)
    assert len(reread([base[n:] for n in range(3)]).root) == 3
    with pytest.raises(AssertionError):
        assert (
            content.read(saved([base[:99_000].view(99, 1000)] * 5 + [base[n:] for n in range(400)]), "a").problem == ""
        )


# Archives.


def zipped(change, *members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members or (("b/data.pkl", b"\x80\x02N."), ("b/data/0", bytes(16))):
            file.writestr(name, data)
    return change(made.getvalue())


def later(data, position, size, value):
    """``data`` with a number of the central directory's first entry replaced."""
    at = data.index(b"PK\x01\x02") + position
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (zipped(lambda data: data, ("b/data.pkl", b"\x80\x02N."), ("c/data.pkl", b"\x80\x02N.")), "other"),
        (zipped(lambda data: data, ("b/data.pkl", b"\x80\x02N."), ("b/data.pkl", b"\x80\x02N.")), "other"),
        (zipped(lambda data: data, ("b/data.pkl", b"N."), ("b/data/0", b"1"), ("b/data/0", b"2")), "damaged"),
        (
            zipped(lambda data: data, ("b/data.pkl", b"N."), ("b/code/x", b"1"), ("b/constants.pkl", b"2")),
            "torchscript",
        ),
        (zipped(lambda data: data, ("b/x", b"N.")), "other"),
        (zipped(lambda data: data, ("data.pkl", b"N.")), "other"),
        (zipped(lambda data: later(data, 24, 4, 2**31)), "bomb"),  # its unpacked size
        (zipped(lambda data: later(data, 24, 4, 3)), "damaged"),
        (zipped(lambda data: later(data, 20, 4, 5000)), "damaged"),  # its packed size
        (zipped(lambda data: later(data, 42, 4, 40)), "damaged"),  # where its own header is
        (zipped(lambda data: later(data, 10, 2, 12)), "damaged"),  # bzip2
        (zipped(lambda data: data.replace(b"b/data/0", b"b/data/1", 1)), "damaged"),  # another name in its own header
        (zipped(lambda data: data, ("b/data.pkl", b"N."), ("b/data/0", bytes(100 << 20))), "bomb"),
        (zipped(lambda data: data[:-10]), "damaged"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
    ],
)
def test_odd_archives_are_refused(data, kind):
    assert problem(data) == kind
    with pytest.raises(InputError, match=r"^a\.pt "):
        content.read(data, "a.pt")


def test_members_that_share_bytes_are_refused():
    """As in a ZIP bomb: one member is inside another."""

    def stored(*members):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as file:
            for name, content in members:
                file.writestr(name, content)
        return made.getvalue()

    inner = stored(("b/data/1", bytes(64)))
    inner = inner[: inner.index(b"PK\x01\x02")]
    data = stored(("b/data.pkl", b"N."), ("b/data/0", inner), ("b/data/1", bytes(64)))
    assert told(data)["root"] is None
    entries = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    moved = bytearray(data)
    moved[entries[2] + 42 : entries[2] + 46] = data.index(inner).to_bytes(4, "little")
    assert problem(bytes(moved)) == "damaged"


# The isolated process.


def test_too_much_memory_or_time_is_one_sentence(monkeypatch):
    monkeypatch.setattr(content, "_MEMORY", 40 << 20)
    with pytest.raises(InputError, match="far more memory or time than a checkpoint needs and was not opened"):
        content.read(archive(pickle(Raw(b"]0" * 10 + b"](" + b"]" * 1_000_000 + b"e"))), "a.pt")


EVENTS: list[str] = []
LISTENING: list[bool] = []


def _listen(event, arguments):
    if LISTENING and event.split(".")[0] in ("exec", "compile", "import", "os", "subprocess", "ctypes", "open", "pty"):
        EVENTS.append(event)


sys.addaudithook(_listen)


def test_reading_runs_nothing(tmp_path):
    """No import, no code, no file, no process, whatever a pickle names."""
    names = ["os.system", "builtins.exec", "builtins.eval", "subprocess.Popen", "runpy.run_path", "ctypes.CDLL"]
    names += ["torch._tensor._rebuild_from_type_v2", "antigravity.x", "inspector.cli.main", "torch.hub.load"]
    value = [Call(Global(*name.rsplit(".", 1)), (str(tmp_path / "canary"),), {"__class__": 1}) for name in names]
    data = archive(pickle(value))
    LISTENING.append(True)
    try:
        answer = b"".join(child.main(data))
    finally:
        LISTENING.clear()
    assert not EVENTS and not list(tmp_path.iterdir()) and len(answer) > 100


def test_mutated_files_cost_one_sentence_each():
    """In this process, where an exception of any other kind would be seen."""
    value = {"model": torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)), "train_args": {"a": [1]}}
    data, chance = saved(value), random.Random(0)
    pickled = zipfile.ZipFile(io.BytesIO(data)).read("archive/data.pkl")
    for _ in range(400):
        changed = bytearray(pickled)
        for _ in range(chance.choice((1, 1, 2, 8))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        if chance.random() < 0.2:
            at = chance.randrange(len(changed))
            changed[at:at] = changed[chance.randrange(len(changed)) :][: chance.randrange(60)]
        answer = told(archive(bytes(changed), {str(n): bytes(1024) for n in range(8)}))
        assert "problem" in answer or "root" in answer
    for _ in range(100):
        changed = bytearray(data)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        answer = told(bytes(changed)) if changed.startswith(b"PK") else {"root": 0}
        assert "problem" in answer or "root" in answer


def test_names_and_values_are_never_printed():
    name = Name("os.system")
    assert name.dotted == "os.system"
    hostile = "\x1b]0;x\x07\u202e" + "a" * 50
    answer = told(pickle(Call(Global("a" + hostile.replace("\n", ""), "b"), ())))
    assert answer["names"][0].startswith("a\x1b")  # unchanged: the caller makes it printable
