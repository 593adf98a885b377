"""The pipeline: reader, model and writer on one thread each, connected by bounded channels.

    reader ── Channel ──> model and judge ── Channel ──> writer ──> history first, then exporters

Files are lossless: a full channel blocks the reader. A droppable source (a camera) keeps only the newest frame. Each
part is opened, used and closed on its own thread. Nothing is written before sources and model are open. A failing
exporter is closed and reported while the run continues; a failing source, model or history ends the run with all
finished results saved.
"""

from inspector.engine.batch import EarlierResult
from inspector.engine.engine import Engine
from inspector.engine.reader import EarlierRun
from inspector.engine.result_writer import ResultStore
from inspector.engine.run import Run
from inspector.engine.run_context import PluginCatalog
from inspector.engine.run_folder import Counts

__all__ = ["Counts", "EarlierResult", "EarlierRun", "Engine", "PluginCatalog", "ResultStore", "Run"]
