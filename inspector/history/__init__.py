"""The history: all runs and inspections with their detections, in one SQLite file.

``database`` opens and migrates the file, ``query`` translates queries to SQL, ``rows`` converts its rows, ``store``
writes and reads, ``judgements`` keeps later judgements by other rules. For the window, ``listing`` provides tables of
any length and ``statistics`` computes figures, each on a read-only connection of its own (``reader``).
"""

from inspector.history.query import Entry, Event, Page, Query, RunEntry
from inspector.history.store import INTERVAL, History

__all__ = ["INTERVAL", "Entry", "Event", "History", "Page", "Query", "RunEntry"]
