"""RIS, the exchange format of reference managers, through rispy; one record after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import rispy

from pipeline.sources import fields
from pipeline.sources.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure

_FIRST = re.compile(r"TY  ?- ?")
_LAST = re.compile(r"ER  ?-")
_TWO_TAGS = re.compile(r"^TY  ?-.*\n(?:\s*\n)*[A-Z][A-Z0-9]  ?-(?: |$)", re.MULTILINE)

# What rispy calls them, the most telling first.
_KEYS = {
    "id": ("id", "accession_number", "doi"),
    "title": ("title", "primary_title", "translated_title", "short_title"),
    "abstract": ("abstract", "notes_abstract"),
    "authors": ("authors", "first_authors"),
    "journal": ("journal_name", "alternate_title3", "secondary_title", "alternate_title2"),
    "language": ("language",),
    "doi": ("doi",),
}
_DATES = ("date", "year", "publication_year")


def sniff(head: str) -> bool:
    """A type tag with another tag below it: a line of prose may begin with ``TY  -`` by chance."""
    return bool(_TWO_TAGS.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each(_records(lines(stream.text)), _parse, name)


def _records(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Cut at the type tag and after the end tag; what stands between records (counters, banners) is passed over."""
    place, record = "", list[str]()
    for number, line in numbered:
        if _FIRST.match(line):
            if record:
                yield place, "\n".join(record)
            place, record = f"record at line {number}", [line]
        elif record:
            record.append(line)
            if _LAST.match(line):
                yield place, "\n".join(record)
                record = []
    if record:
        yield place, "\n".join(record)


def _parse(record: str) -> Document:
    if not _LAST.search(record.rpartition("\n")[2]):
        raise Unreadable("has no end tag (ER  -): the file is cut off, or a line is missing")
    try:
        (entry,) = rispy.loads(check(record), enforce_list_tags=False)
    except (rispy.parser.ParseError, OSError, ValueError) as error:
        raise Unreadable(f"is no RIS: {error}") from error
    given = {field: next((entry[key] for key in keys if entry.get(key)), "") for field, keys in _KEYS.items()}
    dates = (str(entry.get(key, "")) for key in _DATES)
    given["date"] = max(dates, key=lambda text: len(fields.iso_date(text)))
    return fields.document(given)
