"""Exports of earlier inspections from the history."""
