"""Very many frames in one run: memory, handles and threads stay as they are."""

from __future__ import annotations

import time

import cv2
import numpy as np
import psutil

from tests.faults.common import Kind, check_history, exported, finish, new_home, program

_VIDEO = 5000  # frames of one file
_MEMORY = 64 << 20  # bytes by which it may grow after the first fifth: SQLite's cache, buffers of the workbook


def frames(kind: Kind) -> None:
    """``tries`` frames of 32 x 24 pixels through history, jsonl and csv."""
    home = new_home(kind.folder)
    folder = kind.folder / "videos"
    folder.mkdir()
    wanted = kind.tries
    many = max(1, -(-wanted // _VIDEO))
    each = -(-wanted // many)
    for number in range(many):
        writer = cv2.VideoWriter(str(folder / f"{number:04d}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (32, 24))
        for frame in range(each):
            image = np.full((24, 32, 3), 200, np.uint8)
            image[4:14, 4:14] = 10 if frame % 50 == 0 else 200
            writer.write(image)
        writer.release()
    words = ["inspect", str(folder), "--model", "spots", "--quiet", "--export", "jsonl,csv", "--output"]
    process = program(home, *words, str(kind.folder / "out"))
    watched = psutil.Process(process.pid)
    seen: list[tuple[int, int, int]] = []
    began = time.monotonic()
    while process.poll() is None:
        try:
            seen.append((watched.memory_info().rss, watched.num_fds(), watched.num_threads()))
        except psutil.Error:
            break
        time.sleep(0.5)
        if time.monotonic() - began > kind.seconds:
            process.terminate()
    seconds = time.monotonic() - began
    finish(kind, process, (0, 130))
    kind.done = check_history(kind, home)[0][2]
    kind.demand(len(exported(kind.folder / "out")) == kind.done, "history and results.jsonl differ")
    steady = seen[len(seen) // 5 : -2] or seen
    memory, handles, threads = (
        (min(one[part] for one in steady), max(one[part] for one in steady)) for part in range(3)
    )
    kind.demand(steady[-1][0] - steady[0][0] < _MEMORY, f"memory grew from {memory[0] >> 20} to {memory[1] >> 20} MiB")
    half = len(steady) // 2
    for part, what in ((1, "handles"), (2, "threads")):
        before, later = (max(one[part] for one in some) for some in (steady[: half + 1], steady[half:]))
        kind.demand(later <= before + 1, f"{what} grew from {before} to {later}")
    kind.note = (
        f"{kind.done / seconds:.0f} frames a second; memory {steady[0][0] >> 20} -> {steady[-1][0] >> 20} MiB, "
        f"handles {handles[0]} to {handles[1]}, threads {threads[0]} to {threads[1]}"
    )
