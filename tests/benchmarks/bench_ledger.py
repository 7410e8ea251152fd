"""Documents and readings into a new ledger, against the bare database writing rows of that size, comparing nothing.

The servers' side is left out where PostgreSQL is missing.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import ROOT, ROUNDS, Figure, Missing, generated_text, race
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateSchema

from pipeline.ledger import Ledger
from pipeline.ledger.rows import reading_rows
from pipeline.types import Document, Grounding, Mention, Reading

sys.path.append(str(ROOT / "tests"))
from fixtures_ledger import NoServer, served  # type: ignore[import-not-found]  # a folder above

DOCUMENTS = 3_000
FILES = 3_000
READ = 400  # readings saved at once
MENTIONS = 40
BATCH = 500
TABLES = ("mentions", "groundings")


def figures() -> Iterator[Figure]:
    random_ = random.Random(1)
    papers = [Document(f"sample:{n}", generated_text(random_, 8), domain="biomed") for n in range(DOCUMENTS)]
    readings = [read(paper) for paper in papers[: READ * (ROUNDS + 1)]]
    with TemporaryDirectory() as folder:
        paths = (Path(folder) / f"{number}.db" for number in count())

        def url() -> str:
            return f"sqlite:///{next(paths)}"

        yield race(
            "ledger: ingest vs bare sqlite3",
            lambda: ingest(url(), papers),
            lambda: bare_ingest(next(paths), papers),
            n=DOCUMENTS,
            unit="documents",
        )
        full = f"sqlite:///{next(paths)}"
        ingest(full, papers)
        yield race(
            "ledger: ingest again vs the first time",
            lambda: ingest(full, papers, new=0),
            lambda: ingest(url(), papers),
            n=DOCUMENTS,
            unit="documents",
        )
        yield race(
            "ledger: a file a paper vs all in one file",
            lambda: ingest_files(url(), papers),
            lambda: ingest(url(), papers),
            n=FILES,
            unit="files",
        )
        yield race(
            "ledger: save vs bare sqlite3",
            saves(url, readings),
            lambda: bare_save(next(paths), readings),
            n=READ * MENTIONS,
            unit="mentions",
        )
    yield from on_postgresql(readings)


def on_postgresql(readings: list[Reading]) -> Iterator[Figure]:
    try:
        with served() as server:
            schemas = (f"bench_{number}" for number in count())

            def url() -> str:
                engine = create_engine(server)
                with engine.begin() as connection:
                    connection.execute(CreateSchema(schema := next(schemas)))
                engine.dispose()
                return f"{server}&options=-csearch_path%3D{schema}"

            yield race(
                "ledger: save on PostgreSQL vs bare COPY",
                saves(url, readings),
                lambda: bare_copy(url(), readings),
                n=READ * MENTIONS,
                unit="mentions",
            )
    except NoServer as error:
        raise Missing(str(error)) from error


def read(document: Document) -> Reading:
    grounding = (Grounding("MESH:D005395", "Fish Oils", 1.0, "exact", "fish oil"),)
    spans = [(at * 20, at * 20 + 12) for at in range(MENTIONS)]
    return Reading(
        document,
        mentions=tuple(
            Mention(start, end, document.id, document.text[start:end], "Chemical", 0.9, "tagger@0123abcd", grounding)
            for start, end in spans
        ),
    )


def ingest(url: str, papers: list[Document], *, new: int = DOCUMENTS) -> None:
    with Ledger.open(url) as ledger:
        assert ledger.ingest("papers", papers, batch_size=BATCH).new == new


def ingest_files(url: str, papers: list[Document]) -> None:
    with Ledger.open(url) as ledger:
        told = ((f"papers/{number}.txt", "1", [paper]) for number, paper in enumerate(papers))
        assert sum(counts.new for _, counts in ledger.ingest_many(told)) == FILES


def bare_ingest(path: Path, papers: list[Document]) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, digest TEXT, domain TEXT, text TEXT)")
    for start in range(0, DOCUMENTS, BATCH):
        with database:
            rows = ((p.id, p.digest, p.domain, p.text) for p in papers[start : start + BATCH])
            database.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", rows)
    database.close()


def saves(url: Callable[[], str], readings: list[Reading]) -> Callable[[], None]:
    """Save readings in a ledger that has the documents; each call those of others, so that all rows are new."""
    ledger = Ledger.open(url())
    ledger.ingest("papers", [reading.document for reading in readings])
    parts = (readings[start : start + READ] for start in range(0, len(readings), READ))
    return lambda: ledger.save(next(parts), "reader@1")


def bare_save(path: Path, readings: list[Reading]) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    with database:
        for table, rows in bare_rows(readings).items():
            marks = ", ".join("?" * len(rows[0]))
            names = ", ".join(f"c{n}" for n in range(len(rows[0])))
            database.execute(f"CREATE TABLE {table} ({names})")
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
    database.close()


def bare_copy(url: str, readings: list[Reading]) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        cursor = connection.connection.cursor()
        for table, rows in bare_rows(readings).items():
            cursor.execute(f"CREATE TABLE {table} ({', '.join(f'c{n} text' for n in range(len(rows[0])))})")
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    engine.dispose()


def bare_rows(readings: list[Reading]) -> dict[str, list[tuple[object, ...]]]:
    found = [reading_rows(reading, "reader@1") for reading in readings[:READ]]
    return {table: [row for rows in found for row in getattr(rows, table)] for table in TABLES}
