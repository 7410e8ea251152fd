"""100,000 abstracts into a new ledger, and again when nothing is new; the peak memory beside that of a quarter of them.

``HYPOGRAPH_BENCH_ABSTRACTS`` takes another number.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import medline_sample
from measure import Figure

from flows import tasks
from flows.workspace import Workspace

ABSTRACTS = int(os.environ.get("HYPOGRAPH_BENCH_ABSTRACTS", "100000"))
FILES = 8
RECORD = 8_750  # bytes that a record takes about


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        papers = Path(folder) / "papers"
        papers.mkdir()
        size = ABSTRACTS * RECORD // FILES
        counts = [medline_sample.write(papers / f"{n}.xml", size=size, seed=n) for n in range(1, FILES + 1)]
        part, _ = ingested(Path(folder) / "part", sorted(papers.iterdir())[: FILES // 4])
        memory, first = ingested(Path(folder) / "all", [papers])
        _, second = ingested(Path(folder) / "all", [papers])
        n = sum(counts)
        yield Figure("ingest: again vs the first time", n / second, n / first, "abstracts", n, memory)
        # a ratio of memories, in MB: 1 says that four times the papers take no more
        yield Figure("ingest: memory of a quarter vs of all", part, memory, "MB", n)


def ingested(workspace: Path, paths: list[Path]) -> tuple[float, float]:
    """Peak memory in MB and seconds of a process that ingests."""
    workspace.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, __file__, workspace, *paths],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    memory, seconds = map(float, done.stdout.split())
    return memory, seconds


def ingest(workspace: Path, paths: list[Path]) -> None:
    start = time.perf_counter()
    with Workspace.open(workspace) as opened:
        files, _ = tasks.corpora(opened, paths)
        for domain, found in files.items():
            tasks.ingest(opened, found, domain)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{memory} {seconds}\n")


if __name__ == "__main__":
    folder, *given = map(Path, sys.argv[1:])
    ingest(folder, given)
