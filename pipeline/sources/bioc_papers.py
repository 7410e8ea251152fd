"""BioC documents: passages to one text with sections, infons to what is known of the paper.

The text is the passages joined by newlines. Headings, entries of the bibliography and cells of tables are no part of
it: a heading gives its kind to what follows, the bibliography becomes references.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pipeline.sources.bioc_records import Record, infons_of, number_of, plain, records_of, value_of
from pipeline.sources.shared import fields
from pipeline.text.headings import section_kind
from pipeline.types import Document

Places: TypeAlias = tuple[tuple[int, int], ...]  # offset in the collection, place in a text of ours

_HEADING = re.compile(r"(?:abstract_)?title(?:_\d+)?|footnote_title")
_SECTION_KINDS = {"INTRO": "background", "DISCUSS": "discussion", "CONCL": "conclusion"}
_USUAL = frozenset({"background", "objective", "methods", "results", "discussion", "conclusion"})
_NO_TEXT = frozenset({"references", "table", "heading"})
_NAME = re.compile(r"surname:([^;]*)(?:;given-names:(.*))?")


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a source; ``kind`` says what it is, and ``pieces`` where its offsets begin in its text."""

    kind: str
    text: str
    infons: Record
    pieces: Places
    annotations: tuple[Record, ...]
    relations: tuple[Record, ...]

    @property
    def in_text(self) -> bool:
        return self.kind not in _NO_TEXT and bool(self.text.strip())


@dataclass(frozen=True, slots=True)
class Paper:
    """A document, and its passages by where they begin in it; None are those that are no part of it."""

    document: Document
    passages: Sequence[tuple[Passage, int | None]]
    annotations: tuple[Record, ...]
    relations: tuple[Record, ...]


def paper_of(record: Record) -> Paper:
    passages = list(_passages(records_of(record, "passages")))
    text, sections = fields.layout((p.kind, p.text) for p in passages if p.in_text)
    starts = iter(sections)
    placed = [(p, next(starts).start if p.in_text else None) for p in passages]
    document = fields.document(_about(record, passages) | {"text": text}, exact=True)
    return Paper(
        replace(document, text=text, sections=fields.divided(text, sections)),
        placed,
        records_of(record, "annotations"),
        records_of(record, "relations"),
    )


def _passages(records: Sequence[Record]) -> Iterator[Passage]:
    """Passages with their kinds; a heading gives its kind to what follows."""
    untyped = not any(value_of(infons_of(record), "section_type", "type") for record in records)
    above = ""
    for number, record in enumerate(records):
        infons = infons_of(record)
        sentences = records_of(record, "sentences")
        inner = (*records_of(record, "annotations"), *(a for s in sentences for a in records_of(s, "annotations")))
        text, pieces = _text(record, sentences)
        kind = _by_order(number, len(records)) if untyped else _kind(infons, above)
        if kind == "heading":
            label = section_kind(text)
            above = label if label in _USUAL else ""
            if inner:  # then it is read, for what is marked in it would be lost
                kind = _kind({**infons, "type": "paragraph"}, above)
        if kind == "title":
            text = re.sub(r"[\r\n]", " ", text)
        relations = (*records_of(record, "relations"), *(r for s in sentences for r in records_of(s, "relations")))
        yield Passage(kind, text, infons, pieces, inner, relations)


def _text(record: Record, sentences: Sequence[Record]) -> tuple[str, Places]:
    """The text of a passage, or that of its sentences, a blank apart."""
    offset = number_of(record, "offset")
    text = plain(record.get("text"))
    if text.strip() or not sentences:
        return text, ((offset, 0),)
    pieces: list[tuple[int, int]] = []
    for sentence in sentences:
        if own := plain(sentence.get("text")):
            at = number_of(sentence, "offset")
            text += " " * bool(text)
            pieces.append((at, len(text)))
            text += own
    return text, tuple(pieces)


def _by_order(number: int, count: int) -> str:
    """What passages are of which nothing is said: a title, an abstract, and more."""
    if count == 1:
        return "body"
    return ("title", "abstract")[number] if number < 2 else "body"


def _kind(infons: Record, above: str) -> str:
    """The kind of a passage in the words of PubMed Central's BioC, PubTator's, or ours."""
    section, type_ = value_of(infons, "section_type").upper(), value_of(infons, "type").lower()
    kinds = (
        ("references", section == "REF" or type_ == "ref"),
        ("title", type_ == "front" or (section or type_.upper()) == "TITLE"),
        ("table", type_ == "table"),
        ("caption", section in ("FIG", "TABLE") or type_.startswith(("fig_", "table_"))),
        ("heading", bool(_HEADING.fullmatch(type_))),
        (above or "abstract", section == "ABSTRACT"),
        (_SECTION_KINDS.get(section) or section_kind(section), bool(section)),
        (above or "body", type_ in ("", "paragraph")),
    )
    return next((kind for kind, holds in kinds if holds), section_kind(type_))


def _about(record: Record, passages: Sequence[Passage]) -> dict[str, object]:
    """What is known of the paper, from the infons of the document and of its title."""
    titles = [passage.infons for passage in passages if passage.kind == "title"]
    infons = {**(titles[0] if titles else {}), **infons_of(record)}
    said = value_of(record, "id")
    ids = {key: value_of(infons, f"article-id_{key}") for key in ("pmid", "pmc", "doi", "arxiv")}
    known = {value.upper().removeprefix("PMC") for value in ids.values() if value}
    if said.isdecimal() and not known:
        ids["pmid"] = said  # as in PubTator, whose collections name papers so
    return {
        "id": "" if said.upper().removeprefix("PMC") in known else said,
        "pmid": ids["pmid"],
        "pmcid": ids["pmc"],
        "doi": ids["doi"],
        "arxiv": ids["arxiv"],
        "date": value_of(infons, "date", "year"),
        "journal": value_of(infons, "journal", "journal-title").partition(";")[0],
        "authors": list(_authors(infons)),
        "licence": value_of(infons, "license"),
        "language": value_of(infons, "language"),
        "status": value_of(infons, "status"),
        "references": [_reference(passage) for passage in passages if passage.kind == "references"],
    }


def _authors(infons: Record) -> Iterator[str]:
    keys = sorted((key for key in infons if re.fullmatch(r"name_\d+", key)), key=lambda key: int(key[5:]))
    for key in keys:
        said = value_of(infons, key)
        name = _NAME.fullmatch(said)
        yield ", ".join(part for part in name.groups() if part) if name else said
    if not keys:
        yield from (name.strip() for name in value_of(infons, "authors").split(",") if name.strip())


def _reference(passage: Passage) -> str:
    """A work cited, by its identifier or as much of the citation as there is; ``""`` for a heading."""
    pmid, doi = (value_of(passage.infons, f"pub-id_{key}") for key in ("pmid", "doi"))
    if pmid.isdecimal():
        return f"pmid:{pmid}"
    if found := fields.doi_curie(doi):
        return found
    if value_of(passage.infons, "type").startswith("title"):
        return ""
    parts = (*_authors(passage.infons), passage.text, *(value_of(passage.infons, key) for key in ("source", "year")))
    return ". ".join(part.strip(" .") for part in parts if part.strip())
