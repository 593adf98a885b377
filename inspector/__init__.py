"""Bearing Inspector: finds defects on bearings, offline."""

__version__ = "0.2.0"
