"""Where the records of one batch lie beside what the ledger has of them, and are taken in one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, MetaData, Table, Text, delete, exists, select
from sqlalchemy.schema import Column, CreateTable

from pipeline.ledger.engine import among, among_pairs, insert_rows, upsert
from pipeline.ledger.identity import Key, Telling, curie
from pipeline.ledger.papers import Refused
from pipeline.ledger.rows import Values
from pipeline.ledger.schema import Words, document_sources, ledger_meta
from pipeline.ledger.shelf import load, store
from pipeline.types import Deleted, Document, Failure

DOCUMENT, FAILURE = "document", "failure"
_TURN = "turn"

# what this run of each source has said so far: ids of documents, and places of failures
_seen = Table(
    "ingest_seen",
    MetaData(),
    Column("source", Words, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Words, primary_key=True),
    prefixes=["TEMPORARY"],
)


def start(connection: Connection) -> None:
    """Forget what was said on this connection before."""
    connection.execute(CreateTable(_seen, if_not_exists=True))
    connection.execute(delete(_seen))


def said(connection: Connection, kind: str, keys: Collection[Key]) -> set[Key]:
    """Which of the keys their sources have said before in this run."""
    if not keys:
        return set()
    wanted = among_pairs(connection, (_seen.c.source, _seen.c.key), keys)
    rows = connection.execute(select(_seen.c.source, _seen.c.key).where(_seen.c.kind == kind, wanted))
    return {(source, key) for source, key in rows}


def was_said(kind: str, source: ColumnElement[str], key: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(_seen.c.source == source, _seen.c.kind == kind, _seen.c.key == key)


def remember(connection: Connection, kind: str, keys: Iterable[Key]) -> None:
    insert_rows(connection, _seen, ((source, kind, key) for source, key in keys))


def forget(connection: Connection, sources: Iterable[str]) -> None:
    connection.execute(delete(_seen).where(among(connection, _seen.c.source, sources)))


class Desk:
    """The records of a batch, as (source, item).

    A record that its source told before, in the same words, is not looked at. One that another source told in the
    words that hold is an echo: it is written down, and no more. For the others all papers that they may be of are
    loaded. ``begun`` are the sources that have said something before in this run.
    """

    def __init__(
        self,
        connection: Connection,
        items: Sequence[tuple[str, Document | Deleted | Failure]],
        begun: Collection[str],
    ) -> None:
        self._connection = connection
        told = [(number, source, item) for number, (source, item) in enumerate(items) if isinstance(item, Document)]
        known = _known(connection, {(source, document.id) for _, source, document in told})
        self._versions = {key: version for key, (_, version) in known.items()}
        self._withdrawn = {key for key, (document_id, _) in known.items() if document_id is None}
        self._turn = _turn(connection)
        self._digests = {number: document.digest for number, _, document in told}
        self._fresh = {
            number: self._telling(number, source, document)
            for number, source, document in told
            if self._versions.get((source, document.id)) != (self._digests[number], document.domain)
        }
        self._echoes = _echoes(connection, [telling for telling in self._fresh.values() if telling.key not in known])
        strange = [telling for telling in self._fresh.values() if telling.key not in self._echoes]
        keys = {key for telling in strange for key in telling.keys}
        keys |= {curie(id_) for _, item in items if isinstance(item, Deleted) for id_ in (item.id, *item.ids)}
        ids = {id_ for telling in strange if (id_ := known.get(telling.key, (None,))[0]) is not None}
        self._papers = load(connection, keys, ids)
        mine = {*((source, document.id) for _, source, document in told), *self._papers.tellings()}
        self._before = said(connection, DOCUMENT, [key for key in mine if key[0] in begun])
        self._seen = set(self._before)
        self._all = set(self._before)
        self._rows: list[Values] = []

    def take(self, number: int, source: str, document: Document) -> str:
        """Take in the document of that place in the batch; what it is: ``new``, ``changed`` or ``same``.

        Raises Refused where it contradicts its source, or what is known from others.
        """
        key = (source, document.id)
        version = (self._digests[number], document.domain)
        again = key in self._seen
        self._seen.add(key)
        self._all.add(key)
        if self._versions.get(key) == version:
            return "same"
        held = self._papers.telling(key)
        old, new = (held.document.revised if held else ""), document.revised
        if old and new and old != new:
            if new < old:
                return "same"
        elif again and key in self._versions:
            raise Refused(f"the id {document.id!r} stands for two different documents: the first is kept")
        telling = self._fresh.get(number) or self._telling(number, source, document)
        echoed = self._echoes.get(key)
        if echoed and key not in self._versions and echoed not in self._papers.stored:
            self._rows.append((document.id, source, echoed, *version, telling.turn, None, None))
            outcome = "same"
        else:
            outcome = self._papers.tell(telling, self._seen)
        self._versions[key] = version
        for overruled in self._papers.corrected:
            self._versions.pop(overruled, None)
        return outcome

    def take_back(self, source: str, deleted: Deleted) -> Counter[str]:
        """What became of the paper that a source deletes."""
        outcome = self._papers.take_back(source, deleted)
        self._seen -= self._papers.withdrawn.keys()  # a record may come back under the same id
        return Counter() if outcome == "same" else Counter([outcome])

    def write(self) -> None:
        papers = self._papers
        store(self._connection, papers, self._rows, [key for key in self._withdrawn if papers.telling(key)])
        remember(self._connection, DOCUMENT, self._all - self._before)
        if self._rows or papers.gone or papers.made or papers.grown:
            row = {"key": _TURN, "value": str(self._turn + len(self._digests))}
            upsert(self._connection, ledger_meta, [row])

    def _telling(self, number: int, source: str, document: Document) -> Telling:
        return Telling(source, document, self._digests[number], self._turn + number + 1)


def _known(connection: Connection, keys: Collection[Key]) -> dict[Key, tuple[str | None, tuple[str, str]]]:
    """What sources told before: the id of the document that it is part of, and its digest and domain."""
    if not keys:
        return {}
    link = document_sources.c
    query = select(link.source, link.told, link.document_id, link.digest, link.domain)
    rows = connection.execute(query.where(among_pairs(connection, (link.source, link.told), keys)))
    return {(row.source, row.told): (row.document_id, (row.digest, row.domain)) for row in rows}


def _echoes(connection: Connection, tellings: Collection[Telling]) -> dict[Key, str]:
    """Tellings in the very words that hold, by which nothing changes, with the ids of their documents.

    A source that tells a document twice is left to be looked at.
    """
    if not tellings:
        return {}
    link = document_sources.c
    words = (link.told, link.digest, link.domain)
    query = select(*words, link.document_id).distinct().where(link.document_id.is_not(None), link.details.is_(None))
    rows = connection.execute(query.where(among(connection, link.told, {t.document.id for t in tellings})))
    holds = {(told, digest, domain): id_ for told, digest, domain, id_ in rows}
    found = {t.key: id_ for t in tellings if (id_ := holds.get((t.document.id, t.digest, t.document.domain)))}
    times = Counter((source, id_) for (source, _), id_ in found.items())
    pair = (link.source, link.document_id)
    tells = set(connection.execute(select(*pair).where(among_pairs(connection, pair, times))).tuples()) if times else ()
    return {key: id_ for key, id_ in found.items() if times[key[0], id_] == 1 and (key[0], id_) not in tells}


def _turn(connection: Connection) -> int:
    """The last turn that was taken."""
    return int(connection.scalar(select(ledger_meta.c.value).where(ledger_meta.c.key == _TURN)) or 0)
