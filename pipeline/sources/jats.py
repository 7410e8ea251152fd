"""JATS and its kin (NLM journal archiving 2 and 3, PubMed Central's article sets, BITS book parts, OAI records).

A file is cut at the start tags of its articles, so that one that is not well-formed costs no other and sets of any
size are read in flat memory. The date is that of the issue, in print or else as a collection, as in MEDLINE, so that
the two records of one paper agree on its year; where another date says the same and more, it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from lxml import etree

from pipeline.sources import copernicus, jats_front
from pipeline.sources.jats_text import body_parts, references
from pipeline.sources.shared import fields, xml
from pipeline.sources.shared.stream import MAX_RECORD, Stream, Unreadable, check
from pipeline.types import Deleted, Document, Failure

_CHUNK = 1 << 20  # characters

_ROOTS = ("article", "book-part-wrapper", "book", "OAI-PMH", "record", "records", "articles", "article-set")
_SETS = ("pmc-articleset", "OAI-PMH", "article-set")
_LONGEST_TAG = 1000  # characters

_PREFIX = r"(?:[\w.-]+:)?"
_START = re.compile(
    rf"<({_PREFIX}(?:article|book-part-wrapper|book))(?=[\s>])"
    rf"|<{_PREFIX}header\s[^>]{{0,300}}?status=[\"']deleted[\"']|<Reply\s[^>]{{0,300}}?error="
)
_MARK = re.compile(rf"<{_PREFIX}(?:front|front-stub|article-meta|body|book-meta|book-part-meta|article_title)[\s>]")
_NAMESPACE = re.compile(r"""\sxmlns:[\w.-]{1,60}=(?:"[^"<]{0,300}"|'[^'<]{0,300}')""")
_ARTICLE_ID = re.compile(
    rf"""<{_PREFIX}article-id\s[^<>]{{0,200}}?pub-id-type=["'](?:pmid|pmc\w*|doi)["'][^<>]{{0,200}}>\s*([^<\s]+)"""
)
_DELETED_ID = re.compile(rf"<{_PREFIX}identifier>\s*([^<\s]+)")
_REASON = re.compile(r"""\serror=["']([^"'<]*)""")

_META = ("front/article-meta", "front-stub", "front", "book-part-meta", "book-part/book-part-meta", "book-meta")
_JOURNAL = (
    "front/journal-meta/journal-title-group/journal-title",
    "front/journal-meta/journal-title",
    "front/journal-meta/journal-title-group/abbrev-journal-title",
    "book-meta/book-title-group/book-title",
)
_STATUS = {"addendum": "erratum", "partial-retraction": "erratum", "retracted-article": "retracted"}


def sniff(head: str) -> bool:
    if xml.opens(head, "pmc-articleset"):
        return True
    return xml.opens(head, *_ROOTS) and bool(_START.search(head) and _MARK.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    return fields.each(_records(stream), _parse, name)


def _records(stream: Stream) -> Iterator[tuple[str, tuple[str, str]]]:
    """The records with their places; with each come the namespaces that are declared above it."""
    pieces = _cut(stream)
    namespaces = "".join(dict.fromkeys(_NAMESPACE.findall(next(pieces))))
    piece = ""
    for number, piece in enumerate(pieces, 1):
        found = _ARTICLE_ID.search(piece)
        yield f"article {number} ({found[1]})" if found else f"article {number}", (piece, namespaces)
    cut = next((name for name in _SETS if xml.opens(stream.head, name) and f"{name}>" not in piece), None)
    if piece and cut:
        raise Unreadable(f"ends before </{cut}>: the file is cut off")


def _cut(stream: Stream) -> Iterator[str]:
    """What stands before the first start tag, then all from each start tag to the next."""
    buffer, searched = " ", 1
    while chunk := stream.text.read(_CHUNK):
        buffer += chunk
        starts = [0, *(found.start() for found in _START.finditer(buffer, searched))]
        for start, end in pairwise(starts):
            yield buffer[start:end]
        buffer = buffer[starts[-1] :]
        searched = max(len(buffer) - _LONGEST_TAG, 1)
        if len(buffer) > MAX_RECORD:
            raise Unreadable(f"has an article of more than {MAX_RECORD:,} characters")
    yield buffer


def _parse(given: tuple[str, str]) -> Document | Deleted:
    record, namespaces = given
    start = _START.match(record)
    name = start[1] if start else None
    if name is None:
        return _taken_back(record)
    ends = [found.start() for found in re.finditer(rf"</{re.escape(name)}\s*>", check(record))]
    if not ends:
        raise Unreadable("has no end tag: the file is cut off, or a tag is missing")
    article = xml.bare(xml.parse(f"<s{namespaces}>{record[: ends[-1]]}</{name}></s>".encode()))[0]
    return copernicus.document(article) if article.find("article_title") is not None else _document(article)


def _taken_back(record: str) -> Deleted:
    if reason := _REASON.search(record):
        raise Unreadable(f"holds no article but the answer {reason[1]!r}")
    found = _DELETED_ID.search(record)
    if not found:
        raise Unreadable("is a deletion that does not say of what")
    pmcid = re.fullmatch(r"oai:pubmedcentral\D*(\d+)", found[1])
    return Deleted(f"PMC{pmcid[1]}", (f"pmcid:PMC{pmcid[1]}",)) if pmcid else Deleted(found[1])


def _document(article: etree._Element) -> Document:
    meta = xml.first(article, *_META)
    links = list(jats_front.links(meta))
    parts = (*jats_front.abstracts(article, meta), *body_parts(article))
    kind = article.get("article-type", "")
    return fields.document(
        {
            **jats_front.ids(meta),
            "title": jats_front.title(meta),
            "sections": [{"kind": kind, "text": text} for kind, text in parts],
            "date": jats_front.date(meta) or jats_front.date(xml.first(article, "book-meta")),
            "authors": list(dict.fromkeys(jats_front.authors(meta))),
            "journal": xml.text(article, *_JOURNAL),
            "language": article.get(jats_front.LANG, ""),
            "licence": jats_front.licence(meta),
            "status": "retracted" if "retracted_by" in dict(links) else _STATUS.get(kind, kind),
            "links": links,
            "references": list(references(article)),
        }
    )
