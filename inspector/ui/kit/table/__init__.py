"""A virtual table of any length."""
