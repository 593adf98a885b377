"""Procedural pictures of bearings with painted defects and exact masks, for training and for trying things out."""

from inspector.synthesis.dataset import Summary, synthesize
from inspector.synthesis.defects import KINDS
from inspector.synthesis.part import PaintedDefect, Part, render_part
from inspector.synthesis.turning import turning_video_frames

__all__ = ["KINDS", "PaintedDefect", "Part", "Summary", "render_part", "synthesize", "turning_video_frames"]
