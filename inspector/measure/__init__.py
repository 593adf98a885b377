"""Measuring of defects, by OpenCV and scikit-image. Imports only the domain."""

from inspector.measure.measure import measure

__all__ = ["measure"]
