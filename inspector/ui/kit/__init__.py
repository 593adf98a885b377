"""Widgets and services of the window that know no page."""
