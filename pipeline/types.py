"""The words of the project: a few frozen values that every room speaks in.

All spans are half-open character offsets into ``Document.text``, so that for any mention of any document
``document.text[mention.start:mention.end] == mention.text``. Identity is content: every ``uid`` here is a hash of
what the value says (:func:`content_id`), so that a rebuild anywhere gives the same ids.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Polarity: TypeAlias = Literal["positive", "negative"]
Certainty: TypeAlias = Literal["certain", "speculative"]
State: TypeAlias = Literal["supported", "contested", "refuted", "speculative"]
Status: TypeAlias = Literal["article", "erratum", "retraction", "retracted"]


_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make a new encoder each time


def content_id(*parts: object, length: int = 16) -> str:
    """Hash the parts of a value into a short, stable id.

    The parts are joined as JSON, so that ``("ab", "c")`` and ``("a", "bc")`` differ; lone surrogates, which some
    PDF extractors leave behind, are hashed as they are.

    >>> content_id("MESH:D005395", "INDUCES", "MESH:D011928")
    'a7ef388786eeac8c'
    """
    return hashlib.sha256(_encode(parts).encode("ascii")).hexdigest()[:length]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters.

    >>> Span(4, 11).of("The aspirin group")
    'aspirin'
    """

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end

    def covers(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True, order=True)
class Section(Span):
    """A part of a document; ``kind`` is title, abstract, background, methods, results, conclusion, body, ..."""

    kind: str


@dataclass(frozen=True, slots=True, order=True)
class Sentence(Span):
    """One sentence, in the section of the kind ``section``."""

    section: str


@dataclass(frozen=True, slots=True, order=True)
class Abbreviation:
    """A short form and the long form that the same document defines it by."""

    short: Span
    long: Span


@dataclass(frozen=True, slots=True)
class Document:
    """One paper: its text, how the text is divided, and what is known about it.

    ``text`` is the title, one newline, the abstract (and what follows). ``date`` is ISO 8601 in the precision that
    is known: ``""``, ``"1985"``, ``"1985-04"`` or ``"1985-04-02"``. ``ids`` are other identifiers as CURIEs
    (``pmid:227508``, ``doi:10.1000/xyz``). ``links`` are pairs of a word and a document id
    (``("corrects", "sample:migraine-007")``). ``references`` are the works it cites: CURIEs where they are known, else
    the citation as it is printed; they are no part of the text. ``revised`` is the ISO 8601 date on which the source
    last changed its record, which tells an older version from a newer one. ``domain`` is the field the paper was
    ingested for; it chooses the reader and is no part of the content.
    """

    id: str
    text: str
    sections: tuple[Section, ...] = ()
    date: str = ""
    ids: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    journal: str = ""
    language: str = ""
    licence: str = ""
    status: Status = "article"
    links: tuple[tuple[str, str], ...] = ()
    references: tuple[str, ...] = ()
    revised: str = ""
    domain: str = ""

    @property
    def year(self) -> int | None:
        return int(self.date[:4]) if self.date else None

    @property
    def title(self) -> str:
        """The section of kind title, else the first line."""
        for section in self.sections:
            if section.kind == "title":
                return section.of(self.text)
        return self.text.split("\n", 1)[0]

    @property
    def text_digest(self) -> str:
        """Hash of what is read: equal ones mean that nothing needs to be read again."""
        sections = [(section.start, section.end, section.kind) for section in self.sections]
        return content_id(self.id, self.text, sections, length=32)

    @property
    def digest(self) -> str:
        """Hash of the content, the domain left out: equal ones mean that nothing has changed."""
        return content_id(
            self.text_digest,
            self.date,
            self.ids,
            self.authors,
            self.journal,
            self.language,
            self.licence,
            self.status,
            self.links,
            self.references,
            self.revised,
            length=32,
        )


@dataclass(frozen=True, slots=True)
class Deleted:
    """A source takes a paper back: its record was deleted. ``ids`` are CURIEs, as those of a Document."""

    id: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that could not be read: ``source`` a file or document, ``place`` where in it, ``reason`` why."""

    source: str
    place: str
    reason: str
    stage: str = "ingest"


Item: TypeAlias = Document | Deleted | Failure
"""What a source gives, one after the other."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """A guess of what a mention means, with its reason: by which ``method`` it matched which name."""

    concept_id: str
    name: str
    score: float
    method: str
    matched: str = ""


@dataclass(frozen=True, slots=True)
class Mention(Span):
    """A piece of text that names something; ``groundings`` are ranked, best first, and empty before linking."""

    document_id: str
    text: str
    type: str
    score: float
    extractor: str
    groundings: tuple[Grounding, ...] = ()

    @property
    def uid(self) -> str:
        return content_id(self.document_id, self.start, self.end, self.type)

    @property
    def concept_id(self) -> str:
        """The id of the best grounding, or ``""`` before linking."""
        return self.groundings[0].concept_id if self.groundings else ""


@dataclass(frozen=True, slots=True)
class Relation(Span):
    """One claim read in one place: the span is the sentence or sentences that state it.

    ``polarity`` is negative where the text denies the claim, ``certainty`` speculative where it only supposes it.
    ``extractor`` is the fingerprint of what read it. ``novel`` is whether it is a finding of the paper itself and not
    of one before it, None where nobody says so: BioRED's annotators do.
    """

    document_id: str
    predicate: str
    subject: Mention
    object: Mention
    score: float
    extractor: str
    polarity: Polarity = "positive"
    certainty: Certainty = "certain"
    novel: bool | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read in one document so far; a stage takes readings and returns fuller ones."""

    document: Document
    sentences: tuple[Sentence, ...] = ()
    abbreviations: tuple[Abbreviation, ...] = ()
    mentions: tuple[Mention, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class Concept:
    """Something a vocabulary, or the texts themselves (``NIL:...``), know by an id."""

    id: str
    name: str
    type: str
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One place in one paper that speaks for or against an edge; ``novel`` is as in a Relation."""

    uid: str
    edge_uid: str
    document_id: str
    start: int
    end: int
    text: str
    section: str
    polarity: Polarity
    certainty: Certainty
    score: float
    extractor: str
    year: int | None = None
    novel: bool | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """Subject, predicate and object with all their evidence; everything else is computed from the evidence.

    ``support``, ``refute`` and ``speculative`` count evidence; ``belief`` is in [0, 1]
    (:mod:`pipeline.assemble`); the years are those of the papers, None where none is dated.
    """

    uid: str
    subject: str
    predicate: str
    object: str
    belief: float
    support: int
    refute: int
    speculative: int
    first_year: int | None
    last_year: int | None
    state: State
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The projection of a ledger that stores hold: each tuple sorted by id."""

    entities: tuple[Concept, ...] = ()
    edges: tuple[Edge, ...] = ()
    documents: tuple[Document, ...] = ()


def edge_uid(subject: str, predicate: str, object_: str) -> str:
    """Identity of an edge: the same claim has the same id wherever it is read."""
    return content_id(subject, predicate, object_)


def merge_mentions(*layers: Iterable[Mention]) -> tuple[Mention, ...]:
    """Join mentions of several extractors, in reading order.

    An earlier layer wins over a later one where they overlap; within a layer the longer mention wins.
    """
    kept: list[Mention] = []
    for layer in layers:
        for mention in sorted(layer, key=lambda m: (m.start - m.end, m.start)):
            at = bisect_left(kept, (mention.start, mention.end), key=lambda m: (m.start, m.end))
            neighbours = kept[max(at - 1, 0) : at + 1]
            if not any(mention.overlaps(other) for other in neighbours):
                kept.insert(at, mention)
    return tuple(kept)
