"""Deals pictures out to train, val and test: at random, but so that what belongs together stays together."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from inspector.domain import InputError


def deal(marks: Sequence[Sequence[str]], kinds: Sequence[int], shares: Mapping[str, float], seed: int) -> list[str]:
    """The split of each picture.

    Pictures that share a mark (the same pixels, the same group) get the same split. Each kind is dealt out by itself,
    so that a rare one is not left to chance. The order is a hash of seed and marks: the names of files do not matter,
    and where some pictures are added, most others stay where they were.

    Args:
        marks: of each picture, one or more.
        kinds: of each picture, higher for a rarer one.
        shares: of the splits but train, above 0.

    Raises:
        InputError: there is not one bundle of pictures for every split.
    """
    bundles = _bundles(marks)
    if len(bundles) <= len(shares):
        raise InputError(
            f"{len(bundles)} different pictures (or groups) cannot be divided into {len(shares) + 1} splits; label more"
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


def _take(bundles: Iterable[list[int]], wanted: int) -> tuple[list[list[int]], list[list[int]]]:
    """Bundles with about as many pictures in all, and the others.

    A bundle that would pass the number by more than is lacking is left.
    """
    taken, left = [], []
    for bundle in bundles:
        if wanted > 0 and len(bundle) < 2 * wanted:
            taken.append(bundle)
            wanted -= len(bundle)
        else:
            left.append(bundle)
    return taken, left


def _bundles(marks: Sequence[Sequence[str]]) -> list[list[int]]:
    """Numbers of pictures that hang together by marks, directly or by way of others."""
    head = list(range(len(marks)))

    def find(one: int) -> int:
        while head[one] != one:
            head[one] = head[head[one]]
            one = head[one]
        return one

    first: dict[str, int] = {}
    for number, own in enumerate(marks):
        for mark in own:
            head[find(number)] = find(first.setdefault(mark, number))
    found: dict[int, list[int]] = {}
    for number in range(len(marks)):
        found.setdefault(find(number), []).append(number)
    return list(found.values())
