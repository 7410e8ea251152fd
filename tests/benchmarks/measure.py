"""What a benchmark says: a rate of ours beside that of a peer doing the same work, as medians of alternating runs."""

from __future__ import annotations

import gc
import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
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
    """Two rates, both in ``unit`` a second, measured on ``n`` of that unit; ``memory`` is our peak in MB, if known."""

    name: str
    ours: float
    peer: float
    unit: str
    n: int
    memory: float = 0.0

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


def race_processes(
    name: str, ours: Sequence[str], peer: Sequence[str], *, n: int, unit: str, rounds: int = 3
) -> Figure:
    """Time two Python scripts in turn, each a process of its own that ends with :func:`tell`; the best round counts."""
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        for side, arguments in (("ours", ours), ("peer", peer)):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            told = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, check=True)
            seconds, memory = json.loads(told.stdout)
            taken[side].append((seconds, memory))
    (ours_takes, _), (peer_takes, _) = (min(times) for times in taken.values())
    memory = max(memory for _, memory in taken["ours"])
    return Figure(name, ours=n / ours_takes, peer=n / peer_takes, unit=unit, n=n, memory=memory)


def tell(work: Callable[[], object]) -> None:
    """Do the work and print, as JSON, the seconds it takes and the peak memory in MB, of any one process."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    kilobytes = max(_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    sys.stdout.write(json.dumps([seconds, kilobytes / 1024]))


def _peak() -> int:
    """Our own peak in KB; getrusage would count in what the process held that started us."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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
