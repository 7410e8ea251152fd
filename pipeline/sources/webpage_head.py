"""What the head of a web page says about its paper: Highwire, Dublin Core, PRISM and Open Graph tags, and JSON-LD."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from pipeline.sources.shared import fields

# The names of meta tags that say a field, the surest first.
_TAGS = {
    "title": "citation_title dc.title dcterms.title prism.title og:title",
    "abstract": "citation_abstract dcterms.abstract dc.description.abstract",
    "authors": "citation_author citation_authors dc.creator dcterms.creator",
    "date": "citation_publication_date citation_date citation_online_date prism.publicationdate dc.date dcterms.issued "
    "dc.date.issued article:published_time citation_year",
    "journal": "citation_journal_title citation_conference_title prism.publicationname dc.source",
    "doi": "citation_doi prism.doi bepress_citation_doi dc.identifier",
    "pmid": "citation_pmid",
    "pmcid": "citation_pmcid citation_pmc",
    "arxiv": "citation_arxiv_id",
    "language": "citation_language dc.language dcterms.language",
}
_ARTICLE = re.compile(r"(?:\w*Article|BlogPosting|Report|Thesis)$")
_MOST_JSON = 1 << 20  # characters


def known(page: etree._Element) -> dict[str, object]:
    """The fields of a paper that the page names; those that it does not are left out."""
    tags = _tags(page)
    found: dict[str, object] = dict(_linked(page))
    for field, names in _TAGS.items():
        values = next((tags[name] for name in names.split() if tags.get(name)), None)
        if values:
            found[field] = values if field == "authors" else values[0]
    if "doi" in found and not fields.doi_curie(str(found["doi"])):
        del found["doi"]
    for field, path in (("title", ".//h1"), ("title", ".//title"), ("language", "")):
        text = _flat(page.find(path)) if path else page.get("lang") or page.get("xml:lang") or ""
        if text and field not in found:
            found[field] = text
    if isinstance(found.get("language"), str):
        found["language"] = re.split(r"[-_]", str(found["language"]))[0]
    licence = next((link.get("href") for link in page.iter("link", "a") if link.get("rel") == "license"), None)
    return found | ({"licence": licence} if licence and "licence" not in found else {})


def _tags(page: etree._Element) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for meta in page.iter("meta"):
        name = (meta.get("name") or meta.get("property") or "").strip().lower()
        value = fields.flat(meta.get("content") or "")
        if name and value:
            found.setdefault(name, []).append(value)
    return found


def _linked(page: etree._Element) -> Iterator[tuple[str, object]]:
    """What the first article of the page's JSON-LD says, in our words; JSON that is broken says nothing."""
    article = next((item for script in page.iter("script") for item in _articles(script)), None)
    if article is None:
        return
    names = {
        "title": "headline",
        "abstract": "abstract",
        "date": "datePublished",
        "language": "inLanguage",
        "licence": "license",
    }
    for field, name in names.items():
        if isinstance(value := article.get(name), str) and value.strip():
            yield field, fields.flat(value)
    if isinstance(title := article.get("name"), str) and not article.get("headline"):
        yield "title", fields.flat(title)
    if authors := list(filter(None, map(_name, _items(article.get("author"))))):
        yield "authors", authors
    identifiers = (*_items(article.get("sameAs")), *_items(article.get("identifier")), article.get("@id"))
    if doi := next((doi for item in identifiers if (doi := fields.doi_curie(_value(item)))), None):
        yield "doi", doi


def _articles(script: etree._Element) -> Iterator[dict[str, Any]]:
    if script.get("type") != "application/ld+json" or len(script.text or "") > _MOST_JSON:
        return
    try:
        data = json.loads(script.text or "")
    except (ValueError, RecursionError):
        return
    for item in _items(data):
        graph = _items(item.get("@graph")) if isinstance(item, dict) else []
        for one in (item, *graph):
            if isinstance(one, dict) and any(_ARTICLE.match(str(kind)) for kind in _items(one.get("@type"))):
                yield one


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _name(author: object) -> str:
    if not isinstance(author, dict):
        return fields.flat(str(author))
    family, given = author.get("familyName"), author.get("givenName")
    return f"{family}, {given}" if family and given else fields.flat(str(author.get("name") or ""))


def _value(item: object) -> str:
    return str(item.get("value") or "") if isinstance(item, dict) else str(item or "")


def _flat(element: etree._Element | None) -> str:
    return "" if element is None else fields.flat("".join(element.itertext()))
