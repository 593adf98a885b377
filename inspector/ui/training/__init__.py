"""The page Training: datasets, architectures, runs and trained models."""
