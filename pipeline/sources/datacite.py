"""DataCite's metadata: XML of kernel 3 and 4, alone or harvested by OAI-PMH, and the JSON of its REST API."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from pipeline.sources.crossref_xml import full_title
from pipeline.sources.shared import elements, fields, markup, objects, xml
from pipeline.sources.shared.objects import Object
from pipeline.sources.shared.stream import Stream
from pipeline.types import Deleted, Document, Failure

_KERNEL = re.compile(r"datacite\.org/schema/kernel-[34]")
_RESOURCE = re.compile(r"<(?:[\w.-]+:)?resource[\s>]")
_HARVEST = ("OAI-PMH", "ListRecords", "GetRecord", "record")
_JSON = re.compile(r'"type"\s*:\s*"dois"|"schemaVersion"\s*:\s*"https?://datacite\.org/schema')
_ATTRIBUTES = re.compile(r'"(?:attributes|titles|creators)"\s*:')
_KINDS = {"Abstract": "abstract", "Methods": "methods"}
_LINKS = {"Obsoletes": "updates", "IsObsoletedBy": "updated_by"}
_CITES = ("Cites", "References")


def sniff(head: str) -> bool:
    if objects.begins(head):
        return bool(_JSON.search(head) and _ATTRIBUTES.search(head))
    return xml.opens(head, "resource", *_HARVEST) and bool(_RESOURCE.search(head) and _KERNEL.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]:
    if objects.begins(stream.head):
        return objects.read(stream, _document, name, inside=("data",))
    kind = "record" if xml.opens(stream.head, *_HARVEST) else "resource"
    return elements.read(stream, _record, name, kind)


def _document(record: Object) -> Document:
    """A DOI as the REST API describes it; the XML is brought into the same shape."""
    about = next(iter(objects.rows(record.get("attributes"))), record)
    text = objects.text
    related = list(_related(about))
    publisher = about.get("publisher")
    venue = text(objects.below(about.get("container"), "title"))
    return fields.document(
        {
            "title": _title(_typed(about, "titles", "titleType", "title")),
            "sections": list(_descriptions(_typed(about, "descriptions", "descriptionType", "description"))),
            "date": _date(about),
            "revised": text(about.get("updated")),
            "authors": [_author(row) for row in objects.rows(about.get("creators"))],
            "journal": venue or text(objects.below(publisher, "name") or publisher),
            "language": text(about.get("language")),
            "licence": _licence(about),
            "doi": text(about.get("doi")) or text(record.get("id")),
            "arxiv": next((named for kind, named in _others(about) if kind.lower() == "arxiv"), ""),
            "links": [(_LINKS[word], curie.partition(":")[2]) for word, curie in related if word in _LINKS],
            "references": [curie for word, curie in related if word in _CITES],
        }
    )


def _typed(about: Object, rows: str, kind: str, value: str) -> list[tuple[str, str]]:
    """Rows as pairs of their type and their value, those without a value left out.

    >>> _typed({"dates": [{"date": "2020", "dateType": "Issued"}, {"date": ""}]}, "dates", "dateType", "date")
    [('Issued', '2020')]
    """
    pairs = ((objects.text(row.get(kind)), objects.text(row.get(value))) for row in objects.rows(about.get(rows)))
    return [(found, text) for found, text in pairs if text]


def _others(about: Object) -> list[tuple[str, str]]:
    """Further identifiers, which the API gives under one of two names."""
    names = (("identifiers", "identifier"), ("alternateIdentifiers", "alternateIdentifier"))
    return [pair for rows, name in names for pair in _typed(about, rows, f"{name}Type", name)]


def _title(titles: list[tuple[str, str]]) -> str:
    main = [title for kind, title in titles if not kind] or [title for _, title in titles] or [""]
    return full_title(main[0], next((title for kind, title in titles if kind == "Subtitle"), ""))


def _descriptions(rows: list[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """The abstract and the methods; other descriptions only where there is neither."""
    chosen = [row for row in rows if row[0] in _KINDS] or [row for row in rows if row[0] in ("Other", "")]
    for kind, description in chosen:
        for part in markup.sections(description):
            yield part | {"kind": _KINDS.get(kind, "abstract")} if part["kind"] == "abstract" else part


def _date(about: Object) -> str:
    """The most telling date, if it is of the year of publication."""
    dates = {kind: fields.iso_date(date) for kind, date in _typed(about, "dates", "dateType", "date")}
    year = objects.text(about.get("publicationYear"))
    named = (dates.get(kind, "") for kind in ("Issued", "Available", "Submitted"))
    return next((date for date in named if date and date.startswith(year)), year)


def _author(row: Object) -> dict[str, str]:
    family, given = objects.text(row.get("familyName")), objects.text(row.get("givenName"))
    return {"family": family, "given": given} if family else {"name": objects.text(row.get("name"))}


def _licence(about: Object) -> str:
    keys = ("rightsUri", "rightsURI", "rightsIdentifier", "rights")
    values = (objects.text(row.get(key)) for row in objects.rows(about.get("rightsList")) for key in keys)
    return next((text for text in values if text), "")


def _related(about: Object) -> Iterator[tuple[str, str]]:
    """Other works with how they are related, where they have an identifier that is known."""
    for row in objects.rows(about.get("relatedIdentifiers")):
        named = objects.text(row.get("relatedIdentifier"))
        kind = objects.text(row.get("relatedIdentifierType"))
        known = {"DOI": fields.doi_curie(named), "arXiv": fields.arxiv_curie(named), "PMID": f"pmid:{named}"}
        if named and (curie := known.get(kind)):
            yield objects.text(row.get("relationType")), curie


def _record(record: etree._Element) -> Document | Deleted:
    """The XML as the REST API would give it: lists of rows, the text of an element under its name."""
    if gone := elements.deleted(record):
        return gone
    resource = record if record.tag == "resource" else xml.first(record, ".//resource")
    about: Object = {
        name: [_row(child, key) for child in resource.iterfind(path)]
        for name, path, key in (
            ("titles", "titles/title", "title"),
            ("creators", "creators/creator", "name"),
            ("descriptions", "descriptions/description", "description"),
            ("dates", "dates/date", "date"),
            ("rightsList", "rightsList/rights", "rights"),
            ("relatedIdentifiers", "relatedIdentifiers/relatedIdentifier", "relatedIdentifier"),
            ("alternateIdentifiers", "alternateIdentifiers/alternateIdentifier", "alternateIdentifier"),
        )
    }
    about |= {name: xml.text(resource, name) for name in ("publisher", "publicationYear", "language")}
    updated = dict(_typed(about, "dates", "dateType", "date")).get("Updated", "")
    about["doi"] = xml.text(resource, "identifier[@identifierType='DOI']", "identifier")
    about["updated"] = xml.text(record, "header/datestamp") or updated
    return _document(about)


def _row(element: etree._Element, key: str) -> Object:
    """Attributes, names inside, and the text under ``key``.

    >>> _row(xml.parse(b'<title titleType="Subtitle">A story</title>'), "title")
    {'titleType': 'Subtitle', 'title': 'A story'}
    """
    names = {child.tag: xml.flat(child) for child in element if xml.local(child).endswith("Name")}
    text = elements.inner(element) if element.tag == "description" else names.get("creatorName") or xml.flat(element)
    return {**{str(name): value for name, value in element.attrib.items()}, **names, key: text}
