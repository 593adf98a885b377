"""Plugins: found, checked, loaded one by one behind a guard, listed, installed.

A bad plugin is shown with its reason and never takes anything else down. Nothing here needs a plugin to work.
"""

from inspector.registry.checking import check
from inspector.registry.installing import Installed, disable, enable, install, look, remove
from inspector.registry.loading import load
from inspector.registry.records import PluginRecord, Registry
from inspector.registry.scaffold import new

__all__ = [
    "Installed",
    "PluginRecord",
    "Registry",
    "check",
    "disable",
    "enable",
    "install",
    "load",
    "look",
    "new",
    "remove",
]
