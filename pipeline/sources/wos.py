"""Web of Science's tagged export: two letters and a value, indented lines that go on with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources.shared import fields, tagged
from pipeline.sources.shared.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure

_TAG = re.compile(r"([A-Z][A-Z0-9])(?: |$)")
_SNIFF = re.compile(r"(?:\A\ufeff?\s*|\n)(?:FN [^\n]+\n\s*VR |PT [A-Z]\n[A-Z][A-Z0-9] )")
_DOI = re.compile(r"\bDOI \[?(10\.\d{3,9}/[^\s,\]]+)")
_OF_FILE = ("FN", "VR", "EF", "ER")
_STATES = ("Retracted Publication", "Retraction", "Correction")


def sniff(head: str) -> bool:
    """The file's name and version, or a record's type with another tag below."""
    return bool(_SNIFF.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """The file's own tags (FN, VR, EF) stand between the records."""
    found = tagged.records(lines(stream.text), _begins, ends=lambda line: line.rstrip() == "ER")
    return fields.each(found, _parse, name)


def _begins(line: str, record: list[str]) -> bool:
    return line.startswith("PT ") or (not record and bool(_TAG.match(line)) and line[:2] not in _OF_FILE)


def _parse(record: str) -> Document:
    check(record)
    if not record.startswith("PT "):
        raise Unreadable("does not begin with a type (PT): that line is missing or broken")
    if record.rpartition("\n")[2].rstrip() != "ER":
        raise Unreadable("has no end tag (ER): the file is cut off, or a line is missing")
    tags = tagged.values(record, _TAG)
    short, full = _lines(tags, "AU"), _lines(tags, "AF")
    pmid, doi = tagged.first(tags, "PM"), tagged.first(tags, "DI")
    kinds = tagged.first(tags, "DT").split("; ")
    return fields.document(
        {
            "id": "" if pmid or doi else tagged.first(tags, "UT"),
            "pmid": pmid,
            "doi": doi,
            "title": tagged.first(tags, "TI"),
            "abstract": tagged.first(tags, "AB"),
            "date": f"{tagged.first(tags, 'PY')} {tagged.first(tags, 'PD')}".strip(),
            "authors": [*(full if len(full) >= len(short) else short), *_lines(tags, "CA")],
            "journal": tagged.first(tags, "SO"),
            "language": tagged.first(tags, "LA"),
            "status": next((kind for kind in kinds if kind in _STATES), ""),
            "references": [_reference(line) for line in _lines(tags, "CR")],
        }
    )


def _lines(tags: tagged.Tags, name: str) -> list[str]:
    """The values of a tag that has one a line."""
    return [line for text in tags.get(name, ()) for line in text.split("\n") if line]


def _reference(printed: str) -> str:
    doi = _DOI.search(printed)
    return f"doi:{doi[1].lower()}" if doi else printed
