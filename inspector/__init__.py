"""Bearing Inspector: finds defects on bearings, offline."""

__version__ = "0.1.0"
