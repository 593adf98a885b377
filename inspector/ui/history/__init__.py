"""The page History: search, stored inspections, export and purge."""
