"""Run by the Windows Python: what the program does with the system, where Windows differs from Linux.

Each line says what was tried and what happened; BAD, or an exit code other than 0, is a fault.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from ctypes import wintypes
from pathlib import Path
from typing import Any

import numpy as np

from inspector.domain import InspectorError
from inspector.imaging import read_image, write_image
from inspector.settings import Settings
from inspector.system import credentials, paths

HERE = Path(sys.argv[1])
SAMPLE = Path(__file__).resolve().parents[3] / "sample_data"
IMAGE = min(SAMPLE.glob("*.jpg"))
_RESERVED = ("CON", "nul.txt", "Com1", "LPT9.png", "COM¹", "CONIN$", "nul .txt", "a.", "b ", "x:y", "aux.tar.gz")


class Fault(Exception):
    """A deviation from the expected behaviour."""


def expect(held: object, what: str) -> None:
    if not held:
        raise Fault(what)


@contextlib.contextmanager
def kept_open(file: Path) -> Iterator[Callable[[], None]]:
    """Open the file as a scanner does, locked against any other access; yield the function that closes it."""
    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateFileW.restype = wintypes.HANDLE
    kernel.CreateFileW.argtypes = (
        wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, wintypes.LPVOID, wintypes.DWORD, wintypes.DWORD,
        wintypes.HANDLE,
    )  # fmt: skip
    kernel.CloseHandle.argtypes = [wintypes.HANDLE]
    handle = kernel.CreateFileW(str(file), 0x80000000, 0, None, 3, 0, None)
    expect(handle != wintypes.HANDLE(-1).value, f"{file} cannot be opened alone")
    closed = []

    def close() -> None:
        if not closed:
            closed.append(True)
            kernel.CloseHandle(handle)

    try:
        yield close
    finally:
        close()


def a_settings_file_that_a_scanner_holds() -> str:
    Settings.load().set("language", "en")
    file = paths.settings_file()
    with kept_open(file) as close:
        threading.Timer(0.4, close).start()
        began = time.monotonic()
        paths.write_state(file, "{}")
        took = time.monotonic() - began
    with kept_open(file):
        try:
            paths.write_state(file, '{"language": "zh"}')
        except OSError as error:
            said = error.strerror or str(error)
        else:
            raise Fault("it was replaced though it was held")
    names = sorted(path.name for path in file.parent.iterdir() if path.name.startswith(("settings", ".tmp")))
    expect(names == ["settings.json"], f"left: {names}")
    return f"replaced after {took:.1f} s; refused while it stays held ({said}), no second file"


def a_result_that_is_open_in_a_program() -> str:
    final = HERE / "结果.xlsx"
    final.write_bytes(b"old")
    temporary = paths.temporary_beside(final)
    temporary.write_bytes(b"new")
    with kept_open(final):
        other = paths.publish(temporary, final)
    expect(other.name == "结果-2.xlsx" and other.read_bytes() == b"new", f"saved as {other.name}")
    return f"saved as {other.name}"


def names_that_windows_reserves() -> str:
    folder = HERE / "names"
    folder.mkdir()
    made = []
    for name in _RESERVED:
        file = folder / paths.safe_name(name)
        file.write_text(name, "utf-8")
        made.append(file.name)
    found = sorted(path.name for path in folder.iterdir())
    expect(found == sorted(made), f"wrote {made}, found {found}")
    return ", ".join(made)


def paths_beyond_260_characters() -> str:
    folder = HERE
    while len(str(folder)) < 300:
        folder = folder / ("长路径 " * 6).strip()
    paths.long_path(folder).mkdir(parents=True)
    image = np.full((48, 64, 3), 90, np.uint8)
    file = write_image(folder / "轴承.png", image)
    expect(np.array_equal(read_image(file)[0], image), "the image was not read back")
    out = HERE / "long out"
    done = _inspector("inspect", folder, "--output", out, "--export", "images,jsonl")
    expect(done.returncode == 0, done.stderr[-300:])
    deep = folder / "out"
    done = _inspector("inspect", IMAGE, "--output", deep, "--export", "images,xlsx")
    expect(done.returncode == 0, f"output of {len(str(deep))} characters: {done.stderr[-300:]}")
    return f"an image read and inspected at {len(str(file))} characters; results written at {len(str(deep))}"


def _inspector(*words: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*paths.program(), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
        errors="replace", env=paths.child_environment(), check=False, **more,
    )  # fmt: skip


_BREAK = """
import signal, sys, threading, time
from pathlib import Path
from inspector.cli import main
def press():
    while not any(Path(sys.argv[1]).glob("*.jsonl")) and not any(Path(sys.argv[1]).glob(".tmp-*")):
        time.sleep(0.05)
    signal.raise_signal(signal.SIGBREAK)
