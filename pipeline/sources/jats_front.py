"""The front matter of a JATS article: what is known about it, its title and its abstracts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from pipeline.sources.jats_text import HREF, MARKUP
from pipeline.sources.shared import fields, xml
from pipeline.sources.shared.prose import Part, inside, names, parts, prose

LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_AUTHORS = ("author", "authors", "collab")
_NO_NAME = names("contrib-group aff xref fn label email address")
_IDS = {"pmid": ("pmid",), "pmcid": ("pmcid", "pmc", "pmcaid", "pmc-uid"), "doi": ("doi",), "arxiv": ("arxiv",)}
_LINKS = {
    "corrected-article": "corrects",
    "correction": "corrected_by",
    "correction-forward": "corrected_by",
    "erratum": "corrected_by",
    "retracted-article": "retracts",
    "retraction": "retracted_by",
    "retraction-forward": "retracted_by",
    "partial-retraction": "partly_retracted_by",
    "object-of-concern": "questions",
    "concern": "questioned_by",
    "expression-of-concern": "questioned_by",
    "addended-article": "updates",
    "addendum": "updated_by",
    "update": "updated_by",
    "updated-article": "updates",
    "preprint": "updates",
    "republished-article": "republishes",
}
_TEASERS = frozenset(("graphical", "teaser", "toc", "precis", "video", "web-summary", "short"))
_MAIN = frozenset(("", "standard", "abstract", "normal", "author", "section"))
_PRINT, _COLLECTION, _ONLINE, _AFTER = range(4)
_LATER = frozenset(("pmc-release", "nihms-submitted", "retracted", "corrected", "received", "accepted", "rev-recd"))


def ids(meta: etree._Element) -> dict[str, str]:
    known: dict[str, str] = {}
    for element in meta.iterchildren("article-id", "book-part-id", "book-id"):
        known.setdefault(element.get("pub-id-type", "").lower(), xml.flat(element))
    for custom in meta.iterfind("custom-meta-group/custom-meta"):
        if xml.text(custom, "meta-name").lower().startswith("arxiv"):
            known.setdefault("arxiv", xml.text(custom, "meta-value"))
    return {name: next((known[kind] for kind in kinds if known.get(kind)), "") for name, kinds in _IDS.items()}


def title(meta: etree._Element) -> str:
    group = xml.first(meta, "title-group", "book-title-group", ".")
    titles = (group.find(path) for path in ("article-title", "title", "book-title", ".//trans-title"))
    text = next((found for each in titles if each is not None and (found := _line(each))), "")
    for subtitle in filter(None, map(_line, group.iterchildren("subtitle"))):
        text += f" {subtitle}" if text.endswith(tuple("?!.:")) else f": {subtitle}"
    return text


def _line(element: etree._Element) -> str:
    return prose(inside(element), MARKUP)[0].replace("\n\n", " ")


def abstracts(article: etree._Element, meta: etree._Element) -> Iterator[Part]:
    """The abstract, then summaries for other readers; teasers and translations only where nothing else is."""
    found = list(meta.iterchildren("abstract"))
    by_type = {abstract: abstract.get("abstract-type", "").lower() for abstract in found}
    language = article.get(LANG, "")[:2]
    main = [abstract for abstract in found if by_type[abstract] in _MAIN]
    own = [abstract for abstract in main if abstract.get(LANG, language)[:2] == language] or main
    summaries = [abstract for abstract in found if abstract not in main and by_type[abstract] not in _TEASERS]
    for abstract in own:
        yield from parts(abstract, MARKUP, "abstract")
    for abstract in summaries:
        yield from parts(abstract, MARKUP, "lay summary")
    if not own and not summaries:
        for abstract in (*found, *meta.iterchildren("trans-abstract"))[:1]:
            yield from parts(abstract, MARKUP, "abstract")


def authors(meta: etree._Element) -> Iterator[str]:
    """All names, those of a group after it; dict.fromkeys of them holds each once."""
    for contrib in meta.iterfind("contrib-group/contrib"):
        if contrib.get("contrib-type", "author") in _AUTHORS:
            members = contrib.iterfind(".//contrib[@contrib-type='author']")
            yield from filter(None, map(_name, (contrib, *members)))


def _name(contrib: etree._Element) -> str:
    """A person as "Family, Given", or a group."""
    person = xml.first(contrib, "name", "string-name", "name-alternatives/name", "name-alternatives/string-name")
    named = [text for path in ("surname", "given-names") if (text := xml.text(person, path))]
    group = xml.first(contrib, "collab", "collab-alternatives/collab")
    return ", ".join(named) or xml.flat(person) or xml.flat(group, _NO_NAME)


def date(meta: etree._Element) -> str:
    """The first date by rank; of a collection only the year holds, for its month is often the last of the year.

    Another date of publication that says the same and more is taken instead.
    """
    dates = [(_rank(found), _iso(found)) for found in meta.iterchildren("pub-date")]
    ranked = sorted((rank, number, iso) for number, (rank, iso) in enumerate(dates) if iso)
    first, _, best = ranked[0] if ranked else (0, 0, "")
    best = best[:4] if first == _COLLECTION else best
    same = (iso for rank, _, iso in ranked if iso.startswith(best) and (rank < _AFTER or first == _AFTER))
    return max(same, key=len, default="")


def _rank(date: etree._Element) -> int:
    """Print, then collection, then on line, then what happened after publication."""
    kind = (date.get("pub-type") or date.get("date-type") or "").lower()
    if kind in _LATER:
        return _AFTER
    if "ppub" in kind or date.get("publication-format") == "print":
        return _PRINT
    return _COLLECTION if kind in ("collection", "issue") else _ONLINE


def _iso(date: etree._Element) -> str:
    """The date in the form that says most."""
    month = xml.text(date, "month", "season")
    shown = " ".join((xml.text(date, "year", "string-date"), month, xml.text(date, "day") if month else ""))
    return max(fields.iso_date(shown), fields.iso_date(date.get("iso-8601-date", "")), key=len)


def licence(meta: etree._Element) -> str:
    """The address of the licence, else its words."""
    terms = xml.first(meta, "permissions/license", "license")
    addresses = (link.get(HREF, "") for link in terms.iter("ext-link", "uri"))
    return (
        terms.get(HREF)
        or xml.text(terms, "license_ref")
        or xml.text(meta, "permissions/license_ref")
        or next((address for address in addresses if "creativecommons.org" in address), "")
        or xml.flat(terms)
        or terms.get("license-type", "")
    )


def links(meta: etree._Element) -> Iterator[tuple[str, str]]:
    for related in meta.iterchildren("related-article"):
        word = _LINKS.get(related.get("related-article-type", ""))
        target = related.get(HREF, "").strip() or xml.flat(related)
        kind = related.get("ext-link-type", "")
        if kind in ("pubmed", "pmid", "pmc", "pmcid"):
            digits = re.sub(r"\D", "", target)
            target = f"PMC{digits}" if digits and kind.startswith("pmc") else digits
        elif curie := fields.doi_curie(target):
            target = curie.removeprefix("doi:")
        if word and target:
            yield word, target
