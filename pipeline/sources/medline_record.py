"""What one MEDLINE record says, taken in one walk over its elements."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from lxml import etree

from pipeline.sources.shared import fields, xml
from pipeline.sources.shared.prose import math, names
from pipeline.sources.shared.stream import Unreadable
from pipeline.text.headings import section_kind
from pipeline.types import Document

Row: TypeAlias = dict[str, etree._Element]  # what an element holds, by name, or by kind where it is an identifier

# Elements whose parts belong together, and those parts; of all others, each stands for itself.
_ROWS = names(
    "MedlineCitation BookDocument PubmedData PubmedBookData Author Investigator PersonalNameSubject Reference"
)
_PARTS = names("LastName ForeName Suffix CollectiveName")
_ID = "ArticleId"
_SINGLE = names(
    "PMID ArticleTitle VernacularTitle BookTitle Title ISOAbbreviation MedlineTA Language Abstract OtherAbstract "
    "PubDate ArticleDate ContributionDate BeginningDate DateRevised ELocationID PublicationType CommentsCorrections"
)
_WANTED = sorted({*_ROWS, *_PARTS, _ID, *_SINGLE})
_LINKS = {
    "ErratumFor": "corrects",
    "ErratumIn": "corrected_by",
    "CorrectedandRepublishedFrom": "corrects",
    "CorrectedandRepublishedIn": "corrected_by",
    "RetractionOf": "retracts",
    "RetractionIn": "retracted_by",
    "RetractedandRepublishedFrom": "retracts",
    "RetractedandRepublishedIn": "retracted_by",
    "PartialRetractionOf": "partly_retracts",
    "PartialRetractionIn": "partly_retracted_by",
    "ExpressionOfConcernFor": "questions",
    "ExpressionOfConcernIn": "questioned_by",
    "RepublishedFrom": "republishes",
    "RepublishedIn": "republished_by",
    "UpdateOf": "updates",
    "UpdateIn": "updated_by",
}
_STATES = {
    "Retracted Publication": "retracted",
    "Retraction of Publication": "retraction",
    "Retraction Notice": "retraction",
    "Published Erratum": "erratum",
}
_NO_TITLE = frozenset(("[Not Available].", "[Not Available]"))

_DATE = ("Year", "Month", "Day")
_SELF = ""

# The same few thousand dates and labels stand in millions of records.
_iso_date = lru_cache(1 << 14)(fields.iso_date)
_section_kind = lru_cache(1 << 12)(section_kind)


@dataclass(frozen=True, slots=True)
class Found:
    """The elements of a record that say something, by name, each in the order in which they stand."""

    single: dict[str, list[etree._Element]]
    rows: dict[str, list[Row]]

    def text(self, *names: str) -> str:
        """The text of the first element of these names that has any."""
        for name in names:
            for element in self.single.get(name, ()):
                if text := _text(element):
                    return text
        return ""


def document(record: etree._Element) -> Document:
    """The document of a PubmedArticle, PubmedBookArticle, MedlineCitation or BookDocument."""
    found = find(record)
    if len(found.rows.get("MedlineCitation", ())) + len(found.rows.get("BookDocument", ())) > 1:
        raise Unreadable("holds more than one record: an end tag is missing")
    return built(loose(found))


def find(record: etree._Element) -> Found:
    """Walk over all of a record once; what parts belong together is told by the order they come in."""
    single: dict[str, list[etree._Element]] = {}
    rows: dict[str, list[Row]] = {}
    row: Row = {}
    for element in record.iter(*_WANTED):
        tag = element.tag
        if tag in _PARTS:
            row.setdefault(tag, element)
        elif tag == _ID:
            row.setdefault(element.get("IdType", ""), element)
        elif tag in _ROWS:
            row = {_SELF: element}
            rows.setdefault(tag, []).append(row)
        else:
            single.setdefault(tag, []).append(element)
    return Found(single, rows)


def loose(found: Found) -> dict[str, Any]:
    """The fields of a record, as :func:`pipeline.sources.shared.fields.document` takes them."""
    single, rows = found.single, found.rows
    pmid = found.text("PMID")
    ids: Row = {}
    for name in ("PubmedBookData", "PubmedData", "BookDocument"):
        for row in rows.get(name, ()):
            ids |= row
    links, cited = _links(single.get("CommentsCorrections", ()))
    return {
        "id": pmid,
        "title": _title(found),
        "sections": _abstract(found),
        "date": _date(found),
        "authors": _authors(found),
        "journal": _journal(found),
        "language": found.text("Language"),
        "licence": next((_child(abstract, "CopyrightInformation") for abstract in single.get("Abstract", ())), ""),
        "status": _status(found, links),
        "pmid": pmid,
        "pmcid": _part(ids, "pmc"),
        "doi": _part(ids, "doi") or _location(found, "doi"),
        "arxiv": _arxiv(_part(ids, "pii") or _location(found, "pii")),
        "links": links,
        "references": [*cited, *filter(None, map(_reference, rows.get("Reference", ())))],
        "revised": next(map(_day, single.get("DateRevised", ())), ""),
    }


def built(given: Mapping[str, Any]) -> Document:
    """What ``fields.document(given)`` makes, sooner where the record is as nearly all are."""
    pmid, pmcid, doi = given["pmid"], given["pmcid"].removeprefix("PMC"), fields.doi_curie(given["doi"])
    kinds = [_section_kind(part["kind"]) for part in given["sections"]]
    targets = [target for _, target in given["links"]]
    numbers = "".join((pmid, pmcid, *targets))
    plain = all((pmid, *targets)) and numbers.isascii() and numbers.isdecimal()
    if not plain or given["arxiv"] or "arxiv" in (doi or "") or "references" in kinds:
        return fields.document(given)
    texts = (part["text"] for part in given["sections"])
    text, sections = fields.layout([("title", given["title"]), *zip(kinds, texts, strict=True)])
    sections = fields.divided(text, sections)
    if not text or any(section.kind == "references" for section in sections):
        return fields.document(given)
    return Document(
        id=pmid,
        text=text,
        sections=sections,
        date=given["date"],
        ids=tuple(curie for curie in (f"pmid:{pmid}", pmcid and f"pmcid:PMC{pmcid}", doi) if curie),
        authors=tuple(given["authors"]),
        journal=given["journal"].strip(),
        language=given["language"].strip().lower(),
        licence=given["licence"].strip(),
        status=given["status"] or "article",
        links=tuple(dict.fromkeys(given["links"])),
        references=tuple(dict.fromkeys(given["references"])),
        revised=given["revised"],
    )


def _title(found: Found) -> str:
    """The title in English; that of a book for its record as a whole; else the one in the paper's own language."""
    title = found.text("ArticleTitle")
    return found.text("BookTitle", "VernacularTitle") or title if not title or title in _NO_TITLE else title


