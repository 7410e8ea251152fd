"""The tables of the ledger, and how the project's values become rows and come back.

All offsets are characters of ``documents.text`` as it comes back, not of what the database stores: see
:class:`Words` for the few characters that no database takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, TypeAlias

from sqlalchemy import Column, Dialect, Double, ForeignKey, Index, Integer, MetaData, Row, Table, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from pipeline.types import Document, Grounding, Mention, Reading, Relation, Section, content_id

HEAD = "0001"  # the newest file of migrations/versions, repeated so that opening a ledger need not import alembic
VERSION_TABLE = "ledger_revision"

Record: TypeAlias = dict[str, Any]

_MARK = "\x10"
_UNSTORABLE = re.compile("[\x00\x10\ud800-\udfff]")
_STORED = re.compile("\x10([0-9a-f]{4})")


def escape(text: str) -> str:
    r"""Write NUL (which PostgreSQL refuses) and lone surrogates (which UTF-8 cannot encode) as U+0010 and four digits.

    >>> escape("broken \ud835 PDF")
    'broken \x10d835 PDF'
    """
    return _UNSTORABLE.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def unescape(stored: str) -> str:
    r"""Undo :func:`escape`.

    >>> unescape(escape("a\0b\x10c")) == "a\0b\x10c"
    True
    """
    return _STORED.sub(lambda found: chr(int(found[1], 16)), stored) if _MARK in stored else stored


class Words(TypeDecorator[str]):
    """Text that comes back as it was, whatever it holds, and that every database sorts by code point."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else unescape(value)


def _words(name: str, *args: Any, **options: Any) -> Column[str]:
    return Column(name, Words, *args, **{"nullable": False, **options})


def _document_id(**options: Any) -> Column[str]:
    return _words("document_id", ForeignKey("documents.id", ondelete="CASCADE"), **options)


metadata = MetaData()

documents = Table(
    "documents",
    metadata,
    _words("id", primary_key=True),
    _words("digest"),
    _words("domain"),
    _words("date"),
    Column("year", Integer, index=True),
    _words("status"),
    _words("text"),
    _words("details"),
    Index("ix_documents_domain_id_digest", "domain", "id", "digest"),  # what is pending is told without reading texts
)

# digest and domain are what this source said last: two files that disagree about a paper change it once, not each run
document_sources = Table(
    "document_sources",
    metadata,
    _document_id(primary_key=True),
    _words("source", primary_key=True, index=True),
    _words("place", nullable=True),
    _words("digest"),
    _words("domain"),
)

