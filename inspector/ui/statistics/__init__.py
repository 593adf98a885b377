"""The page Statistics."""