threading.Thread(target=press, daemon=True).start()
sys.exit(main(sys.argv[2:]))
"""


def ctrl_break_in_a_run() -> str:
    """Wine delivers none between processes, so that the child raises for itself what Windows would raise in it."""
    out = HERE / "break"
    watch = ["--source", "hot_folder", "-o", f"folder={SAMPLE}", "-o", "existing=yes"]
    words = ["inspect", *watch, "--output", str(out), "--export", "xlsx,jsonl"]
    done = subprocess.run(
        [sys.executable, "-c", _BREAK, str(out), *words], stdin=subprocess.DEVNULL, capture_output=True,
        encoding="utf-8", errors="replace", env=paths.child_environment(), timeout=900, check=False,
    )  # fmt: skip
    files = sorted(file.name for file in out.iterdir())
    expect(done.returncode == 130, f"exit code {done.returncode}: {done.stderr[-300:]}; {files}")
    expect(any(name.endswith(".xlsx") for name in files) and not any(map(_unfinished, files)), str(files))
    return f"exit code 130, {', '.join(files)}"


def _unfinished(name: str) -> bool:
    return name.startswith(".tmp")


def a_reader_that_goes_away() -> str:
    process = subprocess.Popen(
        [*paths.program(), "plugins", "list", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=paths.child_environment(),
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode("utf-8", "replace")
    code = process.wait(120)
    expect(code == 0 and "Traceback" not in said, f"exit code {code}: {said[-300:]}")
    return "exit code 0"


def chinese_names_in_what_a_child_says() -> str:
    done = _inspector("inspect", HERE / "没有 这个文件.png", "--json")
    expect("没有 这个文件.png" in done.stderr and done.returncode == 2, f"exit code {done.returncode}: {done.stderr!r}")
    return "whole in the sentence"


def the_password_store() -> str:

    credentials._store()  # looks through all stores; so that the five seconds of the first question suffice
    name = credentials.store_name()
    address = credentials.conceal("rtsp://admin:s3cret@127.0.0.1/stream")
    kept = credentials.remember(address)
    credentials._known.clear()
    again = credentials.known(address)
    credentials.forget(address)
    expect(name == "Windows Credential Manager" and kept and again, f"{name!r}, kept {kept}, found again {again}")
    return f"{name}: kept, found again, forgotten"


def the_folders_of_the_person() -> str:
    before = os.environ.pop(paths.HOME_VARIABLE)
    try:
        data, results = paths.data_folder(), paths.results_folder()
    finally:
        os.environ[paths.HOME_VARIABLE] = before
    local = Path(os.environ["LOCALAPPDATA"])
    expect(data == local / "Bearing Inspector", str(data))
    expect(results.name == "Bearing Inspector" and results.parent.name in ("Documents", "文档"), str(results))
    return f"{data}; {results}"


def a_second_start() -> str:
    from inspector.system.single_instance import Request, take_or_hand_over

    first = take_or_hand_over(Request())
    expect(first is not None, "the first is no window")
    assert first is not None
    code = (
        "import sys; from inspector.system.single_instance import Request, take_or_hand_over\n"
        "sys.exit(0 if take_or_hand_over(Request.of([sys.argv[1]])) is None else 7)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(HERE / "轴承 1.png")])
    end, found = time.monotonic() + 60, []
    while not found and time.monotonic() < end:
        found = first.requests()
        time.sleep(0.05)
    first.close()
    ended = process.wait(60)
    expect(found and ended == 0, f"{found}, exit code {ended}")
    return f"handed over {Path(found[0].sources[0]).name}"


def a_process_with_limits() -> str:
    from inspector.system.isolation import LimitExceededError, run_isolated

    child = "inspector_plugins._shared.torch_files.child"
    answer = run_isolated(child, b"no archive", memory=1 << 30, seconds=10)
    expect(b"names" in answer, repr(answer))
    try:
        run_isolated("os", b"", memory=1 << 30, seconds=10)
    except LimitExceededError as error:
        raise Fault(f"a refusal counts as a limit ({error})") from None
    except InspectorError as error:
        return f"answered {len(answer)} bytes; refuses a foreign module ({error}); Wine keeps no limits: not tried"
    raise Fault("a foreign module was run")


def a_network_share() -> str:
    """Wine has no server of shares; its drive Z by the long name of a device serves as an address without a letter."""
    place = Path(tempfile.mkdtemp(prefix="bearing share ", dir="\\\\?\\Z:\\tmp"))
    try:
        done = _inspector("inspect", IMAGE, "--output", place / "out", "--export", "xlsx,images")
        expect(done.returncode == 0, done.stderr[-300:])
        return f"results in {place}: {len(list((place / 'out').rglob('*')))} files"
    finally:
        import shutil

        shutil.rmtree(place, ignore_errors=True)


def diagnostics_without_the_name_of_the_person() -> str:
    from inspector.diagnostics import without_secrets

    home = str(Path.home())
    texts = [home, home.upper(), home.replace("\\", "/"), home.replace("\\", "\\\\"), repr(home)]
    left = [text for text in texts if Path.home().name.casefold() in without_secrets(text + r"\结果").casefold()]
    expect(not left, f"still there: {left}")
    return without_secrets(home + r"\结果")


def the_model_stands_back() -> str:
    from inspector.engine import model_cache

    found: list[int] = []

    def look() -> None:
        model_cache._lower_priority()
        kernel: Any = ctypes.WinDLL("kernel32")
        kernel.GetCurrentThread.restype = ctypes.c_void_p
        kernel.GetThreadPriority.argtypes = [ctypes.c_void_p]
        found.append(kernel.GetThreadPriority(kernel.GetCurrentThread()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    expect(found == [-1], f"priority {found}")
    return "its thread has priority -1, below normal"


def a_tiff_with_zstd() -> str:
    import tifffile

    pixels = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)
    said = []
    for compression in ("zstd", "lzw", "deflate", "lzma"):
        file = HERE / f"压缩 {compression}.tif"
        tifffile.imwrite(file, pixels, compression=compression, photometric="rgb")
        expect(np.array_equal(read_image(file)[0], pixels[:, :, ::-1]), f"{compression} was not read back")
        said.append(compression)
    return f"read: {', '.join(said)}"


def times_before_1970() -> str:
    from datetime import datetime

    from inspector.history.periods import to_local_time

    done = _inspector("history", "search", "--since", "1960-01-01", "--json")
    expect(done.returncode == 0, done.stderr[-300:])
    return f"--since 1960-01-01 is taken; {to_local_time(datetime(1960, 1, 1)).isoformat()}"


def a_history_on_a_network_drive() -> str:
    """Drive N, which check.py made a network drive for Wine."""
    import sqlite3

    from inspector.history import History

    file = Path("N:\\") / "历史" / "history.sqlite3"
    file.parent.mkdir(exist_ok=True)
    expect(paths.on_network(file) and not paths.on_network(Path("C:\\a")), "drive N is no network drive")
    expect(paths.on_network(Path(r"\\server\share\a")), "a share is not on the network")
    os.environ[paths.HOME_VARIABLE], before = str(file.parent), os.environ[paths.HOME_VARIABLE]
    try:
        with History.open():
            pass
    finally:
        os.environ[paths.HOME_VARIABLE] = before
    base = sqlite3.connect(file)
    mode = base.execute("PRAGMA journal_mode").fetchone()[0]
    base.close()
    expect(mode == "delete", f"journal mode {mode}")
    return "a rollback journal instead of a write-ahead log"


def a_printer_that_pdfs_have() -> str:
    import winreg

    from inspector.ui.kit.printing import can_print

    before = can_print()
    kind = winreg.QueryValue(winreg.HKEY_CLASSES_ROOT, ".pdf")
    keys = [rf"Software\Classes\{kind}\shell\print" + end for end in (r"\command", "")]
    with winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, keys[0]) as made:
        winreg.SetValueEx(made, "", 0, winreg.REG_SZ, r'C:\windows\notepad.exe /p "%1"')
    try:
        after = can_print()
    finally:
        for key in keys:
            winreg.DeleteKey(winreg.HKEY_LOCAL_MACHINE, key)
    expect((before, after) == (False, True), f"before {before}, with a program that prints {after}")
    return "offered only where a program prints PDF"


def a_folder_renamed_right_after_writing() -> str:
    folder, target = HERE / "built", HERE / "placed"
    folder.mkdir()
    inner = folder / "data.yaml"
    inner.write_text("x", "utf-8")
    with kept_open(inner) as close:  # Windows does not rename a folder with an open file in it
        threading.Timer(0.4, close).start()
        began = time.monotonic()
        paths.replace_patiently(folder, target)
        took = time.monotonic() - began
    expect(target.is_dir() and not folder.exists(), "it was not renamed")
    return f"renamed after {took:.1f} s"


CHECKS = (
    a_settings_file_that_a_scanner_holds,
    a_result_that_is_open_in_a_program,
    a_folder_renamed_right_after_writing,
    a_tiff_with_zstd,
    times_before_1970,
    a_history_on_a_network_drive,
    a_printer_that_pdfs_have,
    names_that_windows_reserves,
    paths_beyond_260_characters,
    ctrl_break_in_a_run,
    a_reader_that_goes_away,
    chinese_names_in_what_a_child_says,
    the_password_store,
    the_folders_of_the_person,
    a_second_start,
    a_process_with_limits,
    a_network_share,
    diagnostics_without_the_name_of_the_person,
    the_model_stands_back,
)


def main() -> int:
    wanted = sys.argv[2:]
    faults = 0
    os.environ[paths.HOME_VARIABLE] = tempfile.mkdtemp(prefix="home ", dir=HERE)
    for check in CHECKS:
        if wanted and check.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            state, said = "ok ", check()
        except (Fault, OSError, InspectorError, subprocess.SubprocessError, SystemError, ValueError) as fault:
            faults, state, said = faults + 1, "BAD", f"{type(fault).__name__}: {fault}"
        line = f"{state} {check.__name__.replace('_', ' ')}: {said} ({time.monotonic() - began:.1f} s)\n"
        sys.stdout.buffer.write(line.encode())
        sys.stdout.flush()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
