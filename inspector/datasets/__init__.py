"""Datasets for training: read and checked in YOLO's layout, imported from other programs, or rendered."""
