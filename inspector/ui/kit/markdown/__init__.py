"""Markdown pages in a text widget."""
