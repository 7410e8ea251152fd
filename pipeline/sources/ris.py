"""RIS, the exchange format of reference managers, in its dialects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.sources.shared import fields, manager, tagged
from pipeline.sources.shared.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure

_FIRST = re.compile(r"TY  ?- ?")
_LAST = re.compile(r"ER  ?-")
# One blank before the sign only where the first tag has it so: a line of text may well begin "UV - visible".
_TAGS = {"TY  ": re.compile(r"([A-Z][A-Z0-9])  -(?: |$)"), "TY -": re.compile(r"([A-Z][A-Z0-9]) -(?: |$)")}
_TWO_TAGS = re.compile(r"^TY  ?-.*\n(?:[^\S\n]*\n)*[A-Z][A-Z0-9]  ?-(?: |$)", re.MULTILINE)

_TITLES = ("TI", "T1", "CT", "BT", "TT", "ST")
_JOURNALS = ("JF", "T2", "JO", "JA", "J2", "J1", "BT")
_DOIS = ("DO", "DI", "M3", "L3")
_ADDRESSES = ("UR", "L1", "L2", "L3", "L4", "LK", "DO")
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi: ?)?(10\.\d{3,9}/\S+)", re.IGNORECASE)
_COMMA = re.compile(r" *, *")


def sniff(head: str) -> bool:
    """A type tag with another tag below it: a line of prose may begin with ``TY  -`` by chance."""
    return bool(_TWO_TAGS.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Counters and banners between records are passed over, but no tags."""
    return fields.each(tagged.records(lines(stream.text), _begins, ends=_LAST.match), _parse, name)


def _begins(line: str, record: list[str]) -> bool:
    return bool(_FIRST.match(line) or (not record and _TAGS["TY  "].match(line) and not _LAST.match(line)))


def _parse(record: str) -> Document:
    check(record)
    if not _FIRST.match(record):
        raise Unreadable("does not begin with a type (TY  -): that line is missing or broken")
    if not _LAST.match(record.rpartition("\n")[2]):
        raise Unreadable("has no end tag (ER  -): the file is cut off, or a line is missing")
    tags = tagged.values(record, _TAGS[record[:4]])
    ids = _ids(tags)
    return fields.document(
        {
            # what a manager numbers its references by is nobody else's number
            "id": "" if ids else tagged.first(tags, "AN", "ID"),
            **ids,
            "title": tagged.first(tags, *_TITLES),
            "abstract": tagged.first(tags, "AB", "N2"),
            "date": manager.best_date(
                tagged.first(tags, "PY", "Y1"), tagged.first(tags, "Y1"), tagged.first(tags, "DA")
            ),
            "authors": [_COMMA.sub(", ", fields.flat(name)) for tag in ("AU", "A1") for name in tags.get(tag, ())],
            "journal": tagged.first(tags, *_JOURNALS),
            "language": tagged.first(tags, "LA"),
        }
    )


def _ids(tags: tagged.Tags) -> Mapping[str, str]:
    """Identifiers, the surest place last: addresses of pages, notes, numbers in databases, the tag of the DOI."""
    databases = (*tags.get("DB", ()), *tags.get("DP", ()))
    # some publishers give the DOI as the type of work, or as a link
    doi = next((found[1] for tag in _DOIS if (found := _DOI.match(tagged.first(tags, tag)))), "")
    ids = manager.page_ids(*(address for tag in _ADDRESSES for address in tags.get(tag, ())))
    ids |= manager.noted_ids(*tags.get("N1", ()))
    for tag in ("C1", "C2", "M1", "AN"):
        ids |= manager.accession_ids(tagged.first(tags, tag), databases if tag == "AN" else ())
    return ids | ({"doi": doi} if doi else {})
