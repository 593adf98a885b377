"""Procedural images of bearings with painted defects and exact masks, for training and for trying the program out."""

from inspector.datasets.synthetic.dataset import Summary, synthesize
from inspector.datasets.synthetic.defects import KINDS
from inspector.datasets.synthetic.part import PaintedDefect, Part, render_part
from inspector.datasets.synthetic.turning import turning_video_frames

__all__ = ["KINDS", "PaintedDefect", "Part", "Summary", "render_part", "synthesize", "turning_video_frames"]
