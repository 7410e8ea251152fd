"""JSON Lines as ``hypograph extract`` writes them: a text with its mentions and relations, scores and all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from pipeline.sources import jsonl
from pipeline.sources.bioc_records import Record, number_of, records_of, value_of
from pipeline.sources.shared import fields, objects
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Document, Failure, Grounding, Mention, Reading, Relation

_OURS = re.compile(r'\s*\{"id": "(?:[^"\\]|\\.)*", "year": (?:null|\d+), "text": "')


@dataclass(frozen=True, slots=True)
class _Paper:
    document: Document
    mentions: tuple[Record, ...]
    relations: tuple[Record, ...]


def sniff(head: str) -> bool:
    return bool(_OURS.match(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Documents alone; mentions and relations are passed over."""
    return jsonl.read(stream, name)


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """Readings as they were written; what does not fit its text is a Failure of its own."""
    for paper in objects.read(stream, _parse, name):
        if isinstance(paper, Failure):
            yield paper
            continue
        document, place = paper.document, f"document {paper.document.id}"
        marked = ((place, record) for record in paper.mentions)
        found = list(fields.each(marked, partial(_mention, document=document), name))
        mentions = tuple(mention for mention in found if isinstance(mention, Mention))
        claims = ((place, record) for record in paper.relations)
        related = list(fields.each(claims, partial(_relation, mentions=mentions), name))
        relations = tuple(relation for relation in related if isinstance(relation, Relation))
        yield Reading(document, mentions=mentions, relations=relations)
        yield from (failure for failure in (*found, *related) if isinstance(failure, Failure))


def _parse(record: Record) -> _Paper:
    return _Paper(fields.document(record, exact=True), records_of(record, "mentions"), records_of(record, "relations"))


def _mention(record: Record, document: Document) -> Mention:
    start, end = number_of(record, "start"), number_of(record, "end")
    said, text = record.get("text"), document.text[start:end]
    if not text or fields.storable(str(said)) != text:
        raise Unreadable(f"says {said!r:.80} where the text at {start} to {end} is {text!r:.80}")
    type_, extractor = (value_of(record, key) for key in ("type", "extractor"))
    if not type_:
        raise Unreadable(f"has a mention without a type: {said!r:.80}")
    groundings = tuple(map(_grounding, records_of(record, "groundings")))
    return Mention(start, end, document.id, text, type_, _share(record), extractor, groundings)


def _grounding(record: Record) -> Grounding:
    concept, name, method, matched = (value_of(record, key) for key in ("concept_id", "name", "method", "matched"))
    if not concept:
        raise Unreadable(f"has a grounding without a concept: {record!r:.80}")
    return Grounding(concept, name, _share(record), method, matched)


def _relation(record: Record, mentions: Iterable[Mention]) -> Relation:
    predicate = value_of(record, "predicate")
    if not predicate:
        raise Unreadable(f"has a relation without a predicate: {record!r:.80}")
    subject, object_ = (_argument(record.get(role), mentions) for role in ("subject", "object"))
    novel = record.get("novel")
    return Relation(
        number_of(record, "start"),
        number_of(record, "end"),
        subject.document_id,
        predicate,
        subject,
        object_,
        _share(record),
        value_of(record, "extractor"),
        "negative" if record.get("polarity") == "negative" else "positive",
        "speculative" if record.get("certainty") == "speculative" else "certain",
        novel if isinstance(novel, bool) else None,
    )


def _argument(said: object, mentions: Iterable[Mention]) -> Mention:
    """The mention that a relation names by its place and concept."""
    if not isinstance(said, Mapping):
        raise Unreadable(f"has a relation with an argument that is no object: {said!r:.80}")
    there = [m for m in mentions if (m.start, m.end) == (said.get("start"), said.get("end"))]
    for mention in there:
        if mention.concept_id == (said.get("concept_id") or ""):
            return mention
    for mention in there:
        if meant := tuple(g for g in mention.groundings if g.concept_id == said.get("concept_id")):
            return replace(mention, groundings=meant)
    raise Unreadable(f"relates what no mention is: {said!r:.80}")


def _share(record: Record) -> float:
    score = record.get("score")
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        raise Unreadable(f"has a score outside of [0, 1]: {score!r:.40}")
    return float(score)
