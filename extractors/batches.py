"""Batches of like length, within a number of pieces, drawn by a chance that is the same on every machine."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")


def drawn(groups: Sequence[Sequence[Item]], shares: Sequence[float], chance: random.Random) -> list[Item]:
    """What is seen in one epoch of each corpus' items; a share over one sees some of them again."""
    seen: list[Item] = []
    for group, share in zip(groups, shares, strict=True):
        seen.extend([*group] * int(share))
        seen.extend(chance.sample(group, int(len(group) * (share % 1))))
    return seen


def batches(
    items: Sequence[Item], length: Callable[[Item], int], *, tokens: int, chance: random.Random
) -> list[list[Item]]:
    """Shuffle items into batches of like length, none over ``tokens`` when padded (but a single long item).

    >>> batches([1, 9, 2, 8], lambda item: item, tokens=18, chance=random.Random(0))
    [[1, 2], [8, 9]]
    """
    shuffled = chance.sample(items, len(items))
    pool = 100 * tokens
    done: list[list[Item]] = []
    for group in _within(shuffled, length, pool):
        done.extend(packed(sorted(group, key=length), length, tokens))
    chance.shuffle(done)
    return done


def evened(found: Sequence[Sequence[Item]], number: int) -> list[Sequence[Item]]:
    """As many batches as are wanted: the largest ones are halved, or some seen twice where all hold one item.

    What is more than wanted is left out, with a word in the log.

    >>> evened([[1, 2, 3, 4], [5]], 3)
    [[1, 2], [3, 4], [5]]
    """
    done = list(found)
    while len(done) < number and (largest := max(done, key=len, default=())) and len(largest) > 1:
        at = next(at for at, batch in enumerate(done) if batch is largest)
        done[at : at + 1] = [largest[: len(largest) // 2], largest[len(largest) // 2 :]]
    if len(done) > number:
        log.warning("%d of %d batches are left out of this epoch", len(done) - number, len(done))
    return list(islice(cycle(done), number))


def packed(items: Iterable[Item], length: Callable[[Item], int], tokens: int) -> Iterator[list[Item]]:
    """Cut a sequence into runs whose longest length times their number stays within ``tokens``."""
    run: list[Item] = []
    longest = 0
    for item in items:
        if run and max(longest, length(item)) * (len(run) + 1) > tokens:
            yield run
            run, longest = [], 0
        run.append(item)
        longest = max(longest, length(item))
    if run:
        yield run


def chance_of(seed: int) -> random.Random:
    """A source of chance that gives the same draws on every machine."""
    return random.Random(seed)  # noqa: S311  nothing secret hangs on it


def _within(items: Sequence[Item], length: Callable[[Item], int], tokens: int) -> Iterator[list[Item]]:
    group: list[Item] = []
    room = tokens
    for item in items:
        if group and length(item) > room:
            yield group
            group, room = [], tokens
        group.append(item)
        room -= length(item)
    if group:
        yield group
