"""Take papers off the ledger's shelf, with all that hangs together with them, and put back what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import Column, Connection, delete, select

from pipeline.ledger.engine import among, among_pairs, insert_rows, upsert
from pipeline.ledger.identity import TITLE, Key, Telling, curie
from pipeline.ledger.papers import COMMON, Paper, Papers
from pipeline.ledger.rows import Values, document_of, document_row, telling_of, telling_row
from pipeline.ledger.schema import (
    document_ids,
    document_sources,
    documents,
    failures,
    mentions,
    read_state,
    relations,
)

INGEST = "ingest"


def load(connection: Connection, keys: Iterable[str], ids: Iterable[str] = ()) -> Papers:
    """The papers that bear one of these keys or ids, all that share a key with them, and so on."""
    found: dict[str, Paper] = {}
    common: set[str] = set()
    wanted, asked, asking = set(ids), set[str](), set(keys)
    while asking or wanted:
        for key, bearers in _bearers(connection, asking).items():
            if key.startswith(TITLE) and len(bearers) > COMMON:
                common.add(key)
            else:
                wanted |= bearers
        asked |= asking
        fresh = _papers(connection, wanted - found.keys())
        found.update(fresh)
        wanted = set()
        asking = {key for paper in fresh.values() for key in paper.keys} - asked
    papers = Papers(common)
    for paper in found.values():
        papers.add(paper)
    return papers


def store(connection: Connection, papers: Papers, more: Iterable[Values] = (), revived: Collection[Key] = ()) -> None:
    """Write what became of papers; ``more`` are rows of tellings of papers that need not be looked at.

    ``revived`` are tellings that were taken back once. What was read in a paper stays while its id, text, sections and
    domain do.
    """
    made = {paper.document.id: paper for paper in papers.made}
    kept = papers.gone & made.keys()
    same_text = {id_ for id_ in kept if _reads_alike(made[id_], papers.stored[id_])}
    forget_reading(connection, papers.gone - same_text)
    for table in (document_ids, document_sources):
        _delete(connection, table.c.document_id, papers.gone)
    _delete(connection, documents.c.id, papers.gone - kept)
    changed = [made[id_].document for id_ in kept if made[id_].document != papers.stored[id_].document]
    names = documents.c.keys()
    upsert(connection, documents, [dict(zip(names, document_row(d), strict=True)) for d in changed])
    insert_rows(connection, documents, (document_row(made[id_].document) for id_ in made.keys() - kept))
    if revived:
        pair = (document_sources.c.source, document_sources.c.told)
        connection.execute(delete(document_sources).where(among_pairs(connection, pair, revived)))
    insert_rows(connection, document_sources, [*_tellings(papers), *more])
    insert_rows(connection, document_ids, ((key, id_) for id_, paper in made.items() for key in paper.keys))


def resolve(connection: Connection, names: Iterable[str]) -> set[str]:
    """The ids of the documents that go by these names: their id, or anything else that they are known by."""
    names = set(names)
    found = set(connection.scalars(select(documents.c.id).where(among(connection, documents.c.id, names))))
    for bearers in _bearers(connection, {*map(curie, names - found)}).values():
        found |= bearers
    return found


def forget_reading(connection: Connection, ids: Collection[str]) -> None:
    """Drop all that was read in documents, and what failed when they were read."""
    if ids:
        for table in (relations, mentions, read_state):
            _delete(connection, table.c.document_id, ids)
        read = (among(connection, failures.c.source, ids), failures.c.stage != INGEST)
        connection.execute(delete(failures).where(*read))


def remove_documents(connection: Connection, ids: Collection[str]) -> int:
    """Delete documents with all that hangs on them; how many there were."""
    forget_reading(connection, ids)
    return _delete(connection, documents.c.id, ids)


def _papers(connection: Connection, ids: Collection[str]) -> dict[str, Paper]:
    if not ids:
        return {}
    rows = connection.execute(select(documents).where(among(connection, documents.c.id, ids)))
    found = {row.id: document_of(row) for row in rows}
    tellings: dict[str, dict[Key, Telling]] = defaultdict(dict)
    for row in connection.execute(
        select(document_sources).where(among(connection, document_sources.c.document_id, ids))
    ):
        telling = telling_of(row, found[row.document_id])
        tellings[row.document_id][telling.key] = telling
    return {id_: Paper(tellings[id_], document) for id_, document in found.items()}


def _bearers(connection: Connection, keys: Collection[str]) -> dict[str, set[str]]:
    """Ids of documents by key."""
    found: dict[str, set[str]] = defaultdict(set)
    if keys:
        for key, id_ in connection.execute(select(document_ids).where(among(connection, document_ids.c.curie, keys))):
            found[key].add(id_)
    return found


def _tellings(papers: Papers) -> Iterable[Values]:
    for paper in papers.made:
        for telling in paper.tellings.values():
            yield telling_row(telling, paper.document)
    for telling in papers.grown:
        if (paper := papers.paper(telling.key)) not in papers.made:
            yield telling_row(telling, paper.document)
    for telling in papers.withdrawn.values():
        told = telling.document
        yield (told.id, telling.source, None, telling.digest, told.domain, telling.turn, None, None)


def _reads_alike(one: Paper, other: Paper) -> bool:
    a, b = one.document, other.document
    return (a.id, a.text, a.sections, a.domain) == (b.id, b.text, b.sections, b.domain)


def _delete(connection: Connection, column: Column[str], values: Collection[str]) -> int:
    if not values:
        return 0
    return connection.execute(delete(column.table).where(among(connection, column, values))).rowcount
