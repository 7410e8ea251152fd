"""How the project's values become rows of the ledger, as tuples in the order of the columns, and come back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Row

from pipeline.ledger.identity import Telling
from pipeline.types import Document, Grounding, Mention, Reading, Relation, Section, content_id

Values: TypeAlias = tuple[Any, ...]

# as it is, not as \ud835\udc00: JSON would join what were two lone surrogates
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def document_row(document: Document) -> Values:
    """The row of a document; what no query asks for lies in ``details``, as JSON."""
    return (
        document.id,
        document.text_digest,
        document.domain,
        document.date,
        document.year,
        document.status,
        document.text,
        _encode(_details(document)),
    )


def document_of(row: Row[Any]) -> Document:
    return _document(row, json.loads(row.details))


def telling_row(telling: Telling, document: Document) -> Values:
    """What a source tells; where the document of all sources says the same, it is not said twice."""
    told = telling.document
    says_same = replace(told, id=document.id) == document
    details = None if says_same else _encode({**_details(told), "date": told.date, "status": told.status})
    text = None if told.text == document.text else told.text
    return (told.id, telling.source, document.id, telling.digest, told.domain, telling.turn, details, text)


def telling_of(row: Row[Any], document: Document) -> Telling:
    told = replace(document, id=row.told, domain=row.domain)
    if row.details is not None:
        details = json.loads(row.details)
        text = document.text if row.text is None else row.text
        told = _document(_Told(row.told, text, details["date"], details["status"], row.domain), details)
    return Telling(row.source, told, row.digest, row.turn)


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """The rows of one reading; each field is named after its table, ``state`` is that of ``read_state``."""

    state: Values
    mentions: list[Values]
    groundings: list[Values]
    relations: list[Values]

    @property
    def text_digest(self) -> str:
        """Of the document as it was read."""
        return str(self.state[2])


def reading_rows(reading: Reading, fingerprint: str) -> ReadingRows:
    """What was read in a document by the reader of that fingerprint.

    Of two mentions with one uid the first stays; a mention that only a relation names is kept with the others.
    Raises ValueError where a mention or relation is of another document.
    """
    document = reading.document
    by_uid: dict[str, Mention] = {}
    claims: dict[str, Values] = {}
    for mention in reading.mentions:
        by_uid.setdefault(mention.uid, mention)
    for relation in reading.relations:
        subject, object_ = relation.subject.uid, relation.object.uid
        by_uid.setdefault(subject, relation.subject)
        by_uid.setdefault(object_, relation.object)
        row = _relation_row(relation, subject, object_)
        claims.setdefault(row[0], row)
    strangers = {mention.document_id for mention in by_uid.values()} - {document.id}
    strangers |= {relation.document_id for relation in reading.relations} - {document.id}
    if strangers:
        raise ValueError(f"the reading of {document.id!r} holds what was read in {min(strangers)!r}")
    return ReadingRows(
        state=(document.id, fingerprint, document.text_digest),
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
        novel=row.novel,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """The part of a telling that is a column of documents."""

    id: str
    text: str
    date: str
    status: str
    domain: str


def _details(document: Document) -> dict[str, Any]:
    return {
        "sections": [(section.start, section.end, section.kind) for section in document.sections],
        "ids": document.ids,
        "authors": document.authors,
        "journal": document.journal,
        "language": document.language,
        "licence": document.licence,
        "links": document.links,
        "references": document.references,
        "revised": document.revised,
    }


def _document(row: Row[Any] | _Told, details: dict[str, Any]) -> Document:
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
        status=row.status,  # type: ignore[arg-type]  # one of the four: none other is ever written
        links=tuple((word, target) for word, target in details["links"]),
        references=tuple(details.get("references", ())),  # ledgers of the first revision had none
        revised=details.get("revised", ""),
        domain=row.domain,
    )


def _mention_row(uid: str, mention: Mention) -> Values:
    return (
        uid,
        mention.document_id,
        mention.start,
        mention.end,
        mention.text,
        mention.type,
        mention.score,
        mention.extractor,
    )


def _grounding_rows(uid: str, mention: Mention) -> list[Values]:
    return [
        (uid, rank, g.concept_id, g.name, g.score, g.method, g.matched) for rank, g in enumerate(mention.groundings)
    ]


def _relation_row(relation: Relation, subject_uid: str, object_uid: str) -> Values:
    # the score is no part of the claim; anything else that differs makes another one
    uid = content_id(
        relation.document_id,
        relation.predicate,
        subject_uid,
        object_uid,
        relation.start,
        relation.end,
        relation.extractor,
        relation.polarity,
        relation.certainty,
        *(() if relation.novel is None else (relation.novel,)),  # without it the ids are those of older ledgers
    )
    return (
        uid,
        relation.document_id,
        relation.predicate,
        subject_uid,
        object_uid,
        relation.start,
        relation.end,
        relation.score,
        relation.extractor,
        relation.polarity,
        relation.certainty,
        relation.novel,
    )
