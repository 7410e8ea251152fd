"""Progress on stderr: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
LINES = 10
"""At most so many lines where stderr is no terminal."""


def say(message: str) -> None:
    """One line for a person."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def track(items: Sequence[Item], label: str, unit: str = "batches") -> Iterator[Item]:
    """Yield the items, showing how far it is; one alone is not worth a word."""
    return track_of(items, len(items), label, unit)


def track_of(items: Iterable[Item], total: int, label: str, unit: str = "batches") -> Iterator[Item]:
    """The same for items of which only the number is known."""
    if total < 2:
        yield from items
        return
    if not sys.stderr.isatty():
        step = -(-total // LINES)
        for number, item in enumerate(items, 1):
            yield item
            if number % step == 0 or number == total:
                say(f"{label}: {number} of {total} {unit}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        yield from bar.track(items, total=total)
