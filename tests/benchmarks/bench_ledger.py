"""Documents into a new ledger, against bare sqlite3 writing text and digest by executemany and comparing nothing."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Figure, generated_text, race

from pipeline.ledger import Ledger
from pipeline.types import Document

DOCUMENTS = 3_000
BATCH = 500


def figures() -> Iterator[Figure]:
    random_ = random.Random(1)
    papers = [Document(f"sample:{n}", generated_text(random_, 8), domain="biomed") for n in range(DOCUMENTS)]
    with TemporaryDirectory() as folder:
        paths = (Path(folder) / f"{number}.db" for number in count())
        yield race(
            "ledger: ingest vs bare sqlite3",
            lambda: ingest(next(paths), papers),
            lambda: bare(next(paths), papers),
            n=DOCUMENTS,
            unit="documents",
        )


def ingest(path: Path, papers: list[Document]) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert ledger.ingest("papers", papers, batch_size=BATCH).new == DOCUMENTS


def bare(path: Path, papers: list[Document]) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, digest TEXT, domain TEXT, text TEXT)")
    for start in range(0, DOCUMENTS, BATCH):
        with database:
            rows = ((p.id, p.digest, p.domain, p.text) for p in papers[start : start + BATCH])
            database.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", rows)
    database.close()