mentions = Table(
    "mentions",
    metadata,
    _words("uid", primary_key=True),
    _document_id(index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    _words("text"),
    _words("type"),
    Column("score", Double, nullable=False),
    _words("extractor"),
)

groundings = Table(
    "groundings",
    metadata,
    _words("mention_uid", ForeignKey("mentions.uid", ondelete="CASCADE"), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    _words("concept_id", index=True),
    _words("name"),
    Column("score", Double, nullable=False),
    _words("method"),
    _words("matched"),
)

relations = Table(
    "relations",
    metadata,
    _words("uid", primary_key=True),
    _document_id(index=True),
    _words("predicate"),
    _words("subject_uid", ForeignKey("mentions.uid", ondelete="CASCADE"), index=True),
    _words("object_uid", ForeignKey("mentions.uid", ondelete="CASCADE"), index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("score", Double, nullable=False),
    _words("extractor"),
    _words("polarity"),
    _words("certainty"),
)

read_state = Table(
    "read_state",
    metadata,
    _document_id(primary_key=True),
    _words("fingerprint"),
    _words("digest"),
)

failures = Table(
    "failures",
    metadata,
    _words("source", primary_key=True),
    _words("place", primary_key=True),
    _words("stage", primary_key=True),
    _words("reason"),
)

ledger_meta = Table("ledger_meta", metadata, _words("key", primary_key=True), _words("value"))


def document_row(document: Document, digest: str) -> Record:
    """The row of a document; what no query asks for lies in ``details``, as JSON."""
    details = {
        "sections": [astuple(section) for section in document.sections],
        "ids": document.ids,
        "authors": document.authors,
        "journal": document.journal,
        "language": document.language,
        "licence": document.licence,
        "links": document.links,
    }
    return {
        "id": document.id,
        "digest": digest,
        "domain": document.domain,
        "date": document.date,
        "year": document.year,
        "status": document.status,
        "text": document.text,
        # as it is, not as \ud835\udc00: JSON would join what were two lone surrogates
        "details": json.dumps(details, ensure_ascii=False, separators=(",", ":")),
    }


def document_of(row: Row[Any]) -> Document:
    details = json.loads(row.details)
    return Document(
        id=row.id,
        text=row.text,
        sections=tuple(Section(*section) for section in details["sections"]),
        date=row.date,
        ids=tuple(details["ids"]),
        authors=tuple(details["authors"]),
        journal=details["journal"],
        language=details["language"],
        licence=details["licence"],
        status=row.status,
        links=tuple((word, document_id) for word, document_id in details["links"]),
        domain=row.domain,
    )


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """The rows of one reading; each field is named after its table, ``state`` is that of ``read_state``."""

    state: Record
    mentions: list[Record]
    groundings: list[Record]
    relations: list[Record]


def reading_rows(reading: Reading, fingerprint: str) -> ReadingRows:
    """What was read in a document by the reader of that fingerprint.

    Of two mentions with one uid the first stays; a mention that only a relation names is kept with the others.
    Raises ValueError where a mention or relation is of another document.
    """
    document = reading.document
    by_uid: dict[str, Mention] = {}
    claims: dict[str, Record] = {}
    for mention in reading.mentions:
        by_uid.setdefault(mention.uid, mention)
    for relation in reading.relations:
        subject, object_ = relation.subject.uid, relation.object.uid
        by_uid.setdefault(subject, relation.subject)
        by_uid.setdefault(object_, relation.object)
        row = _relation_row(relation, subject, object_)
        claims.setdefault(row["uid"], row)
    strangers = {mention.document_id for mention in by_uid.values()} - {document.id}
    strangers |= {row["document_id"] for row in claims.values()} - {document.id}
    if strangers:
        raise ValueError(f"the reading of {document.id!r} holds what was read in {min(strangers)!r}")
    return ReadingRows(
        state={"document_id": document.id, "fingerprint": fingerprint, "digest": document.digest},
        mentions=[_mention_row(uid, mention) for uid, mention in by_uid.items()],
        groundings=[row for uid, mention in by_uid.items() for row in _grounding_rows(uid, mention)],
        relations=list(claims.values()),
    )


def mention_of(row: Row[Any], ranked: Sequence[Grounding]) -> Mention:
    return Mention(
        start=row.start,
        end=row.end,
        document_id=row.document_id,
        text=row.text,
        type=row.type,
        score=row.score,
        extractor=row.extractor,
        groundings=tuple(ranked),
    )


def grounding_of(row: Row[Any]) -> Grounding:
    return Grounding(row.concept_id, row.name, row.score, row.method, row.matched)


def relation_of(row: Row[Any], by_uid: Mapping[str, Mention]) -> Relation:
    return Relation(
        start=row.start,
        end=row.end,
        document_id=row.document_id,
        predicate=row.predicate,
        subject=by_uid[row.subject_uid],
        object=by_uid[row.object_uid],
        score=row.score,
        extractor=row.extractor,
        polarity=row.polarity,
        certainty=row.certainty,
    )


def _mention_row(uid: str, mention: Mention) -> Record:
    return {
        "uid": uid,
        "document_id": mention.document_id,
        "start": mention.start,
        "end": mention.end,
        "text": mention.text,
        "type": mention.type,
        "score": mention.score,
        "extractor": mention.extractor,
    }


def _grounding_rows(uid: str, mention: Mention) -> list[Record]:
    return [
        {
            "mention_uid": uid,
            "rank": rank,
            "concept_id": grounding.concept_id,
            "name": grounding.name,
            "score": grounding.score,
            "method": grounding.method,
            "matched": grounding.matched,
        }
        for rank, grounding in enumerate(mention.groundings)
    ]


def _relation_row(relation: Relation, subject_uid: str, object_uid: str) -> Record:
    claim = {
        "document_id": relation.document_id,
        "predicate": relation.predicate,
        "subject_uid": subject_uid,
        "object_uid": object_uid,
        "start": relation.start,
        "end": relation.end,
        "extractor": relation.extractor,
        "polarity": relation.polarity,
        "certainty": relation.certainty,
    }
    # the score is no part of the claim; anything else that differs makes another one
    return {"uid": content_id(*claim.values()), "score": relation.score, **claim}
