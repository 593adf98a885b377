"""Every reference case of the published modules, made from our plugins.

``BUILD[class](config, state_dict)`` returns a module in evaluation mode with the official weights, or a function.
Called with the inputs of a case of ``shared/reference/golden/index.json`` in their order, it returns the outputs in the
order of the case: a tensor, or a sequence of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import cases_attention
import cases_blocks
import cases_first
import cases_losses
import cases_networks

Builder = Callable[[dict[str, Any], "dict[str, Any] | None"], Callable[..., Any]]
BUILD: dict[str, Builder] = {
    **cases_first.BUILD,
    **cases_losses.BUILD,
    **cases_attention.BUILD,
    **cases_blocks.BUILD,
    **cases_networks.BUILD,
}


def builder(entry: dict[str, Any]) -> Builder:
    """The builder of a case of the index. Two official files have a class GSConv with the same arguments and keys that
    computes something else; ``BUILD["GSConv"]`` is that for YOLOv8 to 11, the other is found by its source."""
    return BUILD.get(f"{entry['class']} of {entry['source'].partition('/')[0]}", BUILD[entry["class"]])
