"""JSON Lines of tokens: SciERC and its kin (PURE, DyGIE++), and one list of tokens with IOB tags (WIESP).

SciERC counts tokens over the whole document and its spans include their last token. The text is the tokens joined by
blanks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.sources.shared import fields, gold
from pipeline.sources.shared.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure, Mention, Reading, Relation, Sentence, Span

_SENTENCES = re.compile(r'(?<!\\)"sentences"\s*:\s*\[\s*\[')
_TOKENS = re.compile(r'(?<!\\)"tokens"\s*:\s*\[\s*"')
_PROSE = re.compile(r'(?<!\\)"(?:text|title|abstract)"\s*:')


@dataclass(frozen=True, slots=True)
class _Paper:
    """A document, where its tokens lie in it, its sentences, and the rows of its annotations."""

    document: Document
    tokens: Sequence[Span]
    sentences: tuple[Sentence, ...]
    entities: Sequence[object]
    relations: Sequence[object]


def sniff(head: str) -> bool:
    first = head.lstrip("\ufeff \t\n").partition("\n")[0]
    return first.startswith("{") and bool(
        _SENTENCES.search(first) or (_TOKENS.search(first) and not _PROSE.search(first))
    )


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Documents alone; annotations are passed over."""
    return fields.each(_records(stream), lambda line: _parse(line).document, name)


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """Documents with their sentences, gold mentions and relations; what fits no tokens is a Failure of its own."""
    for place, line in _records(stream):
        for paper in fields.each([(place, line)], _parse, name):
            if isinstance(paper, Failure):
                yield paper
            else:
                yield from _annotated(paper, f"{place} ({paper.document.id})", name)


def _records(stream: Stream) -> Iterator[tuple[str, str]]:
    return ((f"line {number}", line) for number, line in lines(stream.text) if line.strip())


def _parse(line: str) -> _Paper:
    check(line)
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Unreadable(f"is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise Unreadable(f"is no JSON object but {line[:40]!r}")
    if "sentences" in record:
        lists = [_tokens(sentence) for sentence in _list(record, "sentences")]
        entities = [row for rows in _list(record, "ner") for row in _rows(rows, "ner")]
        relations = [row for rows in _list(record, "relations") for row in _rows(rows, "relations")]
    else:
        lists = [_tokens(record.get("tokens"))]
        entities, relations = _from_tags(record, len(lists[0])), []
    text, spans = gold.joined([*chain.from_iterable(lists)])
    document = fields.document(_fields(record) | {"text": text}, exact=True)
    kind = document.sections[0].kind
    sentences = tuple(_sentences(lists, spans, kind)) if "sentences" in record else ()
    return _Paper(document, spans, sentences, entities, relations)


def _fields(record: dict[str, object]) -> dict[str, object]:
    """What the record says of its paper; a bibcode begins with the year."""
    return {
        "id": next((record[key] for key in ("doc_key", "unique_id", "doc_id", "id") if key in record), ""),
        "year": str(record.get("bibcode", ""))[:4],
    }


def _sentences(lists: Sequence[Sequence[str]], spans: Sequence[Span], kind: str) -> Iterator[Sentence]:
    first = 0
    for tokens in lists:
        if any(token.strip() for token in tokens):
            yield Sentence(spans[first].start, spans[first + len(tokens) - 1].end, kind)
        first += len(tokens)


def _tokens(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
        raise Unreadable(f"has tokens that are no list of strings: {value!r:.80}")
    return [fields.storable(re.sub(r"[\r\n]", " ", token)) for token in value]


def _list(record: dict[str, object], key: str) -> list[object]:
    return _rows(record.get(key) or [], key)


def _rows(value: object, key: str) -> list[object]:
    if not isinstance(value, list):
        raise Unreadable(f"has {key} that are no list: {value!r:.80}")
    return value


def _from_tags(record: dict[str, object], count: int) -> list[object]:
    tags = _list(record, "ner_tags")
    if tags and len(tags) != count:
        raise Unreadable(f"has {len(tags)} tags for {count} tokens")
    unknown = next((tag for tag in tags if not isinstance(tag, str) or not gold.TAG.fullmatch(tag)), None)
    if unknown is not None:
        raise Unreadable(f"has a tag that is neither O nor like B-Gene: {unknown!r:.40}")
    return [[*span] for span in gold.tagged(map(str, tags))]


def _annotated(paper: _Paper, place: str, name: str) -> Iterator[Reading | Failure]:
    found = list(fields.each([(place, row) for row in paper.entities], lambda row: _mention(row, paper), name))
    mentions = [mention for mention in found if isinstance(mention, Mention)]
    at: dict[tuple[int, int], Mention] = {}
    for mention in mentions:
        at.setdefault((mention.start, mention.end), mention)
    related = list(fields.each([(place, row) for row in paper.relations], lambda row: _relation(row, paper, at), name))
    relations = tuple(relation for relation in related if isinstance(relation, Relation))
    yield Reading(paper.document, paper.sentences, mentions=gold.in_order(mentions), relations=relations)
    yield from (failure for failure in (*found, *related) if isinstance(failure, Failure))


def _mention(row: object, paper: _Paper) -> Mention:
    if not isinstance(row, list) or len(row) < 3 or not isinstance(row[2], str) or not row[2]:
        raise Unreadable(f"has an entity that is no [first token, last token, type]: {row!r:.80}")
    span = _span(row[0], row[1], paper)
    return gold.mention(paper.document, span.start, span.end, row[2])


def _relation(row: object, paper: _Paper, at: dict[tuple[int, int], Mention]) -> Relation:
    if not isinstance(row, list) or len(row) < 5 or not isinstance(row[4], str) or not row[4]:
        raise Unreadable(f"has a relation that is no [first, last, first, last token, name]: {row!r:.80}")
    ends = [_span(row[number], row[number + 1], paper) for number in (0, 2)]
    subject, object_ = (at.get((span.start, span.end)) for span in ends)
    if subject is None or object_ is None:
        raise Unreadable(f"relates {row[:2] if subject is None else row[2:4]}, where no entity is: {row!r:.80}")
    return gold.relation(row[4], subject, object_, _stated(paper.sentences, ends))


def _span(first: object, last: object, paper: _Paper) -> Span:
    count = len(paper.tokens)
    if not (type(first) is int and type(last) is int and 0 <= first <= last < count):
        raise Unreadable(f"has an annotation outside of its {count} tokens: {first!r:.20} to {last!r:.20}")
    span = Span(paper.tokens[first].start, paper.tokens[last].end)
    if not span.of(paper.document.text).strip():
        raise Unreadable(f"has an annotation of blanks: {first} to {last}")
    return span


def _stated(sentences: Sequence[Sentence], ends: Sequence[Span]) -> Span:
    """The sentences that two mentions lie in, and all between."""
    touched = [sentence for sentence in sentences if any(sentence.overlaps(end) for end in ends)]
    return Span(min(s.start for s in touched), max(s.end for s in touched))