def _journal(found: Found) -> str:
    """The name of the journal, or of the book; a list of references may have a title of the same name."""
    for title in found.single.get("Title", ()):
        if title.getparent().tag == "Journal" and (text := _text(title)):
            return text
    return found.text("ISOAbbreviation", "MedlineTA", "BookTitle")


def _abstract(found: Found) -> list[dict[str, str]]:
    """The parts of the abstract; only where there is none, those of another one, best in English."""
    parts = [part for abstract in found.single.get("Abstract", ()) for part in _parts(abstract)]
    if parts or "OtherAbstract" not in found.single:
        return parts
    others = sorted(found.single["OtherAbstract"], key=lambda other: other.get("Language", "eng") != "eng")
    return next((parts for parts in map(_parts, others) if parts), [])


def _parts(abstract: etree._Element) -> list[dict[str, str]]:
    parts = [
        {"kind": _kind(part.get("Label", ""), part.get("NlmCategory", "")), "text": _text(part)}
        for part in abstract.iterchildren("AbstractText")
    ]
    return [part for part in parts if part["text"]]


@lru_cache(1 << 12)
def _kind(label: str, category: str) -> str:
    """The kind of a labelled part; NLM's category where the label is the authors' own.

    >>> _kind("PATIENTS AND METHODS", ""), _kind("WHAT WE DID", "METHODS"), _kind("", "UNASSIGNED")
    ('methods', 'methods', 'abstract')
    """
    kind = section_kind(label, default="abstract")
    return section_kind(category) if category and kind == label.lower() else kind


