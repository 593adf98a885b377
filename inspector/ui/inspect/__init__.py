"""The page Inspect: sources, model, thresholds, live results and the operator's view."""
