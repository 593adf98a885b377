"""Checkpoints: read as data, checked against an allowlist, rebuilt as networks."""
