"""Architectures: names, construction, cost and self-check."""
