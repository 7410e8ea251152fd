"""Crossref's XML (unixref and unixsd), by content negotiation or OAI-PMH: one paper a record, whatever its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lxml import etree

from pipeline.sources.shared import elements, fields, markup, xml
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Deleted, Document, Failure

_RECORD = re.compile(r"<(?:[\w.-]+:)?(?:crossref|doi_record)[\s>]")
_DOI_RECORD = re.compile(r"<(?:[\w.-]+:)?doi_record[\s>]")
_HARVEST = ("OAI-PMH", "ListRecords", "GetRecord", "record")

# The elements that hold a paper, a part of something before the whole of it.
_PAPERS = (
    "journal_article",
    "conference_paper",
    "content_item",
    "posted_content",
    "dissertation",
    "report-paper_metadata",
    "standard_metadata",
    "dataset",
    "peer_review",
    "book_metadata",
    "book_series_metadata",
    "book_set_metadata",
)
_JOURNALS = (".//journal_metadata/full_title", ".//proceedings_title")
_BOOKS = (".//book_metadata/titles/title", ".//book_series_metadata/titles/title")
_DATES = ("publication_date", "posted_date", "approval_date", "database_date/publication_date", "review_date")
_PRINTED = ("author", "cYear", "article_title", "volume_title", "journal_title", "series_title", "volume", "first_page")

_WORDS = {
    "retraction": ("retracts", "retracted_by"),
    "withdrawal": ("retracts", "retracted_by"),
    "removal": ("retracts", "retracted_by"),
    "partial_retraction": ("partly_retracts", "partly_retracted_by"),
    "correction": ("corrects", "corrected_by"),
    "erratum": ("corrects", "corrected_by"),
    "corrigendum": ("corrects", "corrected_by"),
    "expression_of_concern": ("questions", "questioned_by"),
}
_STATES = {"retracted_by": "retracted", "retracts": "retraction", "corrects": "erratum"}


class Update(NamedTuple):
    """That one work changes what another says; ``own`` where the record at hand is the one that does."""

    kind: str
    doi: str
    own: bool


def sniff(head: str) -> bool:
    if xml.opens(head, "doi_records", "doi_record", "crossref"):
        return True
    return xml.opens(head, "crossref_result", *_HARVEST) and bool(_RECORD.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    kind = "doi_record" if _DOI_RECORD.search(stream.head) else "crossref"
    return elements.read(stream, _record, name, "record" if xml.opens(stream.head, *_HARVEST) else kind)


def _record(record: etree._Element) -> Document | Deleted:
    if gone := elements.deleted(record):
        return gone
    error = xml.text(record, ".//crossref/error", "error")
    if error:
        raise Unreadable(f"is an error that Crossref gave: {error}")
    papers: list[etree._Element] = next((found for kind in _PAPERS if (found := list(record.iter(kind)))), [])
    if len(papers) != 1:
        raise Unreadable(f"holds {len(papers)} papers, where one is expected" if papers else "holds no paper")
    stamp = xml.first(record, ".//doi_record", ".").get("timestamp", "")
    return _document(papers[0], record, xml.text(record, "header/datestamp") or stamp)


def _document(paper: etree._Element, record: etree._Element, stamp: str) -> Document:
    doi = xml.text(paper, "doi_data/doi")
    updates = (Update(found.get("type", ""), xml.flat(found), True) for found in paper.iter("update"))
    status, links = linked(doi, updates)
    return fields.document(
        {
            "title": full_title(xml.text(paper, "titles/title"), xml.text(paper, "titles/subtitle")),
            "sections": _abstract(paper),
            "date": _published(paper) or _published(xml.first(record, ".//journal_issue")),
            "revised": stamp,
            "authors": list(_authors(paper)),
            "journal": _journal(paper, record),
            "language": paper.get("language") or xml.first(record, ".//journal_metadata").get("language", ""),
            "licence": licence((xml.flat(found), found.get("applies_to", "")) for found in paper.iter("license_ref")),
            "doi": doi,
            "status": status,
            "links": links,
            "references": [text for row in paper.iterfind(".//citation") if (text := _reference(row))],
        }
    )


def _journal(paper: etree._Element, record: etree._Element) -> str:
    """The journal, the book of a chapter, or who posted a preprint or accepted a thesis."""
    paths = (*_JOURNALS, *(_BOOKS if paper.tag == "content_item" else ()))
    return markup.flat(xml.text(record, *paths) or xml.text(paper, "institution/institution_name"))


def _abstract(paper: etree._Element) -> list[dict[str, str]]:
    """The first abstract, which is that in the paper's language."""
    found = paper.find("abstract")
    return [] if found is None else markup.sections(elements.inner(found))


