"""What Crossref hands out: works in the JSON of its REST API, and the XML of :mod:`pipeline.sources.crossref_xml`.

A JSON file is an answer with one work or a list of them, a work alone, an array, or JSON lines; the CSL JSON that DOI
resolvers give is much the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources import crossref_xml
from pipeline.sources.crossref_xml import Update, citation, earliest, full_title, linked
from pipeline.sources.shared import fields, markup, objects
from pipeline.sources.shared.objects import Object
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Deleted, Document, Failure

_ANSWER = re.compile(r'"message-type"\s*:\s*"work')
_DOI = re.compile(r'"DOI"\s*:\s*"')
_WORK = re.compile(r'"(?:container-title|date-parts|reference-count|references-count|is-referenced-by-count)"\s*:')
_DATES = ("issued", "published", "published-online", "published-print", "posted")
_NO_PAPERS = re.compile(r"journal(?:-issue|-volume)?|.+-series|book-set|component|database|grant")
_PRINTED = ("author", "year", "article-title", "volume-title", "journal-title", "series-title", "volume", "first-page")


def sniff(head: str) -> bool:
    if not objects.begins(head):
        return crossref_xml.sniff(head)
    return bool(_ANSWER.search(head) or (_DOI.search(head) and _WORK.search(head)))


def read(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    if not objects.begins(stream.head):
        return crossref_xml.read(stream, name)
    return objects.read(stream, _document, name, inside=("message", "items"))


def _document(work: Object) -> Document:
    kind, doi = objects.text(work.get("type")), objects.text(work.get("DOI"))
    if _NO_PAPERS.fullmatch(kind):
        raise Unreadable(f"is a {kind}, no paper: {doi}")
    status, links = linked(doi, _updates(work))
    return fields.document(
        {
            "title": full_title(objects.text(work.get("title")), objects.text(work.get("subtitle"))),
            "sections": markup.sections(objects.text(work.get("abstract"))),
            "date": earliest(_date(work.get(key)) for key in _DATES),
            "revised": objects.text(objects.below(work.get("deposited"), "date-time")),
            "authors": [{"name": row.get("literal"), **row} for row in objects.rows(work.get("author"))],
            "journal": markup.flat(_journal(work)),
            "language": objects.text(work.get("language")),
            "licence": _licence(work.get("license")),
            "doi": doi,
            "status": status,
            "links": links,
            "references": [text for row in objects.rows(work.get("reference")) if (text := _reference(row))],
        }
    )


def _updates(work: Object) -> Iterator[Update]:
    for key, own in (("update-to", True), ("updated-by", False)):
        for row in objects.rows(work.get(key)):
            yield Update(objects.text(row.get("type")), objects.text(row.get("DOI")), own)


def _date(value: object) -> str:
    """
    >>> _date({"date-parts": [[2020, 4, 2]]}), _date({"date-parts": [[2020]]}), _date({"date-parts": [[None]]})
    ('2020-04-02', '2020', '')
    """
    parts = objects.below(value, "date-parts")
    first = parts[0] if isinstance(parts, list) and parts else None
    known = [objects.text(part) for part in first] if isinstance(first, list) else []
    return fields.iso_date("-".join(part.zfill(2) for part in known if part))


def _journal(work: Object) -> str:
    named = objects.text(work.get("container-title"))
    return named or next((objects.text(row.get("name")) for row in objects.rows(work.get("institution"))), "")


def _licence(value: object) -> str:
    rows = objects.rows(value)
    return crossref_xml.licence(
        (objects.text(row.get("URL")), objects.text(row.get("content-version"))) for row in rows
    )


def _reference(row: Object) -> str:
    known = (objects.text(row.get(key)) for key in _PRINTED)
    return citation(objects.text(row.get("DOI")), objects.text(row.get("unstructured")), known)
