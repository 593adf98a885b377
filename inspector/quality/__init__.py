"""Statistics of a quality engineer: agreement, control charts, gauges, probability of detection and sampling plans.

Numbers in, numbers out: numpy and the standard library only, no history and no window.
"""
