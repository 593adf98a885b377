"""A ``ucrtbase.dll`` for Wine: its own, with the complex functions of C99 that it lacks and that numpy 2 calls.

Wine 8.0 (and 10.0) have no ``cexp``, ``crealf`` and their like. The shim forwards what Wine has to a copy of Wine's own
library, and adds the missing ones from mingw-w64's mathematics. It is for checks on Debian only and in no program
that is handed out.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_ONE = (
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "exp", "log",
    "sqrt", "proj", "conj", "log10",
)  # fmt: skip
_REAL = {
    "creal": "a.v[0]",
    "cimag": "a.v[1]",
    "cabs": "hypot{s}(a.v[0], a.v[1])",
    "carg": "atan2{s}(a.v[1], a.v[0])",
    "norm": "a.v[0] * a.v[0] + a.v[1] * a.v[1]",
}
_BUILTIN = b"Wine builtin DLL"


def make(wine_library: Path, folder: Path) -> None:
    """Build ``ucrtbase.dll`` and ``ucrtwine.dll`` (Wine's own under another name) in ``folder``.

    Args:
        wine_library: Wine's ``ucrtbase.dll``.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = bytearray(wine_library.read_bytes())
    if data[0x40:0x50] != _BUILTIN:
        raise SystemExit(f"{wine_library} is not a library of Wine")
    data[0x40:0x50] = bytes(16)  # so that Wine takes it as a native one under its new name
    (folder / "ucrtwine.dll").write_bytes(data)
    code, added = _source()
    (folder / "shim.c").write_text(code)
    rows = [f'  "{name}" = {added[name]}' if name in added else f'  "{name}" = "ucrtwine.{name}"'
            for name in _exports(wine_library)]  # fmt: skip
    (folder / "shim.def").write_text("LIBRARY ucrtbase.dll\nEXPORTS\n" + "\n".join(rows) + "\n")
    words = ["-O2", "-shared", "-static-libgcc", "-o", folder / "ucrtbase.dll", folder / "shim.c", folder / "shim.def"]
    subprocess.run(["x86_64-w64-mingw32-gcc", *map(str, words), "-Wl,--enable-stdcall-fixup"], check=True)


def _exports(library: Path) -> list[str]:
    command = ["x86_64-w64-mingw32-objdump", "-p", str(library)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    table = printed.split("[Ordinal/Name Pointer] Table")[1]
    return re.findall(r"^\s*\[ *\d+\](?: \+base\[ *\d+\]  ?[0-9a-f]+)? (\S+)$", table, re.MULTILINE)


def _source() -> tuple[str, dict[str, str]]:
    """The C source, and the mapping from the library's names to its functions."""
    lines = [
        "#include <complex.h>",
        "#include <math.h>",
        "typedef struct { float v[2]; } F;",
        "typedef struct { double v[2]; } D;",
        "#define C(a) __builtin_complex(a.v[0], a.v[1])",
    ]
    added: dict[str, str] = {}
    for suffix, real, kind in (("f", "float", "F"), ("", "double", "D")):
        held = "{{__real__ z, __imag__ z}}"
        lines.append(f"static {kind} out{kind}({real} _Complex z) {{ {kind} r = {held}; return r; }}")
        for name in _ONE:
            formula = {"conj": "~x", "log10": f"clog{suffix}(x) / ({real})2.302585092994045684"}.get(
                name, f"c{name}{suffix}(x)"
            )
            exported = ("conj" if name == "conj" else f"c{name}") + suffix
            lines.append(f"{kind} w_{exported}({kind} a) {{ {real} _Complex x = C(a); return out{kind}({formula}); }}")
            added[exported] = f"w_{exported}"
        lines.append(
            f"{kind} w_cpow{suffix}({kind} a, {kind} b) "
            f"{{ {real} _Complex x = C(a), y = C(b); return out{kind}(cpow{suffix}(x, y)); }}"
        )
        added[f"cpow{suffix}"] = f"w_cpow{suffix}"
        for name, formula in _REAL.items():
            lines.append(f"{real} w_{name}{suffix}({kind} a) {{ return {formula.format(s=suffix)}; }}")
            added[name + suffix] = f"w_{name}{suffix}"
    for name in [name for name in added if not name.endswith("f")]:
        added[f"{name}l"] = added[name]  # long double is double there
    return "\n".join(lines) + "\n", added
