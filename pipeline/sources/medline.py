"""MEDLINE and PubMed XML.

The file is cut at the start tags of its articles and each is parsed alone: memory stays flat, and an article that
is not well-formed costs no other. No DTD is loaded and no entity is expanded by the parser, so a hostile file cannot
grow; named entities are turned into characters here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import pairwise

from lxml import etree

from pipeline.sources.fields import document, each, flat, section_kind
from pipeline.sources.stream import MAX_RECORD, Stream, Unreadable, check
from pipeline.types import Document, Failure

_ARTICLE = re.compile(r"<(PubmedArticle|PubmedBookArticle)[\s>]")
_ROOT = re.compile(r"<(PubmedArticleSet|PubmedBookArticleSet|PubmedArticle|PubmedBookArticle)[\s>/]")
_PMID = re.compile(r"<PMID[^>]*>\s*(\d+)")
_CHUNK = 1 << 20  # characters

# A document type without a DTD makes libxml2 leave unknown entities as nodes; MathML's prefix is declared by the set.
_BEFORE = '<!DOCTYPE s SYSTEM "none"><s xmlns:mml="http://www.w3.org/1998/Math/MathML">'
_AFTER = "</s>"

_LINKS = {
    "ErratumFor": "corrects",
    "ErratumIn": "corrected_by",
    "RetractionOf": "retracts",
    "RetractionIn": "retracted_by",
    "UpdateOf": "updates",
}
_STATES = ("Retracted Publication", "Retraction of Publication", "Published Erratum")


def sniff(head: str) -> bool:
    return head.lstrip().startswith("<") and bool(_ROOT.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return each(_articles(stream), _parse, name)


def _articles(stream: Stream) -> Iterator[tuple[str, str]]:
    """Cut before each start tag; the last piece must reach the end tag of the set."""
    buffer, count, opening = "", 0, ""
    while chunk := stream.text.read(_CHUNK):
        buffer += chunk
        starts = [found.start() for found in _ARTICLE.finditer(buffer)]
        for start, end in pairwise(starts):
            count += 1
            yield _place(count, buffer[start:end]), buffer[start:end]
        if starts:
            opening = opening or buffer[: starts[0]]
            buffer = buffer[starts[-1] :]
        if len(buffer) > MAX_RECORD:
            raise Unreadable(f"has an article of more than {MAX_RECORD:,} characters after article {count}")
    if _ARTICLE.match(buffer):
        yield _place(count + 1, buffer), buffer
    if "<PubmedArticleSet" in opening and "</PubmedArticleSet>" not in buffer:
        raise Unreadable("ends before </PubmedArticleSet>: the file is cut off")


def _place(number: int, record: str) -> str:
    pmid = _PMID.search(record)
    return f"PubmedArticle {number} (PMID {pmid[1]})" if pmid else f"PubmedArticle {number}"


def _parse(record: str) -> Document:
    start = _ARTICLE.match(record)
    article, end, _ = check(record).rpartition(f"</{start[1]}>" if start else "")
    if not end:
        raise Unreadable("has no end tag: the file is cut off, or a tag is missing")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(f"{_BEFORE}{article}{end}{_AFTER}".encode(), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"is not well-formed: {error}") from error
    return _document(root[0])


def _document(record: etree._Element) -> Document:
    citation = _first(record, "MedlineCitation", "BookDocument")
    article = _first(citation, "Article", ".")
    pmid = _text(citation, "PMID")
    links = list(_links(citation))
    states = [kind for kind in map(_flat, article.iterfind("PublicationTypeList/PublicationType")) if kind in _STATES]
    if any(word == "retracted_by" for word, _ in links):
        states.insert(0, "Retracted Publication")
    return document(
        {
            "id": pmid,
            "pmid": pmid,
            "title": _text(article, "ArticleTitle", "Book/BookTitle", "VernacularTitle"),
            "sections": [{"kind": kind, "text": text} for kind, text in _abstract(article)],
            "date": _date(article),
            "doi": _text(record, "*/ArticleIdList/ArticleId[@IdType='doi']", ".//ELocationID[@EIdType='doi']"),
            "pmcid": _text(record, "*/ArticleIdList/ArticleId[@IdType='pmc']"),
            "authors": [name for name in map(_author, article.iterfind("AuthorList/Author")) if name],
            "journal": _text(article, "Journal/Title", "Book/BookTitle"),
            "language": _text(article, "Language"),
            "status": states[0] if states else "",
            "links": links,
        }
    )


def _abstract(article: etree._Element) -> Iterator[tuple[str, str]]:
    abstract = article.find("Abstract")
    for part in () if abstract is None else abstract.iterfind("AbstractText"):
        label, category = part.get("Label", ""), part.get("NlmCategory", "")
        kind = section_kind(label, default="abstract")
        if kind == label.lower() and category:  # a label of the authors' own
            kind = section_kind(category)
        yield kind, _flat(part)


def _date(article: etree._Element) -> str:
    """The date of the issue as printed, else that of publication on line."""
    for path in ("Journal/JournalIssue/PubDate", "ArticleDate", "Book/PubDate"):
        found = article.find(path)
        if found is not None:
            parts = (_text(found, "Year"), _text(found, "Month"), _text(found, "Day"))
            if text := _text(found, "MedlineDate") or " ".join(part for part in parts if part):
                return text
    return ""


def _author(author: etree._Element) -> str:
    given = _text(author, "ForeName", "Initials")
    family = _text(author, "LastName", "CollectiveName")
    return f"{family}, {given}" if given else family


def _links(citation: etree._Element) -> Iterator[tuple[str, str]]:
    for link in citation.iterfind("CommentsCorrectionsList/CommentsCorrections"):
        word, pmid = _LINKS.get(link.get("RefType", "")), _text(link, "PMID")
        if word and pmid:
            yield word, pmid


def _first(element: etree._Element, *paths: str) -> etree._Element:
    """The first element that there is, else an empty one."""
    found = (element.find(path) for path in paths)
    return next((child for child in found if child is not None), etree.Element("none"))


def _text(element: etree._Element, *paths: str) -> str:
    """The text at the first path that leads to any."""
    return next((text for path in paths if (text := _flat(element.find(path)))), "")


def _flat(element: etree._Element | None) -> str:
    return "" if element is None else flat("".join(_pieces(element)))


def _pieces(element: etree._Element) -> Iterator[str]:
    """All characters below an element: markup flattened, comments left out, entities resolved."""
    yield element.text or ""
    for child in element:
        if child.tag is etree.Entity:
            yield html.unescape(child.text)
        elif child.tag is not etree.Comment:
            yield from _pieces(child)
        yield child.tail or ""
