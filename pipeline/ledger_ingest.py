"""What one source says, against what the ledger knows of it: new, changed, same, failed, gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, Connection, MetaData, Table, Text, delete, exists, select
from sqlalchemy.schema import Column, CreateTable

from pipeline.ledger_engine import BINDS, chunks, insert_rows, upsert
from pipeline.ledger_schema import (
    Words,
    document_row,
    document_sources,
    documents,
    failures,
    mentions,
    read_state,
    relations,
)
from pipeline.types import Document, Failure

INGEST = "ingest"
_MAX_ID = 500  # longer ones are a wrong column, and PostgreSQL cannot index them
_DOCUMENT, _FAILURE = "document", "failure"

# what this run of this source has said so far: ids of documents with their digests, and places of failures
_seen = Table(
    "ingest_seen",
    MetaData(),
    Column("kind", Text, primary_key=True),
    Column("key", Words, primary_key=True),
    Column("value", Words, nullable=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """How many documents of a source were new, changed or the same, and how many things could not be read.

    >>> IngestCounts(new=2) + IngestCounts(new=1, failed=1)
    IngestCounts(new=3, changed=0, same=0, failed=1)
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    failed: int = 0

    def __add__(self, other: IngestCounts) -> IngestCounts:
        return IngestCounts(
            self.new + other.new,
            self.changed + other.changed,
            self.same + other.same,
            self.failed + other.failed,
        )


