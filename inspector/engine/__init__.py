"""The pipeline: reader, model and writer, one thread each, joined by bounded channels.

    reader ── Channel ──> model and judge ── Channel ──> writer ──> history first, then exporters

Files are lossless: a full channel blocks the reader. A droppable source (a camera) keeps only the newest frame. Each
part is opened, used and closed on its own thread. Nothing is written before sources and model have opened. A failing
exporter is closed and reported and the run goes on; a failing source, model or history ends the run with everything
finished saved.
"""

from inspector.engine.engine import Engine
from inspector.engine.record import Counts
from inspector.engine.run import Catalogue, Journal, Run

__all__ = ["Catalogue", "Counts", "Engine", "Journal", "Run"]
