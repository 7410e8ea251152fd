"""MEDLINE and PubMed XML: articles, books, and records that were deleted.

The file is read in groups of whole records, each group parsed at once. Only a group that is not well-formed is cut
into its records, so that a broken one costs no other. Memory stays flat; no DTD is loaded and no entity is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TypeAlias

from lxml import etree

from pipeline.sources.medline_record import document
from pipeline.sources.shared import xml
from pipeline.sources.shared.fields import each
from pipeline.sources.shared.stream import MAX_RECORD, Stream, Unreadable, check
from pipeline.types import Deleted, Document, Failure

Names: TypeAlias = tuple[bytes, ...]
Record: TypeAlias = etree._Element | Unreadable

_CHUNK = 1 << 16  # bytes; larger trees outgrow the processor's cache and take longer
_SETS = ("PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet", "BookDocumentSet")
_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "BookDocument")
_DELETIONS = (b"DeleteCitation", b"DeleteDocument")
_SUMMARY = "eSummaryResult"
_PMID = re.compile(rb"<PMID[^>]*>\s*(\d+)")

# A document type without a DTD makes libxml2 keep unknown entities as nodes; some sets declare MathML's prefix.
_BEFORE = b'<!DOCTYPE s SYSTEM "none"><s xmlns:mml="http://www.w3.org/1998/Math/MathML">'
_AFTER = b"</s>"


def sniff(head: str) -> bool:
    return xml.opens(head, *_SETS, *_RECORDS, _SUMMARY)


def read(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    if xml.opens(stream.head, _SUMMARY):
        raise Unreadable(
            "is of no known format of papers: PubMed's summaries (eSummary) have no abstracts; "
            "fetch the records themselves (efetch, retmode=xml)"
        )
    return each(_records(stream), _item, name)


def _item(record: Record) -> Document | Deleted:
    if isinstance(record, Unreadable):
        raise record
    if record.tag != "PMID":
        return document(record)
    pmid = (record.text or "").strip()
    if not pmid:
        raise Unreadable("deletes a record without its PMID")
    return Deleted(pmid, (f"pmid:{pmid}",))


def _records(stream: Stream) -> Iterator[tuple[str, Record]]:
    """The records and the PMIDs that were deleted, each with its place."""
    names = _names(stream.head)
    opening = re.compile(rb"<(%s)[\s>]" % b"|".join(names))
    parser = xml.parser(encoding="utf-8", collect_ids=False)
    number = 0
    for group in _groups(stream, names):
        for pmid, record in _together(group, opening, parser) or _apart(group, opening, parser):
            number += 1
            yield f"{_RECORDS[0]} {number}{f' (PMID {pmid})' if pmid else ''}", record


def _names(head: str) -> Names:
    """The elements that hold one record each; in a set of articles, a citation is only a part of one."""
    if xml.opens(head, "MedlineCitationSet", "MedlineCitation"):
        return (b"MedlineCitation", *_DELETIONS)
    if xml.opens(head, "BookDocumentSet", "BookDocument"):
        return (b"BookDocument", *_DELETIONS)
    return (b"PubmedArticle", b"PubmedBookArticle", *_DELETIONS)


def _groups(stream: Stream, names: Names) -> Iterator[bytes]:
    """Cut behind the last end tag of each chunk; the last group must reach the end tag of the set."""
    ends = [b"</%s>" % name for name in names]
    longest = max(map(len, ends))
    buffer = b""
    for chunk in _chunks(stream):
        seen = max(0, len(buffer) - longest)
        buffer += chunk
        if cut := next((at + len(end) for end in ends if (at := buffer.rfind(end, seen)) >= 0), 0):
            yield buffer[:cut]
            buffer = buffer[cut:]
        elif len(buffer) > MAX_RECORD:
            raise Unreadable(f"has an article of more than {MAX_RECORD:,} bytes")
    cut = max(at + len(end) if (at := buffer.rfind(end)) >= 0 else 0 for end in ends)
    yield from (group for group in (buffer[:cut], buffer[cut:]) if group)
    for name in _SETS:
        if xml.opens(stream.head, name) and f"</{name}>".encode() not in buffer[cut:]:
            raise Unreadable(f"ends before </{name}>: the file is cut off")


def _chunks(stream: Stream) -> Iterator[bytes]:
    """The bytes of a file in UTF-8, which is what nearly all have."""
    if stream.encoding.startswith("utf-8"):
        return iter(partial(stream.binary.read, _CHUNK), b"")
    return (text.encode() for text in iter(partial(stream.text.read, _CHUNK), ""))


def _together(group: bytes, opening: re.Pattern[bytes], parser: etree.XMLParser) -> list[tuple[str, Record]] | None:
    """Parse all records of a group at once; None where it has to be looked at more closely."""
    start = opening.search(group)
    if not start or b"<PMID" in group[: start.start()]:
        return None
    try:
        return list(_elements(group[start.start() :], parser))
    except etree.XMLSyntaxError:
        return None


def _apart(group: bytes, opening: re.Pattern[bytes], parser: etree.XMLParser) -> Iterator[tuple[str, Record]]:
    """Parse the records of a group one by one; what is not well-formed comes as the reason why."""
    starts = list(opening.finditer(group))
    yield from _stray(group[: starts[0].start()] if starts else group)
    stops = [*(start.start() for start in starts[1:]), len(group)]
    for start, stop in zip(starts, stops, strict=False):
        record, end, rest = group[start.start() : stop].partition(b"</%s>" % start[1])
        try:
            check(record.decode("utf-8", "surrogateescape"))
            if not end:
                raise Unreadable("has no end tag: the file is cut off, or a tag is missing")
            yield from _elements(record + end, parser)
        except etree.XMLSyntaxError as error:
            yield _pmid(record), Unreadable(f"is not well-formed: {error}")
        except Unreadable as error:
            yield _pmid(record), error
        yield from _stray(rest)


def _elements(records: bytes, parser: etree.XMLParser) -> Iterator[tuple[str, etree._Element]]:
    for record in etree.fromstring(_BEFORE + records + _AFTER, parser):
        if record.tag in ("DeleteCitation", "DeleteDocument"):
            yield from ((pmid.text or "", pmid) for pmid in record)
        else:
            yield next((pmid.text or "" for pmid in record.iter("PMID")), ""), record


def _stray(between: bytes) -> Iterator[tuple[str, Unreadable]]:
    """What lies between two records, and yet looks like one."""
    if b"<PMID" in between:
        yield _pmid(between), Unreadable("has no start tag: it is damaged")


def _pmid(record: bytes) -> str:
    found = _PMID.search(record)
    return found[1].decode() if found else ""