def _date(found: Found) -> str:
    """The date of the issue as printed, else that of publication on line; for a chapter, when it was contributed."""
    for name in ("ContributionDate", "PubDate", "ArticleDate", "BeginningDate"):
        for date in map(_day, found.single.get(name, ())):
            if date:
                return date
    return ""


def _day(date: etree._Element) -> str:
    parts = {part.tag: _text(part) for part in date}
    return _iso_date(parts.get("MedlineDate") or " ".join(parts[name] for name in _DATE if name in parts))


def _authors(found: Found) -> list[str]:
    """``Family, Given, Suffix``, or the name of a group; names that were withdrawn as wrong are left out.

    The editors of a book are those of its chapters only where these name no authors.
    """
    authors = found.rows.get("Author", [])
    if "BookTitle" in found.single:
        own = [author for author in authors if author[_SELF].getparent().getparent().tag != "Book"]
        authors = own or authors
    return [name for name in map(_name, authors) if name]


def _name(author: Row) -> str:
    if author[_SELF].get("ValidYN") == "N":
        return ""
    family = _part(author, "LastName", "CollectiveName")
    given = _part(author, "ForeName") or _child(author[_SELF], "Initials")
    return ", ".join(part for part in (family, given, _part(author, "Suffix")) if part).strip()


def _links(comments: Iterable[etree._Element]) -> tuple[list[tuple[str, str]], list[str]]:
    """What the paper corrects, retracts and so on, and what it cites, which older files list among them."""
    links, cited = [], []
    for comment in comments:
        relation = comment.get("RefType", "")
        if relation == "Cites":
            cited.append(_pmid_curie(_child(comment, "PMID")) or _child(comment, "RefSource"))
        elif relation in _LINKS and (pmid := _child(comment, "PMID")):
            links.append((_LINKS[relation], pmid))
    return links, [work for work in cited if work]


def _reference(work: Row) -> str:
    """The best identifier of a work cited, else the citation as it is printed."""
    return (
        _pmid_curie(_part(work, "pubmed"))
        or fields.doi_curie(_part(work, "doi"))
        or _pmc_curie(_part(work, "pmc"))
        or _child(work[_SELF], "Citation")
    )


def _location(found: Found, kind: str) -> str:
    """An identifier that stands among the pages."""
    for location in found.single.get("ELocationID", ()):
        if location.get("EIdType") == kind and location.get("ValidYN") != "N":
            return _text(location)
    return ""


def _arxiv(pii: str) -> str:
    """arXiv's identifier, which preprints carry as that of their publisher: ``arXiv:2003.02320v1``."""
    return pii if pii.lower().startswith("arxiv:") else ""


def _status(found: Found, links: Iterable[tuple[str, str]]) -> str:
    if any(word == "retracted_by" for word, _ in links):
        return "retracted"
    kinds = map(_text, found.single.get("PublicationType", ()))
    return next((_STATES[kind] for kind in kinds if kind in _STATES), "")


def _pmid_curie(pmid: str) -> str:
    return f"pmid:{pmid}" if pmid.isdecimal() else ""


def _pmc_curie(pmcid: str) -> str:
    number = pmcid.removeprefix("PMC")
    return f"pmcid:PMC{number}" if number.isdecimal() else ""


def _part(row: Row, *names: str) -> str:
    """The text of the first of these parts that has any."""
    for name in names:
        if name in row and (text := _text(row[name])):
            return text
    return ""


def _child(element: etree._Element, name: str) -> str:
    return next(map(_text, element.iterchildren(name)), "")


def _text(element: etree._Element) -> str:
    """All text of an element in one line, and its formulas as they are read."""
    text = "".join(_pieces(element)) if len(element) else element.text or ""
    if text.isalnum():  # a name or a number, as most are
        return text
    if "\n" in text or "  " in text or "\t" in text or "\r" in text:
        return fields.flat(text)
    return text.strip(" ")


def _pieces(element: etree._Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag is etree.Entity:
            yield html.unescape(child.text)
        elif xml.local(child) == "math":
            yield math(xml.bare(child))
        else:
            yield from _pieces(child)
        yield child.tail or ""
