"""Registry of plugins: discovery, checks, isolated loading, installation.

A faulty plugin is listed with its reason and never affects the rest of the program.
"""

from inspector.registry.calling import architecture_list, architectures, claimed, combinations, devices
from inspector.registry.checking import check
from inspector.registry.installing import Installed, disable, enable, install, look, remove
from inspector.registry.layer_templates import LAYER_KINDS
from inspector.registry.loading import load
from inspector.registry.records import PluginRecord, Registry
from inspector.registry.scaffold import new

__all__ = [
    "LAYER_KINDS",
    "Installed",
    "PluginRecord",
    "Registry",
    "architecture_list",
    "architectures",
    "check",
    "claimed",
    "combinations",
    "devices",
    "disable",
    "enable",
    "install",
    "load",
    "look",
    "new",
    "remove",
]
