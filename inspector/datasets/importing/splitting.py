"""Divide images into train, val and test: at random, but keeping groups together."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from inspector.domain import InputError


def split_by_group(
    marks: Sequence[Sequence[str]], kinds: Sequence[int], shares: Mapping[str, float], seed: int
) -> list[str]:
    """Assign each image a split.

    Images that share a mark (the same pixels, the same group) get the same split. Each kind is divided separately,
    so that rare kinds are not left to chance. The order is a hash of seed and marks: file names do not matter,
    and if images are added, most others keep their split.

    Args:
        marks: of each image, at least one.
        kinds: of each image, higher for a rarer kind.
        shares: of all splits but train, above 0.

    Raises:
        InputError: there are fewer groups of images than splits.
    """
    bundles = _bundles(marks)
    if len(bundles) <= len(shares):
        raise InputError(
            "{count} different images (or groups) cannot be divided into {splits} splits; label more",
            count=len(bundles),
            splits=len(shares) + 1,
        )
    rank = {
        id(bundle): hashlib.blake2b(f"{seed} {min(marks[one][0] for one in bundle)}".encode()).digest()
        for bundle in bundles
    }
    chosen: dict[str, list[list[int]]] = {"train": [], **{split: [] for split in shares}}
    counts: Counter[str] = Counter()
    total = 0
    by_kind: dict[int, list[list[int]]] = {}
    for bundle in sorted(bundles, key=lambda bundle: rank[id(bundle)]):
        by_kind.setdefault(max(kinds[one] for one in bundle), []).append(bundle)
    for kind in sorted(by_kind, reverse=True):
        left = by_kind[kind]
        total += sum(map(len, left))
        for split, share in shares.items():
            wanted = math.floor(share * total + 0.5) - counts[split]
            taken, left = _take(left, wanted)
            chosen[split] += taken
            counts[split] += sum(map(len, taken))
        chosen["train"] += left
    for split in chosen:
        if not chosen[split]:
            most = max(chosen, key=lambda one: len(chosen[one]))
            given = min(chosen[most], key=lambda bundle: (len(bundle), rank[id(bundle)]))
            chosen[most].remove(given)
            chosen[split].append(given)
    where = {one: split for split, bundles in chosen.items() for bundle in bundles for one in bundle}
    return [where[number] for number in range(len(marks))]


def _take(bundles: Iterable[list[int]], count: int) -> tuple[list[list[int]], list[list[int]]]:
    """Take bundles with about ``count`` images; return them and the rest.

    A bundle that would overshoot by more than is lacking is left.
    """
    taken, left = [], []
    for bundle in bundles:
        if count > 0 and len(bundle) < 2 * count:
            taken.append(bundle)
            count -= len(bundle)
        else:
            left.append(bundle)
    return taken, left


def _bundles(marks: Sequence[Sequence[str]]) -> list[list[int]]:
    """Group the numbers of images that are connected by marks, directly or through others."""
    head = list(range(len(marks)))

    def find(member: int) -> int:
        while head[member] != member:
            head[member] = head[head[member]]
            member = head[member]
        return member

    first: dict[str, int] = {}
    for number, own in enumerate(marks):
        for mark in own:
            head[find(number)] = find(first.setdefault(mark, number))
    found: dict[int, list[int]] = {}
    for number in range(len(marks)):
        found.setdefault(find(number), []).append(number)
    return list(found.values())
