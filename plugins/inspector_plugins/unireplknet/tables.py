"""The numbers of the published networks (Ding et al. 2023, arXiv 2311.15599; where they differ, those of the code)."""

from __future__ import annotations

from collections.abc import Sequence

BRANCHES = {
    5: ((3, 1), (3, 2)),
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
    11: ((5, 1), (5, 2), (3, 3), (3, 4), (3, 5)),
    13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
    15: ((5, 1), (7, 2), (3, 3), (3, 5), (3, 7)),
    17: ((5, 1), (9, 2), (3, 4), (3, 5), (3, 7)),
}
"""Size of a large kernel -> (k, r): size and dilation of each parallel branch."""

MEMBERS = {
    "a": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "f": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "p": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "n": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "t": ((3, 3, 18, 3), (80, 160, 320, 640)),
    "s": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "b": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "l": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "xl": ((3, 3, 27, 3), (256, 512, 1024, 2048)),
}
"""Name of a network -> depths and channels of its four stages."""

_THIRD_STAGE = {6: (13,) * 6, 8: (13,) * 8, 18: (13, 3) * 9, 27: (13, 3, 3) * 9}


def stage_kernels(depths: Sequence[int], kernels: Sequence[Sequence[int]] | None) -> Sequence[Sequence[int]]:
    """The kernel size of each block of each stage: those given, or else those published for these depths.

    Raises:
        ValueError: not four stages, a mismatch with ``depths``, or nothing was published for ``depths``.
    """
    if len(depths) != 4:
        raise ValueError(f"depths should hold the blocks of 4 stages, got {len(depths)}: {tuple(depths)}")
    if kernels is not None:
        if [len(sizes) for sizes in kernels] != list(depths):
            counts = tuple(len(sizes) for sizes in kernels)
            raise ValueError(f"kernel_sizes should hold {tuple(depths)} sizes in its stages, got {counts}")
        return kernels
    published = {depths for depths, _ in MEMBERS.values()}
    if tuple(depths) not in published:
        expected = ", ".join(map(str, sorted(published)))
        raise ValueError(f"kernel_sizes are needed for depths other than {expected}, got {tuple(depths)}")
    return (3,) * depths[0], (13,) * depths[1], _THIRD_STAGE[depths[2]], (13,) * depths[3]
