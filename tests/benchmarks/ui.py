"""Response time of the window while a 1080p source of 30 fps, or of files, runs with inference on.

A beat is asked for every 10 ms on the Tk thread; how long after the beat before it comes is what a person's click would
have waited, 10 ms included. Run it on a quiet machine, below Xvfb where there is no screen:

    xvfb-run -s "-screen 0 1366x768x24" python tests/benchmarks/ui.py --seconds 30
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

PLUGIN = '''
import time
import numpy as np
from inspector.api import Frame, SourceSpec, Text, hookimpl, read_image
from pathlib import Path

PLUGIN = {"id": "beat_source", "version": "1.0", "api": 1, "kinds": ["source"], "description": "1080p at 30 fps"}


@hookimpl
def inspector_sources():
    claim = lambda text: {} if text == "beat:1" else None
    return [SourceSpec("beat_source", Text("1080p at 30 fps"), Stream, (), claim, droppable=LIVE)]


class Stream:
    """A turning sample image, 1920x1080, 30 frames a second by the clock."""

    total = None

    def __init__(self):
        picture, _ = read_image(Path(PICTURE))
        tall = np.tile(picture, (2, 4, 1))[:1080, :1920]
        self.pictures = [np.ascontiguousarray(np.roll(tall, 40 * k, axis=1)) for k in range(12)]

    def __iter__(self):
        start, index = time.perf_counter(), 0
        while True:
            wait = start + index / 30 - time.perf_counter()
            if LIVE and wait > 0:
                time.sleep(wait)
            yield Frame(self.pictures[index % 12], index, "stream", seconds=index / 30)
            index += 1

    def close(self):
        pass
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--files", action="store_true", help="as a video file: every frame, as fast as it goes")
    parser.add_argument("--model", help="weights; the bundled model without")
    arguments = parser.parse_args()
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as home:
        os.environ["BEARING_INSPECTOR_HOME"] = home
        (Path(home) / "plugins").mkdir()
        sample = json.dumps(str(root / "sample_data" / "defect-07.jpg"))
        plugin = PLUGIN.replace("PICTURE", sample).replace("LIVE", str(not arguments.files))
        (Path(home) / "plugins" / "beat_source.py").write_text(plugin, "utf-8")
        measure(arguments.seconds, arguments.model)


def measure(seconds: float, model: str | None) -> None:
    from inspector.ui.app import App

    begun = time.perf_counter()
    app = App()
    app.start()
    app.root.update()
    drawn = time.perf_counter() - begun
    gaps: list[float] = []
    frames: list[int] = []
    last = [0.0]

    def beat() -> None:
        now = time.perf_counter()
        gaps.append((now - last[0]) * 1000)
        last[0] = now
        app.root.after(10, beat)

    def wait_for_model() -> None:
        if not hasattr(app, "session") or app.session.model is None or app.session.loading:
            app.root.after(100, wait_for_model)
            return
        if model is not None and not frames:
            frames.append(0)
            app.session.choose_model(model)
            app.root.after(100, wait_for_model)
            return
        app.inspect_page().open_sources(["beat:1"], remember=False, start=True)
        app.root.after(4000, begin)

    def begin() -> None:
        frames[:] = [app.session.run.counts.inspected]
        last[0] = time.perf_counter()
        app.root.after(10, beat)
        app.root.after(round(seconds * 1000), end)

    def end() -> None:
        run = app.session.run
        done = run.counts.inspected - frames[0]
        gaps.sort()
        print(f"window drawn after {drawn:.2f} s (modules imported)")
        print(f"inspected {done / seconds:.1f} frames a second, dropped {run.counts.dropped}; {len(gaps)} beats")
        cuts = {name: gaps[min(len(gaps) - 1, int(len(gaps) * part))] for name, part in PARTS.items()}
        print(
            "  ".join(f"{name} {value:.1f} ms" for name, value in cuts.items()), f" mean {statistics.mean(gaps):.1f} ms"
        )
        app.ask = lambda *_: "close"  # type: ignore[method-assign]
        app.close()

    app.root.after(100, wait_for_model)
    app.root.mainloop()


PARTS = {"median": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}

if __name__ == "__main__":
    sys.exit(main())
