"""Records of one kind in an XML answer, one after the other: entries of a feed, records of a harvest.

The file is cut at the start tags of its records and each is parsed alone, in the namespaces that were declared before
the first: memory stays flat, and a record that is not well-formed costs no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import TypeVar
from urllib.parse import unquote

from lxml import etree

from pipeline.sources.shared import fields, xml
from pipeline.sources.shared.stream import MAX_RECORD, Stream, Unreadable, check
from pipeline.types import Deleted, Failure

Result = TypeVar("Result")

_CHUNK = 1 << 18  # characters
_MOST_NAMESPACES = 50
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)[\s>/]")
_PROLOG = re.compile(r"<!--(?:(?!<!--).)*?-->|<[?!][^<>]*>", re.DOTALL)
_NAMESPACE = re.compile(r"""\s(xmlns(?::[\w.-]+)?)\s*=\s*("[^"<]*"|'[^'<]*')""")
_IDENTIFIER = re.compile(r"<(?:[\w.-]+:)?(?:id|identifier|doi)(?:\s[^<>]*)?>\s*([^<\s]{1,80})")
_OF_ARXIV = re.compile(r"^oai:arxiv\.org:", re.IGNORECASE)
# prefixes that fragments of answers use without declaring them
_USUAL = {
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xmlns:jats": "http://www.ncbi.nlm.nih.gov/JATS1",
    "xmlns:mml": "http://www.w3.org/1998/Math/MathML",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
}


def read(
    stream: Stream, parse: Callable[[etree._Element], Result], name: str, *kinds: str
) -> Iterator[Result | Failure]:
    """Parse the elements that have one of these names; tags come without their namespaces."""
    return fields.each(_cut(stream, kinds), lambda text: parse(_parsed(text)), name)


def _cut(stream: Stream, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The records as documents of their own, each with its place; the last must be followed by the root's end tag."""
    start = re.compile(rf"<(?:[\w.-]+:)?({'|'.join(kinds)})(?=[\s>/])")
    buffer, before, opening, number = "", "", "", 0
    while chunk := stream.text.read(_CHUNK):
        buffer += chunk
        starts = [found.start() for found in start.finditer(buffer)]
        if starts and not opening:
            before = buffer[: starts[0]]
            opening = _opening(before)
        for begin, end in pairwise(starts):
            number += 1
            yield _place(number, buffer[begin:end], start), opening + buffer[begin:end]
        buffer = buffer[starts[-1] :] if starts else buffer
        if len(buffer) > MAX_RECORD:
            raise Unreadable(f"has a record of more than {MAX_RECORD:,} characters after record {number}")
    if start.match(buffer):
        yield _place(number + 1, buffer, start), opening + buffer
    _check_end(before or buffer, buffer)


def _place(number: int, record: str, start: re.Pattern[str]) -> str:
    kind, identifier = start.match(record), _IDENTIFIER.search(record, 0, _CHUNK)
    place = f"{kind[1] if kind else 'record'} {number}"
    return f"{place} ({identifier[1]})" if identifier else place


def _opening(before: str) -> str:
    """A tag around a record, with the namespaces that are declared before the first."""
    declared = {found[1]: found[2] for found in islice(_NAMESPACE.finditer(before), _MOST_NAMESPACES)}
    names = {name: f'"{address}"' for name, address in _USUAL.items()} | declared
    return f"<alone {' '.join(f'{name}={address}' for name, address in names.items())}>"


def _parsed(text: str) -> etree._Element:
    opening, record = check(text).split(">", 1)
    kind = re.match(r"<([\w.:-]+)", record)
    body, end, _ = record.rpartition(f"</{kind[1]}>" if kind else "\0")
    if not end:
        raise Unreadable("has no end tag: the file is cut off, or a tag is missing")
    return xml.bare(xml.parse(f"{opening}>{body}{end}</alone>".encode()))[0]


def deleted(record: etree._Element) -> Deleted | None:
    """What an OAI-PMH record says of a paper that was taken back; None for the record of a paper."""
    header = xml.first(record, "header")
    if header.get("status") != "deleted":
        return None
    named = identifier(record)
    curie = fields.arxiv_curie(named) or fields.doi_curie(named)
    return Deleted(curie.partition(":")[2], (curie,)) if curie else Deleted(named)


def identifier(record: etree._Element) -> str:
    """What the archive calls an OAI-PMH record; arXiv's own names as others write them.

    >>> identifier(xml.parse(b"<record><header><identifier>oai:arXiv.org:1711.04702</identifier></header></record>"))
    'arxiv:1711.04702'
    """
    return _OF_ARXIV.sub("arxiv:", unquote(xml.text(record, "header/identifier")))


def inner(element: etree._Element) -> str:
    """What stands between an element's tags, as it would be written.

    >>> inner(xml.parse(b"<abstract lang='en'><p>Oil &amp; blood</p></abstract>"))
    '<p>Oil &amp; blood</p>'
    """
    written: str = etree.tostring(element, encoding="unicode", with_tail=False)
    return written[written.index(">") + 1 : written.rindex("<")]


def _check_end(before: str, rest: str) -> None:
    root = _ROOT.search(_PROLOG.sub("", before))
    if root and not re.search(rf"</(?:[\w.-]+:)?{re.escape(root[1])}\s*>|<[^<>]*/>\s*\Z", rest):
        raise Unreadable(f"ends before </{root[1]}>: the file is cut off")
