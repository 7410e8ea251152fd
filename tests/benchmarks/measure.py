"""What a benchmark says: a rate of ours beside that of a peer doing the same work, as medians of alternating runs."""

from __future__ import annotations

import gc
import os
import platform
import random
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline import sources
from pipeline.types import Document

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 5


class Missing(Exception):
    """The peer is not installed; the message gives the command that would bring it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Two rates, both in ``unit`` a second, measured on ``n`` of that unit."""

    name: str
    ours: float
    peer: float
    unit: str
    n: int

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer we are."""
        return self.ours / self.peer


def race(name: str, ours: Callable[[], object], peer: Callable[[], object], *, n: int, unit: str) -> Figure:
    """Time both sides in turn, so that a noisy neighbour slows both, after one run of each to warm up."""
    seconds: dict[Callable[[], object], list[float]] = {ours: [], peer: []}
    for number in range(ROUNDS + 1):
        for side, taken in seconds.items():
            gc.collect()
            start = time.perf_counter()
            side()
            if number:
                taken.append(time.perf_counter() - start)
    ours_takes, peer_takes = (statistics.median(taken) for taken in seconds.values())
    return Figure(name, ours=n / ours_takes, peer=n / peer_takes, unit=unit, n=n)


def machine() -> dict[str, str | int | float]:
    """Where the figures were measured."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


@cache
def sample_papers() -> tuple[Document, ...]:
    """The papers of the sample corpus, of all three fields, as far as they lie in ``papers.*``."""
    found = (paper for path in sorted(ROOT.glob("sample_corpus/*/papers.*")) for paper in sources.read(path))
    return tuple(paper for paper in found if isinstance(paper, Document))


@cache
def sample_words() -> tuple[str, ...]:
    """The words of the sample papers, each once, for text that is generated."""
    return tuple(sorted({word for paper in sample_papers() for word in re.findall(r"[a-z]{3,12}", paper.text)}))


def generated_text(random_: random.Random, sentences: int) -> str:
    """Sentences of real words in no order."""
    words = sample_words()
    return " ".join(" ".join(random_.choices(words, k=18)).capitalize() + "." for _ in range(sentences))


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()
