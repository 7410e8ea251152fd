"""TEI P5: what GROBID makes of PDFs, and full texts that were encoded by hand; one paper or a corpus of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from pipeline.sources.shared import fields, xml
from pipeline.sources.shared.prose import Markup, Part, math, names, parts, usual_kind
from pipeline.sources.shared.stream import Stream
from pipeline.types import Document, Failure

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_PAPERS = ("TEI", "TEI.2")
_LABEL = re.compile(r"(?:(?:fig(?:ure)?|tab(?:le)?|scheme|box|algorithm)\b[\s.:]*[\dIVXA-Z.]*[\s.:]*)*", re.IGNORECASE)
_NO_NAME = names("affiliation email idno note address roleName")
_CHOSEN = ("corr", "reg", "expan")  # of a text's two readings


def sniff(head: str) -> bool:
    return xml.opens(head, *_PAPERS, "teiCorpus")


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    papers = xml.bare(xml.root(stream)).iter(*_PAPERS)
    return fields.each(((f"paper {number}", paper) for number, paper in enumerate(papers, 1)), _document, name)


def _document(paper: etree._Element) -> Document:
    header, text = xml.first(paper, "teiHeader"), xml.first(paper, "text")
    source = xml.first(header, "fileDesc/sourceDesc/biblStruct", "fileDesc/sourceDesc/biblFull")
    published = xml.first(header, "fileDesc/publicationStmt")
    language = text.get(_LANG) or paper.get(_LANG) or header.get(_LANG, "")
    sections = (*_abstracts(header, language), *_text_parts(text))
    return fields.document(
        {
            **_ids(source, published),
            "title": _title(xml.first(header, "fileDesc/titleStmt")) or _title(xml.first(source, "analytic", "monogr")),
            "sections": [{"kind": kind, "text": part} for kind, part in sections],
            "date": _date(source) or _date(published),
            "authors": list(dict.fromkeys(_authors(source) or _authors(xml.first(header, "fileDesc/titleStmt")))),
            "journal": xml.text(source, "monogr/title[@level='j']", "monogr/title"),
            "language": language,
            "licence": _licence(published),
            "references": [_cited(work) for work in _works(text)],
        }
    )


def _title(statement: etree._Element) -> str:
    titles = [title for title in statement.iterchildren("title") if title.get("type") in (None, "main", "sub")]
    titles.sort(key=lambda title: title.get("type") == "sub")
    return ": ".join(filter(None, map(xml.flat, titles)))


def _abstracts(header: etree._Element, language: str) -> Iterator[Part]:
    """The abstract in the language of the text, else the first."""
    found = header.findall("profileDesc/abstract")
    own = [abstract for abstract in found if abstract.get(_LANG, language)[:2] == language[:2]]
    for abstract in own or found[:1]:
        yield from parts(abstract, _MARKUP, "abstract")


def _text_parts(text: etree._Element) -> Iterator[Part]:
    for part in text.iter("front", "body", "back"):
        _inherit_kinds(part)
        yield from parts(part, _MARKUP, "body")


def _inherit_kinds(part: etree._Element) -> None:
    """GROBID does not nest what it numbers: give section 3.1 the type of section 3, where that is a usual kind."""
    kinds: dict[str, str] = {}
    for div in part.iterchildren("div"):
        head = xml.first(div, "head")
        number = head.get("n", "").strip(".")
        kind = kinds.get(number.rpartition(".")[0]) or usual_kind(div.get("type", ""), xml.flat(head))
        kinds[number] = kind if number else ""
        if kind:
            div.set("type", kind)


def _authors(source: etree._Element) -> list[str]:
    found = source.findall("analytic/author") or source.findall("monogr/author") or source.findall("author")
    return [name for name in map(_name, found) if name]


def _name(author: etree._Element) -> str:
    person = xml.first(author, "persName", "name", ".")
    given = " ".join(xml.flat(forename) for forename in person.iterchildren("forename"))
    family = xml.text(person, "surname")
    return ", ".join(filter(None, (family, given))) or xml.flat(person, _NO_NAME)


def _date(element: etree._Element) -> str:
    dates = element.iter("date")
    return next((found for date in dates if (found := fields.iso_date(date.get("when") or xml.flat(date)))), "")


def _ids(*elements: etree._Element) -> dict[str, str]:
    """Identifiers by our names for them."""
    found: dict[str, str] = {}
    for idno in (idno for element in elements for idno in element.iter("idno")):
        kind = {"pmc": "pmcid"}.get(kind := idno.get("type", "").lower(), kind)
        if kind in ("doi", "arxiv", "pmid", "pmcid"):
            found.setdefault(kind, xml.flat(idno))
    return found


def _licence(published: etree._Element) -> str:
    licence = xml.first(published, "availability/licence")
    return licence.get("target") or xml.flat(licence)


def _works(text: etree._Element) -> Iterator[etree._Element]:
    for works in text.iter("listBibl"):
        yield from works.iterchildren("biblStruct", "bibl")


def _cited(work: etree._Element) -> str:
    """The best known identifier, else authors, title, source and year, else what is printed."""
    known = _ids(work)
    curies = (
        known.get("pmid", "").isdecimal() and f"pmid:{known['pmid']}",
        fields.doi_curie(known.get("doi", "")),
        known.get("pmcid") and f"pmcid:PMC{re.sub(r'[^0-9]', '', known['pmcid'])}",
        fields.arxiv_curie(known.get("arxiv", "")),
    )
    titles = list(dict.fromkeys(filter(None, map(xml.flat, work.iter("title")))))
    printed = next((xml.flat(note) for note in work.iterchildren("note") if note.get("type") == "raw_reference"), "")
    if titles and work.tag == "biblStruct":
        authors = [name.replace(", ", " ") for name in _authors(work)]
        printed = ", ".join(filter(None, (*authors, *titles, _date(work)[:4])))
    return next((curie for curie in curies if curie), None) or printed or xml.flat(work)


def _spell(element: etree._Element) -> str | None:
    if element.tag == "math":
        return math(element)
    if element.tag == "choice":
        readings = {child.tag: child for child in element.iterchildren(etree.Element)}
        return xml.flat(
            next((readings[tag] for tag in _CHOSEN if tag in readings), next(iter(readings.values()), None))
        )
    if element.tag in ("lb", "pb", "cb"):
        return "" if element.get("break") == "no" else " "
    if element.tag == "head" and element.getparent().tag == "figure" and _LABEL.fullmatch(xml.flat(element)):
        return ""
    return None


_MARKUP = Markup(
    sections=dict.fromkeys(("div", *(f"div{n}" for n in range(8)), "floatingText", "group", "text", "body"), ""),
    titles=names("head"),
    type="type",
    apart={"figure": "caption", "table": "caption", "note": "footnote"},
    blocks=names("p ab head list item lg l sp speaker cit figDesc desc epigraph argument salute signed"),
    spaced=names("formula space"),
    left_out=names("label row listBibl biblStruct fw titlePage docTitle gap del graphic anchor index"),
    spell=_spell,
)
