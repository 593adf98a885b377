"""Benchmark this machine: the speed of each setting, and its deviation from the most accurate one.

``comparison`` starts a process for each setting, which measures it (``measure``); ``agreement`` compares their
detections, ``machine`` describes the computer.
"""

from inspector.benchmark.agreement import Agreement
from inspector.benchmark.comparison import Comparison, Setting, SettingResult, settings
from inspector.benchmark.machine import Machine
from inspector.benchmark.measure import load_images, measure

__all__ = ["Agreement", "Comparison", "Machine", "Setting", "SettingResult", "load_images", "measure", "settings"]
