"""What annotated formats share: gold mentions and relations, and text that comes cut into tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.sources.shared.fields import divided, storable
from pipeline.sources.shared.stream import Unreadable, check
from pipeline.types import Document, Grounding, Mention, Relation, Section, Span

GOLD = "gold"
JOINTS = re.compile(r"[|+,;]")
"""What parts the ids of a mention of several concepts."""
NO_CONCEPT = frozenset({"", "-", "-1", "NIL", "None"})
TAG = re.compile(r"O|[BIESLU]-(\S+)")


def paper(id_: str, title: str, abstract: str) -> Document:
    """A paper whose annotations count title, one character, abstract, with every blank; an id of digits is a PMID."""
    title, abstract = (storable(check(text)) for text in (title, abstract))
    if not (title.strip() or abstract.strip()):
        raise Unreadable("has neither title nor text")
    text = f"{title}\n{abstract}" if abstract else title
    spans = (Section(0, len(title), "title"), Section(len(title) + 1, len(text), "abstract"))
    return Document(
        id=check(id_),
        text=text,
        sections=divided(text, (section for section in spans if section.of(text).strip())),
        ids=(f"pmid:{id_}",) if id_.isdecimal() else (),
    )


def mention(document: Document, start: int, end: int, type_: str, ids: Iterable[str] = ()) -> Mention:
    """A mention that people marked; ``ids`` are all the concepts that they say it means."""
    text = document.text[start:end]
    groundings = tuple(Grounding(uid, text, 1.0, GOLD, text) for uid in ids)
    return Mention(start, end, document.id, text, type_, 1.0, GOLD, groundings)


def relation(predicate: str, subject: Mention, object_: Mention, span: Span | None = None) -> Relation:
    """A claim that people marked; ``span`` is where it is stated, by default from the one mention to the other."""
    start = span.start if span else min(subject.start, object_.start)
    end = span.end if span else max(subject.end, object_.end)
    return Relation(start, end, subject.document_id, predicate, subject, object_, 1.0, GOLD)


def novelty(said: str) -> bool | None:
    """What BioRED says of a relation: whether it is a finding of the paper itself; None for any other word.

    >>> novelty("Novel"), novelty("No"), novelty("")
    (True, False, None)
    """
    return {"novel": True, "no": False}.get(said.strip().lower())


def in_order(mentions: Iterable[Mention]) -> tuple[Mention, ...]:
    """Mentions as they are read, the shorter of two that begin together first."""
    return tuple(sorted(mentions, key=lambda mention: (mention.start, mention.end)))


def joined(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """Join tokens by blanks, and say where each lies.

    >>> joined(["Oil", "thins"])
    ('Oil thins', [Span(start=0, end=3), Span(start=4, end=9)])
    """
    spans: list[Span] = []
    at = 0
    for token in tokens:
        spans.append(Span(at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), spans


def tagged(tags: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """First token, last token and type of what tags mark, in IOB1, IOB2 (BIO), IOBES or BILOU.

    An inside tag that continues nothing begins a mention of its own.

    >>> list(tagged(["B-Gene", "I-Gene", "B-Gene", "O", "I-Drug", "I-Gene", "S-Gene"]))
    [(0, 1, 'Gene'), (2, 2, 'Gene'), (4, 4, 'Drug'), (5, 5, 'Gene'), (6, 6, 'Gene')]
    """
    start, type_, number = 0, "", -1
    for number, tag in enumerate(tags):
        mark, _, name = tag.partition("-")
        if type_ and (mark not in "IEL" or name != type_):
            yield start, number - 1, type_
            type_ = ""
        if name and not type_:
            start, type_ = number, name
        if type_ and mark in "ESLU":
            yield start, number, type_
            type_ = ""
    if type_:
        yield start, number, type_
