"""How fast this machine inspects, setting by setting, and what each setting costs in exactness.

``comparison`` starts a process for each setting, which measures it (``measuring``); ``agreement`` compares what they
found, ``machine`` tells on what.
"""

from inspector.benchmark.agreement import Agreement
from inspector.benchmark.comparison import Comparison, Row, Setting, settings
from inspector.benchmark.machine import Machine
from inspector.benchmark.measuring import load_pictures, measure

__all__ = ["Agreement", "Comparison", "Machine", "Row", "Setting", "load_pictures", "measure", "settings"]