def _published(paper: etree._Element) -> str:
    return earliest(_date(found) for path in _DATES for found in paper.iterfind(path))


def _date(found: etree._Element) -> str:
    parts = (xml.text(found, name) for name in ("year", "month", "day"))
    return fields.iso_date("-".join(part.zfill(2) for part in parts if part))


def _authors(paper: etree._Element) -> Iterator[dict[str, str]]:
    for found in (*paper.iterfind("contributors/*"), *paper.iterfind("person_name")):
        if found.get("contributor_role", "author") != "author":
            continue
        if found.tag == "person_name":
            given = " ".join(text for text in (xml.text(found, "given_name"), xml.text(found, "suffix")) if text)
            yield {"family": xml.text(found, "surname"), "given": given}
        elif found.tag == "organization":
            yield {"name": xml.flat(found)}


def _reference(row: etree._Element) -> str:
    known = (xml.text(row, name) for name in _PRINTED)
    return citation(xml.text(row, "doi"), xml.text(row, "unstructured_citation"), known)


def citation(doi: str, printed: str, known: Iterable[str]) -> str:
    """The DOI, else the citation as it was printed, else what is known of it, if that is more than a number.

    >>> citation("", "", ["Dyer", "1984", "Fish <i>oil</i>"]), citation("", "", ["1984"])
    ('Dyer, 1984, Fish oil', '')
    """
    made = ", ".join(part for part in map(markup.flat, known) if part)
    return fields.doi_curie(doi) or markup.flat(printed) or (made if re.search(r"[^\W\d]{2}", made) else "")


def full_title(title: str, subtitle: str) -> str:
    """
    >>> full_title("Fish oil", "A <i>long</i> story"), full_title("Fish oil: a story", "A story")
    ('Fish oil: A long story', 'Fish oil: a story')
    """
    title, subtitle = markup.flat(title), markup.flat(subtitle)
    if not subtitle or subtitle.lower() in title.lower():
        return title
    return f"{title}{' ' if title.endswith((':', '?', '!', '.')) else ': '}{subtitle}" if title else subtitle


def earliest(dates: Iterable[str]) -> str:
    """The first of the dates, as precisely as any of them tells it.

    >>> earliest(["2021-03", "2020", "", "2020-11-02"])
    '2020-11-02'
    """
    known = sorted(date for date in dates if date)
    return max((date for date in known if date.startswith(known[0])), key=len, default="")


def licence(rows: Iterable[tuple[str, str]]) -> str:
    """Of licences and the versions that they are for: an open one, else that of the version of record, else any."""
    known = [(url, version) for url, version in rows if url]
    ranked = sorted(known, key=lambda row: ("creativecommons.org" not in row[0], row[1] != "vor"))
    return ranked[0][0] if ranked else ""


def linked(doi: str, updates: Iterable[Update]) -> tuple[str, list[tuple[str, str]]]:
    """The state of a paper and its links; one that takes back itself is retracted.

    >>> linked("10.1234/b", [Update("retraction", "10.1234/A", True)])
    ('retraction', [('retracts', '10.1234/a')])
    """
    links, states = list[tuple[str, str]](), set[str]()
    here = fields.doi_curie(doi)
    for kind, other, own in updates:
        words = _WORDS.get(re.sub(r"[\s-]+", "_", kind.lower()), ("updates", "updated_by"))
        target = fields.doi_curie(other)
        itself = target == here and own
        word = words[1] if itself or not own else words[0]
        states.add(_STATES.get(word, ""))
        if target and not itself:
            links.append((word, target.removeprefix("doi:")))
    return next((state for state in _STATES.values() if state in states), ""), links