@dataclass(slots=True)
class _Batch:
    """A batch sorted out: documents by id with their digests, repeats of them, and failures by place."""

    documents: dict[str, tuple[Document, str]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    repeated: int = 0


def start(connection: Connection) -> None:
    """Forget what an earlier source said on this connection."""
    connection.execute(CreateTable(_seen, if_not_exists=True))
    connection.execute(delete(_seen))


def ingest_batch(connection: Connection, source: str, items: Iterable[Document | Failure]) -> IngestCounts:
    """Write what is new in some items of a source."""
    batch = _sort_out(connection, source, items)
    known = _versions(connection, documents, documents.c.id, batch.documents)
    told = _versions(
        connection,
        document_sources,
        document_sources.c.document_id,
        batch.documents,
        document_sources.c.source == source,
    )
    new, changed, sources = [], [], []
    for document, digest in batch.documents.values():
        version = (digest, document.domain)
        if document.id not in known:
            new.append(document_row(document, digest))
        elif version not in (known[document.id], told.get(document.id)):
            changed.append(document_row(document, digest))
        if told.get(document.id) != version:
            sources.append({"document_id": document.id, "source": source, "digest": digest, "domain": document.domain})
    forget_reading(connection, [row["id"] for row in changed])
    upsert(connection, documents, new + changed)
    upsert(connection, document_sources, sources)
    record_failures(connection, batch.failures.values())
    _remember(connection, batch)
    same = len(batch.documents) - len(new) - len(changed) + batch.repeated
    return IngestCounts(len(new), len(changed), same, len(batch.failures))


def finish(connection: Connection, source: str, counts: IngestCounts) -> None:
    """The source was read to its end: forget failures that did not happen again, and versions that it replaced.

    Documents whose id is a hash of their text are removed where only this source had them and it has them no more.
    A source that gave nothing but failures could not be read, so what it gave before stays.
    """
    connection.execute(
        delete(failures).where(
            failures.c.source == source, failures.c.stage == INGEST, ~_was_seen(_FAILURE, failures.c.place)
        )
    )
    if counts.failed and not counts.new + counts.changed + counts.same:
        return
    link = document_sources.c
    gone = (link.document_id >= "text:", link.document_id < "text;", ~_was_seen(_DOCUMENT, link.document_id))
    replaced = connection.scalars(select(link.document_id).where(link.source == source, *gone)).all()
    for ids in chunks(replaced, BINDS):
        connection.execute(delete(document_sources).where(link.source == source, link.document_id.in_(ids)))
        elsewhere = set(connection.scalars(select(link.document_id).where(link.document_id.in_(ids))))
        remove_documents(connection, [id_ for id_ in ids if id_ not in elsewhere])


def forget_reading(connection: Connection, ids: Sequence[str]) -> None:
    """Drop all that was read in documents, and what failed when they were read."""
    for chunk in chunks(ids, BINDS):
        for table in (relations, mentions, read_state):
            connection.execute(delete(table).where(table.c.document_id.in_(chunk)))
        connection.execute(delete(failures).where(failures.c.source.in_(chunk), failures.c.stage != INGEST))


def remove_documents(connection: Connection, ids: Sequence[str]) -> int:
    """Delete documents with all that hangs on them; how many there were."""
    forget_reading(connection, ids)
    removed = (connection.execute(delete(documents).where(documents.c.id.in_(chunk))) for chunk in chunks(ids, BINDS))
    return sum(result.rowcount for result in removed)


def record_failures(connection: Connection, items: Iterable[Failure]) -> None:
    """Write failures; one that is known at its place takes the new reason."""
    rows = {(f.source, f.place, f.stage): f for f in items}
    upsert(
        connection,
        failures,
        [{"source": f.source, "place": f.place, "stage": f.stage, "reason": f.reason} for f in rows.values()],
    )


def _sort_out(connection: Connection, source: str, items: Iterable[Document | Failure]) -> _Batch:
    """Part documents from failures; where a source gives one id to two different documents the first keeps it."""
    items = list(items)
    said = _values(connection, _DOCUMENT, [item.id for item in items if isinstance(item, Document)])
    earlier = frozenset(said)
    batch = _Batch()
    failed: list[Failure] = []
    for item in items:
        if isinstance(item, Failure):
            failed.append(_of_source(item, source))
        elif reason := _refusal(item):
            failed.append(Failure(source, item.id[:_MAX_ID], reason))
        elif said.setdefault(item.id, digest := item.digest) != digest:
            reason = f"the id {item.id!r} stands for two different documents: the first is kept"
            failed.append(Failure(source, item.id, reason))
        elif item.id in earlier or item.id in batch.documents:
            batch.repeated += 1
        else:
            batch.documents[item.id] = item, digest
    places = _values(connection, _FAILURE, [failure.place for failure in failed])
    for failure in failed:
        if failure.place not in places:
            batch.failures.setdefault(failure.place, failure)
    return batch


def _refusal(document: Document) -> str:
    """Why the ledger cannot take a document, or nothing."""
    if not document.id or len(document.id) > _MAX_ID:
        return f"an id has 1 to {_MAX_ID} characters, not {len(document.id)}"
    try:
        _ = document.year
    except ValueError:
        return f"the date {document.date!r} is not ISO 8601"
    return ""


def _of_source(failure: Failure, source: str) -> Failure:
    """Book a failure of a part (a member of an archive) under the source that was opened, so that it can be cleared."""
    if failure.source == source:
        return replace(failure, stage=INGEST)
    return Failure(source, f"{failure.source} {failure.place}".strip(), failure.reason)


def _remember(connection: Connection, batch: _Batch) -> None:
    rows = [{"kind": _DOCUMENT, "key": id_, "value": digest} for id_, (_, digest) in batch.documents.items()]
    rows += [{"kind": _FAILURE, "key": place, "value": ""} for place in batch.failures]
    insert_rows(connection, _seen, rows)


def _values(connection: Connection, kind: str, keys: Iterable[str]) -> dict[str, str]:
    """Which of the keys this run of the source has said before, and their values."""
    found: dict[str, str] = {}
    for chunk in chunks(keys, BINDS):
        rows = connection.execute(
            select(_seen.c.key, _seen.c.value).where(_seen.c.kind == kind, _seen.c.key.in_(chunk))
        )
        found.update((row.key, row.value) for row in rows)
    return found


def _was_seen(kind: str, key: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(_seen.c.kind == kind, _seen.c.key == key)


def _versions(
    connection: Connection, table: Table, key: ColumnElement[str], ids: Iterable[str], *where: ColumnElement[bool]
) -> dict[str, tuple[str, str]]:
    """Digest and domain by document id."""
    found: dict[str, tuple[str, str]] = {}
    for chunk in chunks(ids, BINDS):
        rows = connection.execute(select(key, table.c.digest, table.c.domain).where(key.in_(chunk), *where))
        found.update((id_, (digest, domain)) for id_, digest, domain in rows)
    return found
