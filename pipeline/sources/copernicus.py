"""The article records that Copernicus hands out beside its JATS: front matter with HTML inside its fields."""

from __future__ import annotations

from lxml import etree, html

from pipeline.sources.shared import fields, xml
from pipeline.types import Document

_PICTURES = frozenset(("svg", "svg:svg"))


def document(article: etree._Element) -> Document:
    """A record whose namespaces were taken off."""
    return fields.document(
        {
            "doi": xml.text(article, "doi"),
            "title": _text(article.find("article_title")),
            "abstract": _text(article.find("abstract")),
            "date": xml.text(article, "publication_date", "journal/publication_year"),
            "authors": [xml.text(author, "name") for author in article.iterfind("authors/author")],
            "journal": xml.text(article, "journal/journal_title"),
            "language": article.get("language", ""),
            "references": [_cited(work) for work in article.iterfind("references/reference")],
        }
    )


def _cited(work: etree._Element) -> str:
    links = _fragment(work).iterlinks() if xml.flat(work) else ()
    dois = (fields.doi_curie(address) for _, _, address, _ in links)
    return next((doi for doi in dois if doi), "") or _text(work)


def _text(element: etree._Element | None) -> str:
    """What is read of HTML; links back to where a work is cited are no part of it."""
    if not xml.flat(element):
        return ""
    fragment = _fragment(element)
    for link in fragment.xpath(".//a[starts-with(@href, '#')]"):
        link.drop_tree()
    return xml.flat(fragment, _PICTURES).rstrip(", \u2002")


def _fragment(element: etree._Element | None) -> html.HtmlElement:
    return html.fragment_fromstring(xml.flat(element), create_parent="div")
