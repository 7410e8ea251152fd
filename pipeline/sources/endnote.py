"""EndNote's XML, which other reference managers write too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from pipeline.sources.shared import elements, fields, manager, xml
from pipeline.sources.shared.stream import Stream
from pipeline.types import Document, Failure

_RECORD = re.compile(
    r"<record>\s*<(?:database|source-app|rec-number|foreign-keys|ref-type|contributors|titles|dates)[\s>]"
)
_TITLES = ("titles/title", "titles/translated-title", "titles/short-title")
_JOURNALS = ("periodical/full-title", "titles/secondary-title", "titles/alt-title", "periodical/abbr-1")


def sniff(head: str) -> bool:
    return xml.opens(head, "xml", "records") and bool(_RECORD.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return elements.read(stream, _document, name, "record")


def _document(record: etree._Element) -> Document:
    ids = _ids(record)
    return fields.document(
        {
            # the number in the library (rec-number) is nobody else's number
            "id": "" if ids else xml.text(record, "accession-num"),
            **ids,
            "title": xml.text(record, *_TITLES),
            "abstract": xml.text(record, "abstract"),
            "date": manager.best_date(xml.text(record, "dates/year"), *_texts(record, "dates/pub-dates/date")),
            # a comma behind a name keeps EndNote from dividing it
            "authors": [name.rstrip(", ") for name in _texts(record, "contributors/authors/author")],
            "journal": xml.text(record, *_JOURNALS),
            "language": xml.text(record, "language"),
        }
    )


def _ids(record: etree._Element) -> dict[str, str]:
    databases = (xml.text(record, "remote-database-name"), xml.text(record, "remote-database-provider"))
    doi = fields.doi_curie(xml.text(record, "electronic-resource-num"))
    custom = xml.text(record, "custom2")
    return {
        **manager.page_ids(*_texts(record, "urls//url"), *_texts(record, "electronic-resource-num")),
        **manager.noted_ids("\n".join("".join(note.itertext()) for note in record.iterfind("notes"))),
        **manager.accession_ids(custom, ()),
        **manager.accession_ids(xml.text(record, "accession-num"), databases),
        **({"doi": doi} if doi else {}),
    }


def _texts(record: etree._Element, path: str) -> list[str]:
    return [text for element in record.iterfind(path) if (text := xml.flat(element))]
