"""The history: every run and every inspection with its detections, in one SQLite file that is never rewritten.

``database`` opens and migrates the file, ``search`` turns a query into SQL, ``store`` writes and reads. For the window
``listing`` makes tables of any length and ``statistics`` adds up, each a ``reading`` of its own beside the writer.
"""

from inspector.history.search import Entry, Page, Query, RunEntry
from inspector.history.store import INTERVAL, History

__all__ = ["INTERVAL", "Entry", "History", "Page", "Query", "RunEntry"]
