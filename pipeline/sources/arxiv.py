"""What arXiv hands out: the Atom feed of its API, and its OAI-PMH records (``arXiv``, ``arXivRaw``, ``oai_dc``).

Other archives' ``oai_dc`` records are read as well. Other feeds are no papers and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from lxml import etree

from pipeline.sources.shared import elements, fields, xml
from pipeline.sources.shared.stream import Stream, Unreadable, check
from pipeline.types import Deleted, Document, Failure

_RSS_1 = re.compile(r"purl\.org/rss/1\.0")
_HARVEST = re.compile(r"""<(?:[\w.-]+:)?(?:arXiv|arXivRaw|dc|error)[\s>]|status\s*=\s*["']deleted["']""")
_METADATA = re.compile(r"<metadata[\s>]")
_OAI_ERROR = re.compile(r"<(?:\w+:)?error\s[^<>]*code\s*=\s*[\"'](\w+)[\"'][^<>]*>([^<]*)")
_API_ERROR = re.compile(r"arxiv\.org/api/errors")
_WITHDRAWN = re.compile(r"\W*(?:this|the)\s+(?:\w+\s+){1,2}(?:has|have|is|was)\s+(?:been\s+)?withdrawn", re.IGNORECASE)
_COMMENT = re.compile(r"Comments?:\s")
_TIME = re.compile(r"\s\d\d?:\d\d.*")
_AFFILIATION = re.compile(r"\s*\([^()]*\)")
_NESTED = 4  # brackets inside brackets
_AND = re.compile(r",(?!\s*(?:Jr|Sr|I{2,3})\b)\s*(?:and\s+)?|\s+and\s+")
_ADDRESS = re.compile(r"https?:|doi:|arxiv:|info:|urn:", re.IGNORECASE)


def sniff(head: str) -> bool:
    """A feed, whatever it is of, or OAI-PMH records in one of the formats that are read here."""
    harvest = xml.opens(head, "OAI-PMH", "ListRecords", "GetRecord", "record")
    return bool(_kind_of_feed(head)) or (harvest and bool(_HARVEST.search(head)))


def read(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    kind = _kind_of_feed(stream.head)
    if not kind:
        yield from _harvest(stream, name)
    elif kind == "an Atom" and "arxiv.org/" in stream.head:
        yield from _feed(stream, name)
    else:
        check(stream.head)
        raise Unreadable(f"is {kind} feed, but not of papers: only that of arXiv's API is read")


def _kind_of_feed(head: str) -> str:
    if xml.opens(head, "feed"):
        return "an Atom"
    return "an RSS" if xml.opens(head, "rss") or (xml.opens(head, "RDF") and _RSS_1.search(head)) else ""


def _feed(stream: Stream, name: str) -> Iterator[Document | Failure]:
    count = 0
    for item in elements.read(stream, _entry, name, "entry"):
        yield item
        count += 1
    if not count:
        raise Unreadable("is an answer of arXiv's API without entries: the query found nothing")


def _entry(entry: etree._Element) -> Document:
    identifier, title = xml.text(entry, "id"), xml.text(entry, "title")
    summary = xml.text(entry, "summary")
    if _API_ERROR.search(identifier):
        raise Unreadable(f"is an error that arXiv's API gave: {summary or title}")
    if not fields.arxiv_curie(identifier):
        raise Unreadable(f"is an entry of a feed, but no paper of arXiv: its id is {identifier[:80]!r}")
    given = {
        "title": title,
        "abstract": summary,
        "date": xml.text(entry, "published"),
        "revised": xml.text(entry, "updated"),
        "authors": [found for author in entry.iterfind("author") if (found := xml.text(author, "name"))],
        "journal": xml.text(entry, "journal_ref"),
        "doi": xml.text(entry, "doi"),
        "arxiv": identifier,
        "status": _state(summary, xml.text(entry, "comment")),
    }
    return fields.document(given)


def _harvest(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    error = _OAI_ERROR.search(stream.head)
    if error and not _METADATA.search(stream.head[: error.start()]):
        raise Unreadable(f"is an error that the archive gave: {error[1]}, {fields.flat(error[2])!r}")
    yield from elements.read(stream, _record, name, "record")


def _record(record: etree._Element) -> Document | Deleted:
    if gone := elements.deleted(record):
        return gone
    metadata = xml.first(record, "metadata")
    found = next((child for child in metadata if child.tag in _READERS), None)
    if found is None:
        seen = next((xml.local(child) for child in metadata), "nothing")
        raise Unreadable(f"has metadata in a format that is not read here: {seen}")
    return _READERS[found.tag](found, elements.identifier(record), xml.text(record, "header/datestamp"))


def _arxiv(paper: etree._Element, identifier: str, stamp: str, *, raw: bool = False) -> Document:
    """The formats ``arXiv`` and ``arXivRaw``, which differ in authors and dates."""
    versions = [_TIME.sub("", xml.text(version, "date")) for version in paper.iterfind("version")]
    dates = versions or [xml.text(paper, "created"), xml.text(paper, "updated")]
    abstract = xml.text(paper, "abstract")
    given = {
        "title": xml.text(paper, "title"),
        "abstract": abstract,
        "date": dates[0],
        "revised": next((found for found in reversed(dates) if found), stamp),
        "authors": _names(xml.text(paper, "authors")) if raw else list(map(_author, paper.iterfind("authors/author"))),
        "journal": xml.text(paper, "journal-ref"),
        "licence": xml.text(paper, "license"),
        "doi": xml.text(paper, "doi"),
        "arxiv": xml.text(paper, "id") or identifier,
        "status": _state(abstract, xml.text(paper, "comments")),
    }
    return fields.document(given)


def _dublin_core(paper: etree._Element, identifier: str, stamp: str) -> Document:
    """``oai_dc``: everything is a list, told apart by what it looks like."""
    values = _lists(paper)
    names = [identifier, *values["identifier"]]
    notes = [text for text in values["description"] if _COMMENT.match(text)]
    abstract = next((text for text in values["description"] if text not in notes), "")
    arxiv = next((name for name in names if "arxiv" in name.lower() and fields.arxiv_curie(name)), "")
    doi = next((name for name in names if fields.doi_curie(name)), "")
    dates = values["date"] or [""]
    given = {
        "id": "" if arxiv or doi else identifier,
        "title": " ".join(values["title"][:1]),
        "abstract": abstract,
        "date": dates[0],
        "revised": dates[-1] if arxiv else stamp,
        "authors": values["creator"],
        "journal": next((text for text in values["identifier"] if arxiv and not _ADDRESS.match(text)), ""),
        "language": " ".join(values["language"][:1]),
        "licence": next((text for text in values["rights"] if "licen" in text.lower()), ""),
        "doi": doi,
        "arxiv": arxiv,
        "status": _state(abstract, *(_COMMENT.sub("", note) for note in notes)),
    }
    return fields.document(given)


_READERS: Mapping[str, Callable[[etree._Element, str, str], Document]] = {
    "arXiv": _arxiv,
    "arXivRaw": partial(_arxiv, raw=True),
    "dc": _dublin_core,
}


def _lists(paper: etree._Element) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {
        name: [] for name in ("title", "creator", "description", "date", "identifier", "language", "rights")
    }
    for child in paper:
        if text := xml.flat(child):
            made.setdefault(xml.local(child), []).append(text)
    return made


def _author(author: etree._Element) -> str:
    """
    >>> _author(xml.parse(b"<a><keyname>Dyer</keyname><forenames>Ann B.</forenames><suffix>Jr</suffix></a>"))
    'Dyer, Ann B., Jr'
    """
    parts = (xml.text(author, name) for name in ("keyname", "forenames", "suffix"))
    return ", ".join(part for part in parts if part)


def _names(text: str) -> list[str]:
    """Names of a list in one string, without what stands in brackets.

    >>> _names("A. Dyer (1), B. Moss (2 and 3) and C. Fox ((1) Rome, (2) Bonn)")
    ['A. Dyer', 'B. Moss', 'C. Fox']
    """
    for _ in range(_NESTED):
        text = _AFFILIATION.sub("", text)
    return [name.strip() for name in _AND.split(text) if name.strip()]


def _state(*notes: str) -> str:
    """
    >>> _state("Fish oil thins blood.", "This paper has been withdrawn by the author due to an error in eq. 1")
    'withdrawn'
    """
    return "withdrawn" if any(_WITHDRAWN.match(note) for note in notes) else ""
