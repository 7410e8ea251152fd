"""The ledger: documents, what was read in them and what failed, in one transactional database.

A graph is a projection of it. SQLite by default, PostgreSQL by URL. There is one writer at a time and a second one
waits; readers see one moment and wait for nobody. A process that is killed loses the batch in hand and no more.

>>> import tempfile
>>> from pipeline.types import Document, Reading
>>> paper = Document("sample:1", "Fish oil and Raynaud's syndrome", domain="biomed")
>>> with tempfile.TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{folder}/ledger.db") as ledger:
...     ledger.ingest("papers.jsonl", [paper])
...     ledger.ingest("papers.jsonl", [paper])
...     ledger.pending({"biomed": "reader@1"})
...     ledger.save([Reading(paper)], "reader@1")
...     ledger.pending({"biomed": "reader@1"})
IngestCounts(new=1, changed=0, same=0, failed=0, removed=0)
IngestCounts(new=0, changed=0, same=1, failed=0, removed=0)
['sample:1']
[]
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table, distinct, func, or_, select

from pipeline.ledger.desk import start
from pipeline.ledger.engine import among, bring_to_head, chunks, connect, explained, insert_rows, reader, writer
from pipeline.ledger.ingest import (
    IngestCounts,
    Told,
    batches,
    finish,
    ingest_batch,
    record_failures,
    unchanged,
)
from pipeline.ledger.rows import document_of, grounding_of, mention_of, reading_rows, relation_of
from pipeline.ledger.schema import documents, failures, groundings, mentions, read_state, relations
from pipeline.ledger.shelf import INGEST, forget_reading, remove_documents, resolve
from pipeline.types import Deleted, Document, Failure, Grounding, Mention, Reading, Relation

__all__ = ["IngestCounts", "Ledger", "LedgerCounts"]

log = logging.getLogger(__name__)

_T = TypeVar("_T", Mention, Relation)
_READINGS = 200  # documents whose mentions are held at once


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """How much a ledger holds."""

    documents: int
    mentions: int
    relations: int
    failures: int


class Ledger:
    """A context manager; made by :meth:`open`. Any method raises LedgerError or ServiceError for a broken database."""

    def __init__(self, engine: Engine, revision: str) -> None:
        self._engine = engine
        self._revision = revision

    @classmethod
    def open(cls, url: str, *, create: bool = True, timeout: float = 30.0) -> Ledger:
        """Open a ledger, made first where there is none and ``create``, and migrated where it is older.

        ``timeout`` is how many seconds a writer waits for another one. Raises LedgerError for what is not a ledger,
        is damaged, locked, or of a newer program; ServiceError for a server that cannot be reached.
        """
        engine = connect(url, timeout=timeout)
        try:
            with explained(engine.url):
                return cls(engine, bring_to_head(engine, create=create))
        except BaseException:
            engine.dispose()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def revision(self) -> str:
        """The revision of the schema, such as ``0001``."""
        return self._revision

    def ingest(
        self, source: str, items: Iterable[Document | Deleted | Failure], *, stamp: str = "", batch_size: int = 500
    ) -> IngestCounts:
        """Take in all that one source (a file) yields, one transaction a batch.

        A document is compared with what this source said of it before; one whose text changed loses what was read in
        it. What several sources tell of one paper is one document (:mod:`pipeline.ledger.identity`); a record whose ids
        contradict what is known is a failure. When the source was read to its end, failures that it no longer has are
        cleared, documents named by their content (``text:...``) that only it had and has no more are removed, and
        ``stamp`` is kept, by which :meth:`unchanged` knows it again. If ``items`` raises, the batches before stay.
        """
        [(_, counts)] = self.ingest_many([(source, stamp, items)], batch_size=batch_size)
        return counts

    def ingest_many(self, told: Iterable[Told], *, batch_size: int = 500) -> Iterator[tuple[str, IngestCounts]]:
        """Take in many sources, each with its stamp and items, small ones together in one transaction.

        Yields the counts of each source once it is written to its end.
        """
        totals: dict[str, IngestCounts] = defaultdict(IngestCounts)
        with explained(self._engine.url), writer(self._engine).connect() as connection:
            with connection.begin():
                start(connection)
            for batch in batches(told, batch_size):
                with connection.begin():
                    for source, counts in ingest_batch(connection, batch).items():
                        totals[source] += counts
                    for source, removed in finish(connection, batch.ended, totals).items():
                        totals[source] += IngestCounts(removed=removed)
                yield from [(source, totals.pop(source)) for source in batch.ended]

    def unchanged(self, stamps: Mapping[str, str]) -> dict[str, IngestCounts]:
        """Of sources by their stamps, those that need not be read again, with the counts that it would give."""
        with self._reading() as connection:
            return unchanged(connection, {source: stamp for source, stamp in stamps.items() if stamp})

    def failed_sources(self) -> list[str]:
        """The sources of which something could not be read, sorted."""
        query = select(distinct(failures.c.source)).where(failures.c.stage == INGEST)
        with self._reading() as connection:
            return sorted(connection.scalars(query))

    def pending(self, fingerprints: Mapping[str, str]) -> list[str]:
        """Sorted ids of the documents to read: never read, changed since, or read by another reader.

        ``fingerprints`` has the reader of each domain; documents of other domains are left out.
        """
        found: list[str] = []
        with self._reading() as connection:
            for domain, fingerprint in fingerprints.items():
                query = (
                    select(documents.c.id)
                    .outerjoin(read_state)
                    .where(documents.c.domain == domain)
                    .where(
                        or_(
                            read_state.c.document_id.is_(None),
                            read_state.c.fingerprint != fingerprint,
                            read_state.c.digest != documents.c.text_digest,
                        )
                    )
                )
                found += connection.scalars(query)
        return sorted(found)

    def domains(self) -> list[str]:
        """The fields that the documents belong to, sorted."""
        with self._reading() as connection:
            return sorted(connection.scalars(select(distinct(documents.c.domain))))

    def documents(self, ids: Sequence[str] | None = None) -> Iterator[Document]:
        """Stream documents sorted by id: all, or those of ``ids`` that the ledger has.

        A document is found by its id, and by any identifier that a source knows it by (``PMC12``, ``doi:10.1/x``).
        """
        with self._reading() as connection:
            yield from map(document_of, _stream(connection, select(documents).order_by(documents.c.id), ids))

    def save(self, readings: Iterable[Reading], fingerprint: str) -> None:
        """Replace what was read of these documents, in one transaction, and clear what failed when they were read.

        A document that was changed or removed since it was taken out of the ledger is left as it is, and pending.
        """
        rows = {reading.document.id: reading_rows(reading, fingerprint) for reading in readings}
        with self._writing() as connection:
            current = _text_digests(connection, rows)
            valid = [found for id_, found in rows.items() if found.text_digest == current.get(id_)]
            if len(valid) < len(rows):
                log.warning("%d documents were changed while they were read", len(rows) - len(valid))
            forget_reading(connection, [found.state[0] for found in valid])
            insert_rows(connection, read_state, (found.state for found in valid))
            for table in (mentions, groundings, relations):
                insert_rows(connection, table, (row for found in valid for row in getattr(found, table.name)))

    def fail(self, items: Iterable[Failure]) -> None:
        """Record failures; one at the same source, place and stage takes the new reason."""
        rows = list(items)
        with self._writing() as connection:
            record_failures(connection, rows)

    def readings(self, ids: Sequence[str] | None = None) -> Iterator[Reading]:
        """Stream what was saved, sorted by document id; sentences and abbreviations are not kept.

        Mentions and relations come in reading order: by start, end, and type or predicate.
        """
        query = select(documents).join(read_state).order_by(documents.c.id)
        with self._reading() as connection:
            for batch in chunks(map(document_of, _stream(connection, query, ids)), _READINGS):
                batch_ids = [document.id for document in batch]
                found = _mentions(connection, batch_ids)
                claimed = _by_document(_relations(connection, batch_ids, found))
                named = _by_document(found.values())
                for document in batch:
                    id_ = document.id
                    yield Reading(document, mentions=named.get(id_, ()), relations=claimed.get(id_, ()))

    def relations(self) -> Iterator[Relation]:
        """Stream all relations with their mentions and groundings, sorted by document id, start, end, predicate."""
        query = select(distinct(relations.c.document_id)).order_by(relations.c.document_id)
        with self._reading() as connection:
            for ids in chunks((row[0] for row in _stream(connection, query)), _READINGS):
                yield from _relations(connection, ids, _mentions(connection, ids))

    def concept_counts(self) -> Iterator[tuple[str, str, str, int, int]]:
        """Stream (concept id, type, surface, documents, mentions), sorted; by the best grounding of each mention."""
        named = (groundings.c.concept_id, mentions.c.type, mentions.c.text)
        query = (
            select(*named, func.count(distinct(mentions.c.document_id)), func.count())
            .join_from(groundings, mentions)
            .where(groundings.c.rank == 0)
            .group_by(*named)
            .order_by(*named)
        )
        with self._reading() as connection:
            yield from (tuple(row) for row in _stream(connection, query))

    def failures(self) -> list[Failure]:
        """All failures, sorted by source, place, stage."""
        key = (failures.c.source, failures.c.place, failures.c.stage)
        with self._reading() as connection:
            rows = connection.execute(select(failures).order_by(*key))
            return [Failure(row.source, row.place, row.reason, row.stage) for row in rows]

    def counts(self) -> LedgerCounts:
        with self._reading() as connection:
            return LedgerCounts(*(_count(connection, table) for table in (documents, mentions, relations, failures)))

    def remove(self, document_id: str) -> bool:
        """Remove a document, by any of its ids, with all that was read in it; False where there is none."""
        with self._writing() as connection:
            return remove_documents(connection, resolve(connection, [document_id])) > 0

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._engine.url), reader(self._engine).begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self._engine.url), writer(self._engine).begin() as connection:
            yield connection


def _stream(connection: Connection, query: Select[Any], ids: Iterable[str] | None = None) -> Iterator[Row[Any]]:
    """Rows of a query, of all documents or of some, without holding them all."""
    if ids is None:
        yield from connection.execute(query.execution_options(yield_per=1000))
        return
    for chunk in chunks(sorted(resolve(connection, ids)), _READINGS):
        yield from connection.execute(query.where(among(connection, documents.c.id, chunk)))


def _mentions(connection: Connection, ids: Sequence[str]) -> dict[str, Mention]:
    """Mentions of some documents with their groundings by uid, in reading order."""
    place = (mentions.c.document_id, mentions.c.start, mentions.c.end, mentions.c.type)
    ranked: dict[str, list[Grounding]] = defaultdict(list)
    query = select(groundings).join(mentions).where(mentions.c.document_id.in_(ids)).order_by(groundings.c.rank)
    for row in connection.execute(query):
        ranked[row.mention_uid].append(grounding_of(row))
    rows = connection.execute(select(mentions).where(mentions.c.document_id.in_(ids)).order_by(*place))
    return {row.uid: mention_of(row, ranked.get(row.uid, ())) for row in rows}


def _relations(connection: Connection, ids: Sequence[str], by_uid: Mapping[str, Mention]) -> Iterator[Relation]:
    columns = relations.c
    place = (columns.document_id, columns.start, columns.end, columns.predicate, columns.uid)
    for row in connection.execute(select(relations).where(columns.document_id.in_(ids)).order_by(*place)):
        yield relation_of(row, by_uid)


def _by_document(values: Iterable[_T]) -> dict[str, tuple[_T, ...]]:
    grouped: dict[str, list[_T]] = defaultdict(list)
    for value in values:
        grouped[value.document_id].append(value)
    return {document_id: tuple(group) for document_id, group in grouped.items()}


def _text_digests(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    query = select(documents.c.id, documents.c.text_digest).where(among(connection, documents.c.id, ids))
    return {row.id: row.text_digest for row in connection.execute(query)}


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
